//! What is to be expected of the sale.

use std::time::Duration;

use serde::Serialize;

use crate::simulate::Assumptions;
use crate::simulate::sale::{Sale, Second, Totals};

/// Requests of one who comes (the event and his place), of one who is let in (the map), of one who
/// holds, and of one who pays (asked for, confirmed, looked at).
const REQUESTS_TO_COME: u64 = 3;
const REQUESTS_INSIDE: u64 = 2;
const REQUESTS_TO_HOLD: u64 = 1;
const REQUESTS_TO_PAY: u64 = 3;

/// See the module.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Forecast {
    pub(super) assumptions: Assumptions,
    pub(super) totals: Totals,
    pub(super) seats: u64,
    pub(super) seats_sold: u64,
    /// Free seats with nobody free beside them.
    pub(super) seats_single: u64,
    pub(super) events_sold_out: usize,
    /// Seconds until the first, the middle and the last of those were.
    pub(super) sold_out_seconds: Option<[u64; 3]>,
    /// Seconds that people waited who were let in: p50, p90, p99, the longest.
    pub(super) wait_seconds: [f64; 4],
    /// The share of the holds that were not paid in time.
    pub(super) hold_churn: f64,
    pub(super) line_most: u64,
    pub(super) requests_most: u64,
    pub(super) sockets_most: u64,
    pub(super) machines: u64,
    pub(super) simulated_seconds: u64,
    pub(super) took_seconds: f64,
    pub(super) peak_memory_bytes: u64,
    pub(super) series: Vec<Second>,
}

impl Forecast {
    pub(super) fn new(
        assumptions: &Assumptions,
        sale: Sale,
        took: Duration,
    ) -> anyhow::Result<Forecast> {
        let mut sold_out: Vec<u64> =
            sale.halls.iter().filter_map(|hall| hall.sold_out_at).collect();
        sold_out.sort_unstable();
        let middle = sold_out.get(sold_out.len() / 2).copied();
        let sold_out_seconds =
            middle.map(|middle| [sold_out[0], middle, sold_out[sold_out.len() - 1]]);
        let wait = |share| sale.waits.value_at_quantile(share) as f64 / 1e3;
        let most = |of: fn(&Second) -> u64| sale.series.iter().map(of).max().unwrap_or(0);
        let requests_most = most(|second| {
            second.came * REQUESTS_TO_COME
                + second.let_in * REQUESTS_INSIDE
                + second.holds * REQUESTS_TO_HOLD
                + second.paid * REQUESTS_TO_PAY
        });
        let sockets_most = most(|second| second.line + second.inside);
        let machines = requests_most
            .div_ceil(u64::from(assumptions.machine_requests))
            .max(sockets_most.div_ceil(u64::from(assumptions.machine_sockets)))
            .max(1);
        Ok(Forecast {
            totals: sale.totals,
            seats: u64::from(assumptions.events) * u64::from(assumptions.seats),
            seats_sold: sale.halls.iter().map(|hall| u64::from(hall.sold)).sum(),
            seats_single: sale.halls.iter().map(|hall| u64::from(hall.single_seats())).sum(),
            events_sold_out: sold_out.len(),
            sold_out_seconds,
            wait_seconds: [wait(0.5), wait(0.9), wait(0.99), sale.waits.max() as f64 / 1e3],
            hold_churn: sale.totals.expired as f64 / (sale.totals.holds as f64).max(1.0),
            line_most: most(|second| second.line),
            requests_most,
            sockets_most,
            machines,
            simulated_seconds: sale.series.len() as u64,
            took_seconds: took.as_secs_f64(),
            peak_memory_bytes: peak_memory()?,
            assumptions: assumptions.clone(),
            series: sale.series,
        })
    }

    /// Name and value of everything that a reader looks for.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let Totals { came, let_in, bought, nothing_left, too_slow, holds, expired } = self.totals;
        let [p50, p90, p99, longest] = self.wait_seconds.map(|seconds| time(seconds as u64));
        let sold_out = match self.sold_out_seconds {
            None => "no event".to_owned(),
            Some([first, middle, last]) => format!(
                "{} of {} events; the first after {}, half after {}, the last after {}",
                self.events_sold_out,
                self.assumptions.events,
                time(first),
                time(middle),
                time(last)
            ),
        };
        vec![
            ("sold out", sold_out),
            ("seats sold", format!("{} of {}", count(self.seats_sold), count(self.seats))),
            ("seats left single", count(self.seats_single)),
            (
                "people",
                format!(
                    "{} came, {} were let in, {} bought",
                    count(came),
                    count(let_in),
                    count(bought)
                ),
            ),
            (
                "let in for nothing",
                format!(
                    "{} found too few seats, {} paid too late",
                    count(nothing_left),
                    count(too_slow)
                ),
            ),
            (
                "wait of those let in",
                format!("p50 {p50}, p90 {p90}, p99 {p99}, the longest {longest}"),
            ),
            (
                "holds",
                format!(
                    "{}, of which {} ended unpaid ({:.1} %)",
                    count(holds),
                    count(expired),
                    100.0 * self.hold_churn
                ),
            ),
            ("longest line", count(self.line_most)),
            ("busiest second", format!("{} requests", count(self.requests_most))),
            (
                "machines",
                format!(
                    "{}, at {} requests a second and {} sockets each ({} sockets at most)",
                    self.machines,
                    count(self.assumptions.machine_requests.into()),
                    count(self.assumptions.machine_sockets.into()),
                    count(self.sockets_most)
                ),
            ),
            (
                "simulated",
                format!(
                    "{} in {:.1} s, with {:.2} GB",
                    time(self.simulated_seconds),
                    self.took_seconds,
                    self.peak_memory_bytes as f64 / 1e9
                ),
            ),
        ]
    }

    pub(super) fn text(&self) -> String {
        let row = |(name, value): (&str, String)| format!("{name:<22}{value}\n");
        self.rows().into_iter().map(row).collect()
    }
}

/// `14,000,000`.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 h 02 min`, `12 min 03 s`, `7 s`.
fn time(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes} min {rest:02} s"),
        _ => format!("{hours} h {minutes:02} min"),
    }
}

/// The most that this process ever had resident.
fn peak_memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.unwrap_or(0) * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([0, 999, 1_000, 14_000_000].map(count), ["0", "999", "1,000", "14,000,000"]);
        assert_eq!([7, 63, 3_720].map(time), ["7 s", "1 min 03 s", "1 h 02 min"]);
    }
}
