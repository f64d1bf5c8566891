//! `GET /v1/balance_transactions`: every change of the balance is a row, and a day of many is read in
//! pages.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::{Stripe, is};
use crate::support::send;

async fn list(stripe: &Stripe, query: &str) -> Value {
    stripe.get(&format!("/v1/balance_transactions?{query}")).await.ok()
}

fn text(rows: &Value, field: &str) -> Vec<String> {
    let rows = rows["data"].as_array().expect("rows").iter();
    rows.map(|row| row[field].as_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn every_change_of_the_balance_is_a_row() {
    let stripe = Stripe::start().await;
    let card = stripe.captured("order-1", 1_000).await;
    let refund = send(stripe.refund(&card, "&amount=300&metadata[order_id]=order-1")).await.ok();
    stripe.control("fail-refund", json!({"orderId": "order-1", "webhook": false})).await;
    let dispute = stripe.control("dispute", json!({"orderId": "order-1"})).await;
    stripe.control("close-dispute", json!({"orderId": "order-1", "status": "won"})).await;
    let wallet = stripe.created("order-2", 2_000).await;
    stripe.control("authenticate", json!({"orderId": "order-2", "means": "kakao_pay"})).await;
    send(stripe.capture(&wallet, "")).await.ok();
    stripe.control("console-refund", json!({"orderId": "order-2", "amount": 500})).await;
    stripe.control("fail-refund", json!({"orderId": "order-2"})).await;
    // Nothing moves where nothing is captured.
    stripe.authorised("order-3", 3_000).await;

    let rows = list(&stripe, "expand[]=data.source").await;
    assert_eq!((&rows["object"], &rows["has_more"]), (&json!("list"), &json!(false)));
    let seen: Vec<Value> = rows["data"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|row| {
            let source = &row["source"];
            assert_eq!(row["net"], row["amount"]);
            json!([row["type"], row["amount"], source["object"], source["payment_intent"]])
        })
        .collect();
    assert_eq!(
        json!(seen),
        json!([
            ["charge", 1_000, "charge", card],
            ["refund", -300, "refund", card],
            ["refund_failure", 300, "refund", card],
            ["adjustment", -1_000, "dispute", card],
            ["adjustment", 1_000, "dispute", card],
            ["payment", 2_000, "charge", wallet],
            ["payment_refund", -500, "refund", wallet],
            ["payment_failure_refund", 500, "refund", wallet],
        ])
    );
    let sources: Vec<&Value> =
        rows["data"].as_array().unwrap().iter().rev().map(|row| &row["source"]).collect();
    for source in &sources[..2] {
        assert_eq!(source["metadata"], json!({"order_id": "order-1"}));
    }
    assert_eq!((&sources[2]["status"], &sources[2]["id"]), (&json!("failed"), &refund["id"]));
    assert_eq!((&sources[3]["id"], &sources[3]["status"]), (&dispute["disputeId"], &json!("won")));

    let mut plain = list(&stripe, "limit=100").await;
    let data = plain["data"].as_array_mut().unwrap();
    data.reverse();
    for (row, source) in data.iter().zip(&sources) {
        assert_eq!(row["source"], source["id"]);
        let path = format!("/v1/balance_transactions/{}", row["id"].as_str().unwrap());
        assert_eq!(&stripe.get(&path).await.ok(), row);
    }
    let charge = stripe.intent(&card).await["latest_charge"].clone();
    assert_eq!(charge["balance_transaction"], data[0]["id"]);
    assert_eq!(sources[1]["balance_transaction"], data[1]["id"]);
    assert_eq!(sources[1]["failure_balance_transaction"], data[2]["id"]);
    let categories: Vec<&Value> = data.iter().map(|row| &row["reporting_category"]).collect();
    let expected = ["charge", "refund", "refund_failure", "dispute", "dispute_reversal"];
    assert_eq!(json!(categories[..5]), json!(expected));
}

#[tokio::test]
async fn parameters_are_checked() {
    let stripe = Stripe::start().await;
    for query in ["limit=0", "limit=101", "starting_after=a&ending_before=b"] {
        let answer = stripe.get(&format!("/v1/balance_transactions?{query}")).await;
        is(&answer, 400, "invalid_request_error", "");
    }
    for (query, status, code) in [
        ("limit=many", 400, "parameter_invalid_integer"),
        ("created[gte]=yesterday", 400, "parameter_invalid_integer"),
        ("payment_intent=pi_1", 400, "parameter_unknown"),
        ("starting_after=txn_none", 404, "resource_missing"),
    ] {
        let answer = stripe.get(&format!("/v1/balance_transactions?{query}")).await;
        is(&answer, status, "invalid_request_error", code);
    }
    let none = stripe.get("/v1/balance_transactions/txn_none").await;
    is(&none, 404, "invalid_request_error", "resource_missing");
    stripe.fault("query", "any", json!({"status": 500})).await;
    assert_eq!(stripe.get("/v1/balance_transactions").await.status, 500);
}

/// A ledger of `count` captured intents, one each second from `from_s` on.
async fn fill(ledger: &Path, from_s: u64, count: u64) {
    let stripe = Stripe::with(|settings| settings.ledger = Some(ledger.to_owned())).await;
    stripe.captured("order-0", 1_000).await;
    stripe.stop().await;
    let lines = std::fs::read_to_string(ledger).unwrap();
    let last = lines.lines().rfind(|line| line.starts_with("{\"intent\"")).unwrap();
    let mut line: Value = serde_json::from_str(last).unwrap();
    let mut lines = String::new();
    for number in 0..count {
        let intent = &mut line["intent"];
        intent["id"] = json!(format!("pi_{number}"));
        intent["charge"]["id"] = json!(format!("ch_{number}"));
        intent["metadata"]["order_id"] = json!(format!("order-{number}"));
        intent["moves"][0]["id"] = json!(format!("txn_{number}"));
        intent["moves"][0]["at"] = json!((from_s + number) * 1_000 + 500);
        writeln!(lines, "{line}").unwrap();
    }
    std::fs::write(ledger, lines).unwrap();
}

#[tokio::test]
async fn a_day_of_fifty_thousand_rows_is_read_in_pages() {
    const FROM_S: u64 = 1_799_506_800;
    const COUNT: u64 = 50_000;
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("stripe.jsonl");
    fill(&ledger, FROM_S, COUNT).await;
    let stripe = Stripe::with(|settings| settings.ledger = Some(ledger)).await;
    let day = format!("created[gte]={FROM_S}&created[lt]={}", FROM_S + 86_400);
    let mut query = format!("{day}&limit=100&expand[]=data.source");
    let mut left = COUNT;
    loop {
        let page = list(&stripe, &query).await;
        for row in page["data"].as_array().unwrap() {
            left -= 1;
            assert_eq!(row["id"], json!(format!("txn_{left}")));
            assert_eq!(row["source"]["payment_intent"], json!(format!("pi_{left}")));
        }
        if page["has_more"] == json!(false) {
            break;
        }
        query = format!("{day}&limit=100&expand[]=data.source&starting_after=txn_{left}");
    }
    assert_eq!(left, 0);

    let seconds = |from: u64, until: u64, more: &str| {
        format!("created[gte]={}&created[lt]={}{more}", FROM_S + from, FROM_S + until)
    };
    let found = text(&list(&stripe, &seconds(5, 8, "")).await, "id");
    assert_eq!(found, ["txn_7", "txn_6", "txn_5"]);
    let found = format!("created[gt]={}&created[lte]={}", FROM_S + 5, FROM_S + 8);
    assert_eq!(text(&list(&stripe, &found).await, "id"), ["txn_8", "txn_7", "txn_6"]);
    let back = list(&stripe, &seconds(0, 60, "&limit=2&ending_before=txn_30")).await;
    assert_eq!(
        (text(&back, "id"), &back["has_more"]),
        (vec!["txn_32".to_owned(), "txn_31".to_owned()], &json!(true))
    );
    let ten = text(&list(&stripe, &day).await, "id");
    assert_eq!(ten.iter().collect::<HashSet<_>>().len(), 10, "where no number is asked for");
}
