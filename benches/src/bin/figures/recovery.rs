//! Memory, and how long a start takes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tiketi_benches::{NOW, SEATS_PER_ROW, made, stock};
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::Engine;
use tiketi_engine::error::{CommandError, JournalUnavailable};
use tiketi_engine::ids::{EventIndex, SeatIndex};
use tiketi_engine::state::State;
use tiketi_persistence::{GroupCommit, Options, make_snapshot, open};

use tiketi_benches::Setup;
use tiketi_benches::table::{Table, count};

const EVENTS: u32 = 1_000;
const ROWS: u32 = 20;

/// The argument that makes this binary open a log and say what that took.
pub(crate) const ROLE: &str = "--open";

pub(crate) fn memory_and_start(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let full = installation(setup, EVENTS, ROWS)?;
    let empty = installation(setup, 1, 1)?;
    let (bytes, seconds) = opened_elsewhere(full.path())?;
    // The journal's own buffers and the program itself, whatever there is to sell.
    let (bytes_without, _) = opened_elsewhere(empty.path())?;
    let seats = f64::from(EVENTS * ROWS * SEATS_PER_ROW);
    table.row(
        "memory, fold and engine together, 1 million seats in 1,000 events",
        format!("{:.1} bytes a seat", (bytes - bytes_without) / seats),
        format!("a log with one event takes {:.0} MB", bytes_without / 1e6),
        "≤ 32",
    );
    table.row(
        "start with them from a snapshot",
        format!("{:.0} ms", seconds * 1e3),
        format!("reading its bytes: {:.1} ms", read_snapshot_ms(full.path())?),
        "≤ 1 s",
    );
    Ok(())
}

/// A data directory with a snapshot of so many halls.
fn installation(setup: &Setup, events: u32, rows: u32) -> anyhow::Result<tempfile::TempDir> {
    let dir = tempfile::tempdir_in(&setup.dir)?;
    let opened = open(&Options::new(dir.path()), NOW)?;
    let engine = engine_of(&opened.state, opened.journal)?;
    stock(&engine, events, rows, 1_000)?;
    engine.journal().close()?;
    drop(engine);
    make_snapshot(dir.path())?;
    Ok(dir)
}

/// Bytes and seconds that opening takes in a process whose memory nothing has used before.
pub(crate) fn opened_elsewhere(dir: &Path) -> anyhow::Result<(f64, f64)> {
    let output = Command::new(std::env::current_exe()?).arg(ROLE).arg(dir).output()?;
    let output = String::from_utf8(output.stdout)?;
    let mut figures = output.split_whitespace().map(str::parse::<f64>);
    let (bytes, seconds) = figures.next().zip(figures.next()).context("no figures")?;
    Ok((bytes?, seconds?))
}

/// Opens the log and builds the engine; prints the bytes and seconds that took.
pub(crate) fn open_and_tell(dir: &Path) -> anyhow::Result<()> {
    let before = resident_bytes()?;
    let started = Instant::now();
    let opened = open(&Options::new(dir), NOW)?;
    let engine = engine_of(&opened.state, opened.journal)?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{} {seconds}", resident_bytes()? - before);
    Ok(engine.journal().close()?)
}

fn engine_of(state: &State, journal: Arc<GroupCommit>) -> anyhow::Result<Engine<Arc<GroupCommit>>> {
    Engine::from_state(state, journal).map_err(anyhow::Error::msg)
}

fn resident_bytes() -> anyhow::Result<f64> {
    resident_bytes_of(std::process::id())
}

/// What a process has in memory.
pub(crate) fn resident_bytes_of(process: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
    Ok(kilobytes * 1024.0)
}

fn read_snapshot_ms(dir: &Path) -> anyhow::Result<f64> {
    let started = Instant::now();
    for entry in std::fs::read_dir(dir.join("snapshot"))? {
        std::hint::black_box(std::fs::read(entry?.path())?);
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

pub(crate) fn ten_million_records(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const RECORDS: u32 = 10_000_000;
    let dir = tempfile::tempdir_in(&setup.dir)?;
    // One generation, so that no snapshot takes part in the work.
    let mut options = Options::new(dir.path());
    options.generation_bytes = u64::MAX;
    let opened = open(&options, NOW)?;
    let engine = engine_of(&opened.state, opened.journal)?;
    let users = stock(&engine, 20, 10_000, 10_000)?;
    for hold in 0..RECORDS {
        let event = EventIndex(hold / 500_000);
        let wanted = WantedSeats::new(&[SeatIndex(hold % 500_000)])?;
        let asked = Asked { by: users[hold as usize % users.len()], at: NOW, key: None };
        loop {
            match engine.hold_seats(event, &wanted, asked) {
                Err(CommandError::Unavailable(JournalUnavailable::QueueFull)) => {
                    std::thread::yield_now();
                }
                held => {
                    made(held)?;
                    break;
                }
            };
        }
    }
    engine.journal().close()?;
    let log_bytes = folder_bytes(&dir.path().join("log"))?;
    let started = Instant::now();
    let opened = open(&options, NOW)?;
    let elapsed = started.elapsed().as_secs_f64();
    let records = opened.state.lsn().0 as f64;
    anyhow::ensure!(records >= f64::from(RECORDS), "the log is short");
    opened.journal.close()?;
    table.row(
        "recovery: 10 million records folded, sled",
        format!("{elapsed:.1} s ({} records/s)", count(records / elapsed)),
        format!("log of {:.0} MB", log_bytes as f64 / 1e6),
        "≤ 10 s",
    );
    Ok(())
}

fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => folder_bytes(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}
