//! Paying through Toss: a gateway in development with the sandbox that it serves itself, over real
//! HTTP on both sides.

#![allow(clippy::unwrap_used)]

mod administration;
mod awaited;
mod compared;
mod confirm;
mod console;
mod deposits;
mod errors;
mod flood;
mod other_payments;
mod pieces;
mod points;
mod promises;
mod races;
mod refunds;
#[allow(dead_code, reason = "shared with the tests of the whole wire")]
#[path = "../http/shop.rs"]
mod shop;
#[allow(dead_code, reason = "shared with the tests of the whole wire")]
#[path = "../http/support.rs"]
mod support;
mod till;
mod unknown;
