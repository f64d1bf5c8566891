//! Disputes: the buyer's bank takes the money, and the merchant wins it back or loses it.

use serde_json::{Value, json};

use super::{Stripe, is};
use crate::receiver::Receiver;
use crate::support::send;

async fn start() -> (Stripe, Receiver) {
    let receiver = Receiver::start().await;
    let stripe = Stripe::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
    (stripe, receiver)
}

/// The next webhooks' types, sorted, and the object of one of them.
async fn told(receiver: &mut Receiver, count: usize) -> (Vec<String>, Value) {
    let webhooks = receiver.take(count).await;
    let kinds = webhooks.iter().map(|one| one.body["type"].as_str().unwrap().to_owned());
    let mut kinds: Vec<String> = kinds.collect();
    kinds.sort_unstable();
    (kinds, webhooks[0].body["data"]["object"].clone())
}

async fn refused(stripe: &Stripe, name: &str, body: Value) -> Value {
    let answer = send(stripe.client.post(stripe.url(&format!("/sandbox/{name}"))).json(&body));
    let answer = answer.await;
    answer.is(400, "BAD_CONTROL");
    answer.body["message"].clone()
}

#[tokio::test]
async fn a_dispute_takes_the_money_and_is_won() {
    let (stripe, mut receiver) = start().await;
    let id = stripe.captured("order-1", 1_000).await;
    receiver.take(3).await;
    let opened = stripe.control("dispute", json!({"orderId": "order-1"})).await;
    let fields = ["paymentKey", "amount", "status"].map(|name| &opened[name]);
    assert_eq!(json!(fields), json!([id, 1_000, "needs_response"]));
    let (kinds, object) = told(&mut receiver, 2).await;
    assert_eq!(kinds, ["charge.dispute.created", "charge.dispute.funds_withdrawn"]);
    let charge = stripe.intent(&id).await["latest_charge"].clone();
    assert_eq!((&charge["disputed"], &charge["dispute"]), (&json!(true), &opened["disputeId"]));
    assert_eq!((&charge["refunded"], &charge["amount_refunded"]), (&json!(false), &json!(0)));
    for (field, value) in [
        ("id", &opened["disputeId"]),
        ("object", &json!("dispute")),
        ("amount", &json!(1_000)),
        ("charge", &charge["id"]),
        ("payment_intent", &json!(id)),
        ("reason", &json!("fraudulent")),
        ("status", &json!("needs_response")),
        ("is_charge_refundable", &json!(false)),
    ] {
        assert_eq!(&object[field], value, "{field}");
    }
    assert_eq!(object["balance_transactions"][0]["amount"], -1_000);
    let path = format!("/v1/disputes/{}", opened["disputeId"].as_str().unwrap());
    assert_eq!(stripe.get(&path).await.ok(), object);
    let list = stripe.get(&format!("/v1/disputes?payment_intent={id}")).await.ok();
    assert_eq!(list["data"], json!([object]));
    let refund = send(stripe.refund(&id, "&amount=100")).await;
    is(&refund, 400, "invalid_request_error", "charge_disputed");
    let books = stripe.books("order-1").await;
    assert_eq!((&books["disputed"], &books["balance"]), (&json!(1_000), &json!(0)));

    let body = json!({"orderId": "order-1", "status": "won"});
    assert_eq!(stripe.control("close-dispute", body).await["status"], "won");
    let (kinds, object) = told(&mut receiver, 2).await;
    assert_eq!(kinds, ["charge.dispute.closed", "charge.dispute.funds_reinstated"]);
    assert_eq!(object["balance_transactions"][1]["amount"], 1_000);
    let books = stripe.books("order-1").await;
    assert_eq!((&books["disputed"], &books["balance"]), (&json!(0), &json!(1_000)));
    assert_eq!(books["payments"][0]["disputes"][0]["status"], "won");
    assert_eq!(stripe.intent(&id).await["latest_charge"]["disputed"], true, "it stays so");
    send(stripe.refund(&id, "")).await.ok();
}

#[tokio::test]
async fn a_dispute_of_a_part_is_lost() {
    let (stripe, mut receiver) = start().await;
    let id = stripe.captured("order-1", 1_000).await;
    send(stripe.refund(&id, "&amount=300")).await.ok();
    receiver.take(5).await;
    assert_eq!(
        refused(&stripe, "dispute", json!({"paymentKey": id, "amount": 701})).await,
        "amount"
    );
    let body = json!({"paymentKey": id, "amount": 500, "reason": "duplicate"});
    stripe.control("dispute", body).await;
    let (_, object) = told(&mut receiver, 2).await;
    assert_eq!(object["reason"], "duplicate");
    let again = refused(&stripe, "dispute", json!({"paymentKey": id})).await;
    assert_eq!(again, "it is disputed already");
    let by_console = refused(&stripe, "console-refund", json!({"paymentKey": id})).await;
    assert_eq!(by_console, "charge_disputed");
    stripe.control("close-dispute", json!({"paymentKey": id, "status": "lost"})).await;
    assert_eq!(told(&mut receiver, 1).await.0, ["charge.dispute.closed"]);
    let books = stripe.books("order-1").await;
    let sums = ["captured", "refunded", "disputed", "balance"].map(|name| &books[name]);
    assert_eq!(json!(sums), json!([1_000, 300, 500, 200]));
    let refund = send(stripe.refund(&id, "")).await;
    is(&refund, 400, "invalid_request_error", "charge_disputed");
    let body = json!({"paymentKey": id, "status": "won"});
    assert_eq!(refused(&stripe, "close-dispute", body).await, "no open dispute");
}

#[tokio::test]
async fn the_webhooks_of_a_dispute_can_be_lost() {
    let (stripe, mut receiver) = start().await;
    stripe.captured("order-1", 1_000).await;
    receiver.take(3).await;
    stripe.control("dispute", json!({"orderId": "order-1", "webhook": false})).await;
    let body = json!({"orderId": "order-1", "status": "lost", "webhook": false});
    stripe.control("close-dispute", body).await;
    let webhooks = stripe.get("/sandbox/webhooks").await.ok();
    assert_eq!(webhooks["deliveries"].as_array().unwrap().len(), 3);
    assert_eq!(stripe.books("order-1").await["disputed"], 1_000);
}

#[tokio::test]
async fn what_is_not_captured_cannot_be_disputed() {
    let stripe = Stripe::start().await;
    let id = stripe.authorised("order-1", 1_000).await;
    let reason = refused(&stripe, "dispute", json!({"orderId": "order-1"})).await;
    assert_eq!(reason, "the payment is not captured");
    assert_eq!(refused(&stripe, "dispute", json!({"orderId": "order-9"})).await, "no such payment");
    let charge = stripe.intent(&id).await["latest_charge"].clone();
    assert_eq!((&charge["disputed"], &charge["dispute"]), (&json!(false), &Value::Null));
    let list = stripe.get("/v1/disputes").await.ok();
    assert_eq!((&list["data"], &list["has_more"]), (&json!([]), &json!(false)));
}
