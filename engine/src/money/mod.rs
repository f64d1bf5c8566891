//! Money: what was asked of providers, what came of it, what goes back, and points.
//!
//! A [`Charge`] is one attempt to be paid, for an order or for points. The provider's part of it is
//! written down before and after every call (I11), so that a start knows what to ask about. Whatever
//! was captured ends as a paid order, as points, or as a [`Refund`]: nobody has to remember to ask for
//! one, the record that takes a paid order away makes it.
//!
//! Live memory and the fold keep the same [`Ledger`] and change it by the same function: a command
//! checks, logs, and applies its record under the ledger's lock, so the log has the ledger's order.

mod charge;
mod ledger;
mod points;
mod stored;

pub use crate::money::charge::{
    Charge, ChargeState, Dispute, Elsewhere, Refund, RefundState, TrailLine,
};
pub use crate::money::ledger::{Ledger, RefundCall};
pub use crate::money::points::{Account, PointsKind, PointsRow};
pub(crate) use crate::money::stored::{StoredLedger3, StoredLedger5};
pub use crate::record::{BankAccount, Captured, Deposit, Means, Purpose, Split};
