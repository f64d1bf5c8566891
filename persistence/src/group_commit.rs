//! The journal: many appenders, one writer, one sync for all that waits.
//!
//! An appender encodes its record, takes the queue's lock for the time it takes to number the
//! record and copy some forty bytes, and goes on. The writer thread takes what has gathered, most
//! often one batch, a few where it is behind, and commits it: log, sync, mark, sync, `durable_lsn`,
//! the covered waiters, the commit stream. The next batch gathers meanwhile. Upholds I3 (room before order), I6 and I9.
//!
//! The mark must not be durable before its batch (see [`crate::mark`]). While more than a batch
//! waits, a second thread writes it beside the next batch; otherwise the writer does so itself,
//! which spares two thread switches.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::{Mutex, MutexGuard};
use tiketi_engine::error::JournalUnavailable;
use tiketi_engine::ids::{Epoch, Lsn};
use tiketi_engine::journal::{Journal, Pending, Permit, Purpose};
use tiketi_engine::limits::BATCH_BYTES_MAX;
use tiketi_engine::record::Record;

use crate::batch::{self, BatchHash, HEADER_BYTES};
use crate::codec::with_frame;
use crate::commit_stream::{CommitStream, CommittedBatch};
use crate::data_dir::{self, DirLock};
use crate::disk::Disk;
use crate::error::{Fatal, FatalHook, panic_message};
use crate::layout::Layout;
use crate::mark::{Mark, MarkFile};
use crate::options::{Housekeeping, Options};
use crate::snapshot_maker;
use crate::storage::{Generation, GenerationWriter, LogStore, StorageError};
use crate::watermark::{Poisoned, Watermark};

/// Batches kept for reuse; more than ever gather under the default limit.
const SPARE_CHUNKS: usize = 40;

/// Below this, a committed batch is copied for its subscribers, and its buffer used again.
const COPY_BYTES: usize = 16 * 1024;

/// See [`Writer::gather`]; measured with 64 and 256 connections that hold seats.
const GATHER: Duration = Duration::from_micros(100);
const GATHER_COUNTS: std::ops::RangeInclusive<u32> = 8..=128;

/// Batches written before one sync, where as many wait: a sync costs as much as writing several. Half
/// of what may be queued by default, so that the other half gathers meanwhile.
const COMMIT_BATCHES_MAX: usize = 6;

/// How often free space and the writer's pulse are looked at.
const TICK: Duration = Duration::from_secs(1);

/// How long a write or sync of the log or the mark may take. Up to here new work is refused and
/// nothing else happens; after it the process ends, as a disk this slow will not come back and sled 0.34.7 can hang
/// for ever (reliability.md asks for 30 s in both places). Looked at every [`TICK`].
const STALL_MAX: Duration = Duration::from_secs(30);

/// The journal. See the module.
pub struct GroupCommit {
    shared: Arc<Shared>,
    writer: Thread,
    threads: Mutex<Threads>,
    /// Keeps other processes out until the journal is closed.
    lock: Mutex<Option<DirLock>>,
}

#[derive(Default)]
struct Threads {
    commit: Vec<JoinHandle<()>>,
    housekeeping: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Bytes ever appended; written under the queue's lock.
    appended_bytes: AtomicU64,
    /// Bytes ever made durable; written under the mark's lock.
    durable_bytes: AtomicU64,
    /// Batches ever made durable; likewise.
    batches: AtomicU64,
    queue_bytes_max: u64,
    batch_bytes_max: usize,
    poisoned: AtomicBool,
    disk_low: AtomicBool,
    epoch: Epoch,
    durable: Watermark,
    commits: CommitStream,
    /// Batches in the log that are not marked yet, oldest first.
    unmarked: Mutex<VecDeque<Sealed>>,
    mark: Mutex<MarkFile>,
    /// The generation after the current one, made ahead.
    next: Mutex<Option<Box<dyn GenerationWriter>>>,
    closed: AtomicBool,
    fatal: OnceLock<Fatal>,
    on_fatal: FatalHook,
    started: Instant,
    /// Since when the writer waits for the disk, in milliseconds after `started`; 0 if it does not.
    waiting_since_ms: AtomicU64,
    /// Likewise for whoever writes the mark; written under its lock.
    marking_since_ms: AtomicU64,
}

/// What waits for the writer.
struct Queue {
    open: Chunk,
    /// Chunks that had no room for the next record, oldest first.
    full: VecDeque<Chunk>,
    spare: Vec<Vec<u8>>,
    next_lsn: Lsn,
    /// Set by the writer before it parks, cleared by whoever wakes it.
    writer_parked: bool,
    closing: bool,
    rotate: bool,
}

/// A batch being filled: room for its header, then frames.
struct Chunk {
    bytes: Vec<u8>,
    first_lsn: Lsn,
    count: u32,
}

impl Chunk {
    fn new(first_lsn: Lsn, spare: Option<Vec<u8>>) -> Self {
        let mut bytes = spare.unwrap_or_else(|| Vec::with_capacity(BATCH_BYTES_MAX));
        bytes.resize(HEADER_BYTES, 0);
        Chunk { bytes, first_lsn, count: 0 }
    }
}

/// A batch that is durable in the log.
struct Sealed {
    bytes: Vec<u8>,
    first_lsn: Lsn,
    last_lsn: Lsn,
    hash: BatchHash,
}

/// Where the journal goes on.
pub(crate) struct Start {
    pub(crate) epoch: Epoch,
    pub(crate) last_lsn: Lsn,
    pub(crate) chain: BatchHash,
    pub(crate) generation: Generation,
    pub(crate) generation_bytes: u64,
    pub(crate) current: Box<dyn GenerationWriter>,
    pub(crate) mark: MarkFile,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) layout: Layout,
    pub(crate) store: Arc<dyn LogStore>,
}

impl GroupCommit {
    pub(crate) fn start(start: Start, options: &Options) -> Arc<GroupCommit> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                open: Chunk::new(start.last_lsn.next(), None),
                full: VecDeque::new(),
                spare: Vec::new(),
                next_lsn: start.last_lsn.next(),
                writer_parked: false,
                closing: false,
                rotate: false,
            }),
            appended_bytes: AtomicU64::new(0),
            durable_bytes: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            queue_bytes_max: options.queue_bytes_max as u64,
            batch_bytes_max: options.batch_bytes_max.min(BATCH_BYTES_MAX),
            poisoned: AtomicBool::new(false),
            disk_low: AtomicBool::new(false),
            epoch: start.epoch,
            durable: Watermark::new(start.last_lsn),
            commits: CommitStream::new(start.last_lsn),
            unmarked: Mutex::default(),
            mark: Mutex::new(start.mark),
            next: Mutex::new(None),
            closed: AtomicBool::new(false),
            fatal: OnceLock::new(),
            on_fatal: options.on_fatal.clone(),
            started: Instant::now(),
            waiting_since_ms: AtomicU64::new(0),
            marking_since_ms: AtomicU64::new(0),
        });
        let mut threads = Threads::default();
        let marker = {
            let shared = shared.clone();
            spawn("tiketi-mark", shared.clone(), move || shared.mark_behind_the_writer())
        };
        let (keeper, to_keeper) = unbounded();
        let (snapshotter, to_snapshotter) = unbounded();
        let house = Arc::new(House {
            shared: shared.clone(),
            disk: start.disk,
            layout: start.layout,
            store: start.store,
            inline: options.housekeeping == Housekeeping::Inline,
            free_bytes_min: options.free_bytes_min,
            ballast_bytes: options.ballast_bytes,
        });
        house.look_at_free_space();
        let writer = {
            let writer = Writer {
                shared: shared.clone(),
                house: house.clone(),
                marker: marker.thread().clone(),
                current: start.current,
                generation: start.generation,
                written_bytes: start.generation_bytes,
                generation_bytes_max: options.generation_bytes,
                chain: start.chain,
                synced_lsn: start.last_lsn,
                last_count: 0,
                asked_for_next: false,
                keeper,
                snapshotter,
            };
            spawn("tiketi-journal", shared.clone(), move || writer.run())
        };
        let thread = writer.thread().clone();
        threads.commit.extend([writer, marker]);
        if !house.inline {
            let (house, writer) = (house.clone(), thread.clone());
            let run = move || house.keep(&to_keeper, &writer);
            threads.housekeeping.push(spawn("tiketi-keeper", shared.clone(), run));
        }
        if !house.inline {
            let run = move || house.fold_sealed(&to_snapshotter);
            threads.housekeeping.push(spawn("tiketi-snapshot", shared.clone(), run));
        }
        let threads = Mutex::new(threads);
        Arc::new(GroupCommit { shared, writer: thread, threads, lock: Mutex::new(None) })
    }

    /// Hands the directory's lock over, to be let go once the log is closed.
    pub(crate) fn keep(&self, lock: DirLock) {
        *self.lock.lock() = Some(lock);
    }

    /// How far the log is durable, and the way to wait for it.
    #[must_use]
    pub fn durable(&self) -> &Watermark {
        &self.shared.durable
    }

    /// The last record that is durable.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.shared.durable.get()
    }

    /// The last record that has a place in the log. Takes the queue's lock.
    #[must_use]
    pub fn appended_lsn(&self) -> Lsn {
        Lsn(self.shared.queue.lock().next_lsn.0 - 1)
    }

    /// The epoch of this process.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// Bytes of records that wait for the disk.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        self.shared.queued_bytes()
    }

    /// Whether new work is refused for want of disk.
    #[must_use]
    pub fn is_disk_low(&self) -> bool {
        // ORDERING: Relaxed; a hint, nothing is read behind it.
        self.shared.disk_low.load(Ordering::Relaxed)
    }

    /// What ended the journal, where something did.
    #[must_use]
    pub fn fatal(&self) -> Option<&Fatal> {
        self.shared.fatal.get()
    }

    /// The stream of committed batches.
    #[must_use]
    pub fn commits(&self) -> &CommitStream {
        &self.shared.commits
    }

    /// Waits until an answer may leave (I6).
    ///
    /// # Errors
    /// [`Poisoned`]: whether the record was kept is unknown.
    ///
    /// # Cancel safety
    /// The record stays; only the answer is lost.
    pub async fn committed<T>(&self, pending: Pending<T>) -> Result<T, Poisoned> {
        let durable_lsn = self.shared.durable.wait(pending.lsn()).await?;
        Ok(pending.acknowledge(durable_lsn))
    }

    /// As [`GroupCommit::committed`], blocking the thread.
    ///
    /// # Errors
    /// [`Poisoned`]: whether the record was kept is unknown.
    pub fn committed_blocking<T>(&self, pending: Pending<T>) -> Result<T, Poisoned> {
        let durable_lsn = self.shared.durable.wait_blocking(pending.lsn())?;
        Ok(pending.acknowledge(durable_lsn))
    }

    /// Batches committed by this process.
    #[must_use]
    pub fn batches(&self) -> u64 {
        // ORDERING: Relaxed; a counter.
        self.shared.batches.load(Ordering::Relaxed)
    }

    /// Ends the current generation after the next batch, so that it is folded into a snapshot.
    pub fn end_generation(&self) {
        self.shared.queue.lock().rotate = true;
        self.wake_writer();
    }

    /// Commits what was appended, stops the threads and closes the log. Records must no longer be
    /// appended; later ones never become durable.
    ///
    /// # Errors
    /// [`Fatal`] where the journal had failed.
    pub fn close(&self) -> Result<(), Fatal> {
        self.shared.queue.lock().closing = true;
        let mut threads = self.threads.lock();
        // The writer ends first and wakes the mark's thread; with it go the channels of the others.
        self.wake_writer();
        for thread in threads.commit.drain(..) {
            // A panic was reported as fatal by the thread itself.
            let _ = thread.join();
        }
        for thread in threads.housekeeping.drain(..) {
            let _ = thread.join();
        }
        *self.shared.next.lock() = None;
        self.shared.durable.poison();
        self.shared.commits.close();
        *self.lock.lock() = None;
        self.shared.fatal.get().map_or(Ok(()), |fatal| Err(fatal.clone()))
    }

    fn wake_writer(&self) {
        self.shared.queue.lock().writer_parked = false;
        self.writer.unpark();
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        // What went wrong was reported when it did.
        let _ = self.close();
    }
}

impl std::fmt::Debug for GroupCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupCommit")
            .field("epoch", &self.epoch())
            .field("durable_lsn", &self.durable_lsn())
            .finish_non_exhaustive()
    }
}

impl Journal for GroupCommit {
    fn reserve(&self, purpose: Purpose) -> Result<Permit, JournalUnavailable> {
        let shared = &self.shared;
        // ORDERING: Relaxed for all three; a refusal that comes a moment late harms nothing, as a
        // record appended to a poisoned journal never becomes durable.
        if shared.poisoned.load(Ordering::Relaxed) {
            return Err(JournalUnavailable::Poisoned);
        }
        let limit = match purpose {
            Purpose::NewWork if shared.disk_low.load(Ordering::Relaxed) => {
                return Err(JournalUnavailable::DiskLow);
            }
            Purpose::NewWork => shared.queue_bytes_max,
            Purpose::Completion => 2 * shared.queue_bytes_max,
        };
        if shared.queued_bytes() >= limit {
            return Err(JournalUnavailable::QueueFull);
        }
        Ok(Permit::granted())
    }

    fn append(&self, _permit: Permit, record: &Record) -> Lsn {
        let (lsn, wake) = with_frame(record, |frame| self.shared.enqueue(frame));
        if wake {
            self.writer.unpark();
        }
        lsn
    }
}

impl Shared {
    fn queued_bytes(&self) -> u64 {
        // ORDERING: Relaxed; the two may be seen in any order, so the difference may be off by
        // what is in flight, and below zero.
        let durable = self.durable_bytes.load(Ordering::Relaxed);
        self.appended_bytes.load(Ordering::Relaxed).saturating_sub(durable)
    }

    /// Gives a frame its place. Returns it, and whether the writer has to be woken.
    fn enqueue(&self, frame: &[u8]) -> (Lsn, bool) {
        let mut queue = self.queue.lock();
        // A record above the soft limit gets a batch of its own.
        if queue.open.count > 0 && queue.open.bytes.len() + frame.len() > self.batch_bytes_max {
            let full = queue.turn_over();
            queue.full.push_back(full);
        }
        let lsn = queue.next_lsn;
        queue.next_lsn = lsn.next();
        queue.open.bytes.extend_from_slice(frame);
        queue.open.count += 1;
        // ORDERING: Relaxed; only written under the lock, and see `queued_bytes`.
        let appended = self.appended_bytes.load(Ordering::Relaxed) + frame.len() as u64;
        self.appended_bytes.store(appended, Ordering::Relaxed);
        (lsn, std::mem::take(&mut queue.writer_parked))
    }

    /// Ends the journal (I9): the first error counts, every waiter is told *unknown*.
    fn fail(&self, fatal: Fatal) {
        // ORDERING: Relaxed; see `reserve`.
        self.poisoned.store(true, Ordering::Relaxed);
        let first = self.fatal.set(fatal).is_ok();
        self.durable.poison();
        self.commits.close();
        if let (true, Some(fatal)) = (first, self.fatal.get()) {
            self.on_fatal.call(fatal);
        }
    }

    /// Milliseconds after the start, never 0.
    fn now_ms(&self) -> u64 {
        (self.started.elapsed().as_millis() as u64).max(1)
    }

    fn has_failed(&self) -> bool {
        self.fatal.get().is_some()
    }

    /// Marks what the writer has synced, and acknowledges it. Whoever finds the mark free does it
    /// for all; a batch handed over while somebody is at it is found by the look after that.
    fn settle(&self) -> Result<(), Fatal> {
        while let Some(mut mark) = self.mark.try_lock() {
            let sealed = std::mem::take(&mut *self.unmarked.lock());
            let Some(newest) = sealed.back() else {
                drop(mark);
                if self.unmarked.lock().is_empty() {
                    return Ok(());
                }
                continue;
            };
            // ORDERING: Relaxed, here and below; as in `Writer::write`.
            self.marking_since_ms.store(self.now_ms(), Ordering::Relaxed);
            mark.write(&Mark::new(self.epoch, newest.last_lsn, newest.hash))
                .map_err(|error| Fatal::Mark(Arc::new(error)))?;
            self.marking_since_ms.store(0, Ordering::Relaxed);
            self.acknowledge(mark, sealed);
        }
        Ok(())
    }

    /// The batches are durable and marked: tells everybody. The guard keeps others from telling
    /// later batches first.
    fn acknowledge(&self, _order: MutexGuard<'_, MarkFile>, sealed: VecDeque<Sealed>) {
        let Some(newest) = sealed.back() else { return };
        let bytes: usize = sealed.iter().map(|sealed| sealed.bytes.len() - HEADER_BYTES).sum();
        // ORDERING: Relaxed; only written here, under the mark's lock, and see `queued_bytes`.
        let durable = self.durable_bytes.load(Ordering::Relaxed) + bytes as u64;
        self.durable_bytes.store(durable, Ordering::Relaxed);
        let batches = self.batches.load(Ordering::Relaxed) + sealed.len() as u64;
        self.batches.store(batches, Ordering::Relaxed);
        self.durable.advance(newest.last_lsn);
        for sealed in sealed {
            if let Some(buffer) = self.publish(sealed) {
                self.queue.lock().put_back(buffer);
            }
        }
    }

    /// Hands a batch to the commit stream; returns its buffer where it is free again.
    fn publish(&self, sealed: Sealed) -> Option<Vec<u8>> {
        let Sealed { bytes, first_lsn, last_lsn, .. } = sealed;
        if !self.commits.has_subscribers() && self.commits.skip(last_lsn) {
            return Some(bytes);
        }
        let (shared_bytes, free) =
            if bytes.len() < COPY_BYTES { (bytes.clone(), Some(bytes)) } else { (bytes, None) };
        let batch = CommittedBatch::new(self.epoch, first_lsn, last_lsn, shared_bytes);
        self.commits.publish(&Arc::new(batch));
        free
    }

    /// The mark's own thread.
    fn mark_behind_the_writer(&self) -> Result<(), Fatal> {
        loop {
            self.settle()?;
            // ORDERING: Acquire pairs with the Release at the writer's end: all it handed over is
            // seen by the last `settle`.
            if self.closed.load(Ordering::Acquire) {
                return self.settle();
            }
            if self.has_failed() {
                return Ok(());
            }
            thread::park();
        }
    }
}

impl Queue {
    /// Takes the open chunk and begins another.
    #[must_use]
    fn turn_over(&mut self) -> Chunk {
        let spare = self.spare.pop();
        std::mem::replace(&mut self.open, Chunk::new(self.next_lsn, spare))
    }

    fn put_back(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_CHUNKS {
            buffer.truncate(HEADER_BYTES);
            self.spare.push(buffer);
        }
    }
}

/// The writer thread.
struct Writer {
    shared: Arc<Shared>,
    house: Arc<House>,
    marker: Thread,
    current: Box<dyn GenerationWriter>,
    generation: Generation,
    written_bytes: u64,
    generation_bytes_max: u64,
    chain: BatchHash,
    /// The last record that the log's own sync covers; the mark follows it.
    synced_lsn: Lsn,
    /// Records of the last commit.
    last_count: u32,
    asked_for_next: bool,
    keeper: Sender<Generation>,
    snapshotter: Sender<SealedGeneration>,
}

impl Drop for Writer {
    /// The mark's thread ends with the writer, also where the writer panics.
    fn drop(&mut self) {
        // ORDERING: Release pairs with the Acquire in `mark_behind_the_writer`.
        self.shared.closed.store(true, Ordering::Release);
        self.marker.unpark();
    }
}

/// What the writer found in the queue.
struct Drained {
    /// What is committed together, oldest first; never empty.
    chunks: Vec<Chunk>,
    /// Whether at least one more batch waits.
    more: bool,
}

impl Writer {
    fn run(mut self) -> Result<(), Fatal> {
        self.commit_until_closed()
    }

    fn commit_until_closed(&mut self) -> Result<(), Fatal> {
        while let Some(drained) = self.drain()? {
            if self.shared.has_failed() {
                return Ok(());
            }
            self.last_count = drained.chunks.iter().map(|chunk| chunk.count).sum();
            let sealed = self.write(drained.chunks).map_err(|error| Fatal::Log(Arc::new(error)))?;
            self.shared.unmarked.lock().extend(sealed);
            if drained.more {
                self.marker.unpark();
            } else {
                self.shared.settle()?;
            }
            if self.house.inline {
                self.house.look_at_free_space();
            }
            self.rotate_if_due()?;
        }
        self.shared.settle()
    }

    /// Lets a little time pass where many callers at once wait for small batches: on a machine that
    /// is busy serving them, half as many batches leave more time to do so. A lone caller never
    /// waits, and neither does a writer that is behind.
    fn gather(&self) {
        if !GATHER_COUNTS.contains(&self.last_count) {
            return;
        }
        let smaller = {
            let queue = self.shared.queue.lock();
            queue.full.is_empty() && queue.open.count < self.last_count && !queue.closing
        };
        if smaller {
            thread::sleep(GATHER);
        }
    }

    /// Waits for records. `None` once the journal closes and nothing is left.
    fn drain(&mut self) -> Result<Option<Drained>, Fatal> {
        self.gather();
        loop {
            {
                let mut queue = self.shared.queue.lock();
                let full = queue.full.len().min(COMMIT_BATCHES_MAX);
                let mut chunks: Vec<_> = queue.full.drain(..full).collect();
                if full < COMMIT_BATCHES_MAX && queue.open.count > 0 {
                    chunks.push(queue.turn_over());
                }
                if !chunks.is_empty() {
                    return Ok(Some(Drained { chunks, more: !queue.full.is_empty() }));
                }
                if queue.closing || self.shared.has_failed() {
                    return Ok(None);
                }
                queue.writer_parked = true;
            }
            // May return early; the loop looks again.
            thread::park();
            self.rotate_if_due()?;
        }
    }

    /// Writes batches and syncs them together.
    fn write(&mut self, chunks: Vec<Chunk>) -> Result<Vec<Sealed>, StorageError> {
        // ORDERING: Relaxed; the keeper compares it with the clock, nothing is read behind it.
        self.shared.waiting_since_ms.store(self.shared.now_ms(), Ordering::Relaxed);
        let mut batches = Vec::with_capacity(chunks.len());
        for Chunk { mut bytes, first_lsn, count } in chunks {
            let (epoch, synced_lsn) = (self.shared.epoch, self.synced_lsn);
            let hash = batch::seal(&mut bytes, epoch, first_lsn, count, synced_lsn, self.chain);
            self.current.append(first_lsn, &bytes)?;
            self.chain = hash;
            self.written_bytes += bytes.len() as u64;
            let last_lsn = Lsn(first_lsn.0 + u64::from(count) - 1);
            batches.push(Sealed { bytes, first_lsn, last_lsn, hash });
        }
        self.current.sync()?;
        self.shared.waiting_since_ms.store(0, Ordering::Relaxed);
        self.synced_lsn = batches.last().map_or(self.synced_lsn, |newest| newest.last_lsn);
        Ok(batches)
    }

    /// Goes over to the next generation where this one is large enough or somebody asked for it.
    /// Where the next one is not made yet, this one is written on.
    fn rotate_if_due(&mut self) -> Result<(), Fatal> {
        let full = self.written_bytes >= self.generation_bytes_max;
        if self.written_bytes == 0 || !(full || self.shared.queue.lock().rotate) {
            if self.written_bytes >= self.generation_bytes_max / 2 {
                self.ask_for_next();
            }
            return Ok(());
        }
        let next = if self.house.inline {
            Some(self.house.make(self.generation.next()).map_err(|e| Fatal::Log(Arc::new(e)))?)
        } else {
            self.ask_for_next();
            self.shared.next.lock().take()
        };
        let Some(next) = next else { return Ok(()) };
        let writer = std::mem::replace(&mut self.current, next);
        let sealed =
            SealedGeneration { generation: self.generation, last_lsn: self.synced_lsn, writer };
        self.generation = self.generation.next();
        self.written_bytes = 0;
        self.asked_for_next = false;
        self.shared.queue.lock().rotate = false;
        if self.house.inline {
            self.shared.settle()?;
            self.house.fold(sealed)?;
        } else {
            // The receiver is gone only after a failure.
            let _ = self.snapshotter.send(sealed);
        }
        Ok(())
    }

    fn ask_for_next(&mut self) {
        if !self.asked_for_next && !self.house.inline {
            self.asked_for_next = true;
            let _ = self.keeper.send(self.generation.next());
        }
    }
}

/// A generation that nothing is appended to any more.
struct SealedGeneration {
    generation: Generation,
    /// Its last record, up to which the snapshot of it reaches.
    last_lsn: Lsn,
    writer: Box<dyn GenerationWriter>,
}

/// What is done beside the commits.
struct House {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    layout: Layout,
    store: Arc<dyn LogStore>,
    inline: bool,
    free_bytes_min: u64,
    ballast_bytes: u64,
}

impl House {
    fn look_at_free_space(&self) {
        // Not knowing is no reason to refuse work: a full disk shows at the next write.
        if let Ok(free) = self.disk.free_bytes(self.layout.dir()) {
            let low = free < self.free_bytes_min;
            // ORDERING: Relaxed; a hint.
            if self.shared.disk_low.swap(low, Ordering::Relaxed) != low {
                tracing::warn!(free_bytes = free, low, "free disk space crossed the limit");
            }
        }
    }

    /// Makes a generation, or takes the one that an earlier process made and did not use.
    fn make(&self, generation: Generation) -> Result<Box<dyn GenerationWriter>, StorageError> {
        if self.store.generations()?.contains(&generation) {
            self.store.open(generation)
        } else {
            self.store.create(generation)
        }
    }

    /// The keeper thread: makes generations ahead, and looks at the disk once a second. Ends with
    /// the writer.
    fn keep(&self, wanted: &Receiver<Generation>, writer: &Thread) -> Result<(), Fatal> {
        let mut want = None;
        loop {
            match wanted.recv_timeout(TICK) {
                Ok(generation) => want = Some(generation),
                Err(RecvTimeoutError::Timeout) => self.tick()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let Some(generation) = want else { continue };
            match self.make(generation) {
                Ok(next) => {
                    *self.shared.next.lock() = Some(next);
                    want = None;
                    writer.unpark();
                }
                // The log goes on in the current generation until there is room for another.
                Err(error) if error.is_storage_full() => {
                    tracing::warn!(%error, "no room for the next generation");
                }
                Err(error) => return Err(Fatal::Log(Arc::new(error))),
            }
        }
    }

    fn tick(&self) -> Result<(), Fatal> {
        // First, as what follows asks the same disk.
        for since_ms in [&self.shared.waiting_since_ms, &self.shared.marking_since_ms] {
            // ORDERING: Relaxed; compared with the clock only.
            stalled(since_ms.load(Ordering::Relaxed), self.shared.started.elapsed())?;
        }
        self.look_at_free_space();
        if let Err(error) =
            data_dir::fill_ballast(&self.layout, self.ballast_bytes, self.free_bytes_min)
        {
            tracing::warn!(%error, "the ballast cannot be made");
        }
        Ok(())
    }

    /// The snapshot thread. Ends with the writer.
    fn fold_sealed(&self, sealed: &Receiver<SealedGeneration>) -> Result<(), Fatal> {
        // Commits come first. Where the system does not let it, nothing is lost but some speed.
        let _ = rustix::process::setpriority_process(None, 10);
        for sealed in sealed {
            self.fold(sealed)?;
        }
        Ok(())
    }

    fn fold(&self, sealed: SealedGeneration) -> Result<(), Fatal> {
        let SealedGeneration { generation, last_lsn, writer } = sealed;
        // Closes the store's handle: sled locks an open database.
        drop(writer);
        match snapshot_maker::make(&*self.disk, &self.layout, &*self.store, generation) {
            Ok(made) => {
                if let Some(made) = made {
                    tracing::info!(snapshot = %made.name, made.records, made.bytes, "snapshot");
                }
                Ok(())
            }
            // The log is whole; the snapshot is made with the next generation.
            Err(error) if error.is_storage_full() => {
                tracing::warn!(%error, %generation, "no room for a snapshot");
                Ok(())
            }
            Err(error) => Err(Fatal::Snapshot { snapshot_lsn: last_lsn, why: error.to_string() }),
        }
    }
}

/// Whether somebody has waited too long: since so many milliseconds after the start, 0 if nobody
/// waits.
fn stalled(since_ms: u64, now: Duration) -> Result<(), Fatal> {
    let waited = now.saturating_sub(Duration::from_millis(since_ms));
    match since_ms > 0 && waited > STALL_MAX {
        true => Err(Fatal::Stalled { seconds: waited.as_secs() }),
        false => Ok(()),
    }
}

/// Runs a thread whose error or panic ends the journal.
fn spawn(
    name: &'static str,
    shared: Arc<Shared>,
    body: impl FnOnce() -> Result<(), Fatal> + Send + 'static,
) -> JoinHandle<()> {
    let run = move || match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => {}
        Ok(Err(fatal)) => shared.fail(fatal),
        Err(panic) => {
            let message = panic_message(&*panic);
            shared.fail(Fatal::Panicked { thread: name, message });
        }
    };
    match thread::Builder::new().name(name.to_owned()).spawn(run) {
        Ok(handle) => handle,
        Err(error) => panic!("the thread {name} cannot be started: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_thirty_seconds_to_answer() {
        let now = Duration::from_secs(100);
        for (since_ms, seconds) in
            [(0, None), (100_000, None), (70_000, None), (69_999, Some(30)), (40_000, Some(60))]
        {
            let found = match stalled(since_ms, now) {
                Err(Fatal::Stalled { seconds }) => Some(seconds),
                _ => None,
            };
            assert_eq!(found, seconds, "since {since_ms} ms");
        }
    }
}
