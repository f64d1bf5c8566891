//! Ticket types, layouts and blocks of seats from CSV: all of a table or nothing of it, and with
//! `?dryRun=true` nothing, but the answer as if.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hyper::header::CONTENT_TYPE;
use tiketi_engine::command::{NewLayout, NewTicketTypes};
use tiketi_engine::error::{CatalogRefusal, InvalidField};
use tiketi_engine::ids::{EventIndex, SeatIndex};
use tiketi_engine::limits::{
    DESCRIPTION_CHARS_MAX, LAYOUT_TEXT_BYTES_MAX, NAME_CHARS_MAX, PRICE_MAX, ROW_NUMBER_MAX,
    ROWS_PER_SECTION_MAX, SEATS_PER_BLOCK_MAX, SEATS_PER_EVENT_MAX, SEATS_PER_ROW_MAX,
    SECTION_NAME_CHARS_MAX, SECTIONS_PER_LAYOUT_MAX, TICKET_TYPES_PER_EVENT_MAX,
    TICKET_TYPES_TEXT_BYTES_MAX, TICKETS_PER_TYPE_MAX,
};
use tiketi_engine::record::{NewTicketType, Section};
use tiketi_engine::state::SeatStatus;

use crate::api::sheets::{LayoutSheetAnswer, SeatSheetAnswer, TicketSheetAnswer, TicketTypeCells};
use crate::app::App;
use crate::docs::operations::DRY;
use crate::error::{ApiError, Code};
use crate::event_plans::EventPlan;
use crate::handlers::admin::seats::{check_reason, seat_named};
use crate::http::{Request, Response};
use crate::refusals;
use crate::sheet::{Cells, Column, Grouped, Rule, Sheet};

const fn column(name: &'static str, is_required: bool, rule: Rule) -> Column {
    Column { name, is_required, rule }
}

const TICKETS: [Column; 5] = [
    column("name", true, Rule::Chars(1, NAME_CHARS_MAX)),
    column("price", true, Rule::Whole(0, PRICE_MAX)),
    column("totalQuantity", true, Rule::Whole(0, TICKETS_PER_TYPE_MAX)),
    column("description", false, Rule::Chars(0, DESCRIPTION_CHARS_MAX)),
    column("standing", false, Rule::YesOrNo),
];
const SECTIONS: [Column; 5] = [
    column("name", true, Rule::Chars(1, SECTION_NAME_CHARS_MAX)),
    column("rows", true, Rule::Whole(1, ROWS_PER_SECTION_MAX)),
    column("seatsPerRow", true, Rule::Whole(1, SEATS_PER_ROW_MAX)),
    column("price", true, Rule::Whole(0, PRICE_MAX)),
    column("startRow", false, Rule::Whole(0, ROW_NUMBER_MAX)),
];
const SEATS: [Column; 1] = [column("seat", true, Rule::Seat)];

/// `POST /api/admin/events/:id/tickets/csv`.
pub(crate) async fn ticket_types(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let dry_run = is_dry_run(request)?;
    let _one_at_a_time = app.one_table.lock().await;
    app.catch_up(None).await?;
    let known: Option<Vec<String>> = app.view.read(|state| {
        let names = state.event(event)?.ticket_types.iter().map(|known| known.name.clone());
        Some(names.collect())
    });
    let known = known.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let sheet = sheet(request, &TICKETS, TICKET_TYPES_PER_EVENT_MAX)?;
    if known.len() + sheet.len() > TICKET_TYPES_PER_EVENT_MAX {
        return Err(refusals::catalog(CatalogRefusal::Full.into()).message(format!(
            "한 공연에 티켓을 {TICKET_TYPES_PER_EVENT_MAX}개까지 만들 수 있어요. (지금 {}개)",
            known.len()
        )));
    }
    let mut rows = BTreeMap::new();
    let ticket_types = sheet.read_rows(|cells| {
        let (new, standing) = ticket_type(event, cells)?;
        if known.iter().any(|known| known.trim() == new.name) {
            cells.wrong("name", "이 공연에 같은 이름의 티켓이 있어요.");
        }
        if let Some(row) = rows.insert(new.name.clone(), cells.row()) {
            cells.wrong("name", format!("{row}행과 이름이 같아요."));
        }
        Some((new, standing))
    })?;
    let described = ticket_types.iter().map(|(new, standing)| TicketTypeCells {
        name: new.name.clone(),
        price: new.price,
        total_quantity: new.total_quantity,
        description: new.description.clone(),
        standing: *standing,
    });
    let mut answer = TicketSheetAnswer {
        message: "만들지 않고 확인만 했어요.".to_owned(),
        dry_run,
        ticket_types: described.collect(),
    };
    let too_long = |error| {
        let bytes = Grouped(TICKET_TYPES_TEXT_BYTES_MAX);
        let message = format!("이름과 설명은 모두 합해 {bytes}바이트까지 쓸 수 있어요.");
        refusals::field(error).message(message)
    };
    let (ticket_types, standing) = ticket_types.into_iter().unzip();
    let new = NewTicketTypes { event, ticket_types, standing }.check().map_err(too_long)?;
    if dry_run {
        return Ok(Response::ok(&answer).of_a_dry_run());
    }
    let by = Some(request.user()?.user.index);
    let pending =
        app.engine.add_ticket_types(new, by, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    answer.message = "티켓을 추가했어요.".to_owned();
    Ok(app.written(Response::created(&answer), lsn))
}

fn ticket_type(event: EventIndex, cells: &mut Cells<'_>) -> Option<(NewTicketType, bool)> {
    let (name, price) = (cells.required("name"), cells.number("price", None));
    let total_quantity = cells.number("totalQuantity", None);
    let standing = cells.switch("standing");
    let description = Some(cells.text("description").to_owned()).filter(|text| !text.is_empty());
    let new = NewTicketType {
        name: name?,
        price: price?,
        total_quantity: total_quantity?,
        sold_elsewhere: 0,
        description,
    };
    let alone = NewTicketTypes { event, ticket_types: vec![new.clone()], standing: Vec::new() };
    Some((judged(cells, alone.check().map(|_| new))?, standing?))
}

/// `POST /api/admin/seat-layouts/csv?name=`: a layout of the sections in the table.
pub(crate) async fn layout(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let dry_run = is_dry_run(request)?;
    let name = request.parameter("name")?.unwrap_or_default().trim().to_owned();
    let description = request.parameter("description")?.unwrap_or_default().trim().to_owned();
    let description = Some(description).filter(|text| !text.is_empty());
    let sheet = sheet(request, &SECTIONS, SECTIONS_PER_LAYOUT_MAX)?;
    let mut names = BTreeSet::new();
    let sections = sheet.read_rows(|cells| {
        let section = section(cells)?;
        if !names.insert(section.name.clone()) {
            cells.wrong("name", "같은 이름의 구역이 있어요.");
        }
        Some(section)
    })?;
    let mut answer = LayoutSheetAnswer {
        message: "만들지 않고 확인만 했어요.".to_owned(),
        dry_run,
        name: name.clone(),
        total_seats: 0,
        sections: sections.iter().map(Into::into).collect(),
    };
    let new = NewLayout { name, description, sections }.check().map_err(wrong_layout)?;
    // Within bounds, now that it is checked.
    let seats = |section: &Section| section.rows * section.seats_per_row;
    answer.total_seats = new.get().sections.iter().map(seats).sum();
    if dry_run {
        app.catch_up(None).await?;
        let is_taken = |layout: &tiketi_engine::state::Layout| layout.name == new.get().name;
        return match app.view.read(|state| state.layouts().iter().any(is_taken)) {
            true => Err(refusals::catalog(CatalogRefusal::LayoutNameTaken.into())),
            false => Ok(Response::ok(&answer).of_a_dry_run()),
        };
    }
    let pending = app.engine.create_layout(new, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    answer.message = "좌석 배치를 만들었어요.".to_owned();
    Ok(app.written(Response::created(&answer), lsn))
}

/// What is wrong with a layout of which each section is good.
fn wrong_layout(error: InvalidField) -> ApiError {
    let message = match error.field {
        "name" => format!("좌석 배치의 이름을 {}", Rule::Chars(1, NAME_CHARS_MAX)),
        "description" => format!("좌석 배치의 설명을 {}", Rule::Chars(0, DESCRIPTION_CHARS_MAX)),
        "sections" => {
            let seats = Grouped(SEATS_PER_EVENT_MAX as usize);
            format!("좌석은 모두 {seats}개까지 만들 수 있어요.")
        }
        _ => {
            let bytes = Grouped(LAYOUT_TEXT_BYTES_MAX);
            format!("이름과 설명은 모두 합해 {bytes}바이트까지 쓸 수 있어요.")
        }
    };
    refusals::field(error).message(message)
}

fn section(cells: &mut Cells<'_>) -> Option<Section> {
    let (name, rows) = (cells.required("name"), cells.number("rows", None));
    let (seats_per_row, price) = (cells.number("seatsPerRow", None), cells.number("price", None));
    let start_row = cells.number("startRow", Some(1));
    let section = Section {
        name: name?,
        rows: rows?,
        seats_per_row: seats_per_row?,
        price: price?,
        start_row: start_row?,
    };
    let alone = NewLayout {
        name: "one section".to_owned(),
        description: None,
        sections: vec![section.clone()],
    };
    judged(cells, alone.check().map(|_| section))
}

/// `POST /api/admin/events/:id/seats/csv?action=`: blocks or unblocks the seats in the table.
pub(crate) async fn seats(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let plan = app.plan(request.event_id(0)?).ok_or_else(|| ApiError::new(Code::NotFound))?;
    let dry_run = is_dry_run(request)?;
    let action = request.parameter("action")?.unwrap_or_default().into_owned();
    let (wanted, otherwise) = match action.as_str() {
        "block" => (SeatStatus::Available, "이미 잡혀 있는 좌석이에요."),
        "unblock" => (SeatStatus::Blocked, "막혀 있지 않은 좌석이에요."),
        _ => {
            let wrong = refusals::invalid("action은 block 또는 unblock이에요.");
            return Err(wrong.with("field", "action"));
        }
    };
    let reason = request.parameter("reason")?.unwrap_or_default().into_owned();
    check_reason(&reason)?;
    let sheet = sheet(request, &SEATS, SEATS_PER_BLOCK_MAX)?;
    app.catch_up(None).await?;
    let mut named = BTreeSet::new();
    let seats = app.view.read(|state| {
        let event = state.event(plan.event).ok_or_else(|| ApiError::new(Code::NotFound))?;
        sheet.read_rows(|cells| {
            let seat = seat(&plan, cells).filter(|_| !event.seats_removed);
            match seat {
                None => cells.breaks_rule("seat"),
                Some(seat) if !named.insert(seat) => cells.wrong("seat", "두 번 적힌 좌석이에요."),
                Some(seat) if event.seat_status(seat) != wanted => cells.wrong("seat", otherwise),
                Some(_) => {}
            }
            seat
        })
    })?;
    let mut answer = SeatSheetAnswer {
        message: "바꾸지 않고 확인만 했어요.".to_owned(),
        dry_run,
        action,
        seats: seats.len() as u64,
    };
    if dry_run {
        return Ok(Response::ok(&answer).of_a_dry_run());
    }
    let now = app.clock.now();
    let pending = match wanted {
        SeatStatus::Available => app.engine.block_seats(plan.event, &seats, reason, now),
        _ => app.engine.unblock_seats(plan.event, &seats, now),
    };
    let pending = pending.map_err(|error| refusals::block(error, &plan))?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    answer.message = "좌석을 바꿨어요.".to_owned();
    Ok(app.written(Response::ok(&answer), lsn))
}

/// The seat of a row; none where there is no such seat.
fn seat(plan: &EventPlan, cells: &Cells<'_>) -> Option<SeatIndex> {
    seat_named(plan, cells.text("seat"))
}

/// What the rules of the engine say of a row, told at its column.
fn judged<T>(cells: &mut Cells<'_>, found: Result<T, InvalidField>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(InvalidField { field, .. }) => {
            cells.breaks_rule(field.rsplit('.').next().unwrap_or_default());
            None
        }
    }
}

/// The table that a request is.
///
/// # Errors
/// 400 for a form around it, and those of [`Sheet::read`].
fn sheet(request: &Request, columns: &[Column], rows_max: usize) -> Result<Sheet, ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
    let kind = content_type.unwrap_or_default().split(|byte| *byte == b'/').next();
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart")) {
        let message =
            "양식(multipart/form-data)에 담지 말고 CSV 파일을 그대로 본문으로 보내 주세요.";
        return Err(refusals::invalid(message));
    }
    Sheet::read(request.body(), columns, rows_max)
}

/// Whether nothing is to be done. The switch goes by its name in any case; it comes once, and what is
/// no parameter does not come at all (`doors`).
///
/// # Errors
/// 400 with the parameter as `field`.
fn is_dry_run(request: &Request) -> Result<bool, ApiError> {
    let Some(sent) = request.parameter_names().find(|sent| DRY.is_called(sent)) else {
        return Ok(false);
    };
    match request.parameter(sent)?.as_deref() {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(refusals::invalid("dryRun은 true 또는 false예요.").with("field", DRY.name)),
    }
}
