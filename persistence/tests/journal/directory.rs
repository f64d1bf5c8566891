//! The data directory: whose it is, and what is refused before the log is even read.

use std::fs;
use std::path::Path;

use tiketi_engine::ids::{Lsn, UnixMillis};
use tiketi_persistence::sled_store::SledStore;
use tiketi_persistence::storage::{Generation, LogStore};
use tiketi_persistence::{LogReader, OpenError, Options, StoreKind, make_snapshot, open};

use crate::append;

fn options(dir: &Path, store: StoreKind) -> Options {
    let mut options = Options::new(dir.join("data"));
    options.store = store;
    options.ballast_bytes = 0;
    options
}

#[test]
fn a_directory_in_use_is_refused() {
    for store in [StoreKind::Sled, StoreKind::Segments] {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path(), store);
        let opened = open(&options, UnixMillis(1)).unwrap();
        let error = open(&options, UnixMillis(1)).unwrap_err();
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        assert!(matches!(LogReader::open(&options.dir), Err(OpenError::InUse { .. })));
        opened.journal.close().unwrap();
        let reader = LogReader::open(&options.dir).unwrap();
        assert!(matches!(open(&options, UnixMillis(1)), Err(OpenError::InUse { .. })));
        drop(reader);
        open(&options, UnixMillis(1)).unwrap();
    }
}

#[test]
fn another_version_is_told_from_a_damaged_version_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), StoreKind::Segments);
    open(&options, UnixMillis(1)).unwrap().journal.close().unwrap();
    let version = options.dir.join("version");
    for (content, other) in [
        ("tiketi data 2\nstore segments\n", Some(2)),
        ("tiketi data 2\n", Some(2)),
        ("tiketi data 0\nlog paper\n", Some(0)),
        ("", None),
        ("tiketi data 2", None),
        ("tiketi data 02\n", None),
        ("tiketi data -2\n", None),
        ("tiketi data 1\nstore paper\n", None),
        ("tiketi data 1\nstore segments\n\n", None),
        ("\u{1}", None),
    ] {
        fs::write(&version, content).unwrap();
        let errors = [
            open(&options, UnixMillis(1)).map(drop).unwrap_err(),
            LogReader::open(&options.dir).map(drop).unwrap_err(),
        ];
        for error in errors {
            let said = match &error {
                OpenError::WrongVersion { found, expected: 1, .. } => Some(*found),
                OpenError::VersionDamaged { .. } => None,
                error => panic!("{error}"),
            };
            assert_eq!(said, other, "{content:?}: {error}");
        }
    }
}

#[test]
fn another_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(&options(dir.path(), StoreKind::Segments), UnixMillis(1)).unwrap();
    let error = open(&options(dir.path(), StoreKind::Sled), UnixMillis(1)).unwrap_err();
    assert!(matches!(error, OpenError::OtherStore { .. }), "{error}");
}

#[test]
fn somebody_elses_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), StoreKind::Sled);
    fs::create_dir(&options.dir).unwrap();
    fs::write(options.dir.join("thesis.txt"), "dear").unwrap();
    let error = open(&options, UnixMillis(1)).unwrap_err();
    assert!(error.to_string().contains("thesis.txt"), "{error}");
    assert_eq!(fs::read_dir(&options.dir).unwrap().count(), 1);
    assert!(matches!(LogReader::open(&options.dir), Err(OpenError::Empty { .. })));
}

#[test]
fn a_log_without_its_version_file_is_not_overwritten() {
    for store in [StoreKind::Sled, StoreKind::Segments] {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(dir.path(), store);
        let opened = open(&options, UnixMillis(1)).unwrap();
        append(&opened, 0, 10);
        opened.journal.close().unwrap();
        fs::remove_file(options.dir.join("version")).unwrap();
        let shown_by = |error: OpenError| match error {
            OpenError::VersionMissing { shown_by, .. } => shown_by,
            error => panic!("{error}"),
        };
        let reader = || LogReader::open(&options.dir).map(drop).unwrap_err();
        assert_eq!(shown_by(reader()), options.dir.join("mark"));
        // Even where the mark says nothing, and whatever store is asked for.
        fs::write(options.dir.join("mark"), [0; 4096]).unwrap();
        let generation = fs::read_dir(options.dir.join("log")).unwrap().next().unwrap().unwrap();
        assert_eq!(shown_by(reader()), generation.path());
        fs::write(options.dir.join("thesis.txt"), "dear").unwrap();
        assert!(shown_by(reader()).starts_with(options.dir.join("log")));
        fs::remove_file(options.dir.join("thesis.txt")).unwrap();
        for asked in [store, StoreKind::Sled, StoreKind::Segments] {
            options.store = asked;
            let error = open(&options, UnixMillis(1)).map(drop).unwrap_err();
            assert_eq!(shown_by(error), generation.path());
        }
    }
}

#[test]
fn an_interrupted_creation_is_begun_again() {
    for store in [StoreKind::Sled, StoreKind::Segments] {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path(), store);
        let opened = open(&options, UnixMillis(1)).unwrap();
        opened.journal.close().unwrap();
        let log = options.dir.join("log");
        fs::remove_dir_all(&log).unwrap();
        fs::create_dir(&log).unwrap();
        fs::remove_file(options.dir.join("version")).unwrap();
        fs::remove_file(options.dir.join("mark")).unwrap();
        assert!(matches!(LogReader::open(&options.dir), Err(OpenError::Empty { .. })));
        // Or one moment later, with everything but the version file.
        match store {
            StoreKind::Sled => drop(SledStore::new(&log).create(Generation::FIRST).unwrap()),
            StoreKind::Segments => fs::write(log.join("0000000001.segment"), "").unwrap(),
        }
        fs::write(options.dir.join("mark"), [0; 4096]).unwrap();
        fs::write(options.dir.join("version.new"), "tiketi").unwrap();
        assert!(matches!(LogReader::open(&options.dir), Err(OpenError::Empty { .. })));
        let opened = open(&options, UnixMillis(1)).unwrap();
        assert_eq!(opened.state.lsn(), Lsn(1));
    }
}

#[test]
fn the_ballast_is_made_and_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path(), StoreKind::Segments);
    options.ballast_bytes = 1 << 20;
    options.free_bytes_min = 1 << 20;
    open(&options, UnixMillis(1)).unwrap().journal.close().unwrap();
    let ballast = options.dir.join("ballast");
    assert_eq!(fs::metadata(&ballast).unwrap().len(), 1 << 20);
    let layout = tiketi_persistence::layout::Layout::new(&options.dir);
    assert!(tiketi_persistence::data_dir::drop_ballast(&layout).unwrap());
    assert!(!tiketi_persistence::data_dir::drop_ballast(&layout).unwrap());
    open(&options, UnixMillis(1)).unwrap();
    assert!(ballast.exists());
}

#[test]
fn tools_read_and_fold_what_a_server_wrote() {
    for store in [StoreKind::Sled, StoreKind::Segments] {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path(), store);
        let opened = open(&options, UnixMillis(1)).unwrap();
        append(&opened, 0, 99);
        opened.journal.close().unwrap();
        let reader = LogReader::open(&options.dir).unwrap();
        assert_eq!(reader.store_kind(), store);
        let verified = reader.verify().unwrap();
        assert_eq!((verified.last_lsn, verified.records), (Lsn(100), 100));
        assert_eq!((verified.refusal, verified.torn_tail), (None, None));
        let lsns: Vec<_> = reader.records().map(|record| record.unwrap().lsn.0).collect();
        assert_eq!(lsns, (1..=100).collect::<Vec<_>>());
        let state = reader.state().unwrap();
        drop(reader);

        let made = make_snapshot(&options.dir).unwrap().unwrap();
        assert_eq!((made.name.snapshot_lsn, made.records), (Lsn(100), 100));
        assert!(made.bytes > 0);
        let again = make_snapshot(&options.dir).unwrap().unwrap();
        assert_eq!((again.records, again.bytes), (0, 0));
        let reader = LogReader::open(&options.dir).unwrap();
        assert_eq!(reader.state().unwrap(), state);
        assert_eq!(reader.verify().unwrap().records, 0);
        assert_eq!(reader.snapshots().unwrap().len(), 1);
        drop(reader);

        // The log goes on in the middle of the generation that the snapshot ends in.
        let opened = open(&options, UnixMillis(1)).unwrap();
        assert_eq!(opened.report.records, 0);
        append(&opened, 99, 120);
        opened.journal.close().unwrap();
        let verified = LogReader::open(&options.dir).unwrap().verify().unwrap();
        assert_eq!((verified.last_lsn, verified.records), (Lsn(122), 22));
    }
}

#[test]
fn a_snapshot_ends_before_a_torn_tail_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), StoreKind::Segments);
    let opened = open(&options, UnixMillis(1)).unwrap();
    append(&opened, 0, 99);
    opened.journal.close().unwrap();
    let segment = options.dir.join("log/0000000001.segment");
    let whole = fs::read(&segment).unwrap();
    let torn = [&whole[..], &[0; 700]].concat();
    fs::write(&segment, &torn).unwrap();

    let made = make_snapshot(&options.dir).unwrap().unwrap();
    assert_eq!((made.name.snapshot_lsn, made.records), (Lsn(100), 100));
    let tail = made.torn_tail.unwrap();
    assert_eq!((tail.position, tail.bytes), (whole.len() as u64, 700));
    let again = make_snapshot(&options.dir).unwrap().unwrap();
    assert_eq!((again.bytes, again.torn_tail.as_ref()), (0, Some(&tail)));
    assert!(fs::read(&segment).unwrap() == torn, "cutting is for a start");

    let opened = open(&options, UnixMillis(1)).unwrap();
    assert_eq!((opened.report.recovered_lsn, opened.report.records), (Lsn(100), 0));
    assert_eq!(opened.report.torn_tail, Some(tail));
    append(&opened, 99, 120);
    opened.journal.close().unwrap();
    assert_eq!(make_snapshot(&options.dir).unwrap().unwrap().torn_tail, None);
}
