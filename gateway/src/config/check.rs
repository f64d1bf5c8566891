//! From flags to checked settings, and from clap's complaints to one line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use tiketi_engine::limits::{HOLD_TTL_MS_MAX, HOLD_TTL_MS_MIN};

use crate::config::{
    AccessLogLevel, BALLAST_BYTES, Config, ConfigError, DEFAULT_ADMIN_PASSWORD, DEFAULT_LISTEN,
    Environment, Flags, ImagePlace, S3Place, Secret, SocketTimes, StripeKeys, TossKeys,
    default_workers,
};

/// Signs tokens in production; shorter secrets can be guessed.
const JWT_SECRET_BYTES_MIN: usize = 32;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Flags {
    /// Everything that one value alone does not tell.
    pub(super) fn check(self, port: Option<&str>) -> Result<Config, String> {
        let listen = match (self.listen, port) {
            (Some(address), _) => address,
            (None, Some(port)) => SocketAddr::new(
                DEFAULT_LISTEN.ip(),
                port.parse().map_err(|_| "PORT: expected a port number, 0 to 65535".to_owned())?,
            ),
            (None, None) => DEFAULT_LISTEN,
        };
        let allowed =
            Duration::from_millis(HOLD_TTL_MS_MIN)..=Duration::from_millis(HOLD_TTL_MS_MAX);
        if !allowed.contains(&self.hold_ttl) {
            return Err("--hold-ttl (TIKETI_HOLD_TTL): expected 1s to 24h".to_owned());
        }
        for (name, value) in [
            ("--request-timeout (TIKETI_REQUEST_TIMEOUT)", self.request_timeout),
            ("--drain-grace (TIKETI_DRAIN_GRACE)", self.drain_grace),
        ] {
            if value < Duration::from_millis(1) || value > Duration::from_secs(3600) {
                return Err(format!("{name}: expected 1ms to 1h"));
            }
        }
        if !(Duration::from_secs(1)..=DAY).contains(&self.queue_session) {
            return Err("--queue-session (TIKETI_QUEUE_SESSION): expected 1s to 24h".to_owned());
        }
        // The contract promises a waiting person a minute.
        if !(Duration::from_secs(60)..=DAY).contains(&self.queue_silence) {
            return Err("--queue-silence (TIKETI_QUEUE_SILENCE): expected 60s to 24h".to_owned());
        }
        if self.sandbox_delay > Duration::from_secs(60) {
            return Err("--sandbox-delay (TIKETI_SANDBOX_DELAY): expected 0ms to 60s".to_owned());
        }
        let longest_deposit = 90 * DAY;
        if !(Duration::from_secs(60)..=longest_deposit).contains(&self.deposit_due_max) {
            return Err(
                "--deposit-due-max (TIKETI_DEPOSIT_DUE_MAX): expected 1m to 2160h (90 days)"
                    .to_owned(),
            );
        }
        let admin_email = crate::auth::email::normalise(&self.admin_email)
            .ok_or("--admin-email (ADMIN_EMAIL): expected an e-mail address")?;
        if self.admin_password.as_ref().is_some_and(|password| password.chars().count() < 6) {
            return Err("--admin-password (ADMIN_PASSWORD): expected at least 6 characters".into());
        }
        if self.jwt_secret.as_deref() == Some("") {
            return Err("--jwt-secret (JWT_SECRET): expected a secret, not an empty text".into());
        }
        if self.env == Environment::Production {
            self.refuse_unsafe_defaults()?;
        }
        let images = match self.images_url {
            None => ImagePlace::DataDirectory,
            Some(ImagePlace::S3(place)) => ImagePlace::S3(S3Place {
                endpoint: self.s3_endpoint,
                region: self.s3_region,
                keys: s3_keys(self.s3_access_key, self.s3_secret_key)?,
                ..place
            }),
            Some(directory) => directory,
        };
        let toss = match (self.toss_client_key, self.toss_secret_key.as_slice()) {
            (None, []) => None,
            (Some(client_key), keys @ [_, ..]) => Some(TossKeys {
                url: self.toss_url.trim_end_matches('/').to_owned(),
                client_key,
                secret_keys: secrets(keys),
            }),
            _ => {
                return Err("--toss-client-key (TOSS_CLIENT_KEY) and --toss-secret-key \
                     (TOSS_SECRET_KEY): expected both or neither"
                    .to_owned());
            }
        };
        let stripe = match (
            self.stripe_publishable_key,
            self.stripe_secret_key.as_slice(),
            self.stripe_webhook_secret.as_slice(),
        ) {
            (None, [], []) => None,
            (Some(publishable_key), keys @ [_, ..], webhook_secrets @ [_, ..]) => {
                Some(StripeKeys {
                    url: self.stripe_url.trim_end_matches('/').to_owned(),
                    publishable_key,
                    secret_keys: secrets(keys),
                    webhook_secrets: secrets(webhook_secrets),
                })
            }
            _ => {
                return Err("--stripe-publishable-key (STRIPE_PUBLISHABLE_KEY), \
                     --stripe-secret-key (STRIPE_SECRET_KEY) and --stripe-webhook-secret \
                     (STRIPE_WEBHOOK_SECRET): expected all or none"
                    .to_owned());
            }
        };
        let wanted = self.sample_data.unwrap_or(self.env == Environment::Development);
        Ok(Config {
            listen,
            data: self.data,
            log_store: self.log_store,
            environment: self.env,
            sample_data: wanted && !self.no_sample_data,
            jwt_secret: self.jwt_secret.map(Secret),
            admin_email,
            admin_password: Secret(
                self.admin_password.unwrap_or_else(|| DEFAULT_ADMIN_PASSWORD.to_owned()),
            ),
            hold_ttl: self.hold_ttl,
            max_seats: self.max_seats,
            ticket_hold_ttl: self.ticket_hold_ttl,
            max_tickets: self.max_tickets,
            queue_threshold: self.queue_threshold,
            queue_rate: self.queue_rate,
            queue_session: self.queue_session,
            queue_silence: self.queue_silence,
            rate_limit: self.rate_limit,
            log: self.log,
            log_format: self.log_format,
            access_log: self.access_log.unwrap_or(match self.env {
                Environment::Development => AccessLogLevel::Off,
                Environment::Production => AccessLogLevel::All,
            }),
            sandbox_delay: self.sandbox_delay,
            deposit_due_max: self.deposit_due_max,
            toss,
            stripe,
            public_url: self.public_url,
            simulated_payments: self.env == Environment::Development || self.allow_sandbox_payments,
            images,
            request_timeout: self.request_timeout,
            drain_grace: self.drain_grace,
            workers: self.workers.unwrap_or_else(default_workers),
            connections_max: self.max_connections,
            connections_per_address_max: self.max_connections_per_address,
            trusted_proxies: self.trusted_proxies.unwrap_or_default(),
            sockets_per_user_max: self.max_sockets_per_user,
            frontend_url: self.frontend_url,
            socket_times: SocketTimes::default(),
            generation_bytes: self.generation_bytes,
            ballast_bytes: BALLAST_BYTES,
        })
    }

    /// Names every unsafe default at once, so that one restart can cure them all.
    fn refuse_unsafe_defaults(&self) -> Result<(), String> {
        let mut unsafe_defaults = Vec::new();
        match self.jwt_secret.as_deref() {
            None => unsafe_defaults.push("--jwt-secret (JWT_SECRET) is missing".to_owned()),
            Some(secret) if secret.len() < JWT_SECRET_BYTES_MIN => unsafe_defaults.push(format!(
                "--jwt-secret (JWT_SECRET) is shorter than {JWT_SECRET_BYTES_MIN} bytes"
            )),
            Some(_) => {}
        }
        match self.admin_password.as_deref() {
            None | Some(DEFAULT_ADMIN_PASSWORD) => unsafe_defaults
                .push("--admin-password (ADMIN_PASSWORD) is missing or the default".to_owned()),
            Some(_) => {}
        }
        let has_provider = !self.toss_secret_key.is_empty() || !self.stripe_secret_key.is_empty();
        if !self.allow_sandbox_payments && !has_provider {
            unsafe_defaults.push(
                "there is no provider of payments (--toss-client-key and --toss-secret-key, \
                 TOSS_CLIENT_KEY and TOSS_SECRET_KEY; or --stripe-publishable-key, \
                 --stripe-secret-key and --stripe-webhook-secret, STRIPE_PUBLISHABLE_KEY, \
                 STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET; --allow-sandbox-payments, \
                 TIKETI_ALLOW_SANDBOX_PAYMENTS=on confirms orders without money)"
                    .to_owned(),
            );
        }
        if unsafe_defaults.is_empty() {
            return Ok(());
        }
        Err(format!("production refuses unsafe defaults: {}", unsafe_defaults.join("; ")))
    }
}

/// Looked at for a bucket alone: the variables may be there for something else.
fn s3_keys(id: Option<String>, secret: Option<String>) -> Result<Option<(String, Secret)>, String> {
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some((id, Secret::new(secret)))),
        _ => Err("--s3-access-key (AWS_ACCESS_KEY_ID) and --s3-secret-key \
                  (AWS_SECRET_ACCESS_KEY): expected both or neither"
            .to_owned()),
    }
}

fn secrets(texts: &[String]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::new(text.as_str())).collect()
}

/// One line from clap's answer, with the variable beside the flag.
pub(super) fn explain(error: &clap::Error, command: &clap::Command) -> ConfigError {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return ConfigError::Asked(error.render().to_string());
        }
        _ => {}
    }
    let name = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) => name.clone(),
        _ => String::new(),
    };
    let variable = command
        .get_arguments()
        .find(|argument| argument.to_string() == name)
        .and_then(|argument| argument.get_env())
        .map(|variable| format!(" ({})", variable.to_string_lossy()));
    let reason = std::error::Error::source(error).map(ToString::to_string);
    match (error.kind(), reason) {
        (ErrorKind::ValueValidation, Some(reason)) => {
            let flag = name.split(['=', ' ', '[']).next().unwrap_or_default();
            ConfigError::Invalid(format!("{flag}{}: {reason}", variable.unwrap_or_default()))
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            ConfigError::Invalid(first.trim_start_matches("error: ").to_owned())
        }
    }
}
