//! Blocked seats, accounts, orders and numbers (`gateway/PROTOCOL.md`).

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";

#[tokio::test]
async fn seats_are_blocked_and_unblocked() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({})).await;
    let seats = shop.seats(&id).await;
    let buyer = shop.buyer("blocked").await;
    shop.hold(&buyer, &id, &seats[9]).await;
    let path = format!("/api/admin/events/{id}/seats");
    let call = async |action: &str, seats: Value| {
        let body = json!({"seats": seats, "reason": "음향 장비"});
        shop.post(&format!("{path}/{action}"), &shop.admin, &body).await
    };
    let (status, answer) = call("block", json!(["VIP-1-1", seats[1]["id"], "VIP-1-1"])).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "message:text seats:int");
    assert_eq!(answer["seats"], 2);
    assert_eq!(shop.counts(&id).await, (262, 1, 2));
    refused(shop.reserve(&buyer, &id, &[&seats[0]]).await, 400, "SEAT_UNAVAILABLE");
    let taken = call("block", json!(["VIP-1-10", "VIP-1-3"])).await;
    assert_eq!(taken.1["unavailableSeats"], json!(["VIP-1-10"]));
    refused(taken, 400, "SEAT_UNAVAILABLE");
    let free = call("unblock", json!(["VIP-1-1", "VIP-1-3"])).await;
    assert_eq!(free.1["notBlockedSeats"], json!(["VIP-1-3"]));
    refused(free, 400, "CONFLICT");
    for (names, code) in [
        (json!([]), "VALIDATION"),
        (json!("VIP-1-1"), "VALIDATION"),
        (json!([1]), "VALIDATION"),
        (json!(["VIP-9-1"]), "NOT_FOUND"),
        (json!([FOREIGN]), "NOT_FOUND"),
        (json!([id]), "NOT_FOUND"),
    ] {
        refused(call("block", names.clone()).await, 400, code);
        refused(call("unblock", names).await, 400, code);
    }
    let stats = shop.ok(&format!("/api/admin/stats?event={id}"), &shop.admin).await;
    assert_eq!(stats["event"]["sections"][0]["blocked"], 2);
    assert_eq!(call("unblock", json!(["VIP-1-1", "VIP-1-2"])).await.0, 200);
    assert_eq!(shop.counts(&id).await, (264, 1, 0));
    shop.hold(&buyer, &id, &seats[0]).await;
    let unknown = format!("/api/admin/events/{FOREIGN}/seats/block");
    let body = json!({"seats": ["A-1-1"]});
    refused(shop.post(&unknown, &shop.admin, &body).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn accounts_and_roles() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("climber+x").await;
    let found = shop.ok("/api/admin/users/climber+x%40example.com", &shop.admin).await;
    shape(&found, "user:object");
    let user = &found["user"];
    shape(
        user,
        "id:uuid email:text name:text phone:text? role:text created_at:time reservations:int suspension:object?",
    );
    assert_eq!(user["role"], "user");
    let id = text(&user["id"]);
    assert_eq!(shop.ok(&format!("/api/admin/users/{id}"), &shop.admin).await, found);
    assert_eq!(shop.ok("/api/admin/users/CLIMBER+X@Example.com", &shop.admin).await, found);
    for (name, status, code) in [
        ("nobody", 400, "BAD_ID"),
        ("nobody@example.com", 404, "NOT_FOUND"),
        (FOREIGN, 404, "NOT_FOUND"),
    ] {
        refused(shop.get(&format!("/api/admin/users/{name}"), &shop.admin).await, status, code);
    }
    let path = format!("/api/admin/users/{id}/role");
    let put = async |role: Value| {
        shop.gateway.call("PUT", &path, &shop.admin, &json!({"role": role})).await
    };
    for role in [json!("root"), json!(null), json!(1)] {
        refused(put(role).await, 400, "VALIDATION");
    }
    let (status, answer) = put(json!("admin")).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["user"]["role"], "admin");
    // The token of before does not climb by itself.
    refused(shop.get("/api/admin/stats", &buyer).await, 403, "ADMIN_ONLY");
    let login = json!({"email": "climber+x@example.com", "password": "secret1"});
    let (_, answer) = shop.gateway.post("/api/auth/login", &login).await;
    let token = text(&answer["token"]);
    shop.ok("/api/admin/stats", &token).await;
    // Taken away at once, whatever the token says.
    assert_eq!(put(json!("user")).await.0, 200);
    refused(shop.get("/api/admin/stats", &token).await, 403, "ADMIN_ONLY");
    let unknown = format!("/api/admin/users/{FOREIGN}/role");
    let answer = shop.gateway.call("PUT", &unknown, &shop.admin, &json!({"role": "user"})).await;
    refused(answer, 404, "NOT_FOUND");
}

#[tokio::test]
async fn orders_are_found_and_cancelled() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyer = shop.buyer("ordered").await;
    let (_, held) = shop.reserve(&buyer, &event, &[&seats[0], &seats[1]]).await;
    let id = text(&held["reservation"]["id"]);
    let number = text(&held["reservation"]["reservationNumber"]);
    assert_eq!(shop.pay(&buyer, &id).await.0, 200);
    let found = shop.ok(&format!("/api/admin/orders/{id}"), &shop.admin).await;
    shape(&found, "order:object");
    let order = &found["order"];
    shape(
        order,
        "id:uuid reservation_number:text event_id:uuid event_title:text user_id:uuid \
         user_email:text user_name:text status:text payment_status:text state:text end_reason:text? \
         total_amount:int created_at:time expires_at:time ended_at:time? payment:object items:list \
         lsn:int",
    );
    shape(&order["payment"], "attempt:int method:text started_at:time paid_at:time");
    assert_eq!(
        (&order["state"], &order["user_email"]),
        (&json!("paid"), &json!("ordered@example.com"))
    );
    assert_eq!(list(&order["items"]).len(), 2);
    assert_eq!(shop.ok(&format!("/api/admin/orders/{number}"), &shop.admin).await, found);
    let cancel = format!("/api/admin/orders/{id}/cancel");
    let (status, answer) = shop.post_empty(&cancel, &shop.admin).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["order"]["end_reason"], "cancelled_by_admin");
    assert_eq!(answer["order"]["payment_status"], "refunded");
    refused(shop.post_empty(&cancel, &shop.admin).await, 400, "ALREADY_CANCELLED");
    assert_eq!(shop.counts(&event).await, (265, 0, 0));
    let refunded = ("cancelled".to_owned(), "refunded".to_owned());
    assert_eq!(shop.standing(&buyer, &id).await, refunded);
    for (name, status, code) in [
        ("x", 400, "BAD_ID"),
        (FOREIGN, 404, "NOT_FOUND"),
        (event.as_str(), 404, "NOT_FOUND"),
        ("TK", 404, "NOT_FOUND"),
        ("TK0000000000000AAAAA", 404, "NOT_FOUND"),
        ("TK%EA%B0%80%EA%B0%80%EA%B0%80%EA%B0%80%EA%B0%80%EA%B0%80", 404, "NOT_FOUND"),
    ] {
        refused(shop.get(&format!("/api/admin/orders/{name}"), &shop.admin).await, status, code);
    }
    let unknown = format!("/api/admin/orders/{FOREIGN}/cancel");
    refused(shop.post_empty(&unknown, &shop.admin).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn stats_add_up() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let (tickets, types) =
        shop.ticket_event(json!([{"name": "R", "price": "1000", "totalQuantity": "5"}])).await;
    let buyer = shop.buyer("counted").await;
    let paid = shop.hold(&buyer, &event, &seats[0]).await;
    assert_eq!(shop.pay(&buyer, &paid).await.0, 200);
    shop.hold(&buyer, &event, &seats[1]).await;
    let cancelled = shop.hold(&buyer, &event, &seats[2]).await;
    assert_eq!(shop.cancel(&buyer, &cancelled).await.0, 200);
    let body =
        json!({"eventId": tickets, "items": [{"ticketTypeId": types[0]["id"], "quantity": 2}]});
    assert_eq!(shop.post("/api/reservations", &buyer, &body).await.0, 201);
    let stats = shop.ok("/api/admin/stats", &shop.admin).await;
    shape(
        &stats,
        "events:int users:int orders:object seats:object tickets:object revenue:int \
         holds_live:int lsn:object records:int records_per_second:number uptime:number",
    );
    assert_eq!((&stats["events"], &stats["users"]), (&json!(2), &json!(2)));
    let orders =
        json!({"total": 4, "held": 2, "paying": 0, "paid": 1, "expired": 0, "cancelled": 1});
    assert_eq!(stats["orders"], orders);
    let seats = json!({"total": 265, "available": 263, "held": 1, "sold": 1, "blocked": 0});
    assert_eq!(stats["seats"], seats);
    let tickets_left = json!({"total": 5, "available": 3, "in_orders": 2, "sold_elsewhere": 0});
    assert_eq!(stats["tickets"], tickets_left);
    assert_eq!((&stats["revenue"], &stats["holds_live"]), (&json!(150_000), &json!(2)));
    let lsn = |name: &str| stats["lsn"][name].as_u64().expect("position");
    assert!(lsn("appended") >= lsn("durable") && lsn("durable") >= lsn("applied"));
    assert!(lsn("applied") >= 10 && lsn("epoch") == 1, "{stats}");

    let one = shop.ok(&format!("/api/admin/stats?event={event}"), &shop.admin).await;
    shape(
        &one["event"],
        "id:uuid title:text status:text orders:object revenue:int sections:list ticket_types:list",
    );
    let vip =
        json!({"section": "VIP", "total": 30, "available": 28, "held": 1, "sold": 1, "blocked": 0});
    assert_eq!(one["event"]["sections"][0], vip);
    refused(shop.get("/api/admin/stats?event=x", &shop.admin).await, 400, "BAD_ID");
    let unknown = format!("/api/admin/stats?event={FOREIGN}");
    refused(shop.get(&unknown, &shop.admin).await, 404, "NOT_FOUND");
}
