//! Snapshots: the fold of the log up to a position, as a file.
//!
//! Here are its bytes and how it is read; `snapshot_maker` makes it.

use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;
use tiketi_engine::ids::{Epoch, Lsn, UnixMillis};
use tiketi_engine::state::{State, State1, State2, State3, State4, State5};

use crate::batch::BatchHash;
use crate::disk::{Disk, TEMPORARY_SUFFIX};
use crate::layout::Layout;
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
    use super::*;

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
