//! A merchant's webhook endpoint, for tests: it keeps what it gets and answers as it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::PATIENCE;

/// One webhook as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: Bytes,
}

impl Webhook {
    pub(crate) fn header(&self, name: &str) -> &str {
        let name = format!("tosspayments-webhook-transmission-{name}");
        self.headers[&name].to_str().expect("header")
    }

    /// `eventType`, or nothing for a flat `DEPOSIT_CALLBACK`.
    pub(crate) fn event(&self) -> &str {
        self.body["eventType"].as_str().unwrap_or_default()
    }

    /// The status it tells, wherever it stands.
    pub(crate) fn status(&self) -> &str {
        let data = if self.event().is_empty() { &self.body } else { &self.body["data"] };
        data["status"].as_str().expect("status")
    }
}

/// The endpoint.
pub(crate) struct Receiver {
    pub(crate) url: String,
    arrived: mpsc::UnboundedReceiver<Webhook>,
    answers: Arc<AtomicU16>,
}

impl Receiver {
    /// One that answers 200.
    pub(crate) async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let url = format!("http://{}/webhooks", listener.local_addr().expect("address"));
        let (sender, arrived) = mpsc::unbounded_channel();
        let answers = Arc::new(AtomicU16::new(200));
        let status = Arc::clone(&answers);
        tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else { return };
                let (sender, status) = (sender.clone(), Arc::clone(&status));
                let service = service_fn(move |request| {
                    take(request, sender.clone(), status.load(Ordering::SeqCst))
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
        Receiver { url, arrived, answers }
    }

    /// Answers with another status from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.answers.store(status, Ordering::SeqCst);
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Webhook {
        let next = tokio::time::timeout(PATIENCE, self.arrived.recv()).await;
        next.expect("a webhook in time").expect("receiver")
    }

    /// The next `count`, in the order of their arrival.
    pub(crate) async fn take(&mut self, count: usize) -> VecDeque<Webhook> {
        let mut taken = VecDeque::new();
        while taken.len() < count {
            taken.push_back(self.next().await);
        }
        taken
    }

    /// Whether something has arrived that nobody took.
    pub(crate) fn has_more(&mut self) -> bool {
        self.arrived.try_recv().is_ok()
    }
}

async fn take(
    request: Request<Incoming>,
    sender: mpsc::UnboundedSender<Webhook>,
    status: u16,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.expect("body").to_bytes();
    let body = serde_json::from_slice(&bytes).expect("JSON");
    let _ = sender.send(Webhook { headers: parts.headers, body, bytes });
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::from_u16(status).expect("status");
    Ok(response)
}
