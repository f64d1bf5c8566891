//! Layouts, events and their categories: what administrators decide.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::MutexGuard;

use crate::command::{Category, Checked, EditEvent, NewEvent, NewLayout};
use crate::engine::Engine;
use crate::engine::terms::standing_from;
use crate::error::{CatalogRefusal, CommandError};
use crate::ids::{EventIndex, LayoutIndex, Lsn, TicketTypeIndex, UnixMillis, UserIndex};
use crate::inventory::layout::SeatPlan;
use crate::inventory::{AdminHold, EventInventory, TicketsForSale, TicketsOnSale};
use crate::journal::{Journal, Pending, Purpose};
use crate::limits::{EVENTS_MAX, LAYOUTS_MAX};
use crate::record::{
    CategoryRenamed, EventCreated, KeywordMapping, LayoutCreated, NewTicketType, Record,
};
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
        let NewEvent {
            details,
            layout,
            ticket_types,
            standing,
            rules,
            terms,
            category,
            created_by,
        } = new.into_inner();
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
        let for_terms = self.journal.reserve(Purpose::NewWork)?;
        let for_category = self.journal.reserve(Purpose::NewWork)?;
        // From here it must succeed.
        layouts.event_count += 1;
        let tickets = ticket_types.iter().map(on_sale);
        let room = Room::new(&self.queue_defaults.lock());
        let inventory = EventInventory::new(event, plan, rules, &details, tickets, room);
        let record =
            EventCreated { event, details, layout, ticket_types, rules, created_by, at: now };
        self.journal.append(permit, &Record::EventCreated(Box::new(record)));
        let standing = standing_from(TicketTypeIndex(0), &standing).collect();
        let mut lsn = self.log_terms(&inventory, for_terms, (terms, standing), created_by, now);
        if let Some(category) = category.map(Category::into_inner) {
            let (category, by) = (Some(category), created_by);
            let record = Record::EventCategorised { event, category, by, at: now };
            lsn = self.journal.append(for_category, &record);
        }
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
        let (inventory, _admin) = self.administered(event)?;
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
        let (inventory, _admin) = self.administered(event)?;
        if inventory.is_cancelled() {
            return Err(CatalogRefusal::AlreadyCancelled(event).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let lsn = self.journal.append(permit, &Record::EventCancelled { event, at: now });
        inventory.set_cancelled();
        Ok(self.close_now(inventory, lsn, now))
    }

    /// Calls an event off, if it was not before, and shows it to nobody any more: every later command
    /// about it finds no such event. Its orders end as with [`Engine::cancel_event`] and stay.
    /// Answers with how many orders that concerns.
    ///
    /// # Errors
    /// The event is unknown or deleted; journal unavailable.
    pub fn delete_event(
        &self,
        event: EventIndex,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<usize>, CommandError<CatalogRefusal>> {
        let (inventory, _admin) = self.administered(event)?;
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let lsn = self.journal.append(permit, &Record::EventDeleted { event, by, at: now });
        inventory.set_deleted();
        inventory.set_cancelled();
        Ok(self.close_now(inventory, lsn, now))
    }

    /// Puts an event into a category, or into none.
    ///
    /// # Errors
    /// The event is unknown; journal unavailable.
    pub fn categorise_event(
        &self,
        event: EventIndex,
        category: Option<Category>,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<CatalogRefusal>> {
        let (_, _admin) = self.administered(event)?;
        let permit = self.journal.reserve(Purpose::Completion)?;
        let category = category.map(Category::into_inner);
        let record = Record::EventCategorised { event, category, by, at: now };
        Ok(Pending::new((), self.journal.append(permit, &record)))
    }

    /// Puts all events of a category into another one. Whether there are any the fold knows.
    ///
    /// # Errors
    /// Journal unavailable.
    pub fn rename_category(
        &self,
        from: Category,
        to: Category,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<CatalogRefusal>> {
        let permit = self.journal.reserve(Purpose::Completion)?;
        let (from, to) = (from.into_inner(), to.into_inner());
        let record = Record::CategoryRenamed(Box::new(CategoryRenamed { from, to, by, at: now }));
        Ok(Pending::new((), self.journal.append(permit, &record)))
    }

    /// An event that administrators may change, under the lock for that.
    pub(super) fn administered(
        &self,
        event: EventIndex,
    ) -> Result<(&EventInventory, MutexGuard<'_, AdminHold>), CatalogRefusal> {
        let unknown = || CatalogRefusal::UnknownEvent(event);
        let inventory = self.inventory(event).ok_or_else(unknown)?;
        let admin = inventory.admin.lock();
        match inventory.is_deleted() {
            true => Err(unknown()),
            false => Ok((inventory, admin)),
        }
    }

    /// Ends what can be ended of the orders of an event that was called off by the record at `lsn`.
    fn close_now(&self, inventory: &EventInventory, lsn: Lsn, now: UnixMillis) -> Pending<usize> {
        let pass = self.close_pass(inventory, now);
        if pass.left > 0 {
            self.closing.lock().push_back(inventory.event);
        }
        Pending::new(pass.ended + pass.left, pass.last_lsn.unwrap_or(lsn))
    }
}

/// Tickets of a new type as they go on sale.
pub(super) fn on_sale(new: &NewTicketType) -> TicketsOnSale {
    let all = TicketsForSale { total: new.total_quantity, sold_elsewhere: new.sold_elsewhere };
    TicketsOnSale { all, left: all.total - all.sold_elsewhere, price: new.price }
}
