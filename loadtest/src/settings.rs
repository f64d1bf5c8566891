//! What a run does: the flags, over the scenario file, over what is usual for the scenario. Every
//! bound is checked here, for flags and files alike.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;

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

/// A run, complete and within bounds. Times are in seconds, shares from 0 to 1.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) rate: f64,
    pub(crate) duration: f64,
    pub(crate) drain: f64,
    pub(crate) sections: u32,
    pub(crate) rows: u32,
    pub(crate) seats_per_row: u32,
    pub(crate) threshold: Option<u32>,
    pub(crate) queue_rate: Option<f64>,
    pub(crate) think: f64,
    pub(crate) give_up: f64,
    pub(crate) front_rows: f64,
    pub(crate) cancel: f64,
    pub(crate) group: u32,
    pub(crate) patience: f64,
    pub(crate) hot: u32,
    pub(crate) buyers: u32,
    pub(crate) sockets: u32,
    pub(crate) dialect: Dialect,
    pub(crate) people: u32,
    pub(crate) spike_factor: f64,
    pub(crate) connections: u32,
    pub(crate) sources: u32,
    pub(crate) timeout: f64,
    pub(crate) users: u32,
    pub(crate) max_p99: Option<f64>,
    pub(crate) min_rate: Option<f64>,
}

/// Seats that everybody wants, where the hall has so many.
const HOT: u32 = 50;

/// What every scenario listens to.
const COMMON: [&str; 11] = [
    "seed",
    "duration",
    "sections",
    "rows",
    "seats-per-row",
    "connections",
    "sources",
    "timeout",
    "users",
    "max-p99",
    "min-rate",
];

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

    /// The run that a scenario makes of them.
    ///
    /// # Errors
    /// In this order: something that means nothing to the scenario, a number out of bounds.
    pub(crate) fn settle(&self, scenario: Scenario) -> anyhow::Result<Settings> {
        let said = serde_json::to_value(self)?;
        for name in said.as_object().into_iter().flat_map(|said| said.keys()) {
            let means_something =
                COMMON.contains(&name.as_str()) || scenario.listens_to().contains(&name.as_str());
            ensure!(means_something, "{name} means nothing to {}", scenario.name());
        }
        let usual = scenario.usual();
        let mut settings = Settings {
            seed: self.seed.unwrap_or(1),
            rate: self.rate.or(usual.rate).unwrap_or(50.0),
            duration: self.duration.or(usual.duration).unwrap_or(60.0),
            drain: self.drain.or(usual.drain).unwrap_or(30.0),
            sections: self.sections.unwrap_or(2),
            rows: self.rows.unwrap_or(20),
            seats_per_row: self.seats_per_row.unwrap_or(50),
            threshold: self.threshold.or(usual.threshold),
            queue_rate: self.queue_rate.or(usual.queue_rate),
            think: self.think.or(usual.think).unwrap_or(1.0),
            give_up: self.give_up.or(usual.give_up).unwrap_or(0.1),
            front_rows: self.front_rows.unwrap_or(0.3),
            cancel: self.cancel.or(usual.cancel).unwrap_or(0.0),
            group: self.group.unwrap_or(4),
            patience: self.patience.unwrap_or(60.0),
            hot: self.hot.unwrap_or(HOT),
            buyers: self.buyers.unwrap_or(64),
            sockets: self.sockets.unwrap_or(1_000),
            dialect: self.dialect.unwrap_or(Dialect::SocketIo),
            people: self.people.unwrap_or(500),
            spike_factor: self.spike_factor.unwrap_or(10.0),
            connections: self.connections.unwrap_or(512),
            sources: self.sources.unwrap_or(64),
            timeout: self.timeout.unwrap_or(10.0),
            users: self.users.unwrap_or(200),
            max_p99: self.max_p99,
            min_rate: self.min_rate,
        };
        settings.check_numbers()?;
        settings.check_hall()?;
        if self.hot.is_none() {
            settings.hot = HOT.min(settings.seats());
        }
        ensure!(settings.hot <= settings.seats(), "hot is more than the hall's seats");
        Ok(settings)
    }
}

impl Settings {
    pub(crate) fn seats(&self) -> u32 {
        self.sections * self.rows * self.seats_per_row
    }

    fn check_numbers(&self) -> anyhow::Result<()> {
        let count = |value: u32| f64::from(value);
        for (name, value, low, high) in [
            ("rate", self.rate, 0.001, 200_000.0),
            ("duration", self.duration, 0.1, 604_800.0),
            ("drain", self.drain, 0.0, 3_600.0),
            ("sections", count(self.sections), 1.0, 100.0),
            ("rows", count(self.rows), 1.0, 1_000.0),
            ("seats-per-row", count(self.seats_per_row), 1.0, 1_000.0),
            ("threshold", self.threshold.map_or(1.0, count), 1.0, 10_000_000.0),
            ("queue-rate", self.queue_rate.unwrap_or(1.0), 0.001, 1_000_000.0),
            ("think", self.think, 0.0, 3_600.0),
            ("give-up", self.give_up, 0.0, 1.0),
            ("front-rows", self.front_rows, 0.0, 1.0),
            ("cancel", self.cancel, 0.0, 1.0),
            ("group", count(self.group), 1.0, 8.0),
            ("patience", self.patience, 0.0, 86_400.0),
            ("hot", count(self.hot), 1.0, 200_000.0),
            ("buyers", count(self.buyers), 1.0, 100_000.0),
            ("sockets", count(self.sockets), 1.0, 1_000_000.0),
            ("people", count(self.people), 1.0, 1_000_000.0),
            ("spike-factor", self.spike_factor, 1.0, 1_000.0),
            ("connections", count(self.connections), 1.0, 1_000_000.0),
            ("sources", count(self.sources), 1.0, 60_000.0),
            ("timeout", self.timeout, 0.05, 600.0),
            ("users", count(self.users), 1.0, 1_000_000.0),
            ("max-p99", self.max_p99.unwrap_or(1.0), 0.001, 600_000.0),
            ("min-rate", self.min_rate.unwrap_or(1.0), 0.001, 1e9),
        ] {
            // Also false for what is no number.
            ensure!(value >= low && value <= high, "{name} is {value} and not {low} to {high}");
        }
        Ok(())
    }

    fn check_hall(&self) -> anyhow::Result<()> {
        const SEATS_MAX: u64 = 200_000;
        let seats = [self.sections, self.rows, self.seats_per_row].map(u64::from);
        let seats: u64 = seats.iter().product();
        ensure!(seats <= SEATS_MAX, "a hall of {seats} seats is over {SEATS_MAX}");
        Ok(())
    }
}

/// Which server, and as whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "The server")]
pub(crate) struct Server {
    /// Where it listens
    #[arg(long, default_value = "http://127.0.0.1:3001")]
    pub(crate) target: String,
    /// An administrator's login
    #[arg(long, env = "ADMIN_EMAIL", default_value = "admin@tiketi.gg", hide_env_values = true)]
    pub(crate) admin_email: String,
    /// The password [default: the one of development]
    #[arg(
        long,
        env = "ADMIN_PASSWORD",
        default_value = "admin123",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub(crate) admin_password: String,
    /// An event that is there already, by its id, instead of one made for the run
    #[arg(long)]
    pub(crate) event: Option<uuid::Uuid>,
    /// Accounts of `tiketi user seed`
    #[arg(long)]
    pub(crate) tokens: Option<PathBuf>,
}

/// A server's address, as requests name it and as sockets reach it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// # Errors
    /// The address is none, or a name that nobody knows.
    pub(crate) fn resolve(&self) -> anyhow::Result<Target> {
        let url = self.target.trim_end_matches('/').trim_end_matches("/api");
        let Some(host) = url.strip_prefix("http://") else {
            bail!("--target {}: expected http://HOST:PORT; TLS is not spoken", self.target);
        };
        let is_host =
            |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(
            is_host(host) && !host.contains(['/', '@', '?', '#']),
            "--target {}: expected http://HOST:PORT",
            self.target
        );
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let named = if has_port { host.to_owned() } else { format!("{host}:80") };
        let address = named
            .to_socket_addrs()
            .with_context(|| format!("--target {}: nobody knows the name", self.target))?
            .min_by_key(SocketAddr::is_ipv6)
            .with_context(|| format!("--target {}: the name has no address", self.target))?;
        Ok(Target { host: host.to_owned(), address })
    }
}

/// Seconds as the runtime has them.
pub(crate) fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(text: &str) -> Result<Wishes, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn flags_go_over_the_file_over_what_is_usual() {
        let file = wishes("rate = 7.5\nrows = 3").expect("file");
        let flags = Wishes { rows: Some(4), ..Wishes::default() };
        let settings = flags.over(&file).and_then(|all| all.settle(Scenario::OnSale));
        let settings = settings.expect("settings");
        assert_eq!((settings.rate, settings.rows, settings.seed), (7.5, 4, 1));
        assert_eq!(settings.threshold, Scenario::OnSale.usual().threshold);
    }

    #[test]
    fn refused() {
        for (text, scenario, why) in [
            ("rows = 0", Scenario::OnSale, "rows is 0 and not 1 to 1000"),
            ("rate = nan", Scenario::OnSale, "rate is NaN and not 0.001 to 200000"),
            ("give-up = 1.5", Scenario::OnSale, "give-up is 1.5 and not 0 to 1"),
            ("sockets = 5", Scenario::OnSale, "sockets means nothing to on-sale"),
            ("hot = 9", Scenario::Churn, "hot means nothing to churn"),
            (
                "rows = 1\nseats-per-row = 2\nsections = 1\nhot = 3",
                Scenario::HotSeats,
                "hot is more than the hall's seats",
            ),
            (
                "rows = 1000\nseats-per-row = 1000",
                Scenario::SellOut,
                "a hall of 2000000 seats is over 200000",
            ),
        ] {
            let error = wishes(text).expect("parses").settle(scenario).expect_err(text);
            assert_eq!(error.to_string(), why);
        }
        assert!(wishes("rowz = 1").expect_err("unknown").contains("unknown field `rowz`"));
        assert!(wishes("rows = \"many\"").is_err());
        assert!(wishes("rows = -1").is_err());
    }

    #[test]
    fn targets() {
        for (target, host) in [
            ("http://127.0.0.1:3001", Some("127.0.0.1:3001")),
            ("http://127.0.0.1:3001/", Some("127.0.0.1:3001")),
            ("http://127.0.0.1:3001/api", Some("127.0.0.1:3001")),
            ("http://[::1]:80", Some("[::1]:80")),
            ("http://127.0.0.1", Some("127.0.0.1")),
            ("https://127.0.0.1", None),
            ("127.0.0.1:3001", None),
            ("http://", None),
            ("http://a b", None),
            ("http://me@127.0.0.1", None),
            ("http://127.0.0.1/x", None),
        ] {
            let server = Server {
                target: target.to_owned(),
                admin_email: String::new(),
                admin_password: String::new(),
                event: None,
                tokens: None,
            };
            assert_eq!(
                server.resolve().ok().map(|target| target.host).as_deref(),
                host,
                "{target}"
            );
        }
    }
}
