//! A charge, its trail and its refunds.

use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, ChargeIndex, UnixMillis, UserIndex};
use crate::record::{
    Captured, Deposit, DisputeState, Means, PaymentMethod, ProviderCall, ProviderName, Purpose,
    Split,
};

/// One attempt to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Who pays.
    pub user: UserIndex,
    /// For what.
    pub purpose: Purpose,
    /// Who takes the card's part.
    pub provider: ProviderName,
    /// How much.
    pub amount: Split,
    /// Makes the provider's order id nobody else's.
    pub tag: u64,
    /// When it was asked for.
    pub opened_at: UnixMillis,
    /// When the provider was to be asked to take the money, where it was.
    pub started_at: Option<UnixMillis>,
    /// Where it is.
    pub state: ChargeState,
    /// The provider's name for it; empty while it has none.
    pub payment_key: String,
    /// The attempt of the order; 0 for points.
    pub attempt: Attempt,
    /// Where the buyer has to pay into, for virtual accounts.
    pub deposit: Option<Deposit>,
    /// When the provider took the money, what by, and its receipt.
    pub captured: Option<Captured>,
    /// What has gone back, is going or is owed: the sum of its refunds, and points.
    pub returned: Split,
    /// What the provider was asked and said, in order.
    pub trail: Vec<TrailLine>,
    /// What the provider gave back without being asked, oldest first: in its own console, or to a
    /// buyer who won a dispute. Never part of `returned`.
    pub elsewhere: Vec<Elsewhere>,
    /// The buyer's last dispute of it at the bank, where there was one.
    pub dispute: Option<Dispute>,
}

/// Card money that went back without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Won; negative where such a return failed afterwards.
    pub card: i64,
    /// When it was noticed.
    pub at: UnixMillis,
}

/// A buyer's complaint at the bank about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Won that are in dispute.
    pub amount: u64,
    /// How it stands.
    pub state: DisputeState,
    /// Since when.
    pub at: UnixMillis,
}

/// Where a charge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChargeState {
    /// Asked for; the provider takes nothing yet.
    Open,
    /// The provider was asked to take the money; unknown until it says.
    Capturing,
    /// The buyer has until the deposit's due date.
    AwaitingDeposit,
    /// The money is here.
    Captured,
    /// Definitely no money.
    Failed,
    /// The money was here, and the bank took it back.
    Reversed,
}

/// One call to a provider: never a secret, never a card's number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailLine {
    /// What was asked.
    pub call: ProviderCall,
    /// The HTTP status; 0 where there was no answer.
    pub status: u16,
    /// The provider's code, or our word for what went wrong; empty for success.
    pub code: String,
    /// When the answer was there, the first time.
    pub at: UnixMillis,
    /// Who asked for it; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// How many times in a row the provider was asked this and said so.
    pub times: u32,
    /// When the last of these answers was there.
    pub last_at: UnixMillis,
}

/// Money on its way back: a piece of what is owed of a charge.
///
/// What the provider is asked to give back follows the balance of that moment
/// ([`Ledger::refund_call`](crate::money::Ledger::refund_call)).

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Of which charge.
    pub charge: ChargeIndex,
    /// How much of the card's part; the points went back at once. Less than was owed at first where
    /// the provider gave back money without being asked.
    pub card: u64,
    /// When it came to be.
    pub at: UnixMillis,
    /// Where it is.
    pub state: RefundState,
    /// How often the provider took it on and failed afterwards.
    pub failures: u8,
}

/// Where a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundState {
    /// The provider is asked until it says yes or a definite no.
    Due,
    /// The money went back.
    Done {
        /// When.
        at: UnixMillis,
    },
    /// The provider will not: an administrator has to look at it.
    Refused {
        /// When it said so.
        at: UnixMillis,
    },
    /// An administrator gave the money back another way; the provider still has it.
    ByHand {
        /// When.
        at: UnixMillis,
    },
}

impl Refund {
    /// Whether the buyer still waits for it.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        matches!(self.state, RefundState::Due | RefundState::Refused { .. })
    }

    /// Whether it went back through the provider.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, RefundState::Done { .. })
    }
}

impl Charge {
    /// What is kept of it: captured, not gone back and not owed.
    #[must_use]
    pub fn balance(&self) -> Split {
        match self.state {
            ChargeState::Captured => {
                let kept = self.amount.minus(self.returned);
                Split { card: kept.card.saturating_sub(self.elsewhere()), ..kept }
            }
            _ => Split::default(),
        }
    }

    /// What the provider gave back of it without being asked, in won.
    #[must_use]
    pub fn elsewhere(&self) -> u64 {
        let sum: i64 = self.elsewhere.iter().map(|one| one.card).sum();
        u64::try_from(sum).unwrap_or(0)
    }

    /// Whether the bank has not decided a dispute of it yet: the provider gives nothing back.
    #[must_use]
    pub fn is_disputed(&self) -> bool {
        self.dispute.is_some_and(|dispute| dispute.state == DisputeState::Open)
    }

    /// How it is paid.
    #[must_use]
    pub fn method(&self) -> PaymentMethod {
        match (self.amount.card, self.amount.points) {
            (0, 0) => PaymentMethod::Free,
            (_, 0) => PaymentMethod::Card,
            (0, _) => PaymentMethod::Point,
            _ => PaymentMethod::Mixed,
        }
    }

    /// Whether it was paid into an account, so that it goes back to one. The deposit is not known
    /// where the provider's word of it was lost and the money came before it was asked again.
    #[must_use]
    pub fn came_by_transfer(&self) -> bool {
        let means = self.captured.as_ref().map(|captured| captured.means);
        self.deposit.is_some() || means == Some(Means::VirtualAccount)
    }

    /// Whether the provider has to be asked what became of it.
    #[must_use]
    pub fn is_unresolved(&self) -> bool {
        matches!(self.state, ChargeState::Capturing | ChargeState::AwaitingDeposit)
    }
}
