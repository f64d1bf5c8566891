//! The compact dialect: snapshot and deltas add up to the map over HTTP, in JSON and in bytes.

use serde_json::{Value, json};

use crate::shop::{Shop, list, text};
use crate::sockets::client::{BINARY, Client};

const STATUSES: [&str; 3] = ["available", "locked", "reserved"];

/// Codes by seat, of two bits each.
fn unpack(packed: &[u8], seats: usize) -> Vec<u8> {
    (0..seats).map(|seat| packed[seat / 4] >> (2 * (seat % 4)) & 3).collect()
}

fn unbase64(text: &str) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => 0,
    };
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, &digit| bits << 6 | u32::from(value(digit)));
        bytes.extend(&bits.to_be_bytes()[1..]);
    }
    bytes
}

/// A viewer's map.
struct Viewer {
    client: Client,
    states: Vec<u8>,
    lsn: u64,
}

impl Viewer {
    async fn open(shop: &Shop, event: &str, protocol: &str) -> Viewer {
        let headers = match protocol {
            "" => String::new(),
            protocol => format!("sec-websocket-protocol: {protocol}\r\n"),
        };
        let path = format!("/ws?event={event}");
        let client = Client::open(&shop.gateway, &path, &headers).await;
        let mut viewer = Viewer { client, states: Vec::new(), lsn: 0 };
        viewer.next().await;
        viewer
    }

    /// Takes one message.
    async fn next(&mut self) {
        let (first, payload) = self.client.frame().await.expect("a message");
        let number = |at: usize| {
            let bytes: [u8; 4] = payload[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes)
        };
        let lsn = if first == BINARY {
            match number(0) {
                1 => self.states = unpack(&payload[16..], number(4) as usize),
                2 => {
                    assert_eq!(payload.len(), 16 + 4 * number(4) as usize);
                    for at in (16..payload.len()).step_by(4) {
                        self.states[(number(at) >> 2) as usize] = (number(at) & 3) as u8;
                    }
                }
                kind => panic!("kind {kind}"),
            }
            u64::from(number(8)) | u64::from(number(12)) << 32
        } else {
            let message: Value = serde_json::from_slice(&payload).expect("JSON");
            match message["type"].as_str() {
                Some("snapshot") => {
                    let seats = message["seats"].as_u64().expect("a number") as usize;
                    self.states = unpack(&unbase64(&text(&message["states"])), seats);
                }
                Some("delta") => {
                    for change in list(&message["changes"]) {
                        let number = |at: usize| change[at].as_u64().expect("a number");
                        self.states[number(0) as usize] = number(1) as u8;
                    }
                }
                _ => panic!("{message}"),
            }
            message["lsn"].as_u64().expect("a number")
        };
        assert!(lsn >= self.lsn, "positions only rise");
        self.lsn = lsn;
    }

    /// Follows until the map is that of HTTP.
    async fn catch_up(&mut self, shop: &Shop, event: &str) {
        let seats = shop.seats(event).await;
        let code = |seat: &Value| STATUSES.iter().position(|status| seat["status"] == *status);
        let expected: Vec<_> = seats.iter().map(|seat| code(seat).expect("known") as u8).collect();
        while self.states != expected {
            self.next().await;
        }
    }
}

#[tokio::test]
async fn a_snapshot_and_its_deltas_are_the_map() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({"maxSeats": 8})).await;
    let token = shop.buyer("a").await;
    let seats = shop.seats(&event).await;
    let held = shop.hold(&token, &event, &seats[1]).await;
    let paid = shop.hold(&token, &event, &seats[263]).await;
    assert_eq!(shop.pay(&token, &paid).await.0, 200);
    let mut viewers = Vec::new();
    for protocol in ["", "tiketi.v1.json", "tiketi.v1.bin"] {
        let mut viewer = Viewer::open(&shop, &event, protocol).await;
        assert_eq!(viewer.states.len(), 265);
        viewer.catch_up(&shop, &event).await;
        viewers.push(viewer);
    }
    assert_eq!(shop.cancel(&token, &held).await.0, 200);
    let some: Vec<&Value> = seats[10..18].iter().collect();
    assert_eq!(shop.reserve(&token, &event, &some).await.0, 201);
    let blocked = json!({"seats": [seats[100]["id"], seats[264]["id"]]});
    let path = format!("/api/admin/events/{event}/seats/block");
    assert_eq!(shop.post(&path, &shop.admin, &blocked).await.0, 200);
    for viewer in &mut viewers {
        viewer.catch_up(&shop, &event).await;
        assert_eq!(viewer.states[10..18], [1; 8]);
        assert_eq!((viewer.states[1], viewer.states[263], viewer.states[264]), (0, 2, 2));
    }
    // A later one starts where these are.
    let late = Viewer::open(&shop, &event, "tiketi.v1.bin").await;
    assert_eq!(late.states, viewers[0].states);
    assert_eq!(late.lsn, viewers[2].lsn);
}

#[tokio::test]
async fn snapshots_are_byte_exact() {
    let shop = Shop::open().await;
    let sections = json!([{"name": "A", "rows": 1, "seatsPerRow": 5, "price": 1_000}]);
    let event = shop.event(json!({"layout": {"name": "five", "sections": sections}})).await;
    let event = text(&event["id"]);
    let token = shop.buyer("a").await;
    let seats = shop.seats(&event).await;
    shop.hold(&token, &event, &seats[1]).await;
    let paid = shop.hold(&token, &event, &seats[4]).await;
    assert_eq!(shop.pay(&token, &paid).await.0, 200);
    shop.seats(&event).await;
    let path = format!("/ws?event={event}");
    let mut json = Client::open(&shop.gateway, &path, "").await;
    let message = json.text().await;
    let lsn: Value = serde_json::from_str(&message).expect("JSON");
    let lsn = lsn["lsn"].as_u64().expect("a number");
    // 00 00 01 00 and 10: seats from the lowest bits up.
    let expected = format!(
        "{{\"type\":\"snapshot\",\"event\":\"{event}\",\"lsn\":{lsn},\"seats\":5,\"states\":\"BAI=\"}}"
    );
    assert_eq!(message, expected);
    let headers = "sec-websocket-protocol: tiketi.v1.bin\r\n";
    let mut binary = Client::open(&shop.gateway, &path, headers).await;
    let mut expected = vec![1, 0, 0, 0, 5, 0, 0, 0];
    expected.extend(lsn.to_le_bytes());
    expected.extend([4, 2]);
    assert_eq!(binary.frame().await, Some((BINARY, expected)));
}

#[tokio::test]
async fn an_event_without_seats_has_an_empty_map() {
    let shop = Shop::open().await;
    let types = json!([{"name": "A", "price": 1_000, "totalQuantity": 10}]);
    let (event, _) = shop.ticket_event(types).await;
    let viewer = Viewer::open(&shop, &event, "tiketi.v1.bin").await;
    assert!(viewer.states.is_empty());
}
