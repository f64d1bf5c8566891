//! The file system as this crate uses it, so that a simulated one can take its place.
//!
//! Everything but sled and the directory lock goes through [`Disk`]: the segment store, the mark,
//! snapshots and the version file. [`RealDisk`] is the operating system, [`crate::sim_store`] the
//! fault simulator.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Read an existing file.
    Read,
    /// Read and write an existing file.
    Write,
    /// Make a new, empty file to read and write; an older one of that name is emptied.
    Create,
}

/// A file system.
pub trait Disk: Send + Sync + 'static {
    /// Makes a directory and those above it.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Whether there is a file or directory of that name.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// The names in a directory, sorted; none where it does not exist.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file or directory another name, replacing a file of that name.
    ///
    /// # Errors
    /// Whatever the system reports.
    ///
    /// # Durability
    /// After [`Disk::sync_dir`] of the parent.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; it is no error where there is none.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and what is in it; it is no error where there is none.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes an unprivileged process can still write here.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;

    /// Makes a directory and those above it, durable on return.
    ///
    /// Those that are there already are synced as well: an earlier start may have made them and ended
    /// before it synced them, and everything below would go with them.
    ///
    /// # Errors
    /// Whatever the system reports, but for directories above that were there and that this process
    /// may not open or the file system does not sync: those are not ours to make durable.
    fn create_dir_durably(&self, path: &Path) -> io::Result<()> {
        let mut named = Vec::new();
        for dir in path.ancestors().filter(|dir| !dir.as_os_str().is_empty()) {
            named.push((dir, self.exists(dir)?));
        }
        self.create_dir_all(path)?;
        for (dir, was_there) in named.into_iter().rev() {
            // The root has no name.
            let Some(parent) = dir.parent() else { continue };
            match self.sync_dir(parent) {
                Err(error) if was_there && is_not_ours_to_sync(&error) => {}
                synced => synced?,
            }
        }
        Ok(())
    }

    /// The content of a file; `None` where there is no such file.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn read_file(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open(path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        let read = read_full(&*file, &mut bytes, 0)?;
        bytes.truncate(read);
        Ok(Some(bytes))
    }

    /// Writes a file so that after any crash its name leads to the whole content or to what was
    /// there before: temporary name, sync, rename, sync of the directory.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn write_file_durably(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = temporary_name(path);
        let file = self.open(&temporary, OpenMode::Create)?;
        file.write_at(content, 0)?;
        file.sync_data()?;
        drop(file);
        self.rename(&temporary, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }
}

/// The suffix of names that a crash may leave behind and a start removes.
pub const TEMPORARY_SUFFIX: &str = ".new";

/// The name under which something is made before it gets its own.
#[must_use]
pub fn temporary_name(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    name.into()
}

/// An open file.
pub trait DiskFile: Send {
    /// Writes all the bytes at an offset.
    ///
    /// # Errors
    /// Whatever the system reports.
    ///
    /// # Durability
    /// After [`DiskFile::sync_data`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Reads some bytes at an offset; 0 at the end.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Bytes in the file.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes content and length durable (`fdatasync`).
    ///
    /// # Errors
    /// Whatever the system reports. Never retried: the kernel may have dropped the pages (I9).
    fn sync_data(&self) -> io::Result<()>;
}

fn is_not_ours_to_sync(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | InvalidInput | Unsupported)
}

/// Writes what a file holds over itself and syncs it, so that what is read from it is on the disk.
///
/// After a failed sync the kernel may show pages that it has given up writing, and a later sync
/// succeeds without them. Written again they are new to it. A crash meanwhile leaves every sector
/// as it was or as it was read.
///
/// # Errors
/// Whatever the system reports.
pub(crate) fn write_again(file: &dyn DiskFile) -> io::Result<()> {
    let mut bytes = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let read = read_full(file, &mut bytes, at)?;
        if read == 0 {
            return file.sync_data();
        }
        file.write_at(&bytes[..read], at)?;
        at += read as u64;
    }
}

/// Reads until the buffer is full or the file ends.
///
/// # Errors
/// Whatever the system reports.
pub fn read_full(file: &dyn DiskFile, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write => {
                options.write(true);
            }
            OpenMode::Create => {
                options.write(true).create(true).truncate(true);
            }
        }
        Ok(Box::new(RealFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_file(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_dir_all(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        File::open(dir)?.sync_all()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
