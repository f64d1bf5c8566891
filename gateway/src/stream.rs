//! A connection's socket, with what hyper leaves to others: a bound on how long a reader may be
//! slow, JSON in place of hyper's own empty refusals, and a last look at what the peer still sends.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::access_log::Entry;
use crate::app::App;
use crate::error::{ApiError, Code};

/// A peer that takes no byte for so long is gone or hostile.
const WRITE_STALL_MAX: Duration = Duration::from_secs(10);
/// After a refusal, how long and how much of an unread body is thrown away: closing at once would
/// reset the connection and lose the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 16 << 20;

/// See the module.
pub(crate) struct Stream {
    socket: TokioIo<TcpStream>,
    app: Arc<App>,
    address: IpAddr,
    stalled: Option<Pin<Box<Sleep>>>,
    /// Our answer in place of hyper's, as far as it is not sent.
    refusal: Bytes,
    lingers: Arc<AtomicBool>,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
    is_shut: bool,
}

impl Stream {
    /// The connection of `address`. `lingers` is set by whoever refuses a request before its body is
    /// read.
    pub(crate) fn new(
        socket: TcpStream,
        app: Arc<App>,
        address: IpAddr,
        lingers: Arc<AtomicBool>,
    ) -> Self {
        Stream {
            socket: TokioIo::new(socket),
            app,
            address,
            stalled: None,
            refusal: Bytes::new(),
            lingers,
            linger: None,
            is_shut: false,
        }
    }

    /// The bare socket, once hyper has given it up.
    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket.into_inner()
    }

    /// Takes hyper's refusal for sent and keeps ours to send.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        let Some(code) = refused_by_hyper(bytes) else {
            return false;
        };
        let id = self.app.request_ids.next();
        let body = ApiError::new(code).body();
        self.refusal = refusal(code, &body, id.to_str().unwrap_or("-"));
        // Nothing else is known of it.
        self.app.access_log.write(&Entry {
            at: self.app.clock.now(),
            method: "-",
            route: None,
            path: "-",
            status: code.status().as_u16(),
            took: Duration::ZERO,
            bytes: body.len() as u64,
            user: None,
            request_id: &id,
            address: self.address,
        });
        self.lingers.store(true, Ordering::Relaxed);
        true
    }

    /// Sends what is left of our own answer.
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.refusal.has_remaining() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.refusal))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.refusal.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Passes `result` on, and turns too long a wait into an error.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(WRITE_STALL_MAX)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads and forgets until the peer closes, or long or much enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (until, bytes) = self.linger.get_or_insert_with(|| (Box::pin(sleep(LINGER)), 0));
        let mut scratch = [0_u8; 4096];
        while *bytes < LINGER_BYTES_MAX && until.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(self.socket.inner_mut()).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => *bytes += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [bytes] = slices
            && self.replaces(bytes)
        {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.poll_refusal(cx);
        ready!(self.watch(cx, result))?;
        let result = Pin::new(&mut self.socket).poll_flush(cx);
        self.watch(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        if !self.is_shut {
            ready!(Pin::new(self.socket.inner_mut()).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        match self.lingers.load(Ordering::Relaxed) {
            true => self.poll_linger(cx),
            false => Poll::Ready(Ok(())),
        }
    }
}

/// hyper answers what it cannot parse by itself, with a status and no body. Nothing of ours is a 4xx
/// without a body, so such a head is hyper's, and the contract's JSON goes out instead.
fn refused_by_hyper(bytes: &[u8]) -> Option<Code> {
    let code = match bytes.get(..12)? {
        b"HTTP/1.1 400" | b"HTTP/1.0 400" => Code::BadRequest,
        b"HTTP/1.1 414" | b"HTTP/1.0 414" => Code::UriTooLong,
        b"HTTP/1.1 431" | b"HTTP/1.0 431" => Code::HeadersTooLarge,
        _ => return None,
    };
    let text = std::str::from_utf8(bytes).ok()?;
    let is_empty = text.ends_with("\r\n\r\n") && text.contains("\r\ncontent-length: 0\r\n");
    is_empty.then_some(code)
}

/// The same refusal as everybody else's, with the headers of every answer that matter to it.
fn refusal(code: Code, body: &[u8], id: &str) -> Bytes {
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\
         access-control-allow-origin: *\r\ncache-control: no-store\r\nx-request-id: {id}\r\n\
         x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n\
         cross-origin-resource-policy: cross-origin\r\nconnection: close\r\n\r\n",
        code.status(),
        body.len()
    );
    Bytes::from([head.as_bytes(), body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_without_a_body_are_replaced() {
        let of_hyper =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        assert_eq!(refused_by_hyper(of_hyper), Some(Code::HeadersTooLarge));
        let body = ApiError::new(Code::HeadersTooLarge).body();
        let ours = refusal(Code::HeadersTooLarge, &body, "0badcafe-1");
        let text = std::str::from_utf8(&ours).expect("text");
        assert!(text.contains("HEADERS_TOO_LARGE") && text.starts_with("HTTP/1.1 431 "), "{text}");
        assert!(text.contains("\r\nx-request-id: 0badcafe-1\r\n"), "{text}");
        for kept in [
            &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 20\r\n\r\n{}"[..],
            b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 4",
            b"",
        ] {
            assert_eq!(refused_by_hyper(kept), None);
        }
    }
}
