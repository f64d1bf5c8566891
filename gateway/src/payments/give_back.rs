//! Gives money back, and lets go of what is not to be taken any more.

use std::sync::Arc;

use tiketi_engine::error::MoneyRefusal;
use tiketi_engine::ids::{ChargeIndex, RefundIndex};
use tiketi_engine::money::{ChargeState, RefundCall};
use tiketi_engine::record::{CaptureOutcome, ProviderCall, ProviderName, RefundOutcome};

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::payments::answer::{Answered, Found, Refund};
use crate::payments::balance;
use crate::payments::books::{Collected, Known, cancels, end, find, known, logged, note};
use crate::payments::ids::{PaymentKey, cancel_key};
use crate::payments::names;
use crate::payments::provider::{Charge, RefundOrder};

/// Asks for what is due of a charge: one piece, or all that is left of it. Whether that is over, one
/// way or the other. The caller is the only one at work on the charge.
pub(crate) async fn refund(app: &Arc<App>, index: ChargeIndex) -> Result<bool, ApiError> {
    app.catch_up(None).await?;
    let asked = app.view.read(|state| {
        let ledger = state.ledger();
        let call = ledger.refund_call(index)?;
        let charge = ledger.charge(index)?;
        // One that failed after it was made is another try, whether or not it was answered.
        let failures =
            |&piece: &RefundIndex| ledger.refund(piece).map(|one| u32::from(one.failures));
        let failed: u32 = call.pieces.iter().filter_map(failures).sum();
        let attempt = cancels(charge) + failed;
        let name = names::refund_name(call.pieces[0], charge, attempt, call.amount);
        let order = RefundOrder {
            order_id: names::order_id(index, charge)?,
            payment_key: PaymentKey::new(&charge.payment_key)?,
            amount: call.amount,
            balance: call.balance,
            reason: "예매 취소".to_owned(),
            idempotency_key: cancel_key(&name),
            account: ledger.refund_account(index).cloned(),
        };
        Some((charge.provider, call, order))
    });
    let Some((provider @ (ProviderName::Toss | ProviderName::Stripe), call, order)) = asked else {
        return Ok(true);
    };
    let Some(answered) = app.payments.asked(provider, |it| it.refund(&order)).await else {
        return Ok(false);
    };
    note(app, index, &answered).await?;
    match answered.outcome {
        Refund::Done { .. } => end_pieces(app, &call.pieces, RefundOutcome::Done).await,
        Refund::Pending { .. } => Ok(false),
        Refund::Refused(refusal) => {
            refuse_unless_disputed(app, provider, &call, &refusal.code).await
        }
        Refund::Mistake(mistake) if !mistake.is_key => {
            refuse_unless_disputed(app, provider, &call, &mistake.code).await
        }
        // Made before by a call of ours whose answer was lost, by the provider's staff, or not at
        // all: the balance tells.
        Refund::Already(refusal) => match by_balance(app, index).await? {
            Some(true) => Ok(true),
            Some(false) => refuse(app, &call, &refusal.code).await,
            None => Ok(false),
        },
        Refund::Later(_) | Refund::Unknown(_) | Refund::Mistake(_) => {
            Ok(by_balance(app, index).await? == Some(true))
        }
    }
}

/// Whether the provider's balance says that something has gone back; `None` where it says nothing.
pub(crate) async fn by_balance(
    app: &Arc<App>,
    index: ChargeIndex,
) -> Result<Option<bool>, ApiError> {
    let Some(known) = known(app, index).await else { return Ok(None) };
    match find(app, index, &known).await? {
        Some(Found::Captured { balance, dispute, .. }) => {
            balance::settle(app, index, balance, dispute).await.map(Some)
        }
        Some(Found::Refunded { .. }) => balance::settle(app, index, 0, None).await.map(Some),
        _ => Ok(None),
    }
}

/// As [`refuse`]. Stripe refuses what is disputed, where no message may have told of that: such a refund
/// waits for the bank.
async fn refuse_unless_disputed(
    app: &Arc<App>,
    provider: ProviderName,
    call: &RefundCall,
    code: &str,
) -> Result<bool, ApiError> {
    let has_changed =
        provider == ProviderName::Stripe && by_balance(app, call.charge).await? == Some(true);
    match has_changed {
        true => Ok(true),
        false => refuse(app, call, code).await,
    }
}

/// The provider will not: an administrator has to look at it.
async fn refuse(app: &App, call: &RefundCall, code: &str) -> Result<bool, ApiError> {
    tracing::error!(charge = %call.charge, won = call.amount, code, "a refund was refused");
    end_pieces(app, &call.pieces, RefundOutcome::Refused).await
}

/// Ends these pieces. Those that have ended like this before stay as they are.
async fn end_pieces(
    app: &App,
    pieces: &[RefundIndex],
    outcome: RefundOutcome,
) -> Result<bool, ApiError> {
    for &piece in pieces {
        let end = || app.engine.end_refund(piece, outcome, app.clock.now());
        match logged(end).await? {
            Ok(pending) => app.durable(pending).await?,
            Err(MoneyRefusal::NoSuchRefund(_)) => {}
            Err(refusal) => return Err(ApiError::new(Code::Internal).cause(refusal)),
        }
    }
    Ok(true)
}

/// Closes a payment that is not to be taken any more, so that no buyer can pay it, and fails its
/// charge once the provider says that it is closed.
pub(crate) async fn close(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    reason: &str,
) -> Result<Collected, ApiError> {
    let key = format!("{}-due-{}", known.charge.order_id, known.cancels);
    let Some(answered) = ask_to_cancel(app, known, &key, reason).await else {
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

/// Lets go of what a buyer agreed to and no order waits for. The charge stays as it is, and is silent
/// where the provider has not let go yet.
pub(super) async fn release(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    reason: &str,
) -> Result<Collected, ApiError> {
    let key = format!("{}-over-{}", known.charge.order_id, known.cancels);
    let Some(answered) = ask_to_cancel(app, known, &key, reason).await else {
        return Ok(Collected::Silent);
    };
    note(app, index, &answered).await?;
    Ok(match answered.outcome {
        Refund::Done { .. } | Refund::Already(_) => Collected::Unknown,
        _ => Collected::Silent,
    })
}

/// `None` where the provider is down.
async fn ask_to_cancel(
    app: &App,
    known: &Known,
    key: &str,
    reason: &str,
) -> Option<Answered<Refund>> {
    let Charge { order_id, payment_key, amount, .. } = known.charge.clone();
    let order = RefundOrder {
        idempotency_key: cancel_key(key),
        order_id,
        payment_key,
        amount,
        balance: amount,
        reason: reason.to_owned(),
        account: None,
    };
    app.payments.asked(known.provider, |it| it.refund(&order)).await
}

/// Lets go of what a buyer agreed to for an order that cannot be paid any more: Stripe would keep
/// it from the buyer for a week, Toss forgets it by itself. The charge stays as it is.
pub(crate) async fn let_go(app: Arc<App>, index: ChargeIndex, payment_key: String) {
    let meant = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        let was_let_go =
            charge.trail.iter().any(|line| (line.call, line.status) == (ProviderCall::Refund, 200));
        let is_meant = charge.provider == ProviderName::Stripe
            && charge.state == ChargeState::Open
            && !was_let_go;
        is_meant.then(|| charge.clone())
    });
    let known = meant.and_then(|open| Known::begun(index, open, &payment_key, app.clock.now()));
    let Some(known) = known else { return };
    if let Err(error) = release(&app, index, &known, "예매 시간이 지났습니다.").await {
        tracing::warn!(charge = %index, %error, "what was let go of is not in the trail");
    }
}
