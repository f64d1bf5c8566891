//! `tiketi event`: create, list, show, cancel.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use tiketi_gateway::api::Id;
use tiketi_gateway::api::admin::{AdminEventAnswer, EditEventRequest, EventCancelledAnswer};
use tiketi_gateway::api::changes::{DuplicateRequest, EventDeletedAnswer};
use tiketi_gateway::api::events::{
    EventAnswer, EventDetail, EventList, EventRow, EventStatus, EventTerms,
};
use tiketi_gateway::api::seats::LayoutList;
use tiketi_gateway::api::typed::{TicketHoldTtl, TypedNumber};

use crate::client::{Client, query_value};
use crate::confirm::confirm;
use crate::event_file::{self, EXAMPLE};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::text::{Align, Table, fields, number, seoul, won};

/// What to do with events.
#[derive(Subcommand)]
pub(crate) enum EventCommand {
    /// Make an event from a JSON file
    #[command(after_help = "\
The file holds everything of an event; `tiketi event create --example` prints one to start from.
A file with sections alone is a layout: give title, venue and dates as flags.

Examples:
  tiketi event create --example > show.json
  tiketi event create --file show.json
  tiketi event create --file hall.json --title '봄 콘서트' --venue '서울홀' \\
      --event-date 2027-05-01T19:00:00 --sale-start 2027-04-01T20:00:00 --sale-end 2027-05-01T18:00:00")]
    Create(Create),
    /// List events
    List {
        /// Only events of this status
        #[arg(long, value_parser = ["upcoming", "on_sale", "sold_out", "ended", "cancelled"])]
        status: Option<String>,
        /// Only events that a search finds
        #[arg(long)]
        search: Option<String>,
    },
    /// Show an event
    Show {
        /// Id, or a part of the title that fits one event
        event: String,
    },
    /// Call an event off: every order of it ends, paid ones are refunded
    Cancel {
        /// Id, or a part of the title that fits one event
        event: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Delete an event: it ends like one that is called off and is shown to nobody any more
    Delete {
        /// Id, or a part of the title that fits one event
        event: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Make the same event again on other dates: hall, tickets, rules and category
    Duplicate(Duplicate),
    /// Show or set how an event sells tickets without seats and lets orders be paid
    #[command(after_help = "\
Examples:
  tiketi event terms '봄 콘서트'
  tiketi event terms '봄 콘서트' --max-tickets 4 --ticket-hold-ttl 600
  tiketi event terms '봄 콘서트' --max-tickets default --ticket-hold-ttl never --deposits off")]
    Terms(Terms),
}

/// See [`EventCommand::Terms`].
#[derive(Args)]
pub(crate) struct Terms {
    /// Id, or a part of the title that fits one event
    event: String,
    /// Tickets that one user can have, or default for the server's setting
    #[arg(long, value_name = "COUNT|default", value_parser = own_count)]
    max_tickets: Option<Own<TypedNumber>>,
    /// How long an unpaid order of tickets lives, or default for the server's setting
    #[arg(long, value_name = "SECONDS|never|default", value_parser = own_ttl)]
    ticket_hold_ttl: Option<Own<TicketHoldTtl>>,
    /// Whether orders may be paid into virtual accounts
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    deposits: Option<bool>,
}

/// A setting of an event's own, or none for the server's.
#[derive(Clone, Copy)]
struct Own<T>(Option<T>);

fn own_count(text: &str) -> Result<Own<TypedNumber>, String> {
    own(text).ok_or_else(|| "expected a number, or default".to_owned())
}

fn own_ttl(text: &str) -> Result<Own<TicketHoldTtl>, String> {
    own(text).ok_or_else(|| "expected a number of seconds, never or default".to_owned())
}

/// As the server reads it, or `default`.
fn own<T: DeserializeOwned>(text: &str) -> Option<Own<T>> {
    match text {
        "default" => Some(Own(None)),
        text => serde_json::from_value(text.into()).ok().map(|value| Own(Some(value))),
    }
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

/// See [`EventCommand::Duplicate`].
#[derive(Args)]
pub(crate) struct Duplicate {
    /// Id, or a part of the title that fits one event
    event: String,
    /// Another title
    #[arg(long)]
    title: Option<String>,
    /// When the show begins; Seoul time unless it says another zone
    #[arg(long, value_name = "DATE")]
    event_date: String,
    /// When sales open
    #[arg(long, value_name = "DATE")]
    sale_start: String,
    /// When sales close
    #[arg(long, value_name = "DATE")]
    sale_end: String,
}

/// See [`EventCommand::Create`].
#[derive(Args)]
pub(crate) struct Create {
    /// The file, or - for standard input
    #[arg(long, required_unless_present = "example")]
    file: Option<PathBuf>,
    /// Print a file to start from
    #[arg(long, conflicts_with = "file")]
    example: bool,
    /// Title, instead of the file's
    #[arg(long)]
    title: Option<String>,
    /// Venue, instead of the file's
    #[arg(long)]
    venue: Option<String>,
    /// When the show begins, instead of the file's; Seoul time unless it says another zone
    #[arg(long, value_name = "DATE")]
    event_date: Option<String>,
    /// When sales open, instead of the file's
    #[arg(long, value_name = "DATE")]
    sale_start: Option<String>,
    /// When sales close, instead of the file's
    #[arg(long, value_name = "DATE")]
    sale_end: Option<String>,
}

pub(crate) fn run(
    command: &EventCommand,
    client: &dyn Fn() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        EventCommand::Create(new) if new.example => output.text(EXAMPLE)?,
        EventCommand::Create(new) => create(new, client, output)?,
        EventCommand::List { status, search } => {
            let list = list(&client()?, status.as_deref(), search.as_deref())?;
            output.either(&list, |output| table(output, &list))?;
        }
        EventCommand::Show { event } => {
            let client = client()?;
            let id = find(&client, event)?;
            let answer: EventAnswer = client.get(&format!("/api/events/{id}"))?;
            output.either(&answer, |output| show(output, &answer))?;
        }
        EventCommand::Cancel { event, yes } => cancel(&client()?, event, *yes, output)?,
        EventCommand::Delete { event, yes } => delete(&client()?, event, *yes, output)?,
        EventCommand::Duplicate(copy) => duplicate(&client()?, copy, output)?,
        EventCommand::Terms(set) => terms(&client()?, set, output)?,
    }
    Ok(Exit::Ok)
}

fn create(
    new: &Create,
    client: &dyn Fn() -> Result<Client, Failure>,
    output: &Output,
) -> Result<(), Failure> {
    let path = new.file.as_deref().unwrap_or(Path::new("-"));
    let instead = [
        ("title", &new.title),
        ("venue", &new.venue),
        ("eventDate", &new.event_date),
        ("saleStartDate", &new.sale_start),
        ("saleEndDate", &new.sale_end),
    ];
    let instead = instead.map(|(key, value)| (key, value.as_deref()));
    let mut file = event_file::parse(&read(path)?, &instead)
        .map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?;
    let client = client()?;
    if let Some(name) = &file.seat_layout {
        file.event.seat_layout_id = Some(layout_id(&client, name)?);
    }
    let answer: AdminEventAnswer = client.admin_post("/api/admin/events", &file.event)?;
    output.either(&answer, |output| {
        format!("{}\n{}", output.paint(Paint::Green, "created"), detail(output, &answer.event))
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text),
        _ => std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text)),
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::usage(format!("cannot read {}: {error}", path.display()))),
    }
}

fn layout_id(client: &Client, name: &str) -> Result<Id, Failure> {
    let list: LayoutList = client.get("/api/seats/layouts")?;
    let names: Vec<&str> = list.layouts.iter().map(|layout| layout.name.as_str()).collect();
    match list.layouts.iter().find(|layout| layout.name == name || layout.id.to_string() == name) {
        Some(layout) => Ok(layout.id),
        None => {
            let text = format!("no seat layout is called {name:?}; there are {}", names.join(", "));
            Err(Failure::not_found(text))
        }
    }
}

/// All events that fit, page by page.
fn list(client: &Client, status: Option<&str>, search: Option<&str>) -> Result<EventList, Failure> {
    let filter = |key: &str, value: Option<&str>| {
        value.map(|value| format!("&{key}={}", query_value(value))).unwrap_or_default()
    };
    let filters = format!("{}{}", filter("status", status), filter("q", search));
    let page = |page: u64| {
        client.get::<EventList>(&format!("/api/events?limit=1000&page={page}{filters}"))
    };
    let mut list = page(1)?;
    for next in 2..=list.pagination.total_pages {
        list.events.append(&mut page(next)?.events);
    }
    list.pagination.limit = list.events.len() as u64;
    list.pagination.total_pages = list.pagination.total_pages.min(1);
    Ok(list)
}

/// The event that somebody means: its id, its title, or a part of the title no other event has.
pub(crate) fn find(client: &Client, named: &str) -> Result<Id, Failure> {
    if let Some(id) = Id::parse(named) {
        return Ok(id);
    }
    pick(&list(client, None, None)?.events, named)
}

fn pick(events: &[EventRow], named: &str) -> Result<Id, Failure> {
    let wanted = named.trim().to_lowercase();
    if wanted.is_empty() {
        return Err(Failure::usage("name an event by its id or a part of its title"));
    }
    let title = |event: &EventRow| event.title.trim().to_lowercase();
    let exact: Vec<&EventRow> = events.iter().filter(|event| title(event) == wanted).collect();
    let part: Vec<&EventRow> =
        events.iter().filter(|event| title(event).contains(&wanted)).collect();
    match (exact.as_slice(), part.as_slice()) {
        ([only], _) | ([], [only]) => Ok(only.id),
        ([], []) => Err(Failure::not_found(format!("no event has {named:?} in its title"))),
        ([], several) | (several, _) => {
            let shown: Vec<String> = several
                .iter()
                .take(5)
                .map(|event| format!("{} ({})", event.title, event.id))
                .collect();
            let text = format!(
                "{} events have {named:?} in their title, name one by its id: {}",
                several.len(),
                shown.join(", ")
            );
            Err(Failure::new(Exit::Refused, "AMBIGUOUS", text))
        }
    }
}

fn cancel(client: &Client, named: &str, yes: bool, output: &Output) -> Result<(), Failure> {
    let id = find(client, named)?;
    let answer: EventAnswer = client.get(&format!("/api/events/{id}"))?;
    let question = format!("Call off {:?} ({id})? All its orders end.", answer.event.title);
    confirm(output, yes, &question)?;
    let path = format!("/api/admin/events/{id}/cancel");
    let answer: EventCancelledAnswer = client.admin_post(&path, &serde_json::json!({}))?;
    output.either(&answer, |output| {
        format!(
            "{} {}, {} orders ended\n",
            output.paint(Paint::Green, "called off"),
            answer.event.title,
            number(answer.cancelled_reservations)
        )
    })
}

fn delete(client: &Client, named: &str, yes: bool, output: &Output) -> Result<(), Failure> {
    let id = find(client, named)?;
    let event: EventAnswer = client.get(&format!("/api/events/{id}"))?;
    let title = event.event.title;
    confirm(output, yes, &format!("Delete {title:?} ({id})? All its orders end."))?;
    let answer: EventDeletedAnswer = client.admin_delete(&format!("/api/admin/events/{id}"))?;
    output.either(&answer, |output| {
        let orders = number(answer.cancelled_reservations);
        format!("{} {title}, {orders} orders ended\n", output.paint(Paint::Green, "deleted"))
    })
}

fn duplicate(client: &Client, copy: &Duplicate, output: &Output) -> Result<(), Failure> {
    let id = find(client, &copy.event)?;
    let request = DuplicateRequest {
        title: copy.title.clone(),
        event_date: copy.event_date.clone(),
        sale_start_date: copy.sale_start.clone(),
        sale_end_date: copy.sale_end.clone(),
    };
    let path = format!("/api/admin/events/{id}/duplicate");
    let answer: AdminEventAnswer = client.admin_post(&path, &request)?;
    output.either(&answer, |output| {
        let AdminEventAnswer { event, .. } = &answer;
        format!("{} {} {}\n", output.paint(Paint::Green, "made"), event.title, event.id)
    })
}

fn terms(client: &Client, set: &Terms, output: &Output) -> Result<(), Failure> {
    let id = find(client, &set.event)?;
    let edit = EditEventRequest {
        max_tickets: set.max_tickets.map(|own| own.0),
        ticket_hold_ttl: set.ticket_hold_ttl.map(|own| own.0),
        deposits: set.deposits,
        ..EditEventRequest::default()
    };
    let is_any =
        edit.max_tickets.is_some() || edit.ticket_hold_ttl.is_some() || edit.deposits.is_some();
    let event = match is_any {
        true => {
            let path = format!("/api/admin/events/{id}");
            client.admin_put::<AdminEventAnswer>(&path, &edit)?.event
        }
        false => client.admin_get::<EventAnswer>(&format!("/api/events/{id}"))?.event,
    };
    output.either(&event, |output| detail(output, &event))
}

/// Terms in words; none where the server did not say them.
fn terms_text(terms: Option<EventTerms>) -> Vec<(&'static str, String)> {
    let Some(terms) = terms else { return Vec::new() };
    let server = || "the server's setting".to_owned();
    let held = match terms.ticket_hold_ttl {
        None => server(),
        Some(TicketHoldTtl::Never) => "never end by themselves".to_owned(),
        Some(TicketHoldTtl::Seconds(seconds)) => format!("{} s", number(seconds)),
    };
    let deposits = if terms.deposits { "yes" } else { "no" };
    vec![
        ("tickets a user", terms.max_tickets.map_or_else(server, |max| number(u64::from(max)))),
        ("unpaid tickets", held),
        ("deposits", deposits.to_owned()),
    ]
}

fn table(output: &Output, list: &EventList) -> String {
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("TITLE", Align::Left),
        ("SHOW", Align::Left),
        ("SALE FROM", Align::Left),
        ("UNTIL", Align::Left),
        ("STATUS", Align::Left),
    ])
    .flexible(1);
    for event in &list.events {
        table.painted([
            (event.id.to_string(), Paint::Dim),
            (event.title.clone(), Paint::Plain),
            (seoul(event.event_date.0), Paint::Plain),
            (seoul(event.sale_start_date.0), Paint::Plain),
            (seoul(event.sale_end_date.0), Paint::Plain),
            (event.status.name().to_owned(), status_paint(event.status)),
        ]);
    }
    match table.is_empty() {
        true => "no events\n".to_owned(),
        false => table.render(output),
    }
}

/// How a status stands out.
pub(crate) fn status_paint(status: EventStatus) -> Paint {
    match status {
        EventStatus::Upcoming => Paint::Blue,
        EventStatus::OnSale => Paint::Green,
        EventStatus::SoldOut => Paint::Yellow,
        EventStatus::Ended => Paint::Dim,
        EventStatus::Cancelled => Paint::Red,
    }
}

fn detail(output: &Output, event: &EventDetail) -> String {
    let optional = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let seats = match &event.seat_layout_id {
        Some(layout) => format!("layout {layout}"),
        None => "none, ticket types only".to_owned(),
    };
    let mut rows = vec![
        ("id", event.id.to_string()),
        ("title", event.title.clone()),
        ("artist", optional(&event.artist_name)),
        ("venue", event.venue.clone()),
        ("address", optional(&event.address)),
        ("show", seoul(event.event_date.0)),
        ("sale from", seoul(event.sale_start_date.0)),
        ("until", seoul(event.sale_end_date.0)),
        ("status", event.status.name().to_owned()),
        ("seats", seats),
    ];
    rows.extend(terms_text(event.terms));
    fields(output, &rows)
}

fn show(output: &Output, answer: &EventAnswer) -> String {
    let mut text = detail(output, &answer.event);
    let mut table = Table::new(&[
        ("TICKET TYPE", Align::Left),
        ("PRICE", Align::Right),
        ("TOTAL", Align::Right),
        ("LEFT", Align::Right),
        ("SOLD", Align::Left),
    ]);
    let sold = |standing| match (&answer.event.seat_layout_id, standing) {
        (None, _) => "yes",
        (Some(_), true) => "beside seats",
        (Some(_), false) => "for show",
    };
    for ticket in &answer.ticket_types {
        table.row([
            ticket.name.clone(),
            won(ticket.price.into()),
            number(ticket.total_quantity.into()),
            number(ticket.available_quantity.into()),
            sold(ticket.standing).to_owned(),
        ]);
    }
    if !table.is_empty() {
        text.push('\n');
        text.push_str(&table.render(output));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(titles: &[&str]) -> Vec<EventRow> {
        let row = |(index, title): (u128, &&str)| {
            serde_json::json!({
                "id": Id(index + 1), "title": title, "description": null, "venue": "v",
                "address": null, "event_date": "2027-01-01T00:00:00.000Z",
                "sale_start_date": "2026-01-01T00:00:00.000Z",
                "sale_end_date": "2027-01-01T00:00:00.000Z", "poster_image_url": null,
                "status": "on_sale", "artist_name": null, "ticket_type_count": "0",
                "min_price": null, "max_price": null
            })
        };
        let rows = (0..).zip(titles).map(row);
        rows.map(|row| serde_json::from_value(row).expect("row")).collect()
    }

    #[test]
    fn events_are_found_by_a_part_of_their_title() {
        let events = events(&["봄 콘서트", "가을 콘서트", "Jazz", "Jazz Night"]);
        let found = |named| pick(&events, named).map(|id| id.0).map_err(|failure| failure.code);
        assert_eq!(found("봄"), Ok(1));
        assert_eq!(found("가을 콘서트"), Ok(2));
        assert_eq!(found("jazz"), Ok(3));
        assert_eq!(found("NIGHT"), Ok(4));
        assert_eq!(found("콘서트"), Err("AMBIGUOUS".into()));
        assert_eq!(found("겨울"), Err("NOT_FOUND".into()));
        assert_eq!(found(" "), Err("USAGE".into()));
    }
}
