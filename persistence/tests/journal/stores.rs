//! What every store must do, run over all of them.

use std::path::Path;
use std::sync::Arc;

use tiketi_engine::ids::{Epoch, Lsn, UnixMillis};
use tiketi_engine::record::Record;
use tiketi_persistence::batch::{BatchHash, HEADER_BYTES, seal};
use tiketi_persistence::codec::with_frame;
use tiketi_persistence::disk::{Disk, RealDisk};
use tiketi_persistence::segment_store::SegmentStore;
use tiketi_persistence::sim_store::SimDisk;
use tiketi_persistence::sled_store::SledStore;
use tiketi_persistence::storage::{Entry, Generation, LogStore};

fn each(test: impl Fn(&str, &dyn LogStore)) {
    let dir = tempfile::tempdir().unwrap();
    test("sled", &SledStore::new(dir.path()));
    let dir = tempfile::tempdir().unwrap();
    test("segments", &SegmentStore::new(Arc::new(RealDisk), dir.path()));
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/log")).unwrap();
    test("simulated segments", &SegmentStore::new(Arc::new(disk), "/log"));
}

/// A batch with that first LSN and about that many bytes.
fn sample(first_lsn: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    let mut count = 0;
    while count == 0 || bytes.len() + 20 < size {
        let record = Record::EpochStarted { epoch: Epoch(1), at: UnixMillis(first_lsn + count) };
        with_frame(&record, |frame| bytes.extend_from_slice(frame));
        count += 1;
    }
    let durable = Lsn(first_lsn - 1);
    seal(&mut bytes, Epoch(1), Lsn(first_lsn), count as u32, durable, BatchHash::GENESIS);
    bytes
}

fn contents(store: &dyn LogStore, generation: Generation) -> Vec<Vec<u8>> {
    let entries = store.read(generation).unwrap();
    entries
        .map(|entry| match entry.unwrap() {
            Entry::Batch { bytes, .. } => bytes,
            Entry::Damaged { why, .. } => panic!("{why}"),
        })
        .collect()
}

#[test]
fn batches_come_back_in_order_across_reopening() {
    each(|name, store| {
        assert_eq!(store.generations().unwrap(), []);
        let mut written = Vec::new();
        drop(store.create(Generation(1)).unwrap());
        assert_eq!(contents(store, Generation(1)).len(), 0, "{name}");
        // Past several leaves and trees of sled, with batches of every size.
        for round in 0..4 {
            let mut writer = store.open(Generation(1)).unwrap();
            for i in 0..25 {
                let first_lsn = 1 + (round * 25 + i) * 10_000;
                let size = [100, 600, 5_000, 65_536][i as usize % 4];
                let batch = sample(first_lsn, size);
                writer.append(Lsn(first_lsn), &batch).unwrap();
                writer.sync().unwrap();
                written.push(batch);
            }
        }
        assert_eq!(contents(store, Generation(1)), written, "{name}");
    });
}

#[test]
fn generations_are_listed_and_removed() {
    each(|name, store| {
        for number in [1, 2, 3, 10] {
            let mut writer = store.create(Generation(number)).unwrap();
            writer.append(Lsn(u64::from(number)), &sample(u64::from(number), 100)).unwrap();
            writer.sync().unwrap();
        }
        store.remove(Generation(2)).unwrap();
        let left = [Generation(1), Generation(3), Generation(10)];
        assert_eq!(store.generations().unwrap(), left, "{name}");
        assert_eq!(contents(store, Generation(10)), [sample(10, 100)], "{name}");
    });
}

#[test]
fn a_cut_removes_everything_from_there_on() {
    each(|name, store| {
        let mut writer = store.create(Generation(1)).unwrap();
        let batches: Vec<_> = (1..=30).map(|lsn| sample(lsn * 10_000, 65_536)).collect();
        for (i, batch) in (1..).zip(&batches) {
            writer.append(Lsn(i * 10_000), batch).unwrap();
            writer.sync().unwrap();
        }
        drop(writer);
        let position = |kept: usize| {
            let entries = store.read(Generation(1)).unwrap();
            entries.map(Result::unwrap).nth(kept).unwrap().position()
        };
        for kept in [29, 11, 3, 0] {
            let position = position(kept);
            store.cut(Generation(1), position).unwrap();
            assert_eq!(contents(store, Generation(1)), batches[..kept], "{name}, {kept} kept");
        }
        let mut writer = store.open(Generation(1)).unwrap();
        writer.append(Lsn(10_000), &batches[0]).unwrap();
        writer.sync().unwrap();
        drop(writer);
        assert_eq!(contents(store, Generation(1)), batches[..1], "{name}");
    });
}

#[test]
fn a_generation_written_again_is_the_same() {
    each(|name, store| {
        let mut writer = store.create(Generation(1)).unwrap();
        // More than is read at once.
        let batches: Vec<_> = (1..=40).map(|lsn| sample(lsn * 10_000, 65_536)).collect();
        for (i, batch) in (1..).zip(&batches) {
            writer.append(Lsn(i * 10_000), batch).unwrap();
        }
        writer.sync().unwrap();
        drop(writer);
        store.write_again(Generation(1)).unwrap();
        assert_eq!(contents(store, Generation(1)), batches, "{name}");
    });
}

#[test]
fn names_of_generations_are_their_only_spelling() {
    for name in ["1", "+000000001", "00000000001", "0000000000", "000000000a", ""] {
        assert_eq!(Generation::parse(name), None, "{name}");
    }
    assert_eq!(Generation::parse("0000000001"), Some(Generation(1)));
    assert_eq!(Generation::parse(&Generation(u32::MAX).name()), Some(Generation(u32::MAX)));
}

#[test]
fn what_an_interrupted_creation_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("0000000004.new")).unwrap();
    std::fs::write(dir.path().join("0000000004.new/db"), b"half").unwrap();
    let store = SledStore::new(dir.path());
    assert_eq!(store.generations().unwrap(), []);
    store.remove_leftovers().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_snapshot_sled_had_not_finished_does_not_block_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::new(dir.path());
    let mut writer = store.create(Generation(1)).unwrap();
    writer.append(Lsn(1), &sample(1, 100)).unwrap();
    writer.sync().unwrap();
    drop(writer);
    let leftover = dir.path().join("0000000001/snap.0000000000000010.generating");
    std::fs::write(&leftover, b"half a snapshot").unwrap();
    assert_eq!(contents(&store, Generation(1)).len(), 1);
    assert!(!leftover.exists());
}

#[test]
fn a_value_in_a_blob_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::new(dir.path());
    drop(store.create(Generation(1)).unwrap());
    std::fs::write(dir.path().join("0000000001/blobs/7"), b"not synced").unwrap();
    assert!(store.open(Generation(1)).is_err_and(|error| error.to_string().contains("blob")));
}
