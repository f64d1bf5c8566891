//! The simulator: a sale of any size in virtual time, played on the engine itself.
//!
//! Nothing here is a model of the engine: places, admissions, best seats, holds and their end are the
//! engine's own, told what time it is. What is modelled is people: when they come, how long they
//! think, whether they pay.

mod crowd;
mod engine;
mod forecast;
mod page;
mod people;
mod sale;

use std::path::PathBuf;
use std::thread::{self, available_parallelism};
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use serde::Serialize;

use crate::simulate::forecast::Forecast;
use crate::simulate::sale::{Part, Sale};

const EVENTS_MAX: u32 = 1_000;
const SEATS_MAX: u32 = 500_000;
const PEOPLE_MAX: u32 = 50_000_000;
/// Of a sale; one that is not over by then is shown as it is.
const HOURS_MAX: u64 = 48;

/// Who comes to which sale.
#[derive(Args, Clone, Debug, Serialize)]
pub(crate) struct Assumptions {
    /// Events that go on sale together
    #[arg(long, default_value_t = 1)]
    pub(crate) events: u32,
    /// Seats of each event
    #[arg(long, default_value_t = 50_000)]
    pub(crate) seats: u32,
    /// People who want to buy, each for one of the events
    #[arg(long, default_value_t = 500_000)]
    pub(crate) people: u32,
    /// How unequal the events' appeal is: 0 for equal, 1 where the second draws half of the first
    #[arg(long, default_value_t = 0.3)]
    pub(crate) unequal: f64,
    /// The share of the people who come within the first minute
    #[arg(long, default_value_t = 0.5)]
    pub(crate) rush: f64,
    /// How long the others take to come, in minutes, on average
    #[arg(long, default_value_t = 20.0)]
    pub(crate) tail_minutes: f64,
    /// How many people an event lets in at once
    #[arg(long, default_value_t = 1_000)]
    pub(crate) threshold: u32,
    /// How many an event lets in a second; no limit but the threshold where it is absent
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// How long somebody who was let in looks at seats, in seconds, on average
    #[arg(long, default_value_t = 40.0)]
    pub(crate) choose_seconds: f64,
    /// How long he takes to pay, in seconds, on average
    #[arg(long, default_value_t = 60.0)]
    pub(crate) pay_seconds: f64,
    /// How likely he pays what he holds; the others leave, and their seats wait for the hold to end
    #[arg(long, default_value_t = 0.85)]
    pub(crate) pay: f64,
    /// How long a hold lasts, in seconds
    #[arg(long, default_value_t = 300)]
    pub(crate) hold_seconds: u64,
    /// Shares of the people who want 1, 2, 3, … seats together
    #[arg(long, value_delimiter = ',', default_value = "0.2,0.5,0.1,0.2")]
    pub(crate) party: Vec<f64>,
    /// The same seed gives the same sale
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Requests a second that one machine answers; `figures http` measures it
    #[arg(long, default_value_t = 25_000)]
    pub(crate) machine_requests: u32,
    /// Sockets that one machine holds; `figures soak` measures it
    #[arg(long, default_value_t = 19_000)]
    pub(crate) machine_sockets: u32,
}

/// Where the forecast goes, besides the terminal.
#[derive(Args)]
pub(crate) struct Output {
    /// Write the numbers to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write a report with plots to this file, HTML in one piece
    #[arg(long)]
    report: Option<PathBuf>,
}

impl Assumptions {
    /// # Errors
    /// What cannot be, by its flag.
    fn check(&self) -> anyhow::Result<()> {
        let share = |name: &str, value: f64| {
            ensure!((0.0..=1.0).contains(&value), "--{name} is a share from 0 to 1, not {value}");
            Ok(())
        };
        let time = |name: &str, value: f64| {
            ensure!((0.0..=1e6).contains(&value), "--{name} is from 0 to 1000000, not {value}");
            Ok(())
        };
        let count = |name: &str, value: u32, max: u32| {
            ensure!((1..=max).contains(&value), "--{name} is from 1 to {max}, not {value}");
            Ok(())
        };
        count("events", self.events, EVENTS_MAX)?;
        count("seats", self.seats, SEATS_MAX)?;
        count("people", self.people, PEOPLE_MAX)?;
        count("threshold", self.threshold, u32::MAX)?;
        count("machine-requests", self.machine_requests, u32::MAX)?;
        count("machine-sockets", self.machine_sockets, u32::MAX)?;
        share("rush", self.rush)?;
        share("pay", self.pay)?;
        time("unequal", self.unequal)?;
        time("tail-minutes", self.tail_minutes)?;
        time("choose-seconds", self.choose_seconds)?;
        time("pay-seconds", self.pay_seconds)?;
        time("rate", self.rate.unwrap_or(1.0))?;
        ensure!(
            (10..=86_400).contains(&self.hold_seconds),
            "--hold-seconds is from 10 to 86400, not {}",
            self.hold_seconds
        );
        let whole: f64 = self.party.iter().sum();
        ensure!(
            (1..=engine::PARTY_MAX).contains(&self.party.len())
                && self.party.iter().all(|share| *share >= 0.0)
                && (whole - 1.0).abs() < 1e-6,
            "--party is 1 to {} shares that make 1, not {:?}",
            engine::PARTY_MAX,
            self.party
        );
        Ok(())
    }
}

/// Plays a part of the events on each processor.
fn play(assumptions: &Assumptions) -> anyhow::Result<Sale> {
    let processors = available_parallelism().map_or(1, |count| count.get() as u32);
    let every = processors.min(assumptions.events);
    let play_part = |first| {
        let mut sale = Sale::new(assumptions, Part { first, every })?;
        sale.play(HOURS_MAX * 3_600)?;
        anyhow::Ok(sale)
    };
    thread::scope(|scope| {
        let others: Vec<_> =
            (1..every).map(|first| scope.spawn(move || play_part(first))).collect();
        let mut sale = play_part(0)?;
        for other in others {
            let other = other.join().map_err(|_| anyhow!("a part of the sale panicked"))?;
            sale.absorb(other?)?;
        }
        Ok(sale)
    })
}

/// Plays the sale and tells what is to be expected of it.
///
/// # Errors
/// Assumptions that cannot be; a file that cannot be written.
#[expect(clippy::print_stdout, reason = "a command's own output")]
pub(crate) fn simulate(assumptions: &Assumptions, output: &Output) -> anyhow::Result<()> {
    assumptions.check()?;
    let begun = Instant::now();
    let sale = play(assumptions)?;
    let forecast = Forecast::new(assumptions, sale, begun.elapsed())?;
    print!("{}", forecast.text());
    if let Some(file) = &output.json {
        let json = serde_json::to_string_pretty(&forecast)?;
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &output.report {
        let page = page::page(&forecast);
        std::fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
