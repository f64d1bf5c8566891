//! Points of one account: what it has, and what it owes.

use std::collections::BTreeMap;

use tiketi_engine::money::{Ledger, PointsKind, PointsRow};

use super::{MoneyModel, Stage};

/// An account's points, each worth a won.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct AccountModel {
    pub(super) balance: u64,
    /// Spent points whose money is gone.
    pub(super) debt: u64,
    /// Points that earlier versions let the account have although their money was gone.
    pub(super) forgiven: u64,
}

impl AccountModel {
    /// Takes points for an order; whether there were so many.
    pub(super) fn spend(&mut self, points: u64) -> bool {
        let is_there = self.balance >= points;
        self.balance = self.balance.saturating_sub(points);
        is_there
    }

    /// Adds points; they pay a debt first.
    pub(super) fn credit(&mut self, points: u64) {
        let settled = self.debt.min(points);
        self.debt -= settled;
        self.balance += points - settled;
    }

    /// Takes points whose money is gone; what is spent becomes a debt.
    pub(super) fn take_back(&mut self, points: u64) {
        let taken = self.balance.min(points);
        self.balance -= taken;
        self.debt += points - taken;
    }

    /// The same as earlier versions did it.
    pub(super) fn forgive(&mut self, points: u64) {
        let taken = self.balance.min(points);
        self.balance -= taken;
        self.forgiven += points - taken;
    }
}

/// What an account's charges say of its points.
#[derive(Clone, Copy, Default)]
pub(super) struct PointsFlow {
    /// Kept of what was captured for points.
    pub(super) issued: u64,
    /// In orders that are paid or being paid.
    pub(super) spent: u64,
}

impl MoneyModel {
    /// The first account that has other points in `other`.
    pub(super) fn other_points(&self, other: &MoneyModel) -> Option<u32> {
        let of = |model: &MoneyModel, user: u32| {
            let account = model.accounts.get(&user).copied().unwrap_or_default();
            (account.balance, account.debt)
        };
        let mut users = self.accounts.keys().chain(other.accounts.keys()).copied();
        users.find(|&user| of(self, user) != of(other, user))
    }

    /// By account, from its charges alone.
    pub(super) fn points_flows(&self) -> BTreeMap<u32, PointsFlow> {
        let mut flows: BTreeMap<u32, PointsFlow> = BTreeMap::new();
        for charge in self.charges.iter().flatten() {
            let flow = flows.entry(charge.user).or_default();
            match (charge.order, charge.stage) {
                (None, Stage::Captured) => flow.issued += charge.kept.card,
                (Some(_), Stage::Capturing | Stage::AwaitingDeposit) => {
                    flow.spent += charge.amount.points;
                }
                (Some(_), Stage::Captured) => flow.spent += charge.kept.points,
                _ => {}
            }
        }
        flows
    }

    /// A snapshot does not say what earlier versions forgave: it is what is there beyond what was
    /// bought, of accounts whose money the bank once took back.
    pub(super) fn forgive_as_before(&mut self, ledger: &Ledger) {
        let flows = self.points_flows();
        for (user, account) in ledger.accounts() {
            let flow = flows.get(&user.0).copied().unwrap_or_default();
            let is_loss = |row: &PointsRow| row.kind == PointsKind::Cancel && row.amount <= 0;
            if account.history.iter().any(is_loss) {
                let there = account.balance + flow.spent;
                let bought = account.debt + flow.issued;
                self.account(user.0).forgiven = there.saturating_sub(bought);
            }
        }
    }
}
