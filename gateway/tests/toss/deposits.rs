//! Virtual accounts, and the webhooks that tell of them: a hint and no more.

use serde_json::json;

use crate::till::Till;

#[tokio::test]
async fn a_deposit_confirms_the_order_and_its_reversal_takes_it_back() {
    let mut till = Till::open().await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let key = till.authenticate(&order, "virtualAccount").await;
    let (status, answer) = till.confirm(&order, &key).await;
    assert_eq!((status, &answer["code"]), (202, &json!("WAITING_FOR_DEPOSIT")), "{answer}");
    for field in ["bankCode", "accountNumber", "customerName", "dueDate"] {
        assert!(answer["virtualAccount"][field].is_string(), "{field}: {answer}");
    }
    assert_eq!(till.reservation(&reservation).await["status"], "pending");
    let wrong = json!({"orderId": order["orderId"], "amount": 149_000});
    assert_eq!(till.sandbox("deposit", &wrong).await["done"], false);
    till.sandbox("deposit", &json!({"orderId": order["orderId"]})).await;
    till.becomes(&order, "paid").await;
    assert_eq!(till.reservation(&reservation).await["status"], "confirmed");
    till.sandbox("deposit", &json!({"orderId": order["orderId"], "event": "reversal"})).await;
    till.becomes(&order, "reversed").await;
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
    assert_eq!(till.shop.counts(&till.event).await.2, 0, "no money, no seat");
}

#[tokio::test]
async fn webhooks_that_lie_change_nothing() {
    let mut till = Till::open().await;
    let (reservation, order, key) = till.ready().await;
    let hook = |body: serde_json::Value| {
        let shop = &till.shop;
        async move { shop.post("/api/payments/toss/webhook", "", &body).await }
    };
    let id = &order["orderId"];
    let done = json!({"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-21T00:00:00.000000",
        "data": {"orderId": id, "paymentKey": key, "status": "DONE", "totalAmount": 150_000}});
    let (status, answer) = hook(done.clone()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(till.reservation(&reservation).await["status"], "pending", "nobody has paid");
    let flat = json!({"createdAt": "2026-11-21T00:00:00.000000", "secret": "ps_wrong", "status": "DONE",
        "transactionKey": "t", "orderId": id});
    assert_eq!(hook(flat).await.0, 200);
    let unknown = json!({"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-21T00:00:00.000000",
        "data": {"orderId": "somebody-elses", "paymentKey": "k", "status": "DONE"}});
    assert_eq!(hook(unknown).await.0, 200);
    assert_eq!(hook(json!({"what": "is this"})).await.0, 200, "not about us");
    let request = till.shop.gateway.request("POST", "/api/payments/toss/webhook");
    assert_eq!(request.body("<html>").send().await.unwrap().status(), 400);
    assert_eq!(till.charge(&order).await["status"], "open");
    // What is paid stays paid, however often it is told, and in whatever order.
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    for _ in 0..3 {
        assert_eq!(hook(done.clone()).await.0, 200);
    }
    let cancelled = json!({"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-21T00:00:00.000000",
        "data": {"orderId": id, "paymentKey": key, "status": "CANCELED"}});
    assert_eq!(hook(cancelled).await.0, 200);
    assert_eq!(till.charge(&order).await["status"], "paid");
    till.assert_books(&order, 1, 150_000).await;
}
