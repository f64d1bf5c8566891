//! Ticket types of an event that exists: more of them, and changed ones.

use crate::command::{Checked, EditTicketType, NewTicketTypes};
use crate::engine::Engine;
use crate::engine::catalog::on_sale;
use crate::engine::terms::standing_from;
use crate::error::{CatalogRefusal, CommandError};
use crate::ids::{TicketTypeIndex, UnixMillis, UserIndex};
use crate::journal::{Journal, Pending, Purpose};
use crate::limits::TICKET_TYPES_PER_EVENT_MAX;
use crate::record::{Record, TicketTypeEdited, TicketTypesAdded};

impl<J: Journal> Engine<J> {
    /// Adds ticket types to an event, all of them or none. Answers with the first.
    ///
    /// # Errors
    /// The event is unknown; it has no room for so many; journal unavailable.
    pub fn add_ticket_types(
        &self,
        new: Checked<NewTicketTypes>,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<TicketTypeIndex>, CommandError<CatalogRefusal>> {
        let NewTicketTypes { event, ticket_types, standing } = new.into_inner();
        let (inventory, mut admin) = self.administered(event)?;
        if admin.for_sale.len() + ticket_types.len() > TICKET_TYPES_PER_EVENT_MAX {
            return Err(CatalogRefusal::Full.into());
        }
        let permit = self.journal.reserve(Purpose::NewWork)?;
        let for_terms = self.journal.reserve(Purpose::NewWork)?;
        // From here it must succeed.
        let first = TicketTypeIndex(admin.for_sale.len() as u16);
        let tickets: Vec<_> = ticket_types.iter().map(on_sale).collect();
        let added = TicketTypesAdded { event, first, ticket_types, by, at: now };
        let mut lsn = self.journal.append(permit, &Record::TicketTypesAdded(Box::new(added)));
        inventory.add_ticket_types(&mut admin, tickets.into_iter());
        if standing.contains(&true) {
            let mut all = inventory.standing();
            all.extend(standing_from(first, &standing));
            lsn = self.log_terms(inventory, for_terms, (inventory.terms(), all), by, now);
        }
        Ok(Pending::new(first, lsn))
    }

    /// Replaces a ticket type. Orders keep what they were made under; an order that races with this
    /// one is of either price.
    ///
    /// # Errors
    /// In this order: the event or the type is unknown; journal unavailable; more tickets are sold
    /// than there would be.
    pub fn edit_ticket_type(
        &self,
        edit: Checked<EditTicketType>,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<CatalogRefusal>> {
        let EditTicketType { event, ticket_type, details, standing } = edit.into_inner();
        let (inventory, mut admin) = self.administered(event)?;
        let unknown = || CatalogRefusal::UnknownTicketType(event, ticket_type);
        let all = admin.for_sale.get_mut(ticket_type.position()).ok_or_else(unknown)?;
        let stock = inventory.stock(ticket_type).ok_or_else(unknown)?;
        let permit = self.journal.reserve(Purpose::Completion)?;
        let for_terms = self.journal.reserve(Purpose::Completion)?;
        let (total, price) = (details.total_quantity, details.price);
        let fewer = all.total.saturating_sub(total);
        if stock.take(fewer).is_err() {
            return Err(CatalogRefusal::BelowSold { ticket_type }.into());
        }
        // From here it must succeed. What is taken was taken before, what is added comes after (I2).
        let edited = TicketTypeEdited { event, ticket_type, details, by, at: now };
        let mut lsn = self.journal.append(permit, &Record::TicketTypeEdited(Box::new(edited)));
        stock.set_price(price);
        stock.give_back(total.saturating_sub(all.total));
        all.total = total;
        if let Some(is_standing) = standing.filter(|&wanted| wanted != stock.is_standing()) {
            let mut standing = inventory.standing();
            match is_standing {
                true => standing.insert(ticket_type),
                false => standing.remove(&ticket_type),
            };
            lsn = self.log_terms(inventory, for_terms, (inventory.terms(), standing), by, now);
        }
        Ok(Pending::new((), lsn))
    }
}
