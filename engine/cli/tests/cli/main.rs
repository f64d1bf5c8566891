//! The built command against a real gateway, and against the data it leaves behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod offline;
mod online;
mod support;
mod watch;
