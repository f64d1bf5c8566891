//! A sandbox that is started again on its file.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use tiketi_gateway::payments::sandbox::{OpenError, Sandbox, SandboxSettings};

use crate::support::{MINUTE_MS, Toss, send};

async fn on(ledger: &Path) -> Toss {
    Toss::with(|settings| settings.ledger = Some(ledger.to_owned())).await
}

#[tokio::test]
async fn payments_answers_and_the_clock_are_known_again() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger.jsonl");
    let toss = on(&ledger).await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    let confirm =
        |toss: &Toss| send(toss.confirm(&key, "order-1", 1000).header("idempotency-key", "k"));
    let first = confirm(&toss).await;
    send(toss.cancel(&key, json!({"cancelReason": "x", "cancelAmount": 400}))).await.ok();
    let open = toss.authenticated("order-2", 1000, "card").await;
    toss.advance(5 * MINUTE_MS).await;
    let before = (toss.by_order("order-1").await, toss.ledger("order-1").await);
    toss.stop().await;

    // A kill in mid-write leaves half a line.
    let mut file = OpenOptions::new().append(true).open(&ledger).unwrap();
    file.write_all(b"{\"payment\":{\"key\":\"tgen_").unwrap();
    drop(file);

    let toss = on(&ledger).await;
    let mut after = (toss.by_order("order-1").await, toss.ledger("order-1").await);
    // The address is another one, and stands in links.
    for field in ["checkout", "receipt"] {
        after.0[field] = before.0[field].clone();
    }
    assert_eq!(after, before);
    assert_eq!(confirm(&toss).await.text, first.text);
    toss.advance(5 * MINUTE_MS).await;
    send(toss.confirm(&open, "order-2", 1000)).await.is(404, "NOT_FOUND_PAYMENT_SESSION");
    toss.paid("order-3", 1000, "card").await;
    toss.stop().await;
    let toss = on(&ledger).await;
    assert_eq!(toss.status("order-3").await, "DONE", "written after the line that was cut off");
    assert_eq!(toss.status("order-2").await, "EXPIRED");
    let dates = "startDate=2020-01-01T00:00:00&endDate=2999-01-01T00:00:00";
    let moves = toss.get(&format!("/v1/transactions?{dates}")).await.ok();
    assert_eq!(moves.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn late_changes_and_answers_to_questions_are_known_again() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger.jsonl");
    let toss = on(&ledger).await;
    toss.control("questions", json!({"queryByOrder": "newest", "5": "any2xx"})).await;
    let body = json!({"orderId": "order-1", "amount": 1000, "partialCancelable": false});
    let key = toss.control("authenticate", body).await["paymentKey"].clone();
    let key = key.as_str().unwrap();
    send(toss.confirm(key, "order-1", 1000)).await.ok();
    toss.control("console-refund", json!({"paymentKey": key})).await;
    toss.control("fail-refund", json!({"paymentKey": key})).await;
    toss.fault("cancel", "order-1", json!("pending")).await;
    send(toss.cancel(key, json!({"cancelReason": "x"}))).await.ok();
    let account = json!({"orderId": "order-2", "amount": 1000, "method": "virtualAccount",
        "validHours": 9});
    let waiting = toss.control("authenticate", account).await["paymentKey"].clone();
    send(toss.confirm(waiting.as_str().unwrap(), "order-2", 1000)).await.ok();
    let newest = toss.authenticated("order-1", 1000, "card").await;
    async fn seen(toss: &Toss, key: &str) -> [Value; 6] {
        let mut payment = toss.get(&format!("/v1/payments/{key}")).await.ok();
        // The address is another one, and stands in links.
        payment["checkout"] = json!(null);
        payment["receipt"] = json!(null);
        let dates = "startDate=2020-01-01T00:00:00&endDate=2999-01-01T00:00:00";
        let mut moves = toss.get(&format!("/v1/transactions?{dates}")).await.ok();
        for made in moves.as_array_mut().unwrap() {
            made["receiptUrl"] = json!(null);
        }
        [
            payment,
            moves,
            toss.get("/sandbox/questions").await.ok(),
            toss.ledger("order-1").await,
            toss.by_order("order-2").await["virtualAccount"].clone(),
            toss.by_order("order-1").await["paymentKey"].clone(),
        ]
    }
    let before = seen(&toss, key).await;
    assert_eq!(before[5], json!(newest));
    assert_eq!(before[0]["isPartialCancelable"], false);
    toss.stop().await;
    let toss = on(&ledger).await;
    assert_eq!(seen(&toss, key).await, before);
    let turned = toss.control("fail-refund", json!({"paymentKey": key})).await;
    assert_eq!((&turned["status"], &turned["balanceAmount"]), (&json!("DONE"), &json!(1000)));
}

#[tokio::test]
async fn a_damaged_line_is_no_torn_one() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger.jsonl");
    std::fs::write(&ledger, "{\"payment\":\n").unwrap();
    let mut settings = SandboxSettings::at("http://127.0.0.1:1");
    settings.ledger = Some(ledger);
    assert!(matches!(Sandbox::open(settings), Err(OpenError::Ledger(..))));
}

#[tokio::test]
async fn only_so_many_payments_are_kept() {
    let toss = Toss::with(|settings| settings.payments_max = 1).await;
    toss.authenticated("order-1", 1000, "card").await;
    let body = json!({"orderId": "order-2", "amount": 1000});
    let full = send(toss.client.post(toss.url("/sandbox/authenticate")).json(&body)).await;
    full.is(503, "FULL");
}
