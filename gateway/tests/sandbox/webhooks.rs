//! Section 1.13: what is told, how, how often, and what the switches do to it.

use serde_json::{Value, json};

use crate::receiver::{Receiver, Webhook};
use crate::support::{MINUTE_MS, Toss, send};

async fn start() -> (Toss, Receiver) {
    let receiver = Receiver::start().await;
    let toss = Toss::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
    (toss, receiver)
}

fn statuses<'w>(webhooks: impl IntoIterator<Item = &'w Webhook>) -> Vec<(&'w str, &'w str)> {
    webhooks.into_iter().map(|webhook| (webhook.event(), webhook.status())).collect()
}

/// Waits until the sandbox has noted `count` attempts of the only delivery.
async fn attempts(toss: &Toss, count: usize) -> Value {
    loop {
        let delivery = toss.get("/sandbox/webhooks").await.ok()["deliveries"][0].clone();
        if delivery["attempts"].as_array().unwrap().len() >= count {
            return delivery;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_card_from_done_to_cancelled() {
    let (toss, mut receiver) = start().await;
    let key = toss.paid("order-1", 50_000, "card").await;
    let done = receiver.next().await;
    assert_eq!((done.event(), done.status()), ("PAYMENT_STATUS_CHANGED", "DONE"));
    assert_eq!(done.body["data"], toss.by_order("order-1").await);
    let created_at = done.body["createdAt"].as_str().unwrap();
    assert_eq!((created_at.len(), &created_at[19..20]), (26, "."), "{created_at}");
    assert!(done.header("id").starts_with("whtrans_"));
    assert!(done.header("time").ends_with("+09:00"));
    assert_eq!(done.header("retried-count"), "0");
    assert!(!done.headers.contains_key("tosspayments-webhook-signature"));
    send(toss.cancel(&key, json!({"cancelReason": "x", "cancelAmount": 1}))).await.ok();
    assert_eq!(receiver.next().await.status(), "PARTIAL_CANCELED");
    send(toss.cancel(&key, json!({"cancelReason": "x"}))).await.ok();
    assert_eq!(receiver.next().await.status(), "PARTIAL_CANCELED");
    let key = toss.paid("order-2", 50_000, "card").await;
    assert_eq!(receiver.next().await.status(), "DONE");
    send(toss.cancel(&key, json!({"cancelReason": "x"}))).await.ok();
    let cancelled = receiver.next().await;
    assert_eq!(cancelled.status(), "CANCELED");
    assert_ne!(cancelled.header("id"), done.header("id"));
}

#[tokio::test]
async fn a_virtual_account_is_told_of_twice() {
    let (toss, mut receiver) = start().await;
    let key = toss.paid("order-1", 50_000, "virtualAccount").await;
    toss.control("deposit", json!({"orderId": "order-1"})).await;
    let both = receiver.take(2).await;
    let mut told = statuses(&both);
    told.sort_unstable();
    assert_eq!(told, [("", "DONE"), ("PAYMENT_STATUS_CHANGED", "DONE")], "not of the waiting");
    let callback = both.iter().find(|webhook| webhook.event().is_empty()).unwrap();
    let payment = toss.get(&format!("/v1/payments/{key}")).await.ok();
    let mut names: Vec<_> = callback.body.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["createdAt", "orderId", "secret", "status", "transactionKey"]);
    assert_eq!(callback.body["secret"], payment["secret"]);
    assert_eq!(callback.body["transactionKey"], payment["lastTransactionKey"]);
    toss.control("deposit", json!({"orderId": "order-1", "event": "reversal"})).await;
    let reversal = receiver.next().await;
    assert_eq!((reversal.event(), reversal.status()), ("", "WAITING_FOR_DEPOSIT"));
    toss.control("deposit", json!({"orderId": "order-1", "event": "expiry"})).await;
    let overview = toss.get("/sandbox/webhooks").await.ok();
    assert_eq!(overview["deliveries"].as_array().unwrap().len(), 3, "no word of the due date");
}

#[tokio::test]
async fn waiting_is_told_of_where_the_switch_says_so() {
    let (toss, mut receiver) = start().await;
    toss.control("questions", json!({"waitingWebhook": "sent"})).await;
    toss.paid("order-1", 50_000, "virtualAccount").await;
    assert_eq!(receiver.next().await.status(), "WAITING_FOR_DEPOSIT");
}

#[tokio::test]
async fn ends_without_money_are_told_of() {
    let (toss, mut receiver) = start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    toss.fault("confirm", "order-1", json!({"error": "REJECT_CARD_COMPANY"})).await;
    send(toss.confirm(&key, "order-1", 1000)).await.is(403, "REJECT_CARD_COMPANY");
    let aborted = receiver.next().await;
    assert_eq!(aborted.status(), "ABORTED");
    assert_eq!(aborted.body["data"]["failure"]["code"], "REJECT_CARD_COMPANY");
    toss.authenticated("order-2", 1000, "card").await;
    toss.advance(10 * MINUTE_MS).await;
    assert_eq!(receiver.next().await.status(), "EXPIRED");
}

#[tokio::test]
async fn seven_retries_with_their_gaps_then_none() {
    let (toss, mut receiver) = start().await;
    receiver.answer(500);
    toss.paid("order-1", 1000, "card").await;
    let first = receiver.next().await;
    for (retried, minutes) in [1, 4, 16, 64, 256, 1024, 4096].into_iter().enumerate() {
        attempts(&toss, retried + 1).await;
        toss.advance(minutes * MINUTE_MS).await;
        let next = receiver.next().await;
        assert_eq!(next.header("retried-count"), (retried + 1).to_string());
        assert_eq!((next.header("id"), &next.body), (first.header("id"), &first.body));
    }
    let delivery = attempts(&toss, 8).await;
    assert_eq!(delivery["state"], "failed");
    assert_eq!(delivery["attempts"][7]["answer"], "500");
    let overview = toss.get("/sandbox/webhooks").await.ok();
    assert_eq!((&overview["waiting"], &overview["failed"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn no_retry_is_made_early_or_after_an_acknowledgement() {
    let (toss, mut receiver) = start().await;
    receiver.answer(503);
    toss.paid("order-1", 1000, "card").await;
    receiver.next().await;
    attempts(&toss, 1).await;
    receiver.answer(200);
    toss.advance(MINUTE_MS / 3).await;
    assert_eq!(toss.get("/sandbox/webhooks").await.ok()["waiting"], 1, "not yet");
    toss.advance(MINUTE_MS).await;
    receiver.next().await;
    assert_eq!(attempts(&toss, 2).await["state"], "delivered");
    assert_eq!(toss.get("/sandbox/webhooks").await.ok()["waiting"], 0);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_again() {
    let toss = Toss::with(|settings| {
        // Port 1 of this machine: nobody listens.
        settings.webhook_url = Some("http://127.0.0.1:1/".to_owned());
    })
    .await;
    toss.paid("order-1", 1000, "card").await;
    let delivery = attempts(&toss, 1).await;
    assert_eq!(delivery["attempts"][0]["answer"], "unreachable");
    assert_eq!(delivery["state"], "waiting");
}

#[tokio::test]
async fn a_duplicate_has_the_same_transmission_id() {
    let (toss, mut receiver) = start().await;
    toss.fault("webhook", "order-1", json!("duplicate")).await;
    toss.paid("order-1", 1000, "card").await;
    let two = receiver.take(2).await;
    assert_eq!((two[0].header("id"), &two[0].body), (two[1].header("id"), &two[1].body));
}

#[tokio::test]
async fn the_next_webhook_overtakes() {
    let (toss, mut receiver) = start().await;
    toss.fault("webhook", "order-1", json!("outOfOrder")).await;
    let key = toss.paid("order-1", 1000, "card").await;
    toss.paid("order-2", 1000, "card").await;
    assert_eq!(receiver.next().await.body["data"]["orderId"], "order-2");
    send(toss.cancel(&key, json!({"cancelReason": "x"}))).await.ok();
    let two = receiver.take(2).await;
    let name = "PAYMENT_STATUS_CHANGED";
    assert_eq!(statuses(&two), [(name, "CANCELED"), (name, "DONE")]);
}

#[tokio::test]
async fn what_waits_to_be_overtaken_waits_a_minute_at_most() {
    let (toss, mut receiver) = start().await;
    toss.fault("webhook", "any", json!("outOfOrder")).await;
    toss.paid("order-1", 1000, "card").await;
    toss.advance(MINUTE_MS).await;
    assert_eq!(receiver.next().await.status(), "DONE");
}

#[tokio::test]
async fn webhooks_are_lost_late_and_forged() {
    let (toss, mut receiver) = start().await;
    for fault in [json!("dropBefore"), json!({"delayMs": 90_000}), json!("unsignedFake")] {
        toss.fault("webhook", "order-1", fault).await;
    }
    let key = toss.paid("order-1", 1000, "card").await;
    send(toss.cancel(&key, json!({"cancelReason": "x", "cancelAmount": 1}))).await.ok();
    send(toss.cancel(&key, json!({"cancelReason": "x", "cancelAmount": 2}))).await.ok();
    let two = receiver.take(2).await;
    let secret = toss.by_order("order-1").await["secret"].clone();
    assert_ne!(two[0].body["data"]["secret"], secret, "the fake comes first");
    assert_eq!(two[1].body["data"]["secret"], secret);
    assert_ne!(two[0].header("id"), two[1].header("id"));
    toss.advance(90_000).await;
    let late = receiver.next().await;
    assert_eq!(late.body["data"]["balanceAmount"], 999);
    assert_eq!(toss.get("/sandbox/webhooks").await.ok()["dropped"], 1);
}

#[tokio::test]
async fn anybody_can_send_a_webhook() {
    let (toss, mut receiver) = start().await;
    for (deposit, event) in [(false, "PAYMENT_STATUS_CHANGED"), (true, "")] {
        let body = json!({"orderId": "order-9", "status": "DONE", "deposit": deposit});
        toss.control("webhooks", body).await;
        let forged = receiver.next().await;
        assert_eq!((forged.event(), forged.status()), (event, "DONE"));
    }
    toss.get("/v1/payments/orders/order-9").await.is(404, "NOT_FOUND_PAYMENT");
}

#[tokio::test]
async fn every_webhook_of_an_order_can_be_lost() {
    let (toss, mut receiver) = start().await;
    let lost = json!({"orderId": "order-1", "call": "webhook", "fault": "dropBefore",
        "times": u32::MAX});
    toss.control("faults", lost).await;
    let key = toss.paid("order-1", 1_000, "card").await;
    for amount in 1..=40 {
        let body = json!({"cancelReason": "x", "cancelAmount": amount});
        send(toss.cancel(&key, body)).await.ok();
    }
    toss.paid("order-2", 1_000, "card").await;
    assert_eq!(receiver.next().await.body["data"]["orderId"], "order-2");
    let overview = toss.get("/sandbox/webhooks").await.ok();
    assert_eq!((&overview["dropped"], &overview["waiting"]), (&json!(41), &json!(0)));
    assert_eq!(toss.get("/sandbox/faults").await.ok()["waiting"], 1, "it is not used up");
}
