//! `kill -9` at any moment: under load, during the start, in a snapshot,
//! after a pause of the whole process.

use crate::lives::{Blow, end_lives};
use crate::machine;

/// Nothing but the end of the process.
struct Kill;

impl Blow for Kill {
    const NAME: &str = "kills";
}

fn kills(test: &str, store: &str, cycles: usize) {
    let _turn = machine::turn();
    let dir = tempfile::tempdir().expect("directory");
    end_lives(test, store, cycles, &dir.path().join("data"), &mut Kill);
}

#[test]
fn kill_9_loses_nothing_acknowledged() {
    kills("kill", "sled", machine::scaled(50));
}

#[test]
fn kill_9_loses_nothing_acknowledged_in_segments() {
    kills("kill, segments", "segments", machine::scaled(12));
}
