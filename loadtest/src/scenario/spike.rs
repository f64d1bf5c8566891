//! A calm sale, a rush in the middle of it, and whether it is calm again afterwards.

use std::rc::Rc;

use crate::plan::{Plan, Stretch};
use crate::run::Run;
use crate::scenario::journey;
use crate::settings::Settings;
use crate::wishes::Wishes;

/// How much of the time the rush takes.
const RUSH: f64 = 0.2;

pub(crate) fn usual(usual: Wishes) -> Wishes {
    Wishes { rate: Some(20.0), threshold: Some(200), ..usual }
}

/// Calm, rush, calm.
pub(crate) fn plan(settings: &Settings) -> Plan {
    let calm = Stretch { seconds: settings.duration * (1.0 - RUSH) / 2.0, rate: settings.rate };
    let rate = settings.rate * settings.spike_factor;
    let rush = Stretch { seconds: settings.duration * RUSH, rate };
    Plan::new(settings.seed, vec![calm, rush, calm])
}

pub(crate) async fn play(run: &Rc<Run>) {
    run.arrivals(run.begun, plan(&run.settings), journey::visit).await;
}
