//! What a run came to: the numbers in the end, for the terminal, for programs and for the report.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::audit::{Findings, SaleState};
use crate::chaos;
use crate::contract::SeatStatus;
use crate::record::{Second, Step, StepRecord};
use crate::run::Run;
use crate::scenario::Scenario;
use crate::settings::Settings;

/// What the run took of this process.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) wall_seconds: f64,
    pub(crate) processor_seconds: f64,
}

/// Everything that is known of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) scenario: &'static str,
    pub(crate) target: String,
    pub(crate) settings: Settings,
    pub(crate) accounts: usize,
    pub(crate) arrivals: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) answers_per_second: f64,
    /// Messages that watchers heard.
    pub(crate) heard: u64,
    pub(crate) steps: Vec<StepRow>,
    /// Refusals and errors by their code.
    pub(crate) codes: BTreeMap<String, u64>,
    pub(crate) seats: Seats,
    pub(crate) audit: Audit,
    /// What was done to the server, where anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chaos: Option<chaos::Report>,
    pub(crate) limits: Vec<LimitRow>,
    pub(crate) tester: Tester,
    pub(crate) notes: Vec<String>,
    pub(crate) series: Vec<Second>,
}

/// One step in the end.
#[derive(Debug, Serialize)]
pub(crate) struct StepRow {
    pub(crate) name: &'static str,
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) mean_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    /// Shares and the milliseconds that they stayed below.
    pub(crate) curve: Vec<(f64, f64)>,
}

/// The hall in the end, as the server says.
#[derive(Debug, Serialize)]
pub(crate) struct Seats {
    pub(crate) total: usize,
    pub(crate) sold: usize,
    pub(crate) held: usize,
    pub(crate) left: usize,
}

/// What the auditor says.
#[derive(Debug, Serialize)]
pub(crate) struct Audit {
    pub(crate) sales: usize,
    pub(crate) paid: usize,
    pub(crate) unknown: usize,
    pub(crate) won: u64,
    pub(crate) waited: usize,
    pub(crate) let_in: usize,
    pub(crate) count: u64,
    /// The first ones of them.
    pub(crate) findings: Vec<String>,
}

/// A limit that was set.
#[derive(Debug, Serialize)]
pub(crate) struct LimitRow {
    pub(crate) name: String,
    pub(crate) limit: f64,
    pub(crate) was: f64,
    pub(crate) has_held: bool,
}

/// What the tester itself did to the numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Tester {
    #[serde(flatten)]
    pub(crate) cost: Cost,
    /// Of one processor.
    pub(crate) processor_share: f64,
    /// How late requests began.
    pub(crate) lag_p50_ms: f64,
    pub(crate) lag_p99_ms: f64,
}

impl Summary {
    pub(crate) fn of(
        scenario: Scenario,
        target: &str,
        run: &Run,
        cost: Cost,
        notes: Vec<String>,
        chaos: Option<chaos::Report>,
    ) -> Summary {
        let record = run.record.borrow();
        let steps: Vec<StepRow> =
            Step::ALL.into_iter().filter_map(|step| row(step, record.step(step))).collect();
        let answers_per_second = record.answered() as f64 / cost.wall_seconds;
        let limits = limits(&run.settings, &steps, answers_per_second);
        let lag = record.lag_us();
        Summary {
            scenario: scenario.name(),
            target: target.to_owned(),
            settings: run.settings.clone(),
            accounts: run.people.count(),
            arrivals: record.series.iter().map(|second| second.arrivals).sum(),
            answered: record.answered(),
            failed: record.failed(),
            answers_per_second,
            heard: record.heard,
            steps,
            codes: record.codes().clone(),
            seats: seats(run.hall.borrow().view()),
            audit: audit(run),
            chaos,
            limits,
            tester: Tester {
                cost,
                processor_share: cost.processor_seconds / cost.wall_seconds,
                lag_p50_ms: ms(lag, 0.5),
                lag_p99_ms: ms(lag, 0.99),
            },
            notes,
            series: record.series.clone(),
        }
    }

    /// Whether the auditor found nothing and every limit held.
    pub(crate) fn has_held(&self) -> bool {
        self.audit.count == 0 && self.limits.iter().all(|limit| limit.has_held)
    }
}

fn row(step: Step, record: &StepRecord) -> Option<StepRow> {
    const CURVE: [f64; 14] =
        [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999];
    let latency = &record.latency_us;
    if latency.is_empty() {
        return None;
    }
    // A share that none of them stands for says nothing.
    let counts = |share: &&f64| (1.0 - **share) * latency.len() as f64 >= 1.0;
    Some(StepRow {
        name: step.name(),
        done: record.done,
        refused: record.refused,
        failed: record.failed,
        mean_ms: latency.mean() / 1e3,
        p50_ms: ms(latency, 0.5),
        p90_ms: ms(latency, 0.9),
        p99_ms: ms(latency, 0.99),
        p999_ms: ms(latency, 0.999),
        max_ms: ms(latency, 1.0),
        curve: CURVE.iter().filter(counts).map(|share| (*share, ms(latency, *share))).collect(),
    })
}

fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

fn seats(view: &[SeatStatus]) -> Seats {
    let count = |status| view.iter().filter(|seat| **seat == status).count();
    Seats {
        total: view.len(),
        sold: count(SeatStatus::Reserved),
        held: count(SeatStatus::Locked),
        left: count(SeatStatus::Available),
    }
}

fn audit(run: &Run) -> Audit {
    let turns = run.turns.take();
    let (waited, let_in) = (turns.waited(), turns.let_in());
    let turns = turns.findings();
    let mut ledger = run.ledger.borrow_mut();
    let Findings { said, count } = std::mem::take(ledger.findings());
    let sales = ledger.sales();
    let paid = || sales.iter().filter(|sale| sale.state == SaleState::Paid);
    let is_unknown =
        |state| matches!(state, SaleState::Paying | SaleState::PayUnknown | SaleState::Cancelling);
    Audit {
        sales: sales.len(),
        paid: paid().count(),
        unknown: sales.iter().filter(|sale| is_unknown(sale.state)).count(),
        won: paid().map(|sale| sale.amount).sum(),
        waited,
        let_in,
        count: count + turns.count,
        findings: [said, turns.said].concat(),
    }
}

fn limits(settings: &Settings, steps: &[StepRow], answers_per_second: f64) -> Vec<LimitRow> {
    let mut limits = Vec::new();
    if let Some(limit) = settings.max_p99 {
        for step in steps {
            let (name, was) = (format!("max-p99 of {}", step.name), step.p99_ms);
            limits.push(LimitRow { name, limit, was, has_held: was <= limit });
        }
    }
    if let Some(limit) = settings.min_rate {
        let (name, was) = ("min-rate".to_owned(), answers_per_second);
        limits.push(LimitRow { name, limit, was, has_held: was >= limit });
    }
    limits
}
