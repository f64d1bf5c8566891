//! Snapshots: where a log begins with one, the audit begins with it; where the log goes through
//! one, it must say what the auditor knows (R7, R8).

use tiketi_engine::ids::{EventIndex, HoldSlot, SeatIndex, UnixMillis};
use tiketi_engine::record::{NewTicketType, Section};
use tiketi_engine::state::{Event, Order, OrderState, SeatStatus, State};

use super::finding::Rule;
use super::model::{
    ClaimModel, EventModel, LayoutModel, Life, OrderModel, Seat, TermsModel, UserModel, Window,
    order_name,
};
use super::queue::QueueModel;
use super::{Auditor, RACE_MS};

impl Auditor {
    /// Begins with a snapshot instead of an empty installation.
    pub(crate) fn seed(&mut self, state: &State) {
        self.lsn = state.lsn();
        self.epoch = state.epoch().0;
        self.in_epoch = true;
        self.epoch_at = state.last_at();
        self.latest_at = state.last_at();
        for user in state.users() {
            self.users.push(UserModel { tag: user.id.tag });
            self.emails.insert(user.email.clone());
        }
        for layout in state.layouts() {
            self.layout_names.insert(layout.name.clone());
            self.layouts.push(LayoutModel { sections: layout.sections.clone() });
        }
        for (position, event) in state.events().iter().enumerate() {
            let index = EventIndex(position as u32);
            let mut model = self.seeded_event(index, event, state.last_at());
            model.queue = state.queues().get(position).map(QueueModel::of).unwrap_or_default();
            self.events.push(model);
        }
        self.seed_money(state);
        // Those of payments as well: no other command looks for their keys.
        for key in state.keys() {
            let name = (key.user.0, key.key);
            let order = key.reservation;
            self.keys.insert(name, (order.event, order.order.0, key.at));
            self.keys_by_age.push_back((key.at, name));
        }
    }

    fn seeded_event(
        &mut self,
        index: EventIndex,
        event: &Event,
        last_at: UnixMillis,
    ) -> EventModel {
        let sections: Vec<Section> = event
            .layout
            .and_then(|layout| self.layouts.get(layout.position()))
            .map(|layout| layout.sections.clone())
            .unwrap_or_default();
        let tickets: Vec<NewTicketType> = event
            .ticket_types
            .iter()
            .map(|ticket| NewTicketType {
                name: ticket.name.clone(),
                price: ticket.price,
                total_quantity: ticket.total_quantity,
                sold_elsewhere: ticket.sold_elsewhere,
                description: None,
            })
            .collect();
        let lsn = self.lsn;
        let made = (lsn, event.created_at);
        let mut model = EventModel::new(&event.details, &sections, &tickets, event.rules, made);
        // Terms that were never set read like those of an event that has none.
        let terms = TermsModel::of(event);
        model.terms = (terms != TermsModel::default()).then_some(terms);
        if event.updated_at.plus(RACE_MS) > last_at {
            model.past_terms.push((None, event.updated_at));
        }
        if event.updated_at.plus(RACE_MS) > last_at {
            // The window before the last edit is not in the snapshot; a race with it is none of ours.
            let any = Window {
                opens_at: UnixMillis(0),
                closes_at: UnixMillis(u64::MAX),
                event_at: UnixMillis(u64::MAX),
            };
            model.past_windows.push((any, event.updated_at));
        }
        model.cancelled_at = event.cancelled.then_some(event.updated_at);
        model.deleted = event.is_deleted();
        if event.seats_removed {
            model.seats_removed = true;
            model.seats.fill(Seat::Blocked);
        }
        for (ticket, stored) in model.tickets.iter_mut().zip(&event.ticket_types) {
            if stored.updated_at > stored.created_at {
                // What it cost before is not in the snapshot; a race with its edit is none of ours.
                ticket.edited_before = Some(stored.updated_at);
            }
        }
        let mut found = Vec::new();
        for seat in event.blocks().iter().flat_map(|block| &block.seats) {
            if let Err(why) = model.take(seat.position(), Seat::Blocked) {
                found.push(format!("a seat of event {index} is blocked, but {why}"));
            }
        }
        for (number, order) in event.orders() {
            let slot = event.live_slot(number, order);
            seed_order(&mut model, index, number.0, (order, slot), &mut found);
        }
        for text in found {
            self.find(Rule::Snapshot, text);
        }
        model
    }

    /// Holds what is known against a snapshot taken here.
    pub(crate) fn compare(&mut self, state: &State) {
        let mut found = Vec::new();
        let counted = [
            ("users", state.users().len(), self.users.len()),
            ("layouts", state.layouts().len(), self.layouts.len()),
            ("events", state.events().len(), self.events.len()),
        ];
        for (what, stored, known) in counted {
            if stored != known {
                found.push(format!("the snapshot has {stored} {what}, the log {known}"));
            }
        }
        for (user, known) in state.users().iter().zip(&self.users) {
            if user.id.tag != known.tag {
                found.push(format!("the snapshot has another user {}", user.id.index));
            }
        }
        for (position, (stored, known)) in state.events().iter().zip(&self.events).enumerate() {
            let index = EventIndex(position as u32);
            compare_event(index, stored, known, &mut found);
            if state.queues().get(position).is_none_or(|queue| !known.queue.agrees_with(queue)) {
                found.push(format!("the queue of event {index} differs in the snapshot"));
            }
        }
        found.extend(self.money.differences(state));
        let lsn = state.lsn();
        for text in found {
            self.findings.add(lsn, Rule::Snapshot, text);
        }
    }
}

fn seed_order(
    model: &mut EventModel,
    index: EventIndex,
    number: u32,
    (order, slot): (&Order, HoldSlot),
    found: &mut Vec<String>,
) {
    let (life, changed_at) = life_of(order);
    let claim = ClaimModel::of(&order.claim);
    if life.is_live() {
        let name = order_name(index, number);
        if model.slots.insert(slot.0, number).is_some() {
            found.push(format!("slot {slot} of event {index} has two orders"));
        }
        *model.by_user.entry(order.user.0).or_default() += claim.quantity();
        if let ClaimModel::Tickets(_) = claim {
            *model.tickets_by_user.entry(order.user.0).or_default() += claim.quantity();
        }
        match &claim {
            ClaimModel::Seats(seats) => {
                for &seat in seats {
                    if let Err(why) = model.take(seat, Seat::Owned(number)) {
                        found.push(format!("{name} has a seat, but {why}"));
                    }
                }
            }
            ClaimModel::Tickets(lines) => {
                for line in lines {
                    match model.tickets.get_mut(line.ticket_type.position()) {
                        Some(ticket) => ticket.in_orders += u64::from(line.quantity),
                        None => found.push(format!("{name} has an unknown ticket type")),
                    }
                }
            }
        }
    }
    let payment = order.payment;
    let seeded = OrderModel {
        slot: slot.0,
        user: order.user.0,
        claim,
        held_lsn: order.held_lsn,
        expires_at: order.expires_at,
        life,
        last_attempt: payment.map_or(0, |payment| payment.attempt.0),
        was_paid: payment.is_some_and(|payment| payment.paid_at.is_some()),
        paid_by: None,
        changed_at,
        after_cancel: false,
    };
    model.orders.insert(number, seeded);
}

fn life_of(order: &Order) -> (Life, UnixMillis) {
    match order.state {
        OrderState::Held => (Life::Held, order.held_at),
        OrderState::Paying => (Life::Paying, order.held_at),
        OrderState::AwaitingDeposit => (Life::AwaitingDeposit, order.held_at),
        OrderState::Paid => (Life::Paid, order.held_at),
        OrderState::Ended { reason, at } => (Life::Ended(reason), at),
    }
}

fn compare_event(index: EventIndex, stored: &Event, known: &EventModel, found: &mut Vec<String>) {
    if stored.cancelled != known.cancelled_at.is_some() {
        found.push(format!("event {index} is called off in the snapshot or the log, not in both"));
    }
    if (stored.is_deleted(), stored.seats_removed) != (known.deleted, known.seats_removed) {
        found.push(format!("event {index} or its seats are gone in the snapshot or the log alone"));
    }
    if TermsModel::of(stored) != known.terms.clone().unwrap_or_default() {
        found.push(format!("the terms of event {index} differ in the snapshot"));
    }
    let (orders, seats) = (stored.orders().count(), stored.plan().seat_count() as usize);
    if orders != known.orders.len() {
        found.push(format!(
            "event {index} has {orders} orders in the snapshot, {} in the log",
            known.orders.len()
        ));
    }
    for (number, order) in stored.orders() {
        let life = life_of(order).0;
        if known.orders.get(&number.0).is_none_or(|order| order.life != life) {
            let name = order_name(index, number.0);
            found.push(format!("{name} is {} in the snapshot, not in the log", life.name()));
        }
    }
    if seats != known.seats.len() {
        found.push(format!("event {index} has {seats} seats in the snapshot, not in the log"));
        return;
    }
    for (seat, known_seat) in known.seats.iter().enumerate() {
        let place = SeatIndex(seat as u32);
        let stored_seat = match (stored.seat_status(place), stored.seat_owner(place)) {
            (SeatStatus::Blocked, _) => Seat::Blocked,
            (_, Some(owner)) => Seat::Owned(owner.0),
            (_, None) => Seat::Free,
        };
        if stored_seat != *known_seat {
            let label = known.label(seat);
            found.push(format!("{label} of event {index} has another owner in the snapshot"));
        }
    }
    for (stored, known) in stored.ticket_types.iter().zip(&known.tickets) {
        let numbers = (stored.in_orders.into(), stored.total_quantity.into(), stored.price);
        if numbers != (known.in_orders, known.total, known.price) {
            found.push(format!("tickets {} of event {index} differ in the snapshot", stored.name));
        }
    }
}
