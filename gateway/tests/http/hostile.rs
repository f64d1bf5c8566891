//! Input that means harm, on every route that the page names: never a 5xx, always the one shape of a
//! refusal, and nothing changed. New routes are in it by being in the table.

use reqwest::Response;
use serde_json::{Value, json};
use tiketi_gateway::rate_limit::RateLimitConfig;

use crate::documented::documented;
use crate::everything::Document;
use crate::shop::{Shop, refused, text};
use crate::support::{assert_error, read};

/// In place of each parameter of a path. None is an id of anything.
const PARTS: [&str; 10] = [
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "0",
    "-1",
    "%00",
    "%FF%FE",
    "..%2f..%2fetc%2fpasswd",
    "%F0%9F%8E%AB%E2%80%AE",
    "'%20OR%20'1'='1",
    "%25_",
];

const QUERIES: [&str; 14] = [
    "page=0",
    "page=-1",
    "limit=0",
    "limit=1000000000",
    "page=18446744073709551616",
    "page=1.5&limit=NaN",
    "page=1&page=2&limit=5&limit=x&q=a&q=b&status=ended&status=x",
    "page[]=1&q[$ne]=",
    "q=%25_%25&status=%25",
    "q=%F0%9F%8E%AB%E2%80%AE%D7%A9",
    "q=%00&status=%00&event=%00",
    "q=%FF%FE&page=%FF",
    "q=%&status=%zz&event=%",
    "&&&===&?#",
];

/// Requests' headers that are read by many routes.
const HEADERS: [(&str, &[u8]); 5] = [
    ("tiketi-min-lsn", b"-1--1"),
    ("tiketi-min-lsn", b"\xff"),
    ("idempotency-key", b"\xed\x82\xa4"),
    ("tiketi-pass", b"\xff\xfe"),
    ("x-request-id", b"a\"b"),
];

/// None of these is what any route takes.
fn bodies() -> Vec<Vec<u8>> {
    let fields = |value: &str| {
        let names = [
            "email",
            "password",
            "name",
            "title",
            "content",
            "venue",
            "eventId",
            "seatIds",
            "items",
            "reservationId",
            "paymentMethod",
            "orderId",
            "paymentKey",
            "amount",
            "role",
            "lane",
            "lanes",
            "users",
            "userId",
            "seats",
            "count",
            "threshold",
            "rate",
            "sections",
            "status",
            "eventDate",
            "beacon",
            "price",
            "totalQuantity",
            "paymentStatus",
            "csv",
            "reason",
        ];
        let pairs: Vec<String> = names.iter().map(|name| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", pairs.join(",")).into_bytes()
    };
    let over = format!("{{\"email\":\"{}\"}}", "x".repeat(100 * 1024));
    vec![
        b"{".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"\0".to_vec(),
        b"{\"title\":\"\xff\xfe\"}".to_vec(),
        format!("{{\"title\":{}", "[".repeat(50_000)).into_bytes(),
        format!("{{\"title\":{}{}}}", "{\"a\":".repeat(120), "1".to_owned() + &"}".repeat(120)).into_bytes(),
        b"{\"eventId\":1,\"eventId\":2,\"email\":\"a\",\"email\":\"b\",\"amount\":1,\"amount\":\"2\"}".to_vec(),
        over.into_bytes(),
        fields("-1"),
        fields("1e400"),
        fields("9007199254740993.5"),
        fields("\"\\u0000\""),
        fields("\"\\ud800\""),
        fields("{\"$gt\":\"\"}"),
        fields("[[[]]]"),
        fields("\"%_\u{202e}🎫'; DROP TABLE users; --\""),
    ]
}

/// What an answer to hostile input may be.
async fn assert_harmless(what: &str, template: &str, response: Response) {
    let status = response.status();
    assert!(!status.is_server_error(), "{what}: {status}");
    let is_json = response.headers()["x-content-type-options"] == "nosniff"
        && response
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "application/json; charset=utf-8");
    assert!(response.headers().contains_key("x-request-id"), "{what}");
    if status.is_client_error() {
        assert!(is_json, "{what}: {status}");
        let (_, body) = read(response).await;
        // Engine.IO's own.
        if template != "/socket.io" {
            assert_error(&body, body["code"].as_str().unwrap_or("none"));
        }
        let text = body.to_string();
        for internal in ["panicked", "src/", "serde", "line 1 column", "thread '"] {
            assert!(!text.contains(internal), "{what}: {text}");
        }
    }
}

fn is_noted(method: &str, who: &str, response: &Response) -> bool {
    who == "admin" && method != "GET" && response.status().is_success()
}

fn filled(template: &str, part: &str) -> String {
    let parts = template.split('/').map(|it| if it.starts_with(':') { part } else { it });
    parts.collect::<Vec<_>>().join("/")
}

impl Shop {
    /// The position of one registration: the same distance apart where nothing else was written.
    pub(crate) async fn position(&self, name: &str) -> u64 {
        let body =
            json!({"email": format!("{name}@probe.kr"), "password": "secret1", "name": name});
        let request = self.gateway.request("POST", "/api/auth/register").json(&body);
        let response = request.send().await.expect("answer");
        assert_eq!(response.status(), 201);
        let lsn = response.headers()["tiketi-lsn"].to_str().expect("text").to_owned();
        lsn.split_once('-').expect("a position").1.parse().expect("a number")
    }

    async fn throw(&self, method: &str, path: &str, token: &str, body: Option<&[u8]>) -> Response {
        let mut request = self.gateway.request(method, path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_vec());
        }
        request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}

#[tokio::test]
async fn paths_and_queries() {
    let shop = Shop::open().await;
    let user = shop.buyer("user").await;
    let before = shop.position("before").await;
    // What an administrator is answered well for is noted for the audit list, and nothing else is.
    let mut noted = 0;
    for (method, template, who, _) in documented() {
        let token = if who == "admin" { &shop.admin } else { &user };
        for part in PARTS {
            let path = filled(&template, part);
            if path == template {
                break;
            }
            let response = shop.throw(&method, &path, token, None).await;
            let status = response.status();
            assert_harmless(&format!("{method} {path}"), &template, response).await;
            // Nothing of these names is there to be done something with.
            let is_list = template == "/api/tickets/event/:eventId";
            assert!(status.is_client_error() || is_list, "{method} {path}: {status}");
        }
        let path = filled(&template, PARTS[1]);
        for query in QUERIES {
            let path = format!("{path}?{query}");
            let response = shop.throw(&method, &path, token, None).await;
            noted += u64::from(is_noted(&method, &who, &response));
            assert_harmless(&format!("{method} {path}"), &template, response).await;
        }
        for (name, value) in HEADERS {
            let value = reqwest::header::HeaderValue::from_bytes(value).expect("value");
            let request = shop.gateway.request(&method, &path).bearer_auth(token);
            let response = request.header(name, value).send().await.expect("answer");
            noted += u64::from(is_noted(&method, &who, &response));
            assert_harmless(&format!("{method} {path} {name}"), &template, response).await;
        }
    }
    assert_eq!(shop.position("after").await, before + 1 + noted, "something was written");
}

#[tokio::test]
async fn bodies_that_mean_harm() {
    let shop = Shop::open().await;
    let user = shop.buyer("user").await;
    let before = shop.position("before").await;
    // What an administrator is answered well for is noted for the audit list, and nothing else is.
    let mut noted = 0;
    for (method, template, who, _) in documented() {
        if method == "GET" {
            continue;
        }
        let path = filled(&template, PARTS[1]);
        let token = if who == "admin" { &shop.admin } else { &user };
        for body in bodies() {
            let response = shop.throw(&method, &path, token, Some(&body)).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let what = format!("{method} {path} {shown}");
            let is_over = body.len() > 100 * 1024 && template != "/api/image/upload";
            assert_eq!(response.status() == 413, is_over, "{what}: {}", response.status());
            noted += u64::from(is_noted(&method, &who, &response));
            assert_harmless(&what, &template, response).await;
        }
    }
    assert_eq!(shop.position("after").await, before + 1 + noted, "something was written");
}

#[tokio::test]
async fn what_is_no_json_changes_nothing_on_any_route() {
    let shop = Shop::with(|config| config.rate_limit = RateLimitConfig::OFF).await;
    let user = shop.buyer("typist").await;
    let event = shop.seat_event(json!({})).await;
    let (standing, types) =
        shop.ticket_event(json!([{"name": "R", "price": 1, "totalQuantity": 5}])).await;
    let seat = shop.seats(&event).await[0].clone();
    let reservation = shop.hold(&user, &event, &seat).await;
    let post = json!({"title": "소식", "content": "내용", "author": "typist"});
    let (status, news) = shop.post("/api/news", &user, &post).await;
    assert_eq!(status, 201, "{news}");
    let me = shop.ok("/api/admin/users/typist@example.com", &shop.admin).await;
    let before = shop.position("before").await;
    let mut asked = 0;
    for (method, template, who, _) in documented() {
        // A table or a picture; a provider's own form; a page; no route of ours.
        let is_other = template.ends_with("/csv")
            || template.ends_with("/webhook")
            || ["/api/image/upload", "/payments/pay/:orderId", "/socket.io"]
                .contains(&template.as_str());
        if method == "GET" || is_other {
            continue;
        }
        let id = match template.as_str() {
            path if path.contains("/reservations/") || path.contains("/orders/") => &reservation,
            path if path.contains("/payments/") => &reservation,
            path if path.contains("/news/") => &text(&news["news"]["id"]),
            path if path.contains("/tickets/") => &text(&types[0]["id"]),
            path if path.contains("/users/") => &text(&me["user"]["id"]),
            path if path.contains("/categories/") => "콘서트",
            path if path.ends_with("/tickets") => &standing,
            _ => &event,
        };
        let token = if who == "admin" { &shop.admin } else { &user };
        let path = filled(&template, id);
        for wrong in [&b"{"[..], b"{\"a\":}", b"nonsense", b"{} {}"] {
            let response = shop.throw(&method, &path, token, Some(wrong)).await;
            let status = response.status();
            let (_, body) = read(response).await;
            assert_eq!(
                (status.as_u16(), &body["code"]),
                (400, &json!("VALIDATION")),
                "{method} {path}: {body}"
            );
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked} requests");
    assert_eq!(shop.position("after").await, before + 1, "something was written");
}

#[tokio::test]
async fn refusals_name_the_field() {
    let shop = Shop::open().await;
    let event = text(&shop.event(json!({})).await["id"]);
    let (tickets, users) = (format!("/api/admin/events/{event}/tickets"), "/api/admin/users");
    for (method, path, body, field) in [
        ("POST", "/api/news", json!({"title": "a", "content": "b"}), "author"),
        ("POST", "/api/news", json!({"title": 5, "content": "b", "author": "c"}), "title"),
        ("POST", &tickets, json!({"name": "R", "totalQuantity": 1}), "price"),
        ("POST", &tickets, json!({"name": "R", "price": -1, "totalQuantity": 1}), "price"),
        ("PUT", &format!("/api/queue/admin/{event}"), json!({"rate": "5"}), "rate"),
        ("POST", "/api/seats/reserve", json!({"eventId": event, "seatIds": ["x"]}), "seatIds[0]"),
        (
            "POST",
            "/api/reservations",
            json!({"eventId": event, "items": [{"quantity": 1}]}),
            "items[0].ticketTypeId",
        ),
        ("GET", &format!("{users}?page=0"), json!({}), "page"),
        ("GET", "/api/events?limit=-1", json!({}), "limit"),
        ("GET", "/api/admin/audit?from=x", json!({}), "from"),
        ("GET", "/api/admin/audit?from=2026-02-02&to=2026-02-01", json!({}), "to"),
    ] {
        let (status, answer) = shop.gateway.call(method, path, &shop.admin, &body).await;
        assert_eq!((status.as_u16(), &answer["field"]), (400, &json!(field)), "{path}: {answer}");
    }
}

#[tokio::test]
async fn another_users_ids_open_nothing() {
    let shop = Shop::open().await;
    let (owner, other) = (shop.buyer("owner").await, shop.buyer("other").await);
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let paid = shop.hold(&owner, &event, &seats[0]).await;
    assert_eq!(shop.pay(&owner, &paid).await.0, 200);
    let held = shop.hold(&owner, &event, &seats[1]).await;
    let body = json!({"reservationId": held});
    let (status, charge) = shop.post("/api/payments/toss/request", &owner, &body).await;
    assert_eq!(status, 201, "{charge}");
    let order = text(&charge["orderId"]);
    let detail = shop.ok(&format!("/api/reservations/{held}"), &owner).await;
    let number = text(&detail["reservation"]["reservation_number"]);
    let document = Document::of(&shop.gateway).await;
    let before = shop.position("before").await;
    for (method, template, who, _) in documented() {
        // Whoever has a payment page's address may see what there is to pay.
        let is_open = who == "–";
        // Points are bought for oneself, whatever else the body says.
        if is_open || template == "/api/points/charge" {
            continue;
        }
        for id in [&paid, &held, &order] {
            let path = filled(&template, id);
            let mut body = json!({
                "reservationId": id, "paymentMethod": "kakao_pay", "orderId": order,
                "paymentKey": "tviva20240101", "amount": charge["amount"], "seatIds": [seats[0]["id"]],
            });
            // What the route has no field for would be refused before anything else.
            let fields = document.field_names(&method, &template);
            body.as_object_mut().expect("object").retain(|name, _| fields.contains(name));
            let body = (method != "GET").then(|| body.to_string().into_bytes());
            let response = shop.throw(&method, &path, &other, body.as_deref()).await;
            let (status, answer) = read(response).await;
            let what = format!("{method} {path}: {status} {answer}");
            assert!(!status.is_server_error(), "{what}");
            if path != template || method != "GET" {
                assert!(status.is_client_error(), "{what}");
            }
            if who == "admin" {
                assert_eq!(status, 403, "{what}");
            }
            let told = answer.to_string();
            assert!(!told.contains(&number) && !told.contains("owner@example.com"), "{what}");
        }
    }
    assert_eq!(shop.position("after").await, before + 1, "something was written");
    assert_eq!(shop.standing(&owner, &paid).await, ("confirmed".into(), "completed".into()));
    assert_eq!(shop.standing(&owner, &held).await, ("pending".into(), "pending".into()));
}

#[tokio::test]
async fn numbers_as_text_are_numbers_only_where_the_form_sends_them_so() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("buyer").await;
    let as_text = json!([{"name": "R석", "price": "100000", "totalQuantity": "20"}]);
    let (event, types) = shop.ticket_event(as_text).await;
    assert_eq!((&types[0]["price"], &types[0]["total_quantity"]), (&json!(100_000), &json!(20)));
    for wrong in [json!("2"), json!(2.5), json!(-1), json!(0), json!(1e18), json!(true), json!([2])]
    {
        let items = json!([{"ticketTypeId": types[0]["id"], "quantity": wrong}]);
        let body = json!({"eventId": event, "items": items});
        refused(shop.post("/api/reservations", &buyer, &body).await, 400, "VALIDATION");
    }
    for wrong in ["", "12a", "-1", "1e5", "0x10", "1 0", "99999999999999999999", "１００"] {
        let mut body = crate::shop::event_body();
        body["ticketTypes"] = json!([{"name": "R석", "price": wrong, "totalQuantity": "20"}]);
        refused(shop.post("/api/admin/events", &shop.admin, &body).await, 400, "VALIDATION");
    }
}

#[tokio::test]
async fn wildcards_and_scripts_are_searched_for_as_they_are() {
    let shop = Shop::open().await;
    for title in ["100% 라이브", "under_score", "🎫 축제", "\u{202b}שלום\u{202c} concert"]
    {
        shop.event(json!({"title": title})).await;
    }
    for (query, expected) in [
        ("%25", 1),
        ("_", 1),
        ("%25_", 0),
        ("%F0%9F%8E%AB", 1),
        ("%D7%A9%D7%9C", 1),
        ("%00", 0),
        ("\\", 0),
    ] {
        let answer = shop.ok(&format!("/api/events?q={query}"), "").await;
        assert_eq!(answer["events"].as_array().map(Vec::len), Some(expected), "{query}");
    }
    let all: Value = shop.ok("/api/events?limit=1000000000", "").await;
    assert_eq!(all["pagination"]["limit"], 1000);
}

#[tokio::test]
async fn bytes_that_are_no_text_in_a_path() {
    let shop = Shop::open().await;
    for path in
        [&b"/api/events/\xff\xfe"[..], b"/api/events?q=\xff", b"/\xf0\x9f\x8e\xab", b"/a\0b"]
    {
        let request =
            [b"GET ", path, b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"].concat();
        let answer = shop.gateway.exchange(request).await;
        let is_answered = answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 200 ");
        assert!(is_answered, "{path:?}: {answer}");
    }
}
