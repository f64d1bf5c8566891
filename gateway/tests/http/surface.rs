//! What every answer has in common: routes, CORS, compression, probes, metrics.

use serde_json::json;

use crate::support::{Gateway, assert_error, read};

#[tokio::test]
async fn routes_that_do_not_exist_and_methods_they_do_not_have() {
    let gateway = Gateway::start().await;
    for (method, path, status, code, allow) in [
        ("GET", "/", 404, "NOT_FOUND", None),
        ("GET", "/api", 404, "NOT_FOUND", None),
        ("GET", "/api/nothing", 404, "NOT_FOUND", None),
        ("POST", "/api/auth/login/x", 404, "NOT_FOUND", None),
        ("GET", "/api//auth/login", 404, "NOT_FOUND", None),
        ("GET", "/api/auth/login", 405, "METHOD_NOT_ALLOWED", Some("POST")),
        ("DELETE", "/health", 405, "METHOD_NOT_ALLOWED", Some("GET, HEAD")),
        ("BREW", "/health", 405, "METHOD_NOT_ALLOWED", Some("GET, HEAD")),
    ] {
        let response = gateway.request(method, path).send().await.expect("answer");
        let found =
            response.headers().get("allow").map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(found.as_deref(), allow, "{method} {path}");
        assert!(response.headers().contains_key("x-request-id"));
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
        let (found, body) = read(response).await;
        assert_eq!(found, status, "{method} {path}");
        assert_error(&body, code);
    }
}

#[tokio::test]
async fn spellings_of_a_path() {
    let gateway = Gateway::start().await;
    for path in ["/health", "/health/", "/HEALTH", "/Health/?x=1"] {
        assert_eq!(gateway.get(path).await.status(), 200, "{path}");
    }
    for path in ["/api/api/auth/login", "/API/Auth/Login/"] {
        let (status, body) = gateway.post(path, &json!({})).await;
        assert_eq!(status, 400, "{path}");
        assert_error(&body, "VALIDATION");
    }
    let head = gateway.request("HEAD", "/health").send().await.expect("answer");
    assert_eq!(head.status(), 200);
    assert!(
        head.headers()["content-length"].to_str().expect("text").parse::<u64>().expect("number")
            > 0
    );
    assert!(head.bytes().await.expect("body").is_empty());
}

#[tokio::test]
async fn preflight_and_cross_origin_answers() {
    let gateway = Gateway::start().await;
    for path in ["/api/seats/reserve", "/nothing"] {
        let response = gateway
            .request("OPTIONS", path)
            .header("origin", "https://tiketi.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, content-type, x-own")
            .send()
            .await
            .expect("answer");
        assert_eq!(response.status(), 204);
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["access-control-allow-methods"], "GET,HEAD,PUT,PATCH,POST,DELETE");
        assert_eq!(headers["access-control-allow-headers"], "authorization, content-type, x-own");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
    let response = gateway.request("OPTIONS", "/").send().await.expect("answer");
    let allowed = response.headers()["access-control-allow-headers"].to_str().expect("text");
    assert!(allowed.contains("idempotency-key") && allowed.contains("tiketi-min-lsn"), "{allowed}");
    let response = gateway.get("/health").await;
    let exposed = response.headers()["access-control-expose-headers"].to_str().expect("text");
    assert!(exposed.contains("Tiketi-Lsn") && exposed.contains("ETag"), "{exposed}");
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn large_answers_are_compressed_as_the_caller_likes() {
    let gateway = Gateway::start().await;
    for (accept, expected) in [
        ("identity", None),
        ("gzip", Some("gzip")),
        ("gzip, br", Some("br")),
        ("br;q=0.1, gzip;q=0.9", Some("gzip")),
        ("br;q=0, gzip;q=0", None),
    ] {
        let request = gateway.request("GET", "/metrics").header("accept-encoding", accept);
        let response = request.send().await.expect("answer");
        let encoding = response.headers().get("content-encoding").cloned();
        assert_eq!(encoding.as_ref().map(|value| value.as_bytes()), expected.map(str::as_bytes));
        assert_eq!(response.headers()["vary"], "Accept-Encoding");
        let announced = response.headers()["content-length"].to_str().expect("text").to_owned();
        let body = response.bytes().await.expect("body");
        assert_eq!(announced, body.len().to_string());
        match expected {
            Some("gzip") => assert!(body.starts_with(&[0x1f, 0x8b])),
            Some(_) => assert!(body.len() < 4_000, "{}", body.len()),
            None => assert!(body.starts_with(b"# HELP")),
        }
    }
    let small = gateway.request("GET", "/health").header("accept-encoding", "gzip, br");
    let small = small.send().await.expect("answer");
    assert!(!small.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn probes_have_the_contract_keys() {
    let gateway = Gateway::start().await;
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().expect("object").keys().cloned().collect();
        keys.sort_unstable();
        keys.join(" ")
    };
    let (status, health) = read(gateway.get("/health").await).await;
    assert_eq!(status, 200);
    assert_eq!(keys(&health), "environment status timestamp uptime version");
    assert_eq!((&health["status"], &health["environment"]), (&json!("ok"), &json!("development")));
    assert!(health["uptime"].is_f64());
    let timestamp = health["timestamp"].as_str().expect("text");
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
    for (path, service) in [("/health/db", "database"), ("/health/redis", "redis")] {
        let (status, body) = read(gateway.get(path).await).await;
        assert_eq!(status, 200);
        assert_eq!(keys(&body), "responseTime service status");
        assert_eq!((&body["status"], &body["service"]), (&json!("ok"), &json!(service)));
        assert!(body["responseTime"].as_str().is_some_and(|text| text.ends_with("ms")));
    }
    let (status, all) = read(gateway.get("/health/all").await).await;
    assert_eq!(status, 200);
    assert_eq!(keys(&all), "checks status timestamp");
    assert_eq!(keys(&all["checks"]), "database redis server");
    assert_eq!(keys(&all["checks"]["server"]), "memory status uptime");
    assert_eq!(all["checks"]["server"]["memory"]["unit"], "MB");
    assert_eq!(keys(&all["checks"]["database"]), "responseTime status");
    for path in ["/livez", "/readyz"] {
        assert_eq!(gateway.get(path).await.status(), 200);
    }
}

#[tokio::test]
async fn metrics_name_templates_and_count_attempts() {
    let gateway = Gateway::start().await;
    gateway.get("/nothing/at/all?x=1").await;
    gateway.get("/health").await;
    gateway.post("/api/auth/login/", &json!({})).await;
    let response = gateway.get("/metrics").await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.expect("text");
    for line in [
        "http_requests_total{method=\"GET\",path=\"unmatched\",status=\"404\"} 1",
        "http_requests_total{method=\"POST\",path=\"/api/auth/login\",status=\"400\"} 1",
        "tiketi_auth_attempts_total{status=\"failed\",type=\"login\"} 1",
        "http_requests_active 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    for name in ["process_open_fds", "tiketi_daily_revenue_total", "tiketi_conversion_funnel_rate"]
    {
        assert!(text.contains(name), "{name}");
    }
    assert!(!text.contains("/nothing") && !text.contains("/health"));
}

#[tokio::test]
async fn rate_limits_refuse_with_a_time_to_retry() {
    let limits = "login=2,login-address=4,address=3".parse().expect("limits");
    let gateway = Gateway::with(|config| config.rate_limit = limits).await;
    let login = |email: &str| json!({"email": email, "password": "wrong"});
    // Two for the account; four for the address, whatever the account.
    for (email, status) in
        [("a@b.kr", 401), ("A@b.kr", 401), ("a@b.kr", 429), ("c@b.kr", 401), ("d@b.kr", 429)]
    {
        let response = gateway.request("POST", "/api/auth/login").json(&login(email)).send().await;
        let response = response.expect("answer");
        assert_eq!(response.status(), status, "{email}");
        if status == 429 {
            let wait = response.headers()["retry-after"].to_str().expect("text").parse::<u32>();
            assert!(wait.is_ok_and(|wait| (1..=60).contains(&wait)));
            assert_error(&read(response).await.1, "RATE_LIMITED");
        }
    }
    for status in [404, 404, 404, 429] {
        assert_eq!(gateway.get("/nothing").await.status(), status);
    }
    for _ in 0..10 {
        assert_eq!(gateway.get("/health").await.status(), 200);
    }
}
