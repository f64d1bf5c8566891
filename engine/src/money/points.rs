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
}

impl Account {
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
