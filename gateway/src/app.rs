//! Wiring: opens the log, builds what every request shares, starts the workers, serves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use thiserror::Error;
use tiketi_engine::command::NewUser;
use tiketi_engine::engine::{Engine, TicketDefaults};
use tiketi_engine::error::{AccountRefusal, CommandError, JournalUnavailable};
use tiketi_engine::ids::{EventIndex, Lsn, UnixMillis, UserId};
use tiketi_engine::journal::Pending;
use tiketi_engine::record::{EventRules, Role};
use tiketi_engine::state::State;
use tiketi_engine::waiting_room::QueueTimes;
use tiketi_persistence::{
    FatalHook, GroupCommit, OpenError, Opened, Options, RecoveryReport, StoreKind, View,
};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::access_log::AccessLog;
use crate::auth::pass::Passes;
use crate::auth::password::Passwords;
use crate::auth::token::Tokens;
use crate::clock::Clock;
use crate::compression::Compressor;
use crate::config::{Config, LogStoreKind, Secret};
use crate::connections::Connections;
use crate::error::{ApiError, Code};
use crate::event_plans::EventPlans;
use crate::fanout::{self, Hub};
use crate::handlers::events::{DetailShown, ListShown};
use crate::http::Response;
use crate::images::Images;
use crate::kept_bodies::KeptBodies;
use crate::metrics::Metrics;
use crate::payments::{DeskError, Payments, compare, reconciler, worker};
use crate::rate_limit::RateLimits;
use crate::request_id::RequestIds;
use crate::routes::{ROUTES, Router};
use crate::sample_data;
use crate::search::SearchIndex;
use crate::seat_maps::SeatMaps;
use crate::server;
use crate::tally;

/// Holds end within 100 ms of their deadline.
const EXPIRY_TICK: Duration = Duration::from_millis(20);
/// Ended in one go before other tasks get their turn.
const EXPIRED_AT_ONCE_MAX: usize = 1_000;
const HOUSEKEEPING_TICK: Duration = Duration::from_secs(5);
const RECOUNT_TICK: Duration = Duration::from_secs(60);
/// How long a read waits for the position it asks for.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);

/// What every request shares.
pub struct App {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) engine: Engine<Arc<GroupCommit>>,
    pub(crate) view: View,
    pub(crate) tokens: Tokens,
    pub(crate) passes: Passes,
    pub(crate) passwords: Passwords,
    pub(crate) limits: RateLimits,
    pub(crate) metrics: Metrics,
    pub(crate) compressor: Compressor,
    pub(crate) router: Router,
    pub(crate) connections: Arc<Connections>,
    pub(crate) request_ids: RequestIds,
    pub(crate) access_log: AccessLog,
    pub(crate) plans: EventPlans,
    pub(crate) seat_maps: SeatMaps,
    /// Held from the look at an event's ticket types until those of a table are there: of two equal
    /// tables sent at once the second one finds the first one's names.
    pub(crate) one_table: Mutex<()>,
    pub(crate) event_lists: KeptBodies<ListShown>,
    pub(crate) event_details: KeptBodies<DetailShown>,
    pub(crate) search: SearchIndex,
    pub(crate) hub: Hub,
    pub(crate) payments: Payments,
    pub(crate) images: Images,
    /// The last record of earlier process lives.
    pub(crate) started_lsn: Lsn,
}

/// Why a gateway did not start. One line each, for the person at the terminal.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log's fold contradicts itself.
    #[error("the log is inconsistent: {0}")]
    Inconsistent(String),
    /// The development secret cannot be kept.
    #[error("cannot keep the token secret in {path}: {source}")]
    JwtSecret {
        /// Where.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The administrator's account cannot be made.
    #[error("cannot make the administrator's account: {0}")]
    Admin(String),
    /// The sample catalogue cannot be made.
    #[error("cannot load the sample data: {0}")]
    SampleData(String),
    /// No payments can be taken, or those that an earlier process began cannot be ended.
    #[error("payments: {0}")]
    Payments(String),
    /// The seats of an event cannot be made.
    #[error("seats: {0}")]
    Seats(String),
    /// Uploaded images cannot be kept.
    #[error("images: {0}")]
    Images(String),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// A metric contradicts another: a mistake of ours.
    #[error("cannot register the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// A gateway that serves. Dropping it stops it without waiting for anybody.
pub struct Running {
    app: Arc<App>,
    address: SocketAddr,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
    workers: JoinSet<()>,
}

impl App {
    /// Opens the log and serves; runs in the caller's tokio runtime.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let clock = Clock::start();
        let opened = open_log(&config, clock).await?;
        report(&opened.report);
        let Opened { state, journal, commits, report: _ } = opened;
        let clock = clock.not_before(state.last_at());
        let started_lsn = state.lsn();
        let engine = Engine::from_state(&state, journal).map_err(StartError::Inconsistent)?;
        let engine = engine.with_ticket_defaults(TicketDefaults {
            max_tickets: config.max_tickets,
            hold_ttl: config.ticket_hold_ttl,
        });
        engine.set_queue_defaults(
            config.queue_threshold,
            config.queue_rate.milli,
            QueueTimes {
                session_ttl_ms: millis(config.queue_session),
                silence_ms: millis(config.queue_silence),
            },
        );
        let search = SearchIndex::of(&state);
        let changes = search.changes();
        let view = View::watched(state, &commits, FatalHook::default(), move |record| {
            changes.note(record);
        });
        let hub = Hub::new(commits);
        let secret = jwt_secret_in(&config.data, config.jwt_secret.as_ref())?;
        let metrics = Metrics::new()?;
        let dropped = metrics.access_log_dropped.clone();
        let access_log = AccessLog::start(config.access_log, config.log_format, dropped);
        let app = Arc::new(App {
            clock,
            engine,
            view,
            tokens: Tokens::new(secret.expose()),
            passes: Passes::new(secret.expose()),
            passwords: Passwords::start().map_err(StartError::Thread)?,
            limits: RateLimits::new(config.rate_limit),
            metrics,
            compressor: Compressor::new(),
            router: Router::new(ROUTES),
            connections: Connections::new(
                config.connections_max,
                config.connections_per_address_max,
            ),
            request_ids: RequestIds::new(),
            access_log: access_log.map_err(StartError::Thread)?,
            plans: EventPlans::default(),
            seat_maps: SeatMaps::default(),
            one_table: Mutex::default(),
            event_lists: KeptBodies::default(),
            event_details: KeptBodies::default(),
            search,
            hub,
            payments: Payments::new(config.sandbox_delay),
            images: Images::open(&config.images, &config.data)
                .map_err(|error| StartError::Images(error.to_string()))?,
            started_lsn,
            config,
        });
        app.ensure_admin().await?;
        let unresolved = |error: ApiError| StartError::Payments(error.to_string());
        worker::resolve_earlier(&app).await.map_err(unresolved)?;
        app.ensure_sample_data().await.map_err(StartError::SampleData)?;
        app.ensure_seats().await?;
        // A process may have died between a place in line and the admission: until that person is in,
        // newcomers would be told to wait. What cannot be logged now the first tick does.
        if let Err(unavailable) = app.engine.admit_due(app.clock.now()) {
            warn!(%unavailable, "people are let in later");
        }
        app.serve()
    }

    /// Only now, with everything recovered, somebody may connect.
    fn serve(self: Arc<App>) -> Result<Running, StartError> {
        let address = self.config.listen;
        let at_address = |source| StartError::Listen { address, source };
        let listener = server::listen(address).map_err(at_address)?;
        let address = listener.local_addr().map_err(at_address)?;
        let unpaid = |error: DeskError| StartError::Payments(error.to_string());
        self.payments.open(&self.config, address).map_err(unpaid)?;
        let stop = CancellationToken::new();
        let mut workers = JoinSet::new();
        workers.spawn(expire_holds(Arc::clone(&self)));
        workers.spawn(keep_house(Arc::clone(&self)));
        workers.spawn(recount(Arc::clone(&self)));
        workers.spawn(fanout::follow(Arc::clone(&self)));
        workers.spawn(fanout::line::keep(Arc::clone(&self)));
        workers.spawn(reconciler::keep(Arc::clone(&self)));
        workers.spawn(compare::keep(Arc::clone(&self)));
        let stopped = stop.clone().cancelled_owned();
        let accepting = tokio::spawn(server::accept(Arc::clone(&self), listener, stopped));
        Ok(Running { app: self, address, stop, accepting, workers })
    }

    /// Makes the administrator's account where nobody has the address.
    async fn ensure_admin(&self) -> Result<(), StartError> {
        let email = &self.config.admin_email;
        if self.view.read(|state| state.user_by_email(email).is_some()) {
            return Ok(());
        }
        let failed = |why: &dyn std::fmt::Display| StartError::Admin(why.to_string());
        let password = self.config.admin_password.expose().to_owned();
        let new = NewUser {
            email: email.clone(),
            password_hash: self.passwords.hash(password).await.map_err(|error| failed(&error))?,
            name: "관리자".to_owned(),
            phone: Some("010-1234-5678".to_owned()),
            role: Role::Admin,
            tag: rand::rng().next_u64(),
        };
        let new = new.check().map_err(|error| failed(&error))?;
        match self.engine.register_user(new, self.clock.now()) {
            Ok(pending) => {
                self.durable(pending).await.map_err(|error| failed(&error))?;
                Ok(())
            }
            Err(CommandError::Refused(AccountRefusal::EmailTaken)) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Fills an empty log, or goes on with what an earlier start did not finish.
    async fn ensure_sample_data(&self) -> Result<(), String> {
        if !self.config.sample_data {
            return Ok(());
        }
        let missing = |state: &State| sample_data::missing_from(state, &self.config.admin_email);
        self.catch_up(None).await.map_err(|error| error.to_string())?;
        let Some(missing) = self.view.read(missing) else {
            return Ok(());
        };
        let rules = EventRules {
            seats_per_reservation: self.config.max_seats,
            hold_ttl_ms: millis(self.config.hold_ttl),
            seats_per_user: None,
        };
        if let Some(last) = sample_data::load(&self.engine, missing, rules, self.clock.now())? {
            self.durable(Pending::new((), last)).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Makes the seats of every event with a layout and none (contract/domain.md 2).
    async fn ensure_seats(&self) -> Result<(), StartError> {
        let failed = |why: &dyn std::fmt::Display| StartError::Seats(why.to_string());
        let without: Vec<EventIndex> = self.view.read(|state| {
            let events = state.listed_events().filter(|(_, event)| event.seats_removed);
            events.map(|(index, _)| index).collect()
        });
        for event in without {
            let generated = self.engine.generate_seats(event, None, self.clock.now());
            let pending = generated.map_err(|error| failed(&error))?;
            self.durable(pending).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Whether this installation has the account.
    pub(crate) fn has_account(&self, user: UserId) -> bool {
        self.engine.standing(user).is_some()
    }

    /// Waits until an answer may leave (I6).
    ///
    /// # Errors
    /// 504 where the journal has failed meanwhile: whether the record was kept is unknown.
    pub(crate) async fn durable<T>(&self, pending: Pending<T>) -> Result<T, ApiError> {
        let started = Instant::now();
        let result = self.engine.journal().committed(pending).await;
        self.metrics.commit_waited(started.elapsed());
        result.map_err(|poisoned| ApiError::new(Code::Timeout).cause(poisoned))
    }

    /// Adds `Tiketi-Lsn` to the answer to a write.
    pub(crate) fn written(&self, response: Response, lsn: Lsn) -> Response {
        response.at(self.engine.journal().epoch(), lsn)
    }

    /// Waits until the view shows everything that was durable when this was called, and `min_lsn`:
    /// who got an answer finds what it said in every later read.
    ///
    /// # Errors
    /// 503 where the view does not get there in time.
    pub(crate) async fn catch_up(&self, min_lsn: Option<Lsn>) -> Result<(), ApiError> {
        let wanted = self.engine.journal().durable_lsn().max(min_lsn.unwrap_or_default());
        if self.view.applied_lsn() >= wanted {
            return Ok(());
        }
        match tokio::time::timeout(CATCH_UP_MAX, self.view.at(wanted)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(poisoned)) => Err(ApiError::new(Code::Unavailable).cause(poisoned)),
            Err(late) => Err(ApiError::new(Code::Unavailable).cause(late)),
        }
    }

    /// Waits until the view shows a record that is durable, for the answer to whoever asked for it.
    ///
    /// # Errors
    /// 504 where the view does not get there in time: what was asked for is done, so it must not
    /// read as a refusal, which changes nothing.
    pub(crate) async fn shown(&self, lsn: Lsn) -> Result<(), ApiError> {
        self.catch_up(Some(lsn)).await.map_err(|late| ApiError::new(Code::Timeout).cause(late))
    }

    /// Ends holds whose deadline has passed; `true` where none is left.
    fn expire_due(&self, now: UnixMillis) -> Result<bool, JournalUnavailable> {
        let ended = self.engine.expire(now, EXPIRED_AT_ONCE_MAX)?;
        for hold in &ended {
            self.metrics.event(hold.event).reservations_expired.inc();
        }
        Ok(ended.len() < EXPIRED_AT_ONCE_MAX)
    }

    /// Ends all holds whose deadline has passed and waits until the view shows it: who counts orders
    /// then counts them as they are.
    ///
    /// # Errors
    /// 503 where the journal takes no records now, or the view does not get there in time.
    pub(crate) async fn expire_all_due(&self) -> Result<(), ApiError> {
        let now = self.clock.now();
        while !self.expire_due(now)? {
            tokio::task::yield_now().await;
        }
        self.catch_up(Some(self.engine.journal().appended_lsn())).await
    }

    /// Whether the journal has failed.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.engine.journal().durable().is_poisoned()
    }

    /// Whether new bookings are refused for want of disk.
    pub(crate) fn is_disk_low(&self) -> bool {
        self.engine.journal().is_disk_low()
    }

    /// Requests that are being answered.
    #[must_use]
    pub fn requests_in_flight(&self) -> i64 {
        self.metrics.requests_active.get()
    }

    /// Whether shutdown has begun.
    pub(crate) fn is_draining(&self) -> bool {
        self.connections.is_draining()
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its requests share.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Waits until it cannot go on: a worker has ended or the journal has failed.
    pub async fn failed(&mut self) {
        let ended = self.workers.join_next().await;
        error!(?ended, "a worker has ended");
    }

    /// Accepts nobody any more, lets requests in flight finish, and closes the log.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // It ends once cancelled; a panic in it has been written already.
        let _ = (&mut self.accepting).await;
        server::drain(&self.app.connections, self.app.config.drain_grace).await;
        self.workers.shutdown().await;
        let app = Arc::clone(&self.app);
        // A journal that takes no more has been reported; a few views are lost with it.
        let _ = app.engine.log_news_views(app.clock.now());
        // Commits what was appended; waits for the disk, and for the reader of the access log.
        let close = move || {
            let closed = app.engine.journal().close();
            app.access_log.flush();
            closed
        };
        match tokio::task::spawn_blocking(close).await {
            Ok(Ok(())) => info!("stopped"),
            Ok(Err(fatal)) => error!(%fatal, "the log did not close in order"),
            Err(panic) => error!(%panic, "the log did not close in order"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.app.connections.abort_all();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Recovery reads the whole log: not on a thread that serves.
async fn open_log(config: &Config, clock: Clock) -> Result<Opened, StartError> {
    let mut options = Options::new(&config.data);
    options.store = match config.log_store {
        LogStoreKind::Sled => StoreKind::Sled,
        LogStoreKind::Segments => StoreKind::Segments,
    };
    options.ballast_bytes = config.ballast_bytes;
    if let Some(bytes) = config.generation_bytes {
        options.generation_bytes = bytes;
    }
    let opening =
        tokio::task::spawn_blocking(move || tiketi_persistence::open(&options, clock.now()));
    match opening.await {
        Ok(opened) => Ok(opened?),
        Err(panic) => Err(StartError::Inconsistent(panic.to_string())),
    }
}

/// What the start found, for the operator.
fn report(report: &RecoveryReport) {
    for snapshot in &report.damaged_snapshots {
        warn!(%snapshot, "a snapshot could not be used");
    }
    if let Some(torn_tail) = &report.torn_tail {
        warn!(%torn_tail, "the unfinished end of the log was cut; nothing in it was acknowledged");
    }
    if report.ballast_dropped {
        warn!("the disk is full; the ballast was given back to open the log");
    }
    info!(
        epoch = report.epoch.0,
        recovered_lsn = report.recovered_lsn.0,
        records = report.records,
        took_ms = u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
        "log opened"
    );
}

/// Ends holds at their deadlines.
async fn expire_holds(app: Arc<App>) {
    let mut tick = tokio::time::interval(EXPIRY_TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let now = app.clock.now();
        loop {
            match app.expire_due(now) {
                Ok(true) => break,
                Ok(false) => tokio::task::yield_now().await,
                // The next tick ends them.
                Err(JournalUnavailable::QueueFull | JournalUnavailable::DiskLow) => break,
                Err(JournalUnavailable::Poisoned) => return,
            }
        }
        app.engine.close_cancelled(now);
        // A refusal is the journal's; the next tick lets in whom this one did not.
        let _ = app.engine.admit_due(now);
    }
}

/// Forgets what nobody needs any more, and logs what is logged in bulk.
async fn keep_house(app: Arc<App>) {
    let mut tick = tokio::time::interval(HOUSEKEEPING_TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        app.limits.forget_recovered();
        // What the journal does not take now stays counted for the next tick.
        let _ = app.engine.log_news_views(app.clock.now());
    }
}

/// Brings the business numbers up to date, from the start on.
async fn recount(app: Arc<App>) {
    let mut tick = tokio::time::interval(RECOUNT_TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let app = Arc::clone(&app);
        if let Err(panic) = tokio::task::spawn_blocking(move || tally::recount(&app)).await {
            // Numbers are no reason to stop selling.
            error!(%panic, "the numbers of the metrics could not be counted");
        }
    }
}

/// The setting's, else the one in the data directory, made at the first start.
pub(crate) fn jwt_secret_in(data: &Path, set: Option<&Secret>) -> Result<Secret, StartError> {
    if let Some(secret) = set {
        return Ok(secret.clone());
    }
    let path = data.join("jwt-secret");
    kept_secret(&path)
        .map_err(|source| StartError::JwtSecret { path: path.display().to_string(), source })
}

fn kept_secret(path: &Path) -> io::Result<Secret> {
    /// 32 bytes in hexadecimal.
    const SECRET_CHARS: usize = 64;
    match fs::read_to_string(path) {
        Ok(secret) if secret.trim().len() >= SECRET_CHARS => {
            return Ok(Secret::new(secret.trim()));
        }
        // Cut short by a crash while it was written: nobody has a token by it.
        Ok(_) => warn!("the kept token secret was cut short; a new one is made"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut bytes = [0_u8; SECRET_CHARS / 2];
    rand::rng().fill_bytes(&mut bytes);
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    // Whole under another name first; nobody else may read it at any time.
    let temporary = path.with_extension("new");
    if let Err(error) = fs::remove_file(&temporary)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // Or a power cut takes the name back, and every login made meanwhile with it.
    File::open(directory)?.sync_all()?;
    Ok(Secret::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn what_is_done_and_not_shown_is_no_refusal() {
        let directory = tempfile::tempdir().expect("directory");
        let mut config = Config::development(directory.path().join("data"));
        (config.sample_data, config.ballast_bytes) = (false, 0);
        let running = App::start(config).await.expect("start");
        let never = Lsn(u64::MAX);
        let app = running.app();
        let (read, written) = tokio::join!(app.catch_up(Some(never)), app.shown(never));
        let code = |result: Result<(), ApiError>| result.map_err(|error| error.code());
        assert_eq!(code(read), Err(Code::Unavailable));
        assert_eq!(code(written), Err(Code::Timeout));
        assert_eq!(code(app.shown(app.engine.journal().durable_lsn()).await), Ok(()));
        running.stop().await;
    }

    #[test]
    fn the_secret_is_made_once_and_for_the_owner_alone() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("data/jwt-secret");
        let secret = kept_secret(&path).expect("made");
        assert_eq!(secret.expose().len(), 64);
        assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
        assert_eq!(kept_secret(&path).expect("kept"), secret);
        fs::write(&path, "short").expect("cut");
        assert_ne!(kept_secret(&path).expect("made again"), secret);
    }
}
