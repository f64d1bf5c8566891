//! Holds, payments, ends: the life of an order.

use crate::command::{Asked, WantedSeats, WantedTickets};
use crate::engine::{AfterPayment, Engine, Hold, Once, PaymentIntent, PaymentOutcome};
use crate::error::{CommandError, HoldRefusal, JournalUnavailable, OrderRefusal};
use crate::idempotency::{Known, Remembered};
use crate::ids::{EventIndex, HoldSlot, Lsn, OrderNumber, ReservationId, UnixMillis, UserIndex};
use crate::inline_list::InlineList;
use crate::inventory::EventInventory;
use crate::inventory::best_available;
use crate::inventory::expiry::Deadline;
use crate::inventory::hold_table::{Phase, SlotClaim, SlotOrder, SlotState, Step, Terms};
use crate::inventory::stock::TicketStock;
use crate::journal::{Journal, Pending, Permit, Purpose};
use crate::limits::SAME_CLICK_MS;
use crate::record::{
    Claim, EndReason, Held, OrderRef, PaymentMethod, PaymentStarted, Record, TicketLine,
};

/// How often best-available chooses again after losing its choice to somebody else.
const BEST_AVAILABLE_TRIES: usize = 64;

type HoldResult = Result<Pending<Once<Hold>>, CommandError<HoldRefusal>>;

impl<J: Journal> Engine<J> {
    /// Claims seats for a user, all of them or none.
    ///
    /// # Errors
    /// In this order: key reused; event unknown or not on sale; a line for it, and the user was not
    /// let in; more seats than it allows; a seat it does not have; journal unavailable; the user's cap; seats taken.
    pub fn hold_seats(&self, event: EventIndex, wanted: &WantedSeats, asked: Asked) -> HoldResult {
        self.hold_once(asked, || {
            let inventory = self.open_for_holds(event, asked)?;
            let seats = wanted.seats();
            check_count(inventory, seats.len())?;
            if let Some(&seat) = seats.iter().find(|&&seat| !inventory.plan.contains(seat)) {
                return Err(HoldRefusal::UnknownSeat(seat).into());
            }
            match self.hold(inventory, SlotClaim::Seats(*seats), asked) {
                Err(CommandError::Refused(HoldRefusal::SeatsTaken(taken)))
                    if !inventory.has_seats() =>
                {
                    Err(HoldRefusal::UnknownSeat(taken[0]).into())
                }
                done => done,
            }
        })
    }

    /// Claims the best `count` free seats of one section, or of any where none is named.
    ///
    /// # Errors
    /// As [`Engine::hold_seats`], with [`HoldRefusal::UnknownSection`] and
    /// [`HoldRefusal::NotEnoughSeats`] in place of seats unknown and taken.
    pub fn hold_best(
        &self,
        event: EventIndex,
        section: Option<usize>,
        count: usize,
        asked: Asked,
    ) -> HoldResult {
        self.hold_once(asked, || {
            let inventory = self.open_for_holds(event, asked)?;
            check_count(inventory, count)?;
            let sections = match section {
                Some(section) if section >= inventory.plan.section_count() => {
                    return Err(HoldRefusal::UnknownSection.into());
                }
                Some(section) => section..section + 1,
                None => 0..inventory.plan.section_count(),
            };
            let bits = &inventory.seats;
            // Most of a crowd comes after the last seat: it is told so without a look at every row.
            if bits.is_full() {
                return Err(HoldRefusal::NotEnoughSeats.into());
            }
            for _ in 0..BEST_AVAILABLE_TRIES {
                let seats = best_available::choose(&inventory.plan, bits, sections.clone(), count)
                    .ok_or(HoldRefusal::NotEnoughSeats)?;
                match self.hold(inventory, SlotClaim::Seats(seats), asked) {
                    // Somebody took one of them since we looked.
                    Err(CommandError::Refused(HoldRefusal::SeatsTaken(_))) => {}
                    done => return done,
                }
            }
            Err(HoldRefusal::NotEnoughSeats.into())
        })
    }

    /// Claims tickets of types without seats, all of them or none. An unpaid order of them ends like one
    /// of seats, after the time that the event's terms or the server say.
    ///
    /// # Errors
    /// In this order: key reused; event unknown or not on sale; a line for it, and the user was not
    /// let in; a ticket type it does not have, or does not sell beside its seats; journal unavailable;
    /// the user's caps; out of stock.
    pub fn hold_tickets(
        &self,
        event: EventIndex,
        wanted: &WantedTickets,
        asked: Asked,
    ) -> HoldResult {
        self.hold_once(asked, || {
            let inventory = self.open_for_holds(event, asked)?;
            for &(ticket_type, _) in wanted.lines() {
                match inventory.stock(ticket_type) {
                    None => return Err(HoldRefusal::UnknownTicketType(ticket_type).into()),
                    Some(stock) if !inventory.sells(stock) => {
                        return Err(HoldRefusal::NotStanding(ticket_type).into());
                    }
                    Some(_) => {}
                }
            }
            let lines = InlineList::from_slice(wanted.lines()).ok_or(HoldRefusal::Empty)?;
            self.hold(inventory, SlotClaim::Tickets(lines), asked)
        })
    }

    /// Begins a payment: writes the intent (I11) and keeps the order from expiring (I4).
    ///
    /// # Errors
    /// In this order: key reused; order unknown or another user's; its event is over; it ended,
    /// expired, is paid, being paid or busy; journal unavailable.
    ///
    /// # Durability
    /// No provider may be called before the intent is durable.
    pub fn begin_payment(
        &self,
        reservation: ReservationId,
        method: PaymentMethod,
        asked: Asked,
    ) -> Result<Pending<Once<PaymentIntent>>, CommandError<OrderRefusal>> {
        let begin = || self.begin_payment_now(reservation, method, asked);
        let Some(key) = asked.key else {
            return Ok(begin()?.map(Once::Done));
        };
        let remember = |intent: &Pending<PaymentIntent>| (reservation, intent.lsn());
        match self.keys.once(asked.by, key, asked.at, |_| true, begin, remember)? {
            Ok(intent) => Ok(intent.map(Once::Done)),
            Err(Known::Same(known)) => {
                Ok(Pending::new(Once::Repeated(known.reservation), known.lsn))
            }
            Err(Known::Reused) => Err(OrderRefusal::KeyReused.into()),
        }
    }

    fn begin_payment_now(
        &self,
        reservation: ReservationId,
        method: PaymentMethod,
        asked: Asked,
    ) -> Result<Pending<PaymentIntent>, CommandError<OrderRefusal>> {
        let inventory = self.inventory_of(reservation)?;
        let order = self.own_order(inventory, reservation, Some(asked.by))?;
        check_not_over(inventory, reservation, asked.at)?;
        if order.expires_at.is_some_and(|at| at <= asked.at) {
            return Err(OrderRefusal::Expired(reservation.order).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        let step = begin_step(inventory, reservation, |state| state.phase() == Phase::Held)?;
        let Some(attempt) = step.next_attempt() else {
            step.put_back();
            return Err(OrderRefusal::NoSuchAttempt(reservation.order).into());
        };
        // From here it must succeed.
        let order = order_ref(reservation);
        let started =
            PaymentStarted { order, attempt, method, at: asked.at, key: asked.key.map(Box::new) };
        let lsn = self.journal.append(permit, &Record::PaymentStarted(started));
        step.settle_with(Phase::Paying, attempt);
        Ok(Pending::new(PaymentIntent { reservation, attempt }, lsn))
    }

    /// Ends a payment with what the provider definitely said.
    ///
    /// # Errors
    /// The order is unknown or this attempt is not under way; journal unavailable: ask again.
    pub fn finish_payment(
        &self,
        intent: PaymentIntent,
        outcome: PaymentOutcome,
        now: UnixMillis,
    ) -> Result<Pending<AfterPayment>, CommandError<OrderRefusal>> {
        let PaymentIntent { reservation, attempt } = intent;
        let inventory = self.inventory_of(reservation)?;
        let permit = self.journal.reserve(Purpose::Completion)?;
        let under_way =
            |state: SlotState| state.phase() == Phase::Paying && state.attempt() == attempt;
        let step = begin_step(inventory, reservation, under_way)
            .map_err(|_| OrderRefusal::NoSuchAttempt(reservation.order))?;
        // From here it must succeed.
        let order = order_ref(reservation);
        let held = step.order();
        let (record, phase, after) = match outcome {
            PaymentOutcome::Captured => {
                (Record::Paid { order, attempt, at: now }, Phase::Paid, AfterPayment::Paid)
            }
            PaymentOutcome::Declined => {
                (Record::PaymentFailed { order, attempt, at: now }, Phase::Held, AfterPayment::Held)
            }
        };
        let lsn = self.journal.append(permit, &record);
        step.settle(phase);
        if phase == Phase::Held {
            self.watch_deadline(inventory, reservation.slot, &held, held.expires_at);
        }
        let done = Pending::new(after, lsn);
        Ok(self.end_if_overtaken(inventory, reservation, &held, now).unwrap_or(done))
    }

    /// A payment that ends may find that the order's time is over or its event called off.
    pub(super) fn end_if_overtaken(
        &self,
        inventory: &EventInventory,
        reservation: ReservationId,
        held: &SlotOrder,
        now: UnixMillis,
    ) -> Option<Pending<AfterPayment>> {
        let (reason, after) = if inventory.cancelled_since() {
            (EndReason::EventCancelled, AfterPayment::EventCancelled)
        } else if held.expires_at.is_some_and(|at| at <= now) {
            (EndReason::Expired, AfterPayment::Expired)
        } else {
            return None;
        };
        let may_end = |state: SlotState| match reason {
            EndReason::Expired => state.phase() == Phase::Held,
            _ => matches!(state.phase(), Phase::Held | Phase::Paid),
        };
        // Where the journal has no room the sweeps end it a little later.
        let permit = self.journal.reserve(Purpose::Completion).ok()?;
        let step = begin_step(inventory, reservation, may_end).ok()?;
        let lsn = self.end(inventory, step, permit, reason, now);
        Some(Pending::new(after, lsn))
    }

    /// Cancels an order, paid or not. `by` is its user, or `None` for an administrator.
    ///
    /// # Errors
    /// In this order: order unknown, somebody else's, ended, being paid or busy, expired; journal
    /// unavailable.
    pub fn cancel_order(
        &self,
        reservation: ReservationId,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<OrderRefusal>> {
        let inventory = self.inventory_of(reservation)?;
        let order = self.own_order(inventory, reservation, by)?;
        let overdue = order.expires_at.is_some_and(|at| at <= now);
        let permit = self.journal.reserve(Purpose::Completion)?;
        let may_end = |state: SlotState| match state.phase() {
            Phase::Held => !overdue,
            phase => phase == Phase::Paid,
        };
        let step =
            begin_step(inventory, reservation, may_end).map_err(|refusal| match refusal {
                OrderRefusal::Ended(order) if overdue => OrderRefusal::Expired(order),
                other => other,
            })?;
        // From here it must succeed.
        let reason = match by {
            Some(_) => EndReason::CancelledByUser,
            None => EndReason::CancelledByAdmin,
        };
        let lsn = self.end(inventory, step, permit, reason, now);
        Ok(Pending::new((), lsn))
    }

    /// Ends up to `max` holds whose deadline is `now` or earlier, and answers with those it ended.
    ///
    /// # Errors
    /// The journal takes no record now; nothing is lost, the next call ends them.
    pub fn expire(
        &self,
        now: UnixMillis,
        max: usize,
    ) -> Result<Vec<ReservationId>, JournalUnavailable> {
        self.keys.forget_old(now);
        let due = self.expiry.take_due(now, max, |hold| self.awaits_deadline(hold));
        let mut expired = Vec::new();
        for (position, &hold) in due.iter().enumerate() {
            let Some(inventory) = self.inventory(hold.event) else {
                continue;
            };
            let permit = match self.journal.reserve(Purpose::Completion) {
                Ok(permit) => permit,
                Err(unavailable) => {
                    due[position..].iter().for_each(|&hold| self.watch_again(hold));
                    return Err(unavailable);
                }
            };
            match begin_step(inventory, hold, |state| state.phase() == Phase::Held) {
                Ok(step) => {
                    self.end(inventory, step, permit, EndReason::Expired, now);
                    expired.push(hold);
                }
                Err(OrderRefusal::Busy(_)) => self.watch_again(hold),
                // Somebody else ended it, or its payment will (I4).
                Err(_) => {}
            }
        }
        Ok(expired)
    }

    /// How many deadlines are watched; some may belong to holds that ended.
    pub fn deadlines_watched(&self) -> usize {
        self.expiry.len()
    }

    /// Carries on ending the orders of cancelled events. Answers with how many ended.
    pub fn close_cancelled(&self, now: UnixMillis) -> usize {
        let mut ended = 0;
        let events: Vec<EventIndex> = self.closing.lock().drain(..).collect();
        for event in events {
            let Some(inventory) = self.inventory(event) else {
                continue;
            };
            let pass = self.close_pass(inventory, now);
            ended += pass.ended;
            if pass.left > 0 {
                self.closing.lock().push_back(event);
            }
        }
        ended
    }

    /// One walk over a cancelled event's slots.
    pub(super) fn close_pass(&self, inventory: &EventInventory, now: UnixMillis) -> ClosePass {
        let mut pass = ClosePass { ended: 0, left: 0, last_lsn: None };
        for slot in (0..inventory.holds.used()).map(HoldSlot) {
            let Some(state) = inventory.holds.peek(slot) else {
                continue;
            };
            let reservation = ReservationId { event: inventory.event, slot, order: state.order() };
            match state.phase() {
                Phase::Free => {}
                // Its payment ends it (I4), or the command that is at work on it.
                Phase::Busy | Phase::Paying | Phase::AwaitingDeposit => pass.left += 1,
                Phase::Held | Phase::Paid => {
                    let may_end =
                        |state: SlotState| matches!(state.phase(), Phase::Held | Phase::Paid);
                    let ended = self.journal.reserve(Purpose::Completion).ok().and_then(|permit| {
                        let step = begin_step(inventory, reservation, may_end).ok()?;
                        Some(self.end(inventory, step, permit, EndReason::EventCancelled, now))
                    });
                    match ended {
                        Some(lsn) => {
                            pass.ended += 1;
                            pass.last_lsn = Some(lsn);
                        }
                        None => pass.left += 1,
                    }
                }
            }
        }
        pass
    }

    fn hold_once(
        &self,
        asked: Asked,
        hold: impl FnOnce() -> Result<Pending<Hold>, CommandError<HoldRefusal>>,
    ) -> HoldResult {
        let Some(key) = asked.key else {
            return Ok(hold()?.map(Once::Done));
        };
        let remember = |held: &Pending<Hold>| (held.peek().reservation, held.lsn());
        let counts =
            |known: &Remembered| !key.is_of_content() || self.is_same_click(known, asked.at);
        match self.keys.once(asked.by, key, asked.at, counts, hold, remember)? {
            Ok(held) => Ok(held.map(Once::Done)),
            Err(Known::Same(known)) => {
                Ok(Pending::new(Once::Repeated(known.reservation), known.lsn))
            }
            Err(Known::Reused) => Err(HoldRefusal::KeyReused.into()),
        }
    }

    /// Whether a request without a key repeats one of a moment ago, whose order still stands.
    fn is_same_click(&self, first: &Remembered, now: UnixMillis) -> bool {
        let id = first.reservation;
        let Some(inventory) = self.inventory(id.event) else { return false };
        let slot = inventory.moved.find(id).slot;
        let state = inventory.holds.peek(slot).filter(|state| state.is_live(id.order));
        let is_overdue = || {
            let terms = inventory.holds.terms(slot, id.order);
            terms.and_then(|terms| terms.expires_at).is_some_and(|at| at <= now)
        };
        let is_standing = state.is_some_and(|state| state.phase() != Phase::Held || !is_overdue());
        is_standing && now < first.at.plus(SAME_CLICK_MS)
    }

    fn open_for_holds(
        &self,
        event: EventIndex,
        asked: Asked,
    ) -> Result<&EventInventory, HoldRefusal> {
        let inventory = self.inventory(event).ok_or(HoldRefusal::UnknownEvent(event))?;
        if !inventory.is_on_sale(asked.at) {
            return Err(match inventory.is_deleted() {
                true => HoldRefusal::UnknownEvent(event),
                false => HoldRefusal::NotOnSale(event),
            });
        }
        self.check_admission(inventory, asked.by, asked.at)?;
        Ok(inventory)
    }

    fn hold(
        &self,
        inventory: &EventInventory,
        claim: SlotClaim,
        asked: Asked,
    ) -> Result<Pending<Hold>, CommandError<HoldRefusal>> {
        let permit = self.journal.reserve(Purpose::NewWork)?;
        let ttl_ms = inventory.hold_ttl_ms(&claim, &self.ticket_defaults);
        inventory.take(asked.by, &claim, &self.ticket_defaults)?;
        // From here it must succeed.
        let expires_at = ttl_ms.map(|ttl_ms| asked.at.plus(ttl_ms));
        let order = SlotOrder {
            order: inventory.holds.next_order_number(),
            user: asked.by,
            expires_at,
            claim,
        };
        let step = inventory.holds.claim(&order);
        let reservation =
            ReservationId { event: inventory.event, slot: step.index(), order: order.order };
        let held = Held {
            order: order_ref(reservation),
            slot: step.index(),
            user: asked.by,
            claim: priced(inventory, &claim),
            at: asked.at,
            expires_at,
            key: asked.key.map(Box::new),
        };
        let record = Record::Held(held);
        let lsn = self.journal.append(permit, &record);
        step.settle(Phase::Held);
        self.watch_deadline(inventory, reservation.slot, &order, expires_at);
        if inventory.cancelled_since() {
            return Err(self.withdraw(inventory, reservation, asked.at));
        }
        let Record::Held(held) = record else { unreachable!("built above") };
        let hold = Hold { reservation, claim: held.claim, held_at: asked.at, expires_at };
        Ok(Pending::new(hold, lsn))
    }

    /// Ends a hold that was made while its event was being called off, unless the canceller's walk
    /// came first (I4).
    fn withdraw(
        &self,
        inventory: &EventInventory,
        reservation: ReservationId,
        now: UnixMillis,
    ) -> CommandError<HoldRefusal> {
        let ended = self.journal.reserve(Purpose::Completion).ok().and_then(|permit| {
            let step = begin_step(inventory, reservation, |_| true).ok()?;
            Some(self.end(inventory, step, permit, EndReason::EventCancelled, now))
        });
        if ended.is_none() {
            self.closing.lock().push_back(inventory.event);
        }
        HoldRefusal::NotOnSale(inventory.event).into()
    }

    /// Logs the end of an order, then gives back what it held (I2), then frees its slot.
    fn end(
        &self,
        inventory: &EventInventory,
        step: Step<'_>,
        permit: Permit,
        reason: EndReason,
        now: UnixMillis,
    ) -> Lsn {
        let order = step.order();
        let number = OrderRef { event: inventory.event, number: order.order };
        let record = Record::OrderEnded { order: number, reason, at: now };
        let lsn = match step.phase_before() {
            Phase::Paid => self.log_end_of_paid(permit, record),
            _ => self.journal.append(permit, &record),
        };
        inventory.give_back(order.user, &order.claim);
        inventory.moved.remove(order.order);
        step.release(&inventory.holds);
        lsn
    }

    pub(super) fn inventory_of(
        &self,
        reservation: ReservationId,
    ) -> Result<&EventInventory, OrderRefusal> {
        self.inventory(reservation.event).ok_or(OrderRefusal::Unknown(reservation.order))
    }

    /// The live order, checked for its owner where `by` names one.
    pub(super) fn own_order(
        &self,
        inventory: &EventInventory,
        reservation: ReservationId,
        by: Option<UserIndex>,
    ) -> Result<Terms, OrderRefusal> {
        let reservation = inventory.moved.find(reservation);
        let Some(order) = inventory.holds.terms(reservation.slot, reservation.order) else {
            let state = inventory.holds.peek(reservation.slot);
            return Err(match refusal(state, reservation.order) {
                gone @ (OrderRefusal::Unknown(_) | OrderRefusal::Ended(_))
                    if !state.is_some_and(|state| state.is_live(reservation.order)) =>
                {
                    gone
                }
                // Its step has settled since: asking again finds it.
                _ => OrderRefusal::Busy(reservation.order),
            });
        };
        match by.is_some_and(|user| user != order.user) {
            true => Err(OrderRefusal::NotYours(reservation.order)),
            false => Ok(order),
        }
    }

    pub(super) fn watch_deadline(
        &self,
        inventory: &EventInventory,
        slot: HoldSlot,
        order: &SlotOrder,
        expires_at: Option<UnixMillis>,
    ) {
        let Some(at) = expires_at else { return };
        let hold = ReservationId { event: inventory.event, slot, order: order.order };
        let ttl_ms = inventory.hold_ttl_ms(&order.claim, &self.ticket_defaults);
        self.expiry.push(Deadline { at, ttl_ms: ttl_ms.unwrap_or_default(), hold });
    }

    /// Puts a due hold that could not be ended back in line.
    fn watch_again(&self, hold: ReservationId) {
        self.expiry.push(Deadline { at: UnixMillis(0), ttl_ms: 0, hold });
    }

    fn awaits_deadline(&self, hold: ReservationId) -> bool {
        let state = self.inventory(hold.event).and_then(|event| event.holds.peek(hold.slot));
        state.is_some_and(|state| {
            state.order() == hold.order && !matches!(state.phase(), Phase::Free | Phase::Paid)
        })
    }
}

/// What a walk over a cancelled event's slots did.
pub(super) struct ClosePass {
    /// Orders ended.
    pub(super) ended: usize,
    /// Orders still there.
    pub(super) left: usize,
    /// Where the last end is in the log.
    pub(super) last_lsn: Option<Lsn>,
}

/// Nothing is paid once the show has begun, however long the order is held.
pub(super) fn check_not_over(
    inventory: &EventInventory,
    reservation: ReservationId,
    now: UnixMillis,
) -> Result<(), OrderRefusal> {
    match inventory.has_begun(now) {
        true => Err(OrderRefusal::EventOver(reservation.order)),
        false => Ok(()),
    }
}

fn check_count(inventory: &EventInventory, seats: usize) -> Result<(), HoldRefusal> {
    let max = usize::from(inventory.rules.seats_per_reservation);
    match seats {
        0 => Err(HoldRefusal::Empty),
        seats if seats > max => Err(HoldRefusal::TooManySeats { max }),
        _ => Ok(()),
    }
}

pub(super) fn order_ref(reservation: ReservationId) -> OrderRef {
    OrderRef { event: reservation.event, number: reservation.order }
}

/// The claim as it is logged: tickets with the price of this moment.
fn priced(inventory: &EventInventory, claim: &SlotClaim) -> Claim {
    match claim {
        SlotClaim::Seats(seats) => Claim::Seats(*seats),
        SlotClaim::Tickets(lines) => Claim::Tickets(
            lines
                .iter()
                .map(|&(ticket_type, quantity)| TicketLine {
                    ticket_type,
                    quantity,
                    unit_price: inventory.stock(ticket_type).map_or(0, TicketStock::price),
                })
                .collect(),
        ),
    }
}

pub(super) fn begin_step(
    inventory: &EventInventory,
    reservation: ReservationId,
    allow: impl Fn(SlotState) -> bool,
) -> Result<Step<'_>, OrderRefusal> {
    let reservation = inventory.moved.find(reservation);
    inventory
        .holds
        .begin(reservation.slot, reservation.order, allow)
        .map_err(|state| refusal(state, reservation.order))
}

/// Why an order in this state was not stepped on.
pub(super) fn refusal(state: Option<SlotState>, order: OrderNumber) -> OrderRefusal {
    let Some(state) = state else {
        return OrderRefusal::Unknown(order);
    };
    if state.order() != order {
        // Slots are used again, orders are not: an earlier order of this slot has ended.
        return OrderRefusal::Ended(order);
    }
    match state.phase() {
        Phase::Free | Phase::Held => OrderRefusal::Ended(order),
        Phase::Busy => OrderRefusal::Busy(order),
        Phase::Paying => OrderRefusal::BeingPaid(order),
        Phase::AwaitingDeposit => OrderRefusal::AwaitsDeposit(order),
        Phase::Paid => OrderRefusal::AlreadyPaid(order),
    }
}
