//! Asks the provider to take a charge's money, or what became of it, and ends it by what it says.
//!
//! The intent is durable before the provider is asked, what it answered is in the trail and the outcome
//! in the log before any client hears of it (I11). What is not known for certain stays as it is: the
//! reconciler asks again.

use std::sync::Arc;

use tiketi_engine::engine::{AfterPayment, CaptureIntent};
use tiketi_engine::ids::ChargeIndex;
use tiketi_engine::journal::Pending;
use tiketi_engine::money::{self, ChargeState, Means};
use tiketi_engine::record::{CaptureOutcome, ProviderName};
use tiketi_engine::state::State;

use crate::app::App;
use crate::error::ApiError;
use crate::payments::answer::{Capture, Captured, Deposit, DisputeFound, Found, Refusal, Stage};
use crate::payments::books::{Collected, Known, end, find, known, note, rename};
use crate::payments::give_back::{close, release};
use crate::payments::ids::confirm_key;
use crate::payments::{balance, deposits, money_gone, retry};

/// Why a payment is given up once its time is over.
const TOO_LATE: &str = "결제 시간이 지났습니다.";

/// Captures a charge whose intent was just begun. Points alone need no provider.
pub(crate) async fn capture(
    app: Arc<App>,
    begun: Pending<CaptureIntent>,
    known: Option<Known>,
) -> Result<Collected, ApiError> {
    let intent = app.durable(begun).await?;
    let index = intent.charge;
    if intent.card == 0 {
        return without_provider(&app, index).await;
    }
    let Some(known) = known else { return Ok(Collected::Unknown) };
    ask_to_capture(&app, index, &known, 0).await
}

/// The points were spent with the intent: there is no provider to ask.
async fn without_provider(app: &App, index: ChargeIndex) -> Result<Collected, ApiError> {
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
        Capture::AwaitingDeposit(deposit) => await_deposit(app, index, known, &deposit).await,
        Capture::Refused(refusal) => refused(app, index, refusal).await,
        // We asked wrongly: it fails once the provider agrees that nothing was taken.
        Capture::Mistake(mistake) => {
            tracing::error!(charge = %index, code = mistake.code, "the provider says that we asked wrongly");
            match find(app, index, known).await? {
                Some(
                    Found::Open(_)
                    | Found::Missing
                    | Found::NotApproved
                    | Found::Foreign { is_certain: true, .. },
                ) => {
                    let message =
                        "결제 정보가 이 주문과 맞지 않아 결제하지 못했어요. 다시 결제해 주세요.";
                    let refusal = Refusal { code: mistake.code, message: message.to_owned() };
                    let refused = refused(app, index, refusal).await?;
                    let_go_later(app, index);
                    Ok(refused)
                }
                Some(found) => by_query(app, index, known, found, attempt).await,
                None => Ok(Collected::Unknown),
            }
        }
        Capture::Unknown(_) => Ok(Collected::Unknown),
    }
}

/// No money was taken; where another task knows that it was, that counts.
async fn refused(app: &App, index: ChargeIndex, refusal: Refusal) -> Result<Collected, ApiError> {
    Ok(match end(app, index, CaptureOutcome::Failed).await? {
        (AfterPayment::Paid, lsn) => Collected::Ended(AfterPayment::Paid, lsn),
        (after, lsn) => Collected::Refused(refusal, after, lsn),
    })
}

/// Finds out how a charge stands at its provider, and writes down what is certain. The caller is the
/// only one at work on it.
pub(crate) async fn resolve(
    app: &Arc<App>,
    index: ChargeIndex,
    attempt: u32,
) -> Result<Collected, ApiError> {
    app.catch_up(None).await?;
    let needs_no_provider = app.view.read(|state| {
        let charge = state.ledger().charge(index);
        charge.is_some_and(|one| one.amount.card == 0 && one.state == ChargeState::Capturing)
    });
    if needs_no_provider {
        return without_provider(app, index).await;
    }
    let Some(known) = known(app, index).await else {
        let is_capturing = |state: &State| {
            state.ledger().charge(index).is_some_and(|one| one.state == ChargeState::Capturing)
        };
        return match app.view.read(is_capturing) {
            // No provider can be asked about a key like this, so none has taken money by it.
            true => fail(app, index).await,
            false => Ok(Collected::Unknown),
        };
    };
    match find(app, index, &known).await? {
        Some(found) => by_query(app, index, &known, found, attempt).await,
        None => Ok(Collected::Silent),
    }
}

async fn by_query(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    found: Found,
    attempt: u32,
) -> Result<Collected, ApiError> {
    match known.state {
        ChargeState::Capturing | ChargeState::AwaitingDeposit => {
            unresolved(app, index, known, found, attempt).await
        }
        ChargeState::Captured => captured(app, index, found).await,
        ChargeState::Failed | ChargeState::Reversed => given_up(app, index, known, found).await,
        ChargeState::Open => Ok(Collected::Unknown),
    }
}

/// An order waits for the charge, or points do.
async fn unresolved(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    found: Found,
    attempt: u32,
) -> Result<Collected, ApiError> {
    let now = app.clock.now();
    let age_ms = now.0.saturating_sub(known.started_at.0);
    let is_settled = age_ms >= retry::SETTLED_AFTER.as_millis() as u64;
    let is_stuck = age_ms >= retry::STUCK_AFTER.as_millis() as u64;
    match found {
        Found::Captured { captured, balance, dispute } => {
            take(app, index, known, &captured, (balance, dispute)).await
        }
        // Taken, and given back in the provider's console before we heard of it: no money moved.
        Found::Refunded { .. } | Found::NotApproved => fail(app, index).await,
        Found::AwaitingDeposit(deposit) => await_deposit(app, index, known, &deposit).await,
        Found::Foreign { is_certain, .. } if is_certain || is_settled => fail(app, index).await,
        Found::Missing if is_settled => fail(app, index).await,
        Found::Open(stage) if !is_settled && is_asked_again(known.provider, stage) => {
            // Boxed: asking to capture may ask what was found again.
            Box::pin(ask_to_capture(app, index, known, attempt)).await
        }
        // What the buyer agreed to there can be taken for a week, unless it is given up.
        Found::Open(_) if is_settled && known.provider == ProviderName::Stripe => {
            match close(app, index, known, TOO_LATE).await? {
                // What is caught later goes back: it is looked for in the provider's lists.
                Collected::Unknown | Collected::Silent if is_stuck => {
                    let failed = fail(app, index).await?;
                    let_go_later(app, index);
                    Ok(failed)
                }
                closed => Ok(closed),
            }
        }
        Found::Open(_) if is_settled => fail(app, index).await,
        Found::Foreign { .. }
        | Found::Missing
        | Found::Open(_)
        | Found::Mistake(_)
        | Found::Unknown(_) => Ok(Collected::Unknown),
    }
}

/// Whether asking for the money again ends it. At Stripe that also closes what its buyer has not
/// agreed to: the answer that closed it was lost.
fn is_asked_again(provider: ProviderName, stage: Stage) -> bool {
    match stage {
        Stage::Authenticated => true,
        Stage::Started => provider == ProviderName::Stripe,
        Stage::Processing => false,
    }
}

/// Has a charge that ended looked at once more: what its buyer agreed to is let go of as soon as the
/// provider answers.
pub(crate) fn let_go_later(app: &App, index: ChargeIndex) {
    // Where many messages want to have it looked at already, those do.
    let _ = app.payments.turns.look(index);
}

async fn fail(app: &App, index: ChargeIndex) -> Result<Collected, ApiError> {
    let (after, lsn) = end(app, index, CaptureOutcome::Failed).await?;
    Ok(Collected::Ended(after, lsn))
}

/// The provider has the money, and `balance` won of it are still there.
async fn take(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    found: &Captured,
    (balance, dispute): (u64, Option<DisputeFound>),
) -> Result<Collected, ApiError> {
    if found.payment_key != known.charge.payment_key {
        rename(app, index, &found.payment_key).await?;
    }
    let (after, lsn) = end(app, index, taken(app, found)).await?;
    // It may be less by now, and of a charge that is paid again more than the books know.
    app.shown(lsn).await?;
    let left = app.view.read(|state| state.ledger().left_at_provider(index));
    if balance != left || dispute.is_some() {
        balance::settle(app, index, balance, dispute).await?;
    }
    Ok(Collected::Ended(after, lsn))
}

/// The books have the money.
async fn captured(app: &Arc<App>, index: ChargeIndex, found: Found) -> Result<Collected, ApiError> {
    match found {
        Found::Captured { balance, dispute, .. } => {
            balance::settle(app, index, balance, dispute).await?;
        }
        Found::Refunded { .. } => {
            balance::settle(app, index, 0, None).await?;
        }
        // The bank took back what was paid in.
        Found::AwaitingDeposit(_) => {
            let (after, lsn) = end(app, index, CaptureOutcome::TakenBack).await?;
            app.shown(lsn).await?;
            money_gone::end_order(app, index).await?;
            return Ok(Collected::Ended(after, lsn));
        }
        other @ (Found::NotApproved
        | Found::Open(_)
        | Found::Missing
        | Found::Foreign { .. }
        | Found::Mistake(_)
        | Found::Unknown(_)) => {
            tracing::error!(charge = %index, ?other, "the provider does not know a payment that it took");
        }
    }
    Ok(Collected::Unknown)
}

/// Nothing waits for the charge any more: money that turns up goes back, and what the buyer agreed to
/// is let go of.
async fn given_up(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    found: Found,
) -> Result<Collected, ApiError> {
    match found {
        Found::Captured { captured, balance, dispute } => {
            take(app, index, known, &captured, (balance, dispute)).await
        }
        Found::Open(Stage::Authenticated) if known.provider == ProviderName::Stripe => {
            release(app, index, known, TOO_LATE).await
        }
        // No buyer is to pay into it any more.
        Found::AwaitingDeposit(_) if known.state == ChargeState::Failed => {
            release(app, index, known, TOO_LATE).await
        }
        _ => {
            // Where the bank took the money back, the order may not have ended by it yet.
            money_gone::end_order(app, index).await?;
            Ok(Collected::Unknown)
        }
    }
}

/// Closes the account of a deposit that is awaited. Whether nothing is awaited any more; the deposit
/// may have come first. The caller is the only one at work on the charge.
pub(crate) async fn close_deposit(app: &Arc<App>, index: ChargeIndex) -> Result<bool, ApiError> {
    let Some(asked) = known(app, index).await else { return Ok(false) };
    if asked.state != ChargeState::AwaitingDeposit {
        return Ok(true);
    }
    match close(app, index, &asked, "예매를 취소했습니다.").await? {
        Collected::Ended(..) | Collected::Refused(..) => Ok(true),
        // It may have been paid this very moment.
        Collected::Unknown | Collected::Silent => {
            let found = find(app, index, &asked).await?;
            match found {
                Some(Found::Captured { .. } | Found::Refunded { .. } | Found::NotApproved) => {
                    let resolved = resolve(app, index, 0).await?;
                    Ok(matches!(resolved, Collected::Ended(..)))
                }
                _ => Ok(false),
            }
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

/// The buyer has an account to pay into. It is closed at once where its event takes no deposits, or
/// its time is over already.
async fn await_deposit(
    app: &Arc<App>,
    index: ChargeIndex,
    known: &Known,
    deposit: &Deposit,
) -> Result<Collected, ApiError> {
    let now = app.clock.now();
    let account_due = deposit.due_at.unwrap_or_else(|| now.plus(DUE_AFTER_MS));
    let allowed = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        let due = deposits::due_for(app, state, charge, account_due);
        let is_closing = deposits::wants_closing(state, index, now);
        (deposits::are_taken(state, charge) && due > now && !is_closing).then_some(due)
    });
    let Some(due_at) = allowed else {
        let closed = close(app, index, known, "입금을 기다리지 않습니다.").await?;
        return Ok(match closed {
            Collected::Ended(after @ AfterPayment::Held, lsn) => {
                Collected::Refused(no_deposits(), after, lsn)
            }
            other => other,
        });
    };
    if known.state == ChargeState::AwaitingDeposit {
        return Ok(Collected::Unknown);
    }
    let outcome = CaptureOutcome::Awaiting(Box::new(money::Deposit {
        bank: deposit.bank.clone(),
        account: deposit.account_number.clone(),
        holder: deposit.holder.clone().unwrap_or_default(),
        due_at,
        secret: deposit.secret.as_ref().map(|one| one.expose().to_owned()).unwrap_or_default(),
    }));
    let (after, lsn) = end(app, index, outcome).await?;
    Ok(Collected::Ended(after, lsn))
}

fn no_deposits() -> Refusal {
    Refusal {
        code: "DEPOSIT_NOT_ACCEPTED".to_owned(),
        message: "이 예매는 가상계좌로 결제할 수 없어요. 다른 결제 수단을 선택해 주세요."
            .to_owned(),
    }
}
