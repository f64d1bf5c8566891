//! Live sockets: ten thousand at a seat map, nineteen thousand idle ones, and people who come and go.
//!
//! The client speaks the Socket.IO dialect over bare TCP, in this process: it shares the two
//! processors with the gateway.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde_json::json;
use tiketi_engine::ids::{EventIndex, ExternalId, SeatIndex};
use tiketi_gateway::api::Id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::Setup;
use crate::bare::Server;
use crate::queue::{Crowd, one_inside};
use crate::recovery::resident_bytes_of;
use crate::table::{Table, count};

const SOCKETS: usize = 10_000;
/// Twenty thousand descriptors are a process's limit on the machine this was made on.
const IDLE_SOCKETS: usize = 19_000;
const EVENT: EventIndex = EventIndex(0);
/// A text frame of the server without a mask; see RFC 6455, section 5.2.
const TEXT: u8 = 0x81;

/// One WebSocket of the Socket.IO dialect.
struct Socket {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Socket {
    /// Connects and says who is there.
    async fn connect(address: SocketAddr, token: &str) -> anyhow::Result<Socket> {
        let mut stream = TcpStream::connect(address).await?;
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
    async fn text(&mut self) -> anyhow::Result<String> {
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
    async fn wait_for(&mut self, name: &str) -> anyhow::Result<String> {
        loop {
            let text = self.text().await?;
            if text.contains(name) {
                return Ok(text);
            }
        }
    }

    async fn emit(&mut self, event: &str) -> anyhow::Result<()> {
        let packet = json!([event, {"eventId": Id::from(EVENT)}]);
        self.send(&format!("42{packet}")).await
    }

    async fn send(&mut self, text: &str) -> anyhow::Result<()> {
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

/// A gateway with a hall of 10,000 seats and so many accounts.
fn gateway(setup: &Setup, people: u32) -> anyhow::Result<(Server, Crowd, tempfile::TempDir)> {
    let data = tempfile::tempdir_in(&setup.dir)?;
    let crowd = Crowd::new(data.path(), people)?;
    let server = one_inside(data.path())?;
    Ok((server, crowd, data))
}

fn on_one_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}

/// Sockets of the first people, each joined to a room.
async fn connect_all(
    server: &Server,
    crowd: &Crowd,
    sockets: usize,
    join: &str,
) -> anyhow::Result<Vec<Socket>> {
    let mut connected = Vec::with_capacity(sockets);
    for person in 0..sockets {
        let mut socket = Socket::connect(server.address, crowd.token(person)?).await?;
        socket.emit(join).await?;
        connected.push(socket);
    }
    Ok(connected)
}

pub(crate) fn seat_changes(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const CHANGES: u32 = 100;
    let (server, crowd, _data) = gateway(setup, SOCKETS as u32)?;
    let delays = on_one_thread(async {
        let sockets = connect_all(&server, &crowd, SOCKETS, "join-seat-selection").await?;
        let sent: Rc<RefCell<HashMap<String, Instant>>> = Rc::default();
        let delays = Rc::new(RefCell::new(Histogram::<u64>::new(3)?));
        let arrived = Rc::new(Cell::new(0_u32));
        for mut socket in sockets {
            let (sent, delays, arrived) = (sent.clone(), delays.clone(), arrived.clone());
            tokio::task::spawn_local(async move {
                while let Ok(text) = socket.wait_for("seat-selected").await {
                    let seat = text.split("\"seatId\":\"").nth(1).and_then(|rest| rest.get(..36));
                    let started = seat.and_then(|seat| sent.borrow().get(seat).copied());
                    if let Some(started) = started {
                        let delay = started.elapsed().as_micros() as u64;
                        let _ = delays.borrow_mut().record(delay);
                        arrived.set(arrived.get() + 1);
                    }
                }
            });
        }
        let mut buyer = TcpStream::connect(server.address).await?;
        for change in 0..CHANGES {
            let seat = Id::from(ExternalId::Seat(EVENT, SeatIndex(change))).to_string();
            sent.borrow_mut().insert(seat.clone(), Instant::now());
            reserve(&mut buyer, crowd.token(0)?, &seat).await?;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let all = CHANGES * SOCKETS as u32;
        let waited = Instant::now();
        while arrived.get() < all {
            anyhow::ensure!(
                waited.elapsed() < Duration::from_secs(30),
                "{} of {all} arrived",
                arrived.get()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(delays.borrow().clone())
    })?;
    let bare = loopback_writes_ms(SOCKETS)?;
    table.row(
        "one seat change → all of 10,000 sockets have it, from sending the hold",
        format!(
            "p50 {:.0} ms, p99 {:.0} ms",
            delays.value_at_quantile(0.5) as f64 / 1e3,
            delays.value_at_quantile(0.99) as f64 / 1e3
        ),
        format!("so many bare writes and reads of the same bytes: {bare:.0} ms"),
        "p99 ≤ 100 ms",
    );
    Ok(())
}

/// One hold over a connection that is kept.
async fn reserve(stream: &mut TcpStream, token: &str, seat: &str) -> anyhow::Result<()> {
    let body = json!({"eventId": Id::from(EVENT), "seatIds": [seat]}).to_string();
    post(stream, "/api/seats/reserve", token, &body).await
}

async fn queue_call(stream: &mut TcpStream, call: &str, token: &str) -> anyhow::Result<()> {
    post(stream, &format!("/api/queue/{call}/{}", Id::from(EVENT)), token, "{}").await
}

/// A call that has to succeed, over a connection that is kept.
async fn post(stream: &mut TcpStream, path: &str, token: &str, body: &str) -> anyhow::Result<()> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        anyhow::ensure!(stream.read_buf(&mut answer).await? > 0, "closed");
    }
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// Writing a message of that size to so many sockets and reading it from them, without anything else.
fn loopback_writes_ms(sockets: usize) -> anyhow::Result<f64> {
    use std::io::{Read, Write};
    // A tenth of the sockets, ten times: descriptors are short, the work is the same.
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut pairs = Vec::new();
    for _ in 0..sockets / 10 {
        let near = std::net::TcpStream::connect(listener.local_addr()?)?;
        pairs.push((near, listener.accept()?.0));
    }
    let mut message = [0x5a; 160];
    let started = Instant::now();
    for _ in 0..10 {
        for (near, _) in &mut pairs {
            near.write_all(&message)?;
        }
        for (_, far) in &mut pairs {
            far.read_exact(&mut message)?;
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

pub(crate) fn admissions(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const ADMISSIONS: usize = 200;
    let (server, crowd, _data) = gateway(setup, SOCKETS as u32)?;
    let delays = on_one_thread(async {
        // One person is inside, the others wait in the order of their numbers.
        let mut http = TcpStream::connect(server.address).await?;
        for person in 0..SOCKETS {
            queue_call(&mut http, "check", crowd.token(person)?).await?;
        }
        let mut sockets = connect_all(&server, &crowd, SOCKETS, "join-queue").await?;
        let mut delays = Histogram::<u64>::new(3)?;
        for person in 0..ADMISSIONS {
            let started = Instant::now();
            queue_call(&mut http, "leave", crowd.token(person)?).await?;
            sockets[person + 1].wait_for("queue-entry-allowed").await?;
            delays.record(started.elapsed().as_micros() as u64)?;
        }
        Ok(delays)
    })?;
    table.row(
        "slot freed → that person's socket has the message, 10,000 sockets connected",
        format!(
            "p50 {:.1} ms, p99 {:.1} ms",
            delays.value_at_quantile(0.5) as f64 / 1e3,
            delays.value_at_quantile(0.99) as f64 / 1e3
        ),
        "with the HTTP call that frees it".to_owned(),
        "p99 ≤ 100 ms",
    );
    Ok(())
}

pub(crate) fn idle(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let (server, crowd, _data) = gateway(setup, IDLE_SOCKETS as u32)?;
    on_one_thread(async {
        let before = resident_bytes_of(server.id())?;
        let sockets = connect_all(&server, &crowd, IDLE_SOCKETS, "join-seat-selection").await?;
        let after = resident_bytes_of(server.id())?;
        let mut open = 0;
        for mut socket in sockets {
            socket.emit("join-event").await?;
            socket.wait_for("room-info").await?;
            open += 1;
        }
        table.row(
            "sockets in one process, joined to a seat map",
            format!(
                "{}, {:.1} KiB resident each",
                count(f64::from(open)),
                (after - before) / 1024.0 / f64::from(open)
            ),
            "20,000 file descriptors are the limit here".to_owned(),
            "19,000, ≤ 12 KiB",
        );
        Ok(())
    })
}

pub(crate) fn churn(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const AT_ONCE: usize = 64;
    const PEOPLE: u32 = 10_000;
    let (server, crowd, _data) = gateway(setup, PEOPLE)?;
    let until = Duration::from_secs(setup.seconds);
    let (visits, seconds) = on_one_thread(async {
        let started = Instant::now();
        let (address, crowd) = (server.address, Rc::new(crowd));
        let next = Rc::new(Cell::new(0_usize));
        let visitors: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (crowd, next) = (Rc::clone(&crowd), Rc::clone(&next));
                tokio::task::spawn_local(async move {
                    let mut visits = 0_u32;
                    while started.elapsed() < until {
                        let person = next.replace(next.get() + 1) % PEOPLE as usize;
                        let mut socket = Socket::connect(address, crowd.token(person)?).await?;
                        socket.emit("join-queue").await?;
                        socket.send("41").await?;
                        visits += 1;
                    }
                    anyhow::Ok(visits)
                })
            })
            .collect();
        let mut visits = 0;
        for visitor in visitors {
            visits += visitor.await??;
        }
        Ok((visits, started.elapsed().as_secs_f64()))
    })?;
    let bare = bare_connects_per_second(setup.seconds.min(3))?;
    table.row(
        "connect + CONNECT + join-queue + disconnect",
        format!("{}/s", count(f64::from(visits) / seconds)),
        format!("bare accept, a byte both ways, close: {}/s", count(bare)),
        "≥ 3,000/s",
    );
    Ok(())
}

fn bare_connects_per_second(seconds: u64) -> anyhow::Result<f64> {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut byte = [0];
            let _ = stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte));
        }
    });
    let (started, mut visits) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut stream = std::net::TcpStream::connect(address).context("connect")?;
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])?;
        visits += 1;
    }
    Ok(f64::from(visits) / started.elapsed().as_secs_f64())
}
