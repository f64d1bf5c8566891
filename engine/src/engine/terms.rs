//! How events sell tickets and let orders be paid: what administrators set and change.

use std::collections::BTreeSet;

use crate::command::{Checked, EditTerms};
use crate::engine::{Engine, TicketDefaults};
use crate::error::{CatalogRefusal, CommandError};
use crate::ids::{Lsn, TicketTypeIndex, UnixMillis, UserIndex};
use crate::inventory::EventInventory;
use crate::journal::{Journal, Pending, Permit, Purpose};
use crate::record::{EventTerms, EventTermsSet, Record};

/// An event's terms, and its ticket types that are sold beside seats.
type Terms = (EventTerms, BTreeSet<TicketTypeIndex>);

impl<J: Journal> Engine<J> {
    /// The same engine with what holds for tickets of events that say nothing of their own; before the
    /// first command.
    #[must_use]
    pub fn with_ticket_defaults(self, ticket_defaults: TicketDefaults) -> Engine<J> {
        Engine { ticket_defaults, ..self }
    }

    /// Replaces an event's terms. Orders keep the deadlines that they have; one that races with this is
    /// made under either.
    ///
    /// # Errors
    /// The event is unknown; journal unavailable.
    pub fn set_terms(
        &self,
        edit: Checked<EditTerms>,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<CatalogRefusal>> {
        let EditTerms { event, terms } = edit.into_inner();
        let (inventory, _admin) = self.administered(event)?;
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let terms = (terms, inventory.standing());
        Ok(Pending::new((), self.log_terms(inventory, permit, terms, by, now)))
    }

    /// Logs the terms of an event that the caller administers, and follows them.
    pub(super) fn log_terms(
        &self,
        inventory: &EventInventory,
        permit: Permit,
        (terms, standing): Terms,
        by: Option<UserIndex>,
        at: UnixMillis,
    ) -> Lsn {
        let of_types = standing.iter().copied().collect();
        let set = EventTermsSet { event: inventory.event, terms, standing: of_types, by, at };
        let lsn = self.journal.append(permit, &Record::EventTermsSet(Box::new(set)));
        inventory.set_terms(terms, &standing);
        lsn
    }
}

/// Those of the ticket types from `first` on that are said to be sold beside seats.
pub(super) fn standing_from(
    first: TicketTypeIndex,
    standing: &[bool],
) -> impl Iterator<Item = TicketTypeIndex> {
    let indices = (first.0..).map(TicketTypeIndex);
    indices.zip(standing).filter(|(_, is_standing)| **is_standing).map(|(index, _)| index)
}
