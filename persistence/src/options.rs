//! How the journal is opened.

use std::path::PathBuf;

use tiketi_engine::limits::BATCH_BYTES_MAX;

use crate::error::FatalHook;
use crate::storage::StoreKind;

/// Every setting of the journal. [`Options::new`] has sane values for all but the directory.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory; made where it does not exist.
    pub dir: PathBuf,
    /// What keeps the log.
    pub store: StoreKind,
    /// A generation ends, and a snapshot is made, after about this many bytes of batches.
    pub generation_bytes: u64,
    /// A batch ends before the record that would make it larger than this many bytes;
    /// [`tiketi_engine::limits::BATCH_BYTES_MAX`] at most. Small in simulations.
    pub batch_bytes_max: usize,
    /// New work is refused while this many bytes wait for the disk; completions at twice it.
    pub queue_bytes_max: usize,
    /// New work is refused while less than this is free on disk.
    pub free_bytes_min: u64,
    /// Size of the file that is given back when a full disk would keep the log from opening.
    pub ballast_bytes: u64,
    /// Who makes generations and snapshots.
    pub housekeeping: Housekeeping,
    /// What happens after a fatal error.
    pub on_fatal: FatalHook,
}

/// Who makes the next generation and the snapshot of the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Housekeeping {
    /// Threads of their own, so that no commit waits for them.
    Threads,
    /// The writer, between two commits: slower, but the same disk calls in the same order every
    /// time. For fault simulation.
    Inline,
}

impl Options {
    /// The defaults for a directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Options {
            dir: dir.into(),
            store: StoreKind::default(),
            generation_bytes: 180 << 20,
            batch_bytes_max: BATCH_BYTES_MAX,
            queue_bytes_max: 768 << 10,
            free_bytes_min: 256 << 20,
            ballast_bytes: 64 << 20,
            housekeeping: Housekeeping::Threads,
            on_fatal: FatalHook::default(),
        }
    }
}
