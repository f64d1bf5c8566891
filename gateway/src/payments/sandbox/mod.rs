//! A stand-in for Toss Payments, for development and tests: it speaks the provider's wire over real
//! HTTP, keeps books of the money that it never took, and fails on demand.
//!
//! Everything is as the project's notes on providers have it; what nobody could confirm is a switch
//! (`questions`). It refuses nothing that Toss would let pass, so it lets one order be paid twice:
//! its ledger is what tests hold our books against. Never part of a production server.
//!
//! [`stripe`] stands in for Stripe, with the same clock, journal, switches and sender of webhooks.
//!
//! Reading order: `server` routes, `calls` are the API, `payment` and `refund` have the rules,
//! `ledger` the sums, `webhooks` tells, `window` is what the buyer sees, `control` has the switches,
//! `console` what happens at Toss without a call of the merchant's server.

mod calls;
mod clock;
mod console;
mod control;
mod errors;
mod events;
mod faults;
mod idempotency;
mod journal;
mod kept;
mod ledger;
mod page;
mod payment;
mod questions;
mod refund;
mod reply;
mod server;
pub mod stripe;
mod webhooks;
mod window;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::header::HeaderName;
use hyper::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use reqwest::Url;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::clock::{MovableClock, seoul_time};
use self::errors::Language;
use self::faults::Faults;
use self::idempotency::Answers;
use self::journal::Journal;
use self::kept::{Kept, Line};
use self::ledger::Ledger;
use self::questions::{Questions, WebhookTaken};
use self::webhooks::{Event, Teller, Webhooks, keep_time};
use self::wire::Manner;

pub use self::server::{Dropped, Simulator, serve};

/// The client key of a sandbox that is given no other: invented, so that a wrong base URL can never
/// reach a real account.
pub const CLIENT_KEY: &str = "test_gck_local_simulator";
/// The secret key of a sandbox that is given no other.
pub const SECRET_KEY: &str = "test_gsk_local_simulator";
/// Payments that are kept where no other number is given; about 1 GiB with their answers.
pub const PAYMENTS_MAX: usize = 200_000;
/// Answers kept for each payment, on the average.
const ANSWERS_PER_PAYMENT: usize = 2;
/// Minutes between an attempt at a webhook that failed and the next.
const RETRY_GAPS_MIN: [u64; 7] = [1, 4, 16, 64, 256, 1024, 4096];

/// How a sandbox runs.
#[derive(Clone, Debug)]
pub struct SandboxSettings {
    /// Its own address as browsers and callers see it. Requests may come with this path in front or
    /// without it.
    pub base_url: String,
    /// The key of the payment window. Windows of other keys can be opened; their payments cannot be
    /// confirmed.
    pub client_key: String,
    /// The key of the API.
    pub secret_key: String,
    /// Where webhooks go, if anywhere.
    pub webhook_url: Option<String>,
    /// A file that outlives the process, if any: JSON lines, appended.
    pub ledger: Option<PathBuf>,
    /// Payments that are kept; the window refuses more.
    pub payments_max: usize,
}

impl SandboxSettings {
    /// The usual keys, no webhooks, nothing kept on disk.
    #[must_use]
    pub fn at(base_url: impl Into<String>) -> Self {
        SandboxSettings {
            base_url: base_url.into(),
            client_key: CLIENT_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            webhook_url: None,
            ledger: None,
            payments_max: PAYMENTS_MAX,
        }
    }
}

/// Why a sandbox cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An address is none.
    #[error("`{0}` is no http or https address")]
    Address(String),
    /// The ledger's file cannot be read, or a line before its last is damaged.
    #[error("the sandbox ledger {0}: {1}")]
    Ledger(PathBuf, #[source] io::Error),
    /// No HTTP client for webhooks.
    #[error("no client for webhooks: {0}")]
    Client(#[from] reqwest::Error),
}

/// A running sandbox; clones are the same one. Its timers end with the last of them.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
    _timers: Arc<DropGuard>,
}

struct Shared {
    /// Without a slash at its end, as the other addresses below it begin with one.
    base_url: String,
    base_path: String,
    client_key: String,
    secret_key: String,
    clock: MovableClock,
    books: Mutex<Books>,
    journal: Journal,
    faults: Mutex<Faults>,
    questions: Mutex<Questions>,
    webhooks: Webhooks,
}

/// What is changed together.
struct Books {
    ledger: Ledger,
    answers: Answers,
}

/// First attempts of webhooks that were just queued.
type Heard = Vec<oneshot::Receiver<()>>;

impl Sandbox {
    /// Opens a sandbox and starts its timers; called within a tokio runtime.
    ///
    /// # Errors
    /// An address that is none, a ledger that cannot be read, no client for webhooks.
    pub fn open(settings: SandboxSettings) -> Result<Sandbox, OpenError> {
        let SandboxSettings { base_url, client_key, secret_key, webhook_url, ledger, payments_max } =
            settings;
        let base = address(&base_url)?;
        let webhook_url = webhook_url.as_deref().map(address).transpose()?;
        let (journal, lines) = Journal::open(ledger.as_deref())?;
        let kept = Kept::of(lines);
        let entries_max = payments_max.saturating_mul(ANSWERS_PER_PAYMENT);
        let mut answers = Answers::new(entries_max, calls::ANSWERS_KEPT_MS);
        for line in kept.answers {
            answers.restore(line);
        }
        let books = Books { ledger: Ledger::of(kept.payments, payments_max), answers };
        let shared = Arc::new(Shared {
            base_url: base_url.trim_end_matches('/').to_owned(),
            base_path: base.path().trim_end_matches('/').to_owned(),
            client_key,
            secret_key,
            clock: MovableClock::new(kept.advanced_ms),
            books: Mutex::new(books),
            journal,
            faults: Mutex::default(),
            questions: Mutex::new(kept.questions),
            webhooks: Webhooks::new(webhook_url, &RETRY_GAPS_MIN)?,
        });
        let stop = CancellationToken::new();
        tokio::spawn(keep_time(Arc::clone(&shared), stop.clone()));
        Ok(Sandbox { shared, _timers: Arc::new(stop.drop_guard()) })
    }
}

fn address(text: &str) -> Result<Url, OpenError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| OpenError::Address(text.to_owned()))
}

impl Shared {
    /// Works on the books, then writes and tells what has changed. What is past its time has ended
    /// before. `work` is given the instant.
    fn on_books<T>(&self, work: impl FnOnce(&mut Books, u64) -> T) -> (T, Heard) {
        let now = self.clock.now();
        let questions = *self.questions.lock();
        let manner = self.manner(Language::Korean, now);
        let mut events = Vec::new();
        let result = {
            let mut books = self.books.lock();
            books.ledger.expire(now);
            let result = work(&mut books, now);
            for (index, told) in books.ledger.take_changes() {
                let payment = books.ledger.payment(index);
                self.journal.append(&Line::Payment(payment));
                if self.webhooks.is_on() {
                    events.extend(events::of(payment, told, &questions, manner));
                }
            }
            result
        };
        self.journal.flush();
        let heard = self.webhooks.emit(events, &self.faults, questions.early_webhook, now);
        (result, heard)
    }

    fn manner(&self, language: Language, now: u64) -> Manner<'_> {
        Manner { base_url: &self.base_url, language, now }
    }
}

impl Teller for Shared {
    fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn tick(&self) {
        let ((), _heard) = self.on_books(|_, _| ());
    }

    /// Unsigned.
    fn headers(&self, event: &Event, retried: usize, at: u64) -> HeaderMap {
        let values = [
            ("id", event.id.clone()),
            ("time", seoul_time(at)),
            ("retried-count", retried.to_string()),
        ];
        let header = |(name, value): (&str, String)| {
            let name = format!("tosspayments-webhook-transmission-{name}");
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value.parse().ok()?))
        };
        values.into_iter().filter_map(header).collect()
    }

    fn is_taken(&self, status: StatusCode) -> bool {
        let any_2xx = self.questions.lock().webhook_taken == WebhookTaken::Any2xx;
        status == StatusCode::OK || (any_2xx && status.is_success())
    }
}
