//! The log in sled: one database per generation, one value per batch, many small trees.
//!
//! sled writes a whole leaf again after ten changes and when it splits after sixteen values; with
//! batches as values that multiplied every byte by five. So a tree takes half a MiB of batches,
//! too little to be rewritten, and then the next one begins. Trees are named by the first LSN in
//! them, so that names sort; the newest is written.
//!
//! sled 0.34.7's own `flush` is not durable on Linux (it calls `sync_file_range`), it moves large
//! values to files it never syncs, and it panics on damage. So it is used in exactly one way
//! (design.md 4): one thread writes, each batch is one `insert`, then `flush`, then `fdatasync` on
//! our own descriptor of the database file; every read of a database that may be damaged runs
//! under `catch_unwind` and ends as a clean refusal.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::panic::{self, AssertUnwindSafe, UnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::thread;
use std::time::Duration;

use tiketi_engine::ids::Lsn;

use crate::disk::{Disk, OpenMode, RealDisk, TEMPORARY_SUFFIX, temporary_name, write_again};
use crate::storage::{Entries, Entry, Generation, GenerationWriter, LogStore, StorageError};

/// A leaf above a quarter of this goes to a blob file, which sled never syncs; sixteen batches of
/// 64 KiB stay below it.
const SEGMENT_BYTES: usize = 8 << 20;

/// The log is written once and read at start: nothing in it is worth caching.
const CACHE_BYTES: u64 = 4 << 20;

/// A database that was closed stays locked until sled's own threads have let go of it. Ours is the
/// only process here, so it is always worth waiting: two seconds at most.
const UNLOCK_TRIES: u32 = 1_000;
const UNLOCK_WAIT: Duration = Duration::from_millis(2);

/// Trees that hold batches are called this and the first LSN in them, in twenty digits.
const TREE_PREFIX: &str = "log-";

/// Bytes of batches in one tree: eight of the largest.
const TREE_BYTES_MAX: usize = 512 << 10;

/// Generations as databases `<generation>/` of one directory.
pub struct SledStore {
    dir: PathBuf,
}

impl SledStore {
    /// A store in `dir`, which exists.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        SledStore { dir: dir.into() }
    }

    fn path(&self, generation: Generation) -> PathBuf {
        self.dir.join(generation.name())
    }

    fn names(&self) -> Result<Vec<String>, StorageError> {
        let listing = StorageError::io(format!("list {}", self.dir.display()));
        RealDisk.list(&self.dir).map_err(listing)
    }
}

impl LogStore for SledStore {
    fn generations(&self) -> Result<Vec<Generation>, StorageError> {
        let names = self.names()?;
        let mut generations: Vec<_> =
            names.iter().filter_map(|name| Generation::parse(name)).collect();
        generations.sort_unstable();
        Ok(generations)
    }

    fn remove_leftovers(&self) -> Result<(), StorageError> {
        for name in self.names()?.iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX)) {
            let path = self.dir.join(name);
            let removing = StorageError::io(format!("remove {}", path.display()));
            RealDisk.remove_dir_all(&path).map_err(removing)?;
        }
        Ok(())
    }

    fn create(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError> {
        let path = self.path(generation);
        let temporary = temporary_name(&path);
        let creating = || StorageError::io(format!("create {}", path.display()));
        RealDisk.remove_dir_all(&temporary).map_err(creating())?;
        // Made whole under another name: after a crash the generation exists or does not.
        drop(Database::open(generation, &temporary)?);
        sync_everything(&temporary).map_err(creating())?;
        RealDisk.rename(&temporary, &path).map_err(creating())?;
        RealDisk.sync_dir(&self.dir).map_err(creating())?;
        self.open(generation)
    }

    fn open(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError> {
        let path = self.path(generation);
        let database = Database::open(generation, &path)?;
        sync_everything(&path).map_err(StorageError::io(format!("sync {}", path.display())))?;
        let file = File::open(path.join("db"))
            .map_err(StorageError::io(format!("open {}", path.join("db").display())))?;
        Ok(Box::new(SledWriter { tree: None, tree_bytes: 0, database, file, generation }))
    }

    fn read(&self, generation: Generation) -> Result<Entries<'_>, StorageError> {
        let database = Database::open(generation, &self.path(generation))?;
        let trees = guarded(generation, || database.trees())?;
        Ok(Box::new(SledEntries { iter: None, trees: trees.into_iter(), database, generation }))
    }

    fn cut(&self, generation: Generation, position: u64) -> Result<(), StorageError> {
        let path = self.path(generation);
        let database = Database::open(generation, &path)?;
        guarded(generation, || {
            for tree in database.trees()? {
                for key in tree.range(position.to_be_bytes()..).keys() {
                    tree.remove(key?)?;
                }
            }
            database.db.flush().map(|_| ())
        })?;
        drop(database);
        sync_everything(&path).map_err(StorageError::io(format!("sync {}", path.display())))
    }

    fn write_again(&self, generation: Generation) -> Result<(), StorageError> {
        let path = self.path(generation).join("db");
        let writing = || StorageError::io(format!("rewrite {}", path.display()));
        // sled's own lock: its threads may still be writing after the database was closed.
        let lock = File::open(&path).map_err(writing())?;
        let mut tries_left = UNLOCK_TRIES;
        while let Err(error) = lock.try_lock() {
            if tries_left == 0 {
                return Err(writing()(error.into()));
            }
            tries_left -= 1;
            thread::sleep(UNLOCK_WAIT);
        }
        // What sled writes anywhere in the file stands for batches, so all of it.
        let file = RealDisk.open(&path, OpenMode::Write).map_err(writing())?;
        write_again(&*file).map_err(writing())
    }

    fn remove(&self, generation: Generation) -> Result<(), StorageError> {
        let path = self.path(generation);
        let temporary = temporary_name(&path);
        let removing = || StorageError::io(format!("remove {}", path.display()));
        // Renamed first: a crash halfway must not leave half a database under the number.
        RealDisk.rename(&path, &temporary).map_err(removing())?;
        RealDisk.sync_dir(&self.dir).map_err(removing())?;
        RealDisk.remove_dir_all(&temporary).map_err(removing())
    }
}

/// Runs sled code on a database that may be damaged; its panic becomes an error.
fn guarded<T>(
    generation: Generation,
    work: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, StorageError> {
    match quietly(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(describe(generation, error)),
        Err(panic) => Err(StorageError::Damaged {
            generation,
            why: format!("sled panicked: {}", crate::error::panic_message(&*panic)),
        }),
    }
}

/// Catches a panic without a word on stderr: what it said is in the refusal.
fn quietly<T>(work: impl FnOnce() -> T + UnwindSafe) -> thread::Result<T> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                others(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(work);
    QUIET.set(false);
    result
}

/// sled has no error of its own for a database that is open elsewhere.
fn is_locked(error: &StorageError) -> bool {
    matches!(error, StorageError::Io { source, .. }
        if source.kind() == io::ErrorKind::Other
            && source.to_string().starts_with("could not acquire lock"))
}

fn describe(generation: Generation, error: sled::Error) -> StorageError {
    match error {
        sled::Error::Io(source) => {
            StorageError::Io { what: format!("sled, generation {generation}"), source }
        }
        sled::Error::Corruption { at, .. } => StorageError::Damaged {
            generation,
            why: match at {
                Some(at) => format!("sled read corrupted data at {at:?}"),
                None => "sled read corrupted data".to_owned(),
            },
        },
        other => StorageError::Damaged { generation, why: other.to_string() },
    }
}

struct Database {
    db: sled::Db,
}

impl Database {
    fn open(generation: Generation, path: &Path) -> Result<Database, StorageError> {
        let opening = || StorageError::io(format!("open {}", path.display()));
        // A snapshot that sled was writing when it was stopped blocks the next open; sled rebuilds
        // it from its log.
        for name in RealDisk.list(path).map_err(opening())? {
            if name.starts_with("snap.") && name.ends_with(".generating") {
                RealDisk.remove_file(&path.join(name)).map_err(opening())?;
            }
        }
        let open = || {
            sled::Config::default()
                .path(path)
                .segment_size(SEGMENT_BYTES)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .open()
        };
        let mut tries_left = UNLOCK_TRIES;
        let db = loop {
            match guarded(generation, open) {
                Err(error) if tries_left > 0 && is_locked(&error) => {
                    tries_left -= 1;
                    thread::sleep(UNLOCK_WAIT);
                }
                opened => break opened?,
            }
        };
        if !RealDisk.list(&path.join("blobs")).map_err(opening())?.is_empty() {
            return Err(StorageError::Damaged {
                generation,
                why: "sled has put values into blob files, which it does not sync".into(),
            });
        }
        Ok(Database { db })
    }

    /// The trees that hold batches, oldest first.
    fn trees(&self) -> Result<Vec<sled::Tree>, sled::Error> {
        let mut names = self.db.tree_names();
        names.retain(|name| name.starts_with(TREE_PREFIX.as_bytes()));
        names.sort_unstable();
        names.into_iter().map(|name| self.db.open_tree(name)).collect()
    }
}

/// Makes the database file, the names beside it and its own name durable.
fn sync_everything(path: &Path) -> io::Result<()> {
    for name in RealDisk.list(path)? {
        let path = path.join(name);
        if path.is_file() {
            File::open(path)?.sync_all()?;
        }
    }
    RealDisk.sync_dir(&path.join("blobs"))?;
    RealDisk.sync_dir(path)?;
    RealDisk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

struct SledWriter {
    tree: Option<sled::Tree>,
    tree_bytes: usize,
    database: Database,
    file: File,
    generation: Generation,
}

impl SledWriter {
    fn insert(&mut self, first_lsn: Lsn, batch: &[u8]) -> Result<(), sled::Error> {
        self.tree_bytes += batch.len();
        let tree = match self.tree.take() {
            Some(tree) if self.tree_bytes <= TREE_BYTES_MAX => tree,
            _ => {
                self.tree_bytes = batch.len();
                self.database.db.open_tree(format!("{TREE_PREFIX}{:020}", first_lsn.0))?
            }
        };
        tree.insert(first_lsn.0.to_be_bytes(), batch)?;
        self.tree = Some(tree);
        Ok(())
    }
}

impl GenerationWriter for SledWriter {
    fn append(&mut self, first_lsn: Lsn, batch: &[u8]) -> Result<(), StorageError> {
        // A panic here is not caught: it ends the process like any failed write (I9).
        self.insert(first_lsn, batch).map_err(|error| describe(self.generation, error))
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.database.db.flush().map_err(|error| describe(self.generation, error))?;
        self.file.sync_data().map_err(|source| StorageError::Io {
            what: format!("sync generation {}", self.generation),
            source,
        })
    }
}

struct SledEntries {
    // Before `database`, which they read from.
    iter: Option<sled::Iter>,
    trees: std::vec::IntoIter<sled::Tree>,
    #[allow(dead_code, reason = "keeps the database open")]
    database: Database,
    generation: Generation,
}

impl SledEntries {
    fn next_item(&mut self) -> Result<Option<(sled::IVec, sled::IVec)>, sled::Error> {
        loop {
            if let Some(item) = self.iter.as_mut().and_then(Iterator::next) {
                return item.map(Some);
            }
            match self.trees.next() {
                Some(tree) => self.iter = Some(tree.iter()),
                None => return Ok(None),
            }
        }
    }

    fn entry(&self, key: &[u8], value: &[u8]) -> Result<Entry, StorageError> {
        let Ok(key) = <[u8; 8]>::try_from(key) else {
            let why = format!("a key of {} bytes", key.len());
            return Err(StorageError::Damaged { generation: self.generation, why });
        };
        let key = u64::from_be_bytes(key);
        Ok(Entry::Batch { position: key, key: Some(Lsn(key)), bytes: value.to_vec() })
    }
}

impl Iterator for SledEntries {
    type Item = Result<Entry, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = guarded(self.generation, || self.next_item()).transpose()?;
        let entry = item.and_then(|(key, value)| self.entry(&key, &value));
        if entry.is_err() {
            self.iter = None;
            self.trees = Vec::new().into_iter();
        }
        Some(entry)
    }
}
