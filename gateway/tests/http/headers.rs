//! Headers of every answer: security, request ids, what is left of a quota; and the access log.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tiketi_gateway::config::Environment;

use crate::support::{Gateway, read};

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn answers_cannot_be_taken_for_something_else() {
    let gateway = Gateway::start().await;
    for (method, path, status) in [
        ("GET", "/api/events", 200),
        ("GET", "/nothing", 404),
        ("OPTIONS", "/api/events", 204),
        ("GET", "/api/reservations/my", 401),
        ("GET", "/metrics", 200),
        ("GET", "/payments/fail", 200),
        ("GET", "/payments/success", 200),
    ] {
        let response = gateway.request(method, path).send().await.expect("answer");
        assert_eq!(response.status(), status, "{path}");
        let headers = response.headers();
        assert_eq!(header(headers, "x-content-type-options"), "nosniff", "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}");
        let is_page = header(headers, "content-type").starts_with("text/html");
        assert_eq!(is_page, path.starts_with("/payments/"), "{path}");
        let referrer = if is_page { "strict-origin-when-cross-origin" } else { "no-referrer" };
        assert_eq!(header(headers, "referrer-policy"), referrer, "{path}");
        let resources = if is_page { "same-origin" } else { "cross-origin" };
        assert_eq!(header(headers, "cross-origin-resource-policy"), resources, "{path}");
        assert_eq!(header(headers, "x-frame-options"), if is_page { "DENY" } else { "" }, "{path}");
        let policy = header(headers, "content-security-policy");
        assert_eq!(policy.contains("frame-ancestors 'none'"), is_page, "{path}: {policy}");
        // The provider's script runs, and no other.
        assert_eq!(policy.contains("https://js.tosspayments.com"), is_page, "{path}: {policy}");
        assert_eq!(policy.contains("default-src 'none'"), is_page, "{path}: {policy}");
    }
    let broken = gateway.exchange("NONSENSE\r\n\r\n").await;
    assert!(broken.contains("\r\nx-content-type-options: nosniff\r\n"), "{broken}");
}

#[tokio::test]
async fn tls_is_insisted_on_only_where_there_is_some() {
    for (environment, url, expected) in [
        (Environment::Production, "https://tickets.example", "max-age=31536000"),
        (Environment::Production, "http://tickets.example", ""),
        (Environment::Development, "https://tickets.example", ""),
    ] {
        let gateway = Gateway::with(|config| {
            (config.environment, config.public_url) = (environment, Some(url.to_owned()));
        })
        .await;
        let response = gateway.get("/health").await;
        assert_eq!(header(response.headers(), "strict-transport-security"), expected, "{url}");
    }
}

#[tokio::test]
async fn requests_have_a_name_in_every_answer() {
    let gateway = Gateway::start().await;
    for (sent, is_kept) in
        [(Some("trace-1.2_3"), true), (Some("a b"), false), (Some("a@b.kr"), false), (None, false)]
    {
        for (path, status) in [("/health", 200), ("/nothing", 404), ("/api/reservations/my", 401)] {
            let mut request = gateway.request("GET", path);
            if let Some(sent) = sent {
                request = request.header("x-request-id", sent);
            }
            let response = request.send().await.expect("answer");
            assert_eq!(response.status(), status);
            let id = header(response.headers(), "x-request-id");
            assert!(!id.is_empty() && (Some(id) == sent) == is_kept, "{path} {sent:?}: {id}");
        }
    }
    for broken in ["NONSENSE\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n"] {
        let answer = gateway.exchange(broken).await;
        assert!(answer.contains("\r\nx-request-id: "), "{answer}");
    }
}

#[tokio::test]
async fn callers_are_told_what_is_left_of_their_quota() {
    let limits = "login=2,login-address=9,booking=3,user=7,queue=5,browse=6,address=4,image=2";
    let gateway = Gateway::with(|config| config.rate_limit = limits.parse().expect("limits")).await;
    let token = gateway.user("a@b.kr").await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    let queue = format!("/api/queue/check/{nobody}");
    for (method, path, is_user, limit) in [
        ("POST", "/api/seats/reserve", true, "3"),
        ("GET", "/api/reservations/my", true, "7"),
        ("POST", &queue, true, "5"),
        ("GET", "/api/events", true, "6"),
        ("GET", "/api/seats/layouts", false, "4"),
        ("GET", "/images/x", false, "2"),
    ] {
        let mut request = gateway.request(method, path);
        if is_user {
            request = request.bearer_auth(&token);
        }
        let response = request.send().await.expect("answer");
        let headers = response.headers();
        assert_eq!(header(headers, "ratelimit-limit"), limit, "{path}");
        let left: u32 = header(headers, "ratelimit-remaining").parse().expect("a number");
        assert_eq!(left + 1, limit.parse::<u32>().expect("a number"), "{path}");
        let reset: u32 = header(headers, "ratelimit-reset").parse().expect("a number");
        assert!((1..=60).contains(&reset), "{path}: {reset}");
        let exposed = header(headers, "access-control-expose-headers");
        assert!(exposed.contains("RateLimit-Remaining") && exposed.contains("Retry-After"));
    }
    let login = json!({"email": "a@b.kr", "password": "secret1"});
    let login = || gateway.request("POST", "/api/auth/login").json(&login).send();
    // The account's quota is the one that refuses, and the one that is told.
    for left in ["1", "0"] {
        let taken = login().await.expect("answer");
        let headers = taken.headers();
        assert_eq!((taken.status().as_u16(), header(headers, "ratelimit-limit")), (200, "2"));
        assert_eq!(header(headers, "ratelimit-remaining"), left);
    }
    let refused = login().await.expect("answer");
    let headers = refused.headers();
    assert_eq!((refused.status().as_u16(), header(headers, "ratelimit-limit")), (429, "2"));
    assert_eq!(header(headers, "ratelimit-remaining"), "0");
    assert!(!header(headers, "retry-after").is_empty());
    assert!(!gateway.get("/health").await.headers().contains_key("ratelimit-limit"));
    // Behind a proxy that is trusted every visitor has a quota; the word of others is nothing.
    for (proxies, left) in [(Some("127.0.0.0/8"), ["3", "3", "2"]), (None, ["3", "2", "1"])] {
        let gateway = Gateway::with(|config| {
            config.rate_limit = limits.parse().expect("limits");
            config.trusted_proxies =
                proxies.map(|of| of.parse().expect("networks")).unwrap_or_default();
        });
        let gateway = gateway.await;
        for (visitor, left) in ["203.0.113.1", "203.0.113.2", "203.0.113.1"].iter().zip(left) {
            let request = gateway.request("GET", "/api/events").header("x-forwarded-for", *visitor);
            let answer = request.send().await.expect("answer");
            assert_eq!(header(answer.headers(), "ratelimit-remaining"), left, "{visitor}");
        }
    }
    let gateway = Gateway::start().await;
    assert!(!gateway.get("/api/events").await.headers().contains_key("ratelimit-limit"));
}

/// The built binary with an access log, some requests to it, and the lines it wrote.
async fn lines(args: &[&str], requests: &[(&str, &str, &str)]) -> Vec<String> {
    let data = tempfile::tempdir().expect("directory");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tiketi-gateway"))
        .env_clear()
        .arg("--data")
        .arg(data.path())
        .args(["--listen", "127.0.0.1:0", "--log", "off", "--no-sample-data"])
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    let mut out = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut line = || out.next().and_then(Result::ok);
    let greeting = line().expect("a greeting");
    let base = greeting.rsplit(' ').next().expect("an address").to_owned();
    let client = reqwest::Client::builder().no_proxy().build().expect("client");
    for (method, path, body) in requests {
        let method = method.parse().expect("method");
        let request = client.request(method, format!("{base}{path}")).body((*body).to_owned());
        let request = request.header("x-request-id", "test-1").bearer_auth("secret-token");
        read(request.send().await.expect("answer")).await;
    }
    let id = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("id");
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("signal");
    let written: Vec<String> = std::iter::from_fn(line).collect();
    assert!(child.wait().expect("end").success());
    let is_greeting = |line: &String| line.starts_with("  ");
    written.into_iter().skip_while(is_greeting).collect()
}

#[tokio::test]
async fn the_access_log_has_a_line_for_each_answer_and_no_secret() {
    let login = r#"{"email":"someone@example.com","password":"hunter2"}"#;
    let requests = [
        ("GET", "/api/events?q=query-secret&limit=3", ""),
        ("POST", "/api/auth/login", login),
        ("GET", "/api/admin/users/someone@example.com", ""),
        ("GET", "/nothing/here", ""),
    ];
    let all = lines(&["--access-log", "all", "--log-format", "json"], &requests).await;
    let parsed: Vec<Value> =
        all.iter().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    let seen: Vec<String> = parsed
        .iter()
        .map(|line| {
            format!("{} {} {} {}", line["method"], line["route"], line["path"], line["status"])
        })
        .collect();
    assert_eq!(
        seen,
        [
            r#""GET" "/api/events" "/api/events" 200"#,
            r#""POST" "/api/auth/login" "/api/auth/login" 401"#,
            r#""GET" "/api/admin/users/:idOrEmail" "/api/admin/users/*" 403"#,
            r#""GET" "-" "/nothing/here" 404"#,
        ]
    );
    for line in &parsed {
        crate::shop::shape(
            line,
            "timestamp:time method:text route:text path:text status:int duration_us:int bytes:int \
             user:uuid? request_id:text address:text",
        );
        assert_eq!(
            (&line["request_id"], &line["address"]),
            (&json!("test-1"), &json!("127.0.0.1"))
        );
        assert!(line["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    }
    let text = all.join("\n");
    for secret in ["query-secret", "hunter2", "someone", "secret-token"] {
        assert!(!text.contains(secret), "{text}");
    }
    let errors = lines(&["--access-log", "errors"], &requests).await;
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].contains("POST /api/auth/login /api/auth/login 401 "), "{errors:?}");
    let none = lines(&[], &requests).await;
    assert!(none.is_empty(), "{none:?}");
}
