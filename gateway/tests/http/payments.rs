//! Payments (contract/http.md 2.6).

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";

#[tokio::test]
async fn methods() {
    let shop = Shop::open().await;
    let answer = shop.ok("/api/payments/methods", "").await;
    shape(&answer, "methods:list");
    let methods = list(&answer["methods"]);
    methods.iter().for_each(|method| shape(method, "id:text name:text description:text icon:text"));
    let of = |name: &str| -> Vec<&Value> { methods.iter().map(|method| &method[name]).collect() };
    assert_eq!(of("id"), ["naver_pay", "kakao_pay", "bank_transfer"]);
    assert_eq!(of("name"), ["네이버페이", "카카오페이", "계좌이체"]);
    let icons = ["/images/naver-pay.png", "/images/kakao-pay.png", "/images/bank-transfer.png"];
    assert_eq!(of("icon"), icons);
}

#[tokio::test]
async fn a_payment_has_the_contract_shape() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({"title": "결제 공연"})).await;
    let seats = shop.seats(&id).await;
    let buyer = shop.buyer("payer").await;
    let (_, held) = shop.reserve(&buyer, &id, &[&seats[4], &seats[5]]).await;
    let reservation = text(&held["reservation"]["id"]);
    let (status, answer) = shop.pay(&buyer, &reservation).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "success:bool message:text payment:object reservation:object");
    assert_eq!(answer["success"], true);
    shape(
        &answer["payment"],
        "reservationId:uuid reservationNumber:text paymentMethod:text totalAmount:int paidAt:time",
    );
    assert_eq!(answer["payment"]["paymentMethod"], "카카오페이");
    assert_eq!(answer["payment"]["totalAmount"], 300_000);
    assert_eq!(answer["payment"]["reservationNumber"], held["reservation"]["reservationNumber"]);
    shape(&answer["reservation"], "event:object seats:list");
    shape(&answer["reservation"]["event"], "title:text venue:text event_date:time");
    let expected = json!({
        "id": seats[4]["id"], "seat_label": "VIP-1-5", "section": "VIP", "row_number": 1,
        "seat_number": 5, "unit_price": 150_000,
    });
    assert_eq!(answer["reservation"]["seats"][0], expected);
    assert_eq!(list(&answer["reservation"]["seats"]).len(), 2);

    let page = shop.ok(&format!("/api/seats/reservation/{reservation}"), &buyer).await;
    assert_eq!(page["reservation"]["payment_method"], "kakao_pay");
    assert_eq!(page["reservation"].get("isExpired"), None);
    let paid = ("confirmed".to_owned(), "completed".to_owned());
    assert_eq!(shop.standing(&buyer, &reservation).await, paid);
    assert_eq!(shop.counts(&id).await, (263, 0, 2));
    refused(shop.pay(&buyer, &reservation).await, 400, "ALREADY_PAID");
    assert_eq!(shop.standing(&buyer, &reservation).await, paid);

    // Cancelled afterwards: the money goes back, and it cannot be paid again.
    assert_eq!(shop.cancel(&buyer, &reservation).await.0, 200);
    let refunded = ("cancelled".to_owned(), "refunded".to_owned());
    assert_eq!(shop.standing(&buyer, &reservation).await, refunded);
    refused(shop.pay(&buyer, &reservation).await, 400, "ALREADY_CANCELLED");
    assert_eq!(shop.counts(&id).await, (265, 0, 0));
}

#[tokio::test]
async fn tickets_are_paid_without_seats() {
    let shop = Shop::open().await;
    let (id, types) =
        shop.ticket_event(json!([{"name": "R", "price": "1000", "totalQuantity": "5"}])).await;
    let buyer = shop.buyer("payer").await;
    let body = json!({"eventId": id, "items": [{"ticketTypeId": types[0]["id"], "quantity": 3}]});
    let (_, made) = shop.post("/api/reservations", &buyer, &body).await;
    let (status, answer) = shop.pay(&buyer, &text(&made["reservation"]["id"])).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["reservation"]["seats"], json!([]));
    assert_eq!(answer["payment"]["totalAmount"], 3_000);
}

#[tokio::test]
async fn payments_that_are_refused() {
    let shop = Shop::open().await;
    let id = shop.seat_event(json!({})).await;
    let seats = shop.seats(&id).await;
    let (buyer, other) = (shop.buyer("payer").await, shop.buyer("thief").await);
    let reservation = shop.hold(&buyer, &id, &seats[0]).await;
    let pay = |id: Value, method: Value| json!({"reservationId": id, "paymentMethod": method});
    for (body, code) in [
        (json!({}), "VALIDATION"),
        (json!({"reservationId": reservation}), "VALIDATION"),
        (json!({"paymentMethod": "kakao_pay"}), "VALIDATION"),
        (pay(json!("x"), json!("kakao_pay")), "BAD_ID"),
        (pay(json!(1), json!("kakao_pay")), "VALIDATION"),
        (pay(json!(reservation), json!("cash")), "VALIDATION"),
        (pay(json!(reservation), json!("KAKAO_PAY")), "VALIDATION"),
        (pay(json!(reservation), json!(null)), "VALIDATION"),
        (pay(json!(FOREIGN), json!("kakao_pay")), "NOT_FOUND"),
        (pay(json!(id), json!("kakao_pay")), "NOT_FOUND"),
    ] {
        refused(shop.post("/api/payments/process", &buyer, &body).await, 400, code);
    }
    refused(shop.pay(&other, &reservation).await, 400, "NOT_FOUND");
    refused(shop.pay("nonsense", &reservation).await, 403, "TOKEN_INVALID");
    let pending = ("pending".to_owned(), "pending".to_owned());
    assert_eq!(shop.standing(&buyer, &reservation).await, pending);
}

#[tokio::test]
async fn a_payment_goes_on_without_its_caller() {
    let shop = Shop::with(|config| config.sandbox_delay = Duration::from_millis(300)).await;
    let id = shop.seat_event(json!({})).await;
    let seats = shop.seats(&id).await;
    let buyer = shop.buyer("gone").await;
    let reservation = shop.hold(&buyer, &id, &seats[0]).await;
    // Hangs up as soon as the payment is under way, if not before.
    let body = json!({"reservationId": reservation, "paymentMethod": "naver_pay"});
    let request = shop.gateway.request("POST", "/api/payments/process").bearer_auth(&buyer);
    let call = tokio::spawn(request.json(&body).send());
    let order = format!("/api/admin/orders/{reservation}");
    while shop.ok(&order, &shop.admin).await["order"]["state"] == "held" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    // While it is under way nobody else ends the order.
    let state = shop.ok(&order, &shop.admin).await["order"]["state"].clone();
    if state == "paying" {
        refused(shop.pay(&buyer, &reservation).await, 400, "CONFLICT");
        refused(shop.cancel(&buyer, &reservation).await, 400, "CONFLICT");
    }
    while shop.ok(&order, &shop.admin).await["order"]["state"] == "paying" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let paid = ("confirmed".to_owned(), "completed".to_owned());
    assert_eq!(shop.standing(&buyer, &reservation).await, paid);
}

#[tokio::test]
async fn a_payment_under_way_is_resolved_by_the_next_start() {
    let hour = Duration::from_secs(3_600);
    let shop = Shop::with(|config| {
        config.sandbox_delay = hour;
        config.drain_grace = Duration::from_millis(1);
    })
    .await;
    let id = shop.seat_event(json!({})).await;
    let seats = shop.seats(&id).await;
    let buyer = shop.buyer("cut").await;
    let reservation = shop.hold(&buyer, &id, &seats[0]).await;
    let body = json!({"reservationId": reservation, "paymentMethod": "naver_pay"});
    let request = shop.gateway.request("POST", "/api/payments/process").bearer_auth(&buyer);
    let request = request.header("idempotency-key", "cut").json(&body);
    let call = tokio::spawn(request.send());
    let order = format!("/api/admin/orders/{reservation}");
    while shop.ok(&order, &shop.admin).await["order"]["state"] != "paying" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Not yet, and not twice.
    let again = shop.post_with_key("/api/payments/process", &buyer, &body, "cut").await;
    refused(again, 409, "IN_PROGRESS");
    call.abort();
    let shop = shop.restart(|_| {}).await;
    let found = shop.ok(&order, &shop.admin).await;
    assert_eq!(found["order"]["state"], "held", "the sandbox captured nothing: {found}");
    assert_eq!(found["order"]["payment"]["attempt"], 1);
    let again = shop.post_with_key("/api/payments/process", &buyer, &body, "cut").await;
    refused(again, 400, "PAYMENT_DECLINED");
    // It can be paid now.
    assert_eq!(shop.pay(&buyer, &reservation).await.0, 200);
    assert_eq!(shop.ok(&order, &shop.admin).await["order"]["payment"]["attempt"], 2);
}
