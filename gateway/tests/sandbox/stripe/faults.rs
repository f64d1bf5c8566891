//! What the switches do: every listed code, and a wire that fails before or after.

use serde_json::{Value, json};

use super::{Stripe, is};
use crate::support::send;

const DECLINES: &str = "generic_decline insufficient_funds lost_card stolen_card do_not_honor \
    fraudulent card_not_supported card_velocity_exceeded currency_not_supported invalid_account \
    pickup_card restricted_card transaction_not_allowed try_again_later \
    withdrawal_count_limit_exceeded authentication_required";

const CODES: [(u16, &str, &str); 7] = [
    (
        402,
        "card_error",
        "expired_card incorrect_cvc incorrect_number processing_error \
         payment_intent_authentication_failure payment_method_provider_decline",
    ),
    (
        400,
        "invalid_request_error",
        "amount_too_small amount_too_large charge_already_captured charge_already_refunded \
         charge_disputed charge_expired_for_capture parameter_invalid_integer parameter_missing \
         parameter_unknown payment_intent_unexpected_state",
    ),
    (401, "invalid_request_error", "api_key_expired"),
    (403, "invalid_request_error", "more_permissions_required"),
    (409, "idempotency_error", "idempotency_key_in_use"),
    (424, "api_error", "external_dependency_failed"),
    (429, "invalid_request_error", "lock_timeout rate_limit"),
];

#[tokio::test]
async fn every_decline_of_a_capture() {
    let stripe = Stripe::start().await;
    let id = stripe.created("order-1", 1_000).await;
    for code in DECLINES.split_whitespace() {
        stripe.control("authenticate", json!({"orderId": "order-1"})).await;
        stripe.fault("capture", "order-1", json!({ "error": code })).await;
        let answer = send(stripe.capture(&id, "")).await;
        is(&answer, 402, "card_error", "card_declined");
        assert_eq!(answer.body["error"]["decline_code"], code);
        assert_eq!(stripe.status(&id).await, "requires_payment_method", "{code}");
    }
    assert_eq!(stripe.books("order-1").await["captures"], 0);
}

#[tokio::test]
async fn every_other_code_on_every_call() {
    let stripe = Stripe::start().await;
    let id = stripe.authorised("order-1", 1_000).await;
    for (status, kind, codes) in CODES {
        for code in codes.split_whitespace() {
            stripe.fault("query", "order-1", json!({ "error": code })).await;
            is(&stripe.get(&format!("/v1/payment_intents/{id}")).await, status, kind, code);
            stripe.fault("refund", "order-1", json!({ "error": code })).await;
            is(&send(stripe.refund(&id, "")).await, status, kind, code);
            stripe.fault("cancel", "order-1", json!({ "error": code })).await;
            is(&send(stripe.cancel(&id)).await, status, kind, code);
            stripe.fault("create", "order-2", json!({ "error": code })).await;
            is(&send(stripe.create("order-2", 1_000)).await, status, kind, code);
        }
    }
    for (name, status, kind) in
        [("api_error", 500, "api_error"), ("idempotency_error", 400, "idempotency_error")]
    {
        stripe.fault("capture", "order-1", json!({ "error": name })).await;
        is(&send(stripe.capture(&id, "")).await, status, kind, "");
    }
    let fault = json!({"unlisted": {"code": "of_tomorrow", "status": 418}});
    stripe.fault("capture", "order-1", fault).await;
    is(&send(stripe.capture(&id, "")).await, 418, "invalid_request_error", "of_tomorrow");
    assert_eq!(stripe.status(&id).await, "requires_capture");
    assert!(stripe.books("order-2").await.is_null());
}

#[tokio::test]
async fn a_wire_that_fails_before_or_after() {
    for (fault, status, captures) in [
        (json!("dropBefore"), None, 0),
        (json!("dropAfter"), None, 1),
        (json!({"status": 503}), Some(503), 0),
        (json!({"statusAfter": 500}), Some(500), 1),
        (json!("html502"), Some(502), 0),
        (json!("rateLimit"), Some(429), 0),
    ] {
        let stripe = Stripe::start().await;
        let id = stripe.authorised("order-1", 1_000).await;
        stripe.fault("capture", "order-1", fault.clone()).await;
        let answer = stripe.capture(&id, "").send().await;
        assert_eq!(answer.ok().map(|answer| answer.status().as_u16()), status, "{fault}");
        assert_eq!(stripe.books("order-1").await["captures"], captures, "{fault}");
    }
}

#[tokio::test]
async fn what_never_answers_did_nothing_or_everything() {
    for (fault, captures) in [("timeout", 0), ("timeoutAfter", 1)] {
        let stripe = Stripe::start().await;
        let id = stripe.authorised("order-1", 1_000).await;
        stripe.fault("capture", "order-1", json!(fault)).await;
        let call = tokio::spawn(stripe.capture(&id, "").send());
        while stripe.get("/sandbox/faults").await.ok()["waiting"] != 0
            || stripe.books("order-1").await["captures"] != captures
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(!call.is_finished(), "{fault}");
        call.abort();
    }
}

#[tokio::test]
async fn a_switch_that_makes_no_sense_is_refused() {
    let stripe = Stripe::start().await;
    stripe.created("order-1", 1_000).await;
    let bad = |name: &str, body: Value| {
        let request = stripe.client.post(stripe.url(&format!("/sandbox/{name}"))).json(&body);
        async move { send(request).await.is(400, "BAD_CONTROL") }
    };
    for (name, body) in [
        ("faults", json!({"call": "confirm", "fault": {"status": 500}})),
        ("faults", json!({"call": "capture", "fault": {"error": "REJECT_CARD_COMPANY"}})),
        ("faults", json!({"call": "capture", "fault": "pending"})),
        ("faults", json!({"call": "capture", "fault": "dropAfter", "order": "typo"})),
        ("authenticate", json!({"orderId": "order-2"})),
        ("authenticate", json!({"orderId": "order-1", "decline": "no_such_code"})),
        ("authenticate", json!({"orderId": "order-1", "status": "succeeded"})),
        ("refunds", json!({"orderId": "order-1", "status": "failed"})),
        ("webhooks", json!({"orderId": "order-1", "type": "payment_intent.succeeded"})),
        ("clock", json!({})),
    ] {
        bad(name, body).await;
    }
}
