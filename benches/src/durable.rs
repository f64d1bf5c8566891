//! Durable holds in one process: engine, journal, disk.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hdrhistogram::Histogram;
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::Engine;
use tiketi_engine::error::{CommandError, JournalUnavailable};
use tiketi_engine::ids::{EventIndex, Lsn, SeatIndex, UnixMillis, UserIndex};
use tiketi_persistence::{GroupCommit, Options, StoreKind, open};

use crate::{HOLD_TTL_MS, NOW, SEATS_PER_ROW, Setup, made, stock};

/// Holds that one thread has waiting for the disk at the most.
const WINDOW: u64 = 6_000;
/// Every so many holds one is timed.
const SAMPLE: usize = 64;
/// Events of a million seats.
pub const EVENTS: u32 = 6;
const ROWS: u32 = 20_000;
const USERS: u32 = 10_000;

/// An engine on a fresh log.
pub struct Durable {
    /// What is booked in.
    pub engine: Engine<Arc<GroupCommit>>,
    /// Who books.
    pub users: Vec<UserIndex>,
    /// When the next round of [`run`] begins.
    now: UnixMillis,
    _dir: tempfile::TempDir,
}

impl Durable {
    /// Stocks `events` halls of a million seats.
    ///
    /// # Errors
    /// The disk, or an engine that refuses.
    pub fn new(setup: &Setup, store: StoreKind, events: u32) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir_in(&setup.dir)?;
        let engine = open_engine(dir.path(), store)?;
        let users = stock(&engine, events, ROWS, USERS)?;
        let appended = engine.journal().appended_lsn();
        engine.journal().durable().wait_blocking(appended)?;
        Ok(Durable { engine, users, now: NOW, _dir: dir })
    }
}

fn open_engine(dir: &Path, store: StoreKind) -> anyhow::Result<Engine<Arc<GroupCommit>>> {
    let mut options = Options::new(dir);
    options.store = store;
    // At these rates a generation fills in seconds; its snapshot, made at low priority, would take
    // its share of two processors. The log is what is measured.
    options.generation_bytes = u64::MAX;
    let opened = open(&options, NOW)?;
    Engine::from_state(&opened.state, opened.journal).map_err(anyhow::Error::msg)
}

/// What a run came to.
pub struct Run {
    /// Each of them durable at the end.
    pub holds_per_second: f64,
    /// Microseconds from the call to the acknowledgement.
    pub acks: Histogram<u64>,
    /// What the disk was given.
    pub batches_per_second: f64,
}

/// Two threads hold every seat of the hall, until they have held seats for so many seconds. After
/// each round all holds expire, which does not count: so the hall need not hold a hundred million
/// seats, and what is measured is not the system clearing memory for them.
///
/// # Errors
/// The disk, or an engine that refuses.
pub fn run(durable: &mut Durable, seconds: u64) -> anyhow::Result<Run> {
    let mut acks = Histogram::new(3)?;
    let (mut holds, mut batches, mut elapsed) = (0, 0, 0.0);
    // The first round makes the hold slots.
    for round in 0.. {
        let batches_before = durable.engine.journal().batches();
        let started = Instant::now();
        for thread in both(|thread| hold_all(durable, thread)) {
            let (thread_holds, thread_acks) = thread?;
            if round > 0 {
                holds += thread_holds;
                acks.add(thread_acks)?;
            }
        }
        if round > 0 {
            elapsed += started.elapsed().as_secs_f64();
            batches += durable.engine.journal().batches() - batches_before;
        }
        let_expire(durable)?;
        if elapsed >= seconds as f64 {
            break;
        }
    }
    Ok(Run {
        holds_per_second: holds as f64 / elapsed,
        acks,
        batches_per_second: batches as f64 / elapsed,
    })
}

/// Lets so much time pass that every hold ends.
fn let_expire(durable: &mut Durable) -> anyhow::Result<()> {
    durable.now = durable.now.plus(HOLD_TTL_MS);
    loop {
        match durable.engine.expire(durable.now, 1_000) {
            Ok(expired) if expired.is_empty() => break,
            Ok(_) => {}
            Err(JournalUnavailable::QueueFull) => std::thread::yield_now(),
            Err(unavailable) => return Err(unavailable.into()),
        }
    }
    let appended = durable.engine.journal().appended_lsn();
    durable.engine.journal().durable().wait_blocking(appended)?;
    Ok(())
}

fn both<T: Send>(work: impl Fn(u32) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let work = &work;
        let threads = [0, 1].map(|thread| scope.spawn(move || work(thread)));
        threads.map(|thread| thread.join().expect("a thread of the bench does not panic"))
    })
}

/// Holds a thread's half of the seats, and counts them; every hold is durable at the end.
fn hold_all(durable: &Durable, thread: u32) -> anyhow::Result<(usize, Histogram<u64>)> {
    let journal = durable.engine.journal();
    let mut acks = Histogram::new(3)?;
    let mut timed: VecDeque<(Lsn, Instant)> = VecDeque::new();
    let mut holds = 0;
    let mut last = Lsn::ZERO;
    // The threads share every event, as buyers do: even rows and odd rows.
    let seats = (0..EVENTS).flat_map(|event| {
        (0..ROWS / 2).flat_map(move |row| {
            let first = (row * 2 + thread) * SEATS_PER_ROW;
            (first..first + SEATS_PER_ROW).map(move |seat| (EventIndex(event), SeatIndex(seat)))
        })
    });
    for (event, seat) in seats {
        let user = durable.users[holds % durable.users.len()];
        let asked = Asked { by: user, at: durable.now, key: None };
        let wanted = WantedSeats::new(&[seat])?;
        let timed_from = (holds % SAMPLE == 0).then(Instant::now);
        let (_, lsn) = made(retried(|| durable.engine.hold_seats(event, &wanted, asked)))?;
        last = lsn;
        holds += 1;
        if let Some(from) = timed_from {
            timed.push_back((last, from));
            let durable_lsn = journal.durable_lsn();
            acknowledge(&mut timed, durable_lsn, &mut acks)?;
            if last.0 > durable_lsn.0 + 2 * WINDOW {
                let covered = journal.durable().wait_blocking(Lsn(last.0 - WINDOW))?;
                acknowledge(&mut timed, covered, &mut acks)?;
            }
        }
    }
    let covered = journal.durable().wait_blocking(last)?;
    acknowledge(&mut timed, covered, &mut acks)?;
    Ok((holds, acks))
}

/// Waits while the journal's queue is full.
fn retried<T, R>(command: impl Fn() -> Result<T, CommandError<R>>) -> Result<T, CommandError<R>> {
    loop {
        match command() {
            Err(CommandError::Unavailable(JournalUnavailable::QueueFull)) => {
                std::thread::yield_now();
            }
            done => return done,
        }
    }
}

fn acknowledge(
    timed: &mut VecDeque<(Lsn, Instant)>,
    durable_lsn: Lsn,
    acks: &mut Histogram<u64>,
) -> anyhow::Result<()> {
    while let Some(&(lsn, from)) = timed.front().filter(|(lsn, _)| *lsn <= durable_lsn) {
        debug_assert!(lsn <= durable_lsn);
        acks.record(from.elapsed().as_micros() as u64)?;
        timed.pop_front();
    }
    Ok(())
}
