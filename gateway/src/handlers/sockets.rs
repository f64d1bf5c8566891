//! Handshakes: where a connection becomes a socket, or is told why it does not.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;
use tiketi_engine::ids::ExternalId;
use utoipa::ToSchema;

use crate::api::Id;
use crate::app::App;
use crate::cors;
use crate::error::{ApiError, Code};
use crate::fanout::{Dialect, Encoding, Handshake, MapRoom};
use crate::http::{Request, Response};
use crate::routes::Verb;

const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");

/// `/socket.io/?EIO=4&transport=websocket`, by any method that the legacy knew.
pub(crate) async fn socket_io(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    if let Some(refusal) = Refusal::of(request) {
        return Ok(refusal.response(app));
    }
    take_sockets(app)?;
    match request.upgrade() {
        Some((answer, upgrade)) => {
            let handshake = Handshake { upgrade, dialect: Dialect::SocketIo };
            Ok(Response::switching(&answer, handshake))
        }
        None => Ok(Refusal::BAD_REQUEST.response(app)),
    }
}

/// `GET /ws?event=…`.
pub(crate) async fn map(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let id = request.parameter("event")?.unwrap_or_default();
    let id = Id::parse(&id).ok_or_else(|| ApiError::new(Code::BadId))?;
    let Some(ExternalId::Event(event)) = ExternalId::decode(id.0) else {
        return Err(ApiError::new(Code::NotFound));
    };
    if app.plan(event).is_none() {
        return Err(ApiError::new(Code::NotFound));
    }
    let asked = request.protocols().collect::<Vec<_>>();
    let chosen = asked.iter().find_map(|name| Some((*name, Encoding::named(name)?)));
    if chosen.is_none() && !asked.is_empty() {
        return Err(ApiError::new(Code::Validation).cause("no sub-protocol of ours"));
    }
    take_sockets(app)?;
    let Some((answer, upgrade)) = request.upgrade() else {
        return Err(ApiError::new(Code::Validation).cause("not a WebSocket handshake"));
    };
    let encoding = chosen.map_or(Encoding::Json, |(_, encoding)| encoding);
    let handshake = Handshake { upgrade, dialect: Dialect::Map(MapRoom { event, encoding }) };
    let response = Response::switching(&answer, handshake);
    Ok(match chosen.and_then(|(name, _)| HeaderValue::from_str(name).ok()) {
        Some(name) => response.header(PROTOCOL, name),
        None => response,
    })
}

/// Nobody becomes a socket of a server that is about to end.
fn take_sockets(app: &App) -> Result<(), ApiError> {
    match app.is_draining() || app.is_poisoned() {
        true => Err(ApiError::new(Code::Unavailable).cause("no new sockets")),
        false => Ok(()),
    }
}

/// Engine.IO's own refusals (contract/socket.md 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EngineIoRefusal)]
pub(crate) struct Refusal {
    /// Engine.IO's own.
    code: u8,
    message: &'static str,
}

impl Refusal {
    const BAD_REQUEST: Refusal = Refusal { code: 3, message: "Bad request" };

    /// In the order in which Engine.IO looks.
    fn of(request: &Request) -> Option<Refusal> {
        let parameter = |name| request.parameter(name).ok().flatten();
        if parameter("transport").as_deref() != Some("websocket") {
            return Some(Refusal { code: 0, message: "Transport unknown" });
        }
        // Sessions begin with a socket and end with it: none is ever known.
        if parameter("sid").is_some() {
            return Some(Refusal { code: 1, message: "Session ID unknown" });
        }
        if request.route.verb != Verb::Get {
            return Some(Refusal { code: 2, message: "Bad handshake method" });
        }
        if parameter("EIO").as_deref() != Some("4") {
            return Some(Refusal { code: 5, message: "Unsupported protocol version" });
        }
        None
    }

    fn response(self, app: &App) -> Response {
        cors::for_frontend(Response::json(StatusCode::BAD_REQUEST, &self), &app.config.frontend_url)
    }
}
