//! The life of an order, record by record.

use tiketi_engine::ids::{Attempt, EventIndex, UnixMillis};
use tiketi_engine::record::{
    Claim, EndReason, Held, IdempotencyKey, OrderRef, PaymentStarted, TicketLine,
};

use super::claims::{limits, take_seats, take_tickets};
use super::finding::Rule;
use super::model::{ClaimModel, EventModel, Life, OrderModel, Seat, order_name};
use super::terms::tickets_back;
use super::{Auditor, KEY_KEPT_MS, RACE_MS, SAME_CLICK_MS};

impl Auditor {
    pub(super) fn held(&mut self, held: &Held) {
        self.instant(held.at);
        let name = order_name(held.order.event, held.order.number.0);
        let mut found = Vec::new();
        if held.user.position() >= self.users.len() {
            found.push((Rule::UnknownThing, format!("{name} is for user {}, unknown", held.user)));
        }
        let lsn = self.lsn;
        let number = held.order.number.0;
        let Some(event) = self.events.get_mut(held.order.event.position()) else {
            found.push((Rule::UnknownThing, format!("{name} is for an unknown event")));
            return self.add(found);
        };
        if event.orders.contains_key(&number) {
            found.push((Rule::TwoOwners, format!("{name} was made before")));
            return self.add(found);
        }
        if let Some(other) = event.slots.insert(held.slot.0, number) {
            let text = format!("{name} is in slot {}, which order {other} has", held.slot);
            found.push((Rule::TwoOwners, text));
        }
        found.extend(sale_window(event, held, &name));
        if !event.window.is_open(held.at) && !was_open(event, held.at) {
            event.doubtful.push((lsn, number, held.at));
        }
        found.extend(limits(event, held, &name));
        let claim = ClaimModel::of(&held.claim);
        match &claim {
            ClaimModel::Seats(seats) => found.extend(take_seats(event, seats, number, &name)),
            ClaimModel::Tickets(_) => {
                found.extend(take_tickets(event, &claim, Some(held.at), &name));
            }
        }
        let order = OrderModel {
            slot: held.slot.0,
            user: held.user.0,
            claim,
            held_lsn: lsn,
            expires_at: held.expires_at,
            life: Life::Held,
            last_attempt: 0,
            was_paid: false,
            paid_by: None,
            changed_at: held.at,
            after_cancel: event.cancelled_at.is_some(),
        };
        event.orders.insert(number, order);
        if let Some(key) = held.key.as_deref() {
            found.extend(self.key_used(held.user.0, *key, held.order, held.at));
        }
        self.add(found);
    }

    pub(super) fn payment_started(&mut self, started: &PaymentStarted) {
        self.instant(started.at);
        let name = order_name(started.order.event, started.order.number.0);
        let mut found = self.payable(started);
        match self.order_mut(started.order) {
            None => found.push((Rule::UnknownThing, format!("{name} is to be paid, unknown"))),
            Some(order) => {
                if order.life != Life::Held {
                    let life = order.life.name();
                    found.push((Rule::OrderOfLife, format!("{name} is to be paid but is {life}")));
                }
                if order.expires_at.is_some_and(|deadline| deadline <= started.at) {
                    let text = format!("the payment of {name} began after its deadline");
                    found.push((Rule::Deadline, text));
                }
                if Some(started.attempt.0) != order.last_attempt.checked_add(1) {
                    let text = format!(
                        "attempt {} to pay {name} comes after attempt {}",
                        started.attempt, order.last_attempt
                    );
                    found.push((Rule::OrderOfLife, text));
                }
                order.last_attempt = started.attempt.0;
                order.changed_at = started.at;
                if order.life.is_live() {
                    order.life = Life::Paying;
                }
            }
        }
        self.add(found);
    }

    pub(super) fn payment_failed(&mut self, order: OrderRef, attempt: Attempt, at: UnixMillis) {
        self.instant(at);
        let name = order_name(order.event, order.number.0);
        let mut found = Vec::new();
        match self.order_mut(order) {
            None => found.push((Rule::UnknownThing, format!("{name} was not paid, unknown"))),
            Some(order) => {
                found.extend(under_way(order, attempt, &name));
                order.changed_at = at;
                if order.life.is_live() {
                    order.life = Life::Held;
                }
            }
        }
        self.add(found);
    }

    /// Its payment goes on as a deposit. `due_at` is given where it has to be before the event and
    /// the end of its sale.
    pub(super) fn deposit_awaited(
        &mut self,
        order: OrderRef,
        attempt: Attempt,
        due_at: Option<UnixMillis>,
        at: UnixMillis,
    ) {
        let name = order_name(order.event, order.number.0);
        let mut found = Vec::new();
        let event = self.events.get(order.event.position());
        let is_late = |event: &EventModel| due_at.is_some_and(|due| !event.is_before_it(due, at));
        if event.is_some_and(is_late) {
            let text = format!("the deposit of {name} is due after the sale or the event");
            found.push((Rule::Deadline, text));
        }
        match self.order_mut(order) {
            None => found.push((Rule::UnknownThing, format!("{name} awaits a deposit, unknown"))),
            Some(order) => {
                found.extend(under_way(order, attempt, &name));
                order.changed_at = at;
                if order.life.is_live() {
                    order.life = Life::AwaitingDeposit;
                }
            }
        }
        self.add(found);
    }

    pub(super) fn paid(&mut self, order: OrderRef, attempt: Attempt, at: UnixMillis) {
        self.instant(at);
        let name = order_name(order.event, order.number.0);
        let mut found = Vec::new();
        match self.order_mut(order) {
            None => found.push((Rule::SaleWithoutOrder, format!("{name} was paid, unknown"))),
            Some(order) if !order.life.is_live() => {
                found.push((Rule::SaleWithoutOrder, format!("{name} was paid after it ended")));
            }
            Some(order) => {
                found.extend(under_way(order, attempt, &name));
                order.life = Life::Paid;
                order.was_paid = true;
                order.paid_by = None;
                order.changed_at = at;
            }
        }
        self.add(found);
    }

    pub(super) fn order_ended(&mut self, order: OrderRef, reason: EndReason, at: UnixMillis) {
        self.instant(at);
        let number = order.number.0;
        let name = order_name(order.event, number);
        let mut found = Vec::new();
        let known = self.events.get_mut(order.event.position());
        let Some(event) = known.filter(|event| event.orders.contains_key(&number)) else {
            found.push((Rule::UnknownThing, format!("{name} ended, unknown")));
            return self.add(found);
        };
        found.extend(end(event, number, reason, at, &name));
        self.add(found);
    }

    /// A part of a paid order goes back, and of what was kept for it what the part cost.
    pub(super) fn part_given_back(
        &mut self,
        order: OrderRef,
        part: &Claim,
        (won, kept): (u64, u64),
        at: UnixMillis,
    ) {
        let name = order_name(order.event, order.number.0);
        let known = self.events.get_mut(order.event.position());
        let found = match known {
            Some(event) => {
                let part = ClaimModel::of(part);
                let price = event.amount(&part).min(kept);
                let mut found = give_back_part(event, order.number.0, &part, at, &name);
                if won != price {
                    let text = format!("{won} won go back for a part of {name} of {price} won");
                    found.push((Rule::Money, text));
                }
                found
            }
            None => vec![(Rule::UnknownThing, format!("{name} gives a part back, unknown"))],
        };
        self.add(found);
    }

    pub(super) fn order_mut(&mut self, order: OrderRef) -> Option<&mut OrderModel> {
        self.events.get_mut(order.event.position())?.orders.get_mut(&order.number.0)
    }

    /// The key of a new order, or of a part that goes back: it must not have done so before within
    /// a day (R14), nor made an order that stands within a moment where it is a click's.
    pub(super) fn key_used(
        &mut self,
        user: u32,
        key: IdempotencyKey,
        order: OrderRef,
        at: UnixMillis,
    ) -> Option<(Rule, String)> {
        let (is_click, key) = (key.is_of_content(), (user, key.key));
        while let Some(&(since, old)) = self.keys_by_age.front() {
            if since.plus(KEY_KEPT_MS) > at {
                break;
            }
            self.keys_by_age.pop_front();
            if self.keys.get(&old).is_some_and(|&(.., again)| again == since) {
                self.keys.remove(&old);
            }
        }
        self.keys_by_age.push_back((at, key));
        let (event, number, since) = self.keys.insert(key, (order.event, order.number.0, at))?;
        let first = self.events.get(event.position()).and_then(|event| event.orders.get(&number));
        let is_repeated = match is_click {
            true => {
                let is_overdue =
                    |first: &OrderModel| first.expires_at.is_some_and(|deadline| deadline <= at);
                let stands = |first: &OrderModel| match first.life {
                    Life::Held => !is_overdue(first),
                    life => life.is_live(),
                };
                first.is_some_and(stands) && at < since.plus(SAME_CLICK_MS)
            }
            // A hold that met the cancelling of its event was withdrawn, and its key with it.
            false => {
                let withdrawn = Some(Life::Ended(EndReason::EventCancelled));
                first.map(|first| first.life) != withdrawn
                    && at.plus(RACE_MS) < since.plus(KEY_KEPT_MS)
            }
        };
        is_repeated.then(|| {
            let text = format!(
                "{} uses the idempotency key of {}",
                order_name(order.event, order.number.0),
                order_name(event, number)
            );
            (Rule::Idempotency, text)
        })
    }

    pub(super) fn add(&mut self, found: Vec<(Rule, String)>) {
        for (rule, text) in found {
            self.find(rule, text);
        }
    }
}

fn under_way(order: &OrderModel, attempt: Attempt, name: &str) -> Option<(Rule, String)> {
    if !matches!(order.life, Life::Paying | Life::AwaitingDeposit) {
        let life = order.life.name();
        let text = format!("a payment of {name} ended, but it is {life}: none was started");
        return Some((Rule::OrderOfLife, text));
    }
    (order.last_attempt != attempt.0).then(|| {
        let text = format!(
            "attempt {attempt} to pay {name} ended while attempt {} was under way",
            order.last_attempt
        );
        (Rule::OrderOfLife, text)
    })
}

/// Whether a sale window of the past, replaced a moment before, was open.
fn was_open(event: &EventModel, at: UnixMillis) -> bool {
    event.past_windows.iter().any(|(window, until)| window.is_open(at) && at <= until.plus(RACE_MS))
}

/// Holds on a called-off event are a race only for a moment.
fn sale_window(event: &EventModel, held: &Held, name: &str) -> Option<(Rule, String)> {
    let cancelled_at = event.cancelled_at?;
    (cancelled_at.plus(RACE_MS) < held.at)
        .then(|| (Rule::NotOnSale, format!("{name} was made after its event was called off")))
}

fn end(
    event: &mut EventModel,
    number: u32,
    reason: EndReason,
    at: UnixMillis,
    name: &str,
) -> Vec<(Rule, String)> {
    let mut found = Vec::new();
    let cancelled = event.cancelled_at.is_some();
    let Some(order) = event.orders.get_mut(&number) else {
        return found;
    };
    match order.life {
        Life::Ended(_) => {
            found.push((Rule::OrderOfLife, format!("{name} ended twice")));
            return found;
        }
        Life::Paying | Life::AwaitingDeposit => {
            let text = format!("{name} ended while it was {}", order.life.name());
            found.push((Rule::OrderOfLife, text));
        }
        Life::Held | Life::Paid => {}
    }
    if reason == EndReason::Expired {
        if order.life == Life::Paid {
            found.push((Rule::OrderOfLife, format!("{name} expired although it is paid")));
        }
        match order.expires_at {
            None => found.push((Rule::Deadline, format!("{name} expired but has no deadline"))),
            Some(deadline) if at < deadline => {
                let early_ms = deadline.0 - at.0;
                let text = format!("{name} expired {early_ms} ms before its deadline");
                found.push((Rule::Deadline, text));
            }
            Some(_) => {}
        }
    }
    if reason == EndReason::EventCancelled && !cancelled {
        let text = format!("{name} ended with its event, which was not called off");
        found.push((Rule::OrderOfLife, text));
    }
    if order.after_cancel && reason != EndReason::EventCancelled {
        let text = format!("{name} was made on a called-off event and ended for another reason");
        found.push((Rule::NotOnSale, text));
    }
    order.life = Life::Ended(reason);
    order.changed_at = at;
    let (slot, user, quantity) = (order.slot, order.user, order.claim.quantity());
    // It stays with the order, which may be confirmed all the same.
    let claim = order.claim.clone();
    if event.slots.get(&slot) == Some(&number) {
        event.slots.remove(&slot);
    }
    if let Some(of_user) = event.by_user.get_mut(&user) {
        *of_user = of_user.saturating_sub(quantity);
    }
    tickets_back(event, user, &claim);
    match claim {
        ClaimModel::Seats(seats) => {
            for seat in seats {
                if let Err(why) = event.give_back(seat, Seat::Owned(number)) {
                    found.push((Rule::NotTheOwner, format!("{name} gives back a seat, but {why}")));
                }
            }
        }
        ClaimModel::Tickets(lines) => event.return_tickets(&lines),
    }
    found
}

fn give_back_part(
    event: &mut EventModel,
    number: u32,
    part: &ClaimModel,
    at: UnixMillis,
    name: &str,
) -> Vec<(Rule, String)> {
    let mut found = Vec::new();
    let Some(order) = event.orders.get_mut(&number) else {
        return vec![(Rule::UnknownThing, format!("{name} gives a part back, unknown"))];
    };
    if order.life != Life::Paid {
        let text = format!("{name} gives a part back, but is {}", order.life.name());
        found.push((Rule::OrderOfLife, text));
    }
    order.changed_at = at;
    let not_its_own = || (Rule::NotTheOwner, format!("{name} gives back what it does not have"));
    match (&mut order.claim, part) {
        (ClaimModel::Seats(own), ClaimModel::Seats(part)) => {
            own.retain(|seat| !part.contains(seat));
        }
        (ClaimModel::Tickets(own), ClaimModel::Tickets(part)) => {
            if !take_lines(own, part) {
                found.push(not_its_own());
            }
        }
        _ => found.push(not_its_own()),
    }
    if order.claim.quantity() == 0 {
        found.push((Rule::OrderOfLife, format!("{name} is paid and has nothing left")));
    }
    if part.quantity() == 0 {
        found.push((Rule::Malformed, format!("{name} gives nothing back")));
    }
    let user = order.user;
    if let Some(of_user) = event.by_user.get_mut(&user) {
        *of_user = of_user.saturating_sub(part.quantity());
    }
    tickets_back(event, user, part);
    match part {
        ClaimModel::Seats(seats) => {
            for &seat in seats {
                if let Err(why) = event.give_back(seat, Seat::Owned(number)) {
                    found.push((Rule::NotTheOwner, format!("{name} gives back a seat, but {why}")));
                }
            }
        }
        ClaimModel::Tickets(lines) => event.return_tickets(lines),
    }
    found
}

/// Takes tickets off those of an order; whether it had them, at these prices.
fn take_lines(own: &mut Vec<TicketLine>, part: &[TicketLine]) -> bool {
    let mut had_all = true;
    for taken in part {
        let same = |line: &&mut TicketLine| {
            (line.ticket_type, line.unit_price) == (taken.ticket_type, taken.unit_price)
        };
        match own.iter_mut().find(same) {
            Some(line) => {
                had_all &= line.quantity >= taken.quantity;
                line.quantity = line.quantity.saturating_sub(taken.quantity);
            }
            None => had_all = false,
        }
    }
    own.retain(|line| line.quantity > 0);
    had_all
}

/// Holds that no sale window explains, once it is known that none will.
pub(super) fn not_on_sale(event: EventIndex, number: u32) -> (Rule, String) {
    let name = order_name(event, number);
    (Rule::NotOnSale, format!("{name} was made outside the sale window"))
}
