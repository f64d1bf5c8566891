//! The start of the journal: directory, recovery, threads, and the first record of the new epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tiketi_engine::ids::UnixMillis;
use tiketi_engine::journal::{Journal, Permit};
use tiketi_engine::record::Record;
use tiketi_engine::state::State;

use crate::commit_stream::CommitStream;
use crate::data_dir::{self, DirLock};
use crate::disk::{Disk, RealDisk};
use crate::error::{Fatal, FatalHook, OpenError};
use crate::group_commit::{GroupCommit, Start};
use crate::layout::Layout;
use crate::mark::MarkFile;
use crate::options::Options;
use crate::recovery::{RecoveryReport, recover};
use crate::segment_store::SegmentStore;
use crate::sled_store::SledStore;
use crate::storage::StoreKind;
use crate::storage::{Generation, LogStore};

/// A journal that runs, and the state its log stands for.
#[derive(Debug)]
pub struct Opened {
    /// The fold of everything recovered and of this epoch's [`Record::EpochStarted`].
    pub state: State,
    /// Where commands put their records.
    pub journal: Arc<GroupCommit>,
    /// What has become durable, from the record after `state` on.
    pub commits: CommitStream,
    /// What the start found and did.
    pub report: RecoveryReport,
}

/// What a start is left to write before anybody can make room: its first record may fit into the last
/// block of a file on a full disk, and the next one, of a payment that ends, would not.
const START_BYTES: u64 = 16 << 20;

/// Opens the data directory, recovers the state and begins a new epoch at `now`, or at the last
/// logged instant where that is later.
///
/// # Errors
/// [`OpenError`]: in use, foreign, of another version, damaged (with what and where), or not
/// readable or writable. Nothing was lost or overwritten.
///
/// # Durability
/// The new epoch's first record is durable on return.
pub fn open(options: &Options, now: UnixMillis) -> Result<Opened, OpenError> {
    let layout = Layout::new(&options.dir);
    data_dir::refuse_foreign(&RealDisk, &layout)?;
    RealDisk
        .create_dir_durably(layout.dir())
        .map_err(OpenError::io(format!("make {}", layout.dir().display())))?;
    let lock = DirLock::take(&layout)?;
    let (options, armed) = disarmed(options);
    let store = real_store(options.store, &layout);
    let drop_ballast = || {
        let dropping = OpenError::io(format!("remove {}", layout.ballast().display()));
        data_dir::drop_ballast(&layout).map_err(dropping)
    };
    let is_nearly_full = RealDisk.free_bytes(layout.dir()).is_ok_and(|free| free < START_BYTES);
    let dropped = is_nearly_full && drop_ballast()?;
    let mut opened = open_making_room(Arc::new(RealDisk), store, &options, now, drop_ballast)?;
    opened.report.ballast_dropped |= dropped;
    if let Err(error) =
        data_dir::fill_ballast(&layout, options.ballast_bytes, options.free_bytes_min)
    {
        tracing::warn!(%error, "the ballast cannot be made");
    }
    opened.journal.keep(lock);
    // ORDERING: SeqCst with the load in the hook: a failure is seen there or here.
    armed.store(true, Ordering::SeqCst);
    match opened.journal.fatal() {
        Some(fatal) => Err(OpenError::Fatal(fatal.clone())),
        None => Ok(opened),
    }
}

/// As [`open_on`], and where the disk is full once more, if `make_room` has made some.
///
/// The first attempt may have written its batch and failed to sync it. The kernel may then show
/// that batch to the second attempt and never write it: it would be served and built upon, and be
/// a hole in the log after the next power cut. So what the first attempt may have written to is
/// written again before it is read (I9, I10). That is the newest generation with a batch in it,
/// or the empty one made ahead of it.
pub(crate) fn open_making_room(
    disk: Arc<dyn Disk>,
    store: Arc<dyn LogStore>,
    options: &Options,
    now: UnixMillis,
    make_room: impl FnOnce() -> Result<bool, OpenError>,
) -> Result<Opened, OpenError> {
    match open_on(disk.clone(), store.clone(), options, now) {
        Err(error) if error.is_storage_full() => {
            if !make_room()? {
                return Err(error);
            }
            for generation in store.generations()?.into_iter().rev().take(2) {
                store.write_again(generation)?;
            }
            let mut opened = open_on(disk, store, options, now)?;
            opened.report.ballast_dropped = true;
            Ok(opened)
        }
        other => other,
    }
}

/// The options with a hook that keeps still until the start is complete: a first write that fails,
/// as on a full disk, is an error of [`open`] and no reason to end the process.
fn disarmed(options: &Options) -> (Options, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(false));
    let on_fatal = {
        let (armed, on_fatal) = (armed.clone(), options.on_fatal.clone());
        FatalHook::new(move |fatal| {
            if armed.load(Ordering::SeqCst) {
                on_fatal.call(fatal);
            }
        })
    };
    (Options { on_fatal, ..options.clone() }, armed)
}

/// The store of that kind in a real directory.
pub(crate) fn real_store(kind: StoreKind, layout: &Layout) -> Arc<dyn LogStore> {
    match kind {
        StoreKind::Sled => Arc::new(SledStore::new(layout.log())),
        StoreKind::Segments => Arc::new(SegmentStore::new(Arc::new(RealDisk), layout.log())),
    }
}

/// As [`open`], on any disk and store and without the directory's lock. For simulations.
///
/// # Errors
/// As [`open`].
pub fn open_on(
    disk: Arc<dyn Disk>,
    store: Arc<dyn LogStore>,
    options: &Options,
    now: UnixMillis,
) -> Result<Opened, OpenError> {
    let layout = Layout::new(&options.dir);
    data_dir::prepare(&*disk, &layout, options.store, &*store)?;
    let recovered = recover(&*disk, &layout, &*store)?;
    let (generation, generation_bytes) = match recovered.tail {
        Some(tail) => tail,
        // Nothing in the log, so whatever generations there are, are empty.
        None => (store.generations()?.first().copied().unwrap_or(Generation::FIRST), 0),
    };
    let current = if store.generations()?.contains(&generation) {
        store.open(generation)?
    } else {
        store.create(generation)?
    };
    let mark = MarkFile::open(&*disk, &layout.mark())
        .map_err(OpenError::io(format!("open {}", layout.mark().display())))?;
    let mut state = recovered.state;
    let report = recovered.report;
    let start = Start {
        epoch: report.epoch,
        last_lsn: state.lsn(),
        chain: recovered.chain,
        generation,
        generation_bytes,
        current,
        mark,
        disk,
        layout,
        store,
    };
    let journal = GroupCommit::start(start, options);
    let record = Record::EpochStarted { epoch: report.epoch, at: now.max(state.last_at()) };
    let lsn = journal.append(Permit::granted(), &record);
    if journal.durable().wait_blocking(lsn).is_err() {
        let error = journal.close().err();
        let message = "the journal closed".to_owned();
        let fatal = error.unwrap_or(Fatal::Panicked { thread: "tiketi-journal", message });
        return Err(OpenError::Fatal(fatal));
    }
    if let Err(error) = state.apply(lsn, &record) {
        return Err(OpenError::Fatal(error.into()));
    }
    let commits = journal.commits().clone();
    // Published a moment after it is acknowledged; nobody shall get it beside `state`.
    while commits.published() < lsn {
        std::thread::yield_now();
    }
    Ok(Opened { state, journal, commits, report })
}
