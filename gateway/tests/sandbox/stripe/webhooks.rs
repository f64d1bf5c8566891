//! Section 2.3: what is told, how it is signed, how often, and what the switches do to it.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::Stripe;
use crate::receiver::{Receiver, Webhook};
use crate::support::{MINUTE_MS, send};

const SECRET: &str = "whsec_local_simulator";

async fn start() -> (Stripe, Receiver) {
    let receiver = Receiver::start().await;
    let stripe = Stripe::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
    (stripe, receiver)
}

/// Whether it is signed, and when.
fn signed_at(webhook: &Webhook) -> Option<u64> {
    let header = webhook.headers["stripe-signature"].to_str().unwrap();
    let (time, tag) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let tag: Vec<u8> = (0..tag.len() / 2)
        .map(|at| u8::from_str_radix(&tag[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let signed = [time.as_bytes(), b".", &webhook.bytes].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, &signed, &tag).ok()?;
    time.parse().ok()
}

fn kind(webhook: &Webhook) -> &str {
    webhook.body["type"].as_str().unwrap()
}

#[tokio::test]
async fn each_change_is_told_and_signed() {
    let (stripe, mut receiver) = start().await;
    let id = stripe.captured("order-1", 1_000).await;
    send(stripe.refund(&id, "&amount=300")).await.ok();
    let told = receiver.take(5).await;
    let mut kinds: Vec<&str> = told.iter().map(kind).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "charge.refunded",
            "payment_intent.amount_capturable_updated",
            "payment_intent.created",
            "payment_intent.succeeded",
            "refund.created",
        ]
    );
    for webhook in &told {
        assert!(signed_at(webhook).is_some(), "{webhook:?}");
        let body = &webhook.body;
        assert!(body["id"].as_str().unwrap().starts_with("evt_"));
        assert_eq!((&body["object"], &body["livemode"]), (&json!("event"), &json!(false)));
        let object = &body["data"]["object"];
        let intent = [&object["id"], &object["payment_intent"]];
        assert!(intent.contains(&&json!(id)), "{body}");
    }
    let body = json!({"orderId": "order-2", "decline": "lost_card"});
    stripe.created("order-2", 1_000).await;
    stripe.control("authenticate", body).await;
    let told = receiver.take(2).await;
    assert!(told.iter().any(|one| kind(one) == "payment_intent.payment_failed"), "{told:?}");
}

#[tokio::test]
async fn what_is_not_taken_is_sent_three_times_more_and_signed_anew() {
    let (stripe, mut receiver) = start().await;
    receiver.answer(500);
    stripe.created("order-1", 1_000).await;
    let first = receiver.next().await;
    let mut last_at = signed_at(&first).unwrap();
    for minutes in [5, 60, 180] {
        until_attempted(&stripe).await;
        stripe.control("clock", json!({"advanceMs": minutes * MINUTE_MS})).await;
        let again = receiver.next().await;
        assert_eq!(again.body["id"], first.body["id"]);
        let at = signed_at(&again).unwrap();
        assert!(at >= last_at + minutes * 60, "{at} {last_at}");
        last_at = at;
    }
    until_attempted(&stripe).await;
    let webhooks = stripe.get("/sandbox/webhooks").await.ok();
    assert_eq!((&webhooks["sent"], &webhooks["failed"]), (&json!(4), &json!(1)), "{webhooks}");
}

/// Waits until the simulator has noted every attempt that arrived.
async fn until_attempted(stripe: &Stripe) {
    loop {
        let webhooks = stripe.get("/sandbox/webhooks").await.ok();
        let attempts = webhooks["deliveries"][0]["attempts"].as_array().map_or(0, Vec::len);
        if attempts as u64 == webhooks["sent"].as_u64().unwrap() && attempts > 0 {
            let is_over = webhooks["deliveries"][0]["state"] != "waiting";
            if is_over || webhooks["waiting"] == 1 {
                return;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn any_2xx_will_do() {
    let (stripe, mut receiver) = start().await;
    receiver.answer(204);
    stripe.created("order-1", 1_000).await;
    receiver.next().await;
    while stripe.get("/sandbox/webhooks").await.ok()["delivered"] != 1 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn duplicates_forgeries_and_an_order_that_is_changed() {
    let (stripe, mut receiver) = start().await;
    stripe.fault("webhook", "order-1", json!("duplicate")).await;
    stripe.created("order-1", 1_000).await;
    let twice = receiver.take(2).await;
    assert_eq!(twice[0].body, twice[1].body);

    stripe.fault("webhook", "order-2", json!("unsignedFake")).await;
    stripe.created("order-2", 1_000).await;
    let both = receiver.take(2).await;
    assert_eq!((signed_at(&both[0]), signed_at(&both[1]).is_some()), (None, true));

    stripe.fault("webhook", "order-3", json!("outOfOrder")).await;
    stripe.created("order-3", 1_000).await;
    stripe.control("authenticate", json!({"orderId": "order-3"})).await;
    let swapped = receiver.take(2).await;
    let kinds: Vec<&str> = swapped.iter().map(kind).collect();
    assert_eq!(kinds, ["payment_intent.amount_capturable_updated", "payment_intent.created"]);

    stripe.fault("webhook", "order-4", json!("dropBefore")).await;
    stripe.created("order-4", 1_000).await;
    let dropped: Value = stripe.get("/sandbox/webhooks").await.ok()["dropped"].clone();
    assert_eq!(dropped, 1);
    let forged = json!({"orderId": "order-5", "type": "payment_intent.succeeded"});
    stripe.control("webhooks", forged).await;
    assert_eq!(signed_at(&receiver.next().await), None);
}

#[tokio::test]
async fn every_webhook_of_an_order_can_be_lost() {
    let (stripe, mut receiver) = start().await;
    let lost = json!({"orderId": "order-1", "call": "webhook", "fault": "dropBefore",
        "times": u32::MAX});
    stripe.control("faults", lost).await;
    let id = stripe.captured("order-1", 1_000).await;
    for _ in 0..20 {
        send(stripe.refund(&id, "&amount=10")).await.ok();
    }
    stripe.created("order-2", 1_000).await;
    let told = receiver.next().await;
    assert_eq!(told.body["data"]["object"]["metadata"]["order_id"], "order-2");
    let overview = stripe.get("/sandbox/webhooks").await.ok();
    assert_eq!((&overview["dropped"], &overview["waiting"]), (&json!(43), &json!(0)));
    assert_eq!(stripe.get("/sandbox/faults").await.ok()["waiting"], 1, "it is not used up");
    let body = json!({"orderId": "order-2", "webhook": false});
    assert_eq!(stripe.control("authenticate", body).await["status"], "requires_capture");
    let overview = stripe.get("/sandbox/webhooks").await.ok();
    assert_eq!(overview["deliveries"].as_array().unwrap().len(), 1, "{overview}");
}
