//! Asking to be paid: the intent is made once, after its charge is durable.

use serde_json::{Value, json};

use crate::support::assert_error;
use crate::till::Till;

/// How many intents of an order there are at the provider.
async fn intents(till: &Till, order_id: &str) -> usize {
    let path = format!("/sandbox/stripe/sandbox/ledger?orderId={order_id}");
    let books = till.shop.ok(&path, "").await;
    books["orders"][order_id]["payments"].as_array().map_or(0, Vec::len)
}

/// The order id of the only charge, which an answer that failed did not name.
async fn only_charge(till: &Till) -> Value {
    let all = till.shop.ok("/api/admin/payments", &till.shop.admin).await;
    assert_eq!(all["pagination"]["total"], 1, "{all}");
    all["payments"][0].clone()
}

#[tokio::test]
async fn asking_again_gives_the_same_intent() {
    let mut till = Till::of("stripe").await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    assert_eq!(order["amount"], 150_000);
    assert_eq!(order["clientKey"], "pk_test_local_simulator");
    assert!(order["clientSecret"].as_str().unwrap().starts_with("pi_"));
    assert_eq!(till.order(&reservation, 0).await, order);
    let with_mail = json!({"reservationId": reservation["id"], "customerEmail": "a@b.kr"});
    let path = "/api/payments/stripe/request";
    let (status, again) = till.shop.post(path, &till.buyer, &with_mail).await;
    assert_eq!((status.as_u16(), &again["clientSecret"]), (201, &order["clientSecret"]), "{again}");
    assert_eq!(intents(&till, order["orderId"].as_str().unwrap()).await, 1);
    let charge = only_charge(&till).await;
    let calls: Vec<&Value> =
        charge["trail"].as_array().unwrap().iter().map(|line| &line["call"]).collect();
    assert_eq!(calls, ["open"], "{charge}");
    let shown = till.shop.ok("/api/admin/payments", &till.shop.admin).await.to_string();
    assert!(!shown.contains("_secret_") && !shown.contains("sk_test"), "no secret");
}

#[tokio::test]
async fn one_that_fails_leaves_the_charge_open_and_the_next_try_succeeds() {
    for (fault, tries) in [
        (json!("dropBefore"), 1),
        (json!("dropAfter"), 1),
        (json!({"status": 500}), 1),
        (json!({"statusAfter": 500}), 1),
        (json!("html502"), 1),
        (json!("rateLimit"), 1),
        (json!({"error": "idempotency_key_in_use"}), 1),
        (json!({"error": "amount_too_large"}), 2),
    ] {
        let mut till = Till::of("stripe").await;
        let reservation = till.hold().await;
        let body = json!({"call": "create", "fault": fault, "times": tries});
        till.sandbox("faults", &body).await;
        for _ in 0..tries {
            let (status, answer) = till.request(&reservation, 0).await;
            assert_eq!(status, 503, "{fault}: {answer}");
            assert!(answer["clientSecret"].is_null());
            assert_eq!(only_charge(&till).await["status"], "open", "{fault}");
        }
        let order = till.order(&reservation, 0).await;
        let id = order["orderId"].as_str().unwrap();
        assert_eq!(only_charge(&till).await["orderId"], id, "{fault}: the same charge");
        // However many were made unheard, the buyer has had the secret of one.
        assert_eq!(till.order(&reservation, 0).await, order, "{fault}");
        let key = till.authenticate(&order, "card").await;
        assert_eq!(till.confirm(&order, &key).await.0, 200, "{fault}");
        till.assert_books(&order, 1, 150_000).await;
    }
}

/// Money that nobody opened cannot be confirmed, and a hold that is over cannot be opened.
#[tokio::test]
async fn what_cannot_be_paid_is_not_opened() {
    let mut till = Till::of("stripe").await;
    let reservation = till.hold().await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    assert_error(&till.request(&reservation, 0).await.1, "ALREADY_CANCELLED");
    let ledger = till.shop.ok("/sandbox/stripe/sandbox/ledger", "").await;
    assert_eq!(ledger["payments"], 0);
    let path = "/payments/pay/tk00000009ffffffffffffffff";
    assert_eq!(till.shop.post(path, "", &json!({})).await.0, 404);
}

/// Points that pay for all of it need no provider.
#[tokio::test]
async fn points_alone_open_nothing() {
    let mut till = Till::open().await;
    till.buy_points(200_000).await;
    till.provider = "stripe";
    let reservation = till.hold().await;
    let order = till.order(&reservation, 150_000).await;
    assert_eq!((&order["amount"], &order["clientSecret"]), (&json!(0), &Value::Null));
    assert_eq!(till.confirm(&order, "").await.0, 200);
    assert_eq!(till.points().await, 50_000);
    let ledger = till.shop.ok("/sandbox/stripe/sandbox/ledger", "").await;
    assert_eq!(ledger["payments"], 0);
}
