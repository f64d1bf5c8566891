//! The objects as Stripe writes them; instants are in seconds.

use serde_json::{Value, json};

use super::errors::StripeError;
use super::intent::{CaptureMethod, Intent, Means, Refund};

const CURRENCY: &str = "krw";

/// A payment intent, with its latest charge or the name of it.
pub(super) fn intent(intent: &Intent, base_url: &str, is_expanded: bool) -> Value {
    let latest_charge = match (&intent.charge, is_expanded) {
        (Some(_), true) => charge(intent, base_url),
        (Some(charge), false) => json!(charge.id),
        (None, _) => Value::Null,
    };
    let error = intent.last_error.as_deref().and_then(StripeError::of);
    json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.deadline().map_or(0, |_| intent.amount),
        "amount_received": intent.received(),
        "automatic_payment_methods": {"enabled": true, "allow_redirects": "always"},
        "canceled_at": intent.canceled_at.map(|at| at / 1000),
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": intent.client_secret,
        "created": intent.created_at / 1000,
        "currency": CURRENCY,
        "description": intent.description,
        "last_payment_error": error.map(|error| error.object()),
        "latest_charge": latest_charge,
        "livemode": false,
        "metadata": intent.metadata,
        "next_action": null,
        "payment_method": intent.means.map(|_| format!("pm_{}", &intent.id[3..])),
        "payment_method_types": ["card", "kr_card", "kakao_pay", "naver_pay", "payco", "samsung_pay"],
        "receipt_email": intent.receipt_email,
        "status": intent.status,
    })
}

/// The charge of an intent.
pub(super) fn charge(intent: &Intent, base_url: &str) -> Value {
    let Some(charge) = &intent.charge else { return Value::Null };
    let mut method = json!({"type": intent.means});
    if let (Some(deadline), Some(Means::Card)) = (intent.deadline(), intent.means) {
        method["card"] = json!({"capture_before": deadline / 1000});
    }
    json!({
        "id": charge.id,
        "object": "charge",
        "amount": intent.amount,
        "amount_captured": charge.captured,
        "amount_refunded": intent.refunded(),
        "captured": charge.captured > 0,
        "created": charge.created_at / 1000,
        "currency": CURRENCY,
        "livemode": false,
        "metadata": intent.metadata,
        "paid": true,
        "payment_intent": intent.id,
        "payment_method_details": method,
        "receipt_url": format!("{base_url}/receipts/{}", charge.id),
        "refunded": charge.captured > 0 && intent.refunded() == charge.captured,
        "status": if intent.capture_method == CaptureMethod::Manual && charge.captured == 0 {
            "pending"
        } else {
            "succeeded"
        },
    })
}

/// A refund of an intent.
pub(super) fn refund(intent: &Intent, refund: &Refund) -> Value {
    json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "charge": intent.charge.as_ref().map(|charge| &charge.id),
        "created": refund.created_at / 1000,
        "currency": CURRENCY,
        "failure_reason": (!refund.status.counts()).then_some("expired_or_canceled_card"),
        "metadata": refund.metadata,
        "payment_intent": intent.id,
        "reason": refund.reason,
        "status": refund.status,
    })
}
