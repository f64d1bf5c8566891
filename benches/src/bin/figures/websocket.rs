//! Clients of the Socket.IO dialect over bare TCP, in this process: they share the two processors with
//! the gateway.

use std::net::SocketAddr;

use serde_json::json;
use tiketi_engine::ids::{EventIndex, ExternalId, SeatIndex};
use tiketi_gateway::api::Id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::queue::{Crowd, one_inside};
use tiketi_benches::Setup;
use tiketi_benches::bare::Server;

/// The event that sockets look at: a hall of [`SEATS`] seats.
pub(crate) const EVENT: EventIndex = EventIndex(0);
pub(crate) const SEATS: u32 = 10_000;
/// Twenty thousand descriptors are a process's limit on the machine this was made on.
pub(crate) const SOCKETS_MAX: usize = 19_000;
/// A text frame of the server without a mask; see RFC 6455, section 5.2.
const TEXT: u8 = 0x81;

/// One WebSocket of the Socket.IO dialect.
pub(crate) struct Socket {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Socket {
    /// Connects and says who is there.
    pub(crate) async fn connect(address: SocketAddr, token: &str) -> anyhow::Result<Socket> {
        Socket::connect_on(TcpStream::connect(address).await?, token).await
    }

    pub(crate) async fn connect_on(mut stream: TcpStream, token: &str) -> anyhow::Result<Socket> {
        stream.set_nodelay(true)?;
        let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: bench\r\n\
                       connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Socket { stream, received: Vec::new() };
        let head = loop {
            match socket.received.windows(4).position(|end| end == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => socket.receive().await?,
            }
        };
        anyhow::ensure!(socket.received.starts_with(b"HTTP/1.1 101"), "no upgrade");
        socket.received.drain(..head);
        let token = token.trim_start_matches("Bearer ");
        anyhow::ensure!(socket.text().await?.starts_with('0'), "no open packet");
        socket.send(&format!("40{}", json!({"token": token}))).await?;
        anyhow::ensure!(socket.text().await?.starts_with("40"), "no CONNECT");
        Ok(socket)
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        self.received.reserve(512);
        anyhow::ensure!(self.stream.read_buf(&mut self.received).await? > 0, "closed");
        Ok(())
    }

    /// The next message; the server's pings are answered.
    pub(crate) async fn text(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some((start, end)) = frame(&self.received)? {
                let text = String::from_utf8(self.received[start..end].to_vec())?;
                self.received.drain(..end);
                if self.received.is_empty() {
                    self.received = Vec::new();
                }
                match text.as_str() {
                    "2" => self.send("3").await?,
                    _ => return Ok(text),
                }
            } else {
                self.receive().await?;
            }
        }
    }

    /// Waits for a message of a kind and passes over others.
    pub(crate) async fn wait_for(&mut self, name: &str) -> anyhow::Result<String> {
        loop {
            let text = self.text().await?;
            if text.contains(name) {
                return Ok(text);
            }
        }
    }

    pub(crate) async fn emit(&mut self, event: &str, about: EventIndex) -> anyhow::Result<()> {
        let packet = json!([event, {"eventId": Id::from(about)}]);
        self.send(&format!("42{packet}")).await
    }

    pub(crate) async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        let mut bytes = vec![TEXT];
        match text.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&u16::try_from(length)?.to_be_bytes());
            }
        }
        // A mask of zeros changes nothing and is one.
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(text.as_bytes());
        Ok(self.stream.write_all(&bytes).await?)
    }
}

/// Where the payload of the first whole frame is.
fn frame(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let [kind, length, ..] = *bytes else { return Ok(None) };
    anyhow::ensure!(kind == TEXT, "frame of kind {kind:#x}");
    let (start, length) = match length {
        126 if bytes.len() < 4 => return Ok(None),
        126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        length => (2, usize::from(length)),
    };
    Ok((bytes.len() >= start + length).then_some((start, start + length)))
}

/// The seat that a message is about, and whether it is taken now.
pub(crate) fn seat_change(text: &str) -> Option<(SeatIndex, bool)> {
    let is_taken = text.starts_with("42[\"seat-selected\"");
    if !is_taken && !text.starts_with("42[\"seat-released\"") {
        return None;
    }
    let id = text.split("\"seatId\":\"").nth(1)?.get(..36)?;
    match ExternalId::decode(Id::parse(id)?.0)? {
        ExternalId::Seat(EVENT, seat) => Some((seat, is_taken)),
        _ => None,
    }
}

/// A gateway with a hall of 10,000 seats and so many accounts.
pub(crate) fn gateway(
    setup: &Setup,
    people: u32,
) -> anyhow::Result<(Server, Crowd, tempfile::TempDir)> {
    let data = tempfile::tempdir_in(&setup.dir)?;
    let crowd = Crowd::new(data.path(), people)?;
    let server = one_inside(data.path())?;
    Ok((server, crowd, data))
}

pub(crate) fn on_one_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}

/// Sockets of the first people, each joined to a room.
pub(crate) async fn connect_all(
    server: &Server,
    crowd: &Crowd,
    sockets: usize,
    join: &str,
) -> anyhow::Result<Vec<Socket>> {
    let mut connected = Vec::with_capacity(sockets);
    for person in 0..sockets {
        let mut socket = Socket::connect(server.address, crowd.token(person)?).await?;
        socket.emit(join, EVENT).await?;
        connected.push(socket);
    }
    Ok(connected)
}
