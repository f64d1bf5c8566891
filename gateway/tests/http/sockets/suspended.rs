//! Sockets of accounts that are suspended.

use serde_json::json;

use crate::shop::{Shop, text};
use crate::sockets::client::Client;

#[tokio::test]
async fn open_ones_are_closed_and_new_ones_are_refused() {
    let shop = Shop::open().await;
    let (buyer, other) = (shop.buyer("bert").await, shop.buyer("anna").await);
    let mut open = Client::connected(&shop.gateway, &buyer).await;
    let mut others = Client::connected(&shop.gateway, &other).await;
    let user = shop.ok("/api/admin/users/bert@example.com", &shop.admin).await;
    let path = format!("/api/admin/users/{}/suspend", text(&user["user"]["id"]));
    assert_eq!(shop.post(&path, &shop.admin, &json!({"reason": "암표"})).await.0, 200);
    assert_eq!(open.closed().await, 1008);
    let mut again = Client::socket_io(&shop.gateway).await;
    again.say(&format!("40{}", json!({"token": buyer}))).await;
    assert_eq!(again.text().await, "44{\"message\":\"Account suspended\"}");
    others.expect_nothing().await;
}
