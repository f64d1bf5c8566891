//! Paying through Toss: a gateway in development with the sandbox that it serves itself, over real
//! HTTP on both sides.

#![allow(clippy::unwrap_used)]

mod administration;
mod confirm;
mod deposits;
mod errors;
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
