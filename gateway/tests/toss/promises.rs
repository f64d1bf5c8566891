//! What is promised whoever takes the money: each provider's tests hold theirs to it.

use serde_json::{Value, json};

use crate::support::assert_error;
use crate::till::Till;

/// A cancelled order gives its money and its seat back.
pub(crate) async fn a_cancelled_order_is_refunded(provider: &'static str) {
    let mut till = Till::of(provider).await;
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

/// A refund is made once, whatever its first answer.
pub(crate) async fn refunds_come_through(
    provider: &'static str,
    call: &str,
    faults: impl IntoIterator<Item = Value>,
) {
    let mut till = Till::of(provider).await;
    let mut orders: Vec<Value> = Vec::new();
    for fault in faults {
        let (reservation, order) = till.paid().await;
        till.fault(&order, call, fault, 1).await;
        assert_eq!(till.cancel(&reservation).await.0, 200);
        orders.push(order);
    }
    for order in &orders {
        till.becomes(order, "refunded").await;
        let books = till.books(order).await;
        let sums = (&books["refunded"], &books["balance"]);
        assert_eq!(sums, (&json!(150_000), &json!(0)), "{books}");
    }
}

/// An event that is called off or deleted gives everybody the money back, over a restart.
pub(crate) async fn an_event_that_is_over_gives_the_money_back(
    provider: &'static str,
    (method, action): (&str, &str),
) {
    let mut till = Till::of(provider).await;
    let mut orders = Vec::new();
    for _ in 0..12 {
        orders.push(till.paid().await.1);
    }
    let path = format!("/api/admin/events/{}{action}", till.event);
    let (status, answer) =
        till.shop.gateway.call(method, &path, &till.shop.admin, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    // A stop in the middle of it changes nothing.
    till.shop = till.shop.restart(|_| {}).await;
    for order in &orders {
        till.becomes(order, "refunded").await;
        till.assert_books(order, 1, 0).await;
    }
}

/// One reservation, declined again and again, and paid in the end.
pub(crate) async fn each_decline_keeps_the_hold(
    provider: &'static str,
    call: &str,
    codes: &[&str],
) {
    let mut till = Till::of(provider).await;
    let reservation = till.hold().await;
    for code in codes {
        let order = till.order(&reservation, 0).await;
        let key = till.authenticate(&order, "card").await;
        till.fault(&order, call, json!({"error": code}), 1).await;
        let (status, answer) = till.confirm(&order, &key).await;
        assert_eq!((status, &answer["providerCode"]), (400, &json!(code)), "{answer}");
        assert_error(&answer, "PAYMENT_DECLINED");
        assert_eq!(till.charge(&order).await["status"], "failed", "{code}");
        assert_eq!(till.reservation(&reservation).await["status"], "pending", "{code}");
        till.assert_books(&order, 0, 0).await;
    }
    let order = till.order(&reservation, 0).await;
    let key = till.authenticate(&order, "card").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
}

/// However many confirm at once, money is taken once.
pub(crate) async fn of_many_confirmations_one_captures(provider: &'static str, call: &str) {
    let mut till = Till::of(provider).await;
    let (_, order, key) = till.ready().await;
    till.fault(&order, call, json!({"delayMs": 300}), 1).await;
    let (a, b, c, d) = tokio::join!(
        till.confirm(&order, &key),
        till.confirm(&order, &key),
        till.confirm(&order, &key),
        till.confirm(&order, &key)
    );
    let mut answers = [a.0, b.0, c.0, d.0];
    answers.sort_unstable();
    assert_eq!(answers[0], 200, "{answers:?}");
    assert!(answers.iter().all(|status| matches!(status, 200 | 202)), "{answers:?}");
    till.becomes(&order, "paid").await;
    till.assert_books(&order, 1, 150_000).await;
}
