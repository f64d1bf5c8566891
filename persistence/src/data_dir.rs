//! The data directory: what is where, whose it is, and the first things checked in it.
//!
//! ```text
//! data/lock        held while a process uses the directory
//! data/version     which format, which store; written last when a directory is made
//! data/mark        how far the log was durable
//! data/ballast     space that is given back when the disk is full at the start
//! data/log/        generations of the log
//! data/snapshot/   folds of the log
//! ```

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::disk::{Disk, TEMPORARY_SUFFIX};
use crate::error::OpenError;
use crate::layout::{BALLAST, LOCK, LOG, Layout, MARK, SNAPSHOTS, VERSION};
use crate::mark;
use crate::segment_store::SUFFIX as SEGMENT_SUFFIX;
use crate::snapshot;
use crate::storage::{Entry, Generation, LogStore, StorageError, StoreKind};

/// The version of the directory's layout and of every format in it.
pub const DATA_VERSION: u32 = 1;

/// A process that is just ending keeps the lock a moment longer; half a second is waited for it.
const LOCK_TRIES: u32 = 50;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// Keeps other processes out while it lives.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock of an existing directory.
    ///
    /// # Errors
    /// [`OpenError::InUse`], and whatever the system reports.
    pub fn take(layout: &Layout) -> Result<DirLock, OpenError> {
        let path = layout.lock();
        let locking = || OpenError::io(format!("lock {}", path.display()));
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(locking())?;
        for tries_left in (0..LOCK_TRIES).rev() {
            match file.try_lock() {
                Ok(()) => return Ok(DirLock { _file: file }),
                Err(TryLockError::Error(error)) => return Err(locking()(error)),
                Err(TryLockError::WouldBlock) if tries_left > 0 => thread::sleep(LOCK_WAIT),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        Err(OpenError::InUse { path: layout.dir().to_owned() })
    }
}

/// Refuses a directory of somebody else's before anything is written into it.
///
/// # Errors
/// [`OpenError::Foreign`], and whatever the system reports.
pub fn refuse_foreign(disk: &dyn Disk, layout: &Layout) -> Result<(), OpenError> {
    let listing = OpenError::io(format!("list {}", layout.dir().display()));
    let names = disk.list(layout.dir()).map_err(listing)?;
    let has = |ours: &str| names.iter().any(|name| name == ours);
    // Without its version a log is one that lost it, whatever the gateway keeps beside it: `prepare`
    // says so.
    if has(VERSION) || (has(MARK) && has(LOG)) {
        return Ok(());
    }
    // What an interrupted creation leaves, and what a file system puts into its root.
    let ours = |name: &str| {
        let name = name.strip_suffix(TEMPORARY_SUFFIX).unwrap_or(name);
        [LOCK, VERSION, MARK, BALLAST, LOG, SNAPSHOTS, "lost+found"].contains(&name)
    };
    match names.into_iter().find(|name| !ours(name)) {
        Some(found) => Err(OpenError::Foreign { path: layout.dir().to_owned(), found }),
        None => Ok(()),
    }
}

/// What the version file says; `None` where there is none.
///
/// # Errors
/// [`OpenError::WrongVersion`], [`OpenError::VersionDamaged`], and whatever the system reports.
pub fn read_version(disk: &dyn Disk, layout: &Layout) -> Result<Option<StoreKind>, OpenError> {
    let path = layout.version();
    let reading = OpenError::io(format!("read {}", path.display()));
    let Some(bytes) = disk.read_file(&path).map_err(reading)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    for kind in [StoreKind::Sled, StoreKind::Segments] {
        if text == version_text(kind) {
            return Ok(Some(kind));
        }
    }
    match named_version(&text) {
        Some(found) if found != DATA_VERSION => {
            Err(OpenError::WrongVersion { path, found, expected: DATA_VERSION })
        }
        // Ours, with a store that it never had.
        Some(_) | None => {
            let found = text.lines().next().unwrap_or("").chars().take(60).collect();
            Err(OpenError::VersionDamaged { path, found })
        }
    }
}

/// The version that the first line names, whatever another version keeps in those after it.
fn named_version(text: &str) -> Option<u32> {
    let (line, _) = text.split_once('\n')?;
    let version = line.strip_prefix("tiketi data ")?.parse().ok()?;
    (line == format!("tiketi data {version}")).then_some(version)
}

fn version_text(kind: StoreKind) -> String {
    format!("tiketi data {DATA_VERSION}\nstore {kind}\n")
}

/// Makes the directory ours, or finds that it is.
///
/// The version file comes last: no record is logged before it exists, so a directory without it
/// that holds records has lost it.
///
/// # Errors
/// Those of [`read_version`], [`OpenError::OtherStore`], [`OpenError::VersionMissing`], and
/// whatever the disk reports.
pub fn prepare(
    disk: &dyn Disk,
    layout: &Layout,
    kind: StoreKind,
    store: &dyn LogStore,
) -> Result<(), OpenError> {
    let making = || OpenError::io(format!("make {}", layout.dir().display()));
    let found = read_version(disk, layout)?;
    if let Some(found) = found.filter(|&found| found != kind) {
        return Err(OpenError::OtherStore { path: layout.dir().to_owned(), found, asked: kind });
    }
    store.remove_leftovers()?;
    snapshot::remove_leftovers(disk, layout).map_err(making())?;
    if found.is_some() {
        // An earlier start may have ended after it gave the file its name and before it synced that.
        return disk.sync_dir(layout.dir()).map_err(making());
    }
    disk.create_dir_all(&layout.log()).map_err(making())?;
    disk.create_dir_all(&layout.snapshots()).map_err(making())?;
    if let Some(shown_by) = sign_of_a_log(disk, layout, store)? {
        return Err(OpenError::VersionMissing { path: layout.dir().to_owned(), shown_by });
    }
    for generation in store.generations()? {
        store.remove(generation)?;
    }
    mark::create(disk, &layout.mark()).map_err(making())?;
    drop(store.create(Generation::FIRST)?);
    disk.sync_dir(layout.dir()).map_err(making())?;
    disk.write_file_durably(&layout.version(), version_text(kind).as_bytes()).map_err(making())
}

/// Something that a directory without a log does not have: neither an empty one nor one whose making
/// was interrupted.
///
/// # Errors
/// Whatever the disk reports; what cannot be read as a log is a sign too.
pub(crate) fn sign_of_a_log(
    disk: &dyn Disk,
    layout: &Layout,
    store: &dyn LogStore,
) -> Result<Option<PathBuf>, OpenError> {
    let reading = || OpenError::io(format!("read {}", layout.dir().display()));
    let mark = mark::read(disk, &layout.mark()).map_err(reading())?;
    if !matches!(mark, mark::MarkRead::Missing | mark::MarkRead::Blank) {
        return Ok(Some(layout.mark()));
    }
    let is_whole = |name: &String| !name.ends_with(TEMPORARY_SUFFIX);
    if let Some(name) =
        disk.list(&layout.snapshots()).map_err(reading())?.iter().find(|n| is_whole(n))
    {
        return Ok(Some(layout.snapshots().join(name)));
    }
    let generations = store.generations()?;
    for name in disk.list(&layout.log()).map_err(reading())?.iter().filter(|name| is_whole(name)) {
        let path = layout.log().join(name);
        let number = Path::new(name).file_stem().and_then(|stem| Generation::parse(stem.to_str()?));
        let Some(generation) = number.filter(|number| generations.contains(number)) else {
            // Something of another store, or of nobody.
            return Ok(Some(path));
        };
        let first: Option<Entry> = match store.read(generation) {
            Ok(mut entries) => entries.next().transpose()?,
            Err(StorageError::Damaged { .. }) => return Ok(Some(path)),
            Err(error) => return Err(error.into()),
        };
        if first.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The store that the names in `log/` are of; the version file is what says it.
pub(crate) fn guessed_kind(disk: &dyn Disk, layout: &Layout) -> Result<StoreKind, OpenError> {
    let listing = OpenError::io(format!("list {}", layout.log().display()));
    let names = disk.list(&layout.log()).map_err(listing)?;
    let is_segment = |name: &String| name.ends_with(SEGMENT_SUFFIX);
    Ok(if names.iter().any(is_segment) { StoreKind::Segments } else { StoreKind::Sled })
}

/// Sets `bytes` of disk aside, to be given back when a full disk would keep the log from opening.
/// Does nothing where they are set aside already, or where that would leave less than `free_min`.
///
/// # Errors
/// Whatever the system reports.
pub fn fill_ballast(layout: &Layout, bytes: u64, free_min: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};

    let path = layout.ballast();
    if bytes == 0 || fs::metadata(&path).is_ok_and(|found| found.len() == bytes) {
        return Ok(());
    }
    if crate::disk::RealDisk.free_bytes(layout.dir())? < free_min.saturating_add(2 * bytes) {
        return Ok(());
    }
    let file = File::create(&path)?;
    let filled = fallocate(&file, FallocateFlags::empty(), 0, bytes);
    if let Err(error) = filled {
        drop(file);
        fs::remove_file(&path)?;
        return Err(error.into());
    }
    file.sync_all()
}

/// Gives the ballast back; `true` where there was any.
///
/// # Errors
/// Whatever the system reports.
pub fn drop_ballast(layout: &Layout) -> std::io::Result<bool> {
    match fs::remove_file(layout.ballast()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
