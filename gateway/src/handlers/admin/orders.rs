//! The whole life of an order, and ending it.

use std::sync::Arc;

use tiketi_engine::ids::{ExternalId, ReservationId, UnixMillis};
use tiketi_engine::record;
use tiketi_engine::state::{self, State};

use crate::api::Id;
use crate::api::admin::{
    EndReason, OrderAnswer, OrderCancelledAnswer, OrderDetail, OrderState, PaymentAttempt,
};
use crate::api::payments::method_id;
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::handlers::payments::charge;
use crate::http::{Request, Response};
use crate::order_view::{OrderView, Standing, standing};
use crate::orders;

/// `GET /api/admin/orders/:idOrNumber`.
pub(crate) async fn show(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let name = request.path_text(0)?;
    let now = app.clock.now();
    let found = if name.starts_with("TK") {
        app.view.read(|state| {
            OrderView::numbered(state, &name).and_then(|order| detail(state, order, now))
        })
    } else {
        let id = reservation_id(&name)?;
        app.view
            .read(|state| OrderView::find(state, id).and_then(|order| detail(state, order, now)))
    };
    let order = found.ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Response::ok(&OrderAnswer { order }))
}

/// `POST /api/admin/orders/:id/cancel`, whoever's it is.
pub(crate) async fn cancel(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let id = request.reservation_id(0)?;
    app.catch_up(None).await?;
    if app.view.read(|state| OrderView::find(state, id).is_none()) {
        return Err(ApiError::new(Code::NotFound));
    }
    let lsn = orders::cancel(app, id, None).await?;
    app.shown(lsn).await?;
    let now = app.clock.now();
    let order = app
        .view
        .read(|state| OrderView::find(state, id).and_then(|order| detail(state, order, now)))
        .ok_or_else(|| ApiError::new(Code::NotFound))?;
    let answer = OrderCancelledAnswer { message: "예매를 취소했어요.".to_owned(), order };
    Ok(app.written(Response::ok(&answer), lsn))
}

fn reservation_id(text: &str) -> Result<ReservationId, ApiError> {
    let id = Id::parse(text).ok_or_else(|| ApiError::new(Code::BadId))?;
    match ExternalId::decode(id.0) {
        Some(ExternalId::Reservation(id)) => Ok(id),
        _ => Err(ApiError::new(Code::NotFound)),
    }
}

fn detail(state: &State, found: OrderView<'_>, now: UnixMillis) -> Option<OrderDetail> {
    let (event, order) = (found.event, found.order);
    let user = state.users().get(order.user.position())?;
    let Standing { status, payment_status, .. } = standing(order, now);
    let (life, end) = match order.state {
        state::OrderState::Held => (OrderState::Held, None),
        state::OrderState::Paying => (OrderState::Paying, None),
        state::OrderState::AwaitingDeposit => (OrderState::AwaitingDeposit, None),
        state::OrderState::Paid => (OrderState::Paid, None),
        state::OrderState::Ended { reason, at } => (OrderState::Ended, Some((reason, at))),
    };
    Some(OrderDetail {
        id: found.id.into(),
        reservation_number: found.number(),
        event_id: found.event_id(),
        event_title: event.details.title.clone(),
        user_id: user.id.into(),
        user_email: user.email.clone(),
        user_name: user.name.clone(),
        status,
        payment_status,
        state: life,
        end_reason: end.map(|(reason, _)| end_reason(reason)),
        total_amount: found.total_amount(),
        created_at: order.held_at.into(),
        expires_at: order.expires_at.map(Into::into),
        ended_at: end.map(|(_, at)| at.into()),
        payment: order.payment.map(|payment| PaymentAttempt {
            attempt: payment.attempt.0,
            method: method_id(payment.method).to_owned(),
            started_at: payment.started_at.into(),
            paid_at: payment.paid_at.map(Into::into),
        }),
        charges: charge::charges_of(state, found.id),
        items: found.detail_items(),
        lsn: order.held_lsn.0,
    })
}

fn end_reason(reason: record::EndReason) -> EndReason {
    match reason {
        record::EndReason::Expired => EndReason::Expired,
        record::EndReason::CancelledByUser => EndReason::CancelledByUser,
        record::EndReason::CancelledByAdmin => EndReason::CancelledByAdmin,
        record::EndReason::EventCancelled => EndReason::EventCancelled,
    }
}
