//! From HTTP to a socket, or not.

use serde_json::{Value, json};

use crate::shop::Shop;
use crate::sockets::client::{Client, SOCKET_IO, frame, request};
use crate::support::{Gateway, assert_error, read};

#[tokio::test]
async fn frames_are_byte_exact() {
    let gateway = Gateway::start().await;
    let token = gateway.user("a@example.com").await;
    let offered = "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n";
    let mut client = Client::open(&gateway, SOCKET_IO, offered).await;
    let answer = client.answer.to_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    // The example of RFC 6455 1.3.
    assert!(client.answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{}", client.answer);
    assert!(!answer.contains("extensions") && !answer.contains("content-length"), "{answer}");
    let open = client.text().await;
    let (sid, rest) = open.strip_prefix("0{\"sid\":\"").expect("open").split_at(20);
    let expected =
        "\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":60000,\"maxPayload\":1000000}";
    assert_eq!(rest, expected);
    client.say(&format!("40{{\"token\":\"{token}\"}}")).await;
    let connected = client.text().await;
    let (id, rest) = connected.strip_prefix("40{\"sid\":\"").expect("connected").split_at(20);
    assert_eq!(rest, "\"}");
    assert!(sid != id && sid.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[tokio::test]
async fn what_comes_with_the_handshake_is_not_lost() {
    let gateway = Gateway::start().await;
    let stream = tokio::net::TcpStream::connect(gateway.address()).await.expect("connect");
    let mut client = Client { stream, answer: String::new() };
    let mut bytes = request(SOCKET_IO, "").into_bytes();
    bytes.extend(frame(0x81, b"40"));
    bytes.extend(frame(0x89, b"first"));
    client.write(&bytes).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut client.stream, &mut byte).await.expect("head");
        head.push(byte[0]);
    }
    assert!(client.text().await.starts_with("0{"));
    assert_eq!(client.text().await, "44{\"message\":\"Authentication required\"}");
    assert_eq!(client.frame().await, Some((0x8a, b"first".to_vec())));
}

#[tokio::test]
async fn other_transports_get_their_error() {
    let gateway = Gateway::start().await;
    let own = "https://tiketi.example";
    let other =
        Gateway::with(|config| config.frontend_url = own.parse().expect("a header's value")).await;
    let refusal = |code: u8, message: &str| json!({"code": code, "message": message});
    for (gateway, origin) in [(&gateway, "http://localhost:3000"), (&other, own)] {
        for (method, query, expected) in [
            ("GET", "", refusal(0, "Transport unknown")),
            ("GET", "?EIO=4&transport=polling", refusal(0, "Transport unknown")),
            ("POST", "?EIO=4&transport=polling&sid=abc", refusal(0, "Transport unknown")),
            ("GET", "?EIO=4&transport=websocket&sid=abc", refusal(1, "Session ID unknown")),
            ("POST", "?EIO=4&transport=websocket", refusal(2, "Bad handshake method")),
            ("GET", "?EIO=4&transport=websocket", refusal(3, "Bad request")),
            ("GET", "?EIO=3&transport=websocket", refusal(5, "Unsupported protocol version")),
            ("GET", "?transport=websocket", refusal(5, "Unsupported protocol version")),
        ] {
            let path = format!("/socket.io/{query}");
            let response = gateway.request(method, &path).send().await.expect("answer");
            let header = |name: &str| {
                let value = response.headers().get(name).expect(name);
                value.to_str().expect("text").to_owned()
            };
            assert_eq!(header("access-control-allow-origin"), origin);
            assert_eq!(header("access-control-allow-credentials"), "true");
            let (status, body) = read(response).await;
            assert_eq!((status.as_u16(), body), (400, expected), "{method} {query}");
        }
        let preflight = gateway.request("OPTIONS", "/socket.io/?EIO=4").send().await;
        let preflight = preflight.expect("answer");
        assert_eq!(preflight.status(), 204);
        assert_eq!(preflight.headers()["access-control-allow-origin"], origin);
        // Everywhere else any origin may call.
        let response = gateway.get("/api/events").await;
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
    }
}

#[tokio::test]
async fn handshakes_that_are_none() {
    let gateway = Gateway::start().await;
    let good = request(SOCKET_IO, "connection: close\r\n");
    for (from, to) in [
        ("sec-websocket-version: 13", "sec-websocket-version: 8"),
        ("sec-websocket-version: 13\r\n", ""),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-key: short"),
        ("upgrade: websocket", "upgrade: h2c"),
        ("connection: Upgrade\r\n", ""),
    ] {
        let answer = gateway.exchange(good.replace(from, to)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{to}: {answer}");
        assert!(answer.contains("{\"code\":3,\"message\":\"Bad request\"}"), "{answer}");
    }
}

#[tokio::test]
async fn maps_of_events_that_exist() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let unknown = "00000000-0000-0000-0000-000000000000";
    for (query, status, code) in [
        ("".to_owned(), 400, "BAD_ID"),
        ("?event=7".to_owned(), 400, "BAD_ID"),
        (format!("?event={unknown}"), 404, "NOT_FOUND"),
        (format!("?event={}", shop.theatre.as_str().expect("id")), 404, "NOT_FOUND"),
        (format!("?event={event}"), 400, "VALIDATION"),
    ] {
        let (status_found, body) = read(shop.gateway.get(&format!("/ws{query}")).await).await;
        assert_eq!(status_found, status, "{query}");
        assert_error(&body, code);
    }
    let path = format!("/ws?event={event}");
    let asked = "sec-websocket-protocol: chat, tiketi.v1.bin, tiketi.v1.json\r\n";
    let client = Client::open(&shop.gateway, &path, asked).await;
    assert!(client.answer.contains("sec-websocket-protocol: tiketi.v1.bin\r\n"));
    let request = request(&path, "connection: close\r\nsec-websocket-protocol: chat\r\n");
    let answer = shop.gateway.exchange(request).await;
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    assert_error(&serde_json::from_str::<Value>(body).expect("JSON"), "VALIDATION");
}
