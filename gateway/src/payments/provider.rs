//! What every payment provider does, and what it is asked.
//!
//! A provider is called with no lock held and outside of a buyer's request. It never says how an
//! order goes on: it says what is known about the money, and what is not on a closed list is
//! [unknown](crate::payments::answer::Unknown).

use std::pin::Pin;

use hyper::HeaderMap;
use tiketi_engine::ids::UnixMillis;
use tiketi_engine::money::BankAccount;

use crate::payments::answer::{Answered, Capture, Found, Listed, Opened, Refund};
use crate::payments::hint::{BadHint, Hint};
use crate::payments::ids::{OrderId, PaymentKey};

/// A call under way. Boxed, so that providers can be chosen by configuration.
pub(crate) type Call<'a, T> = Pin<Box<dyn Future<Output = Answered<T>> + Send + 'a>>;

/// A company that moves the money.
pub(crate) trait Provider: Send + Sync {
    /// The public key a browser starts the payment window with.
    fn client_key(&self) -> &str;

    /// Prepares a payment that a buyer is about to authenticate; `None` where the browser makes it.
    fn open<'a>(&'a self, opening: &'a Opening) -> Option<Call<'a, Opened>>;

    /// Takes the money that a buyer has authenticated. The intent is durable before this (I11).
    fn capture<'a>(&'a self, charge: &'a Charge) -> Call<'a, Capture>;

    /// What the provider knows about a payment; the only thing that settles an unknown outcome.
    fn query<'a>(&'a self, payment: &'a Inquiry) -> Call<'a, Found>;

    /// Gives money back, or lets go of what was never taken.
    fn refund<'a>(&'a self, refund: &'a RefundOrder) -> Call<'a, Refund>;

    /// A page of what moved money in a span of time, for the comparison with the books.
    fn transactions<'a>(&'a self, page: &'a ListPage) -> Call<'a, Listed>;

    /// Reads a webhook. It is a hint that something may have changed and never more: whoever gets
    /// one asks with [`query`](Provider::query).
    ///
    /// # Errors
    /// A message that is no webhook of this provider, or is not signed as it has to be at `now`.
    fn hint(&self, headers: &HeaderMap, body: &[u8], now: UnixMillis) -> Result<Hint, BadHint>;
}

/// A payment to prepare. Nothing in it changes while its charge is open: a provider refuses an
/// idempotency key that comes with anything else than the first time.
pub(crate) struct Opening {
    pub(crate) order_id: OrderId,
    /// In won.
    pub(crate) amount: u64,
    pub(crate) idempotency_key: String,
}

/// Money to take.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) order_id: OrderId,
    pub(crate) payment_key: PaymentKey,
    /// In won.
    pub(crate) amount: u64,
    pub(crate) idempotency_key: String,
}

/// A payment to ask about.
#[derive(Clone, Debug)]
pub(crate) struct Inquiry {
    pub(crate) order_id: OrderId,
    /// Where it is known. Stripe finds a payment by nothing else.
    pub(crate) payment_key: Option<PaymentKey>,
    /// What the order costs, in won.
    pub(crate) amount: u64,
}

/// A page of a list of transactions.
#[derive(Clone, Debug)]
pub(crate) struct ListPage {
    /// From this instant on.
    pub(crate) from: UnixMillis,
    /// Up to this instant, which is outside.
    pub(crate) to: UnixMillis,
    /// Where the page begins; `None` for the first one.
    pub(crate) after: Option<String>,
}

/// Money to give back.
#[derive(Debug)]
pub(crate) struct RefundOrder {
    pub(crate) order_id: OrderId,
    pub(crate) payment_key: PaymentKey,
    /// In won, at most `balance`.
    pub(crate) amount: u64,
    /// What we believe is left of the payment, in won: two refunds under different keys cannot both
    /// be right about it.
    pub(crate) balance: u64,
    pub(crate) reason: String,
    pub(crate) idempotency_key: String,
    /// Where the money goes; a virtual account that was paid into needs it.
    pub(crate) account: Option<BankAccount>,
}
