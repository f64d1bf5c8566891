//! What administrators see of payments, and what they can do about them.

use serde_json::json;

use crate::till::Till;

#[tokio::test]
async fn what_is_not_settled_is_listed_and_asked_about() {
    let mut till = Till::open().await;
    let (reservation, order, key) = till.ready().await;
    till.fault(&order, "confirm", json!("dropAfter"), 1).await;
    till.fault(&order, "query", json!({"status": 500}), 2).await;
    assert_eq!(till.confirm(&order, &key).await.0, 202);
    let (paid, refunded) = till.paid().await;
    till.fault(&refunded, "cancel", json!({"error": "NOT_CANCELABLE_PAYMENT"}), 1).await;
    assert_eq!(till.cancel(&paid).await.0, 200);

    let path = "/api/admin/payments?state=unknown";
    assert_eq!(till.shop.get(path, &till.buyer).await.0, 403);
    let unknown = till.shop.ok(path, &till.shop.admin).await;
    assert_eq!(unknown["pagination"]["total"], 1, "{unknown}");
    assert_eq!(unknown["payments"][0]["orderId"], order["orderId"]);
    // Asked again and again until there is an answer, and the refused refund with it.
    for _ in 0..60 {
        let (status, asked) =
            till.shop.post("/api/admin/payments/reconcile", &till.shop.admin, &json!({})).await;
        assert_eq!(status, 200, "{asked}");
        if asked["unknown"] == 0 && asked["refundsDue"] == 0 && asked["refundsAgain"] == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    till.becomes(&order, "paid").await;
    till.becomes(&refunded, "refunded").await;
    till.assert_books(&order, 1, 150_000).await;
    till.assert_books(&refunded, 1, 0).await;
    let id = reservation["id"].as_str().unwrap();
    let shown = till.shop.ok(&format!("/api/admin/orders/{id}"), &till.shop.admin).await;
    let trail = shown["order"]["charges"][0]["trail"].as_array().unwrap();
    assert_eq!((&trail[0]["call"], &trail[0]["status"]), (&json!("capture"), &json!(0)), "{shown}");
    assert!(trail.len() >= 2 && trail.iter().any(|line| line["call"] == "query"), "{shown}");
    let text = shown.to_string();
    assert!(!text.contains("test_gsk") && !text.contains("Basic "), "no secret");
}
