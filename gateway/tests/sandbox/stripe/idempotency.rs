//! Section 2.2: what happens once only.

use serde_json::json;

use super::{Stripe, is};
use crate::support::send;

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_is_marked() {
    let stripe = Stripe::start().await;
    let create = || stripe.create("order-1", 1_000).header("idempotency-key", "k");
    let first = send(create()).await;
    let again = send(create()).await;
    assert_eq!((&first.text, first.header("idempotent-replayed")), (&again.text, ""));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let other = stripe.create("order-1", 2_000).header("idempotency-key", "k");
    is(&send(other).await, 400, "idempotency_error", "");
    // Of another address it is another key.
    let id = first.body["id"].as_str().unwrap().to_owned();
    send(stripe.cancel(&id).header("idempotency-key", "k")).await.ok();
    assert_eq!(stripe.books("order-1").await["payments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn failures_are_kept_and_what_never_began_is_not() {
    let stripe = Stripe::start().await;
    stripe.fault("create", "any", json!({"status": 500})).await;
    let create = || stripe.create("order-1", 1_000).header("idempotency-key", "failed");
    assert_eq!(send(create()).await.status, 500);
    assert_eq!(send(create()).await.status, 500, "also a failure");
    for fault in [json!("rateLimit"), json!({"error": "idempotency_key_in_use"})] {
        stripe.fault("create", "any", fault.clone()).await;
        let create =
            || stripe.create("order-1", 1_000).header("idempotency-key", fault.to_string());
        assert!(send(create()).await.status.is_client_error());
        send(create()).await.ok();
    }
    let small = stripe.create("order-1", 1).header("idempotency-key", "small");
    is(&send(small).await, 400, "invalid_request_error", "amount_too_small");
    send(stripe.create("order-1", 1_000).header("idempotency-key", "small")).await.ok();
    let long = stripe.create("order-1", 1_000).header("idempotency-key", "k".repeat(256));
    is(&send(long).await, 400, "idempotency_error", "");
}

#[tokio::test]
async fn a_key_is_in_use_while_its_first_request_runs_and_forgotten_in_a_day() {
    let stripe = Stripe::start().await;
    let slow = stripe.authorised("order-1", 1_000).await;
    stripe.fault("capture", "order-1", json!({"delayMs": 600_000})).await;
    let capture = |id: &str| stripe.capture(id, "").header("idempotency-key", "k");
    let first = tokio::spawn(capture(&slow).send());
    while stripe.get("/sandbox/faults").await.ok()["waiting"] != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    is(&send(capture(&slow)).await, 409, "idempotency_error", "idempotency_key_in_use");
    first.abort();
    let id = stripe.authorised("order-2", 1_000).await;
    send(capture(&id)).await.ok();
    assert_eq!(send(capture(&id)).await.header("idempotent-replayed"), "true");
    stripe.control("clock", json!({"advanceMs": 25 * 60 * 60_000})).await;
    let forgotten = send(capture(&id)).await;
    is(&forgotten, 400, "invalid_request_error", "payment_intent_unexpected_state");
}
