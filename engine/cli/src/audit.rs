//! `tiketi audit`: every seat's life, derived again from the log.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tiketi_engine::ids::Lsn;
use tiketi_engine::state::State;
use tiketi_persistence::LogReader;
use tiketi_persistence::reader::LogPiece;

use crate::auditor::{Auditor, PointsSums, Report, Rule, Summary};
use crate::data::{BadSnapshot, open, snapshots, storage_failure};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::progress::Progress;
use crate::text::{clean, fields, number, seoul, won};

/// See `tiketi audit`.
#[derive(Args)]
pub(crate) struct AuditArgs {
    /// A gateway's data directory
    dir: PathBuf,
    /// List at most so many findings; all are counted
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    directory: &'a Path,
    /// The snapshot the audit began with, where the log does not begin at record 1.
    from_snapshot: Option<u64>,
    #[serde(flatten)]
    report: &'a Report,
}

pub(crate) fn run(args: &AuditArgs, output: &Output) -> Result<Exit, Failure> {
    let reader = open(&args.dir)?;
    let (report, from_snapshot) = audit(&reader, args.limit)?;
    let document = Document { directory: &args.dir, from_snapshot, report: &report };
    output.either(&document, |output| show(output, &document))?;
    Ok(if report.ok { Exit::Ok } else { Exit::Damaged })
}

/// Walks the whole log, and holds every snapshot on the way against it.
fn audit(reader: &LogReader, limit: usize) -> Result<(Report, Option<u64>), Failure> {
    let progress = Progress::new("auditing");
    let mut auditor = Auditor::new(limit);
    let (mut states, bad): (Vec<State>, Vec<BadSnapshot>) = {
        let mut states = Vec::new();
        let mut bad = Vec::new();
        for snapshot in snapshots(reader)? {
            match snapshot {
                Ok(state) => states.push(state),
                Err(damaged) => bad.push(damaged),
            }
        }
        (states, bad)
    };
    for BadSnapshot { lsn, why } in bad {
        auditor.report(lsn, Rule::Damage, format!("the snapshot cannot be used: {why}"));
    }
    let mut from_snapshot = None;
    let mut begun = false;
    let mut damaged: Option<(Lsn, String)> = None;
    for piece in reader.pieces() {
        let batch = match piece.map_err(storage_failure)? {
            LogPiece::Batch(batch) => batch,
            LogPiece::Damaged { generation, position, why, .. } => {
                let place = format!("generation {generation}, position {position}: {why}");
                damaged = Some((auditor.lsn(), place));
                continue;
            }
        };
        if let Some((lsn, place)) = damaged.take() {
            // A torn tail has nothing after it.
            auditor.report(lsn, Rule::Damage, place);
        }
        let first = batch.header.first_lsn;
        if !begun {
            begun = true;
            if first != Lsn(1) {
                from_snapshot = seed(&mut auditor, &mut states, first);
            }
        }
        let records = batch.records();
        if records.len() as u64 != u64::from(batch.header.count) {
            let text =
                format!("only {} of its {} records can be read", records.len(), batch.header.count);
            auditor.report(first, Rule::Damage, format!("a batch is damaged: {text}"));
        }
        for record in &records {
            if from_snapshot.is_some_and(|lsn| record.lsn.0 <= lsn) {
                continue;
            }
            auditor.record(record.lsn, &record.record);
            while states.first().is_some_and(|state| state.lsn() <= record.lsn) {
                let state = states.remove(0);
                if state.lsn() == record.lsn {
                    auditor.compare(&state);
                }
            }
        }
        progress.add(records.len() as u64);
    }
    if !begun {
        // Everything is in the snapshot.
        from_snapshot = seed(&mut auditor, &mut states, Lsn(u64::MAX));
    }
    drop(progress);
    Ok((auditor.finish(), from_snapshot))
}

/// Begins with the oldest snapshot that the log goes on from; with none, the gap is a finding.
fn seed(auditor: &mut Auditor, states: &mut Vec<State>, first: Lsn) -> Option<u64> {
    let fits = |state: &State| first <= state.lsn().next() || first == Lsn(u64::MAX);
    let position = states.iter().position(fits)?;
    let state = states.drain(..=position).next_back()?;
    auditor.seed(&state);
    Some(state.lsn().0)
}

fn show(output: &Output, document: &Document<'_>) -> String {
    let Report { ok, findings, findings_total, summary } = document.report;
    let mut text = String::new();
    for finding in findings {
        let rule = output.paint(Paint::Red, &format!("{:<18}", finding.rule));
        text.push_str(&format!("record {:>10}  {rule}  {}\n", finding.lsn, clean(&finding.text)));
    }
    let more = findings_total - findings.len() as u64;
    if more > 0 {
        text.push_str(&format!("and {} more\n", number(more)));
    }
    if !findings.is_empty() {
        text.push('\n');
    }
    let (seats, tickets, orders) = (&summary.seats, &summary.tickets, &summary.orders);
    let begin = match document.from_snapshot {
        Some(lsn) => format!(" after the snapshot at {}", number(lsn)),
        None => String::new(),
    };
    text.push_str(&fields(
        output,
        &[
            (
                "records",
                format!(
                    "{}{begin}, from {} to {}, epoch {}",
                    number(summary.records),
                    number(summary.first_lsn),
                    number(summary.last_lsn),
                    summary.epoch
                ),
            ),
            (
                "things",
                format!(
                    "{} users, {} layouts, {} events",
                    summary.users, summary.layouts, summary.events
                ),
            ),
            (
                "seats",
                format!(
                    "{} free + {} held + {} sold + {} blocked, of {}",
                    number(seats.free),
                    number(seats.held),
                    number(seats.sold),
                    number(seats.blocked),
                    number(seats.capacity)
                ),
            ),
            (
                "tickets",
                format!(
                    "{} in orders, {} for sale, of {}",
                    number(tickets.in_orders),
                    number(tickets.for_sale),
                    number(tickets.total)
                ),
            ),
            (
                "orders",
                format!(
                    "{} made: {} held, {} being paid, {} awaiting deposit, {} paid",
                    number(orders.made),
                    number(orders.held),
                    number(orders.paying),
                    number(orders.awaiting_deposit),
                    number(orders.paid)
                ),
            ),
            (
                "ended",
                format!(
                    "{} expired, {} by their user, {} by an administrator, {} with their event; {} \
                     of them had been paid",
                    number(orders.ended.expired),
                    number(orders.ended.cancelled_by_user),
                    number(orders.ended.cancelled_by_admin),
                    number(orders.ended.event_cancelled),
                    number(orders.ended_after_payment)
                ),
            ),
            ("revenue", won(summary.revenue)),
        ],
    ));
    text.push_str(&show_money(output, summary));
    let verdict = match ok {
        true => output.paint(Paint::Green, "no findings"),
        false => output.paint(Paint::Red, &format!("{} findings", number(*findings_total))),
    };
    text.push_str(&format!("{verdict}\n"));
    text
}

/// A line for each provider, one for points, and what waits for what.
fn show_money(output: &Output, summary: &Summary) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    for (&provider, money) in &summary.money {
        let sums = format!(
            "{} captured = {} earned + {} refunded + {} refunded by hand + {} on its way back + {} \
             given back elsewhere; {} unknown, {} disputed",
            won(money.captured),
            won(money.earned),
            won(money.refunded),
            won(money.by_hand),
            won(money.refunding),
            won(money.elsewhere),
            won(money.unknown),
            won(money.disputed)
        );
        lines.push((provider, sums));
    }
    let points = &summary.points;
    if *points != PointsSums::default() {
        let sums = format!(
            "{} issued - {} spent + {} forgiven = {} in accounts - {} in debts",
            number(points.issued),
            number(points.spent),
            number(points.forgiven),
            number(points.balances),
            number(points.debts)
        );
        lines.push(("accounts", sums));
    }
    let waiting = &summary.waiting;
    if waiting.total > 0 {
        let each =
            waiting.by_what.iter().map(|(what, count)| format!("{} for {what}", number(*count)));
        let each: Vec<String> = each.collect();
        lines.push(("waiting", format!("{} payments: {}", number(waiting.total), each.join(", "))));
    }
    for payment in &waiting.payments {
        let (what, since) = (waits_for(payment.what), seoul(payment.since.0));
        let text = format!(
            "charge {}: {} wait for {what} since {since}",
            payment.charge,
            won(payment.won)
        );
        lines.push(("", text));
    }
    fields(output, &lines)
}

fn waits_for(what: &str) -> &str {
    match what {
        "provider" => "the provider's word",
        "deposit" => "the buyer's deposit",
        "bank" => "the bank's decision",
        "refund" => "the provider to refund",
        _ => "an administrator: the provider refused a refund",
    }
}
