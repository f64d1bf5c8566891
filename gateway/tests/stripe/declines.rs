//! Every code with which Stripe says that no money moved.

use serde_json::json;

use crate::promises;
use crate::till::Till;

const DECLINES: &[&str] = &[
    "generic_decline",
    "insufficient_funds",
    "lost_card",
    "stolen_card",
    "do_not_honor",
    "fraudulent",
    "card_velocity_exceeded",
    "authentication_required",
    "expired_card",
    "incorrect_cvc",
    "incorrect_number",
    "payment_method_provider_decline",
];

/// One reservation, declined again and again, and paid in the end.
#[tokio::test]
async fn each_decline_of_the_capture_keeps_the_hold_and_says_why() {
    promises::each_decline_keeps_the_hold("stripe", "capture", DECLINES).await;
}

/// Who comes back without having agreed is told so for certain: nobody can agree to it any more.
#[tokio::test]
async fn what_was_not_agreed_to_is_refused_and_closed() {
    let mut till = Till::of("stripe").await;
    let reservation = till.hold().await;
    for (how, code) in [
        (json!({"decline": "insufficient_funds"}), "insufficient_funds"),
        (json!({"decline": "expired_card"}), "expired_card"),
        (json!({"status": "requires_action"}), "requires_action"),
    ] {
        let order = till.order(&reservation, 0).await;
        let mut body = how.clone();
        body["orderId"] = order["orderId"].clone();
        let key = till.sandbox("authenticate", &body).await["paymentKey"].clone();
        let (status, answer) = till.confirm(&order, key.as_str().unwrap()).await;
        assert_eq!((status, &answer["providerCode"]), (400, &json!(code)), "{answer}");
        let late = json!({"orderId": order["orderId"]});
        assert_eq!(till.sandbox("authenticate", &late).await["status"], "canceled", "{how}");
        assert_eq!(till.charge(&order).await["status"], "failed");
        till.assert_books(&order, 0, 0).await;
    }
    assert_eq!(till.reservation(&reservation).await["status"], "pending");
}

/// The seats do not wait for the time in which the buyer could have agreed.
#[tokio::test]
async fn a_decline_whose_answer_is_lost_ends_soon() {
    for fault in [json!("dropAfter"), json!("dropBefore")] {
        let mut till = Till::of("stripe").await;
        let reservation = till.hold().await;
        let order = till.order(&reservation, 0).await;
        let declined = json!({"orderId": order["orderId"], "decline": "expired_card"});
        let key = till.sandbox("authenticate", &declined).await["paymentKey"].clone();
        till.fault(&order, "cancel", fault.clone(), 1).await;
        till.fault(&order, "webhook", json!("dropBefore"), 9).await;
        let (status, answer) = till.confirm(&order, key.as_str().unwrap()).await;
        assert_eq!(status, 202, "{fault}: {answer}");
        till.becomes(&order, "failed").await;
        assert_eq!(till.reservation(&reservation).await["status"], "pending");
        let late = json!({"orderId": order["orderId"]});
        assert_eq!(till.sandbox("authenticate", &late).await["status"], "canceled", "{fault}");
    }
}
