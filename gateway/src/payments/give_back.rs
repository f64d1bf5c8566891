//! Gives money back, and lets go of what nobody is to take any more.

use std::sync::Arc;

use tiketi_engine::error::MoneyRefusal;
use tiketi_engine::ids::{ChargeIndex, RefundIndex};
use tiketi_engine::money::{ChargeState, RefundState};
use tiketi_engine::record::{CaptureOutcome, ProviderCall, ProviderName, RefundOutcome};

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::payments::answer::{Found, Refund};
use crate::payments::books::{Known, end, find, known, logged, note};
use crate::payments::collect::Collected;
use crate::payments::ids::{PaymentKey, cancel_key};
use crate::payments::names;
use crate::payments::provider::{Charge, RefundOrder};

/// Asks for a refund that is due. Whether it is over, one way or the other.
pub(crate) async fn refund(app: &Arc<App>, index: RefundIndex) -> Result<bool, ApiError> {
    let asked = app.view.read(|state| {
        let ledger = state.ledger();
        let refund = ledger.refund(index).filter(|refund| refund.state == RefundState::Due)?;
        let charge = ledger.charge(refund.charge)?;
        // Counted over restarts: a call that was answered gets another key, one that was cut off
        // the same.
        let calls = charge.trail.iter().filter(|line| line.call == ProviderCall::Refund);
        let attempt = calls.count();
        let order = RefundOrder {
            order_id: names::order_id(refund.charge, charge)?,
            payment_key: PaymentKey::new(&charge.payment_key)?,
            amount: refund.card,
            balance: refund.balance,
            reason: "예매 취소".to_owned(),
            idempotency_key: cancel_key(&names::refund_name(index, charge, attempt)),
            account: ledger.refund_account(refund.charge).cloned(),
        };
        Some((refund.charge, charge.provider, order))
    });
    let Some((charge, provider @ (ProviderName::Toss | ProviderName::Stripe), order)) = asked
    else {
        return Ok(true);
    };
    let Some(answered) = app.payments.asked(provider, |it| it.refund(&order)).await else {
        return Ok(false);
    };
    note(app, charge, &answered).await?;
    let outcome = match answered.outcome {
        Refund::Done { .. } => RefundOutcome::Done,
        Refund::Refused(refusal) => {
            tracing::error!(refund = %index, code = refusal.code, "a refund was refused");
            RefundOutcome::Refused
        }
        // Somebody else's refund, ours of before, or none: the balance tells.
        Refund::Already(_) | Refund::Later(_) | Refund::Unknown(_) | Refund::Mistake(_) => {
            let Some(known) = known(app, charge).await else { return Ok(false) };
            let left = match find(app, charge, &known).await? {
                Some(Found::Captured { balance, .. }) => balance,
                Some(Found::Refunded { .. }) => 0,
                _ => return Ok(false),
            };
            match left {
                left if left + order.amount == order.balance => RefundOutcome::Done,
                left if left < order.balance => {
                    tracing::error!(refund = %index, left, "the provider gave back what we did not ask for");
                    RefundOutcome::Refused
                }
                _ => return Ok(false),
            }
        }
        Refund::Pending { .. } => return Ok(false),
    };
    let end = || app.engine.end_refund(index, outcome, app.clock.now());
    match logged(end).await? {
        Ok(pending) => app.durable(pending).await.map(|()| true),
        Err(MoneyRefusal::NoSuchRefund(_)) => Ok(true),
        Err(refusal) => Err(ApiError::new(Code::Internal).cause(refusal)),
    }
}

/// Its time is over, and the provider closes it, so that nobody can pay any more.
pub(super) async fn give_up(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    attempt: u32,
    reason: &str,
) -> Result<Collected, ApiError> {
    let Charge { order_id, payment_key, amount, .. } = known.charge.clone();
    let order = RefundOrder {
        idempotency_key: cancel_key(&format!("{order_id}-due-{attempt}")),
        order_id,
        payment_key,
        amount,
        balance: amount,
        reason: reason.to_owned(),
        account: None,
    };
    let Some(answered) = app.payments.asked(known.provider, |it| it.refund(&order)).await else {
        return Ok(Collected::Unknown);
    };
    note(app, index, &answered).await?;
    match answered.outcome {
        Refund::Done { balance: 0, .. } => {
            let (after, lsn) = end(app, index, CaptureOutcome::Failed).await?;
            Ok(Collected::Ended(after, lsn))
        }
        _ => Ok(Collected::Unknown),
    }
}

/// Lets go of what a buyer agreed to for an order that cannot be paid any more: Stripe would keep
/// it from the buyer for a week, Toss forgets it by itself. The charge stays as it is.
pub(crate) async fn let_go(app: Arc<App>, index: ChargeIndex, payment_key: String) {
    let order = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        let is_meant = charge.provider == ProviderName::Stripe && charge.state == ChargeState::Open;
        let order_id = names::order_id(index, charge).filter(|_| is_meant)?;
        Some(RefundOrder {
            idempotency_key: cancel_key(&format!("{order_id}-over")),
            order_id,
            payment_key: PaymentKey::new(&payment_key)?,
            amount: charge.amount.card,
            balance: charge.amount.card,
            reason: "예매 시간이 지났습니다.".to_owned(),
            account: None,
        })
    });
    let Some(order) = order else { return };
    let answered = app.payments.asked(ProviderName::Stripe, |it| it.refund(&order)).await;
    let noted = match &answered {
        Some(answered) => note(&app, index, answered).await,
        None => return,
    };
    if let Err(error) = noted {
        tracing::warn!(charge = %index, %error, "what was let go of is not in the trail");
    }
}
