//! Toss's payment object, as far as it is read. Fields may be added at any time and values of its
//! enums too: the first are skipped, the second are data.

use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use crate::config::Secret;
use crate::instants;
use crate::payments::answer::{
    Cancel, CancelState, Captured, Deposit, Field, Found, Means, Stage, Unknown, bounded,
};
use crate::payments::ids::{OrderId, PaymentKey};

/// The only currency that is sold in.
const CURRENCY: &str = "KRW";
/// Characters of a name or number that are kept.
const TEXT_CHARS_MAX: usize = 100;
/// A longer address of a receipt is none.
const URL_BYTES_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    order_id: String,
    payment_key: String,
    pub(super) status: String,
    currency: String,
    #[serde(deserialize_with = "won")]
    total_amount: u64,
    #[serde(default, deserialize_with = "maybe_won")]
    balance_amount: Option<u64>,
    approved_at: Option<String>,
    secret: Option<String>,
    last_transaction_key: Option<String>,
    receipt: Option<Receipt>,
    virtual_account: Option<VirtualAccount>,
    card: Option<IgnoredAny>,
    easy_pay: Option<IgnoredAny>,
    transfer: Option<IgnoredAny>,
    mobile_phone: Option<IgnoredAny>,
    gift_certificate: Option<IgnoredAny>,
    cancels: Option<Vec<CancelRow>>,
}

#[derive(Deserialize)]
struct Receipt {
    url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VirtualAccount {
    account_number: String,
    bank_code: String,
    customer_name: Option<String>,
    due_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelRow {
    #[serde(deserialize_with = "won")]
    cancel_amount: u64,
    transaction_key: Option<String>,
    cancel_status: Option<String>,
}

impl Payment {
    /// What of it is not the order's. What is `None` is not known here and not compared.
    pub(super) fn mismatch(
        &self,
        order_id: &OrderId,
        payment_key: Option<&PaymentKey>,
        amount: Option<u64>,
    ) -> Option<Field> {
        if self.order_id != order_id.as_str() {
            return Some(Field::OrderId);
        }
        if payment_key.is_some_and(|key| self.payment_key != key.as_str()) {
            return Some(Field::PaymentKey);
        }
        if amount.is_some_and(|amount| self.total_amount != amount) {
            return Some(Field::Amount);
        }
        (self.currency != CURRENCY).then_some(Field::Currency)
    }

    /// What there is to know about it.
    pub(super) fn found(&self) -> Found {
        match self.status.as_str() {
            "DONE" | "PARTIAL_CANCELED" => self.taken(),
            // An account that nobody had paid into was cancelled: nothing was taken.
            "CANCELED" if self.approved_at.is_none() => Found::NotApproved,
            "CANCELED" => self.taken(),
            "WAITING_FOR_DEPOSIT" => {
                self.deposit().map_or_else(Found::Unknown, Found::AwaitingDeposit)
            }
            "ABORTED" | "EXPIRED" => Found::NotApproved,
            "READY" => Found::Open(Stage::Started),
            "IN_PROGRESS" => Found::Open(Stage::Authenticated),
            _ => Found::Unknown(Unknown::Status),
        }
    }

    fn taken(&self) -> Found {
        let (captured, balance) = match (self.captured(), self.balance_amount) {
            (Ok(captured), Some(balance)) => (captured, balance),
            _ => return Found::Unknown(Unknown::NotUnderstood),
        };
        match balance {
            0 => Found::Refunded { captured },
            _ => Found::Captured { captured, balance, dispute: None },
        }
    }

    /// The money that was taken.
    pub(super) fn captured(&self) -> Result<Captured, Unknown> {
        let receipt_url = self.receipt.as_ref().and_then(|receipt| receipt.url.clone());
        Ok(Captured {
            payment_key: self.key()?,
            approved_at: self.approved_at.as_deref().and_then(instants::parse),
            method: self.method(),
            receipt_url: receipt_url.filter(|url| url.len() <= URL_BYTES_MAX),
            secret: self.secret(),
        })
    }

    /// The account that waits for the money.
    pub(super) fn deposit(&self) -> Result<Deposit, Unknown> {
        let account = self.virtual_account.as_ref().ok_or(Unknown::NotUnderstood)?;
        let customer = account.customer_name.as_deref();
        Ok(Deposit {
            payment_key: self.key()?,
            bank: bounded(&account.bank_code, TEXT_CHARS_MAX),
            account_number: bounded(&account.account_number, TEXT_CHARS_MAX),
            holder: customer.map(|name| bounded(name, TEXT_CHARS_MAX)),
            due_at: account.due_date.as_deref().and_then(instants::parse),
            secret: self.secret(),
        })
    }

    pub(super) fn balance(&self) -> Option<u64> {
        self.balance_amount
    }

    pub(super) fn transaction_key(&self) -> Option<String> {
        self.last_transaction_key.as_deref().map(|key| bounded(key, TEXT_CHARS_MAX))
    }

    /// What the last call that changed it gave back.
    pub(super) fn last_cancel(&self) -> Option<Cancel> {
        let rows = self.cancels.as_deref().unwrap_or_default();
        let last = |row: &&CancelRow| row.transaction_key == self.last_transaction_key;
        rows.iter().rev().find(last).or(rows.last()).map(CancelRow::read)
    }

    pub(super) fn key(&self) -> Result<PaymentKey, Unknown> {
        PaymentKey::new(&self.payment_key).ok_or(Unknown::NotUnderstood)
    }

    fn secret(&self) -> Option<Secret> {
        self.secret.as_deref().map(|secret| Secret::new(bounded(secret, TEXT_CHARS_MAX)))
    }

    /// A wallet may have paid by a card or from an account; it is named first.
    fn method(&self) -> Means {
        match self {
            Payment { easy_pay: Some(_), .. } => Means::EasyPay,
            Payment { card: Some(_), .. } => Means::Card,
            Payment { virtual_account: Some(_), .. } => Means::VirtualAccount,
            Payment { transfer: Some(_), .. } => Means::Transfer,
            Payment { mobile_phone: Some(_), .. } => Means::Phone,
            Payment { gift_certificate: Some(_), .. } => Means::GiftCertificate,
            _ => Means::Other,
        }
    }
}

impl CancelRow {
    fn read(&self) -> Cancel {
        Cancel {
            amount: self.cancel_amount,
            transaction_key: self
                .transaction_key
                .as_deref()
                .map(|key| bounded(key, TEXT_CHARS_MAX)),
            // Old versions have no status: what is listed there is done.
            state: match self.cancel_status.as_deref() {
                None | Some("DONE") => CancelState::Done,
                Some("ABORTED") => CancelState::Failed,
                Some(_) => CancelState::Pending,
            },
        }
    }
}

/// A number that may be written as `50000` or `50000.0` and is whole.
fn won<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    whole(&Number::deserialize(from)?).ok_or_else(|| D::Error::custom("expected whole won"))
}

fn maybe_won<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    match Option::<Number>::deserialize(from)? {
        None => Ok(None),
        Some(number) => {
            whole(&number).map(Some).ok_or_else(|| D::Error::custom("expected whole won"))
        }
    }
}

fn whole(number: &Number) -> Option<u64> {
    /// Above it a float does not hold every whole number.
    const FLOAT_MAX: f64 = 9_007_199_254_740_992.0;
    number.as_u64().or_else(|| {
        let float = number.as_f64()?;
        ((0.0..FLOAT_MAX).contains(&float) && float.fract() == 0.0).then_some(float as u64)
    })
}
