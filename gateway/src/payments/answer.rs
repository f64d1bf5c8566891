//! What a provider's answer means: closed lists that the compiler walks.

use std::time::Duration;

use tiketi_engine::ids::UnixMillis;
pub(crate) use tiketi_engine::money::Means;
pub(crate) use tiketi_engine::record::{DisputeState, ProviderCall};

use crate::config::Secret;
use crate::payments::ids::PaymentKey;

/// Characters of a provider's code that are kept.
pub(crate) const CODE_CHARS_MAX: usize = 64;
/// Characters of a provider's message that are kept.
pub(crate) const MESSAGE_CHARS_MAX: usize = 200;
/// Characters of a provider's own name for a call that are kept.
pub(crate) const TRACE_CHARS_MAX: usize = 128;

/// An outcome and what the audit trail keeps of how it came about.
#[derive(Debug)]
pub(crate) struct Answered<T> {
    pub(crate) outcome: T,
    pub(crate) trail: Trail,
    /// What the call says about the provider itself, for the breaker.
    pub(crate) health: Health,
}

impl<T> Answered<T> {
    /// Where there was nothing to ask the provider.
    pub(crate) fn unasked(call: ProviderCall, outcome: T) -> Self {
        let trail =
            Trail { call, http_status: None, code: None, trace_id: None, took: Duration::ZERO };
        Answered { outcome, trail, health: Health::Up }
    }
}

/// A call for the audit trail. No secret and no card data by construction: only what is named here
/// is ever taken from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trail {
    pub(crate) call: ProviderCall,
    /// `None` where no answer came.
    pub(crate) http_status: Option<u16>,
    /// The error's code, or the payment's status where it is no error.
    pub(crate) code: Option<String>,
    /// The provider's own name for the call.
    pub(crate) trace_id: Option<String>,
    pub(crate) took: Duration,
}

/// Whether the provider works at all. A refusal says it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Up,
    /// No connection, no answer in time, a 5xx, or it does not take our key.
    Down,
}

/// Why nobody knows how a call ended. The seats are kept and the provider is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// No whole answer in time.
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// The answer is larger than any payment is.
    TooLarge,
    /// Not JSON, or not a shape that is known.
    NotUnderstood,
    /// An error whose code says nothing for certain.
    Code,
    /// A status that is not in the provider's list, or not one this call can end with.
    Status,
    /// A payment, but not the one that was asked for.
    Mismatch(Field),
}

/// What did not match the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    OrderId,
    PaymentKey,
    Amount,
    Currency,
    Balance,
}

/// How preparing a payment ended. No money can have moved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Ready {
        payment_key: PaymentKey,
        /// For this buyer's browser alone.
        client_secret: Secret,
    },
    Mistake(Mistake),
    Unknown(Unknown),
}

/// How taking money ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    Captured(Captured),
    AwaitingDeposit(Deposit),
    /// No money moved, for certain. A new attempt is a new payment.
    Refused(Refusal),
    /// We asked wrongly. The order fails only once a query agrees that nothing was taken.
    Mistake(Mistake),
    Unknown(Unknown),
}

/// What the provider knows about a payment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The money was taken, and `balance` won of it are still there.
    Captured {
        captured: Captured,
        balance: u64,
        /// The last dispute of it, where there was one.
        dispute: Option<DisputeFound>,
    },
    AwaitingDeposit(Deposit),
    /// The money was taken and all of it was given back.
    Refunded {
        captured: Captured,
    },
    /// Nothing was taken and nothing will be.
    NotApproved,
    /// A payment, and not the order's.
    Foreign {
        field: Field,
        /// It can never become the order's, and no other payment has the order's money.
        is_certain: bool,
    },
    /// The buyer is not done, or has authenticated and the money can still be taken.
    Open(Stage),
    Missing,
    /// We asked wrongly; nothing is known.
    Mistake(Mistake),
    Unknown(Unknown),
}

/// How a dispute of a payment stands. What a lost one took is not part of a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DisputeFound {
    /// In won.
    pub(crate) amount: u64,
    pub(crate) state: DisputeState,
}

/// A page of a provider's list of transactions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Page {
        rows: Vec<Transaction>,
        /// Where the next page begins; `None` for the last one.
        next: Option<String>,
    },
    Mistake(Mistake),
    Unknown(Unknown),
}

/// A movement of money at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Our name of its order, where the list has it.
    pub(crate) order_id: Option<String>,
    /// The provider's name of its payment, where the list has it.
    pub(crate) payment_key: Option<String>,
    pub(crate) movement: Movement,
}

/// What a transaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Movement {
    /// So many won were taken.
    Captured(u64),
    /// So many won went back.
    Returned(u64),
    /// Anything else that may have moved money.
    Other,
}

/// How far a payment is that is not taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The buyer has not authenticated.
    Started,
    /// Capturing may succeed.
    Authenticated,
    /// The provider is at it.
    Processing,
}

/// How giving money back ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refund {
    Done {
        /// What is left of the payment, in won. All is given back at 0, whatever the status says.
        balance: u64,
        /// The provider's name for this refund.
        transaction_key: Option<String>,
    },
    /// Taken on; how it ends is asked for later.
    Pending {
        transaction_key: Option<String>,
    },
    /// It was given back before, or our balance is wrong: a query decides. Where that finds the
    /// balance we named, it is a refusal.
    Already(Refusal),
    /// It will never work like this.
    Refused(Refusal),
    /// It may work later: after a query, and under a new key, as a provider repeats its answer to
    /// the old one. The balance that goes along keeps that from giving money back twice.
    Later(Refusal),
    Mistake(Mistake),
    Unknown(Unknown),
}

/// Money that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    pub(crate) payment_key: PaymentKey,
    pub(crate) approved_at: Option<UnixMillis>,
    /// Seen from what the payment has and never from a name in some language.
    pub(crate) method: Means,
    pub(crate) receipt_url: Option<String>,
    /// What an unsigned webhook about this payment has to carry.
    pub(crate) secret: Option<Secret>,
}

/// An account that waits for the buyer's money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deposit {
    pub(crate) payment_key: PaymentKey,
    /// The provider's code of the bank.
    pub(crate) bank: String,
    pub(crate) account_number: String,
    pub(crate) holder: Option<String>,
    /// No webhook tells that it has passed.
    pub(crate) due_at: Option<UnixMillis>,
    /// What a webhook about this account has to carry.
    pub(crate) secret: Option<Secret>,
}

/// Some of the money that was given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cancel {
    /// In won.
    pub(crate) amount: u64,
    pub(crate) transaction_key: Option<String>,
    pub(crate) state: CancelState,
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelState {
    Done,
    Pending,
    Failed,
}

/// A no, in the provider's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    /// For the buyer, in the provider's language.
    pub(crate) message: String,
}

/// What we did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) code: String,
    /// Whether the provider does not take our key: nobody can pay until it is mended.
    pub(crate) is_key: bool,
}

/// At most `chars_max` characters of `text`.
pub(crate) fn bounded(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}
