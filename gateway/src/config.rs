//! Settings: every key is a flag and an environment variable, read once, checked before anything
//! is opened. A wrong value stops the start with one line that names it.

use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use thiserror::Error;
use tiketi_engine::limits::{HOLD_TTL_MS_MAX, HOLD_TTL_MS_MIN, SEATS_PER_HOLD_MAX};

use crate::rate_limit::RateLimitConfig;

/// Signs tokens in production; shorter secrets can be guessed.
const JWT_SECRET_BYTES_MIN: usize = 32;
/// The address when neither `--listen` nor `PORT` says another.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3001);
/// The login page of the legacy frontend advertises these two; development only.
const DEFAULT_ADMIN_EMAIL: &str = "admin@tiketi.gg";
const DEFAULT_ADMIN_PASSWORD: &str = "admin123";

/// Sells seats: the HTTP gateway with its engine and log.
///
/// Every option can be set by its environment variable instead; the option wins. PORT is honoured
/// where neither --listen nor TIKETI_LISTEN is given, on the loopback address.
#[derive(Parser, Debug)]
#[command(name = "tiketi-gateway", version, max_term_width = 100)]
struct Flags {
    /// Address and port to serve on [default: 127.0.0.1:3001]
    #[arg(long, env = "TIKETI_LISTEN", value_name = "ADDRESS:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Directory of the log, the snapshots and the development secret
    #[arg(long, env = "TIKETI_DATA", value_name = "DIRECTORY", default_value = "./data")]
    data: PathBuf,
    /// How the log is stored: sled or segments
    #[arg(long, env = "TIKETI_LOG_STORE", value_name = "STORE", default_value = "sled",
          value_parser = log_store)]
    log_store: LogStoreKind,
    /// development or production; production refuses to start on defaults that are unsafe
    #[arg(long, env = "TIKETI_ENV", value_name = "NAME", default_value = "development",
          value_parser = environment)]
    env: Environment,
    /// Load sample data into an empty log, on or off [default: on in development]
    #[arg(long, env = "TIKETI_SAMPLE_DATA", value_name = "on|off", num_args = 0..=1,
          require_equals = true, default_missing_value = "on", value_parser = on_off)]
    sample_data: Option<bool>,
    /// Never load sample data
    #[arg(long, action = ArgAction::SetTrue)]
    no_sample_data: bool,
    /// Signs login tokens; at least 32 bytes in production [development: kept in the data directory]
    #[arg(long, env = "JWT_SECRET", value_name = "SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The administrator's login, made at start where nobody has this address
    #[arg(long, env = "ADMIN_EMAIL", value_name = "EMAIL", default_value = DEFAULT_ADMIN_EMAIL)]
    admin_email: String,
    /// The administrator's first password [development: admin123]
    #[arg(long, env = "ADMIN_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    admin_password: Option<String>,
    /// How long seats stay held for a buyer who has not paid
    #[arg(long, env = "TIKETI_HOLD_TTL", value_name = "DURATION", default_value = "5m",
          value_parser = duration)]
    hold_ttl: Duration,
    /// Seats in one reservation, unless the event says otherwise
    #[arg(long, env = "TIKETI_MAX_SEATS", value_name = "1-8", default_value = "4",
          value_parser = max_seats)]
    max_seats: u8,
    /// Calls a minute: on, off, or own numbers for some of login=5 (per account),
    /// login-address=20, booking=10 (per user), user=100, queue=300, address=600 (without a
    /// token), e.g. booking=30,user=1000
    #[arg(long, env = "TIKETI_RATE_LIMIT", value_name = "LIMITS", default_value = "on",
          value_parser = rate_limit)]
    rate_limit: RateLimitConfig,
    /// What is logged: a level (error, warn, info, debug, trace) or a filter such as
    /// info,tiketi_gateway=debug
    #[arg(long, env = "TIKETI_LOG", value_name = "FILTER", default_value = "info",
          value_parser = log_filter)]
    log: String,
    /// How log lines look: text or json
    #[arg(long, env = "TIKETI_LOG_FORMAT", value_name = "FORMAT", default_value = "text",
          value_parser = log_format)]
    log_format: LogFormat,
    /// How long the payment sandbox takes to answer
    #[arg(long, env = "TIKETI_SANDBOX_DELAY", value_name = "DURATION", default_value = "0ms",
          value_parser = duration)]
    sandbox_delay: Duration,
    /// Let production run on the payment sandbox, which takes no money
    #[arg(long, env = "TIKETI_ALLOW_SANDBOX_PAYMENTS", value_name = "on|off", num_args = 0..=1,
          require_equals = true, default_value = "off", default_missing_value = "on",
          value_parser = on_off)]
    allow_sandbox_payments: bool,
    /// How long one request may take before it is answered with an error
    #[arg(long, env = "TIKETI_REQUEST_TIMEOUT", value_name = "DURATION", default_value = "10s",
          value_parser = duration)]
    request_timeout: Duration,
    /// How long requests in flight may take to finish after SIGTERM
    #[arg(long, env = "TIKETI_DRAIN_GRACE", value_name = "DURATION", default_value = "10s",
          value_parser = duration)]
    drain_grace: Duration,
    /// Threads that serve requests [default: one per processor]
    #[arg(long, env = "TIKETI_WORKERS", value_name = "COUNT", value_parser = workers)]
    workers: Option<usize>,
    /// Connections open at a time
    #[arg(long, env = "TIKETI_MAX_CONNECTIONS", value_name = "COUNT", default_value = "10000",
          value_parser = connections)]
    max_connections: usize,
    /// Connections open at a time from one address
    #[arg(long, env = "TIKETI_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT",
          default_value = "2000", value_parser = connections)]
    max_connections_per_address: usize,
}

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to serve; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Directory of the log, the snapshots and the development secret.
    pub data: PathBuf,
    /// How the log is stored.
    pub log_store: LogStoreKind,
    /// Development or production.
    pub environment: Environment,
    /// Whether an empty log is filled with sample data.
    pub sample_data: bool,
    /// Signs tokens; `None` (development only) keeps one in the data directory.
    pub jwt_secret: Option<Secret>,
    /// The administrator's login.
    pub admin_email: String,
    /// The administrator's first password.
    pub admin_password: Secret,
    /// How long an unpaid hold lives.
    pub hold_ttl: Duration,
    /// Seats in one reservation.
    pub max_seats: u8,
    /// Calls a minute, by class.
    pub rate_limit: RateLimitConfig,
    /// What is logged.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How long the payment sandbox takes to answer.
    pub sandbox_delay: Duration,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long requests in flight may take to finish at shutdown.
    pub drain_grace: Duration,
    /// Threads that serve requests.
    pub workers: usize,
    /// Connections open at a time.
    pub connections_max: usize,
    /// Connections open at a time from one address.
    pub connections_per_address_max: usize,
}

/// How the log is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStoreKind {
    /// One sled database per generation.
    Sled,
    /// Plain append-only files.
    Segments,
}

/// Where this process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// On a developer's machine: convenient defaults.
    Development,
    /// For real: no unsafe default.
    Production,
}

impl Environment {
    /// The name used in settings and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Environment::Development => "development",
            Environment::Production => "production",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Text that must not reach a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Why the settings were not taken.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A wrong value: one line that names the setting and what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// `--help` or `--version` was asked for: the text to print.
    #[error("{0}")]
    Asked(String),
}

impl Config {
    /// Reads the command line and the environment of this process.
    ///
    /// # Errors
    /// The first wrong setting.
    pub fn load() -> Result<Config, ConfigError> {
        Self::from_args(std::env::args_os(), std::env::var("PORT").ok().as_deref())
    }

    /// What `cargo run` without settings gives, with the data in `data` and on a free port.
    #[must_use]
    pub fn development(data: impl Into<PathBuf>) -> Config {
        Config {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            data: data.into(),
            log_store: LogStoreKind::Sled,
            environment: Environment::Development,
            sample_data: true,
            jwt_secret: None,
            admin_email: DEFAULT_ADMIN_EMAIL.to_owned(),
            admin_password: Secret::new(DEFAULT_ADMIN_PASSWORD),
            hold_ttl: Duration::from_secs(300),
            max_seats: 4,
            rate_limit: RateLimitConfig::default(),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            sandbox_delay: Duration::ZERO,
            request_timeout: Duration::from_secs(10),
            drain_grace: Duration::from_secs(10),
            workers: default_workers(),
            connections_max: 10_000,
            connections_per_address_max: 2_000,
        }
    }

    fn from_args(
        args: impl IntoIterator<Item = OsString>,
        port: Option<&str>,
    ) -> Result<Config, ConfigError> {
        let mut command = Flags::command();
        let flags = command
            .try_get_matches_from_mut(args)
            .and_then(|matches| Flags::from_arg_matches(&matches))
            .map_err(|error| explain(&error, &command))?;
        flags.check(port).map_err(ConfigError::Invalid)
    }
}

impl Flags {
    fn check(self, port: Option<&str>) -> Result<Config, String> {
        let listen = match (self.listen, port) {
            (Some(address), _) => address,
            (None, Some(port)) => SocketAddr::new(
                DEFAULT_LISTEN.ip(),
                port.parse().map_err(|_| "PORT: expected a port number, 0 to 65535".to_owned())?,
            ),
            (None, None) => DEFAULT_LISTEN,
        };
        let allowed = Duration::from_millis(HOLD_TTL_MS_MIN)..=Duration::from_millis(HOLD_TTL_MS_MAX);
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
        if self.sandbox_delay > Duration::from_secs(60) {
            return Err("--sandbox-delay (TIKETI_SANDBOX_DELAY): expected 0ms to 60s".to_owned());
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
            rate_limit: self.rate_limit,
            log: self.log,
            log_format: self.log_format,
            sandbox_delay: self.sandbox_delay,
            request_timeout: self.request_timeout,
            drain_grace: self.drain_grace,
            workers: self.workers.unwrap_or_else(default_workers),
            connections_max: self.max_connections,
            connections_per_address_max: self.max_connections_per_address,
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
        if !self.allow_sandbox_payments {
            unsafe_defaults.push(
                "payments go to the sandbox, which takes no money \
                 (--allow-sandbox-payments, TIKETI_ALLOW_SANDBOX_PAYMENTS=on accepts that)"
                    .to_owned(),
            );
        }
        if unsafe_defaults.is_empty() {
            return Ok(());
        }
        Err(format!("production refuses unsafe defaults: {}", unsafe_defaults.join("; ")))
    }
}

/// One line from clap's answer, with the variable beside the flag.
fn explain(error: &clap::Error, command: &clap::Command) -> ConfigError {
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

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:3001".to_owned())
}

fn log_store(text: &str) -> Result<LogStoreKind, String> {
    match text {
        "sled" => Ok(LogStoreKind::Sled),
        "segments" => Ok(LogStoreKind::Segments),
        _ => Err("expected sled or segments".to_owned()),
    }
}

fn environment(text: &str) -> Result<Environment, String> {
    match text {
        "development" => Ok(Environment::Development),
        "production" => Ok(Environment::Production),
        _ => Err("expected development or production".to_owned()),
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    }
}

fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err("expected a level (error, warn, info, debug, trace) or a filter".to_owned()),
    }
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

fn max_seats(text: &str) -> Result<u8, String> {
    bounded(text, 1, SEATS_PER_HOLD_MAX).map(|seats| seats as u8)
}

fn workers(text: &str) -> Result<usize, String> {
    bounded(text, 1, 256)
}

fn connections(text: &str) -> Result<usize, String> {
    bounded(text, 1, 1_000_000)
}

fn bounded(text: &str, low: usize, high: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("expected a number from {low} to {high}")),
    }
}

fn rate_limit(text: &str) -> Result<RateLimitConfig, String> {
    text.parse()
}

/// `250ms`, `300s`, `5m`, `24h`: a whole number and its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a duration such as 250ms, 300s, 5m or 24h".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(args: &[&str], port: Option<&str>) -> Result<Config, String> {
        let args = std::iter::once("tiketi-gateway").chain(args.iter().copied()).map(OsString::from);
        Config::from_args(args, port).map_err(|error| error.to_string())
    }

    #[test]
    fn durations() {
        for (text, ms) in
            [("250ms", Some(250)), ("300s", Some(300_000)), ("5m", Some(300_000)), ("5", None)]
                .into_iter()
                .chain([("", None), ("m", None), ("1.5s", None), ("-1s", None), ("5 m", None)])
                .chain([("99999999999999999999s", None), ("18446744073709551615h", None)])
        {
            assert_eq!(duration(text).ok(), ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn wrong_values_are_one_line_that_names_the_setting() {
        for (args, named) in [
            (&["--listen", "nowhere"][..], "--listen (TIKETI_LISTEN): expected an address"),
            (&["--hold-ttl", "5 minutes"], "--hold-ttl (TIKETI_HOLD_TTL): expected a duration"),
            (&["--hold-ttl", "1ms"], "--hold-ttl (TIKETI_HOLD_TTL): expected 1s to 24h"),
            (&["--max-seats", "9"], "--max-seats (TIKETI_MAX_SEATS): expected a number from 1 to 8"),
            (&["--rate-limit", "booking=0"], "--rate-limit (TIKETI_RATE_LIMIT): "),
            (&["--env", "prod"], "--env (TIKETI_ENV): expected development or production"),
            (&["--sample-data=maybe"], "--sample-data (TIKETI_SAMPLE_DATA): expected on or off"),
            (&["--log", "info,=x="], "--log (TIKETI_LOG): expected a level"),
            (&["--admin-email", "nobody"], "--admin-email (ADMIN_EMAIL): expected an e-mail"),
            (&["--jwt-secret", ""], "--jwt-secret (JWT_SECRET): "),
            (&["--nonsense"], "unexpected argument '--nonsense'"),
        ] {
            let error = load(args, None).expect_err(named);
            assert!(error.contains(named), "{args:?}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn production_names_every_unsafe_default_and_starts_without_them() {
        let error = load(&["--env", "production"], None).expect_err("unsafe");
        for named in ["JWT_SECRET", "ADMIN_PASSWORD", "sandbox"] {
            assert!(error.contains(named), "{error}");
        }
        let secret = "0123456789abcdef0123456789abcdef";
        let mut args = vec!["--env", "production", "--jwt-secret", secret];
        args.extend(["--admin-password", "correct horse", "--allow-sandbox-payments"]);
        let config = load(&args, None).expect("safe");
        assert!(!config.sample_data);
        assert!(!format!("{config:?}").contains(secret));
        args[3] = "short";
        let error = load(&args, None).expect_err("short secret");
        assert!(error.contains("shorter than 32 bytes"), "{error}");
    }

    #[test]
    fn port_is_a_fallback_for_listen() {
        for (args, port, listen) in [
            (&[][..], None, "127.0.0.1:3001"),
            (&[], Some("8080"), "127.0.0.1:8080"),
            (&["--listen", "0.0.0.0:80"], Some("8080"), "0.0.0.0:80"),
        ] {
            assert_eq!(load(args, port).expect("valid").listen.to_string(), listen);
        }
        assert!(load(&[], Some("x")).expect_err("port").starts_with("PORT: "));
    }
}
