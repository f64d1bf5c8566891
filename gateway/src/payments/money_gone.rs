//! Deposits that the bank took back: an order that rested on one is over.

use tiketi_engine::error::CommandError;
use tiketi_engine::ids::{ChargeIndex, ReservationId};
use tiketi_engine::money::{ChargeState, Purpose};
use tiketi_engine::state::{OrderState, State};

use crate::app::App;
use crate::error::ApiError;
use crate::orders::unless_busy;

/// Ends the order of a charge where it still counts as paid: somebody else was at work on it, or a
/// process died before it was ended.
///
/// # Errors
/// The log takes no records.
pub(crate) async fn end_order(app: &App, charge: ChargeIndex) -> Result<(), ApiError> {
    let Some(order) = app.view.read(|state| paid_order(state, charge)) else { return Ok(()) };
    let cancel = || app.engine.cancel_order(order, None, app.clock.now());
    match unless_busy(cancel).await {
        Ok(cancelled) => app.durable(cancelled).await,
        // Over already.
        Err(CommandError::Refused(_)) => Ok(()),
        Err(CommandError::Unavailable(unavailable)) => Err(unavailable.into()),
    }
}

/// Ends the orders that an earlier process left paid.
///
/// # Errors
/// As [`end_order`].
pub(crate) async fn end_earlier(app: &App) -> Result<(), ApiError> {
    let charges: Vec<ChargeIndex> = app.view.read(|state| {
        let all = (0..state.ledger().charges().len() as u32).map(ChargeIndex);
        all.filter(|&index| paid_order(state, index).is_some()).collect()
    });
    for charge in charges {
        end_order(app, charge).await?;
    }
    Ok(())
}

fn paid_order(state: &State, charge: ChargeIndex) -> Option<ReservationId> {
    let charge = state.ledger().charge(charge)?;
    let Purpose::Order(id) = charge.purpose else { return None };
    let is_reversed = charge.state == ChargeState::Reversed;
    let (_, order) = state.order(id)?;
    (is_reversed && order.state == OrderState::Paid).then_some(id)
}
