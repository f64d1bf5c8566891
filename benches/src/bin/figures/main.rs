//! `figures`: every figure of `benches/FIGURES.md`, each beside its bare limit, measured in this
//! run.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's own output")]

mod buyer;
mod dashboard;
mod durable;
mod engine;
mod events;
mod http;
mod payments;
mod provider;
mod queue;
mod recovery;
mod seat_map;
mod settle;
mod slow;
mod soak;
mod sockets;
mod websocket;

use std::path::PathBuf;

use anyhow::Context;
use tiketi_benches::{Setup, bare, gateway};

use tiketi_benches::table::Table;

/// The gateway's allocator, for everything that is measured beside it, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
figures [ROW...] [--dir DIR] [--seconds N]
figures soak [--dir DIR] [--seconds N]

Prints the table of figures. ROW is one of engine, scale, durable, lone, stores, http, events,
seat-map, queue, check, line, seat-change, slow, admission, sockets, churn, confirm, under-way,
called-off, reconcile, compare, dashboard, memory, recovery; all of them without one. DIR holds the
logs (default: target/figures); its disk is what is measured. N is the length of each timed run
(default 10). soak changes seats before 19,000 sockets for N seconds (default 600) and fails where
one was lost or missed a change.";

type Row = (&'static str, fn(&Setup, &mut Table) -> anyhow::Result<()>);

const ROWS: &[Row] = &[
    ("engine", engine::hold_and_give_back),
    ("scale", engine::scale),
    ("durable", durable::two_threads),
    ("lone", durable::lone_hold),
    ("stores", durable::stores),
    ("http", http::reserve),
    ("events", events::pages),
    ("seat-map", seat_map::cached_against_encoded),
    ("queue", queue::joins_and_positions),
    ("check", queue::check_over_http),
    ("line", queue::fourteen_million),
    ("seat-change", sockets::seat_changes),
    ("slow", slow::readers),
    ("admission", sockets::admissions),
    ("sockets", sockets::idle),
    ("churn", sockets::churn),
    ("confirm", payments::confirmations),
    ("under-way", payments::under_way),
    ("called-off", payments::called_off),
    ("reconcile", settle::reconciliation),
    ("compare", settle::comparison),
    ("dashboard", dashboard::a_million_orders),
    ("memory", recovery::memory_and_start),
    ("recovery", recovery::ten_million_records),
];

fn main() -> anyhow::Result<()> {
    let mut dir = PathBuf::from("target/figures");
    let mut seconds = None;
    let mut is_soak = false;
    let mut rows = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--dir" => dir = arguments.next().context("--dir needs a folder")?.into(),
            "--seconds" => {
                let number = arguments.next().context("--seconds needs a number")?;
                seconds = Some(number.parse().context("--seconds needs a number")?);
            }
            soak::COMMAND => is_soak = true,
            // The servers of the http rows are processes of their own.
            bare::ROLE => {
                let bytes = arguments.next().map(|bytes| bytes.parse()).transpose()?;
                return bare::serve(bytes);
            }
            gateway::ROLE => {
                let data: PathBuf = arguments.next().context("folder")?.into();
                let threshold = arguments.next().map(|threshold| threshold.parse()).transpose()?;
                return gateway::serve(data, threshold, None);
            }
            gateway::PAID_ROLE => {
                let data: PathBuf = arguments.next().context("folder")?.into();
                return gateway::serve(data, None, arguments.next());
            }
            provider::SANDBOX => return provider::sandbox(arguments.next().map(PathBuf::from)),
            provider::SILENCE => return provider::silence(),
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
    std::fs::create_dir_all(&dir)?;
    let mut table = Table::default();
    if is_soak {
        let setup = Setup { dir, seconds: seconds.unwrap_or(soak::SECONDS) };
        soak::sockets(&setup, &mut table)?;
        table.print();
        return Ok(());
    }
    let setup = Setup { dir, seconds: seconds.unwrap_or(10) };
    for (name, run) in ROWS {
        if rows.is_empty() || rows.iter().any(|row| row == name) {
            eprintln!("measuring {name} ...");
            run(&setup, &mut table).with_context(|| format!("row {name}"))?;
        }
    }
    table.print();
    Ok(())
}
