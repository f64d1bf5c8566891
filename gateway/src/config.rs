//! Settings: every key is a flag and an environment variable, read once, checked before anything
//! is opened. A wrong value stops the start with one line that names it.

mod check;
mod parse;

use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use hyper::header::HeaderValue;
use thiserror::Error;
use tiketi_engine::limits::TICKETS_PER_USER;
use tiketi_engine::record::TicketHold;

use crate::proxies::TrustedProxies;
use crate::rate_limit::RateLimitConfig;

/// The address when neither `--listen` nor `PORT` says another.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3001);
/// The login page of the legacy frontend advertises these two; development only.
const DEFAULT_ADMIN_EMAIL: &str = "admin@tiketi.gg";
const DEFAULT_ADMIN_PASSWORD: &str = "admin123";
/// Where the frontend's own development server is.
const DEFAULT_FRONTEND_URL: &str = "http://localhost:3000";
const BALLAST_BYTES: u64 = 64 << 20;
/// What sled has to say of a damaged log is in the one line that refuses the start.
const DEFAULT_LOG: &str = "info,sled=off";

/// Sells seats: the HTTP gateway with its engine and log.
///
/// Every option can be set by its environment variable instead; the option wins. PORT is honoured
/// where neither --listen nor TIKETI_LISTEN is given, on the loopback address.
#[derive(Parser, Debug)]
#[command(name = "tiketi-gateway", version, max_term_width = 100)]
struct Flags {
    /// Address and port to serve on [default: 127.0.0.1:3001]
    #[arg(long, env = "TIKETI_LISTEN", value_name = "ADDRESS:PORT", value_parser = parse::address)]
    listen: Option<SocketAddr>,
    /// Directory of the log, the snapshots and the development secret
    #[arg(long, env = "TIKETI_DATA", value_name = "DIRECTORY", default_value = "./data")]
    data: PathBuf,
    /// How the log is stored: sled or segments
    #[arg(long, env = "TIKETI_LOG_STORE", value_name = "STORE", default_value = "sled",
          value_parser = parse::log_store)]
    log_store: LogStoreKind,
    /// development or production; production refuses to start on defaults that are unsafe
    #[arg(long, env = "TIKETI_ENV", value_name = "NAME", default_value = "development",
          value_parser = parse::environment)]
    env: Environment,
    /// Load sample data into an empty log, on or off [default: on in development]
    #[arg(long, env = "TIKETI_SAMPLE_DATA", value_name = "on|off", num_args = 0..=1,
          require_equals = true, default_missing_value = "on", value_parser = parse::on_off)]
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
          value_parser = parse::duration)]
    hold_ttl: Duration,
    /// Seats in one reservation, unless the event says otherwise
    #[arg(long, env = "TIKETI_MAX_SEATS", value_name = "1-8", default_value = "4",
          value_parser = parse::max_seats)]
    max_seats: u8,
    /// How long tickets without seats stay held for a buyer who has not paid, or never for as long as it
    /// takes [default: as long as seats of the event]
    #[arg(long, env = "TIKETI_TICKET_HOLD_TTL", value_name = "DURATION|never",
          value_parser = parse::ticket_hold)]
    ticket_hold_ttl: Option<TicketHold>,
    /// Tickets without seats that one user can have of an event, unless the event says otherwise
    #[arg(long, env = "TIKETI_MAX_TICKETS", value_name = "COUNT", default_value = "10",
          value_parser = parse::max_tickets)]
    max_tickets: u32,
    /// People inside an event's booking pages at a time; more than that wait in line
    #[arg(long, env = "TIKETI_QUEUE_THRESHOLD", value_name = "PEOPLE", default_value = "1000",
          value_parser = parse::threshold)]
    queue_threshold: u32,
    /// People let in from the line a second, such as 50 or 0.5, or unlimited
    #[arg(long, env = "TIKETI_QUEUE_RATE", value_name = "RATE", default_value = "unlimited",
          value_parser = parse::queue_rate)]
    queue_rate: QueueRate,
    /// How long somebody who was let in stays inside without a sign of life
    #[arg(long, env = "TIKETI_QUEUE_SESSION", value_name = "DURATION", default_value = "5m",
          value_parser = parse::duration)]
    queue_session: Duration,
    /// How long somebody who waits keeps the place without a sign of life
    #[arg(long, env = "TIKETI_QUEUE_SILENCE", value_name = "DURATION", default_value = "2m",
          value_parser = parse::duration)]
    queue_silence: Duration,
    /// Calls a minute: on, off, or own numbers for some of login=5 (per account),
    /// login-address=20, booking=10 (per user), user=100, queue=300, address=600 (without a
    /// token), image=3000 (per address), e.g. booking=30,user=1000
    #[arg(long, env = "TIKETI_RATE_LIMIT", value_name = "LIMITS", default_value = "on",
          value_parser = parse::rate_limit)]
    rate_limit: RateLimitConfig,
    /// What is logged: a level (error, warn, info, debug, trace) or a filter such as
    /// info,tiketi_gateway=debug
    #[arg(long, env = "TIKETI_LOG", value_name = "FILTER", default_value = DEFAULT_LOG,
          value_parser = parse::log_filter)]
    log: String,
    /// How log lines look, those of the access log too: text or json
    #[arg(long, env = "TIKETI_LOG_FORMAT", value_name = "FORMAT", default_value = "text",
          value_parser = parse::log_format)]
    log_format: LogFormat,
    /// Which answers get a line on standard output: off, errors (400 and above) or all [default:
    /// all in production, off in development]
    #[arg(long, env = "TIKETI_ACCESS_LOG", value_name = "WHICH", value_parser = parse::access_log)]
    access_log: Option<AccessLogLevel>,
    /// How long the payment sandbox takes to answer
    #[arg(long, env = "TIKETI_SANDBOX_DELAY", value_name = "DURATION", default_value = "0ms",
          value_parser = parse::duration)]
    sandbox_delay: Duration,
    /// How long a virtual account may wait for its deposit; the end of the sale and the event end it
    /// sooner
    #[arg(long, env = "TIKETI_DEPOSIT_DUE_MAX", value_name = "DURATION", default_value = "24h",
          value_parser = parse::duration)]
    deposit_due_max: Duration,
    /// Public key of Toss Payments, test_… or live_… [development: the sandbox's]
    #[arg(long, env = "TOSS_CLIENT_KEY", value_name = "KEY")]
    toss_client_key: Option<String>,
    /// Secret keys of Toss Payments, the first one used; a second one while they change
    #[arg(
        long,
        env = "TOSS_SECRET_KEY",
        value_name = "KEY[,KEY]",
        hide_env_values = true,
        value_delimiter = ','
    )]
    toss_secret_key: Vec<String>,
    /// Where Toss Payments is
    #[arg(
        long,
        env = "TIKETI_TOSS_URL",
        value_name = "URL",
        default_value = "https://api.tosspayments.com"
    )]
    toss_url: String,
    /// Public key of Stripe, pk_test_… or pk_live_… [development: the simulator's]
    #[arg(long, env = "STRIPE_PUBLISHABLE_KEY", value_name = "KEY")]
    stripe_publishable_key: Option<String>,
    /// Secret keys of Stripe, the first one used; a second one while they change
    #[arg(
        long,
        env = "STRIPE_SECRET_KEY",
        value_name = "KEY[,KEY]",
        hide_env_values = true,
        value_delimiter = ','
    )]
    stripe_secret_key: Vec<String>,
    /// Secrets that Stripe's webhooks are signed with, whsec_…; each may have signed one
    #[arg(
        long,
        env = "STRIPE_WEBHOOK_SECRET",
        value_name = "SECRET[,SECRET]",
        hide_env_values = true,
        value_delimiter = ','
    )]
    stripe_webhook_secret: Vec<String>,
    /// Where Stripe is
    #[arg(
        long,
        env = "TIKETI_STRIPE_URL",
        value_name = "URL",
        default_value = "https://api.stripe.com"
    )]
    stripe_url: String,
    /// This server as browsers see it, for the redirects of payments [default: http://LISTEN]
    #[arg(long, env = "TIKETI_PUBLIC_URL", value_name = "URL", value_parser = parse::public_url)]
    public_url: Option<String>,
    /// Let production offer POST /api/payments/process, which takes no money
    #[arg(long, env = "TIKETI_ALLOW_SANDBOX_PAYMENTS", value_name = "on|off", num_args = 0..=1,
          require_equals = true, default_value = "off", default_missing_value = "on",
          value_parser = parse::on_off)]
    allow_sandbox_payments: bool,
    /// Where uploaded images are kept: file:///directory or s3://bucket/prefix [default: images in
    /// the data directory]
    #[arg(long, env = "TIKETI_IMAGES_URL", value_name = "URL", value_parser = parse::image_place)]
    images_url: Option<ImagePlace>,
    /// Where a bucket is that is not at Amazon
    #[arg(long, env = "AWS_ENDPOINT_URL_S3", value_name = "URL", value_parser = parse::public_url)]
    s3_endpoint: Option<String>,
    /// Region of the bucket
    #[arg(long, env = "AWS_REGION", value_name = "REGION", default_value = "ap-northeast-2")]
    s3_region: String,
    /// Key of the bucket [default: the role of the machine]
    #[arg(long, env = "AWS_ACCESS_KEY_ID", value_name = "ID")]
    s3_access_key: Option<String>,
    /// Secret of that key
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", value_name = "SECRET", hide_env_values = true)]
    s3_secret_key: Option<String>,
    /// How long one request may take before it is answered with an error
    #[arg(long, env = "TIKETI_REQUEST_TIMEOUT", value_name = "DURATION", default_value = "10s",
          value_parser = parse::duration)]
    request_timeout: Duration,
    /// How long requests in flight may take to finish after SIGTERM
    #[arg(long, env = "TIKETI_DRAIN_GRACE", value_name = "DURATION", default_value = "10s",
          value_parser = parse::duration)]
    drain_grace: Duration,
    /// Threads that serve requests [default: one per processor]
    #[arg(long, env = "TIKETI_WORKERS", value_name = "COUNT", value_parser = parse::workers)]
    workers: Option<usize>,
    /// Connections open at a time
    #[arg(long, env = "TIKETI_MAX_CONNECTIONS", value_name = "COUNT", default_value = "10000",
          value_parser = parse::connections)]
    max_connections: usize,
    /// Connections open at a time from one address
    #[arg(long, env = "TIKETI_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT",
          default_value = "2000", value_parser = parse::connections)]
    max_connections_per_address: usize,
    /// Addresses and networks of the proxies in front of this server, such as 127.0.0.1,10.0.0.0/8:
    /// their X-Forwarded-For says who calls [default: none]
    #[arg(long, env = "TIKETI_TRUSTED_PROXIES", value_name = "ADDRESS[,ADDRESS]",
          value_parser = parse::proxies)]
    trusted_proxies: Option<TrustedProxies>,
    /// Sockets open at a time that say they are one user's
    #[arg(long, env = "TIKETI_MAX_SOCKETS_PER_USER", value_name = "COUNT", default_value = "20",
          value_parser = parse::connections)]
    max_sockets_per_user: usize,
    /// Origin of the web frontend: may use /socket.io/ with credentials
    #[arg(long, env = "FRONTEND_URL", value_name = "URL", default_value = DEFAULT_FRONTEND_URL,
          value_parser = parse::origin)]
    frontend_url: HeaderValue,
    /// Bytes of the log after which a generation ends and a snapshot is made [default: 180 MiB].
    /// Hidden: no operator gains by it. Tests make it small, so that both happen under load.
    #[arg(long, env = "TIKETI_GENERATION_BYTES", value_name = "BYTES", hide = true,
          value_parser = parse::generation_bytes)]
    generation_bytes: Option<u64>,
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
    /// How long an unpaid order of tickets lives; `None` for as long as its event holds seats.
    pub ticket_hold_ttl: Option<TicketHold>,
    /// Tickets without seats that one user can have of an event.
    pub max_tickets: u32,
    /// People inside an event at a time, unless an administrator says otherwise.
    pub queue_threshold: u32,
    /// People let in a second, unless an administrator says otherwise.
    pub queue_rate: QueueRate,
    /// How long an admission lasts without a sign of life.
    pub queue_session: Duration,
    /// How long a place in line lasts without one.
    pub queue_silence: Duration,
    /// Calls a minute, by class.
    pub rate_limit: RateLimitConfig,
    /// What is logged.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which answers get a line in the access log.
    pub access_log: AccessLogLevel,
    /// How long the payment sandbox takes to answer.
    pub sandbox_delay: Duration,
    /// How long a virtual account may wait for its deposit.
    pub deposit_due_max: Duration,
    /// Keys of Toss Payments; `None` for the sandbox in development and for no cards in production.
    pub toss: Option<TossKeys>,
    /// Keys of Stripe; `None` for its simulator in development and for no Stripe in production.
    pub stripe: Option<StripeKeys>,
    /// Whether `POST /api/payments/process` confirms orders without any money.
    pub simulated_payments: bool,
    /// This server as browsers see it, without a slash at its end; `None` for where it listens.
    pub public_url: Option<String>,
    /// Where uploaded images are kept.
    pub images: ImagePlace,
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
    /// Who says where requests come from; from them any number of connections is taken.
    pub trusted_proxies: TrustedProxies,
    /// Sockets of one user open at a time.
    pub sockets_per_user_max: usize,
    /// Origin of the web frontend, as a header has it.
    pub frontend_url: HeaderValue,
    /// How long things take on sockets. No flag: the frontend is built for these; tests change them.
    pub socket_times: SocketTimes,
    /// Bytes of the log after which a generation ends and a snapshot is made; `None` is what the
    /// log has as its default.
    pub generation_bytes: Option<u64>,
    /// Size of the file that is given back when a full disk would keep the log from opening. No
    /// flag: tests set it to 0.
    pub ballast_bytes: u64,
}

/// How Toss Payments is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TossKeys {
    /// Its address.
    pub url: String,
    /// Public.
    pub client_key: String,
    /// The first is used, all are tried.
    pub secret_keys: Vec<Secret>,
}

/// How Stripe is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeKeys {
    /// Its address.
    pub url: String,
    /// Public.
    pub publishable_key: String,
    /// The first is used, all are tried.
    pub secret_keys: Vec<Secret>,
    /// Each may have signed a webhook.
    pub webhook_secrets: Vec<Secret>,
}

/// Where uploaded images are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImagePlace {
    /// `images` in the directory of the log.
    DataDirectory,
    /// A directory of their own.
    Directory(PathBuf),
    /// A bucket.
    S3(S3Place),
}

/// A bucket, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// Its name.
    pub bucket: String,
    /// What all names in it begin with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// Where it is; `None` for Amazon.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// Key and secret; `None` for the role of the machine.
    pub keys: Option<(String, Secret)>,
}

/// How fast people are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRate {
    /// In thousandths of a person a second; `None` for no limit.
    pub milli: Option<u64>,
}

impl QueueRate {
    /// No limit.
    pub const UNLIMITED: QueueRate = QueueRate { milli: None };
}

/// How the log is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStoreKind {
    /// One sled database per generation.
    Sled,
    /// Plain append-only files.
    Segments,
}

/// How long things take on sockets (contract/socket.md 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketTimes {
    /// Between two pings of the server.
    pub ping_every: Duration,
    /// How long a ping may be unanswered.
    pub pong_within: Duration,
    /// How long a Socket.IO client may take to say who it is.
    pub connect_within: Duration,
    /// How long a peer may take no byte.
    pub write_within: Duration,
}

impl Default for SocketTimes {
    fn default() -> Self {
        SocketTimes {
            ping_every: Duration::from_secs(25),
            pong_within: Duration::from_secs(60),
            connect_within: Duration::from_secs(45),
            write_within: Duration::from_secs(10),
        }
    }
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

/// Which answers get a line in the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogLevel {
    /// None.
    Off,
    /// Those of status 400 and above.
    Errors,
    /// Each.
    All,
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
            ticket_hold_ttl: None,
            max_tickets: TICKETS_PER_USER,
            queue_threshold: 1_000,
            queue_rate: QueueRate::UNLIMITED,
            queue_session: Duration::from_secs(300),
            queue_silence: Duration::from_secs(120),
            rate_limit: RateLimitConfig::default(),
            log: DEFAULT_LOG.to_owned(),
            log_format: LogFormat::Text,
            access_log: AccessLogLevel::Off,
            sandbox_delay: Duration::ZERO,
            deposit_due_max: Duration::from_secs(24 * 60 * 60),
            toss: None,
            stripe: None,
            public_url: None,
            simulated_payments: true,
            images: ImagePlace::DataDirectory,
            request_timeout: Duration::from_secs(10),
            drain_grace: Duration::from_secs(10),
            workers: default_workers(),
            connections_max: 10_000,
            connections_per_address_max: 2_000,
            trusted_proxies: TrustedProxies::default(),
            sockets_per_user_max: 20,
            frontend_url: HeaderValue::from_static(DEFAULT_FRONTEND_URL),
            socket_times: SocketTimes::default(),
            generation_bytes: None,
            ballast_bytes: BALLAST_BYTES,
        }
    }

    /// Whether browsers come by TLS, through a proxy in front of this server.
    pub(crate) fn is_behind_tls(&self) -> bool {
        let is_https = self.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        is_https && self.environment == Environment::Production
    }

    fn from_args(
        args: impl IntoIterator<Item = OsString>,
        port: Option<&str>,
    ) -> Result<Config, ConfigError> {
        let mut command = Flags::command();
        let flags = command
            .try_get_matches_from_mut(args)
            .and_then(|matches| Flags::from_arg_matches(&matches))
            .map_err(|error| check::explain(&error, &command))?;
        flags.check(port).map_err(ConfigError::Invalid)
    }
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(args: &[&str], port: Option<&str>) -> Result<Config, String> {
        let args =
            std::iter::once("tiketi-gateway").chain(args.iter().copied()).map(OsString::from);
        Config::from_args(args, port).map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_values_are_one_line_that_names_the_setting() {
        for (args, named) in [
            (&["--listen", "nowhere"][..], "--listen (TIKETI_LISTEN): expected an address"),
            (&["--hold-ttl", "5 minutes"], "--hold-ttl (TIKETI_HOLD_TTL): expected a duration"),
            (&["--hold-ttl", "1ms"], "--hold-ttl (TIKETI_HOLD_TTL): expected 1s to 24h"),
            (
                &["--max-seats", "9"],
                "--max-seats (TIKETI_MAX_SEATS): expected a number from 1 to 8",
            ),
            (
                &["--max-tickets", "0"],
                "--max-tickets (TIKETI_MAX_TICKETS): expected a number from 1 to 1000000",
            ),
            (
                &["--ticket-hold-ttl", "always"],
                "--ticket-hold-ttl (TIKETI_TICKET_HOLD_TTL): expected never, or a duration from 1s",
            ),
            (
                &["--ticket-hold-ttl", "25h"],
                "--ticket-hold-ttl (TIKETI_TICKET_HOLD_TTL): expected never, or a duration from 1s",
            ),
            (
                &["--queue-threshold", "0"],
                "--queue-threshold (TIKETI_QUEUE_THRESHOLD): expected a number from 1",
            ),
            (&["--queue-rate", "0"], "--queue-rate (TIKETI_QUEUE_RATE): expected people a second"),
            (
                &["--queue-silence", "10s"],
                "--queue-silence (TIKETI_QUEUE_SILENCE): expected 60s to 24h",
            ),
            (&["--rate-limit", "booking=0"], "--rate-limit (TIKETI_RATE_LIMIT): "),
            (&["--images-url", "x"], "--images-url (TIKETI_IMAGES_URL): expected file:///"),
            (
                &["--images-url", "s3://posters", "--s3-access-key", "id"],
                "--s3-access-key (AWS_ACCESS_KEY_ID) and --s3-secret-key",
            ),
            (&["--access-log", "on"], "--access-log (TIKETI_ACCESS_LOG): expected off, errors or"),
            (&["--env", "prod"], "--env (TIKETI_ENV): expected development or production"),
            (&["--sample-data=maybe"], "--sample-data (TIKETI_SAMPLE_DATA): expected on or off"),
            (&["--log", "info,=x="], "--log (TIKETI_LOG): expected a level"),
            (&["--admin-email", "nobody"], "--admin-email (ADMIN_EMAIL): expected an e-mail"),
            (&["--jwt-secret", ""], "--jwt-secret (JWT_SECRET): "),
            (&["--frontend-url", "*"], "--frontend-url (FRONTEND_URL): expected an origin"),
            (
                &["--max-sockets-per-user", "0"],
                "--max-sockets-per-user (TIKETI_MAX_SOCKETS_PER_USER): expected a number from 1",
            ),
            (
                &["--generation-bytes", "1"],
                "--generation-bytes (TIKETI_GENERATION_BYTES): expected a number from 4096",
            ),
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
        args.truncate(6);
        assert!(load(&args, None).expect_err("no provider").contains("STRIPE_SECRET_KEY"));
        args.extend(["--stripe-publishable-key", "pk_live_a", "--stripe-secret-key", "sk_live_a"]);
        args.extend(["--stripe-webhook-secret", "whsec_a"]);
        assert!(load(&args, None).expect("Stripe alone").stripe.is_some());
        args[3] = "short";
        let error = load(&args, None).expect_err("short secret");
        assert!(error.contains("shorter than 32 bytes"), "{error}");
    }

    #[test]
    fn the_keys_of_a_provider_go_together() {
        let toss = ["--toss-client-key", "test_ck_a", "--toss-secret-key", "test_sk_a,test_sk_b"];
        let publishable = ["--stripe-publishable-key", "pk_test_a"];
        let secret = ["--stripe-secret-key", "sk_test_a,sk_test_b"];
        let webhook = ["--stripe-webhook-secret", "whsec_a,whsec_b"];
        let url = ["--stripe-url", "http://127.0.0.1:1/stripe/"];
        let all = [&toss[..], &publishable, &secret, &webhook, &url].concat();
        let config = load(&all, None).expect("both");
        let stripe = config.stripe.as_ref().expect("Stripe");
        assert_eq!(
            (stripe.url.as_str(), stripe.secret_keys.len()),
            ("http://127.0.0.1:1/stripe", 2)
        );
        assert_eq!(stripe.webhook_secrets.len(), 2);
        assert_eq!(config.toss.as_ref().expect("Toss").secret_keys.len(), 2);
        assert!(!format!("{config:?}").contains("sk_test_b"));
        assert!(load(&toss, None).expect("Toss alone").stripe.is_none());
        for some in [&publishable[..], &secret, &webhook, &[secret, webhook].concat()] {
            let error = load(some, None).expect_err("a part");
            assert!(error.contains("--stripe-webhook-secret (STRIPE_WEBHOOK_SECRET)"), "{error}");
        }
    }

    #[test]
    fn tickets_are_held_as_long_as_it_says() {
        let of = |args: &[&str]| {
            let config = load(args, None).expect("valid");
            (config.ticket_hold_ttl, config.max_tickets)
        };
        assert_eq!(of(&[]), (None, 10));
        let args = ["--ticket-hold-ttl", "never", "--max-tickets", "4"];
        assert_eq!(of(&args), (Some(TicketHold::Never), 4));
        let args = ["--ticket-hold-ttl", "30m"];
        assert_eq!(of(&args), (Some(TicketHold::Millis(1_800_000)), 10));
    }

    #[test]
    fn generations_and_the_log_filter() {
        let config = load(&[], None).expect("valid");
        assert_eq!((config.generation_bytes, config.log.as_str()), (None, "info,sled=off"));
        let args = ["--generation-bytes", "262144", "--log", "info"];
        let config = load(&args, None).expect("valid");
        assert_eq!((config.generation_bytes, config.log.as_str()), (Some(262_144), "info"));
        let help = load(&["--help"], None).expect_err("the text");
        assert!(help.contains("--log-store") && !help.contains("generation-bytes"), "{help}");
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
