//! Frames and messages that are not as they should be: each ends its own socket and nothing else.

use std::time::Duration;

use serde_json::json;

use crate::shop::Shop;
use crate::sockets::client::{BINARY, CLOSE, Client, PING, PONG, TEXT, frame};
use crate::support::Gateway;

#[tokio::test]
async fn each_violation_has_its_code() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let token = shop.buyer("a").await;
    let mut witness = Client::connected(&shop.gateway, &token).await;
    let huge = [&[TEXT, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
    let announced = [&[TEXT, 0xff][..], &1_000_001_u64.to_be_bytes(), &[0; 4]].concat();
    let endless: Vec<u8> = std::iter::once(frame(0x01, &[b'x'; 100_000]))
        .chain((0..20).map(|_| frame(0x00, &[b'x'; 100_000])))
        .flatten()
        .collect();
    let empty: Vec<u8> = std::iter::once(frame(0x01, b""))
        .chain((0..1_000).map(|_| frame(0x00, b"")))
        .flatten()
        .collect();
    let pings: Vec<u8> = (0..1_000).flat_map(|_| frame(PING, b"?")).collect();
    for (name, bytes, code) in [
        ("unmasked", vec![TEXT, 2, b'4', b'0'], 1002),
        ("unmasked ping", vec![PING, 0], 1002),
        ("reserved bit", frame(0xc1, b"40"), 1002),
        ("unknown operation", frame(0x83, b"40"), 1002),
        ("long ping", frame(PING, &[b'x'; 126]), 1002),
        ("ping in pieces", frame(0x09, b"x"), 1002),
        ("nothing to go on with", frame(0x80, b"x"), 1002),
        ("two messages at once", [frame(0x01, b"4"), frame(TEXT, b"0")].concat(), 1002),
        ("close of one byte", frame(CLOSE, b"x"), 1002),
        ("close with a code that is none", frame(CLOSE, &1005_u16.to_be_bytes()), 1002),
        ("no UTF-8", frame(TEXT, b"42[\"\xff\"]"), 1007),
        ("a length beyond anything", huge, 1009),
        ("a length beyond the limit", announced, 1009),
        ("fragments without end", endless, 1009),
        ("empty fragments without end", empty, 1008),
        ("pings without end", pings, 1008),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1002),
        ("binary", frame(BINARY, b"40"), 1002),
        ("garbage", frame(TEXT, b"hello"), 1002),
        ("empty", frame(TEXT, b""), 1002),
        ("a ping of Engine.IO", frame(TEXT, b"2"), 1002),
        ("an unknown packet", frame(TEXT, b"9"), 1002),
        ("an unknown message", frame(TEXT, b"49"), 1002),
        ("a binary event", frame(TEXT, b"451-[\"x\",{\"_placeholder\":true,\"num\":0}]"), 1002),
        ("no JSON", frame(TEXT, b"42[\"join-event\",{]"), 1002),
        ("no list", frame(TEXT, b"42{}"), 1002),
        ("no name", frame(TEXT, b"42[7]"), 1002),
        ("deep", frame(TEXT, format!("42{}", "[".repeat(10_000)).as_bytes()), 1002),
        ("connected twice", frame(TEXT, b"40{\"token\":\"x\"}"), 1002),
        ("long garbage", frame(TEXT, &[b'x'; 100_000]), 1002),
    ] {
        let mut client = Client::connected(&shop.gateway, &token).await;
        client.write(&bytes).await;
        assert_eq!(client.closed().await, code, "{name}");
    }
    // Clients of maps have less to say.
    let mut map = Client::open(&shop.gateway, &format!("/ws?event={event}"), "").await;
    map.text().await;
    map.say("hello").await;
    map.write(&frame(BINARY, &[0; 1024])).await;
    map.expect_nothing().await;
    map.write(&frame(TEXT, &[b'x'; 1025])).await;
    assert_eq!(map.closed().await, 1009);
    witness.expect_nothing().await;
    assert_eq!(shop.gateway.get("/readyz").await.status(), 200);
}

#[tokio::test]
async fn what_is_allowed_is_taken() {
    let gateway = Gateway::start().await;
    let token = gateway.user("a@example.com").await;
    let mut client = Client::socket_io(&gateway).await;
    // In three pieces, a ping between them.
    let connect = format!("40{}", json!({"token": token}));
    let (start, rest) = connect.as_bytes().split_at(10);
    let (middle, end) = rest.split_at(1);
    client.write(&frame(0x01, start)).await;
    client.write(&frame(PING, &[b'x'; 125])).await;
    client.write(&frame(0x00, middle)).await;
    client.write(&frame(0x80, end)).await;
    assert_eq!(client.frame().await, Some((PONG, vec![b'x'; 125])));
    assert!(client.text().await.starts_with("40{\"sid\":"));
    client.write(&frame(PONG, b"unasked")).await;
    // Byte by byte.
    for byte in frame(PING, b"slow") {
        client.write(&[byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(client.frame().await, Some((PONG, b"slow".to_vec())));
    let largest = format!("42[\"x\",\"{}\"]", "x".repeat(1_000_000 - 10));
    assert_eq!(largest.len(), 1_000_000);
    client.say(&largest).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_peer_that_vanishes_leaves_nothing() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let token = shop.buyer("a").await;
    for cut in [1, 3, 7] {
        let mut client = Client::connected(&shop.gateway, &token).await;
        client.emit("join-event", json!({"eventId": event})).await;
        client.expect("room-info").await;
        client.write(&frame(TEXT, b"42[\"x\"]")[..cut]).await;
    }
    let connected = "tiketi_sockets_connected{dialect=\"socket.io\"} 0";
    loop {
        let text = shop.gateway.get("/metrics").await.text().await.expect("text");
        if text.lines().any(|line| line == connected) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut client = Client::connected(&shop.gateway, &token).await;
    client.emit("join-event", json!({"eventId": event})).await;
    assert_eq!(client.expect("room-info").await["userCount"], 1);
}
