//! Seat maps and holds (contract/http.md 2.4).

use reqwest::header::{CONTENT_ENCODING, ETAG};
use serde_json::{Value, json};

use crate::shop::{Shop, in_minutes, list, refused, shape, text, theatre_sections};

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";

#[tokio::test]
async fn the_map_has_the_contract_shape() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({"title": "지도"})).await;
    let map = shop.ok(&format!("/api/seats/events/{id}"), "").await;
    shape(&map, "event:object layout:object seats:list");
    assert_eq!(map["event"], json!({"id": id, "title": "지도"}));
    assert_eq!(map["layout"], json!({"sections": theatre_sections()}));
    let seats = list(&map["seats"]);
    assert_eq!(seats.len(), 265);
    for seat in seats {
        shape(
            seat,
            "id:uuid section:text row_number:int seat_number:int seat_label:text price:int status:text",
        );
        let label =
            format!("{}-{}-{}", text(&seat["section"]), seat["row_number"], seat["seat_number"]);
        assert_eq!(seat["seat_label"], label);
        assert_eq!(seat["status"], "available");
    }
    let expect = |at: usize, label: &str, price: u32| {
        assert_eq!((&seats[at]["seat_label"], &seats[at]["price"]), (&json!(label), &json!(price)));
    };
    expect(0, "VIP-1-1", 150_000);
    expect(29, "VIP-3-10", 150_000);
    expect(30, "R-4-1", 100_000);
    expect(105, "S-9-1", 70_000);
    expect(264, "S-16-20", 70_000);

    let (tickets, _) = shop.ticket_event(json!([])).await;
    for (unknown, status, code) in
        [("1", 400, "BAD_ID"), (FOREIGN, 404, "NOT_FOUND"), (&tickets, 404, "NOT_FOUND")]
    {
        refused(shop.get(&format!("/api/seats/events/{unknown}"), "").await, status, code);
    }
}

#[tokio::test]
async fn the_map_is_current_tagged_and_compressed() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({})).await;
    let path = format!("/api/seats/events/{id}");
    let buyer = shop.buyer("mapper").await;
    let mut seats = shop.seats(&id).await;
    let first = shop.gateway.get(&path).await;
    let tag = first.headers()[ETAG].clone();
    let get = |tag: &reqwest::header::HeaderValue| {
        shop.gateway.request("GET", &path).header("if-none-match", tag)
    };
    let same = get(&tag).send().await.expect("answer");
    assert_eq!(same.status(), 304);
    assert_eq!(same.headers()[ETAG], tag);
    // Every acknowledged write is in the next map, whoever reads it and however fast they follow.
    for at in 0..20 {
        let seat = seats[at].clone();
        shop.hold(&buyer, &id, &seat).await;
        seats[at]["status"] = json!("locked");
        assert_eq!(shop.seats(&id).await, seats, "after hold {at}");
    }
    let changed = get(&tag).send().await.expect("answer");
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.headers()[ETAG], tag);

    let title = json!({"title": "새 제목"});
    let event = format!("/api/admin/events/{id}");
    assert_eq!(shop.gateway.call("PUT", &event, &shop.admin, &title).await.0, 200);
    assert_eq!(shop.ok(&path, "").await["event"]["title"], "새 제목");

    for (encoding, expected) in [("gzip", Some("gzip")), ("br", Some("br")), ("identity", None)] {
        let request = shop.gateway.request("GET", &path).header("accept-encoding", encoding);
        let answer = request.send().await.expect("answer");
        let found =
            answer.headers().get(CONTENT_ENCODING).map(|value| value.to_str().expect("ascii"));
        assert_eq!(found, expected);
        let bytes = answer.bytes().await.expect("body");
        assert_eq!(expected.is_some(), bytes.len() < 20_000, "{} bytes", bytes.len());
    }
}

#[tokio::test]
async fn a_hold_has_the_contract_shape() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({})).await;
    let seats = shop.seats(&id).await;
    let buyer = shop.buyer("holder").await;
    // Out of order, as somebody may have clicked them.
    let (status, answer) = shop.reserve(&buyer, &id, &[&seats[31], &seats[4]]).await;
    assert_eq!(status, 201, "{answer}");
    shape(&answer, "message:text reservation:object");
    let reservation = &answer["reservation"];
    shape(reservation, "id:uuid reservationNumber:text totalAmount:int expiresAt:time seats:list");
    assert_eq!(reservation["totalAmount"], 250_000);
    let number = text(&reservation["reservationNumber"]);
    assert!(number.starts_with("TK") && number.len() == 20, "{number}");
    for seat in list(&reservation["seats"]) {
        shape(seat, "id:uuid seat_label:text price:int status:text");
        assert_eq!(seat["status"], "locked");
    }
    let labels: Vec<&Value> =
        list(&reservation["seats"]).iter().map(|seat| &seat["seat_label"]).collect();
    assert_eq!(labels, ["VIP-1-5", "R-4-2"]);
    assert_eq!(shop.counts(&id).await, (263, 2, 0));

    // Five minutes, by the server's own clock.
    let path = format!("/api/seats/reservation/{}", text(&reservation["id"]));
    let found = shop.ok(&path, &buyer).await;
    let found = &found["reservation"];
    let at = |name: &str| text(&found[name]).parse::<jiff::Timestamp>().expect("time");
    assert_eq!((at("expires_at") - at("created_at")).get_milliseconds(), 0);
    assert_eq!(at("expires_at").as_millisecond() - at("created_at").as_millisecond(), 300_000);
}

#[tokio::test]
async fn a_reservation_of_seats_has_the_contract_shape() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({"title": "좌석 공연"})).await;
    let seats = shop.seats(&id).await;
    let (buyer, other) = (shop.buyer("own").await, shop.buyer("other").await);
    let reservation = shop.hold(&buyer, &id, &seats[4]).await;
    let path = format!("/api/seats/reservation/{reservation}");
    let answer = shop.ok(&path, &buyer).await;
    shape(&answer, "reservation:object");
    // No `isExpired` unless it is.
    shape(
        &answer["reservation"],
        "id:uuid reservation_number:text total_amount:int status:text payment_status:text \
         payment_method:text? expires_at:time created_at:time event_id:uuid event_title:text \
         venue:text event_date:time seats:list",
    );
    let found = &answer["reservation"];
    assert_eq!(
        (&found["status"], &found["payment_status"]),
        (&json!("pending"), &json!("pending"))
    );
    assert_eq!(found["payment_method"], Value::Null);
    let expected = json!([{
        "seatId": seats[4]["id"], "seatLabel": "VIP-1-5", "section": "VIP", "rowNumber": 1,
        "seatNumber": 5, "price": 150_000,
    }]);
    assert_eq!(found["seats"], expected);

    // Ticket types have entries with nothing but a price.
    let (tickets, types) =
        shop.ticket_event(json!([{"name": "R", "price": "1000", "totalQuantity": "5"}])).await;
    let body =
        json!({"eventId": tickets, "items": [{"ticketTypeId": types[0]["id"], "quantity": 2}]});
    let (_, made) = shop.post("/api/reservations", &buyer, &body).await;
    let of_tickets = format!("/api/seats/reservation/{}", text(&made["reservation"]["id"]));
    let answer = shop.ok(&of_tickets, &buyer).await;
    assert_eq!(answer["reservation"]["expires_at"], made["reservation"]["expiresAt"]);
    let expected = json!([{
        "seatId": null, "seatLabel": null, "section": null, "rowNumber": null,
        "seatNumber": null, "price": 1000,
    }]);
    assert_eq!(answer["reservation"]["seats"], expected);

    refused(shop.get(&path, "").await, 401, "AUTH_REQUIRED");
    refused(shop.get(&path, &other).await, 404, "NOT_FOUND");
    refused(shop.get(&format!("/api/seats/reservation/{FOREIGN}"), &buyer).await, 404, "NOT_FOUND");
    refused(shop.get("/api/seats/reservation/1", &buyer).await, 400, "BAD_ID");
}

#[tokio::test]
async fn holds_that_are_refused() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({})).await;
    let elsewhere = shop.seat_event(json!({})).await;
    let (seats, others) = (shop.seats(&id).await, shop.seats(&elsewhere).await);
    let (buyer, rival) = (shop.buyer("refused").await, shop.buyer("rival").await);
    shop.hold(&rival, &id, &seats[0]).await;
    let seat = |at: usize| seats[at]["id"].clone();
    let many: Vec<Value> = (1..=5).map(seat).collect();
    let nine: Vec<Value> = (1..=9).map(seat).collect();
    for (body, code) in [
        (json!({}), "VALIDATION"),
        (json!([]), "VALIDATION"),
        (json!("x"), "VALIDATION"),
        (json!({"seatIds": [seat(1)]}), "VALIDATION"),
        (json!({"eventId": id}), "VALIDATION"),
        (json!({"eventId": "x", "seatIds": [seat(1)]}), "BAD_ID"),
        (json!({"eventId": 7, "seatIds": [seat(1)]}), "VALIDATION"),
        (json!({"eventId": null, "seatIds": [seat(1)]}), "VALIDATION"),
        (json!({"eventId": id, "seatIds": []}), "VALIDATION"),
        (json!({"eventId": id, "seatIds": seat(1)}), "VALIDATION"),
        (json!({"eventId": id, "seatIds": {"0": seat(1)}}), "VALIDATION"),
        (json!({"eventId": id, "seatIds": ["VIP-1-2"]}), "BAD_ID"),
        (json!({"eventId": id, "seatIds": [1]}), "VALIDATION"),
        (json!({"eventId": id, "seatIds": [null]}), "VALIDATION"),
        (json!({"eventId": id, "seatIds": [seat(1), seat(1)]}), "VALIDATION"),
        (json!({"eventId": id, "seatIds": many}), "SEAT_LIMIT"),
        (json!({"eventId": id, "seatIds": nine}), "SEAT_LIMIT"),
        (json!({"eventId": id, "seatIds": [FOREIGN]}), "NOT_FOUND"),
        (json!({"eventId": id, "seatIds": [id]}), "NOT_FOUND"),
        (json!({"eventId": id, "seatIds": [others[1]["id"]]}), "NOT_FOUND"),
        (json!({"eventId": FOREIGN, "seatIds": [seat(1)]}), "NOT_FOUND"),
        (json!({"eventId": shop.theatre, "seatIds": [seat(1)]}), "NOT_FOUND"),
        (json!({"eventId": id, "seatIds": [seat(0)]}), "SEAT_UNAVAILABLE"),
        (json!({"eventId": id, "seatIds": [seat(1), seat(0)]}), "SEAT_UNAVAILABLE"),
    ] {
        let answer = shop.post("/api/seats/reserve", &buyer, &body).await;
        assert_eq!(answer.0, 400, "{body}: {}", answer.1);
        assert_eq!(answer.1["code"], code, "{body}");
        refused(answer, 400, code);
    }
    let (_, taken) = shop.reserve(&buyer, &id, &[&seats[1], &seats[0]]).await;
    assert!(text(&taken["error"]).contains("VIP-1-1"), "{taken}");
    assert_eq!(taken["unavailableSeats"], json!(["VIP-1-1"]));
    // Nothing was held by any of them.
    assert_eq!(shop.counts(&id).await, (264, 1, 0));
    assert_eq!(shop.ok("/api/reservations/my", &buyer).await["reservations"], json!([]));
    // Who asks comes before what is asked for.
    let body = json!({"eventId": id, "seatIds": [seat(1)]});
    refused(shop.post("/api/seats/reserve", "", &body).await, 401, "AUTH_REQUIRED");
    refused(shop.post("/api/seats/reserve", "nonsense", &json!({})).await, 403, "TOKEN_INVALID");
    // Who buys is who the token says; a body that says more is not taken for less.
    let body = json!({"eventId": id, "seatIds": [seat(1)], "userId": "somebody else"});
    refused(shop.post("/api/seats/reserve", &buyer, &body).await, 400, "VALIDATION");
}

#[tokio::test]
async fn seats_are_sold_only_within_the_sale_window() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("early").await;
    for change in [
        json!({"saleStartDate": in_minutes(1)}),
        json!({"saleStartDate": in_minutes(-9), "saleEndDate": in_minutes(-1)}),
        json!({"eventDate": in_minutes(-1)}),
    ] {
        let id = shop.seat_event(change).await;
        let seats = shop.seats(&id).await;
        refused(shop.reserve(&buyer, &id, &[&seats[0]]).await, 400, "NOT_ON_SALE");
    }
    let id = shop.seat_event(json!({})).await;
    let seats = shop.seats(&id).await;
    let cancel = format!("/api/admin/events/{id}/cancel");
    assert_eq!(shop.post_empty(&cancel, &shop.admin).await.0, 200);
    refused(shop.reserve(&buyer, &id, &[&seats[0]]).await, 400, "NOT_ON_SALE");
}

#[tokio::test]
async fn events_have_limits_of_their_own() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({"maxSeats": 2, "maxPerUser": "3", "holdTtl": 60})).await;
    let seats = shop.seats(&id).await;
    let buyer = shop.buyer("greedy").await;
    let answer = shop.reserve(&buyer, &id, &[&seats[0], &seats[1], &seats[2]]).await;
    assert_eq!(answer.1["max"], 2);
    refused(answer, 400, "SEAT_LIMIT");
    assert_eq!(shop.reserve(&buyer, &id, &[&seats[0], &seats[1]]).await.0, 201);
    refused(shop.reserve(&buyer, &id, &[&seats[2], &seats[3]]).await, 400, "SEAT_LIMIT");
    let reservation = shop.hold(&buyer, &id, &seats[2]).await;
    refused(shop.reserve(&buyer, &id, &[&seats[3]]).await, 400, "SEAT_LIMIT");
    // What is given back counts no more.
    assert_eq!(shop.cancel(&buyer, &reservation).await.0, 200);
    shop.hold(&buyer, &id, &seats[3]).await;
}
