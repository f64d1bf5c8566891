//! The plain store: one append-only file per generation, `fdatasync` after each batch.
//!
//! The tested fallback of [`crate::sled_store`], and, over a simulated disk, the store of the crash
//! tests. A file is nothing but batches one after the other; whatever is no batch is damage.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tiketi_engine::ids::Lsn;

use crate::batch::{Batch, BatchDefect, HEADER_BYTES, Header, MAGIC, newer_version};
use crate::disk::{
    Disk, DiskFile, OpenMode, TEMPORARY_SUFFIX, read_full, temporary_name, write_again,
};
use crate::storage::{Entries, Entry, Generation, GenerationWriter, LogStore, StorageError};

pub(crate) const SUFFIX: &str = ".segment";

/// Generations as files `<generation>.segment` of one directory.
pub struct SegmentStore {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl SegmentStore {
    /// A store in `dir`, which exists.
    pub fn new(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>) -> Self {
        SegmentStore { disk, dir: dir.into() }
    }

    fn path(&self, generation: Generation) -> PathBuf {
        self.dir.join(generation.name() + SUFFIX)
    }

    fn file(&self, path: &Path, mode: OpenMode) -> Result<Box<dyn DiskFile>, StorageError> {
        self.disk.open(path, mode).map_err(StorageError::io(format!("open {}", path.display())))
    }

    fn names(&self) -> Result<Vec<String>, StorageError> {
        let listing = StorageError::io(format!("list {}", self.dir.display()));
        self.disk.list(&self.dir).map_err(listing)
    }

    fn sync_dir(&self) -> Result<(), StorageError> {
        self.disk
            .sync_dir(&self.dir)
            .map_err(StorageError::io(format!("sync {}", self.dir.display())))
    }
}

impl LogStore for SegmentStore {
    fn generations(&self) -> Result<Vec<Generation>, StorageError> {
        let numbered = |name: &String| name.strip_suffix(SUFFIX).and_then(Generation::parse);
        let mut generations: Vec<_> = self.names()?.iter().filter_map(numbered).collect();
        generations.sort_unstable();
        Ok(generations)
    }

    fn remove_leftovers(&self) -> Result<(), StorageError> {
        for name in self.names()?.iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX)) {
            let path = self.dir.join(name);
            let removing = StorageError::io(format!("remove {}", path.display()));
            self.disk.remove_file(&path).map_err(removing)?;
        }
        Ok(())
    }

    fn create(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError> {
        let path = self.path(generation);
        let temporary = temporary_name(&path);
        let creating = || StorageError::io(format!("create {}", path.display()));
        let file = self.file(&temporary, OpenMode::Create)?;
        file.sync_data().map_err(creating())?;
        self.disk.rename(&temporary, &path).map_err(creating())?;
        self.sync_dir()?;
        Ok(Box::new(SegmentWriter { file, path, end: 0 }))
    }

    fn open(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError> {
        let path = self.path(generation);
        let file = self.file(&path, OpenMode::Write)?;
        let opening = || StorageError::io(format!("open {}", path.display()));
        let end = file.len().map_err(opening())?;
        // What the last process wrote may still be in memory only, the file's name included.
        file.sync_data().map_err(opening())?;
        self.sync_dir()?;
        Ok(Box::new(SegmentWriter { file, path, end }))
    }

    fn read(&self, generation: Generation) -> Result<Entries<'_>, StorageError> {
        let path = self.path(generation);
        let file = self.file(&path, OpenMode::Read)?;
        let end = file.len().map_err(StorageError::io(format!("read {}", path.display())))?;
        Ok(Box::new(SegmentEntries { file, path, at: 0, end }))
    }

    fn cut(&self, generation: Generation, position: u64) -> Result<(), StorageError> {
        let path = self.path(generation);
        let file = self.file(&path, OpenMode::Write)?;
        let cutting = || StorageError::io(format!("cut {} at {position}", path.display()));
        file.set_len(position).map_err(cutting())?;
        file.sync_data().map_err(cutting())
    }

    fn write_again(&self, generation: Generation) -> Result<(), StorageError> {
        let path = self.path(generation);
        let file = self.file(&path, OpenMode::Write)?;
        write_again(&*file).map_err(StorageError::io(format!("rewrite {}", path.display())))
    }

    fn remove(&self, generation: Generation) -> Result<(), StorageError> {
        let path = self.path(generation);
        self.disk
            .remove_file(&path)
            .map_err(StorageError::io(format!("remove {}", path.display())))?;
        self.sync_dir()
    }
}

struct SegmentWriter {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    end: u64,
}

impl GenerationWriter for SegmentWriter {
    fn append(&mut self, _: Lsn, batch: &[u8]) -> Result<(), StorageError> {
        self.file.write_at(batch, self.end).map_err(|source| StorageError::Io {
            what: format!("write {} at {}", self.path.display(), self.end),
            source,
        })?;
        self.end += batch.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.file.sync_data().map_err(|source| StorageError::Io {
            what: format!("sync {}", self.path.display()),
            source,
        })
    }
}

struct SegmentEntries {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    at: u64,
    end: u64,
}

impl SegmentEntries {
    fn read(&self, bytes: &mut [u8], at: u64) -> Result<usize, StorageError> {
        read_full(&*self.file, bytes, at).map_err(|source| StorageError::Io {
            what: format!("read {} at {at}", self.path.display()),
            source,
        })
    }

    fn entry(&mut self) -> Result<Entry, StorageError> {
        let position = self.at;
        let mut head = [0; HEADER_BYTES];
        let read = self.read(&mut head, position)?;
        let (defect, claims) = match Header::parse(&head[..read]) {
            Err(defect) => (defect, None),
            Ok(header) => {
                let mut bytes = vec![0; header.batch_bytes()];
                let read = self.read(&mut bytes, position)?;
                // The body is checked here too, to know where the next good batch begins.
                match Batch::parse(&bytes[..read]) {
                    Ok(_) => {
                        self.at += bytes.len() as u64;
                        return Ok(Entry::Batch { position, key: None, bytes });
                    }
                    Err(defect) => (defect, Some(header.durable_lsn)),
                }
            }
        };
        self.at = self.next_batch(position + 1)?;
        Ok(Entry::Damaged {
            position,
            bytes: self.at - position,
            why: self.describe(position, defect)?,
            claims,
            newer: newer_version(&head[..read]),
        })
    }

    /// A hole of zeros is a common leftover of a crash, so it is named as such.
    fn describe(&self, position: u64, defect: BatchDefect) -> Result<String, StorageError> {
        let mut start = [0; 512];
        let read = self.read(&mut start, position)?;
        Ok(if start[..read].iter().all(|&byte| byte == 0) {
            "zeros where a batch should be".into()
        } else {
            defect.to_string()
        })
    }

    /// Where the next whole batch, or one of a newer version, begins at or after `from`; else the
    /// end of the file. Here the newer one's checksum must be good: any text may look like its first
    /// bytes.
    fn next_batch(&self, from: u64) -> Result<u64, StorageError> {
        let mut rest =
            vec![0; usize::try_from(self.end - from.min(self.end)).unwrap_or(usize::MAX)];
        let read = self.read(&mut rest, from)?;
        let rest = &rest[..read];
        let starts = rest.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC);
        for (offset, _) in starts {
            let rest = &rest[offset..];
            let is_newer = || {
                newer_version(rest).is_some()
                    && matches!(Header::parse(rest), Err(BatchDefect::Version(_)))
            };
            if Batch::parse(rest).is_ok() || is_newer() {
                return Ok(from + offset as u64);
            }
        }
        Ok(self.end)
    }
}

impl Iterator for SegmentEntries {
    type Item = Result<Entry, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.at = self.end;
        }
        Some(entry)
    }
}
