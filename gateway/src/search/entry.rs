//! An event as searches see it.

use tiketi_engine::state::Event;

use crate::catalog_view::Schedule;
use crate::search::names::NameId;

/// An event.
pub(super) struct Entry {
    pub(super) schedule: Schedule,
    /// In lower case.
    pub(super) venue: Box<str>,
    /// What a ticket costs, ascending, each price once.
    pub(super) prices: Box<[u32]>,
    pub(super) names: Vec<NameId>,
}

impl Entry {
    pub(super) fn of(event: &Event, names: Vec<NameId>) -> Entry {
        let of_types = event.ticket_types.iter().map(|ticket_type| ticket_type.price);
        let of_seats = event.sections().iter().map(|section| section.price);
        // As the list shows them; seats where it shows none.
        let mut prices: Vec<u32> = match event.ticket_types.is_empty() {
            true if event.seat_count() == 0 => Vec::new(),
            true => of_seats.collect(),
            false => of_types.collect(),
        };
        prices.sort_unstable();
        prices.dedup();
        Entry {
            schedule: Schedule::of(event),
            venue: event.details.venue.to_lowercase().into(),
            prices: prices.into(),
            names,
        }
    }
}
