//! Toss's webhooks. Those about payments are unsigned, so whoever reads one asks before believing
//! a word; at most the secret in it says that Toss sent it.

use hyper::HeaderMap;
use serde::Deserialize;

use crate::config::Secret;
use crate::payments::hint::{BadHint, Hint, Subject, message_name};
use crate::payments::ids::{OrderId, PaymentKey};

const TRANSMISSION_ID: &str = "tosspayments-webhook-transmission-id";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    event_type: Option<String>,
    data: Option<serde_json::Value>,
    // A deposit's message is flat and names no type.
    secret: Option<String>,
    order_id: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentData {
    order_id: Option<String>,
    payment_key: Option<String>,
    secret: Option<String>,
}

/// See [`Provider::hint`](crate::payments::provider::Provider::hint).
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Hint, BadHint> {
    let message: Message = serde_json::from_slice(body).map_err(|_| BadHint::NotUnderstood)?;
    let given = headers.get(TRANSMISSION_ID).and_then(|id| id.to_str().ok());
    let name = message_name(given, body);
    let subject = match (message.event_type.as_deref(), message.data) {
        (Some("PAYMENT_STATUS_CHANGED"), Some(data)) => {
            let data = PaymentData::deserialize(data).map_err(|_| BadHint::NotUnderstood)?;
            subject(data)
        }
        (None, None) if message.status.is_some() => subject(PaymentData {
            order_id: message.order_id,
            payment_key: None,
            secret: message.secret,
        }),
        // Billing, payouts, refunds of foreign methods, and whatever comes next.
        _ => None,
    };
    Ok(Hint { message: name, subject })
}

/// An order id that we could not have made is none of ours.
fn subject(data: PaymentData) -> Option<Subject> {
    let order_id = data.order_id.as_deref().and_then(OrderId::new)?;
    Some(Subject {
        order_id: Some(order_id),
        payment_key: data.payment_key.as_deref().and_then(PaymentKey::new),
        secret: data.secret.map(Secret::new),
    })
}
