//! All charges, refunds and accounts, and the records that change them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{ChargeIndex, Lsn, RefundIndex, UnixMillis, UserIndex};
use crate::money::charge::{
    BankAccount, Captured, Charge, ChargeState, Purpose, Refund, RefundState, Split, TrailLine,
};
use crate::money::points::{Account, PointsKind};
use crate::record::{
    CaptureOutcome, CaptureStarted, ChargeOpened, OrderRef, ProviderAnswered, Record,
    RefundAccountGiven, RefundOutcome, SeatsReturned,
};

/// The fold of all records about money.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredLedger")]
pub struct Ledger {
    /// By index.
    charges: Vec<Charge>,
    /// By index.
    refunds: Vec<Refund>,
    accounts: BTreeMap<UserIndex, Account>,
    lsn: Lsn,
    /// Where money of these charges goes back to, kept until it has.
    refund_accounts: BTreeMap<ChargeIndex, BankAccount>,

    /// Charges by order, oldest first.
    #[serde(skip)]
    by_order: BTreeMap<(u32, u32), Vec<ChargeIndex>>,
    /// Charges that a provider has to be asked about.
    #[serde(skip)]
    unresolved: BTreeSet<ChargeIndex>,
    /// Refunds that a provider has to be asked for.
    #[serde(skip)]
    due: BTreeSet<RefundIndex>,
    /// Refunds by charge, oldest first.
    #[serde(skip)]
    by_charge: BTreeMap<ChargeIndex, Vec<RefundIndex>>,
}

#[derive(Deserialize)]
struct StoredLedger {
    without_refund_accounts: StoredLedger3,
    refund_accounts: BTreeMap<ChargeIndex, BankAccount>,
}

/// The stored fields of a [`Ledger`] as they were before buyers gave accounts for refunds, in
/// snapshots of version 3.
#[derive(Deserialize)]
pub(crate) struct StoredLedger3 {
    charges: Vec<Charge>,
    refunds: Vec<Refund>,
    accounts: BTreeMap<UserIndex, Account>,
    lsn: Lsn,
}

impl TryFrom<StoredLedger3> for Ledger {
    type Error = String;

    fn try_from(stored: StoredLedger3) -> Result<Ledger, String> {
        let refund_accounts = BTreeMap::new();
        StoredLedger { without_refund_accounts: stored, refund_accounts }.try_into()
    }
}

impl TryFrom<StoredLedger> for Ledger {
    type Error = String;

    fn try_from(stored: StoredLedger) -> Result<Ledger, String> {
        let StoredLedger { without_refund_accounts, refund_accounts } = stored;
        let StoredLedger3 { charges, refunds, accounts, lsn } = without_refund_accounts;
        if refunds.iter().any(|refund| refund.charge.position() >= charges.len()) {
            return Err("a refund of no charge".to_owned());
        }
        let mut ledger =
            Ledger { charges, refunds, accounts, lsn, refund_accounts, ..Ledger::default() };
        for (position, charge) in ledger.charges.iter().enumerate() {
            let index = ChargeIndex(position as u32);
            if let Purpose::Order(order) = charge.purpose {
                let key = (order.event.0, order.order.0);
                ledger.by_order.entry(key).or_default().push(index);
            }
            if charge.is_unresolved() {
                ledger.unresolved.insert(index);
            }
        }
        for (position, refund) in ledger.refunds.iter().enumerate() {
            let index = RefundIndex(position as u32);
            ledger.by_charge.entry(refund.charge).or_default().push(index);
            if refund.state == RefundState::Due {
                ledger.due.insert(index);
            }
        }
        Ok(ledger)
    }
}

impl Ledger {
    /// All charges, by index.
    #[must_use]
    pub fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// A charge.
    #[must_use]
    pub fn charge(&self, index: ChargeIndex) -> Option<&Charge> {
        self.charges.get(index.position())
    }

    /// The charges of an order, oldest first.
    #[must_use]
    pub fn of_order(&self, order: OrderRef) -> &[ChargeIndex] {
        self.by_order.get(&(order.event.0, order.number.0)).map_or(&[], Vec::as_slice)
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
        let of_charge = self.by_charge.get(&charge).into_iter().flatten();
        of_charge.map(|index| &self.refunds[index.position()])
    }

    /// Charges of which nobody knows yet what becomes of them, oldest first.
    pub fn unresolved(&self) -> impl Iterator<Item = ChargeIndex> + '_ {
        self.unresolved.iter().copied()
    }

    /// Refunds that the provider has to be asked for, oldest first.
    pub fn refunds_due(&self) -> impl Iterator<Item = RefundIndex> + '_ {
        self.due.iter().copied()
    }

    /// Where money of a charge is to go back to, if its buyer said so.
    #[must_use]
    pub fn refund_account(&self, charge: ChargeIndex) -> Option<&BankAccount> {
        self.refund_accounts.get(&charge)
    }

    /// Those of them to ask for now, oldest first: of a charge one after the other, as each counts on
    /// what the one before has left.
    pub fn next_refunds(&self) -> impl Iterator<Item = RefundIndex> + '_ {
        self.refunds_due().filter(|&index| {
            let of_charge = self.by_charge.get(&self.refunds[index.position()].charge);
            let mut before = of_charge.into_iter().flatten().take_while(|&&other| other != index);
            before.all(|other| {
                matches!(self.refunds[other.position()].state, RefundState::Done { .. })
            })
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
            let state = self.charges[index.position()].state;
            matches!(state, ChargeState::Captured) || self.charges[index.position()].is_unresolved()
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
            Record::SeatsReturned(returned) => self.seats_returned(returned)?,
            Record::RefundEnded { refund, outcome, at } => {
                self.refund_ended(*refund, *outcome, *at)?;
            }
            Record::RefundAccountGiven(given) => self.refund_account_given(given)?,
            Record::OrderEnded { order, at, .. } => {
                if !self.order_ended(*order, *at)? {
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
        self.lsn = lsn;
        Ok(())
    }

    fn opened(&mut self, opened: &ChargeOpened) -> Result<(), String> {
        let index = ChargeIndex(self.charges.len() as u32);
        if opened.charge != index {
            return Err(format!("charge {} comes after {index}", opened.charge));
        }
        if let Purpose::Order(order) = opened.purpose {
            self.by_order.entry((order.event.0, order.order.0)).or_default().push(index);
        }
        self.charges.push(Charge {
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
        });
        Ok(())
    }

    /// The points are spent with the intent, so that nothing else can spend them meanwhile.
    fn capture_started(&mut self, started: &CaptureStarted) -> Result<(), String> {
        let index = started.charge;
        let charge = self.charges.get_mut(index.position()).ok_or("no such charge")?;
        if charge.state != ChargeState::Open {
            return Err(format!("charge {index} is not open"));
        }
        if charge.amount.points > 0 {
            let account = self.accounts.entry(charge.user).or_default();
            let spent = signed(charge.amount.points)?;
            account.change(PointsKind::Use, -spent, index, started.at)?;
        }
        charge.started_at = Some(started.at);
        charge.state = ChargeState::Capturing;
        charge.attempt = started.attempt;
        charge.payment_key.clone_from(&started.payment_key);
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
        let charge = self.charges.get_mut(index.position()).ok_or("no such charge")?;
        match outcome {
            CaptureOutcome::Captured(captured) => {
                // A charge that was given up may turn out to have been paid all the same, and one that
                // was taken back may be paid again.
                let was_over = match charge.state {
                    ChargeState::Capturing | ChargeState::AwaitingDeposit => false,
                    ChargeState::Failed | ChargeState::Reversed => true,
                    _ => return Err(format!("charge {index} is not being captured")),
                };
                charge.state = ChargeState::Captured;
                charge.captured = Some(Captured::clone(captured));
                self.unresolved.remove(&index);
                if was_over {
                    // Its points went back when it ended.
                    charge.returned.points = charge.amount.points;
                }
                let user = charge.user;
                match charge.purpose {
                    Purpose::Order(_) if was_over => self.give_back_all(index, at)?,
                    Purpose::Order(_) => {}
                    Purpose::Points => {
                        let bought = signed(charge.amount.card)?;
                        let account = self.accounts.entry(user).or_default();
                        account.change(PointsKind::Charge, bought, index, at)?;
                    }
                }
            }
            CaptureOutcome::Awaiting(deposit) => {
                if !charge.is_unresolved() {
                    return Err(format!("charge {index} is not being captured"));
                }
                charge.state = ChargeState::AwaitingDeposit;
                charge.deposit = Some((**deposit).clone());
            }
            CaptureOutcome::Failed => {
                if !charge.is_unresolved() {
                    return Err(format!("charge {index} is not being captured"));
                }
                charge.state = ChargeState::Failed;
                self.unresolved.remove(&index);
                if charge.amount.points > 0 {
                    let back = signed(charge.amount.points)?;
                    let account = self.accounts.entry(charge.user).or_default();
                    account.change(PointsKind::Cancel, back, index, at)?;
                }
            }
            CaptureOutcome::Reversed => {
                if charge.state != ChargeState::Captured {
                    return Err(format!("charge {index} was not captured"));
                }
                charge.state = ChargeState::Reversed;
                let points = charge.amount.points - charge.returned.points;
                charge.returned.points = charge.amount.points;
                match charge.purpose {
                    // Never below zero: what is spent already is somebody's to collect.
                    Purpose::Points => {
                        let account = self.accounts.entry(charge.user).or_default();
                        let back = signed(charge.amount.card.min(account.balance))?;
                        account.change(PointsKind::Cancel, -back, index, at)?;
                    }
                    Purpose::Order(_) if points > 0 => {
                        let account = self.accounts.entry(charge.user).or_default();
                        account.change(PointsKind::Refund, signed(points)?, index, at)?;
                    }
                    Purpose::Order(_) => {}
                }
            }
        }
        Ok(())
    }

    /// An order is over: what is left of the money it rests on goes back. Whether there was any.
    fn order_ended(&mut self, order: OrderRef, at: UnixMillis) -> Result<bool, String> {
        let captured = |index: &ChargeIndex| self.charges[index.position()].balance().total() > 0;
        let paid: Vec<ChargeIndex> =
            self.of_order(order).iter().copied().filter(captured).collect();
        paid.iter().try_for_each(|&index| self.give_back_all(index, at))?;
        Ok(!paid.is_empty())
    }

    fn seats_returned(&mut self, returned: &SeatsReturned) -> Result<(), String> {
        self.give_back(returned.charge, returned.amount, returned.at)
    }

    fn give_back_all(&mut self, index: ChargeIndex, at: UnixMillis) -> Result<(), String> {
        let balance = self.charges[index.position()].balance();
        self.give_back(index, balance, at)
    }

    fn give_back(
        &mut self,
        index: ChargeIndex,
        amount: Split,
        at: UnixMillis,
    ) -> Result<(), String> {
        let charge = self.charges.get_mut(index.position()).ok_or("no such charge")?;
        let balance = charge.balance();
        if amount.card > balance.card || amount.points > balance.points {
            return Err(format!("more than is left of charge {index} goes back"));
        }
        charge.returned.card += amount.card;
        charge.returned.points += amount.points;
        if amount.points > 0 {
            let account = self.accounts.entry(charge.user).or_default();
            account.change(PointsKind::Refund, signed(amount.points)?, index, at)?;
        }
        if amount.card > 0 {
            let refund = RefundIndex(self.refunds.len() as u32);
            self.due.insert(refund);
            self.by_charge.entry(index).or_default().push(refund);
            let refund = Refund {
                charge: index,
                card: amount.card,
                balance: balance.card,
                at,
                state: RefundState::Due,
            };
            self.refunds.push(refund);
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
        refund.state = match (refund.state, outcome) {
            (RefundState::Due, RefundOutcome::Done) => RefundState::Done { at },
            (RefundState::Due, RefundOutcome::Refused) => RefundState::Refused { at },
            // Somebody looked at it and wants it tried again.
            (RefundState::Refused { .. }, RefundOutcome::Again) => RefundState::Due,
            _ => return Err(format!("refund {index} is not due")),
        };
        match refund.state {
            RefundState::Due => self.due.insert(index),
            _ => self.due.remove(&index),
        };
        let charge = self.refunds[index.position()].charge;
        if outcome == RefundOutcome::Done && self.is_given_back(charge) {
            self.refund_accounts.remove(&charge);
        }
        Ok(())
    }

    /// What was refused for want of an account is asked for again.
    fn refund_account_given(&mut self, given: &RefundAccountGiven) -> Result<(), String> {
        let charge = self.charges.get(given.charge.position()).ok_or("no such charge")?;
        if !charge.came_by_transfer() {
            return Err(format!("charge {} goes back the way it came", given.charge));
        }
        self.refund_accounts.insert(given.charge, given.account.clone());
        for &index in self.by_charge.get(&given.charge).into_iter().flatten() {
            let refund = &mut self.refunds[index.position()];
            if matches!(refund.state, RefundState::Refused { .. }) {
                refund.state = RefundState::Due;
                self.due.insert(index);
            }
        }
        Ok(())
    }

    /// Whether nothing of a charge is left, nor on its way.
    fn is_given_back(&self, index: ChargeIndex) -> bool {
        let is_done = |refund: &Refund| matches!(refund.state, RefundState::Done { .. });
        self.charges[index.position()].balance().card == 0 && self.refunds_of(index).all(is_done)
    }

    fn answered(&mut self, answered: &ProviderAnswered) -> Result<(), String> {
        let charge = self.charges.get_mut(answered.charge.position()).ok_or("no such charge")?;
        charge.trail.push(TrailLine {
            call: answered.call,
            status: answered.status,
            code: answered.code.clone(),
            at: answered.at,
            by: answered.by,
        });
        Ok(())
    }
}

/// An amount as a change of a balance.
fn signed(amount: u64) -> Result<i64, String> {
    i64::try_from(amount).map_err(|_| format!("{amount} won are out of range"))
}
