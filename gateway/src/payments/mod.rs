//! Payments: the intent first, then the provider, then the outcome (I11).
//!
//! No lock is held while a provider is asked. An attempt belongs to its task and not to the request
//! that began it, so it is ended whether or not the caller waits. `collect` asks a provider about one
//! charge, `reconciler` about all of which nobody knows what became of them, after a restart as
//! well. The payments of `POST /api/payments/process` are `simulated` and have a worker of their own.

mod answer;
mod breaker;
pub(crate) mod collect;
mod credentials;
mod hint;
mod ids;
mod link;
pub(crate) mod names;
mod provider;
pub(crate) mod reconciler;
mod retry;
mod reversed;
pub mod sandbox;
#[cfg(test)]
mod scripted;
pub(crate) mod simulated;
#[cfg_attr(not(test), expect(dead_code, reason = "no setting chooses it yet"))]
mod stripe;
mod toss;
pub(crate) mod worker;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::HeaderMap;
use tiketi_engine::ids::UnixMillis;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::{Config, Environment, Secret};
use crate::error::{ApiError, Code};
use crate::payments::answer::Answered;
use crate::payments::breaker::Breaker;
pub(crate) use crate::payments::credentials::SetupError;
use crate::payments::hint::Hint;
use crate::payments::link::Patience;
use crate::payments::provider::{Call, Provider};
use crate::payments::reconciler::Turns;
use crate::payments::sandbox::{CLIENT_KEY, SECRET_KEY, Sandbox, SandboxSettings};
use crate::payments::simulated::Simulated;
use crate::payments::toss::{Toss, TossSettings};

/// Attempts under way at a time; more are told to come again.
const ATTEMPTS_MAX: usize = 10_000;
/// Failures in a row after which a provider counts as down.
const FAILURES_MAX: u32 = 5;
/// How long it then is not asked.
const DOWN_FOR: Duration = Duration::from_secs(5);
/// Where the sandbox lives in this server, in development alone.
pub(crate) const SANDBOX_PATH: &str = "/sandbox/toss";

/// The providers, and room for attempts.
pub(crate) struct Payments {
    pub(crate) simulated: Simulated,
    pub(crate) turns: Turns,
    /// Set once the address is known.
    desk: OnceLock<Desk>,
    breaker: Arc<Breaker>,
    room: Arc<Semaphore>,
}

/// What depends on the address that is served.
struct Desk {
    /// As browsers see this server.
    public_url: String,
    /// None in production without keys.
    provider: Option<Arc<dyn Provider>>,
    sandbox: Option<Sandbox>,
}

/// Why payments cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Sandbox(#[from] sandbox::OpenError),
}

impl Payments {
    pub(crate) fn new(sandbox_delay: Duration) -> Self {
        Payments {
            simulated: Simulated::new(sandbox_delay),
            turns: Turns::default(),
            desk: OnceLock::new(),
            breaker: Arc::new(Breaker::new(FAILURES_MAX, DOWN_FOR)),
            room: Arc::new(Semaphore::new(ATTEMPTS_MAX)),
        }
    }

    /// Opens the provider of the settings: Toss where there are keys, the sandbox in development
    /// without any. Called once the address is known, before anybody may connect.
    ///
    /// # Errors
    /// Keys that do not belong together or not here; a sandbox ledger that cannot be read.
    pub(crate) fn open(&self, config: &Config, address: SocketAddr) -> Result<(), DeskError> {
        let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let is_production = config.environment == Environment::Production;
        let sandbox = match &config.toss {
            None if !is_production => {
                let settings = SandboxSettings {
                    webhook_url: Some(format!("{public_url}/api/payments/toss/webhook")),
                    ledger: Some(config.data.join("sandbox-ledger.jsonl")),
                    ..SandboxSettings::at(format!("{public_url}{SANDBOX_PATH}"))
                };
                Some(Sandbox::open(settings)?)
            }
            _ => None,
        };
        let settings = match (&config.toss, &sandbox) {
            (Some(keys), _) => Some(TossSettings {
                base_url: keys.url.clone(),
                client_key: keys.client_key.clone(),
                secret_keys: keys.secret_keys.clone(),
                patience: Patience::default(),
                is_production,
            }),
            (None, Some(_)) => Some(TossSettings {
                base_url: format!("http://{address}{SANDBOX_PATH}"),
                client_key: CLIENT_KEY.to_owned(),
                secret_keys: vec![Secret::new(SECRET_KEY)],
                patience: Patience::default(),
                is_production,
            }),
            (None, None) => None,
        };
        let provider = settings.map(Toss::new).transpose()?;
        let provider = provider.map(|toss| Arc::new(toss) as Arc<dyn Provider>);
        // Whoever opened it first has opened it with the same settings.
        let _ = self.desk.set(Desk { public_url, provider, sandbox });
        Ok(())
    }

    /// The sandbox, in development without keys.
    pub(crate) fn sandbox(&self) -> Option<&Sandbox> {
        self.desk.get()?.sandbox.as_ref()
    }

    /// The public key of the provider, where there is one.
    pub(crate) fn client_key(&self) -> Option<&str> {
        Some(self.provider()?.client_key())
    }

    /// The address of one of our payment pages.
    pub(crate) fn page(&self, name: &str) -> String {
        let base = self.desk.get().map_or("", |desk| desk.public_url.as_str());
        format!("{base}/payments/{name}")
    }

    /// Whether the provider is down, and when to come again.
    pub(crate) fn is_down(&self) -> Option<Duration> {
        match self.breaker.admit(Instant::now().into_std()) {
            Ok(_) => None,
            Err(wait) => Some(wait.0),
        }
    }

    /// Asks the provider; `None` where there is none or it is down.
    pub(crate) async fn asked<'a, T>(
        &'a self,
        call: impl FnOnce(&'a dyn Provider) -> Call<'a, T>,
    ) -> Option<Answered<T>> {
        let provider = self.provider()?;
        let admission = self.breaker.admit(Instant::now().into_std()).ok()?;
        let answered = call(provider).await;
        admission.end(answered.health, Instant::now().into_std());
        Some(answered)
    }

    /// A webhook of the provider; `None` for anything else.
    pub(crate) fn hint(&self, headers: &HeaderMap, body: &[u8], now: UnixMillis) -> Option<Hint> {
        let hint = self.provider()?.hint(headers, body, now);
        hint.inspect_err(|bad| tracing::warn!(%bad, "a webhook was not believed")).ok()
    }

    /// Room for one attempt; taken before it is begun.
    ///
    /// # Errors
    /// 503 where too many are under way.
    pub(crate) fn room(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.room)
            .try_acquire_owned()
            .map_err(|full| ApiError::new(Code::Unavailable).cause(full))
    }

    fn provider(&self) -> Option<&dyn Provider> {
        self.desk.get()?.provider.as_deref()
    }
}
