//! Carries payment attempts through, one task each.

use std::sync::Arc;
use std::time::Duration;

use tiketi_engine::engine::{AfterPayment, Once, PaymentIntent, PaymentOutcome};
use tiketi_engine::error::{CommandError, JournalUnavailable};
use tiketi_engine::ids::{EventIndex, Lsn, OrderNumber, ReservationId};
use tiketi_engine::journal::Pending;
use tiketi_engine::record::{OrderRef, PaymentMethod};
use tiketi_engine::state::{Event, Order, OrderState};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::order_view::OrderView;

/// Between two tries to log an outcome while the log takes no records.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// What became of an attempt; all of it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempted {
    /// It was carried out.
    Ended(AfterPayment, Lsn),
    /// It was begun before, under the same idempotency key.
    Repeated(Lsn),
}

/// Hands a begun payment to a task of its own. The answer may be waited for or not.
pub(crate) fn carry_out(
    app: Arc<App>,
    begun: Pending<Once<PaymentIntent>>,
    method: PaymentMethod,
    room: OwnedSemaphorePermit,
) -> impl Future<Output = Result<Attempted, ApiError>> {
    let task = tokio::spawn(async move {
        let _room = room;
        let lsn = begun.lsn();
        // The intent is durable before the provider hears of it (I11).
        let intent = match app.durable(begun).await? {
            Once::Done(intent) => intent,
            Once::Repeated(_) => return Ok(Attempted::Repeated(lsn)),
        };
        let outcome = match method {
            // There is nothing to take, so no provider is asked.
            PaymentMethod::Free => PaymentOutcome::Captured,
            _ => app.payments.simulated.capture().await,
        };
        let (after, lsn) = finish(&app, intent, outcome).await?;
        count(&app, intent.reservation, method, after, lsn).await;
        Ok(Attempted::Ended(after, lsn))
    });
    async move { task.await.map_err(|panic| ApiError::new(Code::Internal).cause(panic))? }
}

/// Logs an outcome, however long the log has to be waited for.
async fn finish(
    app: &App,
    intent: PaymentIntent,
    outcome: PaymentOutcome,
) -> Result<(AfterPayment, Lsn), ApiError> {
    loop {
        match app.engine.finish_payment(intent, outcome, app.clock.now()) {
            Ok(pending) => {
                let lsn = pending.lsn();
                return Ok((app.durable(pending).await?, lsn));
            }
            Err(CommandError::Unavailable(
                JournalUnavailable::QueueFull | JournalUnavailable::DiskLow,
            )) => tokio::time::sleep(RETRY_AFTER).await,
            // The next start resolves it: until then nobody knows how it ends.
            Err(CommandError::Unavailable(JournalUnavailable::Poisoned)) => {
                return Err(ApiError::new(Code::Timeout).cause(JournalUnavailable::Poisoned));
            }
            Err(CommandError::Refused(refusal)) => {
                return Err(ApiError::new(Code::Internal).cause(refusal));
            }
        }
    }
}

/// Metrics never fail a payment.
async fn count(app: &App, id: ReservationId, method: PaymentMethod, after: AfterPayment, lsn: Lsn) {
    let won = match after {
        AfterPayment::Paid if app.catch_up(Some(lsn)).await.is_ok() => {
            app.view.read(|state| Some(OrderView::find(state, id)?.total_amount()))
        }
        AfterPayment::Paid
        | AfterPayment::Held
        | AfterPayment::Awaiting
        | AfterPayment::Expired
        | AfterPayment::EventCancelled => None,
    };
    app.metrics.payment(id.event, method, won);
}

/// Ends the payments that an earlier process left under way, by asking the provider (I11). Runs
/// before anybody may connect.
///
/// # Errors
/// The log takes no records.
pub(crate) async fn resolve_earlier(app: &App) -> Result<(), ApiError> {
    let intents: Vec<(PaymentIntent, PaymentMethod)> = app.view.read(|state| {
        let events = state.events().iter().enumerate();
        let simulated = |(intent, _): &(PaymentIntent, PaymentMethod)| {
            let ReservationId { event, order, .. } = intent.reservation;
            // The reconciler has those that a provider was asked about.
            state.ledger().paying(OrderRef { event, number: order }).is_none()
        };
        let all = events.flat_map(|(index, event)| under_way(EventIndex(index as u32), event));
        all.filter(simulated).collect()
    });
    for &(intent, method) in &intents {
        let outcome = match method {
            PaymentMethod::Free => PaymentOutcome::Captured,
            _ => app.payments.simulated.outcome_of_earlier().await,
        };
        finish(app, intent, outcome).await?;
    }
    if !intents.is_empty() {
        tracing::info!(payments = intents.len(), "payments of an earlier start resolved");
    }
    Ok(())
}

fn under_way(
    index: EventIndex,
    event: &Event,
) -> impl Iterator<Item = (PaymentIntent, PaymentMethod)> {
    let intent = move |(number, order): (OrderNumber, &Order)| {
        let payment = order.payment.filter(|_| order.state == OrderState::Paying)?;
        let reservation = ReservationId { event: index, slot: order.slot, order: number };
        Some((PaymentIntent { reservation, attempt: payment.attempt }, payment.method))
    };
    event.orders().filter_map(intent)
}
