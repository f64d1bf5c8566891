//! A connection after its upgrade: reads messages within bounds, writes what the hub has queued,
//! keeps time, and closes in order.
//!
//! One task and one timer for each socket, and no buffer while it is idle: bytes are read into the
//! stack, and what is sent belongs to everybody. Deadlines only ever move away, so the timer is set
//! anew when it goes off, or for something that is due earlier.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use fastwebsockets::WebSocketError;
use fastwebsockets::upgrade::UpgradeFut;
use socket2::SockRef;
use tiketi_engine::ids::Lsn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use crate::config::SocketTimes;
use crate::connections::Place;
use crate::fanout::client::{Client, Work};
use crate::fanout::frames::{self, FrameReader, Received};
use crate::fanout::hub::{Presence, Room};
use crate::stream::Stream;

const READ_BYTES: usize = 4 * 1024;
/// Frames that a peer may send between two pings: pings, messages and fragments alike.
const FRAMES_MAX: u32 = 500;
/// What the kernel holds for a peer that does not read; the rest waits here, where it is bounded and
/// can be replaced by something newer.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Pieces handed to the kernel at a time.
const SLICES: usize = 16;
/// How long a peer may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Socket {
    stream: TcpStream,
    place: Place,
    client: Arc<Client>,
    times: SocketTimes,
    reader: FrameReader,
    /// Read and not yet looked at.
    unread: BytesMut,
    sending: VecDeque<Bytes>,
    /// The first of `sending` is half sent.
    is_cut: bool,
    /// Answers the last ping; earlier ones need none (RFC 6455 5.5.3).
    pong: Option<Bytes>,
    heartbeat: Heartbeat,
    timer: Pin<Box<Sleep>>,
    ping_at: Instant,
    /// The first ping that was not answered.
    unanswered_since: Option<Instant>,
    /// Since when the peer has taken no byte of those it is sent.
    stalled_since: Option<Instant>,
    /// When to end unless the dialect is content.
    expected_by: Option<Instant>,
    /// Set once the task is known to whoever drains.
    is_watched: bool,
}

/// A message from the peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Text(String),
    /// Only its beginning was kept.
    LongText(Vec<u8>),
    Binary,
}

/// How it is seen that the peer is there.
pub(super) enum Heartbeat {
    /// A text frame; the dialect says when it is answered.
    Text(Bytes),
    /// A ping frame, answered by a pong frame.
    Frame(Bytes),
}

/// How a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// The label of metrics.
    pub(super) reason: &'static str,
    code: Code,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// Nobody is there to be told.
    None,
    /// The peer has closed; it gets back what it said.
    Back(Option<u16>),
    Told(u16),
}

enum Next {
    Message(Message),
    CatchUp(Room, Lsn),
}

impl Ending {
    const fn told(reason: &'static str, code: u16) -> Self {
        Ending { reason, code: Code::Told(code) }
    }

    /// What the peer sent is no packet.
    pub(super) const fn garbage() -> Self {
        Ending::told("protocol", 1002)
    }

    /// The peer may come back later.
    pub(super) const fn overload() -> Self {
        Ending::told("overload", 1013)
    }

    /// Its user is suspended.
    pub(super) const fn shut_out() -> Self {
        Ending::told("suspended", 1008)
    }

    /// The client said so in its dialect.
    pub(super) const fn by_client() -> Self {
        Ending::told("client", 1000)
    }

    const fn lost() -> Self {
        Ending { reason: "lost", code: Code::None }
    }
}

impl Socket {
    /// Takes the connection over from hyper.
    ///
    /// # Errors
    /// The connection ended before its answer was sent.
    pub(super) async fn open(
        upgrade: UpgradeFut,
        presence: &Presence,
        place: Place,
    ) -> Result<Socket, WebSocketError> {
        // Of the crate's own socket only the stream is used; see `frames` for why.
        let upgraded = upgrade.await?.into_inner().into_inner();
        let parts = upgraded
            .downcast::<Stream>()
            .map_err(|_| WebSocketError::IoError(io::Error::other("not a stream of ours")))?;
        let stream = parts.io.into_socket();
        // Where it is refused the kernel's default does.
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        let times = presence.app.config.socket_times;
        let ping_at = Instant::now() + times.ping_every;
        Ok(Socket {
            stream,
            place,
            client: Arc::clone(&presence.client),
            times,
            reader: FrameReader::new(0, FRAMES_MAX),
            unread: BytesMut::from(&parts.read_buf[..]),
            sending: VecDeque::new(),
            is_cut: false,
            pong: None,
            heartbeat: Heartbeat::Frame(frames::ping()),
            timer: Box::pin(sleep_until(ping_at.into())),
            ping_at,
            unanswered_since: None,
            stalled_since: None,
            expected_by: None,
            is_watched: false,
        })
    }

    /// Says what is spoken; before the first message is read.
    pub(super) fn speak(&mut self, heartbeat: Heartbeat, message_bytes_max: usize) {
        self.heartbeat = heartbeat;
        self.reader = FrameReader::new(message_bytes_max, FRAMES_MAX);
    }

    /// Ends the socket unless this is called again with `None` in time.
    pub(super) fn expect_within(&mut self, time: Option<Duration>) {
        self.expected_by = time.map(|time| Instant::now() + time);
        self.set_timer();
    }

    /// The peer has answered the heartbeat.
    pub(super) fn answered(&mut self) {
        self.unanswered_since = None;
    }

    pub(super) fn address(&self) -> IpAddr {
        self.place.address
    }

    /// Sends a frame before whatever the hub queues from now on.
    pub(super) fn send(&mut self, frame: Bytes) {
        self.sending.push_back(frame);
    }

    /// The next message; meanwhile everything else goes on.
    ///
    /// # Errors
    /// How the socket ends.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self, presence: &Presence) -> Result<Message, Ending> {
        loop {
            match poll_fn(|cx| self.poll_next(cx)).await? {
                Next::Message(message) => return Ok(message),
                Next::CatchUp(room, since) => presence.catch_up(room, since),
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Ending>> {
        if self.is_draining(cx) {
            return Poll::Ready(Err(Ending::told("drain", 1001)));
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            self.keep_time(Instant::now())?;
        }
        loop {
            if let Poll::Ready(next) = self.poll_write(cx)? {
                return Poll::Ready(Ok(next));
            }
            match ready!(self.poll_read(cx))? {
                Received::Text(text) => return Poll::Ready(Ok(Next::Message(Message::Text(text)))),
                Received::LongText(start) => {
                    return Poll::Ready(Ok(Next::Message(Message::LongText(start))));
                }
                Received::Binary => return Poll::Ready(Ok(Next::Message(Message::Binary))),
                Received::Ping(payload) => self.pong = Some(frames::pong(&payload)),
                Received::Pong => {
                    if let Heartbeat::Frame(_) = self.heartbeat {
                        self.answered();
                    }
                }
                Received::Close(code) => {
                    let ending = Ending { reason: "client", code: Code::Back(code) };
                    return Poll::Ready(Err(ending));
                }
            }
        }
    }

    fn is_draining(&mut self, cx: &mut Context<'_>) -> bool {
        match self.is_watched {
            true => self.place.is_draining(),
            false => {
                self.is_watched = true;
                self.place.wake_when_draining(cx.waker())
            }
        }
    }

    // === time ===

    /// Does what is due, and sets the timer for what is next.
    fn keep_time(&mut self, now: Instant) -> Result<(), Ending> {
        let is_over = |since: Option<Instant>, time| since.is_some_and(|since| now >= since + time);
        if is_over(self.stalled_since, self.times.write_within) {
            return Err(Ending { reason: "stalled", code: Code::None });
        }
        if is_over(self.unanswered_since, self.times.pong_within) {
            return Err(Ending::told("silent", 1008));
        }
        if is_over(self.expected_by, Duration::ZERO) {
            return Err(Ending::told("no_connect", 1008));
        }
        if now >= self.ping_at {
            self.ping_at = now + self.times.ping_every;
            self.unanswered_since.get_or_insert(now);
            self.reader.refill(FRAMES_MAX);
            let (Heartbeat::Text(ping) | Heartbeat::Frame(ping)) = &self.heartbeat;
            self.sending.push_back(ping.clone());
        }
        let due = self.due();
        self.timer.as_mut().reset(due.into());
        Ok(())
    }

    /// When there is next something to do.
    fn due(&self) -> Instant {
        let stalled = self.stalled_since.map(|since| since + self.times.write_within);
        let silent = self.unanswered_since.map(|since| since + self.times.pong_within);
        let others = [stalled, silent, self.expected_by];
        others.into_iter().flatten().fold(self.ping_at, Instant::min)
    }

    /// Sets the timer where something is due before it goes off.
    fn set_timer(&mut self) {
        let due = self.due();
        if self.timer.deadline() > due.into() {
            self.timer.as_mut().reset(due.into());
        }
    }

    // === bytes ===

    /// Sends what there is. Ready where the hub is to be asked; pending once all is sent or the peer
    /// takes no more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<Poll<Next>, Ending> {
        loop {
            // Between two frames only.
            if let Some(pong) = self.pong.take_if(|_| !self.is_cut) {
                self.sending.push_front(pong);
            }
            match self.poll_flush(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(Ending::lost()),
                Poll::Pending => {
                    if self.stalled_since.is_none() {
                        self.stalled_since = Some(Instant::now());
                        self.set_timer();
                        // A timer that was moved has to be polled to wake this task.
                        if self.timer.as_mut().poll(cx).is_ready() {
                            cx.waker().wake_by_ref();
                        }
                    }
                    return Ok(Poll::Pending);
                }
            }
            match self.client.work(true, cx.waker()) {
                Work::Frames => self.client.take(&mut self.sending),
                Work::CatchUp(room, since) => return Ok(Poll::Ready(Next::CatchUp(room, since))),
                Work::Lost => return Err(Ending::told("slow", 1013)),
                Work::ShutOut => return Err(Ending::shut_out()),
                Work::Nothing if self.pong.is_none() => return Ok(Poll::Pending),
                Work::Nothing => {}
            }
        }
    }

    /// Sends `sending`.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sending.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.sending) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            let stream = Pin::new(&mut self.stream);
            let mut sent = ready!(stream.poll_write_vectored(cx, &slices[..count]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.stalled_since = None;
            while let Some(first) = self.sending.front_mut() {
                if sent < first.len() {
                    first.advance(sent);
                    self.is_cut |= sent > 0;
                    break;
                }
                sent -= first.len();
                self.is_cut = false;
                self.sending.pop_front();
            }
        }
        if self.sending.capacity() > 0 {
            // Most sockets are idle most of the time.
            self.sending = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    /// The next thing that the peer has sent.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Ending>> {
        let refused =
            |violation: frames::Violation| Ending::told("protocol", violation.close_code());
        loop {
            if !self.unread.is_empty() {
                let mut bytes = std::mem::take(&mut self.unread);
                let mut rest = &mut bytes[..];
                let received = self.reader.read(&mut rest).map_err(refused)?;
                let left = rest.len();
                if let Some(received) = received {
                    bytes.advance(bytes.len() - left);
                    self.unread = bytes;
                    return Poll::Ready(Ok(received));
                }
            }
            let mut scratch = [MaybeUninit::<u8>::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Err(Ending::lost())),
            }
            let mut rest = buffer.filled_mut();
            let received = self.reader.read(&mut rest).map_err(refused)?;
            if let Some(received) = received {
                self.unread.extend_from_slice(rest);
                return Poll::Ready(Ok(received));
            }
        }
    }

    // === the end ===

    /// Says goodbye, and waits a moment for the peer's: closing at once would reset the connection
    /// where something was unread, and the peer would not learn why.
    pub(super) async fn close(mut self, ending: Ending) {
        let frame = match ending.code {
            Code::None => return,
            Code::Back(code) => frames::closing(code),
            Code::Told(code) => frames::closing(Some(code)),
        };
        // A frame half sent has to be finished first, the others do not matter any more.
        self.sending.truncate(usize::from(self.is_cut));
        self.sending.push_back(frame);
        let goodbye = async {
            poll_fn(|cx| self.poll_flush(cx)).await?;
            poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await?;
            poll_fn(|cx| self.poll_ignore(cx)).await
        };
        // Whether it succeeds or not, the connection ends here.
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    /// Reads and forgets until the peer has closed.
    fn poll_ignore(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut scratch = [MaybeUninit::<u8>::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
