//! Reservations (contract/http.md 2.5).

use std::sync::Arc;

use tiketi_engine::command::{Asked, WantedTickets};
use tiketi_engine::engine::Once;
use tiketi_engine::error::{CommandError, HoldRefusal};
use tiketi_engine::ids::{
    EventIndex, ExternalId, Lsn, ReservationId, TicketTypeIndex, UnixMillis, reservation_number,
};
use tiketi_engine::record::Claim;

use crate::api::reservations::{
    Done, NewReservation, ReservationAnswer, ReservationCreated, ReservationLine, ReservationList,
    ReservationRequest,
};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::handlers::queue::before_hold;
use crate::http::{Request, Response};
use crate::idempotency;
use crate::metrics::FunnelStage;
use crate::order_view::OrderView;
use crate::orders;
use crate::refusals;

/// `POST /api/reservations`: tickets without seats. An equal order of a moment ago that still stands is
/// answered with again.
pub(crate) async fn create(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let body: ReservationRequest = request.json()?;
    let Some(ExternalId::Event(event)) = ExternalId::decode(body.event_id.0) else {
        return Err(refusals::unknown("공연을 찾을 수 없어요."));
    };
    before_hold(app, request, event)?;
    let wanted = lines(event, &body.items).and_then(|lines| WantedTickets::new(&lines));
    let wanted = wanted.map_err(|refusal| match refusal {
        HoldRefusal::TooManySeats { max } => ApiError::new(Code::SeatLimit)
            .message(format!("한 번에 {max}종류까지 예매할 수 있어요."))
            .with("max", max),
        refusal => refused(app, event, refusal.into()),
    })?;
    let key = idempotency::key_or_click(request, |content| {
        content.number(event.0.into());
        for &(ticket_type, quantity) in wanted.lines() {
            content.number(ticket_type.0.into()).number(quantity.into());
        }
    })?;
    let asked = Asked { by: request.user()?.user.index, at: app.clock.now(), key: Some(key) };
    let pending = match app.engine.hold_tickets(event, &wanted, asked) {
        Ok(pending) => pending,
        Err(error) => {
            // No event, no series: its label would be the caller's choice.
            if !matches!(error, CommandError::Refused(HoldRefusal::UnknownEvent(_))) {
                app.metrics.event(event).reservations_failed.inc();
            }
            return Err(refused(app, event, error));
        }
    };
    let lsn = pending.lsn();
    let reservation = match app.durable(pending).await? {
        Once::Done(hold) => {
            let metrics = app.metrics.event(event);
            metrics.reservations_created.inc();
            metrics.reached(FunnelStage::ReservationCreated);
            let held = (hold.held_at, lsn);
            Some(created(hold.reservation, &hold.claim, held, hold.expires_at))
        }
        Once::Repeated(id) => {
            app.shown(lsn).await?;
            app.view.read(|state| {
                let order = OrderView::find(state, id)?.order;
                Some(created(id, &order.claim, (order.held_at, order.held_lsn), order.expires_at))
            })
        }
    };
    let reservation = reservation.ok_or_else(|| {
        ApiError::new(Code::Internal).cause("the repeated order is not in the view")
    })?;
    let answer =
        ReservationCreated { message: "예매가 완료됐어요.".to_owned(), reservation };
    Ok(app.written(Response::created(&answer), lsn))
}

/// `GET /api/reservations/my`, newest first.
pub(crate) async fn my(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let user = request.user()?.user.index;
    let now = app.clock.now();
    let reservations = app.view.read(|state| {
        let orders = state.orders_of(user).iter().rev();
        orders.filter_map(|&order| Some(OrderView::of(state, order)?.row(now))).collect()
    });
    Ok(Response::ok(&ReservationList { reservations }))
}

/// `GET /api/reservations/:id`.
pub(crate) async fn detail(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (id, user) = (request.reservation_id(0)?, request.user()?.user.index);
    let now = app.clock.now();
    let reservation =
        app.view.read(|state| OrderView::own(state, id, user).map(|order| order.detail(now)));
    let reservation = reservation.ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Response::ok(&ReservationAnswer { reservation }))
}

/// `POST /api/reservations/:id/cancel`, paid or not.
pub(crate) async fn cancel(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let user = request.user()?.user.index;
    let id = request.reservation_id(0).map_err(|error| match error.code() {
        // Well formed and not ours: as one that does not exist.
        Code::NotFound => refusals::unknown_order(),
        _ => error,
    })?;
    let lsn = orders::cancel(app, id, Some(user)).await?;
    let answer = Done { message: "예매가 취소됐어요.".to_owned() };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// What a body asks for; ticket types of other events are unknown.
pub(crate) fn lines(
    event: EventIndex,
    items: &[ReservationLine],
) -> Result<Vec<(TicketTypeIndex, u32)>, HoldRefusal> {
    let line = |item: &ReservationLine| match ExternalId::decode(item.ticket_type_id.0) {
        Some(ExternalId::TicketType(of, ticket_type)) if of == event => {
            Ok((ticket_type, item.quantity))
        }
        // No event has so many; the engine would say the same of it.
        _ => Err(HoldRefusal::UnknownTicketType(TicketTypeIndex(u16::MAX))),
    };
    items.iter().map(line).collect()
}

fn refused(app: &App, event: EventIndex, error: CommandError<HoldRefusal>) -> ApiError {
    refusals::hold(error, None, |ticket_type| {
        app.view.read(|state| {
            let found = state.event(event)?.ticket_types.get(ticket_type.position())?;
            Some(found.name.clone())
        })
    })
}

/// An order as it was when it was made, whatever became of it.
fn created(
    id: ReservationId,
    claim: &Claim,
    (held_at, held_lsn): (UnixMillis, Lsn),
    expires_at: Option<UnixMillis>,
) -> NewReservation {
    let total_amount = match claim {
        Claim::Seats(_) => 0,
        Claim::Tickets(lines) => {
            lines.iter().map(|line| u64::from(line.unit_price) * u64::from(line.quantity)).sum()
        }
    };
    NewReservation {
        id: id.into(),
        reservation_number: reservation_number(held_at, held_lsn),
        total_amount,
        expires_at: expires_at.map(Into::into),
    }
}
