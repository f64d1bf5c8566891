//! Accepts connections and takes each request through the same steps: route, caller, rate, body,
//! handler, answer.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioTimer;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tiketi_engine::ids::{UnixMillis, UserId};
use tokio::net::{TcpListener, TcpStream};
use tracing::{error, info, warn};

use crate::access_log::Entry;
use crate::app::App;
use crate::audit;
use crate::auth::{self, Caller};
use crate::compression::Encoding;
use crate::connections::{Connections, Place};
use crate::cors;
use crate::doors;
use crate::error::Allowance;
use crate::error::{ApiError, Code};
use crate::fanout::{self, Handshake};
use crate::http::{Request, Response, body};
use crate::payments::sandbox::Simulator;
use crate::payments::{STRIPE_SANDBOX_PATH, TOSS_SANDBOX_PATH};
use crate::rate_limit::RateClass;
use crate::request_id::X_REQUEST_ID;
use crate::routes::{HandlerFuture, Match, ROUTES, Verb};
use crate::stream::Stream;

/// Connections that wait in the kernel until they are accepted.
const BACKLOG: i32 = 4096;
/// Also how long a connection may be silent before, between and after requests.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(5);
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// After a failed accept, most often for want of file descriptors.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(50);

/// Listens on `address`.
///
/// # Errors
/// What the system says, such as that the address is in use.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections until `stop` is done; those that are open go on.
pub(crate) async fn accept(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let room = app.connections.room().await?;
            Some((listener.accept().await, room))
        };
        let next = tokio::select! {
            biased;
            () = &mut stop => return,
            next = next => next,
        };
        // The room is never closed.
        let Some((accepted, room)) = next else { return };
        match accepted {
            Ok((socket, peer)) => {
                let address = peer.ip().to_canonical();
                let is_shared = app.config.trusted_proxies.contains(address);
                if let Some(place) = app.connections.place(address, is_shared, room) {
                    open(&app, socket, place);
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

/// Errors of the connection that would have been accepted, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn open(app: &Arc<App>, socket: TcpStream, place: Place) {
    // A socket that refuses is closed by its first read.
    let _ = socket.set_nodelay(true);
    let connections: Arc<Connections> = Arc::clone(&app.connections);
    let id = place.id();
    let task = tokio::spawn(connection(Arc::clone(app), socket, place));
    connections.set_abort(id, task.abort_handle());
}

/// Serves one connection until it is closed, or drained.
async fn connection(app: Arc<App>, socket: TcpStream, place: Place) {
    let lingers = Arc::new(AtomicBool::new(false));
    let handshake = Arc::new(Mutex::new(None));
    let address = place.address;
    let service = {
        let (app, lingers) = (Arc::clone(&app), Arc::clone(&lingers));
        let handshake = Arc::clone(&handshake);
        service_fn(move |request| {
            let (app, lingers) = (Arc::clone(&app), Arc::clone(&lingers));
            let handshake = Arc::clone(&handshake);
            async move {
                let origin = Origin { address, lingers: &lingers, handshake: &handshake };
                // In development alone. A switch of them may drop the connection.
                let path = request.uri().path();
                if let Some(toss) = app.payments.toss_sandbox()
                    && path.starts_with(TOSS_SANDBOX_PATH)
                {
                    return toss.answer(request).await;
                }
                if let Some(stripe) = app.payments.stripe_sandbox()
                    && path.starts_with(STRIPE_SANDBOX_PATH)
                {
                    return stripe.answer(request).await;
                }
                Ok(answer(&app, request, origin).await)
            }
        })
    };
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(Stream::new(socket, Arc::clone(&app), address, lingers), service)
            .with_upgrades()
    );
    let mut is_watched = false;
    let mut is_told = false;
    // How it ended says only what the peer did; a refusal is counted where it is made.
    let _ = poll_fn(|cx| {
        let is_draining = match is_watched {
            true => place.is_draining(),
            false => place.wake_when_draining(cx.waker()),
        };
        is_watched = true;
        if is_draining && !is_told {
            connection.as_mut().graceful_shutdown();
            is_told = true;
        }
        connection.as_mut().poll(cx)
    })
    .await;
    let handshake = handshake.lock().take();
    if let Some(handshake) = handshake {
        // A task of its own: this one's is as large as hyper, and sockets stay for hours.
        let connections = Arc::clone(&app.connections);
        let id = place.id();
        let task = tokio::spawn(fanout::serve(app, *handshake, place));
        connections.set_abort(id, task.abort_handle());
    }
}

/// What a request has from its connection.
#[derive(Clone, Copy)]
struct Origin<'c> {
    /// Of the peer; once the headers are read, of whoever it speaks for.
    address: IpAddr,
    /// See [`Stream::new`].
    lingers: &'c AtomicBool,
    /// Where an answer leaves what the connection is to become.
    handshake: &'c Mutex<Option<Box<Handshake>>>,
}

/// What was found out about a request on its way, whatever became of it.
#[derive(Default)]
struct Seen {
    user: Option<UserId>,
    allowance: Option<Allowance>,
}

/// One request, whatever happens.
async fn answer(
    app: &Arc<App>,
    request: hyper::Request<Incoming>,
    origin: Origin<'_>,
) -> hyper::Response<Full<Bytes>> {
    let started = Instant::now();
    let address = app.config.trusted_proxies.client(origin.address, request.headers());
    let origin = Origin { address, ..origin };
    app.metrics.requests_active.inc();
    // Given back also where the caller hangs up and this future is dropped.
    let _active = Active(app);
    let method = request.method().clone();
    let preferred = Encoding::preferred(request.headers());
    let found = app.router.find(&method, request.uri().path());
    let position = match found {
        Match::Found(position, _) => Some(position),
        Match::OtherMethod(_) | Match::Unknown => None,
    };
    let id = app.request_ids.of(request.headers());
    let uri = app.access_log.is_on().then(|| request.uri().clone());
    let now = app.clock.at(started);
    let mut seen = Seen::default();
    let mut response = match carry_out(app, request, found, now, origin, &mut seen).await {
        Ok(response) => response,
        Err(error) => refuse(error, position, &id),
    };
    if let Some(handshake) = response.take_handshake() {
        *origin.handshake.lock() = Some(handshake);
    }
    let response = response.with_allowance(seen.allowance).header(X_REQUEST_ID, id.clone());
    let is_behind_tls = app.config.is_behind_tls();
    let response = response.finish(preferred, &app.compressor, is_behind_tls).await;
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.metrics.answered(position, &method, status, took);
    if let Some(uri) = uri {
        app.access_log.write(&Entry {
            at: now,
            method: method.as_str(),
            route: position.map(|position| ROUTES[position].template),
            path: uri.path(),
            status,
            took,
            bytes: response.body().size_hint().lower(),
            user: seen.user,
            request_id: &id,
            address: origin.address,
        });
    }
    response
}

struct Active<'a>(&'a App);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.metrics.requests_active.dec();
    }
}

/// The steps, cheapest first. What is refused before its body is read leaves the body to `lingers`.
async fn carry_out(
    app: &Arc<App>,
    request: hyper::Request<Incoming>,
    found: Match,
    now: UnixMillis,
    Origin { address, lingers, .. }: Origin<'_>,
    seen: &mut Seen,
) -> Result<Response, ApiError> {
    let (parts, incoming) = request.into_parts();
    if parts.method == Method::OPTIONS {
        let preflight = cors::preflight(&parts.headers);
        return Ok(match cors::is_of_socket_io(parts.uri.path()) {
            true => cors::for_frontend(preflight, &app.config.frontend_url),
            false => preflight,
        });
    }
    let has_body = !incoming.is_end_stream();
    let unread = |error| {
        lingers.store(has_body, Ordering::Relaxed);
        error
    };
    let (position, params) = match found {
        Match::Found(position, params) => (position, params),
        Match::OtherMethod(methods) => {
            seen.allowance = app.limits.check(RateClass::Other, None, address).map_err(unread)?;
            return Err(unread(ApiError::new(Code::MethodNotAllowed).allow(methods)));
        }
        Match::Unknown => {
            seen.allowance = app.limits.check(RateClass::Other, None, address).map_err(unread)?;
            return Err(unread(ApiError::new(Code::NotFound)));
        }
    };
    let route = &ROUTES[position];
    let caller = auth::identify(app, &parts.headers, now);
    seen.user = caller.as_ref().ok().map(|caller| caller.user);
    let user = seen.user.map(|user| user.index);
    seen.allowance = app.limits.check(route.rate, user, address).map_err(unread)?;
    let caller = auth::admit(route.access, caller).map_err(unread)?;
    let bytes = body::read(&parts.headers, incoming, route.body_bytes_max).await.map_err(unread)?;
    let mut request = Request::new(route, params, parts, now).with_body(bytes);
    request.caller = caller;
    doors::check(position, &request)?;
    let administrator = caller.filter(Caller::is_admin);
    let work = async {
        if let (Some(administrator), true) = (administrator, route.verb != Verb::Get) {
            return audit::carry_out(app, request, administrator.user.index).await;
        }
        if route.verb == Verb::Get && route.rate != RateClass::Unlimited {
            app.catch_up(request.min_lsn()?).await?;
        }
        guarded((route.handler)(app, &request)).await
    };
    match tokio::time::timeout(app.config.request_timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::new(Code::Timeout)),
    }
}

/// A panic becomes an error: one broken request must not close a connection that others share
/// (a proxy's). A panic past an append ends the process elsewhere (I9).
pub(crate) async fn guarded(mut handler: HandlerFuture<'_>) -> Result<Response, ApiError> {
    poll_fn(move |cx| {
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(poll) => poll,
            // The panic hook has written what and where.
            Err(_) => Poll::Ready(Err(ApiError::new(Code::Internal).cause("the handler panicked"))),
        }
    })
    .await
}

/// The answer to a refused request, and a line of the log to find by its id.
fn refuse(error: ApiError, position: Option<usize>, id: &HeaderValue) -> Response {
    let id = id.to_str().unwrap_or("-");
    let route =
        position.and_then(|position| ROUTES.get(position)).map_or("-", |route| route.template);
    let status = error.status();
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => error!(id, route, cause = %error, "request failed"),
        _ if status.is_server_error() => warn!(id, route, cause = %error, "request not served"),
        // Callers' mistakes are not news, except for whoever looks for one.
        _ if error.private_cause().is_some() => {
            tracing::debug!(id, route, cause = %error, "request refused");
        }
        _ => {}
    }
    Response::from(error)
}

/// Closes the open connections: those in flight may finish within `grace`.
pub(crate) async fn drain(connections: &Connections, grace: Duration) {
    connections.drain();
    let open = connections.count();
    if tokio::time::timeout(grace, connections.all_closed()).await.is_err() {
        let left = connections.abort_all();
        warn!(left, "connections ended by force after the grace period");
    } else {
        info!(open, "connections closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_answer() {
        let error = guarded(Box::pin(async { panic!("on purpose") })).await.err();
        assert_eq!(error.map(|error| error.code()), Some(Code::Internal));
        let response = guarded(Box::pin(async { Ok(Response::empty(StatusCode::OK)) })).await;
        assert!(response.is_ok_and(|response| response.status == StatusCode::OK));
    }
}
