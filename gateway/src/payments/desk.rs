//! The providers that the settings name, and the simulators that stand in for them in development.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tiketi_engine::record::ProviderName;
use tokio::sync::Semaphore;

use crate::config::{Config, Environment, Secret, StripeKeys, TossKeys};
use crate::payments::breaker::Breaker;
use crate::payments::credentials::SetupError;
use crate::payments::link::{CALLS_MAX, Patience};
use crate::payments::provider::Provider;
use crate::payments::sandbox::stripe::{self as stripe_sandbox, StripeSandbox};
use crate::payments::sandbox::{self, Sandbox, SandboxSettings};
use crate::payments::stripe::{Stripe, StripeSettings};
use crate::payments::toss::{Toss, TossSettings};

/// Failures in a row after which a provider counts as down.
const FAILURES_MAX: u32 = 5;
/// How long it then is not asked.
const DOWN_FOR: Duration = Duration::from_secs(5);
/// Where the Toss sandbox lives in this server, in development alone.
pub(crate) const TOSS_SANDBOX_PATH: &str = "/sandbox/toss";
/// Where the Stripe simulator does.
pub(crate) const STRIPE_SANDBOX_PATH: &str = "/sandbox/stripe";

/// What depends on the address that is served.
pub(super) struct Desk {
    /// As browsers see this server.
    pub(super) public_url: String,
    /// None in production without its keys.
    toss: Option<Counter>,
    stripe: Option<Counter>,
    pub(super) toss_sandbox: Option<Sandbox>,
    pub(super) stripe_sandbox: Option<StripeSandbox>,
}

/// One provider; another that is down is none of its business.
pub(super) struct Counter {
    pub(super) provider: Box<dyn Provider>,
    pub(super) breaker: Arc<Breaker>,
    /// Room for calls at a time.
    pub(super) lines: Semaphore,
}

/// Why payments cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error("Toss: {0}")]
    Toss(#[source] SetupError),
    #[error("Stripe: {0}")]
    Stripe(#[source] SetupError),
    #[error(transparent)]
    Sandbox(#[from] sandbox::OpenError),
}

impl Counter {
    fn of(provider: impl Provider + 'static) -> Self {
        let breaker = Arc::new(Breaker::new(FAILURES_MAX, DOWN_FOR));
        Counter { provider: Box::new(provider), breaker, lines: Semaphore::new(CALLS_MAX) }
    }
}

impl Desk {
    /// Every provider of the settings; in development a simulator for each that has no keys.
    ///
    /// # Errors
    /// Keys that do not belong together or not here; a sandbox ledger that cannot be read.
    pub(super) fn open(config: &Config, address: SocketAddr) -> Result<Self, DeskError> {
        let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let is_production = config.environment == Environment::Production;
        let (toss, toss_sandbox) = match &config.toss {
            Some(keys) => (Some(toss(keys.clone(), is_production)?), None),
            None if is_production => (None, None),
            None => {
                let sandbox = Sandbox::open(SandboxSettings {
                    webhook_url: Some(format!("{public_url}/api/payments/toss/webhook")),
                    ledger: Some(config.data.join("sandbox-ledger.jsonl")),
                    ..SandboxSettings::at(format!("{public_url}{TOSS_SANDBOX_PATH}"))
                })?;
                let keys = TossKeys {
                    url: format!("http://{address}{TOSS_SANDBOX_PATH}"),
                    client_key: sandbox::CLIENT_KEY.to_owned(),
                    secret_keys: vec![Secret::new(sandbox::SECRET_KEY)],
                };
                (Some(toss(keys, is_production)?), Some(sandbox))
            }
        };
        let (stripe, stripe_sandbox) = match &config.stripe {
            Some(keys) => (Some(stripe(keys.clone(), is_production)?), None),
            None if is_production => (None, None),
            None => {
                let sandbox = StripeSandbox::open(stripe_sandbox::Settings {
                    webhook_url: Some(format!("{public_url}/api/payments/stripe/webhook")),
                    ledger: Some(config.data.join("sandbox-stripe-ledger.jsonl")),
                    ..stripe_sandbox::Settings::at(format!("{public_url}{STRIPE_SANDBOX_PATH}"))
                })?;
                let keys = StripeKeys {
                    url: format!("http://{address}{STRIPE_SANDBOX_PATH}"),
                    publishable_key: stripe_sandbox::PUBLISHABLE_KEY.to_owned(),
                    secret_keys: vec![Secret::new(stripe_sandbox::SECRET_KEY)],
                    webhook_secrets: vec![Secret::new(stripe_sandbox::WEBHOOK_SECRET)],
                };
                (Some(stripe(keys, is_production)?), Some(sandbox))
            }
        };
        Ok(Desk { public_url, toss, stripe, toss_sandbox, stripe_sandbox })
    }

    pub(super) fn counter(&self, provider: ProviderName) -> Option<&Counter> {
        match provider {
            ProviderName::None => None,
            ProviderName::Toss => self.toss.as_ref(),
            ProviderName::Stripe => self.stripe.as_ref(),
        }
    }
}

fn toss(keys: TossKeys, is_production: bool) -> Result<Counter, DeskError> {
    let settings = TossSettings {
        base_url: keys.url,
        client_key: keys.client_key,
        secret_keys: keys.secret_keys,
        patience: Patience::default(),
        is_production,
    };
    Toss::new(settings).map(Counter::of).map_err(DeskError::Toss)
}

fn stripe(keys: StripeKeys, is_production: bool) -> Result<Counter, DeskError> {
    let settings = StripeSettings {
        base_url: keys.url,
        client_key: keys.publishable_key,
        secret_keys: keys.secret_keys,
        webhook_secrets: keys.webhook_secrets,
        patience: Patience::default(),
        is_production,
    };
    Stripe::new(settings).map(Counter::of).map_err(DeskError::Stripe)
}
