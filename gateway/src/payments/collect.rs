//! Asks the provider to take a charge's money, and ends it by what it says.
//!
//! The intent is durable before the provider is asked, what it answered is in the trail and the outcome
//! in the log before anybody hears of it (I11). What nobody knows for certain stays as it is: the
//! reconciler asks again.

use std::sync::Arc;

use tiketi_engine::engine::{AfterPayment, CaptureIntent};
use tiketi_engine::ids::{ChargeIndex, Lsn};
use tiketi_engine::journal::Pending;
use tiketi_engine::money::{self, ChargeState, Means};
use tiketi_engine::record::{CaptureOutcome, ProviderName};
use tokio::time::Instant;

use crate::app::App;
use crate::error::ApiError;
use crate::payments::answer::{Capture, Captured, Deposit, Found, Refusal, Stage};
use crate::payments::books::{Known, end, find, known, note};
use crate::payments::give_back::give_up;
use crate::payments::ids::confirm_key;
use crate::payments::{retry, reversed};

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

/// Captures a charge whose intent was just begun. Points alone need no provider.
pub(crate) async fn capture(
    app: Arc<App>,
    begun: Pending<CaptureIntent>,
    known: Option<Known>,
) -> Result<Collected, ApiError> {
    let intent = app.durable(begun).await?;
    let index = intent.charge;
    if intent.card == 0 {
        return by_points(&app, index).await;
    }
    let Some(known) = known else { return Ok(Collected::Unknown) };
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
