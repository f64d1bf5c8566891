//! `tiketi log verify`: every batch of every generation, then everything a start checks.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiketi_engine::ids::{Epoch, Lsn};
use tiketi_persistence::LogReader;
use tiketi_persistence::batch::{Batch, BatchHash};
use tiketi_persistence::reader::{LogBatch, LogPiece};

use crate::data::{open, open_failure, storage_failure};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::progress::Progress;
use crate::text::{fields, number};

/// See `tiketi log verify`.
#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// A gateway's data directory
    dir: PathBuf,
}

/// What a walk over all batches saw.
#[derive(Default)]
struct Walk {
    batches: u64,
    records: u64,
    bytes: u64,
    generations: u64,
    first: Option<Lsn>,
    last: Lsn,
    epoch: Epoch,
    chain: Option<BatchHash>,
    defects: Vec<String>,
    /// Bytes at the end that are no batch.
    tail: Option<String>,
}

pub(crate) fn run(args: &VerifyArgs, output: &Output) -> Result<Exit, Failure> {
    let reader = open(&args.dir)?;
    let mut walk = walk(&reader)?;
    let progress = Progress::new("folding");
    let verified = reader.verify().map_err(open_failure)?;
    drop(progress);
    if let Some(refusal) = &verified.refusal {
        walk.defects.push(refusal.to_string());
    }
    walk.defects.extend(verified.damaged_snapshots.iter().map(ToString::to_string));
    let torn = verified.torn_tail.as_ref().map(ToString::to_string);
    if let (Some(tail), None, None) = (walk.tail.take(), &torn, &verified.refusal) {
        walk.defects.push(tail);
    }
    let ok = walk.defects.is_empty();
    let snapshot = verified.snapshot.map(|name| name.snapshot_lsn.0);
    let document = json!({
        "ok": ok,
        "store": reader.store_kind().name(),
        "generations": walk.generations,
        "batches": walk.batches,
        "records": walk.records,
        "bytes": walk.bytes,
        "firstLsn": walk.first.map(|lsn| lsn.0),
        "lastLsn": verified.last_lsn.0,
        "epoch": verified.epoch.0,
        "snapshot": snapshot,
        "tornTail": torn,
        "defects": walk.defects,
    });
    output.either(&document, |output| {
        let torn =
            torn.clone().map_or_else(|| "none".into(), |tail| format!("{tail}; a start cuts it"));
        let mut text: String = walk
            .defects
            .iter()
            .map(|defect| format!("{} {defect}\n", output.paint(Paint::Red, "damage:")))
            .collect();
        text.push_str(&fields(
            output,
            &[
                ("store", reader.store_kind().name().to_owned()),
                ("generations", number(walk.generations)),
                ("batches", format!("{}, {} bytes", number(walk.batches), number(walk.bytes))),
                (
                    "records",
                    format!(
                        "{}, from {} to {}, epoch {}",
                        number(walk.records),
                        number(walk.first.unwrap_or_default().0),
                        number(verified.last_lsn.0),
                        verified.epoch
                    ),
                ),
                (
                    "snapshot",
                    snapshot.map_or_else(|| "none".into(), |lsn| format!("at record {lsn}")),
                ),
                ("torn tail", torn),
            ],
        ));
        let verdict = match ok {
            true => output.paint(Paint::Green, "whole"),
            false => output.paint(Paint::Red, "damaged"),
        };
        text.push_str(&format!("{verdict}\n"));
        text
    })?;
    Ok(if ok { Exit::Ok } else { Exit::Damaged })
}

/// Every batch of every generation, those that a start does not read any more too.
fn walk(reader: &LogReader) -> Result<Walk, Failure> {
    let progress = Progress::new("reading");
    let mut walk = Walk {
        generations: reader.generations().map_err(open_failure)?.len() as u64,
        ..Walk::default()
    };
    for piece in reader.pieces() {
        match piece.map_err(storage_failure)? {
            LogPiece::Batch(batch) => {
                // Bytes that are no batch are a torn tail only at the end.
                walk.defects.extend(walk.tail.take());
                progress.add(u64::from(batch.header.count));
                walk.step(&batch);
            }
            LogPiece::Damaged { generation, position, bytes, why } => {
                walk.defects.extend(walk.tail.take());
                walk.tail = Some(format!(
                    "generation {generation}, position {position}, {bytes} bytes after record {}: {why}",
                    walk.last
                ));
            }
        }
    }
    Ok(walk)
}

impl Walk {
    fn step(&mut self, batch: &LogBatch) {
        let header = &batch.header;
        let at = format!("generation {}, position {}", batch.generation, batch.position);
        let first = header.first_lsn;
        if self.first.is_some() && first != self.last.next() {
            self.defects.push(format!("{at}: record {first} comes after record {}", self.last));
        }
        if header.epoch < self.epoch {
            self.defects.push(format!("{at}: epoch {} comes after {}", header.epoch, self.epoch));
        }
        if first == Lsn(1) && header.previous != BatchHash::GENESIS {
            self.defects.push(format!("{at}: the first batch names one before it"));
        }
        if self.chain.is_some_and(|chain| chain != header.previous) {
            self.defects.push(format!("{at}: the chain of hashes is broken before record {first}"));
        }
        let readable = batch.records().len() as u64;
        if readable != u64::from(header.count) {
            self.defects.push(format!("{at}: {readable} of {} records can be read", header.count));
        }
        self.chain = Batch::parse(batch.bytes()).ok().map(|batch| batch.hash());
        self.first.get_or_insert(first);
        self.last = header.last_lsn();
        self.epoch = header.epoch;
        self.batches += 1;
        self.records += u64::from(header.count);
        self.bytes += batch.bytes().len() as u64;
    }
}
