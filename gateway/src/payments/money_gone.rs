//! Orders whose money is gone: the bank took a deposit back, or the provider gave all of a payment
//! back without being asked. They are over.

use tiketi_engine::error::CommandError;
use tiketi_engine::ids::{ChargeIndex, ReservationId};
use tiketi_engine::money::{Charge, ChargeState, Ledger, Purpose};
use tiketi_engine::state::{OrderState, State};

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::orders::{MayBeBusy, unless_busy};

/// Ends the order of a charge where it still counts as paid and none of its money is left: another
/// command was at work on it, or a process died before it was ended.
///
/// # Errors
/// The log takes no records, or the order is busy for long.
pub(crate) async fn end_order(app: &App, charge: ChargeIndex) -> Result<(), ApiError> {
    let Some(order) = app.view.read(|state| paid_order(state, charge)) else { return Ok(()) };
    let cancel = || app.engine.cancel_order(order, None, app.clock.now());
    match unless_busy(cancel).await {
        Ok(cancelled) => {
            app.durable(cancelled).await?;
            app.metrics.event(order.event).cancelled_by_admin.inc();
            Ok(())
        }
        // Another look ends it.
        Err(CommandError::Refused(refusal)) if refusal.is_busy() => {
            Err(ApiError::new(Code::Unavailable).cause(refusal))
        }
        // Over already.
        Err(CommandError::Refused(_)) => Ok(()),
        Err(CommandError::Unavailable(unavailable)) => Err(unavailable.into()),
    }
}

/// Ends the orders that an earlier process left paid. What cannot be ended now is looked at again.
pub(crate) async fn end_earlier(app: &App) {
    let charges: Vec<ChargeIndex> = app.view.read(|state| {
        let all = state.ledger().charges().map(|(index, _)| index);
        all.filter(|&index| paid_order(state, index).is_some()).collect()
    });
    for charge in charges {
        if let Err(error) = end_order(app, charge).await {
            tracing::error!(%charge, %error, "an order whose money is gone is not ended");
            let _ = app.payments.turns.look(charge);
        }
    }
}

fn paid_order(state: &State, index: ChargeIndex) -> Option<ReservationId> {
    let charge = state.ledger().charge(index)?;
    let Purpose::Order(id) = charge.purpose else { return None };
    let is_gone = match charge.state {
        ChargeState::Reversed => true,
        ChargeState::Captured => is_gone_elsewhere(state.ledger(), index, charge),
        _ => false,
    };
    let (_, order) = state.order(id)?;
    // An administrator may have confirmed it since, without this money.
    let rests_on_it = order.payment.is_some_and(|payment| {
        (payment.attempt, payment.method) == (charge.attempt, charge.method())
    });
    (is_gone && rests_on_it && order.state == OrderState::Paid).then_some(id)
}

/// Whether the provider gave back the last won that it had for the order. Where its buyer's own
/// refunds took the last of them, what she kept rests on her points.
fn is_gone_elsewhere(ledger: &Ledger, index: ChargeIndex, charge: &Charge) -> bool {
    let kept = charge.balance();
    let last_of_ours = ledger.refunds_of(index).map(|refund| refund.at).max();
    let last_elsewhere = charge.elsewhere.last().map(|one| one.at);
    charge.elsewhere() > 0 && kept.card == 0 && (kept.points == 0 || last_elsewhere >= last_of_ours)
}
