//! All charges, refunds and accounts, and the records that change them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::ids::{ChargeIndex, Lsn, RefundIndex, UnixMillis, UserIndex};
use crate::money::charge::{
    Charge, ChargeState, Dispute, Elsewhere, Refund, RefundState, TrailLine,
};
use crate::money::points::{Account, PointsKind, signed};
use crate::record::{
    BankAccount, CaptureOutcome, CaptureStarted, Captured, ChargeOpened, DayCompared, DisputeState,
    OrderRef, PaymentFound, ProviderAnswered, ProviderName, Purpose, Record, RefundAccountGiven,
    RefundOutcome, Split,
};

/// The fold of all records about money.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredLedger")]
pub struct Ledger {
    /// By index; `None` for those that were never confirmed and are forgotten.
    charges: Vec<Option<Box<Charge>>>,
    /// By index.
    refunds: Vec<Refund>,
    accounts: BTreeMap<UserIndex, Account>,
    lsn: Lsn,
    /// Where money of these charges goes back to, kept until it has.
    refund_accounts: BTreeMap<ChargeIndex, BankAccount>,
    /// The last day of each provider that was compared.
    compared: BTreeMap<ProviderName, DayCompared>,

    /// Charges by order, oldest first.
    #[serde(skip)]
    by_order: BTreeMap<(u32, u32), Vec<ChargeIndex>>,
    /// Charges by the provider's name for their payment, oldest first: more than one where a buyer
    /// confirmed an order with the payment of another.
    #[serde(skip)]
    by_payment: BTreeMap<String, Vec<ChargeIndex>>,
    /// Charges that were asked for and not confirmed.
    #[serde(skip)]
    open: BTreeSet<ChargeIndex>,
    /// Charges that a provider has to be asked about.
    #[serde(skip)]
    unresolved: BTreeSet<ChargeIndex>,
    /// Charges whose dispute the bank has not decided.
    #[serde(skip)]
    disputed: BTreeSet<ChargeIndex>,
    /// Refunds that a provider has to be asked for.
    #[serde(skip)]
    due: BTreeSet<RefundIndex>,
    /// Refunds that a provider refused.
    #[serde(skip)]
    refused: BTreeSet<RefundIndex>,
    /// Refunds by charge, oldest first.
    #[serde(skip)]
    by_charge: BTreeMap<ChargeIndex, Vec<RefundIndex>>,
}

/// What a provider is to be asked to give back of a charge now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundCall {
    /// The charge.
    pub charge: ChargeIndex,
    /// The pieces that are done when the provider says yes, oldest first, never none.
    pub pieces: Vec<RefundIndex>,
    /// Won to give back: the sum of the pieces.
    pub amount: u64,
    /// Won that the provider has of the charge before it, as far as the books know.
    pub balance: u64,
}

/// The stored fields of a [`Ledger`], in its order.
#[derive(Deserialize)]
pub(super) struct StoredLedger {
    pub(super) charges: Vec<Option<Box<Charge>>>,
    pub(super) refunds: Vec<Refund>,
    pub(super) accounts: BTreeMap<UserIndex, Account>,
    pub(super) lsn: Lsn,
    pub(super) refund_accounts: BTreeMap<ChargeIndex, BankAccount>,
    pub(super) compared: BTreeMap<ProviderName, DayCompared>,
}

impl TryFrom<StoredLedger> for Ledger {
    type Error = String;

    fn try_from(stored: StoredLedger) -> Result<Ledger, String> {
        let StoredLedger { charges, refunds, accounts, lsn, refund_accounts, compared } = stored;
        let mut ledger = Ledger {
            charges,
            refunds,
            accounts,
            lsn,
            refund_accounts,
            compared,
            ..Ledger::default()
        };
        ledger.derive()?;
        Ok(ledger)
    }
}

impl Ledger {
    /// Fills what is derived from the stored fields.
    fn derive(&mut self) -> Result<(), String> {
        for (position, charge) in self.charges.iter().enumerate() {
            let index = ChargeIndex(position as u32);
            let Some(charge) = charge else { continue };
            if let Purpose::Order(order) = charge.purpose {
                let key = (order.event.0, order.order.0);
                self.by_order.entry(key).or_default().push(index);
            }
            if charge.state == ChargeState::Open {
                self.open.insert(index);
            } else {
                by_payment(&mut self.by_payment, &charge.payment_key, index);
            }
            if charge.is_unresolved() {
                self.unresolved.insert(index);
            }
            if charge.is_disputed() {
                self.disputed.insert(index);
            }
        }
        for (position, refund) in self.refunds.iter().enumerate() {
            let index = RefundIndex(position as u32);
            if self.charges.get(refund.charge.position()).is_none_or(Option::is_none) {
                return Err("a refund of no charge".to_owned());
            }
            self.by_charge.entry(refund.charge).or_default().push(index);
            match refund.state {
                RefundState::Due => drop(self.due.insert(index)),
                RefundState::Refused { .. } => drop(self.refused.insert(index)),
                RefundState::Done { .. } | RefundState::ByHand { .. } => {}
            }
        }
        Ok(())
    }

    /// How many charges were ever opened.
    #[must_use]
    pub fn charge_count(&self) -> u32 {
        self.charges.len() as u32
    }

    /// All charges that are not forgotten, oldest first.
    pub fn charges(&self) -> impl DoubleEndedIterator<Item = (ChargeIndex, &Charge)> + '_ {
        let all = self.charges.iter().enumerate();
        all.filter_map(|(at, charge)| Some((ChargeIndex(at as u32), charge.as_deref()?)))
    }

    /// A charge; `None` also for one that is forgotten.
    #[must_use]
    pub fn charge(&self, index: ChargeIndex) -> Option<&Charge> {
        self.charges.get(index.position())?.as_deref()
    }

    /// The charges of an order, oldest first.
    #[must_use]
    pub fn of_order(&self, order: OrderRef) -> &[ChargeIndex] {
        self.by_order.get(&(order.event.0, order.number.0)).map_or(&[], Vec::as_slice)
    }

    /// The charges of a provider's payment, oldest first.
    #[must_use]
    pub fn of_payment(&self, payment_key: &str) -> &[ChargeIndex] {
        self.by_payment.get(payment_key).map_or(&[], Vec::as_slice)
    }

    /// All refunds, by index.
    #[must_use]
    pub fn refunds(&self) -> &[Refund] {
        &self.refunds
    }

    /// A refund.
    #[must_use]
    pub fn refund(&self, index: RefundIndex) -> Option<&Refund> {
        self.refunds.get(index.position())
    }

    /// The refunds of a charge, oldest first.
    pub fn refunds_of(&self, charge: ChargeIndex) -> impl Iterator<Item = &Refund> {
        self.refund_indexes_of(charge).map(|index| &self.refunds[index.position()])
    }

    /// Their indexes.
    pub fn refund_indexes_of(&self, charge: ChargeIndex) -> impl Iterator<Item = RefundIndex> {
        self.by_charge.get(&charge).into_iter().flatten().copied()
    }

    /// Charges that were asked for and not confirmed, oldest first.
    pub fn open(&self) -> impl ExactSizeIterator<Item = ChargeIndex> + '_ {
        self.open.iter().copied()
    }

    /// Charges of which it is not known yet what becomes of them, oldest first.
    pub fn unresolved(&self) -> impl ExactSizeIterator<Item = ChargeIndex> + '_ {
        self.unresolved.iter().copied()
    }

    /// The same in a circle, for who looks at some of them at a time: from the one after `last` on,
    /// then those up to it.
    pub fn unresolved_after(&self, last: ChargeIndex) -> impl Iterator<Item = ChargeIndex> + '_ {
        let later = self.unresolved.range((Bound::Excluded(last), Bound::Unbounded));
        later.chain(self.unresolved.range(..=last)).copied()
    }

    /// How many of them await a deposit.
    #[must_use]
    pub fn deposits_awaited(&self) -> usize {
        let awaits = |index: &ChargeIndex| {
            self.charge(*index).is_some_and(|one| one.state == ChargeState::AwaitingDeposit)
        };
        self.unresolved.iter().filter(|index| awaits(index)).count()
    }

    /// Charges whose dispute the bank has not decided, oldest first.
    pub fn disputes(&self) -> impl ExactSizeIterator<Item = ChargeIndex> + '_ {
        self.disputed.iter().copied()
    }

    /// Refunds that the provider has to be asked for, oldest first.
    pub fn refunds_due(&self) -> impl ExactSizeIterator<Item = RefundIndex> + '_ {
        self.due.iter().copied()
    }

    /// Refunds that the provider refused, oldest first.
    pub fn refunds_refused(&self) -> impl ExactSizeIterator<Item = RefundIndex> + '_ {
        self.refused.iter().copied()
    }

    /// The last day of a provider that was compared.
    #[must_use]
    pub fn compared(&self, provider: ProviderName) -> Option<&DayCompared> {
        self.compared.get(&provider)
    }

    /// Where money of a charge is to go back to, if its buyer said so.
    #[must_use]
    pub fn refund_account(&self, charge: ChargeIndex) -> Option<&BankAccount> {
        self.refund_accounts.get(&charge)
    }

    /// Won that the provider has of a charge, as far as the books know: captured, and not gone back
    /// through it.
    #[must_use]
    pub fn left_at_provider(&self, index: ChargeIndex) -> u64 {
        let Some(charge) = self.charge(index) else { return 0 };
        if charge.state != ChargeState::Captured {
            return 0;
        }
        let done = self.refunds_of(index).filter(|refund| refund.is_done());
        let gone = charge.elsewhere() + done.map(|refund| refund.card).sum::<u64>();
        charge.amount.card.saturating_sub(gone)
    }

    /// What the provider is to be asked for of a charge, oldest piece first. Once all that is left
    /// is owed, one call for all of it takes the place of the pieces, also of those that the
    /// provider refused as parts. `None` where no piece is due, or a dispute is not decided.
    #[must_use]
    pub fn refund_call(&self, index: ChargeIndex) -> Option<RefundCall> {
        let charge = self.charge(index).filter(|charge| !charge.is_disputed())?;
        if charge.state != ChargeState::Captured {
            return None;
        }
        let owed = |index: &RefundIndex| self.refunds[index.position()].is_owed();
        let owed: Vec<RefundIndex> = self.refund_indexes_of(index).filter(owed).collect();
        let card = |index: &RefundIndex| self.refunds[index.position()].card;
        let first_due = owed.iter().copied().find(|index| self.due.contains(index))?;
        let balance = self.left_at_provider(index);
        let all: u64 = owed.iter().map(card).sum();
        let (pieces, amount) = match all == balance {
            true => (owed, all),
            false => (vec![first_due], card(&first_due)),
        };
        Some(RefundCall { charge: index, pieces, amount, balance })
    }

    /// Charges of which a provider is to be asked for a refund, by their oldest piece that is due.
    pub fn charges_with_refunds_due(&self) -> impl Iterator<Item = ChargeIndex> + '_ {
        self.refunds_due().filter_map(|index| {
            let charge = self.refunds[index.position()].charge;
            let mut of_charge = self.refund_indexes_of(charge);
            let is_first = of_charge.find(|other| self.due.contains(other)) == Some(index);
            // What the bank took back is not there to be given back.
            let has_money = self.charge(charge).is_some_and(|charge| {
                charge.state == ChargeState::Captured && !charge.is_disputed()
            });
            (is_first && has_money).then_some(charge)
        })
    }

    /// An account's points; `None` where it never had any.
    #[must_use]
    pub fn account(&self, user: UserIndex) -> Option<&Account> {
        self.accounts.get(&user)
    }

    /// All accounts that ever had points.
    pub fn accounts(&self) -> impl Iterator<Item = (UserIndex, &Account)> + '_ {
        self.accounts.iter().map(|(&user, account)| (user, account))
    }

    /// What an account can spend.
    #[must_use]
    pub fn points(&self, user: UserIndex) -> u64 {
        self.accounts.get(&user).map_or(0, |account| account.balance)
    }

    /// The charge whose money an order rests on.
    #[must_use]
    pub fn paying(&self, order: OrderRef) -> Option<ChargeIndex> {
        let of_order = self.of_order(order).iter().copied();
        of_order.rev().find(|&index| {
            self.charge(index).is_some_and(|charge| {
                charge.state == ChargeState::Captured || charge.is_unresolved()
            })
        })
    }

    /// The last record that changed it.
    pub(crate) fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// Changes the ledger by a record; one that is not about money changes nothing.
    ///
    /// # Errors
    /// It does not follow from the records before it.
    pub(crate) fn apply(&mut self, record: &Record, lsn: Lsn) -> Result<(), String> {
        match record {
            Record::ChargeOpened(opened) => self.opened(opened)?,
            Record::CaptureStarted(started) => self.capture_started(started)?,
            Record::CaptureEnded { charge, outcome, at } => {
                self.capture_ended(*charge, outcome, *at)?;
            }
            Record::ProviderAnswered(answered) => self.answered(answered)?,
            Record::SeatsReturned(returned) => {
                self.give_back(returned.charge, returned.amount, returned.at)?;
            }
            Record::PartReturned(returned) => {
                self.give_back(returned.charge, returned.amount, returned.at)?;
            }
            Record::RefundEnded { refund, outcome, at } => {
                self.refund_ended(*refund, *outcome, *at)?;
            }
            Record::RefundAccountGiven(given) => self.refund_account_given(given)?,
            Record::OrderEnded { order, at, .. } => {
                if !self.order_ended(*order, *at)? {
                    return Ok(());
                }
            }
            Record::PaymentFound(found) => self.payment_found(found)?,
            Record::ReturnedElsewhere { charge, card, at } => {
                self.returned_elsewhere(*charge, *card, *at)?;
            }
            Record::ReturnFailed { charge, card, is_owed, at } => {
                self.return_failed(*charge, *card, *is_owed, *at)?;
            }
            Record::Disputed { charge, amount, state, at } => {
                self.disputed(*charge, Dispute { amount: *amount, state: *state, at: *at })?;
            }
            Record::ChargeForgotten { charge, .. } => self.forgotten(*charge)?,
            Record::DayCompared(compared) => {
                let last = self.compared.entry(compared.provider).or_insert(**compared);
                if last.day <= compared.day {
                    *last = **compared;
                }
            }
            _ => return Ok(()),
        }
        self.lsn = lsn;
        Ok(())
    }

    fn charge_mut(&mut self, index: ChargeIndex) -> Result<&mut Charge, String> {
        let charge = self.charges.get_mut(index.position()).and_then(Option::as_deref_mut);
        charge.ok_or_else(|| format!("no charge {index}"))
    }

    fn opened(&mut self, opened: &ChargeOpened) -> Result<(), String> {
        let index = ChargeIndex(self.charges.len() as u32);
        if opened.charge != index {
            return Err(format!("charge {} comes after {index}", opened.charge));
        }
        if let Purpose::Order(order) = opened.purpose {
            self.by_order.entry((order.event.0, order.order.0)).or_default().push(index);
        }
        self.open.insert(index);
        self.charges.push(Some(Box::new(Charge {
            user: opened.user,
            purpose: opened.purpose,
            provider: opened.provider,
            amount: opened.amount,
            tag: opened.tag,
            opened_at: opened.at,
            started_at: None,
            state: ChargeState::Open,
            payment_key: opened.payment_key.clone(),
            attempt: Default::default(),
            deposit: None,
            captured: None,
            returned: Split::default(),
            trail: Vec::new(),
            elsewhere: Vec::new(),
            dispute: None,
        })));
        Ok(())
    }

    /// The points are spent with the intent, so that nothing else can spend them meanwhile.
    fn capture_started(&mut self, started: &CaptureStarted) -> Result<(), String> {
        let index = started.charge;
        let charge = self.charge_mut(index)?;
        if charge.state != ChargeState::Open {
            return Err(format!("charge {index} is not open"));
        }
        charge.started_at = Some(started.at);
        charge.state = ChargeState::Capturing;
        charge.attempt = started.attempt;
        charge.payment_key.clone_from(&started.payment_key);
        let (user, points) = (charge.user, charge.amount.points);
        if points > 0 {
            let account = self.accounts.entry(user).or_default();
            account.change(PointsKind::Use, -signed(points)?, index, started.at)?;
        }
        by_payment(&mut self.by_payment, &started.payment_key, index);
        self.open.remove(&index);
        self.unresolved.insert(index);
        Ok(())
    }

    /// What became of a capture. An order waits for it from the intent on until it has failed; what
    /// turns out later to have been captured all the same goes back.
    fn capture_ended(
        &mut self,
        index: ChargeIndex,
        outcome: &CaptureOutcome,
        at: UnixMillis,
    ) -> Result<(), String> {
        match outcome {
            CaptureOutcome::Captured(captured) => self.captured(index, captured, at),
            CaptureOutcome::Awaiting(deposit) => {
                let charge = self.charge_mut(index)?;
                if !charge.is_unresolved() {
                    return Err(format!("charge {index} is not being captured"));
                }
                charge.state = ChargeState::AwaitingDeposit;
                charge.deposit = Some((**deposit).clone());
                Ok(())
            }
            CaptureOutcome::Failed => self.capture_failed(index, at),
            CaptureOutcome::Reversed => self.reversed(index, at, false),
            CaptureOutcome::TakenBack => self.reversed(index, at, true),
        }
    }

    fn captured(
        &mut self,
        index: ChargeIndex,
        captured: &Captured,
        at: UnixMillis,
    ) -> Result<(), String> {
        let charge = self.charge_mut(index)?;
        // A charge that was given up may turn out to have been paid all the same, and one that
        // was taken back may be paid again.
        let was_over = match charge.state {
            ChargeState::Capturing | ChargeState::AwaitingDeposit => false,
            ChargeState::Failed | ChargeState::Reversed => true,
            _ => return Err(format!("charge {index} is not being captured")),
        };
        charge.state = ChargeState::Captured;
        charge.captured = Some(captured.clone());
        if was_over {
            // Its points went back when it ended.
            charge.returned.points = charge.amount.points;
        }
        // What went back of it elsewhere before the bank took it counts until it has failed.
        let (user, purpose, card) = (charge.user, charge.purpose, charge.balance().card);
        self.unresolved.remove(&index);
        match purpose {
            Purpose::Order(_) if was_over => self.give_back_all(index, at),
            Purpose::Order(_) => Ok(()),
            Purpose::Points => {
                let account = self.accounts.entry(user).or_default();
                account.credit(PointsKind::Charge, card, index, at)
            }
        }
    }

    fn capture_failed(&mut self, index: ChargeIndex, at: UnixMillis) -> Result<(), String> {
        let charge = self.charge_mut(index)?;
        if !charge.is_unresolved() {
            return Err(format!("charge {index} is not being captured"));
        }
        charge.state = ChargeState::Failed;
        let (user, points) = (charge.user, charge.amount.points);
        self.unresolved.remove(&index);
        if points > 0 {
            let account = self.accounts.entry(user).or_default();
            account.credit(PointsKind::Cancel, points, index, at)?;
        }
        Ok(())
    }

    /// The bank took the money back. `keeps_debt` is how it is done: earlier versions forgot points
    /// that were spent already, and went on owing what there was no money for any more.
    fn reversed(
        &mut self,
        index: ChargeIndex,
        at: UnixMillis,
        keeps_debt: bool,
    ) -> Result<(), String> {
        let kept = self.charge(index).map_or(0, |charge| charge.balance().card);
        let charge = self.charge_mut(index)?;
        if charge.state != ChargeState::Captured {
            return Err(format!("charge {index} was not captured"));
        }
        charge.state = ChargeState::Reversed;
        let (user, card) = (charge.user, charge.amount.card);
        let points = charge.amount.points - charge.returned.points;
        charge.returned.points = charge.amount.points;
        let purpose = charge.purpose;
        if keeps_debt {
            let owed = self.owed(index);
            self.owe_less(index, owed, at);
        }
        match purpose {
            Purpose::Points => {
                let account = self.accounts.entry(user).or_default();
                match keeps_debt {
                    true => account.take_back(kept, index, at),
                    false => {
                        let back = signed(card.min(account.balance))?;
                        account.change(PointsKind::Cancel, -back, index, at)
                    }
                }
            }
            Purpose::Order(_) if points > 0 => {
                let account = self.accounts.entry(user).or_default();
                account.credit(PointsKind::Refund, points, index, at)
            }
            Purpose::Order(_) => Ok(()),
        }
    }

    fn payment_found(&mut self, found: &PaymentFound) -> Result<(), String> {
        let charge = self.charge_mut(found.charge)?;
        if charge.state == ChargeState::Open {
            return Err(format!("charge {} has no payment yet", found.charge));
        }
        let former = std::mem::replace(&mut charge.payment_key, found.payment_key.clone());
        // A snapshot has one key of each charge: the index of what is restored from it is the same.
        if let Some(charges) = self.by_payment.get_mut(&former) {
            charges.retain(|&other| other != found.charge);
            if charges.is_empty() {
                self.by_payment.remove(&former);
            }
        }
        by_payment(&mut self.by_payment, &found.payment_key, found.charge);
        Ok(())
    }

    /// Money that went back without being asked for counts against what is kept; what is more than
    /// that, against what is owed.
    fn returned_elsewhere(
        &mut self,
        index: ChargeIndex,
        card: u64,
        at: UnixMillis,
    ) -> Result<(), String> {
        if card == 0 || card > self.left_at_provider(index) {
            return Err(format!("{card} won are more than is left of charge {index}"));
        }
        let charge = self.charge_mut(index)?;
        let (user, purpose, kept) = (charge.user, charge.purpose, charge.balance().card);
        let of_kept = card.min(kept);
        self.owe_less(index, card - of_kept, at);
        self.note_elsewhere(index, signed(card)?, at)?;
        match purpose {
            Purpose::Points => self.accounts.entry(user).or_default().take_back(of_kept, index, at),
            Purpose::Order(_) => Ok(()),
        }
    }

    fn note_elsewhere(
        &mut self,
        index: ChargeIndex,
        card: i64,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.charge_mut(index)?.elsewhere.push(Elsewhere { card, at });
        Ok(())
    }

    /// The provider has money again that it had given back without being asked.
    fn return_failed(
        &mut self,
        index: ChargeIndex,
        card: u64,
        is_owed: bool,
        at: UnixMillis,
    ) -> Result<(), String> {
        let charge = self.charge_mut(index)?;
        if charge.state != ChargeState::Captured || card == 0 || card > charge.elsewhere() {
            return Err(format!("{card} won of charge {index} did not go back elsewhere"));
        }
        let (user, purpose) = (charge.user, charge.purpose);
        self.note_elsewhere(index, -signed(card)?, at)?;
        match purpose {
            Purpose::Points => {
                let account = self.accounts.entry(user).or_default();
                account.credit(PointsKind::Charge, card, index, at)
            }
            Purpose::Order(_) if is_owed => self.give_back(index, Split { card, points: 0 }, at),
            Purpose::Order(_) => Ok(()),
        }
    }

    fn disputed(&mut self, index: ChargeIndex, dispute: Dispute) -> Result<(), String> {
        let charge = self.charge_mut(index)?;
        if charge.state != ChargeState::Captured {
            return Err(format!("charge {index} was not captured"));
        }
        charge.dispute = Some(dispute);
        match dispute.state {
            DisputeState::Open => self.disputed.insert(index),
            DisputeState::Won | DisputeState::Lost => self.disputed.remove(&index),
        };
        match dispute.state {
            DisputeState::Open | DisputeState::Won => Ok(()),
            DisputeState::Lost => match dispute.amount.min(self.left_at_provider(index)) {
                0 => Ok(()),
                gone => self.returned_elsewhere(index, gone, dispute.at),
            },
        }
    }

    /// What a buyer still waits for of a charge, in won.
    #[must_use]
    pub fn owed(&self, index: ChargeIndex) -> u64 {
        self.refunds_of(index).filter(|refund| refund.is_owed()).map(|refund| refund.card).sum()
    }

    /// Whether the provider has refused to give back a part of a charge: it would refuse another one.
    #[must_use]
    pub fn refuses_parts(&self, index: ChargeIndex) -> bool {
        let is_refused = |refund: &Refund| {
            matches!(refund.state, RefundState::Refused { .. } | RefundState::ByHand { .. })
        };
        self.refunds_of(index).any(is_refused)
            && self.charge(index).is_some_and(|charge| !charge.came_by_transfer())
    }

    /// Takes `card` won off what is owed of a charge, newest piece first, and then off what was
    /// given back by hand: the provider does not have them any more.
    fn owe_less(&mut self, index: ChargeIndex, mut card: u64, at: UnixMillis) {
        let pieces: Vec<RefundIndex> = self.refund_indexes_of(index).collect();
        let is_owed = |piece: &&RefundIndex| self.refunds[piece.position()].is_owed();
        let (owed, others): (Vec<_>, Vec<_>) = pieces.iter().rev().partition(is_owed);
        for &piece in owed.into_iter().chain(others) {
            let refund = &mut self.refunds[piece.position()];
            if refund.is_done() || card == 0 {
                continue;
            }
            let less = refund.card.min(card);
            refund.card -= less;
            card -= less;
            if refund.card == 0 {
                self.set_refund(piece, RefundState::Done { at });
            }
            if let Some(Some(charge)) = self.charges.get_mut(index.position()) {
                charge.returned.card -= less;
            }
        }
    }

    /// An order is over: what is left of the money it rests on goes back. Whether there was any.
    fn order_ended(&mut self, order: OrderRef, at: UnixMillis) -> Result<bool, String> {
        let captured = |&index: &ChargeIndex| {
            self.charge(index).is_some_and(|charge| charge.balance().total() > 0)
        };
        let paid: Vec<ChargeIndex> =
            self.of_order(order).iter().copied().filter(captured).collect();
        paid.iter().try_for_each(|&index| self.give_back_all(index, at))?;
        Ok(!paid.is_empty())
    }

    fn give_back_all(&mut self, index: ChargeIndex, at: UnixMillis) -> Result<(), String> {
        let balance = self.charge_mut(index)?.balance();
        self.give_back(index, balance, at)
    }

    fn give_back(
        &mut self,
        index: ChargeIndex,
        amount: Split,
        at: UnixMillis,
    ) -> Result<(), String> {
        let charge = self.charge_mut(index)?;
        let balance = charge.balance();
        if amount.card > balance.card || amount.points > balance.points {
            return Err(format!("more than is left of charge {index} goes back"));
        }
        charge.returned.card += amount.card;
        charge.returned.points += amount.points;
        let user = charge.user;
        if amount.points > 0 {
            let account = self.accounts.entry(user).or_default();
            account.credit(PointsKind::Refund, amount.points, index, at)?;
        }
        if amount.card > 0 {
            let refund = RefundIndex(self.refunds.len() as u32);
            self.due.insert(refund);
            self.by_charge.entry(index).or_default().push(refund);
            let state = RefundState::Due;
            self.refunds.push(Refund { charge: index, card: amount.card, at, state, failures: 0 });
        }
        Ok(())
    }

    fn refund_ended(
        &mut self,
        index: RefundIndex,
        outcome: RefundOutcome,
        at: UnixMillis,
    ) -> Result<(), String> {
        let refund = self.refunds.get_mut(index.position()).ok_or("no such refund")?;
        let state = match (refund.state, outcome) {
            // One call may give back all that is owed, also what was refused as a part.
            (RefundState::Due | RefundState::Refused { .. }, RefundOutcome::Done) => {
                RefundState::Done { at }
            }
            (RefundState::Due, RefundOutcome::Refused) => RefundState::Refused { at },
            // An administrator looked at it and wants it tried again.
            (RefundState::Refused { .. }, RefundOutcome::Again) => RefundState::Due,
            (RefundState::Due | RefundState::Refused { .. }, RefundOutcome::ByHand) => {
                RefundState::ByHand { at }
            }
            (RefundState::Done { .. }, RefundOutcome::Failed) => {
                refund.failures = refund.failures.saturating_add(1);
                match refund.failures {
                    1 => RefundState::Due,
                    _ => RefundState::Refused { at },
                }
            }
            _ => return Err(format!("refund {index} is not due")),
        };
        self.set_refund(index, state);
        let charge = self.refunds[index.position()].charge;
        if outcome == RefundOutcome::Done && self.is_given_back(charge) {
            self.refund_accounts.remove(&charge);
        }
        Ok(())
    }

    fn set_refund(&mut self, index: RefundIndex, state: RefundState) {
        self.refunds[index.position()].state = state;
        self.due.remove(&index);
        self.refused.remove(&index);
        match state {
            RefundState::Due => drop(self.due.insert(index)),
            RefundState::Refused { .. } => drop(self.refused.insert(index)),
            RefundState::Done { .. } | RefundState::ByHand { .. } => {}
        }
    }

    /// What was refused for want of an account is asked for again.
    fn refund_account_given(&mut self, given: &RefundAccountGiven) -> Result<(), String> {
        if !self.charge_mut(given.charge)?.came_by_transfer() {
            return Err(format!("charge {} goes back the way it came", given.charge));
        }
        self.refund_accounts.insert(given.charge, given.account.clone());
        let refused = |index: &RefundIndex| self.refused.contains(index);
        let refused: Vec<RefundIndex> =
            self.refund_indexes_of(given.charge).filter(refused).collect();
        refused.into_iter().for_each(|index| self.set_refund(index, RefundState::Due));
        Ok(())
    }

    /// Whether nothing of a charge is left, nor on its way.
    fn is_given_back(&self, index: ChargeIndex) -> bool {
        let is_kept = self.charge(index).is_some_and(|charge| charge.balance().card > 0);
        !is_kept && !self.refunds_of(index).any(Refund::is_owed)
    }

    /// A charge that was never confirmed took no money and never will.
    fn forgotten(&mut self, index: ChargeIndex) -> Result<(), String> {
        let charge = self.charge_mut(index)?;
        if charge.state != ChargeState::Open {
            return Err(format!("charge {index} is not open"));
        }
        if let Purpose::Order(order) = charge.purpose {
            let key = (order.event.0, order.order.0);
            if let Some(of_order) = self.by_order.get_mut(&key) {
                of_order.retain(|&other| other != index);
                if of_order.is_empty() {
                    self.by_order.remove(&key);
                }
            }
        }
        self.open.remove(&index);
        self.charges[index.position()] = None;
        Ok(())
    }

    fn answered(&mut self, answered: &ProviderAnswered) -> Result<(), String> {
        let charge = self.charge_mut(answered.charge)?;
        add_line(
            &mut charge.trail,
            TrailLine {
                call: answered.call,
                status: answered.status,
                code: answered.code.clone(),
                at: answered.at,
                by: answered.by,
                times: 1,
                last_at: answered.at,
            },
        );
        Ok(())
    }
}

/// Points alone have no payment; a payment has few charges.
fn by_payment(
    all: &mut BTreeMap<String, Vec<ChargeIndex>>,
    payment_key: &str,
    charge: ChargeIndex,
) {
    if payment_key.is_empty() {
        return;
    }
    let charges = all.entry(payment_key.to_owned()).or_default();
    if let Err(place) = charges.binary_search(&charge) {
        charges.insert(place, charge);
    }
}

/// Adds a line to a trail, or counts it where the last one says the same.
pub(super) fn add_line(trail: &mut Vec<TrailLine>, line: TrailLine) {
    if let Some(last) = trail.last_mut()
        && (last.call, last.status, &last.code, last.by)
            == (line.call, line.status, &line.code, line.by)
    {
        last.times = last.times.saturating_add(line.times);
        last.last_at = line.last_at;
        return;
    }
    trail.push(line);
}
