//! `Idempotency-Key`: the same request twice is one request.

use serde_json::{Value, json};

use crate::shop::{Shop, refused, text};

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_also_after_a_restart() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let (tickets, types) =
        shop.ticket_event(json!([{"name": "R", "price": "1000", "totalQuantity": "5"}])).await;
    let (buyer, other) = (shop.buyer("twice").await, shop.buyer("once").await);
    let reserve = json!({"eventId": event, "seatIds": [seats[1]["id"], seats[0]["id"]]});
    let best = json!({"eventId": event, "count": 2, "section": "R"});
    let order =
        json!({"eventId": tickets, "items": [{"ticketTypeId": types[0]["id"], "quantity": 2}]});
    let mut requests = vec![
        ("/api/seats/reserve", reserve),
        ("/api/seats/best", best),
        ("/api/reservations", order),
    ];
    let mut answers = Vec::new();
    for (path, body) in &requests {
        // One key for all: another route is another key.
        let first = shop.post_with_key(path, &buyer, body, "k").await;
        assert_eq!(first.0, 201, "{path}: {}", first.1);
        answers.push(first);
    }
    let pay =
        json!({"reservationId": answers[0].1["reservation"]["id"], "paymentMethod": "naver_pay"});
    let first = shop.post_with_key("/api/payments/process", &buyer, &pay, "k").await;
    assert_eq!(first.0, 200, "{}", first.1);
    answers.push(first);
    requests.push(("/api/payments/process", pay));

    let before = (shop.counts(&event).await, stock(&shop, &tickets).await);
    assert_eq!(before, ((261, 2, 2), 3));
    repeat(&shop, &buyer, &requests, &answers).await;
    // The seats in another order are the same request.
    let turned = json!({"seatIds": [seats[0]["id"], seats[1]["id"]], "eventId": event});
    let again = shop.post_with_key("/api/seats/reserve", &buyer, &turned, "k").await;
    assert_eq!(again, answers[0]);

    let shop = shop.restart(|_| {}).await;
    repeat(&shop, &buyer, &requests, &answers).await;
    assert_eq!((shop.counts(&event).await, stock(&shop, &tickets).await), before);

    // Also once the order is over: what was answered is what happened then.
    let cancelled = text(&answers[0].1["reservation"]["id"]);
    assert_eq!(shop.cancel(&buyer, &cancelled).await.0, 200);
    repeat(&shop, &buyer, &requests, &answers).await;
    assert_eq!(shop.counts(&event).await, (263, 2, 0));

    // Somebody else's key is another key.
    let theirs = shop.post_with_key("/api/seats/reserve", &other, &requests[0].1, "k").await;
    assert_eq!(theirs.0, 201);
    assert_ne!(theirs.1, answers[0].1);
}

async fn repeat(
    shop: &Shop,
    buyer: &str,
    requests: &[(&str, Value)],
    answers: &[(reqwest::StatusCode, Value)],
) {
    for ((path, body), answer) in requests.iter().zip(answers) {
        let again = shop.post_with_key(path, buyer, body, "k").await;
        assert_eq!(again, *answer, "{path}");
    }
}

async fn stock(shop: &Shop, event: &str) -> u64 {
    let answer = shop.ok(&format!("/api/tickets/event/{event}"), "").await;
    answer["ticketTypes"][0]["available_quantity"].as_u64().expect("count")
}

#[tokio::test]
async fn a_key_belongs_to_its_content() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("reuse").await;
    let body = |at: usize| json!({"eventId": event, "seatIds": [seats[at]["id"]]});
    let path = "/api/seats/reserve";
    let (status, held) = shop.post_with_key(path, &buyer, &body(0), "k").await;
    assert_eq!(status, 201);
    refused(shop.post_with_key(path, &buyer, &body(1), "k").await, 422, "IDEMPOTENCY_CONFLICT");
    assert_eq!(shop.counts(&event).await, (264, 1, 0));
    // A refusal changed nothing, so it is not remembered.
    let other = shop.buyer("later").await;
    refused(shop.post_with_key(path, &other, &body(0), "k2").await, 400, "SEAT_UNAVAILABLE");
    // Nor is that the seat is the caller's already.
    assert_eq!(shop.post_with_key(path, &buyer, &body(0), "k3").await.0, 200);
    assert_eq!(shop.cancel(&buyer, &text(&held["reservation"]["id"])).await.0, 200);
    assert_eq!(shop.post_with_key(path, &other, &body(0), "k2").await.0, 201);
    assert_eq!(shop.post_with_key(path, &buyer, &body(2), "k3").await.0, 201);
    // Another method is another payment.
    let pay = |method| json!({"reservationId": held["reservation"]["id"], "paymentMethod": method});
    let mine = shop.hold(&buyer, &event, &seats[5]).await;
    let pay_mine = json!({"reservationId": mine, "paymentMethod": "naver_pay"});
    let process = "/api/payments/process";
    assert_eq!(shop.post_with_key(process, &buyer, &pay_mine, "k").await.0, 200);
    let other = shop.post_with_key(process, &buyer, &pay("kakao_pay"), "k").await;
    refused(other, 422, "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn keys_that_are_no_keys() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("keys").await;
    let body = json!({"eventId": event, "seatIds": [seats[0]["id"]]});
    let long = "k".repeat(256);
    for key in [&b""[..], b" ", long.as_bytes(), "열쇠".as_bytes(), b"\xff"] {
        let value = reqwest::header::HeaderValue::from_bytes(key).expect("header");
        let request = shop.gateway.request("POST", "/api/seats/reserve").bearer_auth(&buyer);
        let request = request.header("idempotency-key", value).json(&body);
        let answer = crate::support::read(request.send().await.expect("answer")).await;
        refused(answer, 400, "VALIDATION");
    }
    assert_eq!(shop.counts(&event).await, (265, 0, 0));
    let longest = "k".repeat(255);
    let answer = shop.post_with_key("/api/seats/reserve", &buyer, &body, &longest).await;
    assert_eq!(answer.0, 201);
}

#[tokio::test]
async fn many_at_once_with_one_key_are_one_hold() {
    let shop = std::sync::Arc::new(Shop::open().await);
    let event = shop.seat_event(json!({})).await;
    let buyer = shop.buyer("burst").await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (shop, buyer, event) = (shop.clone(), buyer.clone(), event.clone());
        calls.spawn(async move {
            let body = json!({"eventId": event, "count": 2});
            shop.post_with_key("/api/seats/best", &buyer, &body, "burst").await
        });
    }
    let answers = calls.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 201), "{answers:?}");
    assert_eq!(shop.counts(&event).await, (263, 2, 0));
}
