//! All intents, and what tests hold our books against.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::super::idempotency::Answers;
use super::intent::{Intent, NewIntent};
use super::lists::Log;

/// How long an idempotency key is known, from its first use.
const ANSWERS_KEPT_MS: u64 = 24 * 60 * 60_000;
/// Answers kept for each intent, on the average.
const ANSWERS_PER_INTENT: usize = 3;

/// The position of an intent.
pub(super) type Index = usize;

/// What is told of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A switch lets the webhooks of this change be lost.
    Nothing,
    /// `payment_intent.…`
    Intent(&'static str),
    /// `charge.refunded` and `refund.created`, of the refund at this position.
    Refunded(usize),
    /// `refund.updated` or `refund.failed`.
    Refund(&'static str, usize),
    /// `charge.dispute.created` and `.funds_withdrawn`, of the dispute at this position.
    Disputed(usize),
    /// `charge.dispute.closed`, after `.funds_reinstated` where it was won.
    DisputeClosed(usize),
}

/// The intents of this simulator, with the answers that idempotency keys repeat.
pub(super) struct Books {
    intents: Vec<Intent>,
    intents_max: usize,
    by_id: HashMap<String, Index>,
    /// By the order that the metadata name, oldest first.
    by_order: HashMap<String, Vec<Index>>,
    by_charge: HashMap<String, Index>,
    pub(super) moves: Log,
    pub(super) refunds: Log,
    pub(super) disputes: Log,
    /// When authorisations lapse, soonest first; some have moved on since.
    deadlines: BinaryHeap<Reverse<(u64, Index)>>,
    changes: Vec<(Index, Told)>,
    pub(super) answers: Answers,
}

/// Sums of money that moved, in won.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) captured: u64,
    /// By calls of the merchant's server; one that failed later does not count.
    pub(super) refunded_by_us: u64,
    /// By the merchant's staff in the dashboard; one that failed later does not count.
    pub(super) refunded_by_console: u64,
    /// Accepted first, failed later.
    pub(super) failed_refunds: u64,
    /// Taken by disputes that are open or lost.
    pub(super) disputed: u64,
    /// Successful captures.
    pub(super) captures: u64,
    /// Agreed to, and not taken.
    pub(super) authorised: u64,
}

impl Books {
    pub(super) fn new(intents_max: usize) -> Self {
        let answers_max = intents_max.saturating_mul(ANSWERS_PER_INTENT);
        Books {
            intents: Vec::new(),
            intents_max,
            by_id: HashMap::new(),
            by_order: HashMap::new(),
            by_charge: HashMap::new(),
            moves: Log::default(),
            refunds: Log::default(),
            disputes: Log::default(),
            deadlines: BinaryHeap::new(),
            changes: Vec::new(),
            answers: Answers::new(answers_max, ANSWERS_KEPT_MS),
        }
    }

    /// An intent of an earlier start, as it was then; a later line about it counts.
    pub(super) fn restore(&mut self, intent: Intent) {
        let index = match self.by_id.get(&intent.id) {
            Some(&index) => {
                self.intents[index] = intent;
                index
            }
            None => self.insert(intent),
        };
        self.index(index);
    }

    /// Creates an intent; `None` where no more are kept.
    pub(super) fn create(&mut self, new: NewIntent, now: u64) -> Option<Index> {
        if self.intents.len() >= self.intents_max {
            return None;
        }
        let index = self.insert(Intent::new(new, now));
        self.changes.push((index, Told::Intent("payment_intent.created")));
        Some(index)
    }

    fn insert(&mut self, intent: Intent) -> Index {
        let index = self.intents.len();
        self.by_id.insert(intent.id.clone(), index);
        self.by_order.entry(intent.order_id().to_owned()).or_default().push(index);
        self.intents.push(intent);
        index
    }

    /// Changes an intent, and keeps what is derived from it in step. `change` says what is told of
    /// it, or that nothing has changed.
    pub(super) fn change<T>(
        &mut self,
        index: Index,
        change: impl FnOnce(&mut Intent) -> (T, Option<Told>),
    ) -> T {
        let (result, told) = change(&mut self.intents[index]);
        if let Some(told) = told {
            self.index(index);
            self.changes.push((index, told));
        }
        result
    }

    fn index(&mut self, index: Index) {
        let intent = &self.intents[index];
        if let Some(charge) = &intent.charge {
            self.by_charge.insert(charge.id.clone(), index);
        }
        for (position, made) in intent.moves.iter().enumerate() {
            self.moves.add(&made.id, (index, position));
        }
        for (position, refund) in intent.refunds.iter().enumerate() {
            self.refunds.add(&refund.id, (index, position));
        }
        for (position, dispute) in intent.disputes.iter().enumerate() {
            self.disputes.add(&dispute.id, (index, position));
        }
        if let Some(deadline) = intent.deadline() {
            self.deadlines.push(Reverse((deadline, index)));
        }
    }

    /// Lets go of authorisations that are past their time.
    pub(super) fn expire(&mut self, now: u64) {
        while let Some(&Reverse((deadline, index))) = self.deadlines.peek()
            && deadline <= now
        {
            self.deadlines.pop();
            if self.intents[index].deadline().is_some_and(|deadline| deadline <= now) {
                self.change(index, |intent| {
                    let is_let_go = intent.cancel(Some("automatic".to_owned()), now).is_ok();
                    ((), is_let_go.then_some(Told::Intent("payment_intent.canceled")))
                });
            }
        }
    }

    /// What has changed, in order.
    pub(super) fn take_changes(&mut self) -> Vec<(Index, Told)> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn intent(&self, index: Index) -> &Intent {
        &self.intents[index]
    }

    pub(super) fn by_id(&self, id: &str) -> Option<Index> {
        self.by_id.get(id).copied()
    }

    pub(super) fn by_charge(&self, id: &str) -> Option<Index> {
        self.by_charge.get(id).copied()
    }

    /// The order's latest intent.
    pub(super) fn of_order(&self, order_id: &str) -> Option<Index> {
        self.by_order.get(order_id)?.last().copied()
    }

    /// The intent that a switch is about: the one named by its key, else the order's latest.
    pub(super) fn named(&self, key: Option<&str>, order_id: Option<&str>) -> Option<Index> {
        match key {
            Some(key) => self.by_id(key),
            None => self.of_order(order_id?),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.intents.len()
    }

    /// The orders, or the one named, with their intents.
    pub(super) fn orders<'b>(
        &'b self,
        only: Option<&'b str>,
    ) -> impl Iterator<Item = (&'b str, Vec<&'b Intent>)> {
        let one = only.and_then(|order| self.by_order.get_key_value(order));
        let all = only.is_none().then(|| self.by_order.iter());
        all.into_iter().flatten().chain(one).map(|(order_id, intents)| {
            (order_id.as_str(), intents.iter().map(|&index| &self.intents[index]).collect())
        })
    }

    pub(super) fn totals(&self) -> Totals {
        Totals::of(self.intents.iter())
    }
}

impl Totals {
    pub(super) fn of<'i>(intents: impl Iterator<Item = &'i Intent>) -> Self {
        let mut totals = Totals::default();
        for intent in intents {
            totals.captured += intent.received();
            totals.captures += u64::from(intent.received() > 0);
            totals.disputed += intent.disputed();
            totals.authorised += intent.deadline().map_or(0, |_| intent.amount);
            for refund in &intent.refunds {
                let sum = match (refund.status.counts(), refund.is_by_console) {
                    (false, _) => &mut totals.failed_refunds,
                    (true, false) => &mut totals.refunded_by_us,
                    (true, true) => &mut totals.refunded_by_console,
                };
                *sum += refund.amount;
            }
        }
        totals
    }

    pub(super) fn refunded(&self) -> u64 {
        self.refunded_by_us + self.refunded_by_console
    }

    /// What the merchant has.
    pub(super) fn balance(&self) -> u64 {
        self.captured - self.refunded() - self.disputed
    }
}
