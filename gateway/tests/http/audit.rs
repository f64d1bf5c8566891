//! Who changed what (`gateway/PROTOCOL.md`).

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};

const AUDIT: &str = "/api/admin/audit";

async fn entries(shop: &Shop, query: &str) -> Vec<(String, String)> {
    let answer = shop.ok(&format!("{AUDIT}?{query}"), &shop.admin).await;
    shape(&answer, "entries:list pagination:object");
    list(&answer["entries"])
        .iter()
        .map(|entry| {
            shape(
                entry,
                "lsn:int at:time user_id:uuid user_email:text user_name:text method:text \
                 path:text body:text made:text?",
            );
            (text(&entry["method"]), text(&entry["path"]))
        })
        .collect()
}

/// What a request made is in its entry: the request alone does not tell which.
#[tokio::test]
async fn an_entry_has_the_id_of_what_was_made() {
    let shop = Shop::open().await;
    let event = text(&shop.event(json!({})).await["id"]);
    let edited = json!({"title": "다른 제목"});
    let path = format!("/api/admin/events/{event}");
    assert_eq!(shop.gateway.call("PUT", &path, &shop.admin, &edited).await.0, 200);
    let shop = shop.restart(|_| {}).await;
    let answer = shop.ok(&format!("{AUDIT}?path=/api/admin/events"), &shop.admin).await;
    let made: Vec<&Value> = list(&answer["entries"]).iter().map(|entry| &entry["made"]).collect();
    assert_eq!(made, [&Value::Null, &json!(event)], "{answer}");
}

fn as_texts(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(method, path)| (method.to_owned(), path.to_owned())).collect()
}

#[tokio::test]
async fn every_change_of_an_administrator_is_there() {
    // It has made a layout.
    let shop = Shop::open().await;
    let first = [("POST", "/api/admin/seat-layouts")];
    assert_eq!(entries(&shop, "").await, as_texts(&first));
    let buyer = shop.buyer("bert").await;
    let user = shop.ok("/api/admin/users/bert@example.com", &shop.admin).await;
    let id = text(&user["user"]["id"]);
    let role = format!("/api/admin/users/{id}/role");
    let call = |token: String, body: Value| {
        let (gateway, role) = (&shop.gateway, &role);
        async move { gateway.call("PUT", role, &token, &body).await }
    };
    let table = shop.gateway.request("POST", "/api/admin/seat-layouts/csv?name=dry&dryRun=true");
    let table = table.bearer_auth(&shop.admin).body("name,rows,seatsPerRow,price\nA,1,2,3\n");
    let table = table.header("content-type", "text/csv").send().await.expect("answer");
    assert_eq!(table.status(), 200, "{}", table.text().await.expect("text"));
    // What is refused, or only looked at, or done as anybody may, is no administrator's change.
    assert_eq!(call(shop.admin.clone(), json!({"role": "king"})).await.0, 400);
    assert_eq!(call(buyer.clone(), json!({"role": "admin"})).await.0, 403);
    shop.ok("/api/admin/stats", &shop.admin).await;
    let post = json!({"title": "t", "content": "c", "author": "a"});
    let (_, own) = shop.post("/api/news", &shop.admin, &post).await;
    let (_, theirs) = shop.post("/api/news", &buyer, &post).await;
    let of = |post: &Value| format!("/api/news/{}", text(&post["news"]["id"]));
    assert_eq!(shop.gateway.call("DELETE", &of(&own), &shop.admin, &json!({})).await.0, 200);
    assert_eq!(entries(&shop, "").await, as_texts(&first));

    let change = json!({"role": "user"});
    assert_eq!(call(shop.admin.clone(), change).await.0, 200);
    let sheet = "/api/admin/seat-layouts/csv?name=%EC%95%94";
    let table = shop.gateway.request("POST", sheet).bearer_auth(&shop.admin);
    let table =
        table.header("content-type", "text/csv").body("name,rows,seatsPerRow,price\nA,1,2,3\n");
    assert_eq!(table.send().await.expect("answer").status(), 201);
    // Another's post took the rights of one.
    assert_eq!(shop.gateway.call("DELETE", &of(&theirs), &shop.admin, &json!({})).await.0, 200);
    let deleted = of(&theirs);
    let all = as_texts(&[("DELETE", &deleted), ("POST", sheet), ("PUT", &role), first[0]]);
    assert_eq!(entries(&shop, "").await, all);
    let answer = shop.ok(&format!("{AUDIT}?limit=1&page=3"), &shop.admin).await;
    assert_eq!(answer["pagination"], json!({"page": 3, "limit": 1, "total": 4, "totalPages": 4}));
    let entry = &answer["entries"][0];
    assert_eq!(entry["user_email"], "admin@tiketi.gg");
    let body: Value = serde_json::from_str(entry["body"].as_str().expect("text")).expect("JSON");
    assert_eq!(body, json!({"role": "user"}));

    for (query, expected) in [
        ("user=admin@tiketi.gg", &all[..]),
        ("user=nobody@tiketi.gg", &[]),
        ("path=news", &all[..1]),
        ("path=/api/admin/", &all[1..]),
        ("path=%EC%95%94", &all[1..2]),
        ("path=%25EC%2595%2594", &all[1..2]),
        ("from=2020-01-01&to=2020-12-31", &[]),
        ("from=2020-01-01", &all[..]),
    ] {
        assert_eq!(entries(&shop, query).await, expected, "{query}");
    }
    for query in ["from=yesterday", "to=x", "page=0"] {
        refused(shop.get(&format!("{AUDIT}?{query}"), &shop.admin).await, 400, "VALIDATION");
    }
    refused(shop.get(AUDIT, &buyer).await, 403, "ADMIN_ONLY");
    refused(shop.get(AUDIT, "").await, 401, "AUTH_REQUIRED");

    let shop = shop.restart(|config| config.sample_data = false).await;
    assert_eq!(entries(&shop, "").await, all);
    // So does pinning, and nothing else that somebody does to a post of his own.
    let pinned = json!({"title": "t", "content": "c", "author": "a", "is_pinned": true});
    let (status, own) = shop.post("/api/news", &shop.admin, &pinned).await;
    assert_eq!(status, 201);
    for edit in [
        json!({"title": "u", "content": "c"}),
        json!({"title": "u", "content": "c", "is_pinned": false}),
    ] {
        assert_eq!(shop.gateway.call("PUT", &of(&own), &shop.admin, &edit).await.0, 200);
    }
    let pins = [("PUT".to_owned(), of(&own)), ("POST".to_owned(), "/api/news".to_owned())];
    assert_eq!(entries(&shop, "path=/api/news").await[..2], pins);
}

#[tokio::test]
async fn long_bodies_are_cut_and_other_ones_described() {
    let shop = Shop::open().await;
    shop.seat_event(json!({"description": "가".repeat(1_500)})).await;
    let answer = shop.ok(&format!("{AUDIT}?limit=1"), &shop.admin).await;
    let body = text(&answer["entries"][0]["body"]);
    assert!((2_040..=2_048).contains(&body.len()) && body.contains("가가"), "{}", body.len());
    // A form with a picture.
    let picture = image::RgbImage::new(8, 8);
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).expect("encoded");
    let head = b"--x\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\
                 content-type: image/png\r\n\r\n";
    let form = [&head[..], &png.into_inner(), b"\r\n--x--\r\n"].concat();
    let bytes = form.len();
    let request = shop.gateway.request("POST", "/api/image/upload").bearer_auth(&shop.admin);
    let request = request.header("content-type", "multipart/form-data; boundary=x").body(form);
    assert_eq!(request.send().await.expect("answer").status(), 200);
    let answer = shop.ok(&format!("{AUDIT}?limit=1"), &shop.admin).await;
    let expected = format!("[multipart/form-data; boundary=x, {bytes} bytes]");
    assert_eq!(answer["entries"][0]["body"], expected);
}

#[tokio::test]
async fn whoever_hangs_up_is_written_down_all_the_same() {
    use std::io::Write;
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let mut socket = shop.gateway.connect();
    let path = format!("/api/admin/events/{event}/cancel");
    write!(
        socket,
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 0\r\n\r\n",
        shop.admin
    )
    .expect("sent");
    drop(socket);
    // Either nothing was done, or it is in the list: asked until one of them is seen.
    loop {
        let found = shop.ok(&format!("/api/events/{event}"), "").await;
        let listed = entries(&shop, &format!("path={path}")).await;
        let is_done = found["event"]["status"] == "cancelled";
        if is_done && !listed.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
