//! Virtual accounts, and the webhooks that tell of them: a hint and no more.

use serde_json::{Value, json};

use crate::support::assert_error;
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

#[tokio::test]
async fn a_deposit_goes_back_once_it_is_known_where_to() {
    let mut till = Till::open().await;
    let account =
        |bank| json!({"bank": bank, "accountNumber": "100012345678", "holderName": "김토스"});
    // Asked for with the account.
    let (_, order) = deposited(&mut till).await;
    let body = json!({"all": true, "refundAccount": account("92")});
    let (status, answer) = till.refund(&till.buyer, &order, &body).await;
    assert_eq!(status, 200, "{answer}");
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
    // An account says where to and not what: nothing goes back by it.
    let (_, order) = deposited(&mut till).await;
    let (_, answer) =
        till.refund(&till.buyer, &order, &json!({"refundAccount": account("92")})).await;
    assert_error(&answer, "VALIDATION");
    assert_eq!(answer["field"], "all", "{answer}");
    assert_eq!(till.charge(&order).await["status"], "paid");
    till.assert_books(&order, 1, 150_000).await;
    // Cancelled without one: the provider refuses until there is a right one.
    let (reservation, order) = deposited(&mut till).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.is_refused(&order, "INVALID_REFUND_ACCOUNT_INFO").await;
    let stranger = till.shop.gateway.user("stranger@tiketi.gg").await;
    for (token, account, code) in [
        (&stranger, account("92"), "NOT_FOUND"),
        (
            &till.buyer,
            json!({"bank": "92", "accountNumber": "12-3", "holderName": "김"}),
            "VALIDATION",
        ),
        (&till.buyer, json!({"bank": "92", "accountNumber": "1", "holderName": ""}), "VALIDATION"),
        (&till.buyer, json!("92 1000"), "VALIDATION"),
    ] {
        let (_, answer) = till.refund(token, &order, &json!({"refundAccount": account})).await;
        assert_error(&answer, code);
    }
    till.shop = till.shop.restart(|_| {}).await;
    let given = json!({"refundAccount": account("00")});
    assert_eq!(till.refund(&till.buyer, &order, &given).await.0, 200);
    till.is_refused(&order, "INVALID_BANK").await;
    let given = json!({"refundAccount": account("92")});
    let (status, answer) = till.refund(&till.shop.admin, &order, &given).await;
    assert_eq!((status, &answer["remainingAmount"]), (200, &json!(0)), "{answer}");
    // That an administrator did it is written down, and the account is not.
    let audit = till.shop.ok("/api/admin/audit?path=/refund", &till.shop.admin).await;
    assert_eq!(audit["entries"][0]["body"], r#"{"refundAccount":"***"}"#, "{audit}");
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
    // A card's money goes back to the card.
    let (_, order) = till.paid().await;
    let all = json!({"all": true, "refundAccount": account("92")});
    for body in [given, all] {
        let (_, answer) = till.refund(&till.buyer, &order, &body).await;
        assert_error(&answer, "VALIDATION");
    }
    assert_eq!(till.charge(&order).await["status"], "paid");
}

/// Paid into a virtual account.
async fn deposited(till: &mut Till) -> (Value, Value) {
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let key = till.authenticate(&order, "virtualAccount").await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    till.sandbox("deposit", &json!({"orderId": order["orderId"]})).await;
    till.becomes(&order, "paid").await;
    (reservation, order)
}
