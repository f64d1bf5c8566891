//! What Stripe and the merchant's staff do without a call of the merchant's server: refunds in the
//! dashboard, and refunds that are made or fail later.

use serde_json::{Value, json};

use super::Stripe;
use crate::receiver::Receiver;
use crate::support::{Answer, send};

async fn start() -> (Stripe, Receiver) {
    let receiver = Receiver::start().await;
    let stripe = Stripe::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
    (stripe, receiver)
}

/// A switch that may be refused.
async fn tried(stripe: &Stripe, name: &str, body: Value) -> Answer {
    send(stripe.client.post(stripe.url(&format!("/sandbox/{name}"))).json(&body)).await
}

/// The next webhooks' types, sorted.
async fn told(receiver: &mut Receiver, count: usize) -> Vec<String> {
    let webhooks = receiver.take(count).await;
    let kinds = webhooks.iter().map(|one| one.body["type"].as_str().unwrap().to_owned());
    let mut kinds: Vec<String> = kinds.collect();
    kinds.sort_unstable();
    kinds
}

/// What stands in the books of the order: refunded by us, by the console, failed, balance.
async fn books(stripe: &Stripe, order: &str) -> [u64; 4] {
    let books = stripe.books(order).await;
    let sums = ["refundedByUs", "refundedByConsole", "failedRefunds", "balance"];
    sums.map(|name| {
        assert_eq!(books[name], books["payments"][0][name], "{name}: {books}");
        books[name].as_u64().unwrap()
    })
}

#[tokio::test]
async fn the_dashboard_gives_back_a_part_then_the_rest() {
    let (stripe, mut receiver) = start().await;
    let id = stripe.captured("order-1", 300_000).await;
    receiver.take(3).await;
    let body = json!({"orderId": "order-1", "amount": 10_000});
    let part = stripe.control("console-refund", body).await;
    let fields = ["paymentKey", "amount", "status", "amountRefunded"].map(|name| &part[name]);
    assert_eq!(json!(fields), json!([id, 10_000, "succeeded", 10_000]));
    assert_eq!(told(&mut receiver, 2).await, ["charge.refunded", "refund.created"]);
    let found = stripe.get(&format!("/v1/refunds/{}", part["refundId"].as_str().unwrap())).await;
    let refund = found.ok();
    assert_eq!((&refund["amount"], &refund["metadata"]), (&json!(10_000), &json!({})));
    assert_eq!(books(&stripe, "order-1").await, [0, 10_000, 0, 290_000]);
    send(stripe.refund(&id, "&amount=90000")).await.ok();
    receiver.take(2).await;
    let lost = json!({"paymentKey": id, "webhook": false});
    assert_eq!(stripe.control("console-refund", lost).await["amountRefunded"], 300_000);
    let charge = stripe.intent(&id).await["latest_charge"].clone();
    assert_eq!((&charge["refunded"], &charge["amount_refunded"]), (&json!(true), &json!(300_000)));
    assert_eq!(books(&stripe, "order-1").await, [90_000, 210_000, 0, 0]);
    let webhooks = stripe.get("/sandbox/webhooks").await.ok();
    assert_eq!(webhooks["deliveries"].as_array().unwrap().len(), 7, "the last is not told of");
    let more = tried(&stripe, "console-refund", json!({"orderId": "order-1"})).await;
    more.is(400, "BAD_CONTROL");
    assert_eq!(more.body["message"], "charge_already_refunded");
}

#[tokio::test]
async fn a_refund_that_was_made_fails_later() {
    let (stripe, mut receiver) = start().await;
    let id = stripe.captured("order-1", 1_000).await;
    let first = send(stripe.refund(&id, "&amount=300")).await.ok();
    let second = send(stripe.refund(&id, "&amount=200")).await.ok();
    receiver.take(7).await;
    let body = json!({"orderId": "order-1", "refundId": first["id"]});
    let failed = stripe.control("fail-refund", body.clone()).await;
    assert_eq!((&failed["status"], &failed["amount"]), (&json!("failed"), &json!(300)));
    let webhook = receiver.next().await;
    assert_eq!(webhook.body["type"], "refund.failed");
    assert_eq!(webhook.body["data"]["object"]["status"], "failed");
    assert_eq!(webhook.body["data"]["object"]["payment_intent"], json!(id));
    tried(&stripe, "fail-refund", body).await.is(400, "BAD_CONTROL");
    assert_eq!(stripe.intent(&id).await["latest_charge"]["amount_refunded"], 200);
    assert_eq!(books(&stripe, "order-1").await, [200, 0, 300, 800]);
    // The latest that was accepted, where none is named.
    let lost = json!({"orderId": "order-1", "webhook": false});
    assert_eq!(stripe.control("fail-refund", lost).await["refundId"], second["id"]);
    assert_eq!(books(&stripe, "order-1").await, [0, 0, 500, 1_000]);
    send(stripe.refund(&id, "")).await.ok();
    assert_eq!(told(&mut receiver, 2).await, ["charge.refunded", "refund.created"]);
    assert_eq!(books(&stripe, "order-1").await, [1_000, 0, 500, 0]);
}

#[tokio::test]
async fn a_pending_refund_is_made_or_fails() {
    let (stripe, mut receiver) = start().await;
    let id = stripe.captured("order-1", 1_000).await;
    receiver.take(3).await;
    let none = tried(&stripe, "complete-refund", json!({"orderId": "order-1"})).await;
    none.is(400, "BAD_CONTROL");
    for (turn, status, event, refunded) in [
        ("fail-refund", "failed", "refund.failed", 0),
        ("complete-refund", "succeeded", "refund.updated", 400),
    ] {
        stripe.fault("refund", "order-1", json!("pending")).await;
        let refund = send(stripe.refund(&id, "&amount=400")).await.ok();
        assert_eq!(refund["status"], "pending");
        receiver.take(2).await;
        let turned = stripe.control(turn, json!({"orderId": "order-1"})).await;
        assert_eq!(
            (&turned["status"], &turned["amountRefunded"]),
            (&json!(status), &json!(refunded))
        );
        assert_eq!(receiver.next().await.body["type"], event);
    }
    let body = json!({"orderId": "order-1", "status": "pending"});
    let by_console = stripe.control("console-refund", body).await;
    assert_eq!((&by_console["status"], &by_console["amount"]), (&json!("pending"), &json!(600)));
    receiver.take(2).await;
    stripe.control("refunds", json!({"orderId": "order-1", "status": "canceled"})).await;
    assert_eq!(receiver.next().await.body["type"], "refund.failed");
    assert_eq!(books(&stripe, "order-1").await, [400, 0, 1_000, 600]);
    for wrong in [
        json!({"orderId": "order-1", "status": "failed"}),
        json!({"orderId": "order-9", "status": "failed"}),
        json!({"orderId": "order-1"}),
    ] {
        tried(&stripe, "refunds", wrong).await.is(400, "BAD_CONTROL");
    }
}

#[tokio::test]
async fn the_refunds_of_a_payment_are_listed() {
    let stripe = Stripe::start().await;
    let id = stripe.captured("order-1", 1_000).await;
    let other = stripe.captured("order-2", 1_000).await;
    let mut refunds = Vec::new();
    for amount in [100, 200, 300] {
        refunds.push(send(stripe.refund(&id, &format!("&amount={amount}"))).await.ok());
    }
    let of_other = send(stripe.refund(&other, "")).await.ok();
    let charge = stripe.intent(&id).await["latest_charge"]["id"].as_str().unwrap().to_owned();
    refunds.reverse();
    for filter in [format!("payment_intent={id}"), format!("charge={charge}")] {
        let list = stripe.get(&format!("/v1/refunds?{filter}")).await.ok();
        assert_eq!(list["data"], json!(refunds));
        assert_eq!((&list["object"], &list["has_more"]), (&json!("list"), &json!(false)));
        assert_eq!(list["url"], "/v1/refunds");
    }
    let first = refunds[0]["id"].as_str().unwrap();
    let path = format!("/v1/refunds?payment_intent={id}&limit=1&starting_after={first}");
    let page = stripe.get(&path).await.ok();
    assert_eq!((&page["data"], &page["has_more"]), (&json!([refunds[1]]), &json!(true)));
    let all = stripe.get("/v1/refunds").await.ok();
    assert_eq!(all["data"][0], of_other);
    assert_eq!(all["data"].as_array().unwrap().len(), 4);
    super::is(
        &stripe.get("/v1/refunds?payment_intent=pi_none").await,
        404,
        "invalid_request_error",
        "resource_missing",
    );
}
