//! Money on its way back: once, whatever the provider answers.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::promises;
use crate::support::assert_error;
use crate::till::Till;

#[tokio::test]
async fn a_cancelled_order_is_refunded() {
    promises::a_cancelled_order_is_refunded("toss").await;
}

#[tokio::test]
async fn a_refund_is_asked_for_by_its_owner_or_an_administrator() {
    let mut till = Till::open().await;
    for by_admin in [false, true] {
        let (_, order) = till.paid().await;
        let token = if by_admin { till.shop.admin.clone() } else { till.buyer.clone() };
        let (status, answer) = till.refund(&token, &order, &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["refundedAmount"], 150_000);
        till.becomes(&order, "refunded").await;
        till.assert_books(&order, 1, 0).await;
        let (_, again) = till.refund(&token, &order, &json!({})).await;
        assert_error(&again, "ALREADY_CANCELLED");
    }
    // Whoever asked, once each, and not again for what was over.
    let scrape = till.shop.gateway.get("/metrics").await.text().await.expect("text");
    for reason in ["user_cancel", "admin"] {
        let counted = scrape.lines().any(|line| {
            line.starts_with("tiketi_reservations_cancelled_total{")
                && line.ends_with(&format!("reason=\"{reason}\"}} 1"))
        });
        assert!(counted, "{reason}: {scrape}");
    }
    let (_, order, _) = till.ready().await;
    assert_error(&till.refund(&till.buyer, &order, &json!({})).await.1, "CONFLICT");
    let (_, order) = till.paid().await;
    let stranger = till.shop.gateway.user("stranger@tiketi.gg").await;
    assert_error(&till.refund(&stranger, &order, &json!({})).await.1, "NOT_FOUND");
}

/// All goes back by an empty body or by `all`, and by nothing else (gateway/PROTOCOL.md, "Payments").
#[tokio::test]
async fn a_refund_that_says_less_than_all_gives_back_nothing() {
    let mut till = Till::open().await;
    let (_, order) = till.paid().await;
    let seat = till.other_seat();
    for (body, field) in [
        (json!({"seats": [seat]}), "seats"),
        (json!({"seat_ids": [seat]}), "seat_ids"),
        (json!({"seatIds": null}), "seatIds"),
        (json!({"amount": 1000}), "amount"),
        (json!({"all": false}), "all"),
        (json!({"all": null}), "all"),
        (json!({"all": "true"}), "all"),
        (json!({"all": true, "seatIds": [seat]}), "seatIds"),
        (json!({"all": true, "reason": "변심"}), "reason"),
        (json!({"refundAccount": null}), "refundAccount"),
    ] {
        for token in [&till.buyer, &till.shop.admin] {
            let (status, answer) = till.refund(token, &order, &body).await;
            assert_eq!((status, &answer["field"]), (400, &json!(field)), "{body}: {answer}");
            assert_error(&answer, "VALIDATION");
        }
    }
    let path = format!("/api/payments/{}/refund", order["orderId"].as_str().unwrap());
    for (kind, body) in [
        ("application/json", "null"),
        ("application/json", "[]"),
        ("application/x-www-form-urlencoded", "seats=1"),
        ("application/json", r#"{"seatIds":[],"seatIds":[]}"#),
    ] {
        let request = till.shop.gateway.request("POST", &path).bearer_auth(&till.buyer);
        let answer = request.header("content-type", kind).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
    }
    assert_eq!(till.charge(&order).await["status"], "paid");
    till.assert_books(&order, 1, 150_000).await;
    // Nothing, an empty object, the word.
    let (status, answer) = till.shop.post_empty(&path, &till.buyer).await;
    assert_eq!((status.as_u16(), &answer["remainingAmount"]), (200, &json!(0)), "{answer}");
    for body in [json!({}), json!({"all": true})] {
        let (_, order) = till.paid().await;
        let (status, answer) = till.refund(&till.buyer, &order, &body).await;
        assert_eq!((status, &answer["remainingAmount"]), (200, &json!(0)), "{answer}");
        till.becomes(&order, "refunded").await;
        till.assert_books(&order, 1, 0).await;
    }
}

/// What a token may is the lesser of what it said at login and what the account may do now.
#[tokio::test]
async fn a_stale_token_refunds_no_one_elses_order() {
    let mut till = Till::open().await;
    let (_, order) = till.paid().await;
    let clerk = till.shop.gateway.user("clerk@tiketi.gg").await;
    let account = till.shop.ok("/api/admin/users/clerk@tiketi.gg", &till.shop.admin).await;
    let path = format!("/api/admin/users/{}/role", account["user"]["id"].as_str().unwrap());
    let set = async |till: &Till, role: &str| {
        let body = json!({"role": role});
        let (status, answer) = till.shop.gateway.call("PUT", &path, &till.shop.admin, &body).await;
        assert_eq!(status, 200, "{answer}");
    };
    set(&till, "admin").await;
    let login = json!({"email": "clerk@tiketi.gg", "password": "secret1"});
    let (_, session) = till.shop.post("/api/auth/login", "", &login).await;
    let admin = session["token"].as_str().unwrap().to_owned();
    let shown = format!("/api/payments/{}", order["orderId"].as_str().unwrap());
    assert_eq!(till.shop.get(&shown, &admin).await.0, 200);
    // From before the promotion, and, once it is over, from during it.
    assert_eq!(till.shop.get(&shown, &clerk).await.0, 404);
    assert_error(&till.refund(&clerk, &order, &json!({})).await.1, "NOT_FOUND");
    set(&till, "user").await;
    for token in [&clerk, &admin] {
        assert_eq!(till.shop.get(&shown, token).await.0, 404);
        assert_error(&till.refund(token, &order, &json!({})).await.1, "NOT_FOUND");
    }
    till.assert_books(&order, 1, 150_000).await;
    set(&till, "admin").await;
    let (status, answer) = till.refund(&admin, &order, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn some_seats_are_refunded() {
    let mut till = Till::open().await;
    till.buy_points(200_000).await;
    let (reservation, seats) = till.hold_some(3).await;
    let order = till.order(&reservation, 200_000).await;
    let key = till.authenticate(&order, "card").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    let counts = till.shop.counts(&till.event).await;
    let stranger = till.shop.gateway.user("stranger@tiketi.gg").await;
    for (token, seats, code) in [
        (&stranger, json!([seats[0]]), "NOT_FOUND"),
        (&till.buyer, json!([]), "VALIDATION"),
        (&till.buyer, json!([reservation["id"]]), "VALIDATION"),
        (&till.buyer, json!([till.other_seat()]), "VALIDATION"),
        (&till.buyer, json!([seats[0], till.other_seat()]), "VALIDATION"),
        (&till.buyer, json!([seats[0], seats[0]]), "VALIDATION"),
        (&till.buyer, json!("all"), "VALIDATION"),
    ] {
        let (_, answer) = till.refund(token, &order, &json!({"seatIds": seats})).await;
        assert_error(&answer, code);
    }
    till.assert_books(&order, 1, 250_000).await;

    let (status, answer) = till.refund(&till.buyer, &order, &json!({"seatIds": [seats[1]]})).await;
    assert_eq!(status, 200, "{answer}");
    let sums = (&answer["refundedAmount"], &answer["remainingAmount"]);
    assert_eq!(sums, (&json!(150_000), &json!(300_000)));
    let (_, again) = till.refund(&till.buyer, &order, &json!({"seatIds": [seats[1]]})).await;
    assert_error(&again, "VALIDATION");
    till.becomes(&order, "partially_refunded").await;
    till.assert_books(&order, 1, 100_000).await;
    let shown = till.reservation(&reservation).await;
    assert_eq!((&shown["status"], &shown["total_amount"]), (&json!("confirmed"), &json!(300_000)));
    let now = till.shop.counts(&till.event).await;
    assert_eq!((now.0, now.2), (counts.0 + 1, counts.2 - 1), "the seat is free again");
    assert_sales(&till, 3, 150_000).await;

    // The card's part is used up first, then points; over a restart.
    till.shop = till.shop.restart(|_| {}).await;
    let token = till.shop.admin.clone();
    let (status, answer) = till.refund(&token, &order, &json!({"seatIds": [seats[0]]})).await;
    assert_eq!(status, 200, "{answer}");
    till.becomes(&order, "partially_refunded").await;
    till.assert_books(&order, 1, 0).await;
    assert_eq!(till.points().await, 50_000);
    // Card and points; and that an administrator did it is written down.
    assert_sales(&till, 3, 300_000).await;
    let audit = till.shop.ok("/api/admin/audit?path=/refund", &till.shop.admin).await;
    assert_eq!(audit["pagination"]["total"], 1, "{audit}");
    // The last one ends the order.
    let (status, answer) = till.refund(&till.buyer, &order, &json!({"seatIds": [seats[2]]})).await;
    assert_eq!((status, &answer["remainingAmount"]), (200, &json!(0)), "{answer}");
    till.becomes(&order, "refunded").await;
    assert_eq!(till.points().await, 200_000);
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
    assert_sales(&till, 3, 450_000).await;
}

/// The report says that one order of 450,000 won was paid, and so much of it went back.
async fn assert_sales(till: &Till, tickets: u64, refunds: u64) {
    let report = till.shop.ok("/api/admin/reports/sales", &till.shop.admin).await;
    let of = |name: &str| report["totals"][name].as_u64();
    let found = (of("orders"), of("tickets"), of("gross"), of("refunds"));
    assert_eq!(found, (Some(1), Some(tickets), Some(450_000), Some(refunds)), "{report}");
}

#[tokio::test]
async fn refunds_come_through_whatever_the_provider_answers_first() {
    let faults = [
        json!("dropBefore"),
        json!("dropAfter"),
        json!({"status": 500}),
        json!({"statusAfter": 500}),
        json!("html502"),
        json!("rateLimit"),
        json!({"error": "PROVIDER_ERROR"}),
        json!({"error": "FAILED_REFUND_PROCESS"}),
        json!({"error": "FORBIDDEN_CONSECUTIVE_REQUEST"}),
    ];
    promises::refunds_come_through("toss", "cancel", faults).await;
}

#[tokio::test]
async fn a_called_off_event_gives_everybody_the_money_back() {
    promises::an_event_that_is_over_gives_the_money_back("toss", ("POST", "/cancel")).await;
}

#[tokio::test]
async fn a_deleted_event_gives_everybody_the_money_back() {
    promises::an_event_that_is_over_gives_the_money_back("toss", ("DELETE", "")).await;
}

#[tokio::test]
async fn refunds_of_a_called_off_event_keep_their_pace() {
    let mut till = Till::open().await;
    let mut orders = Vec::new();
    for _ in 0..40 {
        orders.push(till.paid().await.1);
    }
    let path = format!("/api/admin/events/{}/cancel", till.event);
    let begun = Instant::now();
    let (status, answer) = till.shop.post(&path, &till.shop.admin, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    for order in &orders {
        till.becomes(order, "refunded").await;
    }
    // Ten in 200 ms, so the last ten wait for three ticks.
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
}
