//! `GET /api/admin/dashboard/stats` (contract/http.md 2.9, domain.md 7).

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape};

const STATS: &str = "/api/admin/dashboard/stats";

fn numbers(answer: &Value) -> [u64; 4] {
    ["totalEvents", "totalReservations", "totalRevenue", "todayReservations"]
        .map(|name| answer["stats"][name].as_u64().expect("number"))
}

#[tokio::test]
async fn it_counts_what_the_contract_says() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("someone").await;
    assert_eq!(numbers(&shop.ok(STATS, &shop.admin).await), [0; 4]);
    let event = shop.seat_event(json!({"title": "봄"})).await;
    let (tickets, types) =
        shop.ticket_event(json!([{"name": "입석", "price": 10_000, "totalQuantity": 50}])).await;
    let seats = shop.seats(&event).await;
    let paid = shop.hold(&buyer, &event, &seats[0]).await;
    assert_eq!(shop.pay(&buyer, &paid).await.0, 200);
    let given_back = shop.hold(&buyer, &event, &seats[1]).await;
    assert_eq!(shop.pay(&buyer, &given_back).await.0, 200);
    assert_eq!(shop.cancel(&buyer, &given_back).await.0, 200);
    shop.hold(&buyer, &event, &seats[2]).await;
    let items = json!([{"ticketTypeId": types[0]["id"], "quantity": 2}]);
    let body = json!({"eventId": tickets, "items": items});
    assert_eq!(shop.post("/api/reservations", &buyer, &body).await.0, 201);

    let answer = shop.ok(STATS, &shop.admin).await;
    shape(&answer, "stats:object recentReservations:list");
    shape(
        &answer["stats"],
        "totalEvents:int totalReservations:int totalRevenue:int todayReservations:int",
    );
    // Paid, held and tickets; the one that was given back is cancelled, its money gone.
    assert_eq!(numbers(&answer), [2, 3, 150_000, 3]);
    let recent = list(&answer["recentReservations"]);
    recent.iter().for_each(|row| {
        shape(
            row,
            "id:uuid reservation_number:text total_amount:int status:text created_at:time \
             user_name:text user_email:text event_title:text",
        );
        assert_eq!(row["user_email"], "someone@example.com");
    });
    let of = |name: &str| -> Vec<&Value> { recent.iter().map(|row| &row[name]).collect() };
    assert_eq!(of("status"), ["pending", "pending", "cancelled", "confirmed"]);
    assert_eq!(of("total_amount"), [20_000, 150_000, 150_000, 150_000]);
    assert_eq!(of("event_title")[1..], ["봄", "봄", "봄"]);

    // The same after a restart: the sums are those of the fold.
    let shop = shop.restart(|config| config.sample_data = false).await;
    assert_eq!(shop.ok(STATS, &shop.admin).await, answer);
}

#[tokio::test]
async fn holds_whose_time_is_over_do_not_count() {
    let shop = Shop::with(|config| config.hold_ttl = Duration::from_secs(1)).await;
    let buyer = shop.buyer("late").await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let reservation = shop.hold(&buyer, &event, &seats[0]).await;
    while shop.standing(&buyer, &reservation).await.0 != "cancelled" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answer = shop.ok(STATS, &shop.admin).await;
    assert_eq!(numbers(&answer), [1, 0, 0, 0]);
    assert_eq!(answer["recentReservations"][0]["status"], "cancelled");
}

#[tokio::test]
async fn ten_of_them_the_newest_first() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("many").await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let mut made = Vec::new();
    for seat in &seats[..12] {
        made.insert(0, shop.hold(&buyer, &event, seat).await);
    }
    let answer = shop.ok(STATS, &shop.admin).await;
    let recent: Vec<&Value> =
        list(&answer["recentReservations"]).iter().map(|row| &row["id"]).collect();
    assert_eq!(recent, made[..10].iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn only_administrators() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("mortal").await;
    refused(shop.get(STATS, "").await, 401, "AUTH_REQUIRED");
    refused(shop.get(STATS, &buyer).await, 403, "ADMIN_ONLY");
}
