//! Deposits that are awaited: how long, and when their account is closed.

use tiketi_engine::ids::{ChargeIndex, UnixMillis};
use tiketi_engine::money::{Charge, ChargeState, Purpose};
use tiketi_engine::state::{Event, State};

use crate::app::App;

/// Until when a deposit is awaited: no longer than its account, the settings, the event's sale and
/// the event itself allow.
pub(crate) fn due_for(
    app: &App,
    state: &State,
    charge: &Charge,
    account_due: UnixMillis,
) -> UnixMillis {
    let longest = app.clock.now().plus(app.config.deposit_due_max.as_millis() as u64);
    let due = account_due.min(longest);
    match event_of(state, charge) {
        Some(event) => due.min(event.details.sale_ends_at).min(event.details.event_at),
        None => due,
    }
}

/// Whether the event of a charge takes deposits; points always do.
pub(crate) fn are_taken(state: &State, charge: &Charge) -> bool {
    event_of(state, charge).is_none_or(|event| event.terms.deposits)
}

/// When an awaited deposit is due.
pub(crate) fn due_at(state: &State, charge: ChargeIndex) -> Option<UnixMillis> {
    Some(state.ledger().charge(charge)?.deposit.as_ref()?.due_at)
}

/// Whether the account of an awaited deposit is to be closed: it is due, or its event is called off.
pub(crate) fn wants_closing(state: &State, index: ChargeIndex, now: UnixMillis) -> bool {
    let Some(charge) = state.ledger().charge(index) else { return false };
    let is_due = charge.deposit.as_ref().is_some_and(|deposit| deposit.due_at <= now);
    let is_called_off = event_of(state, charge).is_some_and(|event| event.cancelled);
    charge.state == ChargeState::AwaitingDeposit && (is_due || is_called_off)
}

fn event_of<'s>(state: &'s State, charge: &Charge) -> Option<&'s Event> {
    match charge.purpose {
        Purpose::Order(id) => state.event_of_orders(id.event),
        Purpose::Points => None,
    }
}
