//! Paying through Stripe: a gateway in development with the simulator that it serves itself, over
//! real HTTP on both sides, and beside Toss.

#![allow(clippy::unwrap_used)]

mod beside;
mod confirm;
mod declines;
mod disputes;
mod on_its_own;
mod opening;
#[path = "../toss/promises.rs"]
mod promises;
mod refunds;
#[allow(dead_code, reason = "shared with the tests of the whole wire")]
#[path = "../http/shop.rs"]
mod shop;
#[allow(dead_code, reason = "shared with the tests of the whole wire")]
#[path = "../http/support.rs"]
mod support;
#[allow(dead_code, reason = "shared with the tests of Toss")]
#[path = "../toss/till.rs"]
mod till;
mod unknown;
mod webhooks;
mod window;
