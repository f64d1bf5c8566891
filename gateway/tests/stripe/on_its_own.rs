//! What Stripe does without being asked, and intents that do not end by themselves.

use serde_json::json;

use crate::disputes::compare;
use crate::till::Till;

#[tokio::test]
async fn dashboard_refunds_count_and_end_the_order() {
    let mut till = Till::of("stripe").await;
    let (reservation, order) = till.paid().await;
    let part = json!({"orderId": order["orderId"], "amount": 10_000});
    till.sandbox("console-refund", &part).await;
    let charge = till.becomes(&order, "partially_refunded").await;
    assert_eq!(charge["refundedElsewhere"], 10_000, "{charge}");
    let lost = json!({"orderId": order["orderId"], "webhook": false});
    till.sandbox("console-refund", &lost).await;
    let found = compare(&till).await;
    assert_eq!(found["differences"][0]["orderId"], order["orderId"], "{found}");
    till.becomes(&order, "refunded").await;
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
    assert_eq!(compare(&till).await["differences"], json!([]), "known since");
}

#[tokio::test]
async fn a_refund_that_fails_later_is_due_again() {
    let mut till = Till::of("stripe").await;
    let (reservation, order) = till.paid().await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    till.sandbox("fail-refund", &json!({"orderId": order["orderId"]})).await;
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while till.books(&order).await["refundedByUs"] != 150_000 {
        assert!(tokio::time::Instant::now() < deadline, "{}", till.seen(&order).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    till.becomes(&order, "refunded").await;
    till.sandbox("fail-refund", &json!({"orderId": order["orderId"]})).await;
    let charge = till.becomes(&order, "refund_refused").await;
    assert_eq!(charge["refundRefused"], 150_000, "{charge}");
}

#[tokio::test]
async fn an_intent_stuck_in_processing_has_an_end() {
    let mut till = Till::of("stripe").await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let stuck = json!({"orderId": order["orderId"], "status": "processing"});
    let key = till.sandbox("authenticate", &stuck).await["paymentKey"].as_str().unwrap().to_owned();
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    assert_eq!(till.charge(&order).await["status"], "confirming");
    let (status, ended) = till.administer(&order, "end").await;
    assert_eq!((status, &ended["payment"]["status"]), (200, &json!("failed")), "{ended}");
    assert_eq!(till.cancel(&reservation).await.0, 200, "the seat is free");
    // It comes to be authorised after all: the buyer gets that back.
    till.sandbox("authenticate", &json!({"orderId": order["orderId"]})).await;
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while till.books(&order).await["authorised"] != 0 {
        assert!(tokio::time::Instant::now() < deadline, "{}", till.books(&order).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    till.assert_books(&order, 0, 0).await;
}

/// It could be captured for a week, and the buyer would miss the money.
#[tokio::test]
async fn what_was_agreed_to_is_let_go_of_once_an_administrator_ends_it() {
    let mut till = Till::of("stripe").await;
    let (reservation, order, key) = till.ready().await;
    till.fault(&order, "capture", json!("dropBefore"), 1).await;
    till.fault(&order, "query", json!({"status": 500}), 2).await;
    till.fault(&order, "webhook", json!("dropBefore"), 9).await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    let (status, ended) = till.administer(&order, "end").await;
    assert_eq!((status, &ended["payment"]["status"]), (200, &json!("failed")), "{ended}");
    assert_eq!(till.cancel(&reservation).await.0, 200, "the seat is free");
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while till.books(&order).await["authorised"] != 0 {
        assert!(tokio::time::Instant::now() < deadline, "{}", till.books(&order).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    till.assert_books(&order, 0, 0).await;
    assert_eq!(till.charge(&order).await["status"], "failed");
}

#[tokio::test]
async fn another_orders_intent_fails_at_once() {
    let mut till = Till::of("stripe").await;
    let (_, _, others_key) = till.ready().await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    assert_eq!(till.confirm(&order, &others_key).await.0, 400);
    assert_eq!(till.charge(&order).await["status"], "failed");
    let (status, again) = till.confirm(&order, &others_key).await;
    assert_eq!(status, 400, "{again}");
    assert!(again["providerCode"].as_str().is_some_and(|code| !code.is_empty()), "{again}");
    assert_eq!(till.cancel(&reservation).await.0, 200);
}
