//! What a run does: the flags, over the scenario file, over what is usual for the scenario. Every
//! bound is checked here, for flags and files alike.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use crate::scenario::Scenario;
use crate::wishes::{Dialect, Wishes};

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
}
