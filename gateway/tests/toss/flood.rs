//! Messages about one charge are bounded, no matter who sends them.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::till::Till;

const RULES: u64 = 40;

/// Two seconds of messages about one's own order.
#[tokio::test]
async fn a_flood_of_messages_makes_few_calls_and_fewer_records() {
    let mut till = Till::open().await;
    let (_, order) = till.paid().await;
    // Each query uses one of these up.
    let counted = json!({"delayMs": 1});
    for _ in 0..RULES {
        till.fault(&order, "query", counted.clone(), 1).await;
    }
    let before = till.lsn().await;
    let body = json!({"eventType": "PAYMENT_STATUS_CHANGED",
        "createdAt": "2026-11-21T00:00:00.000000",
        "data": {"orderId": order["orderId"], "paymentKey": "k", "status": "DONE"}});
    let until = Instant::now() + Duration::from_secs(2);
    let mut senders = JoinSet::new();
    for _ in 0..16 {
        let request = till.shop.gateway.request("POST", "/api/payments/toss/webhook").json(&body);
        senders.spawn(async move {
            let mut sent = 0_u64;
            while Instant::now() < until {
                let request = request.try_clone().unwrap();
                let answer = tokio::time::timeout_at(until, request.send()).await;
                if let Ok(answer) = answer {
                    let status = answer.unwrap().status().as_u16();
                    assert!(status == 200 || status == 503, "{status}");
                    sent += 1;
                }
            }
            sent
        });
    }
    let sent: u64 = senders.join_all().await.into_iter().sum();
    let records = till.lsn().await - before;
    let left = till.shop.ok("/sandbox/toss/sandbox/faults", "").await["waiting"].as_u64().unwrap();
    assert!(sent > 50, "{sent} were sent");
    assert!((1..=12).contains(&(RULES - left)), "{} calls for {sent} messages", RULES - left);
    assert!(records <= 4, "{records} records for {sent} messages");
    assert_eq!(till.charge(&order).await["status"], "paid");
}

/// A provider that sends its message first, and answers a call once that was taken, waits for nothing.
#[tokio::test]
async fn a_message_before_the_answer_holds_neither_up() {
    let mut till = Till::open().await;
    till.sandbox("questions", &json!({"8": "before"})).await;
    let (_, order, key) = till.ready().await;
    let began = Instant::now();
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    let path = format!("/api/payments/{}/refund", order["orderId"].as_str().unwrap());
    let (status, answer) = till.shop.post(&path, &till.buyer, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    till.becomes(&order, "refunded").await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
