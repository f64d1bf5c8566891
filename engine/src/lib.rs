//! The seat engine.
//!
//! Decides every hold, order and sale in memory and hands facts to a journal. Does no I/O, reads no
//! clock, knows no wire format. Reading order: [`ids`] and [`record`] name things and facts,
//! [`state`] folds facts, [`engine`] decides commands, [`inventory`] holds the lock-free structures
//! they decide on, [`waiting_room`] the line before them, [`money`] what is paid and goes back.

#![warn(missing_docs)]

mod accounts;
mod append_vec;
pub mod command;
pub mod engine;
pub mod error;
mod idempotency;
pub mod ids;
pub mod inline_list;
pub mod inventory;
pub mod journal;
pub mod limits;
#[cfg(all(test, loom))]
mod loom_models;
pub mod money;
pub mod record;
pub mod state;
mod sync;
pub mod waiting_room;
