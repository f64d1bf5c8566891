//! The ledger's file: lines of JSON, appended, so that a sandbox that is started again knows its
//! payments. It survives a kill of the process; nothing is synced, for no real money is in it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;

use super::OpenError;

/// Where changes are written, if anywhere.
pub(super) struct Journal {
    file: Option<Mutex<Appended>>,
    /// Lines in the order of their changes, not yet written.
    pending: Mutex<Vec<u8>>,
}

/// A file that is made with its first line: a sandbox that nobody uses leaves nothing behind.
struct Appended {
    path: PathBuf,
    file: Option<File>,
}

impl Appended {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().append(true).create(true).open(&self.path)?),
        };
        file.write_all(lines)
    }
}

impl Journal {
    /// Reads what is there and goes on after it. A torn last line is cut off.
    pub(super) fn open<L: DeserializeOwned>(
        path: Option<&Path>,
    ) -> Result<(Journal, Vec<L>), OpenError> {
        let pending = Mutex::default();
        let Some(path) = path else {
            return Ok((Journal { file: None, pending }, Vec::new()));
        };
        let fails = |error| OpenError::Ledger(path.to_owned(), error);
        let (file, kept) = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(mut file) => {
                let (kept, whole_bytes) = read(&file, path)?;
                file.set_len(whole_bytes).map_err(fails)?;
                file.seek(SeekFrom::End(0)).map_err(fails)?;
                (Some(file), kept)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, Vec::new()),
            Err(error) => return Err(fails(error)),
        };
        let appended = Appended { path: path.to_owned(), file };
        Ok((Journal { file: Some(Mutex::new(appended)), pending }, kept))
    }

    /// Adds a line. Called where the change is made, under its lock, so that lines are in order.
    pub(super) fn append(&self, line: &impl Serialize) {
        if self.file.is_none() {
            return;
        }
        let mut pending = self.pending.lock();
        match serde_json::to_writer(&mut *pending, line) {
            Ok(()) => pending.push(b'\n'),
            // Only a map with keys that are no strings, of which there is none.
            Err(error) => error!(%error, "a line of the sandbox's ledger cannot be written"),
        }
    }

    /// Hands the lines to the system, outside the lock that orders them, before anybody is answered.
    pub(super) fn flush(&self) {
        let Some(file) = &self.file else { return };
        let mut file = file.lock();
        let lines = std::mem::take(&mut *self.pending.lock());
        if lines.is_empty() {
            return;
        }
        if let Err(error) = file.write(&lines) {
            error!(%error, "the sandbox's ledger cannot be written");
        }
    }
}

/// What the file says, and how many of its bytes are whole lines.
fn read<L: DeserializeOwned>(file: &File, path: &Path) -> Result<(Vec<L>, u64), OpenError> {
    let mut lines = Vec::new();
    let mut whole_bytes = 0;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let bytes = reader
            .read_until(b'\n', &mut line)
            .map_err(|error| OpenError::Ledger(PathBuf::from(path), error))?;
        if bytes == 0 || !line.ends_with(b"\n") {
            break;
        }
        lines.push(serde_json::from_slice(&line).map_err(|error| {
            let what = format!("line {number}: {error}");
            OpenError::Ledger(path.to_owned(), io::Error::new(io::ErrorKind::InvalidData, what))
        })?);
        whole_bytes += bytes as u64;
    }
    Ok((lines, whole_bytes))
}
