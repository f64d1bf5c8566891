//! Sockets: live seat maps, ticket counts and whatever else is pushed to people who look.
//!
//! [`hub`] follows the commit stream and publishes to rooms, [`feed`] is one event's rooms and what
//! their members have missed, [`client`] a socket's bounded queue, [`socket`] a connection after its
//! upgrade, [`frames`] the bytes on it. Two dialects: [`socketio`] for the web frontend and [`map`]
//! for anybody who wants little more than bits. [`line`] is where the waiting room comes in,
//! and [`admissions`] what administrators are told of it.

mod admissions;
mod client;
mod feed;
mod frames;
mod hub;
pub(crate) mod line;
mod map;
mod socket;
mod socketio;

use std::sync::Arc;

use fastwebsockets::upgrade::UpgradeFut;
use tracing::debug;

use crate::app::App;
use crate::connections::Place;
use crate::fanout::hub::Presence;
use crate::fanout::socket::Socket;

pub(crate) use crate::fanout::hub::{Hub, follow};
pub(crate) use crate::fanout::map::{Encoding, MapRoom};

/// A connection that is about to become a socket: its answer is on the way.
pub(crate) struct Handshake {
    /// Done once the answer is sent.
    pub(crate) upgrade: UpgradeFut,
    pub(crate) dialect: Dialect,
}

/// What is spoken on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    SocketIo,
    Map(MapRoom),
}

impl Dialect {
    /// The label of metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Dialect::SocketIo => "socket.io",
            Dialect::Map(_) => "ws",
        }
    }
}

/// Serves a socket until it ends; its connection's place goes with it.
pub(crate) async fn serve(app: Arc<App>, handshake: Handshake, place: Place) {
    let Handshake { upgrade, dialect } = handshake;
    let presence = Presence::new(&app, dialect);
    let mut socket = match Socket::open(upgrade, &presence, place).await {
        Ok(socket) => socket,
        Err(error) => {
            debug!(%error, "a connection was gone before it became a socket");
            return;
        }
    };
    let ending = match dialect {
        Dialect::SocketIo => socketio::serve(&presence, &mut socket).await,
        Dialect::Map(room) => map::serve(&presence, &mut socket, room).await,
    };
    app.metrics.sockets.closed(ending.reason);
    // Rooms are left at once; the peer may take its time to say goodbye.
    drop(presence);
    socket.close(ending).await;
}
