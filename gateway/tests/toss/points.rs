//! Points: bought, spent, given back, never below zero.

use serde_json::json;

use crate::promises;
use crate::support::assert_error;
use crate::till::Till;

#[tokio::test]
async fn points_are_bought_spent_and_given_back() {
    let mut till = Till::open().await;
    assert_eq!(till.points().await, 0);
    till.buy_points(50_000).await;
    assert_eq!(till.points().await, 50_000);
    let reservation = till.hold().await;
    let order = till.order(&reservation, 30_000).await;
    assert_eq!(order["amount"], 120_000);
    let key = till.authenticate(&order, "easyPay").await;
    till.fault(&order, "confirm", json!({"error": "REJECT_CARD_PAYMENT"}), 1).await;
    assert_eq!(till.confirm(&order, &key).await.0, 400);
    assert_eq!(till.points().await, 50_000, "a refused card spends none");
    let order = till.order(&reservation, 30_000).await;
    let key = till.authenticate(&order, "easyPay").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    assert_eq!(till.points().await, 20_000);
    assert_eq!(till.charge(&order).await["method"], "MIXED");
    till.assert_books(&order, 1, 120_000).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    assert_eq!(till.points().await, 50_000);

    let history = till.shop.ok("/api/points/history?limit=3", &till.buyer).await;
    assert_eq!(history["pagination"]["total"], 5, "{history}");
    let rows: Vec<_> = history["history"].as_array().unwrap().iter().collect();
    let told: Vec<_> =
        rows.iter().map(|row| (&row["type"], &row["amount"], &row["balanceAfter"])).collect();
    assert_eq!(
        told,
        [
            (&json!("REFUND"), &json!(30_000), &json!(50_000)),
            (&json!("USE"), &json!(-30_000), &json!(20_000)),
            (&json!("CANCEL"), &json!(30_000), &json!(50_000)),
        ]
    );
    assert_eq!(rows[0]["reference"], order["orderId"]);
}

#[tokio::test]
async fn points_alone_pay_without_a_window() {
    let mut till = Till::open().await;
    till.buy_points(200_000).await;
    let (first, second) = (till.hold().await, till.hold().await);
    let orders = [till.order(&first, 150_000).await, till.order(&second, 150_000).await];
    assert_eq!(orders[0]["amount"], 0);
    let (a, b) = tokio::join!(till.confirm(&orders[0], ""), till.confirm(&orders[1], ""));
    let (won, lost) = if a.0 == 200 { (a, b) } else { (b, a) };
    assert_eq!((won.0, lost.0), (200, 400), "{} {}", won.1, lost.1);
    assert_eq!(till.points().await, 50_000);
    assert_error(&lost.1, "VALIDATION");
    assert_eq!(lost.1["balance"], 50_000);
}

#[tokio::test]
async fn wrong_sums_are_refused() {
    let till = Till::open().await;
    let mut wrong = promises::no_amounts();
    wrong.extend([json!(0), json!(99), json!("99"), json!(10_000_001), json!("10000001")]);
    for amount in wrong {
        let body = json!({"amount": amount});
        let (status, answer) = till.shop.post("/api/points/charge", &till.buyer, &body).await;
        assert_eq!((status.as_u16(), &answer["field"]), (400, &json!("amount")), "{answer}");
    }
    let (status, order) =
        till.shop.post("/api/points/charge", &till.buyer, &json!({"amount": "1000"})).await;
    assert_eq!((status.as_u16(), &order["amount"]), (201, &json!(1_000)), "{order}");
    assert_eq!(till.points().await, 0);
}
