//! Power cuts and failing calls at every point of a journal's life, on the simulated disk.
//!
//! The oracle: `acknowledged <= recovered <= appended`, and the recovered state is the fold of
//! exactly that prefix. A start after a cut is never refused.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tiketi_engine::error::JournalUnavailable;
use tiketi_engine::ids::{Epoch, Lsn, UnixMillis};
use tiketi_engine::journal::{Journal, Purpose};
use tiketi_engine::record::Record;
use tiketi_persistence::sim_store::{self, Choices, SimDisk};
use tiketi_persistence::{FatalHook, OpenError, Opened, Options, Poisoned};

use crate::common::record;
use crate::fold;

/// What the world outside knows of a log.
#[derive(Default)]
struct World {
    /// Every record that may be in the log, in order.
    appended: Vec<Record>,
    /// The last position that was acknowledged.
    acknowledged: Lsn,
    /// Records of the script, epochs not counted, that were appended.
    script: u64,
    /// When starts were cut off, since the last that was not.
    cut_starts: Vec<UnixMillis>,
    /// How often the process was told to end.
    fatal: Arc<AtomicU64>,
}

impl World {
    fn options(&self) -> Options {
        let fatal = self.fatal.clone();
        let mut options = sim_store::options();
        options.on_fatal = FatalHook::new(move |_| {
            fatal.fetch_add(1, Ordering::Relaxed);
        });
        options
    }

    /// Opens the journal and checks what it recovered.
    fn open(&mut self, disk: &SimDisk) -> Result<Opened, OpenError> {
        let now = self.now();
        let opened = match sim_store::open(disk, &self.options(), now) {
            Ok(opened) => opened,
            Err(error) => {
                assert!(!matches!(error, OpenError::Refused { .. }), "{error}");
                return Err(error);
            }
        };
        let recovered = opened.report.recovered_lsn;
        assert!(recovered >= self.acknowledged, "acknowledged records are gone");
        let first = |before: &[Record], now: UnixMillis| {
            let state = fold(before);
            let at = now.max(state.last_at());
            Record::EpochStarted { epoch: state.epoch().next(), at }
        };
        // Starts that were cut off may have left the first record of their epoch, each of them.
        let mut logs = Vec::new();
        for left in 0..1_u32 << self.cut_starts.len() {
            let Some(kept) = recovered.0.checked_sub(left.count_ones().into()) else { continue };
            let Some(log) = self.appended.get(..kept as usize) else { continue };
            if kept < self.acknowledged.0 {
                continue;
            }
            let mut log = log.to_vec();
            for (i, &then) in self.cut_starts.iter().enumerate() {
                if left & 1 << i != 0 {
                    log.push(first(&log, then));
                }
            }
            log.push(first(&log, now));
            logs.push(log);
        }
        let log = logs.into_iter().find(|log| fold(log) == opened.state);
        self.appended = log.expect("the state is not the fold of what was appended");
        self.cut_starts.clear();
        self.acknowledged = recovered.next();
        let of_the_script = |record: &&Record| !matches!(record, Record::EpochStarted { .. });
        self.script = self.appended.iter().filter(of_the_script).count() as u64;
        Ok(opened)
    }

    /// A start failed: what it was given as the time.
    fn start_was_cut(&mut self) {
        self.cut_starts.push(self.now());
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.appended.len() as u64)
    }

    /// Appends records and waits for them, one by one or, which the writer may split into batches as
    /// it likes, several at once.
    fn work(&mut self, opened: &Opened, rounds: &[u64]) -> Result<(), Poisoned> {
        for &burst in rounds {
            let mut last = Lsn(0);
            for _ in 0..burst {
                let permit = match opened.journal.reserve(Purpose::NewWork) {
                    Ok(permit) => permit,
                    Err(JournalUnavailable::Poisoned) => return Err(Poisoned),
                    Err(other) => panic!("{other}"),
                };
                let next = record(self.script);
                last = opened.journal.append(permit, &next);
                self.script += 1;
                self.appended.push(next);
                assert_eq!(last.0, self.appended.len() as u64);
            }
            let durable_lsn = opened.journal.durable().wait_blocking(last)?;
            assert!(durable_lsn >= last);
            self.acknowledged = durable_lsn;
        }
        Ok(())
    }

    /// A life of the journal: start, work, and the end of it.
    fn live(&mut self, disk: &SimDisk, rounds: &[u64]) {
        match self.open(disk) {
            Err(_) => self.start_was_cut(),
            Ok(opened) => {
                let worked = self.work(&opened, rounds);
                let closed = opened.journal.close();
                assert!(worked.is_ok() || closed.is_err(), "{worked:?} {closed:?}");
            }
        }
    }
}

/// One record at a time: the same calls in the same order every time.
const STEADY: &[u64] = &[1; 40];

/// How many calls an undisturbed life makes.
fn calls_of_a_life() -> u64 {
    let disk = SimDisk::new();
    World::default().live(&disk, STEADY);
    disk.calls()
}

/// A cut in the first life, another in the recovery from it or later, then a life to its end, and
/// one more start.
fn cut(seed: u64, at: u64, rounds: &[u64]) {
    println!("seed {seed}, cut at call {at}");
    let mut choices = Choices::new(seed);
    let mut world = World::default();
    let disk = SimDisk::new();
    disk.power_off_at(at);
    world.live(&disk, rounds);

    let disk = disk.crash(choices.bits());
    disk.power_off_at(choices.below(30) + 1);
    world.live(&disk, rounds);

    let disk = disk.crash(choices.bits());
    world.live(&disk, rounds);
    assert_eq!(world.acknowledged.0, world.appended.len() as u64);

    let disk = disk.crash(choices.bits());
    let opened = world.open(&disk).unwrap();
    assert!(opened.report.torn_tail.is_none(), "everything was acknowledged");
    opened.journal.close().unwrap();
}

#[test]
fn a_cut_at_every_call_loses_nothing_acknowledged() {
    let calls = calls_of_a_life();
    assert!(calls > 150, "the life is too short to be a test: {calls}");
    for at in 1..=calls {
        for round in 0..12 {
            cut(at * 1_000 + round, at, STEADY);
        }
    }
}

#[test]
fn a_cut_in_bursts_loses_nothing_acknowledged() {
    for seed in 0..1_500 {
        let mut choices = Choices::new(seed);
        let rounds: Vec<_> = (0..12).map(|_| choices.below(20) + 1).collect();
        let at = choices.below(150) + 1;
        cut(choices.bits(), at, &rounds);
    }
}

#[test]
fn one_seed_is_one_story() {
    // The seed to look at after a failure above: its calls are the same every time.
    cut(17_003, 17, STEADY);
}

#[test]
fn after_the_nth_failing_call_nothing_is_acknowledged() {
    let calls = calls_of_a_life();
    for number in 1..=calls {
        let mut choices = Choices::new(number);
        let mut world = World::default();
        let disk = SimDisk::new();
        disk.fail_call(number, ErrorKind::Other);
        match world.open(&disk) {
            Err(error) => {
                assert!(error.to_string().contains("made to fail"), "{error}");
                world.start_was_cut();
            }
            Ok(opened) => {
                let worked = world.work(&opened, STEADY);
                let called = disk.calls();
                if worked.is_err() {
                    assert!(matches!(
                        opened.journal.reserve(Purpose::Completion),
                        Err(JournalUnavailable::Poisoned)
                    ));
                    let next = Lsn(world.appended.len() as u64 + 1);
                    assert_eq!(opened.journal.durable().wait_blocking(next), Err(Poisoned));
                }
                let fatal = opened.journal.close().expect_err(&format!("call {number} of {calls}"));
                assert!(fatal.to_string().contains("made to fail"), "{fatal}");
                assert_eq!(world.fatal.load(Ordering::Relaxed), 1, "call {number}");
                assert!(
                    worked.is_ok() || disk.calls() == called,
                    "call {number}: something was tried again"
                );
            }
        }
        let disk = if choices.coin() { disk.kill() } else { disk.crash(choices.bits()) };
        world.live(&disk, STEADY);
        assert_eq!(world.acknowledged.0, world.appended.len() as u64);
    }
}

#[test]
fn a_full_disk_at_any_call_loses_nothing() {
    for number in 1..=calls_of_a_life() {
        let mut choices = Choices::new(number);
        let mut world = World::default();
        let disk = SimDisk::new();
        disk.fail_call(number, ErrorKind::StorageFull);
        match world.open(&disk) {
            Err(error) => {
                assert!(error.is_storage_full(), "{error}");
                world.start_was_cut();
            }
            Ok(opened) => {
                // A snapshot that found no room is made later; anything else ends the journal.
                let _ = world.work(&opened, STEADY);
                let _ = opened.journal.close();
            }
        }
        world.live(&disk.crash(choices.bits()), STEADY);
        assert_eq!(world.acknowledged.0, world.appended.len() as u64);
    }
}

#[test]
fn little_free_space_refuses_new_work_only() {
    let disk = SimDisk::new();
    disk.set_free_bytes(1 << 20);
    let opened = sim_store::open(&disk, &sim_store::options(), UnixMillis(1)).unwrap();
    assert!(opened.journal.is_disk_low());
    assert_eq!(opened.journal.reserve(Purpose::NewWork).unwrap_err(), JournalUnavailable::DiskLow);
    let permit = opened.journal.reserve(Purpose::Completion).unwrap();
    disk.set_free_bytes(1 << 40);
    let lsn = opened.journal.append(permit, &record(0));
    opened.journal.durable().wait_blocking(lsn).unwrap();
    opened.journal.close().unwrap();
    assert!(!opened.journal.is_disk_low());
}

#[test]
fn epochs_rise_over_lives_that_wrote_nothing_else() {
    let disk = SimDisk::new();
    for life in 1..=20 {
        let opened = sim_store::open(&disk, &sim_store::options(), UnixMillis(1)).unwrap();
        assert_eq!((opened.state.epoch(), opened.state.lsn()), (Epoch(life), Lsn(life)));
        opened.journal.close().unwrap();
    }
}

#[test]
fn a_second_try_on_a_full_disk_builds_on_nothing_that_is_not_on_the_disk() {
    let mut options = sim_store::options();
    options.on_fatal = FatalHook::new(|_| {});
    let empty = SimDisk::new();
    let lived = SimDisk::new();
    let mut world = World::default();
    world.live(&lived, &[1; 5]);
    for before in [empty, lived] {
        let whole = before.kill();
        sim_store::open(&whole, &options, UnixMillis(1)).unwrap().journal.close().unwrap();
        let (mut second_tries, from) = (0, World::default().script);
        for number in 1..=whole.calls() {
            let disk = before.kill();
            disk.fail_call(number, ErrorKind::StorageFull);
            let opened = match sim_store::open_making_room(&disk, &options, UnixMillis(1)) {
                Ok(opened) => opened,
                // The directory itself, which is made before there is a ballast in it.
                Err(error) => {
                    assert!(error.is_storage_full(), "{error}");
                    continue;
                }
            };
            second_tries += u32::from(opened.report.ballast_dropped);
            let script = if opened.state.users().is_empty() { from } else { 5 };
            let permit = opened.journal.reserve(Purpose::NewWork).unwrap();
            let last = opened.journal.append(permit, &record(script));
            opened.journal.durable().wait_blocking(last).unwrap();
            opened.journal.close().unwrap();
            for seed in 0..8 {
                let again = sim_store::open(&disk.crash(seed), &options, UnixMillis(1));
                let again = again.unwrap_or_else(|error| panic!("call {number}: {error}"));
                assert_eq!(again.report.recovered_lsn, last, "call {number}, seed {seed}");
            }
        }
        assert!(second_tries >= 3, "{second_tries}");
    }
}
