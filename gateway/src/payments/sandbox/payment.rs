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

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
/// A window that nobody authenticates in is over after this long.
const READY_MS: u64 = 30 * MINUTE_MS;
/// What was authenticated is to be confirmed within this long.
const IN_PROGRESS_MS: u64 = 10 * MINUTE_MS;
/// How long a virtual account takes a deposit.
const DEPOSIT_MS: u64 = 168 * 60 * MINUTE_MS;
/// A deposit can be refunded for this long.
const DEPOSIT_REFUND_MS: u64 = 365 * DAY_MS;
const CARD_AMOUNT_MIN: u64 = 100;
const ACCOUNT_AMOUNT_MIN: u64 = 200;

/// How the buyer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Method {
    Card,
    EasyPay,
    VirtualAccount,
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

/// A transaction, as a reconciliation reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Move {
    pub(super) key: String,
    pub(super) at: u64,
    pub(super) amount: u64,
    pub(super) kind: MoveKind,
    /// The payment's status after it.
    pub(super) status: Status,
}

/// What a transaction does to the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum MoveKind {
    /// An account was issued: none yet.
    Issued,
    Captured,
    Refunded,
    /// The bank took a deposit back.
    Reversed,
    /// Cancelled before any came.
    Voided,
}

/// One entry of `cancels`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cancel {
    pub(super) amount: u64,
    pub(super) reason: String,
    pub(super) tax_free_amount: u64,
    pub(super) at: u64,
    pub(super) transaction_key: String,
    pub(super) balance_after: u64,
    pub(super) request_id: Option<String>,
    pub(super) refund_account: Option<RefundAccount>,
}

/// Where a deposit goes back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefundAccount {
    pub(super) bank: String,
    pub(super) number: String,
    pub(super) holder: String,
}

/// A cancel as it is asked for; its fields are in their bounds.
#[derive(Clone, Debug, Default)]
pub(super) struct CancelOrder {
    pub(super) reason: String,
    /// None for all that is left.
    pub(super) amount: Option<u64>,
    /// What the caller believes is left.
    pub(super) refundable_amount: Option<u64>,
    pub(super) tax_free_amount: u64,
    pub(super) request_id: Option<String>,
    pub(super) refund_account: Option<RefundAccount>,
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
        let Purchase { order_id, order_name, amount, customer_key, customer_name, is_paired } =
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
    pub(super) fn authenticate(
        &mut self,
        method: Method,
        declines_with: Option<TossError>,
        now: u64,
    ) -> bool {
        if self.status != Status::Ready {
            return false;
        }
        self.status = Status::InProgress;
        self.method = Some(method);
        self.declines_with = declines_with.map(|error| error.code().to_owned());
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
        let amount_min = if is_account { ACCOUNT_AMOUNT_MIN } else { CARD_AMOUNT_MIN };
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

    /// Gives money back.
    ///
    /// # Errors
    /// A state without money, cancelled wholly, a part of what has not come, another balance than
    /// the caller believes, more than is left, no or too late a refund of a deposit.
    pub(super) fn cancel(&mut self, order: CancelOrder, now: u64) -> Result<(), TossError> {
        let balance = self.balance();
        let amount = order.amount.unwrap_or(balance);
        let is_paid_account = match self.status {
            Status::Ready | Status::InProgress | Status::Aborted | Status::Expired => {
                return Err(TossError::NOT_CANCELABLE_PAYMENT);
            }
            Status::Canceled => return Err(TossError::ALREADY_CANCELED_PAYMENT),
            Status::WaitingForDeposit => false,
            Status::Done | Status::PartialCanceled => self.method == Some(Method::VirtualAccount),
        };
        if order.refundable_amount.is_some_and(|believed| believed != balance) {
            return Err(TossError::NOT_MATCHES_REFUNDABLE_AMOUNT);
        }
        if amount == 0 || amount > balance || order.tax_free_amount > amount {
            return Err(TossError::NOT_CANCELABLE_AMOUNT);
        }
        let is_waiting = self.status == Status::WaitingForDeposit;
        if is_waiting && amount < balance {
            return Err(TossError::NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT);
        }
        if is_paid_account {
            let due = self.approved_at.map(|at| at.saturating_add(DEPOSIT_REFUND_MS));
            if due.is_some_and(|due| now > due) {
                return Err(TossError::EXCEED_MAX_REFUND_DUE);
            }
            let account = order.refund_account.as_ref();
            check_refund_account(account.ok_or(TossError::INVALID_REFUND_ACCOUNT_INFO)?)?;
        }
        // Nothing is refused from here on.
        let is_whole = self.cancels.is_empty() && amount == balance;
        self.status = if is_whole { Status::Canceled } else { Status::PartialCanceled };
        let kind = if is_waiting { MoveKind::Voided } else { MoveKind::Refunded };
        let transaction_key = self.push(kind, amount, now);
        self.cancels.push(Cancel {
            amount,
            reason: order.reason,
            tax_free_amount: order.tax_free_amount,
            at: now,
            transaction_key,
            balance_after: balance - amount,
            request_id: order.request_id,
            refund_account: order.refund_account.filter(|_| is_paid_account),
        });
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
        self.issued_at.map(|at| at.saturating_add(DEPOSIT_MS))
    }

    /// Whether its account takes no deposit any more.
    pub(super) fn account_is_expired(&self, now: u64) -> bool {
        let is_late = self.account_due_at().is_some_and(|due| now > due);
        self.status == Status::WaitingForDeposit && (self.account_is_closed || is_late)
    }

    /// What can still be cancelled.
    pub(super) fn balance(&self) -> u64 {
        self.cancels.last().map_or(self.amount, |cancel| cancel.balance_after)
    }

    fn push(&mut self, kind: MoveKind, amount: u64, at: u64) -> String {
        let key = format!("{:032X}", rand::random::<u128>());
        self.moves.push(Move { key: key.clone(), at, amount, kind, status: self.status });
        key
    }
}

fn check_refund_account(account: &RefundAccount) -> Result<(), TossError> {
    const BANKS: [&str; 26] = [
        "39", "34", "12", "32", "45", "64", "88", "48", "27", "20", "71", "50", "37", "35", "90",
        "89", "92", "81", "54", "03", "06", "31", "02", "11", "23", "07",
    ];
    const DIGITS_MAX: usize = 20;
    const HOLDER_CHARS_MAX: usize = 60;
    if !BANKS.contains(&account.bank.as_str()) {
        return Err(TossError::INVALID_BANK);
    }
    let is_number = account.number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !(1..=DIGITS_MAX).contains(&account.number.len()) {
        return Err(TossError::INVALID_REFUND_ACCOUNT_NUMBER);
    }
    if !(1..=HOLDER_CHARS_MAX).contains(&account.holder.chars().count()) {
        return Err(TossError::INVALID_REFUND_ACCOUNT_INFO);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticated(method: Method) -> Payment {
        let purchase = Purchase {
            order_id: "order-1".to_owned(),
            order_name: "표 한 장".to_owned(),
            amount: 50_000,
            customer_key: None,
            customer_name: None,
            is_paired: true,
        };
        let mut payment = Payment::open(purchase, 0);
        assert!(payment.authenticate(method, None, 0));
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

    #[test]
    fn parts_that_add_up_to_the_whole_stay_partial() {
        let mut payment = authenticated(Method::Card);
        payment.confirm("order-1", 50_000, &Questions::default(), 1).expect("confirmed");
        let part = |amount| CancelOrder { amount: Some(amount), ..CancelOrder::default() };
        assert_eq!(payment.cancel(part(20_000), 2), Ok(()));
        assert_eq!(payment.cancel(part(30_001), 2), Err(TossError::NOT_CANCELABLE_AMOUNT));
        assert_eq!(payment.cancel(part(30_000), 2), Ok(()));
        assert_eq!((payment.status, payment.balance()), (Status::PartialCanceled, 0));
        let rest = CancelOrder::default();
        assert_eq!(payment.cancel(rest, 3), Err(TossError::NOT_CANCELABLE_AMOUNT));
    }
}
