//! What is promised whoever takes the money: each provider's tests hold theirs to it.

use serde_json::{Value, json};

use crate::support::assert_error;
use crate::till::Till;

/// What no amount is: blanks, signs, points, exponents, other digits, more than 2^53.
pub(crate) fn no_amounts() -> Vec<Value> {
    let texts = [
        "",
        " 150000",
        "150000 ",
        "+150000",
        "-150000",
        "150000.0",
        "15e4",
        "150,000",
        "0x249f0",
        "１５００００",
        "9007199254740992",
        "99999999999999999999",
        "NaN",
        "null",
    ];
    let mut wrong: Vec<Value> = texts.map(|text| json!(text)).into();
    wrong.extend([
        json!(-150_000),
        json!(150_000.5),
        json!(150_000.0),
        json!(1.5e5),
        json!(9_007_199_254_740_992_u64),
        json!(u64::MAX),
        json!(null),
        json!(true),
        json!([150_000]),
        json!({"won": 150_000}),
    ]);
    wrong
}

/// An amount is a number or its digits: a redirect's query brings them as text.
pub(crate) async fn amounts_are_numbers_or_digits(provider: &'static str) {
    let mut till = Till::of(provider).await;
    let (reservation, order, key) = till.ready().await;
    let request = format!("/api/payments/{provider}/request");
    for wrong in no_amounts() {
        let body = json!({"paymentKey": key, "orderId": order["orderId"], "amount": wrong});
        let (status, answer) = till.confirm_as(&till.buyer, &body).await;
        assert_eq!((status, &answer["field"]), (400, &json!("amount")), "{wrong}: {answer}");
        assert_error(&answer, "VALIDATION");
        let body = json!({"reservationId": reservation["id"], "pointUsed": wrong});
        let (status, answer) = till.shop.post(&request, &till.buyer, &body).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
        assert_eq!(answer["field"], "pointUsed", "{wrong}: {answer}");
    }
    till.assert_books(&order, 0, 0).await;
    let body = json!({"reservationId": reservation["id"], "pointUsed": "0"});
    let (status, same) = till.shop.post(&request, &till.buyer, &body).await;
    assert_eq!((status.as_u16(), &same["amount"]), (201, &json!(150_000)), "{same}");
    let body = json!({"paymentKey": key, "orderId": same["orderId"], "amount": "150000"});
    let (status, answer) = till.confirm_as(&till.buyer, &body).await;
    assert_eq!(status, 200, "{answer}");
    till.assert_books(&same, 1, 150_000).await;
}

/// What a provider would not take is refused before its window opens, with the reason.
pub(crate) async fn too_little_is_refused_with_the_reason(provider: &'static str, why: &str) {
    let till = Till::of(provider).await;
    let types = json!([{"name": "응원권", "price": 99, "totalQuantity": 10}]);
    let (event, types) = till.shop.ticket_event(types).await;
    let ordered = async |quantity: u32| {
        let items = json!([{"ticketTypeId": types[0]["id"], "quantity": quantity}]);
        let body = json!({"eventId": event, "items": items});
        let (status, answer) = till.shop.post("/api/reservations", &till.buyer, &body).await;
        assert_eq!(status, 201, "{answer}");
        answer["reservation"].clone()
    };
    let (status, answer) = till.request(&ordered(1).await, 0).await;
    assert_eq!(status, 400, "{answer}");
    assert_error(&answer, "VALIDATION");
    assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
    let order = till.order(&ordered(2).await, 0).await;
    assert_eq!(order["amount"], 198);
    let body = json!({"paymentKey": "tviva20240101", "orderId": order["orderId"], "amount": "99"});
    let (status, answer) = till.confirm_as(&till.buyer, &body).await;
    assert_eq!((status, &answer["field"]), (400, &json!("amount")), "{answer}");
    assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
    assert_eq!(till.charge(&order).await["status"], "open");
}

/// A cancelled order gives its money and its seat back.
pub(crate) async fn a_cancelled_order_is_refunded(provider: &'static str) {
    let mut till = Till::of(provider).await;
    let (reservation, order) = till.paid().await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    let shown = till.becomes(&order, "refunded").await;
    assert_eq!(shown["refundedAmount"], 150_000);
    till.assert_books(&order, 1, 0).await;
    let shown = till.reservation(&reservation).await;
    assert_eq!(
        (&shown["status"], &shown["payment_status"]),
        (&json!("cancelled"), &json!("refunded"))
    );
    assert_eq!(till.shop.counts(&till.event).await.2, 0, "the seat is free again");
}

/// A refund is made once, whatever its first answer.
pub(crate) async fn refunds_come_through(
    provider: &'static str,
    call: &str,
    faults: impl IntoIterator<Item = Value>,
) {
    let mut till = Till::of(provider).await;
    let mut orders: Vec<Value> = Vec::new();
    for fault in faults {
        let (reservation, order) = till.paid().await;
        till.fault(&order, call, fault, 1).await;
        assert_eq!(till.cancel(&reservation).await.0, 200);
        orders.push(order);
    }
    for order in &orders {
        till.becomes(order, "refunded").await;
        let books = till.books(order).await;
        let sums = (&books["refunded"], &books["balance"]);
        assert_eq!(sums, (&json!(150_000), &json!(0)), "{books}");
    }
}

/// An event that is called off or deleted gives everybody the money back, over a restart.
pub(crate) async fn an_event_that_is_over_gives_the_money_back(
    provider: &'static str,
    (method, action): (&str, &str),
) {
    let mut till = Till::of(provider).await;
    let mut orders = Vec::new();
    for _ in 0..12 {
        orders.push(till.paid().await.1);
    }
    let path = format!("/api/admin/events/{}{action}", till.event);
    let (status, answer) =
        till.shop.gateway.call(method, &path, &till.shop.admin, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    // A stop in the middle of it changes nothing.
    till.shop = till.shop.restart(|_| {}).await;
    for order in &orders {
        till.becomes(order, "refunded").await;
        till.assert_books(order, 1, 0).await;
    }
}

/// One reservation, declined again and again, and paid in the end.
pub(crate) async fn each_decline_keeps_the_hold(
    provider: &'static str,
    call: &str,
    codes: &[&str],
) {
    let mut till = Till::of(provider).await;
    let reservation = till.hold().await;
    for code in codes {
        let order = till.order(&reservation, 0).await;
        let key = till.authenticate(&order, "card").await;
        till.fault(&order, call, json!({"error": code}), 1).await;
        let (status, answer) = till.confirm(&order, &key).await;
        assert_eq!((status, &answer["providerCode"]), (400, &json!(code)), "{answer}");
        assert_error(&answer, "PAYMENT_DECLINED");
        assert_eq!(till.charge(&order).await["status"], "failed", "{code}");
        assert_eq!(till.reservation(&reservation).await["status"], "pending", "{code}");
        till.assert_books(&order, 0, 0).await;
    }
    let order = till.order(&reservation, 0).await;
    let key = till.authenticate(&order, "card").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
}

/// However many confirm at once, money is taken once.
pub(crate) async fn of_many_confirmations_one_captures(provider: &'static str, call: &str) {
    let mut till = Till::of(provider).await;
    let (_, order, key) = till.ready().await;
    till.fault(&order, call, json!({"delayMs": 300}), 1).await;
    let (a, b, c, d) = tokio::join!(
        till.confirm(&order, &key),
        till.confirm(&order, &key),
        till.confirm(&order, &key),
        till.confirm(&order, &key)
    );
    let mut answers = [a.0, b.0, c.0, d.0];
    answers.sort_unstable();
    assert_eq!(answers[0], 200, "{answers:?}");
    assert!(answers.iter().all(|status| matches!(status, 200 | 202)), "{answers:?}");
    till.becomes(&order, "paid").await;
    till.assert_books(&order, 1, 150_000).await;
}
