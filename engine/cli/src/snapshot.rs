//! `tiketi snapshot`: the fold of the log, as a file the next start begins with.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiketi_persistence::reader::MakeSnapshotError;

use crate::data::{open, open_failure};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::progress::Progress;
use crate::text::number;

/// See `tiketi snapshot`.
#[derive(Args)]
pub(crate) struct SnapshotArgs {
    /// A gateway's data directory
    dir: PathBuf,
}

pub(crate) fn run(args: &SnapshotArgs, output: &Output) -> Result<Exit, Failure> {
    let reader = open(&args.dir)?;
    let progress = Progress::new("making a snapshot");
    let made = reader.make_snapshot().map_err(|error| match error {
        MakeSnapshotError::Open(error) => open_failure(error),
        MakeSnapshotError::Snapshot(error) => {
            Failure::new(Exit::Refused, "SNAPSHOT", format!("no snapshot was made: {error}"))
        }
    })?;
    drop(progress);
    let Some(made) = made else {
        let text = format!("the log in {} is empty", args.dir.display());
        return Err(Failure::new(Exit::Refused, "EMPTY", text));
    };
    let (lsn, epoch) = (made.name.snapshot_lsn.0, made.name.epoch.0);
    let torn = made.torn_tail.as_ref().map(ToString::to_string);
    let document = json!({
        "lsn": lsn,
        "epoch": epoch,
        "records": made.records,
        "bytes": made.bytes,
        "written": made.bytes > 0,
        "tornTail": torn,
    });
    output.either(&document, |output| {
        let mut text = match made.bytes {
            0 => format!("the snapshot at record {} is the newest already\n", number(lsn)),
            bytes => format!(
                "{} at record {}, epoch {epoch}: {} records, {} bytes\n",
                output.paint(Paint::Green, "snapshot"),
                number(lsn),
                number(made.records),
                number(bytes)
            ),
        };
        if let Some(torn) = &torn {
            text.push_str(&format!("it ends before {torn}; a start cuts that\n"));
        }
        text
    })?;
    Ok(Exit::Ok)
}
