//! Payments: the intent first, then the provider, then the outcome (I11).
//!
//! No lock is held while a provider is asked. An attempt belongs to its task and not to the request
//! that began it, so it is ended whether or not the caller waits. `desk` has the providers, each with
//! its own breaker; a charge is asked about at the one that its record names. `opening` has a payment
//! prepared, `collect` takes a charge's money and finds out what became of it, `deposits` says how long
//! one is awaited, `give_back` asks for refunds, `balance` holds the books against what the provider
//! has, and `money_gone` ends orders that have none. `reconciler` takes every charge its next step,
//! after a restart as well, and `compare` holds the books against the provider's list of a day. The
//! payments of `POST /api/payments/process` are `simulated` and have a worker of their own.

mod answer;
mod balance;
pub(crate) mod books;
mod breaker;
pub(crate) mod collect;
pub(crate) mod compare;
mod credentials;
pub(crate) mod deposits;
mod desk;
pub(crate) mod give_back;
mod hint;
pub(crate) mod ids;
mod link;
pub(crate) mod money_gone;
pub(crate) mod names;
pub(crate) mod opening;
mod provider;
pub(crate) mod reconciler;
mod retry;
pub mod sandbox;
#[cfg(test)]
mod scripted;
pub(crate) mod simulated;
mod stripe;
mod toss;
pub(crate) mod worker;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::HeaderMap;
use tiketi_engine::ids::UnixMillis;
use tiketi_engine::record::ProviderName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::Config;
use crate::error::{ApiError, Code};
use crate::payments::answer::{Answered, Opened};
use crate::payments::compare::Comparisons;
use crate::payments::desk::{Counter, Desk};
pub(crate) use crate::payments::desk::{DeskError, STRIPE_SANDBOX_PATH, TOSS_SANDBOX_PATH};
use crate::payments::hint::Hint;
use crate::payments::provider::{Call, Opening, Provider};
use crate::payments::reconciler::Turns;
use crate::payments::sandbox::Sandbox;
use crate::payments::sandbox::stripe::StripeSandbox;
use crate::payments::simulated::Simulated;

/// Attempts under way at a time; more are told to come again.
const ATTEMPTS_MAX: usize = 10_000;

/// The providers, and room for attempts.
pub(crate) struct Payments {
    pub(crate) simulated: Simulated,
    pub(crate) turns: Turns,
    pub(crate) comparisons: Comparisons,
    /// Set once the address is known.
    desk: OnceLock<Desk>,
    room: Arc<Semaphore>,
}

impl Payments {
    pub(crate) fn new(sandbox_delay: Duration) -> Self {
        Payments {
            simulated: Simulated::new(sandbox_delay),
            turns: Turns::default(),
            comparisons: Comparisons::default(),
            desk: OnceLock::new(),
            room: Arc::new(Semaphore::new(ATTEMPTS_MAX)),
        }
    }

    /// Opens the providers of the settings. Called once the address is known, before anybody may
    /// connect.
    ///
    /// # Errors
    /// Keys that do not belong together or not here; a sandbox ledger that cannot be read.
    pub(crate) fn open(&self, config: &Config, address: SocketAddr) -> Result<(), DeskError> {
        // Whoever opened it first has opened it with the same settings.
        let _ = self.desk.set(Desk::open(config, address)?);
        Ok(())
    }

    /// The Toss sandbox, in development without keys of Toss.
    pub(crate) fn toss_sandbox(&self) -> Option<&Sandbox> {
        self.desk.get()?.toss_sandbox.as_ref()
    }

    /// The Stripe simulator, in development without keys of Stripe.
    pub(crate) fn stripe_sandbox(&self) -> Option<&StripeSandbox> {
        self.desk.get()?.stripe_sandbox.as_ref()
    }

    /// Who takes money that nobody asked a certain provider to take: Toss where there is Toss.
    pub(crate) fn preferred(&self) -> ProviderName {
        match self.counter(ProviderName::Toss) {
            Some(_) => ProviderName::Toss,
            None => ProviderName::Stripe,
        }
    }

    /// The public key of a provider, where there is one.
    pub(crate) fn client_key(&self, provider: ProviderName) -> Option<&str> {
        Some(self.counter(provider)?.provider.client_key())
    }

    /// The address of one of our payment pages.
    pub(crate) fn page(&self, name: &str) -> String {
        format!("{}/payments/{name}", self.base_url())
    }

    /// This server as browsers see it, as far as the settings tell.
    pub(crate) fn base_url(&self) -> &str {
        self.desk.get().map_or("", |desk| desk.public_url.as_str())
    }

    /// Whether a provider is down, and when to come again.
    pub(crate) fn is_down(&self, provider: ProviderName) -> Option<Duration> {
        match self.counter(provider)?.breaker.admit(Instant::now().into_std()) {
            Ok(_) => None,
            Err(wait) => Some(wait.0),
        }
    }

    /// What prepares a payment, to be [`asked`](Payments::asked); `None` where nothing has to.
    pub(crate) fn preparation<'a>(
        &'a self,
        provider: ProviderName,
        opening: &'a Opening,
    ) -> Option<Call<'a, Opened>> {
        self.counter(provider)?.provider.open(opening)
    }

    /// Asks a provider, when it is its turn; `None` where there is none or it is down.
    pub(crate) async fn asked<'a, T>(
        &'a self,
        provider: ProviderName,
        call: impl FnOnce(&'a dyn Provider) -> Call<'a, T>,
    ) -> Option<Answered<T>> {
        let Counter { provider, breaker, lines } = self.counter(provider)?;
        let _line = lines.acquire().await.ok()?;
        // It may have gone down while others were served.
        let admission = breaker.admit(Instant::now().into_std()).ok()?;
        let answered = call(provider.as_ref()).await;
        admission.end(answered.health, Instant::now().into_std());
        Some(answered)
    }

    /// A webhook of a provider; `None` for anything else.
    pub(crate) fn hint(
        &self,
        provider: ProviderName,
        headers: &HeaderMap,
        body: &[u8],
        now: UnixMillis,
    ) -> Option<Hint> {
        let hint = self.counter(provider)?.provider.hint(headers, body, now);
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

    fn counter(&self, provider: ProviderName) -> Option<&Counter> {
        self.desk.get()?.counter(provider)
    }
}
