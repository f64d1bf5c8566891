//! What the provider does without being asked: its balance is the truth for what is left.

use serde_json::{Value, json};

use crate::till::Till;

async fn returned(till: &Till, order: &Value, amount: Option<u64>, webhook: bool) {
    let body = json!({"orderId": order["orderId"], "amount": amount, "webhook": webhook});
    till.sandbox("console-refund", &body).await;
}

#[tokio::test]
async fn a_part_given_back_in_the_console_is_not_given_back_again() {
    let mut till = Till::open().await;
    for webhook in [true, false] {
        let (reservation, _, order) = till.sold(2, json!({})).await;
        returned(&till, &order, Some(10_000), webhook).await;
        if webhook {
            let charge = till.becomes(&order, "partially_refunded").await;
            assert_eq!(charge["refundedElsewhere"], 10_000, "{charge}");
            let list = "/api/admin/payments?state=refunded_elsewhere";
            let listed = till.shop.ok(list, &till.shop.admin).await;
            assert_eq!(listed["pagination"]["total"], 1, "{listed}");
        }
        assert_eq!(till.cancel(&reservation).await.0, 200);
        let charge = till.becomes(&order, "refunded").await;
        assert_eq!(charge["refundedElsewhere"], 10_000, "{charge}");
        let books = till.books(&order).await;
        assert_eq!((&books["balance"], &books["refundedByUs"]), (&json!(0), &json!(290_000)));
    }
}

#[tokio::test]
async fn all_given_back_in_the_console_ends_the_order() {
    let mut till = Till::open().await;
    let (reservation, _, order) = till.sold(2, json!({})).await;
    returned(&till, &order, None, true).await;
    till.becomes(&order, "refunded").await;
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
    assert_eq!(till.shop.counts(&till.event).await.2, 0, "the seats are free");
    let report = till.shop.ok("/api/admin/reports/sales", &till.shop.admin).await;
    let totals = &report["totals"];
    assert_eq!((&totals["refunds"], &totals["refundsOwed"]), (&json!(300_000), &json!(0)));
    let metrics = till.shop.gateway.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("tiketi_payments_returned_elsewhere_won_total 300000"), "{metrics}");
    assert!(metrics.contains("tiketi_payments_waiting{for=\"refund\"} 0"), "{metrics}");
}

/// A message is taken once the provider was heard: it sends the message again otherwise, and it is
/// asked again anyway.
#[tokio::test]
async fn a_message_whose_question_is_lost_is_not_forgotten() {
    let mut till = Till::open().await;
    let (_, _, order) = till.sold(2, json!({})).await;
    till.fault(&order, "query", json!("dropBefore"), 1).await;
    returned(&till, &order, None, false).await;
    assert_eq!(till.hook(&order).await, 503);
    till.becomes(&order, "refunded").await;
    assert_eq!(till.hook(&order).await, 200);
}

/// The balance tells one number of the two; what it tells has to be in the books wholly.
#[tokio::test]
async fn a_refund_that_failed_and_a_part_given_back_since_are_told_by_one_balance() {
    let mut till = Till::open().await;
    let (reservation, seats, order) = till.sold(2, json!({})).await;
    let body = json!({"seatIds": [seats[0]]});
    assert_eq!(till.refund(&till.buyer, &order, &body).await.0, 200);
    till.becomes(&order, "partially_refunded").await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    let failed = json!({"orderId": order["orderId"], "webhook": false});
    till.sandbox("fail-refund", &failed).await;
    returned(&till, &order, Some(10_000), false).await;
    assert_eq!(till.hook(&order).await, 200);
    let charge = till.becomes(&order, "refunded").await;
    assert_eq!(charge["refundedElsewhere"], 10_000, "{charge}");
    till.assert_books(&order, 1, 0).await;
}

/// Under the key of the first call the provider would repeat its answer, and do nothing.
#[tokio::test]
async fn a_refund_whose_answer_was_lost_and_that_failed_is_made_anew() {
    let mut till = Till::open().await;
    let (reservation, _, order) = till.sold(1, json!({})).await;
    till.fault(&order, "cancel", json!("dropAfter"), 1).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    let failed = json!({"orderId": order["orderId"], "webhook": false});
    till.sandbox("fail-refund", &failed).await;
    assert_eq!(till.hook(&order).await, 200);
    till.becomes(&order, "refunded").await;
    let books = till.books(&order).await;
    assert_eq!(
        (&books["failedRefunds"], &books["balance"]),
        (&json!(150_000), &json!(0)),
        "{books}"
    );
}

/// What the console gave back, and the seats that went back since, are all of the money.
#[tokio::test]
async fn an_order_whose_last_won_goes_back_with_a_part_is_over() {
    let mut till = Till::open().await;
    let (reservation, seats, order) = till.sold(3, json!({})).await;
    returned(&till, &order, Some(250_000), true).await;
    till.becomes(&order, "partially_refunded").await;
    for (seat, left) in [(&seats[0], 50_000), (&seats[1], 0)] {
        let (status, answer) = till.refund(&till.buyer, &order, &json!({"seatIds": [seat]})).await;
        assert_eq!((status, &answer["remainingAmount"]), (200, &json!(left)), "{answer}");
    }
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
    assert_eq!(till.shop.counts(&till.event).await.2, 0, "the seats are free");
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
}

#[tokio::test]
async fn a_seat_goes_back_by_the_balance_of_the_moment() {
    let mut till = Till::open().await;
    let (reservation, seats, order) = till.sold(2, json!({})).await;
    // Lost on its way: it is found with the next call.
    returned(&till, &order, Some(10_000), false).await;
    let body = json!({"seatIds": [seats[0]]});
    let (status, answer) = till.refund(&till.buyer, &order, &body).await;
    assert_eq!(status, 200, "{answer}");
    till.becomes(&order, "partially_refunded").await;
    let books = till.books(&order).await;
    assert_eq!((&books["refundedByUs"], &books["balance"]), (&json!(150_000), &json!(140_000)));
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    assert_eq!(till.books(&order).await["balance"], 0);
}

#[tokio::test]
async fn a_refund_that_fails_afterwards_is_made_again_and_then_listed() {
    let mut till = Till::open().await;
    let (reservation, _, order) = till.sold(1, json!({})).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    till.sandbox("fail-refund", &json!({"orderId": order["orderId"]})).await;
    // Due again, made again.
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while till.books(&order).await["refundedByUs"] != 150_000 {
        assert!(tokio::time::Instant::now() < deadline, "{}", till.seen(&order).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    till.becomes(&order, "refunded").await;
    till.sandbox("fail-refund", &json!({"orderId": order["orderId"]})).await;
    let charge = till.becomes(&order, "refund_refused").await;
    assert_eq!(
        (&charge["refundRefused"], &charge["refundOwed"]),
        (&json!(150_000), &json!(150_000))
    );
    assert!(charge["message"].is_string(), "the buyer is told: {charge}");
    assert_eq!(charge["waiting"]["for"], "administrator", "{charge}");
    let report = till.shop.ok("/api/admin/reports/sales", &till.shop.admin).await;
    assert_eq!(report["totals"]["refundsOwed"], 150_000, "{report}");
    let metrics = till.shop.gateway.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("tiketi_refunds_failed_total 2"), "{metrics}");
    // An administrator sends it by bank transfer, over a restart.
    till.shop = till.shop.restart(|_| {}).await;
    let (status, answer) = till.administer(&order, "refunded-by-hand").await;
    assert_eq!((status, &answer["payment"]["status"]), (200, &json!("refunded")), "{answer}");
    assert_eq!(till.administer(&order, "refunded-by-hand").await.0, 400, "once");
    assert_eq!(till.charge(&order).await["refundOwed"], 0);
}

#[tokio::test]
async fn a_refund_that_is_pending_is_asked_about_until_it_ends() {
    let mut till = Till::open().await;
    let (reservation, _, order) = till.sold(1, json!({})).await;
    till.fault(&order, "cancel", json!("pending"), 1).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    till.sandbox("complete-refund", &json!({"orderId": order["orderId"]})).await;
    assert_eq!(till.hook(&order).await, 200);
    assert_eq!(till.charge(&order).await["status"], "refunded");
    assert_eq!(till.books(&order).await["refundedByUs"], 150_000, "once");
}

#[tokio::test]
async fn a_console_refund_that_fails_is_owed_where_the_order_is_over() {
    let mut till = Till::open().await;
    let (reservation, _, order) = till.sold(1, json!({})).await;
    returned(&till, &order, None, true).await;
    till.becomes(&order, "refunded").await;
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
    till.sandbox("fail-refund", &json!({"orderId": order["orderId"]})).await;
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while till.books(&order).await["refundedByUs"] != 150_000 {
        assert!(tokio::time::Instant::now() < deadline, "{}", till.seen(&order).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
}

/// Only where the provider gave back the last of it: the buyer's own refunds leave her what she kept.
#[tokio::test]
async fn a_seat_that_rests_on_points_outlives_a_part_given_back_in_the_console() {
    let mut till = Till::open().await;
    till.buy_points(200_000).await;
    let (reservation, seats) = till.hold_some(3).await;
    let order = till.order(&reservation, 200_000).await;
    let key = till.authenticate(&order, "card").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    returned(&till, &order, Some(10_000), true).await;
    till.becomes(&order, "partially_refunded").await;
    for seat in &seats[..2] {
        let asked = json!({"seatIds": [seat]});
        assert_eq!(till.refund(&till.buyer, &order, &asked).await.0, 200);
        till.becomes(&order, "partially_refunded").await;
    }
    till.assert_books(&order, 1, 0).await;
    assert_eq!(till.points().await, 60_000, "240,000 of the card's part were left for two seats");
    // Also after further messages about it, and over a restart.
    assert_eq!(till.hook(&order).await, 200);
    till.shop = till.shop.restart(|_| {}).await;
    assert_eq!(till.hook(&order).await, 200);
    assert_eq!(till.reservation(&reservation).await["status"], "confirmed");
    assert_eq!(till.refund(&till.buyer, &order, &json!({"seatIds": [seats[2]]})).await.0, 200);
    till.becomes(&order, "refunded").await;
    assert_eq!(till.points().await, 200_000);
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
}
