//! One payment: its states and the rules between them. Pure; time is a parameter.
//!
//! ```text
//! READY ─authenticate→ IN_PROGRESS ─confirm→ DONE ─cancel→ PARTIAL_CANCELED | CANCELED
//!   │ 30 min              │ 10 min  └fails→ ABORTED
//!   └──────→ EXPIRED ←────┘
//! IN_PROGRESS ─confirm→ WAITING_FOR_DEPOSIT ─deposit→ DONE ─reversal→ WAITING_FOR_DEPOSIT
//!                         └cancel→ CANCELED
//! ```

use serde::{Deserialize, Serialize};

use super::clock::seoul_digits;
use super::errors::TossError;
use super::questions::{Mismatch, Questions};
use super::refund::Cancel;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// A window that nobody authenticates in is over after this long.
const READY_MS: u64 = 30 * MINUTE_MS;
/// What was authenticated is to be confirmed within this long.
const IN_PROGRESS_MS: u64 = 10 * MINUTE_MS;
/// How long a virtual account takes a deposit where the window says nothing of it.
const DUE_HOURS: u64 = 168;
/// 90 days: the longest that a virtual account takes a deposit.
const DUE_HOURS_MAX: u64 = 2_160;
const CARD_AMOUNT_MIN: u64 = 100;
const ACCOUNT_AMOUNT_MIN: u64 = 200;

/// How the buyer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Method {
    Card,
    EasyPay,
    VirtualAccount,
    /// On the phone bill.
    Phone,
    /// From a bank account, at once.
    Transfer,
    GiftCertificate,
}

impl Method {
    /// The least that Toss takes by this method, in won.
    fn amount_min(self) -> u64 {
        match self {
            Method::VirtualAccount | Method::Transfer => ACCOUNT_AMOUNT_MIN,
            Method::Card | Method::EasyPay | Method::Phone | Method::GiftCertificate => {
                CARD_AMOUNT_MIN
            }
        }
    }
}

/// What the buyer has chosen in the window, and what a test has chosen for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) method: Method,
    /// What the confirm is to fail with.
    pub(super) declines_with: Option<TossError>,
    /// Whether a part can be cancelled; the method decides where it is absent.
    pub(super) is_partial_cancelable: Option<bool>,
}

impl Choice {
    /// The method with its usual behaviour.
    pub(super) fn of(method: Method) -> Self {
        Choice { method, declines_with: None, is_partial_cancelable: None }
    }
}

/// Until when a virtual account takes a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Due {
    /// This many hours after the account was issued.
    Hours(u64),
    /// Until this instant.
    At(u64),
}

impl Default for Due {
    fn default() -> Self {
        Due::Hours(DUE_HOURS)
    }
}

impl Due {
    /// Whether Toss takes such a due date at `now`.
    pub(super) fn is_allowed(self, now: u64) -> bool {
        match self {
            Due::Hours(hours) => (1..=DUE_HOURS_MAX).contains(&hours),
            Due::At(at) => at > now && at <= now.saturating_add(DUE_HOURS_MAX * HOUR_MS),
        }
    }
}

/// As on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    Ready,
    InProgress,
    WaitingForDeposit,
    Done,
    Canceled,
    PartialCanceled,
    Aborted,
    Expired,
}

impl Status {
    /// On the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::Ready => "READY",
            Status::InProgress => "IN_PROGRESS",
            Status::WaitingForDeposit => "WAITING_FOR_DEPOSIT",
            Status::Done => "DONE",
            Status::Canceled => "CANCELED",
            Status::PartialCanceled => "PARTIAL_CANCELED",
            Status::Aborted => "ABORTED",
            Status::Expired => "EXPIRED",
        }
    }
}

/// What a window is opened for; checked by whoever opens it.
#[derive(Clone, Debug)]
pub(super) struct Purchase {
    pub(super) order_id: String,
    pub(super) order_name: String,
    pub(super) amount: u64,
    pub(super) customer_key: Option<String>,
    pub(super) customer_name: Option<String>,
    /// Whether the window's client key and the secret key are a pair.
    pub(super) is_paired: bool,
    /// Of a virtual account, if the buyer chooses one.
    pub(super) due: Due,
}

/// A payment, all of it: a line of the ledger's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Payment {
    pub(super) key: String,
    pub(super) order_id: String,
    pub(super) order_name: String,
    pub(super) customer_key: Option<String>,
    pub(super) customer_name: Option<String>,
    pub(super) amount: u64,
    pub(super) status: Status,
    pub(super) secret: String,
    is_paired: bool,
    /// None until the buyer has chosen.
    pub(super) method: Option<Method>,
    /// The code that a confirm is to fail with.
    declines_with: Option<String>,
    #[serde(default = "yes")]
    pub(super) is_partial_cancelable: bool,
    #[serde(default)]
    due: Due,
    pub(super) opened_at: u64,
    authenticated_at: Option<u64>,
    /// When a virtual account was issued.
    issued_at: Option<u64>,
    pub(super) approved_at: Option<u64>,
    /// The code and text of its end.
    pub(super) failure: Option<String>,
    /// Ended by hand before its time.
    account_is_closed: bool,
    pub(super) moves: Vec<Move>,
    pub(super) cancels: Vec<Cancel>,
}

/// For payments of older files.
fn yes() -> bool {
    true
}

/// A transaction, as a reconciliation reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Move {
    pub(super) key: String,
    pub(super) at: u64,
    pub(super) amount: u64,
    pub(super) kind: MoveKind,
    /// The payment's status after it.
    pub(super) status: Status,
    /// Its place among all transactions: keeps those of one millisecond in order after a restart.
    #[serde(default)]
    pub(super) number: u64,
}

/// What a transaction does to the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum MoveKind {
    /// An account was issued: none yet.
    Issued,
    Captured,
    /// By a call of the merchant's server.
    Refunded,
    /// By the merchant's staff, in Toss's console.
    RefundedByConsole,
    /// A refund by a call was accepted and failed later: its money is back.
    RefundFailed,
    /// The same of a refund by the console.
    ConsoleRefundFailed,
    /// The bank took a deposit back.
    Reversed,
    /// Cancelled before any came.
    Voided,
}

/// What the bank does to a virtual account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum BankEvent {
    Deposit,
    /// A deposit is taken back.
    Reversal,
    /// The due date has passed; nobody is told.
    Expiry,
}

impl Payment {
    /// A window was opened.
    pub(super) fn open(purchase: Purchase, now: u64) -> Self {
        let Purchase { order_id, order_name, amount, customer_key, customer_name, is_paired, due } =
            purchase;
        Payment {
            key: format!("tgen_{}{:016x}", seoul_digits(now), rand::random::<u64>()),
            secret: format!("ps_{:032x}", rand::random::<u128>()),
            order_id,
            order_name,
            customer_key,
            customer_name,
            amount,
            status: Status::Ready,
            is_paired,
            method: None,
            declines_with: None,
            is_partial_cancelable: true,
            due,
            opened_at: now,
            authenticated_at: None,
            issued_at: None,
            approved_at: None,
            failure: None,
            account_is_closed: false,
            moves: Vec::new(),
            cancels: Vec::new(),
        }
    }

    /// The buyer has chosen a means; `false` where the window is over.
    pub(super) fn authenticate(&mut self, choice: Choice, now: u64) -> bool {
        if self.status != Status::Ready {
            return false;
        }
        self.status = Status::InProgress;
        let Choice { method, declines_with, is_partial_cancelable } = choice;
        self.method = Some(method);
        self.declines_with = declines_with.map(|error| error.code().to_owned());
        self.is_partial_cancelable = is_partial_cancelable.unwrap_or(method != Method::Phone);
        self.authenticated_at = Some(now);
        true
    }

    /// When it ends by itself; `None` where it does not.
    pub(super) fn deadline(&self) -> Option<u64> {
        match (self.status, self.authenticated_at) {
            (Status::Ready, _) => Some(self.opened_at.saturating_add(READY_MS)),
            (Status::InProgress, Some(at)) => Some(at.saturating_add(IN_PROGRESS_MS)),
            _ => None,
        }
    }

    /// Its time is over.
    pub(super) fn expire(&mut self) {
        self.status = Status::Expired;
        self.method = None;
        self.failure = Some(TossError::EXPIRED_PAYMENT.code().to_owned());
    }

    /// The buyer's means were refused.
    pub(super) fn abort(&mut self, error: TossError) {
        self.status = Status::Aborted;
        self.failure = Some(error.code().to_owned());
    }

    /// Takes the money, or issues the account.
    ///
    /// # Errors
    /// A pair of keys that is none, another order or amount, a state that cannot be confirmed, too
    /// little money, the decline that the window asked for (which ends the payment).
    pub(super) fn confirm(
        &mut self,
        order_id: &str,
        amount: u64,
        questions: &Questions,
        now: u64,
    ) -> Result<(), TossError> {
        if !self.is_paired {
            return Err(TossError::INVALID_API_KEY);
        }
        if self.order_id != order_id || self.amount != amount {
            return Err(match questions.mismatch {
                Mismatch::InvalidRequest => TossError::INVALID_REQUEST,
                Mismatch::ForbiddenRequest => TossError::FORBIDDEN_REQUEST,
            });
        }
        match self.status {
            Status::InProgress => {}
            Status::Ready | Status::Expired | Status::Aborted => {
                return Err(TossError::NOT_FOUND_PAYMENT_SESSION);
            }
            Status::WaitingForDeposit
            | Status::Done
            | Status::Canceled
            | Status::PartialCanceled => return Err(TossError::ALREADY_PROCESSED_PAYMENT),
        }
        let is_account = self.method == Some(Method::VirtualAccount);
        let amount_min = self.method.map_or(0, Method::amount_min);
        let declines = self.declines_with.as_deref().and_then(TossError::of);
        let too_little = (amount < amount_min).then_some(TossError::BELOW_MINIMUM_AMOUNT);
        if let Some(error) = declines.or(too_little) {
            self.abort(error);
            return Err(error);
        }
        if is_account {
            self.status = Status::WaitingForDeposit;
            self.issued_at = Some(now);
            self.push(MoveKind::Issued, amount, now);
        } else {
            self.status = Status::Done;
            self.approved_at = Some(now);
            self.push(MoveKind::Captured, amount, now);
        }
        Ok(())
    }

    /// What the bank does; `false` where it cannot, and nothing has changed: a deposit of another
    /// amount, for one, is turned away at the counter.
    pub(super) fn bank(&mut self, event: BankEvent, amount: Option<u64>, now: u64) -> bool {
        if self.method != Some(Method::VirtualAccount) {
            return false;
        }
        match (event, self.status) {
            (BankEvent::Deposit, Status::WaitingForDeposit)
                if !self.account_is_expired(now) && amount.is_none_or(|sum| sum == self.amount) =>
            {
                self.status = Status::Done;
                self.approved_at = Some(now);
                self.push(MoveKind::Captured, self.amount, now);
                true
            }
            (BankEvent::Reversal, Status::Done) => {
                self.status = Status::WaitingForDeposit;
                self.approved_at = None;
                self.push(MoveKind::Reversed, self.amount, now);
                true
            }
            (BankEvent::Expiry, Status::WaitingForDeposit) => {
                self.account_is_closed = true;
                true
            }
            (BankEvent::Deposit | BankEvent::Reversal | BankEvent::Expiry, _) => false,
        }
    }

    /// Until when its account takes a deposit; `None` where it has no account.
    pub(super) fn account_due_at(&self) -> Option<u64> {
        let issued_at = self.issued_at?;
        Some(match self.due {
            Due::Hours(hours) => issued_at.saturating_add(hours * HOUR_MS),
            Due::At(at) => at,
        })
    }

    /// Whether its account takes no deposit any more.
    pub(super) fn account_is_expired(&self, now: u64) -> bool {
        let is_late = self.account_due_at().is_some_and(|due| now > due);
        self.status == Status::WaitingForDeposit && (self.account_is_closed || is_late)
    }

    /// Adds a transaction in the status that the payment has come to; its key.
    pub(super) fn push(&mut self, kind: MoveKind, amount: u64, at: u64) -> String {
        let key = format!("{:032X}", rand::random::<u128>());
        let (status, number) = (self.status, 0);
        self.moves.push(Move { key: key.clone(), at, amount, kind, status, number });
        key
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::refund::CancelOrder;
    use super::*;

    pub(in super::super) fn authenticated(method: Method) -> Payment {
        let purchase = Purchase {
            order_id: "order-1".to_owned(),
            order_name: "표 한 장".to_owned(),
            amount: 50_000,
            customer_key: None,
            customer_name: None,
            is_paired: true,
            due: Due::default(),
        };
        let mut payment = Payment::open(purchase, 0);
        assert!(payment.authenticate(Choice::of(method), 0));
        payment
    }

    #[test]
    fn every_state_that_cannot_be_confirmed_or_cancelled_says_so() {
        let questions = Questions::default();
        for (status, confirm, cancel) in [
            (Status::Ready, "NOT_FOUND_PAYMENT_SESSION", "NOT_CANCELABLE_PAYMENT"),
            (Status::InProgress, "", "NOT_CANCELABLE_PAYMENT"),
            (Status::WaitingForDeposit, "ALREADY_PROCESSED_PAYMENT", ""),
            (Status::Done, "ALREADY_PROCESSED_PAYMENT", ""),
            (Status::Canceled, "ALREADY_PROCESSED_PAYMENT", "ALREADY_CANCELED_PAYMENT"),
            (Status::PartialCanceled, "ALREADY_PROCESSED_PAYMENT", ""),
            (Status::Aborted, "NOT_FOUND_PAYMENT_SESSION", "NOT_CANCELABLE_PAYMENT"),
            (Status::Expired, "NOT_FOUND_PAYMENT_SESSION", "NOT_CANCELABLE_PAYMENT"),
        ] {
            let mut payment = authenticated(Method::Card);
            payment.status = status;
            let code = |result: Result<(), TossError>| result.err().map_or("", TossError::code);
            let confirmed = payment.clone().confirm("order-1", 50_000, &questions, 1);
            assert_eq!(code(confirmed), confirm, "{status:?}");
            assert_eq!(code(payment.cancel(CancelOrder::default(), 1)), cancel, "{status:?}");
        }
    }
}
