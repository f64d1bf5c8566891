//! Everybody wants the same few seats, and nobody looks at the map first.

use std::rc::Rc;
use std::time::Instant;

use crate::clock::Over;
use crate::dice::Dice;
use crate::plan::Arrival;
use crate::run::Run;
use crate::scenario::{NO_LINE, on_sale};
use crate::steps::HoldEnd;
use crate::wishes::Wishes;

pub(crate) fn usual(usual: Wishes) -> Wishes {
    Wishes {
        rate: Some(500.0),
        duration: Some(30.0),
        think: Some(0.2),
        threshold: Some(NO_LINE),
        ..usual
    }
}

pub(crate) async fn play(run: &Rc<Run>) {
    run.arrivals(run.begun, on_sale::plan(&run.settings), visit).await;
}

async fn visit(run: Rc<Run>, arrival: Arrival, moment: Instant) -> Result<(), Over> {
    let person = run.person(arrival.person);
    let mut dice = Dice::of(run.settings.seed, u64::from(arrival.person));
    let count = run.hall.borrow().seats().len().min(run.settings.hot as usize);
    let seat = dice.below(count) as u32;
    if let HoldEnd::Held(sale) = run.hold(person, moment, &[seat]).await
        && !dice.chance(run.settings.give_up)
    {
        let moment = run.think(&mut dice).await?;
        run.pay(person, sale, moment).await;
    }
    Ok(())
}
