//! Between people and the server: every connection goes through here, so that it can be cut or
//! slowed, and so that the server may come back at another port.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

const BUFFER_BYTES: usize = 16 << 10;
/// A slow connection passes so many bytes at a time, after so long.
const TRICKLE_BYTES: usize = 512;
const TRICKLE: Duration = Duration::from_millis(20);

/// A relay on this machine, of the thread's [`tokio::task::LocalSet`].
pub(crate) struct Relay {
    address: SocketAddr,
    shared: Rc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    /// `None` while there is no server: who comes is turned away.
    server: Cell<Option<SocketAddr>>,
    is_slow: Cell<bool>,
    connections: RefCell<JoinSet<()>>,
}

impl Relay {
    /// # Errors
    /// There is no free port.
    pub(crate) async fn start() -> io::Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Rc::new(Shared {
            server: Cell::new(None),
            is_slow: Cell::new(false),
            connections: RefCell::default(),
        });
        let accepting = tokio::task::spawn_local(accept(listener, Rc::clone(&shared)));
        Ok(Relay { address, shared, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the server is from now on.
    pub(crate) fn lead_to(&self, server: Option<SocketAddr>) {
        self.shared.server.set(server);
    }

    pub(crate) fn set_slow(&self, is_slow: bool) {
        self.shared.is_slow.set(is_slow);
    }

    /// Closes every connection.
    pub(crate) fn cut(&self) {
        self.shared.connections.borrow_mut().abort_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Rc<Shared>) {
    loop {
        let Ok((people, _)) = listener.accept().await else {
            // Too many files, for a moment.
            tokio::time::sleep(TRICKLE).await;
            continue;
        };
        let Some(server) = shared.server.get() else { continue };
        let mut connections = shared.connections.borrow_mut();
        while connections.try_join_next().is_some() {}
        let shared = Rc::clone(&shared);
        connections.spawn_local(async move {
            // However it ends, both sides are closed, and that is what they are told.
            let _ = connect(people, server, &shared).await;
        });
    }
}

async fn connect(mut people: TcpStream, server: SocketAddr, shared: &Shared) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    people.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_people, to_people) = people.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        passed = pass(from_people, to_server, shared) => passed,
        passed = pass(from_server, to_people, shared) => passed,
    }
}

/// Passes on what comes until it ends.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let size = match shared.is_slow.get() {
                false => rest.len(),
                true => {
                    tokio::time::sleep(TRICKLE).await;
                    rest.len().min(TRICKLE_BYTES)
                }
            };
            let (now, later) = rest.split_at(size);
            to.write_all(now).await?;
            rest = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;

    async fn echo(listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    }

    async fn ask(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(bytes).await?;
        let mut read = vec![0; bytes.len()];
        stream.read_exact(&mut read).await?;
        Ok(read)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn connections_are_passed_on_slowed_and_cut() {
        let local = LocalSet::new();
        local
            .run_until(async {
                let relay = Relay::start().await.expect("relay");
                let dial = || TcpStream::connect(relay.address());
                // Nobody is there yet.
                let mut stream = dial().await.expect("connection");
                assert!(ask(&mut stream, b"x").await.is_err());
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
                relay.lead_to(listener.local_addr().ok());
                tokio::task::spawn_local(echo(listener));
                let mut stream = dial().await.expect("connection");
                let bytes: Vec<u8> = (0..3_000).map(|n| n as u8).collect();
                assert_eq!(ask(&mut stream, &bytes).await.expect("echo"), bytes);
                // Late, and whole all the same.
                relay.set_slow(true);
                let begun = std::time::Instant::now();
                assert_eq!(ask(&mut stream, &bytes).await.expect("echo"), bytes);
                assert!(begun.elapsed() >= TRICKLE * 6, "{:?}", begun.elapsed());
                relay.cut();
                assert!(ask(&mut stream, b"x").await.is_err());
                relay.set_slow(false);
                let mut stream = dial().await.expect("connection");
                assert_eq!(ask(&mut stream, b"x").await.expect("echo"), b"x");
            })
            .await;
    }
}
