//! Many payments at once: whether those who book feel that 100,000 unknown ones are asked about, and
//! how long a day's list takes to be held against the books.
//!
//! The books and the provider's ledger are written straight to their files.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tiketi_benches::{NOW, SEATS_PER_ROW, made, stock, undurable};
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::{Engine, NewCharge};
use tiketi_engine::ids::{ChargeIndex, EventIndex, SeatIndex, UnixMillis};
use tiketi_engine::money::{Captured, Means, Purpose, Split};
use tiketi_engine::record::{CaptureOutcome, ProviderName};
use tiketi_gateway::payments::sandbox::SECRET_KEY;
use tiketi_persistence::{GroupCommit, Options, open};
use tokio::time::sleep;

use crate::buyer::{Buyer, metric};
use crate::dashboard::until_taken;
use crate::payments::{Turns, steady};
use crate::provider;
use crate::recovery::resident_bytes_of;
use crate::sockets::milliseconds;
use crate::websocket::on_one_thread;
use tiketi_benches::Setup;
use tiketi_benches::bare::Server;
use tiketi_benches::gateway::PAID_ROLE;
use tiketi_benches::table::Table;

/// Every payment is for one seat of this event; other seats are held in the next one.
const SOLD: EventIndex = EventIndex(0);
const ON_SALE: EventIndex = EventIndex(1);
const BUYERS: u32 = 10_000;
/// What [`stock`] asks for a seat.
const PRICE: u64 = 100_000;
/// What the provider gave back of a payment in its console.
const GIVEN_BACK: u64 = 10_000;
/// A day in Seoul that is over at [`NOW`].
const DAY: &str = "2027-01-14";
const DAY_BEGAN: UnixMillis = UnixMillis(NOW.0 - 41 * 60 * 60 * 1_000);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Rows that the gateway asks for at a time.
const ROWS_PER_PAGE: usize = 500;

/// What there is of a payment on both sides.
#[derive(Clone, Copy)]
struct Payment {
    number: u32,
    taken_at: UnixMillis,
    /// Whether the books know that the money is here.
    is_known: bool,
    /// Whether a part of it was given back in the provider's console.
    is_refunded: bool,
}

/// A provider and a gateway that were started on those files.
struct Shop {
    provider: Server,
    gateway: Server,
    started: Instant,
    bearer: String,
    _files: tempfile::TempDir,
}

impl Payment {
    fn key(self) -> String {
        format!("figures-{}", self.number)
    }

    fn tag(self) -> u64 {
        u64::from(self.number) + 1
    }

    /// As the gateway names it: the charge's number, and its tag.
    fn order_id(self) -> String {
        format!("tk{:08x}{:016x}", self.number, self.tag())
    }

    /// A line of the simulator's ledger.
    fn line(self) -> Value {
        let at = self.taken_at.0;
        let key = |what: &str| format!("{what}-{}", self.number);
        let mut moves = vec![json!({"key": key("taken"), "at": at, "amount": PRICE,
                                    "kind": "Captured", "status": "DONE"})];
        let mut cancels = Vec::new();
        if self.is_refunded {
            moves.push(json!({"key": key("back"), "at": at + 1, "amount": GIVEN_BACK,
                              "kind": "RefundedByConsole", "status": "PARTIAL_CANCELED"}));
            cancels.push(json!({"amount": GIVEN_BACK, "reason": "console", "tax_free_amount": 0,
                                "at": at + 1, "transaction_key": key("back"),
                                "balance_after": PRICE - GIVEN_BACK, "is_by_console": true}));
        }
        let status = if self.is_refunded { "PARTIAL_CANCELED" } else { "DONE" };
        json!({"payment": {
            "key": self.key(), "order_id": self.order_id(), "order_name": "seat", "amount": PRICE,
            "status": status, "secret": key("secret"), "is_paired": true, "method": "card",
            "opened_at": at, "authenticated_at": at, "approved_at": at,
            "account_is_closed": false, "moves": moves, "cancels": cancels,
        }})
    }

    /// The same in the books.
    fn book(
        self,
        engine: &Engine<Arc<GroupCommit>>,
        buyer: tiketi_engine::ids::UserIndex,
    ) -> anyhow::Result<()> {
        let wanted = WantedSeats::new(&[SeatIndex(self.number)])?;
        let asked = Asked { by: buyer, at: NOW, key: None };
        let (hold, _) = made(until_taken(|| engine.hold_seats(SOLD, &wanted, asked)))?;
        let new = NewCharge {
            user: buyer,
            purpose: Purpose::Order(hold.reservation),
            provider: ProviderName::Toss,
            amount: Split { card: PRICE, points: 0 },
            tag: self.tag(),
        };
        let charge = undurable(until_taken(|| engine.open_charge(&new, NOW))?);
        anyhow::ensure!(charge == ChargeIndex(self.number), "the books were not empty");
        undurable(until_taken(|| engine.begin_capture(charge, buyer, &self.key(), NOW))?);
        if self.is_known {
            let captured =
                Captured { approved_at: self.taken_at, means: Means::Card, receipt: None };
            let outcome = CaptureOutcome::Captured(Box::new(captured));
            undurable(until_taken(|| engine.end_capture(charge, outcome.clone(), NOW))?);
        }
        Ok(())
    }
}

impl Shop {
    /// Writes both sides of the payments, and starts the provider and the gateway.
    async fn open(setup: &Setup, payments: &[Payment]) -> anyhow::Result<Shop> {
        let files = tempfile::tempdir_in(&setup.dir)?;
        let (data, ledger) = (files.path().join("data"), files.path().join("ledger.jsonl"));
        write_books(&data, payments)?;
        let mut lines = String::new();
        for payment in payments {
            writeln!(lines, "{}", payment.line())?;
        }
        std::fs::write(&ledger, lines)?;
        let provider = Server::start(&[provider::SANDBOX.as_ref(), ledger.as_os_str()])?;
        let url = format!("http://{}", provider.address);
        let gateway = Server::start(&[PAID_ROLE.as_ref(), data.as_os_str(), url.as_ref()])?;
        let started = Instant::now();
        let mut admin = Buyer::connect(gateway.address).await?;
        let login = json!({"email": "admin@tiketi.gg", "password": "admin123"});
        let answer = admin.post("/api/auth/login", "", &login).await?;
        let bearer = format!("Bearer {}", answer["token"].as_str().context("no token")?);
        Ok(Shop { provider, gateway, started, bearer, _files: files })
    }

    /// Holds seats at a steady rate until told to stop.
    async fn hold(&self, next: &Cell<u32>, is_over: &Cell<bool>) -> anyhow::Result<Histogram<u64>> {
        const PER_SECOND: u32 = 500;
        let seats = 2_000 * SEATS_PER_ROW;
        steady((seats - next.get()) as usize, PER_SECOND, async |turns: Turns| {
            let mut buyer = Buyer::connect(self.gateway.address).await?;
            while !is_over.get()
                && let Some(turn) = turns.next().await
            {
                let mine = std::iter::once(next.replace(next.get() + 1));
                buyer.hold(&self.bearer, ON_SALE, mine).await?;
                turns.done(&turn)?;
            }
            Ok(())
        })
        .await
    }

    async fn waiting(&self) -> anyhow::Result<f64> {
        metric(self.gateway.address, "tiketi_payments_waiting{for=\"provider\"}").await
    }

    fn resident_mb(&self) -> anyhow::Result<f64> {
        Ok(resident_bytes_of(self.gateway.id())? / 1e6)
    }
}

fn write_books(data: &Path, payments: &[Payment]) -> anyhow::Result<()> {
    let opened = open(&Options::new(data), NOW)?;
    let engine = Engine::from_state(&opened.state, opened.journal).map_err(anyhow::Error::msg)?;
    let buyers = stock(&engine, 2, 2_000, BUYERS)?;
    for payment in payments {
        payment.book(&engine, buyers[payment.number as usize % buyers.len()])?;
    }
    Ok(engine.journal().close()?)
}

pub(crate) fn reconciliation(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const PAYMENTS: u32 = 100_000;
    let payments: Vec<Payment> = (0..PAYMENTS)
        .map(|number| Payment { number, taken_at: NOW, is_known: false, is_refunded: false })
        .collect();
    on_one_thread(async {
        let shop = Shop::open(setup, &payments).await?;
        let before = shop.resident_mb()?;
        let next = Cell::new(0);
        let is_over = Cell::new(false);
        let reconciled = async {
            while shop.waiting().await? > 0.0 {
                sleep(Duration::from_secs(1)).await;
            }
            is_over.set(true);
            anyhow::Ok(shop.started.elapsed())
        };
        let (took, during) = tokio::join!(reconciled, shop.hold(&next, &is_over));
        let (took, during) = (took?, during?);
        let after = shop.resident_mb()?;
        let admin = &mut Buyer::connect(shop.gateway.address).await?;
        let path = "/api/admin/payments?state=paid&limit=1";
        let paid = admin.get(path, &shop.bearer).await?;
        anyhow::ensure!(paid["pagination"]["total"] == PAYMENTS, "{}", paid["pagination"]);
        is_over.set(false);
        let ends = async {
            sleep(took).await;
            is_over.set(true);
            shop.waiting().await
        };
        let (_, quiet) = tokio::join!(ends, shop.hold(&next, &is_over));
        let quiet = quiet?;
        let [during, quiet] = [during, quiet].map(|times| milliseconds(&times, 0.99));
        table.row(
            "100,000 payments of unknown outcome asked about, while seats are held",
            format!(
                "{:.1} s, p99 of a hold {:.2} × ({during:.1} ms)",
                took.as_secs_f64(),
                during / quiet
            ),
            format!(
                "without: {quiet:.1} ms; the gateway has {before:.0} MB before, {after:.0} MB after"
            ),
            "≤ 60 s, ≤ 1.2 ×",
        );
        Ok(())
    })
}

pub(crate) fn comparison(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const TRANSACTIONS: u32 = 50_000;
    const DIFFERENT: u32 = 50;
    const PAYMENTS: u32 = TRANSACTIONS - DIFFERENT;
    let payments: Vec<Payment> = (0..PAYMENTS)
        .map(|number| {
            let since = DAY_MS * u64::from(number) / u64::from(PAYMENTS);
            let taken_at = DAY_BEGAN.plus(since);
            let is_refunded = number % (PAYMENTS / DIFFERENT) == 0;
            Payment { number, taken_at, is_known: true, is_refunded }
        })
        .collect();
    let different = payments.iter().filter(|payment| payment.is_refunded);
    let different: Vec<String> = different.map(|payment| payment.order_id()).collect();
    anyhow::ensure!(different.len() == DIFFERENT as usize, "{} differ", different.len());
    on_one_thread(async {
        let shop = Shop::open(setup, &payments).await?;
        let bare = read_list(&shop.provider, TRANSACTIONS).await?;
        let mut admin = Buyer::connect(shop.gateway.address).await?;
        let started = Instant::now();
        let compared = loop {
            let body = json!({"day": DAY});
            let answer = admin.post("/api/admin/payments/compare", &shop.bearer, &body).await?;
            if answer["running"] == false {
                break answer;
            }
        };
        let took = started.elapsed().as_secs_f64();
        let toss = &compared["providers"][0];
        let found = toss["differences"].as_array().context("no differences")?;
        let found: Vec<&str> = found.iter().filter_map(|one| one["orderId"].as_str()).collect();
        anyhow::ensure!(toss["transactions"] == TRANSACTIONS, "{} rows", toss["transactions"]);
        anyhow::ensure!(toss["unknown"] == 0 && toss["unanswered"] == 0, "{toss}");
        anyhow::ensure!(found == different, "found {found:?}");
        table.row(
            "a day of 50,000 transactions compared, 50 of them unlike the books",
            format!("{took:.2} s, these 50 found"),
            format!("the provider's list alone: {bare:.2} s"),
            "≤ 30 s",
        );
        Ok(())
    })
}

/// Seconds that it takes to read the list of the day, with no books beside it.
async fn read_list(provider: &Server, transactions: u32) -> anyhow::Result<f64> {
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{SECRET_KEY}:")));
    let mut caller = Buyer::connect(provider.address).await?;
    let (mut rows, mut after) = (0, String::new());
    let started = Instant::now();
    loop {
        let path = format!(
            "/v1/transactions?startDate={DAY}T00:00:00&endDate={DAY}T23:59:59&limit={ROWS_PER_PAGE}{after}"
        );
        let page = caller.get(&path, &basic).await?;
        let page = page.as_array().context("no list")?;
        rows += page.len();
        let Some(last) = page.last().filter(|_| page.len() == ROWS_PER_PAGE) else { break };
        let last = last["transactionKey"].as_str().context("no key")?;
        after = format!("&startingAfter={last}");
    }
    anyhow::ensure!(rows == transactions as usize, "the list has {rows} rows");
    Ok(started.elapsed().as_secs_f64())
}
