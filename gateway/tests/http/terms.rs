//! The terms of an event: how its tickets without seats are sold, and until when orders are paid.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tiketi_engine::record::TicketHold;

use crate::shop::{Shop, list, merge, refused, shape, text};

fn types() -> Value {
    json!([{"name": "R", "price": "1000", "totalQuantity": "20"}])
}

async fn buy(
    shop: &Shop,
    buyer: &str,
    event: &str,
    ticket_type: &Value,
    quantity: u32,
) -> (StatusCode, Value) {
    let items = json!([{"ticketTypeId": ticket_type["id"], "quantity": quantity}]);
    shop.post("/api/reservations", buyer, &json!({"eventId": event, "items": items})).await
}

/// Buys and answers with the reservation.
async fn bought(
    shop: &Shop,
    buyer: &str,
    event: &str,
    ticket_type: &Value,
    quantity: u32,
) -> Value {
    let (status, answer) = buy(shop, buyer, event, ticket_type, quantity).await;
    assert_eq!(status, 201, "{answer}");
    answer["reservation"].clone()
}

/// An event with one kind of ticket and its seats, where `change` says some.
async fn event_of(shop: &Shop, change: Value) -> (String, Value) {
    let mut body = json!({"ticketTypes": types()});
    merge(&mut body, change);
    let id = text(&shop.event(body).await["id"]);
    let detail = shop.ok(&format!("/api/events/{id}"), "").await;
    (id, detail["ticketTypes"][0].clone())
}

async fn put(shop: &Shop, path: &str, body: Value) -> (StatusCode, Value) {
    shop.gateway.call("PUT", path, &shop.admin, &body).await
}

/// How many seconds from now, to the second; `None` for never.
fn lives_s(reservation: &Value) -> Option<i64> {
    let at: Timestamp = reservation["expiresAt"].as_str()?.parse().expect("an instant");
    let lives = at.duration_since(Timestamp::now());
    Some(lives.saturating_add(SignedDuration::from_millis(999)).as_secs())
}

#[tokio::test]
async fn an_unpaid_order_of_tickets_ends_by_itself() {
    let second = Some(TicketHold::Millis(1_000));
    let shop = Shop::with(|config| config.ticket_hold_ttl = second).await;
    let (event, ticket) = event_of(&shop, json!({})).await;
    let buyer = shop.buyer("slow").await;
    let paid = text(&bought(&shop, &buyer, &event, &ticket, 1).await["id"]);
    assert_eq!(shop.pay(&buyer, &paid).await.0, 200);
    let held = bought(&shop, &buyer, &event, &ticket, 3).await;
    assert_eq!(lives_s(&held), Some(1));
    let id = text(&held["id"]);
    let page = shop.ok(&format!("/api/seats/reservation/{id}"), &buyer).await;
    assert_eq!(page["reservation"]["expires_at"], held["expiresAt"]);
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    refused(shop.pay(&buyer, &id).await, 400, "HOLD_EXPIRED");
    let (status, answer) =
        shop.post("/api/payments/toss/request", &buyer, &json!({"reservationId": id})).await;
    refused((status, answer), 400, "HOLD_EXPIRED");
    let failed = ("cancelled".to_owned(), "failed".to_owned());
    assert_eq!(shop.standing(&buyer, &id).await, failed);
    let path = format!("/api/tickets/availability/{}", text(&ticket["id"]));
    for _ in 0..100 {
        if shop.ok(&path, "").await["available_quantity"] == 19 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(shop.ok(&path, "").await["available_quantity"], 19);
    let shop = shop.restart(|_| {}).await;
    assert_eq!(shop.standing(&buyer, &id).await, failed);
    let sold = ("confirmed".to_owned(), "completed".to_owned());
    assert_eq!(shop.standing(&buyer, &paid).await, sold);
}

#[tokio::test]
async fn an_event_says_how_its_tickets_are_held() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("holder").await;
    for (terms, expected) in [
        (json!({}), Some(300)),
        (json!({"holdTtl": 60}), Some(60)),
        (json!({"holdTtl": 60, "ticketHoldTtl": 120}), Some(120)),
        (json!({"ticketHoldTtl": "90"}), Some(90)),
        (json!({"ticketHoldTtl": "never"}), None),
        (json!({"ticketHoldTtl": null}), Some(300)),
    ] {
        let (event, ticket) = event_of(&shop, terms.clone()).await;
        let held = bought(&shop, &buyer, &event, &ticket, 1).await;
        assert_eq!(lives_s(&held), expected, "{terms}");
    }
    // Edited, as administrators see it; others do not.
    let (event, ticket) = event_of(&shop, json!({})).await;
    let path = format!("/api/admin/events/{event}");
    let shown =
        async || shop.ok(&format!("/api/events/{event}"), &shop.admin).await["event"].clone();
    shape(&shown().await["terms"], "max_tickets:int? ticket_hold_ttl:int? deposits:bool");
    for (change, terms, expected) in [
        (json!({"ticketHoldTtl": "never", "deposits": false}), json!([null, "never", false]), None),
        (json!({"maxTickets": "7"}), json!([7, "never", false]), None),
        (json!({"ticketHoldTtl": 30, "title": "바뀐 공연"}), json!([7, 30, false]), Some(30)),
        (
            json!({"ticketHoldTtl": null, "maxTickets": null, "deposits": true}),
            json!([null, null, true]),
            Some(300),
        ),
    ] {
        let (status, answer) = put(&shop, &path, change).await;
        assert_eq!(status, 200, "{answer}");
        let now = &answer["event"]["terms"];
        assert_eq!(
            json!([now["max_tickets"], now["ticket_hold_ttl"], now["deposits"]]),
            terms,
            "{answer}"
        );
        assert_eq!(&shown().await["terms"], now);
        let held = bought(&shop, &buyer, &event, &ticket, 1).await;
        assert_eq!(lives_s(&held), expected);
        assert_eq!(shop.cancel(&buyer, &text(&held["id"])).await.0, 200);
    }
    let (_, ours) = shop.get(&format!("/api/events/{event}"), &buyer).await;
    assert_eq!(ours["event"].get("terms"), None);
    for wrong in [
        json!({"ticketHoldTtl": 0}),
        json!({"ticketHoldTtl": 86_401}),
        json!({"ticketHoldTtl": -1}),
        json!({"ticketHoldTtl": "always"}),
        json!({"ticketHoldTtl": 18_446_744_073_709_551_615_u64}),
        json!({"maxTickets": 0}),
        json!({"maxTickets": 1_000_001}),
        json!({"maxTickets": 4_294_967_296_u64}),
        json!({"deposits": "no"}),
        json!({"deposits": 1}),
    ] {
        refused(put(&shop, &path, wrong.clone()).await, 400, "VALIDATION");
        let mut body = crate::shop::event_body();
        merge(&mut body, wrong);
        refused(shop.post("/api/admin/events", &shop.admin, &body).await, 400, "VALIDATION");
    }
    // A copy has the same terms.
    let (status, _) = put(&shop, &path, json!({"maxTickets": 2, "ticketHoldTtl": "never"})).await;
    assert_eq!(status, 200);
    let dates = json!({
        "eventDate": "2098-01-02T19:00:00", "saleStartDate": "2020-01-01T00:00:00",
        "saleEndDate": "2098-01-01T00:00:00",
    });
    let (status, copy) = shop.post(&format!("{path}/duplicate"), &shop.admin, &dates).await;
    assert_eq!(status, 201, "{copy}");
    let terms = json!({"max_tickets": 2, "ticket_hold_ttl": "never", "deposits": true});
    assert_eq!(copy["event"]["terms"], terms);
    let event = event.clone();
    let shop = shop.restart(|_| {}).await;
    let kept = shop.ok(&format!("/api/events/{event}"), &shop.admin).await;
    assert_eq!(kept["event"]["terms"], terms);
}

#[tokio::test]
async fn a_user_buys_so_many_tickets_of_an_event() {
    let shop = Shop::with(|config| config.max_tickets = 4).await;
    let (buyer, other) = (shop.buyer("greedy").await, shop.buyer("modest").await);
    let (event, ticket) = event_of(&shop, json!({})).await;
    let (status, refusal) = buy(&shop, &buyer, &event, &ticket, 5).await;
    assert_eq!((&refusal["max"], &refusal["left"]), (&json!(4), &json!(4)));
    refused((status, refusal), 400, "SEAT_LIMIT");
    let paid = bought(&shop, &buyer, &event, &ticket, 3).await;
    assert_eq!(shop.pay(&buyer, &text(&paid["id"])).await.0, 200);
    let (_, refusal) = buy(&shop, &buyer, &event, &ticket, 2).await;
    assert_eq!((&refusal["max"], &refusal["left"]), (&json!(4), &json!(1)));
    bought(&shop, &other, &event, &ticket, 4).await;
    // The event's own.
    let (status, _) =
        put(&shop, &format!("/api/admin/events/{event}"), json!({"maxTickets": 6})).await;
    assert_eq!(status, 200);
    bought(&shop, &buyer, &event, &ticket, 2).await;
    let shop = shop.restart(|_| {}).await;
    let (_, refusal) = buy(&shop, &buyer, &event, &ticket, 4).await;
    assert_eq!((&refusal["max"], &refusal["left"]), (&json!(6), &json!(1)));
}

#[tokio::test]
async fn beside_seats_only_standing_tickets_are_sold() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("fan").await;
    let kinds = json!([
        {"name": "VIP", "price": 150_000, "totalQuantity": 5},
        {"name": "스탠딩", "price": 60_000, "totalQuantity": 5, "standing": true},
    ]);
    let event = shop.seat_event(json!({"ticketTypes": kinds})).await;
    let detail = shop.ok(&format!("/api/events/{event}"), "").await;
    let kinds = list(&detail["ticketTypes"]).to_vec();
    let standing: Vec<&Value> = kinds.iter().map(|kind| &kind["standing"]).collect();
    assert_eq!(standing, [false, true]);
    let (status, refusal) = buy(&shop, &buyer, &event, &kinds[0], 5).await;
    assert!(text(&refusal["error"]).contains("VIP"), "{refusal}");
    refused((status, refusal), 400, "NOT_ON_SALE");
    bought(&shop, &buyer, &event, &kinds[1], 2).await;
    // Edited: what is absent stays.
    let path = format!("/api/admin/tickets/{}", text(&kinds[0]["id"]));
    let edit = |standing: Value| {
        let mut body = json!({"name": "VIP", "price": 150_000, "totalQuantity": 5});
        merge(&mut body, standing);
        body
    };
    for (change, expected) in [
        (json!({}), false),
        (json!({"standing": true}), true),
        (json!({}), true),
        (json!({"standing": false}), false),
    ] {
        let (status, answer) = put(&shop, &path, edit(change)).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["ticketType"]["standing"], expected);
        let now = shop.ok(&format!("/api/events/{event}"), "").await;
        assert_eq!(now["ticketTypes"][0]["standing"], expected);
        let (status, answer) = buy(&shop, &buyer, &event, &kinds[0], 1).await;
        assert_eq!(status, if expected { 201 } else { 400 });
        if expected {
            // An equal order would be the same click.
            let id = text(&answer["reservation"]["id"]);
            assert_eq!(shop.cancel(&buyer, &id).await.0, 200);
        }
    }
    refused(put(&shop, &path, edit(json!({"standing": 1}))).await, 400, "VALIDATION");
    // Added one by one.
    let path = format!("/api/admin/events/{event}/tickets");
    for (standing, status) in [(json!({}), 400), (json!({"standing": true}), 201)] {
        let mut body = json!({"name": "new", "price": 1, "totalQuantity": 1});
        merge(&mut body, standing);
        let (made, answer) = shop.post(&path, &shop.admin, &body).await;
        assert_eq!(made, 201, "{answer}");
        assert_eq!(buy(&shop, &buyer, &event, &answer["ticketType"], 1).await.0, status);
    }
}

#[tokio::test]
async fn a_hall_that_is_full_is_sold_out_whatever_is_for_show() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("last").await;
    let layout = json!({
        "name": "two seats",
        "sections": [{"name": "A", "rows": 1, "seatsPerRow": 2, "price": 1_000}],
    });
    for (standing, expected) in [(false, "sold_out"), (true, "on_sale")] {
        let kinds = json!([{"name": "R", "price": 1, "totalQuantity": 1, "standing": standing}]);
        let body = json!({"layout": layout, "ticketTypes": kinds, "seatLayoutId": "(absent)"});
        let event = text(&shop.event(body).await["id"]);
        let seats = shop.seats(&event).await;
        let (_, held) = shop.reserve(&buyer, &event, &[&seats[0], &seats[1]]).await;
        assert_eq!(shop.pay(&buyer, &text(&held["reservation"]["id"])).await.0, 200);
        let detail = shop.ok(&format!("/api/events/{event}"), "").await;
        assert_eq!(detail["event"]["status"], expected);
    }
}

#[tokio::test]
async fn nothing_is_paid_once_the_show_has_begun() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("late").await;
    let begins = Timestamp::now() + SignedDuration::from_millis(1_500);
    let change = json!({"seatLayoutId": shop.theatre, "eventDate": format!("{begins:.3}")});
    let event = text(&shop.event(change).await["id"]);
    let seats = shop.seats(&event).await;
    let held = shop.hold(&buyer, &event, &seats[0]).await;
    let request = json!({"reservationId": held});
    let (status, order) = shop.post("/api/payments/toss/request", &buyer, &request).await;
    assert_eq!(status, 201, "{order}");
    while Timestamp::now() <= begins {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (status, refusal) = shop.pay(&buyer, &held).await;
    assert!(text(&refusal["error"]).contains("지난 공연"), "{refusal}");
    refused((status, refusal), 400, "NOT_PAYABLE");
    let answer = shop.post("/api/payments/toss/request", &buyer, &request).await;
    refused(answer, 400, "NOT_PAYABLE");
    let confirm =
        json!({"paymentKey": "key", "orderId": order["orderId"], "amount": order["amount"]});
    let answer = shop.post("/api/payments/toss/confirm", &buyer, &confirm).await;
    refused(answer, 400, "NOT_PAYABLE");
    assert_eq!(shop.cancel(&buyer, &held).await.0, 200);
}
