//! Money on its way back: once, whatever Stripe answers.

use serde_json::json;

use crate::promises;
use crate::till::Till;

#[tokio::test]
async fn a_cancelled_order_is_refunded() {
    promises::a_cancelled_order_is_refunded("stripe").await;
}

#[tokio::test]
async fn refunds_come_through_whatever_stripe_answers_first() {
    let faults = [
        json!("dropBefore"),
        json!("dropAfter"),
        json!({"status": 500}),
        json!({"statusAfter": 500}),
        json!("html502"),
        json!("rateLimit"),
        json!("pending"),
        json!({"error": "lock_timeout"}),
    ];
    promises::refunds_come_through("stripe", "refund", faults).await;
}

#[tokio::test]
async fn a_called_off_event_gives_everybody_the_money_back() {
    promises::an_event_that_is_over_gives_the_money_back("stripe", ("POST", "/cancel")).await;
}

#[tokio::test]
async fn a_deleted_event_gives_everybody_the_money_back() {
    promises::an_event_that_is_over_gives_the_money_back("stripe", ("DELETE", "")).await;
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

/// A refund that is asked for again after a question failed has the key that it had: the call may be
/// under way.
#[tokio::test]
async fn a_question_before_a_refund_is_none_in_the_trail() {
    let mut till = Till::of("stripe").await;
    let (reservation, order) = till.paid().await;
    till.fault(&order, "query", json!({"status": 500}), 1).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    let seen = till.seen(&order).await;
    let trail = seen["trail"].as_array().expect("a trail");
    let asked = |call: &str, status: u16| {
        trail.iter().filter(|line| line["call"] == call && line["status"] == status).count()
    };
    assert_eq!((asked("query", 500), asked("refund", 500), asked("refund", 200)), (1, 0, 1));
    till.assert_books(&order, 1, 0).await;
}
