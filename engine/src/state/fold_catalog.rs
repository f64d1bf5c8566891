//! What administrators change of events, their seats, their ticket types and their orders.

use crate::ids::{Attempt, EventIndex, Lsn, TicketTypeIndex, UnixMillis};
use crate::record::{
    CategoryRenamed, Claim, EventTermsSet, OrderConfirmed, TicketTypeDetails, TicketTypeEdited,
    TicketTypesAdded,
};
use crate::state::State;
use crate::state::event::{BLOCKED, FormerName, TicketType};
use crate::state::order::{OrderState, Payment, SeatStatus};

impl State {
    pub(super) fn event_deleted(
        &mut self,
        lsn: Lsn,
        event: EventIndex,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.seen(at);
        let event = self.event_mut(event)?;
        if event.deleted {
            return Err("the event was deleted before".to_owned());
        }
        event.deleted = true;
        event.cancelled = true;
        event.updated_at = at;
        event.inventory_lsn = lsn;
        self.deleted_events += 1;
        Ok(())
    }

    pub(super) fn seats_removed(
        &mut self,
        lsn: Lsn,
        event: EventIndex,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.seen(at);
        let event = self.event_mut(event)?;
        if event.seats_removed || event.owners.iter().any(|owner| !matches!(*owner, 0 | BLOCKED)) {
            return Err("not all of its seats could be taken away".to_owned());
        }
        event.seats_removed = true;
        event.blocks.clear();
        event.without_seats();
        event.inventory_lsn = lsn;
        Ok(())
    }

    pub(super) fn seats_generated(
        &mut self,
        lsn: Lsn,
        event: EventIndex,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.seen(at);
        let event = self.event_mut(event)?;
        if !event.seats_removed {
            return Err("its seats are there".to_owned());
        }
        event.seats_removed = false;
        event.with_free_seats();
        event.inventory_lsn = lsn;
        Ok(())
    }

    pub(super) fn ticket_types_added(
        &mut self,
        lsn: Lsn,
        added: &TicketTypesAdded,
    ) -> Result<(), String> {
        self.seen(added.at);
        let event = self.event_mut(added.event)?;
        if added.first.position() != event.ticket_types.len() {
            return Err(format!("ticket type {} is not the next", added.first));
        }
        let types = added.ticket_types.iter().map(|new| TicketType::new(new, added.at));
        event.ticket_types.extend(types);
        event.inventory_lsn = lsn;
        Ok(())
    }

    pub(super) fn ticket_type_edited(
        &mut self,
        lsn: Lsn,
        edited: &TicketTypeEdited,
    ) -> Result<(), String> {
        self.seen(edited.at);
        let event = self.event_mut(edited.event)?;
        let found = event
            .ticket_types
            .get_mut(edited.ticket_type.position())
            .ok_or_else(|| format!("no ticket type {}", edited.ticket_type))?;
        let TicketTypeDetails { name, price, total_quantity, description } = &edited.details;
        if found
            .sold_elsewhere
            .checked_add(found.in_orders)
            .is_none_or(|sold| sold > *total_quantity)
        {
            return Err(format!("more of ticket type {} are sold", edited.ticket_type));
        }
        if found.name != *name {
            let former = std::mem::replace(&mut found.name, name.clone());
            found.former_names.push(FormerName { name: former, until: lsn });
        }
        found.price = *price;
        found.total_quantity = *total_quantity;
        found.description.clone_from(description);
        found.updated_at = edited.at;
        event.inventory_lsn = lsn;
        Ok(())
    }

    pub(super) fn event_terms_set(&mut self, lsn: Lsn, set: &EventTermsSet) -> Result<(), String> {
        self.seen(set.at);
        let event = self.event_mut(set.event)?;
        let is_known =
            |ticket_type: &TicketTypeIndex| ticket_type.position() < event.ticket_types.len();
        if !set.standing.iter().all(is_known) || !set.standing.is_sorted_by(|a, b| a < b) {
            return Err("its terms name ticket types that it has not".to_owned());
        }
        event.terms = set.terms;
        event.standing = set.standing.iter().copied().collect();
        event.updated_at = set.at;
        event.inventory_lsn = lsn;
        Ok(())
    }

    pub(super) fn order_confirmed(
        &mut self,
        lsn: Lsn,
        confirmed: &OrderConfirmed,
    ) -> Result<(), String> {
        let &OrderConfirmed { order, slot, method, at, .. } = confirmed;
        self.seen(at);
        let event = self.event_mut(order.event)?;
        let found =
            event.order(order.number).ok_or_else(|| format!("no order {}", order.number))?;
        let claim = found.claim.clone();
        let is_moving = match found.state {
            OrderState::Held if slot == event.live_slot(order.number, found) => false,
            OrderState::Ended { .. } => true,
            _ => return Err(format!("order {} cannot be confirmed in slot {slot}", order.number)),
        };
        let attempt = found.payment.map_or(Attempt(0), |payment| payment.attempt);
        match (claim, is_moving) {
            (Claim::Seats(seats), false) => {
                for &seat in seats.iter() {
                    event.recount(seat, SeatStatus::Locked, SeatStatus::Reserved);
                }
            }
            (Claim::Seats(seats), true) => {
                for &seat in seats.iter() {
                    event.own(seat, order.number.0 + 1, SeatStatus::Reserved)?;
                }
            }
            (Claim::Tickets(_), false) => {}
            (Claim::Tickets(lines), true) => event.sell_tickets(&lines)?,
        }
        if is_moving {
            event.moved.insert(order.number, slot);
        }
        event.inventory_lsn = lsn;
        self.change_order(order, |found| {
            found.state = OrderState::Paid;
            found.payment = Some(Payment { attempt, method, started_at: at, paid_at: Some(at) });
            Ok(())
        })
    }

    pub(super) fn category_renamed(&mut self, renamed: &CategoryRenamed) {
        self.seen(renamed.at);
        let events = self.events.iter_mut();
        for event in events.filter(|event| event.category.as_ref() == Some(&renamed.from)) {
            event.category = Some(renamed.to.clone());
            event.updated_at = renamed.at;
        }
    }
}
