//! HTTP: routes a request below the base path, and serves a sandbox on a listener of its own.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::CONTENT_LENGTH;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::reply::{Reply, Request};
use super::{Sandbox, calls, control, window};

/// The largest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A body that takes longer to arrive is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Also how long a connection may be silent.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// Connections at a time; more wait in the kernel.
const CONNECTIONS_MAX: usize = 4_096;
/// After a failed accept, most often for want of file descriptors.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(50);

/// The connection is to end without an answer: a switch says so. A hyper service returns it as its
/// error, upon which hyper closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox drops this connection without an answer")]
pub struct Dropped;

/// Something that stands in for a provider's server.
pub trait Simulator: Clone + Send + Sync + 'static {
    /// Answers a request. The path begins with the base URL's path, or is relative to it. A body over
    /// 64 KiB is refused unread.
    ///
    /// # Errors
    /// [`Dropped`] where a switch lets the connection end without an answer.
    ///
    /// # Cancel safety
    /// What was asked for is done or not done; a delayed call goes on.
    fn answer<B>(
        &self,
        request: hyper::Request<B>,
    ) -> impl Future<Output = Result<hyper::Response<Full<Bytes>>, Dropped>> + Send
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>;
}

impl Simulator for Sandbox {
    async fn answer<B>(
        &self,
        request: hyper::Request<B>,
    ) -> Result<hyper::Response<Full<Bytes>>, Dropped>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        match receive(request, &self.shared.base_path).await {
            Ok(request) => Ok(self.route(&request).await?.finish()),
            Err(status) => Ok(Reply::failure(status, "BODY", "no such body").finish()),
        }
    }
}

impl Sandbox {
    async fn route(&self, request: &Request) -> Result<Reply, Dropped> {
        let shared = &self.shared;
        match (&request.method, request.segments().as_slice()) {
            (&Method::GET, ["window"]) => Ok(window::show(shared, request)),
            (&Method::POST, ["window"]) => Ok(window::choose(shared, request)),
            (&Method::GET, ["v1", "payments", key, "checkout"] | ["receipts", key]) => {
                Ok(window::receipt(shared, key))
            }
            (_, ["sandbox", name]) => Ok(control::answer(shared, request, name)),
            (_, ["v1", ..]) => calls::answer(shared, request).await,
            _ => Ok(unknown()),
        }
    }
}

/// The answer where there is nothing.
pub(super) fn unknown() -> Reply {
    Reply::failure(StatusCode::NOT_FOUND, "NOT_FOUND", "존재하지 않는 주소입니다.")
}

/// The whole request, its path below `base_path`.
///
/// # Errors
/// The status to refuse it with.
pub(super) async fn receive<B>(
    request: hyper::Request<B>,
    base_path: &str,
) -> Result<Request, StatusCode>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body).await?;
    let path = parts.uri.path();
    let path = path.strip_prefix(base_path).unwrap_or(path);
    Ok(Request {
        path: path.trim_start_matches('/').to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body,
    })
}

async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, StatusCode>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > BODY_BYTES_MAX as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let collect = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, collect).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Serves a simulator on a listener of its own until `shutdown` is done; connections then end.
pub async fn serve(
    listener: TcpListener,
    simulator: impl Simulator,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(connection(simulator.clone(), socket));
                }
                Err(_) => tokio::time::sleep(ACCEPT_BACK_OFF).await,
            },
        }
    }
}

async fn connection(simulator: impl Simulator, socket: TcpStream) {
    // A socket that refuses is closed by its first read.
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| simulator.answer(request));
    // How it ended says what the peer did, or that it was dropped as a switch said.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service)
        .await;
}
