//! Damaged images of one directory: the start serves everything or is refused; never less, never
//! something else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use crate::check::compare;
use crate::driver::Drivers;
use crate::launch::Launch;
use crate::machine;
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop};

const PAGE: usize = 4096;

/// `tiketi log verify` looks at every so many-th image.
const TOOL_LOOKS: usize = 5;

/// Its exit code for damaged data.
const TOOL_DAMAGED: i32 = 4;

/// A directory with a history: three stages, each ended by a snapshot but the last.
struct History {
    _dir: tempfile::TempDir,
    whole: PathBuf,
    /// The same directory earlier.
    earlier: Vec<PathBuf>,
    shops: Vec<Arc<Shop>>,
}

impl History {
    fn make(store: &str, random: &mut Random) -> History {
        let dir = tempfile::tempdir().expect("directory");
        let whole = dir.path().join("data");
        let launch = Launch::new(&whole).store(store);
        let positions = Positions::default();
        let mut history =
            History { whole: whole.clone(), earlier: Vec::new(), shops: Vec::new(), _dir: dir };
        for stage in 0..4 {
            let server = launch.must_start();
            let plan = Plan { buyers: 3, ..Plan::default() };
            let shop = Arc::new(Shop::open(&server, plan, &positions).expect("shop"));
            Drivers::start_for(&shop, server.address, random, 350).join();
            compare(&server, &shop).expect("nothing is damaged yet");
            history.shops.push(shop);
            server.must_stop();
            let earlier = history.whole.with_file_name(format!("earlier-{stage}"));
            copy(&whole, &earlier);
            history.earlier.push(earlier);
            if stage < 3 {
                machine::rotate(&whole, store);
            }
        }
        let generations = fs::read_dir(whole.join("log")).expect("list").count();
        assert!(generations >= 2, "one generation only");
        let records = positions.lock().unwrap().len();
        assert!(records > 1_500, "only {records} acknowledgements");
        machine::audit(&whole);
        history
    }
}

/// Copies a directory but for what a start makes anew.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("directory");
    for entry in fs::read_dir(from).expect("list") {
        let entry = entry.expect("entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().expect("type").is_dir() {
            copy(&from, &to);
        } else if entry.file_name() != "ballast" && entry.file_name() != "lock" {
            fs::copy(&from, &to).expect("copy");
        }
    }
}

/// The files of a directory, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("list") {
        let entry = entry.expect("entry");
        match entry.file_type().expect("type").is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

/// A file, and most often one of those that hold much.
fn choose(files: &[PathBuf], random: &mut Random) -> PathBuf {
    let large: Vec<&PathBuf> =
        files.iter().filter(|file| file.metadata().expect("size").len() > PAGE as u64).collect();
    match random.below(10) {
        0..5 if !large.is_empty() => (*random.pick(&large)).clone(),
        5 => files.iter().find(|file| file.ends_with("mark")).expect("a mark").clone(),
        _ => random.pick(files).clone(),
    }
}

/// Where the bytes that mean something end, in whole pages.
fn used(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0);
    ((last / PAGE) + 1) * PAGE
}

/// Damages an image; says how.
fn damage(image: &Path, history: &History, random: &mut Random) -> String {
    let all = files(image);
    let file = choose(&all, random);
    let name = file.strip_prefix(image).expect("inside").display().to_string();
    let mut bytes = fs::read(&file).expect("read");
    let used = used(&bytes).min(bytes.len()).max(1);
    match random.below(20) {
        0..7 if !bytes.is_empty() => {
            let (at, bit) = (random.below(used), random.below(8));
            bytes[at] ^= 1 << bit;
            fs::write(&file, &bytes).expect("write");
            format!("{name}: bit {bit} of byte {at} flipped")
        }
        7..10 if !bytes.is_empty() => {
            let at = match random.below(3) {
                0 => random.below(used),
                1 => random.below(used) / PAGE * PAGE,
                _ => used - 1,
            };
            fs::write(&file, &bytes[..at]).expect("write");
            format!("{name}: cut to {at} of {} bytes", bytes.len())
        }
        10..13 if !bytes.is_empty() => {
            let size = *random.pick(&[512, PAGE]);
            let at = random.below(used) / size * size;
            let end = (at + size).min(bytes.len());
            bytes[at..end].fill(0);
            fs::write(&file, &bytes).expect("write");
            format!("{name}: bytes {at}..{end} zeroed")
        }
        13 | 14 if used >= 2 * PAGE => {
            let pages = used / PAGE;
            let (a, b) = (random.below(pages), random.below(pages));
            let (a, b) = (a.min(b) * PAGE, a.max(b) * PAGE);
            if a != b {
                let (head, tail) = bytes.split_at_mut(b);
                let length = PAGE.min(tail.len());
                head[a..a + length].swap_with_slice(&mut tail[..length]);
            }
            fs::write(&file, &bytes).expect("write");
            format!("{name}: pages at {a} and {b} swapped")
        }
        15 => {
            let other = choose(&all, random);
            let theirs = fs::read(&other).expect("read");
            fs::write(&other, &bytes).expect("write");
            fs::write(&file, theirs).expect("write");
            format!("{name} and {} swapped", other.strip_prefix(image).expect("inside").display())
        }
        16 | 17 => {
            // A whole generation now and then.
            let generation = file.parent().filter(|parent| {
                parent.parent().is_some_and(|log| log.ends_with("log")) && random.one_in(2)
            });
            match generation {
                Some(generation) => {
                    fs::remove_dir_all(generation).expect("remove");
                    format!("the generation of {name} deleted")
                }
                None => {
                    fs::remove_file(&file).expect("remove");
                    format!("{name} deleted")
                }
            }
        }
        _ => {
            let earlier = random.pick(&history.earlier[..history.earlier.len() - 1]);
            let older = earlier.join(&name);
            match fs::read(&older) {
                Ok(older) => fs::write(&file, older).expect("write"),
                Err(_) => fs::remove_file(&file).expect("remove"),
            }
            format!("{name} put back from {}", earlier.file_name().expect("name").display())
        }
    }
}

fn images(test: &str, store: &str, count: usize) {
    let _turn = machine::turn();
    let mut random = Random::seeded(test);
    let history = History::make(store, &mut random);
    let (mut full, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for index in 0..count {
        let dir = tempfile::tempdir().expect("directory");
        let image = dir.path().join("data");
        copy(&history.whole, &image);
        let how = damage(&image, &history, &mut random);
        // The tool looks first, at a copy of its own.
        let looked = (index % TOOL_LOOKS == 0).then(|| {
            let copied = dir.path().join("copy");
            copy(&image, &copied);
            machine::tiketi_on(&copied, &["log", "verify"])
        });
        let serves = match Launch::new(&image).store(store).start() {
            Ok(server) => {
                for shop in &history.shops {
                    if let Err(problems) = compare(&server, shop) {
                        let few: String = problems.lines().take(3).collect::<Vec<_>>().join("\n");
                        wrong.push(format!("image {index}, {how}: served, but {few}"));
                        break;
                    }
                }
                full += 1;
                true
            }
            Err(ended) => {
                if let Some(why) = unclear(&ended.stderr, ended.status.code()) {
                    wrong.push(format!("image {index}, {how}: {why}: {ended}"));
                }
                refused += 1;
                if std::env::var_os("TIKETI_FAULTS_TALK").is_some() {
                    eprintln!("{how}: {}", ended.stderr.trim_end());
                }
                false
            }
        };
        // It may find damage that the start does not need to look at, and never the other way round.
        let disagrees = |output: &Output| match output.status.code() {
            Some(0) => !serves,
            Some(TOOL_DAMAGED) => false,
            _ => serves,
        };
        if let Some(output) = looked.filter(disagrees) {
            wrong.push(format!("image {index}, {how}: served: {serves}; the tool says {output:?}"));
        }
    }
    eprintln!("{test}: {count} images: {full} served everything, {refused} were refused");
    assert!(wrong.is_empty(), "{} of {count} images:\n{}", wrong.len(), wrong.join("\n"));
    assert!(full > 0 && refused > 0, "the damage is of one kind only");
}

/// What is wrong with a refusal: another code than 1, a panic, no word on what.
fn unclear(stderr: &str, code: Option<i32>) -> Option<&'static str> {
    let last = stderr.lines().last().unwrap_or_default();
    if code != Some(1) {
        Some("not the exit code of a refused start")
    } else if stderr.contains("panicked at") || stderr.contains("stack backtrace") {
        Some("a panic shows")
    } else if !last.starts_with("tiketi-gateway: ") || last.len() < 40 {
        Some("the last line does not say why")
    } else {
        None
    }
}

#[test]
fn a_damaged_image_serves_everything_or_is_refused() {
    images("damage", "sled", machine::scaled(200));
}

#[test]
fn a_damaged_image_of_segments_serves_everything_or_is_refused() {
    images("damage, segments", "segments", machine::scaled(60));
}
