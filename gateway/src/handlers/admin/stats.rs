//! The numbers of the whole installation, or of one event.

use std::sync::Arc;

use tiketi_engine::ids::{EventIndex, UnixMillis};
use tiketi_engine::state::{Event, OrderSums, SectionCounts, State, TicketType};

use crate::api::stats::{
    EventStats, OrderCounts, SeatCounts, SectionStats, Stats, TicketCounts, TicketTypeStats,
    Watermarks,
};
use crate::app::App;
use crate::catalog_view;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};

/// `GET /api/admin/stats`, `?event=` for one event as well.
pub(crate) async fn show(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_parameter()?;
    let now = app.clock.now();
    let mut stats = app.view.read(|state| count(state, event, now));
    if event.is_some() && stats.event.is_none() {
        return Err(ApiError::new(Code::NotFound));
    }
    let journal = app.engine.journal();
    stats.lsn = Watermarks {
        epoch: journal.epoch().0,
        // Asked for in this order, each is at least the next.
        applied: app.view.applied_lsn().0,
        durable: journal.durable_lsn().0,
        appended: journal.appended_lsn().0,
    };
    stats.uptime = app.clock.uptime().as_secs_f64();
    stats.records = stats.lsn.appended.saturating_sub(app.started_lsn.0);
    stats.records_per_second = stats.records as f64 / stats.uptime.max(0.001);
    Ok(Response::ok(&stats))
}

fn count(state: &State, wanted: Option<EventIndex>, now: UnixMillis) -> Stats {
    let sums = state.sales().orders();
    let mut stats = Stats {
        events: state.listed_count(),
        users: state.users().len() as u64,
        orders: counts(sums),
        revenue: sums.revenue,
        holds_live: sums.expiring,
        ..Stats::default()
    };
    for (_, event) in state.listed_events() {
        add_stock(&mut stats.seats, &mut stats.tickets, event);
    }
    stats.event = wanted.and_then(|index| Some(event_stats(index, state.event(index)?, now)));
    stats
}

/// What an event has to sell, by what became of it.
pub(crate) fn stock(event: &Event) -> (SeatCounts, TicketCounts) {
    let (mut seats, mut tickets) = <(SeatCounts, TicketCounts)>::default();
    add_stock(&mut seats, &mut tickets, event);
    (seats, tickets)
}

fn add_stock(seats: &mut SeatCounts, tickets: &mut TicketCounts, event: &Event) {
    for counts in event.counts() {
        add_seats(seats, counts);
    }
    for ticket_type in &event.ticket_types {
        add_tickets(tickets, ticket_type);
    }
}

fn event_stats(index: EventIndex, event: &Event, now: UnixMillis) -> EventStats {
    let sections = event.sections().iter().zip(event.counts()).map(|(section, counts)| {
        let mut seats = SeatCounts::default();
        add_seats(&mut seats, counts);
        SectionStats { section: section.name.clone(), seats }
    });
    let ticket_types = event.ticket_types.iter().map(|ticket_type| {
        let mut tickets = TicketCounts::default();
        add_tickets(&mut tickets, ticket_type);
        TicketTypeStats { name: ticket_type.name.clone(), tickets }
    });
    EventStats {
        id: index.into(),
        title: event.details.title.clone(),
        status: catalog_view::status(event, now),
        orders: counts(event.sums()),
        revenue: event.sums().revenue,
        sections: sections.collect(),
        ticket_types: ticket_types.collect(),
    }
}

fn counts(sums: &OrderSums) -> OrderCounts {
    let &OrderSums { held, paying, paid, expired, cancelled, .. } = sums;
    OrderCounts { total: sums.total(), held, paying, paid, expired, cancelled }
}

fn add_seats(sum: &mut SeatCounts, part: &SectionCounts) {
    sum.total += u64::from(part.capacity);
    sum.available += u64::from(part.available);
    sum.held += u64::from(part.held);
    sum.sold += u64::from(part.sold);
    sum.blocked += u64::from(part.blocked);
}

fn add_tickets(sum: &mut TicketCounts, part: &TicketType) {
    sum.total += u64::from(part.total_quantity);
    sum.available += u64::from(part.available());
    sum.in_orders += u64::from(part.in_orders);
    sum.sold_elsewhere += u64::from(part.sold_elsewhere);
}
