//! Payments (contract/http.md 2.6).

pub(crate) mod charge;
pub(crate) mod confirm;
mod least;
pub(crate) mod pages;
pub(crate) mod points;
pub(crate) mod refund;
pub(crate) mod request;
pub(crate) mod webhook;

use std::sync::Arc;

use tiketi_engine::command::Asked;
use tiketi_engine::engine::AfterPayment;
use tiketi_engine::ids::{ExternalId, Lsn, ReservationId};
use tiketi_engine::record::PaymentMethod;
use tiketi_engine::state::OrderState;

use crate::api::payments::{
    METHODS, MethodList, MethodRow, PaymentRequest, method_display_name, method_id, parse_method,
};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::idempotency;
use crate::order_view::OrderView;
use crate::orders::{explain, unless_busy};
use crate::payments::worker::{self, Attempted};
use crate::refusals;

/// `POST /api/payments/process`.
pub(crate) async fn process(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let user = request.user()?.user.index;
    let body: PaymentRequest = request.json()?;
    let chosen = match parse_method(&body.payment_method) {
        Some(chosen) => chosen,
        None if body.payment_method == method_id(PaymentMethod::Free) => PaymentMethod::Free,
        None => return Err(no_method()),
    };
    let Some(ExternalId::Reservation(id)) = ExternalId::decode(body.reservation_id.0) else {
        return Err(refusals::unknown_order());
    };
    let method = method_of(app, id, chosen).await?;
    app.seen(request, id.event);
    let key = idempotency::key(request, |content| {
        content.number(id.event.0.into()).number(id.slot.0.into()).number(id.order.0.into());
        content.text(method_id(method));
    })?;
    if !app.config.simulated_payments && method != PaymentMethod::Free {
        return Err(ApiError::new(Code::Unavailable).message("이 결제 수단은 사용할 수 없어요."));
    }
    let room = app.payments.room()?;
    let begin =
        || app.engine.begin_payment(id, method, Asked { by: user, at: app.clock.now(), key });
    let begun = match unless_busy(begin).await {
        Ok(begun) => begun,
        Err(error) => return Err(explain(app, id, Some(user), error).await),
    };
    // Nothing is awaited since the payment was begun: from here the worker has it, whether or not
    // the caller stays.
    let attempt = worker::carry_out(Arc::clone(app), begun, method, room);
    match attempt.await? {
        Attempted::Repeated(lsn) => repeated(app, id, lsn).await,
        Attempted::Ended(AfterPayment::Paid, lsn) => paid(app, id, lsn).await,
        Attempted::Ended(AfterPayment::Held | AfterPayment::Awaiting, _) => {
            Err(ApiError::new(Code::PaymentDeclined))
        }
        Attempted::Ended(AfterPayment::Expired, _) => Err(ApiError::new(Code::HoldExpired)),
        Attempted::Ended(AfterPayment::EventCancelled, _) => {
            Err(ApiError::new(Code::NotPayable).message("취소된 공연이에요."))
        }
    }
}

/// How an order is paid: one that costs nothing by nothing, whichever method its buyer chose.
async fn method_of(
    app: &App,
    id: ReservationId,
    chosen: PaymentMethod,
) -> Result<PaymentMethod, ApiError> {
    let total = || app.view.read(|state| Some(OrderView::find(state, id)?.total_amount()));
    let mut known = total();
    if known.is_none() {
        // It may be an order of this moment.
        app.catch_up(None).await?;
        known = total();
    }
    match (known, chosen) {
        (Some(0), _) => Ok(PaymentMethod::Free),
        (_, PaymentMethod::Free) => Err(no_method()),
        (_, chosen) => Ok(chosen),
    }
}

fn no_method() -> ApiError {
    refusals::invalid("결제 수단을 선택해 주세요.")
}

/// `GET /api/payments/methods`.
pub(crate) async fn methods(_: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    let row = |method| {
        let id = method_id(method);
        let name = method_display_name(method);
        MethodRow {
            id: id.to_owned(),
            name: name.to_owned(),
            description: format!("{name}로 결제해요."),
            icon: format!("/images/{}.png", id.replace('_', "-")),
        }
    };
    Ok(Response::ok(&MethodList { methods: METHODS.into_iter().map(row).collect() }))
}

async fn paid(app: &Arc<App>, id: ReservationId, lsn: Lsn) -> Result<Response, ApiError> {
    app.shown(lsn).await?;
    let answer = app.view.read(|state| OrderView::find(state, id)?.payment_answer());
    let answer = answer
        .ok_or_else(|| ApiError::new(Code::Internal).cause("a paid order without payment"))?;
    Ok(app.written(Response::ok(&answer), lsn))
}

/// The answer that the first request got, where it got one.
async fn repeated(app: &Arc<App>, id: ReservationId, lsn: Lsn) -> Result<Response, ApiError> {
    app.shown(lsn).await?;
    let answer = app.view.read(|state| {
        let order = OrderView::find(state, id).ok_or_else(refusals::unknown_order)?;
        match (order.payment_answer(), order.order.state) {
            (Some(answer), _) => Ok(answer),
            (None, OrderState::Paying | OrderState::AwaitingDeposit) => {
                Err(ApiError::new(Code::InProgress))
            }
            // It was declined, and nobody has tried again.
            (None, OrderState::Held) => Err(ApiError::new(Code::PaymentDeclined)),
            (None, OrderState::Paid | OrderState::Ended { .. }) => {
                Err(refusals::ended_order(order.order, Code::NotPayable))
            }
        }
    })?;
    Ok(app.written(Response::ok(&answer), lsn))
}
