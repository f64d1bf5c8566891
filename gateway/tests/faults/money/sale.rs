//! A payment as its buyer knows it.

use serde_json::{Value, json};

use crate::money::provider::House;
use crate::money::unasked::Unasked;

/// What a payment is for, and by what it is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Card,
    /// A card, and points as far as there are any.
    Mixed,
    /// Points alone; by card where there are not enough.
    Points,
    /// A virtual account.
    Account,
    /// Points are what is bought, by card.
    Recharge,
    /// The same by a virtual account.
    RechargeByAccount,
}

impl Wish {
    pub(crate) const ALL: [Wish; 6] = [
        Wish::Card,
        Wish::Mixed,
        Wish::Points,
        Wish::Account,
        Wish::Recharge,
        Wish::RechargeByAccount,
    ];

    pub(crate) fn is_account(self) -> bool {
        matches!(self, Wish::Account | Wish::RechargeByAccount)
    }

    pub(crate) fn is_recharge(self) -> bool {
        matches!(self, Wish::Recharge | Wish::RechargeByAccount)
    }
}

/// What the buyer knows of something that she asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Never asked, or nobody can have heard it.
    Nothing,
    /// Asked, without an answer.
    Unknown,
    /// 202: it will be known.
    Later,
    Yes,
    /// Refused, with this code.
    No(String),
}

/// A seat or a ticket of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Good {
    /// By its id.
    Seat(String),
    /// By the id of its type.
    Ticket(String),
}

impl Good {
    /// What gives it back.
    pub(crate) fn refund(&self) -> Value {
        match self {
            Good::Seat(id) => json!({"seatIds": [id]}),
            Good::Ticket(id) => json!({"tickets": [{"ticketTypeId": id, "quantity": 1}]}),
        }
    }
}

/// A seat or ticket that was to go back, without an answer.
#[derive(Clone, Debug)]
pub(crate) struct Returning {
    pub(crate) good: Good,
    /// Its `Idempotency-Key`.
    pub(crate) key: String,
}

/// What the provider did of itself, and whether its message can have been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Heard {
    /// There is nothing new, or it was told and heard.
    All,
    /// It was told, and a process that died may have heard it.
    Perhaps,
    /// It was never told.
    No,
}

/// A payment that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    /// The provider's name for it.
    pub(crate) order_id: String,
    pub(crate) house: House,
    /// `None` for points.
    pub(crate) reservation: Option<String>,
    pub(crate) card: u64,
    /// The provider's key; empty where points pay for all of it.
    pub(crate) key: String,
    /// The keys of further windows of the same order.
    pub(crate) others: Vec<String>,
    pub(crate) is_account: bool,
    pub(crate) confirmed: Told,
    /// The provider was called, so the intent is in the log (I11).
    pub(crate) is_intended: bool,
    pub(crate) cancelled: Told,
    /// What the buyer has not given back, as far as she knows.
    pub(crate) goods: Vec<Good>,
    pub(crate) returning: Option<Returning>,
    pub(crate) has_returned: bool,
    /// Money was paid into the account.
    pub(crate) deposited: bool,
    /// The provider or a bank moved money of it unasked.
    pub(crate) stirred: bool,
    /// What can follow on what the provider did last.
    pub(crate) next: &'static [Unasked],
    /// A fault waits for one of its messages.
    pub(crate) is_unreliable: bool,
    pub(crate) heard: Heard,
}

impl Sale {
    pub(crate) fn is_cancellable(&self) -> bool {
        let is_asked = matches!(self.cancelled, Told::Yes | Told::Unknown);
        self.reservation.is_some() && !is_asked
    }

    /// Whether a part can go back and another is left.
    pub(crate) fn is_returnable(&self) -> bool {
        let is_paid = self.confirmed == Told::Yes && self.cancelled == Told::Nothing;
        is_paid && self.returning.is_none() && self.goods.len() > 1
    }

    /// Whether the provider may have money of it.
    pub(crate) fn may_have_money(&self) -> bool {
        self.card > 0 && (self.deposited || (self.confirmed == Told::Yes && !self.is_account))
    }

    pub(crate) fn awaits_deposit(&self) -> bool {
        let may_await = matches!(self.confirmed, Told::Later | Told::Unknown);
        self.is_account && may_await && !self.deposited
    }

    /// The provider did something of itself.
    pub(crate) fn stir(&mut self, is_told: bool) {
        self.stirred = true;
        let heard = if is_told && !self.is_unreliable { Heard::Perhaps } else { Heard::No };
        self.heard = self.heard.max(heard);
    }

    /// The word for asking the money and for giving it back, in faults.
    pub(crate) fn calls(&self) -> (&'static str, &'static str) {
        match self.house {
            House::Toss => ("confirm", "cancel"),
            House::Stripe => ("capture", "refund"),
        }
    }
}
