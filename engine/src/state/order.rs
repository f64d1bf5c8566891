//! An order as the fold knows it.

use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, HoldSlot, Lsn, UnixMillis, UserIndex};
use crate::record::{Claim, EndReason, PaymentMethod};
use crate::state::order_index::OrderClass;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its hold slot, part of its id.
    pub slot: HoldSlot,
    /// Whose it is.
    pub user: UserIndex,
    /// What it claims or claimed.
    pub claim: Claim,
    /// When it was made.
    pub held_at: UnixMillis,
    /// The record that made it, source of its public number.
    pub held_lsn: Lsn,
    /// When it ends by itself.
    pub expires_at: Option<UnixMillis>,
    /// Where it is in its life.
    pub state: OrderState,
    /// The last payment.
    pub payment: Option<Payment>,
    /// How many orders of the installation were made before it.
    #[serde(skip)]
    pub seq: u32,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderState {
    /// Claimed, unpaid.
    Held,
    /// A payment is under way.
    Paying,
    /// Sold.
    Paid,
    /// Over; what it held was given back.
    Ended {
        /// Why.
        reason: EndReason,
        /// When.
        at: UnixMillis,
    },
    /// The buyer has an account to pay into.
    AwaitingDeposit,
}

/// The last payment of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Which attempt.
    pub attempt: Attempt,
    /// How.
    pub method: PaymentMethod,
    /// When it was begun.
    pub started_at: UnixMillis,
    /// When money was captured.
    pub paid_at: Option<UnixMillis>,
}

/// What a seat is to a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatStatus {
    /// Free.
    Available,
    /// Held, unpaid.
    Locked,
    /// Sold.
    Reserved,
    /// Off sale.
    Blocked,
}

impl Order {
    /// Whether it still holds its seats or tickets.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.state, OrderState::Ended { .. })
    }

    /// Whether money was captured for it.
    #[must_use]
    pub fn was_paid(&self) -> bool {
        self.payment.is_some_and(|payment| payment.paid_at.is_some())
    }

    /// Its class among all orders.
    #[must_use]
    pub fn class(&self) -> OrderClass {
        match self.state {
            OrderState::Held | OrderState::Paying | OrderState::AwaitingDeposit => OrderClass::Open,
            OrderState::Paid => OrderClass::Paid,
            OrderState::Ended { .. } => OrderClass::Ended,
        }
    }

    pub(super) fn seat_status(&self) -> SeatStatus {
        match self.state {
            OrderState::Paid => SeatStatus::Reserved,
            _ => SeatStatus::Locked,
        }
    }
}
