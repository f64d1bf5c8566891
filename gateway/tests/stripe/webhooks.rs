//! Webhooks: believed where they are signed and fresh, and then no more than a hint.

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use tiketi_gateway::payments::sandbox::stripe::WEBHOOK_SECRET;

use crate::till::Till;

const PATH: &str = "/api/payments/stripe/webhook";

fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn signature(secret: &str, at_s: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at_s}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at_s},v1={hex}")
}

async fn post(till: &Till, body: &str, signature: Option<&str>) -> u16 {
    let mut request = till.shop.gateway.request("POST", PATH).body(body.to_owned());
    if let Some(signature) = signature {
        request = request.header("stripe-signature", signature);
    }
    request.send().await.unwrap().status().as_u16()
}

/// Signed as Stripe signs.
async fn signed(till: &Till, body: &Value) -> u16 {
    let body = body.to_string();
    post(till, &body, Some(&signature(WEBHOOK_SECRET, now_s(), &body))).await
}

fn event(kind: &str, order: &Value, key: &str) -> Value {
    json!({"id": "evt_1", "object": "event", "type": kind, "data": {"object": {
        "id": key, "object": "payment_intent", "status": "succeeded", "amount": 150_000,
        "metadata": {"order_id": order["orderId"]}}}})
}

/// What Stripe was asked about an order.
async fn calls(till: &Till, order: &Value) -> usize {
    let all = till.shop.ok("/api/admin/payments", &till.shop.admin).await;
    let all = all["payments"].as_array().unwrap();
    let one = all.iter().find(|one| one["orderId"] == order["orderId"]).unwrap();
    one["trail"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_is_not_signed_or_not_fresh_is_refused_and_nobody_is_asked() {
    let mut till = Till::of("stripe").await;
    // None of the simulator's own, which would be calls as well.
    let none = json!({"call": "webhook", "fault": "dropBefore", "times": 99});
    till.sandbox("faults", &none).await;
    let (reservation, order) = till.paid().await;
    let before = calls(&till, &order).await;
    let body = event("payment_intent.succeeded", &order, "pi_x").to_string();
    let now_s = now_s();
    for bad in [
        None,
        Some(String::new()),
        Some(format!("t={now_s},v1={}", "0".repeat(64))),
        Some(signature("whsec_other", now_s, &body)),
        Some(signature("", now_s, &body)),
        Some(signature(WEBHOOK_SECRET, now_s - 310, &body)),
        Some(signature(WEBHOOK_SECRET, now_s + 310, &body)),
        Some(signature(WEBHOOK_SECRET, now_s, "{}")),
        Some(signature(WEBHOOK_SECRET, now_s, &body).replace("v1=", "v0=")),
    ] {
        assert_eq!(post(&till, &body, bad.as_deref()).await, 400, "{bad:?}");
    }
    let unreadable = signature(WEBHOOK_SECRET, now_s, "<html>");
    assert_eq!(post(&till, "<html>", Some(&unreadable)).await, 400);
    assert_eq!(calls(&till, &order).await, before, "nobody was asked");
    let old = signature(WEBHOOK_SECRET, now_s - 200, &body);
    assert_eq!(post(&till, &body, Some(&old)).await, 200, "within five minutes");
    let asked = async {
        while calls(&till, &order).await != before + 1 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, asked).await.expect("a question");
    assert_eq!(till.reservation(&reservation).await["status"], "confirmed");
}

#[tokio::test]
async fn what_is_signed_is_a_hint_and_no_more() {
    let mut till = Till::of("stripe").await;
    let (reservation, order, key) = till.ready().await;
    assert_eq!(signed(&till, &event("payment_intent.succeeded", &order, &key)).await, 200);
    assert_eq!(till.charge(&order).await["status"], "open", "nobody has paid");
    let unknown = json!({"orderId": "tk00000000ffffffffffffffff"});
    assert_eq!(signed(&till, &event("payment_intent.succeeded", &unknown, "pi_x")).await, 200);
    let foreign = json!({"id": "evt_2", "type": "customer.created", "data": {"object": {}}});
    assert_eq!(signed(&till, &foreign).await, 200, "not about us");
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    // However often it is told, and in whatever order.
    for kind in
        ["payment_intent.canceled", "payment_intent.payment_failed", "payment_intent.succeeded"]
    {
        for _ in 0..2 {
            assert_eq!(signed(&till, &event(kind, &order, &key)).await, 200);
        }
    }
    assert_eq!(till.charge(&order).await["status"], "paid");
    assert_eq!(till.reservation(&reservation).await["status"], "confirmed");
    till.assert_books(&order, 1, 150_000).await;
}

/// The hint comes while nobody knows: it ends the payment before the reconciler's turn.
#[tokio::test]
async fn a_webhook_resolves_what_nobody_knew() {
    let mut till = Till::of("stripe").await;
    let (_, order, key) = till.ready().await;
    till.fault(&order, "capture", json!("dropAfter"), 1).await;
    let drop =
        json!({"orderId": order["orderId"], "call": "webhook", "fault": "duplicate", "times": 9});
    till.sandbox("faults", &drop).await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    till.becomes(&order, "paid").await;
    till.assert_books(&order, 1, 150_000).await;
}

#[tokio::test]
async fn duplicates_forgeries_and_messages_out_of_order_change_nothing() {
    for fault in ["duplicate", "outOfOrder", "unsignedFake"] {
        let mut till = Till::of("stripe").await;
        let rule = json!({"call": "webhook", "fault": fault, "times": 20});
        till.sandbox("faults", &rule).await;
        let (reservation, order) = till.paid().await;
        assert_eq!(till.cancel(&reservation).await.0, 200);
        till.becomes(&order, "refunded").await;
        till.sandbox("clock", &json!({"advanceMs": 120_000})).await;
        let webhooks = till.shop.ok("/sandbox/stripe/sandbox/webhooks", "").await;
        assert!(!webhooks["deliveries"].as_array().unwrap().is_empty(), "{webhooks}");
        assert_eq!(till.charge(&order).await["status"], "refunded", "{fault}");
        till.assert_books(&order, 1, 0).await;
    }
}

/// The simulator's messages hold before the adapter, and its forgeries do not.
#[tokio::test]
async fn the_simulator_signs_what_the_gateway_believes() {
    let mut till = Till::of("stripe").await;
    till.paid().await;
    let forged = json!({"orderId": "order-1", "type": "payment_intent.succeeded"});
    till.sandbox("webhooks", &forged).await;
    let told = async {
        loop {
            let webhooks = till.shop.ok("/sandbox/stripe/sandbox/webhooks", "").await;
            let deliveries = webhooks["deliveries"].as_array().unwrap().clone();
            if deliveries.iter().all(|one| !one["attempts"].as_array().unwrap().is_empty()) {
                return deliveries;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let deliveries = tokio::time::timeout(crate::support::PATIENCE, told).await.expect("attempts");
    for delivery in &deliveries {
        // 409 where the confirmation was just ending it: Stripe sends it again.
        let is_forged = delivery["event"] == "forged";
        assert_eq!(delivery["attempts"][0]["answer"] == "400", is_forged, "{delivery}");
    }
    assert!(deliveries.len() >= 3, "{deliveries:?}");
}
