//! Snapshots: the fold of the log up to a position, as a file.
//!
//! Always made from the log, never from live memory (R8): the newest snapshot plus the generations
//! after it. A snapshot counts only after it was read back from its final name and checked. Two
//! are kept; a generation is removed only when two newer ones are durable.

use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;
use tiketi_engine::ids::{Epoch, Lsn, UnixMillis};
use tiketi_engine::state::{State, State1, State2, State3, State4, State5};

use crate::batch::BatchHash;
use crate::data_dir::Layout;
use crate::disk::{Disk, TEMPORARY_SUFFIX};
use crate::recovery::{Defect, LogFold, fold_log};
use crate::storage::{Entry, Generation, LogStore, StorageError};

/// The first bytes of every snapshot.
pub const MAGIC: [u8; 4] = *b"TKTS";

/// The version of header and content that is written.
pub const VERSION: u16 = 6;

/// The version before events had terms, and before the ledger knew what providers do on their own.
/// Read, never written.
pub const VERSION_5: u16 = 5;

/// The version before events could be deleted and ticket types edited, and before there were news,
/// suspended accounts and an audit list. Read, never written.
pub const VERSION_4: u16 = 4;

/// The version before buyers gave accounts for refunds. Read, never written.
pub const VERSION_3: u16 = 3;

/// The version before lines had lanes and lotteries. Read, never written.
pub const VERSION_2: u16 = 2;

/// The version before there were queues. Read, never written.
pub const VERSION_1: u16 = 1;

/// Bytes before the content.
pub const HEADER_BYTES: usize = 56;

/// Bytes of BLAKE3 after the content.
pub const HASH_BYTES: usize = 32;

/// How many are kept.
const KEPT: usize = 2;

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// Epoch of the last batch folded in.
    pub epoch: Epoch,
    /// The last record folded in.
    pub snapshot_lsn: Lsn,
    /// Hash of the batch that ends there.
    pub chain: BatchHash,
    /// [`State::last_at`].
    pub last_at: UnixMillis,
    /// Bytes of the content.
    pub content_bytes: u64,
}

/// Why a file is not a snapshot to start from.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotDefect {
    /// Shorter or longer than its header says.
    #[error("the file has another length than its header says")]
    Length,
    /// It does not begin like a snapshot.
    #[error("this is not a snapshot")]
    Magic,
    /// Its hash does not match.
    #[error("the hash does not match")]
    Hash,
    /// Written by another version.
    #[error("the snapshot has version {0}; this program reads up to version {VERSION}")]
    Version(u16),
    /// The content is not a state, or not the one the header and the name speak of.
    #[error("the content does not decode to what the header says")]
    Content,
    /// The state contradicts itself.
    #[error("the state contradicts itself: {0}")]
    Unsound(String),
}

/// Encodes a snapshot file.
///
/// # Panics
/// Where the state cannot be encoded, which no state is.
#[must_use]
pub fn encode(state: &State, chain: BatchHash) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes = match postcard::to_extend(state, bytes) {
        Ok(bytes) => bytes,
        Err(error) => panic!("a state does not encode: {error}"),
    };
    let content_bytes = (bytes.len() - HEADER_BYTES) as u64;
    bytes[0..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[8..16].copy_from_slice(&state.epoch().0.to_le_bytes());
    bytes[16..24].copy_from_slice(&state.lsn().0.to_le_bytes());
    bytes[24..40].copy_from_slice(&chain.0);
    bytes[40..48].copy_from_slice(&state.last_at().0.to_le_bytes());
    bytes[48..56].copy_from_slice(&content_bytes.to_le_bytes());
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(hash.as_bytes());
    bytes
}

/// Decodes and checks a snapshot file.
///
/// # Errors
/// [`SnapshotDefect`], in the order of its variants.
pub fn decode(bytes: &[u8]) -> Result<(SnapshotHeader, State), SnapshotDefect> {
    let content_end = bytes.len().checked_sub(HASH_BYTES).ok_or(SnapshotDefect::Length)?;
    let (head, hash) = bytes.split_at(content_end);
    let (fields, content) = head.split_at_checked(HEADER_BYTES).ok_or(SnapshotDefect::Length)?;
    if fields[..4] != MAGIC {
        return Err(SnapshotDefect::Magic);
    }
    if blake3::hash(head).as_bytes() != hash {
        return Err(SnapshotDefect::Hash);
    }
    let version = u16::from_le_bytes([fields[4], fields[5]]);
    if !matches!(version, VERSION_1 | VERSION_2 | VERSION_3 | VERSION_4 | VERSION_5 | VERSION) {
        return Err(SnapshotDefect::Version(version));
    }
    let u64_at = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&fields[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let mut chain = [0; 16];
    chain.copy_from_slice(&fields[24..40]);
    let header = SnapshotHeader {
        epoch: Epoch(u64_at(8)),
        snapshot_lsn: Lsn(u64_at(16)),
        chain: BatchHash(chain),
        last_at: UnixMillis(u64_at(40)),
        content_bytes: u64_at(48),
    };
    if header.content_bytes != content.len() as u64 {
        return Err(SnapshotDefect::Length);
    }
    let state = match version {
        VERSION_1 => whole::<State1>(content)?.into(),
        VERSION_2 => whole::<State2>(content)?.into(),
        VERSION_3 => whole::<State3>(content)?.into(),
        VERSION_4 => whole::<State4>(content)?.into(),
        VERSION_5 => whole::<State5>(content)?.into(),
        _ => whole::<State>(content)?,
    };
    let speaks_of = (state.epoch(), state.lsn(), state.last_at());
    if speaks_of != (header.epoch, header.snapshot_lsn, header.last_at) {
        return Err(SnapshotDefect::Content);
    }
    state.check().map_err(SnapshotDefect::Unsound)?;
    Ok((header, state))
}

/// The content, used up exactly.
fn whole<'a, T: Deserialize<'a>>(content: &'a [u8]) -> Result<T, SnapshotDefect> {
    match postcard::take_from_bytes(content) {
        Ok((decoded, [])) => Ok(decoded),
        Ok(_) | Err(_) => Err(SnapshotDefect::Content),
    }
}

/// The name of a snapshot: epoch and LSN, so that names sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotName {
    /// See [`SnapshotHeader::snapshot_lsn`]; compared first.
    pub snapshot_lsn: Lsn,
    /// See [`SnapshotHeader::epoch`].
    pub epoch: Epoch,
}

impl SnapshotName {
    fn file(self) -> String {
        format!("{:010}-{:020}", self.epoch.0, self.snapshot_lsn.0)
    }

    fn parse(name: &str) -> Option<SnapshotName> {
        let (epoch, lsn) = name.split_once('-')?;
        let parsed = SnapshotName {
            epoch: Epoch(epoch.parse().ok()?),
            snapshot_lsn: Lsn(lsn.parse().ok()?),
        };
        (parsed.file() == name).then_some(parsed)
    }
}

impl std::fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.snapshot_lsn)
    }
}

/// The snapshots of a directory, newest first.
pub(crate) fn list(disk: &dyn Disk, layout: &Layout) -> std::io::Result<Vec<SnapshotName>> {
    let names = disk.list(&layout.snapshots())?;
    let mut names: Vec<_> = names.iter().filter_map(|name| SnapshotName::parse(name)).collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

/// Removes what an interrupted write left behind. Only before anything else.
pub(crate) fn remove_leftovers(disk: &dyn Disk, layout: &Layout) -> std::io::Result<()> {
    let dir = layout.snapshots();
    for name in disk.list(&dir)?.iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX)) {
        disk.remove_file(&dir.join(name))?;
    }
    Ok(())
}

pub(crate) fn path(layout: &Layout, name: SnapshotName) -> PathBuf {
    layout.snapshots().join(name.file())
}

/// A snapshot that was read and checked.
pub(crate) struct Snapshot {
    pub(crate) name: SnapshotName,
    pub(crate) chain: BatchHash,
    pub(crate) state: State,
}

/// A snapshot that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("snapshot {name}: {defect}")]
pub struct DamagedSnapshot {
    /// Which one.
    pub name: SnapshotName,
    /// Why.
    pub defect: SnapshotDefect,
}

pub(crate) fn load(
    disk: &dyn Disk,
    layout: &Layout,
    name: SnapshotName,
) -> std::io::Result<Result<Snapshot, DamagedSnapshot>> {
    let bytes = disk.read_file(&path(layout, name))?.unwrap_or_default();
    Ok(match decode(&bytes) {
        Ok((header, state))
            if (header.epoch, header.snapshot_lsn) == (name.epoch, name.snapshot_lsn) =>
        {
            Ok(Snapshot { name, chain: header.chain, state })
        }
        Ok(_) => Err(DamagedSnapshot { name, defect: SnapshotDefect::Content }),
        Err(defect) => Err(DamagedSnapshot { name, defect }),
    })
}

/// The newest snapshot that can be used, and the newer ones that cannot.
pub(crate) fn load_newest(
    disk: &dyn Disk,
    layout: &Layout,
) -> std::io::Result<(Option<Snapshot>, Vec<DamagedSnapshot>)> {
    let mut damaged = Vec::new();
    for name in list(disk, layout)? {
        match load(disk, layout, name)? {
            Ok(snapshot) => return Ok((Some(snapshot), damaged)),
            Err(defect) => damaged.push(defect),
        }
    }
    Ok((None, damaged))
}

/// Why no snapshot was made. What was there before is untouched.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The operating system reported an error.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What it reported.
        source: std::io::Error,
    },
    /// The log's store reported an error.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log cannot be folded.
    #[error("the log cannot be folded: {0}")]
    Log(String),
    /// What was read back is not what was written.
    #[error("read back: {0}")]
    ReadBack(DamagedSnapshot),
}

impl SnapshotError {
    fn io(what: &str) -> impl FnOnce(std::io::Error) -> SnapshotError {
        let what = what.to_owned();
        move |source| SnapshotError::Io { what, source }
    }

    pub(crate) fn is_storage_full(&self) -> bool {
        match self {
            SnapshotError::Io { source, .. } => crate::storage::is_storage_full(source),
            SnapshotError::Storage(error) => error.is_storage_full(),
            SnapshotError::Log(_) | SnapshotError::ReadBack(_) => false,
        }
    }
}

/// A snapshot that was made, or was there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMade {
    /// Which one is the newest now.
    pub name: SnapshotName,
    /// Records folded in since the one before it.
    pub records: u64,
    /// Bytes of the file; 0 where none was written.
    pub bytes: u64,
    /// The torn tail before which it ends, for a start to cut.
    pub torn_tail: Option<Defect>,
}

/// Folds the sealed generations up to `through` into a new snapshot, checks it, and removes what
/// is no longer needed.
///
/// `None` where the log is empty.
pub(crate) fn make(
    disk: &dyn Disk,
    layout: &Layout,
    store: &dyn LogStore,
    through: Generation,
) -> Result<Option<SnapshotMade>, SnapshotError> {
    fold_into_file(disk, layout, store, through, Tear::IsDamage)
}

/// As [`make`], of a log that no process writes: a torn tail, which a start would cut, is left out.
pub(crate) fn make_up_to_a_tear(
    disk: &dyn Disk,
    layout: &Layout,
    store: &dyn LogStore,
    through: Generation,
) -> Result<Option<SnapshotMade>, SnapshotError> {
    fold_into_file(disk, layout, store, through, Tear::IsLeftOut)
}

/// What a torn tail means to whoever makes a snapshot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tear {
    /// A sealed generation was synced, so nothing in it can be torn.
    IsDamage,
    /// The last process may have been stopped in a write.
    IsLeftOut,
}

fn fold_into_file(
    disk: &dyn Disk,
    layout: &Layout,
    store: &dyn LogStore,
    through: Generation,
    tear: Tear,
) -> Result<Option<SnapshotMade>, SnapshotError> {
    let (base, _) = load_newest(disk, layout).map_err(SnapshotError::io("read snapshots"))?;
    let base_lsn = base.as_ref().map_or(Lsn::ZERO, |base| base.name.snapshot_lsn);
    let mut generations = store.generations()?;
    generations.retain(|&generation| generation <= through);
    let LogFold { state, last_lsn, chain, epoch, defect, .. } =
        fold_log(store, &generations, base, None)?;
    let is_left_out = |defect: &Defect| tear == Tear::IsLeftOut && defect.kind.is_torn();
    if let Some(defect) = defect.as_ref().filter(|defect| !is_left_out(defect)) {
        return Err(SnapshotError::Log(defect.to_string()));
    }
    if last_lsn == Lsn::ZERO {
        return Ok(None);
    }
    let name = SnapshotName { epoch, snapshot_lsn: last_lsn };
    let records = last_lsn.0 - base_lsn.0;
    let mut made = SnapshotMade { name, records, bytes: 0, torn_tail: defect };
    if made.records > 0 {
        state.check().map_err(SnapshotError::Log)?;
        let bytes = encode(&state, chain);
        disk.write_file_durably(&path(layout, name), &bytes)
            .map_err(SnapshotError::io("write the snapshot"))?;
        made.bytes = bytes.len() as u64;
        let read = load(disk, layout, name).map_err(SnapshotError::io("read the snapshot back"))?;
        let read = read.map_err(SnapshotError::ReadBack)?;
        if read.state != state {
            let defect = SnapshotDefect::Content;
            return Err(SnapshotError::ReadBack(DamagedSnapshot { name, defect }));
        }
    }
    prune(disk, layout, store, &generations, name)?;
    Ok(Some(made))
}

/// Removes all but the newest two good snapshots, and the generations that both of them cover.
fn prune(
    disk: &dyn Disk,
    layout: &Layout,
    store: &dyn LogStore,
    sealed: &[Generation],
    newest: SnapshotName,
) -> Result<(), SnapshotError> {
    let pruning = || SnapshotError::io("remove old snapshots");
    let mut good = Vec::new();
    let mut rest = Vec::new();
    for name in list(disk, layout).map_err(pruning())? {
        // The newest was read a moment ago.
        let is_good = name == newest
            || (good.len() < KEPT && load(disk, layout, name).map_err(pruning())?.is_ok());
        if good.len() < KEPT && is_good {
            good.push(name);
        } else {
            rest.push(name);
        }
    }
    let [_, older] = good[..] else { return Ok(()) };
    for name in rest {
        disk.remove_file(&path(layout, name)).map_err(pruning())?;
    }
    disk.sync_dir(&layout.snapshots()).map_err(pruning())?;
    // A generation ends where the next one begins. The oldest goes first, so that a crash on the
    // way leaves no gap.
    for pair in sealed.windows(2) {
        let Some(next_first) = first_lsn(store, pair[1])? else { break };
        if next_first > older.snapshot_lsn.next() {
            break;
        }
        store.remove(pair[0])?;
    }
    Ok(())
}

/// The first LSN of a generation; `None` where it is empty or begins with damage.
pub(crate) fn first_lsn(
    store: &dyn LogStore,
    generation: Generation,
) -> Result<Option<Lsn>, StorageError> {
    Ok(match store.read(generation)?.next().transpose()? {
        Some(Entry::Batch { bytes, .. }) => {
            crate::batch::Header::parse(&bytes).ok().map(|header| header.first_lsn)
        }
        Some(Entry::Damaged { .. }) | None => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use tiketi_engine::record::Record;

    use super::*;
    use crate::batch::{self, HEADER_BYTES as BATCH_HEADER_BYTES};
    use crate::codec::with_frame;
    use crate::segment_store::SegmentStore;
    use crate::sim_store::SimDisk;

    /// A log of one epoch per batch and one batch per generation.
    fn log(disk: &SimDisk, generations: u32) -> (Layout, SegmentStore) {
        let layout = Layout::new("/data");
        disk.create_dir_durably(&layout.log()).unwrap();
        disk.create_dir_durably(&layout.snapshots()).unwrap();
        let store = SegmentStore::new(Arc::new(disk.clone()), layout.log());
        let mut chain = BatchHash::GENESIS;
        for number in 1..=generations {
            let lsn = Lsn(number.into());
            let epoch = Epoch(number.into());
            let mut bytes = vec![0; BATCH_HEADER_BYTES];
            let record = Record::EpochStarted { epoch, at: UnixMillis(1) };
            with_frame(&record, |frame| bytes.extend_from_slice(frame));
            chain = batch::seal(&mut bytes, epoch, lsn, 1, Lsn(lsn.0 - 1), chain);
            let mut writer = store.create(Generation(number)).unwrap();
            writer.append(lsn, &bytes).unwrap();
            writer.sync().unwrap();
        }
        (layout, store)
    }

    #[test]
    fn what_the_older_snapshot_needs_is_kept() {
        let disk = SimDisk::new();
        let (layout, store) = log(&disk, 7);
        let lsns = || {
            let names = list(&disk, &layout).unwrap();
            names.into_iter().map(|name| name.snapshot_lsn.0).collect::<Vec<_>>()
        };
        let left = || store.generations().unwrap().into_iter().map(|g| g.0).collect::<Vec<_>>();
        let make = |through| {
            let made = make(&disk, &layout, &store, Generation(through)).unwrap().unwrap();
            assert_eq!(made.name.snapshot_lsn, Lsn(through.into()));
            made.records
        };
        assert_eq!(make(2), 2);
        assert_eq!((lsns(), left()), (vec![2], vec![1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(make(5), 3);
        assert_eq!((lsns(), left()), (vec![5, 2], vec![3, 4, 5, 6, 7]));
        assert_eq!(make(5), 0, "made before");
        assert_eq!(make(7), 2);
        assert_eq!((lsns(), left()), (vec![7, 5], vec![6, 7]));
        // A damaged one does not count, and makes way for the next.
        disk.overwrite(&path(&layout, SnapshotName { snapshot_lsn: Lsn(7), epoch: Epoch(7) }), b"");
        assert_eq!(make(7), 2);
        assert_eq!((lsns(), left()), (vec![7, 5], vec![6, 7]));
    }

    #[test]
    fn names_are_their_only_spelling() {
        let name = SnapshotName { snapshot_lsn: Lsn(12), epoch: Epoch(3) };
        assert_eq!(name.file(), "0000000003-00000000000000000012");
        assert_eq!(SnapshotName::parse(&name.file()), Some(name));
        for other in ["3-12", "0000000003-00000000000000000012.new", "", "-", "x-y"] {
            assert_eq!(SnapshotName::parse(other), None, "{other}");
        }
    }
}
