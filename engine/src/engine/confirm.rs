//! An administrator's word that an order is paid: for one that is held, and for one that had ended.

use parking_lot::MutexGuard;

use crate::engine::Engine;
use crate::engine::booking::{begin_step, order_ref};
use crate::engine::restore::slot_claim;
use crate::error::{CommandError, ConfirmRefusal, OrderRefusal};
use crate::ids::{HoldSlot, ReservationId, UnixMillis, UserIndex};
use crate::inventory::EventInventory;
use crate::inventory::hold_table::{Phase, SlotClaim, SlotOrder, SlotState};
use crate::journal::{Journal, Pending, Purpose};
use crate::money::{ChargeState, Ledger};
use crate::record::{Claim, OrderConfirmed, PaymentMethod, Record};

type ConfirmResult = Result<Pending<()>, CommandError<ConfirmRefusal>>;

/// An order to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// Which.
    pub reservation: ReservationId,
    /// How it counts as paid.
    pub method: PaymentMethod,
    /// Who confirms it; `None` for the server itself.
    pub by: Option<UserIndex>,
}

/// What the fold knows of an order that has ended: the engine forgets those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedOrder {
    /// Whose it was.
    pub user: UserIndex,
    /// What it had.
    pub claim: Claim,
    /// When it would have ended by itself.
    pub expires_at: Option<UnixMillis>,
}

impl<J: Journal> Engine<J> {
    /// Confirms an order that is held, without a payment; one whose time is over too, while it has
    /// its seats.
    ///
    /// # Errors
    /// In this order: the order is unknown; its event was called off; a provider has or had money for
    /// it; journal unavailable; the order ended, is paid, being paid or busy.
    pub fn confirm_held(&self, confirmation: Confirmation, now: UnixMillis) -> ConfirmResult {
        let Confirmation { reservation, .. } = confirmation;
        let inventory = self.confirmable(reservation)?;
        let ledger = self.without_money(reservation)?;
        let permit = self.journal.reserve(Purpose::Completion)?;
        let is_held = |state: SlotState| state.phase() == Phase::Held;
        let step = begin_step(inventory, reservation, is_held).map_err(ConfirmRefusal::Order)?;
        // From here it must succeed.
        let held = step.order();
        let lsn = self.journal.append(permit, &confirmed(confirmation, step.index(), now));
        step.settle(Phase::Paid);
        drop(ledger);
        match self.end_if_overtaken(inventory, reservation, &held, now) {
            Some(_) => Err(ConfirmRefusal::EventCancelled(reservation.event).into()),
            None => Ok(Pending::new((), lsn)),
        }
    }

    /// Confirms an order that had ended: it takes what it had again, in another slot
    /// than the one of its id.
    ///
    /// # Errors
    /// In this order: the order is unknown; its event was called off; it lives again already; a
    /// provider has or had money for it; journal unavailable; the user's caps, seats taken or out of
    /// stock.
    pub fn confirm_ended(
        &self,
        confirmation: Confirmation,
        ended: &EndedOrder,
        now: UnixMillis,
    ) -> ConfirmResult {
        let Confirmation { reservation, .. } = confirmation;
        let inventory = self.inventory_of(reservation).map_err(ConfirmRefusal::Order)?;
        // Two administrators make one order of it, and the event is not called off meanwhile.
        let _admin = inventory.admin.lock();
        self.confirmable(reservation)?;
        if inventory.moved.contains(reservation.order) {
            return Err(ConfirmRefusal::Order(OrderRefusal::AlreadyPaid(reservation.order)).into());
        }
        let claim = known_claim(inventory, &ended.claim)
            .ok_or(ConfirmRefusal::Order(OrderRefusal::Unknown(reservation.order)))?;
        let ledger = self.without_money(reservation)?;
        let permit = self.journal.reserve(Purpose::Completion)?;
        let taken = inventory.take(ended.user, &claim, &self.ticket_defaults);
        taken.map_err(ConfirmRefusal::NotToBeHad)?;
        // From here it must succeed.
        let &EndedOrder { user, expires_at, .. } = ended;
        let order = SlotOrder { order: reservation.order, user, expires_at, claim };
        let step = inventory.holds.claim(&order);
        inventory.moved.insert(reservation.order, step.index());
        let lsn = self.journal.append(permit, &confirmed(confirmation, step.index(), now));
        step.settle(Phase::Paid);
        drop(ledger);
        Ok(Pending::new((), lsn))
    }

    fn confirmable(&self, reservation: ReservationId) -> Result<&EventInventory, ConfirmRefusal> {
        let inventory = self.inventory_of(reservation)?;
        match inventory.is_cancelled() {
            true => Err(ConfirmRefusal::EventCancelled(reservation.event)),
            false => Ok(inventory),
        }
    }

    /// The ledger, where it has no money for the order and never had: what a provider was paid goes
    /// back by itself, and an order must not look paid by it meanwhile or afterwards.
    fn without_money(
        &self,
        reservation: ReservationId,
    ) -> Result<MutexGuard<'_, Ledger>, ConfirmRefusal> {
        let ledger = self.ledger.lock();
        let mut charges = ledger.of_order(order_ref(reservation)).iter();
        let has_money = charges.any(|&charge| {
            let state = ledger.charge(charge).map(|charge| charge.state);
            !matches!(state, Some(ChargeState::Open | ChargeState::Failed))
        });
        match has_money {
            true => Err(ConfirmRefusal::MoneyTaken(reservation.order)),
            false => Ok(ledger),
        }
    }
}

fn confirmed(confirmation: Confirmation, slot: HoldSlot, at: UnixMillis) -> Record {
    let Confirmation { reservation, method, by } = confirmation;
    let order = order_ref(reservation);
    Record::OrderConfirmed(Box::new(OrderConfirmed { order, slot, method, by, at }))
}

/// What an order had, where its event has such seats and tickets.
fn known_claim(inventory: &EventInventory, claim: &Claim) -> Option<SlotClaim> {
    let claim = slot_claim(claim)?;
    let is_known = match &claim {
        SlotClaim::Seats(seats) => seats.iter().all(|&seat| inventory.plan.contains(seat)),
        SlotClaim::Tickets(lines) => lines.iter().all(|line| inventory.stock(line.0).is_some()),
    };
    is_known.then_some(claim)
}
