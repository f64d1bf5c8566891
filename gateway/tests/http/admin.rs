//! What administrators do (contract/http.md 2.9, and `gateway/PROTOCOL.md`).

use serde_json::{Value, json};

use crate::catalog::admin_detail;
use crate::shop::{Shop, event_body, in_minutes, list, merge, refused, shape, text};

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";

#[tokio::test]
async fn only_administrators() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("mortal").await;
    for (method, path) in [
        ("GET", "/api/admin/seat-layouts"),
        ("POST", "/api/admin/seat-layouts"),
        ("POST", "/api/admin/events"),
        ("PUT", "/api/admin/events/x"),
        ("POST", "/api/admin/events/x/cancel"),
        ("POST", "/api/admin/events/x/seats/block"),
        ("POST", "/api/admin/events/x/seats/unblock"),
        ("GET", "/api/admin/users/x"),
        ("PUT", "/api/admin/users/x/role"),
        ("GET", "/api/admin/orders/x"),
        ("POST", "/api/admin/orders/x/cancel"),
        ("GET", "/api/admin/stats"),
        ("DELETE", "/api/admin/events/x"),
        ("POST", "/api/admin/events/x/duplicate"),
        ("POST", "/api/admin/events/x/generate-seats"),
        ("DELETE", "/api/admin/events/x/seats"),
        ("POST", "/api/admin/events/x/tickets"),
        ("PUT", "/api/admin/tickets/x"),
        ("POST", "/api/admin/events/x/tickets/csv"),
        ("POST", "/api/admin/seat-layouts/csv"),
        ("POST", "/api/admin/events/x/seats/csv"),
        ("GET", "/api/admin/categories"),
        ("PUT", "/api/admin/categories/x"),
        ("GET", "/api/admin/reservations"),
        ("PATCH", "/api/admin/reservations/x/status"),
    ] {
        refused(shop.gateway.call(method, path, "", &json!({})).await, 401, "AUTH_REQUIRED");
        refused(shop.gateway.call(method, path, &buyer, &json!({})).await, 403, "ADMIN_ONLY");
    }
}

#[tokio::test]
async fn an_event_is_made() {
    let shop = Shop::open().await;
    let body = json!({
        "title": " 새 공연 ", "venue": "홀", "description": "", "address": null, "artistName": "",
        "posterImageUrl": "/images/x.jpg",
        // As the form sends them: Seoul time without a zone.
        "eventDate": "2037-01-10T19:00:00", "saleStartDate": "2037-01-01T09:00:00",
        "saleEndDate": "2037-01-09T18:00:00+00:00",
        "seatLayoutId": shop.theatre,
        "ticketTypes": [{"name": "참고", "price": "150000", "totalQuantity": "30", "description": ""}],
        "unknown": [1, 2, 3],
    });
    let (status, answer) = shop.post("/api/admin/events", &shop.admin, &body).await;
    assert_eq!(status, 201, "{answer}");
    shape(&answer, "message:text event:object");
    let event = &answer["event"];
    shape(event, &admin_detail());
    for (field, expected) in [
        ("title", json!("새 공연")),
        ("description", json!(null)),
        ("address", json!(null)),
        ("artist_name", json!(null)),
        ("poster_image_url", json!("/images/x.jpg")),
        ("event_date", json!("2037-01-10T10:00:00.000Z")),
        ("sale_start_date", json!("2037-01-01T00:00:00.000Z")),
        ("sale_end_date", json!("2037-01-09T18:00:00.000Z")),
        ("status", json!("upcoming")),
        ("seat_layout_id", shop.theatre.clone()),
    ] {
        assert_eq!(event[field], expected, "{field}");
    }
    assert!(event["created_by"].is_string());
    let id = text(&event["id"]);
    assert_eq!(shop.seats(&id).await.len(), 265);
    // Prices of the list come from ticket types, never from seats.
    let row = &shop.ok("/api/events", "").await["events"][0];
    assert_eq!((&row["min_price"], &row["ticket_type_count"]), (&json!(150_000), &json!("1")));
}

#[tokio::test]
async fn events_that_are_refused() {
    let shop = Shop::open().await;
    let long = "가".repeat(256);
    let ticket_type = |field: &str, value: Value| {
        let mut one = json!({"name": "R", "price": "1000", "totalQuantity": "5"});
        merge(&mut one, json!({field: value}));
        json!({"ticketTypes": [one]})
    };
    let section = |field: &str, value: Value| {
        let mut one = json!({"name": "A", "rows": 1, "seatsPerRow": 1, "price": 1});
        merge(&mut one, json!({field: value}));
        json!({"layout": {"name": "new", "sections": [one]}})
    };
    let absent = json!("(absent)");
    let mut changes: Vec<(Value, &str)> =
        ["title", "venue", "eventDate", "saleStartDate", "saleEndDate"]
            .into_iter()
            .flat_map(|field| {
                [absent.clone(), json!(null), json!(""), json!(7)]
                    .map(|value| json!({field: value}))
            })
            .map(|change| (change, "VALIDATION"))
            .collect();
    changes.extend([
        (json!({"title": "  "}), "VALIDATION"),
        (json!({"title": long}), "VALIDATION"),
        (json!({"venue": long}), "VALIDATION"),
        (json!({"title": "a\u{0}b"}), "VALIDATION"),
        (json!({"artistName": long}), "VALIDATION"),
        (json!({"eventDate": "tomorrow"}), "VALIDATION"),
        (json!({"eventDate": "2037-02-30T19:00:00"}), "VALIDATION"),
        (json!({"saleEndDate": in_minutes(-60)}), "VALIDATION"),
        (json!({"saleStartDate": in_minutes(9_000)}), "VALIDATION"),
        (json!({"seatLayoutId": "x"}), "BAD_ID"),
        (json!({"seatLayoutId": FOREIGN}), "NOT_FOUND"),
        (json!({"seatLayoutId": 7}), "VALIDATION"),
        (json!({"ticketTypes": {}}), "VALIDATION"),
        (json!({"ticketTypes": [{}]}), "VALIDATION"),
        (ticket_type("name", json!("")), "VALIDATION"),
        (ticket_type("name", absent.clone()), "VALIDATION"),
        (ticket_type("price", absent.clone()), "VALIDATION"),
        (ticket_type("price", json!("-1")), "VALIDATION"),
        (ticket_type("price", json!("1.5")), "VALIDATION"),
        (ticket_type("price", json!("free")), "VALIDATION"),
        (ticket_type("price", json!(-1)), "VALIDATION"),
        (ticket_type("price", json!(1e300)), "VALIDATION"),
        (ticket_type("price", json!("99999999999")), "VALIDATION"),
        (ticket_type("totalQuantity", json!("")), "VALIDATION"),
        (ticket_type("totalQuantity", json!(4_294_967_296_u64)), "VALIDATION"),
        (section("rows", json!(0)), "VALIDATION"),
        (section("rows", json!(-1)), "VALIDATION"),
        (section("seatsPerRow", json!(100_000)), "VALIDATION"),
        (section("name", json!("")), "VALIDATION"),
        (json!({"layout": {"name": "new", "sections": []}}), "VALIDATION"),
        (json!({"layout": {"name": "small_theater", "sections": [{"name": "A", "rows": 1, "seatsPerRow": 1, "price": 1}]}}), "CONFLICT"),
        (json!({"maxSeats": 0}), "VALIDATION"),
        (json!({"maxSeats": 9}), "VALIDATION"),
        (json!({"maxSeats": 300}), "VALIDATION"),
        (json!({"holdTtl": 0}), "VALIDATION"),
        (json!({"holdTtl": 18_446_744_073_709_551_615_u64}), "VALIDATION"),
        (json!({"maxPerUser": 0}), "VALIDATION"),
    ]);
    for (change, code) in changes {
        let mut body = event_body();
        merge(&mut body, change.clone());
        let answer = shop.post("/api/admin/events", &shop.admin, &body).await;
        assert_eq!(answer.1["code"], code, "{change}: {}", answer.1);
        refused(answer, 400, code);
    }
    refused(shop.post("/api/admin/events", &shop.admin, &json!([])).await, 400, "VALIDATION");
    let layouts = shop.ok("/api/seats/layouts", "").await;
    assert_eq!(list(&layouts["layouts"]).len(), 1, "none of them left a layout behind");
    assert_eq!(shop.ok("/api/events", "").await["pagination"]["total"], 0);
}

#[tokio::test]
async fn an_event_brings_its_layout() {
    let shop = Shop::open().await;
    let layout = json!({"name": "inline", "description": "작은 홀",
        "sections": [{"name": "A", "rows": 2, "seatsPerRow": 3, "price": 10, "startRow": 5}]});
    let first = shop.event(json!({"layout": layout})).await;
    let again = shop.event(json!({"layout": layout})).await;
    assert_eq!(first["seat_layout_id"], again["seat_layout_id"], "made once");
    assert_eq!(shop.seats(&text(&again["id"])).await[3]["seat_label"], "A-6-1");
    let body = json!({"layout": layout, "seatLayoutId": shop.theatre});
    let mut both = event_body();
    merge(&mut both, body);
    refused(shop.post("/api/admin/events", &shop.admin, &both).await, 400, "VALIDATION");
    refused(shop.post("/api/admin/seat-layouts", &shop.admin, &layout).await, 400, "CONFLICT");
}

#[tokio::test]
async fn an_event_that_was_refused_after_its_layout_was_made_is_made_by_the_same_request() {
    let shop = Shop::open().await;
    let layout = json!({"name": " inline ", "description": "",
        "sections": [{"name": "A", "rows": 2, "seatsPerRow": 3, "price": 10}]});
    // All that such a request leaves: the log took the layout and had no room for the event (503).
    let (status, made) = shop.post("/api/admin/seat-layouts", &shop.admin, &layout).await;
    assert_eq!(status, 201, "{made}");
    let body = json!({"layout": layout});
    let first = shop.event(body.clone()).await;
    assert_eq!(first["seat_layout_id"], made["layout"]["id"]);
    assert_eq!(shop.seats(&text(&first["id"])).await.len(), 6);
    // Also where the gateway was started again in between.
    let shop = shop.restart(|_| {}).await;
    let again = shop.event(body).await;
    assert_eq!(again["seat_layout_id"], made["layout"]["id"]);
    let layouts = shop.ok("/api/seats/layouts", "").await;
    assert_eq!(list(&layouts["layouts"]).len(), 2, "the theatre and this one, once");
}

#[tokio::test]
async fn an_event_is_edited() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({})).await;
    let path = format!("/api/admin/events/{id}");
    let edit = async |body: Value| shop.gateway.call("PUT", &path, &shop.admin, &body).await;
    let whole = json!({
        "title": "고친 공연", "description": "설명", "venue": "다른 홀", "address": "", "artistName": null,
        "posterImageUrl": "", "eventDate": in_minutes(5_000), "saleStartDate": in_minutes(60),
        "saleEndDate": in_minutes(600),
    });
    let (status, answer) = edit(whole).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "message:text event:object");
    let event = &answer["event"];
    shape(event, &admin_detail());
    assert_eq!(event["title"], "고친 공연");
    assert_eq!((&event["address"], &event["artist_name"]), (&Value::Null, &Value::Null));
    assert_eq!(event["status"], "upcoming");
    let shown = shop.ok(&format!("/api/events/{id}"), &shop.admin).await;
    assert_eq!(shown["event"], *event);
    let buyer = shop.buyer("edited").await;
    let seats = shop.seats(&id).await;
    refused(shop.reserve(&buyer, &id, &[&seats[0]]).await, 400, "NOT_ON_SALE");
    // What is absent stays as it is.
    let (status, answer) = edit(json!({"saleStartDate": in_minutes(-60)})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["event"]["status"], "on_sale");
    assert_eq!(answer["event"]["description"], "설명");
    shop.hold(&buyer, &id, &seats[0]).await;
    for body in [
        json!({"title": ""}),
        json!({"title": 7}),
        json!({"eventDate": "x"}),
        json!({"saleEndDate": in_minutes(-600)}),
        json!([]),
    ] {
        refused(edit(body).await, 400, "VALIDATION");
    }
    for (unknown, status, code) in [("x", 400, "BAD_ID"), (FOREIGN, 404, "NOT_FOUND")] {
        let path = format!("/api/admin/events/{unknown}");
        refused(shop.gateway.call("PUT", &path, &shop.admin, &json!({})).await, status, code);
        let answer = shop.post_empty(&format!("{path}/cancel"), &shop.admin).await;
        refused(answer, status, code);
    }
    // Cancelled stays cancelled.
    assert_eq!(shop.post_empty(&format!("{path}/cancel"), &shop.admin).await.0, 200);
    assert_eq!(edit(json!({"title": "später"})).await.1["event"]["status"], "cancelled");
}
