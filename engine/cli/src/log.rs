//! `tiketi log`: verify, inspect, replay.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tiketi_engine::ids::{EventIndex, ExternalId, Lsn};
use tiketi_engine::record::OrderRef;
use tiketi_gateway::api::Id;
use tiketi_persistence::LogReader;
use tiketi_persistence::reader::LogRecord;

use crate::data::{open, snapshots, storage_failure};
use crate::describe::{Described, Names, instant};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::replay::{self, ReplayArgs};
use crate::text::seoul_exact;
use crate::verify::{self, VerifyArgs};
use crate::wanted_order::WantedOrder;

/// What to do with a log.
#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Check every batch, the chain of hashes and the mark; changes nothing
    Verify(VerifyArgs),
    /// Print records, as text or as JSON lines
    #[command(after_help = "\
Examples:
  tiketi log inspect ./data --limit 20
  tiketi log inspect ./data --from 1000 --to 2000 --json
  tiketi log inspect ./data --order TK1795196714996ROJ1Q")]
    Inspect(InspectArgs),
    /// Fold the log up to a record and print what is known then
    Replay(ReplayArgs),
}

/// See [`LogCommand::Inspect`].
#[derive(Args)]
pub(crate) struct InspectArgs {
    /// A gateway's data directory
    dir: PathBuf,
    /// Begin at this record
    #[arg(long, value_name = "LSN", default_value_t = 1)]
    from: u64,
    /// End with this record
    #[arg(long, value_name = "LSN")]
    to: Option<u64>,
    /// Print at most so many records
    #[arg(long)]
    limit: Option<u64>,
    /// Only records about this event: its id or its number
    #[arg(long, value_parser = event)]
    event: Option<EventIndex>,
    /// Only the life of this order: its id or its number
    #[arg(long, value_parser = order)]
    order: Option<String>,
}

fn event(text: &str) -> Result<EventIndex, String> {
    if let Ok(index) = text.parse() {
        return Ok(EventIndex(index));
    }
    match Id::parse(text).and_then(|id| ExternalId::decode(id.0)) {
        Some(ExternalId::Event(event)) => Ok(event),
        _ => Err("expected an event's id, or its number counted from 0".to_owned()),
    }
}

fn order(text: &str) -> Result<String, String> {
    WantedOrder::parse(text).map(|_| text.to_owned())
}

pub(crate) fn run(command: &LogCommand, output: &Output) -> Result<Exit, Failure> {
    match command {
        LogCommand::Verify(args) => verify::run(args, output),
        LogCommand::Inspect(args) => inspect(args, output),
        LogCommand::Replay(args) => replay::run(args, output),
    }
}

fn inspect(args: &InspectArgs, output: &Output) -> Result<Exit, Failure> {
    let reader = open(&args.dir)?;
    let order = args.order.as_deref().map(WantedOrder::parse).transpose();
    let mut wanted = Wanted { args, order: order.map_err(Failure::usage)?, made: None };
    let mut names = names(&reader)?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    for record in reader.records() {
        let record = record.map_err(storage_failure)?;
        if left == 0 || args.to.is_some_and(|to| record.lsn.0 > to) {
            break;
        }
        names.learn(&record.record);
        let described = names.describe(record.lsn, &record.record);
        if wanted.fits(&record, &described) {
            left -= 1;
            match output.is_json() {
                true => output.json_line(&as_json(&record, described))?,
                false => output.text(&as_text(output, &record, &described))?,
            }
        }
    }
    if args.order.is_some() && wanted.made.is_none() {
        let text = "the log does not have the record that made this order; it may be older than the \
                    oldest generation kept";
        return Err(Failure::not_found(text));
    }
    Ok(Exit::Ok)
}

/// Where the log does not begin at record 1, the oldest snapshot knows the names.
fn names(reader: &LogReader) -> Result<Names, Failure> {
    let first = reader.records().next().transpose().map_err(storage_failure)?;
    if first.is_none_or(|record| record.lsn == Lsn(1)) {
        return Ok(Names::default());
    }
    let oldest = snapshots(reader)?.into_iter().find_map(Result::ok);
    Ok(oldest.as_ref().map(Names::of).unwrap_or_default())
}

struct Wanted<'a> {
    args: &'a InspectArgs,
    order: Option<WantedOrder>,
    /// The wanted order, once its first record was seen.
    made: Option<OrderRef>,
}

impl Wanted<'_> {
    fn fits(&mut self, record: &LogRecord, described: &Described) -> bool {
        if let Some(order) = &self.order {
            if let Some(made) = order.is_made_by(record.lsn, &record.record) {
                self.made = Some(made);
            }
            if self.made.is_none() || described.order != self.made {
                return false;
            }
        }
        let event = self.args.event.is_none_or(|event| described.event == Some(event));
        event && record.lsn.0 >= self.args.from
    }
}

fn as_json(record: &LogRecord, described: Described) -> Value {
    let mut line = json!({
        "lsn": record.lsn.0,
        "epoch": record.epoch.0,
        "generation": record.generation.0,
        "kind": described.kind,
        "at": described.at.map(instant),
    });
    if let Value::Object(line) = &mut line {
        line.extend(described.fields);
    }
    line
}

fn as_text(output: &Output, record: &LogRecord, described: &Described) -> String {
    let at = described.at.map_or_else(|| " ".repeat(23), seoul_exact);
    let paint = match described.kind {
        "held" | "payment-started" => Paint::Yellow,
        "paid" => Paint::Green,
        "order-ended" | "payment-failed" | "event-cancelled" => Paint::Red,
        _ => Paint::Blue,
    };
    let kind = output.paint(paint, &format!("{:<17}", described.kind));
    format!("{:>8}  {}  {kind}  {}\n", record.lsn, output.paint(Paint::Dim, &at), described.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_named_by_id_or_number() {
        assert_eq!(event("7"), Ok(EventIndex(7)));
        assert_eq!(event(&Id::from(EventIndex(9)).to_string()), Ok(EventIndex(9)));
        for wrong in ["", "-1", "x", "00000000-0000-0000-0000-000000000000"] {
            assert!(event(wrong).is_err(), "{wrong}");
        }
    }
}
