//! A stand-in for Stripe, as the Toss sandbox is for Toss: payment intents with manual capture,
//! refunds and signed webhooks over real HTTP, and switches for what can go wrong.
//!
//! Won only, which has no decimals. A buyer agrees in its window (`window`) and not by Stripe.js;
//! what no merchant's server of ours asks is not there. Never part of a production server.
//!
//! Reading order: `calls` are the API, `params` what they take, `intent` and `moves` have the rules,
//! `books` the sums, `lists` the pages, `wire` the objects, `events` what is told, `control` the
//! switches, `console` what happens at Stripe without a call of the merchant's server.

mod books;
mod calls;
mod console;
mod control;
mod errors;
mod events;
mod form;
mod intent;
mod lists;
mod moves;
mod params;
mod window;
mod wire;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::HeaderName;
use hyper::{HeaderMap, Method, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::books::Books;
use self::errors::StripeError;
use self::intent::Intent;
use super::clock::MovableClock;
use super::faults::Faults;
use super::idempotency::AnswerLine;
use super::journal::Journal;
use super::questions::EarlyWebhook;
use super::reply::{Reply, Request};
use super::server::{Dropped, Simulator, receive};
use super::webhooks::{Event, Teller, Webhooks, keep_time};
use super::{OpenError, address};

/// The publishable key of a simulator that is given no other: invented, so that a wrong base URL can
/// never reach a real account.
pub const PUBLISHABLE_KEY: &str = "pk_test_local_simulator";
/// The secret key of a simulator that is given no other.
pub const SECRET_KEY: &str = "sk_test_local_simulator";
/// What signs the webhooks of a simulator that is given no other.
pub const WEBHOOK_SECRET: &str = "whsec_local_simulator";
/// Intents that are kept where no other number is given.
pub const INTENTS_MAX: usize = 200_000;
/// Minutes between an attempt at a webhook that failed and the next, as in Stripe's sandbox.
const RETRY_GAPS_MIN: [u64; 3] = [5, 60, 180];
const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");

/// How a simulator runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its own address as browsers and callers see it. Requests may come with this path in front or
    /// without it.
    pub base_url: String,
    /// The key of the API.
    pub secret_key: String,
    /// What signs the webhooks.
    pub webhook_secret: String,
    /// Where webhooks go, if anywhere.
    pub webhook_url: Option<String>,
    /// A file that outlives the process, if any: JSON lines, appended.
    pub ledger: Option<PathBuf>,
    /// Intents that are kept; more are not created.
    pub intents_max: usize,
}

impl Settings {
    /// The usual keys, no webhooks, nothing kept on disk.
    #[must_use]
    pub fn at(base_url: impl Into<String>) -> Self {
        Settings {
            base_url: base_url.into(),
            secret_key: SECRET_KEY.to_owned(),
            webhook_secret: WEBHOOK_SECRET.to_owned(),
            webhook_url: None,
            ledger: None,
            intents_max: INTENTS_MAX,
        }
    }
}

/// A running simulator; clones are the same one. Its timers end with the last of them.
#[derive(Clone)]
pub struct StripeSandbox {
    shared: Arc<Shared>,
    _timers: Arc<DropGuard>,
}

struct Shared {
    /// Without a slash at its end.
    base_url: String,
    base_path: String,
    secret_key: String,
    webhook_secret: String,
    clock: MovableClock,
    books: Mutex<Books>,
    journal: Journal,
    faults: Mutex<Faults>,
    webhooks: Webhooks,
}

/// One line of the file, as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Line<'a> {
    /// The intent after a change.
    Intent(&'a Intent),
    Answer(&'a AnswerLine),
    /// The clock's offset from real time.
    AdvancedMs(u64),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum ReadLine {
    Intent(Box<Intent>),
    Answer(AnswerLine),
    AdvancedMs(u64),
}

impl StripeSandbox {
    /// Opens a simulator and starts its timers; called within a tokio runtime.
    ///
    /// # Errors
    /// An address that is none, a ledger that cannot be read, no client for webhooks.
    pub fn open(settings: Settings) -> Result<StripeSandbox, OpenError> {
        let base = address(&settings.base_url)?;
        let webhook_url = settings.webhook_url.as_deref().map(address).transpose()?;
        let (journal, lines) = Journal::open(settings.ledger.as_deref())?;
        let mut books = Books::new(settings.intents_max);
        let mut advanced_ms = 0;
        for line in lines {
            match line {
                ReadLine::Intent(intent) => books.restore(*intent),
                ReadLine::Answer(answer) => books.answers.restore(answer),
                ReadLine::AdvancedMs(ms) => advanced_ms = ms,
            }
        }
        let shared = Arc::new(Shared {
            base_url: settings.base_url.trim_end_matches('/').to_owned(),
            base_path: base.path().trim_end_matches('/').to_owned(),
            secret_key: settings.secret_key,
            webhook_secret: settings.webhook_secret,
            clock: MovableClock::new(advanced_ms),
            books: Mutex::new(books),
            journal,
            faults: Mutex::default(),
            webhooks: Webhooks::new(webhook_url, &RETRY_GAPS_MIN)?,
        });
        let stop = CancellationToken::new();
        tokio::spawn(keep_time(Arc::clone(&shared), stop.clone()));
        Ok(StripeSandbox { shared, _timers: Arc::new(stop.drop_guard()) })
    }

    async fn route(&self, request: &Request) -> Result<Reply, Dropped> {
        let shared = &self.shared;
        match (&request.method, request.segments().as_slice()) {
            (&Method::GET, ["window"]) => Ok(window::show(shared, request)),
            (&Method::POST, ["window"]) => Ok(window::choose(shared, request)),
            (&Method::GET, ["receipts", charge]) => Ok(window::receipt(shared, charge)),
            (_, ["sandbox", name]) => Ok(control::answer(shared, request, name)),
            (_, ["v1", ..]) => calls::answer(shared, request).await,
            _ => Ok(StripeError::unknown_url().reply()),
        }
    }
}

impl Simulator for StripeSandbox {
    async fn answer<B>(
        &self,
        request: hyper::Request<B>,
    ) -> Result<hyper::Response<Full<Bytes>>, Dropped>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        match receive(request, &self.shared.base_path).await {
            Ok(request) => Ok(self.route(&request).await?.finish()),
            Err(status) => Ok(StripeError::no_body(status).reply().finish()),
        }
    }
}

impl Shared {
    /// Works on the books, then writes and tells what has changed. What is past its time has ended
    /// before.
    fn on_books<T>(&self, work: impl FnOnce(&mut Books, u64) -> T) -> T {
        let now = self.clock.now();
        let mut events = Vec::new();
        let result = {
            let mut books = self.books.lock();
            books.expire(now);
            let result = work(&mut books, now);
            for (index, told) in books.take_changes() {
                let intent = books.intent(index);
                self.journal.append(&Line::Intent(intent));
                if self.webhooks.is_on() {
                    events.extend(events::of(self, intent, told, now));
                }
            }
            result
        };
        self.journal.flush();
        self.webhooks.emit(events, &self.faults, EarlyWebhook::Sometimes, now);
        result
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
        self.on_books(|_, _| ());
    }

    /// Signed anew at each attempt.
    fn headers(&self, event: &Event, _: usize, at: u64) -> HeaderMap {
        let signature = events::signature(&event.secret, at, &event.body);
        signature.parse().into_iter().map(|value| (SIGNATURE, value)).collect()
    }

    fn is_taken(&self, status: StatusCode) -> bool {
        status.is_success()
    }
}
