//! Sums over orders, kept while the log is folded so that nobody has to walk all orders for them.

use std::collections::BTreeMap;

use crate::ids::UnixMillis;
use crate::record::EndReason;
use crate::state::order::{Order, OrderState};

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// How many orders are where in their life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderSums {
    /// Claimed, unpaid.
    pub held: u64,
    /// Of those, the ones that end by themselves.
    pub expiring: u64,
    /// Being paid, or awaiting a deposit.
    pub paying: u64,
    /// Sold.
    pub paid: u64,
    /// Their deadline passed.
    pub expired: u64,
    /// Ended in any other way.
    pub cancelled: u64,
    /// Won of the sold ones.
    pub revenue: u64,
}

/// The sums over all events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sales {
    orders: OrderSums,
    /// Orders that have not ended, by the hour since 1970 that they were made in.
    live_by_hour: BTreeMap<u64, u64>,
    /// Held orders by when they end, and by the hour that they were made in.
    deadlines: BTreeMap<(UnixMillis, u64), u64>,
}

/// What sums need to know of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    state: OrderState,
    held_at: UnixMillis,
    expires_at: Option<UnixMillis>,
    /// Won where it is paid.
    won: u64,
}

impl Counted {
    /// An order that costs so many won.
    pub(super) fn of(order: &Order, price: u64) -> Counted {
        let won = if order.state == OrderState::Paid { price } else { 0 };
        let &Order { state, held_at, expires_at, .. } = order;
        Counted { state, held_at, expires_at, won }
    }

    fn is_live(self) -> bool {
        !matches!(self.state, OrderState::Ended { .. })
    }

    fn hour(self) -> u64 {
        self.held_at.0 / HOUR_MS
    }

    /// When it ends by itself.
    fn deadline(self) -> Option<UnixMillis> {
        self.expires_at.filter(|_| self.state == OrderState::Held)
    }
}

impl OrderSums {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.live() + self.expired + self.cancelled
    }

    /// Those that have not ended.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.held + self.paying + self.paid
    }

    pub(super) fn add(&mut self, order: Counted) {
        *self.of(order.state) += 1;
        self.expiring += u64::from(order.deadline().is_some());
        self.revenue += order.won;
    }

    pub(super) fn remove(&mut self, order: Counted) {
        *self.of(order.state) -= 1;
        self.expiring -= u64::from(order.deadline().is_some());
        self.revenue -= order.won;
    }

    fn of(&mut self, state: OrderState) -> &mut u64 {
        match state {
            OrderState::Held => &mut self.held,
            OrderState::Paying | OrderState::AwaitingDeposit => &mut self.paying,
            OrderState::Paid => &mut self.paid,
            OrderState::Ended { reason: EndReason::Expired, .. } => &mut self.expired,
            OrderState::Ended {
                reason:
                    EndReason::CancelledByUser | EndReason::CancelledByAdmin | EndReason::EventCancelled,
                ..
            } => &mut self.cancelled,
        }
    }
}

impl Sales {
    /// The sums as the log has them: a hold is held until the record of its end.
    #[must_use]
    pub fn orders(&self) -> &OrderSums {
        &self.orders
    }

    /// Orders that have not ended at `now`; a hold whose time is over has, whether or not the record
    /// of it is there.
    #[must_use]
    pub fn live(&self, now: UnixMillis) -> u64 {
        self.orders.live() - self.overdue(UnixMillis(0), now)
    }

    /// Those of them that were made at `since` or later; `since` is a whole hour.
    #[must_use]
    pub fn live_since(&self, since: UnixMillis, now: UnixMillis) -> u64 {
        let made: u64 = self.live_by_hour.range(since.0 / HOUR_MS..).map(|(_, count)| count).sum();
        made - self.overdue(since, now)
    }

    fn overdue(&self, since: UnixMillis, now: UnixMillis) -> u64 {
        let due = self.deadlines.range(..=(now, u64::MAX));
        due.filter(|((_, hour), _)| *hour >= since.0 / HOUR_MS).map(|(_, count)| count).sum()
    }

    pub(super) fn add(&mut self, order: Counted) {
        self.orders.add(order);
        if order.is_live() {
            *self.live_by_hour.entry(order.hour()).or_default() += 1;
        }
        if let Some(at) = order.deadline() {
            *self.deadlines.entry((at, order.hour())).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, order: Counted) {
        self.orders.remove(order);
        if order.is_live() {
            take_one(&mut self.live_by_hour, order.hour());
        }
        if let Some(at) = order.deadline() {
            take_one(&mut self.deadlines, (at, order.hour()));
        }
    }
}

/// Takes one from a count and forgets it where nothing is left.
fn take_one<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    if let std::collections::btree_map::Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}
