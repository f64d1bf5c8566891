//! The way that it goes, and everybody who asks in a wrong way.

use serde_json::{Value, json};

use crate::promises;
use crate::support::assert_error;
use crate::till::Till;

#[tokio::test]
async fn a_card_pays_and_a_repetition_gets_the_same_answer() {
    let mut till = Till::of("stripe").await;
    let (reservation, order, key) = till.ready().await;
    let (status, answer) = till.confirm(&order, &key).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["success"], &answer["paymentKey"]), (&json!(true), &json!(key)));
    assert_eq!(answer["payment"]["totalAmount"], 150_000);
    assert!(answer["approvedAt"].is_string(), "{answer}");
    let (status, again) = till.confirm(&order, &key).await;
    assert_eq!((status, &again), (200, &answer));
    assert_error(&till.confirm(&order, "pi_another").await.1, "ALREADY_PAID");
    let shown = till.reservation(&reservation).await;
    assert_eq!((&shown["status"], &shown["payment_method"]), (&json!("confirmed"), &json!("CARD")));
    assert_error(&till.request(&reservation, 0).await.1, "ALREADY_PAID");
    till.assert_books(&order, 1, 150_000).await;
}

#[tokio::test]
async fn amounts_are_numbers_or_digits() {
    promises::amounts_are_numbers_or_digits("stripe").await;
}

#[tokio::test]
async fn too_little_is_refused_with_the_reason() {
    promises::too_little_is_refused_with_the_reason("stripe", "카드 100원부터").await;
}

#[tokio::test]
async fn what_does_not_belong_together_is_refused_and_nothing_is_charged() {
    let mut till = Till::of("stripe").await;
    let (reservation, order, key) = till.ready().await;
    let other = till.shop.gateway.user("other@tiketi.gg").await;
    let right = json!({"paymentKey": key, "orderId": order["orderId"], "amount": 150_000});
    let with = |field: &str, value: Value| {
        let mut body = right.clone();
        body[field] = value;
        body
    };
    for wrong in [
        with("amount", json!(149_999)),
        with("amount", json!(1_500)),
        with("amount", json!("149999")),
        with("orderId", json!("tk00000000ffffffffffffffff")),
        with("paymentKey", json!("")),
        json!({}),
    ] {
        let (status, answer) = till.confirm_as(&till.buyer, &wrong).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    assert_eq!(till.confirm_as(&other, &right).await.0, 400, "another's order");
    assert_eq!(till.confirm_as("", &right).await.0, 401);
    let toss = till.shop.post("/api/payments/toss/confirm", &till.buyer, &right).await;
    assert_eq!(toss.0, 400, "an order of Stripe's at Toss");
    till.assert_books(&order, 0, 0).await;
    assert_eq!(till.charge(&order).await["status"], "open");
    assert_eq!(till.reservation(&reservation).await["status"], "pending");
    assert_eq!(till.confirm_as(&till.buyer, &right).await.0, 200);
}

/// Whose an intent is says the intent: nothing of another's is taken, not even for a moment.
#[tokio::test]
async fn the_intent_of_another_order_is_not_captured() {
    let mut till = Till::of("stripe").await;
    let (reservation, order, _) = till.ready().await;
    let (_, other, key) = till.ready().await;
    for key in [key.as_str(), "pi_nobodys"] {
        let order = till.order(&reservation, 0).await;
        let (status, answer) = till.confirm(&order, key).await;
        assert_eq!(status, 400, "{answer}");
        assert_error(&answer, "PAYMENT_DECLINED");
        assert_eq!(till.charge(&order).await["status"], "failed");
        till.assert_books(&order, 0, 0).await;
    }
    till.assert_books(&other, 0, 0).await;
    assert_eq!(till.books(&other).await["authorised"], 150_000, "untouched");
    assert_eq!(till.charge(&order).await["status"], "failed");
    assert_eq!(till.confirm(&other, &key).await.0, 200);
    let order = till.order(&reservation, 0).await;
    let key = till.authenticate(&order, "naver_pay").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
}

#[tokio::test]
async fn of_many_confirmations_one_captures() {
    promises::of_many_confirmations_one_captures("stripe", "capture").await;
}

/// What the buyer agreed to for a hold that is over is let go at once, not in a week.
#[tokio::test]
async fn a_hold_that_is_over_is_not_charged() {
    let mut till = Till::of("stripe").await;
    let (reservation, order, key) = till.ready().await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    assert_eq!(till.books(&order).await["authorised"], 150_000);
    let (status, answer) = till.confirm(&order, &key).await;
    assert_eq!(status, 400, "{answer}");
    let let_go = async {
        while till.books(&order).await["authorised"] != 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, let_go).await.expect("let go");
    till.assert_books(&order, 0, 0).await;
}
