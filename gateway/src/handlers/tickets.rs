//! Ticket types (contract/http.md 2.3).

use std::sync::Arc;

use tiketi_engine::ids::ExternalId;

use crate::api::events::{Availability, TicketTypesAnswer};
use crate::app::App;
use crate::catalog_view;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};

/// `GET /api/tickets/event/:eventId`.
pub(crate) async fn of_event(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let index = match request.id(0) {
        Ok(ExternalId::Event(index)) => Some(index),
        Ok(_) => None,
        // No event of ours has no ticket types; a malformed id is still an error.
        Err(error) if error.code() == Code::NotFound => None,
        Err(error) => return Err(error),
    };
    let ticket_types = app.view.read(|state| {
        let event = state.event(index?)?;
        Some(catalog_view::ticket_types(index?, event))
    });
    Ok(Response::ok(&TicketTypesAnswer { ticket_types: ticket_types.unwrap_or_default() }))
}

/// `GET /api/tickets/availability/:ticketTypeId`.
pub(crate) async fn availability(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (event, ticket_type) = request.ticket_type_id(0)?;
    let answer = app.view.read(|state| {
        let found = state.event(event)?.ticket_types.get(ticket_type.position())?;
        Some(Availability {
            available_quantity: found.available(),
            total_quantity: found.total_quantity,
        })
    });
    answer.map(|answer| Response::ok(&answer)).ok_or_else(|| ApiError::new(Code::NotFound))
}
