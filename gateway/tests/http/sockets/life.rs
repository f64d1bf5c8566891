//! The life cycle of contract/socket.md, row by row.

use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tiketi_gateway::config::Secret;

use crate::shop::{Shop, text};
use crate::sockets::client::{CLOSE, Client, SOCKET_IO, frame};
use crate::support::Gateway;

const NO_TOKEN: &str = "44{\"message\":\"Authentication required\"}";
const BAD_TOKEN: &str = "44{\"message\":\"Invalid authentication token\"}";

#[tokio::test]
async fn tokens() {
    let secret = "0123456789abcdef0123456789abcdef";
    let gateway = Gateway::with(|config| config.jwt_secret = Some(Secret::new(secret))).await;
    let good = gateway.user("a@example.com").await;
    let signed = |secret: &str, user: &str, exp: u64| {
        let claims = json!({"userId": user, "email": "", "role": "user", "iat": 1, "exp": exp});
        let key = EncodingKey::from_secret(secret.as_bytes());
        encode(&Header::new(Algorithm::HS256), &claims, &key).expect("token")
    };
    let stranger = "550e8400-e29b-41d4-a716-446655440000";
    let mut client = Client::socket_io(&gateway).await;
    for (auth, answer) in [
        (String::new(), NO_TOKEN),
        ("{}".to_owned(), NO_TOKEN),
        (json!({"token": ""}).to_string(), NO_TOKEN),
        (json!({"token": null}).to_string(), NO_TOKEN),
        (json!({"token": ["x"]}).to_string(), NO_TOKEN),
        (json!({"token": "x"}).to_string(), BAD_TOKEN),
        (json!({"token": signed("another", stranger, 1 << 40)}).to_string(), BAD_TOKEN),
        (json!({"token": signed(secret, stranger, 1)}).to_string(), BAD_TOKEN),
        (json!({"token": signed(secret, stranger, 1 << 40)}).to_string(), BAD_TOKEN),
        (json!({"token": format!("{good}x")}).to_string(), BAD_TOKEN),
        (json!({"token": "x".repeat(100_000)}).to_string(), BAD_TOKEN),
    ] {
        client.say(&format!("40{auth}")).await;
        let short = &auth[..auth.len().min(60)];
        assert_eq!(client.text().await, answer, "{short}");
    }
    // The words decide what the frontend does: it logs out on this one alone.
    assert!(BAD_TOKEN.contains("authentication") && !NO_TOKEN.contains("authentication"));
    client.say("40/admin,{}").await;
    assert_eq!(client.text().await, "44/admin,{\"message\":\"Invalid namespace\"}");
    client.say(&format!("40{}", json!({"token": good}))).await;
    assert!(client.text().await.starts_with("40{\"sid\":"));
}

#[tokio::test]
async fn rooms_of_an_event() {
    let shop = Shop::open().await;
    let types = json!([
        {"name": "A", "price": 1_000, "totalQuantity": 10},
        {"name": "B", "price": 2_000, "totalQuantity": 5},
    ]);
    let (event, types) = shop.ticket_event(types).await;
    let token = shop.buyer("a").await;
    let mut client = Client::connected(&shop.gateway, &token).await;
    client.say(&format!("42[\"join-event\",{{\"eventId\":\"{event}\"}}]")).await;
    let info = format!("42[\"room-info\",{{\"eventId\":\"{event}\",\"userCount\":1}}]");
    assert_eq!(client.text().await, info);
    // A is the first that was made; HTTP lists the dearest first.
    let of =
        |name: &str| types.iter().find(|kind| kind["name"] == name).expect("there")["id"].clone();
    let (a, b) = (of("A"), of("B"));
    for (id, total) in [(&a, 10), (&b, 5)] {
        let update = client.expect("ticket-updated").await;
        assert_eq!(update["ticketTypeId"], *id);
        assert_eq!(
            (&update["availableQuantity"], &update["totalQuantity"]),
            (&json!(total), &json!(total))
        );
        let at = text(&update["timestamp"]);
        assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
    }
    // With an acknowledgement's id, which is not answered.
    let mut second = Client::connected(&shop.gateway, &token).await;
    second.say(&format!("427[\"join-event\",{{\"eventId\":\"{event}\"}}]")).await;
    assert_eq!(second.expect("room-info").await["userCount"], 2);
    second.expect("ticket-updated").await;
    second.expect("ticket-updated").await;
    // Joining again changes nothing, and nobody else is told who comes and goes.
    second.emit("join-event", json!({"eventId": event})).await;
    second.emit("leave-event", json!({"eventId": event})).await;
    second.expect_nothing().await;
    client.expect_nothing().await;

    // Stock, as absolute numbers; none for who has left.
    let body = json!({"eventId": event, "items": [{"ticketTypeId": b, "quantity": 2}]});
    let (status, answer) = shop.post("/api/reservations", &token, &body).await;
    assert_eq!(status, 201, "{answer}");
    let mut found = Vec::new();
    for _ in 0..2 {
        let update = client.expect("ticket-updated").await;
        found.push((update["ticketTypeId"].clone(), update["availableQuantity"].clone()));
    }
    let expected = vec![(a, json!(10)), (b, json!(3))];
    assert_eq!(found, expected);
    let reservation = text(&answer["reservation"]["id"]);
    assert_eq!(shop.cancel(&token, &reservation).await.0, 200);
    client.expect("ticket-updated").await;
    assert_eq!(client.expect("ticket-updated").await["availableQuantity"], 5);
    second.expect_nothing().await;
}

#[tokio::test]
async fn whatever_means_nothing_is_ignored() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let token = shop.buyer("a").await;
    let mut client = Client::socket_io(&shop.gateway).await;
    // Before CONNECT.
    client.emit("join-event", json!({"eventId": event})).await;
    client.expect_nothing().await;
    client.say(&format!("40{}", json!({"token": token}))).await;
    assert!(client.text().await.starts_with("40{"));
    for payload in [json!(null), json!({}), json!([]), json!("x"), json!(7)] {
        client.emit("join-event", payload).await;
    }
    for id in [json!(null), json!(7), json!(""), json!("x"), json!({}), shop.theatre.clone()] {
        client.emit("join-event", json!({"eventId": id})).await;
        client.emit("join-seat-selection", json!({"eventId": id})).await;
        client.emit("join-queue", json!({"eventId": id})).await;
    }
    // An event that does not exist, though its id could be one.
    let next = event.replacen("00000000", "000000ff", 1);
    client.emit("join-event", json!({"eventId": next})).await;
    client.emit("no-such-event", json!({"eventId": event})).await;
    client.emit("seat-selection-changed", json!({"eventId": event, "seats": []})).await;
    client.emit("x", json!({"long": "x".repeat(900_000)})).await;
    client.say("42[\"join-event\"]").await;
    client.say("430[]").await;
    client.say("42/admin,[\"join-event\"]").await;
    client.expect_nothing().await;
    client.emit("join-queue", json!({"eventId": event})).await;
    client.emit("join-event", json!({"eventId": event})).await;
    client.expect("room-info").await;
}

#[tokio::test]
async fn disconnecting_leaves_the_socket_open() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let token = shop.buyer("a").await;
    let mut client = Client::connected(&shop.gateway, &token).await;
    client.emit("join-event", json!({"eventId": event})).await;
    client.expect("room-info").await;
    client.say("41").await;
    client.emit("join-event", json!({"eventId": event})).await;
    client.expect_nothing().await;
    // And in again, as nobody.
    client.say(&format!("40{}", json!({"token": token}))).await;
    assert!(client.text().await.starts_with("40{"));
    client.emit("join-event", json!({"eventId": event})).await;
    assert_eq!(client.expect("room-info").await["userCount"], 1);
    client.write(&frame(CLOSE, b"\x03\xe8")).await;
    assert_eq!(client.closed().await, 1000);
    let mut client = Client::connected(&shop.gateway, &token).await;
    client.write(&frame(CLOSE, b"")).await;
    assert_eq!(client.closed().await, 1005);
}

#[tokio::test]
async fn heartbeats() {
    let short = Duration::from_millis(100);
    let gateway = Gateway::with(|config| {
        config.socket_times.ping_every = short;
        config.socket_times.pong_within = 3 * short;
        config.socket_times.connect_within = Duration::from_secs(600);
    })
    .await;
    let mut client = Client::open(&gateway, SOCKET_IO, "").await;
    let open = client.text().await;
    assert!(open.contains("\"pingInterval\":100,\"pingTimeout\":300,"), "{open}");
    let started = Instant::now();
    for _ in 0..5 {
        assert_eq!(client.text().await, "2");
        client.say("3").await;
    }
    assert!(started.elapsed() >= 4 * short);
    // Nobody answers any more.
    let started = Instant::now();
    assert_eq!(client.closed().await, 1008);
    assert!(started.elapsed() >= 3 * short);
    // A ping from the client is against the protocol.
    let mut client = Client::socket_io(&gateway).await;
    client.say("2").await;
    assert_eq!(client.closed().await, 1002);
}

#[tokio::test]
async fn a_socket_that_never_connects_is_closed() {
    let gateway = Gateway::with(|config| {
        config.socket_times.connect_within = Duration::from_millis(200);
    })
    .await;
    let token = gateway.user("a@example.com").await;
    let mut connected = Client::connected(&gateway, &token).await;
    let mut silent = Client::socket_io(&gateway).await;
    let mut refused = Client::socket_io(&gateway).await;
    refused.say("40").await;
    assert_eq!(silent.closed().await, 1008);
    assert_eq!(refused.closed().await, 1008);
    connected.expect_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_closes_with_1001_and_no_disconnect_packet() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let token = shop.buyer("a").await;
    let mut connected = Client::connected(&shop.gateway, &token).await;
    let mut opened = Client::socket_io(&shop.gateway).await;
    let mut map = Client::open(&shop.gateway, &format!("/ws?event={event}"), "").await;
    map.text().await;
    let stopping = tokio::spawn(shop.gateway.running.stop());
    for client in [&mut connected, &mut opened, &mut map] {
        assert_eq!(client.frame().await, Some((CLOSE, 1001_u16.to_be_bytes().to_vec())));
        assert_eq!(client.frame().await, None);
    }
    drop((connected, opened, map));
    stopping.await.expect("stopped");
}

#[tokio::test]
async fn a_user_has_so_many_sockets() {
    let gateway = Gateway::with(|config| config.sockets_per_user_max = 2).await;
    let (a, b) = (gateway.user("a@example.com").await, gateway.user("b@example.com").await);
    let first = Client::connected(&gateway, &a).await;
    let _second = Client::connected(&gateway, &a).await;
    let mut third = Client::socket_io(&gateway).await;
    third.say(&format!("40{}", json!({"token": a}))).await;
    // The transport, not the namespace: the client tries again.
    assert_eq!(third.closed().await, 1013);
    let _other = Client::connected(&gateway, &b).await;
    drop(first);
    let deadline = Instant::now() + crate::support::PATIENCE;
    loop {
        let mut again = Client::socket_io(&gateway).await;
        again.say(&format!("40{}", json!({"token": a}))).await;
        if matches!(again.frame().await, Some((0x81, _))) {
            break;
        }
        assert!(Instant::now() < deadline, "a place is given back");
    }
}

#[tokio::test]
async fn connecting_counts_as_a_call_of_the_user() {
    let limits = "queue=2,address=1000".parse().expect("limits");
    let gateway = Gateway::with(|config| config.rate_limit = limits).await;
    let token = gateway.user("a@example.com").await;
    let _first = Client::connected(&gateway, &token).await;
    let _second = Client::connected(&gateway, &token).await;
    let mut third = Client::socket_io(&gateway).await;
    third.say(&format!("40{}", json!({"token": token}))).await;
    assert_eq!(third.closed().await, 1013);
}

#[tokio::test]
async fn sockets_are_counted() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let token = shop.buyer("a").await;
    let mut client = Client::connected(&shop.gateway, &token).await;
    client.emit("join-event", json!({"eventId": event})).await;
    client.expect("room-info").await;
    let text = shop.gateway.get("/metrics").await.text().await.expect("text");
    for line in [
        "tiketi_sockets_connected{dialect=\"socket.io\"} 1",
        "tiketi_socket_connects_total{dialect=\"socket.io\"} 1",
        "tiketi_socket_events_total{event=\"room-info\"} 1",
        "tiketi_socket_resyncs_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
