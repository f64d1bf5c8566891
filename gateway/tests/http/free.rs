//! Orders that cost nothing are confirmed without a provider, in production too.

use serde_json::{Value, json};
use tiketi_gateway::config::{Config, Environment};

use crate::shop::{Shop, refused, text};

type Change = fn(&mut Config);

/// No provider and no simulated payments.
fn without_payments(config: &mut Config) {
    config.environment = Environment::Production;
    config.simulated_payments = false;
}

/// A free seat, a free ticket and a ticket that is not.
async fn held(shop: &Shop, buyer: &str) -> [String; 3] {
    let layout = json!({
        "name": "free seats",
        "sections": [{"name": "A", "rows": 1, "seatsPerRow": 4, "price": 0}],
    });
    let event = shop.event(json!({"layout": layout, "seatLayoutId": "(absent)"})).await;
    let seats = shop.seats(&text(&event["id"])).await;
    let (status, seat) = shop.reserve(buyer, &text(&event["id"]), &[&seats[0], &seats[1]]).await;
    assert_eq!(status, 201, "{seat}");
    let kinds = json!([
        {"name": "not free", "price": 100, "totalQuantity": 9},
        {"name": "free", "price": 0, "totalQuantity": 9},
    ]);
    let (event, kinds) = shop.ticket_event(kinds).await;
    let mut orders = vec![text(&seat["reservation"]["id"])];
    for kind in [&kinds[1], &kinds[0]] {
        let items = json!([{"ticketTypeId": kind["id"], "quantity": 2}]);
        let body = json!({"eventId": event, "items": items});
        let (status, made) = shop.post("/api/reservations", buyer, &body).await;
        assert_eq!(status, 201, "{made}");
        orders.push(text(&made["reservation"]["id"]));
    }
    orders.try_into().expect("three")
}

#[tokio::test]
async fn an_order_of_nothing_is_paid_by_nothing() {
    let changes: [(bool, Change); 2] = [(false, without_payments), (true, |_| {})];
    for (is_open, change) in changes {
        let shop = Shop::with(change).await;
        let buyer = shop.buyer("guest").await;
        let [seat, ticket, dear] = held(&shop, &buyer).await;
        let pay = async |order: &str, method: &str| {
            let body = json!({"reservationId": order, "paymentMethod": method});
            shop.post("/api/payments/process", &buyer, &body).await
        };
        refused(pay(&seat, "cash").await, 400, "VALIDATION");
        for (order, method) in [(&seat, "kakao_pay"), (&ticket, "FREE")] {
            let (status, answer) = pay(order, method).await;
            assert_eq!(status, 200, "{answer}");
            let payment = &answer["payment"];
            assert_eq!(
                (&payment["paymentMethod"], &payment["totalAmount"]),
                (&json!("무료"), &json!(0))
            );
            let paid = ("confirmed".to_owned(), "completed".to_owned());
            assert_eq!(shop.standing(&buyer, order).await, paid);
            let page = shop.ok(&format!("/api/seats/reservation/{order}"), &buyer).await;
            assert_eq!(page["reservation"]["payment_method"], "FREE");
            refused(pay(order, method).await, 400, "ALREADY_PAID");
        }
        refused(pay(&dear, "FREE").await, 400, "VALIDATION");
        let (status, answer) = pay(&dear, "kakao_pay").await;
        match is_open {
            true => assert_eq!(status, 200, "{answer}"),
            false => refused((status, answer), 503, "UNAVAILABLE"),
        }
        // It goes back like others.
        assert_eq!(shop.cancel(&buyer, &ticket).await.0, 200);
    }
}

#[tokio::test]
async fn a_charge_of_nothing_asks_no_provider() {
    let changes: [(&str, bool, Change); 3] = [
        ("toss", false, without_payments),
        ("stripe", false, without_payments),
        ("toss", true, |_| {}),
    ];
    for (provider, is_open, change) in changes {
        let shop = Shop::with(change).await;
        let buyer = shop.buyer("guest").await;
        let [seat, ticket, dear] = held(&shop, &buyer).await;
        let request = async |order: &str| {
            let path = format!("/api/payments/{provider}/request");
            shop.post(&path, &buyer, &json!({"reservationId": order})).await
        };
        for order in [&seat, &ticket] {
            let (status, asked) = request(order).await;
            assert_eq!(status, 201, "{asked}");
            assert_eq!((&asked["amount"], &asked["clientKey"]), (&json!(0), &json!("")));
            let confirm = |key: &str, amount: u64| {
                json!({
                    "paymentKey": key, "orderId": asked["orderId"], "amount": amount,
                })
            };
            let send = async |body: Value| {
                shop.post(&format!("/api/payments/{provider}/confirm"), &buyer, &body).await
            };
            refused(send(confirm("key", 0)).await, 400, "VALIDATION");
            refused(send(confirm("", 1)).await, 400, "VALIDATION");
            for _ in 0..2 {
                let (status, answer) = send(confirm("", 0)).await;
                assert_eq!(status, 200, "{answer}");
                assert_eq!(answer["payment"]["paymentMethod"], "무료");
            }
            let paid = ("confirmed".to_owned(), "completed".to_owned());
            assert_eq!(shop.standing(&buyer, order).await, paid);
            let charge = format!("/api/payments/{}", text(&asked["orderId"]));
            let charge = shop.ok(&charge, &buyer).await;
            assert_eq!((&charge["status"], &charge["method"]), (&json!("paid"), &json!("FREE")));
        }
        let (status, answer) = request(&dear).await;
        match is_open {
            true => assert_eq!(status, 201, "{answer}"),
            false => refused((status, answer), 503, "UNAVAILABLE"),
        }
    }
}
