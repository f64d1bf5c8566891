//! Stripe's events, once their signature holds.

use serde::Deserialize;
use serde_json::Value;

use crate::payments::hint::{BadHint, Hint, Subject, message_name};
use crate::payments::ids::{OrderId, PaymentKey};
use crate::payments::stripe::intent::ORDER_ID;

#[derive(Deserialize)]
struct Event {
    id: String,
    r#type: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

/// What an event is about; nothing, where it is none that is used here.
pub(super) fn read(body: &[u8]) -> Result<Hint, BadHint> {
    let event: Event = serde_json::from_slice(body).map_err(|_| BadHint::NotUnderstood)?;
    let object = &event.data.object;
    let intent = match event.r#type.as_str() {
        "payment_intent.succeeded"
        | "payment_intent.processing"
        | "payment_intent.payment_failed"
        | "payment_intent.requires_action"
        | "payment_intent.amount_capturable_updated"
        | "payment_intent.canceled" => object["id"].as_str(),
        "charge.refunded" | "refund.created" | "refund.updated" | "refund.failed" => {
            object["payment_intent"].as_str()
        }
        dispute if dispute.starts_with("charge.dispute.") => object["payment_intent"].as_str(),
        _ => None,
    };
    let subject = intent.and_then(PaymentKey::new).map(|payment_key| Subject {
        order_id: object["metadata"][ORDER_ID].as_str().and_then(OrderId::new),
        payment_key: Some(payment_key),
        secret: None,
    });
    Ok(Hint { message: message_name(Some(&event.id), body), subject })
}
