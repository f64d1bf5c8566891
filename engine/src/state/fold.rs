//! Record by record: what each fact changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::{
    Attempt, ChargeIndex, EventIndex, HoldSlot, Lsn, ReservationId, SeatIndex, UnixMillis,
    UserIndex,
};
use crate::inventory::layout::SeatPlan;
use crate::limits::{ORDERS_PER_EVENT_MAX, SEATS_PER_EVENT_MAX};
use crate::money::Purpose;
use crate::record::{
    CaptureOutcome, CaptureStarted, Claim, EventCreated, EventDetails, EventTerms, Held,
    IdempotencyKey, LayoutCreated, OrderRef, PartReturned, PaymentMethod, PaymentStarted, Record,
    TicketLine, UserRegistered,
};
use crate::state::event::{BLOCKED, Block, Event, TicketType};
use crate::state::order::{Order, OrderState, Payment, SeatStatus};
use crate::state::order_index::OrderClass;
use crate::state::people::Suspension;
use crate::state::sums::OrderSums;
use crate::state::{FoldError, Key, Layout, Queue, State, User};

impl State {
    /// Folds the next record in.
    ///
    /// # Errors
    /// `lsn` is not the next one, or the record cannot follow from what is known: the log is
    /// damaged or was not written by this engine. The state is then of no more use.
    pub fn apply(&mut self, lsn: Lsn, record: &Record) -> Result<(), FoldError> {
        if lsn != self.lsn.next() {
            let why = format!("expected record {}", self.lsn.next());
            return Err(FoldError { lsn, why });
        }
        self.lsn = lsn;
        self.fold(lsn, record).map_err(|why| FoldError { lsn, why })
    }

    fn fold(&mut self, lsn: Lsn, record: &Record) -> Result<(), String> {
        match record {
            Record::EpochStarted { epoch, at } => {
                if *epoch <= self.epoch {
                    return Err(format!("epoch {epoch} after epoch {}", self.epoch));
                }
                self.epoch = *epoch;
                self.seen(*at);
                Ok(())
            }
            Record::Held(held) => self.held(lsn, held),
            Record::PaymentStarted(started) => self.payment_started(lsn, started),
            Record::PaymentFailed { order, attempt, at } => {
                self.seen(*at);
                self.unpaid(*order, *attempt)
            }
            Record::Paid { order, attempt, at } => self.paid(lsn, *order, *attempt, *at),
            Record::OrderEnded { order, reason, at } => {
                self.seen(*at);
                self.ended(lsn, *order, OrderState::Ended { reason: *reason, at: *at })?;
                self.ledger.apply(record, lsn)
            }
            Record::SeatsBlocked { event, seats, reason, at } => {
                self.seen(*at);
                self.blocked(lsn, *event, seats, reason, *at)
            }
            Record::SeatsUnblocked { event, seats, at } => {
                self.seen(*at);
                self.unblocked(lsn, *event, seats)
            }
            Record::UserRegistered(user) => self.user_registered(user),
            Record::UserRoleChanged { user, role, at } => {
                self.seen(*at);
                let user = self.users.get_mut(user.position()).ok_or("no such user")?;
                user.role = *role;
                Ok(())
            }
            Record::LayoutCreated(layout) => self.layout_created(layout),
            Record::KeywordMapped(mapping) => {
                if !self.keywords.contains(mapping) {
                    self.keywords.push(mapping.as_ref().clone());
                }
                Ok(())
            }
            Record::EventCreated(event) => self.event_created(lsn, event),
            Record::EventEdited { event, details, at } => self.event_edited(*event, details, *at),
            Record::EventCancelled { event, at } => {
                self.seen(*at);
                let event = self.event_mut(*event)?;
                event.cancelled = true;
                event.updated_at = *at;
                event.inventory_lsn = lsn;
                Ok(())
            }
            Record::QueueJoined { event, user, place, at } => {
                self.queue_mut(*event, *at)?.join(*user, *place, *at)
            }
            Record::QueueAdmitted { event, user, place, at } => {
                self.queue_mut(*event, *at)?.admit(*user, *place, *at)
            }
            Record::QueueLeft { event, user, reason: _, at } => {
                self.queue_mut(*event, *at)?.leave(*user)
            }
            Record::QueueCleared { event, at } => {
                self.queue_mut(*event, *at)?.clear();
                Ok(())
            }
            Record::QueueClosed { event, at } => {
                self.queue_mut(*event, *at)?.close();
                Ok(())
            }
            Record::QueueChanged { event, settings, at } => {
                self.queue_mut(*event, *at)?.change(*settings);
                Ok(())
            }
            Record::QueueMovedUp { event, user, at } => self.queue_mut(*event, *at)?.move_up(*user),
            Record::QueueLanesSet { event, lanes, at } => {
                self.queue_mut(*event, *at)?.set_lanes(lanes)
            }
            Record::QueueLaneGiven { event, lane, users, at } => {
                self.queue_mut(*event, *at)?.give_lane(*lane, users)
            }
            Record::QueueLobbyOpened { event, seed, at } => {
                self.queue_mut(*event, *at)?.open_lobby(*seed, *at)
            }
            Record::QueueDrawn { event, beacon, at } => {
                self.queue_mut(*event, *at)?.draw(beacon, *at)
            }
            Record::ChargeOpened(opened) => {
                self.seen(opened.at);
                self.ledger.apply(record, lsn)
            }
            Record::CaptureStarted(started) => self.capture_started(lsn, record, started),
            Record::CaptureEnded { charge, outcome, at } => {
                self.capture_ended(lsn, record, *charge, outcome, *at)
            }
            Record::ProviderAnswered(answered) => {
                self.seen(answered.at);
                self.ledger.apply(record, lsn)
            }
            Record::SeatsReturned(returned) => {
                self.ledger.apply(record, lsn)?;
                let part = Claim::Seats(returned.seats);
                self.part_returned(lsn, returned.charge, &part, returned.at).map(drop)
            }
            Record::RefundAccountGiven(given) => {
                self.seen(given.at);
                self.ledger.apply(record, lsn)
            }
            Record::RefundEnded { at, .. } => {
                self.seen(*at);
                self.ledger.apply(record, lsn)
            }
            Record::EventDeleted { event, at, .. } => self.event_deleted(lsn, *event, *at),
            Record::SeatsRemoved { event, at, .. } => self.seats_removed(lsn, *event, *at),
            Record::SeatsGenerated { event, at, .. } => self.seats_generated(lsn, *event, *at),
            Record::TicketTypesAdded(added) => self.ticket_types_added(lsn, added),
            Record::TicketTypeEdited(edited) => self.ticket_type_edited(lsn, edited),
            Record::OrderConfirmed(confirmed) => self.order_confirmed(lsn, confirmed),
            Record::EventCategorised { event, category, at, .. } => {
                self.seen(*at);
                let event = self.event_mut(*event)?;
                event.category.clone_from(category);
                event.updated_at = *at;
                Ok(())
            }
            Record::CategoryRenamed(renamed) => {
                self.category_renamed(renamed);
                Ok(())
            }
            Record::NewsPosted(posted) => {
                self.seen(posted.at);
                self.news.posted(posted)
            }
            Record::NewsEdited(edited) => {
                self.seen(edited.at);
                self.news.edited(edited)
            }
            Record::NewsDeleted { news, by: _, at } => {
                self.seen(*at);
                self.news.deleted(*news)
            }
            Record::NewsViewed { views, at } => {
                self.seen(*at);
                self.news.viewed(views)
            }
            Record::UserSuspended { user, reason, by, at } => {
                self.seen(*at);
                self.suspended(*user, Suspension { reason: reason.clone(), by: *by, at: *at })
            }
            Record::UserRestored { user, by: _, at } => {
                self.seen(*at);
                let suspension = self.suspensions.remove(user);
                suspension.map(drop).ok_or_else(|| format!("user {user} is not suspended"))
            }
            Record::AdminActed(acted) => {
                self.seen(acted.at);
                self.audit.note(lsn, acted, None);
                Ok(())
            }
            Record::AdminMade(made) => {
                self.seen(made.acted.at);
                self.audit.note(lsn, &made.acted, Some(&made.made));
                Ok(())
            }
            Record::EventTermsSet(set) => self.event_terms_set(lsn, set),
            Record::PartReturned(returned) => {
                self.ledger.apply(record, lsn)?;
                let PartReturned { charge, part, by, key, at, .. } = returned.as_ref();
                let (order, slot) = self.part_returned(lsn, *charge, part, *at)?;
                let reservation = ReservationId { event: order.event, slot, order: order.number };
                self.remember_key(key.as_deref(), *by, reservation, lsn, *at);
                Ok(())
            }
            Record::PaymentFound(found) => {
                self.seen(found.at);
                self.ledger.apply(record, lsn)
            }
            Record::ReturnedElsewhere { at, .. }
            | Record::ReturnFailed { at, .. }
            | Record::Disputed { at, .. }
            | Record::ChargeForgotten { at, .. } => {
                self.seen(*at);
                self.ledger.apply(record, lsn)
            }
            Record::DayCompared(compared) => {
                self.seen(compared.at);
                self.ledger.apply(record, lsn)
            }
        }
    }

    fn held(&mut self, lsn: Lsn, held: &Held) -> Result<(), String> {
        self.seen(held.at);
        let user_orders =
            self.orders_by_user.get_mut(held.user.position()).ok_or("no such user")?;
        user_orders.push(held.order);
        let event = self.event_mut(held.order.event)?;
        event.inventory_lsn = lsn;
        let position = held.order.number.position();
        if held.order.number.0 > ORDERS_PER_EVENT_MAX
            || position > event.orders.len() + SEATS_PER_EVENT_MAX as usize
        {
            return Err(format!("order {} is out of range", held.order.number));
        }
        if event.orders.len() <= position {
            event.orders.resize(position + 1, None);
        }
        if event.orders[position].is_some() {
            return Err(format!("order {} was made before", held.order.number));
        }
        match &held.claim {
            Claim::Seats(seats) => {
                for &seat in seats.iter() {
                    event.own(seat, held.order.number.0 + 1, SeatStatus::Locked)?;
                }
            }
            Claim::Tickets(lines) => event.sell_tickets(lines)?,
        }
        let seq = self.order_index.push(held.order, OrderClass::Open);
        let order = Order {
            slot: held.slot,
            user: held.user,
            claim: held.claim.clone(),
            held_at: held.at,
            held_lsn: lsn,
            expires_at: held.expires_at,
            state: OrderState::Held,
            payment: None,
            seq,
        };
        let event = self.event_mut(held.order.event)?;
        let counted = event.as_counted(&order);
        event.sums.add(counted);
        event.orders[position] = Some(order);
        self.sales.add(counted);
        let reservation =
            ReservationId { event: held.order.event, slot: held.slot, order: held.order.number };
        self.remember_key(held.key.as_deref(), held.user, reservation, lsn, held.at);
        Ok(())
    }

    fn payment_started(&mut self, lsn: Lsn, started: &PaymentStarted) -> Result<(), String> {
        self.seen(started.at);
        let &PaymentStarted { order, attempt, method, at, .. } = started;
        let (user, slot) = self.paying(order, attempt, method, at)?;
        let reservation =
            ReservationId { event: started.order.event, slot, order: started.order.number };
        self.remember_key(started.key.as_deref(), user, reservation, lsn, started.at);
        Ok(())
    }

    fn capture_started(
        &mut self,
        lsn: Lsn,
        record: &Record,
        started: &CaptureStarted,
    ) -> Result<(), String> {
        self.seen(started.at);
        self.ledger.apply(record, lsn)?;
        let Some(order) = self.order_of(started.charge) else { return Ok(()) };
        self.paying(order, started.attempt, started.method, started.at).map(drop)
    }

    /// A held order is being paid from now on. Answers with whose it is, and its slot.
    fn paying(
        &mut self,
        order: OrderRef,
        attempt: Attempt,
        method: PaymentMethod,
        started_at: UnixMillis,
    ) -> Result<(UserIndex, HoldSlot), String> {
        self.change_live_order(order, |found| {
            if found.state != OrderState::Held {
                return Err(format!("order {} is not held", order.number));
            }
            found.state = OrderState::Paying;
            found.payment = Some(Payment { attempt, method, started_at, paid_at: None });
            Ok((found.user, found.slot))
        })
    }

    /// A payment ended without money: the order is held as before.
    fn unpaid(&mut self, order: OrderRef, attempt: Attempt) -> Result<(), String> {
        self.change_live_order(order, |found| {
            expect_payment(found, attempt)?;
            found.state = OrderState::Held;
            Ok(())
        })
    }

    /// A payment goes on as a deposit that is awaited.
    fn awaits_deposit(&mut self, order: OrderRef, attempt: Attempt) -> Result<(), String> {
        self.change_live_order(order, |found| {
            expect_payment(found, attempt)?;
            found.state = OrderState::AwaitingDeposit;
            Ok(())
        })
    }

    fn capture_ended(
        &mut self,
        lsn: Lsn,
        record: &Record,
        charge: ChargeIndex,
        outcome: &CaptureOutcome,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.seen(at);
        let known = self.ledger.charge(charge);
        // No order waits for a charge that was given up.
        let attempt = known.filter(|known| known.is_unresolved()).map(|known| known.attempt);
        self.ledger.apply(record, lsn)?;
        let (Some(attempt), Some(order)) = (attempt, self.order_of(charge)) else { return Ok(()) };
        match outcome {
            CaptureOutcome::Captured(_) => self.paid(lsn, order, attempt, at),
            CaptureOutcome::Failed => self.unpaid(order, attempt),
            CaptureOutcome::Awaiting(_) => self.awaits_deposit(order, attempt),
            CaptureOutcome::Reversed | CaptureOutcome::TakenBack => Ok(()),
        }
    }

    /// The order that a charge is for.
    fn order_of(&self, charge: ChargeIndex) -> Option<OrderRef> {
        match self.ledger.charge(charge)?.purpose {
            Purpose::Order(order) => Some(OrderRef { event: order.event, number: order.order }),
            Purpose::Points => None,
        }
    }

    fn paid(
        &mut self,
        lsn: Lsn,
        order: OrderRef,
        attempt: Attempt,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.seen(at);
        let claim = self.change_live_order(order, |found| {
            expect_payment(found, attempt)?;
            found.state = OrderState::Paid;
            found.payment = found.payment.map(|payment| Payment { paid_at: Some(at), ..payment });
            Ok(found.claim.clone())
        })?;
        if let Claim::Seats(seats) = claim {
            let event = self.event_mut(order.event)?;
            event.inventory_lsn = lsn;
            for &seat in seats.iter() {
                event.recount(seat, SeatStatus::Locked, SeatStatus::Reserved);
            }
        }
        Ok(())
    }

    fn ended(&mut self, lsn: Lsn, order: OrderRef, state: OrderState) -> Result<(), String> {
        let (claim, status) = self.change_live_order(order, |found| {
            if matches!(found.state, OrderState::Paying | OrderState::AwaitingDeposit) {
                return Err(format!("order {} ended while being paid", order.number));
            }
            let held = (found.claim.clone(), found.seat_status());
            found.state = state;
            Ok(held)
        })?;
        let event = self.event_mut(order.event)?;
        event.moved.remove(&order.number);
        event.inventory_lsn = lsn;
        match claim {
            Claim::Seats(seats) => {
                for &seat in seats.iter() {
                    event.disown(seat, order.number.0 + 1, status)?;
                }
            }
            Claim::Tickets(lines) => event.return_tickets(&lines),
        }
        Ok(())
    }

    /// Takes a part of what a paid order has. Answers with the order and its slot.
    fn part_returned(
        &mut self,
        lsn: Lsn,
        charge: ChargeIndex,
        part: &Claim,
        at: UnixMillis,
    ) -> Result<(OrderRef, HoldSlot), String> {
        self.seen(at);
        let order = self.order_of(charge).ok_or("a part goes back of points")?;
        let slot = self.change_live_order(order, |found| {
            let rest = match found.state {
                OrderState::Paid => found.claim.without(part),
                _ => None,
            };
            let rest = rest.ok_or_else(|| format!("not what order {} paid", order.number))?;
            found.claim = rest;
            Ok(found.slot)
        })?;
        let event = self.event_mut(order.event)?;
        event.inventory_lsn = lsn;
        *event.returned.entry(order.number).or_default() += part.count() as u32;
        match part {
            Claim::Seats(seats) => {
                for &seat in seats.iter() {
                    event.disown(seat, order.number.0 + 1, SeatStatus::Reserved)?;
                }
            }
            Claim::Tickets(lines) => event.return_tickets(lines),
        }
        Ok((order, slot))
    }

    fn blocked(
        &mut self,
        lsn: Lsn,
        event: EventIndex,
        seats: &[SeatIndex],
        reason: &str,
        at: UnixMillis,
    ) -> Result<(), String> {
        let event = self.event_mut(event)?;
        event.inventory_lsn = lsn;
        for &seat in seats {
            event.own(seat, BLOCKED, SeatStatus::Blocked)?;
        }
        event.blocks.push(Block { seats: seats.to_vec(), reason: reason.to_owned(), at });
        Ok(())
    }

    fn unblocked(
        &mut self,
        lsn: Lsn,
        event: EventIndex,
        seats: &[SeatIndex],
    ) -> Result<(), String> {
        let event = self.event_mut(event)?;
        event.inventory_lsn = lsn;
        for &seat in seats {
            event.disown(seat, BLOCKED, SeatStatus::Blocked)?;
        }
        for block in &mut event.blocks {
            block.seats.retain(|seat| !seats.contains(seat));
        }
        event.blocks.retain(|block| !block.seats.is_empty());
        Ok(())
    }

    fn user_registered(&mut self, user: &UserRegistered) -> Result<(), String> {
        self.seen(user.at);
        if user.user.index.position() != self.users.len() {
            return Err(format!("user {} after {} users", user.user.index, self.users.len()));
        }
        if self.by_email.insert(user.email.clone(), user.user.index).is_some() {
            return Err(format!("the address of user {} is taken", user.user.index));
        }
        self.orders_by_user.push(Vec::new());
        self.users.push(User {
            id: user.user,
            email: user.email.clone(),
            password_hash: user.password_hash.clone(),
            name: user.name.clone(),
            phone: user.phone.clone(),
            role: user.role,
            created_at: user.at,
        });
        Ok(())
    }

    fn layout_created(&mut self, layout: &LayoutCreated) -> Result<(), String> {
        self.seen(layout.at);
        if layout.layout.position() != self.layouts.len() {
            return Err(format!("layout {} after {}", layout.layout, self.layouts.len()));
        }
        self.layouts.push(Layout {
            name: layout.name.clone(),
            description: layout.description.clone(),
            sections: layout.sections.clone(),
            created_at: layout.at,
        });
        Ok(())
    }

    fn event_created(&mut self, lsn: Lsn, created: &EventCreated) -> Result<(), String> {
        self.seen(created.at);
        if created.event.position() != self.events.len() {
            return Err(format!("event {} after {}", created.event, self.events.len()));
        }
        let sections = self.sections_of(created.layout)?;
        let ticket_types = created.ticket_types.iter().map(|new| TicketType::new(new, created.at));
        let mut event = Event {
            details: created.details.clone(),
            layout: created.layout,
            ticket_types: ticket_types.collect(),
            rules: created.rules,
            created_by: created.created_by,
            created_at: created.at,
            updated_at: created.at,
            cancelled: false,
            orders: Vec::new(),
            blocks: Vec::new(),
            sections: Arc::default(),
            plan: Arc::new(SeatPlan::new(&[])),
            owners: Vec::new(),
            counts: Vec::new(),
            sums: OrderSums::default(),
            inventory_lsn: lsn,
            deleted: false,
            seats_removed: false,
            category: None,
            moved: BTreeMap::new(),
            terms: EventTerms::default(),
            standing: BTreeSet::new(),
            returned: BTreeMap::new(),
        };
        event.derive(sections)?;
        self.events.push(event);
        self.queues.push(Queue::default());
        Ok(())
    }

    fn event_edited(
        &mut self,
        event: EventIndex,
        details: &EventDetails,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.seen(at);
        let event = self.event_mut(event)?;
        event.details = details.clone();
        event.updated_at = at;
        Ok(())
    }

    pub(super) fn seen(&mut self, at: UnixMillis) {
        self.last_at = self.last_at.max(at);
    }

    fn remember_key(
        &mut self,
        key: Option<&IdempotencyKey>,
        user: UserIndex,
        reservation: ReservationId,
        lsn: Lsn,
        at: UnixMillis,
    ) {
        if let Some(&IdempotencyKey { key, content }) = key {
            self.remember(Key { user, key, content, reservation, lsn, at });
        }
    }

    pub(super) fn event_mut(&mut self, event: EventIndex) -> Result<&mut Event, String> {
        self.events.get_mut(event.position()).ok_or_else(|| format!("no event {event}"))
    }

    /// An event's queue, for a record of this instant.
    fn queue_mut(&mut self, event: EventIndex, at: UnixMillis) -> Result<&mut Queue, String> {
        self.seen(at);
        self.queues.get_mut(event.position()).ok_or_else(|| format!("no event {event}"))
    }

    /// Changes a live order, and whatever counts it.
    fn change_live_order<T>(
        &mut self,
        order: OrderRef,
        change: impl FnOnce(&mut Order) -> Result<T, String>,
    ) -> Result<T, String> {
        self.change_order(order, |found| match found.is_live() {
            true => change(found),
            false => Err(format!("order {} ended before", order.number)),
        })
    }

    /// Changes an order, and whatever counts it.
    pub(super) fn change_order<T>(
        &mut self,
        order: OrderRef,
        change: impl FnOnce(&mut Order) -> Result<T, String>,
    ) -> Result<T, String> {
        let OrderRef { event, number } = order;
        let event =
            self.events.get_mut(event.position()).ok_or_else(|| format!("no event {event}"))?;
        let place = event.orders.get_mut(number.position());
        let found = place.and_then(Option::take);
        let mut found = found.ok_or_else(|| format!("no order {number}"))?;
        let before = event.as_counted(&found);
        let done = change(&mut found)?;
        let after = event.as_counted(&found);
        self.order_index.set(found.seq, found.class());
        event.orders[number.position()] = Some(found);
        event.sums.remove(before);
        event.sums.add(after);
        self.sales.remove(before);
        self.sales.add(after);
        Ok(done)
    }

    fn suspended(&mut self, user: UserIndex, suspension: Suspension) -> Result<(), String> {
        if user.position() >= self.users.len() {
            return Err(format!("no user {user}"));
        }
        match self.suspensions.insert(user, suspension) {
            None => Ok(()),
            Some(_) => Err(format!("user {user} is suspended already")),
        }
    }
}

fn expect_payment(order: &Order, attempt: Attempt) -> Result<(), String> {
    let under_way = matches!(order.state, OrderState::Paying | OrderState::AwaitingDeposit)
        && order.payment.is_some_and(|payment| payment.attempt == attempt);
    match under_way {
        true => Ok(()),
        false => Err(format!("payment attempt {attempt} is not under way")),
    }
}

impl Event {
    pub(super) fn own(
        &mut self,
        seat: SeatIndex,
        owner: u32,
        status: SeatStatus,
    ) -> Result<(), String> {
        match self.owners.get_mut(seat.position()) {
            Some(free @ 0) => *free = owner,
            Some(_) => return Err(format!("seat {seat} has an owner already")),
            None => return Err(format!("no seat {seat}")),
        }
        self.recount(seat, SeatStatus::Available, status);
        Ok(())
    }

    fn disown(&mut self, seat: SeatIndex, owner: u32, status: SeatStatus) -> Result<(), String> {
        match self.owners.get_mut(seat.position()) {
            Some(found) if *found == owner => *found = 0,
            _ => return Err(format!("seat {seat} is not its owner's")),
        }
        self.recount(seat, status, SeatStatus::Available);
        Ok(())
    }

    pub(super) fn sell_tickets(&mut self, lines: &[TicketLine]) -> Result<(), String> {
        for line in lines {
            let ticket_type = self
                .ticket_types
                .get_mut(line.ticket_type.position())
                .ok_or_else(|| format!("no ticket type {}", line.ticket_type))?;
            if line.quantity > ticket_type.available() {
                return Err(format!("ticket type {} is oversold", line.ticket_type));
            }
            ticket_type.in_orders += line.quantity;
        }
        Ok(())
    }

    fn return_tickets(&mut self, lines: &[TicketLine]) {
        for line in lines {
            if let Some(found) = self.ticket_types.get_mut(line.ticket_type.position()) {
                found.in_orders -= line.quantity;
            }
        }
    }
}
