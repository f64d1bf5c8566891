//! Layouts, events and blocked seats: what administrators decide.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::command::{Checked, EditEvent, NewEvent, NewLayout};
use crate::engine::Engine;
use crate::error::{BlockRefusal, CatalogRefusal, CommandError};
use crate::ids::{EventIndex, LayoutIndex, SeatIndex, UnixMillis};
use crate::inventory::EventInventory;
use crate::inventory::layout::SeatPlan;
use crate::journal::{Journal, Pending, Purpose};
use crate::limits::{EVENTS_MAX, LAYOUTS_MAX, SEATS_PER_BLOCK_MAX};
use crate::record::{EventCreated, KeywordMapping, LayoutCreated, NewTicketType, Record};
use crate::waiting_room::Room;

/// Layouts, and how many events there are. Held while one is made, so that both are numbered in
/// the order of their records.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    pub(super) names: BTreeSet<String>,
    pub(super) plans: Vec<Arc<SeatPlan>>,
    pub(super) event_count: u32,
}

impl<J: Journal> Engine<J> {
    /// Makes a venue layout.
    ///
    /// # Errors
    /// The name is taken; no more fit; journal unavailable.
    pub fn create_layout(
        &self,
        new: Checked<NewLayout>,
        now: UnixMillis,
    ) -> Result<Pending<LayoutIndex>, CommandError<CatalogRefusal>> {
        let NewLayout { name, description, sections } = new.into_inner();
        let mut layouts = self.layouts.lock();
        if layouts.names.contains(&name) {
            return Err(CatalogRefusal::LayoutNameTaken.into());
        }
        let layout = LayoutIndex(layouts.plans.len() as u32);
        if layout.0 >= LAYOUTS_MAX {
            return Err(CatalogRefusal::Full.into());
        }
        let permit = self.journal.reserve(Purpose::NewWork)?;
        // From here it must succeed.
        layouts.names.insert(name.clone());
        layouts.plans.push(Arc::new(SeatPlan::new(&sections)));
        let record = LayoutCreated { layout, name, description, sections, at: now };
        let lsn = self.journal.append(permit, &Record::LayoutCreated(Box::new(record)));
        Ok(Pending::new(layout, lsn))
    }

    /// Declares that two words mean the same in searches. Saying it again changes nothing.
    ///
    /// # Errors
    /// Journal unavailable.
    pub fn map_keyword(
        &self,
        mapping: KeywordMapping,
    ) -> Result<Pending<()>, CommandError<CatalogRefusal>> {
        let permit = self.journal.reserve(Purpose::NewWork)?;
        let lsn = self.journal.append(permit, &Record::KeywordMapped(Box::new(mapping)));
        Ok(Pending::new((), lsn))
    }

    /// Makes an event with all its seats and tickets.
    ///
    /// # Errors
    /// The layout is unknown; no more fit; journal unavailable.
    pub fn create_event(
        &self,
        new: Checked<NewEvent>,
        now: UnixMillis,
    ) -> Result<Pending<EventIndex>, CommandError<CatalogRefusal>> {
        let NewEvent { details, layout, ticket_types, rules, created_by } = new.into_inner();
        let mut layouts = self.layouts.lock();
        let plan = match layout {
            None => Arc::new(SeatPlan::new(&[])),
            Some(layout) => layouts
                .plans
                .get(layout.position())
                .cloned()
                .ok_or(CatalogRefusal::UnknownLayout(layout))?,
        };
        let event = EventIndex(layouts.event_count);
        if event.0 >= EVENTS_MAX {
            return Err(CatalogRefusal::Full.into());
        }
        let permit = self.journal.reserve(Purpose::NewWork)?;
        // From here it must succeed.
        layouts.event_count += 1;
        let tickets = ticket_types.iter().map(for_sale);
        let room = Room::new(&self.queue_defaults.lock());
        let inventory = EventInventory::new(event, plan, rules, &details, tickets, room);
        let record =
            EventCreated { event, details, layout, ticket_types, rules, created_by, at: now };
        let lsn = self.journal.append(permit, &Record::EventCreated(Box::new(record)));
        self.events.at(event.0).get_or_init(|| Box::new(inventory));
        Ok(Pending::new(event, lsn))
    }

    /// Replaces an event's description and dates.
    ///
    /// # Errors
    /// The event is unknown; journal unavailable.
    pub fn edit_event(
        &self,
        edit: Checked<EditEvent>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<CatalogRefusal>> {
        let EditEvent { event, details } = edit.into_inner();
        let inventory = self.inventory(event).ok_or(CatalogRefusal::UnknownEvent(event))?;
        let _admin = inventory.admin.lock();
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        inventory.set_window(&details);
        let details = Box::new(details);
        let lsn = self.journal.append(permit, &Record::EventEdited { event, details, at: now });
        Ok(Pending::new((), lsn))
    }

    /// Calls an event off: no more holds, and every order ends. Answers with how many orders that
    /// concerns. Orders being paid end with their payment; [`Engine::close_cancelled`] sees to
    /// whatever this call leaves.
    ///
    /// # Errors
    /// The event is unknown or called off already; journal unavailable.
    pub fn cancel_event(
        &self,
        event: EventIndex,
        now: UnixMillis,
    ) -> Result<Pending<usize>, CommandError<CatalogRefusal>> {
        let inventory = self.inventory(event).ok_or(CatalogRefusal::UnknownEvent(event))?;
        let _admin = inventory.admin.lock();
        if inventory.is_cancelled() {
            return Err(CatalogRefusal::AlreadyCancelled(event).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let lsn = self.journal.append(permit, &Record::EventCancelled { event, at: now });
        inventory.set_cancelled();
        let pass = self.close_pass(inventory, now);
        if pass.left > 0 {
            self.closing.lock().push_back(event);
        }
        let lsn = pass.last_lsn.unwrap_or(lsn);
        Ok(Pending::new(pass.ended + pass.left, lsn))
    }

    /// Takes free seats off sale, all of them or none.
    ///
    /// # Errors
    /// In this order: event unknown; no seats or too many; a seat unknown; journal unavailable;
    /// seats taken.
    pub fn block_seats(
        &self,
        event: EventIndex,
        seats: &[SeatIndex],
        reason: String,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<BlockRefusal>> {
        let (inventory, seats) = self.seats_to_block(event, seats)?;
        let mut blocked = inventory.admin.lock();
        let permit = self.journal.reserve(Purpose::NewWork)?;
        let seats = Vec::from_iter(seats);
        if inventory.seats.take_all(&inventory.plan, &seats).is_err() {
            let taken = |seat: &SeatIndex| inventory.seats.is_taken(&inventory.plan, *seat);
            let taken = seats.into_iter().filter(taken).collect();
            return Err(BlockRefusal::SeatsTaken(taken).into());
        }
        // From here it must succeed.
        blocked.extend(&seats);
        let record = Record::SeatsBlocked { event, seats, reason, at: now };
        Ok(Pending::new((), self.journal.append(permit, &record)))
    }

    /// Puts blocked seats back on sale, all of them or none.
    ///
    /// # Errors
    /// In this order: event unknown; no seats or too many; a seat unknown; seats that are not
    /// blocked; journal unavailable.
    pub fn unblock_seats(
        &self,
        event: EventIndex,
        seats: &[SeatIndex],
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<BlockRefusal>> {
        let (inventory, seats) = self.seats_to_block(event, seats)?;
        let mut blocked = inventory.admin.lock();
        let not_blocked: Vec<SeatIndex> = seats.difference(&blocked).copied().collect();
        if !not_blocked.is_empty() {
            return Err(BlockRefusal::NotBlocked(not_blocked).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed. Log, then bits (I2).
        let record =
            Record::SeatsUnblocked { event, seats: seats.iter().copied().collect(), at: now };
        let lsn = self.journal.append(permit, &record);
        blocked.retain(|seat| !seats.contains(seat));
        inventory.seats.give_back_all(&inventory.plan, &Vec::from_iter(seats));
        Ok(Pending::new((), lsn))
    }

    fn seats_to_block(
        &self,
        event: EventIndex,
        seats: &[SeatIndex],
    ) -> Result<(&EventInventory, BTreeSet<SeatIndex>), BlockRefusal> {
        let inventory = self.inventory(event).ok_or(BlockRefusal::UnknownEvent(event))?;
        if !(1..=SEATS_PER_BLOCK_MAX).contains(&seats.len()) {
            return Err(BlockRefusal::BadCount { max: SEATS_PER_BLOCK_MAX });
        }
        match seats.iter().find(|&&seat| !inventory.plan.contains(seat)) {
            Some(&seat) => Err(BlockRefusal::UnknownSeat(seat)),
            None => Ok((inventory, seats.iter().copied().collect())),
        }
    }
}

/// Tickets of a new type that can be sold here, and the price of one.
pub(super) fn for_sale(ticket_type: &NewTicketType) -> (u32, u32) {
    (ticket_type.total_quantity - ticket_type.sold_elsewhere, ticket_type.price)
}
