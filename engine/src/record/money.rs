//! Values of money that records carry.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{ReservationId, UnixMillis};
use crate::limits::{ACCOUNT_DIGITS_MAX, ACCOUNT_HOLDER_CHARS_MAX, BANK_BYTES_MAX};

/// An amount by where it comes from, in won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// What the provider takes.
    pub card: u64,
    /// What is taken from the account's points.
    pub points: u64,
}

impl Split {
    /// Both parts.
    #[must_use]
    pub fn total(self) -> u64 {
        self.card.saturating_add(self.points)
    }

    pub(crate) fn minus(self, other: Split) -> Split {
        Split {
            card: self.card.saturating_sub(other.card),
            points: self.points.saturating_sub(other.points),
        }
    }
}

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// An order.
    Order(ReservationId),
    /// Points for the account.
    Points,
}

/// A virtual account to pay into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// The bank's code.
    pub bank: String,
    /// The account's number.
    pub account: String,
    /// In whose name.
    pub holder: String,
    /// Until when.
    pub due_at: UnixMillis,
    /// What the provider's messages about it carry.
    pub secret: String,
}

/// A buyer's own account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankAccount {
    /// The bank's code at the provider.
    pub bank: String,
    /// Digits.
    pub number: String,
    /// In whose name.
    pub holder: String,
}

impl BankAccount {
    /// Whether it can be one.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let BankAccount { bank, number, holder } = self;
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (1..=BANK_BYTES_MAX).contains(&bank.len())
            && (1..=ACCOUNT_DIGITS_MAX).contains(&number.len())
            && is_digits(number)
            && (1..=ACCOUNT_HOLDER_CHARS_MAX).contains(&holder.chars().count())
    }
}

/// A log does not tell whose account it is.
impl fmt::Debug for BankAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankAccount").field("bank", &self.bank).finish_non_exhaustive()
    }
}

/// What a capture gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// When, by the provider's clock.
    pub approved_at: UnixMillis,
    /// By what.
    pub means: Means,
    /// Where the receipt is.
    pub receipt: Option<String>,
}

/// By what a buyer paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Means {
    /// A card.
    Card,
    /// A wallet.
    EasyPay,
    /// A bank transfer.
    Transfer,
    /// A virtual account.
    VirtualAccount,
    /// A telephone bill.
    Phone,
    /// A gift certificate.
    GiftCertificate,
    /// Points alone.
    Points,
    /// Anything that the provider did not name.
    Other,
}
