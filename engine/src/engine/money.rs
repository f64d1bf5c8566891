//! The commands about money: check, log, apply, all under the ledger's lock.
//!
//! The lock is taken before an order is stepped on. A command that has a step already may wait for it, as
//! none waits for a step under the lock: it answers that the order is busy. Providers are asked by the
//! caller, between two commands.

use parking_lot::MutexGuard;

use crate::command::Asked;
use crate::engine::booking::{begin_step, check_not_over, order_ref, refusal};
use crate::engine::restore::slot_claim;
use crate::engine::{AfterPayment, Engine, Once};
use crate::error::{CommandError, JournalUnavailable, MoneyRefusal, OrderRefusal};
use crate::idempotency::Known;
use crate::ids::{Attempt, ChargeIndex, Lsn, RefundIndex, ReservationId, UnixMillis, UserIndex};
use crate::inventory::EventInventory;
use crate::inventory::hold_table::{Phase, SlotOrder, SlotState};
use crate::journal::{Journal, Pending, Permit, Purpose as Room};
use crate::limits::{CHARGE_MAX, CHARGES_MAX, PAYMENT_KEY_BYTES_MAX, PROVIDER_CODE_BYTES_MAX};
use crate::money::{BankAccount, Charge, ChargeState, Ledger, Purpose, RefundState, Split};
use crate::record::{
    CaptureOutcome, CaptureStarted, ChargeOpened, Claim, DayCompared, DisputeState, PartReturned,
    PaymentFound, ProviderAnswered, ProviderName, Record, RefundAccountGiven, RefundOutcome,
};

type MoneyResult<T> = Result<Pending<T>, CommandError<MoneyRefusal>>;

/// A charge that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    /// Who pays.
    pub user: UserIndex,
    /// For what.
    pub purpose: Purpose,
    /// Who takes the card's part; [`ProviderName::None`] where points pay for all of it, or it costs
    /// nothing.
    pub provider: ProviderName,
    /// How much: for an order the server's own sum of it.
    pub amount: Split,
    /// Random.
    pub tag: u64,
}

/// What a provider is asked to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureIntent {
    /// The charge.
    pub charge: ChargeIndex,
    /// How much of it the provider takes.
    pub card: u64,
    /// The provider's name for the payment.
    pub payment_key: String,
}

impl<J: Journal> Engine<J> {
    /// Opens a charge, or finds the one that is open for the same order, provider and amounts. It
    /// holds nothing: an order that it is for may expire before it is captured.
    ///
    /// # Errors
    /// In this order: the amount is out of range, or nothing for points; the order is unknown, another user's, ended,
    /// expired, paid or being paid; not so many points; no more charges fit; journal unavailable.
    pub fn open_charge(&self, new: &NewCharge, now: UnixMillis) -> MoneyResult<ChargeIndex> {
        let &NewCharge { user, purpose, provider, amount, tag } = new;
        // An order may cost nothing: its sum is the server's own.
        let least = u64::from(purpose == Purpose::Points);
        let is_right = (least..=CHARGE_MAX).contains(&amount.total())
            && amount.total() == amount.card.wrapping_add(amount.points)
            && (provider == ProviderName::None) == (amount.card == 0)
            && (amount.points == 0 || purpose != Purpose::Points);
        if !is_right {
            return Err(MoneyRefusal::WrongAmount.into());
        }
        let mut ledger = self.ledger.lock();
        if let Purpose::Order(reservation) = purpose {
            self.check_payable(reservation, user, now)?;
            let same = |&&index: &&ChargeIndex| {
                ledger.charge(index).is_some_and(|charge| {
                    charge.state == ChargeState::Open
                        && (charge.amount, charge.provider) == (amount, provider)
                })
            };
            if let Some(&index) = ledger.of_order(order_ref(reservation)).iter().rev().find(same) {
                return Ok(Pending::new(index, ledger.lsn()));
            }
        }
        if amount.points > ledger.points(user) {
            return Err(MoneyRefusal::NotEnoughPoints { left: ledger.points(user) }.into());
        }
        if ledger.charge_count() >= CHARGES_MAX {
            return Err(MoneyRefusal::Full.into());
        }
        let permit = self.journal.reserve(Room::NewWork)?;
        // From here it must succeed.
        let charge = ChargeIndex(ledger.charge_count());
        let opened = ChargeOpened {
            charge,
            user,
            purpose,
            provider,
            amount,
            tag,
            payment_key: String::new(),
            at: now,
        };
        let lsn = self.log_money(&mut ledger, permit, Record::ChargeOpened(Box::new(opened)));
        Ok(Pending::new(charge, lsn))
    }

    /// Begins to capture a charge: writes the intent (I11), keeps its order from expiring (I4), and
    /// spends its points.
    ///
    /// # Errors
    /// In this order: no such charge, or another user's; captured, being captured or failed before;
    /// the payment key is out of range; not so many points; the order ended, expired, is paid, being
    /// paid or busy; journal unavailable.
    ///
    /// # Durability
    /// No provider may be called before the intent is durable.
    pub fn begin_capture(
        &self,
        charge: ChargeIndex,
        user: UserIndex,
        payment_key: &str,
        now: UnixMillis,
    ) -> MoneyResult<CaptureIntent> {
        let mut ledger = self.ledger.lock();
        let found = ledger.charge(charge).filter(|found| found.user == user);
        let found = found.ok_or(MoneyRefusal::UnknownCharge(charge))?;
        if found.state != ChargeState::Open {
            return Err(MoneyRefusal::NotOpen(charge, found.state).into());
        }
        if payment_key.len() > PAYMENT_KEY_BYTES_MAX
            || payment_key.is_empty() != (found.amount.card == 0)
        {
            return Err(MoneyRefusal::WrongPaymentKey.into());
        }
        if found.amount.points > ledger.points(user) {
            return Err(MoneyRefusal::NotEnoughPoints { left: ledger.points(user) }.into());
        }
        let (amount, purpose, method) = (found.amount, found.purpose, found.method());
        let begun = |attempt| {
            Record::CaptureStarted(Box::new(CaptureStarted {
                charge,
                attempt,
                method,
                payment_key: payment_key.to_owned(),
                at: now,
            }))
        };
        let intent =
            CaptureIntent { charge, card: amount.card, payment_key: payment_key.to_owned() };
        let lsn = match purpose {
            Purpose::Points => {
                let permit = self.journal.reserve(Room::Completion)?;
                // From here it must succeed.
                self.log_money(&mut ledger, permit, begun(Attempt(0)))
            }
            Purpose::Order(reservation) => {
                let inventory = self.check_payable(reservation, user, now)?;
                let permit = self.journal.reserve(Room::Completion)?;
                let step = begin_step(inventory, reservation, |state| state.phase() == Phase::Held)
                    .map_err(MoneyRefusal::Order)?;
                let Some(attempt) = step.next_attempt() else {
                    step.put_back();
                    let refusal = OrderRefusal::NoSuchAttempt(reservation.order);
                    return Err(MoneyRefusal::Order(refusal).into());
                };
                // From here it must succeed.
                let lsn = self.log_money(&mut ledger, permit, begun(attempt));
                step.settle_with(Phase::Paying, attempt);
                lsn
            }
        };
        Ok(Pending::new(intent, lsn))
    }

    /// Ends a capture with what the provider definitely said, or notes that a deposit is awaited. An
    /// order that waits for it is paid, held as before or, where its time is over, ended; what was
    /// captured for an order that does not wait any more goes back.
    ///
    /// # Errors
    /// No such charge, or not one of which that can be said; its order is busy: ask again; journal
    /// unavailable: ask again.
    pub fn end_capture(
        &self,
        charge: ChargeIndex,
        outcome: CaptureOutcome,
        now: UnixMillis,
    ) -> MoneyResult<AfterPayment> {
        let mut ledger = self.ledger.lock();
        let found = ledger.charge(charge).ok_or(MoneyRefusal::UnknownCharge(charge))?;
        let fits = match outcome {
            CaptureOutcome::Captured(_) => {
                let is_over = matches!(found.state, ChargeState::Failed | ChargeState::Reversed);
                found.is_unresolved() || is_over
            }
            CaptureOutcome::Awaiting(_) | CaptureOutcome::Failed => found.is_unresolved(),
            CaptureOutcome::Reversed | CaptureOutcome::TakenBack => {
                found.state == ChargeState::Captured
            }
        };
        if !fits {
            return Err(MoneyRefusal::NotOpen(charge, found.state).into());
        }
        let (attempt, is_unresolved) = (found.attempt, found.is_unresolved());
        let reservation = match found.purpose {
            Purpose::Order(reservation) => Some(reservation),
            Purpose::Points => None,
        };
        let ended = |outcome: &CaptureOutcome| Record::CaptureEnded {
            charge,
            outcome: outcome.clone(),
            at: now,
        };
        let permit = self.journal.reserve(Room::Completion)?;
        let Some((reservation, true)) = reservation.map(|order| (order, is_unresolved)) else {
            // No order waits for it.
            let lsn = self.log_money(&mut ledger, permit, ended(&outcome));
            drop(ledger);
            let after = match (outcome, reservation) {
                (CaptureOutcome::Captured(_), None) => AfterPayment::Paid,
                (CaptureOutcome::Awaiting(_), None) => AfterPayment::Awaiting,
                (CaptureOutcome::Reversed | CaptureOutcome::TakenBack, Some(reservation)) => {
                    return self.end_reversed(reservation, lsn, now);
                }
                // Points can be asked for again.
                (_, None) => AfterPayment::Held,
                (_, Some(_)) => AfterPayment::Expired,
            };
            return Ok(Pending::new(after, lsn));
        };
        let inventory = self
            .inventory(reservation.event)
            .ok_or(MoneyRefusal::Order(OrderRefusal::Unknown(reservation.order)))?;
        let under_way = |state: SlotState| {
            matches!(state.phase(), Phase::Paying | Phase::AwaitingDeposit)
                && state.attempt() == attempt
        };
        let step = begin_step(inventory, reservation, under_way).map_err(MoneyRefusal::Order)?;
        // From here it must succeed.
        let lsn = self.log_money(&mut ledger, permit, ended(&outcome));
        drop(ledger);
        let held = step.order();
        let (phase, after) = match outcome {
            CaptureOutcome::Captured(_) => (Phase::Paid, AfterPayment::Paid),
            CaptureOutcome::Awaiting(_) => (Phase::AwaitingDeposit, AfterPayment::Awaiting),
            _ => (Phase::Held, AfterPayment::Held),
        };
        step.settle(phase);
        if phase == Phase::Held {
            self.watch_deadline(inventory, reservation.slot, &held, held.expires_at);
        }
        if phase == Phase::AwaitingDeposit {
            return Ok(Pending::new(after, lsn));
        }
        let done = Pending::new(after, lsn);
        // What was captured in time counts, however late the answer came (domain.md 4).
        let overtaken = self.end_if_overtaken(inventory, reservation, &held, now);
        Ok(overtaken.unwrap_or(done))
    }

    /// An order whose deposit the bank took back is over.
    fn end_reversed(
        &self,
        reservation: ReservationId,
        lsn: Lsn,
        now: UnixMillis,
    ) -> MoneyResult<AfterPayment> {
        match self.cancel_order(reservation, None, now) {
            Ok(ended) => Ok(ended.map(|()| AfterPayment::Expired)),
            // Over already; what is to be said is said.
            Err(CommandError::Refused(_)) => Ok(Pending::new(AfterPayment::Expired, lsn)),
            Err(CommandError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }

    /// Notes what a provider was asked and said. Codes are cut at 64 bytes.
    ///
    /// # Errors
    /// No such charge; journal unavailable.
    pub fn note_answer(&self, mut answered: ProviderAnswered) -> MoneyResult<()> {
        let mut ledger = self.ledger.lock();
        if ledger.charge(answered.charge).is_none() {
            return Err(MoneyRefusal::UnknownCharge(answered.charge).into());
        }
        let end = answered.code.floor_char_boundary(PROVIDER_CODE_BYTES_MAX);
        answered.code.truncate(end);
        let permit = self.journal.reserve(Room::Completion)?;
        // From here it must succeed.
        let lsn = self.log_money(&mut ledger, permit, Record::ProviderAnswered(Box::new(answered)));
        Ok(Pending::new((), lsn))
    }

    /// Takes some seats or tickets of a paid order back, never all of them, and their money goes
    /// back: `won` by card as far as the card's part is kept, by points after that. Where the
    /// provider gave some of it back already, no more than what is kept. A key that came before finds
    /// the order as it is since.
    ///
    /// # Errors
    /// In this order: key reused; no such charge, or another user's where `is_own`; it paid no order,
    /// or is not captured; more than it ever was; the order ended or is busy; what is not part of it,
    /// or all of it; its provider gives no parts back; journal unavailable.
    pub fn return_part(
        &self,
        charge: ChargeIndex,
        part: &Claim,
        won: u64,
        is_own: bool,
        asked: Asked,
    ) -> MoneyResult<Once<ReservationId>> {
        let give_back = || self.return_part_now(charge, part, won, is_own, asked);
        let Some(key) = asked.key else {
            return Ok(give_back()?.map(Once::Done));
        };
        let remember = |done: &Pending<ReservationId>| (*done.peek(), done.lsn());
        match self.keys.once(asked.by, key, asked.at, |_| true, give_back, remember)? {
            Ok(done) => Ok(done.map(Once::Done)),
            Err(Known::Same(known)) => {
                Ok(Pending::new(Once::Repeated(known.reservation), known.lsn))
            }
            Err(Known::Reused) => Err(MoneyRefusal::KeyReused.into()),
        }
    }

    fn return_part_now(
        &self,
        charge: ChargeIndex,
        part: &Claim,
        won: u64,
        is_own: bool,
        asked: Asked,
    ) -> MoneyResult<ReservationId> {
        let mut ledger = self.ledger.lock();
        let found = ledger.charge(charge).filter(|found| !is_own || found.user == asked.by);
        let found = found.ok_or(MoneyRefusal::UnknownCharge(charge))?;
        let (Purpose::Order(reservation), ChargeState::Captured) = (found.purpose, found.state)
        else {
            return Err(MoneyRefusal::NotOpen(charge, found.state).into());
        };
        if won > found.amount.total() {
            return Err(MoneyRefusal::WrongAmount.into());
        }
        let kept = found.balance();
        let card = won.min(kept.card);
        let amount = Split { card, points: (won - card).min(kept.points) };
        let attempt = found.attempt;
        let inventory = self.inventory_of(reservation).map_err(MoneyRefusal::Order)?;
        let permit = self.journal.reserve(Room::Completion)?;
        let step = begin_step(inventory, reservation, |state| is_paid_with(state, attempt))
            .map_err(MoneyRefusal::Order)?;
        let SlotOrder { user, claim, .. } = step.order();
        let given = slot_claim(part);
        let rest = given.as_ref().and_then(|part| claim.without(part));
        let (Some(given), Some(rest)) = (given, rest) else {
            step.put_back();
            return Err(MoneyRefusal::NotPartOfIt(charge).into());
        };
        if ledger.refuses_parts(charge) {
            step.put_back();
            return Err(MoneyRefusal::NoParts(charge).into());
        }
        // From here it must succeed.
        let returned = PartReturned {
            charge,
            part: part.clone(),
            amount,
            by: asked.by,
            key: asked.key.map(Box::new),
            at: asked.at,
        };
        let lsn = self.log_money(&mut ledger, permit, Record::PartReturned(Box::new(returned)));
        drop(ledger);
        inventory.give_back(user, &given);
        step.settle_smaller(&rest);
        Ok(Pending::new(reservation, lsn))
    }

    /// Notes that the provider has a charge's money, or may have it, under another payment than its
    /// intent named.
    ///
    /// # Errors
    /// In this order: no such charge; it is not confirmed yet; the key is out of range; journal
    /// unavailable.
    pub fn find_payment(
        &self,
        charge: ChargeIndex,
        payment_key: &str,
        now: UnixMillis,
    ) -> MoneyResult<()> {
        let mut ledger = self.ledger.lock();
        let found = ledger.charge(charge).ok_or(MoneyRefusal::UnknownCharge(charge))?;
        if found.state == ChargeState::Open {
            return Err(MoneyRefusal::NotOpen(charge, found.state).into());
        }
        if payment_key.is_empty() || payment_key.len() > PAYMENT_KEY_BYTES_MAX {
            return Err(MoneyRefusal::WrongPaymentKey.into());
        }
        let permit = self.journal.reserve(Room::Completion)?;
        // From here it must succeed.
        let found = PaymentFound { charge, payment_key: payment_key.to_owned(), at: now };
        let lsn = self.log_money(&mut ledger, permit, Record::PaymentFound(Box::new(found)));
        Ok(Pending::new((), lsn))
    }

    /// Notes that the provider gave `card` won of a charge back without being asked. An order of
    /// which nothing is kept is the caller's to end.
    ///
    /// # Errors
    /// In this order: no such charge; it is not captured; nothing, or more than the provider can
    /// have of it; journal unavailable.
    pub fn note_returned(
        &self,
        charge: ChargeIndex,
        card: u64,
        now: UnixMillis,
    ) -> MoneyResult<()> {
        let mut ledger = self.ledger.lock();
        captured(&ledger, charge)?;
        if card == 0 || card > ledger.left_at_provider(charge) {
            return Err(MoneyRefusal::WrongAmount.into());
        }
        let permit = self.journal.reserve(Room::Completion)?;
        // From here it must succeed.
        let record = Record::ReturnedElsewhere { charge, card, at: now };
        let lsn = self.log_money(&mut ledger, permit, record);
        Ok(Pending::new((), lsn))
    }

    /// Notes that the provider has `card` won again that it had given back without being asked; they
    /// go back unless a paid order rests on the charge.
    ///
    /// # Errors
    /// In this order: no such charge; it is not captured; nothing, or more than went back elsewhere;
    /// journal unavailable; its order is busy: ask again.
    pub fn note_return_failed(
        &self,
        charge: ChargeIndex,
        card: u64,
        now: UnixMillis,
    ) -> MoneyResult<()> {
        let mut ledger = self.ledger.lock();
        let found = captured(&ledger, charge)?;
        if card == 0 || card > found.elsewhere() {
            return Err(MoneyRefusal::WrongAmount.into());
        }
        let (purpose, attempt) = (found.purpose, found.attempt);
        let permit = self.journal.reserve(Room::Completion)?;
        let (step, is_owed) = match purpose {
            Purpose::Points => (None, false),
            Purpose::Order(id) => {
                let inventory = self.inventory_of(id).map_err(MoneyRefusal::Order)?;
                match begin_step(inventory, id, |state| is_paid_with(state, attempt)) {
                    Ok(step) => (Some(step), false),
                    // Its end may be in the log already.
                    Err(busy @ OrderRefusal::Busy(_)) => {
                        return Err(MoneyRefusal::Order(busy).into());
                    }
                    Err(_) => (None, true),
                }
            }
        };
        // From here it must succeed.
        let record = Record::ReturnFailed { charge, card, is_owed, at: now };
        let lsn = self.log_money(&mut ledger, permit, record);
        if let Some(step) = step {
            step.put_back();
        }
        Ok(Pending::new((), lsn))
    }

    /// Notes how a dispute of a charge stands; one that is lost takes the amount back.
    ///
    /// # Errors
    /// In this order: no such charge; it is not captured, or the dispute stands like this already;
    /// journal unavailable.
    pub fn note_dispute(
        &self,
        charge: ChargeIndex,
        amount: u64,
        state: DisputeState,
        now: UnixMillis,
    ) -> MoneyResult<()> {
        let mut ledger = self.ledger.lock();
        let found = captured(&ledger, charge)?;
        let (known, amount) = (found.dispute, amount.min(found.amount.card));
        if known.is_some_and(|known| (known.amount, known.state) == (amount, state)) {
            return Err(MoneyRefusal::NotOpen(charge, ChargeState::Captured).into());
        }
        let permit = self.journal.reserve(Room::Completion)?;
        // From here it must succeed.
        let record = Record::Disputed { charge, amount, state, at: now };
        let lsn = self.log_money(&mut ledger, permit, record);
        Ok(Pending::new((), lsn))
    }

    /// Forgets charges that were opened at `before` or earlier and never confirmed, at most `max` of
    /// them. Answers with how many.
    ///
    /// # Errors
    /// The journal takes no record; nothing is lost, the next call forgets them.
    pub fn forget_charges(
        &self,
        before: UnixMillis,
        max: usize,
        now: UnixMillis,
    ) -> Result<usize, JournalUnavailable> {
        let mut ledger = self.ledger.lock();
        let is_old = |&charge: &ChargeIndex| {
            ledger.charge(charge).is_some_and(|charge| charge.opened_at <= before)
        };
        let old: Vec<ChargeIndex> = ledger.open().take_while(is_old).take(max).collect();
        for &charge in &old {
            let permit = self.journal.reserve(Room::Completion)?;
            self.log_money(&mut ledger, permit, Record::ChargeForgotten { charge, at: now });
        }
        Ok(old.len())
    }

    /// Notes that a provider's list of a day was compared with the books.
    ///
    /// # Errors
    /// Journal unavailable.
    pub fn note_compared(&self, compared: DayCompared) -> MoneyResult<()> {
        let mut ledger = self.ledger.lock();
        let permit = self.journal.reserve(Room::Completion)?;
        // From here it must succeed.
        let lsn = self.log_money(&mut ledger, permit, Record::DayCompared(Box::new(compared)));
        Ok(Pending::new((), lsn))
    }

    /// Notes where money goes back to that was paid into a virtual account; refunds that were refused
    /// are asked for again. `by` is the charge's user, or `None` for an administrator.
    ///
    /// # Errors
    /// In this order: no such charge, or another user's; it was not paid into an account, or the
    /// account cannot be one; journal unavailable.
    pub fn give_refund_account(
        &self,
        charge: ChargeIndex,
        account: BankAccount,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> MoneyResult<()> {
        let mut ledger = self.ledger.lock();
        let found = ledger.charge(charge).filter(|found| by.is_none_or(|user| user == found.user));
        let found = found.ok_or(MoneyRefusal::UnknownCharge(charge))?;
        if !found.came_by_transfer() || !account.is_plausible() {
            return Err(MoneyRefusal::WrongAccount(charge).into());
        }
        let permit = self.journal.reserve(Room::Completion)?;
        // From here it must succeed.
        let given = RefundAccountGiven { charge, account, at: now };
        let record = Record::RefundAccountGiven(Box::new(given));
        let lsn = self.log_money(&mut ledger, permit, record);
        Ok(Pending::new((), lsn))
    }

    /// Ends a refund with what the provider definitely said, has a refused one tried again, or notes
    /// that it was made by hand.
    ///
    /// # Errors
    /// No such refund, or not one of which that can be said; journal unavailable.
    pub fn end_refund(
        &self,
        refund: RefundIndex,
        outcome: RefundOutcome,
        now: UnixMillis,
    ) -> MoneyResult<()> {
        let mut ledger = self.ledger.lock();
        let found = ledger.refund(refund);
        let state = found.map(|found| found.state);
        let fits = match outcome {
            RefundOutcome::Refused => state == Some(RefundState::Due),
            RefundOutcome::Again => matches!(state, Some(RefundState::Refused { .. })),
            RefundOutcome::Done | RefundOutcome::ByHand => {
                matches!(state, Some(RefundState::Due | RefundState::Refused { .. }))
            }
            // One of which nothing is left was never asked for.
            RefundOutcome::Failed => found.is_some_and(|found| found.is_done() && found.card > 0),
        };
        if !fits {
            return Err(MoneyRefusal::NoSuchRefund(refund).into());
        }
        let permit = self.journal.reserve(Room::Completion)?;
        // From here it must succeed.
        let record = Record::RefundEnded { refund, outcome, at: now };
        let lsn = self.log_money(&mut ledger, permit, record);
        Ok(Pending::new((), lsn))
    }

    /// Logs the end of an order that was paid and has its money go back, in the ledger's order.
    pub(super) fn log_end_of_paid(&self, permit: Permit, record: Record) -> Lsn {
        self.log_money(&mut self.ledger.lock(), permit, record)
    }

    fn log_money(
        &self,
        ledger: &mut MutexGuard<'_, Ledger>,
        permit: Permit,
        record: Record,
    ) -> Lsn {
        let lsn = self.journal.append(permit, &record);
        // What a command checked the ledger takes; were it not so the fold would refuse the log.
        let applied = ledger.apply(&record, lsn);
        debug_assert!(applied.is_ok(), "{applied:?}");
        lsn
    }

    fn check_payable(
        &self,
        reservation: ReservationId,
        user: UserIndex,
        now: UnixMillis,
    ) -> Result<&EventInventory, MoneyRefusal> {
        let inventory = self.inventory_of(reservation).map_err(MoneyRefusal::Order)?;
        let terms =
            self.own_order(inventory, reservation, Some(user)).map_err(MoneyRefusal::Order)?;
        check_not_over(inventory, reservation, now).map_err(MoneyRefusal::Order)?;
        if terms.expires_at.is_some_and(|at| at <= now) {
            return Err(MoneyRefusal::Order(OrderRefusal::Expired(reservation.order)));
        }
        let state = inventory.holds.peek(inventory.moved.find(reservation).slot);
        match state.map(SlotState::phase) {
            Some(Phase::Held) => Ok(inventory),
            _ => Err(MoneyRefusal::Order(refusal(state, reservation.order))),
        }
    }
}

/// Whether an order is paid, and by this attempt: an earlier one may have been captured late.
fn is_paid_with(state: SlotState, attempt: Attempt) -> bool {
    state.phase() == Phase::Paid && state.attempt() == attempt
}

fn captured(ledger: &Ledger, charge: ChargeIndex) -> Result<&Charge, MoneyRefusal> {
    let found = ledger.charge(charge).ok_or(MoneyRefusal::UnknownCharge(charge))?;
    match found.state {
        ChargeState::Captured => Ok(found),
        state => Err(MoneyRefusal::NotOpen(charge, state)),
    }
}
