//! One connection: a request goes out in one write, the answer is read until it is whole.

use std::io::ErrorKind;
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::Broken;
use crate::http::head::{self, Head, Length};

const HEAD_BYTES_MAX: usize = 64 << 10;
/// A seat map of 200,000 seats is some 35 MB.
const BODY_BYTES_MAX: usize = 128 << 20;
/// Larger buffers are given back after use.
const KEPT_BYTES_MAX: usize = 32 << 10;

/// A connection that one request at a time uses.
pub(crate) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    /// Everything read since the request.
    read: Vec<u8>,
    /// Where the body of the answer lies in `read`.
    body: Range<usize>,
    /// No request is under way, and another may follow.
    is_clean: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Connection {
        Connection { stream, out: Vec::new(), read: Vec::new(), body: 0..0, is_clean: true }
    }

    /// Whether it can be used again. Asks the system nothing: what the server did meanwhile has
    /// been reported by then.
    pub(crate) fn is_usable(&self) -> bool {
        let mut byte = [0_u8];
        let read = self.stream.try_read(&mut byte);
        self.is_clean && read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Whether the last answer was read to its end, and another request may follow.
    pub(crate) fn is_clean(&self) -> bool {
        self.is_clean
    }

    /// Gives back what only large answers need.
    pub(crate) fn tidy(&mut self) {
        if self.read.capacity() > KEPT_BYTES_MAX {
            self.read = Vec::new();
            self.body = 0..0;
        }
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.read[self.body.clone()]
    }

    /// Puts a request together.
    pub(crate) fn prepare(&mut self, head: &str, token: &str, body: &str) {
        let out = &mut self.out;
        out.clear();
        out.extend_from_slice(head.as_bytes());
        if !token.is_empty() {
            out.extend_from_slice(b"authorization: Bearer ");
            out.extend_from_slice(token.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if !body.is_empty() {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(body.len().to_string().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body.as_bytes());
    }

    /// Sends what was prepared and reads the answer; returns its status.
    ///
    /// # Errors
    /// The connection ended, or what came is no answer.
    pub(crate) async fn exchange(&mut self) -> Result<u16, Broken> {
        self.is_clean = false;
        self.read.clear();
        self.stream.write_all(&self.out).await.map_err(|_| Broken::Cut)?;
        let head = self.read_head().await?;
        self.body = match head.length {
            Length::Bytes(bytes) => self.read_bytes(head, bytes).await?,
            Length::Chunked => self.read_chunks(head).await?,
            Length::UntilClosed => self.read_all(head).await?,
        };
        self.is_clean = head.is_kept && self.read.len() == self.body.end;
        Ok(head.status)
    }

    async fn read_head(&mut self) -> Result<Head, Broken> {
        loop {
            self.read_more().await?;
            if let Some(head) = head::parse(&self.read)? {
                return Ok(head);
            }
            if self.read.len() > HEAD_BYTES_MAX {
                return Err(Broken::Nonsense("a head without an end"));
            }
        }
    }

    async fn read_bytes(&mut self, head: Head, bytes: usize) -> Result<Range<usize>, Broken> {
        if bytes > BODY_BYTES_MAX {
            return Err(Broken::Nonsense("a body of more than 128 MiB"));
        }
        let end = head.bytes + bytes;
        self.read.reserve(end.saturating_sub(self.read.len()));
        while self.read.len() < end {
            self.read_more().await?;
        }
        Ok(head.bytes..end)
    }

    async fn read_chunks(&mut self, head: Head) -> Result<Range<usize>, Broken> {
        loop {
            if let Some(body) = head::unchunk(&self.read[head.bytes..])? {
                self.read = body;
                return Ok(0..self.read.len());
            }
            self.bounded_more().await?;
        }
    }

    async fn read_all(&mut self, head: Head) -> Result<Range<usize>, Broken> {
        loop {
            match self.bounded_more().await {
                Ok(()) => {}
                Err(Broken::Cut) => return Ok(head.bytes..self.read.len()),
                Err(broken) => return Err(broken),
            }
        }
    }

    async fn bounded_more(&mut self) -> Result<(), Broken> {
        match self.read.len() > HEAD_BYTES_MAX + BODY_BYTES_MAX {
            true => Err(Broken::Nonsense("a body of more than 128 MiB")),
            false => self.read_more().await,
        }
    }

    async fn read_more(&mut self) -> Result<(), Broken> {
        const READ_BYTES_MIN: usize = 4 << 10;
        self.read.reserve(READ_BYTES_MIN);
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) | Err(_) => Err(Broken::Cut),
            Ok(_) => Ok(()),
        }
    }
}
