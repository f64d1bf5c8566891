//! Who makes what the sockets are told: calls that have to succeed, over a connection that is kept.

use std::net::SocketAddr;

use anyhow::Context;
use serde_json::{Value, json};
use tiketi_engine::ids::{EventIndex, ExternalId, SeatIndex};
use tiketi_gateway::api::Id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection of its own.
pub(crate) struct Buyer {
    stream: TcpStream,
}

impl Buyer {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Buyer> {
        Ok(Buyer { stream: TcpStream::connect(address).await? })
    }

    /// Holds seats; the reservation's id.
    pub(crate) async fn hold(
        &mut self,
        token: &str,
        event: EventIndex,
        seats: impl Iterator<Item = u32>,
    ) -> anyhow::Result<String> {
        let id = |seat| Id::from(ExternalId::Seat(event, SeatIndex(seat)));
        let body =
            json!({"eventId": Id::from(event), "seatIds": seats.map(id).collect::<Vec<_>>()});
        let answer = self.post("/api/seats/reserve", token, &body).await?;
        let id = answer["reservation"]["id"].as_str().context("no reservation")?;
        Ok(id.to_owned())
    }

    pub(crate) async fn give_back(&mut self, token: &str, reservation: &str) -> anyhow::Result<()> {
        let path = format!("/api/reservations/{reservation}/cancel");
        self.post(&path, token, &json!({})).await.map(drop)
    }

    pub(crate) async fn queue(
        &mut self,
        call: &str,
        event: EventIndex,
        token: &str,
    ) -> anyhow::Result<()> {
        let path = format!("/api/queue/{call}/{}", Id::from(event));
        self.post(&path, token, &json!({})).await.map(drop)
    }

    /// Calls and waits for the answer, which has to be a good one.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        token: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        self.send(path, token, body).await?;
        self.answer(path).await
    }

    pub(crate) async fn get(&mut self, path: &str, token: &str) -> anyhow::Result<Value> {
        self.write("GET", path, token, "").await?;
        self.answer(path).await
    }

    /// Calls and waits for nothing.
    pub(crate) async fn send(
        &mut self,
        path: &str,
        token: &str,
        body: &Value,
    ) -> anyhow::Result<()> {
        self.write("POST", path, token, &body.to_string()).await
    }

    async fn write(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> anyhow::Result<()> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(self.stream.write_all(request.as_bytes()).await?)
    }

    async fn answer(&mut self, path: &str) -> anyhow::Result<Value> {
        let mut answer = Vec::new();
        loop {
            anyhow::ensure!(self.stream.read_buf(&mut answer).await? > 0, "closed");
            // A character may be cut in two so far.
            let Ok(text) = std::str::from_utf8(&answer) else { continue };
            let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
            // Whole once it can be read: nothing follows an answer that was not asked for.
            if let Some(Ok(body)) = body.map(serde_json::from_str) {
                anyhow::ensure!(text.starts_with("HTTP/1.1 20"), "{path}: {text}");
                return Ok(body);
            }
        }
    }
}

/// The body of an answer to a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    Ok(body.to_owned())
}

/// One of the gateway's numbers.
pub(crate) async fn metric(address: SocketAddr, name: &str) -> anyhow::Result<f64> {
    let metrics = get(address, "/metrics").await?;
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)).context("no such metric")?;
    Ok(value.trim().parse()?)
}
