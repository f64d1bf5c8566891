//! Everybody's reservations, and changing what one is (contract ⚖D10).

use std::sync::Arc;

use tiketi_engine::engine::{Confirmation, EndedOrder};
use tiketi_engine::ids::{Lsn, ReservationId, UnixMillis, UserIndex};
use tiketi_engine::record::PaymentMethod;
use tiketi_engine::state::{Order, OrderClass, OrderState, State};

use crate::api::Pagination;
use crate::api::changes::{
    AdminReservationList, AdminReservationRow, ReservationRecord, StatusAnswer, StatusRequest,
};
use crate::api::reservations::{PaymentStatus, ReservationStatus};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::order_view::{OrderView, Standing, standing};
use crate::orders::{self, unless_busy};
use crate::refusals;

const DEFAULT_LIMIT: u64 = 20;

/// `GET /api/admin/reservations`, newest first.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let page = request.page(DEFAULT_LIMIT)?;
    let status = match request.parameter("status")?.as_deref() {
        None | Some("") => None,
        Some(name) => match ReservationStatus::parse(name) {
            Some(status) => Some(status),
            // No reservation is what none can be.
            None => {
                let pagination = Pagination::new(page.page, page.limit, 0);
                let reservations = Vec::new();
                return Ok(Response::ok(&AdminReservationList { reservations, pagination }));
            }
        },
    };
    if status.is_some() {
        // A hold whose time is over counts as cancelled (⚖D4): it is ended now, not at the next tick.
        app.expire_all_due().await?;
    }
    app.catch_up(request.min_lsn()?).await?;
    let now = app.clock.now();
    let class = status.map(|status| match status {
        ReservationStatus::Pending => OrderClass::Open,
        ReservationStatus::Confirmed => OrderClass::Paid,
        ReservationStatus::Cancelled => OrderClass::Ended,
    });
    let answer = app.view.read(|state| {
        let orders = state.orders();
        let found = orders.newest(class, page.skip()).take(page.limit as usize);
        let rows = found.filter_map(|order| row(state, OrderView::of(state, order)?, now));
        AdminReservationList {
            reservations: rows
                .filter(|row| status.is_none_or(|status| row.status == status))
                .collect(),
            pagination: Pagination::new(page.page, page.limit, orders.count(class)),
        }
    });
    Ok(Response::ok(&answer))
}

/// `PATCH /api/admin/reservations/:id/status`.
pub(crate) async fn set_status(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let id = request.reservation_id(0)?;
    let wanted: StatusRequest = request.json()?;
    if wanted.status.is_none() && wanted.payment_status.is_none() {
        return Err(refusals::invalid("바꿀 상태를 보내 주세요."));
    }
    // What was decided so far, also what is not durable yet.
    app.catch_up(Some(app.engine.journal().appended_lsn())).await?;
    let now = app.clock.now();
    let order = app.view.read(|state| Some(OrderView::find(state, id)?.order.clone()));
    let order = order.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let change = change(&standing(&order, now), wanted).ok_or_else(|| {
        ApiError::new(Code::Conflict).message("이 예매를 그 상태로 바꿀 수 없어요.")
    })?;
    let by = request.user()?.user.index;
    let lsn = match change {
        Change::None => order.held_lsn,
        Change::Confirm => confirm(app, id, &order, by).await?,
        Change::Cancel => orders::cancel(app, id, None).await?,
    };
    app.shown(lsn).await?;
    let now = app.clock.now();
    let reservation = app.view.read(|state| record(state, OrderView::find(state, id)?, now));
    let reservation = reservation.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let answer = StatusAnswer { message: "예매 상태를 바꿨어요.".to_owned(), reservation };
    Ok(match change {
        Change::None => Response::ok(&answer),
        Change::Confirm | Change::Cancel => app.written(Response::ok(&answer), lsn),
    })
}

/// What has to be done for a reservation to be what somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Confirm,
    Cancel,
}

/// The first of what can become of a reservation that is as wanted; `None` where nothing is.
fn change(now: &Standing, wanted: StatusRequest) -> Option<Change> {
    use PaymentStatus::{Completed, Failed, Refunded};
    use ReservationStatus::{Cancelled, Confirmed, Pending};
    let confirmed = (Change::Confirm, Confirmed, Completed);
    let next: &[(Change, ReservationStatus, PaymentStatus)] = match now.status {
        Pending => &[confirmed, (Change::Cancel, Cancelled, Failed)],
        Confirmed => &[(Change::Cancel, Cancelled, Refunded)],
        Cancelled => &[confirmed],
    };
    let as_it_is = [(Change::None, now.status, now.payment_status)];
    let is_wanted = |&&(_, status, payment): &&(Change, ReservationStatus, PaymentStatus)| {
        wanted.status.is_none_or(|wanted| wanted == status)
            && wanted.payment_status.is_none_or(|wanted| wanted == payment)
    };
    as_it_is.iter().chain(next).find(is_wanted).map(|(change, ..)| *change)
}

/// Confirms it; one that had ended takes what it had again.
async fn confirm(
    app: &App,
    reservation: ReservationId,
    order: &Order,
    by: UserIndex,
) -> Result<Lsn, ApiError> {
    let confirmation = Confirmation { reservation, method: method_of(order), by: Some(by) };
    let command = || match order.state {
        OrderState::Ended { .. } => {
            let ended = EndedOrder {
                user: order.user,
                claim: order.claim.clone(),
                expires_at: order.expires_at,
            };
            app.engine.confirm_ended(confirmation, &ended, app.clock.now())
        }
        OrderState::Held | OrderState::Paying | OrderState::AwaitingDeposit | OrderState::Paid => {
            app.engine.confirm_held(confirmation, app.clock.now())
        }
    };
    let pending = unless_busy(command).await.map_err(refusals::confirm)?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    Ok(lsn)
}

/// How it was to be paid before, where that is one of the contract's methods; what an administrator
/// sees on an account otherwise.
fn method_of(order: &Order) -> PaymentMethod {
    match order.payment.map(|payment| payment.method) {
        Some(method @ (PaymentMethod::NaverPay | PaymentMethod::KakaoPay)) => method,
        _ => PaymentMethod::BankTransfer,
    }
}

fn row(state: &State, found: OrderView<'_>, now: UnixMillis) -> Option<AdminReservationRow> {
    let (details, order) = (&found.event.details, found.order);
    let user = state.users().get(order.user.position())?;
    let Standing { status, payment_status, .. } = standing(order, now);
    Some(AdminReservationRow {
        id: found.id.into(),
        reservation_number: found.number(),
        total_amount: found.total_amount(),
        status,
        payment_status,
        created_at: order.held_at.into(),
        user_name: user.name.clone(),
        user_email: user.email.clone(),
        event_title: Some(details.title.clone()),
        venue: Some(details.venue.clone()),
        event_date: Some(details.event_at.into()),
    })
}

fn record(state: &State, found: OrderView<'_>, now: UnixMillis) -> Option<ReservationRecord> {
    let order = found.order;
    let user = state.users().get(order.user.position())?;
    let Standing { status, payment_status, .. } = standing(order, now);
    let payment = order.payment;
    let ended_at = match order.state {
        OrderState::Ended { at, .. } => Some(at),
        OrderState::Held | OrderState::Paying | OrderState::AwaitingDeposit | OrderState::Paid => {
            None
        }
    };
    let changes = [
        Some(order.held_at),
        payment.map(|payment| payment.started_at),
        payment.and_then(|payment| payment.paid_at),
        ended_at,
    ];
    Some(ReservationRecord {
        id: found.id.into(),
        user_id: user.id.into(),
        event_id: found.event_id(),
        reservation_number: found.number(),
        total_amount: found.total_amount(),
        status,
        payment_method: found.paid_by(),
        payment_status,
        expires_at: order.expires_at.map(Into::into),
        created_at: order.held_at.into(),
        updated_at: changes.into_iter().flatten().max().unwrap_or(order.held_at).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_reached_or_refused() {
        use PaymentStatus as P;
        use ReservationStatus as S;
        let (pending, confirmed) = ((S::Pending, P::Pending), (S::Confirmed, P::Completed));
        let (failed, refunded) = ((S::Cancelled, P::Failed), (S::Cancelled, P::Refunded));
        let (none, confirm, cancel) =
            (Some(Change::None), Some(Change::Confirm), Some(Change::Cancel));
        for (now, status, payment, expected) in [
            (pending, Some(S::Pending), None, none),
            (pending, Some(S::Confirmed), None, confirm),
            (pending, Some(S::Cancelled), None, cancel),
            (pending, None, Some(P::Completed), confirm),
            (pending, None, Some(P::Failed), cancel),
            (pending, None, Some(P::Refunded), None),
            (pending, Some(S::Confirmed), Some(P::Pending), None),
            (pending, Some(S::Cancelled), Some(P::Refunded), None),
            (pending, Some(S::Cancelled), Some(P::Failed), cancel),
            (pending, Some(S::Pending), Some(P::Completed), None),
            (confirmed, Some(S::Confirmed), Some(P::Completed), none),
            (confirmed, Some(S::Cancelled), None, cancel),
            (confirmed, None, Some(P::Refunded), cancel),
            (confirmed, Some(S::Cancelled), Some(P::Failed), None),
            (confirmed, Some(S::Pending), None, None),
            (confirmed, None, Some(P::Failed), None),
            (failed, Some(S::Cancelled), None, none),
            (failed, Some(S::Confirmed), None, confirm),
            (failed, Some(S::Pending), None, None),
            (failed, None, Some(P::Refunded), None),
            (refunded, Some(S::Cancelled), Some(P::Refunded), none),
            (refunded, Some(S::Confirmed), Some(P::Completed), confirm),
            (refunded, Some(S::Confirmed), Some(P::Refunded), None),
            (refunded, None, Some(P::Failed), None),
        ] {
            let standing = Standing { status: now.0, payment_status: now.1, is_expired: false };
            let found = change(&standing, StatusRequest { status, payment_status: payment });
            assert_eq!(found, expected, "{now:?} to {status:?} {payment:?}");
        }
    }
}
