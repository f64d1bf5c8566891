//! What the gateway did not ask for: the merchant's staff give money back in the provider's
//! console, refunds that were taken on are made or fail, buyers dispute, banks take deposits back.

use serde_json::{Value, json};

use crate::money::buyer::Buyer;
use crate::money::provider::House;
use crate::money::sale::Sale;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// In the console: a part, or all that is left.
    RefundPart,
    RefundAll,
    /// The latest refund fails after it was accepted.
    RefundFails,
    /// The latest refund that was accepted only is made.
    RefundIsMade,
    /// At Stripe: about a part, or about all.
    DisputePart,
    DisputeAll,
    Won,
    Lost,
    /// By the bank, of a deposit.
    Reversal,
    /// After that.
    SecondDeposit,
}

impl Unasked {
    const OF_TOSS: [Unasked; 4] =
        [Unasked::RefundPart, Unasked::RefundPart, Unasked::RefundAll, Unasked::RefundFails];
    const OF_ACCOUNTS: [Unasked; 6] = [
        Unasked::RefundPart,
        Unasked::RefundFails,
        Unasked::Reversal,
        Unasked::Reversal,
        Unasked::SecondDeposit,
        Unasked::SecondDeposit,
    ];
    const OF_STRIPE: [Unasked; 7] = [
        Unasked::RefundPart,
        Unasked::RefundAll,
        Unasked::RefundFails,
        Unasked::DisputePart,
        Unasked::DisputePart,
        Unasked::DisputeAll,
        Unasked::DisputeAll,
    ];

    fn next(self) -> &'static [Unasked] {
        match self {
            Unasked::DisputePart | Unasked::DisputeAll => &[Unasked::Won, Unasked::Lost],
            Unasked::Reversal => &[Unasked::SecondDeposit],
            _ => &[],
        }
    }

    /// For the tally.
    fn name(self, is_told: bool) -> &'static str {
        match (self, is_told) {
            (Unasked::RefundPart, true) => "part refunded in the console",
            (Unasked::RefundPart, false) => "part refunded in the console, not told",
            (Unasked::RefundAll, true) => "all refunded in the console",
            (Unasked::RefundAll, false) => "all refunded in the console, not told",
            (Unasked::RefundFails, true) => "a refund failed",
            (Unasked::RefundFails, false) => "a refund failed, not told",
            (Unasked::RefundIsMade, _) => "a refund was made later",
            (Unasked::DisputePart, _) => "a part disputed",
            (Unasked::DisputeAll, _) => "all disputed",
            (Unasked::Won, true) => "a dispute was won",
            (Unasked::Won, false) => "a dispute was won, not told",
            (Unasked::Lost, true) => "a dispute was lost",
            (Unasked::Lost, false) => "a dispute was lost, not told",
            (Unasked::Reversal, true) => "a deposit was reversed",
            (Unasked::Reversal, false) => "a deposit was reversed, not told",
            (Unasked::SecondDeposit, _) => "a deposit came again",
        }
    }

    /// The switch of the sandbox.
    fn switch(self, left: u64, share: u64) -> (&'static str, Value) {
        let part = (left * share / 100).max(1);
        match self {
            Unasked::RefundPart => ("console-refund", json!({"amount": part})),
            Unasked::RefundAll => ("console-refund", json!({})),
            Unasked::RefundFails => ("fail-refund", json!({})),
            Unasked::RefundIsMade => ("complete-refund", json!({})),
            Unasked::DisputePart => ("dispute", json!({"amount": part})),
            Unasked::DisputeAll => ("dispute", json!({})),
            Unasked::Won => ("close-dispute", json!({"status": "won"})),
            Unasked::Lost => ("close-dispute", json!({"status": "lost"})),
            Unasked::Reversal => ("deposit", json!({"event": "reversal"})),
            Unasked::SecondDeposit => ("deposit", json!({})),
        }
    }
}

impl Buyer {
    /// Something of it, where there is a payment that it can befall.
    pub(crate) fn unasked(&mut self) {
        let follows = |sale: &Sale| !sale.next.is_empty() && sale.may_have_money();
        if let (Some(sale), false) = (self.choose(follows), self.random.one_in(4)) {
            let what = *self.random.pick(self.sales[sale].next);
            let is_told = !self.random.one_in(3);
            self.befall(sale, what, is_told);
            return;
        }
        let is_stripes = self.random.one_in(2);
        let fits =
            |sale: &Sale| sale.may_have_money() && (sale.house == House::Stripe || !is_stripes);
        if let Some(sale) = self.choose(fits) {
            let (what, is_told) = (self.something(sale), !self.random.one_in(3));
            self.befall(sale, what, is_told);
        }
    }

    pub(crate) fn something(&mut self, sale: usize) -> Unasked {
        let Sale { house, is_account, .. } = self.sales[sale];
        match (house, is_account) {
            (House::Stripe, _) => *self.random.pick(&Unasked::OF_STRIPE),
            (House::Toss, true) => *self.random.pick(&Unasked::OF_ACCOUNTS),
            (House::Toss, false) => *self.random.pick(&Unasked::OF_TOSS),
        }
    }

    /// Whether it could be done.
    pub(crate) fn befall(&mut self, sale: usize, what: Unasked, is_told: bool) -> bool {
        let Sale { order_id, house, key, .. } = &self.sales[sale];
        let (house, provider) = (*house, &self.place.provider);
        let left = provider.books(Some(order_id)).of(order_id).left();
        let share = self.random.between(1, 60) as u64;
        let (name, mut body) = what.switch(left, share);
        body["paymentKey"] = json!(key);
        body["webhook"] = json!(is_told);
        let Some(done) = provider.try_switch(house, name, body) else { return false };
        if done["done"] == false {
            return false;
        }
        self.count(what.name(is_told));
        self.sales[sale].next = what.next();
        // What was only taken on has left the balance before.
        if what != Unasked::RefundIsMade {
            self.sales[sale].stir(is_told);
        }
        true
    }

    /// The bank decides every dispute that is open.
    pub(crate) fn decide_disputes(&mut self) {
        for sale in 0..self.sales.len() {
            if self.sales[sale].house == House::Stripe && self.sales[sale].card > 0 {
                let what = if self.random.one_in(2) { Unasked::Won } else { Unasked::Lost };
                self.befall(sale, what, true);
            }
        }
    }
}
