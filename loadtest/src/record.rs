//! What was measured: latencies per step in histograms, everything per second for the plots.
//!
//! A latency counts from the moment at which somebody meant to do something. Whether the tester,
//! its connections or the server were late does not shorten it, so a stall shows in full.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Ten minutes; longer waits count as that.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Names of codes come from the server; more than so many different ones are no names.
const CODES_MAX: usize = 64;

/// What people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// `GET /api/events/:id`
    Event,
    /// `POST /api/queue/check/:id`
    Join,
    /// `GET /api/queue/status/:id`
    Poll,
    /// `POST /api/queue/leave/:id`
    Leave,
    /// `GET /api/seats/events/:id`
    Map,
    /// `POST /api/seats/reserve`
    Hold,
    /// `POST /api/payments/process`
    Pay,
    /// `GET /api/reservations/my`
    Tickets,
    /// `POST /api/reservations/:id/cancel`
    Cancel,
    /// A socket from the first byte to its room
    Connect,
    /// From a hold's or payment's sending until a watcher hears of it
    Heard,
}

impl Step {
    pub(crate) const ALL: [Step; 11] = [
        Step::Event,
        Step::Join,
        Step::Poll,
        Step::Leave,
        Step::Map,
        Step::Hold,
        Step::Pay,
        Step::Tickets,
        Step::Cancel,
        Step::Connect,
        Step::Heard,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::Event => "event page",
            Step::Join => "join line",
            Step::Poll => "poll line",
            Step::Leave => "leave",
            Step::Map => "seat map",
            Step::Hold => "hold",
            Step::Pay => "pay",
            Step::Tickets => "ticket list",
            Step::Cancel => "cancel",
            Step::Connect => "connect socket",
            Step::Heard => "socket hears",
        }
    }
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending<'a> {
    Done,
    /// The server said no, as it may: the seat is gone, the line is not over.
    Refused(&'a str),
    /// It should have worked.
    Failed(&'a str),
}

/// One step's numbers.
pub(crate) struct StepRecord {
    pub(crate) latency_us: Histogram<u64>,
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
}

/// One second of the run, or what passed of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Second {
    /// Since the run began, at its end.
    pub(crate) at: f64,
    pub(crate) arrivals: u64,
    pub(crate) answers: u64,
    pub(crate) errors: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) line: u64,
    pub(crate) held: u64,
    pub(crate) sold: u64,
    pub(crate) sockets: u64,
}

/// Levels at the end of a second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Levels {
    pub(crate) line: u64,
    pub(crate) held: u64,
    pub(crate) sold: u64,
    pub(crate) sockets: u64,
}

/// The numbers of a run.
pub(crate) struct Recorder {
    steps: Vec<StepRecord>,
    codes: BTreeMap<String, u64>,
    /// How late the tester itself was.
    lag_us: Histogram<u64>,
    second: Histogram<u64>,
    now: Second,
    begun: Instant,
    pub(crate) series: Vec<Second>,
    /// Events in the messages of all watchers.
    pub(crate) heard: u64,
}

impl Recorder {
    pub(crate) fn new(begun: Instant) -> Recorder {
        let step = |_| StepRecord { latency_us: histogram(), done: 0, refused: 0, failed: 0 };
        Recorder {
            steps: Step::ALL.iter().map(step).collect(),
            codes: BTreeMap::new(),
            lag_us: histogram(),
            second: histogram(),
            now: Second::default(),
            begun,
            series: Vec::new(),
            heard: 0,
        }
    }

    pub(crate) fn step(&self, step: Step) -> &StepRecord {
        &self.steps[step as usize]
    }

    pub(crate) fn codes(&self) -> &BTreeMap<String, u64> {
        &self.codes
    }

    pub(crate) fn lag_us(&self) -> &Histogram<u64> {
        &self.lag_us
    }

    pub(crate) fn arrived(&mut self) {
        self.now.arrivals += 1;
    }

    /// The tester began something that was meant to begin before.
    pub(crate) fn began(&mut self, intended: Instant, began: Instant) {
        self.lag_us.saturating_record(micros(began.saturating_duration_since(intended)));
    }

    /// Something ended now.
    pub(crate) fn ended(&mut self, step: Step, intended: Instant, ending: Ending<'_>) {
        let latency = micros(intended.elapsed());
        let record = &mut self.steps[step as usize];
        record.latency_us.saturating_record(latency);
        match ending {
            Ending::Done => record.done += 1,
            Ending::Refused(code) => {
                record.refused += 1;
                self.count(code);
            }
            Ending::Failed(code) => {
                record.failed += 1;
                self.now.errors += 1;
                self.count(code);
            }
        }
        self.now.answers += 1;
        self.second.saturating_record(latency);
    }

    /// A watcher heard of a change now.
    pub(crate) fn heard(&mut self, intended: Instant) {
        let latency = micros(intended.elapsed());
        let record = &mut self.steps[Step::Heard as usize];
        record.latency_us.saturating_record(latency);
        record.done += 1;
        self.second.saturating_record(latency);
    }

    fn count(&mut self, code: &str) {
        if let Some(count) = self.codes.get_mut(code) {
            *count += 1;
            return;
        }
        let is_full = self.codes.len() >= CODES_MAX;
        let code: String =
            if is_full { "other".to_owned() } else { code.chars().take(40).collect() };
        *self.codes.entry(code).or_default() += 1;
    }

    /// Closes a second; also one that was cut short or took longer.
    pub(crate) fn tick(&mut self, levels: Levels) -> &Second {
        let now = Instant::now();
        let ms = |quantile| self.second.value_at_quantile(quantile) as f64 / 1e3;
        let second = Second {
            at: (now - self.begun).as_secs_f64(),
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            max_ms: ms(1.0),
            line: levels.line,
            held: levels.held,
            sold: levels.sold,
            sockets: levels.sockets,
            ..std::mem::take(&mut self.now)
        };
        self.second.reset();
        self.series.push(second);
        &self.series[self.series.len() - 1]
    }

    /// Requests that were answered, refusals included.
    pub(crate) fn answered(&self) -> u64 {
        self.requests().map(|step| step.done + step.refused).sum()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.requests().map(|step| step.failed).sum()
    }

    fn requests(&self) -> impl Iterator<Item = &StepRecord> {
        self.steps[..Step::Heard as usize].iter()
    }
}

fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, LATENCY_US_MAX, 3) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are constants that fit"),
    }
}

fn micros(duration: Duration) -> u64 {
    (duration.as_micros() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_distributions() {
        let mut recorder = Recorder::new(Instant::now());
        // From 1 to 10,000 ms, each once: quantiles are the shares, to three digits and what the
        // loop takes.
        for ms in 1..=10_000 {
            let intended = Instant::now() - Duration::from_millis(ms);
            recorder.ended(Step::Hold, intended, Ending::Done);
        }
        let hold = recorder.step(Step::Hold);
        for (quantile, ms) in [(0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0), (0.999, 9_990.0)] {
            let measured = hold.latency_us.value_at_quantile(quantile) as f64 / 1e3;
            assert!((measured / ms - 1.0).abs() < 0.005, "{quantile}: {measured}");
        }
        assert_eq!(hold.done, 10_000);
    }

    #[test]
    fn seconds_and_codes() {
        let mut recorder = Recorder::new(Instant::now());
        let now = Instant::now();
        recorder.arrived();
        recorder.ended(Step::Join, now, Ending::Done);
        recorder.ended(Step::Hold, now, Ending::Refused("SEAT_UNAVAILABLE"));
        recorder.ended(Step::Pay, now, Ending::Failed("timeout"));
        let second = recorder.tick(Levels { line: 3, held: 2, sold: 1, sockets: 0 }).clone();
        assert_eq!((second.arrivals, second.answers, second.errors), (1, 3, 1));
        assert_eq!((second.line, second.held, second.sold), (3, 2, 1));
        assert_eq!((recorder.answered(), recorder.failed()), (2, 1));
        assert_eq!(recorder.tick(Levels::default()).answers, 0);
        for number in 0..1_000 {
            recorder.ended(Step::Hold, now, Ending::Failed(&format!("code {number}")));
        }
        assert!(recorder.codes().len() <= CODES_MAX + 1);
        assert_eq!(recorder.codes().values().sum::<u64>(), 1_002);
    }
}
