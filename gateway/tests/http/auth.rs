//! Registration, login and tokens (contract/http.md 1.1, 2.1).

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tiketi_gateway::config::Secret;

use crate::support::{Gateway, assert_error, read};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_registered_user_can_log_in_by_any_spelling_of_the_address() {
    let gateway = Gateway::start().await;
    let body = json!({"email": "First.Last+x@Gmail.com", "password": "secret1", "name": " 구매자 ",
                      "phone": "", "role": "admin"});
    let response =
        gateway.request("POST", "/api/auth/register").json(&body).send().await.expect("sent");
    let lsn =
        response.headers().get("tiketi-lsn").expect("position").to_str().expect("text").to_owned();
    let (status, answer) = read(response).await;
    assert_eq!(status, 201, "{answer}");
    let (epoch, lsn) = lsn.split_once('-').expect("epoch and position");
    assert!(epoch.parse::<u64>().is_ok() && lsn.parse::<u64>().is_ok());
    let user = &answer["user"];
    assert_eq!(user["email"], "firstlast@gmail.com");
    assert_eq!(user["name"], "구매자");
    assert_eq!(user["role"], "user");
    assert_eq!(user["id"], user["userId"]);
    assert_eq!(user["id"].as_str().map(str::len), Some(36));
    assert!(answer["message"].is_string());

    for email in ["firstlast@gmail.com", "F.irstlast@googlemail.com"] {
        let body = json!({"email": email, "password": "secret1"});
        let (status, again) = gateway.post("/api/auth/login", &body).await;
        assert_eq!((status.as_u16(), &again["user"]), (200, user), "{email}");
        assert!(again["token"].as_str().is_some_and(|token| token.split('.').count() == 3));
    }
    let taken = json!({"email": "firstlast@gmail.com", "password": "another", "name": "b"});
    let (status, answer) = gateway.post("/api/auth/register", &taken).await;
    assert_eq!(status, 400);
    assert_error(&answer, "EMAIL_TAKEN");
}

#[tokio::test]
async fn of_two_registrations_at_once_one_wins() {
    let gateway = Gateway::start().await;
    let body = json!({"email": "race@example.com", "password": "secret1", "name": "a"});
    let calls = (0..4).map(|_| gateway.request("POST", "/api/auth/register").json(&body).send());
    let mut statuses = Vec::new();
    for call in calls.map(tokio::spawn).collect::<Vec<_>>() {
        statuses.push(call.await.expect("task").expect("answer").status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400]);
}

#[tokio::test]
async fn broken_fields_are_listed_in_order() {
    let gateway = Gateway::start().await;
    let good = json!({"email": "a@example.com", "password": "secret1", "name": "a"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let long_name = "이".repeat(101);
    for (path, body, broken) in [
        ("register", json!({}), &["email", "password", "name"][..]),
        ("register", with("email", json!("nobody")), &["email"]),
        ("register", with("email", json!(7)), &["email"]),
        ("register", with("email", Value::Null), &["email"]),
        ("register", with("email", json!(format!("{}@example.com", "a".repeat(250)))), &["email"]),
        ("register", with("password", json!("12345")), &["password"]),
        ("register", with("password", json!(["secret1"])), &["password"]),
        ("register", with("name", json!("  ")), &["name"]),
        ("register", with("name", json!(long_name)), &["name"]),
        ("register", with("name", json!("a\u{0}b")), &["name"]),
        ("register", with("phone", json!("0".repeat(21))), &["phone"]),
        ("register", with("phone", json!({})), &["phone"]),
        ("login", json!({}), &["email", "password"]),
        ("login", json!({"email": "a@example.com", "password": ""}), &["password"]),
    ] {
        let (status, answer) = gateway.post(&format!("/api/auth/{path}"), &body).await;
        assert_eq!(status, 400, "{body}");
        assert_error(&answer, "VALIDATION");
        let errors = answer["errors"].as_array().expect("errors");
        let paths: Vec<_> =
            errors.iter().map(|error| error["path"].as_str().expect("path")).collect();
        assert_eq!(paths, broken, "{body}");
        for error in errors {
            assert_eq!(error["type"], "field");
            assert_eq!(error["msg"], "Invalid value");
            assert_eq!(error["location"], "body");
            let field = error["path"].as_str().expect("path");
            assert_eq!(error.get("value"), body.get(field), "{body}");
        }
    }
    let (status, _) = gateway.post("/api/auth/register", &good).await;
    assert_eq!(status, 201, "none of the above was registered");
}

#[tokio::test]
async fn unknown_address_and_wrong_password_read_the_same() {
    let gateway = Gateway::start().await;
    gateway.user("known@example.com").await;
    let mut answers = Vec::new();
    for email in ["known@example.com", "unknown@example.com"] {
        let body = json!({"email": email, "password": "wrong password"});
        let (status, answer) = gateway.post("/api/auth/login", &body).await;
        assert_eq!(status, 401);
        assert_error(&answer, "BAD_CREDENTIALS");
        answers.push(answer);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn the_administrator_is_made_once() {
    let gateway = Gateway::start().await;
    let body = json!({"email": "admin@tiketi.gg", "password": "admin123"});
    let (status, answer) = gateway.post("/api/auth/login", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["user"]["role"], "admin");
    assert_eq!(answer["user"]["name"], "관리자");
}

#[tokio::test]
async fn tokens_of_the_contract() {
    let gateway = Gateway::with(|config| config.jwt_secret = Some(Secret::new(SECRET))).await;
    let token = gateway.user("buyer@example.com").await;
    let payload = decode_payload(&token);
    assert_eq!(payload["email"], "buyer@example.com");
    assert_eq!(payload["role"], "user");
    let (iat, exp) = (payload["iat"].as_u64(), payload["exp"].as_u64());
    assert_eq!(exp, iat.map(|iat| iat + 604_800));
    assert_eq!(payload["userId"].as_str().map(str::len), Some(36));
    assert_eq!(payload.as_object().map(serde_json::Map::len), Some(5));
    let header = jsonwebtoken::decode_header(&token).expect("header");
    assert_eq!(header.alg, Algorithm::HS256);
    // Anybody may send what they like to a public route.
    for token in ["", "nonsense", &signed(&json!({"userId": "x"}))] {
        let health = gateway.request("GET", "/health").header("authorization", token);
        assert_eq!(health.send().await.expect("answer").status(), 200, "{token}");
    }
}

#[tokio::test]
async fn who_gets_in() {
    let gateway = Gateway::with(|config| config.jwt_secret = Some(Secret::new(SECRET))).await;
    let user = gateway.user("buyer@example.com").await;
    let admin = gateway.admin().await;
    let with = |token: &str, field: &str, value: Value| {
        let mut claims = decode_payload(token);
        claims[field] = value;
        signed(&claims)
    };
    let gone = "00000000-0000-8300-8000-000000000000";
    let (mine, stats) = ("/api/reservations/my", "/api/admin/stats");
    for (path, authorization, status, code) in [
        (mine, None, 401, "AUTH_REQUIRED"),
        (mine, Some("Bearer".to_owned()), 401, "AUTH_REQUIRED"),
        (mine, Some("Bearer ".to_owned()), 401, "AUTH_REQUIRED"),
        (mine, Some("Bearer nonsense".to_owned()), 403, "TOKEN_INVALID"),
        (mine, Some(format!("Bearer {user}x")), 403, "TOKEN_INVALID"),
        (mine, Some(format!("Bearer {}", with(&user, "exp", json!(1)))), 401, "TOKEN_EXPIRED"),
        (
            mine,
            Some(format!("Bearer {}", with(&user, "userId", json!(gone)))),
            401,
            "USER_NOT_FOUND",
        ),
        (mine, Some(format!("Bearer {}", with(&user, "userId", json!("7")))), 403, "TOKEN_INVALID"),
        (mine, Some(format!("Bearer {user}")), 200, ""),
        // The scheme's word says nothing.
        (mine, Some(format!("Token {user}")), 200, ""),
        (stats, None, 401, "AUTH_REQUIRED"),
        (stats, Some(format!("Bearer {user}")), 403, "ADMIN_ONLY"),
        // Neither a claimed role nor an administrator's old token is enough by itself.
        (stats, Some(format!("Bearer {}", with(&user, "role", json!("admin")))), 403, "ADMIN_ONLY"),
        (stats, Some(format!("Bearer {}", with(&admin, "role", json!("user")))), 403, "ADMIN_ONLY"),
        (stats, Some(format!("Bearer {admin}")), 200, ""),
    ] {
        // Twice: the second time the token is remembered.
        for _ in 0..2 {
            let mut request = gateway.request("GET", path);
            if let Some(value) = &authorization {
                request = request.header("authorization", value);
            }
            let (found, body) = read(request.send().await.expect("answer")).await;
            assert_eq!(found, status, "{path} {authorization:?} {body}");
            if status != 200 {
                assert_error(&body, code);
            }
        }
    }
}

#[tokio::test]
async fn accounts_and_tokens_outlive_a_restart() {
    let gateway = Gateway::start().await;
    gateway.user("buyer@example.com").await;
    let login = json!({"email": "buyer@example.com", "password": "secret1"});
    let (_, before) = gateway.post("/api/auth/login", &login).await;
    let gateway = gateway.restart().await;
    let (status, after) = gateway.post("/api/auth/login", &login).await;
    assert_eq!((status.as_u16(), &after["user"]), (200, &before["user"]));
    let again = json!({"email": "buyer@example.com", "password": "secret1", "name": "b"});
    let (_, refused) = gateway.post("/api/auth/register", &again).await;
    assert_error(&refused, "EMAIL_TAKEN");
    gateway.admin().await;
}

pub(crate) fn signed(claims: &Value) -> String {
    signed_with(SECRET, claims)
}

pub(crate) fn signed_with(secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("token")
}

pub(crate) fn decode_payload(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).expect("token").claims
}
