//! What is wished of a run: by flags, and in a scenario file under the same names.

use std::path::Path;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// What can be said by a flag or in a scenario file, under the same names.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[command(next_help_heading = "The scenario")]
pub(crate) struct Wishes {
    /// Decides who comes when and does what
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    /// People who come in a second
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    /// Seconds in which people come
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<f64>,
    /// Seconds that those who are still there then may go on
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drain: Option<f64>,
    /// Sections of the hall
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sections: Option<u32>,
    /// Rows of a section
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u32>,
    /// Seats of a row
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seats_per_row: Option<u32>,
    /// People inside at once; the others wait in line
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<u32>,
    /// People let in from the line in a second
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue_rate: Option<f64>,
    /// Mean seconds that somebody thinks at each step
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) think: Option<f64>,
    /// Share of people who leave before they pay
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) give_up: Option<f64>,
    /// Share of people who want the front rows and nothing else
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) front_rows: Option<f64>,
    /// Share of people who cancel what they paid, so that it is sold again
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancel: Option<f64>,
    /// Most seats that one person buys
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<u32>,
    /// Seconds that somebody stays in line
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) patience: Option<f64>,
    /// Seats that everybody wants
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hot: Option<u32>,
    /// People who buy at the same time
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) buyers: Option<u32>,
    /// Sockets that watch
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sockets: Option<u32>,
    /// What they speak
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dialect: Option<Dialect>,
    /// People in the waiting room, each of whom reconnects every second
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) people: Option<u32>,
    /// How many times the usual rate comes in the spike
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spike_factor: Option<f64>,
    /// HTTP connections at most
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<u32>,
    /// Local addresses that they come from, where the target is this machine
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sources: Option<u32>,
    /// Seconds to wait for an answer
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<f64>,
    /// Accounts, where no tokens are given; made over HTTP
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) users: Option<u32>,
    /// Fail the run where the p99 of any step is over so many milliseconds
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_p99: Option<f64>,
    /// Fail the run where fewer requests a second than this were answered
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_rate: Option<f64>,
}

/// How a socket is told of seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dialect {
    /// The frontend's, of every server that speaks the contract
    SocketIo,
    /// `/ws` of the Rust gateway
    Compact,
}

impl Wishes {
    /// What a file says.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or has a field that is none of these.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Wishes> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the scenario file {}", path.display()))?;
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            anyhow::anyhow!("{} line {line}: {}", path.display(), error.message())
        })
    }

    /// These, and where they say nothing, others.
    ///
    /// # Errors
    /// None; both are maps with known fields.
    pub(crate) fn over(&self, others: &Wishes) -> anyhow::Result<Wishes> {
        let mut all = serde_json::to_value(others)?;
        let mine = serde_json::to_value(self)?;
        if let (Some(all), Some(mine)) = (all.as_object_mut(), mine.as_object()) {
            all.extend(mine.clone());
        }
        Ok(serde_json::from_value(all)?)
    }
}
