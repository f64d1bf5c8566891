//! Requests that say less, or more, than they mean (`gateway/PROTOCOL.md`, "Choices"): refused on every
//! route that changes something, with the field's name, and nothing is changed.

use serde_json::{Value, json};

use crate::everything::{Document, Operation, World};
use crate::shop::{Shop, refused, text};
use crate::support::{assert_error, read};

/// Where keys beside the fields mean nothing: contract/http.md 2.1, "Extra keys ignored".
const OPEN: [&str; 1] = ["POST /api/auth/register"];

/// Fields whose `null` means something.
const NULLABLE: [(&str, &str); 15] = [
    // contract/http.md 2.9: `string|null`; `uuid|null`, which the form sends of events without seats
    // (contract/flows.md 14).
    ("POST /api/admin/events", "description"),
    ("POST /api/admin/events", "address"),
    ("POST /api/admin/events", "artistName"),
    ("POST /api/admin/events", "posterImageUrl"),
    ("POST /api/admin/events", "seatLayoutId"),
    // The same fields in an edit, which `null` empties.
    ("PUT /api/admin/events/{id}", "description"),
    ("PUT /api/admin/events/{id}", "address"),
    ("PUT /api/admin/events/{id}", "artistName"),
    ("PUT /api/admin/events/{id}", "posterImageUrl"),
    // gateway/PROTOCOL.md: `null` takes the category away, and the limit of people let in.
    ("PUT /api/admin/events/{id}", "category"),
    ("PUT /api/queue/admin/{eventId}", "rate"),
    // gateway/PROTOCOL.md, Terms of an event: `null` is the server's setting, as it is shown.
    ("POST /api/admin/events", "maxTickets"),
    ("POST /api/admin/events", "ticketHoldTtl"),
    ("PUT /api/admin/events/{id}", "maxTickets"),
    ("PUT /api/admin/events/{id}", "ticketHoldTtl"),
];

impl World {
    /// Sends a body as it is, with the rights of an administrator who owns everything as well.
    async fn send(&self, operation: &Operation, query: &str, body: &str) -> (u16, Value) {
        let token = if operation.access == "admin" { &self.shop.admin } else { &self.owner };
        let path = format!("{}{query}", self.path(&operation.template));
        let request = self.shop.gateway.request(&operation.method.to_uppercase(), &path);
        let request = request.bearer_auth(token).header("content-type", "application/json");
        let response = request.body(body.to_owned()).send().await.expect("answer");
        let (status, answer) = read(response).await;
        (status.as_u16(), answer)
    }

    /// Checks that a body is refused because of this field.
    async fn refuses(&self, operation: &Operation, query: &str, body: &str, field: &str) {
        let what = format!("{}{query} {body}", operation.name());
        let (status, answer) = self.send(operation, query, body).await;
        assert_eq!(status, 400, "{what}: {answer}");
        assert_error(&answer, "VALIDATION");
        // Registration and login list what is wrong (contract/http.md 2.1).
        let mut listed = answer["errors"].as_array().into_iter().flatten();
        let is_told = answer["field"] == field || listed.any(|error| error["path"] == field);
        assert!(is_told, "{what} and not {field}: {answer}");
    }
}

#[tokio::test]
async fn a_key_that_is_no_fields_is_refused_wherever_something_changes() {
    let world = World::make().await;
    let document = Document::of(&world.shop.gateway).await;
    let before = world.shop.position("before").await;
    let mut open = Vec::new();
    let mut asked = 0;
    for operation in document.operations().into_iter().filter(Operation::changes) {
        if operation.is_raw {
            continue;
        }
        let Some(schema) = &operation.body else {
            world.refuses(&operation, "", r#"{"unknownKey":1}"#, "unknownKey").await;
            asked += 1;
            continue;
        };
        if document.resolved(schema)["additionalProperties"] != false {
            open.push(operation.name());
            continue;
        }
        let sample = document.sample(schema, &world.event);
        for (name, pointer) in document.objects(schema) {
            let mut body = sample.clone();
            let object = body.pointer_mut(&pointer).expect("an object of the sample");
            object["unknownKey"] = json!(1);
            world.refuses(&operation, "", &body.to_string(), &format!("{name}unknownKey")).await;
            asked += 1;
        }
        world.refuses(&operation, "", r#"{"unknownKey":null}"#, "unknownKey").await;
    }
    assert!(asked > 50, "{asked} bodies");
    assert_eq!(open, OPEN, "a route takes other keys in silence");
    assert_eq!(world.shop.position("after").await, before + 1, "something was written");
}

#[tokio::test]
async fn a_null_is_refused_where_it_means_nothing() {
    let world = World::make().await;
    let document = Document::of(&world.shop.gateway).await;
    let before = world.shop.position("before").await;
    let mut nullable = Vec::new();
    let mut asked = 0;
    for operation in document.operations().into_iter().filter(Operation::changes) {
        let Some(schema) = &operation.body else { continue };
        let sample = document.sample(schema, &world.event);
        for (name, pointer, schema) in document.fields(schema) {
            if document.is_nullable(&schema) {
                nullable.push((operation.name(), name));
                continue;
            }
            let mut body = sample.clone();
            *body.pointer_mut(&pointer).expect("a field of the sample") = Value::Null;
            world.refuses(&operation, "", &body.to_string(), &name).await;
            asked += 1;
        }
    }
    assert!(asked > 60, "{asked} bodies");
    let mut expected = NULLABLE.map(|(name, field)| (name.to_owned(), field.to_owned()));
    expected.sort();
    nullable.sort();
    assert_eq!(nullable, expected, "mark the field, and say here why");
    assert_eq!(world.shop.position("after").await, before + 1, "something was written");
}

#[tokio::test]
async fn a_key_that_comes_twice_is_refused() {
    let world = World::make().await;
    let document = Document::of(&world.shop.gateway).await;
    let before = world.shop.position("before").await;
    for operation in document.operations().into_iter().filter(Operation::changes) {
        let Some(schema) = &operation.body else { continue };
        let Value::Object(sample) = document.sample(schema, &world.event) else {
            panic!("{} takes no object", operation.name());
        };
        for (name, value) in &sample {
            let pair = format!("{}:{value}", json!(name));
            world.refuses(&operation, "", &format!("{{{pair},{pair}}}"), name).await;
        }
    }
    assert_eq!(world.shop.position("after").await, before + 1, "something was written");
}

#[tokio::test]
async fn a_parameter_that_is_unknown_or_comes_twice_is_refused() {
    let world = World::make().await;
    let document = Document::of(&world.shop.gateway).await;
    let before = world.shop.position("before").await;
    let mut asked = 0;
    for operation in document.operations().into_iter().filter(Operation::changes) {
        // What providers add to the address of a webhook is theirs.
        if operation.access == "public" {
            continue;
        }
        // As a misspelt `dryRun` would be.
        for query in ["?dry_run=true", "?dry_run"] {
            world.refuses(&operation, query, "", "dry_run").await;
        }
        asked += 1;
    }
    assert!(asked > 40, "{asked} routes");
    let sheet = format!("/api/admin/events/{}/tickets/csv", world.event);
    for (query, field) in [
        ("?dryRun=false&dryRun=true", "dryRun"),
        // This one may be written in any case, and is the same then.
        ("?dryRun=true&DryRun=true", "dryRun"),
        ("?name=x", "name"),
    ] {
        let path = format!("{sheet}{query}");
        let request = world.shop.gateway.request("POST", &path).bearer_auth(&world.shop.admin);
        let (status, answer) = read(request.body("name\nA").send().await.expect("answer")).await;
        assert_eq!((status.as_u16(), &answer["field"]), (400, &json!(field)), "{answer}");
    }
    assert_eq!(world.shop.position("after").await, before + 1, "something was written");
}

/// No body, an empty object, and an object of blanks; of no content type, JSON, or a form.
#[tokio::test]
async fn a_route_without_fields_takes_nothing_or_an_empty_object() {
    let world = World::make().await;
    let path = format!("/api/queue/check/{}", world.event);
    for (kind, body, status) in [
        (None, "", 200),
        (Some("application/json"), "", 200),
        (Some("application/json"), "{}", 200),
        (Some("application/json; charset=utf-8"), " { } ", 200),
        (Some("application/x-www-form-urlencoded"), "", 200),
        (Some("application/json"), "null", 400),
        (Some("application/json"), "[]", 400),
        (Some("application/json"), "{", 400),
        (Some("application/json"), r#"{"a":1}"#, 400),
        // As `curl -d` sends it.
        (Some("application/x-www-form-urlencoded"), r#"{"seats":["VIP-1-1"]}"#, 400),
        (Some("application/x-www-form-urlencoded"), "seats=VIP-1-1", 400),
        (Some("text/plain"), "all of it", 400),
    ] {
        let mut request = world.shop.gateway.request("POST", &path).bearer_auth(&world.owner);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let response = request.body(body).send().await.expect("answer");
        let (found, answer) = read(response).await;
        assert_eq!(found, status, "{kind:?} {body}: {answer}");
        if status == 400 {
            assert_error(&answer, "VALIDATION");
            assert!(text(&answer["error"]).contains("본문을 비우거나"), "{answer}");
        }
    }
}

#[tokio::test]
async fn refusals_say_what_would_be_right() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("buyer").await;
    let id = "00000000-0000-8300-8000-000000000000";
    for (body, field, told) in [
        (r#"{"eventId":"ID","seats":[]}"#, "seats", "eventId, seatIds"),
        (r#"{"eventId":"ID","seatIds":null}"#, "seatIds", "null"),
        (r#"{"eventId":"ID","seatIds":[],"seatIds":[]}"#, "seatIds", "두 번"),
    ] {
        let request = shop.gateway.request("POST", "/api/seats/reserve").bearer_auth(&buyer);
        let response = request.body(body.replace("ID", id)).send().await.expect("answer");
        let (status, answer) = read(response).await;
        assert_eq!((status.as_u16(), &answer["field"]), (400, &json!(field)), "{answer}");
        let error = text(&answer["error"]);
        assert!(error.contains(told) && error.contains(field), "{error}");
    }
    // A key of the caller's own is told, but not all of a long one.
    let body = json!({"x".repeat(10_000): 1});
    let (status, answer) = shop.post("/api/seats/reserve", &buyer, &body).await;
    let field = text(&answer["field"]);
    assert_eq!((status.as_u16(), field.chars().count()), (400, 65), "{answer}");
    assert!(answer.to_string().len() < 600, "{answer}");
}

/// What the frontends of the platform send, key for key (contract/flows.md, contract/http.md 2).
#[tokio::test]
async fn what_the_frontends_send_is_taken() {
    let shop = Shop::open().await;
    let extra = json!({
        "email": "new@example.com", "password": "secret1", "name": "새 사람", "phone": "",
        "passwordConfirm": "secret1",
    });
    let (status, session) = shop.post("/api/auth/register", "", &extra).await;
    assert_eq!(status, 201, "contract/http.md 2.1, extra keys ignored: {session}");
    let (token, me) = (text(&session["token"]), &session["user"]["userId"]);
    let form = json!({
        "title": "공연", "description": "", "venue": "홀", "address": "", "artistName": "",
        "posterImageUrl": "", "eventDate": "2031-01-10T19:00:00",
        "saleStartDate": "2026-01-10T19:00:00", "saleEndDate": "2031-01-10T18:00:00",
    });
    let mut made = form.clone();
    made["seatLayoutId"] = Value::Null;
    made["ticketTypes"] =
        json!([{"name": "R석", "price": "1000", "totalQuantity": "5", "description": ""}]);
    let (status, event) = shop.post("/api/admin/events", &shop.admin, &made).await;
    assert_eq!(status, 201, "contract/flows.md 14: {event}");
    let path = format!("/api/admin/events/{}", text(&event["event"]["id"]));
    let (status, answer) = shop.gateway.call("PUT", &path, &shop.admin, &form).await;
    assert_eq!(status, 200, "contract/flows.md 14: {answer}");
    let post = json!({
        "title": "소식", "content": "내용", "is_pinned": false, "author": "새 사람", "author_id": me,
    });
    let (status, news) = shop.post("/api/news", &token, &post).await;
    assert_eq!(status, 201, "contract/flows.md 12: {news}");
    let path = format!("/api/news/{}", text(&news["news"]["id"]));
    let edit = json!({"title": "소식", "content": "다른 내용"});
    let (status, answer) = shop.gateway.call("PUT", &path, &token, &edit).await;
    assert_eq!(status, 200, "contract/flows.md 12: {answer}");
    for body in [json!({"phone": null}), json!({"email": null})] {
        let mut wrong = extra.clone();
        crate::shop::merge(&mut wrong, body);
        refused(shop.post("/api/auth/register", "", &wrong).await, 400, "VALIDATION");
    }
}
