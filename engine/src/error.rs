//! Why a command was not carried out: refusals (the caller's matter) and unavailability (retry
//! helps). What is fatal never comes back as an error: the journal ends the process (I9).

use thiserror::Error;

/// The journal takes no record now; nothing was changed. Retrying later helps unless poisoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JournalUnavailable {
    /// Too much waits for the disk.
    #[error("too many records wait for the disk")]
    QueueFull,
    /// Less disk is free than new work may use.
    #[error("the disk is nearly full")]
    DiskLow,
    /// A write or sync failed; the process is about to end.
    #[error("the journal has failed")]
    Poisoned,
}
