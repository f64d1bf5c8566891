//! What administrators change of events, seats, ticket types and reservations (contract/http.md 2.9,
//! domain.md 4 and 12, decision D10).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Shop, in_minutes, list, refused, shape, text};

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";
const TICKET_TYPE: &str = "id:uuid event_id:uuid name:text price:int total_quantity:int \
     available_quantity:int description:text? standing:bool created_at:time updated_at:time";

/// Calls with the administrator's token.
async fn call(shop: &Shop, method: &str, path: &str, body: Value) -> (reqwest::StatusCode, Value) {
    shop.gateway.call(method, path, &shop.admin, &body).await
}

async fn done(shop: &Shop, method: &str, path: &str, body: Value, status: u16) -> Value {
    let (found, answer) = call(shop, method, path, body).await;
    assert_eq!(found, status, "{method} {path}: {answer}");
    answer
}

async fn buy(shop: &Shop, token: &str, event: &str, ticket_type: &Value, quantity: u32) -> String {
    let items = json!([{"ticketTypeId": ticket_type["id"], "quantity": quantity}]);
    let body = json!({"eventId": event, "items": items});
    // Each is an order of its own, however soon it comes after an equal one.
    static ORDERS: AtomicU32 = AtomicU32::new(0);
    let key = format!("order {}", ORDERS.fetch_add(1, Ordering::Relaxed));
    let (status, answer) = shop.post_with_key("/api/reservations", token, &body, &key).await;
    assert_eq!(status, 201, "{answer}");
    text(&answer["reservation"]["id"])
}

#[tokio::test]
async fn a_deleted_event_is_nowhere_and_its_reservations_keep_what_it_was() {
    let shop = Shop::open().await;
    let (event, types) =
        shop.ticket_event(json!([{"name": "스탠딩", "price": 50_000, "totalQuantity": 10}])).await;
    let seats = shop.seat_event(json!({"title": "좌석 공연"})).await;
    let buyer = shop.buyer("keeper").await;
    let bought = buy(&shop, &buyer, &event, &types[0], 2).await;
    let seat = shop.seats(&seats).await[0].clone();
    let held = shop.hold(&buyer, &seats, &seat).await;
    let (status, paid) = shop.pay(&buyer, &held).await;
    assert_eq!(status, 200, "{paid}");
    for (event, reservation, payment) in [(&event, &bought, "failed"), (&seats, &held, "refunded")]
    {
        let before = shop.ok(&format!("/api/reservations/{reservation}"), &buyer).await;
        let path = format!("/api/admin/events/{event}");
        let answer = done(&shop, "DELETE", &path, json!({}), 200).await;
        shape(&answer, "message:text cancelledReservations:int");
        assert_eq!(answer["cancelledReservations"], 1);
        refused(call(&shop, "DELETE", &path, json!({})).await, 404, "NOT_FOUND");
        for path in [
            format!("/api/events/{event}"),
            format!("/api/seats/events/{event}"),
            format!("/api/admin/stats?event={event}"),
            format!("/api/queue/admin/{event}"),
            format!("/api/queue/admin/{event}/lanes"),
            format!("/api/queue/draw/{event}"),
        ] {
            refused(shop.get(&path, &shop.admin).await, 404, "NOT_FOUND");
        }
        for (method, path) in [
            ("POST", format!("/api/queue/check/{event}")),
            ("GET", format!("/api/queue/status/{event}")),
            ("POST", format!("/api/admin/events/{event}/cancel")),
            ("PUT", format!("/api/admin/events/{event}")),
            ("POST", format!("/api/admin/events/{event}/generate-seats")),
            ("DELETE", format!("/api/admin/events/{event}/seats")),
            ("POST", format!("/api/admin/events/{event}/tickets")),
        ] {
            refused(call(&shop, method, &path, json!({})).await, 404, "NOT_FOUND");
        }
        let listed = shop.ok("/api/events?limit=1000", "").await;
        assert!(list(&listed["events"]).iter().all(|row| row["id"] != event.as_str()));
        let tickets = shop.ok(&format!("/api/tickets/event/{event}"), "").await;
        assert_eq!(tickets["ticketTypes"], json!([]));
        assert_eq!(
            shop.standing(&buyer, reservation).await,
            ("cancelled".to_owned(), payment.to_owned())
        );
        let after = shop.ok(&format!("/api/reservations/{reservation}"), &buyer).await;
        let (before, after) = (&before["reservation"], &after["reservation"]);
        for field in ["event_title", "venue", "event_date", "items", "total_amount"] {
            assert_eq!(before[field], after[field], "{field}");
        }
        assert_eq!(after["event_id"], json!(null));
        let page = shop.ok(&format!("/api/seats/reservation/{reservation}"), &buyer).await;
        assert_eq!(page["reservation"]["event_id"], json!(null));
        assert_eq!(page["reservation"]["event_title"], before["event_title"]);
        let order = shop.ok(&format!("/api/admin/orders/{reservation}"), &shop.admin).await;
        assert_eq!(order["order"]["event_id"], json!(null));
    }
    let availability = format!("/api/tickets/availability/{}", text(&types[0]["id"]));
    refused(shop.get(&availability, "").await, 404, "NOT_FOUND");
    let (status, answer) = shop.reserve(&buyer, &seats, &[&seat]).await;
    refused((status, answer), 400, "NOT_FOUND");
    let path = format!("/api/admin/events/{FOREIGN}");
    refused(call(&shop, "DELETE", &path, json!({})).await, 404, "NOT_FOUND");
    refused(call(&shop, "DELETE", "/api/admin/events/x", json!({})).await, 400, "BAD_ID");
    // All of it again from the log.
    let shop = shop.restart(|_| {}).await;
    refused(shop.get(&format!("/api/events/{event}"), "").await, 404, "NOT_FOUND");
    assert_eq!(shop.standing(&buyer, &held).await.1, "refunded");
}

#[tokio::test]
async fn a_cancelled_event_is_deleted_without_a_body() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    done(&shop, "POST", &format!("/api/admin/events/{event}/cancel"), json!({}), 200).await;
    let request = shop.gateway.request("DELETE", &format!("/api/admin/events/{event}"));
    let answer = request.bearer_auth(&shop.admin).send().await.expect("answer");
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("tiketi-lsn"));
}

#[tokio::test]
async fn seats_are_deleted_and_generated() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({"title": "좌석"})).await;
    let (generate, remove) = (
        format!("/api/admin/events/{event}/generate-seats"),
        format!("/api/admin/events/{event}/seats"),
    );
    let all = shop.seats(&event).await;
    let (status, answer) = call(&shop, "POST", &generate, json!({})).await;
    assert_eq!(answer["existingSeats"], json!(all.len()));
    refused((status, answer), 400, "CONFLICT");
    let buyer = shop.buyer("sitter").await;
    let held = shop.hold(&buyer, &event, &all[3]).await;
    refused(call(&shop, "DELETE", &remove, json!({})).await, 400, "CONFLICT");
    assert_eq!(shop.cancel(&buyer, &held).await.0, 200);
    let answer = done(&shop, "DELETE", &remove, json!({}), 200).await;
    shape(&answer, "message:text seatsDeleted:int");
    assert_eq!(answer["seatsDeleted"], json!(all.len()));
    assert_eq!(done(&shop, "DELETE", &remove, json!({}), 200).await["seatsDeleted"], 0);
    let map = shop.ok(&format!("/api/seats/events/{event}"), "").await;
    assert_eq!(map["seats"], json!([]));
    assert!(!list(&map["layout"]["sections"]).is_empty());
    let detail = shop.ok(&format!("/api/events/{event}"), "").await;
    assert_eq!(detail["event"]["status"], "on_sale");
    refused(shop.reserve(&buyer, &event, &[&all[3]]).await, 400, "NOT_FOUND");
    let best = json!({"eventId": event, "count": 2});
    refused(shop.post("/api/seats/best", &buyer, &best).await, 400, "SEAT_UNAVAILABLE");
    let stats = shop.ok(&format!("/api/admin/stats?event={event}"), &shop.admin).await;
    assert_eq!(stats["event"]["sections"][0]["total"], 0);
    // What it was for stays readable.
    let detail = shop.ok(&format!("/api/reservations/{held}"), &buyer).await;
    assert_eq!(detail["reservation"]["items"][0]["seatLabel"], all[3]["seat_label"]);
    let answer = done(&shop, "POST", &generate, json!({}), 200).await;
    shape(&answer, "message:text seatsCreated:int eventTitle:text");
    assert_eq!(answer["seatsCreated"], json!(all.len()));
    assert_eq!(answer["eventTitle"], "좌석");
    assert_eq!(shop.seats(&event).await, all);
    shop.hold(&buyer, &event, &all[3]).await;
    let (tickets, _) = shop.ticket_event(json!([])).await;
    let path = format!("/api/admin/events/{tickets}/generate-seats");
    refused(call(&shop, "POST", &path, json!({})).await, 400, "VALIDATION");
    let path = format!("/api/admin/events/{tickets}/seats");
    assert_eq!(done(&shop, "DELETE", &path, json!({}), 200).await["seatsDeleted"], 0);
    for (method, tail) in [("POST", "generate-seats"), ("DELETE", "seats")] {
        let path = format!("/api/admin/events/{FOREIGN}/{tail}");
        refused(call(&shop, method, &path, json!({})).await, 404, "NOT_FOUND");
        let path = format!("/api/admin/events/x/{tail}");
        refused(call(&shop, method, &path, json!({})).await, 400, "BAD_ID");
    }
}

#[tokio::test]
async fn a_start_makes_the_seats_that_an_event_has_none_of() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let gone = shop.seat_event(json!({})).await;
    let all = shop.seats(&event).await;
    for event in [&event, &gone] {
        done(&shop, "DELETE", &format!("/api/admin/events/{event}/seats"), json!({}), 200).await;
    }
    done(&shop, "DELETE", &format!("/api/admin/events/{gone}"), json!({}), 200).await;
    assert!(shop.seats(&event).await.is_empty());
    let mut shop = shop;
    for _ in 0..2 {
        shop = shop.restart(|_| {}).await;
        assert_eq!(shop.seats(&event).await, all);
    }
    let buyer = shop.buyer("early").await;
    shop.hold(&buyer, &event, &all[0]).await;
}

#[tokio::test]
async fn ticket_types_are_added_and_replaced() {
    let shop = Shop::open().await;
    let (event, _) = shop.ticket_event(json!([])).await;
    let path = format!("/api/admin/events/{event}/tickets");
    let body = json!({"name": " VIP석 ", "price": "150000", "totalQuantity": 5, "description": ""});
    let answer = done(&shop, "POST", &path, body, 201).await;
    shape(&answer, "message:text ticketType:object");
    let made = &answer["ticketType"];
    shape(made, TICKET_TYPE);
    assert_eq!(made["event_id"], event.as_str());
    assert_eq!(
        (&made["name"], &made["price"], &made["description"]),
        (&json!("VIP석"), &json!(150_000), &json!(null))
    );
    let buyer = shop.buyer("fan").await;
    let order = buy(&shop, &buyer, &event, made, 3).await;
    let ticket = format!("/api/admin/tickets/{}", text(&made["id"]));
    let new = |total| json!({"name": "R석", "price": 9_000, "totalQuantity": total});
    refused(call(&shop, "PUT", &ticket, new(2)).await, 400, "CONFLICT");
    let answer = done(&shop, "PUT", &ticket, new(4), 200).await;
    shape(&answer, "message:text ticketType:object");
    shape(&answer["ticketType"], TICKET_TYPE);
    assert_eq!(answer["ticketType"]["id"], made["id"]);
    assert_eq!(answer["ticketType"]["available_quantity"], 1);
    assert_eq!(answer["ticketType"]["created_at"], made["created_at"]);
    let later = buy(&shop, &buyer, &event, made, 1).await;
    for (order, name, price) in [(&order, "VIP석", 150_000), (&later, "R석", 9_000)] {
        let detail = shop.ok(&format!("/api/reservations/{order}"), &buyer).await;
        let item = &detail["reservation"]["items"][0];
        assert_eq!((&item["ticketTypeName"], &item["unitPrice"]), (&json!(name), &json!(price)));
    }
    let status =
        async || shop.ok(&format!("/api/events/{event}"), "").await["event"]["status"].clone();
    assert_eq!(status().await, "on_sale", "unpaid orders may come back");
    for order in [&order, &later] {
        assert_eq!(shop.pay(&buyer, order).await.0, 200);
    }
    assert_eq!(status().await, "sold_out");
    refused(call(&shop, "PUT", &ticket, json!({"name": "x"})).await, 400, "VALIDATION");
    for wrong in [
        json!({}),
        json!({"name": "", "price": 1, "totalQuantity": 1}),
        json!({"name": "x", "price": -1, "totalQuantity": 1}),
        json!({"name": "x", "price": 1, "totalQuantity": 1.5}),
        json!({"name": "x", "price": 1, "totalQuantity": 10_000_001}),
        json!({"name": "x".repeat(101), "price": 1, "totalQuantity": 1}),
        json!({"name": 7, "price": 1, "totalQuantity": 1}),
    ] {
        refused(call(&shop, "POST", &path, wrong.clone()).await, 400, "VALIDATION");
        refused(call(&shop, "PUT", &ticket, wrong).await, 400, "VALIDATION");
    }
    let path = format!("/api/admin/events/{FOREIGN}/tickets");
    refused(call(&shop, "POST", &path, new(1)).await, 404, "NOT_FOUND");
    refused(call(&shop, "POST", "/api/admin/events/x/tickets", new(1)).await, 400, "BAD_ID");
    let path = format!("/api/admin/tickets/{FOREIGN}");
    refused(call(&shop, "PUT", &path, new(1)).await, 404, "NOT_FOUND");
    refused(call(&shop, "PUT", "/api/admin/tickets/x", new(1)).await, 400, "BAD_ID");
}

#[tokio::test]
async fn an_event_has_no_more_ticket_types_than_its_bound() {
    let shop = Shop::open().await;
    let types: Vec<Value> = (0..256)
        .map(|number| json!({"name": format!("t{number}"), "price": 1, "totalQuantity": 1}))
        .collect();
    let (event, _) = shop.ticket_event(json!(types)).await;
    let path = format!("/api/admin/events/{event}/tickets");
    let body = json!({"name": "one more", "price": 1, "totalQuantity": 1});
    refused(call(&shop, "POST", &path, body).await, 400, "CONFLICT");
}

const ROW: &str = "id:uuid reservation_number:text total_amount:int status:text \
     payment_status:text created_at:time user_name:text user_email:text event_title:text? \
     venue:text? event_date:time?";

#[tokio::test]
async fn all_reservations_are_listed_newest_first() {
    let shop = Shop::open().await;
    let empty = shop.ok("/api/admin/reservations", &shop.admin).await;
    let pagination = json!({"page": 1, "limit": 20, "total": 0, "totalPages": 0});
    assert_eq!(empty, json!({"reservations": [], "pagination": pagination}));
    let (event, types) =
        shop.ticket_event(json!([{"name": "스탠딩", "price": 50_000, "totalQuantity": 100}])).await;
    let seated = shop.seat_event(json!({"title": "좌석"})).await;
    let seats = shop.seats(&seated).await;
    let buyer = shop.buyer("lister").await;
    let mut orders = Vec::new();
    for seat in &seats[..3] {
        orders.push(buy(&shop, &buyer, &event, &types[0], 1).await);
        orders.push(shop.hold(&buyer, &seated, seat).await);
    }
    orders.reverse();
    assert_eq!(shop.pay(&buyer, &orders[0]).await.0, 200);
    assert_eq!(shop.cancel(&buyer, &orders[2]).await.0, 200);
    let ids = |answer: &Value| -> Vec<String> {
        list(&answer["reservations"]).iter().map(|row| text(&row["id"])).collect()
    };
    let answer = shop.ok("/api/admin/reservations", &shop.admin).await;
    shape(&answer, "reservations:list pagination:object");
    assert_eq!(ids(&answer), orders);
    let row = &answer["reservations"][0];
    shape(row, ROW);
    assert_eq!(row["user_email"], "lister@example.com");
    assert_eq!((&row["event_title"], &row["status"]), (&json!("좌석"), &json!("confirmed")));
    let pick = |wanted: &[usize]| -> Vec<String> {
        wanted.iter().map(|&position| orders[position].clone()).collect()
    };
    for (query, expected, total) in [
        ("status=", pick(&[0, 1, 2, 3, 4, 5]), 6),
        ("status=confirmed", pick(&[0]), 1),
        ("status=cancelled", pick(&[2]), 1),
        ("status=pending", pick(&[1, 3, 4, 5]), 4),
        ("status=pending&page=2&limit=3", pick(&[5]), 4),
        ("page=2&limit=4", pick(&[4, 5]), 6),
        ("page=9", pick(&[]), 6),
        ("status=expired", pick(&[]), 0),
        ("status=%25", pick(&[]), 0),
    ] {
        let answer = shop.ok(&format!("/api/admin/reservations?{query}"), &shop.admin).await;
        assert_eq!(ids(&answer), expected, "{query}");
        assert_eq!(answer["pagination"]["total"], total, "{query}");
    }
    for query in ["page=0", "page=-1", "limit=x"] {
        let answer = shop.get(&format!("/api/admin/reservations?{query}"), &shop.admin).await;
        refused(answer, 400, "VALIDATION");
    }
    let path = format!("/api/admin/events/{seated}");
    done(&shop, "DELETE", &path, json!({}), 200).await;
    let answer = shop.ok("/api/admin/reservations?status=cancelled", &shop.admin).await;
    assert_eq!(ids(&answer), pick(&[0, 2, 4]));
    assert_eq!(answer["reservations"][0]["event_title"], "좌석");
}

#[tokio::test]
async fn a_hold_whose_time_is_over_is_listed_as_cancelled() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({"holdTtl": 1})).await;
    let seat = shop.seats(&event).await[0].clone();
    let buyer = shop.buyer("sleeper").await;
    let held = shop.hold(&buyer, &event, &seat).await;
    loop {
        let pending = shop.ok("/api/admin/reservations?status=pending", &shop.admin).await;
        let over = shop.ok("/api/admin/reservations?status=cancelled", &shop.admin).await;
        let (pending, over) = (list(&pending["reservations"]), list(&over["reservations"]));
        if over.is_empty() {
            // Asked for before: it may have ended in between, but never shows up in neither.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        assert!(pending.is_empty() || pending[0]["status"] == "pending");
        assert_eq!(over[0]["id"], held.as_str());
        assert_eq!(
            (&over[0]["status"], &over[0]["payment_status"]),
            (&json!("cancelled"), &json!("failed"))
        );
        break;
    }
}

const RECORD: &str = "id:uuid user_id:uuid event_id:uuid? reservation_number:text \
     total_amount:int status:text payment_method:text? payment_status:text expires_at:time? \
     created_at:time updated_at:time";

#[tokio::test]
async fn the_status_of_a_reservation_is_changed_with_its_seats() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("patched").await;
    let held = shop.hold(&buyer, &event, &seats[0]).await;
    let path = format!("/api/admin/reservations/{held}/status");
    let patch = |body: Value| call(&shop, "PATCH", &path, body);
    for (body, code) in [
        (json!({}), "VALIDATION"),
        (json!({"status": null}), "VALIDATION"),
        (json!({"status": "expired"}), "VALIDATION"),
        (json!({"paymentStatus": "paid"}), "VALIDATION"),
        (json!({"status": 1}), "VALIDATION"),
        (json!({"status": "cancelled", "paymentStatus": "completed"}), "CONFLICT"),
        (json!({"status": "pending", "paymentStatus": "refunded"}), "CONFLICT"),
        (json!({"paymentStatus": "refunded"}), "CONFLICT"),
    ] {
        refused(patch(body).await, 400, code);
    }
    let standing = |status: &str, payment: &str| (status.to_owned(), payment.to_owned());
    assert_eq!(shop.standing(&buyer, &held).await, standing("pending", "pending"));
    // Confirmed without a payment.
    let (status, answer) = patch(json!({"status": "confirmed"})).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "message:text reservation:object");
    let record = &answer["reservation"];
    shape(record, RECORD);
    assert_eq!(
        (&record["status"], &record["payment_status"]),
        (&json!("confirmed"), &json!("completed"))
    );
    assert_eq!(record["payment_method"], "bank_transfer");
    assert_eq!(shop.counts(&event).await.2, 1);
    assert_eq!(patch(json!({"status": "confirmed", "paymentStatus": "completed"})).await.0, 200);
    refused(patch(json!({"status": "pending"})).await, 400, "CONFLICT");
    refused(shop.pay(&buyer, &held).await, 400, "ALREADY_PAID");
    // Cancelled, and its seat sold to somebody else.
    let (status, answer) = patch(json!({"status": "cancelled"})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["reservation"]["payment_status"], "refunded");
    let other = shop.buyer("other").await;
    let theirs = shop.hold(&other, &event, &seats[0]).await;
    refused(patch(json!({"status": "confirmed"})).await, 400, "CONFLICT");
    assert_eq!(shop.standing(&other, &theirs).await, standing("pending", "pending"));
    // Free again: it takes the seat back, and is an order like any other.
    assert_eq!(shop.cancel(&other, &theirs).await.0, 200);
    assert_eq!(patch(json!({"paymentStatus": "completed"})).await.0, 200);
    assert_eq!(shop.standing(&buyer, &held).await, standing("confirmed", "completed"));
    refused(shop.reserve(&other, &event, &[&seats[0]]).await, 400, "SEAT_UNAVAILABLE");
    let shop = shop.restart(|_| {}).await;
    assert_eq!(shop.standing(&buyer, &held).await, standing("confirmed", "completed"));
    assert_eq!(shop.cancel(&buyer, &held).await.0, 200);
    assert_eq!(shop.standing(&buyer, &held).await, standing("cancelled", "refunded"));
    assert_eq!(shop.counts(&event).await.0, seats.len());
    // A cancelled event's orders stay as they are.
    done(&shop, "POST", &format!("/api/admin/events/{event}/cancel"), json!({}), 200).await;
    refused(call(&shop, "PATCH", &path, json!({"status": "confirmed"})).await, 400, "CONFLICT");
    let confirmed = json!({"status": "confirmed"});
    let path = format!("/api/admin/reservations/{FOREIGN}/status");
    refused(call(&shop, "PATCH", &path, confirmed.clone()).await, 404, "NOT_FOUND");
    let path = "/api/admin/reservations/x/status";
    refused(call(&shop, "PATCH", path, confirmed).await, 400, "BAD_ID");
}

#[tokio::test]
async fn a_ticket_order_is_confirmed_while_there_is_stock() {
    let shop = Shop::open().await;
    let (event, types) =
        shop.ticket_event(json!([{"name": "스탠딩", "price": 50_000, "totalQuantity": 3}])).await;
    let buyer = shop.buyer("stander").await;
    let first = buy(&shop, &buyer, &event, &types[0], 2).await;
    let path = format!("/api/admin/reservations/{first}/status");
    assert_eq!(call(&shop, "PATCH", &path, json!({"status": "cancelled"})).await.0, 200);
    let second = buy(&shop, &buyer, &event, &types[0], 2).await;
    let confirmed = json!({"status": "confirmed"});
    refused(call(&shop, "PATCH", &path, confirmed.clone()).await, 400, "CONFLICT");
    assert_eq!(shop.cancel(&buyer, &second).await.0, 200);
    done(&shop, "PATCH", &path, confirmed, 200).await;
    let detail = shop.ok(&format!("/api/events/{event}"), "").await;
    assert_eq!(detail["ticketTypes"][0]["available_quantity"], 1);
}

#[tokio::test]
async fn an_event_is_duplicated() {
    let shop = Shop::open().await;
    let types = json!([{"name": "참고", "price": 1_000, "totalQuantity": 7}]);
    let change = json!({
        "title": "원본", "ticketTypes": types, "maxSeats": 2, "category": "콘서트",
    });
    let original = shop.seat_event(change).await;
    let path = format!("/api/admin/events/{original}/duplicate");
    let dates = json!({
        "eventDate": in_minutes(9_000), "saleStartDate": in_minutes(-5),
        "saleEndDate": in_minutes(8_000),
    });
    let answer = done(&shop, "POST", &path, dates.clone(), 201).await;
    shape(&answer, "message:text event:object");
    let copy = &answer["event"];
    shape(copy, &crate::catalog::admin_detail());
    assert_eq!((&copy["title"], &copy["category"]), (&json!("원본"), &json!("콘서트")));
    assert_eq!(copy["status"], "on_sale");
    let id = text(&copy["id"]);
    assert_ne!(id, original);
    assert_eq!(shop.seats(&id).await.len(), shop.seats(&original).await.len());
    let detail = shop.ok(&format!("/api/events/{id}"), "").await;
    assert_eq!(detail["ticketTypes"][0]["available_quantity"], 7);
    let buyer = shop.buyer("copycat").await;
    let seats = shop.seats(&id).await;
    refused(shop.reserve(&buyer, &id, &[&seats[0], &seats[1], &seats[2]]).await, 400, "SEAT_LIMIT");
    let mut titled = dates.clone();
    titled["title"] = json!("두 번째");
    assert_eq!(done(&shop, "POST", &path, titled, 201).await["event"]["title"], "두 번째");
    let mut backwards = dates.clone();
    backwards["saleEndDate"] = json!(in_minutes(-10));
    for wrong in [json!({}), json!({"title": "x"}), backwards] {
        refused(call(&shop, "POST", &path, wrong).await, 400, "VALIDATION");
    }
    let path = format!("/api/admin/events/{FOREIGN}/duplicate");
    refused(call(&shop, "POST", &path, dates).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn categories_are_given_and_renamed() {
    let shop = Shop::open().await;
    let made = shop.event(json!({"category": " 콘서트 "})).await;
    let other = shop.event(json!({"category": "뮤지컬"})).await;
    let plain = shop.event(json!({})).await;
    assert_eq!((&made["category"], &plain["category"]), (&json!("콘서트"), &json!(null)));
    let answer = shop.ok("/api/admin/categories", &shop.admin).await;
    let row = |name: &str, events: u64| json!({"name": name, "events": events});
    assert_eq!(answer, json!({"categories": [row("뮤지컬", 1), row("콘서트", 1)]}));
    let path = format!("/api/admin/events/{}", text(&plain["id"]));
    let edited = done(&shop, "PUT", &path, json!({"category": "콘서트"}), 200).await;
    assert_eq!(edited["event"]["category"], "콘서트");
    let edited = done(&shop, "PUT", &path, json!({"title": "다른 제목"}), 200).await;
    assert_eq!(edited["event"]["category"], "콘서트");
    let renamed =
        done(&shop, "PUT", "/api/admin/categories/콘서트", json!({"name": "뮤지컬"}), 200).await;
    shape(&renamed, "message:text category:object");
    assert_eq!(renamed["category"], row("뮤지컬", 3));
    let listed = shop.ok("/api/events?limit=1000", "").await;
    let of = |id: &Value| {
        let row = list(&listed["events"]).iter().find(|row| row["id"] == *id);
        row.expect("listed")["category"].clone()
    };
    assert_eq!([of(&made["id"]), of(&other["id"])], [json!("뮤지컬"), json!("뮤지컬")]);
    let edited = done(&shop, "PUT", &path, json!({"category": null}), 200).await;
    assert_eq!(edited["event"]["category"], json!(null));
    let rename = |path: &'static str, body: Value| call(&shop, "PUT", path, body);
    let gone = rename("/api/admin/categories/콘서트", json!({"name": "x"})).await;
    refused(gone, 404, "NOT_FOUND");
    for wrong in [json!({}), json!({"name": " "}), json!({"name": "x".repeat(51)})] {
        refused(rename("/api/admin/categories/뮤지컬", wrong).await, 400, "VALIDATION");
    }
    refused(
        call(&shop, "PUT", &path, json!({"category": "x".repeat(51)})).await,
        400,
        "VALIDATION",
    );
}
