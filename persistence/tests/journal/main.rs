//! The journal as a whole: on real stores, and on simulated disks that fail.
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "what a failing seed did")]

mod common;
mod crash;
mod directory;
mod fixtures;
mod group;
mod images;
mod recovery_table;
mod samples;
mod smoke;
mod stores;

use tiketi_engine::ids::Lsn;
use tiketi_engine::journal::{Journal, Purpose};
use tiketi_engine::record::Record;
use tiketi_engine::state::State;
use tiketi_persistence::Opened;

/// The fold of records from the first on.
fn fold(records: &[Record]) -> State {
    let mut state = State::default();
    for (lsn, record) in (1..).zip(records) {
        state.apply(Lsn(lsn), record).unwrap();
    }
    state
}

/// Appends records of the script, a few at a time, and waits for each few.
fn append(opened: &Opened, from: u64, to: u64) {
    for number in from..to {
        let permit = opened.journal.reserve(Purpose::NewWork).unwrap();
        let lsn = opened.journal.append(permit, &common::record(number));
        if number % 3 == 0 || number + 1 == to {
            opened.journal.durable().wait_blocking(lsn).unwrap();
        }
    }
}
