//! What can be wrong with a log, and why a start is refused.

use thiserror::Error;
use tiketi_engine::ids::Lsn;
use tiketi_engine::state::FoldError;

use crate::batch::VERSION;
use crate::snapshot::DamagedSnapshot;
use crate::storage::Generation;

/// Why a start was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A batch of a newer version, which this program neither reads nor cuts.
    #[error("{0}; start the version that wrote it")]
    NewerVersion(Defect),
    /// No snapshot can be used and the log does not begin at record 1.
    #[error("no snapshot can be used and the log begins at record {log_begins}{}", list(damaged))]
    NothingToFoldFrom {
        /// The first record of the log; 0 where there is none.
        log_begins: Lsn,
        /// The snapshots that cannot be used.
        damaged: Vec<DamagedSnapshot>,
    },
    /// A bad batch with good ones after it, or a good one that does not follow.
    #[error("{0}")]
    LogBroken(Defect),
    /// The log ends before its snapshot.
    #[error("the log ends at record {last_lsn}, before the snapshot at {snapshot_lsn}")]
    LogBehindSnapshot {
        /// Where the log ends.
        last_lsn: Lsn,
        /// Where the snapshot is.
        snapshot_lsn: Lsn,
    },
    /// The mark is missing.
    #[error("the mark is missing; without it a lost end of the log cannot be seen")]
    MarkMissing,
    /// The mark is damaged.
    #[error("the mark is damaged; without it a lost end of the log cannot be seen")]
    MarkDamaged,
    /// Acknowledged records are missing at the end.
    #[error(
        "the log ends at record {last_lsn}, but records up to {mark_lsn} were acknowledged{}",
        tail.as_ref().map_or(String::new(), |tail| format!(" ({tail})"))
    )]
    TailLost {
        /// Where the log ends.
        last_lsn: Lsn,
        /// Where the mark is.
        mark_lsn: Lsn,
        /// What stands after the end of the log.
        tail: Option<Defect>,
    },
    /// This is not the log that was acknowledged.
    #[error("record {mark_lsn} ends a batch of another log than the one that was acknowledged")]
    AnotherLog {
        /// Where the mark is.
        mark_lsn: Lsn,
    },
    /// The state contradicts itself.
    #[error("the state at record {last_lsn} contradicts itself: {why}")]
    StateUnsound {
        /// Where the log ends.
        last_lsn: Lsn,
        /// As [`State::check`](tiketi_engine::state::State::check) says it.
        why: String,
    },
}

impl Refusal {
    /// What it means for the data, to be put after its name.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match self {
            Refusal::NewerVersion(_) => "cannot be read by this version",
            _ => "is not whole",
        }
    }
}

fn list(damaged: &[DamagedSnapshot]) -> String {
    damaged.iter().map(|snapshot| format!("; {snapshot}")).collect()
}

/// Something in the log that should not be there, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("generation {generation}, position {position}, after record {last_lsn}: {kind}")]
pub struct Defect {
    /// In which generation.
    pub generation: Generation,
    /// Where in it: an offset, or the key.
    pub position: u64,
    /// The last record before it.
    pub last_lsn: Lsn,
    /// How many bytes it spans.
    pub bytes: u64,
    /// What it is.
    pub kind: DefectKind,
}

/// What is wrong with a piece of the log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DefectKind {
    /// What begins like a batch of a newer version.
    #[error("written by a newer version: batch version {0}; this program reads {VERSION}")]
    Newer(u16),
    /// Bytes that are no batch, and nothing after them that was written once they were durable.
    #[error("torn tail: {0}")]
    Torn(String),
    /// Bytes that are no batch, with something after them that was written once they were durable.
    #[error("damaged batch with good ones after it: {0}")]
    Damaged(String),
    /// A good batch that does not follow from the one before.
    #[error("misplaced batch: {0}")]
    Misplaced(String),
    /// A record that does not follow from those before it.
    #[error(transparent)]
    Fold(FoldError),
    /// The store's own structure.
    #[error("{0}")]
    Store(String),
}

impl DefectKind {
    pub(crate) fn is_torn(&self) -> bool {
        matches!(self, DefectKind::Torn(_))
    }
}
