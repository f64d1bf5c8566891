//! An HTTP/1.1 client for one server, with as little between a request and its answer as there can
//! be: requests are prepared bytes, a connection is used by one request at a time and kept, and
//! nobody but the caller touches it.

mod connection;
mod dial;
mod head;
mod pool;

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;

pub(crate) use crate::http::dial::Dialer;
use crate::http::pool::{Lease, Pool};

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// Nothing was sent.
    #[error("no connection to the server")]
    Unreachable,
    /// Nothing was sent, and the run cannot go on.
    #[error("no local port is left: ask for fewer connections or more --sources")]
    NoPort,
    /// Nothing was sent, and the run cannot go on.
    #[error("no file descriptor is left: raise RLIMIT_NOFILE (ulimit -n)")]
    NoFile,
    /// What was asked for may have been done.
    #[error("no answer in time")]
    Late,
    /// What was asked for may have been done.
    #[error("the server closed the connection instead of answering")]
    Cut,
    /// This is no server of ours.
    #[error("the server answers nonsense: {0}")]
    Nonsense(&'static str),
}

impl Broken {
    /// As it is counted.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Broken::Unreachable => "unreachable",
            Broken::NoPort => "no port",
            Broken::NoFile => "no file descriptor",
            Broken::Late => "timeout",
            Broken::Cut => "cut off",
            Broken::Nonsense(_) => "nonsense",
        }
    }

    /// Whether the run is worth nothing from here on.
    pub(crate) fn ends_the_run(self) -> bool {
        match self {
            Broken::NoPort | Broken::NoFile | Broken::Nonsense(_) => true,
            Broken::Unreachable | Broken::Late | Broken::Cut => false,
        }
    }
}

/// A request but for the token and the body.
pub(crate) struct Route {
    head: Box<str>,
}

/// An answer; its connection is free for the next request once this is dropped.
pub(crate) struct Answer {
    lease: Lease,
    pub(crate) status: u16,
}

impl Answer {
    pub(crate) fn body(&self) -> &[u8] {
        self.lease.body()
    }

    /// # Errors
    /// The body is something else.
    pub(crate) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.body())
    }
}

/// A client of one server; not shared between threads.
pub(crate) struct Client {
    pool: Rc<Pool>,
    host: String,
    timeout: Duration,
}

impl Client {
    pub(crate) fn new(
        dialer: Rc<Dialer>,
        host: &str,
        connections: u32,
        timeout: Duration,
    ) -> Client {
        Client { pool: Pool::new(dialer, connections as usize), host: host.to_owned(), timeout }
    }

    /// Prepares a request. `path` begins with a slash.
    pub(crate) fn route(&self, method: &str, path: &str) -> Route {
        let kind = if method == "GET" { "" } else { "content-type: application/json\r\n" };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{kind}", self.host);
        Route { head: head.into() }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// See [`Broken`].
    ///
    /// # Cancel safety
    /// The connection is closed.
    pub(crate) async fn send(
        &self,
        route: &Route,
        token: &str,
        body: &str,
    ) -> Result<Answer, Broken> {
        self.send_within(self.timeout, route, token, body).await
    }

    /// The same, for what may take longer.
    ///
    /// # Errors
    /// See [`Broken`].
    pub(crate) async fn send_within(
        &self,
        timeout: Duration,
        route: &Route,
        token: &str,
        body: &str,
    ) -> Result<Answer, Broken> {
        let deadline = Instant::now() + timeout;
        let exchange = async {
            let mut lease = self.pool.lease().await?;
            let connection = lease.connection();
            connection.prepare(&route.head, token, body);
            let status = connection.exchange().await?;
            Ok(Answer { lease, status })
        };
        match tokio::time::timeout_at(deadline.into(), exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Broken::Late),
        }
    }
}
