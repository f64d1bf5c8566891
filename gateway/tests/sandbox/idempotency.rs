//! Section 1.2, row by row.

use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{Answer, MINUTE_MS, Toss, send};

const TRACE: &str = "x-tosspayments-trace-id";

async fn keyed(request: RequestBuilder, key: &str) -> Answer {
    send(request.header("idempotency-key", key)).await
}

#[tokio::test]
async fn a_replay_is_the_first_answer_byte_for_byte() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    let first = keyed(toss.confirm(&key, "order-1", 1000), "confirm:order-1:1").await;
    let again = keyed(toss.confirm(&key, "order-1", 1000), "confirm:order-1:1").await;
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(again.header("idempotency-key"), "confirm:order-1:1");
    let (new, original) = again.header(TRACE).split_once(", ").unwrap();
    assert_eq!(original, first.header(TRACE));
    assert_ne!(new, original);
    assert_eq!(first.header("idempotency-key"), "");
    assert_eq!(toss.ledger("order-1").await["captures"], 1);
}

#[tokio::test]
async fn a_refusal_is_replayed_even_where_the_request_was_mended() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    let first = keyed(toss.confirm(&key, "order-1", 999), "k").await;
    first.is(400, "INVALID_REQUEST");
    let mended = keyed(toss.confirm(&key, "order-1", 1000), "k").await;
    assert_eq!(mended.text, first.text, "the body is not compared");
    keyed(toss.confirm(&key, "order-1", 1000), "k2").await.ok();
}

#[tokio::test]
async fn one_key_for_two_orders_returns_the_other_order() {
    let toss = Toss::start().await;
    let first = toss.authenticated("order-1", 1000, "card").await;
    let second = toss.authenticated("order-2", 1000, "card").await;
    keyed(toss.confirm(&first, "order-1", 1000), "k").await.ok();
    let wrong = keyed(toss.confirm(&second, "order-2", 1000), "k").await.ok();
    assert_eq!(wrong["orderId"], "order-1");
    assert_eq!(toss.status("order-2").await, "IN_PROGRESS");
}

#[tokio::test]
async fn another_address_is_another_request() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    keyed(toss.confirm(&key, "order-1", 1000), "k").await.ok();
    let cancelled = keyed(toss.cancel(&key, json!({"cancelReason": "x"})), "k").await.ok();
    assert_eq!(cancelled["status"], "CANCELED");
}

#[tokio::test]
async fn keys_have_at_most_three_hundred_characters() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    let long = keyed(toss.confirm(&key, "order-1", 1000), &"k".repeat(301)).await;
    long.is(400, "INVALID_IDEMPOTENCY_KEY");
    assert_eq!(long.body["message"], "멱등키는 300자 이하여야 합니다.");
    keyed(toss.confirm(&key, "order-1", 1000), &"k".repeat(300)).await.ok();
}

#[tokio::test]
async fn the_same_request_meanwhile_is_told_to_wait() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    toss.fault("confirm", "order-1", json!({"delayMs": 3_600_000})).await;
    let confirm = || toss.confirm(&key, "order-1", 1000);
    let slow = tokio::spawn(keyed(confirm(), "k"));
    toss.until_no_fault_waits().await;
    keyed(confirm(), "k").await.is(409, "IDEMPOTENT_REQUEST_PROCESSING");
    assert!(!slow.is_finished());
    keyed(confirm(), "k2").await.ok();
    slow.abort();
}

#[tokio::test]
async fn after_fifteen_days_a_key_is_new() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    keyed(toss.confirm(&key, "order-1", 1000), "k").await.ok();
    let day = 24 * 60 * MINUTE_MS;
    toss.advance(15 * day - MINUTE_MS).await;
    keyed(toss.confirm(&key, "order-1", 1000), "k").await.ok();
    toss.advance(MINUTE_MS).await;
    let new = keyed(toss.confirm(&key, "order-1", 1000), "k").await;
    new.is(400, "ALREADY_PROCESSED_PAYMENT");
}

#[tokio::test]
async fn a_query_ignores_the_key() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    let ask = || {
        let request = toss.client.get(toss.url("/v1/payments/orders/order-1"));
        keyed(request.header("authorization", crate::support::BASIC), "k")
    };
    assert_eq!(ask().await.ok()["status"], "IN_PROGRESS");
    send(toss.confirm(&key, "order-1", 1000)).await.ok();
    assert_eq!(ask().await.ok()["status"], "DONE");
}
