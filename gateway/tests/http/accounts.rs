//! What administrators do with accounts: find, suspend, restore (`gateway/PROTOCOL.md`).

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";
const USER: &str = "id:uuid email:text name:text phone:text? role:text created_at:time \
                    reservations:int suspension:object?";

async fn emails(shop: &Shop, query: &str) -> Vec<String> {
    let answer = shop.ok(&format!("/api/admin/users?{query}"), &shop.admin).await;
    shape(&answer, "users:list pagination:object");
    list(&answer["users"])
        .iter()
        .map(|user| {
            shape(user, USER);
            text(&user["email"]).split('@').next().expect("a name").to_owned()
        })
        .collect()
}

async fn id_of(shop: &Shop, name: &str) -> String {
    let path = format!("/api/admin/users/{name}@example.com");
    text(&shop.ok(&path, &shop.admin).await["user"]["id"])
}

async fn suspend(shop: &Shop, id: &str) -> Value {
    let path = format!("/api/admin/users/{id}/suspend");
    let (status, answer) = shop.post(&path, &shop.admin, &json!({"reason": " 암표 "})).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn accounts_are_found() {
    let shop = Shop::open().await;
    for name in ["anna", "bert", "hanna"] {
        shop.buyer(name).await;
    }
    suspend(&shop, &id_of(&shop, "bert").await).await;
    for (query, expected) in [
        ("", &["hanna", "bert", "anna", "admin"][..]),
        ("q=ANNA", &["hanna", "anna"]),
        ("q=%20anna%40", &["hanna", "anna"]),
        // The name of everybody but the administrator.
        ("q=%EA%B5%AC%EB%A7%A4", &["hanna", "bert", "anna"]),
        ("q=%25", &[]),
        ("q=_", &[]),
        ("status=suspended", &["bert"]),
        ("status=active&q=example", &["hanna", "anna"]),
        ("limit=2", &["hanna", "bert"]),
        ("limit=2&page=2", &["anna", "admin"]),
        ("limit=2&page=3", &[]),
    ] {
        assert_eq!(emails(&shop, query).await, expected, "{query}");
    }
    let answer = shop.ok("/api/admin/users?limit=3&page=2", &shop.admin).await;
    assert_eq!(answer["pagination"], json!({"page": 2, "limit": 3, "total": 4, "totalPages": 2}));
    for query in ["page=0", "status=gone", "q=%FF"] {
        let answer = shop.get(&format!("/api/admin/users?{query}"), &shop.admin).await;
        refused(answer, 400, "VALIDATION");
    }
}

#[tokio::test]
async fn a_suspended_account_may_do_nothing_at_once_and_after_a_restart() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("bert").await;
    let id = id_of(&shop, "bert").await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    shop.hold(&buyer, &event, &seats[0]).await;
    let answer = suspend(&shop, &id).await;
    shape(&answer, "message:text user:object");
    shape(&answer["user"], USER);
    shape(&answer["user"]["suspension"], "reason:text at:time by:uuid?");
    assert_eq!(answer["user"]["suspension"]["reason"], "암표");
    let login = json!({"email": "bert@example.com", "password": "secret1"});
    let wrong = json!({"email": "bert@example.com", "password": "secret2"});
    let shut_out = async |shop: &Shop| {
        for path in ["/api/reservations/my", "/api/points/balance", "/api/admin/users"] {
            refused(shop.get(path, &buyer).await, 403, "SUSPENDED");
        }
        refused(shop.reserve(&buyer, &event, &[&seats[1]]).await, 403, "SUSPENDED");
        refused(shop.post("/api/auth/login", "", &login).await, 403, "SUSPENDED");
        // Whoever does not know the password learns nothing.
        refused(shop.post("/api/auth/login", "", &wrong).await, 401, "BAD_CREDENTIALS");
        // What anybody may see he may see.
        shop.ok("/api/events", &buyer).await;
    };
    shut_out(&shop).await;
    let shop = shop.restart(|config| config.sample_data = false).await;
    shut_out(&shop).await;

    let path = format!("/api/admin/users/{id}/restore");
    let (status, answer) = shop.post_empty(&path, &shop.admin).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "message:text user:object");
    assert_eq!(answer["user"]["suspension"], Value::Null);
    shop.ok("/api/reservations/my", &buyer).await;
    assert_eq!(shop.post("/api/auth/login", "", &login).await.0, 200);
    refused(shop.post_empty(&path, &shop.admin).await, 400, "CONFLICT");
}

#[tokio::test]
async fn a_suspended_administrator_administers_nothing() {
    let shop = Shop::open().await;
    shop.buyer("second").await;
    let id = id_of(&shop, "second").await;
    let role = json!({"role": "admin"});
    let path = format!("/api/admin/users/{id}/role");
    assert_eq!(shop.gateway.call("PUT", &path, &shop.admin, &role).await.0, 200);
    let login = json!({"email": "second@example.com", "password": "secret1"});
    let second = text(&shop.post("/api/auth/login", "", &login).await.1["token"]);
    shop.ok("/api/admin/users", &second).await;
    suspend(&shop, &id).await;
    refused(shop.get("/api/admin/users", &second).await, 403, "SUSPENDED");
    // A change of the role changes nothing about that.
    assert_eq!(shop.gateway.call("PUT", &path, &shop.admin, &role).await.0, 200);
    refused(shop.get("/api/admin/users", &second).await, 403, "SUSPENDED");
}

#[tokio::test]
async fn suspensions_that_are_refused() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("bert").await;
    let id = id_of(&shop, "bert").await;
    let reason = json!({"reason": "암표"});
    let path = |id: &str| format!("/api/admin/users/{id}/suspend");
    refused(shop.post(&path(&id), &buyer, &reason).await, 403, "ADMIN_ONLY");
    refused(shop.post(&path("x"), &shop.admin, &reason).await, 400, "BAD_ID");
    refused(shop.post(&path(FOREIGN), &shop.admin, &reason).await, 404, "NOT_FOUND");
    for wrong in [json!({}), json!({"reason": " "}), json!({"reason": "가".repeat(2_001)})] {
        refused(shop.post(&path(&id), &shop.admin, &wrong).await, 400, "VALIDATION");
    }
    let admin = shop.ok("/api/admin/users/admin@tiketi.gg", &shop.admin).await;
    let id_of_admin = text(&admin["user"]["id"]);
    refused(shop.post(&path(&id_of_admin), &shop.admin, &reason).await, 400, "CONFLICT");
    // Nor does anybody take his own rights, which nobody might be left to give back.
    let role = format!("/api/admin/users/{id_of_admin}/role");
    let demoted = shop.gateway.call("PUT", &role, &shop.admin, &json!({"role": "user"})).await;
    refused(demoted, 400, "CONFLICT");
    let same = shop.gateway.call("PUT", &role, &shop.admin, &json!({"role": "admin"})).await;
    assert_eq!(same.0, 200);
    suspend(&shop, &id).await;
    refused(shop.post(&path(&id), &shop.admin, &reason).await, 400, "CONFLICT");
    let restore = format!("/api/admin/users/{FOREIGN}/restore");
    refused(shop.post_empty(&restore, &shop.admin).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn the_orders_of_an_account() {
    let shop = Shop::open().await;
    let (buyer, other) = (shop.buyer("bert").await, shop.buyer("anna").await);
    let event = shop.seat_event(json!({"title": "봄"})).await;
    let seats = shop.seats(&event).await;
    let mut made = Vec::new();
    for seat in &seats[..3] {
        made.insert(0, shop.hold(&buyer, &event, seat).await);
    }
    shop.hold(&other, &event, &seats[5]).await;
    let path = format!("/api/admin/users/{}/orders", id_of(&shop, "bert").await);
    let answer = shop.ok(&path, &shop.admin).await;
    shape(&answer, "orders:list pagination:object");
    let orders = list(&answer["orders"]);
    orders.iter().for_each(|order| {
        shape(
            order,
            "id:uuid reservation_number:text total_amount:int status:text payment_status:text \
             created_at:time event_title:text? venue:text? event_date:time? items:list",
        );
    });
    let ids: Vec<String> = orders.iter().map(|order| text(&order["id"])).collect();
    assert_eq!(ids, made);
    let page = shop.ok(&format!("{path}?limit=2&page=2"), &shop.admin).await;
    assert_eq!(list(&page["orders"]).len(), 1);
    assert_eq!(page["pagination"]["total"], 3);
    refused(shop.get(&path, &buyer).await, 403, "ADMIN_ONLY");
    let unknown = format!("/api/admin/users/{FOREIGN}/orders");
    refused(shop.get(&unknown, &shop.admin).await, 404, "NOT_FOUND");
}
