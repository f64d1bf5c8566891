//! A provider that answers what a test tells it to, over real HTTP.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Answer {
    Json(u16, Value),
    Html(u16, &'static str),
    /// Closes the connection without a word.
    Reset,
    /// Says nothing.
    Silence,
    /// Begins to answer and stops in the middle.
    HalfABody,
    /// More than any payment, with its length announced or not.
    Huge {
        is_announced: bool,
    },
    Redirect(String),
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// The server; the last answer of the script is repeated.
pub(crate) struct Scripted {
    pub(crate) base_url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Scripted {
    pub(crate) async fn start(script: impl Into<Vec<Answer>>) -> Self {
        let script: Vec<Answer> = script.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (all, script) = (Arc::clone(&heard), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, script) = (Arc::clone(&all), Arc::clone(&script));
                let service = service_fn(move |request| {
                    answer(Arc::clone(&heard), Arc::clone(&script), request)
                });
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(serving);
            }
        });
        Scripted { base_url, heard }
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().clone()
    }
}

async fn answer(
    heard: Arc<Mutex<Vec<Heard>>>,
    script: Arc<Vec<Answer>>,
    request: Request<Incoming>,
) -> io::Result<Response<Scribble>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let request = Heard {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).map_err(io::Error::other)?,
    };
    let turn = {
        let mut all = heard.lock();
        all.push(request);
        (all.len() - 1).min(script.len() - 1)
    };
    let response = Response::builder()
        .header("x-tosspayments-trace-id", "trace-1")
        .header("request-id", "req_1");
    let json = response.header("content-type", "application/json");
    let response = match script[turn].clone() {
        Answer::Json(status, body) => json.status(status).body(Scribble::whole(body.to_string())),
        Answer::Html(status, body) => {
            json.header("content-type", "text/html").status(status).body(Scribble::whole(body))
        }
        Answer::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
        Answer::Silence => std::future::pending().await,
        Answer::HalfABody => json.body(Scribble { rest: vec!["{\"status\":".into()], ends: false }),
        Answer::Huge { is_announced: true } => json.body(Scribble::whole(" ".repeat(300 << 10))),
        Answer::Huge { is_announced: false } => {
            json.body(Scribble { rest: vec![" ".repeat(100 << 10).into(); 3], ends: true })
        }
        Answer::Redirect(to) => json.status(302).header("location", to).body(Scribble::whole("")),
    };
    response.map_err(io::Error::other)
}

/// A body in pieces, that may never end.
struct Scribble {
    rest: Vec<Bytes>,
    ends: bool,
}

impl Scribble {
    fn whole(text: impl Into<Bytes>) -> Self {
        Scribble { rest: vec![text.into()], ends: true }
    }
}

impl Body for Scribble {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.rest.pop() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match (self.rest.as_slice(), self.ends) {
            ([only], true) => hyper::body::SizeHint::with_exact(only.len() as u64),
            _ => hyper::body::SizeHint::default(),
        }
    }
}
