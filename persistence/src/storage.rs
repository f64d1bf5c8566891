//! Where the log is kept: the trait that sled, plain segments and the simulator implement.
//!
//! A store keeps *generations*; a generation keeps batches in the order they were appended. One
//! generation is written at a time. The batches of one commit are appended and then synced
//! together; the next commit begins after that: so only the batches of the last one can be torn,
//! and each batch says what was synced when it was written (I10).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tiketi_engine::ids::Lsn;

/// What keeps the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// sled, one database per generation.
    #[default]
    Sled,
    /// Plain append-only files.
    Segments,
}

impl StoreKind {
    /// Its name in settings and in the version file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StoreKind::Sled => "sled",
            StoreKind::Segments => "segments",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StoreKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [StoreKind::Sled, StoreKind::Segments]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no log store is called {name:?}; there are sled and segments"))
    }
}

/// The number of a generation, dense from 1 until the oldest are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    /// The first one.
    pub const FIRST: Generation = Generation(1);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Generation {
        Generation(self.0 + 1)
    }

    /// Its name on disk: ten digits, so that names sort.
    #[must_use]
    pub fn name(self) -> String {
        format!("{:010}", self.0)
    }

    /// The generation of that name, or `None` for any other name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Generation> {
        let generation = Generation(name.parse().ok()?);
        (generation.0 > 0 && generation.name() == name).then_some(generation)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A store failed.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The operating system reported an error.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, to which path.
        what: String,
        /// What it reported.
        source: std::io::Error,
    },
    /// The store's own structure is damaged.
    #[error("generation {generation} is damaged: {why}")]
    Damaged {
        /// Where.
        generation: Generation,
        /// As the store said it.
        why: String,
    },
}

impl StorageError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> StorageError {
        let what = what.into();
        move |source| StorageError::Io { what, source }
    }

    /// Whether the disk is full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        match self {
            StorageError::Io { source, .. } => is_storage_full(source),
            StorageError::Damaged { .. } => false,
        }
    }
}

pub(crate) fn is_storage_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Something found in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What was appended as one batch; its checksums are not verified yet.
    Batch {
        /// Where it is: an offset in bytes, or the key it is stored under.
        position: u64,
        /// The first LSN it is stored under, where the store keeps one.
        key: Option<Lsn>,
        /// Header and body.
        bytes: Vec<u8>,
    },
    /// Bytes that are no batch of this version, up to the next that look like one.
    Damaged {
        /// Where they begin.
        position: u64,
        /// How many.
        bytes: u64,
        /// What is wrong with them.
        why: String,
        /// The LSN up to which the damaged batch, where its header is whole, claims a log.
        claims: Option<Lsn>,
        /// See [`crate::batch::newer_version`].
        newer: Option<u16>,
    },
}

impl Entry {
    /// Where it is.
    #[must_use]
    pub fn position(&self) -> u64 {
        match self {
            Entry::Batch { position, .. } | Entry::Damaged { position, .. } => *position,
        }
    }
}

/// The entries of a generation in order; ends after the first error.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<Entry, StorageError>> + Send + 'a>;

/// A place that keeps the generations of a log.
pub trait LogStore: Send + Sync + 'static {
    /// All generations, ascending.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    fn generations(&self) -> Result<Vec<Generation>, StorageError>;

    /// Removes what an interrupted creation or removal left behind. Only before anything else.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    fn remove_leftovers(&self) -> Result<(), StorageError>;

    /// Makes an empty generation.
    ///
    /// # Errors
    /// Whatever the store reports; a generation of that number exists only if it is whole.
    ///
    /// # Durability
    /// Durable on return, with its directory entries.
    fn create(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError>;

    /// Opens a generation to append after its last batch, which is durable on return.
    ///
    /// # Errors
    /// Whatever the store reports.
    fn open(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError>;

    /// Reads a generation that nobody writes to.
    ///
    /// # Errors
    /// Whatever the store reports.
    fn read(&self, generation: Generation) -> Result<Entries<'_>, StorageError>;

    /// Cuts a torn tail: everything from `position` on is gone durably on return.
    ///
    /// # Errors
    /// Whatever the store reports.
    fn cut(&self, generation: Generation, position: u64) -> Result<(), StorageError>;

    /// Writes a generation over itself, as it can be read: what is read from it afterwards is on
    /// the disk, which after a failed sync it need not be. Only while nobody uses it.
    ///
    /// # Errors
    /// Whatever the store reports.
    ///
    /// # Durability
    /// Durable on return.
    fn write_again(&self, generation: Generation) -> Result<(), StorageError>;

    /// Removes a generation.
    ///
    /// # Errors
    /// Whatever the store reports.
    ///
    /// # Durability
    /// Its name is gone durably on return.
    fn remove(&self, generation: Generation) -> Result<(), StorageError>;
}

/// A generation that is being written; one at a time.
pub trait GenerationWriter: Send {
    /// Appends one batch.
    ///
    /// # Errors
    /// Whatever the store reports. The batch may or may not be there afterwards; never retried (I9).
    ///
    /// # Durability
    /// After [`GenerationWriter::sync`].
    fn append(&mut self, first_lsn: Lsn, batch: &[u8]) -> Result<(), StorageError>;

    /// Makes what was appended durable.
    ///
    /// # Errors
    /// Whatever the store reports. Never retried (I9).
    fn sync(&mut self) -> Result<(), StorageError>;
}
