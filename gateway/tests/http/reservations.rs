//! Reservations (contract/http.md 2.5).

use serde_json::{Value, json};

use crate::shop::{Shop, in_minutes, list, refused, shape, text};
use crate::support::assert_error;

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";
const ROW: &str = "id:uuid reservation_number:text total_amount:int status:text \
     payment_status:text created_at:time event_title:text venue:text event_date:time items:list";

fn types() -> Value {
    json!([
        {"name": "VIP", "price": "150000", "totalQuantity": "10"},
        {"name": "R", "price": "100000", "totalQuantity": "3"},
    ])
}

#[tokio::test]
async fn tickets_are_bought_and_shown() {
    let shop = Shop::open().await;
    let (id, types) = shop.ticket_event(types()).await;
    let (buyer, other) = (shop.buyer("tickets").await, shop.buyer("nosy").await);
    // The same type twice adds up.
    let body = json!({"eventId": id, "items": [
        {"ticketTypeId": types[1]["id"], "quantity": 1},
        {"ticketTypeId": types[0]["id"], "quantity": 2},
        {"ticketTypeId": types[1]["id"], "quantity": 1},
    ]});
    let (status, answer) = shop.post("/api/reservations", &buyer, &body).await;
    assert_eq!(status, 201, "{answer}");
    shape(&answer, "message:text reservation:object");
    shape(&answer["reservation"], "id:uuid reservationNumber:text totalAmount:int expiresAt:time");
    assert_eq!(answer["reservation"]["totalAmount"], 500_000);
    let reservation = text(&answer["reservation"]["id"]);
    let left = |types: &[Value]| -> Vec<Value> {
        types.iter().map(|found| found["available_quantity"].clone()).collect()
    };
    let now = shop.ok(&format!("/api/tickets/event/{id}"), "").await;
    assert_eq!(left(list(&now["ticketTypes"])), [8, 1]);

    let mine = shop.ok("/api/reservations/my", &buyer).await;
    shape(&mine, "reservations:list");
    let row = &list(&mine["reservations"])[0];
    shape(row, ROW);
    let items = json!([
        {"ticketTypeName": "VIP", "quantity": 2, "unitPrice": 150_000, "subtotal": 300_000},
        {"ticketTypeName": "R", "quantity": 2, "unitPrice": 100_000, "subtotal": 200_000},
    ]);
    assert_eq!(row["items"], items);
    assert_eq!(row["event_title"], "시험 공연");
    let answer = shop.ok(&format!("/api/reservations/{reservation}"), &buyer).await;
    shape(&answer, "reservation:object");
    shape(
        &answer["reservation"],
        &format!("{ROW} payment_method:text? event_id:uuid address:text"),
    );
    let expected = json!({
        "ticketTypeName": "VIP", "quantity": 2, "unitPrice": 150_000, "subtotal": 300_000,
        "seatLabel": null, "section": null,
    });
    assert_eq!(answer["reservation"]["items"][0], expected);
    let pending = ("pending".to_owned(), "pending".to_owned());
    assert_eq!(shop.standing(&buyer, &reservation).await, pending);

    // Others see nothing of it.
    let path = format!("/api/reservations/{reservation}");
    refused(shop.get(&path, &other).await, 404, "NOT_FOUND");
    refused(shop.get(&path, "").await, 401, "AUTH_REQUIRED");
    refused(shop.get("/api/reservations/my", "").await, 401, "AUTH_REQUIRED");
    refused(shop.get(&format!("/api/reservations/{FOREIGN}"), &buyer).await, 404, "NOT_FOUND");
    refused(shop.get(&format!("/api/reservations/{id}"), &buyer).await, 404, "NOT_FOUND");
    refused(shop.get("/api/reservations/mine", &buyer).await, 400, "BAD_ID");
    refused(shop.cancel(&other, &reservation).await, 400, "NOT_FOUND");
    assert_eq!(shop.ok("/api/reservations/my", &other).await["reservations"], json!([]));

    // They come back with the cancellation, once.
    assert_eq!(shop.cancel(&buyer, &reservation).await.0, 200);
    refused(shop.cancel(&buyer, &reservation).await, 400, "ALREADY_CANCELLED");
    let failed = ("cancelled".to_owned(), "failed".to_owned());
    assert_eq!(shop.standing(&buyer, &reservation).await, failed);
    let now = shop.ok(&format!("/api/tickets/event/{id}"), "").await;
    assert_eq!(left(list(&now["ticketTypes"])), [10, 3]);
}

#[tokio::test]
async fn orders_of_tickets_that_are_refused() {
    let shop = Shop::open().await;
    let (id, types) = shop.ticket_event(types()).await;
    let (_, elsewhere) = shop.ticket_event(self::types()).await;
    let buyer = shop.buyer("refused").await;
    let vip = &types[0]["id"];
    let items = |id: &Value, quantity: Value| json!([{"ticketTypeId": id, "quantity": quantity}]);
    let order = |items: Value| json!({"eventId": id, "items": items});
    for (body, code) in [
        (json!({}), "VALIDATION"),
        (json!({"items": items(vip, json!(1))}), "VALIDATION"),
        (json!({"eventId": "x", "items": items(vip, json!(1))}), "BAD_ID"),
        (json!({"eventId": id}), "VALIDATION"),
        (order(json!([])), "VALIDATION"),
        (order(json!({})), "VALIDATION"),
        (order(json!([{}])), "VALIDATION"),
        (order(json!([{"quantity": 1}])), "VALIDATION"),
        (order(json!([{"ticketTypeId": vip}])), "VALIDATION"),
        (order(items(&json!("x"), json!(1))), "BAD_ID"),
        (order(items(vip, json!(0))), "VALIDATION"),
        (order(items(vip, json!(-1))), "VALIDATION"),
        (order(items(vip, json!(1.5))), "VALIDATION"),
        (order(items(vip, json!("1"))), "VALIDATION"),
        (order(items(vip, json!(null))), "VALIDATION"),
        (order(items(vip, json!(4_294_967_295_u64))), "VALIDATION"),
        (order(items(vip, json!(1e300))), "VALIDATION"),
        (order(items(&json!(FOREIGN), json!(1))), "NOT_FOUND"),
        (order(items(&elsewhere[0]["id"], json!(1))), "NOT_FOUND"),
        (order(items(&json!(id), json!(1))), "NOT_FOUND"),
        (json!({"eventId": FOREIGN, "items": items(vip, json!(1))}), "NOT_FOUND"),
        (order(items(&types[1]["id"], json!(4))), "OUT_OF_STOCK"),
        (order(items(vip, json!(11))), "SEAT_LIMIT"),
        (order(items(vip, json!(1_000_000))), "SEAT_LIMIT"),
    ] {
        let answer = shop.post("/api/reservations", &buyer, &body).await;
        assert_eq!(answer.1["code"], code, "{body}");
        refused(answer, 400, code);
    }
    let (_, short) =
        shop.post("/api/reservations", &buyer, &order(items(&types[1]["id"], json!(4)))).await;
    let error = text(&short["error"]);
    assert!(error.contains('R') && error.contains('3'), "{error}");
    refused(shop.post("/api/reservations", "", &json!({})).await, 401, "AUTH_REQUIRED");
    assert_eq!(shop.ok("/api/reservations/my", &buyer).await["reservations"], json!([]));

    // A line for each of nine kinds is one too many.
    let kinds: Vec<Value> =
        (0..9).map(|at| json!({"name": format!("{at}"), "price": 1, "totalQuantity": 5})).collect();
    let (many, kinds) = shop.ticket_event(json!(kinds)).await;
    let lines: Vec<Value> =
        kinds.iter().map(|of| json!({"ticketTypeId": of["id"], "quantity": 1})).collect();
    let answer =
        shop.post("/api/reservations", &buyer, &json!({"eventId": many, "items": lines})).await;
    assert_eq!(
        (&answer.1["error"], &answer.1["max"]),
        (&json!("한 번에 8종류까지 예매할 수 있어요."), &json!(8))
    );
    refused(answer, 400, "SEAT_LIMIT");
    let late = json!({"saleEndDate": in_minutes(-1), "saleStartDate": in_minutes(-9), "ticketTypes": self::types()});
    let late = text(&shop.event(late).await["id"]);
    let types = shop.ok(&format!("/api/tickets/event/{late}"), "").await;
    let body = json!({"eventId": late, "items": items(&types["ticketTypes"][0]["id"], json!(1))});
    refused(shop.post("/api/reservations", &buyer, &body).await, 400, "NOT_ON_SALE");
}

#[tokio::test]
async fn cancellations_that_are_refused() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("cancel").await;
    refused(shop.cancel(&buyer, "x").await, 400, "BAD_ID");
    refused(shop.cancel(&buyer, FOREIGN).await, 400, "NOT_FOUND");
    refused(shop.cancel(&buyer, &text(&shop.theatre)).await, 400, "NOT_FOUND");
    let id = shop.seat_event(json!({})).await;
    let seats = shop.seats(&id).await;
    let reservation = shop.hold(&buyer, &id, &seats[0]).await;
    refused(shop.cancel("nonsense", &reservation).await, 403, "TOKEN_INVALID");
    let path = format!("/api/reservations/{reservation}/cancel");
    refused(shop.post(&path, "", &json!({})).await, 401, "AUTH_REQUIRED");
    // With an empty object as well as without a body.
    assert_eq!(shop.post(&path, &buyer, &json!({})).await.0, 200);
    // A later order in the same slot is another order.
    let next = shop.hold(&buyer, &id, &seats[0]).await;
    assert_ne!(next, reservation);
    refused(shop.cancel(&buyer, &reservation).await, 400, "ALREADY_CANCELLED");
    refused(shop.pay(&buyer, &reservation).await, 400, "ALREADY_CANCELLED");
    assert_eq!(shop.counts(&id).await, (264, 1, 0));
}

#[tokio::test]
async fn my_reservations_are_newest_first() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("many").await;
    let id = shop.seat_event(json!({})).await;
    let seats = shop.seats(&id).await;
    let mut made = Vec::new();
    for seat in &seats[..5] {
        made.push(shop.hold(&buyer, &id, seat).await);
    }
    made.reverse();
    let mine = shop.ok("/api/reservations/my", &buyer).await;
    let found: Vec<String> =
        list(&mine["reservations"]).iter().map(|row| text(&row["id"])).collect();
    assert_eq!(found, made);
    let item = &list(&mine["reservations"])[0]["items"][0];
    assert_eq!(item["ticketTypeName"], "VIP-1-5");
}

/// The engine keeps no slot of it, the fold does.
#[tokio::test]
async fn an_order_that_ended_before_a_restart_is_over_and_not_unknown() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let (buyer, other) = (shop.buyer("a").await, shop.buyer("b").await);
    let seat = shop.seats(&event).await[0]["id"].clone();
    let body = json!({"eventId": event, "seatIds": [seat]});
    let (status, held) = shop.post("/api/seats/reserve", &buyer, &body).await;
    assert_eq!(status, 201, "{held}");
    let id = held["reservation"]["id"].clone();
    let cancel = format!("/api/reservations/{}/cancel", id.as_str().expect("id"));
    assert_eq!(shop.post(&cancel, &buyer, &json!({})).await.0, 200);
    let shop = shop.restart(|_| {}).await;
    assert_error(&shop.post(&cancel, &buyer, &json!({})).await.1, "ALREADY_CANCELLED");
    let pay = json!({"reservationId": id, "paymentMethod": "kakao_pay"});
    assert_error(&shop.post("/api/payments/process", &buyer, &pay).await.1, "ALREADY_CANCELLED");
    assert_error(&shop.post(&cancel, &other, &json!({})).await.1, "NOT_FOUND");
}
