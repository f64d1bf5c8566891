//! The Socket.IO dialect (contract/socket.md): Engine.IO 4 and Socket.IO 5 over WebSocket, namespace
//! `/`, no acknowledgements, no binary.
//!
//! A packet that this protocol does not know ends the socket; one that it knows with content that
//! means nothing is ignored. Ids of users come from the token alone.

use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use serde::Serialize;
use serde_json::{Value, json};
use tiketi_engine::ids::{EventIndex, ExternalId, UserId};

use crate::api::Id;
use crate::auth;
use crate::config::SocketTimes;
use crate::error::Code;
use crate::fanout::hub::{Presence, Room};
use crate::fanout::socket::{Ending, Heartbeat, Message, Socket};
use crate::fanout::{frames, line};
use crate::rate_limit::RateClass;

/// As announced to clients.
const MESSAGE_BYTES_MAX: usize = 1_000_000;
/// The client does nothing on this one.
const NO_TOKEN: &str = "Authentication required";
/// The client logs out on whatever has the word `authentication` in small letters.
const BAD_TOKEN: &str = "Invalid authentication token";
const SUSPENDED: &str = "Account suspended";

/// Where a connection to the namespace stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not connected, not any more, or refused.
    Outside,
    Connected(UserId),
}

/// Speaks with one client until either side ends it.
pub(super) async fn serve(presence: &Presence, socket: &mut Socket) -> Ending {
    let times = presence.app.config.socket_times;
    socket.speak(Heartbeat::Text(frames::text("2")), MESSAGE_BYTES_MAX);
    socket.expect_within(Some(times.connect_within));
    socket.send(frames::text(&open_packet(&times)));
    let mut standing = Standing::Outside;
    loop {
        let packet = match socket.next(presence).await {
            Ok(Message::Text(text)) => parse(&text),
            Ok(Message::LongText(start)) => parse_long(&start),
            Ok(Message::Binary) => None,
            Err(ending) => return ending,
        };
        let result = match (packet, standing) {
            (None, _) => Err(Ending::garbage()),
            (Some(Packet::Pong), _) => {
                socket.answered();
                Ok(())
            }
            (Some(Packet::Close), _) => Err(Ending::by_client()),
            (Some(Packet::Ignored), _) => Ok(()),
            (Some(Packet::ConnectElsewhere(namespace)), _) => {
                let refusal = format!("44{namespace},{}", json!({"message": "Invalid namespace"}));
                socket.send(frames::text(&refusal));
                Ok(())
            }
            (Some(Packet::Connect(token)), Standing::Outside) => {
                connect(presence, socket, token.as_deref()).map(|user| {
                    if let Some(user) = user {
                        standing = Standing::Connected(user);
                        socket.expect_within(None);
                    }
                })
            }
            // Who is connected does not connect.
            (Some(Packet::Connect(_)), Standing::Connected(_)) => Err(Ending::garbage()),
            (Some(Packet::Disconnect), _) => {
                presence.leave_all();
                standing = Standing::Outside;
                Ok(())
            }
            (Some(Packet::Event { .. }), Standing::Outside) => Ok(()),
            (Some(Packet::Event { name, payload }), Standing::Connected(user)) => {
                if let Some(event) = event_of(&payload) {
                    carry_out(presence, &name, event, user).await;
                }
                Ok(())
            }
        };
        if let Err(ending) = result {
            return ending;
        }
    }
}

/// Answers CONNECT: `Some` where the token is good.
///
/// # Errors
/// Where the client is to try again: a CONNECT_ERROR would keep it from doing so.
fn connect(
    presence: &Presence,
    socket: &mut Socket,
    token: Option<&str>,
) -> Result<Option<UserId>, Ending> {
    let app = &presence.app;
    let caller = token.map(|token| auth::caller_of(app, token, app.clock.now()));
    let user = caller.as_ref().and_then(|caller| Some(caller.as_ref().ok()?.user));
    let index = user.map(|user| user.index);
    app.limits.check(RateClass::Queue, index, socket.address()).map_err(|_| Ending::overload())?;
    let Some(user) = user else {
        let message = match caller {
            None => NO_TOKEN,
            Some(Err(error)) if error.code() == Code::Suspended => SUSPENDED,
            Some(_) => BAD_TOKEN,
        };
        socket.send(frames::text(&format!("44{}", json!({"message": message}))));
        return Ok(None);
    };
    if !presence.identify(user.index) {
        return Err(Ending::overload());
    }
    // Whoever was suspended before the hub knew of this socket.
    if auth::is_suspended(app, user) {
        return Err(Ending::shut_out());
    }
    socket.send(frames::text(&format!("40{{\"sid\":\"{}\"}}", new_id())));
    Ok(Some(user))
}

/// An event of a connected client; names that mean nothing do nothing.
async fn carry_out(presence: &Presence, name: &str, event: EventIndex, user: UserId) {
    let app = &presence.app;
    match name {
        "join-event" | "join-queue" | "join-seat-selection" => {}
        "leave-event" => return presence.leave(Room::Event(event)),
        // `seat-selection-changed` among them: what is selected is the browser's own business.
        _ => return,
    }
    if app.plan(event).is_none() {
        // Who was told of it a moment ago may be ahead of the view. Where the view does not get
        // there, the event does not exist as far as anybody can see.
        let _ = app.catch_up(None).await;
        if app.plan(event).is_none() {
            return;
        }
    }
    match name {
        "join-event" => {
            let greeting = |count: usize| {
                app.metrics.sockets.sent("room-info", 1);
                let info = json!({"eventId": Id::from(event), "userCount": count});
                Some(self::event("room-info", &info))
            };
            presence.join(Room::Event(event), greeting);
        }
        "join-seat-selection" => {
            presence.join(Room::Seats(event), |_| None);
        }
        _ => {
            // First in the room, then asked: an admission in between is told twice, not never.
            if presence.join(Room::Queue(event), |_| None)
                && let Some(frame) = line::joined(app, event, user).await
            {
                presence.client.must_get(&frame);
            }
        }
    }
}

/// The event that a payload names, where it names one.
fn event_of(payload: &Value) -> Option<EventIndex> {
    match ExternalId::decode(Id::parse(payload.get("eventId")?.as_str()?)?.0) {
        Some(ExternalId::Event(event)) => Some(event),
        _ => None,
    }
}

// === packets from clients ===

#[derive(Debug, PartialEq)]
enum Packet {
    Pong,
    Close,
    Connect(Option<String>),
    /// To a namespace that does not exist.
    ConnectElsewhere(String),
    Disconnect,
    Event {
        name: String,
        payload: Value,
    },
    /// Acknowledgements, and whatever goes to other namespaces.
    Ignored,
}

/// What a message says; `None` for what is against the protocol.
fn parse(text: &str) -> Option<Packet> {
    let (kind, rest) = split(text)?;
    match kind {
        '1' if rest.is_empty() => Some(Packet::Close),
        '3' => Some(Packet::Pong),
        '4' => parse_message(rest),
        // A client sends no open packet and no ping, and there is nothing to upgrade from.
        _ => None,
    }
}

fn parse_message(text: &str) -> Option<Packet> {
    let (kind, rest) = split(text)?;
    let (namespace, rest) = match rest.starts_with('/') {
        true => rest.split_once(',').unwrap_or((rest, "")),
        false => ("/", rest),
    };
    let is_ours = namespace == "/";
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match kind {
        '0' => {
            let auth = match rest {
                "" => Value::Null,
                auth => serde_json::from_str(auth).ok().filter(Value::is_object)?,
            };
            if !is_ours {
                return Some(Packet::ConnectElsewhere(namespace.chars().take(100).collect()));
            }
            let token = auth.get("token").and_then(Value::as_str).filter(|token| !token.is_empty());
            Some(Packet::Connect(token.map(str::to_owned)))
        }
        '1' if rest.is_empty() => Some(if is_ours { Packet::Disconnect } else { Packet::Ignored }),
        '2' => {
            // Acknowledgements are not asked for by this frontend; the id before the list is dropped.
            let Ok(Value::Array(list)) = serde_json::from_str(&rest[digits..]) else { return None };
            let mut list = list.into_iter();
            let Some(Value::String(name)) = list.next() else { return None };
            let payload = list.next().unwrap_or_default();
            Some(if is_ours { Packet::Event { name, payload } } else { Packet::Ignored })
        }
        '3' => Some(Packet::Ignored),
        _ => None,
    }
}

/// A message too long to mean anything: an event is ignored, a token is none of ours.
fn parse_long(start: &[u8]) -> Option<Packet> {
    match start.get(..2)? {
        b"40" => Some(Packet::Connect(Some(String::new()))),
        b"42" | b"43" => Some(Packet::Ignored),
        _ => None,
    }
}

fn split(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    Some((chars.next()?, chars.as_str()))
}

// === packets to clients ===

fn open_packet(times: &SocketTimes) -> String {
    let ms = |time: Duration| time.as_millis();
    format!(
        "0{{\"sid\":\"{}\",\"upgrades\":[],\"pingInterval\":{},\"pingTimeout\":{},\
         \"maxPayload\":{MESSAGE_BYTES_MAX}}}",
        new_id(),
        ms(times.ping_every),
        ms(times.pong_within),
    )
}

/// Twenty characters that nobody guesses.
fn new_id() -> String {
    let mut bytes = [0_u8; 10];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An event, framed.
pub(super) fn event(name: &str, payload: &impl Serialize) -> Bytes {
    let mut packet = Vec::with_capacity(192);
    put_event(&mut packet, name, payload);
    let mut framed = Vec::with_capacity(packet.len() + 8);
    frames::put_text(&mut framed, &packet);
    framed.into()
}

/// Adds an event's packet.
pub(super) fn put_event(to: &mut Vec<u8>, name: &str, payload: &impl Serialize) {
    to.extend_from_slice(b"42[\"");
    // Names are ours and need no escapes.
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(b"\",");
    // Only a map with keys that are no strings fails: a mistake of ours that tests find.
    if serde_json::to_writer(&mut *to, payload).is_err() {
        to.extend_from_slice(b"null");
    }
    to.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets() {
        let event =
            |name: &str, payload: Value| Some(Packet::Event { name: name.to_owned(), payload });
        let token = |token: &str| Some(Packet::Connect(Some(token.to_owned())));
        for (text, expected) in [
            ("", None),
            ("0{}", None),
            ("2", None),
            ("2probe", None),
            ("5", None),
            ("6", None),
            ("hello", None),
            ("싸이", None),
            ("1", Some(Packet::Close)),
            ("3", Some(Packet::Pong)),
            ("4", None),
            ("40", Some(Packet::Connect(None))),
            ("40{}", Some(Packet::Connect(None))),
            ("40{\"token\":\"\"}", Some(Packet::Connect(None))),
            ("40{\"token\":7}", Some(Packet::Connect(None))),
            ("40{\"token\":\"abc\"}", token("abc")),
            ("40/,{\"token\":\"abc\"}", token("abc")),
            ("40[]", None),
            ("40{", None),
            ("40x", None),
            ("40/admin,{}", Some(Packet::ConnectElsewhere("/admin".to_owned()))),
            ("40/admin", Some(Packet::ConnectElsewhere("/admin".to_owned()))),
            ("41", Some(Packet::Disconnect)),
            ("41/admin,", Some(Packet::Ignored)),
            ("42[\"x\"]", event("x", Value::Null)),
            ("42[\"x\",{\"a\":1},2]", event("x", json!({"a": 1}))),
            ("4212[\"x\",1]", event("x", json!(1))),
            ("42/admin,[\"x\"]", Some(Packet::Ignored)),
            ("42", None),
            ("42[]", None),
            ("42[1]", None),
            ("42{}", None),
            ("42[\"x\"", None),
            ("42[\"x\"]x", None),
            ("4312[]", Some(Packet::Ignored)),
            ("44{}", None),
            ("45-[]", None),
            ("46-[]", None),
            ("49", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        let deep = format!("42{}", "[".repeat(10_000));
        assert_eq!(parse(&deep), None);
        assert_eq!(parse_long(b"42[\"x\",\xff"), Some(Packet::Ignored));
        assert_eq!(parse_long(b"99"), None);
    }

    #[test]
    fn only_ids_of_events_name_one() {
        let event = Id::from(EventIndex(7));
        let layout = Id::from(tiketi_engine::ids::LayoutIndex(7));
        for (payload, expected) in [
            (json!({"eventId": event}), Some(EventIndex(7))),
            (json!({"eventId": event, "more": 1}), Some(EventIndex(7))),
            (json!({"eventId": layout}), None),
            (json!({"eventId": "7"}), None),
            (json!({"eventId": 7}), None),
            (json!({"eventId": null}), None),
            (json!({}), None),
            (json!([event]), None),
            (json!("x"), None),
            (Value::Null, None),
        ] {
            assert_eq!(event_of(&payload), expected, "{payload}");
        }
    }

    #[test]
    fn events_are_byte_exact() {
        let payload = json!({"message": "대기열이 비었어요."});
        let frame = event("queue-cleared", &payload);
        let text = "42[\"queue-cleared\",{\"message\":\"대기열이 비었어요.\"}]";
        assert_eq!(&frame[..2], &[0x81, text.len() as u8]);
        assert_eq!(&frame[2..], text.as_bytes());
    }
}
