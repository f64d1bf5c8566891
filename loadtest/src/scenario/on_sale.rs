//! An evening's sale: people come at a rate, wait in line, choose, hold, pay.

use std::rc::Rc;

use crate::plan::{Plan, Stretch};
use crate::run::Run;
use crate::scenario::journey;
use crate::settings::Settings;
use crate::wishes::Wishes;

pub(crate) fn usual(usual: Wishes) -> Wishes {
    Wishes { threshold: Some(200), ..usual }
}

/// People at one rate.
pub(crate) fn plan(settings: &Settings) -> Plan {
    let whole = Stretch { seconds: settings.duration, rate: settings.rate };
    Plan::new(settings.seed, vec![whole])
}

pub(crate) async fn play(run: &Rc<Run>) {
    run.arrivals(run.begun, plan(&run.settings), journey::visit).await;
}
