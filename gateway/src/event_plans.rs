//! What never changes about an event's seats, at hand without the view's lock.
//!
//! Layouts are fixed when an event is made, so an answer to a hold takes labels and prices from
//! here. A plan is copied from the view when its event is first asked for, and kept.

use std::fmt::Write;
use std::sync::Arc;

use dashmap::DashMap;
use tiketi_engine::ids::{EventIndex, ExternalId, SeatIndex};
use tiketi_engine::inventory::layout::{SeatPlace, SeatPlan};
use tiketi_engine::record::Section;
use tiketi_engine::state::Event;

use crate::api::Id;

/// Sections and geometry of one event's seats.
#[derive(Clone, Debug)]
pub(crate) struct EventPlan {
    pub(crate) event: EventIndex,
    pub(crate) sections: Arc<[Section]>,
    pub(crate) plan: Arc<SeatPlan>,
    /// Seats in one reservation.
    pub(crate) seats_max: usize,
}

/// A seat as it is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrintedSeat<'p> {
    pub(crate) id: Id,
    pub(crate) section: &'p Section,
    pub(crate) row: u32,
    pub(crate) number: u32,
}

impl EventPlan {
    pub(crate) fn of(index: EventIndex, event: &Event) -> Self {
        EventPlan {
            event: index,
            sections: Arc::clone(event.sections()),
            plan: Arc::clone(event.plan()),
            seats_max: event.rules.seats_per_reservation.into(),
        }
    }

    /// A seat of the event; one that it does not have is a mistake of ours and panics.
    pub(crate) fn seat(&self, seat: SeatIndex) -> PrintedSeat<'_> {
        let place = self.plan.place(seat);
        let section = &self.sections[place.section];
        PrintedSeat {
            id: ExternalId::Seat(self.event, seat).into(),
            section,
            row: section.start_row + place.row,
            number: place.number + 1,
        }
    }

    /// `{section}-{row}-{number}` of each seat.
    pub(crate) fn labels(&self, seats: &[SeatIndex]) -> Vec<String> {
        seats.iter().map(|&seat| self.seat(seat).label()).collect()
    }

    /// The section of that name.
    pub(crate) fn section(&self, name: &str) -> Option<usize> {
        self.sections.iter().position(|section| section.name == name)
    }

    /// The seat with that label.
    pub(crate) fn seat_labelled(&self, label: &str) -> Option<SeatIndex> {
        // From the end: a section's name may have hyphens of its own.
        let mut parts = label.rsplitn(3, '-');
        let number = printed_number(parts.next()?)?;
        let row = printed_number(parts.next()?)?;
        let section = self.section(parts.next()?)?;
        self.plan.seat_at(SeatPlace {
            section,
            row: row.checked_sub(self.sections[section].start_row)?,
            number: number.checked_sub(1)?,
        })
    }
}

/// A number as it is printed: digits only, no leading zero.
fn printed_number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl PrintedSeat<'_> {
    pub(crate) fn label(&self) -> String {
        let mut label = String::with_capacity(self.section.name.len() + 8);
        self.write_label(&mut label);
        label
    }

    /// `{section}-{row}-{number}`
    pub(crate) fn write_label(&self, label: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(label, "{}-{}-{}", self.section.name, self.row, self.number);
    }
}

/// The plans asked for so far, those of deleted events among them: bounded by what was ever made.
#[derive(Debug, Default)]
pub(crate) struct EventPlans {
    by_event: DashMap<EventIndex, Arc<EventPlan>>,
}

impl EventPlans {
    /// The plan of an event, looked for in the view the first time.
    pub(crate) fn get(
        &self,
        event: EventIndex,
        look: impl FnOnce() -> Option<EventPlan>,
    ) -> Option<Arc<EventPlan>> {
        if let Some(plan) = self.by_event.get(&event) {
            return Some(Arc::clone(&plan));
        }
        // Looked for without holding a shard's lock; of two at once the later one is kept.
        let plan = Arc::new(look()?);
        self.by_event.insert(event, Arc::clone(&plan));
        Some(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_seats_are_inverses() {
        let section = |name: &str, rows, seats_per_row, start_row| Section {
            name: name.to_owned(),
            rows,
            seats_per_row,
            price: 1,
            start_row,
        };
        let sections =
            [section("VIP", 3, 10, 1), section("R-east", 5, 15, 4), section("가", 2, 2, 0)];
        let plan = EventPlan {
            event: EventIndex(0),
            plan: Arc::new(SeatPlan::new(&sections)),
            sections: sections.to_vec().into(),
            seats_max: 4,
        };
        for seat in (0..plan.plan.seat_count()).map(SeatIndex) {
            assert_eq!(plan.seat_labelled(&plan.seat(seat).label()), Some(seat));
        }
        assert_eq!(plan.labels(&[SeatIndex(4), SeatIndex(30)]), ["VIP-1-5", "R-east-4-1"]);
        for wrong in
            ["VIP-1-11", "VIP-4-1", "VIP-0-1", "VIP-1-0", "VIP-01-1", "VIP-1-+1", "VIP-1", "", "--"]
        {
            assert_eq!(plan.seat_labelled(wrong), None, "{wrong}");
        }
    }
}
