//! The decision table of the start: every combination of facts, and each fact made on a disk.

use std::path::{Path, PathBuf};

use crc32c::crc32c;
use tiketi_engine::ids::{Epoch, Lsn, UnixMillis};
use tiketi_engine::journal::{Journal, Purpose};
use tiketi_persistence::batch::{self, BatchHash, HEADER_BYTES, Header};
use tiketi_persistence::codec::with_frame;
use tiketi_persistence::mark::Mark;
use tiketi_persistence::recovery::{
    BaseFact, DefectKind, Facts, LogFact, MarkFact, Reason, StateFact, Verdict, decide,
};
use tiketi_persistence::sim_store::{self, SIM_DIR, SimDisk};
use tiketi_persistence::sled_store::SledStore;
use tiketi_persistence::storage::{Entry, Generation, LogStore};
use tiketi_persistence::{OpenError, Opened, Refusal};

use crate::common::record;

const BASES: [(&str, BaseFact); 4] = [
    ("beginning", BaseFact::Beginning),
    ("newest", BaseFact::Newest),
    ("older", BaseFact::Older),
    ("nothing", BaseFact::Nothing),
];
const LOGS: [(&str, LogFact); 5] = [
    ("whole", LogFact::Whole),
    ("torn", LogFact::Torn),
    ("broken", LogFact::Broken),
    ("behind snapshot", LogFact::BehindSnapshot),
    ("newer", LogFact::Newer),
];
const MARKS: [(&str, MarkFact); 6] = [
    ("missing", MarkFact::Missing),
    ("damaged", MarkFact::Damaged),
    ("before", MarkFact::Before),
    ("reached", MarkFact::Reached),
    ("different", MarkFact::Different),
    ("ahead", MarkFact::Ahead),
];
const STATES: [(&str, StateFact); 2] =
    [("sound", StateFact::Sound), ("unsound", StateFact::Unsound)];
const REASONS: [(&str, Reason); 9] = [
    ("a newer version wrote it", Reason::NewerVersion),
    ("nothing to fold from", Reason::NothingToFoldFrom),
    ("the log is broken", Reason::LogBroken),
    ("the log ends before its snapshot", Reason::LogBehindSnapshot),
    ("the mark is missing", Reason::MarkMissing),
    ("the mark is damaged", Reason::MarkDamaged),
    ("acknowledged records are missing at the end", Reason::TailLost),
    ("this is not the log that was acknowledged", Reason::AnotherLog),
    ("the state contradicts itself", Reason::StateUnsound),
];

/// The rows of the table as the documentation of `decide` prints them.
fn printed_rows() -> Vec<Vec<String>> {
    let source = include_str!("../../src/recovery.rs");
    let table = source.lines().filter_map(|line| line.strip_prefix("/// |"));
    table
        .map(|row| {
            row.trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        })
        .skip(2)
        .collect()
}

#[test]
fn every_combination_is_decided_as_printed() {
    let rows = printed_rows();
    assert_eq!(rows.len(), 11);
    let format = include_str!("../../FORMAT.md");
    for row in &rows {
        assert!(format.contains(&format!("| {} |", row.join(" | "))), "FORMAT.md lacks {row:?}");
    }
    let fits = |cell: &str, name: &str| cell == "*" || cell.split(", ").any(|one| one == name);
    let mut seen = vec![0; rows.len()];
    for (base_name, base) in BASES {
        for (log_name, log) in LOGS {
            for (mark_name, mark) in MARKS {
                for (state_name, state) in STATES {
                    let names = [base_name, log_name, mark_name, state_name];
                    let row = rows
                        .iter()
                        .position(|row| row.iter().zip(names).all(|(cell, name)| fits(cell, name)))
                        .unwrap_or_else(|| panic!("no row for {names:?}"));
                    seen[row] += 1;
                    let facts = Facts { base, log, mark, state };
                    assert_eq!(verdict_name(decide(facts)), verdict_of(&rows[row][4]), "{names:?}");
                }
            }
        }
    }
    assert!(seen.iter().all(|&times| times > 0), "a row that never decides: {seen:?}");
    assert_eq!(seen.iter().sum::<i32>(), 4 * 5 * 6 * 2);
}

fn verdict_name(verdict: Verdict) -> String {
    match verdict {
        Verdict::Serve => "serve".into(),
        Verdict::CutThenServe => "cut the tail".into(),
        Verdict::Refuse(reason) => {
            REASONS.iter().find(|(_, known)| *known == reason).unwrap().0.into()
        }
    }
}

/// The verdict at the start of a printed cell.
fn verdict_of(cell: &str) -> String {
    let cell = cell.strip_prefix("refuse: ").unwrap_or(cell);
    cell.split([',', ';']).next().unwrap().to_owned()
}

/// A log on a simulated disk: three generations at least, two snapshots.
fn lived() -> SimDisk {
    let disk = SimDisk::new();
    let opened = open(&disk).unwrap();
    work(&opened, 0, 150);
    opened.journal.close().unwrap();
    disk
}

fn open(disk: &SimDisk) -> Result<Opened, OpenError> {
    sim_store::open(disk, &sim_store::options(), UnixMillis(1))
}

fn work(opened: &Opened, from: u64, to: u64) {
    for number in from..to {
        let permit = opened.journal.reserve(Purpose::Completion).unwrap();
        let lsn = opened.journal.append(permit, &record(number));
        opened.journal.durable().wait_blocking(lsn).unwrap();
    }
}

fn in_dir(disk: &SimDisk, dir: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(SIM_DIR).join(dir);
    disk.files().into_iter().filter(|(path, _)| path.starts_with(&dir)).collect()
}

fn change(disk: &SimDisk, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let (_, mut bytes) = disk.files().into_iter().find(|(found, _)| found == path).unwrap();
    change(&mut bytes);
    disk.overwrite(path, &bytes);
}

fn mark_path() -> PathBuf {
    Path::new(SIM_DIR).join("mark")
}

/// The last generation that holds anything.
fn last_generation(disk: &SimDisk) -> (PathBuf, Vec<u8>) {
    in_dir(disk, "log").into_iter().rfind(|(_, bytes)| !bytes.is_empty()).unwrap()
}

/// Offsets of the batches in a generation, and its end.
fn offsets(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = vec![0];
    while let Ok(header) = Header::parse(&bytes[*offsets.last().unwrap()..]) {
        offsets.push(offsets.last().unwrap() + header.batch_bytes());
    }
    offsets
}

fn refused(disk: &SimDisk) -> Refusal {
    let before = disk.files();
    let refusal = match open(disk) {
        Err(OpenError::Refused { refusal, .. }) => *refusal,
        Err(error) => panic!("another error: {error}"),
        Ok(opened) => panic!("served: {:?}", opened.report),
    };
    assert_eq!(disk.files(), before, "a refused start changed something");
    refusal
}

#[test]
fn a_whole_log_is_served_from_its_newest_snapshot() {
    let disk = lived();
    let opened = open(&disk).unwrap();
    assert_eq!(opened.state.epoch(), Epoch(2));
    assert_eq!(opened.report.recovered_lsn, Lsn(151));
    assert!(opened.report.snapshot.is_some());
    assert!(opened.report.records < 100, "{:?}", opened.report);
    assert_eq!(in_dir(&disk, "snapshot").len(), 2, "two snapshots are kept");
    let removed =
        in_dir(&disk, "log").iter().all(|(path, _)| !path.ends_with("0000000001.segment"));
    assert!(removed, "the first generation is covered by both");
}

#[test]
fn a_damaged_newest_snapshot_is_replaced_by_the_older_and_reported() {
    let disk = lived();
    let expected = open(&disk.kill()).unwrap().state;
    let newest = in_dir(&disk, "snapshot").pop().unwrap().0;
    change(&disk, &newest, |bytes| bytes[70] ^= 4);
    let opened = open(&disk).unwrap();
    assert_eq!(opened.state, expected);
    assert_eq!(opened.report.damaged_snapshots.len(), 1);
}

#[test]
fn without_a_snapshot_or_a_beginning_nothing_is_served() {
    let disk = lived();
    for (path, _) in in_dir(&disk, "snapshot") {
        change(&disk, &path, |bytes| bytes.truncate(10));
    }
    let Refusal::NothingToFoldFrom { log_begins, damaged } = refused(&disk) else { panic!() };
    assert!(log_begins > Lsn(1));
    assert_eq!(damaged.len(), 2);
    for (path, _) in in_dir(&disk, "snapshot") {
        disk.delete(&path);
    }
    assert!(
        matches!(refused(&disk), Refusal::NothingToFoldFrom { damaged, .. } if damaged.is_empty())
    );
}

#[test]
fn damaged_snapshots_are_no_matter_while_the_whole_log_is_there() {
    let disk = SimDisk::new();
    let opened = open(&disk).unwrap();
    work(&opened, 0, 40);
    opened.journal.close().unwrap();
    let snapshots = in_dir(&disk, "snapshot");
    assert_eq!(snapshots.len(), 1);
    change(&disk, &snapshots[0].0, |bytes| bytes[0] = 0);
    let opened = open(&disk).unwrap();
    assert_eq!(opened.report.recovered_lsn, Lsn(41));
    assert_eq!(opened.report.records, 41);
    assert_eq!(opened.report.damaged_snapshots.len(), 1);
}

#[test]
fn a_torn_tail_behind_the_mark_is_cut_and_reported() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    // Any part of one more batch, and zeros: what a crash leaves of a write.
    let next = after(&bytes[offsets[offsets.len() - 2]..], 1);
    for tail in [&next[..1], &next[..HEADER_BYTES], &next[..next.len() - 1], &[0; 900]] {
        let disk = disk.kill();
        change(&disk, &path, |bytes| bytes.extend_from_slice(tail));
        let opened = open(&disk).unwrap();
        let torn = opened.report.torn_tail.as_ref().unwrap();
        assert_eq!((torn.position, torn.bytes), (bytes.len() as u64, tail.len() as u64));
        assert_eq!(torn.last_lsn, Lsn(151));
        assert_eq!(opened.report.recovered_lsn, Lsn(151));
        work(&opened, 150, 155);
        opened.journal.close().unwrap();
        assert_eq!(open(&disk).unwrap().report.torn_tail, None);
    }
}

/// A batch of one record that follows from another.
fn after(last: &[u8], epoch: u64) -> Vec<u8> {
    let last = batch::Batch::parse(last).unwrap();
    let first_lsn = last.header().last_lsn().next();
    let mut bytes = vec![0; HEADER_BYTES];
    with_frame(&record(150), |frame| bytes.extend_from_slice(frame));
    batch::seal(&mut bytes, Epoch(epoch), first_lsn, 1, last.header().last_lsn(), last.hash());
    bytes
}

/// What a later version may write: its own number, and then whatever it likes.
fn newer(next: &[u8], with_our_checksum: bool) -> Vec<u8> {
    let mut bytes = next.to_vec();
    bytes[4] = 2;
    if with_our_checksum {
        let crc = crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    } else {
        bytes[6..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    }
    bytes
}

#[test]
fn a_batch_of_a_newer_version_is_never_cut() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let next = after(&bytes[offsets[offsets.len() - 2]..], 1);
    let end = bytes.len() as u64;
    for (tail, position) in [
        (newer(&next, true), end),
        (newer(&next, false), end),
        // All that a crash left of it.
        (newer(&next, false)[..10].to_vec(), end),
        ([next.clone(), newer(&next, false)].concat(), end + next.len() as u64),
        // After a piece of its own commit that is no batch.
        ([vec![0; 300], newer(&next, true)].concat(), end + 300),
    ] {
        let disk = disk.kill();
        change(&disk, &path, |bytes| bytes.extend_from_slice(&tail));
        let refusal = refused(&disk);
        let Refusal::NewerVersion(defect) = &refusal else { panic!("{refusal}") };
        assert_eq!((&defect.kind, defect.position), (&DefectKind::Newer(2), position));
        assert!(refusal.to_string().contains("written by a newer version"), "{refusal}");
    }
    // Not past the mark: a downgrade.
    let older = disk.kill();
    change(&older, &path, |bytes| bytes[offsets[offsets.len() - 2] + 4] = 9);
    assert!(
        matches!(refused(&older), Refusal::NewerVersion(defect) if defect.last_lsn == Lsn(150))
    );
}

#[test]
fn a_text_that_looks_like_a_newer_version_is_a_torn_tail_like_any_other() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let mut next = after(&bytes[offsets[offsets.len() - 2]..], 1);
    // Somebody's name, in a batch of which the beginning was lost.
    next.extend_from_slice(&[b"TKTB22".repeat(20), vec![0; 90]].concat());
    next[..64].fill(0);
    change(&disk, &path, |bytes| bytes.extend_from_slice(&next));
    let opened = open(&disk).unwrap();
    assert_eq!(opened.report.torn_tail.unwrap().bytes, next.len() as u64);
}

#[test]
fn a_batch_of_a_newer_version_in_sled_is_never_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = tiketi_persistence::Options::new(dir.path().join("data"));
    options.ballast_bytes = 0;
    let opened = tiketi_persistence::open(&options, UnixMillis(1)).unwrap();
    work(&opened, 0, 10);
    opened.journal.close().unwrap();
    let store = SledStore::new(options.dir.join("log"));
    let batches: Vec<_> = store.read(Generation(1)).unwrap().map(Result::unwrap).collect();
    let Some(Entry::Batch { bytes, .. }) = batches.last() else { panic!() };
    let mut writer = store.open(Generation(1)).unwrap();
    writer.append(Lsn(12), &newer(&after(bytes, 1), false)).unwrap();
    writer.sync().unwrap();
    drop(writer);
    for _ in 0..2 {
        let error = tiketi_persistence::open(&options, UnixMillis(1)).map(drop).unwrap_err();
        assert!(error.to_string().contains("cannot be read by this version"), "{error}");
        assert!(error.to_string().contains("after record 11: written by a newer"), "{error}");
    }
}

#[test]
fn a_whole_batch_behind_the_mark_is_kept() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let next = after(&bytes[offsets[offsets.len() - 2]..], 1);
    change(&disk, &path, |bytes| bytes.extend_from_slice(&next));
    assert_eq!(open(&disk).unwrap().report.recovered_lsn, Lsn(152));
}

#[test]
fn a_good_batch_that_does_not_follow_is_no_torn_tail() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let last = &bytes[offsets[offsets.len() - 2]..];
    let reseal = |epoch, lsn, previous: BatchHash| {
        let mut next = after(last, 1);
        batch::seal(&mut next, Epoch(epoch), Lsn(lsn), 1, Lsn(lsn - 1), previous);
        next
    };
    let chain = batch::Batch::parse(last).unwrap().hash();
    for (next, why) in [
        (reseal(1, 153, chain), "begins with record 153"),
        (reseal(1, 151, chain), "begins with record 151"),
        (reseal(0, 152, chain), "epoch 0 after epoch 1"),
        (reseal(2, 152, chain), "of epoch 2, its records of 1"),
        (reseal(1, 152, BatchHash([1; 16])), "it follows a batch with hash"),
    ] {
        let disk = disk.kill();
        change(&disk, &path, |bytes| bytes.extend_from_slice(&next));
        let refusal = refused(&disk);
        let Refusal::LogBroken(defect) = &refusal else { panic!("{refusal}") };
        assert!(matches!(&defect.kind, DefectKind::Misplaced(_)), "{refusal}");
        assert!(refusal.to_string().contains(why), "{refusal}");
        assert_eq!(defect.position, bytes.len() as u64);
    }
}

#[test]
fn a_bad_batch_with_good_ones_after_it_is_named() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    assert!(offsets.len() > 4);
    let middle = offsets[1];
    for at in [middle, middle + 20, middle + HEADER_BYTES + 3] {
        let disk = disk.kill();
        change(&disk, &path, |bytes| bytes[at] ^= 0x10);
        let refusal = refused(&disk);
        let Refusal::LogBroken(defect) = &refusal else { panic!("{refusal}") };
        assert_eq!(defect.position, middle as u64);
        let first = Header::parse(&bytes).unwrap();
        assert_eq!(defect.last_lsn, first.last_lsn());
        assert!(matches!(defect.kind, DefectKind::Damaged(_)), "{refusal}");
    }
}

#[test]
fn good_batches_of_the_torn_commit_are_cut_with_it() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let next = after(&bytes[offsets[offsets.len() - 2]..], 1);
    let sealed = |lsn, durable| {
        let mut batch = next.clone();
        batch::seal(&mut batch, Epoch(1), Lsn(lsn), 1, Lsn(durable), BatchHash([1; 16]));
        batch
    };
    let hole = vec![0; next.len()];
    let torn = disk.kill();
    let tail = [hole.clone(), sealed(153, 151), hole.clone(), sealed(155, 151)].concat();
    change(&torn, &path, |bytes| bytes.extend_from_slice(&tail));
    let opened = open(&torn).unwrap();
    let cut = opened.report.torn_tail.unwrap();
    assert_eq!((cut.position, cut.bytes), (bytes.len() as u64, tail.len() as u64));
    assert_eq!(opened.report.recovered_lsn, Lsn(151));

    // The second was written when the hole was synced: this is damage.
    for (tail, why) in [
        ([hole.clone(), sealed(153, 152)].concat(), "when record 152 was durable"),
        ([hole.clone(), sealed(152, 151)].concat(), "then record 152 again"),
    ] {
        let broken = disk.kill();
        change(&broken, &path, |bytes| bytes.extend_from_slice(&tail));
        let refusal = refused(&broken).to_string();
        assert!(refusal.contains(why), "{refusal}");
    }
}

#[test]
fn a_torn_batch_that_knows_of_more_is_no_torn_tail() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let mut next = after(&bytes[offsets[offsets.len() - 2]..], 1);
    batch::seal(&mut next, Epoch(1), Lsn(160), 1, Lsn(159), BatchHash([1; 16]));
    *next.last_mut().unwrap() ^= 1;
    change(&disk, &path, |bytes| bytes.extend_from_slice(&next));
    let refusal = refused(&disk).to_string();
    assert!(refusal.contains("when record 159 was durable"), "{refusal}");
}

#[test]
fn a_log_that_ends_before_its_mark_is_refused() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let last = offsets[offsets.len() - 2];
    for end in [last, last + 1, bytes.len() - 1] {
        let disk = disk.kill();
        change(&disk, &path, |bytes| bytes.truncate(end));
        let refusal = refused(&disk);
        let Refusal::TailLost { last_lsn, mark_lsn, .. } = refusal else { panic!("{refusal}") };
        assert_eq!((last_lsn, mark_lsn), (Lsn(150), Lsn(151)));
    }
}

#[test]
fn a_log_shorter_than_its_snapshot_is_refused() {
    let disk = lived();
    let logs = in_dir(&disk, "log");
    for (path, _) in &logs[logs.len() - 2..] {
        change(&disk, path, Vec::clear);
    }
    let refusal = refused(&disk);
    assert!(matches!(refusal, Refusal::LogBehindSnapshot { .. }), "{refusal}");
}

#[test]
fn a_missing_generation_is_a_gap() {
    let disk = SimDisk::new();
    let opened = open(&disk).unwrap();
    work(&opened, 0, 40);
    opened.journal.close().unwrap();
    // The snapshot goes too, so that the first generation is needed.
    for (path, _) in in_dir(&disk, "snapshot").iter().chain(&in_dir(&disk, "log")[..1]) {
        disk.delete(path);
    }
    let refusal = refused(&disk);
    assert!(matches!(refusal, Refusal::NothingToFoldFrom { .. }), "{refusal}");
}

#[test]
fn the_mark_has_its_own_rows() {
    let disk = lived();
    let gone = disk.kill();
    gone.delete(&mark_path());
    assert_eq!(refused(&gone), Refusal::MarkMissing);

    let short = disk.kill();
    change(&short, &mark_path(), |bytes| bytes.truncate(100));
    assert_eq!(refused(&short), Refusal::MarkDamaged);

    // A mark that was wiped says nothing about the log's end.
    let blank = disk.kill();
    change(&blank, &mark_path(), |bytes| bytes.fill(0));
    assert_eq!(refused(&blank), Refusal::MarkDamaged);

    let rewrite = |mark: Mark| {
        let disk = disk.kill();
        change(&disk, &mark_path(), |bytes| {
            bytes.fill(0);
            bytes[..32].copy_from_slice(&mark.encode());
        });
        disk
    };
    let (_, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let last = batch::Batch::parse(&bytes[offsets[offsets.len() - 2]..]).unwrap();
    let reached = rewrite(Mark::new(Epoch(1), Lsn(151), last.hash()));
    assert_eq!(open(&reached).unwrap().report.recovered_lsn, Lsn(151));
    for other in [
        Mark::new(Epoch(1), Lsn(151), BatchHash([3; 16])),
        Mark::new(Epoch(2), Lsn(151), last.hash()),
    ] {
        assert_eq!(refused(&rewrite(other)), Refusal::AnotherLog { mark_lsn: Lsn(151) });
    }
    let ahead = rewrite(Mark::new(Epoch(1), Lsn(152), last.hash()));
    assert!(matches!(refused(&ahead), Refusal::TailLost { mark_lsn: Lsn(152), .. }));
    let old = rewrite(Mark::new(Epoch(1), Lsn(2), BatchHash([3; 16])));
    assert_eq!(open(&old).unwrap().report.recovered_lsn, Lsn(151));
}

#[test]
fn a_record_that_does_not_follow_from_the_state_is_named() {
    let disk = lived();
    let (path, bytes) = last_generation(&disk);
    let offsets = offsets(&bytes);
    let last = &bytes[offsets[offsets.len() - 2]..];
    let mut next = after(last, 1);
    next.truncate(HEADER_BYTES);
    // The same user a second time.
    with_frame(&record(0), |frame| next.extend_from_slice(frame));
    let chain = batch::Batch::parse(last).unwrap().hash();
    batch::seal(&mut next, Epoch(1), Lsn(152), 1, Lsn(151), chain);
    change(&disk, &path, |bytes| bytes.extend_from_slice(&next));
    let Refusal::LogBroken(defect) = refused(&disk) else { panic!() };
    assert!(matches!(defect.kind, DefectKind::Fold(error) if error.lsn == Lsn(152)));
}
