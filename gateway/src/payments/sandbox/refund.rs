//! Refunds of a Toss payment: who may give back what until when, and what becomes of it later.
//! Pure; time is a parameter.

use serde::{Deserialize, Serialize};

use super::clock::seoul_month;
use super::errors::TossError;
use super::payment::{Method, MoveKind, Payment, Status};

const DAY_MS: u64 = 24 * 60 * 60_000;
/// A deposit can be refunded for this long.
const DEPOSIT_REFUND_MS: u64 = 365 * DAY_MS;
/// A transfer can be refunded for this long.
const TRANSFER_REFUND_MS: u64 = 180 * DAY_MS;

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
    #[serde(default)]
    pub(super) state: CancelState,
    /// The merchant's staff made it in Toss's console.
    #[serde(default)]
    pub(super) is_by_console: bool,
}

/// How far a refund is; as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum CancelState {
    #[default]
    Done,
    /// Accepted; its money has left the balance and may come back.
    InProgress,
    /// Failed after it was accepted; its money is back in the balance.
    Aborted,
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
    /// Whether a switch lets it be accepted only.
    pub(super) is_pending: bool,
    pub(super) is_by_console: bool,
}

impl CancelOrder {
    /// What the merchant's staff enter in the console: `amount`, or all that is left.
    pub(super) fn by_console(amount: Option<u64>) -> Self {
        CancelOrder {
            reason: "상점관리자에서 취소".to_owned(),
            amount,
            refund_account: Some(RefundAccount {
                bank: "88".to_owned(),
                number: "110000000000".to_owned(),
                holder: "테스트".to_owned(),
            }),
            is_by_console: true,
            ..CancelOrder::default()
        }
    }
}

impl Payment {
    /// What can still be cancelled.
    pub(super) fn balance(&self) -> u64 {
        let gone = self.cancels.iter().filter(|cancel| cancel.state != CancelState::Aborted);
        self.amount - gone.map(|cancel| cancel.amount).sum::<u64>()
    }

    /// Gives money back.
    ///
    /// # Errors
    /// A state without money, cancelled wholly, a part of what has not come, another balance than
    /// the caller believes, more than is left, a part where the method takes the whole only, too late
    /// a refund, no account for the refund of a deposit.
    pub(super) fn cancel(&mut self, order: CancelOrder, now: u64) -> Result<(), TossError> {
        let balance = self.balance();
        let amount = order.amount.unwrap_or(balance);
        let is_paid = match self.status {
            Status::Ready | Status::InProgress | Status::Aborted | Status::Expired => {
                return Err(TossError::NOT_CANCELABLE_PAYMENT);
            }
            Status::Canceled => return Err(TossError::ALREADY_CANCELED_PAYMENT),
            Status::WaitingForDeposit => false,
            Status::Done | Status::PartialCanceled => true,
        };
        if order.refundable_amount.is_some_and(|believed| believed != balance) {
            return Err(TossError::NOT_MATCHES_REFUNDABLE_AMOUNT);
        }
        if amount == 0 || amount > balance || order.tax_free_amount > amount {
            return Err(TossError::NOT_CANCELABLE_AMOUNT);
        }
        if amount < balance {
            if !is_paid {
                return Err(TossError::NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT);
            }
            if !self.is_partial_cancelable {
                return Err(TossError::NOT_ALLOWED_PARTIAL_REFUND);
            }
        }
        if is_paid && self.refund_is_late(now) {
            return Err(TossError::EXCEED_MAX_REFUND_DUE);
        }
        let is_paid_account = is_paid && self.method == Some(Method::VirtualAccount);
        if is_paid_account {
            let account = order.refund_account.as_ref();
            check_refund_account(account.ok_or(TossError::INVALID_REFUND_ACCOUNT_INFO)?)?;
        }
        // Nothing is refused from here on.
        let is_whole = amount == self.amount;
        self.status = if is_whole { Status::Canceled } else { Status::PartialCanceled };
        let kind = match (is_paid, order.is_by_console) {
            (false, _) => MoveKind::Voided,
            (true, false) => MoveKind::Refunded,
            (true, true) => MoveKind::RefundedByConsole,
        };
        let transaction_key = self.push(kind, amount, now);
        let is_pending = order.is_pending && is_paid;
        self.cancels.push(Cancel {
            amount,
            reason: order.reason,
            tax_free_amount: order.tax_free_amount,
            at: now,
            transaction_key,
            balance_after: balance - amount,
            request_id: order.request_id,
            refund_account: order.refund_account.filter(|_| is_paid_account),
            state: if is_pending { CancelState::InProgress } else { CancelState::Done },
            is_by_console: order.is_by_console,
        });
        Ok(())
    }

    /// Whether its method takes no refund any more.
    fn refund_is_late(&self, now: u64) -> bool {
        let Some(approved_at) = self.approved_at else { return false };
        let is_past = |for_ms| now > approved_at.saturating_add(for_ms);
        match self.method {
            Some(Method::VirtualAccount) => is_past(DEPOSIT_REFUND_MS),
            Some(Method::Transfer) => is_past(TRANSFER_REFUND_MS),
            // The phone bill of a month is closed with it.
            Some(Method::Phone) => seoul_month(now) != seoul_month(approved_at),
            Some(Method::Card | Method::EasyPay | Method::GiftCertificate) | None => false,
        }
    }

    /// The latest refund that was accepted fails: its money is back; `None` where there is none.
    pub(super) fn fail_refund(&mut self, now: u64) -> Option<&Cancel> {
        let position = self.latest_refund(|state| state != CancelState::Aborted)?;
        self.cancels[position].state = CancelState::Aborted;
        let Cancel { amount, is_by_console, .. } = self.cancels[position];
        let is_any_left = self.cancels.iter().any(|cancel| cancel.state != CancelState::Aborted);
        self.status = if is_any_left { Status::PartialCanceled } else { Status::Done };
        let kind = match is_by_console {
            false => MoveKind::RefundFailed,
            true => MoveKind::ConsoleRefundFailed,
        };
        self.push(kind, amount, now);
        self.cancels.get(position)
    }

    /// The latest refund that is accepted only is made; `None` where there is none.
    pub(super) fn complete_refund(&mut self) -> Option<&Cancel> {
        let position = self.latest_refund(|state| state == CancelState::InProgress)?;
        self.cancels[position].state = CancelState::Done;
        self.cancels.get(position)
    }

    fn latest_refund(&self, is_meant: impl Fn(CancelState) -> bool) -> Option<usize> {
        // An account that was closed unpaid has given nothing back.
        self.approved_at?;
        self.cancels.iter().rposition(|cancel| is_meant(cancel.state))
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
    use super::super::payment::tests::authenticated;
    use super::super::questions::Questions;
    use super::*;

    fn paid(method: Method) -> Payment {
        let mut payment = authenticated(method);
        payment.confirm("order-1", 50_000, &Questions::default(), 1).expect("confirmed");
        payment
    }

    fn part(amount: u64) -> CancelOrder {
        CancelOrder { amount: Some(amount), ..CancelOrder::default() }
    }

    #[test]
    fn parts_that_add_up_to_the_whole_stay_partial() {
        let mut payment = paid(Method::Card);
        assert_eq!(payment.cancel(part(20_000), 2), Ok(()));
        assert_eq!(payment.cancel(part(30_001), 2), Err(TossError::NOT_CANCELABLE_AMOUNT));
        assert_eq!(payment.cancel(part(30_000), 2), Ok(()));
        assert_eq!((payment.status, payment.balance()), (Status::PartialCanceled, 0));
        let rest = CancelOrder::default();
        assert_eq!(payment.cancel(rest, 3), Err(TossError::NOT_CANCELABLE_AMOUNT));
    }

    #[test]
    fn refunds_fail_from_the_latest_to_the_first() {
        let mut payment = paid(Method::Card);
        for amount in [20_000, 30_000] {
            payment.cancel(part(amount), 2).expect("cancelled");
        }
        assert_eq!(payment.fail_refund(3).map(|cancel| cancel.amount), Some(30_000));
        assert_eq!((payment.status, payment.balance()), (Status::PartialCanceled, 30_000));
        assert_eq!(payment.fail_refund(3).map(|cancel| cancel.amount), Some(20_000));
        assert_eq!((payment.status, payment.balance()), (Status::Done, 50_000));
        assert!(payment.fail_refund(3).is_none() && payment.complete_refund().is_none());
        assert_eq!(payment.cancel(CancelOrder::default(), 4), Ok(()));
        assert_eq!((payment.status, payment.balance()), (Status::Canceled, 0));
    }
}
