//! Events (contract/http.md 2.2), with more filters, orders and suggestions.

use std::sync::Arc;

use tiketi_engine::ids::{EventIndex, Lsn, UnixMillis};
use tiketi_engine::state::{Event, State};

use crate::api::Pagination;
use crate::api::events::{EventAnswer, EventDetail, EventList, EventStatus, Suggestions};
use crate::app::App;
use crate::catalog_view;
use crate::compression::CachedBody;
use crate::error::{ApiError, Code};
use crate::http::{Page, Request, Response};
use crate::instants;
use crate::search::{Filter, Sort};

const DEFAULT_LIMIT: u64 = 10;
const DEFAULT_SUGGESTIONS: u64 = 8;
const SUGGESTIONS_MAX: u64 = 20;
/// Events of which the view is asked at once; in between its writer gets its turn.
const READ_AT_ONCE: usize = 1_000;

/// All that a page of the list shows.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct ListShown {
    /// See [`crate::search::SearchIndex::described`].
    described: u64,
    pagination: Pagination,
    rows: Vec<(EventIndex, EventStatus)>,
}

/// All that an event's page shows.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct DetailShown {
    /// See [`crate::search::SearchIndex::described`].
    described: u64,
    event: EventIndex,
    status: EventStatus,
    /// What is left of its ticket types is as of this record.
    stock: Lsn,
}

/// `GET /api/events`.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let page = request.page(DEFAULT_LIMIT)?;
    let status = match request.parameter("status")?.as_deref() {
        None | Some("") => None,
        Some(name) => Some(EventStatus::parse(name)),
    };
    let filter = filter(request, status.flatten())?;
    let sort = sort(request)?;
    let (total, indexes) = match status {
        // What no event can be has no events.
        Some(None) => (0, Vec::new()),
        _ => found(app, &filter, sort, page, request.now),
    };
    let pagination = Pagination::new(page.page, page.limit, total as u64);
    let shown = |state: &State| ListShown {
        described: app.search.described(),
        pagination,
        rows: rows(state, &indexes, |index, event| {
            (index, catalog_view::status(event, request.now))
        }),
    };
    if let Some(body) = app.event_lists.get(&app.view.read(shown)) {
        return Ok(Response::kept(&body, request));
    }
    let row = |index, event: &Event| catalog_view::row(index, event, request.now);
    let (shown, events) = app.view.read(|state| (shown(state), rows(state, &indexes, row)));
    let body = CachedBody::json(&EventList { events, pagination })?;
    app.event_lists.keep(shown, &body);
    Ok(Response::kept(&body, request))
}

/// `GET /api/events/suggest`.
pub(crate) async fn suggest(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let typed = request.parameter("q")?.unwrap_or_default();
    let limit = request.page(DEFAULT_SUGGESTIONS)?.limit.min(SUGGESTIONS_MAX);
    let suggestions =
        app.search.read(&app.view, |catalogue| catalogue.suggest(&typed, limit as usize));
    Ok(Response::ok(&Suggestions { suggestions }))
}

/// `GET /api/events/:id`; to administrators with the event's terms.
pub(crate) async fn detail(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let index = request.event_id(0)?;
    if request.caller.is_some_and(|caller| caller.is_admin()) {
        let answer = app.view.read(|state| {
            let event = state.event(index)?;
            app.metrics.event_viewed(index, &event.details.title);
            let detail = catalog_view::admin_detail(state, index, event, request.now);
            answer(state, index, detail)
        });
        app.seen(request, index);
        return answer.map(|answer| Response::ok(&answer)).ok_or_else(not_found);
    }
    let shown = |event: &Event| DetailShown {
        described: app.search.described(),
        event: index,
        status: catalog_view::status(event, request.now),
        stock: if event.ticket_types.is_empty() { Lsn::default() } else { event.inventory_lsn() },
    };
    let kept = app.view.read(|state| {
        let event = state.event(index)?;
        app.metrics.event_viewed(index, &event.details.title);
        Some(app.event_details.get(&shown(event)))
    });
    app.seen(request, index);
    if let Some(body) = kept.ok_or_else(not_found)? {
        return Ok(Response::kept(&body, request));
    }
    let read = app.view.read(|state| {
        let event = state.event(index)?;
        let detail = catalog_view::detail(state, index, event, request.now);
        Some((shown(event), answer(state, index, detail)?))
    });
    let (shown, answer) = read.ok_or_else(not_found)?;
    let body = CachedBody::json(&answer)?;
    app.event_details.keep(shown, &body);
    Ok(Response::kept(&body, request))
}

fn answer(state: &State, index: EventIndex, event: EventDetail) -> Option<EventAnswer> {
    let ticket_types = catalog_view::ticket_types(index, state.event(index)?);
    Some(EventAnswer { event, ticket_types })
}

fn not_found() -> ApiError {
    ApiError::new(Code::NotFound)
}

/// What `read` finds of each event that is there.
fn rows<T>(state: &State, events: &[EventIndex], read: impl Fn(EventIndex, &Event) -> T) -> Vec<T> {
    let rows = events.iter().map(|&index| state.event(index).map(|event| read(index, event)));
    rows.flatten().collect()
}

/// How many events pass, and those of the page.
fn found(
    app: &App,
    filter: &Filter,
    sort: Sort,
    page: Page,
    now: UnixMillis,
) -> (usize, Vec<EventIndex>) {
    app.search.read(&app.view, |catalogue| {
        let limit = page.limit as usize;
        if filter.is_everything() && sort == Sort::SaleStart {
            return (catalogue.len(), catalogue.page(page.skip(), limit));
        }
        let mut events = catalogue.find(filter, now);
        if !filter.category.is_empty() {
            keep(app, &mut events, |event| event.category.as_deref() == Some(&filter.category));
        }
        if let Some(status @ (EventStatus::OnSale | EventStatus::SoldOut)) = filter.status {
            keep(app, &mut events, |event| catalog_view::status(event, now) == status);
        }
        let shown = page.skip().saturating_add(limit);
        sort.put_first(&mut events, shown, catalogue, now, |events| {
            let taken = each(app, events, catalog_view::taken);
            taken.into_iter().map(Option::unwrap_or_default).collect()
        });
        (events.len(), events.into_iter().skip(page.skip()).take(limit).collect())
    })
}

/// Keeps the events that the view says it of.
fn keep(app: &App, events: &mut Vec<EventIndex>, is_wanted: impl Fn(&Event) -> bool) {
    let mut wanted = each(app, events, is_wanted).into_iter();
    events.retain(|_| wanted.next() == Some(Some(true)));
}

/// What the view has of each event.
fn each<T>(app: &App, events: &[EventIndex], read: impl Fn(&Event) -> T) -> Vec<Option<T>> {
    let chunks = events.chunks(READ_AT_ONCE);
    let read_chunk = |chunk: &[EventIndex]| -> Vec<Option<T>> {
        app.view.read(|state| chunk.iter().map(|&index| state.event(index).map(&read)).collect())
    };
    chunks.flat_map(read_chunk).collect()
}

/// The parameters that choose events.
fn filter(request: &Request, status: Option<EventStatus>) -> Result<Filter, ApiError> {
    let text = |name| Ok::<_, ApiError>(request.parameter(name)?.unwrap_or_default().into_owned());
    let filter = Filter {
        query: text("q")?,
        status,
        from: given(request, "from", instants::parse)?,
        to: given(request, "to", instants::last_of)?,
        venue: text("venue")?.trim().to_lowercase(),
        category: text("category")?.trim().to_owned(),
        min_price: given(request, "minPrice", |text| text.parse().ok())?,
        max_price: given(request, "maxPrice", |text| text.parse().ok())?,
    };
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from > to) {
        return Err(wrong("to", "기간의 끝이 시작보다 빨라요."));
    }
    if filter.min_price.zip(filter.max_price).is_some_and(|(min, max)| min > max) {
        return Err(wrong("maxPrice", "최고 가격이 최저 가격보다 낮아요."));
    }
    Ok(filter)
}

fn sort(request: &Request) -> Result<Sort, ApiError> {
    Ok(given(request, "sort", Sort::parse)?.unwrap_or_default())
}

/// A parameter that has to mean something where it is given; an empty one is not.
fn given<T>(
    request: &Request,
    name: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    match request.parameter(name)?.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(name, "검색 조건을 확인해 주세요.")),
        },
    }
}

fn wrong(name: &'static str, message: &'static str) -> ApiError {
    ApiError::new(Code::Validation).message(message).with("field", name)
}
