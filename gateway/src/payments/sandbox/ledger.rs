//! All payments, and the money that moved: what tests hold our books against.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::payment::{Move, MoveKind, Payment, Purchase, Status};
use super::questions::QueryByOrder;

/// Payments of one order; more are refused.
const PER_ORDER_MAX: usize = 100;

/// The position of a payment.
pub(super) type Index = usize;

/// What is told of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    /// By `PAYMENT_STATUS_CHANGED`.
    Status,
    /// By that and, for a virtual account, by `DEPOSIT_CALLBACK`.
    Money,
}

/// The payments of this sandbox. Everything is found without a scan.
pub(super) struct Ledger {
    payments: Vec<Payment>,
    payments_max: usize,
    by_key: HashMap<String, Index>,
    by_order: HashMap<String, Order>,
    /// Transactions by time: payment, and position among its moves.
    moves: Vec<(Index, usize)>,
    by_move: HashMap<String, usize>,
    /// When payments end by themselves, soonest first; some have moved on since.
    deadlines: BinaryHeap<Reverse<(u64, Index)>>,
    totals: Totals,
    /// Since the last [`Ledger::take_changes`].
    changes: Vec<(Index, Told)>,
}

#[derive(Default)]
struct Order {
    payments: Vec<Index>,
    /// The payment whose money moved last, else the last one.
    moved_last: Index,
    totals: Totals,
}

/// Sums of money that moved, in won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) captured: u64,
    /// Accepted, with those that failed later.
    accepted_by_us: u64,
    accepted_by_console: u64,
    failed_by_us: u64,
    failed_by_console: u64,
    /// Deposits that the bank took back.
    pub(super) reversed: u64,
    /// Successful captures.
    pub(super) captures: u64,
}

impl Totals {
    /// Of one payment.
    pub(super) fn of(payment: &Payment) -> Self {
        let mut totals = Totals::default();
        for made in &payment.moves {
            totals.add(made.kind, made.amount);
        }
        totals
    }

    fn add(&mut self, kind: MoveKind, amount: u64) {
        match kind {
            MoveKind::Captured => {
                self.captured += amount;
                self.captures += 1;
            }
            MoveKind::Refunded => self.accepted_by_us += amount,
            MoveKind::RefundedByConsole => self.accepted_by_console += amount,
            MoveKind::RefundFailed => self.failed_by_us += amount,
            MoveKind::ConsoleRefundFailed => self.failed_by_console += amount,
            MoveKind::Reversed => self.reversed += amount,
            MoveKind::Issued | MoveKind::Voided => {}
        }
    }

    /// By calls of the merchant's server; one that failed later does not count.
    pub(super) fn refunded_by_us(&self) -> u64 {
        self.accepted_by_us - self.failed_by_us
    }

    /// By the merchant's staff in the console; one that failed later does not count.
    pub(super) fn refunded_by_console(&self) -> u64 {
        self.accepted_by_console - self.failed_by_console
    }

    pub(super) fn refunded(&self) -> u64 {
        self.refunded_by_us() + self.refunded_by_console()
    }

    /// Accepted first, failed later.
    pub(super) fn failed_refunds(&self) -> u64 {
        self.failed_by_us + self.failed_by_console
    }

    /// What the merchant has.
    pub(super) fn balance(&self) -> u64 {
        self.captured - self.refunded() - self.reversed
    }
}

impl Ledger {
    /// The payments of an earlier start, each as it was last.
    pub(super) fn of(payments: Vec<Payment>, payments_max: usize) -> Self {
        let mut ledger = Ledger {
            payments: Vec::new(),
            payments_max,
            by_key: HashMap::new(),
            by_order: HashMap::new(),
            moves: Vec::new(),
            by_move: HashMap::new(),
            deadlines: BinaryHeap::new(),
            totals: Totals::default(),
            changes: Vec::new(),
        };
        let mut moves = Vec::new();
        for payment in payments {
            let index = ledger.payments.len();
            let positions = payment.moves.iter().enumerate();
            moves.extend(positions.map(|(position, made)| (made.at, made.number, index, position)));
            ledger.insert(payment);
        }
        moves.sort_unstable();
        for (_, _, index, position) in moves {
            ledger.book(index, position);
        }
        ledger
    }

    /// Opens a payment; `None` where no more are kept.
    pub(super) fn open(&mut self, purchase: Purchase, now: u64) -> Option<Index> {
        let of_order =
            self.by_order.get(&purchase.order_id).map_or(0, |order| order.payments.len());
        if self.payments.len() >= self.payments_max || of_order >= PER_ORDER_MAX {
            return None;
        }
        let index = self.insert(Payment::open(purchase, now));
        self.changes.push((index, Told::Nothing));
        Some(index)
    }

    fn insert(&mut self, payment: Payment) -> Index {
        let index = self.payments.len();
        self.by_key.insert(payment.key.clone(), index);
        let order = self.by_order.entry(payment.order_id.clone()).or_default();
        order.payments.push(index);
        if order.totals.captures == 0 {
            order.moved_last = index;
        }
        if let Some(deadline) = payment.deadline() {
            self.deadlines.push(Reverse((deadline, index)));
        }
        self.payments.push(payment);
        index
    }

    /// Changes a payment, and keeps what is derived from it in step. `change` says what is told of it,
    /// or that nothing has changed.
    pub(super) fn change<T>(
        &mut self,
        index: Index,
        change: impl FnOnce(&mut Payment) -> (T, Option<Told>),
    ) -> T {
        let payment = &mut self.payments[index];
        let (booked, status) = (payment.moves.len(), payment.status);
        let (result, told) = change(payment);
        if payment.status != status
            && let Some(deadline) = payment.deadline()
        {
            self.deadlines.push(Reverse((deadline, index)));
        }
        for position in booked..payment.moves.len() {
            self.book(index, position);
        }
        self.changes.extend(told.map(|told| (index, told)));
        result
    }

    fn book(&mut self, index: Index, position: usize) {
        let payment = &mut self.payments[index];
        let made = &mut payment.moves[position];
        made.number = self.moves.len() as u64;
        self.by_move.insert(made.key.clone(), self.moves.len());
        self.moves.push((index, position));
        self.totals.add(made.kind, made.amount);
        let order = self.by_order.entry(payment.order_id.clone()).or_default();
        order.totals.add(made.kind, made.amount);
        order.moved_last = index;
    }

    /// Ends what is past its time.
    pub(super) fn expire(&mut self, now: u64) {
        while let Some(&Reverse((deadline, index))) = self.deadlines.peek()
            && deadline <= now
        {
            self.deadlines.pop();
            let is_due = self.payments[index].deadline().is_some_and(|deadline| deadline <= now);
            if is_due {
                self.change(index, |payment| {
                    payment.expire();
                    ((), Some(Told::Status))
                });
            }
        }
    }

    /// What has changed, in order.
    pub(super) fn take_changes(&mut self) -> Vec<(Index, Told)> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn payment(&self, index: Index) -> &Payment {
        &self.payments[index]
    }

    pub(super) fn by_key(&self, key: &str) -> Option<Index> {
        self.by_key.get(key).copied()
    }

    /// The payment of an order whose money moved last, else its newest one.
    pub(super) fn by_order(&self, order_id: &str) -> Option<Index> {
        self.by_order.get(order_id).map(|order| order.moved_last)
    }

    /// The payment that a switch is about: the one named by its key, else the order's.
    pub(super) fn named(&self, key: Option<&str>, order_id: Option<&str>) -> Option<Index> {
        match key {
            Some(key) => self.by_key(key),
            None => self.by_order(order_id?),
        }
    }

    /// What a query by order answers with.
    pub(super) fn shown(&self, order_id: &str, which: QueryByOrder) -> Option<Index> {
        let order = self.by_order.get(order_id)?;
        let newest = *order.payments.last()?;
        let has_money = |index: &&Index| {
            let payment = &self.payments[**index];
            let is_paid = matches!(payment.status, Status::Done | Status::PartialCanceled);
            is_paid && payment.balance() > 0
        };
        Some(match which {
            QueryByOrder::MovedLast => order.moved_last,
            QueryByOrder::Newest => newest,
            QueryByOrder::WithMoney => {
                order.payments.iter().rev().find(has_money).copied().unwrap_or(newest)
            }
        })
    }

    /// At most `limit` transactions from `from` up to `until`, after the one named `after`; `None`
    /// where there is none of that name.
    pub(super) fn moves(
        &self,
        (from, until): (u64, u64),
        after: Option<&str>,
        limit: usize,
    ) -> Option<impl Iterator<Item = (&Payment, &Move)>> {
        let of = |&(index, position): &(Index, usize)| {
            let payment = &self.payments[index];
            (payment, &payment.moves[position])
        };
        let first = self.moves.partition_point(|entry| of(entry).1.at < from);
        let after = match after {
            Some(key) => *self.by_move.get(key)? + 1,
            None => 0,
        };
        let moves = self.moves[first.max(after)..].iter().map(of);
        Some(moves.take_while(move |(_, made)| made.at <= until).take(limit))
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Payments kept.
    pub(super) fn len(&self) -> usize {
        self.payments.len()
    }

    /// The orders, or the one named: its sums and payments.
    pub(super) fn orders<'l>(
        &'l self,
        only: Option<&'l str>,
    ) -> impl Iterator<Item = (&'l str, Totals, impl Iterator<Item = &'l Payment>)> {
        let one = only.and_then(|order| self.by_order.get_key_value(order));
        let all = only.is_none().then(|| self.by_order.iter());
        all.into_iter().flatten().chain(one).map(|(order_id, order)| {
            let payments = order.payments.iter().map(|&index| &self.payments[index]);
            (order_id.as_str(), order.totals, payments)
        })
    }
}
