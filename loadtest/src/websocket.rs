//! The client's side of RFC 6455, as far as a watcher needs it: a handshake, text out, messages in.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Broken, Dialer};

/// The RFC's own example: nobody here has to be kept from guessing it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const HEAD_BYTES_MAX: usize = 16 << 10;
/// A snapshot of 200,000 seats takes 50 KB, or 270 KB as text.
const FRAME_BYTES_MAX: u64 = 16 << 20;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// An open socket.
pub(crate) struct WebSocket {
    stream: TcpStream,
    read: Vec<u8>,
    /// Bytes of `read` that were given out.
    given: usize,
}

impl WebSocket {
    /// Opens a socket; all of it has to be done by the deadline.
    ///
    /// # Errors
    /// No connection, or an answer that is no handshake.
    pub(crate) async fn open(
        dialer: &Dialer,
        host: &str,
        path: &str,
        protocol: Option<&str>,
        timeout: Duration,
    ) -> Result<WebSocket, Broken> {
        let deadline = Instant::now() + timeout;
        let opened = async {
            let stream = dialer.dial().await?;
            let mut socket = WebSocket { stream, read: Vec::new(), given: 0 };
            socket.shake_hands(host, path, protocol).await?;
            Ok(socket)
        };
        match tokio::time::timeout_at(deadline.into(), opened).await {
            Ok(socket) => socket,
            Err(_) => Err(Broken::Late),
        }
    }

    async fn shake_hands(
        &mut self,
        host: &str,
        path: &str,
        protocol: Option<&str>,
    ) -> Result<(), Broken> {
        let protocol = protocol
            .map_or(String::new(), |protocol| format!("sec-websocket-protocol: {protocol}\r\n"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n{protocol}\r\n"
        );
        self.write(request.as_bytes()).await?;
        loop {
            self.read_more().await?;
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut answer = httparse::Response::new(&mut headers);
            let parsed = answer.parse(&self.read);
            match parsed.map_err(|_| Broken::Nonsense("not HTTP"))? {
                httparse::Status::Complete(bytes) => {
                    // Too many sockets, too many calls: a refusal, not nonsense.
                    if answer.code != Some(101) {
                        return Err(Broken::Cut);
                    }
                    let accepts = |header: &&mut httparse::Header<'_>| {
                        header.name.eq_ignore_ascii_case("sec-websocket-accept")
                            && header.value == ACCEPT.as_bytes()
                    };
                    if !answer.headers.iter_mut().any(|header| accepts(&header)) {
                        return Err(Broken::Nonsense("101 without the right accept"));
                    }
                    self.given = bytes;
                    return Ok(());
                }
                httparse::Status::Partial if self.read.len() > HEAD_BYTES_MAX => {
                    return Err(Broken::Nonsense("a head without an end"));
                }
                httparse::Status::Partial => {}
            }
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// The connection ended.
    pub(crate) async fn say(&mut self, text: &str) -> Result<(), Broken> {
        self.write_frame(TEXT, text.as_bytes()).await
    }

    /// The next message, fragments as they come; `None` once the server has closed.
    ///
    /// # Errors
    /// The connection ended, or what came is no frame.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn hear(&mut self) -> Result<Option<&[u8]>, Broken> {
        loop {
            while let Some((kind, from, to)) = self.frame()? {
                self.given = to;
                match kind {
                    0 | TEXT | BINARY => return Ok(Some(&self.read[from..to])),
                    PING => {
                        let payload = self.read[from..to].to_vec();
                        self.write_frame(PONG, &payload).await?;
                    }
                    PONG => {}
                    CLOSE => return Ok(None),
                    _ => return Err(Broken::Nonsense("an unknown kind of frame")),
                }
            }
            self.read.drain(..self.given);
            self.given = 0;
            self.read_more().await?;
        }
    }

    /// The kind of the next whole frame and where its payload lies.
    fn frame(&self) -> Result<Option<(u8, usize, usize)>, Broken> {
        let bytes = &self.read[self.given..];
        let [first, second, ..] = *bytes else { return Ok(None) };
        if second & 0x80 != 0 {
            return Err(Broken::Nonsense("a masked frame"));
        }
        let (length, head) = match second {
            126 => match bytes.get(2..4).and_then(|bytes| bytes.try_into().ok()) {
                Some(length) => (u64::from(u16::from_be_bytes(length)), 4),
                None => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|bytes| bytes.try_into().ok()) {
                Some(length) => (u64::from_be_bytes(length), 10),
                None => return Ok(None),
            },
            length => (u64::from(length), 2),
        };
        if length > FRAME_BYTES_MAX {
            return Err(Broken::Nonsense("a frame of more than 16 MiB"));
        }
        let from = self.given + head;
        let to = from + length as usize;
        Ok((to <= self.read.len()).then_some((first & 0x0f, from, to)))
    }

    async fn write_frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), Broken> {
        let mut frame = vec![0x80 | kind];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length => {
                // Nothing that is said here comes near 64 KiB.
                let length = u16::try_from(length).map_err(|_| Broken::Cut)?;
                frame.push(0x80 | 126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
        }
        // A mask of zeros: no proxy has to be protected from what is said here.
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        self.write(&frame).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(bytes).await.map_err(|_| Broken::Cut)
    }

    async fn read_more(&mut self) -> Result<(), Broken> {
        const READ_BYTES_MIN: usize = 2 << 10;
        self.read.reserve(READ_BYTES_MIN);
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) | Err(_) => Err(Broken::Cut),
            Ok(_) => Ok(()),
        }
    }
}
