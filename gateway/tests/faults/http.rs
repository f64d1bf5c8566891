//! A small blocking HTTP client that tells "no answer" from "never sent".

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything the server may take; reaching it is a failure by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The record's position, of `Tiketi-Lsn`.
    pub(crate) lsn: Option<u64>,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody listens, so nothing was asked.
    NotSent,
    /// The connection ended before the first byte of an answer: it may or may not have been done.
    Unknown,
    /// The connection ended in the middle of an answer.
    Partial,
    /// The server keeps the connection and says nothing.
    Stuck,
}

/// One keep-alive connection, made when it is needed.
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Option<Value>,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>, token: &str) -> Ask {
        Ask { method: "GET", path: path.into(), token: token.to_owned(), ..Ask::default() }
    }

    pub(crate) fn post(path: impl Into<String>, token: &str, body: Value) -> Ask {
        let path = path.into();
        Ask { method: "POST", path, token: token.to_owned(), body: Some(body), key: None }
    }

    pub(crate) fn key(mut self, key: &str) -> Ask {
        self.key = Some(key.to_owned());
        self
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Client { address, connection: None }
    }

    /// Asks once; never repeats by itself.
    pub(crate) fn send(&mut self, ask: &Ask) -> Result<Answer, Silence> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(self.address).ok_or(Silence::NotSent)?),
        };
        let answer = exchange(connection, ask);
        if !matches!(answer, Ok((_, true))) {
            self.connection = None;
        }
        answer.map(|(answer, _)| answer)
    }

    /// Sends half of what is asked, which nobody can have understood.
    pub(crate) fn send_half(&mut self, ask: &Ask) {
        if let Some(mut connection) = connect(self.address) {
            let request = written(ask);
            // A server that is gone has not heard it either.
            let _ = connection.get_mut().write_all(&request.as_bytes()[..request.len() / 2]);
            self.connection = Some(connection);
        }
    }

    /// Asks and demands an answer.
    pub(crate) fn must(&mut self, ask: &Ask) -> Result<Answer, String> {
        let answer = self.send(ask);
        answer.map_err(|silence| format!("{} {}: no answer ({silence:?})", ask.method, ask.path))
    }

    /// Asks and demands an answer with this status.
    pub(crate) fn expect(&mut self, status: u16, ask: &Ask) -> Result<Value, String> {
        let answer = self.must(ask)?;
        match answer.status == status {
            true => Ok(answer.body),
            false => Err(format!(
                "{} {}: {} {} instead of {status}",
                ask.method, ask.path, answer.status, answer.body
            )),
        }
    }
}

fn connect(address: SocketAddr) -> Option<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(BufReader::new(stream))
}

/// As it is sent.
fn written(ask: &Ask) -> String {
    let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
    let mut request = format!("{} {} HTTP/1.1\r\nhost: localhost\r\n", ask.method, ask.path);
    if !ask.token.is_empty() {
        request += &format!("authorization: Bearer {}\r\n", ask.token);
    }
    if let Some(key) = &ask.key {
        request += &format!("idempotency-key: {key}\r\n");
    }
    if ask.body.is_some() {
        request += "content-type: application/json\r\n";
    }
    request += &format!("content-length: {}\r\n\r\n{body}", body.len());
    request
}

/// The answer, and whether the connection goes on.
fn exchange(connection: &mut BufReader<TcpStream>, ask: &Ask) -> Result<(Answer, bool), Silence> {
    let request = written(ask);
    connection.get_mut().write_all(request.as_bytes()).map_err(|_| Silence::Unknown)?;
    let first = line(connection).map_err(|silence| match silence {
        (false, Silence::Partial) => Silence::Unknown,
        (_, silence) => silence,
    })?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status: u16 = status.ok_or(Silence::Partial)?;
    let (mut length, mut lsn, mut keeps) = (0, None, true);
    loop {
        let header = line(connection).map_err(|(_, silence)| silence)?;
        if header.is_empty() {
            break;
        }
        let Some((name, value)) = header.split_once(':') else { return Err(Silence::Partial) };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(|_| Silence::Partial)?,
            "tiketi-lsn" => lsn = value.split_once('-').and_then(|(_, lsn)| lsn.parse().ok()),
            "connection" => keeps = !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut bytes = vec![0; length];
    connection.read_exact(&mut bytes).map_err(|error| silence(&error))?;
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Ok((Answer { status, body, lsn }, keeps))
}

/// A line, or whether some of it came and why there is no more.
fn line(connection: &mut BufReader<TcpStream>) -> Result<String, (bool, Silence)> {
    let mut line = Vec::new();
    let read = connection.read_until(b'\n', &mut line);
    if let Err(error) = read {
        return Err((!line.is_empty(), silence(&error)));
    }
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None => Err((!line.is_empty(), Silence::Partial)),
    }
}

fn silence(error: &std::io::Error) -> Silence {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => Silence::Stuck,
        _ => Silence::Partial,
    }
}
