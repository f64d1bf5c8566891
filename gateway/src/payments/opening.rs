//! Has a provider prepare a payment, where it has to before a buyer can agree to it.
//!
//! The charge is durable before (I11) and stays open however this ends. The key is the order's id, so
//! that asking again gives the same payment.

use std::sync::Arc;

use tiketi_engine::ids::ChargeIndex;
use tiketi_engine::money::{Charge, TrailLine};
use tiketi_engine::record::ProviderCall;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::config::Secret;
use crate::error::{ApiError, Code};
use crate::payments::answer::Opened;
use crate::payments::books::note;
use crate::payments::ids::open_key;
use crate::payments::names;
use crate::payments::provider::Opening;

/// What the buyer's browser shows the provider to pay this charge; `None` where it needs nothing.
///
/// # Errors
/// 503: too many attempts are under way; the provider is down, or did not prepare the payment.
///
/// # Cancel safety
/// Once begun it goes on in a task of its own: what the provider said is in the trail.
pub(crate) async fn prepare(
    app: &Arc<App>,
    charge: ChargeIndex,
) -> Result<Option<Secret>, ApiError> {
    let room = app.payments.room()?;
    let task = tokio::spawn(ask(Arc::clone(app), charge, room));
    task.await.map_err(|panic| ApiError::new(Code::Internal).cause(panic))?
}

async fn ask(
    app: Arc<App>,
    index: ChargeIndex,
    _room: OwnedSemaphorePermit,
) -> Result<Option<Secret>, ApiError> {
    let found = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        let order_id = names::order_id(index, charge)?;
        let idempotency_key = open_key(&order_id, failures(charge));
        let opening = Opening { order_id, amount: charge.amount.card, idempotency_key };
        let last = charge.trail.iter().rfind(|line| line.call == ProviderCall::Open);
        Some((charge.provider, opening, last.map(|line| (line.status, line.code.clone()))))
    });
    let Some((provider, opening, last)) = found else { return Ok(None) };
    let Some(call) = app.payments.preparation(provider, &opening) else { return Ok(None) };
    let Some(answered) = app.payments.asked(provider, |_| call).await else {
        let unavailable = unavailable("the provider is down");
        return Err(match app.payments.is_down(provider) {
            Some(wait) => unavailable.retry_after(wait),
            None => unavailable,
        });
    };
    // However often it is asked for, the trail has the same answer once; a failure counts each time.
    let status = answered.trail.http_status.unwrap_or(0);
    let said = Some((status, answered.trail.code.clone().unwrap_or_default()));
    if status >= 500 || said != last {
        note(&app, index, &answered).await?;
    }
    match answered.outcome {
        Opened::Ready { client_secret, .. } => Ok(Some(client_secret)),
        Opened::Mistake(mistake) => {
            tracing::error!(charge = %index, code = mistake.code, "the provider says that we asked wrongly");
            Err(unavailable("the payment was not prepared"))
        }
        Opened::Unknown(unknown) => {
            tracing::warn!(charge = %index, ?unknown, "a payment was not prepared");
            Err(unavailable("nobody knows whether the payment was prepared"))
        }
    }
}

/// How often the provider failed to prepare this payment and said so. It repeats such an answer to
/// the same key, so the next try needs another; what got no answer gets the same key, and what was
/// prepared keeps its own.
fn failures(charge: &Charge) -> u32 {
    let opens = charge.trail.iter().filter(|line| line.call == ProviderCall::Open);
    let before = opens.take_while(|line| line.status != 200);
    let is_failure = |line: &&TrailLine| line.status >= 500;
    u32::try_from(before.filter(is_failure).count()).unwrap_or(u32::MAX)
}

fn unavailable(why: &'static str) -> ApiError {
    ApiError::new(Code::Unavailable)
        .message("결제사와 연결할 수 없어요. 잠시 후 다시 시도해 주세요.")
        .cause(why)
}
