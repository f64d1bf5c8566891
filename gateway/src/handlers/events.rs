//! Events (contract/http.md 2.2).

use std::sync::Arc;

use tiketi_engine::ids::EventIndex;
use tiketi_engine::state::Event;

use crate::api::Pagination;
use crate::api::events::{EventAnswer, EventList, EventStatus};
use crate::app::App;
use crate::catalog_view;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::search::Search;

const DEFAULT_LIMIT: u64 = 10;

/// `GET /api/events`.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let page = request.page(DEFAULT_LIMIT)?;
    let query = request.parameter("q")?.unwrap_or_default();
    let status = match request.parameter("status")?.as_deref() {
        None | Some("") => None,
        Some(name) => Some(EventStatus::parse(name)),
    };
    // What no event can be has no events.
    let Some(status) = status.map_or(Some(None), |known| known.map(Some)) else {
        let pagination = Pagination::new(page.page, page.limit, 0);
        return Ok(Response::ok(&EventList { events: Vec::new(), pagination }));
    };
    let answer = app.view.read(|state| {
        let search = Search::new(&query, state.keywords());
        let is_wanted = |event: &Event| {
            status.is_none_or(|status| catalog_view::status(event, request.now) == status)
                && search.as_ref().is_none_or(|search| search.matches(&event.details))
        };
        let mut found: Vec<(EventIndex, &Event)> =
            state.listed_events().filter(|(_, event)| is_wanted(event)).collect();
        // Stable: equal starts stay in the order of their ids.
        found.sort_by_key(|(_, event)| event.details.sale_starts_at);
        let rows = found.iter().skip(page.skip()).take(page.limit as usize);
        let row =
            |&(index, event): &(EventIndex, &Event)| catalog_view::row(index, event, request.now);
        EventList {
            events: rows.map(row).collect(),
            pagination: Pagination::new(page.page, page.limit, found.len() as u64),
        }
    });
    Ok(Response::ok(&answer))
}

/// `GET /api/events/:id`.
pub(crate) async fn detail(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let index = request.event_id(0)?;
    let answer = app.view.read(|state| {
        let event = state.event(index)?;
        Some(EventAnswer {
            event: catalog_view::detail(state, index, event, request.now),
            ticket_types: catalog_view::ticket_types(index, event),
        })
    });
    let answer = answer.ok_or_else(|| ApiError::new(Code::NotFound))?;
    app.seen(request, index);
    app.metrics.event_viewed(index, &answer.event.title);
    Ok(Response::ok(&answer))
}
