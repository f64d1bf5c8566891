//! The bodies of webhooks.

use serde::Serialize;

use super::clock::seoul_time_with_micros;
use super::ledger::Told;
use super::payment::{Method, Payment, Status};
use super::questions::{Questions, WaitingWebhook, WebhookSecret};
use super::webhooks::{Event, WRONG_SECRET};
use super::wire::{Manner, PaymentBody};

const STATUS_CHANGED: &str = "PAYMENT_STATUS_CHANGED";
const DEPOSIT_CALLBACK: &str = "DEPOSIT_CALLBACK";
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusChanged<D> {
    event_type: &'static str,
    created_at: String,
    data: D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DepositCallback<'a> {
    created_at: String,
    secret: &'a str,
    status: Status,
    transaction_key: &'a str,
    order_id: &'a str,
}

/// A webhook that nobody at Toss has sent, as it is posted to the control.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Forgery {
    pub(super) order_id: String,
    status: Status,
    #[serde(default)]
    payment_key: String,
    secret: Option<String>,
    /// Whether it looks like a `DEPOSIT_CALLBACK`.
    #[serde(default)]
    deposit: bool,
}

/// What is told of a change.
pub(super) fn of(
    payment: &Payment,
    told: Told,
    questions: &Questions,
    manner: Manner<'_>,
) -> Vec<Event> {
    let mut events = Vec::new();
    let is_told = match payment.status {
        Status::Ready | Status::InProgress => false,
        Status::WaitingForDeposit => questions.waiting_webhook == WaitingWebhook::Sent,
        Status::Done
        | Status::Canceled
        | Status::PartialCanceled
        | Status::Aborted
        | Status::Expired => true,
    };
    if told != Told::Nothing && is_told {
        events.extend(status_changed(payment, questions, manner));
    }
    if told == Told::Money && payment.method == Some(Method::VirtualAccount) {
        let body = DepositCallback {
            created_at: seoul_time_with_micros(manner.now),
            secret: &payment.secret,
            status: payment.status,
            transaction_key: payment.moves.last().map_or("", |last| &last.key),
            order_id: &payment.order_id,
        };
        events.extend(event(DEPOSIT_CALLBACK, payment, &body));
    }
    events
}

fn status_changed(payment: &Payment, questions: &Questions, manner: Manner<'_>) -> Option<Event> {
    let has_ended = matches!(payment.status, Status::Aborted | Status::Expired);
    let secret = match questions.webhook_secret {
        WebhookSecret::Present => Some(Some(payment.secret.as_str())),
        WebhookSecret::NullWhenEnded => Some((!has_ended).then_some(payment.secret.as_str())),
        WebhookSecret::Absent => None,
    };
    let body = StatusChanged {
        event_type: STATUS_CHANGED,
        created_at: seoul_time_with_micros(manner.now),
        data: PaymentBody::of(payment, manner).with_secret(secret),
    };
    event(STATUS_CHANGED, payment, &body)
}

fn event(name: &'static str, payment: &Payment, body: &impl Serialize) -> Option<Event> {
    Some(Event {
        id: transmission_id(),
        name,
        order_id: payment.order_id.clone(),
        status: payment.status.name(),
        body: serde_json::to_vec(body).ok()?.into(),
        secret: payment.secret.clone(),
    })
}

fn transmission_id() -> String {
    format!("whtrans_{:032x}", rand::random::<u128>())
}

impl Forgery {
    pub(super) fn event(self, now: u64) -> Option<Event> {
        let created_at = seoul_time_with_micros(now);
        let secret = self.secret.unwrap_or_else(|| WRONG_SECRET.to_owned());
        let (name, body) = if self.deposit {
            let body = DepositCallback {
                created_at,
                secret: &secret,
                status: self.status,
                transaction_key: "FORGED",
                order_id: &self.order_id,
            };
            (DEPOSIT_CALLBACK, serde_json::to_vec(&body))
        } else {
            let data = serde_json::json!({
                "paymentKey": self.payment_key,
                "orderId": self.order_id,
                "status": self.status,
                "secret": secret,
            });
            let body = StatusChanged { event_type: STATUS_CHANGED, created_at, data };
            (STATUS_CHANGED, serde_json::to_vec(&body))
        };
        let body = body.ok()?.into();
        let (id, status) = (transmission_id(), self.status.name());
        Some(Event { id, name, order_id: self.order_id, status, body, secret })
    }
}
