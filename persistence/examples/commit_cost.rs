//! What a commit costs on this disk: `cargo run --release -p tiketi-persistence --example commit_cost`,
//! and, if wanted, a directory, a list of `lone closed flood recover`, and `sled` or `segments`.
//!
//! Prints durable records a second with producers that never wait, the latency of a lone record
//! against a bare `pwrite` + `fdatasync` of 4 KiB, and the cost of a batch with many waiters.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool that prints")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tiketi_engine::ids::{Lsn, UnixMillis};
use tiketi_engine::journal::{Journal, Purpose};
use tiketi_persistence::{GroupCommit, LogReader, Options, StoreKind, open};

#[path = "../tests/journal/common.rs"]
mod common;

fn main() {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "commit_cost_data".into());
    let dir = Path::new(&dir);
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).unwrap();
    bare(dir);
    for store in [StoreKind::Sled, StoreKind::Segments] {
        let what = std::env::args().nth(2).unwrap_or_default();
        if std::env::args().nth(3).is_some_and(|only| only != store.name()) {
            continue;
        }
        println!("== {store}");
        let journal = |name: &str| {
            let mut options = Options::new(dir.join(format!("{store}-{name}")));
            options.store = store;
            // The records repeat, so they do not fold; the one case that does sets its own.
            if name != "recover" {
                options.generation_bytes = u64::MAX;
            }
            (open(&options, UnixMillis(1)).unwrap().journal, options)
        };
        if what.is_empty() || what.contains("lone") {
            lone(&journal("lone").0);
        }
        if what.is_empty() || what.contains("closed") {
            for waiters in [8, 64] {
                closed_loop(&journal(&format!("closed{waiters}")).0, waiters);
            }
        }
        if what.is_empty() || what.contains("flood") {
            flood(&journal("flood").0, 2, Duration::from_secs(5));
        }
        if what.contains("recover") {
            let (journal, options) = journal("recover");
            fill(&journal, 10_000_000);
            journal.close().unwrap();
            recover(&options);
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}

fn bare(dir: &Path) {
    let file = File::create(dir.join("bare")).unwrap();
    let mut times = Vec::new();
    for i in 0..2_000 {
        let begun = Instant::now();
        file.write_all_at(&[7; 4096], i * 4096).unwrap();
        file.sync_data().unwrap();
        times.push(begun.elapsed());
    }
    print_times("bare pwrite + fdatasync of 4 KiB", &mut times);
}

fn print_times(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_micros();
    println!("{what}: p50 {} us, p99 {} us, max {} us", at(0.5), at(0.99), at(1.0));
}

fn lone(journal: &Arc<GroupCommit>) {
    let mut times = Vec::new();
    for number in 0..2_000 {
        let record = common::record(number);
        let begun = Instant::now();
        let permit = journal.reserve(Purpose::NewWork).unwrap();
        let lsn = journal.append(permit, &record);
        journal.durable().wait_blocking(lsn).unwrap();
        times.push(begun.elapsed());
    }
    print_times("lone durable record", &mut times);
}

/// Tasks that each wait for their record before the next, on a runtime of two threads.
fn closed_loop(journal: &Arc<GroupCommit>, waiters: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let cpu = cpu_time();
    let begun = Instant::now();
    let batches = journal.batches();
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..waiters)
        .map(|_| {
            let (journal, stop, done) = (journal.clone(), stop.clone(), done.clone());
            runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let permit = journal.reserve(Purpose::NewWork).unwrap();
                    let lsn = journal.append(permit, &common::record(3));
                    journal.durable().wait(lsn).await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_secs(4));
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (done, batches) = (done.load(Ordering::Relaxed), journal.batches() - batches);
    let cpu = cpu_time() - cpu;
    println!(
        "{waiters} waiters: {:.0} records/s, {:.1} a batch, {:.0} batches/s, {:.0} us of CPU a batch, \
         {:.0} % of two cores",
        done as f64 / seconds,
        done as f64 / batches as f64,
        batches as f64 / seconds,
        cpu.as_secs_f64() * 1e6 / batches as f64,
        cpu.as_secs_f64() / seconds * 50.0,
    );
}

/// CPU time of the whole process.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Bytes this process has sent to the disk.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse().unwrap()
}

/// Producers that append whenever there is room; every 64th record is timed to its acknowledgement.
fn flood(journal: &Arc<GroupCommit>, producers: usize, time: Duration) {
    let begun = Instant::now();
    let first = journal.appended_lsn();
    let cpu = cpu_time();
    let batches = journal.batches();
    let written = written_bytes();
    let (sender, samples) = crossbeam::channel::unbounded::<(Lsn, Instant)>();
    let watcher = {
        let journal = journal.clone();
        thread::spawn(move || {
            let mut times = Vec::new();
            for (lsn, begun) in samples {
                journal.durable().wait_blocking(lsn).unwrap();
                times.push(begun.elapsed());
            }
            times
        })
    };
    let threads: Vec<_> = (0..producers)
        .map(|_| {
            let (journal, sender) = (journal.clone(), sender.clone());
            thread::spawn(move || {
                let record = common::record(3);
                let mut appended = 0_u64;
                let mut refused = 0_u64;
                while begun.elapsed() < time {
                    for i in 0..256 {
                        match journal.reserve(Purpose::NewWork) {
                            Ok(permit) => {
                                let now = (i == 0).then(Instant::now);
                                let lsn = journal.append(permit, &record);
                                if let Some(now) = now {
                                    sender.send((lsn, now)).unwrap();
                                }
                                appended += 1;
                            }
                            Err(_) => {
                                refused += 1;
                                thread::sleep(Duration::from_micros(200));
                            }
                        }
                    }
                }
                (appended, refused)
            })
        })
        .collect();
    let counts: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    drop(sender);
    let last = journal.appended_lsn();
    journal.durable().wait_blocking(last).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let records = last.0 - first.0;
    let batches = journal.batches() - batches;
    println!(
        "{producers} producers: {:.2} million records/s, {:.0} MB/s written, {:.0} a batch, \
         {:.0} us a batch, {:.0} % of two cores, refused {}",
        records as f64 / seconds / 1e6,
        (written_bytes() - written) as f64 / seconds / 1e6,
        records as f64 / batches as f64,
        seconds * 1e6 / batches as f64,
        (cpu_time() - cpu).as_secs_f64() / seconds * 50.0,
        counts.iter().map(|count| count.1).sum::<u64>(),
    );
    print_times("  append to acknowledgement", &mut watcher.join().unwrap());
}

fn fill(journal: &Arc<GroupCommit>, records: u64) {
    for number in 0..records {
        let record = common::record(number);
        loop {
            if let Ok(permit) = journal.reserve(Purpose::NewWork) {
                journal.append(permit, &record);
                break;
            }
            thread::sleep(Duration::from_micros(200));
        }
    }
    journal.durable().wait_blocking(journal.appended_lsn()).unwrap();
}

fn recover(options: &Options) {
    let begun = Instant::now();
    let opened = open(options, UnixMillis(1)).unwrap();
    let elapsed = begun.elapsed();
    println!(
        "recovery of {} records in {elapsed:.2?}: {:?}",
        opened.report.recovered_lsn, opened.report
    );
    opened.journal.close().unwrap();
    let begun = Instant::now();
    let verified = LogReader::open(&options.dir).unwrap().verify().unwrap();
    println!("verify in {:.2?}: {} records", begun.elapsed(), verified.records);
}
