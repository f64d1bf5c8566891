//! Making, copying, editing, calling off and deleting events.

use std::sync::Arc;

use tiketi_engine::command::{Category, EditEvent, EditTerms, NewEvent};
use tiketi_engine::ids::{EventIndex, ExternalId, LayoutIndex, Lsn, UnixMillis};
use tiketi_engine::journal::Pending;
use tiketi_engine::record::{EventDetails, EventRules, EventTerms, NewTicketType, TicketHold};

use crate::api::Id;
use crate::api::admin::{
    AdminEventAnswer, EditEventRequest, EventCancelledAnswer, NewEventRequest, NewTicketTypeRequest,
};
use crate::api::changes::{DuplicateRequest, EventDeletedAnswer};
use crate::api::events::EventDetail;
use crate::api::typed::{TicketHoldTtl, TypedNumber};
use crate::app::App;
use crate::catalog_view;
use crate::error::{ApiError, Code};
use crate::handlers::admin::layouts;
use crate::http::{Request, Response};
use crate::instants;
use crate::refusals;

/// `POST /api/admin/events`.
pub(crate) async fn create(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let body: NewEventRequest = request.json()?;
    let details = EventDetails {
        title: body.title.trim().to_owned(),
        description: unless_blank(body.description),
        venue: body.venue.trim().to_owned(),
        address: unless_blank(body.address),
        artist_name: unless_blank(body.artist_name),
        poster_image_url: unless_blank(body.poster_image_url),
        event_at: instant(&body.event_date)?,
        sale_starts_at: instant(&body.sale_start_date)?,
        sale_ends_at: instant(&body.sale_end_date)?,
    };
    let rules = EventRules {
        seats_per_reservation: narrow(body.max_seats)?.unwrap_or(app.config.max_seats),
        hold_ttl_ms: match body.hold_ttl {
            Some(TypedNumber(seconds)) => seconds.checked_mul(1_000).ok_or_else(out_of_range)?,
            None => u64::try_from(app.config.hold_ttl.as_millis()).unwrap_or(u64::MAX),
        },
        seats_per_user: narrow(body.max_per_user)?,
    };
    let terms = EventTerms {
        max_tickets: narrow(body.max_tickets)?,
        ticket_hold_ttl: body.ticket_hold_ttl.map(ticket_hold).transpose()?,
        deposits: body.deposits.unwrap_or(EventTerms::default().deposits),
    };
    let category = category_of(body.category)?;
    let ticket_types = body.ticket_types.unwrap_or_default();
    let standing = ticket_types.iter().map(|new| new.standing.unwrap_or(false)).collect();
    let ticket_types = ticket_types.into_iter().map(ticket_type).collect::<Result<_, _>>()?;
    let created_by = Some(request.user()?.user.index);
    let mut new = NewEvent {
        details,
        layout: None,
        ticket_types,
        standing,
        rules,
        terms,
        category,
        created_by,
    };
    // Everything else is checked before a layout is made for it.
    new.clone().check().map_err(refusals::field)?;
    new.layout = match (body.seat_layout_id, body.layout) {
        (None, None) => None,
        (Some(id), None) => Some(layout_index(id)?),
        (None, Some(layout)) => Some(layouts::make_or_find(app, layout).await?),
        (Some(_), Some(_)) => {
            return Err(refusals::invalid("좌석 배치는 하나만 보내 주세요."));
        }
    };
    let new = new.check().map_err(refusals::field)?;
    let pending = app.engine.create_event(new, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    let index = app.durable(pending).await?;
    let event = detail(app, index, lsn).await?;
    let answer = AdminEventAnswer { message: "공연을 만들었어요.".to_owned(), event };
    Ok(app.written(Response::created(&answer), lsn))
}

/// `PUT /api/admin/events/:id`: what is absent stays as it is.
pub(crate) async fn edit(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let index = request.event_id(0)?;
    let body: EditEventRequest = request.json()?;
    app.catch_up(None).await?;
    let old = app.view.read(|state| {
        let event = state.event(index)?;
        Some((event.details.clone(), event.terms))
    });
    let (old, old_terms) = old.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let terms = edited_terms(&body, old_terms)?;
    let terms = EditTerms { event: index, terms }.check().map_err(refusals::field)?;
    let text = |new: Option<String>, old: String| new.map_or(old, |new| new.trim().to_owned());
    let optional = |new: Option<Option<String>>, old| new.map_or(old, unless_blank);
    let date = |new: Option<String>, old| new.map_or(Ok(old), |new| instant(&new));
    let details = EventDetails {
        title: text(body.title, old.title),
        description: optional(body.description, old.description),
        venue: text(body.venue, old.venue),
        address: optional(body.address, old.address),
        artist_name: optional(body.artist_name, old.artist_name),
        poster_image_url: optional(body.poster_image_url, old.poster_image_url),
        event_at: date(body.event_date, old.event_at)?,
        sale_starts_at: date(body.sale_start_date, old.sale_starts_at)?,
        sale_ends_at: date(body.sale_end_date, old.sale_ends_at)?,
    };
    let edit = EditEvent { event: index, details }.check().map_err(refusals::field)?;
    let category = body.category.map(category_of).transpose()?;
    let now = app.clock.now();
    let mut lsn = app.engine.edit_event(edit, now).map_err(refusals::catalog)?.lsn();
    if let Some(category) = category {
        let by = Some(request.user()?.user.index);
        let given = app.engine.categorise_event(index, category, by, now);
        lsn = given.map_err(refusals::catalog)?.lsn();
    }
    if terms.get().terms != old_terms {
        let by = Some(request.user()?.user.index);
        lsn = app.engine.set_terms(terms, by, now).map_err(refusals::catalog)?.lsn();
    }
    // Of several records the last one is waited for.
    app.durable(Pending::new((), lsn)).await?;
    let event = detail(app, index, lsn).await?;
    let answer = AdminEventAnswer { message: "공연을 수정했어요.".to_owned(), event };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `POST /api/admin/events/:id/cancel`.
pub(crate) async fn cancel(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let index = request.event_id(0)?;
    let pending = app.engine.cancel_event(index, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    let orders = app.durable(pending).await? as u64;
    app.metrics.event(index).cancelled_with_event.inc_by(orders);
    let event = detail(app, index, lsn).await?;
    let message = "공연을 취소했어요.".to_owned();
    let answer = EventCancelledAnswer { message, event, cancelled_reservations: orders };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `DELETE /api/admin/events/:id`.
pub(crate) async fn delete(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let index = request.event_id(0)?;
    let by = Some(request.user()?.user.index);
    let pending = app.engine.delete_event(index, by, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    let orders = app.durable(pending).await? as u64;
    app.metrics.event(index).cancelled_with_event.inc_by(orders);
    app.shown(lsn).await?;
    let message = "공연을 삭제했어요.".to_owned();
    let answer = EventDeletedAnswer { message, cancelled_reservations: orders };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `POST /api/admin/events/:id/duplicate`: the same hall, tickets, rules, terms and category on other dates;
/// everything is for sale again.
pub(crate) async fn duplicate(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let original = request.event_id(0)?;
    let body: DuplicateRequest = request.json()?;
    let created_by = Some(request.user()?.user.index);
    app.catch_up(None).await?;
    let copied = app.view.read(|state| {
        let event = state.event(original)?;
        let ticket_types = event.ticket_types.iter().map(|found| NewTicketType {
            name: found.name.clone(),
            price: found.price,
            total_quantity: found.total_quantity,
            sold_elsewhere: 0,
            description: found.description.clone(),
        });
        let new = NewEvent {
            details: event.details.clone(),
            layout: event.layout,
            ticket_types: ticket_types.collect(),
            standing: event.standing_types().collect(),
            rules: event.rules,
            terms: event.terms,
            category: event.category.as_deref().and_then(|name| Category::new(name).ok()),
            created_by,
        };
        Some(new)
    });
    let mut new = copied.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let details = &mut new.details;
    details.title =
        body.title.map_or_else(|| details.title.clone(), |title| title.trim().to_owned());
    details.event_at = instant(&body.event_date)?;
    details.sale_starts_at = instant(&body.sale_start_date)?;
    details.sale_ends_at = instant(&body.sale_end_date)?;
    let new = new.check().map_err(refusals::field)?;
    let pending = app.engine.create_event(new, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    let index = app.durable(pending).await?;
    let event = detail(app, index, lsn).await?;
    let answer = AdminEventAnswer { message: "공연을 복제했어요.".to_owned(), event };
    Ok(app.written(Response::created(&answer), lsn))
}

/// What is absent stays.
fn edited_terms(body: &EditEventRequest, old: EventTerms) -> Result<EventTerms, ApiError> {
    Ok(EventTerms {
        max_tickets: body.max_tickets.map_or(Ok(old.max_tickets), narrow)?,
        ticket_hold_ttl: match body.ticket_hold_ttl {
            None => old.ticket_hold_ttl,
            Some(new) => new.map(ticket_hold).transpose()?,
        },
        deposits: body.deposits.unwrap_or(old.deposits),
    })
}

fn ticket_hold(ttl: TicketHoldTtl) -> Result<TicketHold, ApiError> {
    match ttl {
        TicketHoldTtl::Never => Ok(TicketHold::Never),
        TicketHoldTtl::Seconds(seconds) => {
            seconds.checked_mul(1_000).map(TicketHold::Millis).ok_or_else(out_of_range)
        }
    }
}

/// A blank one is none.
fn category_of(name: Option<String>) -> Result<Option<Category>, ApiError> {
    let category = |name: String| Category::new(&name).map_err(refusals::field);
    unless_blank(name).map(category).transpose()
}

/// The event as of `lsn` or later.
async fn detail(app: &App, index: EventIndex, lsn: Lsn) -> Result<EventDetail, ApiError> {
    app.shown(lsn).await?;
    let now = app.clock.now();
    let event = app
        .view
        .read(|state| Some(catalog_view::admin_detail(state, index, state.event(index)?, now)));
    event.ok_or_else(|| ApiError::new(Code::NotFound))
}

fn layout_index(id: Id) -> Result<LayoutIndex, ApiError> {
    match ExternalId::decode(id.0) {
        Some(ExternalId::Layout(layout)) => Ok(layout),
        _ => Err(refusals::unknown("없는 좌석 배치예요.")),
    }
}

pub(super) fn ticket_type(new: NewTicketTypeRequest) -> Result<NewTicketType, ApiError> {
    let number = |TypedNumber(number)| u32::try_from(number).map_err(|_| out_of_range());
    Ok(NewTicketType {
        name: new.name.trim().to_owned(),
        price: number(new.price)?,
        total_quantity: number(new.total_quantity)?,
        sold_elsewhere: 0,
        description: unless_blank(new.description),
    })
}

fn narrow<T: TryFrom<u64>>(number: Option<TypedNumber>) -> Result<Option<T>, ApiError> {
    let narrow = |TypedNumber(number)| T::try_from(number).map_err(|_| out_of_range());
    number.map(narrow).transpose()
}

fn out_of_range() -> ApiError {
    refusals::invalid("숫자가 너무 커요.")
}

fn instant(text: &str) -> Result<UnixMillis, ApiError> {
    instants::parse(text).ok_or_else(|| refusals::invalid("날짜를 확인해 주세요."))
}

/// The form sends an empty text for what was left blank.
fn unless_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}
