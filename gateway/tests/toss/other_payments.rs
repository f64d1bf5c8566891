//! Keys of other payments, and several windows of one order: a definite no is an answer, and money is
//! found under any key of its order.

use serde_json::json;

use crate::support::assert_error;
use crate::till::Till;

#[tokio::test]
async fn another_orders_payment_is_refused_at_once() {
    let mut till = Till::open().await;
    for code in ["INVALID_REQUEST", "FORBIDDEN_REQUEST"] {
        till.sandbox("questions", &json!({"1": code})).await;
        let (_, other, others_key) = till.ready().await;
        let reservation = till.hold().await;
        let order = till.order(&reservation, 0).await;
        let (status, answer) = till.confirm(&order, &others_key).await;
        assert_eq!(status, 400, "{answer}");
        assert_error(&answer, "PAYMENT_DECLINED");
        let charge = till.seen(&order).await;
        assert_eq!(charge["status"], "failed", "{charge}");
        assert!(charge["trail"].as_array().unwrap().len() <= 3, "asked a few times: {charge}");
        // The order is held as before, and paid by a payment of its own.
        let second = till.order(&reservation, 0).await;
        let key = till.authenticate(&second, "card").await;
        assert_eq!(till.confirm(&second, &key).await.0, 200);
        assert_eq!(till.confirm(&other, &others_key).await.0, 200, "the other's is as it was");
    }
}

#[tokio::test]
async fn another_orders_payment_is_refused_also_where_its_answer_is_lost() {
    let mut till = Till::open().await;
    let (_, _, others_key) = till.ready().await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    till.fault(&order, "confirm", json!({"status": 500}), 1).await;
    assert_eq!(till.confirm(&order, &others_key).await.0, 202);
    till.becomes(&order, "failed").await;
    assert_eq!(till.cancel(&reservation).await.0, 200, "the seat is free");
}

/// Two windows of one order, a lost answer, and a provider whose query by order shows the newest.
#[tokio::test]
async fn the_money_of_an_older_window_is_found() {
    let mut till = Till::open().await;
    for by_order in ["newest", "movedLast", "withMoney"] {
        till.sandbox("questions", &json!({"queryByOrder": by_order})).await;
        let (reservation, order, first) = till.ready().await;
        let second = till.authenticate(&order, "card").await;
        assert_ne!(first, second);
        till.fault(&order, "confirm", json!("dropAfter"), 1).await;
        assert_eq!(till.confirm(&order, &first).await.0, 202);
        till.becomes(&order, "paid").await;
        till.assert_books(&order, 1, 150_000).await;
        assert_eq!(till.cancel(&reservation).await.0, 200);
        till.becomes(&order, "refunded").await;
        till.assert_books(&order, 1, 0).await;
    }
}

#[tokio::test]
async fn a_garbled_key_ends_and_the_seat_can_be_paid_again() {
    let mut till = Till::open().await;
    for question in ["NOT_FOUND_PAYMENT_SESSION", "NOT_FOUND_PAYMENT"] {
        till.sandbox("questions", &json!({"2": question})).await;
        let (reservation, order, _) = till.ready().await;
        let (status, answer) = till.confirm(&order, "tgen_of_nobody").await;
        if status == 202 {
            // The provider does not say for certain: an administrator ends it.
            let (status, ended) = till.administer(&order, "end").await;
            assert_eq!((status, &ended["payment"]["status"]), (200, &json!("failed")), "{ended}");
        } else {
            assert_eq!(status, 400, "{answer}");
        }
        let again = till.order(&reservation, 0).await;
        let key = till.authenticate(&again, "card").await;
        assert_eq!(till.confirm(&again, &key).await.0, 200);
    }
}

/// Money that turns up after a payment was ended by hand goes back by itself.
#[tokio::test]
async fn what_an_administrator_ended_and_was_taken_goes_back() {
    let mut till = Till::open().await;
    let (reservation, order, key) = till.ready().await;
    till.fault(&order, "confirm", json!("dropAfter"), 1).await;
    till.fault(&order, "query", json!({"status": 500}), 1_000).await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    let waiting = till.shop.ok("/api/admin/payments?state=waiting", &till.shop.admin).await;
    assert_eq!(waiting["payments"][0]["waiting"]["for"], "provider", "{waiting}");
    assert!(waiting["payments"][0]["waiting"]["since"].is_string(), "{waiting}");
    assert_eq!(till.shop.get("/api/admin/payments", &till.buyer).await.0, 403);
    let (status, ended) = till.administer(&order, "end").await;
    assert_eq!((status, &ended["payment"]["status"]), (200, &json!("failed")), "{ended}");
    assert_eq!(till.administer(&order, "end").await.0, 400, "once");
    assert_eq!(till.administer(&json!({"orderId": "tk00"}), "end").await.0, 404);
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.shop
        .gateway
        .client
        .delete(till.shop.gateway.url("/sandbox/toss/sandbox/faults"))
        .send()
        .await
        .unwrap();
    assert_eq!(till.hook(&order).await, 200);
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
}
