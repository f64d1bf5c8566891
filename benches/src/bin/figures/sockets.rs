//! Live sockets: ten thousand at a seat map, nineteen thousand idle ones, and people who come and go.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use tiketi_engine::ids::SeatIndex;

use crate::buyer::Buyer;
use crate::recovery::resident_bytes_of;
use crate::websocket::{
    EVENT, SOCKETS_MAX, Socket, connect_all, gateway, on_one_thread, seat_change,
};
use tiketi_benches::Setup;
use tiketi_benches::table::{Table, count};

pub(crate) const SOCKETS: usize = 10_000;

/// Sockets at the seat map that note how late each change comes.
pub(crate) struct Viewers {
    count: usize,
    seen: Rc<Seen>,
}

struct Seen {
    sent: RefCell<HashMap<SeatIndex, Instant>>,
    arrived: Cell<usize>,
    /// Microseconds.
    delays: RefCell<Histogram<u64>>,
}

impl Viewers {
    pub(crate) fn watch(sockets: Vec<Socket>) -> anyhow::Result<Viewers> {
        let seen = Rc::new(Seen {
            sent: RefCell::default(),
            arrived: Cell::new(0),
            delays: RefCell::new(Histogram::new(3)?),
        });
        let count = sockets.len();
        for mut socket in sockets {
            let seen = Rc::clone(&seen);
            tokio::task::spawn_local(async move {
                while let Ok(text) = socket.wait_for("seat-selected").await {
                    let seat = seat_change(&text).map(|(seat, _)| seat);
                    let sent = seat.and_then(|seat| seen.sent.borrow().get(&seat).copied());
                    if let Some(sent) = sent {
                        let _ = seen.delays.borrow_mut().record(sent.elapsed().as_micros() as u64);
                        seen.arrived.set(seen.arrived.get() + 1);
                    }
                }
            });
        }
        Ok(Viewers { count, seen })
    }

    /// Holds one seat after the other; how late everybody had each, in microseconds.
    pub(crate) async fn delays(
        &self,
        buyer: &mut Buyer,
        token: &str,
        seats: Range<u32>,
    ) -> anyhow::Result<Histogram<u64>> {
        let all = seats.len() * self.count;
        self.seen.arrived.set(0);
        self.seen.delays.borrow_mut().reset();
        for seat in seats {
            self.seen.sent.borrow_mut().insert(SeatIndex(seat), Instant::now());
            buyer.hold(token, EVENT, std::iter::once(seat)).await?;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let waited = Instant::now();
        while self.seen.arrived.get() < all {
            let arrived = self.seen.arrived.get();
            anyhow::ensure!(waited.elapsed().as_secs() < 30, "{arrived} of {all} arrived");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(self.seen.delays.borrow().clone())
    }
}

pub(crate) fn milliseconds(delays: &Histogram<u64>, quantile: f64) -> f64 {
    delays.value_at_quantile(quantile) as f64 / 1e3
}

pub(crate) fn seat_changes(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const CHANGES: u32 = 100;
    let (server, crowd, _data) = gateway(setup, SOCKETS as u32)?;
    let delays = on_one_thread(async {
        let sockets = connect_all(&server, &crowd, SOCKETS, "join-seat-selection").await?;
        let viewers = Viewers::watch(sockets)?;
        let mut buyer = Buyer::connect(server.address).await?;
        viewers.delays(&mut buyer, crowd.token(0)?, 0..CHANGES).await
    })?;
    let bare = loopback_writes_ms(SOCKETS)?;
    table.row(
        "one seat change → all of 10,000 sockets have it, from sending the hold",
        format!(
            "p50 {:.0} ms, p99 {:.0} ms",
            milliseconds(&delays, 0.5),
            milliseconds(&delays, 0.99)
        ),
        format!("so many bare writes and reads of the same bytes: {bare:.0} ms"),
        "p99 ≤ 100 ms",
    );
    Ok(())
}

/// Writing a message of that size to so many sockets and reading it from them, without anything else.
fn loopback_writes_ms(sockets: usize) -> anyhow::Result<f64> {
    use std::io::{Read, Write};
    // A tenth of the sockets, ten times: descriptors are short, the work is the same.
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut pairs = Vec::new();
    for _ in 0..sockets / 10 {
        let near = std::net::TcpStream::connect(listener.local_addr()?)?;
        pairs.push((near, listener.accept()?.0));
    }
    let mut message = [0x5a; 160];
    let started = Instant::now();
    for _ in 0..10 {
        for (near, _) in &mut pairs {
            near.write_all(&message)?;
        }
        for (_, far) in &mut pairs {
            far.read_exact(&mut message)?;
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

pub(crate) fn admissions(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const ADMISSIONS: usize = 200;
    let (server, crowd, _data) = gateway(setup, SOCKETS as u32)?;
    let delays = on_one_thread(async {
        // One person is inside, the others wait in the order of their numbers.
        let mut buyer = Buyer::connect(server.address).await?;
        for person in 0..SOCKETS {
            buyer.queue("check", EVENT, crowd.token(person)?).await?;
        }
        let mut sockets = connect_all(&server, &crowd, SOCKETS, "join-queue").await?;
        let mut delays = Histogram::<u64>::new(3)?;
        for person in 0..ADMISSIONS {
            let started = Instant::now();
            buyer.queue("leave", EVENT, crowd.token(person)?).await?;
            sockets[person + 1].wait_for("queue-entry-allowed").await?;
            delays.record(started.elapsed().as_micros() as u64)?;
        }
        Ok(delays)
    })?;
    table.row(
        "slot freed → that person's socket has the message, 10,000 sockets connected",
        format!(
            "p50 {:.1} ms, p99 {:.1} ms",
            milliseconds(&delays, 0.5),
            milliseconds(&delays, 0.99)
        ),
        "with the HTTP call that frees it".to_owned(),
        "p99 ≤ 100 ms",
    );
    Ok(())
}

pub(crate) fn idle(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let (server, crowd, _data) = gateway(setup, SOCKETS_MAX as u32)?;
    on_one_thread(async {
        let before = resident_bytes_of(server.id())?;
        let sockets = connect_all(&server, &crowd, SOCKETS_MAX, "join-seat-selection").await?;
        let after = resident_bytes_of(server.id())?;
        let mut open = 0;
        for mut socket in sockets {
            socket.emit("join-event", EVENT).await?;
            socket.wait_for("room-info").await?;
            open += 1;
        }
        table.row(
            "sockets in one process, joined to a seat map",
            format!(
                "{}, {:.1} KiB resident each",
                count(f64::from(open)),
                (after - before) / 1024.0 / f64::from(open)
            ),
            "20,000 file descriptors are the limit here".to_owned(),
            "19,000, ≤ 12 KiB",
        );
        Ok(())
    })
}

pub(crate) fn churn(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const AT_ONCE: usize = 64;
    const PEOPLE: u32 = 10_000;
    let (server, crowd, _data) = gateway(setup, PEOPLE)?;
    let until = Duration::from_secs(setup.seconds);
    let (visits, seconds) = on_one_thread(async {
        let started = Instant::now();
        let (address, crowd) = (server.address, Rc::new(crowd));
        let next = Rc::new(Cell::new(0_usize));
        let visitors: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (crowd, next) = (Rc::clone(&crowd), Rc::clone(&next));
                tokio::task::spawn_local(async move {
                    let mut visits = 0_u32;
                    while started.elapsed() < until {
                        let person = next.replace(next.get() + 1) % PEOPLE as usize;
                        let mut socket = Socket::connect(address, crowd.token(person)?).await?;
                        socket.emit("join-queue", EVENT).await?;
                        socket.send("41").await?;
                        visits += 1;
                    }
                    anyhow::Ok(visits)
                })
            })
            .collect();
        let mut visits = 0;
        for visitor in visitors {
            visits += visitor.await??;
        }
        Ok((visits, started.elapsed().as_secs_f64()))
    })?;
    let bare = bare_connects_per_second(setup.seconds.min(3))?;
    table.row(
        "connect + CONNECT + join-queue + disconnect",
        format!("{}/s", count(f64::from(visits) / seconds)),
        format!("bare accept, a byte both ways, close: {}/s", count(bare)),
        "≥ 3,000/s",
    );
    Ok(())
}

fn bare_connects_per_second(seconds: u64) -> anyhow::Result<f64> {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut byte = [0];
            let _ = stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte));
        }
    });
    let (started, mut visits) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut stream = std::net::TcpStream::connect(address).context("connect")?;
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])?;
        visits += 1;
    }
    Ok(f64::from(visits) / started.elapsed().as_secs_f64())
}
