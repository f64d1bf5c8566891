//! Money on its way back: once, whatever Stripe answers.

use serde_json::{Value, json};

use crate::till::Till;

#[tokio::test]
async fn a_cancelled_order_is_refunded() {
    let mut till = Till::of("stripe").await;
    let (reservation, order) = till.paid().await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    let shown = till.becomes(&order, "refunded").await;
    assert_eq!(shown["refundedAmount"], 150_000);
    till.assert_books(&order, 1, 0).await;
    assert_eq!(till.reservation(&reservation).await["payment_status"], "refunded");
    assert_eq!(till.shop.counts(&till.event).await.2, 0, "the seat is free again");
}

#[tokio::test]
async fn refunds_come_through_whatever_stripe_answers_first() {
    let mut till = Till::of("stripe").await;
    let mut orders: Vec<Value> = Vec::new();
    for fault in [
        json!("dropBefore"),
        json!("dropAfter"),
        json!({"status": 500}),
        json!({"statusAfter": 500}),
        json!("html502"),
        json!("rateLimit"),
        json!("pending"),
        json!({"error": "lock_timeout"}),
    ] {
        let (reservation, order) = till.paid().await;
        till.fault(&order, "refund", fault, 1).await;
        assert_eq!(till.cancel(&reservation).await.0, 200);
        orders.push(order);
    }
    for order in &orders {
        till.becomes(order, "refunded").await;
        let books = till.books(order).await;
        assert_eq!(
            (&books["refunded"], &books["balance"]),
            (&json!(150_000), &json!(0)),
            "{books}"
        );
    }
}

#[tokio::test]
async fn a_called_off_event_gives_everybody_the_money_back() {
    let mut till = Till::of("stripe").await;
    let mut orders = Vec::new();
    for _ in 0..6 {
        orders.push(till.paid().await.1);
    }
    let path = format!("/api/admin/events/{}/cancel", till.event);
    let (status, answer) = till.shop.post(&path, &till.shop.admin, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    // A stop in the middle of it changes nothing.
    till.shop = till.shop.restart(|_| {}).await;
    for order in &orders {
        till.becomes(order, "refunded").await;
        till.assert_books(order, 1, 0).await;
    }
}

#[tokio::test]
async fn a_card_and_points_go_back_to_where_they_came_from() {
    let mut till = Till::open().await;
    till.buy_points(50_000).await;
    till.provider = "stripe";
    let reservation = till.hold().await;
    let order = till.order(&reservation, 30_000).await;
    assert_eq!(order["amount"], 120_000);
    let key = till.authenticate(&order, "samsung_pay").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    till.assert_books(&order, 1, 120_000).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
    assert_eq!(till.points().await, 50_000);
}
