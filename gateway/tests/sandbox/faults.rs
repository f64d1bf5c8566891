//! Section 1.14: what the wire does to calls. Whatever the caller sees, the books say what happened.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Toss, send};

/// Pays order `order-1` under a fault, with an idempotency key.
async fn under(fault: Value) -> (Toss, JoinHandle<reqwest::Result<Response>>, String) {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    toss.fault("confirm", "order-1", fault).await;
    let request = toss.confirm(&key, "order-1", 1000).header("idempotency-key", "k");
    let call = tokio::spawn(request.send());
    toss.until_no_fault_waits().await;
    (toss, call, key)
}

async fn captured(toss: &Toss) -> u64 {
    toss.ledger("order-1").await["captures"].as_u64().unwrap()
}

async fn again(toss: &Toss, key: &str) -> u16 {
    let request = toss.confirm(key, "order-1", 1000).header("idempotency-key", "k");
    send(request).await.status.as_u16()
}

#[tokio::test]
async fn dropped_before_nothing_is_done_and_after_everything() {
    for (fault, captures) in [("dropBefore", 0), ("dropAfter", 1)] {
        let (toss, call, key) = under(json!(fault)).await;
        let error = call.await.unwrap().expect_err("no answer");
        assert!(!error.is_timeout() && !error.is_connect(), "the connection ends: {error:?}");
        assert_eq!(captured(&toss).await, captures, "{fault}");
        assert_eq!(again(&toss, &key).await, 200, "{fault}");
        assert_eq!(captured(&toss).await, 1, "{fault}");
    }
}

#[tokio::test]
async fn what_never_answers_did_nothing_or_everything() {
    for (fault, captures) in [("timeout", 0), ("timeoutAfter", 1)] {
        let (toss, call, key) = under(json!(fault)).await;
        while captured(&toss).await < captures {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(captured(&toss).await, captures, "{fault}");
        assert!(!call.is_finished(), "{fault}");
        call.abort();
        assert_eq!(again(&toss, &key).await, 200, "{fault}");
        assert_eq!(captured(&toss).await, 1, "{fault}");
    }
}

#[tokio::test]
async fn a_failure_status_before_and_after() {
    for (fault, status, captures, then) in [
        (json!({"status": 503}), 503, 0, 503),
        (json!({"statusAfter": 500}), 500, 1, 200),
        (json!("html502"), 502, 0, 200),
        (json!("rateLimit"), 429, 0, 429),
    ] {
        let (toss, call, key) = under(fault.clone()).await;
        assert_eq!(call.await.unwrap().expect("answer").status(), status, "{fault}");
        assert_eq!(captured(&toss).await, captures, "{fault}");
        // What the API itself answered is replayed; what a proxy said is not known to it.
        assert_eq!(again(&toss, &key).await, then, "{fault}");
    }
}

#[tokio::test]
async fn a_proxy_page_is_no_json() {
    let toss = Toss::start().await;
    toss.fault("query", "any", json!("html502")).await;
    let answer = toss.get("/v1/payments/orders/order-1").await;
    assert!(answer.text.contains("<html>") && answer.header("content-type").contains("html"));
}

#[tokio::test]
async fn a_delayed_call_goes_on_where_the_caller_has_left() {
    let (toss, call, key) = under(json!({"delayMs": 1_000})).await;
    call.abort();
    // Still running, then done: the key says so, and the money is taken once.
    loop {
        match again(&toss, &key).await {
            409 => tokio::time::sleep(Duration::from_millis(20)).await,
            status => break assert_eq!(status, 200),
        }
    }
    assert_eq!(captured(&toss).await, 1);
}

#[tokio::test]
async fn a_delay_delays() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    toss.fault("confirm", "any", json!({"delayMs": 300})).await;
    let started = Instant::now();
    send(toss.confirm(&key, "order-1", 1000)).await.ok();
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn faults_are_used_up_and_can_be_cleared() {
    let toss = Toss::start().await;
    let body = json!({"call": "query", "fault": {"status": 500}, "times": 2});
    toss.control("faults", body.clone()).await;
    for status in [500, 500, 404] {
        assert_eq!(toss.get("/v1/payments/none").await.status, status);
    }
    toss.control("faults", body).await;
    send(toss.client.delete(toss.url("/sandbox/faults"))).await.ok();
    assert_eq!(toss.get("/v1/payments/none").await.status, 404);
}

#[tokio::test]
async fn an_order_does_not_suffer_what_is_meant_for_another() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    toss.fault("confirm", "order-2", json!("dropBefore")).await;
    send(toss.confirm(&key, "order-1", 1000)).await.ok();
    toss.fault("cancel", "order-1", json!("dropAfter")).await;
    let dropped = toss.cancel(&key, json!({"cancelReason": "x"})).send().await;
    assert!(dropped.is_err());
    assert_eq!(toss.status("order-1").await, "CANCELED");
}

#[tokio::test]
async fn a_switch_that_makes_no_sense_is_refused() {
    let toss = Toss::start().await;
    for (name, body) in [
        ("faults", json!({"call": "confirm", "fault": {"error": "NO_SUCH_CODE"}})),
        ("faults", json!({"call": "confirm", "fault": "explode"})),
        ("faults", json!({"call": "confirm", "fault": "dropAfter", "order": "typo"})),
        ("questions", json!({"1": "maybe"})),
        ("questions", json!({"99": "yes"})),
        ("clock", json!({})),
        ("authenticate", json!({"orderId": "a b", "amount": 1})),
        ("authenticate", json!({"orderId": "order-1", "amount": 0})),
        ("webhooks", json!({"orderId": "order-1", "status": "DONE"})),
    ] {
        let request = toss.client.post(toss.url(&format!("/sandbox/{name}"))).json(&body);
        send(request).await.is(400, "BAD_CONTROL");
    }
}
