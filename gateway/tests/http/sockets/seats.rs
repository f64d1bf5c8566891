//! What a second viewer sees of seats: every change, in order, and never a stale end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use crate::shop::{Shop, text};
use crate::sockets::client::{Client, SOCKET_IO};
use crate::support::PATIENCE;

/// A viewer of the seat page, in its room.
async fn viewer(shop: &Shop, token: &str, event: &str) -> Client {
    let mut client = Client::connected(&shop.gateway, token).await;
    join(&mut client, event).await;
    client
}

async fn join(client: &mut Client, event: &str) {
    client.emit("join-seat-selection", json!({"eventId": event})).await;
    client.expect_nothing().await;
}

/// Checks the next event: this seat, this status.
async fn sees(client: &mut Client, seat: &Value, status: &str) {
    let name = if status == "available" { "seat-released" } else { "seat-selected" };
    let update = client.expect(name).await;
    assert_eq!((&update["seatId"], &update["status"]), (&seat["id"], &json!(status)));
    let object = update.as_object().expect("object");
    assert_eq!(object.keys().collect::<Vec<_>>(), ["seatId", "status", "timestamp"]);
    assert!(text(&update["timestamp"]).ends_with('Z'));
}

/// Pays through the sandbox: the order id of the payment.
async fn pay_by_card(shop: &Shop, token: &str, reservation: &Value) -> String {
    let body = json!({"reservationId": reservation});
    let (_, order) = shop.post("/api/payments/toss/request", token, &body).await;
    let mut payment = json!({"orderId": order["orderId"], "amount": order["amount"]});
    let path = "/sandbox/toss/sandbox/authenticate";
    payment["paymentKey"] = shop.post(path, "", &payment).await.1["paymentKey"].clone();
    assert_eq!(shop.post("/api/payments/toss/confirm", token, &payment).await.0, 200);
    text(&order["orderId"])
}

#[tokio::test]
async fn held_paid_cancelled_expired_blocked() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let brief = shop.seat_event(json!({"holdTtl": 1})).await;
    let (a, b) = (shop.buyer("a").await, shop.buyer("b").await);
    let seats = shop.seats(&event).await;
    let mut viewer = viewer(&shop, &b, &event).await;
    // Bought.
    let bought = shop.hold(&a, &event, &seats[0]).await;
    sees(&mut viewer, &seats[0], "locked").await;
    assert_eq!(shop.pay(&a, &bought).await.0, 200);
    sees(&mut viewer, &seats[0], "reserved").await;
    // Paid and cancelled.
    assert_eq!(shop.cancel(&a, &bought).await.0, 200);
    sees(&mut viewer, &seats[0], "available").await;
    // Not paid in time.
    join(&mut viewer, &brief).await;
    let briefly = shop.seats(&brief).await[1].clone();
    shop.hold(&a, &brief, &briefly).await;
    sees(&mut viewer, &briefly, "locked").await;
    sees(&mut viewer, &briefly, "available").await;
    // Two at once, one event each.
    let (status, answer) = shop.reserve(&a, &event, &[&seats[2], &seats[3]]).await;
    assert_eq!(status, 201, "{answer}");
    sees(&mut viewer, &seats[2], "locked").await;
    sees(&mut viewer, &seats[3], "locked").await;
    assert_eq!(shop.cancel(&a, &text(&answer["reservation"]["id"])).await.0, 200);
    sees(&mut viewer, &seats[2], "available").await;
    sees(&mut viewer, &seats[3], "available").await;
    // One of two paid seats given back.
    let (_, answer) = shop.reserve(&a, &event, &[&seats[6], &seats[7]]).await;
    sees(&mut viewer, &seats[6], "locked").await;
    sees(&mut viewer, &seats[7], "locked").await;
    let order = pay_by_card(&shop, &a, &answer["reservation"]["id"]).await;
    sees(&mut viewer, &seats[6], "reserved").await;
    sees(&mut viewer, &seats[7], "reserved").await;
    let path = format!("/api/payments/{order}/refund");
    let (status, answer) = shop.post(&path, &a, &json!({"seatIds": [seats[6]["id"]]})).await;
    assert_eq!(status, 200, "{answer}");
    sees(&mut viewer, &seats[6], "available").await;
    sees(&mut viewer, &seats[7], "reserved").await;
    // Off sale and on again; why is nobody's business.
    let blocked = json!({"seats": [seats[4]["id"]]});
    for (action, status) in [("block", "reserved"), ("unblock", "available")] {
        let path = format!("/api/admin/events/{event}/seats/{action}");
        assert_eq!(shop.post(&path, &shop.admin, &blocked).await.0, 200);
        sees(&mut viewer, &seats[4], status).await;
    }
    // The event is called off.
    let held = shop.hold(&a, &event, &seats[5]).await;
    sees(&mut viewer, &seats[5], "locked").await;
    let path = format!("/api/admin/events/{event}/cancel");
    assert_eq!(shop.post_empty(&path, &shop.admin).await.0, 200);
    sees(&mut viewer, &seats[5], "available").await;
    assert_eq!(shop.standing(&a, &held).await.0, "cancelled");
}

#[tokio::test]
async fn who_joins_late_is_told_of_the_last_seconds() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let other = shop.seat_event(json!({})).await;
    let token = shop.buyer("a").await;
    let seats = shop.seats(&event).await;
    // Nobody looks.
    let held = shop.hold(&token, &event, &seats[7]).await;
    let given_back = shop.hold(&token, &event, &seats[8]).await;
    assert_eq!(shop.cancel(&token, &given_back).await.0, 200);
    // The follower may be a moment behind the answer.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut client = Client::connected(&shop.gateway, &token).await;
    client.emit("join-seat-selection", json!({"eventId": event})).await;
    sees(&mut client, &seats[7], "locked").await;
    sees(&mut client, &seats[8], "available").await;
    // Joining again, or another event, replays nothing.
    join(&mut client, &event).await;
    join(&mut client, &other).await;
    assert_eq!(shop.cancel(&token, &held).await.0, 200);
    sees(&mut client, &seats[7], "available").await;
    // Who is not in the room is told nothing.
    let mut elsewhere = viewer(&shop, &token, &other).await;
    shop.hold(&token, &event, &seats[9]).await;
    sees(&mut client, &seats[9], "locked").await;
    elsewhere.expect_nothing().await;
}

/// The statuses of the map over HTTP, by id.
async fn map(shop: &Shop, event: &str) -> HashMap<String, String> {
    let seats = shop.seats(event).await;
    seats.iter().map(|seat| (text(&seat["id"]), text(&seat["status"]))).collect()
}

/// Applies events until the map is this one; returns how many it took.
async fn follow(
    client: &mut Client,
    known: &mut HashMap<String, String>,
    end: &HashMap<String, String>,
) -> usize {
    let mut events = 0;
    while known != end {
        let (_, update) = client.event().await;
        known.insert(text(&update["seatId"]), text(&update["status"]));
        events += 1;
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_viewer_ends_at_the_same_map_and_delays_nobody() {
    let shop = Shop::open().await;
    let sections = json!([{"name": "A", "rows": 40, "seatsPerRow": 50, "price": 1_000}]);
    let event =
        shop.event(json!({"layout": {"name": "arena", "sections": sections}, "maxSeats": 8}));
    let event = text(&event.await["id"]);
    let (token, fast_token) = (shop.buyer("a").await, shop.buyer("b").await);
    let seats = shop.seats(&event).await;
    let mut known_fast = map(&shop, &event).await;
    let mut known_slow = known_fast.clone();
    let mut fast = viewer(&shop, &fast_token, &event).await;
    // A viewer that reads nothing, through as small a window as the kernel allows.
    let small = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
    small.set_recv_buffer_size(1).expect("size");
    small.connect(&shop.gateway.address().into()).expect("connect");
    small.set_nonblocking(true).expect("asynchronous");
    let stream = TcpStream::from_std(small.into()).expect("stream");
    let mut slow = Client::open_on(stream, SOCKET_IO, "").await;
    slow.text().await;
    slow.say(&format!("40{}", json!({"token": token}))).await;
    slow.text().await;
    join(&mut slow, &event).await;

    let mut late = Duration::ZERO;
    let mut rounds = 0;
    // Until its queue is full for certain: all seats held and given back, over and over.
    loop {
        let mut held = Vec::new();
        for seats in seats.chunks(8) {
            let (status, answer) =
                shop.reserve(&token, &event, &seats.iter().collect::<Vec<_>>()).await;
            assert_eq!(status, 201, "{answer}");
            let answered = Instant::now();
            held.push(text(&answer["reservation"]["id"]));
            for seat in seats {
                loop {
                    let (_, update) = fast.event().await;
                    let id = text(&update["seatId"]);
                    known_fast.insert(id.clone(), text(&update["status"]));
                    if seat["id"] == id.as_str() && update["status"] == "locked" {
                        break;
                    }
                }
            }
            late = late.max(answered.elapsed());
        }
        rounds += 1;
        for reservation in &held {
            assert_eq!(shop.cancel(&token, reservation).await.0, 200);
        }
        let metrics = shop.gateway.get("/metrics").await.text().await.expect("text");
        let behind =
            metrics.lines().find_map(|line| line.strip_prefix("tiketi_sockets_behind_total "));
        if behind.is_some_and(|count| count != "0") {
            break;
        }
        assert!(rounds < 20, "the slow one's queue never fills");
    }
    // A generous bound for a busy machine: a fast viewer never waits for a slow one.
    assert!(late < Duration::from_secs(5), "{late:?}");
    // An end that none of the rounds came by.
    let last = [&seats[0], &seats[9], &seats[1_999]];
    assert_eq!(shop.reserve(&token, &event, &last).await.0, 201);
    let end = map(&shop, &event).await;
    follow(&mut fast, &mut known_fast, &end).await;
    let events = follow(&mut slow, &mut known_slow, &end).await;
    // It was not given everything that happened, but what became of it.
    assert!(events < rounds * 2 * seats.len(), "{events} in {rounds} rounds");
    assert_eq!(known_slow, known_fast);
    let metrics = shop.gateway.get("/metrics").await.text().await.expect("text");
    assert!(!metrics.contains("tiketi_socket_resyncs_total 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_viewer_that_takes_nothing_for_too_long_is_cut_off() {
    let shop = Shop::with(|config| {
        config.socket_times.write_within = Duration::from_millis(300);
        config.socket_times.ping_every = Duration::from_millis(100);
        config.socket_times.pong_within = Duration::from_secs(600);
    })
    .await;
    let token = shop.buyer("a").await;
    let mut client = Client::connected(&shop.gateway, &token).await;
    // Answers that nobody reads.
    let refusal = format!("40/{},{{}}", "x".repeat(90));
    let deadline = Instant::now() + PATIENCE;
    let stalled = "tiketi_socket_closes_total{reason=\"stalled\"} 1";
    loop {
        // So few that those which wait while it cannot write are no flood.
        for _ in 0..100 {
            client.say(&refusal).await;
        }
        tokio::time::sleep(Duration::from_millis(110)).await;
        let metrics = shop.gateway.get("/metrics").await.text().await.expect("text");
        if metrics.lines().any(|line| line == stalled) {
            break;
        }
        assert!(Instant::now() < deadline, "{metrics}");
    }
}
