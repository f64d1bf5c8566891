//! The built gateway under faults: killed, cut from its power, with failing disks, damaged files
//! and jumping clocks. One binary for the crate.
//!
//! A driver of several clients holds, pays and cancels, and writes down what was acknowledged
//! (`ledger`); after each fault the server is started again and everything it says is compared with
//! that (`check`). What was acknowledged is there or the start is refused; what got no answer
//! happened wholly or not at all, and asking again with the same key tells which.
//!
//! Seeds are printed; `TIKETI_FAULTS_SEED` sets them, `TIKETI_FAULTS_SCALE` multiplies the cycles.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod check;
mod driver;
mod http;
mod launch;
mod ledger;
mod lives;
mod machine;
mod random;
mod shop;

mod clock;
mod damage;
mod directory;
mod drain;
mod expiry;
mod failing_calls;
mod full_disk;
mod kill;
mod money;
mod power;
