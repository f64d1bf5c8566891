//! Refunds: in parts, never more than there is, and some that fail later.

use serde_json::json;

use super::{Stripe, is};
use crate::support::send;

#[tokio::test]
async fn parts_and_then_all_that_is_left() {
    let stripe = Stripe::start().await;
    let id = stripe.captured("order-1", 1_000).await;
    let form = "&amount=300&reason=requested_by_customer&metadata[order_id]=order-1";
    let refund = send(stripe.refund(&id, form)).await.ok();
    for (field, value) in [
        ("object", json!("refund")),
        ("amount", json!(300)),
        ("currency", json!("krw")),
        ("payment_intent", json!(id)),
        ("reason", json!("requested_by_customer")),
        ("status", json!("succeeded")),
        ("metadata", json!({"order_id": "order-1"})),
    ] {
        assert_eq!(refund[field], value, "{field}");
    }
    let path = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
    assert_eq!(stripe.get(&path).await.ok(), refund);
    is(&send(stripe.refund(&id, "&amount=701")).await, 400, "invalid_request_error", "");
    is(&send(stripe.refund(&id, "&amount=0")).await, 400, "invalid_request_error", "");
    let charge = stripe.intent(&id).await["latest_charge"]["id"].as_str().unwrap().to_owned();
    let rest = send(stripe.post("/v1/refunds", &format!("charge={charge}"))).await.ok();
    assert_eq!(rest["amount"], 700);
    let intent = stripe.intent(&id).await;
    assert_eq!(intent["status"], "succeeded", "it stays so");
    assert_eq!(intent["latest_charge"]["refunded"], true);
    let none = send(stripe.refund(&id, "")).await;
    is(&none, 400, "invalid_request_error", "charge_already_refunded");
    let books = stripe.books("order-1").await;
    assert_eq!((&books["refunded"], &books["balance"]), (&json!(1_000), &json!(0)));
}

#[tokio::test]
async fn what_cannot_be_refunded() {
    let stripe = Stripe::start().await;
    let id = stripe.authorised("order-1", 1_000).await;
    let untaken = send(stripe.refund(&id, "")).await;
    is(&untaken, 400, "invalid_request_error", "payment_intent_unexpected_state");
    let nobodys = send(stripe.refund("pi_none", "")).await;
    is(&nobodys, 404, "invalid_request_error", "resource_missing");
    let of_nothing = send(stripe.post("/v1/refunds", "amount=1")).await;
    is(&of_nothing, 400, "invalid_request_error", "parameter_missing");
    let reason = send(stripe.refund(&id, "&reason=whim")).await;
    is(&reason, 400, "invalid_request_error", "");
}

#[tokio::test]
async fn a_refund_can_be_pending_and_fail_later() {
    let stripe = Stripe::start().await;
    let id = stripe.captured("order-1", 1_000).await;
    stripe.fault("refund", "order-1", json!("pending")).await;
    let refund = send(stripe.refund(&id, "")).await.ok();
    assert_eq!(refund["status"], "pending");
    assert_eq!(stripe.intent(&id).await["latest_charge"]["amount_refunded"], 1_000);
    stripe.control("refunds", json!({"orderId": "order-1", "status": "failed"})).await;
    let path = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
    let failed = stripe.get(&path).await.ok();
    assert_eq!((&failed["status"], failed["failure_reason"].is_string()), (&json!("failed"), true));
    assert_eq!(stripe.intent(&id).await["latest_charge"]["amount_refunded"], 0);
    assert_eq!(stripe.books("order-1").await["balance"], 1_000);
}
