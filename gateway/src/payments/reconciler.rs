//! Asks providers about every charge of which nobody knows what became of it, and for every refund
//! that is due, until each has ended.
//!
//! What there is to do is read from the fold of the log, so a restart goes on where the last process
//! was. In memory is only when each thing was tried last.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tiketi_engine::ids::{ChargeIndex, RefundIndex};
use tiketi_engine::money::ChargeState;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::app::App;
use crate::payments::{collect, give_back, reversed};

/// How often the fold is looked through.
const TICK: Duration = Duration::from_millis(200);
/// Refunds asked for in one look: fifty a second, so that those of a whole event do not crowd out
/// who is paying.
const REFUNDS_PER_TICK: usize = 10;
/// Charges asked about in one look.
const CHARGES_PER_TICK: usize = 50;
/// How often an awaited deposit is asked about where no webhook comes.
const DEPOSIT_EVERY: Duration = Duration::from_secs(600);

/// Something to be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    Charge(ChargeIndex),
    Refund(RefundIndex),
}

/// When something is asked about next.
#[derive(Clone, Copy, Debug)]
struct Turn {
    tries: u32,
    /// Somebody is at it.
    busy: bool,
    at: Instant,
}

/// What is being asked about, and when what is asked next.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    turns: Mutex<HashMap<Work, Turn>>,
    wake: Notify,
}

/// Keeps the reconciler from a charge that somebody is capturing.
pub(crate) struct AtWork {
    app: Arc<App>,
    work: Work,
}

impl AtWork {
    /// Before the capture is begun.
    pub(crate) fn on(app: &Arc<App>, charge: ChargeIndex) -> AtWork {
        let work = Work::Charge(charge);
        let turn = Turn { tries: 0, busy: true, at: Instant::now() };
        app.payments.turns.turns.lock().insert(work, turn);
        AtWork { app: Arc::clone(app), work }
    }

    /// The reconciler goes on from here, a little later.
    pub(crate) fn leave_unknown(self) {
        self.app.payments.turns.done(self.work, false, None);
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut turns = self.app.payments.turns.turns.lock();
        if turns.get(&self.work).is_some_and(|turn| turn.busy) {
            turns.remove(&self.work);
        }
    }
}

impl Turns {
    /// Has a charge asked about now: somebody says that it changed.
    pub(crate) fn hint(&self, charge: ChargeIndex) {
        if let Some(turn) = self.turns.lock().get_mut(&Work::Charge(charge)) {
            turn.at = Instant::now();
        }
        self.wake.notify_one();
    }

    /// Has every refund that is due asked for now.
    pub(crate) fn ask_refunds_now(&self) {
        let refunds = |(work, _): &(&Work, &mut Turn)| matches!(work, Work::Refund(_));
        let now = Instant::now();
        self.turns.lock().iter_mut().filter(refunds).for_each(|(_, turn)| turn.at = now);
        self.wake.notify_one();
    }

    /// Forgets what is not there to do any more: somebody else has ended it.
    fn keep_only(&self, all: &HashSet<Work>) {
        self.turns.lock().retain(|work, turn| turn.busy || all.contains(work));
    }

    /// Of what there is to do, what is due, at most `max`, each marked as being done.
    fn due(&self, all: impl Iterator<Item = Work>, max: usize) -> Vec<(Work, u32)> {
        let now = Instant::now();
        let mut turns = self.turns.lock();
        let is_due = |work: &Work| {
            let turn = turns.entry(*work).or_insert(Turn { tries: 0, busy: false, at: now });
            let due = !turn.busy && turn.at <= now;
            turn.busy |= due;
            due
        };
        let due: Vec<Work> = all.filter(is_due).take(max).collect();
        due.into_iter().map(|work| (work, turns[&work].tries)).collect()
    }

    fn done(&self, work: Work, is_over: bool, wait: Option<Duration>) {
        let mut turns = self.turns.lock();
        if is_over {
            turns.remove(&work);
        } else if let Some(turn) = turns.get_mut(&work) {
            turn.busy = false;
            turn.at =
                wait.map_or_else(|| collect::again_at(turn.tries), |wait| Instant::now() + wait);
            turn.tries += 1;
        }
    }
}

/// Runs until the gateway stops.
pub(crate) async fn keep(app: Arc<App>) {
    let turns = &app.payments.turns;
    if let Err(error) = reversed::end_earlier(&app).await {
        tracing::error!(%error, "an order whose deposit was taken back is not ended");
    }
    loop {
        let _ = tokio::time::timeout(TICK, turns.wake.notified()).await;
        let (charges, refunds) = app.view.read(|state| {
            let ledger = state.ledger();
            let charges: Vec<Work> = ledger.unresolved().map(Work::Charge).collect();
            // Oldest first, and few at a time.
            let refunds: Vec<Work> = ledger.next_refunds().take(1_000).map(Work::Refund).collect();
            (charges, refunds)
        });
        turns.keep_only(&charges.iter().chain(&refunds).copied().collect());
        let due = turns.due(charges.into_iter(), CHARGES_PER_TICK);
        let due = due.into_iter().chain(turns.due(refunds.into_iter(), REFUNDS_PER_TICK));
        for (work, tries) in due {
            tokio::spawn(carry_out(Arc::clone(&app), work, tries));
        }
    }
}

async fn carry_out(app: Arc<App>, work: Work, tries: u32) {
    let (is_over, wait) = match work {
        Work::Charge(index) => {
            let resolved = collect::resolve(&app, index, tries / 2).await;
            if let Err(error) = resolved {
                tracing::warn!(charge = %index, %error, "a payment was not resolved");
            }
            let state = app.view.read(|state| state.ledger().charge(index).map(|one| one.state));
            let waits = state == Some(ChargeState::AwaitingDeposit);
            let is_over = !waits && state != Some(ChargeState::Capturing);
            (is_over, waits.then_some(DEPOSIT_EVERY))
        }
        Work::Refund(index) => match give_back::refund(&app, index).await {
            Ok(is_over) => (is_over, None),
            Err(error) => {
                tracing::warn!(refund = %index, %error, "a refund was not made");
                (false, None)
            }
        },
    };
    app.payments.turns.done(work, is_over, wait);
}
