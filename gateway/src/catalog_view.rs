//! Events and layouts as they are sent, copied from the view.

use tiketi_engine::ids::{EventIndex, ExternalId, LayoutIndex, TicketTypeIndex, UnixMillis};
use tiketi_engine::state::{self, Event, Layout, State};

use crate::api;
use crate::api::Id;
use crate::api::events::{EventDetail, EventRow, EventStatus, EventTerms, TicketType};

/// What an event is at `now`: a pure function of stored facts and the clock (contract ⚖D6).
pub(crate) fn status(event: &Event, now: UnixMillis) -> EventStatus {
    Schedule::of(event).status(now, || is_sold_out(event))
}

/// All that an event's status depends on but what is left of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) sale_starts_at: UnixMillis,
    pub(crate) sale_ends_at: UnixMillis,
    pub(crate) event_at: UnixMillis,
    pub(crate) is_cancelled: bool,
}

impl Schedule {
    pub(crate) fn of(event: &Event) -> Self {
        Schedule {
            sale_starts_at: event.details.sale_starts_at,
            sale_ends_at: event.details.sale_ends_at,
            event_at: event.details.event_at,
            is_cancelled: event.cancelled,
        }
    }

    /// The status at `now`; whether everything is sold is asked while sales are open alone.
    pub(crate) fn status(self, now: UnixMillis, is_sold_out: impl FnOnce() -> bool) -> EventStatus {
        if self.is_cancelled {
            EventStatus::Cancelled
        } else if now >= self.sale_ends_at || now > self.event_at {
            EventStatus::Ended
        } else if now < self.sale_starts_at {
            EventStatus::Upcoming
        } else if is_sold_out() {
            EventStatus::SoldOut
        } else {
            EventStatus::OnSale
        }
    }
}

/// Whether there was something to sell and nothing is available or held. Ticket types beside seats
/// count where they are sold there; an order of tickets that is held for good counts as a sale.
fn is_sold_out(event: &Event) -> bool {
    let may_come_back = event.sums().expiring > 0 || event.sums().paying > 0;
    let indices = (0..event.ticket_types.len()).map(|position| TicketTypeIndex(position as u16));
    let mut for_sale = event.ticket_types.iter().zip(indices);
    let is_gone = |(found, index): (&state::TicketType, TicketTypeIndex)| {
        !event.sells(index) || found.available() == 0
    };
    let is_any = match event.layout {
        Some(_) => event.seat_count() > 0,
        None => !event.ticket_types.is_empty(),
    };
    is_any
        && !may_come_back
        && event.counts().iter().all(|counts| counts.available == 0)
        && for_sale.all(is_gone)
}

/// How many seats and tickets of an event are sold or held.
pub(crate) fn taken(event: &Event) -> u64 {
    let seats = event.counts().iter().map(|counts| u64::from(counts.held + counts.sold));
    let tickets = event.ticket_types.iter().map(|of| u64::from(of.total_quantity - of.available()));
    seats.chain(tickets).sum()
}

/// An event in a list.
pub(crate) fn row(index: EventIndex, event: &Event, now: UnixMillis) -> EventRow {
    let details = &event.details;
    let prices = || event.ticket_types.iter().map(|ticket_type| ticket_type.price);
    EventRow {
        id: index.into(),
        title: details.title.clone(),
        description: details.description.clone(),
        venue: details.venue.clone(),
        address: details.address.clone(),
        event_date: details.event_at.into(),
        sale_start_date: details.sale_starts_at.into(),
        sale_end_date: details.sale_ends_at.into(),
        poster_image_url: details.poster_image_url.clone(),
        status: status(event, now),
        artist_name: details.artist_name.clone(),
        ticket_type_count: event.ticket_types.len().to_string(),
        min_price: prices().min(),
        max_price: prices().max(),
        category: event.category.clone(),
    }
}

/// Everything about an event.
pub(crate) fn detail(
    state: &State,
    index: EventIndex,
    event: &Event,
    now: UnixMillis,
) -> EventDetail {
    let details = &event.details;
    let creator = event.created_by.and_then(|user| state.users().get(user.position()));
    EventDetail {
        id: index.into(),
        title: details.title.clone(),
        description: details.description.clone(),
        venue: details.venue.clone(),
        address: details.address.clone(),
        event_date: details.event_at.into(),
        sale_start_date: details.sale_starts_at.into(),
        sale_end_date: details.sale_ends_at.into(),
        poster_image_url: details.poster_image_url.clone(),
        status: status(event, now),
        seat_layout_id: event.layout.map(Id::from),
        artist_name: details.artist_name.clone(),
        pre_scaled: false,
        created_by: creator.map(|user| user.id.into()),
        created_at: event.created_at.into(),
        updated_at: event.updated_at.into(),
        category: event.category.clone(),
        terms: None,
    }
}

/// The same for an administrator.
pub(crate) fn admin_detail(
    state: &State,
    index: EventIndex,
    event: &Event,
    now: UnixMillis,
) -> EventDetail {
    let terms = EventTerms {
        max_tickets: event.terms.max_tickets,
        ticket_hold_ttl: event.terms.ticket_hold_ttl.map(Into::into),
        deposits: event.terms.deposits,
    };
    EventDetail { terms: Some(terms), ..detail(state, index, event, now) }
}

/// An event's ticket types, dearest first.
pub(crate) fn ticket_types(index: EventIndex, event: &Event) -> Vec<TicketType> {
    let mut list: Vec<TicketType> = event
        .ticket_types
        .iter()
        .enumerate()
        .map(|(position, found)| {
            // An event has at most 256 of them.
            let ticket_type = TicketTypeIndex(position as u16);
            TicketType {
                id: ExternalId::TicketType(index, ticket_type).into(),
                name: found.name.clone(),
                price: found.price,
                total_quantity: found.total_quantity,
                available_quantity: found.available(),
                description: found.description.clone(),
                standing: event.standing.contains(&ticket_type),
            }
        })
        .collect();
    // Stable: equal prices stay in the order they were made.
    list.sort_by_key(|ticket_type| std::cmp::Reverse(ticket_type.price));
    list
}

/// All layouts, in the order they were made.
pub(crate) fn layouts(state: &State) -> Vec<api::seats::Layout> {
    let indexed = state.layouts().iter().enumerate();
    indexed.map(|(index, found)| layout(LayoutIndex(index as u32), found)).collect()
}

/// A layout.
pub(crate) fn layout(index: LayoutIndex, layout: &Layout) -> api::seats::Layout {
    api::seats::Layout {
        id: index.into(),
        name: layout.name.clone(),
        description: layout.description.clone(),
        total_seats: layout.total_seats(),
        layout_config: layout.sections.as_slice().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_follows_the_clock() {
        use EventStatus::{Cancelled, Ended, OnSale, SoldOut, Upcoming};
        // Sale from 100 to 200; the show at 300, or at 150 amid the sale.
        for (now, event_at, is_cancelled, is_sold_out, expected) in [
            (0, 300, false, false, Upcoming),
            (99, 300, false, true, Upcoming),
            (100, 300, false, false, OnSale),
            (100, 300, false, true, SoldOut),
            (199, 300, false, false, OnSale),
            (200, 300, false, false, Ended),
            (200, 300, false, true, Ended),
            (250, 300, false, false, Ended),
            (301, 300, false, false, Ended),
            (150, 150, false, false, OnSale),
            (151, 150, false, false, Ended),
            (0, 300, true, false, Cancelled),
            (150, 300, true, true, Cancelled),
            (500, 300, true, false, Cancelled),
        ] {
            let schedule = Schedule {
                sale_starts_at: UnixMillis(100),
                sale_ends_at: UnixMillis(200),
                event_at: UnixMillis(event_at),
                is_cancelled,
            };
            let found = schedule.status(UnixMillis(now), || is_sold_out);
            assert_eq!(found, expected, "at {now}, show at {event_at}");
        }
    }

    #[test]
    fn names_of_statuses_are_found_again() {
        for name in ["upcoming", "on_sale", "sold_out", "ended", "cancelled"] {
            let status = EventStatus::parse(name).expect(name);
            assert_eq!(status.name(), name);
            assert_eq!(serde_json::to_string(&status).expect("JSON"), format!("\"{name}\""));
        }
        assert_eq!(EventStatus::parse("On_sale"), None);
    }
}
