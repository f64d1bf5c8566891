//! The pages of events that everybody asks for are kept encoded, and never stale for it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_ENCODING, ETAG};
use serde_json::{Value, json};

use crate::shop::{Shop, in_minutes, list, refused, text};

async fn change(shop: &Shop, method: &str, path: &str, body: Value) {
    let (status, answer) = shop.gateway.call(method, path, &shop.admin, &body).await;
    assert!(status.is_success(), "{method} {path}: {answer}");
}

/// The event as its page and as the list have it, after everybody has looked.
async fn seen(shop: &Shop, event: &str) -> (Value, Value) {
    let mut pages = Vec::new();
    for _ in 0..2 {
        let page = shop.ok(&format!("/api/events/{event}"), "").await;
        let listed = shop.ok("/api/events", "").await;
        let row = list(&listed["events"]).iter().find(|row| row["id"] == event).cloned();
        pages.push((page, row.expect("listed")));
    }
    assert_eq!(pages[0], pages[1]);
    pages.remove(0)
}

#[tokio::test]
async fn pages_follow_every_change() {
    let shop = Shop::open().await;
    let (event, types) =
        shop.ticket_event(json!([{"name": "R", "price": 9_000, "totalQuantity": 5}])).await;
    let path = format!("/api/admin/events/{event}");
    let ticket = text(&types[0]["id"]);
    let dearer = json!({"name": "S", "price": 70_000, "totalQuantity": 3});
    let edited = json!({"name": "R", "price": 1_000, "totalQuantity": 9});
    for (method, at, body, of_page, of_row, expected) in [
        ("PUT", path.clone(), json!({"title": "하나"}), "/event/title", "/title", json!("하나")),
        ("PUT", path.clone(), json!({"title": "둘"}), "/event/title", "/title", json!("둘")),
        (
            "PUT",
            path.clone(),
            json!({"category": "콘서트"}),
            "/event/category",
            "/category",
            json!("콘서트"),
        ),
        (
            "PUT",
            "/api/admin/categories/콘서트".to_owned(),
            json!({"name": "공연"}),
            "/event/category",
            "/category",
            json!("공연"),
        ),
        (
            "POST",
            format!("{path}/tickets"),
            dearer,
            "/ticketTypes/0/price",
            "/max_price",
            json!(70_000),
        ),
        (
            "PUT",
            format!("/api/admin/tickets/{ticket}"),
            edited,
            "/ticketTypes/1/price",
            "/min_price",
            json!(1_000),
        ),
        (
            "POST",
            format!("{path}/cancel"),
            json!({}),
            "/event/status",
            "/status",
            json!("cancelled"),
        ),
    ] {
        let (page, row) = seen(&shop, &event).await;
        assert_ne!(page.pointer(of_page), Some(&expected), "before {method} {at}");
        assert_ne!(row.pointer(of_row), Some(&expected), "before {method} {at}");
        change(&shop, method, &at, body).await;
        let (page, row) = seen(&shop, &event).await;
        assert_eq!(page.pointer(of_page), Some(&expected), "{method} {at}");
        assert_eq!(row.pointer(of_row), Some(&expected), "{method} {at}");
    }
    let other = text(&shop.event(json!({"title": "다른 공연"})).await["id"]);
    assert_eq!(shop.ok("/api/events", "").await["pagination"]["total"], 2);
    seen(&shop, &other).await;
    change(&shop, "DELETE", &path, json!({})).await;
    assert_eq!(shop.ok("/api/events", "").await["pagination"]["total"], 1);
    refused(shop.get(&format!("/api/events/{event}"), "").await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn pages_follow_stock_and_the_clock() {
    let shop = Shop::open().await;
    let (event, types) =
        shop.ticket_event(json!([{"name": "R", "price": "1", "totalQuantity": "3"}])).await;
    let buyer = shop.buyer("page").await;
    for (quantity, left, status) in [(1, 2, "on_sale"), (2, 0, "sold_out")] {
        seen(&shop, &event).await;
        let items = json!([{"ticketTypeId": types[0]["id"], "quantity": quantity}]);
        let body = json!({"eventId": event, "items": items});
        let (status_code, made) = shop.post("/api/reservations", &buyer, &body).await;
        assert_eq!(status_code, 201, "{made}");
        assert_eq!(shop.pay(&buyer, &text(&made["reservation"]["id"])).await.0, 200);
        let (page, row) = seen(&shop, &event).await;
        assert_eq!(page["ticketTypes"][0]["available_quantity"], left);
        assert_eq!((&page["event"]["status"], &row["status"]), (&json!(status), &json!(status)));
    }

    let (before, after) = (in_minutes(-5), "2098-01-01T00:00:00.000Z");
    let soon = Timestamp::now() + SignedDuration::from_secs(2);
    let dates =
        json!({"saleStartDate": before, "saleEndDate": format!("{soon:.3}"), "eventDate": after});
    let event = text(&shop.event(dates).await["id"]);
    let path = format!("/api/events/{event}");
    while Timestamp::now() < soon {
        let status = text(&shop.ok(&path, "").await["event"]["status"]);
        assert!(status == "on_sale" || Timestamp::now() >= soon, "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (page, row) = seen(&shop, &event).await;
    assert_eq!((&page["event"]["status"], &row["status"]), (&json!("ended"), &json!("ended")));
}

#[tokio::test]
async fn pages_have_a_tag_and_come_compressed() {
    let shop = Shop::open().await;
    let description = "가나다라마바사아자차카타파하 ".repeat(40);
    let event = text(&shop.event(json!({"description": description})).await["id"]);
    for path in ["/api/events".to_owned(), format!("/api/events/{event}")] {
        let plain = shop.gateway.get(&path).await;
        let tag = plain.headers()[ETAG].clone();
        let known = shop.gateway.request("GET", &path).header("if-none-match", tag.clone());
        let known = known.send().await.expect("answer");
        assert_eq!((known.status().as_u16(), &known.headers()[ETAG]), (304, &tag));
        assert!(known.bytes().await.expect("no body").is_empty());
        let plain = plain.bytes().await.expect("body");
        for _ in 0..2 {
            let packed = shop.gateway.request("GET", &path).header("accept-encoding", "gzip");
            let packed = packed.send().await.expect("answer");
            assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
            assert!(packed.bytes().await.expect("body").len() < plain.len());
        }
        change(&shop, "PUT", &format!("/api/admin/events/{event}"), json!({"venue": path})).await;
        let changed = shop.gateway.request("GET", &path).header("if-none-match", tag.clone());
        let changed = changed.send().await.expect("answer");
        assert_eq!(changed.status(), 200);
        assert_ne!(changed.headers()[ETAG], tag);
    }
}
