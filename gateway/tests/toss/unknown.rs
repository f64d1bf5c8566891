//! Answers that say nothing for certain: the seats are kept, and the provider is asked until it is
//! known. Whatever happens on the way, money is taken once.

use serde_json::{Value, json};

use crate::till::Till;

async fn ends_paid(faults: &[Value]) {
    let mut till = Till::open().await;
    for fault in faults {
        let (reservation, order, key) = till.ready().await;
        till.fault(&order, "confirm", fault.clone(), 1).await;
        let (status, answer) = till.confirm(&order, &key).await;
        assert_eq!(status, 202, "{fault}: {answer}");
        assert_eq!(
            (&answer["code"], &answer["success"]),
            (&json!("PAYMENT_PENDING"), &json!(false))
        );
        // It is kept, or known to be paid by now.
        assert_ne!(till.reservation(&reservation).await["status"], "cancelled", "{fault}");
        till.becomes(&order, "paid").await;
        till.assert_books(&order, 1, 150_000).await;
        assert_eq!(till.confirm(&order, &key).await.0, 200, "{fault}");
        assert_eq!(till.reservation(&reservation).await["status"], "confirmed", "{fault}");
    }
}

#[tokio::test]
async fn the_answer_is_lost_after_the_money_was_taken() {
    ends_paid(&[json!("dropAfter"), json!({"statusAfter": 500})]).await;
}

#[tokio::test]
async fn the_call_is_lost_before_the_money_was_taken() {
    ends_paid(&[json!("dropBefore"), json!("html502"), json!({"status": 503})]).await;
}

#[tokio::test]
async fn codes_that_say_nothing_for_certain() {
    ends_paid(&[
        json!({"error": "PROVIDER_ERROR"}),
        json!({"error": "CARD_PROCESSING_ERROR"}),
        json!({"error": "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING"}),
    ])
    .await;
}

#[tokio::test]
async fn codes_that_nobody_listed_and_limits() {
    ends_paid(&[
        json!({"error": "UNKNOWN_PAYMENT_ERROR"}),
        json!({"unlisted": {"code": "BRAND_NEW_CODE", "status": 400}}),
        json!("rateLimit"),
    ])
    .await;
}

#[tokio::test]
async fn both_answers_to_the_open_questions_end_the_same() {
    for (question, answer) in [("7", "executed"), ("4", "403"), ("3", "refused")] {
        let mut till = Till::open().await;
        till.sandbox("questions", &json!({question: answer})).await;
        let (_, order, key) = till.ready().await;
        till.fault(&order, "confirm", json!({"statusAfter": 500}), 1).await;
        assert_eq!(till.confirm(&order, &key).await.0, 202);
        till.becomes(&order, "paid").await;
        till.assert_books(&order, 1, 150_000).await;
    }
}

/// The process stops while nobody knows; the next one asks.
#[tokio::test]
async fn a_restart_goes_on_asking() {
    let mut till = Till::open().await;
    let (reservation, order, key) = till.ready().await;
    till.fault(&order, "confirm", json!("dropAfter"), 1).await;
    // Nor does a query help, while this process lives.
    till.fault(&order, "query", json!({"status": 500}), 99).await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    till.shop = till.shop.restart(|_| {}).await;
    till.becomes(&order, "paid").await;
    till.assert_books(&order, 1, 150_000).await;
    assert_eq!(till.reservation(&reservation).await["status"], "confirmed");
}

/// The provider is down: who would confirm is told to come again, at once, and keeps the hold.
#[tokio::test]
async fn a_provider_that_is_down_is_not_waited_for() {
    let mut till = Till::open().await;
    let down = json!({"orderId": "any", "call": "confirm", "fault": "dropBefore", "times": 99});
    let query = json!({"orderId": "any", "call": "query", "fault": "dropBefore", "times": 99});
    till.sandbox("faults", &down).await;
    till.sandbox("faults", &query).await;
    let mut refused = None;
    for _ in 0..8 {
        let (reservation, order, key) = till.ready().await;
        let body =
            json!({"paymentKey": key, "orderId": order["orderId"], "amount": order["amount"]});
        let request = till.shop.gateway.request("POST", "/api/payments/toss/confirm");
        let response = request.bearer_auth(&till.buyer).json(&body).send().await.unwrap();
        if response.status() == 503 {
            assert!(response.headers().contains_key("retry-after"));
            refused = Some(reservation);
            break;
        }
        assert_eq!(response.status(), 202);
    }
    let reservation = refused.expect("the breaker opens");
    assert_eq!(till.reservation(&reservation).await["status"], "pending");
}
