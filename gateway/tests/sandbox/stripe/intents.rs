//! Section 2.1: an intent from its creation to its end.

use serde_json::json;

use super::{Stripe, is};
use crate::support::{MINUTE_MS, send};

#[tokio::test]
async fn an_intent_is_created_agreed_to_and_captured() {
    let stripe = Stripe::start().await;
    let created = send(stripe.create("order-1", 50_000)).await.ok();
    let id = created["id"].as_str().unwrap();
    assert!(id.starts_with("pi_"));
    let secret = created["client_secret"].as_str().unwrap();
    assert!(secret.starts_with(&format!("{id}_secret_")), "{created}");
    for (field, value) in [
        ("object", json!("payment_intent")),
        ("amount", json!(50_000)),
        ("amount_capturable", json!(0)),
        ("amount_received", json!(0)),
        ("currency", json!("krw")),
        ("status", json!("requires_payment_method")),
        ("capture_method", json!("manual")),
        ("latest_charge", json!(null)),
        ("livemode", json!(false)),
        ("metadata", json!({"order_id": "order-1"})),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    let early = send(stripe.capture(id, "")).await;
    is(&early, 400, "invalid_request_error", "payment_intent_unexpected_state");
    assert_eq!(early.body["error"]["payment_intent"]["id"], id);

    stripe.control("authenticate", json!({"orderId": "order-1", "means": "kakao_pay"})).await;
    let authorised = stripe.intent(id).await;
    assert_eq!(authorised["status"], "requires_capture");
    assert_eq!(authorised["amount_capturable"], authorised["amount"]);
    assert_eq!(authorised["amount_received"], created["amount_received"]);
    assert_eq!(authorised["latest_charge"]["captured"], false);
    assert_eq!(stripe.books("order-1").await["authorised"], 50_000);

    let request = stripe.capture(id, "amount_to_capture=50000&expand[]=latest_charge");
    let captured = send(request).await.ok();
    assert_eq!(captured["status"], json!("succeeded"));
    assert_eq!(captured["amount_received"], json!(50_000));
    let charge = &captured["latest_charge"];
    assert_eq!(charge["payment_method_details"]["type"], "kakao_pay");
    assert_eq!(charge["amount_refunded"], json!(0));
    assert_eq!(charge["metadata"], json!({"order_id": "order-1"}));
    let unexpanded = stripe.get(&format!("/v1/payment_intents/{id}")).await.ok();
    assert_eq!(unexpanded["latest_charge"], charge["id"]);
    let path = format!("/v1/charges/{}", charge["id"].as_str().unwrap());
    assert_eq!(stripe.get(&path).await.ok()["payment_intent"], id);
    is(&send(stripe.capture(id, "")).await, 400, "invalid_request_error", {
        "payment_intent_unexpected_state"
    });
    let books = stripe.books("order-1").await;
    assert_eq!((&books["captures"], &books["balance"]), (&json!(1), &json!(50_000)));
}

#[tokio::test]
async fn money_is_taken_at_once_where_nobody_asks_otherwise() {
    let stripe = Stripe::start().await;
    let form = "amount=1000&currency=krw&metadata[order_id]=order-1";
    let intent = send(stripe.post("/v1/payment_intents", form)).await.ok();
    assert_eq!(intent["capture_method"], "automatic_async");
    stripe.control("authenticate", json!({"orderId": "order-1"})).await;
    assert_eq!(stripe.status(intent["id"].as_str().unwrap()).await, "succeeded");
}

#[tokio::test]
async fn a_part_can_be_captured_and_no_more_than_was_agreed_to() {
    let stripe = Stripe::start().await;
    let id = stripe.authorised("order-1", 1_000).await;
    for form in ["amount_to_capture=1001", "amount_to_capture=0"] {
        is(&send(stripe.capture(&id, form)).await, 400, "invalid_request_error", "");
    }
    let captured = send(stripe.capture(&id, "amount_to_capture=400")).await.ok();
    assert_eq!((&captured["amount"], &captured["amount_received"]), (&json!(1_000), &json!(400)));
    assert_eq!(stripe.books("order-1").await["captured"], 400);
}

#[tokio::test]
async fn what_is_not_captured_can_be_let_go() {
    let stripe = Stripe::start().await;
    let (open, agreed) =
        (stripe.created("order-1", 1_000).await, stripe.authorised("order-2", 1_000).await);
    for id in [&open, &agreed] {
        let path = format!("/v1/payment_intents/{id}/cancel");
        let form = "cancellation_reason=requested_by_customer";
        let canceled = send(stripe.post(&path, form)).await.ok();
        assert_eq!(canceled["status"], "canceled");
        assert_eq!(canceled["cancellation_reason"], "requested_by_customer");
        assert!(canceled["canceled_at"].is_u64());
        let again = send(stripe.cancel(id)).await;
        is(&again, 400, "invalid_request_error", "payment_intent_unexpected_state");
    }
    let late = stripe.control("authenticate", json!({"orderId": "order-1"})).await;
    assert_eq!(late["status"], "canceled");
    let captured = stripe.captured("order-3", 1_000).await;
    let answer = send(stripe.cancel(&captured)).await;
    is(&answer, 400, "invalid_request_error", "payment_intent_unexpected_state");
    let path = format!("/v1/payment_intents/{open}/cancel");
    let answer = send(stripe.post(&path, "cancellation_reason=whim")).await;
    is(&answer, 400, "invalid_request_error", "");
}

#[tokio::test]
async fn an_authorisation_lapses_after_a_week() {
    let stripe = Stripe::start().await;
    let id = stripe.authorised("order-1", 1_000).await;
    stripe.control("clock", json!({"advanceMs": 7 * 24 * 60 * MINUTE_MS - 60_000})).await;
    assert_eq!(stripe.status(&id).await, "requires_capture");
    stripe.control("clock", json!({"advanceMs": 2 * MINUTE_MS})).await;
    assert_eq!(stripe.status(&id).await, "canceled");
    assert_eq!(stripe.books("order-1").await["authorised"], 0);
}

#[tokio::test]
async fn an_intent_is_stuck_in_processing_until_a_switch_lets_it_go() {
    let stripe = Stripe::start().await;
    let underway = json!({"orderId": "order-1", "status": "processing"});
    for outcome in [json!({}), json!({"decline": "insufficient_funds"})] {
        let id = stripe.created("order-1", 1_000).await;
        let begun = stripe.control("authenticate", underway.clone()).await;
        assert_eq!(begun, json!({"paymentKey": id, "status": "processing"}));
        stripe.control("clock", json!({"advanceMs": 30 * 24 * 60 * MINUTE_MS})).await;
        assert_eq!(stripe.status(&id).await, "processing", "time alone ends nothing");
        for stuck in [stripe.cancel(&id), stripe.capture(&id, "")] {
            let answer = send(stuck).await;
            is(&answer, 400, "invalid_request_error", "payment_intent_unexpected_state");
            assert_eq!(answer.body["error"]["payment_intent"]["status"], "processing");
        }
        let mut body = outcome.clone();
        body["paymentKey"] = json!(id);
        let ended = stripe.control("authenticate", body).await;
        if outcome == json!({}) {
            assert_eq!(ended["status"], "requires_capture");
            send(stripe.capture(&id, "")).await.ok();
        } else {
            assert_eq!(ended["status"], "requires_payment_method");
            send(stripe.cancel(&id)).await.ok();
        }
    }
    assert_eq!(stripe.books("order-1").await["captured"], 1_000);
}

#[tokio::test]
async fn an_intent_in_processing_can_be_cancelled_where_a_switch_says_so() {
    let stripe = Stripe::start().await;
    let id = stripe.created("order-1", 1_000).await;
    let body = json!({"orderId": "order-1", "status": "processing", "cancelable": true});
    stripe.control("authenticate", body).await;
    assert_eq!(send(stripe.cancel(&id)).await.ok()["status"], "canceled");
    let body = json!({"orderId": "order-1", "status": "processing"});
    let late = stripe.control("authenticate", body).await;
    assert_eq!(late["status"], "canceled", "it has ended");
}

#[tokio::test]
async fn a_declined_attempt_can_be_tried_again() {
    let stripe = Stripe::start().await;
    let id = stripe.created("order-1", 1_000).await;
    let body = json!({"orderId": "order-1", "decline": "lost_card"});
    stripe.control("authenticate", body).await;
    let declined = stripe.intent(&id).await;
    assert_eq!(declined["status"], "requires_payment_method");
    let error = &declined["last_payment_error"];
    assert_eq!(error["code"], json!("card_declined"));
    assert_eq!(error["decline_code"], json!("lost_card"));
    let body = json!({"orderId": "order-1", "declineWith": "expired_card"});
    stripe.control("authenticate", body).await;
    assert!(stripe.intent(&id).await["last_payment_error"].is_null());
    is(&send(stripe.capture(&id, "")).await, 402, "card_error", "expired_card");
    assert_eq!(stripe.status(&id).await, "requires_payment_method");
    stripe.control("authenticate", json!({"orderId": "order-1"})).await;
    send(stripe.capture(&id, "")).await.ok();
    assert_eq!(stripe.books("order-1").await["captures"], 1);
}

#[tokio::test]
async fn a_simulator_that_is_started_again_knows_its_intents() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stripe.jsonl");
    let stripe = Stripe::with(|settings| settings.ledger = Some(path.clone())).await;
    let id = stripe.captured("order-1", 1_000).await;
    send(stripe.refund(&id, "&amount=300").header("idempotency-key", "k")).await.ok();
    let (before, books) = (stripe.intent(&id).await, stripe.books("order-1").await);
    stripe.stop().await;
    // A torn last line is cut off.
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"{\"intent\":{\"id\":").unwrap();
    let stripe = Stripe::with(|settings| settings.ledger = Some(path)).await;
    let after = stripe.intent(&id).await;
    assert_eq!((&after["id"], &after["status"]), (&before["id"], &before["status"]));
    assert_eq!(after["latest_charge"]["amount_refunded"], 300);
    assert_eq!(stripe.books("order-1").await, books);
    let again = send(stripe.refund(&id, "&amount=300").header("idempotency-key", "k")).await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(stripe.books("order-1").await["refunded"], 300);
}

#[tokio::test]
async fn late_changes_are_known_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stripe.jsonl");
    let stripe = Stripe::with(|settings| settings.ledger = Some(path.clone())).await;
    let id = stripe.captured("order-1", 1_000).await;
    stripe.control("console-refund", json!({"orderId": "order-1", "amount": 100})).await;
    let body = json!({"orderId": "order-1", "amount": 200, "status": "pending"});
    stripe.control("console-refund", body).await;
    stripe.control("fail-refund", json!({"orderId": "order-1"})).await;
    stripe.control("dispute", json!({"orderId": "order-1", "amount": 300})).await;
    let stuck = stripe.created("order-2", 1_000).await;
    let body = json!({"orderId": "order-2", "status": "processing", "cancelable": true});
    stripe.control("authenticate", body).await;
    async fn seen(stripe: &Stripe) -> [serde_json::Value; 4] {
        [
            stripe.get("/v1/balance_transactions").await.ok(),
            stripe.get("/v1/refunds").await.ok(),
            stripe.get("/v1/disputes").await.ok(),
            stripe.books("order-1").await,
        ]
    }
    let before = seen(&stripe).await;
    stripe.stop().await;
    let stripe = Stripe::with(|settings| settings.ledger = Some(path)).await;
    assert_eq!(seen(&stripe).await, before);
    assert_eq!(before[0]["data"].as_array().unwrap().len(), 5);
    stripe.control("close-dispute", json!({"paymentKey": id, "status": "won"})).await;
    assert_eq!(stripe.books("order-1").await["balance"], 900);
    assert_eq!(send(stripe.cancel(&stuck)).await.ok()["status"], "canceled");
}

#[tokio::test]
async fn only_so_many_intents_are_kept() {
    let stripe = Stripe::with(|settings| settings.intents_max = 1).await;
    stripe.created("order-1", 1_000).await;
    is(&send(stripe.create("order-2", 1_000)).await, 503, "api_error", "");
}
