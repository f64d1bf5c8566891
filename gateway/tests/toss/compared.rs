//! The provider's list of a day against the books.

use serde_json::{Value, json};

use crate::support::assert_error;
use crate::till::Till;

/// Compares today, as far as it has come, and answers with what was found at Toss.
pub(crate) async fn today(till: &Till) -> Value {
    let now = crate::shop::in_minutes(9 * 60);
    let body = json!({"day": &now[..10]});
    loop {
        let path = "/api/admin/payments/compare";
        let (status, answer) = till.shop.post(path, &till.shop.admin, &body).await;
        assert_eq!(status, 200, "{answer}");
        if answer["running"] == false {
            let toss = &answer["providers"][0];
            assert_eq!((&toss["provider"], &toss["state"]), (&json!("toss"), &json!("done")));
            return toss.clone();
        }
    }
}

#[tokio::test]
async fn lost_messages_are_found_and_counted_once() {
    let mut till = Till::open().await;
    let mut sold = Vec::new();
    for _ in 0..6 {
        sold.push(till.sold(1, json!({})).await.2);
    }
    let compared = today(&till).await;
    assert_eq!((&compared["transactions"], &compared["differences"]), (&json!(6), &json!([])));
    for (order, amount) in [(&sold[0], Some(10_000)), (&sold[1], None)] {
        let lost = json!({"orderId": order["orderId"], "amount": amount, "webhook": false});
        till.sandbox("console-refund", &lost).await;
    }
    let compared = today(&till).await;
    let mut found: Vec<&Value> =
        compared["differences"].as_array().unwrap().iter().map(|one| &one["orderId"]).collect();
    found.sort_by_key(|id| id.to_string());
    let mut lost = vec![&sold[0]["orderId"], &sold[1]["orderId"]];
    lost.sort_by_key(|id| id.to_string());
    assert_eq!(found, lost, "{compared}");
    assert_eq!(till.charge(&sold[0]).await["refundedElsewhere"], 10_000);
    assert_eq!(till.charge(&sold[1]).await["status"], "refunded");
    assert_eq!(today(&till).await["differences"], json!([]), "known since");
    let metrics = till.shop.gateway.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("tiketi_payment_differences_total 2"), "{metrics}");
}

#[tokio::test]
async fn what_cannot_be_asked_about_is_told_and_found_later() {
    let mut till = Till::open().await;
    let (_, _, order) = till.sold(1, json!({})).await;
    let lost = json!({"orderId": order["orderId"], "webhook": false});
    till.sandbox("console-refund", &lost).await;
    till.fault(&order, "query", json!("dropBefore"), 1).await;
    let compared = today(&till).await;
    assert_eq!((&compared["unanswered"], &compared["differences"]), (&json!(1), &json!([])));
    assert_eq!(today(&till).await["differences"][0]["orderId"], order["orderId"]);
}

#[tokio::test]
async fn a_payment_that_was_given_up_and_taken_all_the_same_goes_back() {
    let mut till = Till::open().await;
    let (reservation, order, key) = till.ready().await;
    till.fault(&order, "confirm", json!("dropAfter"), 1).await;
    till.fault(&order, "webhook", json!("dropBefore"), 1_000).await;
    till.fault(&order, "query", json!({"status": 500}), 8).await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    assert_eq!(till.administer(&order, "end").await.0, 200);
    assert_eq!(till.cancel(&reservation).await.0, 200);
    loop {
        let compared = today(&till).await;
        // The look that follows on the end may have found it before.
        if compared["differences"] != json!([]) || till.charge(&order).await["status"] != "failed" {
            break;
        }
    }
    // It paid nothing, now or later.
    for _ in 0..2 {
        let (status, answer) = till.confirm(&order, &key).await;
        assert_eq!(status, 400, "{answer}");
        assert_error(&answer, "HOLD_EXPIRED");
        till.becomes(&order, "refunded").await;
    }
    till.assert_books(&order, 1, 0).await;
}

#[tokio::test]
async fn strangers_in_the_list_are_named_and_wrong_days_refused() {
    let till = Till::open().await;
    let window = json!({"orderId": "another-shops", "amount": 5_000});
    let key = till.sandbox("authenticate", &window).await["paymentKey"].clone();
    let confirm = till.shop.gateway.request("POST", "/sandbox/toss/v1/payments/confirm");
    let body = json!({"paymentKey": key, "orderId": "another-shops", "amount": 5_000});
    let answer = confirm.basic_auth("test_gsk_local_simulator", Some("")).json(&body).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    let compared = today(&till).await;
    assert_eq!(compared["unknownPayments"], json!(["another-shops"]), "{compared}");
    for day in ["", "2026-13-01", "yesterday", "2999-01-01", "2026-11-27T00:00:00"] {
        let path = "/api/admin/payments/compare";
        let (status, answer) = till.shop.post(path, &till.shop.admin, &json!({"day": day})).await;
        assert_eq!(status, 400, "{day}: {answer}");
        assert_error(&answer, "VALIDATION");
    }
    let (status, _) = till
        .shop
        .post("/api/admin/payments/compare", &till.buyer, &json!({"day": "2026-11-27"}))
        .await;
    assert_eq!(status, 403);
}
