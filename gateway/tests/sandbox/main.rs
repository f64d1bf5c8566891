//! The Toss sandbox and the Stripe simulator over real sockets: what they answer is what the
//! providers' documents say, and every switch does what it is called. One binary for the crate.

#![allow(clippy::unwrap_used)]

mod support;

mod access;
mod cancel;
mod confirm;
mod console;
mod deposit;
mod faults;
mod forced;
mod idempotency;
mod methods;
mod questions;
mod receiver;
mod restart;
mod several;
mod stripe;
mod transactions;
mod webhooks;
mod window;
