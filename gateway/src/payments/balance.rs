//! Holds the books of a charge against what its provider has of it.
//!
//! The provider's balance is the truth for what is left. Where it has less than the books know, the
//! difference has gone back: for what is owed first, as one of our own calls may have made it without
//! an answer; what is more than that, without being asked. Where it has more, a refund that it had
//! taken on has failed.

use std::sync::Arc;

use tiketi_engine::error::MoneyRefusal;
use tiketi_engine::ids::{ChargeIndex, RefundIndex};
use tiketi_engine::money::Ledger;
use tiketi_engine::record::{DisputeState, RefundOutcome};

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::payments::answer::DisputeFound;
use crate::payments::books::logged;
use crate::payments::money_gone;

/// What has to be written down so that the books say what the provider says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Difference {
    /// Refunds that were made.
    made: Vec<RefundIndex>,
    /// Won that went back without being asked for.
    elsewhere: u64,
    /// Refunds that had been made and have failed.
    failed: Vec<RefundIndex>,
    /// Won that had gone back without being asked for and have not.
    not_elsewhere: u64,
}

impl Difference {
    /// Between the books and `balance` won that the provider has of a charge.
    fn of(ledger: &Ledger, charge: ChargeIndex, balance: u64) -> Difference {
        let mut difference = Difference::default();
        let ours = ledger.left_at_provider(charge);
        let mut missing = ours.saturating_sub(balance);
        let too_much = balance.saturating_sub(ours);
        for index in ledger.refund_indexes_of(charge) {
            let owed = ledger.refund(index).filter(|refund| refund.is_owed());
            if let Some(refund) = owed
                && refund.card <= missing
            {
                missing -= refund.card;
                difference.made.push(index);
            }
        }
        difference.elsewhere = missing;
        let done = |&index: &RefundIndex| {
            let refund = ledger.refund(index)?;
            (refund.is_done() && refund.card > 0).then_some((index, refund.card))
        };
        let mut newest: Vec<(RefundIndex, u64)> =
            ledger.refund_indexes_of(charge).filter_map(|index| done(&index)).collect();
        newest.reverse();
        let elsewhere = ledger.charge(charge).map_or(0, |charge| charge.elsewhere());
        let mut unexplained = too_much;
        for &(index, card) in &newest {
            if card <= unexplained {
                unexplained -= card;
                difference.failed.push(index);
            }
        }
        if unexplained > elsewhere {
            // No refunds together are as much: more than that has failed, and a part of it has gone
            // back again since.
            (unexplained, difference.failed) = (too_much, Vec::new());
            for &(index, card) in &newest {
                if unexplained == 0 {
                    break;
                }
                difference.failed.push(index);
                difference.elsewhere += card.saturating_sub(unexplained);
                unexplained = unexplained.saturating_sub(card);
            }
        }
        difference.not_elsewhere = unexplained.min(elsewhere);
        difference
    }
}

/// Makes the books of a captured charge say what its provider says. Whether they changed.
///
/// The caller is the only one at work on the charge, so the books are as they were when the provider
/// was asked.
///
/// # Errors
/// The log takes no records.
pub(super) async fn settle(
    app: &Arc<App>,
    charge: ChargeIndex,
    balance: u64,
    dispute: Option<DisputeFound>,
) -> Result<bool, ApiError> {
    let mut changed = match dispute {
        Some(dispute) => note_dispute(app, charge, dispute).await?,
        None => false,
    };
    app.catch_up(None).await?;
    let difference = app.view.read(|state| Difference::of(state.ledger(), charge, balance));
    if difference != Difference::default() {
        tracing::warn!(%charge, balance, ?difference, "the provider has another balance than the books");
        changed = true;
    }
    let Difference { made, elsewhere, failed, not_elsewhere } = difference;
    let now = || app.clock.now();
    for refund in made {
        write(app, || app.engine.end_refund(refund, RefundOutcome::Done, now())).await?;
    }
    for refund in failed {
        write(app, || app.engine.end_refund(refund, RefundOutcome::Failed, now())).await?;
        app.metrics.payments.refunds_failed.inc();
    }
    if elsewhere > 0 {
        write(app, || app.engine.note_returned(charge, elsewhere, now())).await?;
        app.metrics.payments.returned_elsewhere.inc_by(elsewhere);
    }
    if not_elsewhere > 0 {
        write(app, || app.engine.note_return_failed(charge, not_elsewhere, now())).await?;
    }
    if changed {
        app.catch_up(None).await?;
    }
    // Also where an earlier look wrote it down and could not end the order.
    money_gone::end_order(app, charge).await?;
    Ok(changed)
}

async fn note_dispute(
    app: &App,
    charge: ChargeIndex,
    dispute: DisputeFound,
) -> Result<bool, ApiError> {
    let DisputeFound { amount, state } = dispute;
    app.catch_up(None).await?;
    let known = app.view.read(|state| state.ledger().charge(charge)?.dispute);
    if known.is_some_and(|known| (known.amount, known.state) == (amount, state)) {
        return Ok(false);
    }
    write(app, || app.engine.note_dispute(charge, amount, state, app.clock.now())).await?;
    if state == DisputeState::Open {
        app.metrics.payments.disputes.inc();
    }
    tracing::warn!(%charge, amount, ?state, "a payment is disputed");
    Ok(true)
}

/// Writes one thing down, durably. What the ledger refuses it says already.
async fn write(
    app: &App,
    command: impl Fn() -> Result<
        tiketi_engine::journal::Pending<()>,
        tiketi_engine::error::CommandError<MoneyRefusal>,
    >,
) -> Result<(), ApiError> {
    match logged(command).await? {
        Ok(pending) => app.durable(pending).await,
        Err(MoneyRefusal::NoSuchRefund(_) | MoneyRefusal::NotOpen(..)) => Ok(()),
        Err(refusal) => Err(ApiError::new(Code::Internal).cause(refusal)),
    }
}
