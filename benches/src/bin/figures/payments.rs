//! Payments: what a confirmation adds to the provider's own time, what one under way takes up, and
//! whether a called-off event's refunds are felt by those who book another.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tiketi_engine::ids::{EventIndex, ExternalId};
use tiketi_gateway::api::Id;
use tiketi_gateway::payments::sandbox::SECRET_KEY;
use tokio::time::{sleep, sleep_until};

use crate::buyer::Buyer;
use crate::provider;
use crate::recovery::resident_bytes_of;
use crate::sockets::milliseconds;
use crate::websocket::on_one_thread;
use tiketi_benches::Setup;
use tiketi_benches::bare::Server;
use tiketi_benches::gateway::Gateway;
use tiketi_benches::table::{Table, median};

/// Connections that prepare, and that wait for their turn in a timed run.
const PREPARING: usize = 32;
const WAITING: usize = 256;
const ROUNDS: u32 = 5;

/// A payment that its buyer has agreed to, as the confirmation wants it.
type Agreed = Value;

/// A gateway with two events, and its provider.
struct Till {
    gateway: Gateway,
    provider: Server,
    bearer: String,
}

impl Till {
    fn open(setup: &Setup, role: &str, seats: u32) -> anyhow::Result<Till> {
        let provider = Server::start(&[role.as_ref()])?;
        let rows = seats.div_ceil(100);
        let sections = json!([{"name": "S", "rows": rows, "seatsPerRow": 100, "price": 10_000,
                               "startRow": 1}]);
        let layout = json!({"name": "field", "sections": sections});
        let gateway = Gateway::paid_through(setup, &layout, 2, provider.address)?;
        let bearer = format!("Bearer {}", gateway.token);
        Ok(Till { gateway, provider, bearer })
    }

    async fn buyer(&self) -> anyhow::Result<Buyer> {
        Buyer::connect(self.gateway.server.address).await
    }

    /// Orders of a seat each, held, asked for and agreed to.
    async fn agreed(&self, seats: std::ops::Range<u32>) -> anyhow::Result<Vec<Agreed>> {
        let next = Cell::new(seats.start);
        let agreed = RefCell::new(Vec::new());
        let prepare = async || {
            let mut buyer = self.buyer().await?;
            let mut provider = Buyer::connect(self.provider.address).await?;
            while next.get() < seats.end {
                let seat = next.replace(next.get() + 1);
                let held = buyer.hold(&self.bearer, EventIndex(0), std::iter::once(seat)).await?;
                let body = json!({"reservationId": held});
                let path = "/api/payments/toss/request";
                let order = buyer.post(path, &self.bearer, &body).await?;
                let one = agree(&mut provider, &order["orderId"], &order["amount"]).await?;
                agreed.borrow_mut().push(one);
            }
            anyhow::Ok(())
        };
        each_of(PREPARING, prepare).await?;
        Ok(agreed.into_inner())
    }

    /// Confirmations at a steady rate, whatever each of them takes.
    async fn confirm(&self, agreed: &[Agreed], per_second: u32) -> anyhow::Result<Histogram<u64>> {
        steady(agreed.len(), per_second, async |turns: Turns| {
            let mut buyer = self.buyer().await?;
            while let Some(turn) = turns.next().await {
                let body = &agreed[turn.index];
                buyer.post("/api/payments/toss/confirm", &self.bearer, body).await?;
                turns.done(&turn)?;
            }
            Ok(())
        })
        .await
    }

    /// The same at the provider, with nobody between.
    async fn confirm_bare(&self, count: usize, round: u32) -> anyhow::Result<Histogram<u64>> {
        let mut provider = Buyer::connect(self.provider.address).await?;
        let mut agreed = Vec::new();
        for number in 0..count {
            let order = json!(format!("direct-{round}-{number}"));
            agreed.push(agree(&mut provider, &order, &json!(10_000)).await?);
        }
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{SECRET_KEY}:")));
        steady(count, count as u32, async |turns: Turns| {
            let mut provider = Buyer::connect(self.provider.address).await?;
            while let Some(turn) = turns.next().await {
                provider.post("/v1/payments/confirm", &basic, &agreed[turn.index]).await?;
                turns.done(&turn)?;
            }
            Ok(())
        })
        .await
    }
}

/// The buyer agrees in the payment window.
async fn agree(provider: &mut Buyer, order: &Value, amount: &Value) -> anyhow::Result<Agreed> {
    let mut body = json!({"orderId": order, "amount": amount});
    let answer = provider.post("/sandbox/authenticate", "", &body).await?;
    body["paymentKey"] = answer["paymentKey"].clone();
    Ok(body)
}

/// Runs a task so many times side by side.
async fn each_of(count: usize, task: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let tasks = (0..count).map(|_| task());
    futures_util::future::try_join_all(tasks).await.map(drop)
}

/// The moments at which something is to happen, taken by whoever is free.
#[derive(Clone)]
pub(crate) struct Turns {
    next: Rc<Cell<usize>>,
    count: usize,
    per_second: u32,
    started: Instant,
    /// Microseconds.
    times: Rc<RefCell<Histogram<u64>>>,
}

/// One of them.
pub(crate) struct Turn {
    index: usize,
    /// When it began: its moment, unless the clock woke us after it.
    from: Instant,
}

impl Turns {
    pub(crate) async fn next(&self) -> Option<Turn> {
        let index = self.next.replace(self.next.get() + 1);
        if index >= self.count {
            return None;
        }
        let moment = self.started + Duration::from_secs(1) * index as u32 / self.per_second;
        if Instant::now() >= moment {
            // Nobody was free: the wait for one counts.
            return Some(Turn { index, from: moment });
        }
        sleep_until(moment.into()).await;
        Some(Turn { index, from: Instant::now() })
    }

    pub(crate) fn done(&self, turn: &Turn) -> anyhow::Result<()> {
        Ok(self.times.borrow_mut().record(turn.from.elapsed().as_micros() as u64)?)
    }
}

/// An open loop: so many turns at a steady rate.
pub(crate) async fn steady(
    count: usize,
    per_second: u32,
    work: impl AsyncFn(Turns) -> anyhow::Result<()>,
) -> anyhow::Result<Histogram<u64>> {
    let turns = Turns {
        next: Rc::default(),
        count,
        per_second,
        started: Instant::now() + Duration::from_millis(100),
        times: Rc::new(RefCell::new(Histogram::new(3)?)),
    };
    let workers = WAITING.min(count);
    each_of(workers, async || work(turns.clone()).await).await?;
    let times = turns.times.borrow().clone();
    Ok(times)
}

pub(crate) fn confirmations(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const PER_SECOND: u32 = 1_000;
    let seconds = (setup.seconds as u32 / 5).max(1);
    let each = PER_SECOND * seconds;
    let till = Till::open(setup, provider::SANDBOX, ROUNDS * each)?;
    on_one_thread(async {
        let (mut added, mut ours, mut bares) = (Vec::new(), Vec::new(), Vec::new());
        let mut all = Histogram::new(3)?;
        for round in 0..ROUNDS {
            let agreed = till.agreed(round * each..(round + 1) * each).await?;
            let bare = till.confirm_bare(PER_SECOND as usize, round).await?;
            let confirmed = till.confirm(&agreed, PER_SECOND).await?;
            let [one, other] = [&confirmed, &bare].map(|times| milliseconds(times, 0.5));
            added.push(one - other);
            ours.push(one);
            bares.push(other);
            all.add(&confirmed)?;
        }
        table.row(
            "confirm a payment, 1,000 a second, intent and outcome durable",
            format!(
                "{:.2} ms more than the provider (p50 {:.2} ms, p99 {:.1} ms)",
                median(&mut added),
                median(&mut ours),
                milliseconds(&all, 0.99)
            ),
            format!("the provider alone: p50 {:.2} ms", median(&mut bares)),
            "≤ 1 ms",
        );
        Ok(())
    })
}

pub(crate) fn under_way(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const PAYMENTS: usize = 10_000;
    const AT_A_TIME: usize = 100;
    let till = Till::open(setup, provider::SILENCE, 1)?;
    on_one_thread(async {
        let mut buyer = till.buyer().await?;
        let mut agreed = Vec::new();
        for number in 0..PAYMENTS {
            let order =
                buyer.post("/api/points/charge", &till.bearer, &json!({"amount": 1_000})).await?;
            agreed.push(json!({"orderId": order["orderId"], "amount": 1_000,
                               "paymentKey": format!("key-{number}")}));
        }
        let before = resident_bytes_of(till.gateway.server.id())?;
        // A payment goes on without its caller, whose connection would be a second one.
        for (some, number) in agreed.chunks(AT_A_TIME).zip(1_u64..) {
            let mut callers = Vec::new();
            for body in some {
                let mut caller = till.buyer().await?;
                caller.send("/api/payments/toss/confirm", &till.bearer, body).await?;
                callers.push(caller);
            }
            let path = "/api/admin/payments?state=unknown&limit=1";
            while let begun = buyer.get(path, &till.bearer).await?
                && begun["pagination"]["total"].as_u64() != Some(number * AT_A_TIME as u64)
            {
                sleep(Duration::from_millis(10)).await;
            }
        }
        let bytes = resident_bytes_of(till.gateway.server.id())? - before;
        table.row(
            "10,000 payments under way, none answered",
            format!("{:.0} MB", bytes / 1e6),
            format!("{:.1} KB each; 320 of them have a connection", bytes / 1e7),
            "≤ 64 MB",
        );
        Ok(())
    })
}

pub(crate) fn called_off(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const ORDERS: u32 = 50_000;
    const HOLDS_PER_SECOND: u32 = 500;
    let till = Till::open(setup, provider::SANDBOX, ORDERS)?;
    on_one_thread(async {
        let agreed = till.agreed(0..ORDERS).await?;
        let none = Cell::new(0);
        each_of(PREPARING, async || {
            let mut buyer = till.buyer().await?;
            while let Some(body) = agreed.get(none.replace(none.get() + 1)) {
                buyer.post("/api/payments/toss/confirm", &till.bearer, body).await?;
            }
            Ok(())
        })
        .await?;
        let seat = Cell::new(0);
        let holds = async |seconds: u64| {
            let count = u64::from(HOLDS_PER_SECOND) * seconds;
            steady(count as usize, HOLDS_PER_SECOND, async |turns: Turns| {
                let mut buyer = till.buyer().await?;
                while let Some(turn) = turns.next().await {
                    let mine = std::iter::once(seat.replace(seat.get() + 1));
                    buyer.hold(&till.bearer, EventIndex(1), mine).await?;
                    turns.done(&turn)?;
                }
                Ok(())
            })
            .await
        };
        let quiet = holds(setup.seconds).await?;
        let path =
            format!("/api/admin/events/{}/cancel", Id::from(ExternalId::Event(EventIndex(0))));
        let call_off = async {
            let mut admin = till.buyer().await?;
            admin.post(&path, &till.bearer, &json!({})).await
        };
        let (called_off, during) = tokio::join!(call_off, holds(setup.seconds));
        called_off.context("the event was not called off")?;
        let [during, quiet] = [during?, quiet].map(|times| milliseconds(&times, 0.99));
        table.row(
            "hold a seat while another event's 50,000 paid orders are refunded, p99",
            format!("{:.2} × ({during:.1} ms)", during / quiet),
            format!("without refunds: {quiet:.1} ms"),
            "≤ 1.5 ×",
        );
        Ok(())
    })
}
