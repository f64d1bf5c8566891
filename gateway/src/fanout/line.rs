//! Where the waiting room meets the sockets.
//!
//! The room `queue:{event}` has members, and [`Hub::to_room`] and [`Hub::to_user`] reach them; what is
//! said there is the waiting room's to decide. Until it is built nobody is told anything.

use bytes::Bytes;
use serde::Serialize;
use tiketi_engine::ids::{EventIndex, UserId};

use crate::app::App;
use crate::fanout::socketio;

#[allow(unused_imports, reason = "named by the module's description")]
use crate::fanout::hub::Hub;

/// What a socket that has just joined `queue:{event}` is told at once: `queue-entry-allowed` where this
/// user is admitted already (contract/socket.md 5). It is in the room by then, so an admission that
/// comes meanwhile reaches it in any case.
pub(crate) async fn joined(_app: &App, _event: EventIndex, _user: UserId) -> Option<Bytes> {
    None
}

/// An event of the Socket.IO dialect, framed, for [`Hub::to_room`] and [`Hub::to_user`].
#[allow(dead_code, reason = "the waiting room's events come with it")]
pub(crate) fn event(name: &str, payload: &impl Serialize) -> Bytes {
    socketio::event(name, payload)
}
