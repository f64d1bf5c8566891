//! One line on standard output for each answer: who asked for what, and what became of it.
//!
//! A thread of its own writes. Where it cannot keep up lines are dropped and counted, as no reader of
//! a log may hold up a booking. No line has a query, a header, a body, or a part of a path that is not
//! plain: nothing that could be a token or an address.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use hyper::header::HeaderValue;
use prometheus::IntCounter;
use serde::Serialize;
use tiketi_engine::ids::{UnixMillis, UserId};

use crate::api::{Id, Timestamp};
use crate::config::{AccessLogLevel, LogFormat};

/// Lines that wait to be written.
const WAITING_MAX: usize = 16 * 1024;
/// Lines written in one go.
const AT_ONCE_MAX: usize = 256;
/// How long the end of the process waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_secs(1);
/// Longer parts of a path may be secrets.
const SEGMENT_CHARS_MAX: usize = 64;
const PATH_CHARS_MAX: usize = 256;
/// In place of what is not shown.
const HIDDEN: &str = "*";

/// Writes lines, or none.
pub(crate) struct AccessLog {
    level: AccessLogLevel,
    format: LogFormat,
    waiting: Option<SyncSender<Message>>,
    dropped: IntCounter,
}

enum Message {
    Line(String),
    /// Answered once all lines before it are written.
    Flush(SyncSender<()>),
}

/// What a line says of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'e> {
    /// When the request came.
    pub(crate) at: UnixMillis,
    pub(crate) method: &'e str,
    /// The template, where a route was found.
    pub(crate) route: Option<&'static str>,
    /// As it was sent.
    pub(crate) path: &'e str,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    /// Of the body.
    pub(crate) bytes: u64,
    pub(crate) user: Option<UserId>,
    pub(crate) request_id: &'e HeaderValue,
    /// Who asked, see [`crate::proxies`].
    pub(crate) address: IpAddr,
}

/// A line, in the order of its fields.
#[derive(Serialize)]
struct Line<'l> {
    timestamp: Timestamp,
    method: Cow<'l, str>,
    route: &'l str,
    path: Cow<'l, str>,
    status: u16,
    duration_us: u64,
    bytes: u64,
    user: Option<Id>,
    request_id: &'l str,
    address: IpAddr,
}

impl AccessLog {
    /// # Errors
    /// Where the system starts no thread.
    pub(crate) fn start(
        level: AccessLogLevel,
        format: LogFormat,
        dropped: IntCounter,
    ) -> io::Result<Self> {
        let waiting = if level == AccessLogLevel::Off {
            None
        } else {
            let (waiting, lines) = sync_channel(WAITING_MAX);
            let work = move || write_all(&lines, &mut io::stdout());
            std::thread::Builder::new().name("access-log".into()).spawn(work)?;
            Some(waiting)
        };
        Ok(AccessLog { level, format, waiting, dropped })
    }

    /// Whether any line is written.
    pub(crate) fn is_on(&self) -> bool {
        self.level != AccessLogLevel::Off
    }

    /// Hands a line over; never waits.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        let Some(waiting) = &self.waiting else { return };
        if self.level == AccessLogLevel::Errors && entry.status < 400 {
            return;
        }
        let line = line(entry, self.format);
        if waiting.try_send(Message::Line(line)).is_err() {
            self.dropped.inc();
        }
    }

    /// Waits until everything handed over is written, or for as long as a reader that has stopped
    /// reading deserves.
    pub(crate) fn flush(&self) {
        let Some(waiting) = &self.waiting else { return };
        let (done, written) = sync_channel(1);
        if waiting.try_send(Message::Flush(done)).is_ok() {
            // Whether it was written in time or not, there is nothing more to do for it.
            let _ = written.recv_timeout(FLUSH_MAX);
        }
    }
}

/// Writes what comes until nobody can send any more.
fn write_all(lines: &Receiver<Message>, to: &mut impl Write) {
    let mut batch = String::new();
    while let Ok(first) = lines.recv() {
        batch.clear();
        let mut flushed = Vec::new();
        for message in std::iter::once(first).chain(lines.try_iter().take(AT_ONCE_MAX)) {
            match message {
                Message::Line(line) => batch.push_str(&line),
                Message::Flush(done) => flushed.push(done),
            }
        }
        // A closed terminal is no reason to stop selling.
        let _ = to.write_all(batch.as_bytes()).and_then(|()| to.flush());
        for done in flushed {
            let _ = done.send(());
        }
    }
}

fn line(entry: &Entry<'_>, format: LogFormat) -> String {
    let line = Line {
        timestamp: Timestamp(entry.at),
        method: shown(entry.method),
        route: entry.route.unwrap_or("-"),
        path: shown(entry.path),
        status: entry.status,
        duration_us: u64::try_from(entry.took.as_micros()).unwrap_or(u64::MAX),
        bytes: entry.bytes,
        user: entry.user.map(Id::from),
        request_id: entry.request_id.to_str().unwrap_or("-"),
        address: entry.address,
    };
    match format {
        LogFormat::Json => {
            // Texts and numbers always serialize.
            let mut text = serde_json::to_string(&line).unwrap_or_default();
            text.push('\n');
            text
        }
        LogFormat::Text => {
            let Line { timestamp, method, route, path, status, duration_us, bytes, .. } = &line;
            let user = line.user.map_or_else(|| "-".to_owned(), |user| user.to_string());
            let (id, address) = (line.request_id, line.address);
            format!(
                "{timestamp} {method} {route} {path} {status} {duration_us}us {bytes}B \
                 user={user} id={id} from={address}\n"
            )
        }
    }
}

/// A path with what may be anything, an e-mail address or a token, left out.
fn shown(path: &str) -> Cow<'_, str> {
    let is_plain = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_token = segment.bytes().filter(|&byte| byte == b'.').count() > 1;
        segment.len() <= SEGMENT_CHARS_MAX && segment.bytes().all(plain) && !is_token
    };
    if path.len() > PATH_CHARS_MAX {
        return Cow::Borrowed(HIDDEN);
    }
    if path.split('/').all(is_plain) {
        return Cow::Borrowed(path);
    }
    let shown = path.split('/').map(|segment| if is_plain(segment) { segment } else { HIDDEN });
    Cow::Owned(shown.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiketi_engine::ids::UserIndex;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJ1c2VySWQiOiIwMDAwMDAwMC0wMDAwIn0.c2ln";
        for (path, expected) in [
            ("/api/events", "/api/events"),
            ("/api/admin/users/a@b.kr", "/api/admin/users/*"),
            ("/api/admin/users/a%40b.kr/role", "/api/admin/users/*/role"),
            (&format!("/x/{token}"), "/x/*"),
            ("/x/eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "/x/*"),
            ("/images/0f3a-800.webp", "/images/0f3a-800.webp"),
            ("/a\nb", "/*"),
            (&"/a".repeat(200), "*"),
        ] {
            assert_eq!(shown(path), expected);
        }
    }

    #[test]
    fn lines() {
        let id = HeaderValue::from_static("0badcafe-1");
        let mut entry = Entry {
            at: UnixMillis(1_798_711_200_000),
            method: "GET",
            route: Some("/api/events/:id"),
            path: "/api/events/7",
            status: 400,
            took: Duration::from_micros(1_234),
            bytes: 93,
            user: None,
            request_id: &id,
            address: IpAddr::from([192, 0, 2, 1]),
        };
        assert_eq!(
            line(&entry, LogFormat::Text),
            "2026-12-31T10:00:00.000Z GET /api/events/:id /api/events/7 400 1234us 93B user=- \
             id=0badcafe-1 from=192.0.2.1\n"
        );
        assert_eq!(
            line(&entry, LogFormat::Json),
            "{\"timestamp\":\"2026-12-31T10:00:00.000Z\",\"method\":\"GET\",\
             \"route\":\"/api/events/:id\",\"path\":\"/api/events/7\",\"status\":400,\
             \"duration_us\":1234,\"bytes\":93,\"user\":null,\"request_id\":\"0badcafe-1\",\
             \"address\":\"192.0.2.1\"}\n"
        );
        let user = UserId { index: UserIndex(1), tag: 2 };
        (entry.user, entry.route) = (Some(user), None);
        let text = line(&entry, LogFormat::Text);
        assert!(
            text.contains(&format!("user={} ", Id::from(user))) && text.contains(" GET - /api")
        );
    }

    #[test]
    fn lines_are_written_in_order_and_flushed() {
        let (waiting, lines) = sync_channel(8);
        let (done, written) = sync_channel(1);
        for message in
            [Message::Line("a\n".into()), Message::Line("b\n".into()), Message::Flush(done)]
        {
            waiting.send(message).expect("room");
        }
        drop(waiting);
        let mut out = Vec::new();
        write_all(&lines, &mut out);
        assert_eq!((out.as_slice(), written.try_recv()), (&b"a\nb\n"[..], Ok(())));
    }
}
