//! Payments against each other, against the end of the hold, and against cancellations: whoever
//! wins, the provider has the money of exactly the orders that are paid.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::till::Till;

/// Connections that confirm at the same time.
const CONNECTIONS: usize = 12;

/// An order that is ready to be paid: reservation, order at the provider, payment key.
type Ready = (Value, Value, String);

async fn all_ready(till: &mut Till, count: usize) -> Vec<Ready> {
    let mut ready = Vec::new();
    for _ in 0..count {
        ready.push(till.ready().await);
    }
    ready
}

/// The standing of an order and what the provider has of it, once nothing is on its way any more.
async fn settled(till: &Till, (reservation, order, _): &Ready) -> (String, String, u64, u64) {
    loop {
        let status = till.charge(order).await["status"].clone();
        if !matches!(status.as_str(), Some("confirming" | "refunding")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (shown, books) = (till.reservation(reservation).await, till.books(order).await);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let won = |name: &str| books[name].as_u64().unwrap();
    (text(&shown["status"]), text(&shown["payment_status"]), won("captures"), won("balance"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_connections_one_captures_whatever_the_provider_does() {
    let mut till = Till::open().await;
    let faults = [
        None,
        Some(json!({"delayMs": 100})),
        Some(json!("dropBefore")),
        Some(json!("dropAfter")),
        Some(json!({"statusAfter": 500})),
    ];
    let mut ready = all_ready(&mut till, faults.len()).await;
    for ((_, order, _), fault) in ready.iter().zip(faults) {
        if let Some(fault) = fault {
            till.fault(order, "confirm", fault, 1).await;
        }
    }
    let till = Arc::new(till);
    for one in ready.drain(..) {
        let mut calls = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (till, one) = (Arc::clone(&till), one.clone());
            calls.spawn(async move { till.confirm(&one.1, &one.2).await });
        }
        for (status, answer) in calls.join_all().await {
            assert!(matches!(status, 200 | 202), "{status} {answer}");
        }
        let now = settled(&till, &one).await;
        assert_eq!(now, ("confirmed".to_owned(), "completed".to_owned(), 1, 150_000));
        assert_eq!(till.confirm(&one.1, &one.2).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_is_paid_by_one_of_its_windows() {
    let mut till = Till::open().await;
    till.buy_points(10_000).await;
    for _ in 0..8 {
        let reservation = till.hold().await;
        // Two charges, and the first of them authenticated twice.
        let (card, mixed) =
            (till.order(&reservation, 0).await, till.order(&reservation, 10_000).await);
        let keys = [
            till.authenticate(&card, "card").await,
            till.authenticate(&card, "easyPay").await,
            till.authenticate(&mixed, "card").await,
        ];
        let (a, b, c) = tokio::join!(
            till.confirm(&card, &keys[0]),
            till.confirm(&card, &keys[1]),
            till.confirm(&mixed, &keys[2])
        );
        let paid = [&a, &b, &c].into_iter().filter(|answer| answer.0 == 200).count();
        assert_eq!(paid, 1, "{a:?} {b:?} {c:?}");
        let books = [till.books(&card).await, till.books(&mixed).await];
        let sum = |name: &str| books.iter().map(|books| books[name].as_u64().unwrap()).sum::<u64>();
        assert_eq!(sum("captures"), 1, "{books:?}");
        let by_points = if c.0 == 200 { 10_000 } else { 0 };
        assert_eq!(sum("balance"), 150_000 - by_points);
        assert_eq!(till.points().await, 10_000 - by_points);
        assert_eq!(till.reservation(&reservation).await["status"], "confirmed");
        if c.0 == 200 {
            assert_eq!(till.cancel(&reservation).await.0, 200);
            till.becomes(&mixed, "refunded").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_and_the_end_of_the_hold_have_one_winner() {
    const ORDERS: usize = 30;
    let mut till = Till::with(json!({"holdTtl": 1})).await;
    let ready = all_ready(&mut till, ORDERS).await;
    // Some answers come after the deadline of what was confirmed in time.
    for (_, order, _) in ready.iter().step_by(3) {
        till.fault(order, "confirm", json!({"delayMs": 700}), 1).await;
    }
    let till = Arc::new(till);
    let mut calls = JoinSet::new();
    for (place, one) in ready.into_iter().enumerate() {
        let till = Arc::clone(&till);
        calls.spawn(async move {
            // Around its deadline: some are in time, some are not.
            let deadline: Timestamp = one.0["expiresAt"].as_str().unwrap().parse().unwrap();
            let at = deadline + SignedDuration::from_millis(6 * (place as i64 - ORDERS as i64 / 2));
            let wait = at.duration_since(Timestamp::now());
            tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
            let answer = till.confirm(&one.1, &one.2).await;
            (one, answer)
        });
    }
    let answers = calls.join_all().await;
    while till.shop.counts(&till.event).await.1 > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut paid = 0;
    for (one, (status, answer)) in answers {
        let (standing, payment, captures, balance) = settled(&till, &one).await;
        let now = (status, standing.as_str(), payment.as_str(), captures, balance);
        match now {
            (200, "confirmed", "completed", 1, 150_000) => paid += 1,
            (400, "cancelled", "failed", 0, 0) => assert_eq!(answer["code"], "HOLD_EXPIRED"),
            other => panic!("{other:?}: {answer}"),
        }
    }
    assert_eq!(till.shop.counts(&till.event).await.2, paid);
}

/// What may come of a confirmation and a cancellation: paid; paid and given back; never paid.
fn assert_one_order_of_things(confirmed: u16, cancelled: u16, now: (String, String, u64, u64)) {
    let (standing, payment, captures, balance) = now;
    let is = (confirmed, cancelled, standing.as_str(), payment.as_str(), captures, balance);
    let fits = matches!(
        is,
        (200 | 202, 400, "confirmed", "completed", 1, 150_000)
            | (200 | 202, 200, "cancelled", "refunded", 1, 0)
            | (400, 200, "cancelled", "failed", 0, 0)
    );
    assert!(fits, "{is:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_and_a_confirmation_have_one_order_of_things() {
    const ORDERS: usize = 24;
    let mut till = Till::open().await;
    let ready = all_ready(&mut till, ORDERS).await;
    for (place, (_, order, _)) in ready.iter().enumerate() {
        match place % 4 {
            0 => till.fault(order, "confirm", json!({"delayMs": 20}), 1).await,
            1 => till.fault(order, "confirm", json!("dropAfter"), 1).await,
            _ => {}
        }
    }
    for (place, one) in ready.iter().enumerate() {
        let id = one.0["id"].as_str().unwrap();
        let by_admin = format!("/api/admin/orders/{id}/cancel");
        let cancel = async {
            match place % 2 {
                0 => till.cancel(&one.0).await.0,
                _ => till.shop.post_empty(&by_admin, &till.shop.admin).await.0.as_u16(),
            }
        };
        let (confirmed, cancelled) = tokio::join!(till.confirm(&one.1, &one.2), cancel);
        assert_one_order_of_things(confirmed.0, cancelled, settled(&till, one).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmations_and_the_event_called_off() {
    const ORDERS: usize = 20;
    let mut till = Till::open().await;
    let ready = all_ready(&mut till, ORDERS).await;
    for (_, order, _) in ready.iter().step_by(2) {
        till.fault(order, "confirm", json!({"delayMs": 50}), 1).await;
    }
    let till = Arc::new(till);
    let mut calls = JoinSet::new();
    for one in ready.clone() {
        let till = Arc::clone(&till);
        calls.spawn(async move { till.confirm(&one.1, &one.2).await });
    }
    tokio::task::yield_now().await;
    let path = format!("/api/admin/events/{}/cancel", till.event);
    assert_eq!(till.shop.post_empty(&path, &till.shop.admin).await.0, 200);
    for (status, answer) in calls.join_all().await {
        assert!(matches!(status, 200 | 202 | 400), "{status} {answer}");
    }
    while till.shop.counts(&till.event).await != (265, 0, 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for one in &ready {
        let (standing, payment, captures, balance) = settled(&till, one).await;
        assert_eq!((standing.as_str(), balance), ("cancelled", 0));
        let expected = if captures == 1 { "refunded" } else { "failed" };
        assert!(captures <= 1 && payment == expected, "{captures} {payment}");
    }
}
