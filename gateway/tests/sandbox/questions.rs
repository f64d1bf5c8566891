//! Appendix D, both answers of each question about Toss.

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::support::{MINUTE_MS, Toss, send};

async fn answered(question: &str, answer: &str) -> Toss {
    let toss = Toss::start().await;
    toss.control("questions", json!({ question: answer })).await;
    toss
}

#[tokio::test]
async fn one_what_differs_at_confirm() {
    for (answer, status) in [("INVALID_REQUEST", 400), ("FORBIDDEN_REQUEST", 403)] {
        let toss = answered("1", answer).await;
        let key = toss.authenticated("order-1", 1000, "card").await;
        send(toss.confirm(&key, "order-1", 1)).await.is(status, answer);
    }
}

#[tokio::test]
async fn two_an_unknown_payment() {
    for answer in ["NOT_FOUND_PAYMENT_SESSION", "NOT_FOUND_PAYMENT"] {
        let toss = answered("2", answer).await;
        send(toss.confirm("unknown", "order-1", 1)).await.is(404, answer);
    }
}

#[tokio::test]
async fn three_one_key_with_two_bodies() {
    for (answer, status) in [("replayed", 200), ("refused", 400)] {
        let toss = answered("3", answer).await;
        let key = toss.authenticated("order-1", 1000, "card").await;
        for (amount, expected) in [(1000, 200), (999, status), (1000, 200)] {
            let request = toss.confirm(&key, "order-1", amount).header("idempotency-key", "k");
            assert_eq!(send(request).await.status, expected, "{answer}, {amount}");
        }
    }
}

#[tokio::test]
async fn four_too_many_calls() {
    for (answer, status, code) in
        [("429", 429, "TOO_MANY_REQUESTS"), ("403", 403, "FORBIDDEN_CONSECUTIVE_REQUEST")]
    {
        let toss = answered("4", answer).await;
        toss.fault("query", "any", json!("rateLimit")).await;
        toss.get("/v1/payments/none").await.is(status, code);
    }
}

#[tokio::test]
async fn five_another_2xx_acknowledges_or_not() {
    for (answer, state) in [("only200", "waiting"), ("any2xx", "delivered")] {
        let mut receiver = Receiver::start().await;
        receiver.answer(204);
        let toss = Toss::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
        toss.control("questions", json!({"5": answer, "8": "before"})).await;
        toss.paid("order-1", 1000, "card").await;
        receiver.next().await;
        let overview = toss.get("/sandbox/webhooks").await.ok();
        assert_eq!(overview["deliveries"][0]["state"], state, "{overview}");
    }
}

#[tokio::test]
async fn six_the_secret_of_a_status_webhook() {
    for (answer, of_done, of_expired) in
        [("present", true, true), ("nullWhenEnded", true, false), ("absent", false, false)]
    {
        let mut receiver = Receiver::start().await;
        let toss = Toss::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
        toss.control("questions", json!({"6": answer})).await;
        toss.paid("order-1", 1000, "card").await;
        let done = receiver.next().await;
        let secret = toss.by_order("order-1").await["secret"].clone();
        assert_eq!(done.body["data"]["secret"] == secret, of_done, "{answer}");
        toss.authenticated("order-2", 1000, "card").await;
        toss.advance(10 * MINUTE_MS).await;
        let expired = receiver.next().await;
        assert_eq!(expired.status(), "EXPIRED");
        let data = expired.body["data"].as_object().unwrap();
        assert_eq!(data.get("secret").is_some_and(Value::is_string), of_expired, "{answer}");
        assert_eq!(data.contains_key("secret"), answer != "absent", "{answer}");
    }
}

#[tokio::test]
async fn seven_a_failed_post_is_replayed_or_executed() {
    for (answer, status) in [("replayed", 500), ("executed", 200)] {
        let toss = answered("7", answer).await;
        let key = toss.authenticated("order-1", 1000, "card").await;
        toss.fault("confirm", "order-1", json!({"status": 500})).await;
        for expected in [500, status] {
            let request = toss.confirm(&key, "order-1", 1000).header("idempotency-key", "k");
            assert_eq!(send(request).await.status, expected, "{answer}");
        }
        let request = toss.confirm(&key, "order-1", 1000).header("idempotency-key", "k2");
        let new = send(request).await.status;
        assert_eq!(new, if answer == "replayed" { 200 } else { 400 });
        assert_eq!(toss.ledger("order-1").await["captures"], 1);
    }
}

#[tokio::test]
async fn eight_the_webhook_comes_before_the_answer_or_after() {
    let mut receiver = Receiver::start().await;
    let toss = Toss::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
    toss.control("questions", json!({"8": "before"})).await;
    toss.paid("order-1", 1000, "card").await;
    assert!(receiver.has_more(), "it has arrived when the confirm is answered");
    toss.control("questions", json!({"8": "after"})).await;
    toss.paid("order-2", 1000, "card").await;
    toss.advance(1_000).await;
    let later = receiver.next().await;
    // Full seconds: it was held back for one.
    assert!(later.header("time") > later.body["data"]["approvedAt"].as_str().unwrap());
}

#[tokio::test]
async fn nine_the_test_code_on_cancel() {
    for (answer, status) in [("works", 403), ("ignored", 200)] {
        let toss = answered("9", answer).await;
        let key = toss.paid("order-1", 1000, "card").await;
        let request = toss.cancel(&key, json!({"cancelReason": "x"}));
        let request = request.header("tosspayments-test-code", "NOT_CANCELABLE_PAYMENT");
        assert_eq!(send(request).await.status, status, "{answer}");
    }
}

#[tokio::test]
async fn answers_are_shown_and_the_others_stay() {
    let toss = answered("2", "NOT_FOUND_PAYMENT").await;
    let shown = toss.control("questions", json!({"5": "any2xx"})).await;
    assert_eq!(shown, toss.get("/sandbox/questions").await.ok());
    for (question, answer) in
        [("1", "INVALID_REQUEST"), ("2", "NOT_FOUND_PAYMENT"), ("5", "any2xx"), ("8", "sometimes")]
    {
        assert_eq!(shown[question], answer);
    }
}
