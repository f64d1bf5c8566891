//! News (contract/http.md 2.8, ⚖D5).

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};
use crate::support::{Gateway, read};

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";
const POST: &str = "id:uuid title:text content:text author:text author_id:uuid? views:int \
                    is_pinned:bool created_at:time updated_at:time createdAt:time updatedAt:time";

fn body(title: &str) -> Value {
    json!({"title": title, "content": "첫 줄\n둘째 줄", "author": "아무나"})
}

async fn write(shop: &Shop, token: &str, body: &Value) -> Value {
    let (status, answer) = shop.post("/api/news", token, body).await;
    assert_eq!(status, 201, "{answer}");
    shape(&answer, "news:object");
    shape(&answer["news"], POST);
    answer["news"].clone()
}

async fn titles(shop: &Shop, query: &str) -> Vec<String> {
    let answer = shop.ok(&format!("/api/news{query}"), "").await;
    shape(&answer, "news:list pagination:object");
    list(&answer["news"]).iter().for_each(|post| shape(post, POST));
    list(&answer["news"]).iter().map(|post| text(&post["title"])).collect()
}

#[tokio::test]
async fn a_post_is_written_read_edited_and_deleted() {
    let shop = Shop::open().await;
    let writer = shop.buyer("writer").await;
    let post = write(&shop, &writer, &body(" 공지 ")).await;
    assert_eq!((&post["title"], &post["content"]), (&json!("공지"), &json!("첫 줄\n둘째 줄")));
    assert_eq!((&post["views"], &post["is_pinned"]), (&json!(0), &json!(false)));
    assert_eq!(post["createdAt"], post["created_at"]);
    assert_eq!(post["updatedAt"], post["updated_at"]);

    let path = format!("/api/news/{}", text(&post["id"]));
    for views in 1..=3 {
        let answer = shop.ok(&path, "").await;
        shape(&answer, "news:object");
        shape(&answer["news"], POST);
        assert_eq!(answer["news"]["views"], views);
    }
    let (status, answer) = shop
        .gateway
        .call("PUT", &path, &writer, &json!({"title": "정정", "content": "새 글"}))
        .await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "news:object");
    shape(&answer["news"], POST);
    for (field, expected) in
        [("title", json!("정정")), ("content", json!("새 글")), ("views", json!(3))]
    {
        assert_eq!(answer["news"][field], expected, "{field}");
    }
    assert_eq!(answer["news"]["created_at"], post["created_at"]);

    let delete = shop.gateway.request("DELETE", &path).bearer_auth(&writer);
    let (status, answer) = read(delete.send().await.expect("answer")).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "message:text");
    refused(shop.get(&path, "").await, 404, "NOT_FOUND");
    assert_eq!(titles(&shop, "").await, [""; 0]);
}

#[tokio::test]
async fn views_are_there_after_a_restart() {
    let shop = Shop::open().await;
    let writer = shop.buyer("writer").await;
    let path = format!("/api/news/{}", text(&write(&shop, &writer, &body("공지")).await["id"]));
    for _ in 0..5 {
        shop.ok(&path, "").await;
    }
    assert_eq!(shop.ok("/api/news", "").await["news"][0]["views"], 5);
    let shop = shop.restart(|config| config.sample_data = false).await;
    assert_eq!(shop.ok("/api/news", "").await["news"][0]["views"], 5);
    assert_eq!(shop.ok(&path, "").await["news"]["views"], 6);
}

#[tokio::test]
async fn pinned_ones_come_first_then_the_newest() {
    let shop = Shop::open().await;
    let writer = shop.buyer("writer").await;
    let pinned = json!({"title": "고정", "content": "글", "author": "관리자", "is_pinned": true});
    write(&shop, &writer, &body("하나")).await;
    let first = write(&shop, &shop.admin, &pinned).await;
    assert_eq!(first["is_pinned"], true);
    write(&shop, &writer, &body("둘")).await;
    // Of anybody else it does not count (⚖D5).
    let mut wish = pinned.clone();
    wish["title"] = json!("셋");
    assert_eq!(write(&shop, &writer, &wish).await["is_pinned"], false);
    assert_eq!(titles(&shop, "").await, ["고정", "셋", "둘", "하나"]);
    assert_eq!(titles(&shop, "?page=2&limit=3").await, ["하나"]);
    assert_eq!(titles(&shop, "?page=9").await, [""; 0]);
    let pages = shop.ok("/api/news?limit=3", "").await["pagination"].clone();
    assert_eq!(pages, json!({"page": 1, "limit": 3, "total": 4, "totalPages": 2}));
    assert_eq!(shop.ok("/api/news", "").await["pagination"]["limit"], 20);
    for query in ["page=0", "page=-1", "limit=x"] {
        refused(shop.get(&format!("/api/news?{query}"), "").await, 400, "VALIDATION");
    }

    // Unchanged where it is absent, changed where an administrator says so.
    let path = format!("/api/news/{}", text(&first["id"]));
    for (edit, is_pinned) in [
        (json!({"title": "고정", "content": "다른 글"}), true),
        (json!({"title": "고정", "content": "글", "is_pinned": false}), false),
    ] {
        let (_, answer) = shop.gateway.call("PUT", &path, &shop.admin, &edit).await;
        assert_eq!(answer["news"]["is_pinned"], is_pinned);
    }
    assert_eq!(titles(&shop, "").await, ["셋", "둘", "고정", "하나"]);
}

#[tokio::test]
async fn the_author_is_whoever_the_token_says() {
    let shop = Shop::open().await;
    let writer = shop.buyer("writer").await;
    let (_, other) = shop
        .gateway
        .post(
            "/api/auth/register",
            &json!({"email": "o@example.com", "password": "secret1", "name": "다른 사람"}),
        )
        .await;
    let mut spoofed = body("공지");
    spoofed["author"] = json!("관리자");
    spoofed["author_id"] = other["user"]["id"].clone();
    let post = write(&shop, &writer, &spoofed).await;
    assert_eq!(post["author"], "구매자");
    assert_ne!(post["author_id"], other["user"]["id"]);
    for (author_id, code) in [(json!("x"), "BAD_ID"), (json!(FOREIGN), "NOT_FOUND")] {
        spoofed["author_id"] = author_id;
        refused(shop.post("/api/news", &writer, &spoofed).await, 400, code);
    }
    spoofed["author_id"] = Value::Null;
    refused(shop.post("/api/news", &writer, &spoofed).await, 400, "VALIDATION");
}

#[tokio::test]
async fn what_is_refused() {
    let shop = Shop::open().await;
    let (writer, other) = (shop.buyer("writer").await, shop.buyer("other").await);
    let post = write(&shop, &shop.admin, &body("공지")).await;
    let own = write(&shop, &writer, &body("내 글")).await;
    let admins = format!("/api/news/{}", text(&post["id"]));
    let writers = format!("/api/news/{}", text(&own["id"]));
    let edit = json!({"title": "t", "content": "c"});
    let call = |method, path: String, token: String, body: Value| {
        let gateway = &shop.gateway;
        async move { gateway.call(method, &path, &token, &body).await }
    };
    refused(shop.post("/api/news", "", &body("x")).await, 401, "AUTH_REQUIRED");
    for method in ["PUT", "DELETE"] {
        let answer = call(method, admins.clone(), String::new(), edit.clone()).await;
        refused(answer, 401, "AUTH_REQUIRED");
        // A deletion has no fields.
        let edit = if method == "PUT" { edit.clone() } else { json!({}) };
        let answer = call(method, admins.clone(), other.clone(), edit.clone()).await;
        refused(answer, 403, "FORBIDDEN");
        for (id, status, code) in [("x", 400, "BAD_ID"), (FOREIGN, 404, "NOT_FOUND")] {
            let answer =
                call(method, format!("/api/news/{id}"), writer.clone(), edit.clone()).await;
            refused(answer, status, code);
        }
    }
    refused(shop.get("/api/news/x", "").await, 400, "BAD_ID");
    refused(shop.get(&format!("/api/news/{FOREIGN}"), "").await, 404, "NOT_FOUND");
    // An administrator may delete what is another's, and not edit it.
    let answer = call("PUT", writers.clone(), shop.admin.clone(), edit.clone()).await;
    refused(answer, 403, "FORBIDDEN");
    for (field, value) in [
        ("title", json!("")),
        ("title", json!("  ")),
        ("title", json!("가".repeat(256))),
        ("title", json!(7)),
        ("title", Value::Null),
        ("content", json!("")),
        ("content", json!("가".repeat(10_001))),
        ("content", json!("a\u{0}b")),
        ("is_pinned", json!("yes")),
    ] {
        let mut wrong = body("x");
        wrong[field] = value;
        refused(shop.post("/api/news", &writer, &wrong).await, 400, "VALIDATION");
        let answer = call("PUT", writers.clone(), writer.clone(), wrong).await;
        refused(answer, 400, "VALIDATION");
    }
    for author in [json!(""), Value::Null, json!(" ")] {
        let mut wrong = body("x");
        wrong["author"] = author;
        refused(shop.post("/api/news", &writer, &wrong).await, 400, "VALIDATION");
    }
    let (status, _) = call("DELETE", writers.clone(), shop.admin.clone(), json!({})).await;
    assert_eq!(status, 200);
    refused(call("PUT", writers, writer, edit).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn the_sample_has_three() {
    let gateway = Gateway::with(|config| config.sample_data = true).await;
    let (_, answer) = read(gateway.get("/api/news").await).await;
    let mut found: Vec<(String, u64)> = list(&answer["news"])
        .iter()
        .inspect(|post| {
            shape(post, POST);
            assert_eq!((&post["author"], &post["author_id"]), (&json!("관리자"), &Value::Null));
            assert_eq!(post["is_pinned"], false);
        })
        .map(|post| (text(&post["title"]), post["views"].as_u64().expect("number")))
        .collect();
    found.sort_by_key(|(_, views)| *views);
    let expected = [
        ("티케티 모바일 앱 출시 예정", 45),
        ("2024년 연말 콘서트 티켓 오픈 안내", 89),
        ("TIKETI 서비스 정식 오픈!", 125),
    ];
    assert_eq!(found, expected.map(|(title, views)| (title.to_owned(), views)));
}
