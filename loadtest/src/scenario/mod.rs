//! What happens in a run: who comes when, and what they want.

mod churn;
mod fan_out;
mod hot_seats;
mod journey;
mod on_sale;
mod sell_out;
mod soak;
mod spike;

use std::rc::Rc;
use std::time::Duration;

use crate::run::Run;
use crate::settings::Settings;
use crate::wishes::Wishes;

/// Nobody waits in line.
const NO_LINE: u32 = 1_000_000;

/// The frontend asks so often how the line stands.
const POLL: Duration = Duration::from_secs(1);

/// A kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    OnSale,
    HotSeats,
    SellOut,
    FanOut,
    Churn,
    Soak,
    Spike,
}

/// The settings of a buyer's whole way.
const JOURNEY: &[&str] = &[
    "rate",
    "drain",
    "threshold",
    "queue-rate",
    "think",
    "give-up",
    "front-rows",
    "cancel",
    "group",
    "patience",
];

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scenario::OnSale => "on-sale",
            Scenario::HotSeats => "hot-seats",
            Scenario::SellOut => "sell-out",
            Scenario::FanOut => "fan-out",
            Scenario::Churn => "churn",
            Scenario::Soak => "soak",
            Scenario::Spike => "spike",
        }
    }

    /// The settings, beside those that all scenarios have, that change anything.
    pub(crate) fn listens_to(self) -> Vec<&'static str> {
        let more: &[&str] = match self {
            Scenario::OnSale | Scenario::Soak => &[],
            Scenario::Spike => &["spike-factor"],
            Scenario::HotSeats => return vec!["rate", "drain", "think", "give-up", "hot"],
            Scenario::SellOut => return vec!["buyers", "group"],
            Scenario::FanOut => return vec!["rate", "sockets", "dialect"],
            Scenario::Churn => return vec!["people", "threshold", "queue-rate", "think"],
        };
        [JOURNEY, more].concat()
    }

    /// What is usual for it, where it is not what is usual for all.
    pub(crate) fn usual(self) -> Wishes {
        let usual = Wishes::default();
        match self {
            Scenario::OnSale => on_sale::usual(usual),
            Scenario::HotSeats => hot_seats::usual(usual),
            Scenario::SellOut => sell_out::usual(usual),
            Scenario::FanOut => fan_out::usual(usual),
            Scenario::Churn => churn::usual(usual),
            Scenario::Soak => soak::usual(usual),
            Scenario::Spike => spike::usual(usual),
        }
    }

    /// Whether people wait to be let in.
    pub(crate) fn has_line(self) -> bool {
        match self {
            Scenario::OnSale | Scenario::Soak | Scenario::Spike | Scenario::Churn => true,
            Scenario::HotSeats | Scenario::SellOut | Scenario::FanOut => false,
        }
    }

    /// How many people come, for whom accounts are made.
    pub(crate) fn people(self, settings: &Settings) -> u32 {
        match self {
            Scenario::OnSale | Scenario::Soak => on_sale::plan(settings).people() as u32,
            Scenario::HotSeats => on_sale::plan(settings).people() as u32,
            Scenario::Spike => spike::plan(settings).people() as u32,
            Scenario::SellOut => settings.buyers,
            Scenario::FanOut => settings.sockets,
            Scenario::Churn => settings.people,
        }
    }

    /// Connections and sockets open at the same time, at most.
    pub(crate) fn connections(self, settings: &Settings) -> u64 {
        let sockets = match self {
            Scenario::FanOut => settings.sockets,
            Scenario::Churn => settings.people,
            Scenario::OnSale
            | Scenario::HotSeats
            | Scenario::SellOut
            | Scenario::Soak
            | Scenario::Spike => 0,
        };
        u64::from(settings.connections) + u64::from(sockets)
    }

    /// Lets it happen; ends once nobody comes any more.
    pub(crate) async fn play(self, run: &Rc<Run>) {
        match self {
            Scenario::OnSale => on_sale::play(run).await,
            Scenario::HotSeats => hot_seats::play(run).await,
            Scenario::SellOut => sell_out::play(run).await,
            Scenario::FanOut => fan_out::play(run).await,
            Scenario::Churn => churn::play(run).await,
            Scenario::Soak => soak::play(run).await,
            Scenario::Spike => spike::play(run).await,
        }
    }
}
