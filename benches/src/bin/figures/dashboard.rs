//! `GET /api/admin/dashboard/stats` over a million orders.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use hdrhistogram::Histogram;
use serde_json::json;
use tiketi_benches::{NOW, made, stock, undurable};
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::{Engine, Once, PaymentOutcome};
use tiketi_engine::error::{CommandError, JournalUnavailable};
use tiketi_engine::ids::{EventIndex, SeatIndex};
use tiketi_engine::record::PaymentMethod;
use tiketi_persistence::{GroupCommit, Options, open};

use crate::buyer::Buyer;
use crate::sockets::milliseconds;
use crate::websocket::on_one_thread;
use tiketi_benches::Setup;
use tiketi_benches::bare::Server;
use tiketi_benches::gateway::ROLE;
use tiketi_benches::table::Table;

const EVENTS: u32 = 20;
const ROWS: u32 = 1_000;
const ORDERS: u32 = 1_000_000;
const BUYERS: u32 = 10_000;
const CALLS: u32 = 2_000;

pub(crate) fn a_million_orders(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(&setup.dir)?;
    let paid = sell(dir.path())?;
    let server = Server::start(&[ROLE.as_ref(), dir.path().as_os_str()])?;
    on_one_thread(async {
        let mut administrator = Buyer::connect(server.address).await?;
        let login = json!({"email": "admin@tiketi.gg", "password": "admin123"});
        let answer = administrator.post("/api/auth/login", "", &login).await?;
        let bearer = format!("Bearer {}", answer["token"].as_str().context("no token")?);
        let stats = "/api/admin/dashboard/stats";
        let answer = administrator.get(stats, &bearer).await?;
        anyhow::ensure!(answer["stats"]["totalRevenue"] == paid * 100_000, "{answer}");
        let (mut ours, mut bares) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
        for _ in 0..CALLS {
            for (path, times) in [(stats, &mut ours), ("/livez", &mut bares)] {
                let started = Instant::now();
                administrator.get(path, &bearer).await?;
                times.record(started.elapsed().as_micros() as u64)?;
            }
        }
        table.row(
            "`GET /api/admin/dashboard/stats`, a million orders, a third of them paid",
            format!(
                "p50 {:.2} ms, p99 {:.2} ms",
                milliseconds(&ours, 0.5),
                milliseconds(&ours, 0.99)
            ),
            format!("`GET /livez`, alternating: p50 {:.2} ms", milliseconds(&bares, 0.5)),
            "≤ 5 ms",
        );
        Ok(())
    })
}

/// Holds every seat and pays every third one. Answers with how many were paid.
fn sell(dir: &Path) -> anyhow::Result<u64> {
    let opened = open(&Options::new(dir), NOW)?;
    let engine: Engine<Arc<GroupCommit>> =
        Engine::from_state(&opened.state, opened.journal).map_err(anyhow::Error::msg)?;
    let buyers = stock(&engine, EVENTS, ROWS, BUYERS)?;
    let seats = ORDERS / EVENTS;
    let mut paid = 0;
    for order in 0..ORDERS {
        let wanted = WantedSeats::new(&[SeatIndex(order % seats)])?;
        let asked = Asked { by: buyers[(order % BUYERS) as usize], at: NOW, key: None };
        let event = EventIndex(order / seats);
        let (hold, _) = made(until_taken(|| engine.hold_seats(event, &wanted, asked)))?;
        if order % 3 == 0 {
            let method = PaymentMethod::KakaoPay;
            let begun = until_taken(|| engine.begin_payment(hold.reservation, method, asked))?;
            let intent = match undurable(begun) {
                Once::Done(intent) => intent,
                Once::Repeated(id) => anyhow::bail!("repeated {id:?}"),
            };
            let captured = PaymentOutcome::Captured;
            undurable(until_taken(|| engine.finish_payment(intent, captured, NOW))?);
            paid += 1;
        }
    }
    engine.journal().close()?;
    Ok(paid)
}

/// Waits while the disk is behind.
pub(crate) fn until_taken<T, R>(
    command: impl Fn() -> Result<T, CommandError<R>>,
) -> Result<T, CommandError<R>> {
    loop {
        match command() {
            Err(CommandError::Unavailable(JournalUnavailable::QueueFull)) => {
                std::thread::yield_now();
            }
            done => return done,
        }
    }
}
