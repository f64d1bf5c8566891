//! Whether live memory and the fold of the log say the same (R2, R7).

use std::collections::BTreeMap;

use crate::engine::{Engine, Standing};
use crate::ids::{EventIndex, HoldSlot, OrderNumber, Place, SeatIndex, UserIndex};
use crate::inventory::EventInventory;
use crate::inventory::hold_table::Phase;
use crate::journal::Journal;
use crate::record::Claim;
use crate::state::{Event, OrderState, Queue, SeatStatus, State};

impl<J: Journal> Engine<J> {
    /// The first thing that the engine and the fold of its whole log disagree on. Only meaningful
    /// while no command runs and `state` has folded every record.
    pub fn disagreement_with(&self, state: &State) -> Option<String> {
        for (index, event) in state.events().iter().enumerate() {
            let Some(inventory) = self.inventory(EventIndex(index as u32)) else {
                return Some(format!("event {index} is only in the log"));
            };
            let queue = state.queues().get(index);
            let differs = event_disagreement(inventory, event)
                .or_else(|| queue.and_then(|queue| queue_disagreement(inventory, queue)));
            if let Some(what) = differs {
                return Some(format!("event {index}: {what}"));
            }
        }
        if *self.ledger.lock() != *state.ledger() {
            return Some("the ledger differs".to_owned());
        }
        if let Some(what) = self.news.lock().disagreement_with(state.news()) {
            return Some(what);
        }
        let differs = state.users().iter().find(|user| {
            let is_suspended = state.suspension(user.id.index).is_some();
            self.standing(user.id) != Some(Standing { role: user.role, is_suspended })
        });
        differs.map(|user| format!("the standing of user {} differs", user.id.index))
    }
}

fn event_disagreement(inventory: &EventInventory, event: &Event) -> Option<String> {
    for seat in (0..inventory.plan.seat_count()).map(SeatIndex) {
        let taken = inventory.seats.is_taken(&inventory.plan, seat);
        let status = event.seat_status(seat);
        if taken != (status != SeatStatus::Available) {
            return Some(format!("seat {seat} has bit {taken} and is {status:?} in the log"));
        }
    }
    if inventory.is_deleted() != event.is_deleted() || inventory.has_seats() == event.seats_removed
    {
        return Some("whether it or its seats are there differs".to_owned());
    }
    if inventory.ticket_types().count() != event.ticket_types.len() {
        return Some("there are more ticket types in one than in the other".to_owned());
    }
    let is_as_set = inventory.terms() == event.terms && inventory.standing() == event.standing;
    if !is_as_set {
        return Some("its terms differ".to_owned());
    }
    let (live, logged) = (inventory.tickets_of_users(), tickets_of_users(event));
    if live != logged {
        return Some(format!("tickets of users are {live:?}, in the log {logged:?}"));
    }
    for ((_, stock), ticket_type) in inventory.ticket_types().zip(&event.ticket_types) {
        if stock.price() != ticket_type.price {
            return Some(format!("{} costs {} or not", ticket_type.name, stock.price()));
        }
        if stock.peek() != ticket_type.available() {
            let (live, logged) = (stock.peek(), ticket_type.available());
            return Some(format!("{} {live} left, {logged} in the log", ticket_type.name));
        }
    }
    slot_disagreement(inventory, event)
}

fn tickets_of_users(event: &Event) -> BTreeMap<UserIndex, u32> {
    let mut counts = BTreeMap::new();
    for (_, order) in event.orders().filter(|(_, order)| order.is_live()) {
        if let Claim::Tickets(lines) = &order.claim {
            let quantity: u32 = lines.iter().map(|line| line.quantity).sum();
            *counts.entry(order.user).or_default() += quantity;
        }
    }
    counts
}

fn slot_disagreement(inventory: &EventInventory, event: &Event) -> Option<String> {
    let mut live: Vec<(HoldSlot, OrderNumber, Phase)> = (0..inventory.holds.used())
        .filter_map(|slot| {
            let state = inventory.holds.peek(HoldSlot(slot))?;
            Some((HoldSlot(slot), state.order(), state.phase()))
        })
        .filter(|(.., phase)| *phase != Phase::Free)
        .collect();
    let mut logged: Vec<(HoldSlot, OrderNumber, Phase)> = event
        .orders()
        .filter_map(|(number, order)| {
            let phase = match order.state {
                OrderState::Held => Phase::Held,
                OrderState::Paying => Phase::Paying,
                OrderState::AwaitingDeposit => Phase::AwaitingDeposit,
                OrderState::Paid => Phase::Paid,
                OrderState::Ended { .. } => return None,
            };
            Some((event.live_slot(number, order), number, phase))
        })
        .collect();
    live.sort_unstable_by_key(|&(slot, ..)| slot);
    logged.sort_unstable_by_key(|&(slot, ..)| slot);
    (live != logged).then(|| format!("live orders {live:?}, in the log {logged:?}"))
}

fn queue_disagreement(inventory: &EventInventory, queue: &Queue) -> Option<String> {
    let room = inventory.waiting_room.enter();
    if let Err(why) = room.line.check() {
        return Some(why);
    }
    let live = room.line.iter().map(|one| (one.place, one.user));
    if !live.eq(queue.waiting().map(|(place, user, _)| (place, user))) {
        let live: Vec<_> = room.line.iter().map(|one| (one.place, one.user)).collect();
        let logged: Vec<_> = queue.waiting().map(|(place, user, _)| (place, user)).collect();
        return Some(format!("the line is {live:?}, in the log {logged:?}"));
    }
    let numbers: [(Place, &[Place]); 2] =
        [(room.line.next_place(), room.line.front()), (queue.next_place(), queue.moved_up())];
    if numbers[0] != numbers[1] {
        return Some(format!("next place and those moved up are {numbers:?}"));
    }
    let mut live: Vec<UserIndex> = room.sessions.users().collect();
    live.sort_unstable();
    let logged: Vec<UserIndex> = queue.active().map(|(user, _)| user).collect();
    if live != logged {
        return Some(format!("{live:?} are in, in the log {logged:?}"));
    }
    let logged = room.logged_settings();
    (logged != queue.settings().copied())
        .then(|| format!("settings {logged:?}, in the log {:?}", queue.settings()))
}
