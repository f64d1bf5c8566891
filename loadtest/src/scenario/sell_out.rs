//! Everything, as fast as the server sells it: line, hold, payment, and again. The one scenario in
//! which who buys waits for the answer and then buys again: its rate is the server's, and its
//! latencies are those at full load.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use crate::clock::Over;
use crate::dice::Dice;
use crate::hall::SeatNumber;
use crate::run::Run;
use crate::scenario::{NO_LINE, POLL};
use crate::settings::seconds;
use crate::steps::{HoldEnd, Place};
use crate::wishes::Wishes;

pub(crate) fn usual(usual: Wishes) -> Wishes {
    Wishes { duration: Some(600.0), threshold: Some(NO_LINE), ..usual }
}

pub(crate) async fn play(run: &Rc<Run>) {
    let groups = Rc::new(RefCell::new(groups(run)));
    for buyer in 0..run.settings.buyers {
        run.spawn(buy(Rc::clone(run), buyer, Rc::clone(&groups)));
    }
    tokio::select! {
        () = run.is_empty() => {}
        _ = run.clock.until(run.begun + seconds(run.settings.duration)) => {}
    }
}

/// The seats that are free, side by side in groups, in an order of the seed's.
fn groups(run: &Run) -> Vec<Vec<SeatNumber>> {
    let hall = run.hall.borrow();
    let mut dice = Dice::new(run.settings.seed);
    let mut groups = Vec::new();
    let mut next = 0;
    while (next as usize) < hall.seats().len() {
        let size = 1 + dice.below(run.settings.group as usize) as u32;
        let group = hall.side_by_side(next, size);
        next += (group.len() as u32).max(1);
        if !group.is_empty() {
            groups.push(group);
        }
    }
    // Fisher and Yates.
    for last in (1..groups.len()).rev() {
        groups.swap(last, dice.below(last + 1));
    }
    groups
}

async fn buy(run: Rc<Run>, buyer: u32, groups: Rc<RefCell<Vec<Vec<SeatNumber>>>>) {
    let mut person = run.person(buyer);
    while !run.clock.is_over() {
        let came = Instant::now();
        let (place, _) = run.join(person, came).await;
        person.is_new = false;
        if place != Place::Inside {
            match run.clock.until(came + POLL).await {
                Ok(()) => continue,
                Err(Over) => return,
            }
        }
        let Some(group) = groups.borrow_mut().pop() else { return };
        run.record.borrow_mut().arrived();
        if let HoldEnd::Held(sale) = run.hold(person, Instant::now(), &group).await {
            run.pay(person, sale, Instant::now()).await;
        }
    }
}
