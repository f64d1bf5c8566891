//! The cases of Autobahn's test suite, by its numbers, replayed byte by byte; each also one byte a write.
//!
//! The suite expects echoes. Here an answered ping says that everything before it was taken, and in the
//! Socket.IO dialect, where a message that was misread ends the socket, an answered join says so too.
//! Left out: 12 and 13, as compression is declined, and 9.7 and 9.8 (1,000 messages at once: more than
//! the frames between two pings). `gateway/tests/autobahn/run.py` runs the suite itself.

mod close;
mod framing;
mod utf8;

use serde_json::json;

use crate::shop::Shop;
use crate::sockets::client::{CLOSE, Client, PING, PONG, frame};

/// Number, a client's bytes, the payloads of the pongs that they get, and the close code that ends it;
/// 1005 is a close frame without one, `None` a socket that goes on.
type Case<'c> = (&'c str, Vec<u8>, &'c [&'c [u8]], Option<u16>);

/// Longer ones are not sent one byte a write.
const OCTET_WISE_MAX: usize = 400;

/// A gateway with one event.
struct Peer {
    shop: Shop,
    event: String,
    token: String,
}

impl Peer {
    async fn start() -> Peer {
        let shop = Shop::open().await;
        let event = shop.seat_event(json!({})).await;
        let token = shop.buyer("a").await;
        Peer { shop, event, token }
    }

    /// Replays cases in the compact dialect: messages of up to 1,024 bytes, whatever is in them.
    async fn check_map<const N: usize>(&self, cases: [Case<'_>; N]) {
        for case in cases {
            for chop in chops(&case) {
                let path = format!("/ws?event={}", self.event);
                let mut client = Client::open(&self.shop.gateway, &path, "").await;
                assert!(client.text().await.contains("snapshot"));
                replay(&mut client, &case, chop).await;
            }
        }
    }

    /// Replays cases in the Socket.IO dialect: messages of up to 1,000,000 bytes, which are packets.
    async fn check_socket_io<const N: usize>(&self, cases: [Case<'_>; N]) {
        for case in cases {
            for chop in chops(&case) {
                let mut client = Client::connected(&self.shop.gateway, &self.token).await;
                replay(&mut client, &case, chop).await;
                if case.3.is_none() {
                    client.emit("join-event", json!({"eventId": self.event})).await;
                    assert_eq!(client.expect("room-info").await["eventId"], self.event.as_str());
                }
            }
        }
    }
}

fn chops((_, bytes, ..): &Case<'_>) -> Vec<usize> {
    match bytes.len() {
        0..=OCTET_WISE_MAX => vec![bytes.len(), 1],
        _ => vec![bytes.len(), 997],
    }
}

async fn replay(client: &mut Client, (number, bytes, pongs, end): &Case<'_>, chop: usize) {
    client.stream.set_nodelay(true).expect("an option");
    for piece in bytes.chunks(chop) {
        client.write(piece).await;
    }
    for pong in *pongs {
        assert_eq!(client.frame().await, Some((PONG, pong.to_vec())), "{number} by {chop}");
    }
    let Some(code) = end else {
        client.write(&frame(PING, b"taken?")).await;
        let pong = (PONG, b"taken?".to_vec());
        return assert_eq!(client.frame().await, Some(pong), "{number} by {chop}");
    };
    let payload = match code {
        1005 => Vec::new(),
        code => code.to_be_bytes().to_vec(),
    };
    assert_eq!(client.frame().await, Some((CLOSE, payload)), "{number} by {chop}");
    assert_eq!(client.frame().await, None, "{number} by {chop}");
}

/// A message in pieces: the first byte of a whole one tells what it is.
fn fragments(first: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let last = pieces.len() - 1;
    let head =
        |at: usize| (if at == 0 { first & 0x0f } else { 0 }) | (if at == last { 0x80 } else { 0 });
    pieces.iter().enumerate().flat_map(|(at, piece)| frame(head(at), piece)).collect()
}
