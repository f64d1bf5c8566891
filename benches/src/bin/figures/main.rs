//! `figures`: every figure the README promises, each beside its bare limit, measured in this run.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's own output")]

mod bare;
mod client;
mod durable;
mod engine;
mod http;
mod queue;
mod recovery;
mod seat_map;
mod sockets;
mod table;

use std::path::PathBuf;

use anyhow::Context;

use crate::table::Table;

/// The gateway's allocator, for everything that is measured beside it, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
figures [ROW...] [--dir DIR] [--seconds N]

Prints the table of figures. ROW is one of engine, scale, durable, lone, stores, http, seat-map,
queue, check, line, seat-change, admission, sockets, churn, memory, recovery; all of them without one. DIR holds the logs (default: target/figures); its disk is
what is measured. N is the length of each timed run (default 10).";

/// What the runs need to know.
pub(crate) struct Setup {
    pub(crate) dir: PathBuf,
    pub(crate) seconds: u64,
}

type Row = (&'static str, fn(&Setup, &mut Table) -> anyhow::Result<()>);

const ROWS: &[Row] = &[
    ("engine", engine::hold_and_give_back),
    ("scale", engine::scale),
    ("durable", durable::two_threads),
    ("lone", durable::lone_hold),
    ("stores", durable::stores),
    ("http", http::reserve),
    ("seat-map", seat_map::cached_against_encoded),
    ("queue", queue::joins_and_positions),
    ("check", queue::check_over_http),
    ("line", queue::fourteen_million),
    ("seat-change", sockets::seat_changes),
    ("admission", sockets::admissions),
    ("sockets", sockets::idle),
    ("churn", sockets::churn),
    ("memory", recovery::memory_and_start),
    ("recovery", recovery::ten_million_records),
];

fn main() -> anyhow::Result<()> {
    let mut setup = Setup { dir: PathBuf::from("target/figures"), seconds: 10 };
    let mut rows = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--dir" => setup.dir = arguments.next().context("--dir needs a folder")?.into(),
            "--seconds" => {
                let seconds = arguments.next().context("--seconds needs a number")?;
                setup.seconds = seconds.parse().context("--seconds needs a number")?;
            }
            // The servers of the http rows are processes of their own.
            bare::ROLE => return bare::serve(),
            http::ROLE => {
                let data: PathBuf = arguments.next().context("folder")?.into();
                let threshold = arguments.next().map(|threshold| threshold.parse()).transpose()?;
                return http::serve(data, threshold);
            }
            seat_map::ROLE => return seat_map::serve(),
            recovery::ROLE => {
                let dir: PathBuf = arguments.next().context("folder")?.into();
                return recovery::open_and_tell(&dir);
            }
            name if ROWS.iter().any(|(row, _)| *row == name) => rows.push(name.to_owned()),
            _ => {
                println!("{USAGE}");
                return Ok(());
            }
        }
    }
    std::fs::create_dir_all(&setup.dir)?;
    let mut table = Table::default();
    for (name, run) in ROWS {
        if rows.is_empty() || rows.iter().any(|row| row == name) {
            eprintln!("measuring {name} ...");
            run(&setup, &mut table).with_context(|| format!("row {name}"))?;
        }
    }
    table.print();
    Ok(())
}
