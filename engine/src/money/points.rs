//! Points: a balance for each account, and how it came about.

use serde::{Deserialize, Serialize};

use crate::ids::{ChargeIndex, UnixMillis};

/// An account's points, each worth a won.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What can be spent.
    pub balance: u64,
    /// Every change, oldest first.
    pub history: Vec<PointsRow>,
    /// Points that were spent and whose money the bank took back afterwards: what the account gets
    /// next pays this first.
    pub debt: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsRow {
    /// Why.
    pub kind: PointsKind,
    /// How many were added, or taken where it is negative.
    pub amount: i64,
    /// The balance after it.
    pub balance: u64,
    /// The charge it belongs to.
    pub charge: ChargeIndex,
    /// When.
    pub at: UnixMillis,
}

/// Why points changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PointsKind {
    /// They were bought.
    Charge,
    /// They were spent.
    Use,
    /// What they were spent on was taken back.
    Refund,
    /// What they were to be spent on did not come about.
    Cancel,
    /// They paid an earlier debt.
    Debt,
}

impl Account {
    /// Adds points; a debt is paid of them first.
    ///
    /// # Errors
    /// More than an account can have.
    pub(super) fn credit(
        &mut self,
        kind: PointsKind,
        amount: u64,
        charge: ChargeIndex,
        at: UnixMillis,
    ) -> Result<(), String> {
        self.change(kind, signed(amount)?, charge, at)?;
        let settled = self.debt.min(self.balance);
        if settled > 0 {
            self.debt -= settled;
            self.change(PointsKind::Debt, -signed(settled)?, charge, at)?;
        }
        Ok(())
    }

    /// Takes points whose money is gone; those that were spent already become a debt.
    ///
    /// # Errors
    /// An amount that is out of range.
    pub(super) fn take_back(
        &mut self,
        amount: u64,
        charge: ChargeIndex,
        at: UnixMillis,
    ) -> Result<(), String> {
        let taken = amount.min(self.balance);
        self.debt += amount - taken;
        self.change(PointsKind::Cancel, -signed(taken)?, charge, at)
    }

    /// Adds points, or takes them.
    ///
    /// # Errors
    /// There are not so many.
    pub(super) fn change(
        &mut self,
        kind: PointsKind,
        amount: i64,
        charge: ChargeIndex,
        at: UnixMillis,
    ) -> Result<(), String> {
        let balance = self.balance.checked_add_signed(amount);
        self.balance = balance.ok_or_else(|| format!("{amount} of {} points", self.balance))?;
        self.history.push(PointsRow { kind, amount, balance: self.balance, charge, at });
        Ok(())
    }
}

/// An amount as a change of a balance.
pub(super) fn signed(amount: u64) -> Result<i64, String> {
    i64::try_from(amount).map_err(|_| format!("{amount} won are out of range"))
}
