//! Who may call, and how a request has to look.

use super::{BEARER, FORM, Stripe, is};
use crate::support::send;

#[tokio::test]
async fn keys_row_by_row() {
    let stripe = Stripe::start().await;
    for (value, status, code) in [
        (None, 401, ""),
        (Some("sk_test_local_simulator"), 401, ""),
        (Some("Bearer sk_test_other"), 401, ""),
        (Some("Bearer pk_test_local_simulator"), 401, "secret_key_required"),
        (Some("Basic !!!"), 401, ""),
        // The key as a user without password.
        (Some("Basic c2tfdGVzdF9sb2NhbF9zaW11bGF0b3I6"), 404, "resource_missing"),
        (Some(BEARER), 404, "resource_missing"),
    ] {
        let mut request = stripe.client.get(stripe.url("/v1/payment_intents/pi_none"));
        if let Some(value) = value {
            request = request.header("authorization", value);
        }
        is(&send(request).await, status, "invalid_request_error", code);
    }
}

#[tokio::test]
async fn parameters_are_a_form_of_known_names() {
    let stripe = Stripe::start().await;
    for (form, code, param) in [
        ("currency=krw", "parameter_missing", "amount"),
        ("amount=1000", "parameter_missing", "currency"),
        ("amount=10.5&currency=krw", "parameter_invalid_integer", "amount"),
        ("amount=-5&currency=krw", "parameter_invalid_integer", "amount"),
        ("amount=99&currency=krw", "amount_too_small", "amount"),
        ("amount=100000000&currency=krw", "amount_too_large", "amount"),
        ("amount=1000&currency=usd", "", "currency"),
        ("amount=1000&currency=krw&capture_method=later", "", "capture_method"),
        ("amount=1000&currency=krw&orderId=x", "parameter_unknown", "orderId"),
    ] {
        let answer = send(stripe.post("/v1/payment_intents", form)).await;
        is(&answer, 400, "invalid_request_error", code);
        assert_eq!(answer.body["error"]["param"], param, "{form}");
    }
    let long = format!("amount=1000&currency=krw&metadata[a]={}", "x".repeat(501));
    let answer = send(stripe.post("/v1/payment_intents", &long)).await;
    is(&answer, 400, "invalid_request_error", "");
    let request = stripe.client.post(stripe.url("/v1/payment_intents"));
    let request = request.header("authorization", BEARER).body("{\"amount\": 1000}");
    let answer = send(request.header("content-type", "application/json")).await;
    is(&answer, 400, "invalid_request_error", "");
    let request = stripe.client.post(stripe.url("/v1/payment_intents"));
    let request = request.header("authorization", BEARER).header("content-type", FORM);
    assert_eq!(send(request.body("x".repeat(70_000))).await.status, 413);
    is(&stripe.get("/v1/nowhere").await, 404, "invalid_request_error", "");
    assert!(stripe.get("/v1/nowhere").await.header("request-id").starts_with("req_"));
}
