//! The same click twice makes one order, and seats that are the caller's already are that hold.

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, text};

/// Reservations of a buyer, newest first.
async fn mine(shop: &Shop, buyer: &str) -> Vec<Value> {
    let answer = shop.ok("/api/reservations/my", buyer).await;
    list(&answer["reservations"]).to_vec()
}

#[tokio::test]
async fn an_equal_order_of_a_moment_ago_is_answered_with_again() {
    let shop = Shop::open().await;
    let kinds = json!([{"name": "R", "price": "1000", "totalQuantity": "90"}]);
    let (event, kinds) = shop.ticket_event(kinds).await;
    let (buyer, other) = (shop.buyer("twice").await, shop.buyer("other").await);
    let body = |quantity: u32| {
        let items = json!([{"ticketTypeId": kinds[0]["id"], "quantity": quantity}]);
        json!({"eventId": event, "items": items})
    };
    let path = "/api/reservations";
    let one = body(1);
    let clicks = tokio::join!(
        shop.post(path, &buyer, &one),
        shop.post(path, &buyer, &one),
        shop.post(path, &buyer, &one)
    );
    let first = clicks.0.1["reservation"].clone();
    for (status, answer) in [clicks.0, clicks.1, clicks.2] {
        assert_eq!(status, 201, "{answer}");
        assert_eq!(answer["reservation"], first);
    }
    // Spelled otherwise it is the same.
    let spelled = json!({"items": one["items"], "eventId": one["eventId"]});
    assert_eq!(shop.post(path, &buyer, &spelled).await.1["reservation"], first);
    assert_eq!(mine(&shop, &buyer).await.len(), 1);
    // Another content, another buyer, a key: another order.
    assert_ne!(shop.post(path, &buyer, &body(2)).await.1["reservation"], first);
    assert_ne!(shop.post(path, &other, &one).await.1["reservation"], first);
    assert_ne!(shop.post_with_key(path, &buyer, &one, "k").await.1["reservation"], first);
    assert_eq!(mine(&shop, &buyer).await.len(), 3);
    // One that is over is not answered with.
    assert_eq!(shop.cancel(&buyer, &text(&first["id"])).await.0, 200);
    let (status, second) = shop.post(path, &buyer, &one).await;
    assert_eq!(status, 201, "{second}");
    assert_ne!(second["reservation"]["id"], first["id"]);
    // The log knows it too.
    let shop = shop.restart(|_| {}).await;
    assert_eq!(shop.post(path, &buyer, &one).await.1["reservation"], second["reservation"]);
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    let (status, third) = shop.post(path, &buyer, &one).await;
    assert_eq!(status, 201, "{third}");
    assert_ne!(third["reservation"]["id"], second["reservation"]["id"]);
    assert_eq!(mine(&shop, &buyer).await.len(), 5);
}

#[tokio::test]
async fn seats_that_are_held_already_are_that_hold() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({"maxPerUser": 5})).await;
    let seats = shop.seats(&event).await;
    let (buyer, other) = (shop.buyer("again").await, shop.buyer("theirs").await);
    let (status, held) = shop.reserve(&buyer, &event, &[&seats[0], &seats[1]]).await;
    assert_eq!(status, 201, "{held}");
    assert_eq!(held.get("alreadyYours"), None);
    // In any order.
    for wanted in [[&seats[0], &seats[1]], [&seats[1], &seats[0]]] {
        let (status, again) = shop.reserve(&buyer, &event, &wanted).await;
        assert_eq!((status.as_u16(), &again["alreadyYours"]), (200, &json!(true)), "{again}");
        assert_eq!(again["reservation"], held["reservation"]);
    }
    let (_, theirs) = shop.reserve(&other, &event, &[&seats[4]]).await;
    assert_eq!(theirs["message"], "좌석을 잡았어요.");
    // Some, more, and others': whose are which, and nothing changes.
    for (wanted, yours, taken) in [
        (vec![&seats[0]], json!(["VIP-1-1"]), json!([])),
        (vec![&seats[0], &seats[2]], json!(["VIP-1-1"]), json!([])),
        (vec![&seats[4], &seats[2], &seats[1]], json!(["VIP-1-2"]), json!(["VIP-1-5"])),
    ] {
        let (status, answer) = shop.reserve(&buyer, &event, &wanted).await;
        assert_eq!((&answer["yours"], &answer["taken"]), (&yours, &taken), "{answer}");
        assert!(text(&answer["error"]).contains("내가 이미 잡은 좌석"), "{answer}");
        refused((status, answer), 400, "SEAT_UNAVAILABLE");
        assert_eq!(shop.counts(&event).await, (262, 3, 0));
    }
    // All of them taken by another is as it was.
    let (_, answer) = shop.reserve(&buyer, &event, &[&seats[4]]).await;
    assert_eq!((answer.get("yours"), &answer["unavailableSeats"]), (None, &json!(["VIP-1-5"])));
    // Two holds are not one.
    let (_, second) = shop.reserve(&buyer, &event, &[&seats[2], &seats[3]]).await;
    let (_, answer) = shop.reserve(&buyer, &event, &[&seats[1], &seats[2]]).await;
    assert_eq!(answer["code"], "SEAT_LIMIT", "the cap comes first: {answer}");
    // At the cap, what is held is still that hold.
    let (status, again) = shop.reserve(&buyer, &event, &[&seats[2], &seats[3]]).await;
    assert_eq!((status.as_u16(), &again["reservation"]), (200, &second["reservation"]));
    // What is paid is no hold any more.
    assert_eq!(shop.cancel(&buyer, &text(&second["reservation"]["id"])).await.0, 200);
    assert_eq!(shop.pay(&buyer, &text(&held["reservation"]["id"])).await.0, 200);
    let (status, answer) = shop.reserve(&buyer, &event, &[&seats[0], &seats[1]]).await;
    assert_eq!(answer["yours"], json!(["VIP-1-1", "VIP-1-2"]), "{answer}");
    refused((status, answer), 400, "SEAT_UNAVAILABLE");
}

#[tokio::test]
async fn two_clicks_at_once_on_the_same_seats_are_one_hold() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("eager").await;
    for pair in seats[..40].chunks(2) {
        let wanted: Vec<&Value> = pair.iter().collect();
        let (one, other) = tokio::join!(
            shop.reserve(&buyer, &event, &wanted),
            shop.reserve(&buyer, &event, &wanted)
        );
        let mut statuses = [one.0.as_u16(), other.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "{} {}", one.1, other.1);
        assert_eq!(one.1["reservation"], other.1["reservation"]);
    }
    assert_eq!(mine(&shop, &buyer).await.len(), 20);
}
