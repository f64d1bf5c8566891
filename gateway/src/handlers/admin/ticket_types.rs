//! Ticket types of an event that exists.

use std::sync::Arc;

use tiketi_engine::command::{EditTicketType, NewTicketTypes};
use tiketi_engine::ids::{EventIndex, ExternalId, Lsn, TicketTypeIndex};
use tiketi_engine::record::TicketTypeDetails;
use tiketi_engine::state::Event;

use crate::api::admin::NewTicketTypeRequest;
use crate::api::changes::{TicketTypeAnswer, TicketTypeRow};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::handlers::admin::events::ticket_type;
use crate::http::{Request, Response};
use crate::refusals;

/// `POST /api/admin/events/:eventId/tickets`.
pub(crate) async fn create(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    if !app.engine.has_event(event) {
        return Err(ApiError::new(Code::NotFound));
    }
    let body: NewTicketTypeRequest = request.json()?;
    let standing = vec![body.standing.unwrap_or(false)];
    let new = NewTicketTypes { event, ticket_types: vec![ticket_type(body)?], standing };
    let new = new.check().map_err(refusals::field)?;
    let by = Some(request.user()?.user.index);
    let pending =
        app.engine.add_ticket_types(new, by, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    let index = app.durable(pending).await?;
    let ticket_type = shown(app, event, index, lsn).await?;
    let answer = TicketTypeAnswer { message: "티켓을 추가했어요.".to_owned(), ticket_type };
    Ok(app.written(Response::created(&answer), lsn))
}

/// `PUT /api/admin/tickets/:id`: all of it is replaced, but whether it is sold beside seats where that
/// is absent.
pub(crate) async fn edit(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (event, index) = request.ticket_type_id(0)?;
    if !app.engine.has_event(event) {
        return Err(ApiError::new(Code::NotFound));
    }
    let body: NewTicketTypeRequest = request.json()?;
    let standing = body.standing;
    let new = ticket_type(body)?;
    let details = TicketTypeDetails {
        name: new.name,
        price: new.price,
        total_quantity: new.total_quantity,
        description: new.description,
    };
    let edit = EditTicketType { event, ticket_type: index, details, standing };
    let edit = edit.check().map_err(refusals::field)?;
    let by = Some(request.user()?.user.index);
    let pending =
        app.engine.edit_ticket_type(edit, by, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    let ticket_type = shown(app, event, index, lsn).await?;
    let answer = TicketTypeAnswer { message: "티켓을 수정했어요.".to_owned(), ticket_type };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// The ticket type as of `lsn` or later.
async fn shown(
    app: &App,
    event: EventIndex,
    ticket_type: TicketTypeIndex,
    lsn: Lsn,
) -> Result<TicketTypeRow, ApiError> {
    app.shown(lsn).await?;
    let found = app.view.read(|state| row(event, state.event(event)?, ticket_type));
    found.ok_or_else(|| ApiError::new(Code::NotFound))
}

fn row(index: EventIndex, event: &Event, ticket_type: TicketTypeIndex) -> Option<TicketTypeRow> {
    let found = event.ticket_types.get(ticket_type.position())?;
    Some(TicketTypeRow {
        id: ExternalId::TicketType(index, ticket_type).into(),
        event_id: index.into(),
        name: found.name.clone(),
        price: found.price,
        total_quantity: found.total_quantity,
        available_quantity: found.available(),
        description: found.description.clone(),
        standing: event.standing.contains(&ticket_type),
        created_at: found.created_at.into(),
        updated_at: found.updated_at.into(),
    })
}
