//! From the fold to the structures that decide.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::accounts::Accounts;
use crate::append_vec::AppendVec;
use crate::engine::Engine;
use crate::engine::catalog::Layouts;
use crate::engine::news::Board;
use crate::engine::{Standing, TicketDefaults};
use crate::idempotency::{IdempotencyKeys, Remembered};
use crate::ids::{EventIndex, HoldSlot, OrderNumber, ReservationId, SeatIndex};
use crate::inline_list::InlineList;
use crate::inventory::expiry::{Deadline, ExpiryLines};
use crate::inventory::hold_table::{Phase, SlotClaim, SlotOrder};
use crate::inventory::layout::SeatPlan;
use crate::inventory::{EventInventory, TicketsForSale, TicketsOnSale};
use crate::journal::Journal;
use crate::record::Claim;
use crate::state::{Event, Order, OrderState, State, TicketType};
use crate::waiting_room::Room;

impl<J: Journal> Engine<J> {
    /// An engine that carries on where the log ends.
    ///
    /// Holds whose deadline passed meanwhile end with the next [`Engine::expire`], orders of
    /// cancelled events with the next [`Engine::close_cancelled`]. Payments under way are the
    /// caller's to resolve: the fold names them.
    ///
    /// # Errors
    /// The fold contradicts itself.
    pub fn from_state(state: &State, journal: J) -> Result<Engine<J>, String> {
        let engine = Engine {
            journal,
            accounts: Accounts::new(),
            layouts: Mutex::new(Layouts::default()),
            events: AppendVec::new(),
            expiry: ExpiryLines::default(),
            keys: IdempotencyKeys::default(),
            ledger: Mutex::new(state.ledger().clone()),
            news: Mutex::new(Board::of(state.news())),
            closing: Mutex::default(),
            queue_defaults: Mutex::default(),
            ticket_defaults: TicketDefaults::default(),
            rooms_in_use: Mutex::default(),
        };
        engine.restore_catalog(state);
        let mut deadlines = Vec::new();
        for (index, event) in state.events().iter().enumerate() {
            let event_index = EventIndex(index as u32);
            let room = engine.restore_room(event_index, state);
            let inventory = restore_event(event_index, event, room, &mut deadlines)
                .map_err(|why| format!("event {index}: {why}"))?;
            if inventory.is_cancelled() && event.orders().any(|(_, order)| order.is_live()) {
                engine.closing.lock().push_back(event_index);
            }
            engine.events.at(index as u32).get_or_init(|| Box::new(inventory));
        }
        deadlines.sort_unstable_by_key(|deadline| deadline.at);
        deadlines.into_iter().for_each(|deadline| engine.expiry.push(deadline));
        for key in state.keys() {
            let known = Remembered {
                content: key.content,
                reservation: key.reservation,
                lsn: key.lsn,
                at: key.at,
            };
            engine.keys.restore(key.user, key.key, known);
        }
        Ok(engine)
    }

    /// A waiting room with the people that the log knows in it. Who they are is known, when they
    /// were last seen is not: the restart counts as a sign of life.
    fn restore_room(&self, event: EventIndex, state: &State) -> Room {
        let defaults = *self.queue_defaults.lock();
        let mut room = Room::new(&defaults);
        if let Some(queue) = state.queues().get(event.position()) {
            room.restore(&defaults, queue.logged());
        }
        room.visited = room.is_in_use();
        if room.visited {
            self.rooms_in_use.lock().push(event);
        }
        room
    }

    fn restore_catalog(&self, state: &State) {
        let mut by_email = self.accounts.by_email.lock();
        for user in state.users() {
            self.accounts.publish(user.id, user.role);
            by_email.insert(user.email.as_str().into(), user.id.index);
            if state.suspension(user.id.index).is_some() {
                self.accounts.set(user.id.index, Standing { role: user.role, is_suspended: true });
            }
        }
        let mut layouts = self.layouts.lock();
        for layout in state.layouts() {
            layouts.names.insert(layout.name.clone());
            let plan = SeatPlan::new(&layout.sections);
            layouts.plans.push(Arc::new(plan));
        }
        layouts.event_count = state.events().len() as u32;
    }
}

fn restore_event(
    index: EventIndex,
    event: &Event,
    room: Room,
    deadlines: &mut Vec<Deadline>,
) -> Result<EventInventory, String> {
    let tickets = event.ticket_types.iter().map(on_sale);
    let plan = Arc::clone(event.plan());
    let inventory = EventInventory::new(index, plan, event.rules, &event.details, tickets, room);
    inventory.set_terms(event.terms, &event.standing);
    if event.cancelled {
        inventory.set_cancelled();
    }
    if event.is_deleted() {
        inventory.set_deleted();
    }
    for (number, order) in event.orders().filter(|(_, order)| order.is_live()) {
        let slot = event.live_slot(number, order);
        restore_order(&inventory, number, order, slot)?;
        if event.is_moved(number) {
            inventory.moved.insert(number, slot);
        }
        if let (Some(at), false) = (order.expires_at, order.state == OrderState::Paid) {
            let hold = ReservationId { event: index, slot, order: number };
            deadlines.push(Deadline { at, ttl_ms: at.0.saturating_sub(order.held_at.0), hold });
        }
    }
    inventory.holds.free_unused();
    inventory.holds.set_next_order(event.next_order());
    let blocked = event.blocks().iter().flat_map(|block| block.seats.iter().copied());
    for seat in blocked {
        let taken = inventory.seats.take_all(&inventory.plan, &[seat]);
        taken.map_err(|_| format!("blocked seat {seat} has an owner"))?;
        inventory.admin.lock().blocked.insert(seat);
    }
    if event.seats_removed {
        let all: Vec<SeatIndex> = (0..event.plan().seat_count()).map(SeatIndex).collect();
        let taken = inventory.seats.take_all(&inventory.plan, &all);
        taken.map_err(|_| "a seat that was taken away has an owner")?;
        inventory.set_seats_removed(&mut inventory.admin.lock(), true);
    }
    Ok(inventory)
}

/// Tickets of a type as they are on sale.
fn on_sale(found: &TicketType) -> TicketsOnSale {
    let all = TicketsForSale { total: found.total_quantity, sold_elsewhere: found.sold_elsewhere };
    TicketsOnSale { all, left: found.available(), price: found.price }
}

fn restore_order(
    inventory: &EventInventory,
    number: OrderNumber,
    order: &Order,
    slot: HoldSlot,
) -> Result<(), String> {
    let claim = slot_claim(&order.claim).ok_or("an order claims too much")?;
    if let SlotClaim::Seats(seats) = &claim {
        let taken = inventory.seats.take_all(&inventory.plan, seats);
        taken.map_err(|_| format!("a seat of order {number} has two owners"))?;
    }
    let reused = inventory.holds.peek(slot).is_some_and(|state| state.phase() != Phase::Free);
    if reused {
        return Err(format!("slot {slot} has two orders"));
    }
    inventory.restore_quota(order.user, &claim);
    let restored =
        SlotOrder { order: number, user: order.user, expires_at: order.expires_at, claim };
    let attempt = order.payment.map(|payment| payment.attempt).unwrap_or_default();
    let phase = match order.state {
        OrderState::Paying => Phase::Paying,
        OrderState::AwaitingDeposit => Phase::AwaitingDeposit,
        OrderState::Paid => Phase::Paid,
        OrderState::Held | OrderState::Ended { .. } => Phase::Held,
    };
    inventory.holds.restore(slot, &restored).settle_with(phase, attempt);
    Ok(())
}

/// A claim as a slot has it; `None` for one that claims too much.
pub(super) fn slot_claim(claim: &Claim) -> Option<SlotClaim> {
    match claim {
        Claim::Seats(seats) => Some(SlotClaim::Seats(*seats)),
        Claim::Tickets(lines) => {
            let lines: Vec<_> =
                lines.iter().map(|line| (line.ticket_type, line.quantity)).collect();
            Some(SlotClaim::Tickets(InlineList::from_slice(&lines)?))
        }
    }
}
