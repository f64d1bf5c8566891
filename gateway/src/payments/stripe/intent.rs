//! Stripe's payment intents, charges and refunds, as far as they are read.

use std::collections::HashMap;

use serde::Deserialize;
use tiketi_engine::ids::UnixMillis;

use crate::config::Secret;
use crate::payments::answer::{
    Captured, DisputeFound, DisputeState, Field, Found, Means, Movement, Refund, Refusal, Stage,
    Transaction, Unknown, bounded,
};
use crate::payments::ids::{OrderId, PaymentKey};
use crate::payments::stripe::errors::StripeError;

/// The only currency that is sold in; it has no decimals, so an amount is in won.
pub(super) const CURRENCY: &str = "krw";
/// Where an intent says whose it is.
pub(super) const ORDER_ID: &str = "order_id";
const TEXT_CHARS_MAX: usize = 100;
const URL_BYTES_MAX: usize = 500;

#[derive(Deserialize)]
pub(super) struct Intent {
    id: String,
    amount: u64,
    #[serde(default)]
    amount_received: u64,
    currency: String,
    pub(super) status: String,
    client_secret: Option<String>,
    latest_charge: Option<LatestCharge>,
    /// Why the buyer's last attempt failed.
    #[serde(default)]
    last_payment_error: Option<StripeError>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LatestCharge {
    Expanded(Charge),
    #[expect(dead_code, reason = "its shape tells it from the other")]
    Named(String),
}

#[derive(Deserialize)]
struct Charge {
    #[serde(default)]
    amount_refunded: u64,
    #[serde(default)]
    disputed: bool,
    created: Option<u64>,
    receipt_url: Option<String>,
    payment_method_details: Option<Method>,
}

#[derive(Deserialize)]
struct Method {
    r#type: String,
}

/// A refund of an intent.
#[derive(Deserialize)]
pub(super) struct RefundObject {
    id: String,
    amount: u64,
    currency: String,
    payment_intent: Option<String>,
    pub(super) status: Option<String>,
    failure_reason: Option<String>,
}

impl Intent {
    /// What of it is not the order's. What is `None` is not known here and not compared.
    pub(super) fn mismatch(
        &self,
        order_id: &OrderId,
        payment_key: Option<&PaymentKey>,
        amount: Option<u64>,
    ) -> Option<Field> {
        if self.metadata.get(ORDER_ID).map(String::as_str) != Some(order_id.as_str()) {
            return Some(Field::OrderId);
        }
        if payment_key.is_some_and(|key| self.id != key.as_str()) {
            return Some(Field::PaymentKey);
        }
        if amount.is_some_and(|amount| self.amount != amount) {
            return Some(Field::Amount);
        }
        (self.currency != CURRENCY).then_some(Field::Currency)
    }

    pub(super) fn key(&self) -> Result<PaymentKey, Unknown> {
        PaymentKey::new(&self.id).ok_or(Unknown::NotUnderstood)
    }

    pub(super) fn client_secret(&self) -> Option<Secret> {
        self.client_secret.as_deref().map(Secret::new)
    }

    /// Why there is nothing to take of it.
    pub(super) fn refusal(&self) -> Refusal {
        match &self.last_payment_error {
            Some(error) => error.refusal(),
            None => Refusal {
                code: bounded(&self.status, TEXT_CHARS_MAX),
                message: "결제가 승인되지 않았어요.".to_owned(),
            },
        }
    }

    /// Whether a bank was or is asked to take its money back.
    pub(super) fn is_disputed(&self) -> bool {
        self.charge().is_some_and(|charge| charge.disputed)
    }

    /// What there is to know about it, with its disputes, newest first.
    pub(super) fn found_disputed(&self, disputes: &[DisputeObject]) -> Found {
        let (captured, balance) = match self.found() {
            Found::Captured { captured, balance, .. } => (captured, balance),
            Found::Refunded { captured } => (captured, 0),
            other => return other,
        };
        let is_lost = |dispute: &&DisputeObject| dispute.state() == DisputeState::Lost;
        let lost: u64 = disputes.iter().filter(is_lost).map(|dispute| dispute.amount).sum();
        let newest = disputes.first();
        let dispute =
            newest.map(|newest| DisputeFound { amount: newest.amount, state: newest.state() });
        Found::Captured { captured, balance: balance.saturating_sub(lost), dispute }
    }

    /// What there is to know about it.
    pub(super) fn found(&self) -> Found {
        match self.status.as_str() {
            "requires_payment_method" | "requires_confirmation" | "requires_action" => {
                Found::Open(Stage::Started)
            }
            "requires_capture" => Found::Open(Stage::Authenticated),
            "processing" => Found::Open(Stage::Processing),
            "canceled" => Found::NotApproved,
            "succeeded" => self.taken(),
            _ => Found::Unknown(Unknown::Status),
        }
    }

    fn taken(&self) -> Found {
        let (Ok(captured), Some(balance)) = (self.captured(), self.balance()) else {
            return Found::Unknown(Unknown::NotUnderstood);
        };
        match balance {
            0 => Found::Refunded { captured },
            _ => Found::Captured { captured, balance, dispute: None },
        }
    }

    /// The money that was taken.
    pub(super) fn captured(&self) -> Result<Captured, Unknown> {
        if self.amount_received != self.amount {
            return Err(Unknown::Mismatch(Field::Amount));
        }
        let charge = self.charge();
        let url = charge.and_then(|charge| charge.receipt_url.clone());
        let created_s = charge.and_then(|charge| charge.created);
        Ok(Captured {
            payment_key: self.key()?,
            approved_at: created_s.and_then(|s| s.checked_mul(1000)).map(UnixMillis),
            method: charge.map_or(Means::Other, Charge::method),
            receipt_url: url.filter(|url| url.len() <= URL_BYTES_MAX),
            secret: None,
        })
    }

    /// What is left of the money that was taken; `None` where the charge does not come along.
    fn balance(&self) -> Option<u64> {
        self.amount_received.checked_sub(self.charge()?.amount_refunded)
    }

    fn charge(&self) -> Option<&Charge> {
        match &self.latest_charge {
            Some(LatestCharge::Expanded(charge)) => Some(charge),
            Some(LatestCharge::Named(_)) | None => None,
        }
    }
}

impl Charge {
    fn method(&self) -> Means {
        match self.payment_method_details.as_ref().map(|method| method.r#type.as_str()) {
            Some("card" | "kr_card") => Means::Card,
            Some("kakao_pay" | "naver_pay" | "payco" | "samsung_pay") => Means::EasyPay,
            Some(_) | None => Means::Other,
        }
    }
}

/// A page of anything.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// A dispute of an intent.
#[derive(Deserialize)]
pub(super) struct DisputeObject {
    amount: u64,
    status: String,
}

/// A line of the account's balance.
#[derive(Deserialize)]
pub(super) struct BalanceTransaction {
    pub(super) id: String,
    r#type: String,
    amount: i64,
    source: Option<Source>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Expanded {
        payment_intent: Option<String>,
        #[serde(default)]
        metadata: HashMap<String, String>,
    },
    #[expect(dead_code, reason = "its shape tells it from the other")]
    Named(String),
}

impl DisputeObject {
    /// A warning has moved no money; what is not known has not been decided.
    fn state(&self) -> DisputeState {
        match self.status.as_str() {
            "won" | "warning_closed" | "prevented" => DisputeState::Won,
            "lost" => DisputeState::Lost,
            _ => DisputeState::Open,
        }
    }
}

impl BalanceTransaction {
    pub(super) fn read(self) -> Transaction {
        let won = self.amount.unsigned_abs();
        let movement = match self.r#type.as_str() {
            "charge" | "payment" => Movement::Captured(won),
            "refund" | "payment_refund" => Movement::Returned(won),
            _ => Movement::Other,
        };
        let (payment_key, order_id) = match self.source {
            Some(Source::Expanded { payment_intent, mut metadata }) => {
                (payment_intent, metadata.remove(ORDER_ID))
            }
            Some(Source::Named(_)) | None => (None, None),
        };
        Transaction { order_id, payment_key, movement }
    }
}

impl RefundObject {
    pub(super) fn mismatch(&self, payment_key: &PaymentKey, amount: u64) -> Option<Field> {
        if self.payment_intent.as_deref() != Some(payment_key.as_str()) {
            return Some(Field::PaymentKey);
        }
        if self.amount != amount {
            return Some(Field::Amount);
        }
        (self.currency != CURRENCY).then_some(Field::Currency)
    }

    /// How it ended, where `balance` won are left once it is done.
    pub(super) fn outcome(self, balance: u64) -> Refund {
        let transaction_key = Some(bounded(&self.id, TEXT_CHARS_MAX));
        match self.status.as_deref() {
            Some("succeeded") => Refund::Done { balance, transaction_key },
            Some("pending" | "requires_action") => Refund::Pending { transaction_key },
            Some("failed" | "canceled") => {
                let code = self.failure_reason.as_deref().unwrap_or("refund_failed");
                let code = bounded(code, TEXT_CHARS_MAX);
                Refund::Refused(Refusal { code, message: String::new() })
            }
            Some(_) | None => Refund::Unknown(Unknown::Status),
        }
    }
}
