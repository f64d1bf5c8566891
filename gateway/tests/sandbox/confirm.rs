//! Sections 1.4, 1.5 and 1.7: confirm, query, the Payment object, the session timers.

use serde_json::{Value, json};

use crate::support::{MINUTE_MS, Toss, send};

#[tokio::test]
async fn a_card_is_done() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 50_000, "card").await;
    assert_eq!(toss.status("order-1").await, "IN_PROGRESS");
    let payment = send(toss.confirm(&key, "order-1", 50_000)).await.ok();
    for (field, expected) in [
        ("paymentKey", json!(key)),
        ("orderId", json!("order-1")),
        ("status", json!("DONE")),
        ("type", json!("NORMAL")),
        ("method", json!("카드")),
        ("currency", json!("KRW")),
        ("totalAmount", json!(50_000)),
        ("balanceAmount", json!(50_000)),
        ("vat", json!(4_545)),
        ("suppliedAmount", json!(45_455)),
        ("taxFreeAmount", json!(0)),
        ("version", json!("2022-11-16")),
        ("country", json!("KR")),
        ("cancels", Value::Null),
        ("virtualAccount", Value::Null),
        ("easyPay", Value::Null),
        ("failure", Value::Null),
        ("checkout", json!({"url": toss.url(&format!("/v1/payments/{key}/checkout"))})),
    ] {
        assert_eq!(payment[field], expected, "{field}");
    }
    assert_eq!(payment["card"]["amount"], 50_000);
    assert!(payment["secret"].as_str().unwrap().starts_with("ps_"));
    assert!(payment["mId"].as_str().unwrap().len() <= 14);
    assert!(payment["lastTransactionKey"].as_str().unwrap().len() <= 64);
    let approved_at = payment["approvedAt"].as_str().unwrap();
    assert!(approved_at.ends_with("+09:00") && approved_at.len() == 25, "{approved_at}");
    assert_eq!(toss.get(&format!("/v1/payments/{key}")).await.ok(), payment);
    assert_eq!(toss.by_order("order-1").await, payment);
    send(toss.confirm(&key, "order-1", 50_000)).await.is(400, "ALREADY_PROCESSED_PAYMENT");
    let ledger = toss.ledger("order-1").await;
    assert_eq!((&ledger["captured"], &ledger["captures"]), (&json!(50_000), &json!(1)));
}

#[tokio::test]
async fn a_virtual_account_waits() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 50_000, "virtualAccount").await;
    let payment = toss.get(&format!("/v1/payments/{key}")).await.ok();
    assert_eq!(payment["status"], "WAITING_FOR_DEPOSIT");
    assert_eq!(payment["approvedAt"], Value::Null);
    let account = &payment["virtualAccount"];
    assert!(account["accountNumber"].as_str().unwrap().starts_with('X'));
    assert_eq!((&account["expired"], &account["refundStatus"]), (&json!(false), &json!("NONE")));
    assert_eq!(toss.ledger("order-1").await["captured"], 0);
}

#[tokio::test]
async fn what_differs_takes_no_money() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 50_000, "card").await;
    send(toss.confirm(&key, "order-1", 100)).await.is(400, "INVALID_REQUEST");
    send(toss.confirm(&key, "order-2", 50_000)).await.is(400, "INVALID_REQUEST");
    send(toss.confirm("unknown", "order-1", 1)).await.is(404, "NOT_FOUND_PAYMENT_SESSION");
    let no_key = json!({"orderId": "order-1", "amount": 50_000});
    for body in
        [no_key, json!([]), json!({"paymentKey": "k".repeat(201), "orderId": "o", "amount": 1})]
    {
        send(toss.post("/v1/payments/confirm", &body)).await.is(400, "INVALID_REQUEST");
    }
    assert_eq!(toss.status("order-1").await, "IN_PROGRESS");
    assert_eq!(toss.ledger("order-1").await["captured"], 0);
    send(toss.confirm(&key, "order-1", 50_000)).await.ok();
}

#[tokio::test]
async fn too_little_is_refused() {
    let toss = Toss::start().await;
    for (order, method, amount, status) in [
        ("order-1", "card", 99, 400),
        ("order-2", "card", 100, 200),
        ("order-3", "virtualAccount", 199, 400),
        ("order-4", "virtualAccount", 200, 200),
    ] {
        let key = toss.authenticated(order, amount, method).await;
        let answer = send(toss.confirm(&key, order, amount)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 400 {
            answer.is(400, "BELOW_MINIMUM_AMOUNT");
        }
    }
}

#[tokio::test]
async fn ten_minutes_after_the_authentication_it_is_over() {
    let toss = Toss::start().await;
    let (late, early) = (
        toss.authenticated("order-late", 1000, "card").await,
        toss.authenticated("order-early", 1000, "card").await,
    );
    toss.advance(9 * MINUTE_MS).await;
    send(toss.confirm(&early, "order-early", 1000)).await.ok();
    toss.advance(MINUTE_MS).await;
    let answer = send(toss.confirm(&late, "order-late", 1000)).await;
    answer.is(404, "NOT_FOUND_PAYMENT_SESSION");
    let payment = toss.by_order("order-late").await;
    assert_eq!(payment["status"], "EXPIRED");
    let message = "결제가 만료되었습니다. 다시 시도해주세요.";
    assert_eq!(payment["failure"], json!({"code": "EXPIRED_PAYMENT", "message": message}));
    for field in ["method", "approvedAt", "lastTransactionKey", "receipt", "card"] {
        assert_eq!(payment[field], Value::Null, "{field}");
    }
    assert!(payment["checkout"]["url"].is_string());
}

#[tokio::test]
async fn a_second_payment_of_an_order_is_shown_once_it_is_approved() {
    let toss = Toss::start().await;
    let first = toss.paid("order-1", 1000, "card").await;
    let second = toss.authenticated("order-1", 1000, "card").await;
    assert_eq!(toss.by_order("order-1").await["paymentKey"], json!(first));
    send(toss.confirm(&second, "order-1", 1000)).await.ok();
    assert_eq!(toss.by_order("order-1").await["paymentKey"], json!(second));
    assert_eq!(toss.ledger("order-1").await["captures"], 2, "it lets an order be paid twice");
}

#[tokio::test]
async fn transactions_are_listed_by_time() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 1000, "card").await;
    toss.paid("order-2", 2000, "card").await;
    send(toss.cancel(&key, json!({"cancelReason": "x", "cancelAmount": 300}))).await.ok();
    let list = async |more: &str| {
        let dates = "startDate=2020-01-01T00:00:00&endDate=2999-01-01T00:00:00";
        toss.get(&format!("/v1/transactions?{dates}{more}")).await.ok()
    };
    let all = list("").await;
    let seen: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["orderId"], &one["amount"], &one["status"]))
        .collect();
    assert_eq!(
        json!(seen),
        json!([
            ["order-1", 1000, "DONE"],
            ["order-2", 2000, "DONE"],
            ["order-1", 300, "PARTIAL_CANCELED"]
        ])
    );
    let first = all[0]["transactionKey"].as_str().unwrap();
    let page = list(&format!("&limit=1&startingAfter={first}")).await;
    assert_eq!(page, json!([all[1]]));
    toss.get("/v1/transactions").await.is(400, "INVALID_REQUEST");
    let none = "/v1/transactions?startDate=2020-01-01T00:00:00&endDate=2020-01-02T00:00:00";
    assert_eq!(toss.get(none).await.ok(), json!([]));
}
