//! Who may ask: every route by every kind of token. What a caller may do is the lesser of what the
//! token said at login and what the account may do now, on every route alike, and what belongs to
//! another user is unknown.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::auth::{decode_payload, signed, signed_with};
use crate::everything::{Document, Operation, World};
use crate::shop::Shop;
use crate::support::read;

/// That a route is for everybody is a decision: a new one has to be named here.
const PUBLIC: [&str; 32] = [
    "POST /api/auth/register",
    "POST /api/auth/login",
    "GET /api/events",
    "GET /api/events/suggest",
    "GET /api/events/{id}",
    "GET /api/tickets/event/{eventId}",
    "GET /api/tickets/availability/{ticketTypeId}",
    "GET /api/seats/layouts",
    "GET /api/seats/events/{eventId}",
    "GET /api/payments/methods",
    "POST /api/payments/toss/webhook",
    "POST /api/payments/stripe/webhook",
    "GET /payments/success",
    "GET /payments/fail",
    "GET /payments/pay/{orderId}",
    "POST /payments/pay/{orderId}",
    "GET /api/queue/draw/{eventId}",
    "GET /api/news",
    "GET /api/news/{id}",
    "GET /images/{name}",
    "GET /socket.io",
    "POST /socket.io",
    "GET /ws",
    "GET /health",
    "GET /health/db",
    "GET /health/redis",
    "GET /health/all",
    "GET /livez",
    "GET /readyz",
    "GET /metrics",
    "GET /api-docs",
    "GET /api-docs/openapi.json",
];

/// Routes for users on which nothing of another user's is named: they are the caller's own.
const OWN: [&str; 12] = [
    "POST /api/seats/reserve",
    "POST /api/seats/best",
    "POST /api/reservations",
    "GET /api/reservations/my",
    "GET /api/points/balance",
    "GET /api/points/history",
    "POST /api/points/charge",
    "POST /api/queue/check/{eventId}",
    "GET /api/queue/status/{eventId}",
    "POST /api/queue/leave/{eventId}",
    "GET /api/queue/pass/{eventId}",
    "POST /api/news",
];

/// News is read by everybody, so that another's is no secret (contract/http.md 2.8).
const SHOWN: [&str; 2] = ["PUT /api/news/{id}", "DELETE /api/news/{id}"];

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    Nothing(u16, &'static str),
    /// A user to whom nothing of the world belongs.
    User,
    Admin,
}

/// Every kind of token.
async fn tokens(world: &World) -> Vec<(&'static str, String, Worth)> {
    let shop = &world.shop;
    let with = |token: &str, field: &str, value: Value| {
        let mut claims = decode_payload(token);
        claims[field] = value;
        claims
    };
    let role = async |email: &str, role: &str| {
        let user = shop.ok(&format!("/api/admin/users/{email}"), &shop.admin).await;
        let path = format!("/api/admin/users/{}/role", user["user"]["id"].as_str().expect("id"));
        let body = json!({"role": role});
        let (status, answer) = shop.gateway.call("PUT", &path, &shop.admin, &body).await;
        assert_eq!(status, 200, "{answer}");
    };
    let login = async |email: &str| {
        let body = json!({"email": email, "password": "secret1"});
        let (status, answer) = shop.post("/api/auth/login", "", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().expect("token").to_owned()
    };
    let user = shop.buyer("stranger").await;
    let promoted = shop.buyer("promoted").await;
    role("promoted@example.com", "admin").await;
    shop.buyer("demoted").await;
    role("demoted@example.com", "admin").await;
    let demoted = login("demoted@example.com").await;
    role("demoted@example.com", "user").await;
    let mut suspended = Vec::new();
    for (name, was) in [("out", "user"), ("dismissed", "admin")] {
        let email = format!("{name}@example.com");
        shop.buyer(name).await;
        role(&email, was).await;
        suspended.push(login(&email).await);
        let account = shop.ok(&format!("/api/admin/users/{email}"), &shop.admin).await;
        let id = account["user"]["id"].as_str().expect("id");
        let path = format!("/api/admin/users/{id}/suspend");
        let (status, answer) = shop.post(&path, &shop.admin, &json!({"reason": "매크로"})).await;
        assert_eq!(status, 200, "{answer}");
    }
    let gone = json!("00000000-0000-8300-8000-000000000000");
    let admin = &shop.admin;
    // A token that is none of this server's: see `Code::TokenInvalid`.
    let invalid = Worth::Nothing(403, "TOKEN_INVALID");
    let expired = Worth::Nothing(401, "TOKEN_EXPIRED");
    let shut_out = Worth::Nothing(403, "SUSPENDED");
    vec![
        ("none", String::new(), Worth::Nothing(401, "AUTH_REQUIRED")),
        ("garbage", "garbage".to_owned(), invalid),
        ("changed", format!("{admin}x"), invalid),
        ("of another secret", signed_with(&"z".repeat(32), &decode_payload(admin)), invalid),
        ("of no account's id", signed(&with(admin, "userId", json!("7"))), invalid),
        ("expired", signed(&with(&user, "exp", json!(1))), expired),
        ("an administrator's, expired", signed(&with(admin, "exp", json!(1))), expired),
        (
            "of an account that is gone",
            signed(&with(admin, "userId", gone)),
            Worth::Nothing(401, "USER_NOT_FOUND"),
        ),
        ("of a suspended user", suspended[0].clone(), shut_out),
        ("of a suspended administrator", suspended[1].clone(), shut_out),
        ("a user's", user.clone(), Worth::User),
        ("a user's that claims more", signed(&with(&user, "role", json!("admin"))), Worth::User),
        ("a user's from before he was promoted", promoted, Worth::User),
        ("an administrator's from before he was demoted", demoted, Worth::User),
        (
            "an administrator's of another role",
            signed(&with(&user, "role", json!("x"))),
            Worth::User,
        ),
        ("an administrator's", admin.clone(), Worth::Admin),
    ]
}

impl World {
    async fn ask(
        &self,
        operation: &Operation,
        token: &str,
        body: Option<&Value>,
    ) -> (u16, String, Value) {
        let path = self.path(&operation.template);
        let mut request = self.shop.gateway.request(&operation.method.to_uppercase(), &path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let (status, answer) = read(request.send().await.expect("answer")).await;
        let code = answer["code"].as_str().unwrap_or_default().to_owned();
        (status.as_u16(), code, answer)
    }

    /// A body that names what belongs to the owner wherever it can, and that the owner's own request
    /// might have.
    fn body(&self, document: &Document, operation: &Operation) -> Option<Value> {
        let schema = operation.body.as_ref()?;
        let mut body = document.sample(schema, &self.event);
        let fields = body.as_object_mut().expect("an object");
        for (field, value) in [("reservationId", &self.reservation), ("orderId", &self.order_id)] {
            if fields.contains_key(field) {
                fields.insert(field.to_owned(), json!(value));
            }
        }
        // Three ways to say what goes back; one of them at a time.
        if operation.template.ends_with("/refund") {
            return Some(json!({"all": true}));
        }
        for (field, value) in [("amount", json!("150000")), ("paymentMethod", json!("kakao_pay"))] {
            // An amount of points that is no caller's to buy.
            if fields.contains_key(field) && fields.len() > 1 {
                fields.insert(field.to_owned(), value);
            }
        }
        for field in ["pointUsed", "customerName", "customerEmail"] {
            fields.remove(field);
        }
        Some(body)
    }
}

#[tokio::test]
async fn every_route_by_every_kind_of_token() {
    let world = World::make().await;
    let document = Document::of(&world.shop.gateway).await;
    let operations = document.operations();
    let tokens = tokens(&world).await;
    let unknown = json!({"unknownKey": 1});
    let before = world.shop.position("before").await;
    for operation in operations.iter().filter(|operation| operation.access != "public") {
        let body = match operation.changes() {
            true => world.body(&document, operation),
            false => None,
        };
        let is_own = OWN.contains(&operation.name().as_str());
        for (kind, token, worth) in &tokens {
            let what = format!("{} with a token {kind}", operation.name());
            let is_refused = match (worth, operation.access) {
                (Worth::Nothing(status, code), _) => Some((*status, *code)),
                (Worth::User, "admin") => Some((403, "ADMIN_ONLY")),
                (Worth::User | Worth::Admin, _) => None,
            };
            if let Some((status, code)) = is_refused {
                let (found, told, answer) = world.ask(operation, token, body.as_ref()).await;
                assert_eq!((found, told.as_str()), (status, code), "{what}: {answer}");
                continue;
            }
            // A caller who may ask is told what is wrong with the request.
            if operation.changes() && !operation.is_raw {
                let (found, told, answer) = world.ask(operation, token, Some(&unknown)).await;
                assert_eq!((found, told.as_str()), (400, "VALIDATION"), "{what}: {answer}");
            }
            if *worth == Worth::Admin {
                // What an administrator may, and which changes are made, is other tests' matter.
                if !operation.changes() && operation.access == "admin" {
                    let (found, _, answer) = world.ask(operation, token, None).await;
                    assert_eq!(found, 200, "{what}: {answer}");
                }
                continue;
            }
            // Nothing here is another's.
            if is_own {
                continue;
            }
            let (found, told, answer) = world.ask(operation, token, body.as_ref()).await;
            match SHOWN.contains(&operation.name().as_str()) {
                true => assert_eq!((found, told.as_str()), (403, "FORBIDDEN"), "{what}: {answer}"),
                // 404 of a path, 400 of a body (gateway/PROTOCOL.md, "Choices").
                false => {
                    assert!(matches!(found, 400 | 404), "{what}: {found} {answer}");
                    assert_eq!(told, "NOT_FOUND", "{what}: {answer}");
                }
            }
        }
    }
    assert_eq!(world.shop.position("after").await, before + 1, "something was written");
    let standing = world.shop.standing(&world.owner, &world.reservation).await;
    assert_eq!(standing, ("confirmed".to_owned(), "completed".to_owned()));
    let payment = world.shop.ok(&format!("/api/payments/{}", world.order_id), &world.owner).await;
    assert_eq!((&payment["status"], &payment["trail"]), (&json!("paid"), &Value::Null));
    // An administrator's own token shows what the provider was asked.
    let payment =
        world.shop.ok(&format!("/api/payments/{}", world.order_id), &world.shop.admin).await;
    assert!(payment["trail"].is_array(), "{payment}");
}

#[tokio::test]
async fn what_is_for_everybody_asks_nobody_who_they_are() {
    let world = World::make().await;
    let document = Document::of(&world.shop.gateway).await;
    let operations = document.operations();
    let public: BTreeSet<String> =
        operations.iter().filter(|of| of.access == "public").map(Operation::name).collect();
    assert_eq!(public, PUBLIC.map(str::to_owned).into(), "name the route above, if it is meant");
    let tokens = tokens(&world).await;
    for operation in operations.iter().filter(|operation| operation.access == "public") {
        let body = world.body(&document, operation);
        let (expected, ..) = world.ask(operation, "", body.as_ref()).await;
        assert!(!matches!(expected, 401 | 403), "{}", operation.name());
        for (kind, token, _) in &tokens {
            let (found, _, answer) = world.ask(operation, token, body.as_ref()).await;
            assert_eq!(found, expected, "{} with a token {kind}: {answer}", operation.name());
        }
    }
    // What is below these prefixes is for administrators.
    for operation in &operations {
        let is_admin = ["/api/admin/", "/api/queue/admin/", "/api/image/"]
            .iter()
            .any(|prefix| operation.template.starts_with(prefix));
        assert_eq!(operation.access == "admin", is_admin, "{}", operation.name());
    }
}

/// A list shows the caller's own alone, no matter what the token was once good for.
#[tokio::test]
async fn lists_of_ones_own_show_nothing_of_anothers() {
    let world = World::make().await;
    let document = Document::of(&world.shop.gateway).await;
    let path = format!("/api/reservations/{}", world.reservation);
    let shown = world.shop.ok(&path, &world.owner).await;
    let number = shown["reservation"]["reservation_number"].clone();
    let tokens = tokens(&world).await;
    for operation in document.operations().iter().filter(|operation| operation.access == "user") {
        if operation.changes() || !OWN.contains(&operation.name().as_str()) {
            continue;
        }
        for (kind, token, _) in tokens.iter().filter(|(.., worth)| *worth == Worth::User) {
            let (_, _, answer) = world.ask(operation, token, None).await;
            let told = answer.to_string();
            let is_told = [number.as_str().expect("number"), &world.order_id, "owner@example.com"]
                .iter()
                .any(|secret| told.contains(secret));
            assert!(!is_told, "{} with a token {kind}: {answer}", operation.name());
        }
    }
}

/// The role that counts is the one of the request, not of the connection or the login.
#[tokio::test]
async fn a_new_login_after_a_promotion_is_an_administrators() {
    let shop = Shop::open().await;
    let old = shop.buyer("clerk").await;
    let account = shop.ok("/api/admin/users/clerk@example.com", &shop.admin).await;
    let path = format!("/api/admin/users/{}/role", account["user"]["id"].as_str().expect("id"));
    let set = async |role: &str| {
        let body = json!({"role": role});
        assert_eq!(shop.gateway.call("PUT", &path, &shop.admin, &body).await.0, 200);
    };
    let login = json!({"email": "clerk@example.com", "password": "secret1"});
    set("admin").await;
    let (_, answer) = shop.post("/api/auth/login", "", &login).await;
    let new = answer["token"].as_str().expect("token").to_owned();
    let stats = async |token: &str| shop.get("/api/admin/stats", token).await.0.as_u16();
    assert_eq!((stats(&old).await, stats(&new).await), (403, 200));
    set("user").await;
    assert_eq!((stats(&old).await, stats(&new).await), (403, 403));
}
