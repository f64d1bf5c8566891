//! Several windows of one order: each is found by its key, and one of them by the order.

use serde_json::{Value, json};

use crate::support::{Toss, send};

async fn shown(toss: &Toss, which: &str) -> Value {
    toss.control("questions", json!({"queryByOrder": which})).await;
    toss.by_order("order-1").await["paymentKey"].clone()
}

#[tokio::test]
async fn each_window_is_found_by_its_key() {
    let toss = Toss::start().await;
    let first = toss.paid("order-1", 1_000, "card").await;
    let second = toss.authenticated("order-1", 1_000, "card").await;
    assert_ne!(first, second);
    for (key, status) in [(&first, "DONE"), (&second, "IN_PROGRESS")] {
        let payment = toss.get(&format!("/v1/payments/{key}")).await.ok();
        let found = (&payment["paymentKey"], &payment["orderId"], &payment["status"]);
        assert_eq!(found, (&json!(key), &json!("order-1"), &json!(status)));
    }
    toss.get("/v1/payments/unknown").await.is(404, "NOT_FOUND_PAYMENT");
}

#[tokio::test]
async fn the_query_by_order_shows_what_the_switch_says() {
    let toss = Toss::start().await;
    let paid = toss.paid("order-1", 1_000, "card").await;
    let newest = toss.authenticated("order-1", 1_000, "card").await;
    for (which, key) in [("movedLast", &paid), ("newest", &newest), ("withMoney", &paid)] {
        assert_eq!(shown(&toss, which).await, json!(key), "{which}");
    }
    send(toss.confirm(&newest, "order-1", 1_000)).await.ok();
    let body = json!({"cancelReason": "x", "cancelAmount": 400});
    send(toss.cancel(&paid, body)).await.ok();
    for (which, key) in [("movedLast", &paid), ("newest", &newest), ("withMoney", &newest)] {
        assert_eq!(shown(&toss, which).await, json!(key), "{which}");
    }
    send(toss.cancel(&newest, json!({"cancelReason": "x"}))).await.ok();
    for (which, key) in [("movedLast", &newest), ("newest", &newest), ("withMoney", &paid)] {
        assert_eq!(shown(&toss, which).await, json!(key), "{which}");
    }
    let books = toss.ledger("order-1").await;
    assert_eq!((&books["captures"], &books["balance"]), (&json!(2), &json!(600)));
}

#[tokio::test]
async fn an_order_without_money_shows_its_newest_window() {
    let toss = Toss::start().await;
    toss.authenticated("order-1", 1_000, "card").await;
    let newest = toss.authenticated("order-1", 1_000, "card").await;
    for which in ["movedLast", "newest", "withMoney"] {
        assert_eq!(shown(&toss, which).await, json!(newest), "{which}");
    }
}
