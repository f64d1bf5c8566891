//! Events, ticket types, layouts (contract/http.md 2.2, 2.3, 2.4).

use serde_json::{Value, json};

use crate::shop::{Shop, in_minutes, list, refused, shape, text, theatre_sections};

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";

const ROW: &str = "id:uuid title:text description:text? venue:text address:text? event_date:time \
     sale_start_date:time sale_end_date:time poster_image_url:text? status:text artist_name:text? \
     ticket_type_count:digits min_price:int? max_price:int? category:text?";
pub(crate) const DETAIL: &str = "id:uuid title:text description:text? venue:text address:text? event_date:time \
     sale_start_date:time sale_end_date:time poster_image_url:text? status:text \
     seat_layout_id:uuid? artist_name:text? pre_scaled:bool created_by:uuid? created_at:time \
     updated_at:time category:text?";
/// The same as administrators see it.
pub(crate) fn admin_detail() -> String {
    format!("{DETAIL} terms:object")
}
const TICKET_TYPE: &str = "id:uuid name:text price:int total_quantity:int available_quantity:int description:text? standing:bool";

#[tokio::test]
async fn the_list_has_the_contract_shape() {
    let shop = Shop::open().await;
    shop.event(json!({"title": "표 없음"})).await;
    let types = json!([
        {"name": "R", "price": "100000", "totalQuantity": "5", "description": ""},
        {"name": "VIP", "price": 150_000, "totalQuantity": 2},
    ]);
    shop.event(json!({"title": "표 있음", "ticketTypes": types})).await;
    let answer = shop.ok("/api/events", "").await;
    shape(&answer, "events:list pagination:object");
    shape(&answer["pagination"], "page:int limit:int total:int totalPages:int");
    assert_eq!(answer["pagination"], json!({"page": 1, "limit": 10, "total": 2, "totalPages": 1}));
    let rows = list(&answer["events"]);
    rows.iter().for_each(|row| shape(row, ROW));
    let of = |title: &str| rows.iter().find(|row| row["title"] == title).expect("row");
    let (without, with) = (of("표 없음"), of("표 있음"));
    assert_eq!(without["ticket_type_count"], "0");
    assert_eq!((&without["min_price"], &without["max_price"]), (&Value::Null, &Value::Null));
    assert_eq!(with["ticket_type_count"], "2");
    assert_eq!((&with["min_price"], &with["max_price"]), (&json!(100_000), &json!(150_000)));
    assert_eq!((&with["description"], &with["poster_image_url"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn the_list_is_ordered_filtered_and_paged() {
    let shop = Shop::open().await;
    for (title, from, to) in
        [("셋째", 30, 60), ("첫째", -90, -60), ("둘째", -60, 60), ("둘째 다음", -60, 60)]
    {
        let when = json!({"title": title, "saleStartDate": in_minutes(from), "saleEndDate": in_minutes(to)});
        shop.event(when).await;
    }
    let titles = |answer: &Value| -> Vec<String> {
        list(&answer["events"]).iter().map(|row| text(&row["title"])).collect()
    };
    let all = ["첫째", "둘째", "둘째 다음", "셋째"];
    for (query, expected) in [
        ("", &all[..]),
        ("?status=", &all),
        ("?status=ended", &all[..1]),
        ("?status=on_sale", &all[1..3]),
        ("?status=upcoming", &all[3..]),
        ("?status=cancelled", &[]),
        ("?status=sold_out", &[]),
        ("?status=nonsense", &[]),
        ("?q=%EB%8B%A4%EC%9D%8C", &all[2..3]),
        ("?q=%20%EB%91%98%EC%A7%B8%20&status=on_sale", &all[1..3]),
        ("?q=%EB%91%98%EC%A7%B8&status=ended", &[]),
        ("?q=%20", &all),
        ("?q=%25", &[]),
        ("?q=_", &[]),
        ("?limit=1000", &all),
        ("?limit=5000", &all),
        ("?limit=2", &all[..2]),
        ("?limit=2&page=2", &all[2..]),
        ("?limit=3&page=2", &all[3..]),
        ("?page=3", &[]),
        ("?page=18446744073709551615&limit=1000", &[]),
        ("?q=x&q=y", &[]),
    ] {
        let answer = shop.ok(&format!("/api/events{query}"), "").await;
        assert_eq!(titles(&answer), expected, "{query}");
    }
    let page = shop.ok("/api/events?limit=3&page=2", "").await;
    assert_eq!(page["pagination"], json!({"page": 2, "limit": 3, "total": 4, "totalPages": 2}));
    let empty = shop.ok("/api/events?status=cancelled", "").await;
    assert_eq!(empty["pagination"], json!({"page": 1, "limit": 10, "total": 0, "totalPages": 0}));
    for bad in [
        "page=0",
        "page=-1",
        "page=x",
        "limit=0",
        "limit=-1",
        "limit=1.5",
        "page=99999999999999999999",
    ] {
        refused(shop.get(&format!("/api/events?{bad}"), "").await, 400, "VALIDATION");
    }
}

#[tokio::test]
async fn the_detail_has_the_contract_shape() {
    let shop = Shop::open().await;
    let types = json!([
        {"name": "S", "price": "70000", "totalQuantity": "3"},
        {"name": "VIP", "price": "150000", "totalQuantity": "2", "description": "앞자리"},
    ]);
    let (id, types) = shop.ticket_event(types).await;
    let answer = shop.ok(&format!("/api/events/{id}"), "").await;
    shape(&answer, "event:object ticketTypes:list");
    shape(&answer["event"], DETAIL);
    assert_eq!(answer["event"]["seat_layout_id"], Value::Null);
    assert_eq!(answer["event"]["status"], "on_sale");
    assert_eq!(answer["event"]["pre_scaled"], false);
    types.iter().for_each(|found| shape(found, TICKET_TYPE));
    let names: Vec<&Value> = types.iter().map(|found| &found["name"]).collect();
    assert_eq!(names, ["VIP", "S"], "dearest first");
    assert_eq!(types[0]["description"], "앞자리");

    let seats = shop.seat_event(json!({})).await;
    let answer = shop.ok(&format!("/api/events/{seats}/"), "").await;
    assert_eq!(answer["event"]["seat_layout_id"], shop.theatre);
    assert_eq!(answer["ticketTypes"], json!([]));

    refused(shop.get("/api/events/nonsense", "").await, 400, "BAD_ID");
    refused(shop.get(&format!("/api/events/{FOREIGN}"), "").await, 404, "NOT_FOUND");
    let layout = text(&shop.theatre);
    refused(shop.get(&format!("/api/events/{layout}"), "").await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn ticket_types_and_their_stock() {
    let shop = Shop::open().await;
    let (id, types) =
        shop.ticket_event(json!([{"name": "R", "price": "1000", "totalQuantity": "5"}])).await;
    let answer = shop.ok(&format!("/api/tickets/event/{id}"), "").await;
    assert_eq!(answer, json!({"ticketTypes": types}));
    for unknown in [FOREIGN, &text(&shop.theatre)] {
        let answer = shop.ok(&format!("/api/tickets/event/{unknown}"), "").await;
        assert_eq!(answer, json!({"ticketTypes": []}));
    }
    refused(shop.get("/api/tickets/event/1", "").await, 400, "BAD_ID");

    let ticket_type = text(&types[0]["id"]);
    let path = format!("/api/tickets/availability/{ticket_type}");
    assert_eq!(shop.ok(&path, "").await, json!({"available_quantity": 5, "total_quantity": 5}));
    refused(shop.get("/api/tickets/availability/1", "").await, 400, "BAD_ID");
    for unknown in [FOREIGN, &id] {
        let path = format!("/api/tickets/availability/{unknown}");
        refused(shop.get(&path, "").await, 404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn layouts_are_listed_by_size_and_by_name() {
    let shop = Shop::open().await;
    let tiny = json!({"name": "zz_tiny", "sections": [{"name": "A", "rows": 1, "seatsPerRow": 2, "price": 1}]});
    let (status, made) = shop.post("/api/admin/seat-layouts", &shop.admin, &tiny).await;
    assert_eq!(status, 201);
    shape(&made, "message:text layout:object");
    const LAYOUT: &str = "id:uuid name:text description:text? total_seats:int layout_config:object";
    shape(&made["layout"], LAYOUT);
    let names = |answer: &Value| -> Vec<String> {
        list(&answer["layouts"]).iter().map(|layout| text(&layout["name"])).collect()
    };
    let by_size = shop.ok("/api/seats/layouts", "").await;
    list(&by_size["layouts"]).iter().for_each(|layout| shape(layout, LAYOUT));
    assert_eq!(names(&by_size), ["zz_tiny", "small_theater"]);
    let by_name = shop.ok("/api/admin/seat-layouts", &shop.admin).await;
    assert_eq!(names(&by_name), ["small_theater", "zz_tiny"]);
    let theatre = &list(&by_name["layouts"])[0];
    assert_eq!(theatre["total_seats"], 265);
    assert_eq!(theatre["layout_config"], json!({"sections": theatre_sections()}));
    assert_eq!(list(&by_size["layouts"])[0]["layout_config"]["sections"][0]["startRow"], 1);
}

#[tokio::test]
async fn status_is_of_the_instant_it_is_asked_for() {
    let shop = Shop::open().await;
    for (change, expected) in [
        (json!({"saleStartDate": in_minutes(1)}), "upcoming"),
        (json!({}), "on_sale"),
        (json!({"saleStartDate": in_minutes(-9), "saleEndDate": in_minutes(-1)}), "ended"),
        // The show has begun; sales beyond it end with it.
        (json!({"eventDate": in_minutes(-1)}), "ended"),
    ] {
        assert_eq!(shop.event(change).await["status"], expected);
    }
    // Sold out, and back once something is given back.
    let (id, types) =
        shop.ticket_event(json!([{"name": "R", "price": "1", "totalQuantity": "1"}])).await;
    let buyer = shop.buyer("last").await;
    let body = json!({"eventId": id, "items": [{"ticketTypeId": types[0]["id"], "quantity": 1}]});
    let (status, answer) = shop.post("/api/reservations", &buyer, &body).await;
    assert_eq!(status, 201, "{answer}");
    let event = format!("/api/events/{id}");
    assert_eq!(shop.ok(&event, "").await["event"]["status"], "on_sale", "it may come back");
    assert_eq!(shop.pay(&buyer, &text(&answer["reservation"]["id"])).await.0, 200);
    assert_eq!(shop.ok(&event, "").await["event"]["status"], "sold_out");
    let sold_out = shop.ok("/api/events?status=sold_out", "").await;
    assert_eq!(sold_out["pagination"]["total"], 1);
    let (status, _) = shop.cancel(&buyer, &text(&answer["reservation"]["id"])).await;
    assert_eq!(status, 200);
    assert_eq!(shop.ok(&event, "").await["event"]["status"], "on_sale");
}
