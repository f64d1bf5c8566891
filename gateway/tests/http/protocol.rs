//! Requests that are not as they should be: each gets its 4xx and changes nothing.

use serde_json::Value;

use crate::support::{Gateway, assert_error, read};

/// Status and JSON body of a bare answer.
fn parse(answer: &str) -> (u16, Value) {
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::String(answer.to_owned())))
}

#[tokio::test]
async fn malformed_requests() {
    let gateway = Gateway::start().await;
    let many: String = (0..65).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = "a".repeat(20_000);
    for (request, status, code) in [
        ("NONSENSE\r\n\r\n".to_owned(), 400, "BAD_REQUEST"),
        ("GET /health HTTP/9.9\r\n\r\n".to_owned(), 400, "BAD_REQUEST"),
        ("GET /health HTTP/1.1\r\nbad header\r\n\r\n".to_owned(), 400, "BAD_REQUEST"),
        ("GET /he\u{0}lth HTTP/1.1\r\n\r\n".to_owned(), 400, "BAD_REQUEST"),
        (format!("GET /health HTTP/1.1\r\n{many}\r\n"), 431, "HEADERS_TOO_LARGE"),
        (format!("GET /health HTTP/1.1\r\nx: {long}\r\n\r\n"), 431, "HEADERS_TOO_LARGE"),
        (format!("GET /{long} HTTP/1.1\r\n\r\n"), 431, "HEADERS_TOO_LARGE"),
        (
            "POST /api/auth/login HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_owned(),
            400,
            "BAD_REQUEST",
        ),
        (
            "POST /api/auth/login HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
            400,
            "BAD_REQUEST",
        ),
        (
            "POST /api/auth/login HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
                .to_owned(),
            400,
            "BAD_REQUEST",
        ),
    ] {
        let answer = gateway.exchange(request.clone()).await;
        let (found, body) = parse(&answer);
        let request = &request[..request.len().min(100)];
        assert_eq!(found, status, "{request}\n{answer}");
        assert_error(&body, code);
        assert!(answer.contains("access-control-allow-origin: *"), "{answer}");
    }
    assert_eq!(gateway.get("/health").await.status(), 200);
}

#[tokio::test]
async fn malformed_bodies() {
    let gateway = Gateway::start().await;
    for body in ["{", "[]", "null", "\"text\"", "1", "{\"email\":}", "\u{feff}{}", "{} x"] {
        let request = gateway.request("POST", "/api/auth/login").body(body);
        let (status, answer) = read(request.send().await.expect("answer")).await;
        assert_eq!(status, 400, "{body}");
        assert_error(&answer, "VALIDATION");
    }
    for body in [vec![0xff, 0xfe], b"{\"email\":\"\xff\"}".to_vec(), vec![b'['; 50_000]] {
        let request = gateway.request("POST", "/api/auth/login").body(body);
        let (status, answer) = read(request.send().await.expect("answer")).await;
        assert_eq!(status, 400);
        assert_error(&answer, "VALIDATION");
    }
    // None at all, and no content type, reads as an empty object: fields are missing then.
    for request in [
        gateway.request("POST", "/api/auth/login"),
        gateway.request("POST", "/api/auth/login").header("content-type", "text/plain").body("{}"),
    ] {
        let (status, answer) = read(request.send().await.expect("answer")).await;
        assert_eq!(status, 400);
        assert!(answer["errors"].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn bodies_over_100_kibibytes_are_refused() {
    let gateway = Gateway::start().await;
    let limit = 100 * 1024;
    for (size, status, code) in [
        (limit, 400, "VALIDATION"),
        (limit + 1, 413, "BODY_TOO_LARGE"),
        (900_000, 413, "BODY_TOO_LARGE"),
    ] {
        let spaces = " ".repeat(size);
        let announced = gateway.request("POST", "/api/auth/login").body(spaces.clone());
        let (found, answer) = read(announced.send().await.expect("answer")).await;
        assert_eq!(found, status, "{size}");
        assert_error(&answer, code);

        let chunked = format!(
            "POST /api/auth/login HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
             {size:x}\r\n{spaces}\r\n0\r\n\r\n"
        );
        let (found, answer) = parse(&gateway.exchange(chunked).await);
        assert_eq!(found, status, "{size} in chunks");
        assert_error(&answer, code);
    }
}

#[tokio::test]
async fn a_read_waits_for_the_position_it_asks_for() {
    let short = std::time::Duration::from_millis(50);
    let gateway = Gateway::with(|config| config.request_timeout = short).await;
    for (path, position, status, code) in [
        ("/api/events", "1-1", 200, None),
        ("/api/events", "7-1", 200, None),
        ("/api/events", "1-1000000000", 504, Some("TIMEOUT")),
        ("/api/events", "1000000000", 400, Some("VALIDATION")),
        ("/api/events", "1-x", 400, Some("VALIDATION")),
        // Probes never wait.
        ("/health", "1-1000000000", 200, None),
    ] {
        let request = gateway.request("GET", path).header("tiketi-min-lsn", position);
        let (found, body) = read(request.send().await.expect("answer")).await;
        assert_eq!(found, status, "{path} {position}");
        if let Some(code) = code {
            assert_error(&body, code);
        }
    }
}
