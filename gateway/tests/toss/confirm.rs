//! The way that it goes, and everybody who asks in a wrong way.

use serde_json::{Value, json};
use tiketi_gateway::config::Environment;

use crate::promises;
use crate::shop::Shop;
use crate::support::assert_error;
use crate::till::Till;

#[tokio::test]
async fn a_card_pays_and_a_repetition_gets_the_same_answer() {
    let mut till = Till::open().await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    assert_eq!(order["amount"], 150_000);
    assert_eq!(till.order(&reservation, 0).await, order, "the same open order");
    for field in ["paymentId", "orderName", "clientKey", "customerKey", "successUrl", "failUrl"] {
        assert!(order[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {order}");
    }
    let key = till.authenticate(&order, "card").await;
    let (status, answer) = till.confirm(&order, &key).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["success"], &answer["paymentKey"]), (&json!(true), &json!(key)));
    assert_eq!(answer["payment"]["totalAmount"], 150_000);
    assert!(answer["approvedAt"].is_string(), "{answer}");
    assert_eq!(answer["reservation"]["seats"].as_array().map(Vec::len), Some(1));
    let (status, again) = till.confirm(&order, &key).await;
    assert_eq!((status, &again), (200, &answer));
    assert_error(&till.confirm(&order, "another").await.1, "ALREADY_PAID");
    let shown = till.reservation(&reservation).await;
    assert_eq!((&shown["status"], &shown["payment_method"]), (&json!("confirmed"), &json!("CARD")));
    assert_eq!(till.charge(&order).await["status"], "paid");
    assert_error(&till.request(&reservation, 0).await.1, "ALREADY_PAID");
    till.assert_books(&order, 1, 150_000).await;
    assert_eq!(till.shop.counts(&till.event).await.2, 1);
}

#[tokio::test]
async fn amounts_are_numbers_or_digits() {
    promises::amounts_are_numbers_or_digits("toss").await;
}

#[tokio::test]
async fn too_little_is_refused_with_the_reason() {
    promises::too_little_is_refused_with_the_reason(
        "toss",
        "카드 100원, 계좌이체와 가상계좌 200원부터",
    )
    .await;
}

#[tokio::test]
async fn what_does_not_belong_together_is_refused_and_nothing_is_charged() {
    let mut till = Till::open().await;
    let (reservation, order, key) = till.ready().await;
    let other = till.shop.gateway.user("other@tiketi.gg").await;
    let id = order["orderId"].as_str().unwrap();
    let right = json!({"paymentKey": key, "orderId": id, "amount": 150_000});
    let with = |field: &str, value: Value| {
        let mut body = right.clone();
        body[field] = value;
        body
    };
    for wrong in [
        with("amount", json!(149_999)),
        with("amount", json!(-1)),
        with("amount", json!(150_000.5)),
        with("amount", json!(u64::MAX)),
        with("amount", json!("149999")),
        with("orderId", json!("tk00000000ffffffffffffffff")),
        with("orderId", json!("../../etc")),
        with("orderId", json!("tk한글한글한글")),
        with("paymentKey", json!("")),
        with("paymentKey", json!("k".repeat(201))),
        // None that a provider could be asked about: its order would wait for ever.
        with("paymentKey", json!("a b")),
        with("paymentKey", json!("열쇠")),
        with("paymentKey", json!("..")),
        json!({}),
    ] {
        let (status, answer) = till.confirm_as(&till.buyer, &wrong).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    assert_eq!(till.confirm_as(&other, &right).await.0, 400, "another's order");
    assert_eq!(till.confirm_as("", &right).await.0, 401);
    let path = format!("/api/payments/{id}");
    assert_eq!(till.shop.get(&path, &other).await.0, 404);
    let refund = till.shop.post(&format!("{path}/refund"), &other, &json!({})).await;
    assert_eq!(refund.0, 404);
    let body = json!({"reservationId": reservation["id"]});
    let theirs = till.shop.post("/api/payments/toss/request", &other, &body).await;
    assert_eq!(theirs.0, 400, "{}", theirs.1);
    for points in [json!(-1), json!(1.5), json!(150_001), json!(149_950), json!(1_000)] {
        let body = json!({"reservationId": reservation["id"], "pointUsed": points});
        let (status, answer) =
            till.shop.post("/api/payments/toss/request", &till.buyer, &body).await;
        assert_eq!(status, 400, "{points}: {answer}");
    }
    till.assert_books(&order, 0, 0).await;
    assert_eq!(till.reservation(&reservation).await["status"], "pending");
    // A payment key that the provider does not know: it says so, and the hold stays.
    let (status, answer) = till.confirm(&order, "unknown-key").await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(answer["providerCode"], "NOT_FOUND_PAYMENT_SESSION", "{answer}");
    assert_eq!(till.reservation(&reservation).await["status"], "pending");
    let order = till.order(&reservation, 0).await;
    let key = till.authenticate(&order, "card").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
}

#[tokio::test]
async fn of_many_confirmations_one_captures() {
    promises::of_many_confirmations_one_captures("toss", "confirm").await;
}

#[tokio::test]
async fn a_hold_that_is_over_is_not_charged() {
    let mut till = Till::open().await;
    let (reservation, order, key) = till.ready().await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    let (status, answer) = till.confirm(&order, &key).await;
    assert_eq!(status, 400, "{answer}");
    till.assert_books(&order, 0, 0).await;
}

#[tokio::test]
async fn the_pages_of_a_payment_need_no_frontend() {
    let mut till = Till::open().await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let browser =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let pay = browser.get(order["paymentUrl"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(pay.status(), 303);
    let window = pay.headers()["location"].to_str().unwrap().to_owned();
    let page = browser.get(till.shop.gateway.url(&window)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("150,000"));
    for name in ["success", "fail"] {
        let page = browser.get(till.shop.gateway.url(&format!("/payments/{name}"))).send().await;
        let page = page.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(page.status() == 200 && policy.contains("default-src 'none'"), "{name}");
        assert!(page.text().await.unwrap().starts_with("<!doctype html>"), "{name}");
    }
    // What the window shows of the buyer comes along.
    let body = json!({"reservationId": reservation["id"], "customerName": "김 <토스> & 친구",
        "customerEmail": "kim@tiketi.gg"});
    let (_, order) = till.shop.post("/api/payments/toss/request", &till.buyer, &body).await;
    let pay = browser.get(order["paymentUrl"].as_str().unwrap()).send().await.unwrap();
    let window = pay.headers()["location"].to_str().unwrap().to_owned();
    let page = browser.get(till.shop.gateway.url(&window)).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("김 &lt;토스&gt; &amp; 친구"), "{page}");
    for (field, wrong) in [("customerName", "긴".repeat(101)), ("customerEmail", "kim".to_owned())]
    {
        let body = json!({"reservationId": reservation["id"], field: wrong});
        let (status, answer) =
            till.shop.post("/api/payments/toss/request", &till.buyer, &body).await;
        assert_eq!(status, 400, "{answer}");
    }
    let unknown = till.shop.gateway.get("/payments/pay/tk00000009ffffffffffffffff").await;
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn production_without_keys_takes_no_cards_and_has_no_sandbox() {
    let shop = Shop::with(|config| config.environment = Environment::Production).await;
    let (status, _) = shop.get("/sandbox/toss/sandbox/ledger", "").await;
    assert_eq!(status, 404);
    let buyer = shop.gateway.user("buyer@tiketi.gg").await;
    let (status, answer) = shop.post("/api/points/charge", &buyer, &json!({"amount": 1_000})).await;
    assert_eq!(status, 503, "{answer}");
}
