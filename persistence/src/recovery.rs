//! The start: from what lies on disk to the state it stands for, or to a refusal that says where
//! it is damaged. Nothing is changed before the decision is made (I10).
//!
//! The facts are gathered by `fold_log` and `recover`, and judged in one place, [`decide`].

use std::time::{Duration, Instant};

use tiketi_engine::ids::{Epoch, Lsn};
use tiketi_engine::state::State;

use crate::batch::{Batch, BatchDefect, BatchHash, Header, newer_version};
pub use crate::defect::{Defect, DefectKind, Refusal};
use crate::disk::Disk;
use crate::error::OpenError;
use crate::layout::Layout;
use crate::mark::{self, Mark, MarkRead};
use crate::snapshot::{self, DamagedSnapshot, Snapshot, SnapshotName, first_lsn};
use crate::storage::{Entry, Generation, LogStore, StorageError};

/// What the fold can begin from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseFact {
    /// No snapshot was ever made; the log begins at record 1 or is empty.
    Beginning,
    /// The newest snapshot.
    Newest,
    /// The newest snapshot is damaged; an older one, or the whole log, is there instead.
    Older,
    /// No snapshot can be used and the log does not begin at record 1.
    Nothing,
}

/// How the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFact {
    /// Every batch is good and follows from the one before.
    Whole,
    /// Whole but for bytes at its very end that are no batch.
    Torn,
    /// A bad batch with one after it that was written when the bad one was durable, or a good one
    /// that does not follow.
    Broken,
    /// It ends before the snapshot that the fold began from.
    BehindSnapshot,
    /// It has a batch of a newer version: good for the program that wrote it, and never to be cut.
    Newer,
}

/// How the mark compares to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkFact {
    /// Its file is gone.
    Missing,
    /// Its file is damaged.
    Damaged,
    /// Nothing was marked yet, or only what the snapshot already covers.
    Before,
    /// The log reaches it, and has the same batch there.
    Reached,
    /// The log reaches it, but has another batch there.
    Different,
    /// The log ends before it.
    Ahead,
}

/// Whether [`State::check`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFact {
    /// It does.
    Sound,
    /// It does not.
    Unsound,
}

/// What the start is decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where the fold began.
    pub base: BaseFact,
    /// How the log is.
    pub log: LogFact,
    /// How the mark compares.
    pub mark: MarkFact,
    /// How the folded state is.
    pub state: StateFact,
}

/// What the start does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Serve what was folded.
    Serve,
    /// Cut the torn tail, report it, then serve.
    CutThenServe,
    /// Do not start; leave the files as they are.
    Refuse(Reason),
}

/// Why a start is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// [`LogFact::Newer`]
    NewerVersion,
    /// [`BaseFact::Nothing`]
    NothingToFoldFrom,
    /// [`LogFact::Broken`]
    LogBroken,
    /// [`LogFact::BehindSnapshot`]
    LogBehindSnapshot,
    /// [`MarkFact::Missing`]
    MarkMissing,
    /// [`MarkFact::Damaged`]
    MarkDamaged,
    /// [`MarkFact::Ahead`]
    TailLost,
    /// [`MarkFact::Different`]
    AnotherLog,
    /// [`StateFact::Unsound`]
    StateUnsound,
}

/// The decision table. The first row that fits decides; `*` is anything.
///
/// | base | log | mark | state | verdict |
/// |---|---|---|---|---|
/// | * | newer | * | * | refuse: a newer version wrote it, naming generation, position, record |
/// | nothing | * | * | * | refuse: nothing to fold from |
/// | * | broken | * | * | refuse: the log is broken, naming generation, position, record |
/// | * | behind snapshot | * | * | refuse: the log ends before its snapshot |
/// | * | * | missing | * | refuse: the mark is missing |
/// | * | * | damaged | * | refuse: the mark is damaged |
/// | * | * | ahead | * | refuse: acknowledged records are missing at the end |
/// | * | * | different | * | refuse: this is not the log that was acknowledged |
/// | * | * | before, reached | unsound | refuse: the state contradicts itself |
/// | * | torn | before, reached | sound | cut the tail, report it, serve |
/// | * | whole | before, reached | sound | serve; report it where the base is an older one |
#[must_use]
pub fn decide(facts: Facts) -> Verdict {
    use Verdict::{CutThenServe, Refuse, Serve};
    match facts {
        Facts { log: LogFact::Newer, .. } => Refuse(Reason::NewerVersion),
        Facts { base: BaseFact::Nothing, .. } => Refuse(Reason::NothingToFoldFrom),
        Facts { log: LogFact::Broken, .. } => Refuse(Reason::LogBroken),
        Facts { log: LogFact::BehindSnapshot, .. } => Refuse(Reason::LogBehindSnapshot),
        Facts { mark: MarkFact::Missing, .. } => Refuse(Reason::MarkMissing),
        Facts { mark: MarkFact::Damaged, .. } => Refuse(Reason::MarkDamaged),
        Facts { mark: MarkFact::Ahead, .. } => Refuse(Reason::TailLost),
        Facts { mark: MarkFact::Different, .. } => Refuse(Reason::AnotherLog),
        Facts { state: StateFact::Unsound, .. } => Refuse(Reason::StateUnsound),
        Facts { log: LogFact::Torn, .. } => CutThenServe,
        Facts { log: LogFact::Whole, .. } => Serve,
    }
}

/// Checks that batches follow from each other.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub(crate) last_lsn: Lsn,
    pub(crate) epoch: Epoch,
    /// `None` where the batch before is not known.
    pub(crate) chain: Option<BatchHash>,
}

pub(crate) enum StepDefect {
    Unreadable(BatchDefect),
    Misplaced(String),
}

impl Walk {
    /// Before record 1.
    pub(crate) fn from_beginning() -> Self {
        Walk { last_lsn: Lsn::ZERO, epoch: Epoch(0), chain: Some(BatchHash::GENESIS) }
    }

    /// Takes the next batch.
    pub(crate) fn step<'a>(
        &mut self,
        key: Option<Lsn>,
        bytes: &'a [u8],
    ) -> Result<(Batch<'a>, BatchHash), StepDefect> {
        use StepDefect::{Misplaced, Unreadable};
        let batch = Batch::parse(bytes).map_err(Unreadable)?;
        if batch.bytes().len() != bytes.len() {
            return Err(Unreadable(BatchDefect::Fields));
        }
        let header = batch.header();
        if let Some(key) = key.filter(|&key| key != header.first_lsn) {
            return Err(Misplaced(format!("record {} is kept as {key}", header.first_lsn)));
        }
        if header.first_lsn != self.last_lsn.next() {
            return Err(Misplaced(format!(
                "it begins with record {}; {} is next",
                header.first_lsn,
                self.last_lsn.next()
            )));
        }
        if header.epoch < self.epoch {
            return Err(Misplaced(format!("epoch {} after epoch {}", header.epoch, self.epoch)));
        }
        if let Some(chain) = self.chain.filter(|&chain| chain != header.previous) {
            return Err(Misplaced(format!(
                "it follows a batch with hash {}; the one before it has {chain}",
                header.previous
            )));
        }
        let hash = batch.hash();
        self.last_lsn = header.last_lsn();
        self.epoch = header.epoch;
        self.chain = Some(hash);
        Ok((batch, hash))
    }
}

/// The fold of a log.
pub(crate) struct LogFold {
    pub(crate) state: State,
    /// The last record of the good prefix.
    pub(crate) last_lsn: Lsn,
    /// Epoch of its last batch.
    pub(crate) epoch: Epoch,
    /// Hash of its last batch.
    pub(crate) chain: BatchHash,
    /// The generation its last batch is in, and how many bytes of batches that generation holds.
    pub(crate) tail: Option<(Generation, u64)>,
    /// The first record of the first generation read; 0 where the log is empty.
    pub(crate) log_begins: Lsn,
    /// What ends the good prefix before the end of the log.
    pub(crate) defect: Option<Defect>,
    /// Whether the batch that ends at the mark is the marked one; `None` where none ends there.
    pub(crate) mark_matches: Option<bool>,
    pub(crate) records: u64,
    pub(crate) snapshot: Option<SnapshotName>,
}

/// Where the fold stops.
enum Stop {
    Defect(DefectKind),
    Io(StorageError),
}

/// Folds generations onto a snapshot, checking every batch: checksums, dense LSN, rising epochs,
/// the chain. Stops at the first defect.
///
/// # Errors
/// What the operating system reports; damage is a finding and no error.
pub(crate) fn fold_log(
    store: &dyn LogStore,
    generations: &[Generation],
    base: Option<Snapshot>,
    mark: Option<Mark>,
) -> Result<LogFold, StorageError> {
    let mut fold = LogFold {
        state: State::default(),
        last_lsn: Lsn::ZERO,
        epoch: Epoch(0),
        chain: BatchHash::GENESIS,
        tail: None,
        log_begins: Lsn::ZERO,
        defect: None,
        mark_matches: None,
        records: 0,
        snapshot: None,
    };
    let mut base_chain = BatchHash::GENESIS;
    if let Some(base) = base {
        fold.snapshot = Some(base.name);
        fold.state = base.state;
        base_chain = base.chain;
        // The batch itself may be in a generation that is not read, or gone.
        fold.mark_matches = mark
            .filter(|mark| mark.last_lsn == base.name.snapshot_lsn)
            .map(|mark| mark.is_of(base.chain) && mark.epoch == base.name.epoch);
    }
    let (start, first) = match find_start(store, generations, fold.state.lsn())? {
        Ok(start) => start,
        Err(defect) => {
            fold.defect = Some(defect);
            return Ok(fold);
        }
    };
    fold.log_begins = first.unwrap_or(Lsn::ZERO);
    let mut walk = Walk::from_beginning();
    if let Some(first) = first.filter(|&first| first != Lsn(1)) {
        let base_lsn = fold.state.lsn();
        if first > base_lsn.next() {
            // A gap, which the first step will name.
            walk.last_lsn = base_lsn;
        } else {
            walk.last_lsn = Lsn(first.0.saturating_sub(1));
        }
        walk.chain = (walk.last_lsn == base_lsn).then_some(base_chain);
    }
    for &generation in &generations[start..] {
        if let Err(stop) =
            fold_generation(store, generation, &mut fold, &mut walk, base_chain, mark)
        {
            let kind = match stop {
                Stop::Io(error) => return Err(error),
                Stop::Defect(kind) => kind,
            };
            // A defect whose place is known already keeps it.
            let place = fold.defect.take();
            let (generation, position, bytes) = place.map_or((generation, 0, 0), |place| {
                (place.generation, place.position, place.bytes)
            });
            let last_lsn = walk.last_lsn;
            fold.defect = Some(Defect { generation, position, last_lsn, bytes, kind });
            break;
        }
    }
    fold.last_lsn = walk.last_lsn;
    fold.epoch = walk.epoch;
    fold.chain = walk.chain.unwrap_or(base_chain);
    Ok(fold)
}

/// The generation that holds the record after the base, and its first record.
///
/// Looked for from the end, so that generations no longer needed are not even opened.
#[allow(clippy::type_complexity, reason = "a finding, beside the system's errors")]
fn find_start(
    store: &dyn LogStore,
    generations: &[Generation],
    base_lsn: Lsn,
) -> Result<Result<(usize, Option<Lsn>), Defect>, StorageError> {
    let mut oldest = None;
    for (index, &generation) in generations.iter().enumerate().rev() {
        match first_lsn(store, generation) {
            Ok(None) => {}
            Ok(Some(first)) => {
                oldest = Some(first);
                if first <= base_lsn.next() {
                    return Ok(Ok((index, oldest)));
                }
            }
            Err(StorageError::Damaged { generation, why }) => {
                let kind = DefectKind::Store(why);
                return Ok(Err(Defect {
                    generation,
                    position: 0,
                    last_lsn: base_lsn,
                    bytes: 0,
                    kind,
                }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Ok((0, oldest)))
}

fn fold_generation(
    store: &dyn LogStore,
    generation: Generation,
    fold: &mut LogFold,
    walk: &mut Walk,
    base_chain: BatchHash,
    mark: Option<Mark>,
) -> Result<(), Stop> {
    let damage = |error: StorageError| match error {
        StorageError::Damaged { why, .. } => Stop::Defect(DefectKind::Store(why)),
        error @ StorageError::Io { .. } => Stop::Io(error),
    };
    let mut seen_bytes = 0;
    for entry in store.read(generation).map_err(damage)? {
        let entry = entry.map_err(damage)?;
        let position = entry.position();
        let (newer, len) = match &entry {
            Entry::Batch { bytes, .. } => (newer_version(bytes), bytes.len() as u64),
            Entry::Damaged { newer, bytes, .. } => (*newer, *bytes),
        };
        // Before anything is concluded from what it is not: it is no torn tail, wherever it stands.
        if let Some(version) = newer {
            place(fold, walk, generation, position, len);
            return Err(Stop::Defect(DefectKind::Newer(version)));
        }
        let (key, bytes) = match entry {
            Entry::Batch { key, bytes, .. } => (key, bytes),
            Entry::Damaged { bytes, why, claims, .. } => {
                torn(fold, walk, generation, position, bytes, why, claims)?;
                continue;
            }
        };
        if let (Some(tail), Ok(batch)) = (&mut fold.defect, Batch::parse(&bytes)) {
            follows_a_tear(tail, batch.header())?;
            continue;
        }
        match walk.step(key, &bytes) {
            Err(StepDefect::Unreadable(defect)) => {
                let len = bytes.len() as u64;
                torn(fold, walk, generation, position, len, defect.to_string(), None)?;
            }
            Err(StepDefect::Misplaced(why)) => {
                place(fold, walk, generation, position, bytes.len() as u64);
                return Err(Stop::Defect(DefectKind::Misplaced(why)));
            }
            Ok((batch, hash)) => {
                seen_bytes += bytes.len() as u64;
                fold.tail = Some((generation, seen_bytes));
                if let Err(kind) = fold_batch(fold, &batch, hash, base_chain, mark) {
                    walk.last_lsn = Lsn(batch.header().first_lsn.0 - 1);
                    place(fold, walk, generation, position, bytes.len() as u64);
                    return Err(Stop::Defect(kind));
                }
            }
        }
    }
    Ok(())
}

/// Remembers where a defect is, before its kind is known.
fn place(fold: &mut LogFold, walk: &Walk, generation: Generation, position: u64, bytes: u64) {
    let kind = DefectKind::Torn(String::new());
    fold.defect = Some(Defect { generation, position, last_lsn: walk.last_lsn, bytes, kind });
}

/// Bytes that are no batch: a torn tail, as long as nothing speaks against it.
fn torn(
    fold: &mut LogFold,
    walk: &Walk,
    generation: Generation,
    position: u64,
    bytes: u64,
    why: String,
    claims: Option<Lsn>,
) -> Result<(), Stop> {
    if let Some(claims) = claims.filter(|&claims| claims > walk.last_lsn) {
        if fold.defect.is_none() {
            place(fold, walk, generation, position, bytes);
        }
        return Err(Stop::Defect(DefectKind::Damaged(synced_before(&why, claims))));
    }
    match &mut fold.defect {
        Some(tail) => tail.bytes += bytes,
        None => {
            place(fold, walk, generation, position, bytes);
            if let Some(defect) = &mut fold.defect {
                defect.kind = DefectKind::Torn(why);
            }
        }
    }
    Ok(())
}

/// A good batch after a bad one. They may be of one commit that was never synced, of which a crash
/// kept this and not that; unless this one says that the other was synced when it was written.
fn follows_a_tear(tail: &mut Defect, header: &Header) -> Result<(), Stop> {
    let DefectKind::Torn(why) = &tail.kind else { return Ok(()) };
    if header.durable_lsn > tail.last_lsn {
        let why = synced_before(why, header.durable_lsn);
        return Err(Stop::Defect(DefectKind::Damaged(why)));
    }
    if header.first_lsn <= tail.last_lsn.next() {
        let why = format!("{why}; then record {} again", header.first_lsn);
        return Err(Stop::Defect(DefectKind::Damaged(why)));
    }
    tail.bytes += header.batch_bytes() as u64;
    Ok(())
}

fn synced_before(why: &str, claims: Lsn) -> String {
    format!("{why}; what follows was written when record {claims} was durable")
}

fn fold_batch(
    fold: &mut LogFold,
    batch: &Batch<'_>,
    hash: BatchHash,
    base_chain: BatchHash,
    mark: Option<Mark>,
) -> Result<(), DefectKind> {
    let header = *batch.header();
    let base_lsn = fold.snapshot.map_or(Lsn::ZERO, |name| name.snapshot_lsn);
    if header.last_lsn() <= base_lsn {
        if header.last_lsn() == base_lsn && hash != base_chain {
            let why = format!("the snapshot at {base_lsn} was made from another batch");
            return Err(DefectKind::Misplaced(why));
        }
    } else if header.first_lsn <= base_lsn {
        let why = format!("the snapshot at {base_lsn} ends inside it");
        return Err(DefectKind::Misplaced(why));
    } else {
        fold.records += u64::from(header.count);
        let state = &mut fold.state;
        batch.records(|lsn, record| state.apply(lsn, &record).map_err(DefectKind::Fold))?;
        if fold.state.epoch() != header.epoch {
            let why =
                format!("it is of epoch {}, its records of {}", header.epoch, fold.state.epoch());
            return Err(DefectKind::Misplaced(why));
        }
    }
    if let Some(mark) = mark.filter(|mark| mark.last_lsn == header.last_lsn()) {
        fold.mark_matches = Some(mark.is_of(hash) && mark.epoch == header.epoch);
    }
    Ok(())
}

impl From<BatchDefect> for DefectKind {
    fn from(defect: BatchDefect) -> Self {
        // The checksum matched, so this was written as it is.
        DefectKind::Misplaced(defect.to_string())
    }
}

/// What a start found and did.
#[derive(Clone, Debug)]
pub struct RecoveryReport {
    /// The last record found, before this process wrote its own first.
    pub recovered_lsn: Lsn,
    /// The new epoch.
    pub epoch: Epoch,
    /// Records folded.
    pub records: u64,
    /// The snapshot they were folded onto.
    pub snapshot: Option<SnapshotName>,
    /// Newer snapshots that could not be used.
    pub damaged_snapshots: Vec<DamagedSnapshot>,
    /// The torn tail that was cut.
    pub torn_tail: Option<Defect>,
    /// Whether the ballast had to be given back because the disk is full.
    pub ballast_dropped: bool,
    /// How long it took.
    pub duration: Duration,
}

pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) chain: BatchHash,
    pub(crate) tail: Option<(Generation, u64)>,
    pub(crate) report: RecoveryReport,
}

/// Everything from the disk to the decision, then the cut where there is one to make.
pub(crate) fn recover(
    disk: &dyn Disk,
    layout: &Layout,
    store: &dyn LogStore,
) -> Result<Recovered, OpenError> {
    let started = Instant::now();
    let found = examine(disk, layout, store)?;
    let Examined { fold, damaged_snapshots, mark, verdict } = found;
    let torn_tail = match verdict {
        Err(refusal) => {
            let path = layout.dir().to_owned();
            return Err(OpenError::Refused { path, refusal: Box::new(refusal) });
        }
        Ok(()) => fold.defect,
    };
    if let Some(tail) = &torn_tail {
        store.cut(tail.generation, tail.position)?;
    }
    let marked_epoch = mark.map_or(Epoch(0), |mark| mark.epoch);
    Ok(Recovered {
        chain: fold.chain,
        tail: fold.tail,
        report: RecoveryReport {
            recovered_lsn: fold.state.lsn(),
            epoch: fold.state.epoch().max(marked_epoch).next(),
            records: fold.records,
            snapshot: fold.snapshot,
            damaged_snapshots,
            torn_tail,
            ballast_dropped: false,
            duration: started.elapsed(),
        },
        state: fold.state,
    })
}

/// What lies on disk, and what [`decide`] makes of it.
pub(crate) struct Examined {
    pub(crate) fold: LogFold,
    pub(crate) damaged_snapshots: Vec<DamagedSnapshot>,
    pub(crate) mark: Option<Mark>,
    pub(crate) verdict: Result<(), Refusal>,
}

/// Reads everything and changes nothing.
pub(crate) fn examine(
    disk: &dyn Disk,
    layout: &Layout,
    store: &dyn LogStore,
) -> Result<Examined, OpenError> {
    let reading = || OpenError::io(format!("read {}", layout.dir().display()));
    let mark_read = mark::read(disk, &layout.mark()).map_err(reading())?;
    let mark = match mark_read {
        MarkRead::At(mark) => Some(mark),
        MarkRead::Missing | MarkRead::Damaged | MarkRead::Blank => None,
    };
    let (base, damaged) = snapshot::load_newest(disk, layout).map_err(reading())?;
    let generations = store.generations()?;
    let fold = fold_log(store, &generations, base, mark)?;
    let unsound = fold.state.check().err();
    let facts = Facts {
        base: base_fact(&fold, &damaged),
        log: log_fact(&fold),
        mark: mark_fact(mark_read, &fold),
        state: if unsound.is_some() { StateFact::Unsound } else { StateFact::Sound },
    };
    let verdict = match decide(facts) {
        Verdict::Serve | Verdict::CutThenServe => Ok(()),
        Verdict::Refuse(reason) => Err(refusal(reason, &fold, &damaged, mark, unsound)),
    };
    Ok(Examined { fold, damaged_snapshots: damaged, mark, verdict })
}

fn base_fact(fold: &LogFold, damaged: &[DamagedSnapshot]) -> BaseFact {
    let from_one = fold.log_begins == Lsn(1);
    match (fold.snapshot, damaged) {
        (Some(_), []) => BaseFact::Newest,
        (Some(_), _) => BaseFact::Older,
        (None, []) if from_one || fold.log_begins == Lsn::ZERO => BaseFact::Beginning,
        (None, [_, ..]) if from_one => BaseFact::Older,
        (None, _) => BaseFact::Nothing,
    }
}

fn log_fact(fold: &LogFold) -> LogFact {
    match &fold.defect {
        Some(Defect { kind: DefectKind::Newer(_), .. }) => LogFact::Newer,
        Some(defect) if !defect.kind.is_torn() => LogFact::Broken,
        _ if fold.last_lsn < fold.state.lsn() => LogFact::BehindSnapshot,
        Some(_) => LogFact::Torn,
        None => LogFact::Whole,
    }
}

fn mark_fact(read: MarkRead, fold: &LogFold) -> MarkFact {
    let mark = match read {
        MarkRead::Missing => return MarkFact::Missing,
        MarkRead::Damaged => return MarkFact::Damaged,
        // Blank until the first epoch is acknowledged: starts that were cut off before that have
        // logged their epoch and nothing else.
        MarkRead::Blank
            if fold.snapshot.is_none() && fold.state.lsn().0 == fold.state.epoch().0 =>
        {
            return MarkFact::Before;
        }
        MarkRead::Blank => return MarkFact::Damaged,
        MarkRead::At(mark) => mark,
    };
    let base_lsn = fold.snapshot.map_or(Lsn::ZERO, |name| name.snapshot_lsn);
    match fold.mark_matches {
        Some(true) => MarkFact::Reached,
        Some(false) => MarkFact::Different,
        None if mark.last_lsn > fold.last_lsn => MarkFact::Ahead,
        // Its batch is folded into the snapshot and may be removed.
        None if mark.last_lsn < base_lsn => MarkFact::Before,
        // The log has that record in the middle of a batch.
        None => MarkFact::Different,
    }
}

fn refusal(
    reason: Reason,
    fold: &LogFold,
    damaged: &[DamagedSnapshot],
    mark: Option<Mark>,
    unsound: Option<String>,
) -> Refusal {
    let last_lsn = fold.last_lsn;
    let mark_lsn = mark.map_or(Lsn::ZERO, |mark| mark.last_lsn);
    match (reason, &fold.defect) {
        (Reason::NothingToFoldFrom, _) => {
            Refusal::NothingToFoldFrom { log_begins: fold.log_begins, damaged: damaged.to_vec() }
        }
        (Reason::NewerVersion, Some(defect)) => Refusal::NewerVersion(defect.clone()),
        (Reason::LogBroken, Some(defect)) => Refusal::LogBroken(defect.clone()),
        // Both stand for a defect, so there is one.
        (Reason::NewerVersion | Reason::LogBroken, None) | (Reason::LogBehindSnapshot, _) => {
            Refusal::LogBehindSnapshot { last_lsn, snapshot_lsn: fold.state.lsn() }
        }
        (Reason::MarkMissing, _) => Refusal::MarkMissing,
        (Reason::MarkDamaged, _) => Refusal::MarkDamaged,
        (Reason::TailLost, tail) => Refusal::TailLost { last_lsn, mark_lsn, tail: tail.clone() },
        (Reason::AnotherLog, _) => Refusal::AnotherLog { mark_lsn },
        (Reason::StateUnsound, _) => {
            Refusal::StateUnsound { last_lsn, why: unsound.unwrap_or_default() }
        }
    }
}
