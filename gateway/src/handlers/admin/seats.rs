//! Taking seats off sale and putting them back, or all of them away.

use std::sync::Arc;

use tiketi_engine::error::{CatalogRefusal, CommandError};
use tiketi_engine::ids::{ExternalId, SeatIndex};

use crate::api::Id;
use crate::api::admin::{BlockAnswer, BlockRequest};
use crate::api::changes::{SeatsCreatedAnswer, SeatsDeletedAnswer};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::event_plans::EventPlan;
use crate::http::{Request, Response};
use crate::refusals;

const REASON_CHARS_MAX: usize = tiketi_engine::limits::DESCRIPTION_CHARS_MAX;

/// `POST /api/admin/events/:id/seats/block`.
pub(crate) async fn block(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (plan, body, seats) = wanted(app, request)?;
    let reason = body.reason.unwrap_or_default();
    check_reason(&reason)?;
    let pending = app
        .engine
        .block_seats(plan.event, &seats, reason, app.clock.now())
        .map_err(|error| refusals::block(error, &plan))?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    let answer = answer("좌석을 막았어요.", seats);
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `POST /api/admin/events/:id/seats/unblock`.
pub(crate) async fn unblock(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (plan, _, seats) = wanted(app, request)?;
    let pending = app
        .engine
        .unblock_seats(plan.event, &seats, app.clock.now())
        .map_err(|error| refusals::block(error, &plan))?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    let answer = answer("좌석을 다시 열었어요.", seats);
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `POST /api/admin/events/:id/generate-seats`.
pub(crate) async fn generate(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let by = Some(request.user()?.user.index);
    let now = app.clock.now();
    let pending = app.engine.generate_seats(event, by, now).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    let seats_created = app.durable(pending).await?;
    app.shown(lsn).await?;
    let title = app.view.read(|state| Some(state.event(event)?.details.title.clone()));
    let event_title = title.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let message = "좌석을 만들었어요.".to_owned();
    let answer = SeatsCreatedAnswer { message, seats_created, event_title };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `DELETE /api/admin/events/:id/seats`: none where there are none.
pub(crate) async fn remove(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let by = Some(request.user()?.user.index);
    let message = "좌석을 삭제했어요.".to_owned();
    let pending = match app.engine.remove_seats(event, by, app.clock.now()) {
        Ok(pending) => pending,
        Err(CommandError::Refused(CatalogRefusal::NoSeats(_))) => {
            return Ok(Response::ok(&SeatsDeletedAnswer { message, seats_deleted: 0 }));
        }
        Err(error) => return Err(refusals::catalog(error)),
    };
    let lsn = pending.lsn();
    let seats_deleted = app.durable(pending).await?;
    app.shown(lsn).await?;
    Ok(app.written(Response::ok(&SeatsDeletedAnswer { message, seats_deleted }), lsn))
}

fn wanted(
    app: &App,
    request: &Request,
) -> Result<(Arc<EventPlan>, BlockRequest, Vec<SeatIndex>), ApiError> {
    let plan = app.plan(request.event_id(0)?).ok_or_else(|| ApiError::new(Code::NotFound))?;
    let body: BlockRequest = request.json()?;
    let seats = body.seats.iter().map(|name| {
        seat_named(&plan, name).ok_or_else(|| {
            refusals::unknown("이 공연에 없는 좌석이에요.").with("seat", name.as_str())
        })
    });
    let seats = seats.collect::<Result<_, _>>()?;
    Ok((plan, body, seats))
}

/// Why seats are blocked, in a line.
pub(super) fn check_reason(reason: &str) -> Result<(), ApiError> {
    match reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        true => Err(refusals::invalid("사유를 확인해 주세요.")),
        false => Ok(()),
    }
}

/// The seat of an id or a label.
pub(super) fn seat_named(plan: &EventPlan, name: &str) -> Option<SeatIndex> {
    match Id::parse(name).and_then(|id| ExternalId::decode(id.0)) {
        Some(ExternalId::Seat(event, seat)) => {
            (event == plan.event && plan.plan.contains(seat)).then_some(seat)
        }
        _ => plan.seat_labelled(name),
    }
}

/// A seat named twice is one seat.
fn answer(message: &str, mut seats: Vec<SeatIndex>) -> BlockAnswer {
    seats.sort_unstable();
    seats.dedup();
    BlockAnswer { message: message.to_owned(), seats: seats.len() as u64 }
}
