//! The objects as Stripe writes them; instants are in seconds.

use serde_json::{Value, json};

use super::errors::StripeError;
use super::intent::{CaptureMethod, Intent, Means, Refund};
use super::moves::{Dispute, Move, MoveKind};

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
        "balance_transaction": move_id(intent, MoveKind::Captured),
        "captured": charge.captured > 0,
        "created": charge.created_at / 1000,
        "currency": CURRENCY,
        "dispute": intent.disputes.last().map(|dispute| &dispute.id),
        "disputed": !intent.disputes.is_empty(),
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

/// The refund of an intent at this position.
pub(super) fn refund(intent: &Intent, position: usize, refund: &Refund) -> Value {
    json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": move_id(intent, MoveKind::Refunded(position)),
        "charge": charge_id(intent),
        "created": refund.created_at / 1000,
        "currency": CURRENCY,
        "failure_balance_transaction": move_id(intent, MoveKind::RefundFailed(position)),
        "failure_reason": (!refund.status.counts()).then_some("expired_or_canceled_card"),
        "metadata": refund.metadata,
        "payment_intent": intent.id,
        "reason": refund.reason,
        "status": refund.status,
    })
}

/// The dispute of an intent at this position.
pub(super) fn dispute(intent: &Intent, position: usize, dispute: &Dispute) -> Value {
    let kinds = [MoveKind::Disputed(position), MoveKind::DisputeWon(position)];
    let moves = kinds.into_iter().filter_map(|kind| intent.move_of(kind));
    let moves: Vec<Value> = moves.map(|made| balance_transaction(intent, made, None)).collect();
    json!({
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": moves,
        "charge": charge_id(intent),
        "created": dispute.created_at / 1000,
        "currency": CURRENCY,
        "is_charge_refundable": false,
        "livemode": false,
        "metadata": {},
        "payment_intent": intent.id,
        "reason": dispute.reason,
        "status": dispute.status,
    })
}

/// A change of the balance, with its charge, refund or dispute where `expanded` has the address for
/// links, else with its id.
pub(super) fn balance_transaction(intent: &Intent, made: &Move, expanded: Option<&str>) -> Value {
    let is_card = intent.means == Some(Means::Card);
    let (kind, category) = match (made.kind, is_card) {
        (MoveKind::Captured, true) => ("charge", "charge"),
        (MoveKind::Captured, false) => ("payment", "charge"),
        (MoveKind::Refunded(_), true) => ("refund", "refund"),
        (MoveKind::Refunded(_), false) => ("payment_refund", "refund"),
        (MoveKind::RefundFailed(_), true) => ("refund_failure", "refund_failure"),
        (MoveKind::RefundFailed(_), false) => ("payment_failure_refund", "refund_failure"),
        (MoveKind::Disputed(_), _) => ("adjustment", "dispute"),
        (MoveKind::DisputeWon(_), _) => ("adjustment", "dispute_reversal"),
    };
    json!({
        "id": made.id,
        "object": "balance_transaction",
        "amount": made.amount,
        "available_on": made.at / 1000,
        "created": made.at / 1000,
        "currency": CURRENCY,
        "description": null,
        "exchange_rate": null,
        "fee": 0,
        "fee_details": [],
        "net": made.amount,
        "reporting_category": category,
        "source": source(intent, made.kind, expanded),
        "status": "available",
        "type": kind,
    })
}

fn source(intent: &Intent, kind: MoveKind, expanded: Option<&str>) -> Value {
    match (kind, expanded) {
        (MoveKind::Captured, Some(base_url)) => charge(intent, base_url),
        (MoveKind::Captured, None) => json!(charge_id(intent)),
        (MoveKind::Refunded(position) | MoveKind::RefundFailed(position), expanded) => {
            let found = intent.refunds.get(position);
            match expanded {
                Some(_) => json!(found.map(|found| refund(intent, position, found))),
                None => json!(found.map(|found| &found.id)),
            }
        }
        (MoveKind::Disputed(position) | MoveKind::DisputeWon(position), expanded) => {
            let found = intent.disputes.get(position);
            match expanded {
                Some(_) => json!(found.map(|found| dispute(intent, position, found))),
                None => json!(found.map(|found| &found.id)),
            }
        }
    }
}

fn charge_id(intent: &Intent) -> Option<&str> {
    intent.charge.as_ref().map(|charge| charge.id.as_str())
}

fn move_id(intent: &Intent, kind: MoveKind) -> Option<&str> {
    intent.move_of(kind).map(|made| made.id.as_str())
}
