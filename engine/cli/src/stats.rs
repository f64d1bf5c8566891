//! `tiketi stats`, and `tiketi watch` without an event: the counters of a running gateway.

use std::time::Instant;

use clap::Args;
use serde_json::json;
use tiketi_gateway::api::stats::{EventStats, OrderCounts, Stats};

use crate::client::Client;
use crate::event::{find, status_paint};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::sight::{Look, Sight};
use crate::text::{Align, Table, fields, number, won};

/// Which counters.
#[derive(Args)]
pub(crate) struct StatsArgs {
    /// One event: its id, or a part of the title that fits one event
    #[arg(long)]
    event: Option<String>,
}

pub(crate) fn stats(args: &StatsArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let path = match &args.event {
        Some(event) => format!("/api/admin/stats?event={}", find(client, event)?),
        None => "/api/admin/stats".to_owned(),
    };
    let stats: Stats = client.admin_get(&path)?;
    output.either(&stats, |output| show(output, &stats, None))?;
    Ok(Exit::Ok)
}

/// The counters as they are watched.
pub(crate) struct Counters {
    before: Option<Stats>,
}

impl Counters {
    pub(crate) fn new() -> Counters {
        Counters { before: None }
    }
}

impl Sight for Counters {
    type Answer = Stats;

    fn look(&mut self, output: &Output, stats: Stats, _: Instant) -> Look {
        let rates = self.before.as_ref().map(|old| Rates::new(old, &stats));
        let look = match output.is_json() {
            true => Look::Json(json!({ "stats": stats, "rates": rates.map(Rates::json) })),
            false => Look::Panel(show(output, &stats, rates)),
        };
        self.before = Some(stats);
        look
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
}
