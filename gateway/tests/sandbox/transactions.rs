//! `GET /v1/transactions`: every movement of money is a row, and a day of many is read in pages.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Toss, send};

const ALWAYS: &str = "startDate=2020-01-01T00:00:00&endDate=2999-01-01T00:00:00";

async fn rows(toss: &Toss, query: &str) -> Vec<Value> {
    let rows = toss.get(&format!("/v1/transactions?{query}")).await.ok();
    rows.as_array().expect("rows").clone()
}

#[tokio::test]
async fn every_movement_is_a_row() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 1_000, "card").await;
    let part = json!({"cancelReason": "x", "cancelAmount": 100});
    send(toss.cancel(&key, part)).await.ok();
    toss.control("console-refund", json!({"orderId": "order-1", "amount": 200})).await;
    toss.control("fail-refund", json!({"orderId": "order-1", "webhook": false})).await;
    toss.fault("cancel", "order-1", json!("pending")).await;
    send(toss.cancel(&key, json!({"cancelReason": "x"}))).await.ok();
    toss.control("complete-refund", json!({"orderId": "order-1"})).await;
    let account = toss.paid("order-2", 2_000, "virtualAccount").await;
    for event in ["deposit", "reversal", "deposit"] {
        let body = json!({"orderId": "order-2", "event": event, "webhook": false});
        toss.control("deposit", body).await;
    }
    let whole = toss.paid("order-3", 3_000, "card").await;
    send(toss.cancel(&whole, json!({"cancelReason": "x"}))).await.ok();

    let rows = rows(&toss, ALWAYS).await;
    let seen: Vec<(&str, &str, u64)> = rows
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().expect("text");
            (text("orderId"), text("status"), row["amount"].as_u64().expect("amount"))
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("order-1", "DONE", 1_000),
            ("order-1", "PARTIAL_CANCELED", 100),
            ("order-1", "PARTIAL_CANCELED", 200),
            // The refund by the console failed: its money is back.
            ("order-1", "PARTIAL_CANCELED", 200),
            // It was only accepted at first; that it is made moves nothing more.
            ("order-1", "PARTIAL_CANCELED", 900),
            ("order-2", "WAITING_FOR_DEPOSIT", 2_000),
            ("order-2", "DONE", 2_000),
            ("order-2", "WAITING_FOR_DEPOSIT", 2_000),
            ("order-2", "DONE", 2_000),
            ("order-3", "DONE", 3_000),
            ("order-3", "CANCELED", 3_000),
        ]
    );
    let keys: HashSet<&str> =
        rows.iter().map(|row| row["transactionKey"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), rows.len());
    for (row, key) in [(0, &key), (4, &key), (6, &account), (10, &whole)] {
        assert_eq!(rows[row]["paymentKey"], json!(key));
        assert!(rows[row]["transactionAt"].as_str().unwrap().ends_with("+09:00"));
    }
    // A cancel names its row; the row of a failure is named by no cancel.
    let cancels = toss.by_order("order-1").await["cancels"].clone();
    for (cancel, row) in [(0, 1), (1, 2), (2, 4)] {
        assert_eq!(cancels[cancel]["transactionKey"], rows[row]["transactionKey"]);
    }
    assert_eq!(toss.ledger("order-1").await["balance"], 0);
}

#[tokio::test]
async fn the_answer_has_a_hundred_rows_where_no_number_is_asked_for() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 1_000, "card").await;
    for _ in 0..101 {
        let body = json!({"cancelReason": "x", "cancelAmount": 1});
        send(toss.cancel(&key, body)).await.ok();
    }
    let first = rows(&toss, ALWAYS).await;
    assert_eq!(first.len(), 100);
    let after = first[99]["transactionKey"].as_str().unwrap();
    assert_eq!(rows(&toss, &format!("{ALWAYS}&startingAfter={after}")).await.len(), 2);
    for limit in ["0", "5001", "many"] {
        let path = format!("/v1/transactions?{ALWAYS}&limit={limit}");
        toss.get(&path).await.is(400, "INVALID_REQUEST");
    }
    let path = format!("/v1/transactions?{ALWAYS}&startingAfter=unknown");
    toss.get(&path).await.is(400, "INVALID_REQUEST");
}

/// A ledger of `count` paid orders, one each second from midnight on.
async fn fill(ledger: &Path, midnight_ms: u64, count: u64) {
    let toss = Toss::with(|settings| settings.ledger = Some(ledger.to_owned())).await;
    toss.paid("order-0", 1_000, "card").await;
    toss.stop().await;
    let lines = std::fs::read_to_string(ledger).unwrap();
    let last = lines.lines().rfind(|line| line.starts_with("{\"payment\"")).unwrap();
    let mut line: Value = serde_json::from_str(last).unwrap();
    let mut lines = String::new();
    for number in 0..count {
        let payment = &mut line["payment"];
        payment["key"] = json!(format!("tgen_{number}"));
        payment["order_id"] = json!(format!("order-{number}"));
        payment["moves"][0]["key"] = json!(format!("{number:032X}"));
        payment["moves"][0]["at"] = json!(midnight_ms + number * 1_000);
        payment["moves"][0]["number"] = json!(number);
        writeln!(lines, "{line}").unwrap();
    }
    std::fs::write(ledger, lines).unwrap();
}

#[tokio::test]
async fn a_day_of_fifty_thousand_rows_is_read_in_pages() {
    // 2027-01-10 00:00 in Seoul.
    const MIDNIGHT_MS: u64 = 1_799_506_800_000;
    const COUNT: u64 = 50_000;
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger.jsonl");
    fill(&ledger, MIDNIGHT_MS, COUNT).await;
    let toss = Toss::with(|settings| settings.ledger = Some(ledger)).await;
    let day = "startDate=2027-01-10T00:00:00&endDate=2027-01-10T23:59:59";
    for limit in [5_000, 100] {
        let mut query = format!("{day}&limit={limit}");
        let mut read = 0;
        loop {
            let page = rows(&toss, &query).await;
            for row in &page {
                assert_eq!(row["transactionKey"], json!(format!("{read:032X}")));
                read += 1;
            }
            let Some(last) = page.last().filter(|_| page.len() == limit) else { break };
            let last = last["transactionKey"].as_str().unwrap();
            query = format!("{day}&limit={limit}&startingAfter={last}");
        }
        assert_eq!(read, COUNT);
    }
    let hour = "startDate=2027-01-10T01:00:00&endDate=2027-01-10T01:59:59&limit=5000";
    assert_eq!(rows(&toss, hour).await.len(), 3_600);
    let other = "startDate=2027-01-11T00:00:00&endDate=2027-01-11T23:59:59";
    assert_eq!(rows(&toss, other).await.len(), 0);
}
