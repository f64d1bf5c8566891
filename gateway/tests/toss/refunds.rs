//! Money on its way back: once, whatever the provider answers.

use serde_json::{Value, json};

use crate::support::assert_error;
use crate::till::Till;

#[tokio::test]
async fn a_cancelled_order_is_refunded() {
    let mut till = Till::open().await;
    let (reservation, order) = till.paid().await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    let shown = till.becomes(&order, "refunded").await;
    assert_eq!(shown["refundedAmount"], 150_000);
    till.assert_books(&order, 1, 0).await;
    let shown = till.reservation(&reservation).await;
    assert_eq!(
        (&shown["status"], &shown["payment_status"]),
        (&json!("cancelled"), &json!("refunded"))
    );
    assert_eq!(till.shop.counts(&till.event).await.2, 0, "the seat is free again");
}

#[tokio::test]
async fn a_refund_is_asked_for_by_its_owner_or_an_administrator() {
    let mut till = Till::open().await;
    for by_admin in [false, true] {
        let (_, order) = till.paid().await;
        let path = format!("/api/payments/{}/refund", order["orderId"].as_str().unwrap());
        let token = if by_admin { till.shop.admin.clone() } else { till.buyer.clone() };
        let (status, answer) = till.shop.post(&path, &token, &json!({"reason": "변심"})).await;
        assert_eq!(status, 200, "{answer}");
        till.becomes(&order, "refunded").await;
        till.assert_books(&order, 1, 0).await;
        let (_, again) = till.shop.post(&path, &token, &json!({})).await;
        assert_error(&again, "ALREADY_CANCELLED");
    }
    let (_, order, _) = till.ready().await;
    let path = format!("/api/payments/{}/refund", order["orderId"].as_str().unwrap());
    assert_error(&till.shop.post(&path, &till.buyer, &json!({})).await.1, "CONFLICT");
}

#[tokio::test]
async fn refunds_come_through_whatever_the_provider_answers_first() {
    let mut till = Till::open().await;
    let mut orders: Vec<Value> = Vec::new();
    for fault in [
        json!("dropBefore"),
        json!("dropAfter"),
        json!({"status": 500}),
        json!({"statusAfter": 500}),
        json!("html502"),
        json!("rateLimit"),
        json!({"error": "PROVIDER_ERROR"}),
        json!({"error": "FAILED_REFUND_PROCESS"}),
        json!({"error": "FORBIDDEN_CONSECUTIVE_REQUEST"}),
    ] {
        let (reservation, order) = till.paid().await;
        till.fault(&order, "cancel", fault, 1).await;
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
    let mut till = Till::open().await;
    let mut orders = Vec::new();
    for _ in 0..12 {
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
