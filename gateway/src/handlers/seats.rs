//! Layouts, seat maps and holds of seats (contract/http.md 2.4).

use std::sync::Arc;

use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::{Hold, Once};
use tiketi_engine::error::{CommandError, HoldRefusal};
use tiketi_engine::ids::{
    EventIndex, ExternalId, Lsn, ReservationId, SeatIndex, UnixMillis, reservation_number,
};
use tiketi_engine::journal::Pending;
use tiketi_engine::record::{Claim, SeatList};
use tiketi_engine::state::{self, Event, OrderState};

use crate::api::Id;
use crate::api::seats::{
    BestRequest, LayoutList, ReserveAnswer, ReserveRequest, Reserved, ReservedSeat,
    SeatReservationAnswer, SeatStatus,
};
use crate::app::App;
use crate::catalog_view;
use crate::error::{ApiError, Code};
use crate::event_plans::EventPlan;
use crate::handlers::queue::before_hold;
use crate::http::{Request, Response};
use crate::idempotency;
use crate::metrics::FunnelStage;
use crate::order_view::OrderView;
use crate::refusals;

/// `GET /api/seats/layouts`, the smallest first.
pub(crate) async fn layouts(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    let mut layouts = app.view.read(catalog_view::layouts);
    layouts.sort_by_key(|layout| layout.total_seats);
    Ok(Response::ok(&LayoutList { layouts }))
}

/// `GET /api/seats/events/:eventId`.
pub(crate) async fn map(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    app.seen(request, event);
    let body = app.seat_maps.get(app, event).await?;
    Ok(Response::kept(&body, request))
}

/// `POST /api/seats/reserve`. Seats that the caller holds already, just these, are that hold.
pub(crate) async fn reserve(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let body: ReserveRequest = request.json()?;
    let plan = plan_of(app, body.event_id)?;
    before_hold(app, request, plan.event)?;
    let wanted = wanted_seats(&plan, &body.seat_ids);
    let wanted = wanted.map_err(|refusal| refused(refusal.into(), &plan))?;
    let key = idempotency::key(request, |content| {
        content.number(plan.event.0.into());
        for seat in wanted.seats().iter() {
            content.number(seat.0.into());
        }
    })?;
    let asked = Asked { by: request.user()?.user.index, at: app.clock.now(), key };
    let held = app.engine.hold_seats(plan.event, &wanted, asked);
    let to_explain = match &held {
        Err(CommandError::Refused(HoldRefusal::SeatsTaken(taken))) => Some(&taken[..]),
        Err(CommandError::Refused(HoldRefusal::UserCap { .. })) => Some(&wanted.seats()[..]),
        _ => None,
    };
    if let Some(to_explain) = to_explain {
        match theirs(app, &plan, (&wanted, to_explain), asked).await? {
            Theirs::Hold(reservation, lsn) => {
                let message = "이미 잡은 좌석이에요.".to_owned();
                let answer = ReserveAnswer { message, reservation, already_yours: Some(true) };
                return Ok(app.written(Response::ok(&answer), lsn));
            }
            Theirs::Some { yours, taken } if is_taken(&held) => {
                app.metrics.event(plan.event).reservations_failed.inc();
                return Err(refusals::some_yours(&plan, &yours, &taken));
            }
            Theirs::Some { .. } | Theirs::None => {}
        }
    }
    answer(app, &plan, held).await
}

/// What the caller has of some seats.
enum Theirs {
    /// All of them, and nothing else, in one hold.
    Hold(Reserved, Lsn),
    /// Some of them; of the others these are not to be had.
    Some { yours: Vec<SeatIndex>, taken: Vec<SeatIndex> },
    /// None.
    None,
}

/// Whose the seats are. Most of a crowd is refused seats that others have had for a while: the view
/// tells at once. Where it has no owner of those that are `to_explain`, or the caller is one, every hold
/// of this moment is waited for first, so that a hold which another request has just made is found (I6)
/// and one that has just ended is not.
async fn theirs(
    app: &Arc<App>,
    plan: &EventPlan,
    (wanted, to_explain): (&WantedSeats, &[SeatIndex]),
    asked: Asked,
) -> Result<Theirs, ApiError> {
    let seats = wanted.seats();
    let is_explained = app.view.read(|state| {
        let event = state.event(plan.event)?;
        let owner = |&seat: &SeatIndex| {
            event.seat_owner(seat).and_then(|number| Some(event.order(number)?.user))
        };
        let is_own = |seat: &SeatIndex| owner(seat) == Some(asked.by);
        Some(!seats.iter().any(is_own) && to_explain.iter().all(|seat| owner(seat).is_some()))
    });
    if is_explained == Some(true) {
        return Ok(Theirs::None);
    }
    app.catch_up(Some(app.engine.journal().appended_lsn())).await?;
    let found = app.view.read(|state| theirs_of(state.event(plan.event)?, plan, seats, asked));
    Ok(found.unwrap_or(Theirs::None))
}

fn theirs_of(event: &Event, plan: &EventPlan, seats: &SeatList, asked: Asked) -> Option<Theirs> {
    let own = |seat: SeatIndex| {
        let number = event.seat_owner(seat)?;
        let order = event.order(number).filter(|order| order.user == asked.by)?;
        Some((number, order))
    };
    let (yours, others): (Vec<SeatIndex>, Vec<SeatIndex>) =
        seats.iter().partition(|seat| own(**seat).is_some());
    let (number, order) = own(*yours.first()?)?;
    let is_unpaid = match order.state {
        OrderState::Held => order.expires_at.is_none_or(|at| asked.at < at),
        state => state == OrderState::Paying,
    };
    if is_unpaid && order.claim == Claim::Seats(*seats) {
        let id = ReservationId { event: plan.event, slot: order.slot, order: number };
        let held = (order.held_at, order.held_lsn);
        let hold = reserved(plan, id, &order.claim, held, order.expires_at?)?;
        return Some(Theirs::Hold(hold, order.held_lsn));
    }
    let is_free = |seat: SeatIndex| event.seat_status(seat) == state::SeatStatus::Available;
    let taken = others.into_iter().filter(|&seat| !is_free(seat)).collect();
    Some(Theirs::Some { yours, taken })
}

fn is_taken<T>(held: &Result<T, CommandError<HoldRefusal>>) -> bool {
    matches!(held, Err(CommandError::Refused(HoldRefusal::SeatsTaken(_))))
}

/// `POST /api/seats/best`: the server chooses.
pub(crate) async fn best(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let body: BestRequest = request.json()?;
    let plan = plan_of(app, body.event_id)?;
    before_hold(app, request, plan.event)?;
    let section = match body.section.as_deref() {
        None => None,
        Some(name) => match plan.section(name) {
            Some(section) => Some(section),
            None => return Err(refused(HoldRefusal::UnknownSection.into(), &plan)),
        },
    };
    let key = idempotency::key(request, |content| {
        content.number(plan.event.0.into()).number(body.count.into());
        content.text(body.section.as_deref().unwrap_or_default());
    })?;
    let asked = Asked { by: request.user()?.user.index, at: app.clock.now(), key };
    let held = app.engine.hold_best(plan.event, section, body.count as usize, asked);
    answer(app, &plan, held).await
}

/// `GET /api/seats/reservation/:reservationId`.
pub(crate) async fn reservation(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (id, user) = (request.reservation_id(0)?, request.user()?.user.index);
    let now = app.clock.now();
    let reservation = app
        .view
        .read(|state| OrderView::own(state, id, user).map(|order| order.seat_reservation(now)));
    let reservation = reservation.ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Response::ok(&SeatReservationAnswer { reservation }))
}

/// The plan of the event that a body names.
fn plan_of(app: &App, event: Id) -> Result<Arc<EventPlan>, ApiError> {
    let found = match ExternalId::decode(event.0) {
        Some(ExternalId::Event(index)) => app.plan(index),
        _ => None,
    };
    found.ok_or_else(|| refusals::unknown("공연을 찾을 수 없어요."))
}

/// The seats that a body names; those of other events are unknown.
pub(super) fn wanted_seats(plan: &EventPlan, ids: &[Id]) -> Result<WantedSeats, HoldRefusal> {
    let mut seats = Vec::with_capacity(ids.len());
    for id in ids {
        match ExternalId::decode(id.0) {
            Some(ExternalId::Seat(event, seat)) if event == plan.event => seats.push(seat),
            // No seat has this index; the engine says what a seat of its own would be told.
            _ => return Err(HoldRefusal::UnknownSeat(SeatIndex(u32::MAX))),
        }
    }
    WantedSeats::new(&seats).map_err(|refusal| match refusal {
        // Nobody may have as many as that; the caller is told what this event allows.
        HoldRefusal::TooManySeats { .. } => HoldRefusal::TooManySeats { max: plan.seats_max },
        other => other,
    })
}

fn refused(error: CommandError<HoldRefusal>, plan: &EventPlan) -> ApiError {
    refusals::hold(error, Some(plan), |_| None)
}

/// Waits for the record, then tells what was held.
async fn answer(
    app: &Arc<App>,
    plan: &EventPlan,
    held: Result<Pending<Once<Hold>>, CommandError<HoldRefusal>>,
) -> Result<Response, ApiError> {
    let metrics = app.metrics.event(plan.event);
    metrics.reached(FunnelStage::SeatSelect);
    let pending = held.map_err(|error| {
        metrics.reservations_failed.inc();
        refused(error, plan)
    })?;
    let lsn = pending.lsn();
    let answer = match app.durable(pending).await? {
        Once::Done(hold) => {
            metrics.reservations_created.inc();
            metrics.reached(FunnelStage::ReservationCreated);
            let of = |expires_at| {
                reserved(plan, hold.reservation, &hold.claim, (hold.held_at, lsn), expires_at)
            };
            hold.expires_at.and_then(of)
        }
        Once::Repeated(id) => {
            app.shown(lsn).await?;
            app.view.read(|state| {
                let order = OrderView::find(state, id)?.order;
                let held = (order.held_at, order.held_lsn);
                reserved(plan, id, &order.claim, held, order.expires_at?)
            })
        }
    };
    let reservation = answer
        .ok_or_else(|| ApiError::new(Code::Internal).cause("a hold of seats that has no seats"))?;
    let message = "좌석을 잡았어요.".to_owned();
    let answer = ReserveAnswer { message, reservation, already_yours: None };
    Ok(app.written(Response::created(&answer), lsn))
}

/// A hold as it was when it was made, whatever became of it.
fn reserved(
    plan: &EventPlan,
    id: ReservationId,
    claim: &Claim,
    (held_at, held_lsn): (UnixMillis, Lsn),
    expires_at: UnixMillis,
) -> Option<Reserved> {
    let Claim::Seats(seats) = claim else { return None };
    let seats: Vec<ReservedSeat> = seats
        .iter()
        .map(|&seat| {
            let seat = plan.seat(seat);
            ReservedSeat {
                id: seat.id,
                seat_label: seat.label(),
                price: seat.section.price,
                status: SeatStatus::Locked,
            }
        })
        .collect();
    Some(Reserved {
        id: id.into(),
        reservation_number: reservation_number(held_at, held_lsn),
        total_amount: seats.iter().map(|seat| u64::from(seat.price)).sum(),
        expires_at: expires_at.into(),
        seats,
    })
}

impl App {
    /// What never changes about an event's seats; `None` for an event that does not exist.
    pub(crate) fn plan(&self, event: EventIndex) -> Option<Arc<EventPlan>> {
        if !self.engine.has_event(event) {
            return None;
        }
        self.plans
            .get(event, || self.view.read(|state| Some(EventPlan::of(event, state.event(event)?))))
    }
}
