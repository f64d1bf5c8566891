//! What a bank does to a virtual account.

use serde_json::{Value, json};

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
