//! The acceptance scripts A to E, J and K of contract/flows.md, and what a restart keeps.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};

fn standing(status: &str, payment_status: &str) -> (String, String) {
    (status.to_owned(), payment_status.to_owned())
}

#[tokio::test]
async fn a_from_registration_to_cancellation() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("journey").await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    assert_eq!(seats.len(), 265);
    let reservation = shop.hold(&buyer, &event, &seats[4]).await;
    let status_of = async || shop.seats(&event).await[4]["status"].clone();
    assert_eq!(status_of().await, "locked");
    assert_eq!(shop.standing(&buyer, &reservation).await, standing("pending", "pending"));
    assert_eq!(shop.pay(&buyer, &reservation).await.0, 200);
    assert_eq!(status_of().await, "reserved");
    assert_eq!(shop.standing(&buyer, &reservation).await, standing("confirmed", "completed"));
    assert_eq!(shop.cancel(&buyer, &reservation).await.0, 200);
    assert_eq!(status_of().await, "available");
    assert_eq!(shop.standing(&buyer, &reservation).await, standing("cancelled", "refunded"));
}

#[tokio::test]
async fn b_two_want_the_same_seat() {
    let shop = Arc::new(Shop::open().await);
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyers = [shop.buyer("left").await, shop.buyer("right").await];
    for seat in &seats[..10] {
        let mut calls = tokio::task::JoinSet::new();
        for buyer in buyers.clone() {
            let (shop, event, seat) = (shop.clone(), event.clone(), seat.clone());
            calls.spawn(async move { shop.reserve(&buyer, &event, &[&seat]).await });
        }
        let mut statuses: Vec<u16> =
            calls.join_all().await.iter().map(|answer| answer.0.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 400]);
    }
    let mut reservations = 0;
    for buyer in &buyers {
        let mine = shop.ok("/api/reservations/my", buyer).await;
        reservations += list(&mine["reservations"]).len();
    }
    assert_eq!(reservations, 10);
}

#[tokio::test]
async fn c_a_hold_expires() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("slow").await;
    let event = shop.seat_event(json!({"holdTtl": 1})).await;
    let seats = shop.seats(&event).await;
    let reservation = shop.hold(&buyer, &event, &seats[0]).await;
    let path = format!("/api/seats/reservation/{reservation}");
    loop {
        let page = shop.ok(&path, &buyer).await;
        let page = &page["reservation"];
        if page["status"] == "cancelled" {
            assert_eq!(
                (&page["payment_status"], &page["isExpired"]),
                (&json!("failed"), &json!(true))
            );
            break;
        }
        assert_eq!(page.get("isExpired"), None);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Over is over, whether or not it was swept.
    refused(shop.pay(&buyer, &reservation).await, 400, "HOLD_EXPIRED");
    refused(shop.cancel(&buyer, &reservation).await, 400, "HOLD_EXPIRED");
    while shop.counts(&event).await != (265, 0, 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(shop.standing(&buyer, &reservation).await, standing("cancelled", "failed"));
    refused(shop.pay(&buyer, &reservation).await, 400, "HOLD_EXPIRED");
    refused(shop.cancel(&buyer, &reservation).await, 400, "HOLD_EXPIRED");
    let order = shop.ok(&format!("/api/admin/orders/{reservation}"), &shop.admin).await;
    assert_eq!(order["order"]["end_reason"], "expired");
    // Somebody else may have the seat.
    let other = shop.buyer("quick").await;
    let theirs = shop.hold(&other, &event, &seats[0]).await;
    assert_eq!(shop.pay(&other, &theirs).await.0, 200);
    refused(shop.cancel(&buyer, &reservation).await, 400, "HOLD_EXPIRED");
    assert_eq!(shop.counts(&event).await, (264, 0, 1));
}

#[tokio::test]
async fn a_paid_order_never_reads_as_expired() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("paid").await;
    let event = shop.seat_event(json!({"holdTtl": 1})).await;
    let seats = shop.seats(&event).await;
    let paid = shop.hold(&buyer, &event, &seats[0]).await;
    assert_eq!(shop.pay(&buyer, &paid).await.0, 200);
    let unpaid = shop.hold(&buyer, &event, &seats[1]).await;
    while shop.standing(&buyer, &unpaid).await != standing("cancelled", "failed") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let page = shop.ok(&format!("/api/seats/reservation/{paid}"), &buyer).await;
    assert_eq!(page["reservation"].get("isExpired"), None);
    assert_eq!(shop.standing(&buyer, &paid).await, standing("confirmed", "completed"));
    refused(shop.pay(&buyer, &paid).await, 400, "ALREADY_PAID");
    // No deadline for a refund.
    assert_eq!(shop.cancel(&buyer, &paid).await.0, 200);
    assert_eq!(shop.standing(&buyer, &paid).await, standing("cancelled", "refunded"));
}

#[tokio::test]
async fn e_more_buyers_than_tickets() {
    let shop = Arc::new(Shop::open().await);
    let types = json!([{"name": "R", "price": "1000", "totalQuantity": "30"}]);
    let event = shop.event(json!({"ticketTypes": types, "maxTickets": 30})).await;
    let event = text(&event["id"]);
    let types = shop.ok(&format!("/api/events/{event}"), "").await["ticketTypes"].clone();
    let buyers = [shop.buyer("a").await, shop.buyer("b").await, shop.buyer("c").await];
    let mut calls = tokio::task::JoinSet::new();
    for at in 0..60 {
        let (shop, event, buyer) = (shop.clone(), event.clone(), buyers[at % 3].clone());
        let items = json!([{"ticketTypeId": types[0]["id"], "quantity": 1 + at % 3}]);
        calls.spawn(async move {
            let body = json!({"eventId": event, "items": items});
            // Each is an order of its own.
            let key = format!("order {at}");
            let answer = shop.post_with_key("/api/reservations", &buyer, &body, &key).await;
            (1 + at % 3, answer)
        });
    }
    let mut sold = 0;
    for (quantity, answer) in calls.join_all().await {
        match answer.0.as_u16() {
            201 => sold += quantity,
            _ => refused(answer, 400, "OUT_OF_STOCK"),
        }
    }
    assert_eq!(sold, 30, "single tickets fill every gap");
    let now = shop.ok(&format!("/api/tickets/event/{event}"), "").await;
    assert_eq!(now["ticketTypes"][0]["available_quantity"], 0);
}

#[tokio::test]
async fn j_an_event_is_called_off() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("unlucky").await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let paid = shop.hold(&buyer, &event, &seats[0]).await;
    assert_eq!(shop.pay(&buyer, &paid).await.0, 200);
    let unpaid = shop.hold(&buyer, &event, &seats[1]).await;
    let before = shop.hold(&buyer, &event, &seats[2]).await;
    assert_eq!(shop.cancel(&buyer, &before).await.0, 200);
    let cancel = format!("/api/admin/events/{event}/cancel");
    let (status, answer) = shop.post_empty(&cancel, &shop.admin).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "message:text event:object cancelledReservations:int");
    assert_eq!(answer["cancelledReservations"], 2);
    shape(&answer["event"], &crate::catalog::admin_detail());
    assert_eq!(answer["event"]["status"], "cancelled");
    assert_eq!(shop.standing(&buyer, &paid).await, standing("cancelled", "refunded"));
    assert_eq!(shop.standing(&buyer, &unpaid).await, standing("cancelled", "failed"));
    assert_eq!(shop.counts(&event).await, (265, 0, 0));
    refused(shop.pay(&buyer, &unpaid).await, 400, "ALREADY_CANCELLED");
    refused(shop.cancel(&buyer, &paid).await, 400, "ALREADY_CANCELLED");
    refused(shop.post_empty(&cancel, &shop.admin).await, 404, "NOT_FOUND");
    let cancelled = shop.ok("/api/events?status=cancelled", "").await;
    assert_eq!(cancelled["pagination"]["total"], 1);
}

#[tokio::test]
async fn k_every_refusal_can_be_read_across_origins() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("errors").await;
    for (method, path, token, status) in [
        ("GET", "/api/events/x", "", 400),
        ("GET", "/api/events?page=0", "", 400),
        ("GET", "/api/nothing", "", 404),
        ("GET", "/api/seats/events/x", "", 400),
        ("POST", "/api/seats/reserve", "", 401),
        ("POST", "/api/seats/reserve", "nonsense", 403),
        ("POST", "/api/seats/reserve", &buyer, 400),
        ("POST", "/api/seats/best", &buyer, 400),
        ("POST", "/api/reservations", &buyer, 400),
        ("POST", "/api/reservations/x/cancel", &buyer, 400),
        ("GET", "/api/reservations/x", &buyer, 400),
        ("GET", "/api/seats/reservation/x", &buyer, 400),
        ("POST", "/api/payments/process", &buyer, 400),
        ("POST", "/api/admin/events", &buyer, 403),
        ("GET", "/api/admin/stats", &buyer, 403),
        ("POST", "/api/admin/events", &shop.admin, 400),
        ("PUT", "/api/admin/events/x", &shop.admin, 400),
        ("POST", "/api/admin/events/x/cancel", &shop.admin, 400),
    ] {
        let mut request = shop.gateway.request(method, path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.expect("answer");
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{method} {path}");
        assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
        let body: Value = answer.json().await.expect("JSON");
        assert!(body["error"].is_string(), "{body}");
        assert_eq!(body["error"], body["message"]);
        assert_eq!(body["success"], false);
    }
    for body in ["{", "", "null", "[1", "{\"eventId\":\"\u{0}\"}"] {
        let request = shop.gateway.request("POST", "/api/seats/reserve").bearer_auth(&buyer);
        let request = request.header("content-type", "application/json").body(body);
        refused(
            crate::support::read(request.send().await.expect("answer")).await,
            400,
            "VALIDATION",
        );
    }
}

#[tokio::test]
async fn a_restart_keeps_everything_that_was_acknowledged() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let (tickets, types) =
        shop.ticket_event(json!([{"name": "R", "price": "1000", "totalQuantity": "5"}])).await;
    let buyer = shop.buyer("keeper").await;
    let held = shop.hold(&buyer, &event, &seats[0]).await;
    let paid = shop.hold(&buyer, &event, &seats[1]).await;
    assert_eq!(shop.pay(&buyer, &paid).await.0, 200);
    let cancelled = shop.hold(&buyer, &event, &seats[2]).await;
    assert_eq!(shop.cancel(&buyer, &cancelled).await.0, 200);
    let body =
        json!({"eventId": tickets, "items": [{"ticketTypeId": types[0]["id"], "quantity": 2}]});
    assert_eq!(shop.post("/api/reservations", &buyer, &body).await.0, 201);
    let block = json!({"seats": ["VIP-1-9"], "reason": "기둥"});
    let path = format!("/api/admin/events/{event}/seats/block");
    assert_eq!(shop.post(&path, &shop.admin, &block).await.0, 200);
    let paths = [
        ("/api/reservations/my".to_owned(), &buyer),
        (format!("/api/seats/reservation/{held}"), &buyer),
        (format!("/api/seats/reservation/{paid}"), &buyer),
        (format!("/api/events/{event}"), &buyer),
        (format!("/api/events/{tickets}"), &buyer),
        (format!("/api/seats/events/{event}"), &buyer),
        ("/api/events".to_owned(), &buyer),
        ("/api/seats/layouts".to_owned(), &buyer),
    ];
    let mut before = Vec::new();
    for (path, token) in &paths {
        before.push(shop.ok(path, token).await);
    }
    let shop = shop.restart(|_| {}).await;
    for ((path, token), before) in paths.iter().zip(&before) {
        assert_eq!(shop.ok(path, token).await, *before, "{path}");
    }
    // And goes on from there: the held seat is still held, by its holder, who can pay it.
    let other = shop.buyer("next").await;
    refused(shop.reserve(&other, &event, &[&seats[0]]).await, 400, "SEAT_UNAVAILABLE");
    refused(shop.reserve(&other, &event, &[&seats[8]]).await, 400, "SEAT_UNAVAILABLE");
    assert_eq!(shop.pay(&buyer, &held).await.0, 200);
    let next = shop.hold(&other, &event, &seats[2]).await;
    assert!(![&held, &paid, &cancelled].contains(&&next));
    assert_eq!(text(&shop.seats(&event).await[0]["status"]), "reserved");
}
