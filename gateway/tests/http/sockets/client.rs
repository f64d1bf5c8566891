//! A WebSocket client of a few lines, so that a test decides about every byte.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Gateway, PATIENCE};

pub(super) const SOCKET_IO: &str = "/socket.io/?EIO=4&transport=websocket";
pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8a;

/// A socket after its handshake.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// The head of the answer.
    pub(super) answer: String,
}

/// A handshake as a browser sends it, with some more headers.
pub(super) fn request(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// A client's frame: its first byte, and the payload masked.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 8, 9, 10];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

impl Client {
    pub(super) async fn open(gateway: &Gateway, path: &str, headers: &str) -> Client {
        let stream = TcpStream::connect(gateway.address()).await.expect("connect");
        Client::open_on(stream, path, headers).await
    }

    pub(super) async fn open_on(stream: TcpStream, path: &str, headers: &str) -> Client {
        let mut client = Client { stream, answer: String::new() };
        client.write(request(path, headers).as_bytes()).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.bytes(1).await.expect("an answer")[0]);
        }
        client.answer = String::from_utf8(head).expect("text");
        client
    }

    /// A Socket.IO client that has read its open packet.
    pub(super) async fn socket_io(gateway: &Gateway) -> Client {
        let mut client = Client::open(gateway, SOCKET_IO, "").await;
        assert!(client.text().await.starts_with("0{"));
        client
    }

    /// One that is connected to the namespace.
    pub(super) async fn connected(gateway: &Gateway, token: &str) -> Client {
        let mut client = Client::socket_io(gateway).await;
        client.say(&format!("40{}", json!({"token": token}))).await;
        let answer = client.text().await;
        assert!(answer.starts_with("40{\"sid\":\""), "{answer}");
        client
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        // The server may have closed already; what it said is what counts.
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("taken in time");
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.write(&frame(TEXT, text.as_bytes())).await;
    }

    pub(super) async fn emit(&mut self, name: &str, payload: Value) {
        self.say(&format!("42{}", json!([name, payload]))).await;
    }

    async fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        let read = timeout(PATIENCE, self.stream.read_exact(&mut bytes)).await;
        read.expect("the server says something in time").ok().map(|_| bytes)
    }

    /// The next frame, first byte and payload; `None` at the end.
    pub(super) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.bytes(2).await?;
        assert_eq!(head[1] & 0x80, 0, "a server masks nothing");
        let length = match head[1] {
            126 => {
                let bytes = self.bytes(2).await?;
                usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
            }
            127 => {
                let bytes = self.bytes(8).await?;
                bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
            }
            length => usize::from(length),
        };
        Some((head[0], self.bytes(length).await?))
    }

    /// The next text.
    pub(super) async fn text(&mut self) -> String {
        let (first, payload) = self.frame().await.expect("a text, not the end");
        assert_eq!(first, TEXT, "{payload:?}");
        String::from_utf8(payload).expect("UTF-8")
    }

    /// The next event, whatever pings come before it.
    pub(super) async fn event(&mut self) -> (String, Value) {
        loop {
            let text = self.text().await;
            if text == "2" {
                self.say("3").await;
                continue;
            }
            let event = text.strip_prefix("42").unwrap_or_else(|| panic!("an event: {text}"));
            let (name, payload) = serde_json::from_str(event).expect("a name and a payload");
            return (name, payload);
        }
    }

    /// The next event, which is this one.
    pub(super) async fn expect(&mut self, name: &str) -> Value {
        let (found, payload) = self.event().await;
        assert_eq!(found, name, "{payload}");
        payload
    }

    /// Nothing comes for as long as it takes to be sure that the server was asked after everything
    /// before.
    pub(super) async fn expect_nothing(&mut self) {
        self.write(&frame(PING, b"anything?")).await;
        let (first, payload) = self.frame().await.expect("still open");
        let text = String::from_utf8_lossy(&payload).into_owned();
        assert_eq!((first, text.as_str()), (PONG, "anything?"));
    }

    /// The code that the server closes with, whatever comes before; then the connection ends.
    pub(super) async fn closed(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some((CLOSE, payload)) => {
                    assert!(self.bytes(1).await.is_none(), "nothing follows a close frame");
                    return payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                }
                Some(_) => {}
                // No close frame at all.
                None => return 1006,
            }
        }
    }
}
