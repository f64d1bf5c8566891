//! `tiketi stats` and `tiketi watch`: the counters of a running gateway.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tiketi_gateway::api::stats::{EventStats, OrderCounts, Stats};

use crate::client::Client;
use crate::event::{find, status_paint};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::text::{Align, Table, fields, number, won};

/// Which counters.
#[derive(Args)]
pub(crate) struct StatsArgs {
    /// One event: its id, or a part of the title that fits one event
    #[arg(long)]
    event: Option<String>,
}

/// See `tiketi watch`.
#[derive(Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    stats: StatsArgs,
    /// Seconds between two looks
    #[arg(long, default_value_t = 1.0, value_parser = interval)]
    interval: f64,
    /// End after so many looks
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

fn interval(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=3_600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected seconds from 0.1 to 3600".to_owned()),
    }
}

pub(crate) fn stats(args: &StatsArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let path = path(args, client)?;
    let stats: Stats = client.admin_get(&path)?;
    output.either(&stats, |output| show(output, &stats, None))?;
    Ok(Exit::Ok)
}

fn path(args: &StatsArgs, client: &Client) -> Result<String, Failure> {
    Ok(match &args.event {
        Some(event) => format!("/api/admin/stats?event={}", find(client, event)?),
        None => "/api/admin/stats".to_owned(),
    })
}

/// Shows the counters again and again, until Ctrl-C or `--count`.
pub(crate) fn watch(args: &WatchArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let path = path(&args.stats, client)?;
    let stop = interrupts()?;
    let pause = Duration::from_secs_f64(args.interval);
    let mut before: Option<Stats> = None;
    let mut lines = 0;
    let mut looks = 0;
    loop {
        let stats: Stats = client.admin_get(&path)?;
        let rates = before.as_ref().map(|old| Rates::new(old, &stats));
        match output.is_json() {
            true => {
                output.json_line(&json!({ "stats": stats, "rates": rates.map(Rates::json) }))?
            }
            false => {
                let text = show(output, &stats, rates);
                output.text(&in_place(output, &text, lines))?;
                lines = text.lines().count();
            }
        }
        looks += 1;
        before = Some(stats);
        if args.count.is_some_and(|count| looks >= count) {
            return Ok(Exit::Ok);
        }
        match stop.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Ok),
        }
    }
}

/// Draws over the lines before, where that can be done.
fn in_place(output: &Output, text: &str, lines_before: usize) -> String {
    match (output.is_terminal(), lines_before) {
        (true, 0) => text.to_owned(),
        (true, lines) => {
            let cleared = text.replace('\n', "\x1b[K\n");
            format!("\x1b[{lines}A\r{cleared}\x1b[J")
        }
        (false, 0) => text.to_owned(),
        (false, _) => format!("\n{text}"),
    }
}

/// Something arrives, or the channel closes, when somebody presses Ctrl-C.
fn interrupts() -> Result<Receiver<()>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Refused, "SIGNAL", format!("cannot wait for Ctrl-C: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let (pressed, stop) = channel();
    let (ready, waiting) = channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut interrupt) = signal(SignalKind::interrupt()) else {
                return;
            };
            let _ = ready.send(());
            interrupt.recv().await;
        });
        let _ = pressed.send(());
    });
    match waiting.recv() {
        Ok(()) => Ok(stop),
        Err(_) => Err(failed(std::io::Error::other("no signal handler"))),
    }
}

/// By second, from the difference of two answers.
#[derive(Clone, Copy)]
struct Rates {
    records: f64,
    orders: f64,
    paid: f64,
}

impl Rates {
    fn new(old: &Stats, new: &Stats) -> Rates {
        // The gateway's own time: how long an answer is on its way does not count.
        let seconds = (new.uptime - old.uptime).max(0.001);
        // A gateway that was started again counts from 0.
        let rate = |old: u64, new: u64| new.saturating_sub(old) as f64 / seconds;
        Rates {
            records: rate(old.records, new.records),
            orders: rate(old.orders.total, new.orders.total),
            paid: rate(old.orders.paid, new.orders.paid),
        }
    }

    fn json(self) -> serde_json::Value {
        let round = |rate: f64| (rate * 10.0).round() / 10.0;
        json!({
            "recordsPerSecond": round(self.records),
            "ordersPerSecond": round(self.orders),
            "paidPerSecond": round(self.paid),
        })
    }
}

fn show(output: &Output, stats: &Stats, rates: Option<Rates>) -> String {
    let seats = &stats.seats;
    let rate = |rate: Option<f64>| rate.map(|rate| format!("  ({rate:.1}/s)")).unwrap_or_default();
    let records = rate(rates.map(|rates| rates.records));
    let made = rate(rates.map(|rates| rates.orders));
    let paid = rate(rates.map(|rates| rates.paid));
    let lsn = &stats.lsn;
    let mut text = fields(
        output,
        &[
            ("up", format!("{:.0} s, epoch {}", stats.uptime, lsn.epoch)),
            (
                "log",
                format!(
                    "appended {}  durable {}  applied {}",
                    number(lsn.appended),
                    number(lsn.durable),
                    number(lsn.applied)
                ),
            ),
            ("records", format!("{}{records}", number(stats.records))),
            ("events", format!("{}   users {}", number(stats.events), number(stats.users))),
            (
                "seats",
                format!(
                    "{} free  {} held  {} sold  {} blocked  of {}",
                    number(seats.available),
                    number(seats.held),
                    number(seats.sold),
                    number(seats.blocked),
                    number(seats.total)
                ),
            ),
            (
                "tickets",
                format!(
                    "{} left  {} in orders  of {}",
                    number(stats.tickets.available),
                    number(stats.tickets.in_orders),
                    number(stats.tickets.total)
                ),
            ),
            ("orders", format!("{}{made}", orders(&stats.orders))),
            ("paid", format!("{}{paid}", number(stats.orders.paid))),
            ("revenue", won(stats.revenue)),
            ("live holds", number(stats.holds_live)),
        ],
    );
    if let Some(event) = &stats.event {
        text.push('\n');
        text.push_str(&event_table(output, event));
    }
    text
}

fn orders(orders: &OrderCounts) -> String {
    format!(
        "{} made  {} held  {} being paid  {} expired  {} cancelled",
        number(orders.total),
        number(orders.held),
        number(orders.paying),
        number(orders.expired),
        number(orders.cancelled)
    )
}

fn event_table(output: &Output, event: &EventStats) -> String {
    let status = output.paint(status_paint(event.status), event.status.name());
    let title = output.paint(Paint::Bold, &crate::text::clean(&event.title));
    let mut text = format!("{title}  {status}  {}\n", won(event.revenue));
    text.push_str(&format!("{}  {} paid\n", orders(&event.orders), number(event.orders.paid)));
    let mut sections = Table::new(&[
        ("SECTION", Align::Left),
        ("FREE", Align::Right),
        ("HELD", Align::Right),
        ("SOLD", Align::Right),
        ("BLOCKED", Align::Right),
        ("ALL", Align::Right),
    ]);
    for section in &event.sections {
        let seats = &section.seats;
        let counts = [seats.available, seats.held, seats.sold, seats.blocked, seats.total];
        let [free, held, sold, blocked, all] = counts.map(number);
        sections.row([section.section.clone(), free, held, sold, blocked, all]);
    }
    let mut tickets = Table::new(&[
        ("TICKET TYPE", Align::Left),
        ("LEFT", Align::Right),
        ("IN ORDERS", Align::Right),
        ("SOLD ELSEWHERE", Align::Right),
        ("ALL", Align::Right),
    ]);
    for ticket in &event.ticket_types {
        let counts = &ticket.tickets;
        let counts = [counts.available, counts.in_orders, counts.sold_elsewhere, counts.total];
        let [left, in_orders, elsewhere, all] = counts.map(number);
        tickets.row([ticket.name.clone(), left, in_orders, elsewhere, all]);
    }
    for table in [sections, tickets] {
        if !table.is_empty() {
            text.push('\n');
            text.push_str(&table.render(output));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_come_from_differences_and_never_fall_below_zero() {
        let stats = |uptime, records, total, paid| Stats {
            uptime,
            records,
            orders: OrderCounts { total, paid, ..OrderCounts::default() },
            ..Stats::default()
        };
        let rates = Rates::new(&stats(7.0, 10, 5, 9), &stats(9.0, 30, 6, 1));
        assert_eq!((rates.records, rates.orders, rates.paid), (10.0, 0.5, 0.0));
    }

    #[test]
    fn intervals_are_bounded() {
        for (text, good) in [("1", true), ("0.5", true), ("0", false), ("NaN", false), ("x", false)]
        {
            assert_eq!(interval(text).is_ok(), good, "{text}");
        }
    }
}
