//! The bodies of webhooks, and what signs them.

use aws_lc_rs::hmac;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::webhooks::{Event, WRONG_SECRET};
use super::books::Told;
use super::intent::{Intent, new_id};
use super::moves::DisputeStatus;
use super::{Shared, wire};

const API_VERSION: &str = "2026-10-28.endive";

/// A webhook that nobody at Stripe has sent, as it is posted to the control.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Forgery {
    order_id: String,
    /// Such as `payment_intent.succeeded`.
    r#type: String,
    #[serde(default)]
    payment_key: String,
    /// What signs it; a wrong one where it is absent.
    secret: Option<String>,
}

/// What is told of a change.
pub(super) fn of(shared: &Shared, intent: &Intent, told: Told, now: u64) -> Vec<Event> {
    let whole = || wire::intent(intent, &shared.base_url, false);
    let event = |name: &'static str, object: Value| event(shared, intent, name, object, now);
    let refund = |position: usize| {
        let found = intent.refunds.get(position);
        found.map_or(Value::Null, |refund| wire::refund(intent, position, refund))
    };
    let dispute = |position: usize| {
        let found = intent.disputes.get(position);
        found.map_or(Value::Null, |dispute| wire::dispute(intent, position, dispute))
    };
    match told {
        Told::Nothing => Vec::new(),
        Told::Intent(name) => vec![event(name, whole())],
        Told::Refunded(position) => vec![
            event("charge.refunded", wire::charge(intent, &shared.base_url)),
            event("refund.created", refund(position)),
        ],
        Told::Refund(name, position) => vec![event(name, refund(position))],
        Told::Disputed(position) => ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
            .map(|name| event(name, dispute(position)))
            .into(),
        Told::DisputeClosed(position) => {
            let found = intent.disputes.get(position);
            let is_won = found.is_some_and(|dispute| dispute.status == DisputeStatus::Won);
            let back = is_won.then_some("charge.dispute.funds_reinstated");
            let names = back.into_iter().chain(["charge.dispute.closed"]);
            names.map(|name| event(name, dispute(position))).collect()
        }
    }
}

fn event(shared: &Shared, intent: &Intent, name: &'static str, object: Value, now: u64) -> Event {
    let id = new_id("evt");
    Event {
        name,
        order_id: intent.order_id().to_owned(),
        status: intent.status.name(),
        body: body(&id, name, &object, now).into(),
        secret: shared.webhook_secret.clone(),
        id,
    }
}

fn body(id: &str, name: &str, object: &Value, now: u64) -> String {
    json!({
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": now / 1000,
        "data": {"object": object},
        "livemode": false,
        "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null},
        "type": name,
    })
    .to_string()
}

impl Forgery {
    pub(super) fn event(self, now: u64) -> Event {
        let object = json!({
            "id": self.payment_key,
            "object": "payment_intent",
            "metadata": {"order_id": self.order_id},
        });
        let id = new_id("evt");
        Event {
            name: "forged",
            order_id: self.order_id,
            status: "forged",
            body: body(&id, &self.r#type, &object, now).into(),
            secret: self.secret.unwrap_or_else(|| WRONG_SECRET.to_owned()),
            id,
        }
    }
}

/// `t=…,v1=…`: HMAC-SHA256 over the second and the body, the whole secret as its key.
pub(super) fn signature(secret: &str, at: u64, body: &[u8]) -> String {
    let seconds = at / 1000;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = [seconds.to_string().as_bytes(), b".", body].concat();
    let tag = hmac::sign(&key, &signed);
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}
