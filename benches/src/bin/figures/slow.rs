//! Sockets that never read, and what they cost the others: the same changes with them and without,
//! taking turns.

use std::time::{Duration, Instant};

use tiketi_engine::ids::EventIndex;
use tokio::net::TcpSocket;

use crate::buyer::{Buyer, metric};
use crate::queue::Crowd;
use crate::sockets::{SOCKETS, Viewers, milliseconds};
use crate::websocket::{EVENT, Socket, connect_all, gateway, on_one_thread};
use tiketi_benches::Setup;
use tiketi_benches::bare::Server;
use tiketi_benches::table::{Table, median};

/// One in twenty.
const SLOW: usize = SOCKETS / 20;
const ROUNDS: u32 = 5;
/// In less than the ten seconds after which the gateway cuts a stalled socket off.
const CHANGES: u32 = 10;
/// An event of their own, whose changes fill their queues.
const ELSEWHERE: EventIndex = EventIndex(1);
/// Seats there that change in a round: 300 KB, where the kernel and the queue take less.
const FILLING: u32 = 2_000;
const SEATS_PER_HOLD: u32 = 4;

pub(crate) fn readers(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let (server, crowd, _data) = gateway(setup, (SOCKETS + SLOW) as u32)?;
    let (mut ratios, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
    on_one_thread(async {
        let sockets = connect_all(&server, &crowd, SOCKETS, "join-seat-selection").await?;
        let viewers = Viewers::watch(sockets)?;
        let mut buyer = Buyer::connect(server.address).await?;
        let token = crowd.token(0)?;
        for round in 0..ROUNDS {
            let seats = round * 2 * CHANGES..(round * 2 + 1) * CHANGES;
            let slow = stalled(&server, &crowd, &mut buyer, round).await?;
            let beside = viewers.delays(&mut buyer, token, seats.clone()).await?;
            connected(&server, SOCKETS + SLOW).await?;
            drop(slow);
            connected(&server, SOCKETS).await?;
            let seats = seats.end..seats.end + CHANGES;
            let alone = viewers.delays(&mut buyer, token, seats).await?;
            let (beside, alone) = (milliseconds(&beside, 0.99), milliseconds(&alone, 0.99));
            ratios.push(beside / alone);
            with.push(beside);
            without.push(alone);
        }
        anyhow::Ok(())
    })?;
    table.row(
        "p99 of one seat change → 10,000 sockets, beside 500 more that never read",
        format!("{:.2} × ({:.0} ms)", median(&mut ratios), median(&mut with)),
        format!("without those, taking turns: {:.0} ms", median(&mut without)),
        "≤ 1.2 ×",
    );
    Ok(())
}

/// Sockets that joined both events and read nothing, each behind for certain.
async fn stalled(
    server: &Server,
    crowd: &Crowd,
    buyer: &mut Buyer,
    round: u32,
) -> anyhow::Result<Vec<Socket>> {
    let mut slow = Vec::with_capacity(SLOW);
    for person in SOCKETS..SOCKETS + SLOW {
        let socket = TcpSocket::new_v4()?;
        // As small a window as the kernel allows.
        socket.set_recv_buffer_size(1)?;
        let stream = socket.connect(server.address).await?;
        let mut socket = Socket::connect_on(stream, crowd.token(person)?).await?;
        socket.emit("join-seat-selection", EVENT).await?;
        socket.emit("join-seat-selection", ELSEWHERE).await?;
        slow.push(socket);
    }
    let before = metric(server.address, "tiketi_sockets_behind_total").await?;
    let seats = round * FILLING..(round + 1) * FILLING;
    for seat in seats.step_by(SEATS_PER_HOLD as usize) {
        buyer.hold(crowd.token(0)?, ELSEWHERE, seat..seat + SEATS_PER_HOLD).await?;
    }
    let waited = Instant::now();
    while metric(server.address, "tiketi_sockets_behind_total").await? < before + SLOW as f64 {
        anyhow::ensure!(waited.elapsed().as_secs() < 5, "their queues are not full");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(slow)
}

/// Waits until so many sockets are open.
async fn connected(server: &Server, sockets: usize) -> anyhow::Result<()> {
    const OPEN: &str = "tiketi_sockets_connected{dialect=\"socket.io\"}";
    let waited = Instant::now();
    loop {
        let open = metric(server.address, OPEN).await?;
        if open == sockets as f64 {
            return Ok(());
        }
        anyhow::ensure!(waited.elapsed().as_secs() < 10, "{open} sockets instead of {sockets}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
