//! The numbers of the whole installation, or of one event.

use std::sync::Arc;

use tiketi_engine::ids::{EventIndex, ExternalId, UnixMillis};
use tiketi_engine::record::EndReason;
use tiketi_engine::state::{Event, OrderState, SectionCounts, State, TicketType};

use crate::api::Id;
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
    let event = match request.parameter("event")?.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let id = Id::parse(text).ok_or_else(|| ApiError::new(Code::BadId))?;
            match ExternalId::decode(id.0) {
                Some(ExternalId::Event(index)) => Some(index),
                _ => return Err(ApiError::new(Code::NotFound)),
            }
        }
    };
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
    let mut stats = Stats {
        events: state.listed_events().count() as u64,
        users: state.users().len() as u64,
        ..Stats::default()
    };
    for event in state.events() {
        let (orders, revenue) = orders(event);
        add_orders(&mut stats.orders, &orders);
        stats.revenue += revenue;
        stats.holds_live += expiring(event);
        if event.is_deleted() {
            continue;
        }
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
    let (orders, revenue) = orders(event);
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
        orders,
        revenue,
        sections: sections.collect(),
        ticket_types: ticket_types.collect(),
    }
}

/// An event's orders by state, and the won of those that are paid.
fn orders(event: &Event) -> (OrderCounts, u64) {
    let mut counts = OrderCounts::default();
    let mut revenue = 0;
    for (_, order) in event.orders() {
        counts.total += 1;
        *match order.state {
            OrderState::Held => &mut counts.held,
            OrderState::Paying => &mut counts.paying,
            OrderState::Paid => {
                revenue += event.amount(&order.claim);
                &mut counts.paid
            }
            OrderState::Ended { reason: EndReason::Expired, .. } => &mut counts.expired,
            OrderState::Ended {
                reason:
                    EndReason::CancelledByUser | EndReason::CancelledByAdmin | EndReason::EventCancelled,
                ..
            } => &mut counts.cancelled,
        } += 1;
    }
    (counts, revenue)
}

fn expiring(event: &Event) -> u64 {
    let waits = event
        .orders()
        .filter(|(_, order)| order.state == OrderState::Held && order.expires_at.is_some());
    waits.count() as u64
}

fn add_orders(sum: &mut OrderCounts, part: &OrderCounts) {
    sum.total += part.total;
    sum.held += part.held;
    sum.paying += part.paying;
    sum.paid += part.paid;
    sum.expired += part.expired;
    sum.cancelled += part.cancelled;
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
