//! Many appenders, one writer: order, waiting, room, and the end of it all.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use tiketi_engine::error::JournalUnavailable;
use tiketi_engine::ids::{Lsn, UnixMillis, UserIndex};
use tiketi_engine::journal::{Journal, Pending, Permit, Purpose};
use tiketi_engine::record::{Record, Role};
use tiketi_persistence::batch::Header;
use tiketi_persistence::disk::RealDisk;
use tiketi_persistence::segment_store::SegmentStore;
use tiketi_persistence::sim_store::{self, SimDisk};
use tiketi_persistence::storage::{
    Entries, Entry, Generation, GenerationWriter, LogStore, StorageError,
};
use tiketi_persistence::{
    Fatal, FatalHook, LogReader, Opened, Options, Poisoned, StoreKind, View, WhenFull, open,
    open_on,
};

use crate::common::record;

/// A record that follows from any state with a user in it.
fn role(number: u64) -> Record {
    let role = if number.is_multiple_of(2) { Role::User } else { Role::Admin };
    Record::UserRoleChanged { user: UserIndex(0), role, at: UnixMillis(number) }
}

#[test]
fn many_appenders_agree_on_one_order() {
    for store in [StoreKind::Sled, StoreKind::Segments] {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::new(dir.path().join("data"));
        options.store = store;
        options.ballast_bytes = 0;
        options.generation_bytes = 20_000;
        let opened = open(&options, UnixMillis(1)).unwrap();
        let journal = opened.journal;
        let view = View::start(opened.state, &opened.commits, FatalHook::default());
        let tail = opened.commits.subscribe(100_000, WhenFull::Disconnect);
        let lsn = journal.append(Permit::granted(), &record(0));
        journal.durable().wait_blocking(lsn).unwrap();

        let taken = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for appender in 0..4_u64 {
                let (journal, view, taken) = (&journal, &view, &taken);
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    for i in 0..5_000_u64 {
                        let number = appender * 5_000 + i;
                        let permit = loop {
                            match journal.reserve(Purpose::NewWork) {
                                Ok(permit) => break permit,
                                Err(JournalUnavailable::QueueFull) => thread::yield_now(),
                                Err(other) => panic!("{other}"),
                            }
                        };
                        let lsn = journal.append(permit, &role(number));
                        assert!(mine.last().is_none_or(|&(last, _)| last < lsn));
                        if i % 500 == 0 {
                            let durable = journal.durable().wait_blocking(lsn).unwrap();
                            assert!(durable >= lsn);
                            view.applied().wait_blocking(lsn).unwrap();
                            assert!(view.read(|state| state.lsn()) >= lsn);
                        }
                        mine.push((lsn, number));
                    }
                    taken.lock().unwrap().extend(mine);
                });
            }
        });
        let last = journal.appended_lsn();
        assert_eq!(last, Lsn(20_002));
        journal.durable().wait_blocking(last).unwrap();
        view.applied().wait_blocking(last).unwrap();
        let state = view.read(Clone::clone);
        journal.end_generation();
        let snapshots = options.dir.join("snapshot");
        while std::fs::read_dir(&snapshots).unwrap().next().is_none() {
            thread::yield_now();
        }
        journal.close().unwrap();
        view.join();

        let mut order = taken.into_inner().unwrap();
        order.sort_unstable();
        let mut streamed = Vec::new();
        for batch in &tail.batches {
            batch
                .records::<Broken>(|lsn, record| {
                    streamed.push((lsn, record));
                    Ok(())
                })
                .unwrap();
        }
        let expected: Vec<_> = order.iter().map(|&(lsn, number)| (lsn, role(number))).collect();
        assert_eq!(streamed[1..], expected[..], "{store}");

        let reader = LogReader::open(&options.dir).unwrap();
        let verified = reader.verify().unwrap();
        assert_eq!((verified.last_lsn, verified.refusal), (last, None));
        assert_eq!(reader.state().unwrap(), state, "{store}");
        assert!(!reader.snapshots().unwrap().is_empty(), "{store}: no generation was folded");
    }
}

#[derive(Debug)]
struct Broken;

impl From<tiketi_persistence::batch::BatchDefect> for Broken {
    fn from(_: tiketi_persistence::batch::BatchDefect) -> Self {
        Broken
    }
}

/// A store whose syncs wait to be let through, and that can be told to panic.
struct Gate {
    inner: Arc<dyn LogStore>,
    /// One message lets one sync through; without senders all pass.
    turns: Arc<Mutex<Option<Receiver<Turn>>>>,
    syncs: Arc<AtomicU64>,
}

enum Turn {
    Pass,
    Panic,
}

struct GateWriter {
    inner: Box<dyn GenerationWriter>,
    turns: Arc<Mutex<Option<Receiver<Turn>>>>,
    syncs: Arc<AtomicU64>,
}

impl LogStore for Gate {
    fn generations(&self) -> Result<Vec<Generation>, StorageError> {
        self.inner.generations()
    }

    fn remove_leftovers(&self) -> Result<(), StorageError> {
        self.inner.remove_leftovers()
    }

    fn create(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError> {
        self.inner.create(generation)
    }

    fn open(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError> {
        let inner = self.inner.open(generation)?;
        Ok(Box::new(GateWriter { inner, turns: self.turns.clone(), syncs: self.syncs.clone() }))
    }

    fn read(&self, generation: Generation) -> Result<Entries<'_>, StorageError> {
        self.inner.read(generation)
    }

    fn cut(&self, generation: Generation, position: u64) -> Result<(), StorageError> {
        self.inner.cut(generation, position)
    }

    fn write_again(&self, generation: Generation) -> Result<(), StorageError> {
        self.inner.write_again(generation)
    }

    fn remove(&self, generation: Generation) -> Result<(), StorageError> {
        self.inner.remove(generation)
    }
}

impl GenerationWriter for GateWriter {
    fn append(&mut self, first_lsn: Lsn, batch: &[u8]) -> Result<(), StorageError> {
        self.inner.append(first_lsn, batch)
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let turn = self.turns.lock().unwrap().as_ref().map(Receiver::recv);
        if let Some(Ok(Turn::Panic)) = turn {
            panic!("the store was made to panic");
        }
        self.inner.sync()
    }
}

struct Gated {
    opened: Opened,
    turns: Sender<Turn>,
    syncs: Arc<AtomicU64>,
    fatals: Arc<Mutex<Vec<String>>>,
}

fn gated(queue_bytes_max: usize, batch_bytes_max: usize) -> Gated {
    let disk = SimDisk::new();
    let fatals = Arc::new(Mutex::new(Vec::new()));
    let mut options = sim_store::options();
    options.queue_bytes_max = queue_bytes_max;
    options.batch_bytes_max = batch_bytes_max;
    options.generation_bytes = u64::MAX;
    let seen = fatals.clone();
    options.on_fatal = FatalHook::new(move |fatal| seen.lock().unwrap().push(fatal.to_string()));
    let turns = Arc::new(Mutex::new(None));
    let syncs = Arc::new(AtomicU64::new(0));
    let inner = Arc::new(sim_store::store(&disk, &options));
    let store = Gate { inner, turns: turns.clone(), syncs: syncs.clone() };
    let opened = open_on(Arc::new(disk), Arc::new(store), &options, UnixMillis(1)).unwrap();
    let (sender, receiver) = channel();
    *turns.lock().unwrap() = Some(receiver);
    Gated { opened, turns: sender, syncs, fatals }
}

#[test]
fn a_full_queue_refuses_new_work_before_completions() {
    let gated = gated(2_000, usize::MAX);
    let journal = &gated.opened.journal;
    let mut appended = 0;
    let mut fill = |purpose| {
        let mut last = Lsn(0);
        while let Ok(permit) = journal.reserve(purpose) {
            last = journal.append(permit, &record(appended));
            appended += 1;
        }
        assert_eq!(journal.reserve(purpose).unwrap_err(), JournalUnavailable::QueueFull);
        (last, journal.queued_bytes())
    };
    let (_, bytes) = fill(Purpose::NewWork);
    assert!((2_000..2_300).contains(&bytes), "{bytes}");
    let (last, bytes) = fill(Purpose::Completion);
    assert!((4_000..4_300).contains(&bytes), "{bytes}");
    drop(gated.turns);
    journal.durable().wait_blocking(last).unwrap();
    assert_eq!(journal.queued_bytes(), 0);
    assert!(journal.reserve(Purpose::NewWork).is_ok());
}

#[test]
fn what_gathers_during_a_sync_is_one_batch() {
    let gated = gated(1 << 20, usize::MAX);
    let journal = &gated.opened.journal;
    let before = gated.syncs.load(Ordering::Relaxed);
    let first = journal.append(Permit::granted(), &record(0));
    while gated.syncs.load(Ordering::Relaxed) == before {
        thread::yield_now();
    }
    let mut last = first;
    for number in 1..300 {
        last = journal.append(Permit::granted(), &record(number));
    }
    assert!(journal.durable_lsn() < first);
    gated.turns.send(Turn::Pass).unwrap();
    journal.durable().wait_blocking(first).unwrap();
    assert_eq!(journal.durable_lsn(), first, "only what was synced is durable");
    gated.turns.send(Turn::Pass).unwrap();
    journal.durable().wait_blocking(last).unwrap();
    assert_eq!(journal.batches(), 3);
    drop(gated.turns);
}

#[test]
fn a_writer_that_is_behind_syncs_several_batches_at_once() {
    // A dozen small batches, after a first that is under way.
    let gated = gated(1 << 20, 256);
    let journal = &gated.opened.journal;
    let before = gated.syncs.load(Ordering::Relaxed);
    let mut last = journal.append(Permit::granted(), &record(0));
    while gated.syncs.load(Ordering::Relaxed) == before {
        thread::yield_now();
    }
    for number in 3..143 {
        last = journal.append(Permit::granted(), &record(number));
    }
    drop(gated.turns);
    journal.durable().wait_blocking(last).unwrap();
    let (batches, syncs) =
        (journal.batches() - 2, gated.syncs.load(Ordering::Relaxed) - before - 1);
    assert!((8..20).contains(&batches), "{batches}");
    assert_eq!(syncs, batches.div_ceil(6));
}

#[test]
fn a_panic_in_the_writer_ends_the_journal() {
    let gated = gated(1 << 20, usize::MAX);
    let journal = &gated.opened.journal;
    let commits = gated.opened.commits.subscribe(8, WhenFull::Wait);
    gated.turns.send(Turn::Panic).unwrap();
    let lsn = journal.append(Permit::granted(), &record(0));
    assert_eq!(journal.durable().wait_blocking(lsn), Err(Poisoned));
    assert_eq!(journal.reserve(Purpose::Completion).unwrap_err(), JournalUnavailable::Poisoned);
    assert!(commits.batches.recv().is_err(), "nothing was committed");
    assert!(matches!(journal.close(), Err(Fatal::Panicked { thread: "tiketi-journal", .. })));
    let fatals = gated.fatals.lock().unwrap();
    assert_eq!(*fatals, ["the tiketi-journal thread panicked: the store was made to panic"]);
}

#[tokio::test]
async fn answers_wait_for_their_record_and_may_be_dropped() {
    let gated = gated(1 << 20, usize::MAX);
    let journal = gated.opened.journal.clone();
    let view = View::start(gated.opened.state, &gated.opened.commits, FatalHook::default());
    let lsn = journal.append(Permit::granted(), &record(0));
    let pending = Pending::new("answer", lsn);
    let waiting = tokio::spawn({
        let journal = journal.clone();
        async move { journal.committed(pending).await }
    });
    let dropped = tokio::spawn({
        let journal = journal.clone();
        async move { journal.committed(pending).await }
    });
    while journal.durable().waiting() < 2 {
        tokio::task::yield_now().await;
    }
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    assert_eq!(journal.durable().waiting(), 1);
    gated.turns.send(Turn::Pass).unwrap();
    assert_eq!(waiting.await.unwrap(), Ok("answer"));
    assert_eq!(view.read_at(lsn, |state| state.lsn()).await, Ok(lsn));
    drop(gated.turns);
    journal.close().unwrap();
    assert_eq!(journal.committed(Pending::new((), lsn.next())).await, Err(Poisoned));
    assert_eq!(view.at(lsn.next()).await, Err(Poisoned));
}

#[test]
fn a_record_that_does_not_fold_ends_the_view() {
    let disk = SimDisk::new();
    let mut options = sim_store::options();
    options.generation_bytes = u64::MAX;
    let opened = sim_store::open(&disk, &options, UnixMillis(1)).unwrap();
    let (sender, fatal) = channel();
    let sender = Mutex::new(sender);
    let hook = FatalHook::new(move |fatal| sender.lock().unwrap().send(fatal.clone()).unwrap());
    let view = View::start(opened.state, &opened.commits, hook);
    let lsn = opened.journal.append(Permit::granted(), &role(0));
    assert!(matches!(fatal.recv().unwrap(), Fatal::Fold(error) if error.lsn == lsn));
    assert_eq!(view.applied().wait_blocking(lsn), Err(Poisoned));
}

#[test]
fn the_process_ends_with_its_code_and_one_line() {
    // Run again as a child: the default hook exits.
    const CHILD: &str = "TIKETI_TEST_FATAL_CHILD";
    if let Some(dir) = std::env::var_os(CHILD) {
        let mut options = Options::new(PathBuf::from(dir));
        options.store = StoreKind::Segments;
        options.ballast_bytes = 0;
        let opened = open(&options, UnixMillis(1)).unwrap();
        let _view = View::start(opened.state, &opened.commits, FatalHook::default());
        let lsn = opened.journal.append(Permit::granted(), &role(0));
        let _ = opened.journal.durable().wait_blocking(lsn);
        thread::sleep(std::time::Duration::from_secs(30));
        unreachable!("the process goes on");
    }
    let dir = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "group::the_process_ends_with_its_code_and_one_line", "--nocapture"])
        .env(CHILD, dir.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(tiketi_persistence::FATAL_EXIT_CODE));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("tiketi: record 2 does not follow"), "{stderr}");
}

#[test]
fn a_failed_snapshot_names_the_record_it_was_to_reach() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("data"));
    options.store = StoreKind::Segments;
    options.ballast_bytes = 0;
    options.generation_bytes = 2_000;
    options.on_fatal = FatalHook::new(|_| {});
    let opened = open(&options, UnixMillis(1)).unwrap();
    // Snapshots cannot even be listed.
    std::fs::remove_dir(options.dir.join("snapshot")).unwrap();
    std::fs::write(options.dir.join("snapshot"), "").unwrap();
    for number in 0.. {
        match opened.journal.reserve(Purpose::NewWork) {
            Ok(permit) => drop(opened.journal.append(permit, &role(number))),
            Err(JournalUnavailable::Poisoned) => break,
            Err(_) => thread::yield_now(),
        }
    }
    let Err(Fatal::Snapshot { snapshot_lsn, .. }) = opened.journal.close() else { panic!() };
    let store = SegmentStore::new(Arc::new(RealDisk), options.dir.join("log"));
    let entries = store.read(Generation(1)).unwrap().map(Result::unwrap);
    let Some(Entry::Batch { bytes, .. }) = entries.last() else { panic!() };
    // Commits had gone on meanwhile, so the durable end is another one.
    assert_eq!(snapshot_lsn, Header::parse(&bytes).unwrap().last_lsn());
}
