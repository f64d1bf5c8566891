//! Many at once: one winner each, and sums that add up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::shop::{Shop, list, text};

/// A small deterministic generator: the same schedule of wishes every time.
struct Wishes(u64);

impl Wishes {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % below
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_buyers_and_265_seats() {
    const ACCOUNTS: usize = 20;
    const BUYERS: usize = 200;
    let shop = Arc::new(Shop::open().await);
    let event = shop.seat_event(json!({})).await;
    let seats = Arc::new(shop.seats(&event).await);
    let mut tokens = Vec::new();
    for account in 0..ACCOUNTS {
        tokens.push(shop.buyer(&format!("buyer{account}")).await);
    }
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let (shop, event, seats) = (shop.clone(), event.clone(), seats.clone());
        let token = tokens[buyer % ACCOUNTS].clone();
        buyers.spawn(async move { buy(&shop, &event, &seats, &token, buyer).await });
    }
    let owned: Vec<Value> = buyers.join_all().await.into_iter().flatten().collect();

    // Everything was sold, and no seat twice.
    let ids: HashSet<String> = owned.iter().map(text).collect();
    assert_eq!((owned.len(), ids.len()), (265, 265));
    assert_eq!(shop.counts(&event).await, (0, 0, 265));
    // The auditor: what the buyers' own lists say adds up to the whole hall.
    let by_label: HashMap<String, u64> = seats
        .iter()
        .map(|seat| (text(&seat["seat_label"]), seat["price"].as_u64().expect("price")))
        .collect();
    let (mut sold, mut revenue) = (HashSet::new(), 0);
    for token in &tokens {
        let mine = shop.ok("/api/reservations/my", token).await;
        for row in list(&mine["reservations"]) {
            if row["status"] == "cancelled" {
                continue;
            }
            assert_eq!(row["status"], "confirmed");
            assert_eq!(row["payment_status"], "completed");
            let mut sum = 0;
            for item in list(&row["items"]) {
                let label = text(&item["ticketTypeName"]);
                sum += by_label[&label];
                assert!(sold.insert(label), "{row}");
            }
            assert_eq!(row["total_amount"], sum);
            revenue += sum;
        }
    }
    assert_eq!(sold.len(), 265);
    let stats = shop.ok(&format!("/api/admin/stats?event={event}"), &shop.admin).await;
    assert_eq!(stats["revenue"], revenue);
    assert_eq!(revenue, 30 * 150_000 + 75 * 100_000 + 160 * 70_000);
    assert_eq!(stats["seats"]["sold"], 265);
    assert_eq!(stats["event"]["status"], "sold_out");
}

/// Wants seats at random and changes its mind now and then, until none is left. What it owns.
async fn buy(shop: &Shop, event: &str, seats: &[Value], token: &str, number: usize) -> Vec<Value> {
    let mut wishes = Wishes(number as u64);
    let mut owned = Vec::new();
    for round in 0.. {
        let count = 1 + wishes.next(4);
        let mut answer = if wishes.next(2) == 0 {
            let first = wishes.next(seats.len());
            let wanted: Vec<&Value> = seats.iter().skip(first).take(count).collect();
            shop.reserve(token, event, &wanted).await
        } else {
            best(shop, event, token, count).await
        };
        // Its own hold of the same seats is none that is new.
        if answer.0 != 201 {
            let is_own = answer.1["alreadyYours"] == true;
            assert!(is_own || answer.1["code"] == "SEAT_UNAVAILABLE", "{}", answer.1);
            answer = best(shop, event, token, 1).await;
        }
        if answer.0 != 201 {
            assert_eq!(answer.1["code"], "SEAT_UNAVAILABLE", "{}", answer.1);
            // What others hold may come back.
            match is_any_left(shop, event).await {
                true => continue,
                false => return owned,
            }
        }
        let reservation = &answer.1["reservation"];
        let id = text(&reservation["id"]);
        if round % 5 == 4 {
            assert_eq!(shop.cancel(token, &id).await.0, 200);
            continue;
        }
        let (status, answer) = shop.pay(token, &id).await;
        assert_eq!(status, 200, "{answer}");
        owned.extend(list(&reservation["seats"]).iter().map(|seat| seat["id"].clone()));
    }
    owned
}

async fn best(shop: &Shop, event: &str, token: &str, count: usize) -> (StatusCode, Value) {
    let body = json!({"eventId": event, "count": count});
    shop.post("/api/seats/best", token, &body).await
}

async fn is_any_left(shop: &Shop, event: &str) -> bool {
    let seats = shop.seats(event).await;
    seats.iter().any(|seat| seat["status"] != "reserved")
}

/// Runs both at the same time, each on a connection of its own.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    tokio::join!(a, b)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pay_and_cancel_have_one_order_of_things() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("torn").await;
    for seat in &seats[..40] {
        let id = shop.hold(&buyer, &event, seat).await;
        let (pay, cancel) = both(shop.pay(&buyer, &id), shop.cancel(&buyer, &id)).await;
        let (status, payment_status) = shop.standing(&buyer, &id).await;
        let now = (pay.0.as_u16(), cancel.0.as_u16(), status.as_str(), payment_status.as_str());
        match now {
            // Paid, then cancelled.
            (200, 200, "cancelled", "refunded")
            // Cancelled before the payment could begin.
            | (400, 200, "cancelled", "failed")
            // The payment was under way.
            | (200, 400, "confirmed", "completed") => {}
            other => panic!("{other:?}"),
        }
        let expected = if status == "confirmed" { "reserved" } else { "available" };
        let found = shop.seats(&event).await;
        let found = found.iter().find(|found| found["id"] == seat["id"]).expect("seat");
        assert_eq!(found["status"], expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_payments_and_of_two_cancellations_one_wins() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("double").await;
    for seat in &seats[..20] {
        let id = shop.hold(&buyer, &event, seat).await;
        let (a, b) = both(shop.pay(&buyer, &id), shop.pay(&buyer, &id)).await;
        let mut statuses = [a.0.as_u16(), b.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{} {}", a.1, b.1);
        let (a, b) = both(shop.cancel(&buyer, &id), shop.cancel(&buyer, &id)).await;
        let mut statuses = [a.0.as_u16(), b.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{} {}", a.1, b.1);
        let order = shop.ok(&format!("/api/admin/orders/{id}"), &shop.admin).await;
        assert_eq!(order["order"]["end_reason"], "cancelled_by_user");
    }
    assert_eq!(shop.counts(&event).await, (265, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pay_and_expire_have_one_winner() {
    let shop = Arc::new(Shop::open().await);
    let event = shop.seat_event(json!({"holdTtl": 1})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("late").await;
    let mut held = Vec::new();
    for seat in &seats[..60] {
        held.push((seat.clone(), shop.hold(&buyer, &event, seat).await));
    }
    // Paid one by one from the deadline of the first on: some are in time, some are not.
    let mut calls = JoinSet::new();
    for (at, (seat, id)) in held.into_iter().enumerate() {
        let (shop, buyer) = (shop.clone(), buyer.clone());
        calls.spawn(async move {
            let wait = std::time::Duration::from_millis(700 + 5 * at as u64);
            tokio::time::sleep(wait).await;
            (seat, shop.pay(&buyer, &id).await, id)
        });
    }
    let outcomes = calls.join_all().await;
    while shop.counts(&event).await.1 > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let now = shop.seats(&event).await;
    for (seat, (status, answer), id) in outcomes {
        let found = now.iter().find(|found| found["id"] == seat["id"]).expect("seat");
        let (standing, payment) = shop.standing(&buyer, &id).await;
        match status.as_u16() {
            200 => {
                assert_eq!((standing.as_str(), payment.as_str()), ("confirmed", "completed"));
                assert_eq!(found["status"], "reserved");
            }
            400 => {
                assert_eq!(answer["code"], "HOLD_EXPIRED", "{answer}");
                assert_eq!((standing.as_str(), payment.as_str()), ("cancelled", "failed"));
                assert_eq!(found["status"], "available");
            }
            other => panic!("{other}: {answer}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_and_payments_against_a_cancelled_event() {
    let shop = Arc::new(Shop::open().await);
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("unlucky").await;
    let mut calls = JoinSet::new();
    for seat in &seats[..100] {
        let (shop, buyer, event) = (shop.clone(), buyer.clone(), event.clone());
        let seat = seat.clone();
        calls.spawn(async move {
            let (status, answer) = shop.reserve(&buyer, &event, &[&seat]).await;
            if status == 201 {
                shop.pay(&buyer, &text(&answer["reservation"]["id"])).await;
            }
        });
    }
    tokio::task::yield_now().await;
    let cancel = format!("/api/admin/events/{event}/cancel");
    assert_eq!(shop.post_empty(&cancel, &shop.admin).await.0, 200);
    calls.join_all().await;
    // Orders that were being paid end with their payment.
    while shop.counts(&event).await != (265, 0, 0) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let mine = shop.ok("/api/reservations/my", &buyer).await;
    for row in list(&mine["reservations"]) {
        assert_eq!(row["status"], "cancelled", "{row}");
        assert!(["refunded", "failed"].contains(&text(&row["payment_status"]).as_str()));
    }
}
