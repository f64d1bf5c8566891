//! Means of payment, and which of them give parts back until when.

use serde_json::{Value, json};

use crate::support::{MINUTE_MS, Toss, send};

const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

fn part() -> Value {
    json!({"cancelReason": "x", "cancelAmount": 400})
}

fn whole() -> Value {
    json!({"cancelReason": "x"})
}

#[tokio::test]
async fn each_method_has_its_object() {
    let toss = Toss::start().await;
    for (method, object, name) in [
        ("card", "card", "카드"),
        ("easyPay", "easyPay", "간편결제"),
        ("phone", "mobilePhone", "휴대폰"),
        ("transfer", "transfer", "계좌이체"),
        ("giftCertificate", "giftCertificate", "문화상품권"),
    ] {
        let order = format!("order-{method}");
        toss.paid(&order, 1_000, method).await;
        let payment = toss.by_order(&order).await;
        assert!(payment[object].is_object(), "{payment}");
        assert_eq!((&payment["method"], &payment["status"]), (&json!(name), &json!("DONE")));
        let is_partial = method != "phone";
        assert_eq!(payment["isPartialCancelable"], is_partial, "{method}");
    }
}

#[tokio::test]
async fn a_phone_bill_is_given_back_wholly() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 1_000, "phone").await;
    send(toss.cancel(&key, part())).await.is(403, "NOT_ALLOWED_PARTIAL_REFUND");
    assert_eq!(toss.by_order("order-1").await["balanceAmount"], 1_000);
    // All of it, by its amount.
    let all = json!({"cancelReason": "x", "cancelAmount": 1_000});
    assert_eq!(send(toss.cancel(&key, all)).await.ok()["status"], "CANCELED");
}

#[tokio::test]
async fn parts_are_refused_or_taken_as_the_switch_says() {
    let toss = Toss::start().await;
    for (method, is_partial) in [("card", false), ("phone", true), ("easyPay", false)] {
        let order = format!("order-{method}");
        let body = json!({"orderId": order, "amount": 1_000, "method": method,
            "partialCancelable": is_partial});
        let key = toss.control("authenticate", body).await["paymentKey"].clone();
        let key = key.as_str().unwrap();
        let payment = send(toss.confirm(key, &order, 1_000)).await.ok();
        assert_eq!(payment["isPartialCancelable"], is_partial);
        let answer = send(toss.cancel(key, part())).await;
        if is_partial {
            answer.ok();
        } else {
            answer.is(403, "NOT_ALLOWED_PARTIAL_REFUND");
        }
        send(toss.cancel(key, whole())).await.ok();
    }
}

#[tokio::test]
async fn a_phone_bill_is_given_back_in_its_month_only() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 1_000, "phone").await;
    toss.advance(31 * DAY_MS).await;
    send(toss.cancel(&key, whole())).await.is(403, "EXCEED_MAX_REFUND_DUE");
    assert_eq!(toss.ledger("order-1").await["balance"], 1_000);
}

#[tokio::test]
async fn a_transfer_is_given_back_for_half_a_year() {
    let toss = Toss::start().await;
    let (early, late) = (
        toss.paid("order-1", 1_000, "transfer").await,
        toss.paid("order-2", 1_000, "transfer").await,
    );
    toss.advance(179 * DAY_MS).await;
    send(toss.cancel(&early, part())).await.ok();
    toss.advance(2 * DAY_MS).await;
    send(toss.cancel(&late, part())).await.is(403, "EXCEED_MAX_REFUND_DUE");
}

#[tokio::test]
async fn by_account_two_hundred_won_are_the_least() {
    let toss = Toss::start().await;
    for (method, least) in [("transfer", 200), ("phone", 100), ("giftCertificate", 100)] {
        let order = format!("order-{method}");
        let key = toss.authenticated(&order, least - 1, method).await;
        send(toss.confirm(&key, &order, least - 1)).await.is(400, "BELOW_MINIMUM_AMOUNT");
        let order = format!("order-{method}-2");
        toss.paid(&order, least, method).await;
    }
}
