//! A long run: as many sockets as a process can have at one seat map, changes at a steady rate, and
//! every socket must get every change. Not part of the table, as it takes ten minutes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde_json::Value;
use tiketi_engine::ids::{ExternalId, SeatIndex};
use tiketi_gateway::api::Id;
use tokio::time::{Instant as Deadline, interval, timeout_at};

use crate::buyer::{Buyer, get};
use crate::recovery::resident_bytes_of;
use crate::sockets::milliseconds;
use crate::websocket::{
    EVENT, SEATS, SOCKETS_MAX, Socket, connect_all, gateway, on_one_thread, seat_change,
};
use tiketi_benches::Setup;
use tiketi_benches::bare::Server;
use tiketi_benches::table::Table;

/// How this command is called, and how long it takes unless told otherwise.
pub(crate) const COMMAND: &str = "soak";
pub(crate) const SECONDS: u64 = 600;

const CHANGE_EVERY: Duration = Duration::from_millis(500);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Seats held at a time: each is given back long before it would expire.
const HELD_MAX: usize = 20;
/// Held once, at the end: who has been told of it is done.
const LAST: u32 = SEATS - 1;
/// For those who are late at the end.
const GRACE: Duration = Duration::from_secs(60);

/// What a socket was told.
#[derive(Default)]
struct Seen {
    held: BTreeSet<SeatIndex>,
    changes: u64,
}

/// What all of them share.
struct Run {
    /// By seat, when its last change was sent.
    sent: RefCell<Vec<Instant>>,
    arrived: Cell<u64>,
    /// Microseconds.
    delays: RefCell<Histogram<u64>>,
}

/// What became of the sockets.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    good: usize,
    /// Closed, late, told something that cannot be, or silent when asked.
    lost: usize,
    /// Which missed a change, or ended at another map.
    wrong: usize,
}

pub(crate) fn sockets(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let (server, crowd, _data) = gateway(setup, SOCKETS_MAX as u32)?;
    on_one_thread(async {
        let kib_each = |before: f64| {
            let now = resident_bytes_of(server.id())?;
            anyhow::Ok((now - before) / 1024.0 / SOCKETS_MAX as f64)
        };
        let before = resident_bytes_of(server.id())?;
        let sockets = connect_all(&server, &crowd, SOCKETS_MAX, "join-seat-selection").await?;
        let kib_at_start = kib_each(before)?;
        let run = Rc::new(Run {
            sent: RefCell::new(vec![Instant::now(); SEATS as usize]),
            arrived: Cell::new(0),
            delays: RefCell::new(Histogram::new(3)?),
        });
        let watching: Vec<_> = sockets
            .into_iter()
            .map(|socket| tokio::task::spawn_local(watch(socket, Rc::clone(&run))))
            .collect();
        let mut buyer = Buyer::connect(server.address).await?;
        let time = Duration::from_secs(setup.seconds);
        let changes = change(&mut buyer, crowd.token(0)?, &run, time).await?;

        let by = Deadline::now() + GRACE;
        let end = held_seats(&server).await?;
        let (mut verdict, mut open) = (Verdict::default(), Vec::new());
        for socket in watching {
            match timeout_at(by, socket).await {
                Ok(Ok(Ok((_, seen)))) if seen.changes != changes || seen.held != end => {
                    verdict.wrong += 1;
                }
                Ok(Ok(Ok((mut socket, _)))) => {
                    match timeout_at(by, is_served(&mut socket)).await {
                        Ok(Ok(())) => verdict.good += 1,
                        _ => verdict.lost += 1,
                    }
                    // Open until all are asked.
                    open.push(socket);
                }
                _ => verdict.lost += 1,
            }
        }
        let kib_at_end = kib_each(before)?;
        let all = Verdict { good: SOCKETS_MAX, ..Verdict::default() };
        anyhow::ensure!(verdict == all, "{verdict:?} after {changes} changes");
        let delays = run.delays.borrow();
        table.row(
            format!("{} s of seat changes, 19,000 sockets at the map", setup.seconds),
            format!(
                "none lost; {changes} changes in each, all maps as the engine's; \
                 {kib_at_start:.1} KiB resident each at the start, {kib_at_end:.1} at the end"
            ),
            format!(
                "change → socket: p50 {:.0} ms, p99 {:.0} ms",
                milliseconds(&delays, 0.5),
                milliseconds(&delays, 0.99)
            ),
            "none lost",
        );
        Ok(())
    })
}

/// Follows a socket until the last change.
async fn watch(mut socket: Socket, run: Rc<Run>) -> anyhow::Result<(Socket, Seen)> {
    let mut seen = Seen::default();
    loop {
        let text = socket.text().await?;
        let (seat, is_taken) = seat_change(&text).context("no change of a seat")?;
        let is_change = match is_taken {
            true => seen.held.insert(seat),
            false => seen.held.remove(&seat),
        };
        anyhow::ensure!(is_change, "told what was so already: one before it is missing");
        seen.changes += 1;
        run.arrived.set(run.arrived.get() + 1);
        let delay = run.sent.borrow()[seat.position()].elapsed();
        run.delays.borrow_mut().record(delay.as_micros() as u64)?;
        if seat == SeatIndex(LAST) {
            return Ok((socket, seen));
        }
    }
}

/// Holds seats and gives them back at a steady rate; returns the number of changes.
async fn change(buyer: &mut Buyer, token: &str, run: &Run, time: Duration) -> anyhow::Result<u64> {
    let started = Instant::now();
    let mut progress = started;
    let mut ticks = interval(CHANGE_EVERY);
    let mut held: VecDeque<(u32, String)> = VecDeque::new();
    let mut changes = 0;
    let mut free = (0..LAST).cycle();
    let send = |seat: u32| run.sent.borrow_mut()[seat as usize] = Instant::now();
    while started.elapsed() < time {
        ticks.tick().await;
        if let (HELD_MAX.., Some((seat, reservation))) = (held.len(), held.front()) {
            send(*seat);
            buyer.give_back(token, reservation).await?;
            held.pop_front();
        } else {
            let seat = free.next().context("no seat")?;
            send(seat);
            held.push_back((seat, buyer.hold(token, EVENT, std::iter::once(seat)).await?));
        }
        changes += 1;
        if progress.elapsed() >= PROGRESS_EVERY {
            progress = Instant::now();
            let seconds = started.elapsed().as_secs();
            let of = changes * SOCKETS_MAX as u64;
            eprintln!("{seconds} s: {changes} changes, {} of {of} arrived", run.arrived.get());
        }
    }
    send(LAST);
    buyer.hold(token, EVENT, std::iter::once(LAST)).await?;
    Ok(changes + 1)
}

/// The engine's map, over HTTP.
async fn held_seats(server: &Server) -> anyhow::Result<BTreeSet<SeatIndex>> {
    let path = format!("/api/seats/events/{}", Id::from(EVENT));
    let answer: Value = serde_json::from_str(&get(server.address, &path).await?)?;
    let mut held = BTreeSet::new();
    for seat in answer["seats"].as_array().context("no seats")? {
        if seat["status"] != "available" {
            let id = seat["id"].as_str().and_then(Id::parse).context("no id")?;
            let Some(ExternalId::Seat(EVENT, index)) = ExternalId::decode(id.0) else {
                anyhow::bail!("another event's seat");
            };
            held.insert(index);
        }
    }
    Ok(held)
}

/// Whether anybody is there at the other end.
async fn is_served(socket: &mut Socket) -> anyhow::Result<()> {
    socket.emit("join-event", EVENT).await?;
    socket.wait_for("room-info").await.map(drop)
}
