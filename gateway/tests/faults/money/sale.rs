//! A payment as its buyer knows it.

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
    /// Points are what is bought.
    Recharge,
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

/// A payment that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    /// The provider's name for it.
    pub(crate) order_id: String,
    /// `None` for points.
    pub(crate) reservation: Option<String>,
    pub(crate) card: u64,
    /// The provider's key; empty where points pay for all of it.
    pub(crate) key: String,
    pub(crate) is_account: bool,
    pub(crate) confirmed: Told,
    /// The provider was called, so the intent is in the log (I11).
    pub(crate) is_intended: bool,
    pub(crate) cancelled: Told,
    /// Its seats that the buyer has not returned, as far as she knows.
    pub(crate) seats: Vec<String>,
    pub(crate) has_returned: bool,
    /// The buyer has paid into the account.
    pub(crate) deposited: bool,
}

impl Sale {
    pub(crate) fn is_cancellable(&self) -> bool {
        let is_asked = matches!(self.cancelled, Told::Yes | Told::Unknown);
        self.reservation.is_some() && !is_asked
    }

    /// Whether a seat can go back and another is left, also where one did that nobody was told of.
    pub(crate) fn is_returnable(&self) -> bool {
        let is_paid = self.confirmed == Told::Yes && self.cancelled == Told::Nothing;
        is_paid && self.seats.len() > 1
    }
}
