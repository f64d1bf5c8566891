//! The client of every HTTP row: hyper's own, one thread, keep-alive, each connection's next request
//! when the answer to the last is in.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// What a run came to.
#[derive(Default)]
pub struct Load {
    pub answers: u64,
    /// Answers whose status is not 2xx.
    pub refused: u64,
    pub seconds: f64,
    /// Bytes of the last answer's body.
    pub body_bytes: usize,
}

impl Load {
    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// Keeps `connections` busy for `duration`. `next` makes the next request, or `None` to end a
/// connection.
pub fn load(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    next: impl FnMut() -> Option<Request<Full<Bytes>>> + 'static,
) -> anyhow::Result<Load> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let next = Rc::new(RefCell::new(next));
    LocalSet::new().block_on(&runtime, async {
        let mut senders = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            senders.push(sender);
        }
        let started = Instant::now();
        let until = started + duration;
        let tasks: Vec<_> = senders
            .into_iter()
            .map(|sender| {
                let next = Rc::clone(&next);
                let next = move || (next.borrow_mut())();
                tokio::task::spawn_local(drive(sender, until, next))
            })
            .collect();
        let mut total = Load::default();
        for task in tasks {
            let load = task.await??;
            total.answers += load.answers;
            total.refused += load.refused;
            total.body_bytes = load.body_bytes.max(total.body_bytes);
        }
        total.seconds = started.elapsed().as_secs_f64();
        Ok(total)
    })
}

async fn drive(
    mut sender: SendRequest<Full<Bytes>>,
    until: Instant,
    mut next: impl FnMut() -> Option<Request<Full<Bytes>>>,
) -> anyhow::Result<Load> {
    let mut load = Load::default();
    while Instant::now() < until {
        let Some(request) = next() else { break };
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        load.answers += 1;
        load.refused += u64::from(!answer.status().is_success());
        load.body_bytes = answer.into_body().collect().await?.to_bytes().len();
    }
    Ok(load)
}
