//! Makes snapshots: always from the log, never from live memory (R8), out of the newest snapshot and the
//! generations after it. A snapshot counts only after it was read back from its final name and
//! checked. Two are kept; a generation is removed only when two newer ones are durable.

use thiserror::Error;
use tiketi_engine::ids::Lsn;

use crate::defect::Defect;
use crate::disk::Disk;
use crate::layout::Layout;
use crate::recovery::{LogFold, fold_log};
use crate::snapshot::{
    DamagedSnapshot, SnapshotDefect, SnapshotName, encode, first_lsn, list, load, load_newest, path,
};
use crate::storage::{Generation, LogStore, StorageError};

/// How many are kept.
const KEPT: usize = 2;

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

/// What a torn tail means where a snapshot is made.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use tiketi_engine::ids::{Epoch, UnixMillis};
    use tiketi_engine::record::Record;

    use super::*;
    use crate::batch::{self, BatchHash, HEADER_BYTES as BATCH_HEADER_BYTES};
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
}
