//! Deposits that are awaited: a phase of their own, with an end.

use serde_json::{Value, json};

use crate::support::assert_error;
use crate::till::Till;

/// A reservation whose buyer has an account to pay into.
async fn awaited(till: &mut Till, more: Value) -> (Value, Value) {
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let mut window = json!({"method": "virtualAccount"});
    for (name, value) in more.as_object().into_iter().flatten() {
        window[name] = value.clone();
    }
    let key = till.authenticate_with(&order, window).await;
    let (status, answer) = till.confirm(&order, &key).await;
    assert_eq!((status, &answer["code"]), (202, &json!("WAITING_FOR_DEPOSIT")), "{answer}");
    (reservation, order)
}

/// Nothing can be paid into it any more.
async fn is_closed(till: &Till, order: &Value) {
    let late = till.sandbox("deposit", &json!({"orderId": order["orderId"]})).await;
    assert_eq!(late["done"], false, "{late}");
    till.assert_books(order, 0, 0).await;
}

#[tokio::test]
async fn buyers_and_administrators_cancel_by_closing_the_account() {
    let mut till = Till::open().await;
    let (reservation, order) = awaited(&mut till, json!({"validHours": 2_000})).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    assert_eq!(till.charge(&order).await["status"], "failed");
    is_closed(&till, &order).await;
    let (reservation, order) = awaited(&mut till, json!({})).await;
    let shown = format!("/api/admin/orders/{}", reservation["id"].as_str().unwrap());
    let detail = till.shop.ok(&shown, &till.shop.admin).await;
    assert_eq!(detail["order"]["state"], "awaiting_deposit", "{detail}");
    let path = format!("{shown}/cancel");
    let (status, answer) = till.shop.post(&path, &till.shop.admin, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    is_closed(&till, &order).await;
    // An administrator ends the payment alone: the hold goes on.
    let (reservation, order) = awaited(&mut till, json!({})).await;
    let (status, answer) = till.administer(&order, "end").await;
    assert_eq!((status, &answer["payment"]["status"]), (200, &json!("failed")), "{answer}");
    is_closed(&till, &order).await;
    let second = till.order(&reservation, 0).await;
    let key = till.authenticate(&second, "card").await;
    assert_eq!(till.confirm(&second, &key).await.0, 200);
}

#[tokio::test]
async fn nothing_is_cancelled_while_the_account_cannot_be_closed() {
    let mut till = Till::open().await;
    let (reservation, order) = awaited(&mut till, json!({})).await;
    till.fault(&order, "cancel", json!({"status": 500}), 1).await;
    let (status, answer) = till.cancel(&reservation).await;
    assert_eq!(status, 503, "{answer}");
    assert_error(&answer, "UNAVAILABLE");
    assert_eq!(till.charge(&order).await["status"], "waiting_for_deposit");
    assert_eq!(till.cancel(&reservation).await.0, 200);
    is_closed(&till, &order).await;
}

#[tokio::test]
async fn a_deposit_that_came_first_is_given_back() {
    let mut till = Till::open().await;
    let (reservation, order) = awaited(&mut till, json!({})).await;
    let body = json!({"orderId": order["orderId"], "webhook": false});
    assert_eq!(till.sandbox("deposit", &body).await["done"], true);
    assert_eq!(till.cancel(&reservation).await.0, 200);
    let charge = till.charge(&order).await;
    assert_eq!(
        (&charge["refundOwed"], &charge["approvedAt"].is_string()),
        (&json!(150_000), &true)
    );
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
}

#[tokio::test]
async fn an_event_that_is_called_off_closes_its_accounts() {
    let mut till = Till::open().await;
    let (reservation, order) = awaited(&mut till, json!({"validHours": 2_000})).await;
    let path = format!("/api/admin/events/{}/cancel", till.event);
    let (status, answer) = till.shop.post(&path, &till.shop.admin, &json!({})).await;
    assert!(status.is_success(), "{answer}");
    till.becomes(&order, "failed").await;
    is_closed(&till, &order).await;
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
}

#[tokio::test]
async fn a_deposit_is_awaited_no_longer_than_settings_and_sale_allow() {
    let mut till = Till::open().await;
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let (_, order) = awaited(&mut till, json!({"validHours": 2_000})).await;
    let charge = till.charge(&order).await;
    let due = charge["virtualAccount"]["dueDate"].as_str().unwrap().to_owned();
    let asked = charge["requestedAt"].as_str().unwrap();
    assert!(due.as_str() > asked && due[..10] <= *in_days(2), "{due} after {day:?}");
    // Shorter, and it is closed by itself.
    till.shop = till
        .shop
        .restart(|config| config.deposit_due_max = std::time::Duration::from_secs(2))
        .await;
    let (reservation, order) = awaited(&mut till, json!({"validHours": 2_000})).await;
    till.becomes(&order, "failed").await;
    is_closed(&till, &order).await;
    assert_eq!(till.cancel(&reservation).await.0, 200, "held as before");
    // No longer than the sale.
    let mut till = Till::with(json!({"saleEndDate": crate::shop::in_minutes(30)})).await;
    let (_, order) = awaited(&mut till, json!({"validHours": 2_000})).await;
    let charge = till.charge(&order).await;
    let due = charge["virtualAccount"]["dueDate"].as_str().unwrap();
    assert!(due <= crate::shop::in_minutes(31).as_str(), "{due}");
}

fn in_days(days: i64) -> String {
    crate::shop::in_minutes(days * 24 * 60)[..10].to_owned()
}

#[tokio::test]
async fn a_reversal_whose_message_was_lost_is_found_by_the_comparison() {
    let mut till = Till::open().await;
    let (reservation, order) = awaited(&mut till, json!({})).await;
    till.sandbox("deposit", &json!({"orderId": order["orderId"]})).await;
    till.becomes(&order, "paid").await;
    let reversal = json!({"orderId": order["orderId"], "event": "reversal", "webhook": false});
    till.sandbox("deposit", &reversal).await;
    assert_eq!(till.charge(&order).await["status"], "paid");
    let compared = crate::compared::today(&till).await;
    assert_eq!(compared["differences"][0]["orderId"], order["orderId"], "{compared}");
    assert_eq!(till.charge(&order).await["status"], "reversed");
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
}

#[tokio::test]
async fn a_deposit_whose_question_is_lost_is_asked_about_again_soon() {
    let mut till = Till::open().await;
    let (_, order) = awaited(&mut till, json!({})).await;
    till.fault(&order, "query", json!("dropBefore"), 1).await;
    till.sandbox("deposit", &json!({"orderId": order["orderId"]})).await;
    till.becomes(&order, "paid").await;
}

/// Points have no hold that could be over.
#[tokio::test]
async fn points_by_an_account_are_awaited_and_told_so() {
    let till = Till::open().await;
    let body = json!({"amount": 50_000});
    let (status, order) = till.shop.post("/api/points/charge", &till.buyer, &body).await;
    assert_eq!(status, 201, "{order}");
    let key = till.authenticate(&order, "virtualAccount").await;
    for _ in 0..2 {
        let (status, answer) = till.confirm(&order, &key).await;
        assert_eq!((status, &answer["code"]), (202, &json!("WAITING_FOR_DEPOSIT")), "{answer}");
        assert!(answer["virtualAccount"]["accountNumber"].is_string(), "{answer}");
    }
    till.sandbox("deposit", &json!({"orderId": order["orderId"]})).await;
    till.becomes(&order, "paid").await;
    assert_eq!(till.points().await, 50_000);
}

/// An administrator gave it up before the provider said that there is an account.
#[tokio::test]
async fn an_account_that_turns_up_for_a_payment_that_ended_is_closed() {
    let mut till = Till::open().await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let key = till.authenticate_with(&order, json!({"method": "virtualAccount"})).await;
    till.fault(&order, "confirm", json!("dropAfter"), 1).await;
    till.fault(&order, "webhook", json!("dropBefore"), 99).await;
    till.fault(&order, "query", json!({"status": 500}), 2).await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    let (status, ended) = till.administer(&order, "end").await;
    assert_eq!((status, &ended["payment"]["status"]), (200, &json!("failed")), "{ended}");
    assert_eq!(till.cancel(&reservation).await.0, 200, "the seat is free");
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    let is_told = |seen: &Value| {
        let mut trail = seen["trail"].as_array().unwrap().iter();
        trail.any(|line| line["call"] == "refund" && line["status"] == 200)
    };
    loop {
        let seen = till.seen(&order).await;
        if is_told(&seen) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{seen}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    is_closed(&till, &order).await;
}
