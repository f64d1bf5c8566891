//! Asks the provider about one charge or refund, and ends it by what it says.
//!
//! The intent is durable before the provider is asked, what it answered is in the trail and the outcome
//! in the log before anybody hears of it (I11). What nobody knows for certain stays as it is: the
//! reconciler asks again.

use std::sync::Arc;
use std::time::Duration;

use tiketi_engine::engine::{AfterPayment, CaptureIntent};
use tiketi_engine::error::{CommandError, JournalUnavailable, MoneyRefusal};
use tiketi_engine::ids::{ChargeIndex, Lsn, RefundIndex, UnixMillis};
use tiketi_engine::journal::Pending;
use tiketi_engine::money::{self, ChargeState, Means, Purpose, RefundState};
use tiketi_engine::record::{
    CaptureOutcome, ProviderAnswered, ProviderCall, ProviderName, RefundOutcome,
};
use tokio::time::Instant;

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::orders::MayBeBusy;
use crate::payments::answer::{
    Answered, Capture, Captured, Deposit, Found, Refund, Refusal, Stage,
};
use crate::payments::ids::{PaymentKey, cancel_key, confirm_key};
use crate::payments::provider::{Charge, Inquiry, RefundOrder};
use crate::payments::{names, retry, reversed};

/// Between two tries to log an outcome while the log takes no records.
const LOG_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How an attempt to capture went; what is said is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Collected {
    /// It ended, for its order like this.
    Ended(AfterPayment, Lsn),
    /// The provider took no money and says why.
    Refused(Refusal, AfterPayment, Lsn),
    /// Nobody knows yet.
    Unknown,
}

/// What the provider has to be told about a charge.
struct Known {
    charge: Charge,
    provider: ProviderName,
    state: ChargeState,
    started_at: UnixMillis,
    due_at: Option<UnixMillis>,
    /// What we gave back, or are giving.
    returned: u64,
    /// Some of it is still on its way.
    is_returning: bool,
}

/// Captures a charge whose intent was just begun. Points alone need no provider.
pub(crate) async fn capture(
    app: Arc<App>,
    begun: Pending<CaptureIntent>,
) -> Result<Collected, ApiError> {
    let intent = app.durable(begun).await?;
    let index = intent.charge;
    if intent.card == 0 {
        return by_points(&app, index).await;
    }
    let Some(known) = known(&app, index).await else { return Ok(Collected::Unknown) };
    ask_to_capture(&app, index, &known, 0).await
}

/// The points were spent with the intent: there is nobody to ask.
async fn by_points(app: &App, index: ChargeIndex) -> Result<Collected, ApiError> {
    let approved_at = app.clock.now();
    let captured = money::Captured { approved_at, means: Means::Points, receipt: None };
    let (after, lsn) = end(app, index, CaptureOutcome::Captured(Box::new(captured))).await?;
    Ok(Collected::Ended(after, lsn))
}

async fn ask_to_capture(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    attempt: u32,
) -> Result<Collected, ApiError> {
    let mut charge = known.charge.clone();
    charge.idempotency_key = confirm_key(&charge.order_id, attempt);
    let answered = match app.payments.asked(known.provider, |it| it.capture(&charge)).await {
        Some(answered) => answered,
        None => return Ok(Collected::Unknown),
    };
    note(app, index, &answered).await?;
    match answered.outcome {
        Capture::Captured(captured) => {
            let (after, lsn) = end(app, index, taken(app, &captured)).await?;
            Ok(Collected::Ended(after, lsn))
        }
        Capture::AwaitingDeposit(deposit) => {
            let (after, lsn) = end(app, index, awaiting(app, &deposit)).await?;
            Ok(Collected::Ended(after, lsn))
        }
        Capture::Refused(refusal) => refused(app, index, refusal).await,
        // We asked wrongly: it fails once the provider agrees that nothing was taken.
        Capture::Mistake(mistake) => {
            tracing::error!(charge = %index, code = mistake.code, "the provider says that we asked wrongly");
            match find(app, index, known).await? {
                Some(Found::Open(_) | Found::Missing | Found::NotApproved) => {
                    let message = "결제를 진행할 수 없어요.".to_owned();
                    refused(app, index, Refusal { code: mistake.code, message }).await
                }
                Some(found) => by_query(app, index, known, found, attempt).await,
                None => Ok(Collected::Unknown),
            }
        }
        Capture::Unknown(_) => Ok(Collected::Unknown),
    }
}

/// No money was taken; where somebody else knows that it was, they are right.
async fn refused(app: &App, index: ChargeIndex, refusal: Refusal) -> Result<Collected, ApiError> {
    Ok(match end(app, index, CaptureOutcome::Failed).await? {
        (AfterPayment::Paid, lsn) => Collected::Ended(AfterPayment::Paid, lsn),
        (after, lsn) => Collected::Refused(refusal, after, lsn),
    })
}

/// Finds out what became of a charge, and ends it where that is certain.
pub(crate) async fn resolve(
    app: &Arc<App>,
    index: ChargeIndex,
    attempt: u32,
) -> Result<Collected, ApiError> {
    app.catch_up(None).await?;
    let is_by_points = app.view.read(|state| {
        let charge = state.ledger().charge(index);
        charge.is_some_and(|one| one.amount.card == 0 && one.state == ChargeState::Capturing)
    });
    if is_by_points {
        return by_points(app, index).await;
    }
    let Some(known) = known(app, index).await else { return Ok(Collected::Unknown) };
    match find(app, index, &known).await? {
        Some(found) => by_query(app, index, &known, found, attempt).await,
        None => Ok(Collected::Unknown),
    }
}

async fn by_query(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    found: Found,
    attempt: u32,
) -> Result<Collected, ApiError> {
    let now = app.clock.now();
    let is_settled = now.0 >= known.started_at.0 + retry::SETTLED_AFTER.as_millis() as u64;
    let is_unresolved =
        matches!(known.state, ChargeState::Capturing | ChargeState::AwaitingDeposit);
    let outcome = match found {
        Found::Captured { captured, .. } if known.state != ChargeState::Captured => {
            taken(app, &captured)
        }
        // A refund can fail days after the provider took it on.
        Found::Captured { balance, .. }
            if !known.is_returning && balance + known.returned > known.charge.amount =>
        {
            tracing::error!(charge = %index, balance, "the provider has money that we gave back");
            return Ok(Collected::Unknown);
        }
        Found::AwaitingDeposit(deposit) => match known.state {
            // The bank took back what was paid in.
            ChargeState::Captured => CaptureOutcome::Reversed,
            ChargeState::Capturing => awaiting(app, &deposit),
            ChargeState::AwaitingDeposit if known.due_at.is_some_and(|due| due <= now) => {
                return give_up(app, index, known, attempt, "입금 기한이 지났습니다.").await;
            }
            _ => return Ok(Collected::Unknown),
        },
        Found::NotApproved | Found::Refunded { .. } if is_unresolved => CaptureOutcome::Failed,
        Found::Refunded { .. } if known.returned == 0 => {
            tracing::error!(charge = %index, "the provider gave back what we did not ask for");
            return Ok(Collected::Unknown);
        }
        Found::Missing if is_unresolved && is_settled => CaptureOutcome::Failed,
        Found::Open(Stage::Authenticated) if is_unresolved && !is_settled => {
            // Boxed: asking to capture may ask what was found again.
            return Box::pin(ask_to_capture(app, index, known, attempt)).await;
        }
        // What the buyer agreed to there can be taken for a week, unless it is given up.
        Found::Open(_) if is_unresolved && is_settled && known.provider == ProviderName::Stripe => {
            return give_up(app, index, known, attempt, "결제 시간이 지났습니다.").await;
        }
        Found::Open(_) if is_unresolved && is_settled => CaptureOutcome::Failed,
        _ => return Ok(Collected::Unknown),
    };
    let is_reversed = outcome == CaptureOutcome::Reversed;
    let (after, lsn) = end(app, index, outcome).await?;
    if is_reversed {
        app.shown(lsn).await?;
        reversed::end_order(app, index).await?;
    }
    Ok(Collected::Ended(after, lsn))
}

/// Its time is over, and the provider closes it, so that nobody can pay any more.
async fn give_up(
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

async fn find(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
) -> Result<Option<Found>, ApiError> {
    let inquiry = Inquiry {
        order_id: known.charge.order_id.clone(),
        payment_key: Some(known.charge.payment_key.clone()),
        amount: known.charge.amount,
    };
    let Some(answered) = app.payments.asked(known.provider, |it| it.query(&inquiry)).await else {
        return Ok(None);
    };
    note(app, index, &answered).await?;
    Ok(match answered.outcome {
        Found::Unknown(_) | Found::Mistake(_) => None,
        found => Some(found),
    })
}

/// A charge as the durable log has it.
async fn known(app: &Arc<App>, index: ChargeIndex) -> Option<Known> {
    app.catch_up(None).await.ok()?;
    app.view.read(|state| {
        let ledger = state.ledger();
        let charge = ledger.charge(index)?;
        Some(Known {
            charge: Charge {
                order_id: names::order_id(index, charge)?,
                payment_key: PaymentKey::new(&charge.payment_key)?,
                amount: charge.amount.card,
                idempotency_key: String::new(),
            },
            provider: charge.provider,
            state: charge.state,
            started_at: charge.started_at?,
            returned: charge.returned.card,
            is_returning: charge.returned.card > 0
                && ledger
                    .refunds()
                    .iter()
                    .any(|refund| refund.charge == index && refund.state == RefundState::Due),
            due_at: charge.deposit.as_ref().map(|deposit| deposit.due_at),
        })
    })
}

/// Adds a call to the charge's trail.
pub(super) async fn note<T>(
    app: &App,
    charge: ChargeIndex,
    answered: &Answered<T>,
) -> Result<(), ApiError> {
    let trail = &answered.trail;
    let line = ProviderAnswered {
        charge,
        call: trail.call,
        status: trail.http_status.unwrap_or(0),
        code: trail.code.clone().unwrap_or_default(),
        by: None,
        at: app.clock.now(),
    };
    // What follows waits for what comes after it in the log.
    logged(|| app.engine.note_answer(line.clone()))
        .await?
        .map(drop)
        .map_err(|refusal| ApiError::new(Code::Internal).cause(refusal))
}

async fn end(
    app: &App,
    charge: ChargeIndex,
    outcome: CaptureOutcome,
) -> Result<(AfterPayment, Lsn), ApiError> {
    let end = || app.engine.end_capture(charge, outcome.clone(), app.clock.now());
    match logged(end).await? {
        Ok(pending) => {
            let lsn = pending.lsn();
            let after = app.durable(pending).await?;
            count(app, charge, after);
            Ok((after, lsn))
        }
        Err(MoneyRefusal::NotOpen(_, state)) => ended_before(app, state).await,
        Err(refusal) => Err(ApiError::new(Code::InProgress).cause(refusal)),
    }
}

/// A webhook or the reconciler has heard from the provider first, and has ended it.
async fn ended_before(app: &App, state: ChargeState) -> Result<(AfterPayment, Lsn), ApiError> {
    let after = match state {
        ChargeState::Captured => AfterPayment::Paid,
        ChargeState::AwaitingDeposit => AfterPayment::Awaiting,
        ChargeState::Open | ChargeState::Capturing | ChargeState::Failed => AfterPayment::Held,
        ChargeState::Reversed => AfterPayment::Expired,
    };
    // Its record is in the log, and may not be durable yet.
    let lsn = app.engine.journal().appended_lsn();
    app.shown(lsn).await?;
    Ok((after, lsn))
}

/// Metrics never fail a payment.
fn count(app: &App, index: ChargeIndex, after: AfterPayment) {
    let known = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        Some((charge.purpose, charge.method(), charge.amount.total()))
    });
    if let Some((Purpose::Order(order), method, won)) = known
        && after != AfterPayment::Awaiting
    {
        let won = (after == AfterPayment::Paid).then_some(won);
        app.metrics.payment(order.event, method, won);
    }
}

/// Runs a command about money, however long the log or somebody else's step has to be waited for.
///
/// # Errors
/// 504 where the log has failed: the next start resolves it, until then nobody knows how it ends.
async fn logged<T>(
    command: impl Fn() -> Result<Pending<T>, CommandError<MoneyRefusal>>,
) -> Result<Result<Pending<T>, MoneyRefusal>, ApiError> {
    loop {
        match command() {
            Ok(pending) => return Ok(Ok(pending)),
            Err(CommandError::Refused(refusal)) if refusal.is_busy() => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(CommandError::Refused(refusal)) => return Ok(Err(refusal)),
            Err(CommandError::Unavailable(JournalUnavailable::Poisoned)) => {
                return Err(ApiError::new(Code::Timeout).cause(JournalUnavailable::Poisoned));
            }
            Err(CommandError::Unavailable(_)) => tokio::time::sleep(LOG_AGAIN_AFTER).await,
        }
    }
}

fn taken(app: &App, captured: &Captured) -> CaptureOutcome {
    CaptureOutcome::Captured(Box::new(money::Captured {
        approved_at: captured.approved_at.unwrap_or_else(|| app.clock.now()),
        means: captured.method,
        receipt: captured.receipt_url.clone(),
    }))
}

/// A virtual account without a date is due in a day.
const DUE_AFTER_MS: u64 = 24 * 60 * 60 * 1_000;

fn awaiting(app: &App, deposit: &Deposit) -> CaptureOutcome {
    CaptureOutcome::Awaiting(Box::new(money::Deposit {
        bank: deposit.bank.clone(),
        account: deposit.account_number.clone(),
        holder: deposit.holder.clone().unwrap_or_default(),
        due_at: deposit.due_at.unwrap_or_else(|| app.clock.now().plus(DUE_AFTER_MS)),
        secret: deposit.secret.as_ref().map(|one| one.expose().to_owned()).unwrap_or_default(),
    }))
}

/// When something is tried again after `tries`.
pub(crate) fn again_at(tries: u32) -> Instant {
    Instant::now() + retry::next(tries)
}
