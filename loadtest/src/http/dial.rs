//! Connections, from many local addresses where the target is this machine: one address has some
//! 28,000 ports, and servers count connections by address.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::io::Errno;
use tokio::net::{TcpSocket, TcpStream};

use crate::http::Broken;

/// Addresses of one /24 that are used; 0 and 255 look like a network and a broadcast.
const IN_A_BLOCK: u32 = 254;

/// Opens connections to one server.
pub(crate) struct Dialer {
    target: SocketAddr,
    sources: u32,
    next: Cell<u32>,
}

impl Dialer {
    /// From so many addresses of 127.0.0.0/8 if the target is one of them, else from the system's.
    pub(crate) fn new(target: SocketAddr, sources: u32) -> Dialer {
        let is_here = matches!(target.ip(), IpAddr::V4(address) if address.is_loopback());
        Dialer { target, sources: if is_here { sources } else { 1 }, next: Cell::new(0) }
    }

    /// How many addresses connections come from.
    pub(crate) fn sources(&self) -> u32 {
        self.sources
    }

    /// # Errors
    /// [`Broken::Unreachable`], or what is used up on this side.
    pub(crate) async fn dial(&self) -> Result<TcpStream, Broken> {
        let stream = self.try_dial().await.map_err(|error| {
            match (error.kind(), Errno::from_io_error(&error)) {
                (ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse, _) => Broken::NoPort,
                (_, Some(Errno::NFILE | Errno::MFILE)) => Broken::NoFile,
                _ => Broken::Unreachable,
            }
        })?;
        // It only fails for sockets that are gone, and the first write tells that.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn try_dial(&self) -> std::io::Result<TcpStream> {
        let SocketAddr::V4(_) = self.target else {
            return TcpStream::connect(self.target).await;
        };
        let socket = TcpSocket::new_v4()?;
        if self.sources > 1 {
            let number = self.next.get();
            self.next.set((number + 1) % self.sources);
            socket.bind(SocketAddr::from((source(number), 0)))?;
        }
        socket.connect(self.target).await
    }
}

/// 127.1.0.1, 127.1.0.2 and so on.
fn source(number: u32) -> Ipv4Addr {
    let (block, last) = (number / IN_A_BLOCK, number % IN_A_BLOCK + 1);
    Ipv4Addr::new(127, 1 + (block >> 8) as u8, block as u8, last as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_loopback_and_differ() {
        let all: std::collections::BTreeSet<Ipv4Addr> = (0..60_000).map(source).collect();
        assert_eq!(all.len(), 60_000);
        assert!(all.iter().all(|address| address.is_loopback()));
        assert_eq!(source(0), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(source(254), Ipv4Addr::new(127, 1, 1, 1));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn connections_come_from_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let dialer = Dialer::new(listener.local_addr().expect("address"), 3);
        for number in [0, 1, 2, 0] {
            let stream = dialer.dial().await.expect("connection");
            assert_eq!(stream.local_addr().expect("address").ip(), source(number));
        }
    }
}
