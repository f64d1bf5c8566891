//! Damaged copies of a data directory: a start has everything, or is refused; never short, never
//! wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tiketi_engine::ids::{Epoch, UnixMillis};
use tiketi_engine::record::Record;
use tiketi_engine::state::State;
use tiketi_persistence::sim_store::Choices;
use tiketi_persistence::{FatalHook, Housekeeping, Options, StoreKind, open};

use crate::{append, fold};

type Image = BTreeMap<PathBuf, Vec<u8>>;

fn options(dir: &Path, store: StoreKind) -> Options {
    let mut options = Options::new(dir);
    options.store = store;
    options.ballast_bytes = 0;
    options.generation_bytes = 6_000;
    options.housekeeping = Housekeeping::Inline;
    options.on_fatal = FatalHook::new(|_| {});
    options
}

fn take(dir: &Path) -> Image {
    fn walk(dir: &Path, root: &Path, image: &mut Image) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, image);
            } else if path.file_name() != Some("lock".as_ref()) {
                let name = path.strip_prefix(root).unwrap().to_owned();
                image.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut image = Image::new();
    walk(dir, dir, &mut image);
    image
}

fn put(image: &Image, dir: &Path) {
    for (name, content) in image {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    // sled wants it, though it is empty.
    if let Ok(generations) = fs::read_dir(dir.join("log")) {
        for generation in generations {
            let path = generation.unwrap().path();
            if path.is_dir() {
                fs::create_dir_all(path.join("blobs")).unwrap();
            }
        }
    }
}

/// An image in the middle of a life, one at its end, and the state at its end.
fn life(store: StoreKind) -> (Image, Image, State) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Vec::new();
    let mut images = Vec::new();
    for (epoch, records) in [(1, 0..150), (2, 150..300)] {
        let opened = open(&options(dir.path(), store), UnixMillis(epoch)).unwrap();
        let at = UnixMillis(epoch).max(fold(&log).last_at());
        log.push(Record::EpochStarted { epoch: Epoch(epoch), at });
        log.extend(records.clone().map(crate::common::record));
        append(&opened, records.start, records.end);
        opened.journal.close().unwrap();
        images.push(take(dir.path()));
    }
    let [older, newest] = images.try_into().unwrap();
    (older, newest, fold(&log))
}

/// Damages an image one way; says how.
fn damage(image: &mut Image, older: &Image, choices: &mut Choices) -> String {
    // Mostly the log, which is most of the data.
    let names: Vec<_> = image.keys().cloned().collect();
    let logs: Vec<_> = names.iter().filter(|name| name.starts_with("log")).cloned().collect();
    let from = if choices.below(4) == 0 { &names } else { &logs };
    let name = from[choices.below(from.len() as u64) as usize].clone();
    let content = image.get_mut(&name).unwrap();
    let len = content.len() as u64;
    let how = match choices.below(8) {
        _ if len == 0 => {
            image.remove(&name);
            "deleted while empty".into()
        }
        0..=2 => {
            let bit = choices.below(len * 8) as usize;
            content[bit / 8] ^= 1 << (bit % 8);
            format!("bit {bit} flipped")
        }
        3 => {
            let kept = choices.below(len);
            content.truncate(kept as usize);
            format!("cut to {kept} of {len}")
        }
        4 => {
            let from = choices.below(len) as usize;
            let to = content.len().min(from + 1 + choices.below(4_096) as usize);
            content[from..to].fill(0);
            format!("{from}..{to} zeroed")
        }
        5 => {
            let size = 1 + choices.below(len.min(1_024) / 2) as usize;
            let a = choices.below(len - 2 * size as u64 + 1) as usize;
            let b = a + size + choices.below(len - (a + 2 * size) as u64 + 1) as usize;
            let (left, right) = content.split_at_mut(b);
            left[a..a + size].swap_with_slice(&mut right[..size]);
            format!("{size} bytes at {a} and {b} swapped")
        }
        6 => {
            image.remove(&name);
            "deleted".into()
        }
        _ => match older.get(&name) {
            Some(old) => {
                old.clone_into(content);
                "replaced by an older one".into()
            }
            None => {
                let other = logs[choices.below(logs.len() as u64) as usize].clone();
                let moved = image[&other].clone();
                image.insert(name.clone(), moved);
                format!("replaced by {}", other.display())
            }
        },
    };
    format!("{} {how}", name.display())
}

fn check(store: StoreKind, images: u64) {
    let (older, newest, expected) = life(store);
    let whole = tempfile::tempdir().unwrap();
    put(&newest, whole.path());
    let opened = open(&options(whole.path(), store), UnixMillis(1)).unwrap();
    assert_eq!(opened.report.recovered_lsn, expected.lsn());
    opened.journal.close().unwrap();
    drop(whole);

    let (mut full, mut refused) = (0, 0);
    for seed in 0..images {
        let mut choices = Choices::new(seed);
        let mut image = newest.clone();
        let how = damage(&mut image, &older, &mut choices);
        println!("{store}, seed {seed}: {how}");
        let dir = tempfile::tempdir().unwrap();
        put(&image, dir.path());
        match open(&options(dir.path(), store), UnixMillis(1)) {
            Ok(opened) => {
                let mut served = expected.clone();
                let at = UnixMillis(1).max(served.last_at());
                let started = Record::EpochStarted { epoch: expected.epoch().next(), at };
                served.apply(expected.lsn().next(), &started).unwrap();
                assert!(opened.state == served, "seed {seed}: short or wrong after {how}");
                full += 1;
            }
            Err(error) => {
                println!("    {error}");
                refused += 1;
            }
        }
    }
    println!("{store}: {full} full, {refused} refused");
    assert!(full > images / 20 && refused > images / 5, "{full} full, {refused} refused");
}

#[test]
fn damaged_segments_are_refused_or_whole() {
    check(StoreKind::Segments, 400);
}

#[test]
fn damaged_sled_is_refused_or_whole() {
    check(StoreKind::Sled, 200);
}
