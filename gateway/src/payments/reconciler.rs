//! Takes every charge its next step, until it has none: asks the provider what became of it, asks for
//! what goes back, and looks again where a message says that something changed.
//!
//! What there is to do is read from the fold of the log, so a restart goes on where the last process
//! was. In memory is only when each charge was looked at last, and by which task: a charge has one
//! step at a time, so an answer is always held against the books as they were when it was asked for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tiketi_engine::ids::{ChargeIndex, UnixMillis};
use tiketi_engine::money::{ChargeState, Ledger};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::payments::books::Collected;
use crate::payments::link::CALLS_MAX;
use crate::payments::{collect, deposits, give_back, money_gone, retry};

/// How often the fold is looked through.
const TICK: Duration = Duration::from_millis(200);
/// Refunds asked for in one tick: fifty a second, so that those of a whole event do not crowd out
/// buyers who are paying.
const REFUNDS_PER_TICK: usize = 10;
/// Charges of unknown outcome that are looked at in one tick, in turns: all of 100,000 within four
/// seconds, and the view is read for less than a millisecond.
const CHARGES_SEEN_PER_TICK: usize = 5_000;
/// Charges are asked about in small groups: hundreds at once would keep the processors from buyers.
const GROUP_EVERY: Duration = Duration::from_millis(5);
/// 100,000 charges in forty-two seconds.
const CHARGES_PER_GROUP: usize = 12;
/// Charges being asked about at a time: half as many as a provider is asked things at a time, so that
/// these alone never keep buyers who pay waiting.
const CHARGES_AT_A_TIME: usize = CALLS_MAX / 2;
/// Looks that begin at once.
const LOOKS_AT_ONCE: usize = 100;
/// How often turns that have no next step are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// How often an awaited deposit is asked about where no webhook comes.
const DEPOSIT_EVERY: Duration = Duration::from_secs(600);
/// Looks at one charge that messages may ask for at once; further ones wait, twice as long each time.
const LOOKS_FREE: u32 = 8;
/// The longest such wait.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(64);
/// Messages about one charge that may wait for its next look.
const WAITERS_MAX: usize = 8;
/// Charges that were never confirmed are forgotten after this long; payment windows last 40 minutes.
const OPEN_FOR_MS: u64 = 24 * 60 * 60 * 1_000;
/// Charges forgotten in one tick.
const FORGOTTEN_PER_TICK: usize = 100;

/// When a charge has its next step.
#[derive(Debug)]
struct Turn {
    tries: u32,
    /// A task is at it.
    busy: bool,
    at: Instant,
    /// A message said that it changed: from when on the provider may be asked, also where the books
    /// know all.
    look_at: Option<Instant>,
    /// How many looks messages have asked for of late.
    looks: u32,
    /// When the last step ended.
    ended_at: Option<Instant>,
    /// Messages that wait for the next look.
    waiters: Vec<oneshot::Sender<()>>,
}

impl Turn {
    fn new(at: Instant) -> Turn {
        let waiters = Vec::new();
        Turn { tries: 0, busy: false, at, look_at: None, looks: 0, ended_at: None, waiters }
    }

    fn is_look_due(&self, now: Instant) -> bool {
        self.look_at.is_some_and(|at| at <= now)
    }

    /// Kept for its own sake: the bound on looks counts on it.
    fn is_fresh(&self, now: Instant) -> bool {
        self.ended_at.is_some_and(|ended| ended + 2 * LOOK_EVERY_MAX > now)
    }
}

/// What is being done about charges, and when what comes next.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    kept: Mutex<Kept>,
    wake: Notify,
    /// A charge has become free for another task.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    turns: HashMap<ChargeIndex, Turn>,
    /// Charges that messages want to have looked at. After a provider's bad hour there are 100,000
    /// turns: they are not all gone through for each message.
    wanted: BTreeSet<ChargeIndex>,
}

impl Kept {
    fn turn(&mut self, charge: ChargeIndex, now: Instant) -> &mut Turn {
        self.turns.entry(charge).or_insert_with(|| Turn::new(now))
    }
}

/// The right to take one charge its next step; given up when it is dropped.
pub(crate) struct AtWork {
    app: Arc<App>,
    charge: ChargeIndex,
    next: Next,
}

impl AtWork {
    /// Waits until no other task is at the charge.
    pub(crate) async fn on(app: &Arc<App>, charge: ChargeIndex) -> AtWork {
        let turns = &app.payments.turns;
        loop {
            let freed = turns.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if turns.take(charge) {
                return AtWork { app: Arc::clone(app), charge, next: Next::Over };
            }
            freed.await;
        }
    }

    /// The reconciler goes on from here, a little later.
    pub(crate) fn leave_unknown(mut self) {
        self.next = Next::again();
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.app.payments.turns.end(self.charge, self.next);
    }
}

/// What comes after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, or something else that the fold tells.
    Over,
    /// Another try, later each time.
    Again { after: Option<Duration> },
}

impl Next {
    fn again() -> Next {
        Next::Again { after: None }
    }
}

impl Turns {
    /// Has a charge looked at as soon as it may be; the answer comes after that look.
    ///
    /// # Errors
    /// 503: too many messages about this charge wait already. Its provider sends this one again.
    pub(crate) fn look(&self, charge: ChargeIndex) -> Result<oneshot::Receiver<()>, ApiError> {
        let (told, waits) = oneshot::channel();
        let now = Instant::now();
        let mut kept = self.kept.lock();
        let turn = kept.turn(charge, now);
        if turn.waiters.len() >= WAITERS_MAX {
            return Err(ApiError::new(Code::Unavailable).cause("too many messages about a charge"));
        }
        turn.waiters.push(told);
        if turn.look_at.is_none() {
            let pause = match turn.looks {
                ..LOOKS_FREE => Duration::ZERO,
                looks => LOOK_EVERY_MAX.min(Duration::from_secs(1 << (looks - LOOKS_FREE).min(6))),
            };
            turn.looks = turn.looks.saturating_add(1);
            turn.look_at = Some(turn.ended_at.map_or(now, |ended| now.max(ended + pause)));
        }
        kept.wanted.insert(charge);
        drop(kept);
        self.wake.notify_one();
        Ok(waits)
    }

    /// Has a charge looked at again, as it could not be this time.
    fn look_again(&self, charge: ChargeIndex, tries: u32) {
        let at = Instant::now() + retry::next(tries);
        let mut kept = self.kept.lock();
        if let Some(turn) = kept.turns.get_mut(&charge) {
            turn.look_at = Some(turn.look_at.map_or(at, |sooner| sooner.min(at)));
            kept.wanted.insert(charge);
        }
    }

    /// Whether a task is at a charge at this moment.
    pub(crate) fn is_busy(&self, charge: ChargeIndex) -> bool {
        self.kept.lock().turns.get(&charge).is_some_and(|turn| turn.busy)
    }

    /// Has every charge of these looked at now, those that wait for another try as well.
    pub(crate) fn ask_now(&self, charges: impl IntoIterator<Item = ChargeIndex>) {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        for charge in charges {
            kept.turn(charge, now).at = now;
        }
        drop(kept);
        self.wake.notify_one();
    }

    fn take(&self, charge: ChargeIndex) -> bool {
        let mut kept = self.kept.lock();
        let turn = kept.turn(charge, Instant::now());
        !std::mem::replace(&mut turn.busy, true)
    }

    /// Forgets charges that have no next step.
    fn keep_only(&self, all: &HashSet<ChargeIndex>) {
        let now = Instant::now();
        self.kept.lock().turns.retain(|charge, turn| {
            turn.busy || turn.look_at.is_some() || all.contains(charge) || turn.is_fresh(now)
        });
    }

    /// Charges that messages want to have looked at, and may be.
    fn wanted(&self) -> Vec<ChargeIndex> {
        let now = Instant::now();
        let kept = self.kept.lock();
        let is_due = |charge: &&ChargeIndex| {
            kept.turns.get(charge).is_some_and(|turn| turn.is_look_due(now))
        };
        kept.wanted.iter().filter(is_due).copied().collect()
    }

    /// Of these charges, those whose turn it is, at most `max`, each marked as being worked at.
    fn due(&self, mut all: impl Iterator<Item = ChargeIndex>, max: usize) -> Vec<Work> {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        let mut due = Vec::new();
        while due.len() < max
            && let Some(charge) = all.next()
        {
            let turn = kept.turn(charge, now);
            let wants_look = turn.is_look_due(now);
            if turn.busy || (turn.at > now && !wants_look) {
                continue;
            }
            turn.busy = true;
            let mut work = Work { charge, tries: turn.tries, wants_look, waiters: Vec::new() };
            if wants_look {
                turn.look_at = None;
                work.waiters = std::mem::take(&mut turn.waiters);
                kept.wanted.remove(&charge);
            }
            due.push(work);
        }
        due
    }

    fn end(&self, charge: ChargeIndex, next: Next) {
        let now = Instant::now();
        let mut wants_look = false;
        if let Some(turn) = self.kept.lock().turns.get_mut(&charge) {
            turn.busy = false;
            if !turn.is_fresh(now) {
                turn.looks = turn.looks.min(1);
            }
            turn.ended_at = Some(now);
            (turn.tries, turn.at) = match next {
                // What comes after this has not been tried.
                Next::Over => (0, now),
                Next::Again { after: Some(after) } => (turn.tries + 1, now + after),
                Next::Again { after: None } => (turn.tries + 1, now + retry::next(turn.tries)),
            };
            wants_look = turn.is_look_due(now);
        }
        self.freed.notify_waiters();
        if wants_look {
            self.wake.notify_one();
        }
    }
}

/// One step to take.
struct Work {
    charge: ChargeIndex,
    tries: u32,
    wants_look: bool,
    waiters: Vec<oneshot::Sender<()>>,
}

/// Runs until the gateway stops.
pub(crate) async fn keep(app: Arc<App>) {
    let turns = &app.payments.turns;
    money_gone::end_earlier(&app).await;
    let room = Arc::new(Semaphore::new(CHARGES_AT_A_TIME));
    let (mut charges, mut last_seen) = (Vec::new().into_iter(), ChargeIndex(0));
    let mut tick_at = Instant::now();
    let (mut group_at, mut forget_at) = (tick_at, tick_at);
    loop {
        let next_at = if charges.len() == 0 { tick_at } else { tick_at.min(group_at) };
        let _ = tokio::time::timeout_at(next_at, turns.wake.notified()).await;
        // Messages wait neither for a tick nor behind the other charges.
        for work in turns.due(turns.wanted().into_iter(), LOOKS_AT_ONCE) {
            tokio::spawn(carry_out(Arc::clone(&app), work, None));
        }
        let now = Instant::now();
        if now >= forget_at {
            forget_at = now + FORGET_EVERY;
            turns.keep_only(&app.view.read(|state| with_next_step(state.ledger())));
        }
        if now >= tick_at {
            tick_at = now + TICK;
            charges = look_through(&app, last_seen).into_iter();
        }
        if now >= group_at {
            // Groups that are late by less than one keep the pace.
            group_at = now.max(group_at + GROUP_EVERY);
            let max = CHARGES_PER_GROUP.min(room.available_permits());
            let passed = charges.by_ref().inspect(|&charge| last_seen = charge);
            for work in turns.due(passed, max) {
                let room = Arc::clone(&room).try_acquire_owned().ok();
                tokio::spawn(carry_out(Arc::clone(&app), work, room));
            }
        }
    }
}

/// All that has a next step.
fn with_next_step(ledger: &Ledger) -> HashSet<ChargeIndex> {
    ledger.unresolved().chain(ledger.charges_with_refunds_due()).collect()
}

/// Begins what one tick begins at once, and answers with the next charges of unknown outcome after
/// `last_seen`.
fn look_through(app: &Arc<App>, last_seen: ChargeIndex) -> Vec<ChargeIndex> {
    let turns = &app.payments.turns;
    let now = app.clock.now();
    let (charges, closing, refunds) = app.view.read(|state| {
        let ledger = state.ledger();
        let charges = ledger.unresolved_after(last_seen).take(CHARGES_SEEN_PER_TICK);
        let charges: Vec<ChargeIndex> = charges.collect();
        let is_closing = |&charge: &ChargeIndex| deposits::wants_closing(state, charge, now);
        let closing: Vec<ChargeIndex> = charges.iter().copied().filter(is_closing).collect();
        // Oldest first, and few at a time.
        let refunds: Vec<ChargeIndex> = ledger.charges_with_refunds_due().take(1_000).collect();
        (charges, closing, refunds)
    });
    turns.close_soon(&closing);
    for work in turns.due(refunds.into_iter(), REFUNDS_PER_TICK) {
        tokio::spawn(carry_out(Arc::clone(app), work, None));
    }
    let before = UnixMillis(now.0.saturating_sub(OPEN_FOR_MS));
    if let Err(unavailable) = app.engine.forget_charges(before, FORGOTTEN_PER_TICK, now) {
        tracing::debug!(%unavailable, "charges are forgotten later");
    }
    charges
}

impl Turns {
    /// Has accounts closed that are to be: the tick that first sees one does not wait for the next
    /// look at its deposit.
    fn close_soon(&self, closing: &[ChargeIndex]) {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        for charge in closing {
            let turn = kept.turn(*charge, now);
            // Sooner than the slow look at a deposit, later than one that failed just now.
            turn.at =
                turn.at.min(turn.ended_at.map_or(now, |ended| ended + retry::next(turn.tries)));
        }
    }
}

/// `room` is kept until it is done.
async fn carry_out(app: Arc<App>, work: Work, room: Option<OwnedSemaphorePermit>) {
    let Work { charge, tries, wants_look, waiters } = work;
    let mut at_work = AtWork { app: Arc::clone(&app), charge, next: Next::again() };
    match step(&app, charge, tries, wants_look).await {
        Ok(next) => at_work.next = next,
        Err(error) => {
            tracing::warn!(%charge, %error, "a payment was not taken its next step");
            if wants_look {
                app.payments.turns.look_again(charge, tries);
            }
            // Its messages are not taken: the provider sends them again.
            return;
        }
    }
    drop((at_work, room));
    // A message that does not wait any more has been answered.
    for waiter in waiters {
        let _ = waiter.send(());
    }
}

async fn step(
    app: &Arc<App>,
    charge: ChargeIndex,
    tries: u32,
    wants_look: bool,
) -> Result<Next, ApiError> {
    app.catch_up(None).await?;
    let state = |app: &App| app.view.read(|state| Some(state.ledger().charge(charge)?.state));
    match state(app) {
        Some(ChargeState::Captured) if !wants_look => {
            return Ok(match give_back::refund(app, charge).await? {
                true => Next::Over,
                false => Next::again(),
            });
        }
        Some(ChargeState::Open) | None => {}
        Some(_) => {
            let found = collect::resolve(app, charge, tries / 2).await?;
            if wants_look && found == Collected::Silent {
                let why = "the provider says nothing of a payment that has changed";
                return Err(ApiError::new(Code::Unavailable).cause(why));
            }
        }
    }
    // What comes next depends on what was just written down.
    app.catch_up(None).await?;
    let now = app.clock.now();
    Ok(match state(app) {
        Some(ChargeState::Capturing) => Next::again(),
        Some(ChargeState::AwaitingDeposit) => {
            let due = app.view.read(|state| deposits::due_at(state, charge));
            let left = due.map(|due| Duration::from_millis(due.0.saturating_sub(now.0)));
            let after = match left {
                Some(left) if !left.is_zero() => DEPOSIT_EVERY.min(left),
                _ => retry::next(tries),
            };
            Next::Again { after: Some(after) }
        }
        _ => Next::Over,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_charges_are_passed_than_are_taken() {
        let turns = Turns::default();
        let mut charges = (0..5).map(ChargeIndex);
        let mut taken = |max| -> Vec<ChargeIndex> {
            turns.due(charges.by_ref(), max).into_iter().map(|work| work.charge).collect()
        };
        assert_eq!(taken(2), [ChargeIndex(0), ChargeIndex(1)]);
        assert_eq!(taken(0), []);
        assert_eq!(taken(9), [ChargeIndex(2), ChargeIndex(3), ChargeIndex(4)]);
        assert_eq!(turns.due((0..5).map(ChargeIndex), 9).len(), 0, "a task is at each");
        turns.end(ChargeIndex(3), Next::Over);
        turns.end(ChargeIndex(4), Next::again());
        assert_eq!(turns.due((0..5).map(ChargeIndex), 9).len(), 1);
    }

    #[test]
    fn a_look_that_a_message_wants_is_found_among_many_turns() {
        let turns = Turns::default();
        let all = || (0..9).map(ChargeIndex);
        assert_eq!(turns.due(all(), 9).len(), 9);
        all().for_each(|charge| turns.end(charge, Next::again()));
        assert_eq!(turns.wanted(), []);
        let _waits = turns.look(ChargeIndex(7)).expect("room");
        assert_eq!(turns.wanted(), [ChargeIndex(7)]);
        let due = turns.due(turns.wanted().into_iter(), 9);
        assert_eq!(due.len(), 1);
        assert!(due[0].wants_look && due[0].waiters.len() == 1);
        assert_eq!(turns.wanted(), [], "it is being looked at");
        turns.look_again(ChargeIndex(7), 0);
        assert!(turns.kept.lock().wanted.contains(&ChargeIndex(7)), "later");
    }
}
