//! Where the waiting room meets the sockets.
//!
//! The hub knows who is in the room `queue:{event}` and whose sockets they are; what is said there,
//! and when, is the waiting room's to decide. Until it is built nobody is told anything.
#![allow(dead_code, reason = "the waiting room calls these; it comes after the sockets")]

use bytes::Bytes;
use serde::Serialize;
use tiketi_engine::ids::{EventIndex, UserId, UserIndex};

use crate::app::App;
use crate::fanout::hub::Room;
use crate::fanout::socketio;

/// What a socket that has just joined `queue:{event}` is told at once: `queue-entry-allowed` where this
/// user is admitted already (contract/socket.md 5), made by [`event`]. It is in the room by then, so
/// an admission that comes meanwhile reaches it in any case.
pub(crate) async fn joined(_app: &App, _event: EventIndex, _user: UserId) -> Option<Bytes> {
    None
}

/// An event of the Socket.IO dialect, framed.
pub(crate) fn event(name: &str, payload: &impl Serialize) -> Bytes {
    socketio::event(name, payload)
}

/// Tells everybody in `queue:{event}`: `queue-updated`, `queue-cleared`. Whoever cannot take it is
/// closed and comes back.
pub(crate) fn tell_everybody(
    app: &App,
    event: EventIndex,
    name: &'static str,
    payload: &impl Serialize,
) {
    app.hub.to_room(app, Room::Queue(event), name, &self::event(name, payload));
}

/// Tells the sockets of one user that are in `queue:{event}`, and nobody else's: `queue-entry-allowed`.
/// Nobody's business but theirs: any client that gets it goes in.
pub(crate) fn tell_user(
    app: &App,
    event: EventIndex,
    user: UserIndex,
    name: &'static str,
    payload: &impl Serialize,
) {
    app.hub.to_user(app, event, user, name, &self::event(name, payload));
}

/// How many sockets are in `queue:{event}`.
pub(crate) fn members(app: &App, event: EventIndex) -> usize {
    app.hub.members(Room::Queue(event))
}

/// Whether a user has a socket in `queue:{event}` or `seats:{event}`: a sign of life.
pub(crate) fn is_present(app: &App, event: EventIndex, user: UserIndex) -> bool {
    app.hub.is_in_any(user, &[Room::Queue(event), Room::Seats(event)])
}
