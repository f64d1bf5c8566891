//! The Toss sandbox over real sockets: what it answers is what the provider's documents say, and
//! every switch does what it is called. One binary for the crate.

#![allow(clippy::unwrap_used)]

mod support;

mod access;
mod cancel;
mod confirm;
mod deposit;
mod faults;
mod forced;
mod idempotency;
mod questions;
mod receiver;
mod restart;
mod webhooks;
mod window;
