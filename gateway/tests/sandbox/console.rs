//! What Toss and the merchant's staff do without a call of the merchant's server: refunds in the
//! console, and refunds that fail after they were accepted.

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::support::{Answer, MINUTE_MS, Toss, send};

const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

async fn start() -> (Toss, Receiver) {
    let receiver = Receiver::start().await;
    let toss = Toss::with(|settings| settings.webhook_url = Some(receiver.url.clone())).await;
    (toss, receiver)
}

/// A switch that may be refused.
async fn tried(toss: &Toss, name: &str, body: Value) -> Answer {
    send(toss.client.post(toss.url(&format!("/sandbox/{name}"))).json(&body)).await
}

fn part(amount: u64) -> Value {
    json!({"cancelReason": "고객 변심", "cancelAmount": amount})
}

/// What stands in the books of the order: refunded by us, by the console, failed, balance.
async fn books(toss: &Toss, order: &str) -> [u64; 4] {
    let books = toss.ledger(order).await;
    let sums = ["refundedByUs", "refundedByConsole", "failedRefunds", "balance"];
    assert_eq!(books["payments"].as_array().unwrap().len(), 1);
    sums.map(|name| {
        assert_eq!(books[name], books["payments"][0][name], "{name}: {books}");
        books[name].as_u64().unwrap()
    })
}

#[tokio::test]
async fn the_console_gives_back_a_part_then_the_rest() {
    let (toss, mut receiver) = start().await;
    let key = toss.paid("order-1", 300_000, "card").await;
    assert_eq!(receiver.next().await.status(), "DONE");
    let refund =
        toss.control("console-refund", json!({"orderId": "order-1", "amount": 10_000})).await;
    let payment = toss.by_order("order-1").await;
    assert_eq!(
        refund,
        json!({
            "paymentKey": key,
            "status": "PARTIAL_CANCELED",
            "balanceAmount": 290_000,
            "transactionKey": payment["lastTransactionKey"],
            "cancelAmount": 10_000,
            "cancelStatus": "DONE",
        })
    );
    assert_eq!(payment["balanceAmount"], 290_000);
    assert_eq!(payment["cancels"][0]["cancelAmount"], 10_000);
    assert_eq!(payment["cancels"][0]["refundableAmount"], 290_000);
    let told = receiver.next().await;
    assert_eq!(told.body["data"]["balanceAmount"], 290_000);
    assert_eq!(books(&toss, "order-1").await, [0, 10_000, 0, 290_000]);

    let believed = json!({"cancelReason": "x", "refundableAmount": 300_000});
    send(toss.cancel(&key, believed)).await.is(400, "NOT_MATCHES_REFUNDABLE_AMOUNT");
    send(toss.cancel(&key, part(90_000))).await.ok();
    assert_eq!(receiver.next().await.status(), "PARTIAL_CANCELED");
    toss.control("console-refund", json!({"paymentKey": key, "webhook": false})).await;
    assert_eq!(toss.by_order("order-1").await["balanceAmount"], 0);
    assert_eq!(books(&toss, "order-1").await, [90_000, 210_000, 0, 0]);
    let refunds = toss.ledger("order-1").await["payments"][0]["refunds"].clone();
    let by_console: Vec<&Value> =
        refunds.as_array().unwrap().iter().map(|refund| &refund["byConsole"]).collect();
    assert_eq!(by_console, [true, false, true]);
    let deliveries = toss.get("/sandbox/webhooks").await.ok()["deliveries"].clone();
    assert_eq!(deliveries.as_array().unwrap().len(), 3, "the last change is not told of");
}

#[tokio::test]
async fn the_console_gives_back_a_whole_payment_and_a_deposit() {
    let toss = Toss::start().await;
    toss.paid("order-1", 1_000, "card").await;
    let refund = toss.control("console-refund", json!({"orderId": "order-1"})).await;
    assert_eq!((&refund["status"], &refund["balanceAmount"]), (&json!("CANCELED"), &json!(0)));
    toss.paid("order-2", 1_000, "virtualAccount").await;
    toss.control("deposit", json!({"orderId": "order-2"})).await;
    toss.control("console-refund", json!({"orderId": "order-2"})).await;
    let payment = toss.by_order("order-2").await;
    assert_eq!(payment["virtualAccount"]["refundStatus"], "PENDING");
    assert_eq!(books(&toss, "order-2").await, [0, 1_000, 0, 0]);
}

#[tokio::test]
async fn the_console_has_the_rules_of_a_cancel() {
    let toss = Toss::start().await;
    toss.paid("order-1", 1_000, "phone").await;
    for (body, reason) in [
        (json!({"orderId": "order-1", "amount": 1_001}), "NOT_CANCELABLE_AMOUNT"),
        (json!({"orderId": "order-1", "amount": 1}), "NOT_ALLOWED_PARTIAL_REFUND"),
        (json!({"orderId": "order-9"}), "no such payment"),
        (json!({"webhook": false}), "no such payment"),
    ] {
        let refused = tried(&toss, "console-refund", body).await;
        refused.is(400, "BAD_CONTROL");
        assert_eq!(refused.body["message"], reason);
    }
    assert_eq!(books(&toss, "order-1").await, [0, 0, 0, 1_000]);
}

#[tokio::test]
async fn a_refund_fails_after_it_was_accepted() {
    let (toss, mut receiver) = start().await;
    let key = toss.paid("order-1", 50_000, "card").await;
    send(toss.cancel(&key, part(20_000))).await.ok();
    send(toss.cancel(&key, part(30_000))).await.ok();
    receiver.take(3).await;
    let failed = toss.control("fail-refund", json!({"orderId": "order-1"})).await;
    assert_eq!(
        (&failed["cancelAmount"], &failed["cancelStatus"]),
        (&json!(30_000), &json!("ABORTED"))
    );
    let payment = toss.by_order("order-1").await;
    assert_eq!(
        (&payment["status"], &payment["balanceAmount"]),
        (&json!("PARTIAL_CANCELED"), &json!(30_000))
    );
    let statuses: Vec<&Value> =
        payment["cancels"].as_array().unwrap().iter().map(|one| &one["cancelStatus"]).collect();
    assert_eq!(statuses, ["DONE", "ABORTED"]);
    assert_ne!(payment["lastTransactionKey"], payment["cancels"][1]["transactionKey"]);
    assert_eq!(receiver.next().await.body["data"]["balanceAmount"], 30_000);
    assert_eq!(books(&toss, "order-1").await, [20_000, 0, 30_000, 30_000]);

    let lost = json!({"paymentKey": key, "webhook": false});
    assert_eq!(toss.control("fail-refund", lost.clone()).await["status"], "DONE");
    assert_eq!(toss.by_order("order-1").await["balanceAmount"], 50_000);
    tried(&toss, "fail-refund", lost).await.is(400, "BAD_CONTROL");
    // It can be given back again, and wholly.
    let again = json!({"cancelReason": "x", "refundableAmount": 50_000});
    assert_eq!(send(toss.cancel(&key, again)).await.ok()["status"], "CANCELED");
    assert_eq!(receiver.next().await.status(), "CANCELED", "the change before is not told of");
    assert_eq!(books(&toss, "order-1").await, [50_000, 0, 50_000, 0]);
}

#[tokio::test]
async fn the_refund_of_a_deposit_fails() {
    let (toss, mut receiver) = start().await;
    let key = toss.paid("order-1", 50_000, "virtualAccount").await;
    toss.control("deposit", json!({"orderId": "order-1"})).await;
    receiver.take(2).await;
    let account = json!({"bank": "88", "accountNumber": "1234", "holderName": "김토스"});
    for (amount, status) in [(20_000, "PARTIAL_FAILED"), (50_000, "FAILED")] {
        let mut body = part(amount);
        body["refundReceiveAccount"] = account.clone();
        send(toss.cancel(&key, body)).await.ok();
        receiver.take(2).await;
        toss.advance(3 * DAY_MS).await;
        toss.control("fail-refund", json!({"orderId": "order-1"})).await;
        let payment = toss.by_order("order-1").await;
        assert_eq!(
            (&payment["status"], &payment["balanceAmount"]),
            (&json!("DONE"), &json!(50_000))
        );
        assert_eq!(payment["virtualAccount"]["refundStatus"], status);
        let mut told: Vec<String> = Vec::new();
        for webhook in receiver.take(2).await {
            assert_eq!(webhook.status(), "DONE");
            told.push(webhook.event().to_owned());
        }
        told.sort_unstable();
        assert_eq!(told, ["", "PAYMENT_STATUS_CHANGED"]);
    }
    assert_eq!(books(&toss, "order-1").await, [0, 0, 70_000, 50_000]);
}

#[tokio::test]
async fn a_refund_of_the_console_fails_too() {
    let toss = Toss::start().await;
    toss.paid("order-1", 1_000, "card").await;
    toss.control("console-refund", json!({"orderId": "order-1"})).await;
    toss.control("fail-refund", json!({"orderId": "order-1"})).await;
    assert_eq!(books(&toss, "order-1").await, [0, 0, 1_000, 1_000]);
}

#[tokio::test]
async fn an_account_that_was_closed_unpaid_has_no_refund_to_fail() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 1_000, "virtualAccount").await;
    toss.fault("cancel", "order-1", json!("pending")).await;
    let closed = send(toss.cancel(&key, json!({"cancelReason": "x"}))).await.ok();
    assert_eq!(closed["cancels"][0]["cancelStatus"], "DONE", "there is no money to wait for");
    for name in ["fail-refund", "complete-refund"] {
        tried(&toss, name, json!({"orderId": "order-1"})).await.is(400, "BAD_CONTROL");
    }
    assert_eq!(toss.ledger("order-1").await["payments"][0]["refunds"], json!([]));
}

#[tokio::test]
async fn a_refund_is_accepted_first_and_made_or_failed_later() {
    let (toss, mut receiver) = start().await;
    let key = toss.paid("order-1", 50_000, "card").await;
    receiver.next().await;
    for (turn, status, balance) in
        [("fail-refund", "ABORTED", 50_000), ("complete-refund", "DONE", 30_000)]
    {
        toss.fault("cancel", "order-1", json!("pending")).await;
        let accepted = send(toss.cancel(&key, part(20_000))).await.ok();
        assert_eq!(accepted["balanceAmount"], 30_000);
        let last = accepted["cancels"].as_array().unwrap().len() - 1;
        assert_eq!(accepted["cancels"][last]["cancelStatus"], "IN_PROGRESS");
        receiver.next().await;
        let turned = toss.control(turn, json!({"orderId": "order-1"})).await;
        assert_eq!(turned["cancelStatus"], status);
        let payment = toss.by_order("order-1").await;
        assert_eq!(payment["cancels"][last]["cancelStatus"], status);
        assert_eq!(payment["balanceAmount"], balance);
        assert_eq!(receiver.next().await.body["data"], payment);
    }
    let none = tried(&toss, "complete-refund", json!({"orderId": "order-1"})).await;
    none.is(400, "BAD_CONTROL");
    assert_eq!(books(&toss, "order-1").await, [20_000, 0, 20_000, 30_000]);
}
