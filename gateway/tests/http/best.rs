//! `POST /api/seats/best`: the server chooses.

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};

fn labels(answer: &Value) -> Vec<String> {
    let seats = list(&answer["reservation"]["seats"]);
    seats.iter().map(|seat| text(&seat["seat_label"])).collect()
}

#[tokio::test]
async fn the_best_seats_are_side_by_side_in_the_front_centre() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({})).await;
    let buyer = shop.buyer("best").await;
    let ask = async |body: Value| shop.post("/api/seats/best", &buyer, &body).await;
    let (status, answer) = ask(json!({"eventId": id, "count": 2})).await;
    assert_eq!(status, 201, "{answer}");
    shape(&answer, "message:text reservation:object");
    shape(
        &answer["reservation"],
        "id:uuid reservationNumber:text totalAmount:int expiresAt:time seats:list",
    );
    assert_eq!(labels(&answer), ["VIP-1-5", "VIP-1-6"]);
    assert_eq!(answer["reservation"]["totalAmount"], 300_000);
    let (status, answer) = ask(json!({"eventId": id, "count": 3, "section": "S"})).await;
    assert_eq!(status, 201, "{answer}");
    assert!(labels(&answer).iter().all(|label| label.starts_with("S-9-")), "{answer}");
    assert_eq!(shop.counts(&id).await, (260, 5, 0));
    for (body, code) in [
        (json!({"eventId": id}), "VALIDATION"),
        (json!({"eventId": id, "count": 0}), "VALIDATION"),
        (json!({"eventId": id, "count": -1}), "VALIDATION"),
        (json!({"eventId": id, "count": "2"}), "VALIDATION"),
        (json!({"eventId": id, "count": 1.5}), "VALIDATION"),
        (json!({"eventId": id, "count": 5}), "SEAT_LIMIT"),
        (json!({"eventId": id, "count": 4_294_967_295_u32}), "SEAT_LIMIT"),
        (json!({"eventId": id, "count": 1, "section": "Z"}), "NOT_FOUND"),
        (json!({"eventId": id, "count": 1, "section": 1}), "VALIDATION"),
        (json!({"eventId": "x", "count": 1}), "BAD_ID"),
        (json!({"eventId": shop.theatre, "count": 1}), "NOT_FOUND"),
    ] {
        refused(ask(body).await, 400, code);
    }
    refused(shop.post("/api/seats/best", "", &json!({})).await, 401, "AUTH_REQUIRED");
}

#[tokio::test]
async fn a_full_section_has_none() {
    let shop = Shop::open().await;
    let layout = json!({
        "name": "tiny", "sections": [{"name": "A", "rows": 1, "seatsPerRow": 3, "price": 10}],
    });
    let id = text(&shop.event(json!({"layout": layout})).await["id"]);
    let buyer = shop.buyer("full").await;
    let ask = async |count: u32| {
        shop.post("/api/seats/best", &buyer, &json!({"eventId": id, "count": count})).await
    };
    refused(ask(4).await, 400, "SEAT_UNAVAILABLE");
    assert_eq!(ask(2).await.0, 201);
    refused(ask(2).await, 400, "SEAT_UNAVAILABLE");
    assert_eq!(ask(1).await.0, 201);
    refused(ask(1).await, 400, "SEAT_UNAVAILABLE");
    let event = shop.ok(&format!("/api/events/{id}"), "").await;
    assert_eq!(event["event"]["status"], "on_sale", "held seats may come back");
}
