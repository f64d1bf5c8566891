//! What providers tell unasked.

use std::sync::Arc;
use std::time::Duration;

use tiketi_engine::money::Charge;
use tiketi_engine::record::ProviderName;

use crate::api::toss::WebhookTaken;
use crate::app::App;
use crate::config::Secret;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::payments::names;
use crate::refusals;

/// How long a webhook may wait for what the provider says; it wants an answer within ten seconds.
const HINT_WITHIN: Duration = Duration::from_secs(5);

/// `POST /api/payments/toss/webhook`.
pub(crate) async fn toss(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    webhook(ProviderName::Toss, app, request).await
}

/// `POST /api/payments/stripe/webhook`.
pub(crate) async fn stripe(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    webhook(ProviderName::Stripe, app, request).await
}

/// A hint and no more: what counts is what the provider answers when it is asked. The answer is 200
/// once that was done, or at once where a task is at a charge that goes on by itself; where it takes
/// too long, the provider says nothing, or too many messages about one charge wait, the provider sends
/// the hint again.
async fn webhook(
    provider: ProviderName,
    app: &Arc<App>,
    request: &Request,
) -> Result<Response, ApiError> {
    let hint = app.payments.hint(provider, request.headers(), request.body(), app.clock.now());
    let Some(hint) = hint else {
        return Err(refusals::invalid("웹훅이 아니에요."));
    };
    let told = Response::ok(&WebhookTaken {});
    let Some(subject) = hint.subject else { return Ok(told) };
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let ledger = state.ledger();
        let order_id = subject.order_id.as_ref();
        let by_order = order_id.and_then(|id| names::charge_of(ledger, id.as_str()));
        let by_payment = || {
            let key = subject.payment_key.as_ref()?;
            names::charge_of_payment(ledger, provider, key.as_str())
        };
        // What the provider did by itself names no order of ours.
        let index = by_order.or_else(|| by_payment().filter(|_| order_id.is_none()))?;
        let charge = ledger.charge(index).filter(|charge| charge.provider == provider)?;
        let stored = charge.deposit.as_ref().map(|deposit| Secret::new(deposit.secret.as_str()));
        Some((index, stored))
    });
    let Some((index, stored)) = found else {
        tracing::info!(message = hint.message, "a webhook about no payment of ours");
        return Ok(told);
    };
    // What carries another secret than the account's is a lie, and not worth a question.
    if let (Some(stored), true) = (stored, subject.secret.is_some())
        && !stored.expose().is_empty()
        && !subject.proves(&stored)
    {
        tracing::warn!(message = hint.message, "a webhook with another secret");
        return Ok(told);
    }
    let looked = app.payments.turns.look(index)?;
    // A provider may answer the call that is under way only once this message is taken. The look that
    // it asks for follows that call.
    let goes_on = app.view.read(|state| {
        let ledger = state.ledger();
        let is_unresolved = ledger.charge(index).is_some_and(Charge::is_unresolved);
        is_unresolved || ledger.refund_call(index).is_some()
    });
    if goes_on && app.payments.turns.is_busy(index) {
        return Ok(told);
    }
    match tokio::time::timeout(HINT_WITHIN, looked).await {
        Ok(Ok(())) => Ok(told),
        Ok(Err(silent)) => Err(ApiError::new(Code::Unavailable).cause(silent)),
        Err(late) => Err(ApiError::new(Code::Unavailable).cause(late)),
    }
}
