//! What a bank does to a virtual account.

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::support::{MINUTE_MS, Toss, send};

async fn bank(toss: &Toss, body: Value) -> bool {
    toss.control("deposit", body).await["done"].as_bool().unwrap()
}

#[tokio::test]
async fn the_right_amount_pays_and_another_is_turned_away() {
    let toss = Toss::start().await;
    toss.paid("order-1", 50_000, "virtualAccount").await;
    assert!(!bank(&toss, json!({"orderId": "order-1", "amount": 49_999})).await);
    assert_eq!(toss.status("order-1").await, "WAITING_FOR_DEPOSIT");
    assert!(bank(&toss, json!({"orderId": "order-1", "amount": 50_000})).await);
    let payment = toss.by_order("order-1").await;
    assert_eq!(payment["status"], "DONE");
    assert!(payment["approvedAt"].is_string());
    assert_eq!(toss.ledger("order-1").await["captured"], 50_000);
    assert!(!bank(&toss, json!({"orderId": "order-1"})).await, "paid before");
}

#[tokio::test]
async fn a_reversal_goes_back_to_waiting() {
    let toss = Toss::start().await;
    toss.paid("order-1", 50_000, "virtualAccount").await;
    assert!(!bank(&toss, json!({"orderId": "order-1", "event": "reversal"})).await);
    assert!(bank(&toss, json!({"orderId": "order-1"})).await);
    assert!(bank(&toss, json!({"orderId": "order-1", "event": "reversal"})).await);
    let payment = toss.by_order("order-1").await;
    assert_eq!(payment["status"], "WAITING_FOR_DEPOSIT");
    assert_eq!(payment["approvedAt"], Value::Null);
    let ledger = toss.ledger("order-1").await;
    assert_eq!((&ledger["reversed"], &ledger["balance"]), (&json!(50_000), &json!(0)));
}

#[tokio::test]
async fn nobody_pays_after_the_due_date() {
    let toss = Toss::start().await;
    toss.paid("order-1", 50_000, "virtualAccount").await;
    toss.paid("order-2", 50_000, "virtualAccount").await;
    assert!(bank(&toss, json!({"orderId": "order-1", "event": "expiry"})).await);
    toss.advance(168 * 60 * MINUTE_MS + 1).await;
    for order in ["order-1", "order-2"] {
        let payment = toss.by_order(order).await;
        assert_eq!(payment["status"], "WAITING_FOR_DEPOSIT");
        assert_eq!(payment["virtualAccount"]["expired"], true);
        assert!(!bank(&toss, json!({"orderId": order})).await);
    }
}

#[tokio::test]
async fn a_card_takes_no_deposit() {
    let toss = Toss::start().await;
    toss.paid("order-1", 50_000, "card").await;
    assert!(!bank(&toss, json!({"orderId": "order-1"})).await);
    let body = json!({"orderId": "order-9"});
    let unknown = send(toss.client.post(toss.url("/sandbox/deposit")).json(&body)).await;
    unknown.is(400, "BAD_CONTROL");
}

/// A payment that waits for its deposit, opened with these fields.
async fn waiting(toss: &Toss, order: &str, fields: Value) -> Value {
    let mut body = json!({"orderId": order, "amount": 50_000, "method": "virtualAccount"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let key = toss.control("authenticate", body).await["paymentKey"].clone();
    send(toss.confirm(key.as_str().unwrap(), order, 50_000)).await.ok()
}

#[tokio::test]
async fn an_account_waits_as_long_as_its_window_says() {
    let toss = Toss::start().await;
    waiting(&toss, "order-1", json!({"validHours": 2})).await;
    waiting(&toss, "order-2", json!({"validHours": 2_160})).await;
    let due_date = jiff::Zoned::now()
        .with_time_zone(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)))
        .datetime()
        .checked_add(jiff::Span::new().days(30))
        .unwrap();
    let due_date = format!("{due_date:.0}");
    let payment = waiting(&toss, "order-3", json!({ "dueDate": due_date })).await;
    assert_eq!(payment["virtualAccount"]["dueDate"], format!("{due_date}+09:00"));
    for (advance_ms, order, is_paid) in [
        (2 * 60 * MINUTE_MS + 1, "order-1", false),
        (29 * 24 * 60 * MINUTE_MS, "order-3", true),
        (60 * 24 * 60 * MINUTE_MS, "order-2", true),
    ] {
        toss.advance(advance_ms).await;
        let expired = toss.by_order(order).await["virtualAccount"]["expired"].clone();
        assert_eq!(expired, !is_paid, "{order}");
        assert_eq!(bank(&toss, json!({ "orderId": order })).await, is_paid, "{order}");
    }
}

#[tokio::test]
async fn no_account_waits_for_more_than_ninety_days() {
    let toss = Toss::start().await;
    let days = |days: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        json!({"dueDate": at.to_string()})
    };
    for fields in [
        json!({"validHours": 0}),
        json!({"validHours": 2_161}),
        days(91),
        days(-1),
        json!({"dueDate": "soon"}),
        json!({"dueDate": "2999-01-01T00:00:00", "validHours": 1}),
    ] {
        let mut body = json!({"orderId": "order-1", "amount": 1_000, "method": "virtualAccount"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let refused = send(toss.client.post(toss.url("/sandbox/authenticate")).json(&body)).await;
        refused.is(400, "BAD_CONTROL");
    }
    assert_eq!(toss.get("/sandbox/ledger").await.ok()["payments"], 0);
}

#[tokio::test]
async fn a_closed_account_takes_no_deposit() {
    let toss = Toss::start().await;
    let payment = waiting(&toss, "order-1", json!({"validHours": 24})).await;
    let key = payment["paymentKey"].as_str().unwrap();
    let closed = send(toss.cancel(key, json!({"cancelReason": "x"}))).await.ok();
    assert_eq!((&closed["status"], &closed["approvedAt"]), (&json!("CANCELED"), &Value::Null));
    assert!(!bank(&toss, json!({"orderId": "order-1"})).await);
    assert!(!bank(&toss, json!({"paymentKey": key})).await);
    assert_eq!(toss.ledger("order-1").await["captured"], 0);
}

#[tokio::test]
async fn the_webhook_of_a_reversal_can_be_lost() {
    let mut receiver = Receiver::start().await;
    let toss = Toss::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
    toss.paid("order-1", 50_000, "virtualAccount").await;
    assert!(bank(&toss, json!({"orderId": "order-1"})).await);
    receiver.take(2).await;
    let reversal = json!({"orderId": "order-1", "event": "reversal", "webhook": false});
    assert!(bank(&toss, reversal).await);
    assert_eq!(toss.status("order-1").await, "WAITING_FOR_DEPOSIT");
    let ledger = toss.ledger("order-1").await;
    assert_eq!((&ledger["reversed"], &ledger["balance"]), (&json!(50_000), &json!(0)));
    let deliveries = toss.get("/sandbox/webhooks").await.ok()["deliveries"].clone();
    assert_eq!(deliveries.as_array().unwrap().len(), 2, "{deliveries}");
}
