//! What paying and cancelling have in common: orders that are busy, and orders that are over.

use std::sync::Arc;
use std::time::Duration;

use tiketi_engine::error::{CommandError, ConfirmRefusal, MoneyRefusal, OrderRefusal};
use tiketi_engine::ids::{Lsn, ReservationId, UserIndex};
use tiketi_engine::record::OrderRef;

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::order_view::OrderView;
use crate::payments::collect;
use crate::payments::reconciler::AtWork;
use crate::refusals;

/// How often a command is tried on an order that somebody else is at work on. Their work is one
/// append long, but the system may have taken their processor away in the middle of it.
const BUSY_TRIES: u32 = 300;
/// Tries before the first pause.
const EAGER_TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(1);

/// Runs a command until the order is not busy. Nothing is awaited after it has done something, so
/// that what it did cannot be dropped unseen.
pub(crate) async fn unless_busy<T, R: MayBeBusy>(
    command: impl Fn() -> Result<T, CommandError<R>>,
) -> Result<T, CommandError<R>> {
    for tries in 1..BUSY_TRIES {
        match command() {
            Err(CommandError::Refused(refusal)) if refusal.is_busy() => match tries {
                ..=EAGER_TRIES => tokio::task::yield_now().await,
                _ => tokio::time::sleep(PAUSE).await,
            },
            done => return done,
        }
    }
    command()
}

/// A refusal that may only mean that somebody else's step is being made.
pub(crate) trait MayBeBusy {
    /// Whether to ask again.
    fn is_busy(&self) -> bool;
}

impl MayBeBusy for OrderRefusal {
    fn is_busy(&self) -> bool {
        matches!(self, OrderRefusal::Busy(_))
    }
}

impl MayBeBusy for ConfirmRefusal {
    fn is_busy(&self) -> bool {
        matches!(self, ConfirmRefusal::Order(order) if order.is_busy())
    }
}

impl MayBeBusy for MoneyRefusal {
    fn is_busy(&self) -> bool {
        matches!(self, MoneyRefusal::Order(order) if order.is_busy())
    }
}

/// Ends an order, for its user or, without one, for an administrator; its position once that is
/// durable. An account that awaits its deposit is closed at the provider first, so that no buyer pays
/// for an order that is over.
///
/// # Errors
/// Those of [`explain`]; 503 where the account cannot be closed; 504 where the journal fails
/// meanwhile.
pub(crate) async fn cancel(
    app: &Arc<App>,
    id: ReservationId,
    by: Option<UserIndex>,
) -> Result<Lsn, ApiError> {
    let cancel = || app.engine.cancel_order(id, by, app.clock.now());
    let mut cancelled = unless_busy(cancel).await;
    if let Err(CommandError::Refused(OrderRefusal::AwaitsDeposit(_))) = cancelled {
        close_account(app, id).await?;
        cancelled = unless_busy(cancel).await;
    }
    let pending = match cancelled {
        Ok(pending) => pending,
        Err(error) => return Err(explain(app, id, by, error).await),
    };
    let lsn = pending.lsn();
    app.durable(pending).await?;
    let metrics = app.metrics.event(id.event);
    match by {
        Some(_) => metrics.cancelled_by_user.inc(),
        None => metrics.cancelled_by_admin.inc(),
    }
    Ok(lsn)
}

/// Has the provider close the account that an order's buyer was to pay into. Where the deposit has
/// come meanwhile the order is paid.
async fn close_account(app: &Arc<App>, id: ReservationId) -> Result<(), ApiError> {
    app.catch_up(Some(app.engine.journal().appended_lsn())).await?;
    let order = OrderRef { event: id.event, number: id.order };
    let Some(charge) = app.view.read(|state| state.ledger().paying(order)) else { return Ok(()) };
    let at_work = AtWork::on(app, charge).await;
    // The client may leave: what was begun at the provider is ended all the same.
    let task_app = Arc::clone(app);
    let closed = tokio::spawn(async move {
        let _at_work = at_work;
        collect::close_deposit(&task_app, charge).await
    });
    match closed.await.map_err(|panic| ApiError::new(Code::Internal).cause(panic))?? {
        true => Ok(()),
        false => Err(ApiError::new(Code::Unavailable).message(
            "결제사에서 입금 계좌를 닫지 못해 취소하지 못했어요. 잠시 후 다시 시도해 주세요.",
        )),
    }
}

/// The answer to a refused command on an order. `by` is its user, or `None` for an administrator.
///
/// The engine only knows that an order is over; how it ended is in the record of it, which may not
/// be durable yet and so is waited for (I6).
pub(crate) async fn explain(
    app: &App,
    id: ReservationId,
    by: Option<UserIndex>,
    error: CommandError<OrderRefusal>,
) -> ApiError {
    // After a restart the engine has no slot of an order that ended before it; the fold knows it.
    let may_be_over = matches!(
        error,
        CommandError::Refused(
            OrderRefusal::Ended(_) | OrderRefusal::Expired(_) | OrderRefusal::Unknown(_)
        )
    );
    if !may_be_over {
        return refusals::order(error, |_| None);
    }
    let end = app.engine.journal().appended_lsn();
    if let Err(late) = app.catch_up(Some(end)).await {
        return late;
    }
    let error = match error {
        CommandError::Refused(OrderRefusal::Unknown(order))
            if app.view.read(|state| OrderView::find(state, id).is_some()) =>
        {
            CommandError::Refused(OrderRefusal::Ended(order))
        }
        other => other,
    };
    refusals::order(error, |unended| {
        app.view.read(|state| {
            let found = OrderView::find(state, id)?.order;
            let is_theirs = by.is_none_or(|user| user == found.user);
            is_theirs.then(|| refusals::ended_order(found, unended))
        })
    })
}
