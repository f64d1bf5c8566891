//! Answers that say nothing for certain: the seats are kept, and Stripe is asked until it is known.
//! Whatever happens on the way, money is taken once.

use serde_json::{Value, json};

use crate::till::Till;

async fn ends_paid(call: &str, faults: &[Value]) {
    let mut till = Till::of("stripe").await;
    for fault in faults {
        let (reservation, order, key) = till.ready().await;
        till.fault(&order, call, fault.clone(), 1).await;
        // Nobody tells of it: whoever wants to know has to ask.
        till.fault(&order, "webhook", json!("dropBefore"), 9).await;
        let (status, answer) = till.confirm(&order, &key).await;
        assert_eq!(status, 202, "{fault}: {answer}");
        assert_eq!(answer["code"], "PAYMENT_PENDING");
        assert_eq!(till.reservation(&reservation).await["status"], "pending", "{fault}");
        till.becomes(&order, "paid").await;
        till.assert_books(&order, 1, 150_000).await;
        assert_eq!(till.confirm(&order, &key).await.0, 200, "{fault}");
        assert_eq!(till.reservation(&reservation).await["status"], "confirmed", "{fault}");
    }
}

#[tokio::test]
async fn the_answer_is_lost_after_the_money_was_taken() {
    ends_paid("capture", &[json!("dropAfter"), json!({"statusAfter": 500})]).await;
}

#[tokio::test]
async fn the_call_is_lost_before_the_money_was_taken() {
    ends_paid("capture", &[json!("dropBefore"), json!("html502"), json!({"status": 500})]).await;
}

#[tokio::test]
async fn codes_that_say_nothing_for_certain() {
    ends_paid(
        "capture",
        &[
            json!("rateLimit"),
            json!({"error": "idempotency_key_in_use"}),
            json!({"error": "payment_intent_unexpected_state"}),
            json!({"unlisted": {"code": "of_tomorrow", "status": 418}}),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_look_before_it_is_lost() {
    ends_paid("query", &[json!("dropBefore"), json!({"status": 503})]).await;
}

/// The buyer does not wait as long as the server does, and the capture goes on without.
#[tokio::test]
async fn an_answer_that_takes_too_long() {
    let mut till = Till::of("stripe").await;
    till.shop = till
        .shop
        .restart(|config| config.request_timeout = std::time::Duration::from_millis(500))
        .await;
    let (_, order, key) = till.ready().await;
    till.fault(&order, "capture", json!({"delayMs": 1_500}), 1).await;
    let (status, answer) = till.confirm(&order, &key).await;
    assert_eq!(status, 504, "{answer}");
    till.becomes(&order, "paid").await;
    till.assert_books(&order, 1, 150_000).await;
}

/// The process stops while nobody knows; the next one asks, of the charge's own provider.
#[tokio::test]
async fn a_restart_goes_on_asking() {
    let mut till = Till::of("stripe").await;
    let (reservation, order, key) = till.ready().await;
    till.fault(&order, "capture", json!("dropAfter"), 1).await;
    till.fault(&order, "webhook", json!("dropBefore"), 9).await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    // Nor does a query help, while this process lives.
    till.fault(&order, "query", json!({"status": 500}), 99).await;
    till.shop = till.shop.restart(|_| {}).await;
    till.becomes(&order, "paid").await;
    till.assert_books(&order, 1, 150_000).await;
    assert_eq!(till.reservation(&reservation).await["status"], "confirmed");
}

/// An event that is called off while Stripe takes the money: it goes back.
#[tokio::test]
async fn a_capture_that_comes_too_late_goes_back() {
    let mut till = Till::of("stripe").await;
    let (_, order, key) = till.ready().await;
    till.fault(&order, "capture", json!({"delayMs": 1_000}), 1).await;
    let path = format!("/api/admin/events/{}/cancel", till.event);
    let cancel = async {
        // The intent is there once the charge says so.
        while till.charge(&order).await["status"] != "confirming" {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        till.shop.post(&path, &till.shop.admin, &json!({})).await
    };
    let ((status, answer), cancelled) = tokio::join!(till.confirm(&order, &key), cancel);
    assert_eq!(cancelled.0, 200, "{}", cancelled.1);
    assert_eq!(status, 400, "{answer}");
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
}
