//! What watchers say and hear: Socket.IO as the frontend speaks it, or the compact dialect.

use std::time::Duration;

use uuid::Uuid;

use crate::http::{Broken, Dialer};
use crate::websocket::WebSocket;
use crate::wishes::Dialect;

/// Where a socket belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Who looks at the seat map.
    Seats,
    /// Who waits in line.
    Queue,
}

/// Something that a watcher hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A seat was held, by its id.
    Held(Uuid),
    /// The same, by its place in the seat map.
    HeldNumber(u32),
    /// Another change of a seat.
    Seat,
    /// This user is let in.
    Admitted,
}

/// How sockets reach a server.
pub(crate) struct Sockets<'a> {
    pub(crate) dialer: &'a Dialer,
    pub(crate) host: &'a str,
    pub(crate) timeout: Duration,
}

impl Sockets<'_> {
    /// A socket that is told of an event's seats.
    ///
    /// # Errors
    /// No connection, or the server refuses.
    pub(crate) async fn watch(
        &self,
        dialect: Dialect,
        event: Uuid,
        token: &str,
    ) -> Result<WebSocket, Broken> {
        match dialect {
            Dialect::SocketIo => self.join(Room::Seats, event, token).await,
            Dialect::Compact => {
                let path = format!("/ws?event={event}");
                let protocol = Some("tiketi.v1.bin");
                WebSocket::open(self.dialer, self.host, &path, protocol, self.timeout).await
            }
        }
    }

    /// A socket of the frontend: connected, authenticated, in a room.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn join(
        &self,
        room: Room,
        event: Uuid,
        token: &str,
    ) -> Result<WebSocket, Broken> {
        let joined = async {
            let path = "/socket.io/?EIO=4&transport=websocket";
            let mut socket =
                WebSocket::open(self.dialer, self.host, path, None, self.timeout).await?;
            expect(&mut socket, b"0{").await?;
            socket.say(&format!("40{{\"token\":\"{token}\"}}")).await?;
            expect(&mut socket, b"40").await?;
            let join = match room {
                Room::Seats => "join-seat-selection",
                Room::Queue => "join-queue",
            };
            socket.say(&format!("42[\"{join}\",{{\"eventId\":\"{event}\"}}]")).await?;
            Ok(socket)
        };
        match tokio::time::timeout(self.timeout, joined).await {
            Ok(socket) => socket,
            Err(_) => Err(Broken::Late),
        }
    }
}

/// Hears until a packet begins so.
async fn expect(socket: &mut WebSocket, start: &[u8]) -> Result<(), Broken> {
    match socket.hear().await? {
        Some(text) if text.starts_with(start) => Ok(()),
        // A login that does not count, or the server is full.
        Some(text) if text.starts_with(b"44") => Err(Broken::Cut),
        Some(_) => Err(Broken::Nonsense("not Socket.IO")),
        None => Err(Broken::Cut),
    }
}

/// Whether a message has to be answered, and with what.
pub(crate) fn answer_to(dialect: Dialect, message: &[u8]) -> Option<&'static str> {
    (dialect == Dialect::SocketIo && message == b"2").then_some("3")
}

/// What a message says that matters here.
pub(crate) fn heard(dialect: Dialect, message: &[u8], mut tell: impl FnMut(Heard)) {
    match dialect {
        Dialect::SocketIo => packet(message).into_iter().for_each(tell),
        Dialect::Compact if message.starts_with(&[2, 0, 0, 0]) => {
            let changes = message.get(16..).unwrap_or_default().chunks_exact(4);
            for change in changes.filter_map(|change| change.try_into().ok()) {
                let change = u32::from_le_bytes(change);
                tell(if change & 3 == 1 { Heard::HeldNumber(change >> 2) } else { Heard::Seat });
            }
        }
        Dialect::Compact => {}
    }
}

/// `42["seat-selected",{"seatId":"…",…}]`. Looked at and not parsed: there may be a million a second.
fn packet(message: &[u8]) -> Option<Heard> {
    const ID_BYTES: usize = 36;
    let said = message.strip_prefix(b"42[\"")?;
    if said.starts_with(b"queue-entry-allowed\"") {
        return Some(Heard::Admitted);
    }
    if !said.starts_with(b"seat-selected\"") && !said.starts_with(b"seat-released\"") {
        return None;
    }
    let locked = b"\"locked\"";
    if !said.windows(locked.len()).any(|window| window == locked) {
        return Some(Heard::Seat);
    }
    let key = b"\"seatId\"";
    let at = said.windows(key.len()).position(|window| window == key)? + key.len();
    let value = said.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let id = value.strip_prefix(b"\"")?.get(..ID_BYTES)?;
    Some(Heard::Held(Uuid::try_parse_ascii(id).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(dialect: Dialect, message: &[u8]) -> Vec<Heard> {
        let mut all = Vec::new();
        heard(dialect, message, |heard| all.push(heard));
        all
    }

    #[test]
    fn packets() {
        let seat = Uuid::from_u128(7);
        let io = |text: &str| all(Dialect::SocketIo, text.as_bytes());
        let said = format!(r#"42["seat-selected",{{"seatId":"{seat}","status":"locked"}}]"#);
        assert_eq!(io(&said), [Heard::Held(seat)]);
        let spaced = format!(r#"42["seat-selected",{{"status" : "locked", "seatId" : "{seat}"}}]"#);
        assert_eq!(io(&spaced), [Heard::Held(seat)]);
        let free = format!(r#"42["seat-released",{{"seatId":"{seat}","status":"available"}}]"#);
        assert_eq!(io(&free), [Heard::Seat]);
        assert_eq!(io(r#"42["queue-entry-allowed",{"userId":"x"}]"#), [Heard::Admitted]);
        for text in [
            r#"42["room-info",{}]"#,
            "2",
            "",
            r#"42["seat-selected",{"seatId":"x","status":"locked"}]"#,
        ] {
            assert_eq!(io(text), [], "{text}");
        }
        assert_eq!(answer_to(Dialect::SocketIo, b"2"), Some("3"));
        assert_eq!(answer_to(Dialect::Compact, b"2"), None);
    }

    #[test]
    fn deltas() {
        let mut delta = vec![2, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        delta.extend_from_slice(&(5_u32 << 2 | 1).to_le_bytes());
        delta.extend_from_slice(&(700_u32 << 2).to_le_bytes());
        assert_eq!(all(Dialect::Compact, &delta), [Heard::HeldNumber(5), Heard::Seat]);
        assert_eq!(all(Dialect::Compact, &[1, 0, 0, 0, 1, 0, 0, 0]), []);
    }
}
