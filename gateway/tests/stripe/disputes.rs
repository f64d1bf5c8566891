//! Disputes: the bank has the money until it decides, and a lost one ends the order.

use serde_json::json;

use crate::till::Till;

#[tokio::test]
async fn a_lost_dispute_ends_the_order() {
    let mut till = Till::of("stripe").await;
    let (reservation, order) = till.paid().await;
    till.sandbox("dispute", &json!({"orderId": order["orderId"]})).await;
    let charge = till.becomes(&order, "disputed").await;
    assert_eq!(charge["dispute"]["amount"], 150_000, "{charge}");
    assert_eq!(charge["waiting"]["for"], "bank", "{charge}");
    let metrics = till.shop.gateway.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("tiketi_payments_waiting{for=\"bank\"} 1"), "{metrics}");
    assert_eq!(till.reservation(&reservation).await["status"], "confirmed", "until it is decided");
    let listed = till.shop.ok("/api/admin/payments?state=disputed", &till.shop.admin).await;
    assert_eq!(listed["pagination"]["total"], 1, "{listed}");
    till.sandbox("close-dispute", &json!({"orderId": order["orderId"], "status": "lost"})).await;
    let charge = till.becomes(&order, "refunded").await;
    assert_eq!(
        (&charge["refundedElsewhere"], &charge["dispute"]["state"]),
        (&json!(150_000), &json!("lost"))
    );
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
    assert_eq!(till.shop.counts(&till.event).await.2, 0, "no money, no seat");
    let metrics = till.shop.gateway.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("tiketi_payment_disputes_total 1"), "{metrics}");
}

#[tokio::test]
async fn refunds_wait_for_a_dispute_and_come_after_one_that_is_won() {
    let mut till = Till::of("stripe").await;
    let (reservation, order) = till.paid().await;
    till.sandbox("dispute", &json!({"orderId": order["orderId"]})).await;
    till.becomes(&order, "disputed").await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    let charge = till.charge(&order).await;
    assert_eq!((&charge["status"], &charge["refundOwed"]), (&json!("disputed"), &json!(150_000)));
    till.sandbox("close-dispute", &json!({"orderId": order["orderId"], "status": "won"})).await;
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
}

#[tokio::test]
async fn a_dispute_whose_messages_were_lost_is_found_by_the_comparison() {
    let mut till = Till::of("stripe").await;
    let (reservation, order) = till.paid().await;
    till.sandbox("dispute", &json!({"orderId": order["orderId"], "webhook": false})).await;
    let lost = json!({"orderId": order["orderId"], "status": "lost", "webhook": false});
    till.sandbox("close-dispute", &lost).await;
    assert_eq!(till.charge(&order).await["status"], "paid");
    compare(&till).await;
    till.becomes(&order, "refunded").await;
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
}

/// Compares today with both providers' lists.
pub(crate) async fn compare(till: &Till) -> serde_json::Value {
    let now = crate::shop::in_minutes(9 * 60);
    let body = json!({"day": &now[..10]});
    loop {
        let path = "/api/admin/payments/compare";
        let (status, answer) = till.shop.post(path, &till.shop.admin, &body).await;
        assert_eq!(status, 200, "{answer}");
        if answer["running"] == false {
            assert_eq!(answer["providers"][1]["state"], "done", "{answer}");
            return answer["providers"][1].clone();
        }
    }
}

/// The money left when the dispute began: no line of a list tells that it was lost.
#[tokio::test]
async fn the_end_of_a_dispute_is_found_by_the_comparison_of_any_day() {
    let mut till = Till::of("stripe").await;
    let (_, order) = till.paid().await;
    till.sandbox("dispute", &json!({"orderId": order["orderId"]})).await;
    till.becomes(&order, "disputed").await;
    let lost = json!({"orderId": order["orderId"], "status": "lost", "webhook": false});
    till.sandbox("close-dispute", &lost).await;
    let yesterday = crate::shop::in_minutes((9 - 24) * 60);
    let body = json!({"day": &yesterday[..10]});
    let path = "/api/admin/payments/compare";
    let (_, answer) = till.shop.post(path, &till.shop.admin, &body).await;
    let found = &answer["providers"][1]["differences"][0];
    assert_eq!(found["orderId"], order["orderId"], "{answer}");
    assert_eq!(till.charge(&order).await["status"], "refunded");
}

/// The buyer's bank has the money while it decides, and Stripe refuses to give it back.
#[tokio::test]
async fn a_refund_waits_for_a_dispute_that_no_message_told_of() {
    let mut till = Till::of("stripe").await;
    let (reservation, order) = till.paid().await;
    till.sandbox("dispute", &json!({"orderId": order["orderId"], "webhook": false})).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    let charge = till.becomes(&order, "disputed").await;
    assert_eq!((&charge["refundOwed"], &charge["refundRefused"]), (&json!(150_000), &json!(0)));
    till.sandbox("close-dispute", &json!({"orderId": order["orderId"], "status": "won"})).await;
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
}
