//! A keep-alive client that costs little: one thread, requests made ahead, answers only measured.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// What a run came to.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) answers: u64,
    /// Answers whose status is not 2xx.
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    /// Bytes of the last answer's body.
    pub(crate) body_bytes: usize,
}

impl Load {
    pub(crate) fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// Keeps `connections` busy for `duration`: the next request goes out when the answer is in.
///
/// `next(connection, request)` writes the next request of a connection, or nothing to end it.
pub(crate) fn load(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    next: impl FnMut(usize, &mut Vec<u8>) + 'static,
) -> anyhow::Result<Load> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let next = Rc::new(RefCell::new(next));
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let started = Instant::now();
        let until = started + duration;
        let tasks: Vec<_> = streams
            .into_iter()
            .enumerate()
            .map(|(number, stream)| {
                let next = Rc::clone(&next);
                tokio::task::spawn_local(async move {
                    let write = move |request: &mut Vec<u8>| (next.borrow_mut())(number, request);
                    drive(stream, until, write).await
                })
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
    mut stream: TcpStream,
    until: Instant,
    mut next: impl FnMut(&mut Vec<u8>),
) -> anyhow::Result<Load> {
    let mut load = Load::default();
    let (mut request, mut answer) = (Vec::new(), vec![0; 16 * 1024]);
    while Instant::now() < until {
        request.clear();
        next(&mut request);
        if request.is_empty() {
            break;
        }
        stream.write_all(&request).await?;
        let (status, body_bytes) = read_answer(&mut stream, &mut answer).await?;
        load.answers += 1;
        load.refused += u64::from(!(200..300).contains(&status));
        load.body_bytes = body_bytes;
    }
    Ok(load)
}

/// Reads one answer with a content length; its status and the length of its body.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<(u16, usize)> {
    let mut filled = 0;
    let (head, status, body) = loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        filled += read;
        if let Some(head) = find(&buffer[..filled], b"\r\n\r\n") {
            let text = std::str::from_utf8(&buffer[..head])?;
            let status = text.get(9..12).context("no status")?.parse()?;
            let length = text
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(Ok(0), |(_, value)| value.trim().parse())?;
            break (head + 4, status, length);
        }
        anyhow::ensure!(filled < buffer.len(), "the answer's head is too long");
    };
    let mut left = (head + body).saturating_sub(filled);
    while left > 0 {
        let room = left.min(buffer.len());
        let read = stream.read(&mut buffer[..room]).await?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        left -= read;
    }
    Ok((status, body))
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
