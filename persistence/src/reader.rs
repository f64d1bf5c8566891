//! The log and its state for tools, while no server uses the directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tiketi_engine::ids::{Epoch, Lsn};
use tiketi_engine::record::Record;
use tiketi_engine::state::State;

use crate::batch::{Batch, Header};
use crate::codec::Frames;
use crate::data_dir::{self, DirLock};
use crate::defect::Refusal;
use crate::disk::RealDisk;
use crate::error::OpenError;
use crate::layout::Layout;
use crate::open::real_store;
use crate::recovery::examine;
use crate::snapshot::{self, DamagedSnapshot, SnapshotName};
use crate::snapshot_maker::{SnapshotError, SnapshotMade, make_up_to_a_tear};
use crate::storage::StoreKind;
use crate::storage::{Entry, Generation, LogStore, StorageError};

/// A data directory, opened to read. Holds its lock.
pub struct LogReader {
    layout: Layout,
    kind: StoreKind,
    store: Arc<dyn LogStore>,
    _lock: DirLock,
}

/// A batch as it lies in the log. Its header and checksums are good; its place is not checked.
#[derive(Clone, Debug)]
pub struct LogBatch {
    /// Which generation it is in.
    pub generation: Generation,
    /// Where in it: an offset, or the key.
    pub position: u64,
    /// What it says of itself.
    pub header: Header,
    bytes: Vec<u8>,
}

/// A piece of the log.
#[derive(Clone, Debug)]
pub enum LogPiece {
    /// A batch.
    Batch(LogBatch),
    /// Bytes that are no batch.
    Damaged {
        /// Which generation they are in.
        generation: Generation,
        /// Where in it.
        position: u64,
        /// How many.
        bytes: u64,
        /// What is wrong with them.
        why: String,
    },
}

/// A record and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its position in the log.
    pub lsn: Lsn,
    /// The epoch of its batch.
    pub epoch: Epoch,
    /// The generation of its batch.
    pub generation: Generation,
    /// The record.
    pub record: Record,
}

/// What a check of everything found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The snapshot that the fold began from.
    pub snapshot: Option<SnapshotName>,
    /// Newer snapshots that cannot be used.
    pub damaged_snapshots: Vec<DamagedSnapshot>,
    /// Records folded after it.
    pub records: u64,
    /// The last good record.
    pub last_lsn: Lsn,
    /// Its epoch.
    pub epoch: Epoch,
    /// The torn tail that a start would cut.
    pub torn_tail: Option<crate::defect::Defect>,
    /// Why a start would be refused.
    pub refusal: Option<Refusal>,
}

impl LogReader {
    /// Opens a directory that no server uses. No record is changed.
    ///
    /// # Errors
    /// [`OpenError::Empty`], [`OpenError::VersionMissing`], [`OpenError::VersionDamaged`],
    /// [`OpenError::WrongVersion`], [`OpenError::InUse`], and whatever the system reports.
    pub fn open(dir: impl AsRef<Path>) -> Result<LogReader, OpenError> {
        let layout = Layout::new(dir.as_ref());
        let Some(kind) = data_dir::read_version(&RealDisk, &layout)? else {
            return Err(unversioned(&layout)?);
        };
        let lock = DirLock::take(&layout)?;
        let store = real_store(kind, &layout);
        Ok(LogReader { layout, kind, store, _lock: lock })
    }

    /// What keeps the log.
    #[must_use]
    pub fn store_kind(&self) -> StoreKind {
        self.kind
    }

    /// Where everything is.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The generations, oldest first.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn generations(&self) -> Result<Vec<Generation>, OpenError> {
        Ok(self.store.generations()?)
    }

    /// The snapshot files by name, newest first; not checked.
    ///
    /// # Errors
    /// Whatever the system reports.
    pub fn snapshots(&self) -> Result<Vec<(SnapshotName, PathBuf)>, OpenError> {
        let listing = OpenError::io(format!("list {}", self.layout.snapshots().display()));
        let names = snapshot::list(&RealDisk, &self.layout).map_err(listing)?;
        Ok(names.into_iter().map(|name| (name, snapshot::path(&self.layout, name))).collect())
    }

    /// Every batch and every bit of damage in the generations that are there, oldest first. The
    /// records before the oldest snapshot may be gone.
    pub fn pieces(&self) -> impl Iterator<Item = Result<LogPiece, StorageError>> + '_ {
        let generations = match self.store.generations() {
            Ok(generations) => generations.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        generations.into_iter().flat_map(|generation| -> Box<dyn Iterator<Item = _>> {
            let read = generation.and_then(|found| Ok((found, self.store.read(found)?)));
            match read {
                Err(error) => Box::new(std::iter::once(Err(error))),
                Ok((generation, entries)) => {
                    Box::new(entries.map(move |entry| entry.map(|entry| piece(generation, entry))))
                }
            }
        })
    }

    /// Every record that is in a good batch, oldest first; damage is skipped, see
    /// [`LogReader::pieces`] and [`LogReader::verify`].
    pub fn records(&self) -> impl Iterator<Item = Result<LogRecord, StorageError>> + '_ {
        self.pieces().flat_map(|piece| match piece {
            Ok(LogPiece::Batch(batch)) => batch.records().into_iter().map(Ok).collect(),
            Ok(LogPiece::Damaged { .. }) => Vec::new(),
            Err(error) => vec![Err(error)],
        })
    }

    /// Does everything a start does, but for changing anything.
    ///
    /// # Errors
    /// Whatever the system reports; damage is a finding and no error.
    pub fn verify(&self) -> Result<Verified, OpenError> {
        Ok(self.examine()?.0)
    }

    /// The state a start would serve.
    ///
    /// # Errors
    /// [`OpenError::Refused`] where there is none, and whatever the system reports.
    pub fn state(&self) -> Result<State, OpenError> {
        let (verified, state) = self.examine()?;
        match verified.refusal {
            None => Ok(state),
            Some(refusal) => {
                let path = self.layout.dir().to_owned();
                Err(OpenError::Refused { path, refusal: Box::new(refusal) })
            }
        }
    }

    fn examine(&self) -> Result<(Verified, State), OpenError> {
        let found = examine(&RealDisk, &self.layout, &*self.store)?;
        let refusal = found.verdict.err();
        let torn_tail = match refusal {
            None => found.fold.defect,
            Some(_) => None,
        };
        let verified = Verified {
            snapshot: found.fold.snapshot,
            damaged_snapshots: found.damaged_snapshots,
            records: found.fold.records,
            last_lsn: found.fold.last_lsn,
            epoch: found.fold.epoch,
            torn_tail,
            refusal,
        };
        Ok((verified, found.fold.state))
    }

    /// Folds the whole log into a snapshot, but for a torn tail, which is left for a start to cut.
    /// `None` where the log is empty.
    ///
    /// # Errors
    /// [`OpenError::Refused`] where a start would be refused; otherwise see [`SnapshotError`].
    pub fn make_snapshot(&self) -> Result<Option<SnapshotMade>, MakeSnapshotError> {
        self.state()?;
        let generations = self.store.generations().map_err(SnapshotError::from)?;
        // What the last process wrote may be in memory only, and a durable snapshot must not reach
        // further than the durable log. Only the newest generation with batches can hold such, and
        // an empty one at most was made ahead of it.
        for &generation in generations.iter().rev().take(2) {
            drop(self.store.open(generation).map_err(SnapshotError::from)?);
        }
        let through = generations.last().copied().unwrap_or(Generation::FIRST);
        Ok(make_up_to_a_tear(&RealDisk, &self.layout, &*self.store, through)?)
    }
}

/// What a directory without a version file is: one without a log, or one that has lost the file.
/// Nothing is written into somebody else's.
fn unversioned(layout: &Layout) -> Result<OpenError, OpenError> {
    let path = layout.dir().to_owned();
    let store = real_store(data_dir::guessed_kind(&RealDisk, layout)?, layout);
    let shown_by = match data_dir::refuse_foreign(&RealDisk, layout) {
        Err(OpenError::Foreign { .. }) => {
            store.generations()?.first().map(|first| layout.log().join(first.name()))
        }
        Err(error) => return Err(error),
        Ok(()) => {
            let _lock = match store.generations()?.is_empty() {
                true => None,
                // A start may be making it right now.
                false => Some(DirLock::take(layout)?),
            };
            data_dir::sign_of_a_log(&RealDisk, layout, &*store)?
        }
    };
    Ok(match shown_by {
        Some(shown_by) => OpenError::VersionMissing { path, shown_by },
        None => OpenError::Empty { path },
    })
}

/// Why a tool made no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum MakeSnapshotError {
    /// The directory cannot be opened, or its data is not whole.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The snapshot could not be made.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

fn piece(generation: Generation, entry: Entry) -> LogPiece {
    match entry {
        Entry::Damaged { position, bytes, why, .. } => {
            LogPiece::Damaged { generation, position, bytes, why }
        }
        Entry::Batch { position, bytes, .. } => match Batch::parse(&bytes) {
            Ok(batch) => {
                let header = *batch.header();
                LogPiece::Batch(LogBatch { generation, position, header, bytes })
            }
            Err(defect) => LogPiece::Damaged {
                generation,
                position,
                bytes: bytes.len() as u64,
                why: defect.to_string(),
            },
        },
    }
}

impl LogBatch {
    /// Its records; ends at the first frame that is none.
    #[must_use]
    pub fn records(&self) -> Vec<LogRecord> {
        let body = self.bytes.get(crate::batch::HEADER_BYTES..).unwrap_or_default();
        let frames = Frames::new(body).map_while(Result::ok);
        (self.header.first_lsn.0..)
            .zip(frames)
            .map(|(lsn, record)| LogRecord {
                lsn: Lsn(lsn),
                epoch: self.header.epoch,
                generation: self.generation,
                record,
            })
            .collect()
    }

    /// Bytes of header and frames.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Folds the log of `dir` into a snapshot, for the command line.
///
/// # Errors
/// See [`LogReader::open`] and [`LogReader::make_snapshot`].
pub fn make_snapshot(dir: impl AsRef<Path>) -> Result<Option<SnapshotMade>, MakeSnapshotError> {
    LogReader::open(dir)?.make_snapshot()
}
