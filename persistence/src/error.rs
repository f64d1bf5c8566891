//! What can go wrong: at the start ([`OpenError`]), and after it ([`Fatal`], which ends the process).

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tiketi_engine::ids::Lsn;
use tiketi_engine::state::FoldError;

use crate::defect::Refusal;
use crate::storage::StoreKind;
use crate::storage::{StorageError, is_storage_full};

/// Why a data directory was not opened. Nothing in it was lost or overwritten.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process uses the directory.
    #[error("the data directory {path} is in use by another process")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds something, but nothing of ours.
    #[error("{path} holds {found}, which is not tiketi data; name an empty or new directory")]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One of the names in it.
        found: String,
    },
    /// A log without the file that says which version wrote it.
    #[error("{path} holds a log, as {shown_by} shows, but its version file is missing")]
    VersionMissing {
        /// The directory.
        path: PathBuf,
        /// What in it no directory without a log has.
        shown_by: PathBuf,
    },
    /// The version file names another version.
    #[error("{path} says version {found}; this program reads version {expected}")]
    WrongVersion {
        /// The version file.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What this program reads.
        expected: u32,
    },
    /// The version file is none: no version ever wrote this.
    #[error("{path} is damaged: it begins with {found:?}, which names no version")]
    VersionDamaged {
        /// The version file.
        path: PathBuf,
        /// Its first line.
        found: String,
    },
    /// The log was begun in another kind of store.
    #[error("the log in {path} is kept in {found}; it cannot be opened as {asked}")]
    OtherStore {
        /// The directory.
        path: PathBuf,
        /// What keeps it.
        found: StoreKind,
        /// What was asked for.
        asked: StoreKind,
    },
    /// Nothing has been written here yet, and the caller only reads.
    #[error("{path} holds no tiketi data")]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// The data is damaged, a part of it is missing, or a newer version wrote it. The files are as
    /// they were.
    #[error("the data in {path} {}: {refusal}", refusal.verdict())]
    Refused {
        /// The directory.
        path: PathBuf,
        /// What and where.
        refusal: Box<Refusal>,
    },
    /// The operating system reported an error.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, to which path.
        what: String,
        /// What it reported.
        source: io::Error,
    },
    /// The log's store reported an error.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The first record of the new epoch did not become durable.
    #[error("the log cannot be written: {0}")]
    Fatal(Fatal),
}

impl OpenError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> OpenError {
        let what = what.into();
        move |source| OpenError::Io { what, source }
    }

    /// Whether the disk is full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        match self {
            OpenError::Io { source, .. } => is_storage_full(source),
            OpenError::Storage(error) => error.is_storage_full(),
            OpenError::Fatal(fatal) => fatal.is_storage_full(),
            _ => false,
        }
    }
}

/// Why the journal stopped for good (I9). The process must end: records that were appended but not
/// acknowledged are *unknown* until the next start.
#[derive(Clone, Debug, Error)]
pub enum Fatal {
    /// The log could not be written or synced.
    #[error("the log failed: {0}")]
    Log(Arc<StorageError>),
    /// The mark could not be written or synced.
    #[error("the mark failed: {0}")]
    Mark(Arc<io::Error>),
    /// The snapshot thread met damage or a failing disk.
    #[error("the snapshot at {snapshot_lsn} failed: {why}")]
    Snapshot {
        /// Up to where it was to reach.
        snapshot_lsn: Lsn,
        /// What happened.
        why: String,
    },
    /// A committed record does not follow from those before it: a defect in the engine.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A thread of the journal panicked.
    #[error("the {thread} thread panicked: {message}")]
    Panicked {
        /// Which one.
        thread: &'static str,
        /// What it said.
        message: String,
    },
    /// One write or sync has taken longer than any disk that still works.
    #[error("the disk has not answered for {seconds} s")]
    Stalled {
        /// How long.
        seconds: u64,
    },
}

impl Fatal {
    /// Whether the disk is full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        match self {
            Fatal::Log(error) => error.is_storage_full(),
            Fatal::Mark(error) => is_storage_full(error),
            _ => false,
        }
    }
}

/// What happens after the journal has failed and every waiter was told: by default one line on
/// stderr and the end of the process with code 70. Tests replace it.
#[derive(Clone)]
pub struct FatalHook(Arc<dyn Fn(&Fatal) + Send + Sync>);

/// The exit code of a process that could not keep its log (`EX_SOFTWARE`).
pub const FATAL_EXIT_CODE: i32 = 70;

impl FatalHook {
    /// Calls `hook` instead; it may return, and the journal stays poisoned.
    pub fn new(hook: impl Fn(&Fatal) + Send + Sync + 'static) -> Self {
        FatalHook(Arc::new(hook))
    }

    pub(crate) fn call(&self, fatal: &Fatal) {
        (self.0)(fatal);
    }
}

impl Default for FatalHook {
    fn default() -> Self {
        FatalHook::new(|fatal| {
            #[allow(clippy::print_stderr, reason = "the last words of the process")]
            {
                eprintln!("tiketi: {fatal}; stopping, unacknowledged requests are unknown");
            }
            std::process::exit(FATAL_EXIT_CODE);
        })
    }
}

impl std::fmt::Debug for FatalHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FatalHook")
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "no message".to_owned()
    }
}
