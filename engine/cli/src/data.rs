//! A data directory that no server uses.

use std::path::Path;

use tiketi_engine::ids::Lsn;
use tiketi_engine::state::State;
use tiketi_persistence::snapshot;
use tiketi_persistence::storage::StorageError;
use tiketi_persistence::{LogReader, OpenError};

use crate::exit::{Exit, Failure};

/// Opens a directory to read.
pub(crate) fn open(dir: &Path) -> Result<LogReader, Failure> {
    LogReader::open(dir).map_err(open_failure)
}

/// What a directory's failure means to whoever called the command.
pub(crate) fn open_failure(error: OpenError) -> Failure {
    let text = error.to_string();
    match error {
        OpenError::InUse { .. } => {
            let text = format!("{text}; stop the gateway first, or use a copy of the directory");
            Failure::new(Exit::Unavailable, "IN_USE", text)
        }
        OpenError::Empty { .. } | OpenError::Foreign { .. } => Failure::new(
            Exit::Usage,
            "NO_DATA",
            format!("{text}; name a gateway's --data directory"),
        ),
        OpenError::VersionMissing { .. }
        | OpenError::WrongVersion { .. }
        | OpenError::VersionDamaged { .. }
        | OpenError::OtherStore { .. } => Failure::new(Exit::Damaged, "VERSION", text),
        OpenError::Refused { .. } => {
            let text = format!("{text}; `tiketi log verify` says more");
            Failure::new(Exit::Damaged, "DAMAGED", text)
        }
        OpenError::Storage(error) => storage_failure(error),
        OpenError::Io { .. } => Failure::new(Exit::Refused, "IO", text),
        OpenError::Fatal(_) => Failure::new(Exit::Refused, "FATAL", text),
    }
}

/// What a store's failure means.
pub(crate) fn storage_failure(error: StorageError) -> Failure {
    let text = error.to_string();
    match error {
        StorageError::Damaged { .. } => Failure::new(Exit::Damaged, "DAMAGED", text),
        StorageError::Io { .. } => Failure::new(Exit::Refused, "IO", text),
    }
}

/// A snapshot that could not be used, and why.
pub(crate) struct BadSnapshot {
    pub(crate) lsn: Lsn,
    pub(crate) why: String,
}

/// All snapshots, oldest first.
pub(crate) fn snapshots(reader: &LogReader) -> Result<Vec<Result<State, BadSnapshot>>, Failure> {
    let mut files = reader.snapshots().map_err(open_failure)?;
    files.reverse();
    let load = |(name, path): (snapshot::SnapshotName, std::path::PathBuf)| {
        let bad = |why: String| BadSnapshot { lsn: name.snapshot_lsn, why };
        let bytes = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
        let (header, state) = snapshot::decode(&bytes).map_err(|defect| bad(defect.to_string()))?;
        match header.snapshot_lsn == name.snapshot_lsn {
            true => Ok(state),
            false => Err(bad("its name says another position".to_owned())),
        }
    };
    Ok(files.into_iter().map(load).collect())
}
