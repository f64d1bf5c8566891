//! What is known of a charge, and what is written down about it.

use std::sync::Arc;
use std::time::Duration;

use tiketi_engine::engine::AfterPayment;
use tiketi_engine::error::{CommandError, JournalUnavailable, MoneyRefusal};
use tiketi_engine::ids::{ChargeIndex, Lsn, UnixMillis};
use tiketi_engine::journal::Pending;
use tiketi_engine::money::{self, ChargeState, Purpose, TrailLine};
use tiketi_engine::record::{CaptureOutcome, ProviderAnswered, ProviderCall, ProviderName};

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::orders::MayBeBusy;
use crate::payments::answer::{Answered, Found, Refusal, Trail};
use crate::payments::ids::PaymentKey;
use crate::payments::names;
use crate::payments::provider::{Charge, Inquiry};

/// What a provider answers while it carries out a call under the same key.
const CONFLICT: u16 = 409;

/// Between two tries to log an outcome while the log takes no records.
const LOG_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How an attempt to capture went; what is said is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Collected {
    /// It ended, for its order like this.
    Ended(AfterPayment, Lsn),
    /// The provider took no money and says why.
    Refused(Refusal, AfterPayment, Lsn),
    /// It is not known yet.
    Unknown,
    /// As that: the provider gave no answer that says anything.
    Silent,
}

/// What the provider has to be told about a charge.
pub(crate) struct Known {
    pub(super) charge: Charge,
    pub(super) provider: ProviderName,
    pub(super) state: ChargeState,
    pub(super) started_at: UnixMillis,
    /// How often the provider answered a request to give back or close it: each gets a key of its own.
    pub(super) cancels: u32,
}

impl Known {
    fn of(index: ChargeIndex, charge: &money::Charge) -> Option<Known> {
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
            cancels: cancels(charge),
        })
    }

    /// An open charge as its intent makes it, without waiting for the view to have read that;
    /// `None` where no provider has to be told.
    pub(crate) fn begun(
        index: ChargeIndex,
        open: money::Charge,
        payment_key: &str,
        now: UnixMillis,
    ) -> Option<Known> {
        let begun = money::Charge {
            payment_key: payment_key.to_owned(),
            state: ChargeState::Capturing,
            started_at: Some(now),
            ..open
        };
        Known::of(index, &begun)
    }
}

/// How many calls that give back or close a charge its provider has answered, over restarts: the next
/// one gets another key then, as a provider repeats its answer to the same. One that was cut off, or
/// may still be carried out, keeps its key: under another one the provider could give the money back
/// twice.
pub(super) fn cancels(charge: &money::Charge) -> u32 {
    let cancels = charge.trail.iter().filter(|line| line.call == ProviderCall::Refund);
    cancels.filter(|line| is_answered(line)).map(|line| line.times).sum()
}

/// Whether it was the provider that answered, and has ended the call: what stands before it knows
/// nothing of how the call ends, and gives no code.
fn is_answered(line: &TrailLine) -> bool {
    match line.status {
        0 | CONFLICT => false,
        status => status < 500 || !line.code.is_empty(),
    }
}

/// What the provider says of a charge; `None` where it says nothing for certain.
pub(super) async fn find(
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
    note_query(app, index, known, &answered).await?;
    Ok(match answered.outcome {
        Found::Unknown(_) | Found::Mistake(_) => None,
        found => Some(found),
    })
}

/// Messages about a charge that is settled can have it asked about again and again: what the provider
/// says each time is written down once.
async fn note_query(
    app: &App,
    index: ChargeIndex,
    known: &Known,
    answered: &Answered<Found>,
) -> Result<(), ApiError> {
    let is_settled = !matches!(known.state, ChargeState::Capturing | ChargeState::AwaitingDeposit);
    let Trail { call, http_status, code, .. } = &answered.trail;
    let said = (*call, http_status.unwrap_or(0), code.as_deref().unwrap_or_default());
    let is_known = is_settled
        && app.view.read(|state| {
            let last = state.ledger().charge(index).and_then(|charge| charge.trail.last());
            last.is_some_and(|last| (last.call, last.status, last.code.as_str()) == said)
        });
    match is_known {
        true => Ok(()),
        false => note(app, index, answered).await,
    }
}

/// Writes down that the provider has a charge's money under another key than its intent named.
pub(super) async fn rename(
    app: &App,
    index: ChargeIndex,
    payment_key: &PaymentKey,
) -> Result<(), ApiError> {
    let find = || app.engine.find_payment(index, payment_key.as_str(), app.clock.now());
    match logged(find).await? {
        Ok(pending) => app.durable(pending).await,
        Err(refusal) => Err(ApiError::new(Code::Internal).cause(refusal)),
    }
}

/// A charge as the durable log has it.
pub(super) async fn known(app: &Arc<App>, index: ChargeIndex) -> Option<Known> {
    app.catch_up(None).await.ok()?;
    app.view.read(|state| Known::of(index, state.ledger().charge(index)?))
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

/// Ends a capture, durably; where somebody else has, as that one did.
pub(crate) async fn end(
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
pub(super) async fn logged<T>(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_provider_has_ended_gets_another_key() {
        for (status, code, is_ended) in [
            (0, "", false),
            (409, "idempotency_key_in_use", false),
            (502, "", false),
            (500, "api_error", true),
            (429, "rate_limit", true),
            (400, "REFUND_REJECTED", true),
            (200, "", true),
        ] {
            let (call, code, at) = (ProviderCall::Refund, code.to_owned(), UnixMillis(0));
            let line = TrailLine { call, status, code, at, by: None, times: 1, last_at: at };
            assert_eq!(is_answered(&line), is_ended, "{line:?}");
        }
    }
}
