//! A disk that fails on purpose, the same way every time.
//!
//! [`SimDisk`] keeps two images: what the running process sees, and what surely survives a power
//! cut. Between them lie the writes, lengths and names that were not synced; a crash keeps any part
//! of them, torn at 512 bytes, in any order, as the seed says. The segment store, the mark, the
//! snapshots and the version file run on it unchanged.
//!
//! What it takes for granted is what `FORMAT.md` asks of a disk: a 512-byte sector is written whole
//! or not at all, a synced file or directory stays, a rename is seen whole or not at all.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tiketi_engine::ids::UnixMillis;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::error::OpenError;
use crate::layout::Layout;
use crate::open::{self, Opened, open_on};
use crate::options::{Housekeeping, Options};
use crate::segment_store::SegmentStore;
use crate::storage::StoreKind;

const SECTOR_BYTES: usize = 512;

/// The directory that simulations use.
pub const SIM_DIR: &str = "/sim/data";

/// A small, seeded source of choices (SplitMix64).
///
/// Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
#[derive(Clone, Debug)]
pub struct Choices(u64);

impl Choices {
    /// Choices that follow from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Choices(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, 0 where that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits().checked_rem(bound).unwrap_or(0)
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.bits() & 1 == 1
    }
}

/// A simulated disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    sim: Arc<Mutex<Sim>>,
}

#[derive(Clone, Default)]
struct Sim {
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    /// Changes of names that no directory sync has made durable, in order.
    name_changes: Vec<NameChange>,
    files: Vec<SimFile>,
    /// Calls so far that change something.
    calls: u64,
    fail_call: Option<(u64, io::ErrorKind)>,
    power_off_at: Option<u64>,
    off: bool,
    free_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Make(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Clone, Default)]
struct SimFile {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Clone)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Pending {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Pending::Write { offset, bytes } => write(content, *offset, bytes),
            Pending::SetLen(len) => content.resize(*len, 0),
        }
    }
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

fn apply(names: &mut BTreeMap<PathBuf, Node>, change: &NameChange) {
    match change {
        NameChange::Make(path, node) => {
            names.insert(path.clone(), *node);
        }
        NameChange::Remove(path) => {
            names.remove(path);
        }
        NameChange::Rename(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
    }
}

impl NameChange {
    fn parent(&self) -> &Path {
        let (NameChange::Make(path, _) | NameChange::Remove(path) | NameChange::Rename(path, _)) =
            self;
        path.parent().unwrap_or(Path::new(""))
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        SimDisk::new()
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        SimDisk { sim: Arc::default() }
    }

    /// Calls so far that change something: the numbers [`SimDisk::fail_call`] and
    /// [`SimDisk::power_off_at`] speak of.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.sim.lock().calls
    }

    /// Makes the call of that number (from 1) fail once; a failing write writes its first half.
    pub fn fail_call(&self, number: u64, kind: io::ErrorKind) {
        self.sim.lock().fail_call = Some((number, kind));
    }

    /// Switches the power off during the call of that number (from 1): it and every later call,
    /// reads included, fail. [`SimDisk::crash`] then shows what is left.
    pub fn power_off_at(&self, number: u64) {
        self.sim.lock().power_off_at = Some(number);
    }

    /// What [`Disk::free_bytes`] reports from now on.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.sim.lock().free_bytes = Some(bytes);
    }

    /// What a restart finds after the power went away at this moment: a disk of its own, everything
    /// on it durable. One seed, one outcome.
    #[must_use]
    pub fn crash(&self, seed: u64) -> SimDisk {
        let mut choices = Choices::new(seed);
        let sim = self.sim.lock();
        let keep = Keep::choose(&mut choices);
        let mut names = sim.durable_names.clone();
        for change in keep.of(&sim.name_changes, &mut choices) {
            apply(&mut names, change);
        }
        // A name is reachable only through the directories above it.
        let all = names.clone();
        names.retain(|path, _| {
            path.ancestors()
                .skip(1)
                .all(|above| above.parent().is_none() || all.get(above) == Some(&Node::Dir))
        });
        let files = sim.files.iter().map(|file| file.crash(keep, &mut choices)).collect();
        let sim = Sim { durable_names: names.clone(), names, files, ..Sim::default() };
        SimDisk { sim: Arc::new(Mutex::new(sim)) }
    }

    /// A copy with everything kept, as after `kill -9`.
    #[must_use]
    pub fn kill(&self) -> SimDisk {
        let sim = self.sim.lock();
        let kept = |file: &SimFile| SimFile {
            live: file.live.clone(),
            durable: file.live.clone(),
            pending: Vec::new(),
        };
        let files = sim.files.iter().map(kept).collect();
        let names = sim.names.clone();
        let sim = Sim { durable_names: names.clone(), names, files, ..Sim::default() };
        SimDisk { sim: Arc::new(Mutex::new(sim)) }
    }

    /// The files and their content, by path.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let sim = self.sim.lock();
        let content = |(path, node): (&PathBuf, &Node)| match node {
            Node::Dir => None,
            Node::File(id) => Some((path.clone(), sim.files[*id].live.clone())),
        };
        sim.names.iter().filter_map(content).collect()
    }

    /// Replaces the content of an existing file, durably: for damage.
    ///
    /// # Panics
    /// Where there is no such file.
    pub fn overwrite(&self, path: &Path, content: &[u8]) {
        let mut sim = self.sim.lock();
        let Some(&Node::File(id)) = sim.names.get(path) else {
            panic!("no file {}", path.display());
        };
        sim.files[id] =
            SimFile { live: content.to_vec(), durable: content.to_vec(), pending: Vec::new() };
    }

    /// Removes a file, durably: for damage.
    pub fn delete(&self, path: &Path) {
        let mut sim = self.sim.lock();
        sim.names.remove(path);
        sim.durable_names.remove(path);
    }
}

/// Which of the unsynced changes a crash keeps.
#[derive(Clone, Copy, Debug)]
enum Keep {
    Nothing,
    Everything,
    /// The first ones, the last of them cut at any byte.
    Prefix,
    /// Any whole ones.
    Some,
    /// Any sectors.
    Sectors,
}

impl Keep {
    fn choose(choices: &mut Choices) -> Keep {
        match choices.below(8) {
            0 => Keep::Nothing,
            1 => Keep::Everything,
            2 | 3 => Keep::Prefix,
            4 => Keep::Some,
            _ => Keep::Sectors,
        }
    }

    fn of<'a>(self, changes: &'a [NameChange], choices: &mut Choices) -> Vec<&'a NameChange> {
        match self {
            Keep::Nothing => Vec::new(),
            Keep::Everything => changes.iter().collect(),
            // Names go through the file system's own journal, in order.
            Keep::Prefix | Keep::Some | Keep::Sectors => {
                let kept = choices.below(changes.len() as u64 + 1) as usize;
                changes.iter().take(kept).collect()
            }
        }
    }
}

impl SimFile {
    fn crash(&self, keep: Keep, choices: &mut Choices) -> SimFile {
        let mut content = self.durable.clone();
        match keep {
            Keep::Nothing => {}
            // Not what is live: pages that a failed sync gave up are not kept.
            Keep::Everything => {
                for pending in &self.pending {
                    pending.apply(&mut content);
                }
            }
            Keep::Prefix => {
                let total: usize = self.pending.iter().map(Pending::cost).sum();
                let mut left = choices.below(total as u64 + 1) as usize;
                for pending in &self.pending {
                    pending.cut(left).apply(&mut content);
                    if left < pending.cost() {
                        break;
                    }
                    left -= pending.cost();
                }
            }
            Keep::Some => {
                for pending in &self.pending {
                    if choices.coin() {
                        pending.apply(&mut content);
                    }
                }
            }
            Keep::Sectors => {
                for pending in &self.pending {
                    pending.tear(&mut content, choices);
                }
            }
        }
        SimFile { live: content.clone(), durable: content, pending: Vec::new() }
    }
}

impl Pending {
    fn cost(&self) -> usize {
        match self {
            Pending::Write { bytes, .. } => bytes.len(),
            Pending::SetLen(_) => 1,
        }
    }

    /// The first `left` bytes of it.
    fn cut(&self, left: usize) -> Pending {
        match self {
            Pending::Write { offset, bytes } => {
                Pending::Write { offset: *offset, bytes: bytes[..left.min(bytes.len())].to_vec() }
            }
            // Cutting a file back is one change of its metadata.
            Pending::SetLen(len) if left > 0 => Pending::SetLen(*len),
            Pending::SetLen(_) => Pending::Write { offset: 0, bytes: Vec::new() },
        }
    }

    /// Any of its sectors; the file may have grown all the same.
    fn tear(&self, content: &mut Vec<u8>, choices: &mut Choices) {
        let Pending::Write { offset, bytes } = self else {
            if choices.coin() {
                self.apply(content);
            }
            return;
        };
        let mut at = 0;
        while at < bytes.len() {
            let in_sector = SECTOR_BYTES - (offset + at) % SECTOR_BYTES;
            let end = bytes.len().min(at + in_sector);
            if choices.coin() {
                write(content, offset + at, &bytes[at..end]);
            }
            at = end;
        }
        if choices.coin() && content.len() < offset + bytes.len() {
            content.resize(offset + bytes.len(), 0);
        }
    }
}

impl Sim {
    /// Counts a call that changes something. `Err` where it must fail; the caller may still leave
    /// half of its change behind.
    fn call(&mut self) -> io::Result<()> {
        self.power()?;
        self.calls += 1;
        if self.power_off_at == Some(self.calls) {
            self.off = true;
            return self.power();
        }
        match self.fail_call {
            Some((number, kind)) if number == self.calls => {
                Err(io::Error::new(kind, format!("call {number} was made to fail")))
            }
            _ => Ok(()),
        }
    }

    fn power(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.name_changes.push(change);
    }

    fn found(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Node::File(id)) => Ok(*id),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut sim = self.sim.lock();
        sim.power()?;
        let mut missing: Vec<_> = path
            .ancestors()
            .filter(|above| above.parent().is_some() && !sim.names.contains_key(*above))
            .collect();
        missing.reverse();
        for dir in missing {
            sim.call()?;
            sim.change(NameChange::Make(dir.to_owned(), Node::Dir));
        }
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let sim = self.sim.lock();
        sim.power()?;
        Ok(path.parent().is_none() || sim.names.contains_key(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let sim = self.sim.lock();
        sim.power()?;
        let inside = sim.names.keys().filter(|path| path.parent() == Some(dir));
        let names = inside.filter_map(|path| path.file_name());
        Ok(names.map(|name| name.to_string_lossy().into_owned()).collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut sim = self.sim.lock();
        sim.power()?;
        let id = match (mode, sim.found(path)) {
            (OpenMode::Read | OpenMode::Write, found) => found?,
            (OpenMode::Create, Ok(id)) => {
                sim.call()?;
                sim.files[id].live.clear();
                sim.files[id].pending.push(Pending::SetLen(0));
                id
            }
            (OpenMode::Create, Err(_)) => {
                sim.call()?;
                sim.files.push(SimFile::default());
                let id = sim.files.len() - 1;
                sim.change(NameChange::Make(path.to_owned(), Node::File(id)));
                id
            }
        };
        Ok(Box::new(OpenFile { sim: self.sim.clone(), id }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut sim = self.sim.lock();
        sim.call()?;
        sim.found(from)?;
        sim.change(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut sim = self.sim.lock();
        sim.power()?;
        if sim.names.contains_key(path) {
            sim.call()?;
            sim.change(NameChange::Remove(path.to_owned()));
        }
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut sim = self.sim.lock();
        sim.power()?;
        let inside: Vec<_> =
            sim.names.keys().filter(|found| found.starts_with(path)).cloned().collect();
        for found in inside.into_iter().rev() {
            sim.call()?;
            sim.change(NameChange::Remove(found));
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut sim = self.sim.lock();
        sim.call()?;
        let (synced, rest) =
            std::mem::take(&mut sim.name_changes).into_iter().partition(|c| c.parent() == dir);
        sim.name_changes = rest;
        let synced: Vec<NameChange> = synced;
        for change in &synced {
            apply(&mut sim.durable_names, change);
        }
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        let sim = self.sim.lock();
        sim.power()?;
        Ok(sim.free_bytes.unwrap_or(1 << 40))
    }
}

struct OpenFile {
    sim: Arc<Mutex<Sim>>,
    id: usize,
}

impl DiskFile for OpenFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut sim = self.sim.lock();
        sim.power()?;
        let called = sim.call();
        // Power that goes away, and a failing write, may leave some of it.
        let written = match &called {
            Ok(()) => bytes,
            Err(_) => &bytes[..if sim.off { bytes.len() } else { bytes.len() / 2 }],
        };
        let pending = Pending::Write { offset: offset as usize, bytes: written.to_vec() };
        let file = &mut sim.files[self.id];
        pending.apply(&mut file.live);
        file.pending.push(pending);
        called
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let sim = self.sim.lock();
        sim.power()?;
        let rest = sim.files[self.id].live.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(bytes.len());
        bytes[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn len(&self) -> io::Result<u64> {
        let sim = self.sim.lock();
        sim.power()?;
        Ok(sim.files[self.id].live.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut sim = self.sim.lock();
        sim.call()?;
        let pending = Pending::SetLen(len as usize);
        let file = &mut sim.files[self.id];
        pending.apply(&mut file.live);
        file.pending.push(pending);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut sim = self.sim.lock();
        let called = sim.call();
        let is_off = sim.off;
        let file = &mut sim.files[self.id];
        match called {
            Ok(()) => {
                for pending in file.pending.drain(..) {
                    pending.apply(&mut file.durable);
                }
            }
            // What the power cut off may be kept in part.
            Err(_) if is_off => {}
            // The kernel gives these pages up: still to be read, and written by no later sync.
            Err(_) => file.pending.clear(),
        }
        called
    }
}

/// Options for a simulated disk: its directory, plain segments, small generations and batches, no threads
/// beside the writer's.
#[must_use]
pub fn options() -> Options {
    let mut options = Options::new(SIM_DIR);
    options.store = StoreKind::Segments;
    options.generation_bytes = 2_000;
    // A few records, so that several batches share a sync.
    options.batch_bytes_max = 160;
    options.ballast_bytes = 0;
    options.housekeeping = Housekeeping::Inline;
    options
}

/// The segment store of a simulated disk.
#[must_use]
pub fn store(disk: &SimDisk, options: &Options) -> SegmentStore {
    SegmentStore::new(Arc::new(disk.clone()), Layout::new(&options.dir).log())
}

/// Opens the journal on a simulated disk.
///
/// # Errors
/// As [`crate::open()`].
pub fn open(disk: &SimDisk, options: &Options, now: UnixMillis) -> Result<Opened, OpenError> {
    let store = Arc::new(store(disk, options));
    let reaching = OpenError::io(format!("make {}", options.dir.display()));
    disk.create_dir_durably(&options.dir).map_err(reaching)?;
    open_on(Arc::new(disk.clone()), store, options, now)
}

/// As [`open`], and once more where the disk is full, as [`crate::open()`] does when it has given the
/// ballast back.
///
/// # Errors
/// As [`crate::open()`].
pub fn open_making_room(
    disk: &SimDisk,
    options: &Options,
    now: UnixMillis,
) -> Result<Opened, OpenError> {
    let store = Arc::new(store(disk, options));
    let reaching = OpenError::io(format!("make {}", options.dir.display()));
    disk.create_dir_durably(&options.dir).map_err(reaching)?;
    open::open_making_room(Arc::new(disk.clone()), store, options, now, || Ok(true))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn content(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
        let named = |(path, content): (PathBuf, Vec<u8>)| (path.display().to_string(), content);
        disk.files().into_iter().map(named).collect()
    }

    #[test]
    fn only_what_is_synced_surely_survives() {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let file = disk.open(Path::new("/d/f"), OpenMode::Create).unwrap();
        file.write_at(&[1; 2_000], 0).unwrap();
        file.sync_data().unwrap();
        let unnamed = (0..64).filter(|&seed| content(&disk.crash(seed)).is_empty()).count();
        assert!((10..60).contains(&unnamed), "{unnamed}");
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_at(&[2; 2_000], 1_000).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let survived = content(&disk.crash(seed));
            assert_eq!(survived, content(&disk.crash(seed)), "one seed, one outcome");
            assert_eq!(survived[0].1[..1_000], [1; 1_000]);
            seen.insert(survived);
        }
        assert!(seen.len() > 20, "{}", seen.len());
    }

    #[test]
    fn a_directory_that_was_there_is_made_durable_too() {
        let path = Path::new("/a/b/c");
        let survives =
            |disk: &SimDisk| (0..64).filter(|&seed| disk.crash(seed).exists(path).unwrap()).count();
        let disk = SimDisk::new();
        // An earlier start, which ended before it synced anything.
        disk.create_dir_all(path).unwrap();
        assert!(survives(&disk) < 64);
        // A directory above that is not ours to sync is no reason not to start; a failing disk is.
        disk.fail_call(disk.calls() + 1, io::ErrorKind::Other);
        assert!(disk.create_dir_durably(path).is_err());
        disk.fail_call(disk.calls() + 3, io::ErrorKind::PermissionDenied);
        disk.create_dir_durably(path).unwrap();
        assert!(survives(&disk) < 64);
        disk.create_dir_durably(path).unwrap();
        assert_eq!(survives(&disk), 64);
    }

    #[test]
    fn what_a_failed_sync_did_not_write_is_read_but_not_kept() {
        let disk = SimDisk::new();
        let file = disk.open(Path::new("/f"), OpenMode::Create).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        file.write_at(b"lost", 0).unwrap();
        disk.fail_call(disk.calls() + 1, io::ErrorKind::StorageFull);
        assert!(file.sync_data().is_err());
        file.write_at(b"kept", 4).unwrap();
        file.sync_data().unwrap();
        assert_eq!(content(&disk)[0].1, b"lostkept");
        assert_eq!(content(&disk.crash(1))[0].1, b"\0\0\0\0kept");
        crate::disk::write_again(&*file).unwrap();
        assert_eq!(content(&disk.crash(1))[0].1, b"lostkept");
    }

    #[test]
    fn a_failing_call_fails_once_and_a_cut_for_ever() {
        let disk = SimDisk::new();
        let file = disk.open(Path::new("/f"), OpenMode::Create).unwrap();
        disk.fail_call(2, io::ErrorKind::StorageFull);
        assert_eq!(file.write_at(&[1; 10], 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.len().unwrap(), 5);
        file.sync_data().unwrap();
        disk.power_off_at(4);
        assert!(file.sync_data().is_err());
        assert!(file.len().is_err());
        assert_eq!(disk.calls(), 4);
    }
}
