//! What administrators change: events that go, seats that go and come back, ticket types, and orders
//! confirmed by hand.

use tiketi_engine::ids::{EventIndex, UnixMillis};
use tiketi_engine::record::{OrderConfirmed, TicketTypeEdited, TicketTypesAdded};

use super::Auditor;
use super::claims::{take_seats, take_tickets};
use super::finding::Rule;
use super::model::{ClaimModel, EventModel, Life, Seat, TicketModel, order_name};
use super::terms::tickets_again;

impl Auditor {
    pub(super) fn event_deleted(&mut self, index: EventIndex, at: UnixMillis) {
        self.instant(at);
        let Some(event) = self.changed_event(index, "is deleted") else { return };
        event.cancelled_at.get_or_insert(at);
        if std::mem::replace(&mut event.deleted, true) {
            self.find(Rule::OrderOfLife, format!("event {index} is deleted twice"));
        }
    }

    pub(super) fn seats_removed(&mut self, index: EventIndex, at: UnixMillis) {
        self.instant(at);
        let Some(event) = self.changed_event(index, "loses its seats") else { return };
        let owned = event.seats.iter().filter(|seat| matches!(seat, Seat::Owned(_))).count();
        event.seats.fill(Seat::Blocked);
        let was_removed = std::mem::replace(&mut event.seats_removed, true);
        if was_removed || event.seats.is_empty() {
            self.find(Rule::OrderOfLife, format!("event {index} loses seats that it has not"));
        }
        if owned > 0 {
            let text = format!("event {index} loses its seats, and orders have {owned} of them");
            self.find(Rule::TwoOwners, text);
        }
    }

    pub(super) fn seats_generated(&mut self, index: EventIndex, at: UnixMillis) {
        self.instant(at);
        let Some(event) = self.changed_event(index, "gets its seats") else { return };
        if std::mem::replace(&mut event.seats_removed, false) {
            event.seats.fill(Seat::Free);
        } else {
            self.find(Rule::NotTheOwner, format!("event {index} gets seats that it has"));
        }
    }

    pub(super) fn ticket_types_added(&mut self, added: &TicketTypesAdded) {
        self.instant(added.at);
        let index = added.event;
        let Some(event) = self.changed_event(index, "gets ticket types") else { return };
        let known = event.tickets.len();
        event.tickets.extend(added.ticket_types.iter().map(TicketModel::new));
        if added.first.position() != known {
            let text = format!("ticket type {} of event {index} comes after {known}", added.first);
            self.find(Rule::Numbering, text);
        }
        if added.ticket_types.iter().any(|new| new.sold_elsewhere > new.total_quantity) {
            let text = format!("event {index} sold more tickets elsewhere than there are");
            self.find(Rule::Malformed, text);
        }
    }

    pub(super) fn ticket_type_edited(&mut self, edited: &TicketTypeEdited) {
        self.instant(edited.at);
        let (index, ticket_type) = (edited.event, edited.ticket_type);
        let Some(event) = self.changed_event(index, "has a ticket type edited") else { return };
        let Some(ticket) = event.tickets.get_mut(ticket_type.position()) else {
            let text = format!("ticket type {ticket_type} of event {index} is edited, unknown");
            return self.find(Rule::UnknownThing, text);
        };
        let sold_elsewhere = ticket.total - ticket.for_sale;
        let total = u64::from(edited.details.total_quantity);
        ticket.past_prices.push((ticket.price, edited.at));
        ticket.price = edited.details.price;
        ticket.name.clone_from(&edited.details.name);
        ticket.total = total;
        ticket.for_sale = total.saturating_sub(sold_elsewhere);
        if total < sold_elsewhere + ticket.in_orders {
            let text = format!(
                "ticket type {ticket_type} of event {index}: {} are sold, {total} there",
                sold_elsewhere + ticket.in_orders
            );
            self.find(Rule::Stock, text);
        }
    }

    pub(super) fn order_confirmed(&mut self, confirmed: &OrderConfirmed) {
        self.instant(confirmed.at);
        let (order, slot) = (confirmed.order, confirmed.slot.0);
        let name = order_name(order.event, order.number.0);
        let known = self.events.get_mut(order.event.position());
        let found = match known {
            Some(event) => confirm(event, order.number.0, slot, confirmed.at, &name),
            None => vec![(Rule::UnknownThing, format!("{name} is confirmed, unknown"))],
        };
        self.add(found);
    }

    pub(super) fn changed_event(
        &mut self,
        index: EventIndex,
        how: &str,
    ) -> Option<&mut EventModel> {
        if index.position() >= self.events.len() {
            self.find(Rule::UnknownThing, format!("event {index} {how}, unknown"));
        }
        self.events.get_mut(index.position())
    }
}

fn confirm(
    event: &mut EventModel,
    number: u32,
    slot: u32,
    at: UnixMillis,
    name: &str,
) -> Vec<(Rule, String)> {
    let mut found = Vec::new();
    let Some(order) = event.orders.get_mut(&number) else {
        return vec![(Rule::UnknownThing, format!("{name} is confirmed, unknown"))];
    };
    let before = std::mem::replace(&mut order.life, Life::Paid);
    order.was_paid = true;
    order.paid_by = None;
    order.changed_at = at;
    match before {
        Life::Held => {
            if order.slot != slot {
                let text = format!("{name} is confirmed in slot {slot}, not in its own");
                found.push((Rule::OrderOfLife, text));
            }
        }
        Life::Paying | Life::AwaitingDeposit | Life::Paid => {
            let text = format!("{name} is confirmed but is {}", before.name());
            found.push((Rule::OrderOfLife, text));
        }
        Life::Ended(_) => {
            order.slot = slot;
            let (user, claim) = (order.user, order.claim.clone());
            if let Some(other) = event.slots.insert(slot, number) {
                let text = format!("{name} is in slot {slot}, which order {other} has");
                found.push((Rule::TwoOwners, text));
            }
            let of_user = event.by_user.entry(user).or_default();
            *of_user += claim.quantity();
            if event.rules.seats_per_user.is_some_and(|max| *of_user > u64::from(max)) {
                let text = format!("{name} makes {of_user} for user {user}, above the cap");
                found.push((Rule::Limit, text));
            }
            found.extend(tickets_again(event, user, &claim, at, name));
            match &claim {
                ClaimModel::Seats(seats) => found.extend(take_seats(event, seats, number, name)),
                ClaimModel::Tickets(_) => found.extend(take_tickets(event, &claim, None, name)),
            }
        }
    }
    found
}
