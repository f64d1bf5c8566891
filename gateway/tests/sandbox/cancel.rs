//! Section 1.6: cancel and refund, row by row.

use serde_json::{Value, json};

use crate::support::{MINUTE_MS, Toss, send};

const REASON: &str = "고객 변심";

fn part(amount: u64) -> Value {
    json!({"cancelReason": REASON, "cancelAmount": amount})
}

fn whole() -> Value {
    json!({"cancelReason": REASON})
}

#[tokio::test]
async fn one_full_cancel() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 50_000, "card").await;
    let before = toss.by_order("order-1").await;
    let payment = send(toss.cancel(&key, whole())).await.ok();
    assert_eq!((&payment["status"], &payment["balanceAmount"]), (&json!("CANCELED"), &json!(0)));
    assert_eq!(payment["totalAmount"], 50_000);
    assert_ne!(payment["lastTransactionKey"], before["lastTransactionKey"]);
    let cancel = &payment["cancels"][0];
    assert_eq!(cancel["transactionKey"], payment["lastTransactionKey"]);
    assert_eq!(cancel["cancelReason"], REASON);
    assert_eq!((&cancel["cancelAmount"], &cancel["refundableAmount"]), (&json!(50_000), &json!(0)));
    assert_eq!(cancel["cancelStatus"], "DONE");
    send(toss.cancel(&key, whole())).await.is(400, "ALREADY_CANCELED_PAYMENT");
    let ledger = toss.ledger("order-1").await;
    assert_eq!((&ledger["refunded"], &ledger["balance"]), (&json!(50_000), &json!(0)));
}

#[tokio::test]
async fn parts_that_add_up_stay_partial_with_nothing_left() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 50_000, "card").await;
    let payment = send(toss.cancel(&key, part(20_000))).await.ok();
    assert_eq!(payment["status"], "PARTIAL_CANCELED");
    assert_eq!(payment["balanceAmount"], 30_000);
    send(toss.cancel(&key, part(30_001))).await.is(403, "NOT_CANCELABLE_AMOUNT");
    let payment = send(toss.cancel(&key, whole())).await.ok();
    assert_eq!(payment["status"], "PARTIAL_CANCELED");
    assert_eq!((&payment["balanceAmount"], &payment["totalAmount"]), (&json!(0), &json!(50_000)));
    assert_eq!(payment["cancels"].as_array().unwrap().len(), 2);
    send(toss.cancel(&key, whole())).await.is(403, "NOT_CANCELABLE_AMOUNT");
}

#[tokio::test]
async fn the_guard_stops_a_second_refund_under_another_key() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 50_000, "card").await;
    let mut refund = part(10_000);
    refund["refundableAmount"] = json!(50_000);
    send(toss.cancel(&key, refund.clone()).header("idempotency-key", "a")).await.ok();
    let again = send(toss.cancel(&key, refund).header("idempotency-key", "b")).await;
    again.is(400, "NOT_MATCHES_REFUNDABLE_AMOUNT");
    assert_eq!(toss.ledger("order-1").await["refunded"], 10_000);
}

#[tokio::test]
async fn what_is_malformed_is_refused_first() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 50_000, "card").await;
    for wrong in [
        json!({}),
        json!({"cancelReason": ""}),
        json!({"cancelReason": "x".repeat(201)}),
        json!({"cancelReason": REASON, "cancelAmount": 0}),
        json!({"cancelReason": REASON, "cancelAmount": -1}),
        json!({"cancelReason": REASON, "cancelAmount": 1.5}),
        json!({"cancelReason": REASON, "cancelAmount": "100"}),
        json!({"cancelReason": REASON, "currency": "USD"}),
        json!({"cancelReason": REASON, "cancelRequestId": "short"}),
    ] {
        send(toss.cancel(&key, wrong)).await.is(400, "INVALID_REQUEST");
    }
    send(toss.cancel("unknown", whole())).await.is(404, "NOT_FOUND_PAYMENT");
    let open = toss.authenticated("order-2", 1000, "card").await;
    send(toss.cancel(&open, whole())).await.is(403, "NOT_CANCELABLE_PAYMENT");
    assert_eq!(toss.ledger("order-1").await["refunded"], 0);
}

#[tokio::test]
async fn a_waiting_account_is_cancelled_wholly_and_without_an_account() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 50_000, "virtualAccount").await;
    let refused = send(toss.cancel(&key, part(1_000))).await;
    refused.is(403, "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT");
    let payment = send(toss.cancel(&key, whole())).await.ok();
    assert_eq!(payment["status"], "CANCELED");
    let ledger = toss.ledger("order-1").await;
    assert_eq!((&ledger["captured"], &ledger["refunded"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_paid_account_is_refunded_to_an_account() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 50_000, "virtualAccount").await;
    toss.control("deposit", json!({"orderId": "order-1"})).await;
    let refund = |bank: &str, number: &str, holder: &str| {
        let account = json!({"bank": bank, "accountNumber": number, "holderName": holder});
        json!({"cancelReason": REASON, "refundReceiveAccount": account})
    };
    for (body, code) in [
        (whole(), "INVALID_REFUND_ACCOUNT_INFO"),
        (refund("00", "123", "김토스"), "INVALID_BANK"),
        (refund("88", "12a", "김토스"), "INVALID_REFUND_ACCOUNT_NUMBER"),
        (refund("88", &"1".repeat(21), "김토스"), "INVALID_REFUND_ACCOUNT_NUMBER"),
        (refund("88", "123", &"김".repeat(61)), "INVALID_REFUND_ACCOUNT_INFO"),
    ] {
        send(toss.cancel(&key, body)).await.is(400, code);
    }
    let payment = send(toss.cancel(&key, refund("88", "1234", "김토스"))).await.ok();
    let account = &payment["virtualAccount"];
    assert_eq!(account["refundStatus"], "PENDING");
    assert_eq!(account["refundReceiveAccount"]["accountNumber"], "1234");
    toss.advance(30 * MINUTE_MS).await;
    let account = toss.by_order("order-1").await["virtualAccount"].clone();
    assert_eq!(account["refundReceiveAccount"], Value::Null, "it is shown for half an hour");
    toss.advance(2 * 24 * 60 * MINUTE_MS).await;
    let account = toss.by_order("order-1").await["virtualAccount"].clone();
    assert_eq!(account["refundStatus"], "COMPLETED");
}

#[tokio::test]
async fn a_deposit_can_be_refunded_for_a_year() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 50_000, "virtualAccount").await;
    toss.control("deposit", json!({"orderId": "order-1"})).await;
    toss.advance(366 * 24 * 60 * MINUTE_MS).await;
    let account = json!({"bank": "88", "accountNumber": "1", "holderName": "김토스"});
    let body = json!({"cancelReason": REASON, "refundReceiveAccount": account});
    send(toss.cancel(&key, body)).await.is(403, "EXCEED_MAX_REFUND_DUE");
}
