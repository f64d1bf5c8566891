//! The hub: who is in which room, and the follower of the commit stream that tells them.
//!
//! The stream says *what* was touched, the view says what it *is* (I6, I8): a publication carries the
//! state of each touched seat at one position of the log, not below any that was published before.
//! So per seat the order is commit order, states may be skipped, and nobody ends on a stale one.
//! The follower's subscription is one that is cut off where it is slow: commits never wait for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dashmap::DashMap;
use parking_lot::Mutex;
use tiketi_engine::ids::{ChargeIndex, EventIndex, Lsn, OrderNumber, SeatIndex, UserIndex};
use tiketi_engine::money::Purpose;
use tiketi_engine::record::{CaptureOutcome, Claim, Held, Record, SeatList};
use tiketi_persistence::batch::BatchDefect;
use tiketi_persistence::{CommitStream, CommittedBatch, Subscription, WhenFull};
use tracing::{error, warn};

use crate::app::App;
use crate::fanout::Dialect;
use crate::fanout::admissions::Admissions;
use crate::fanout::client::{Client, ClientId};
use crate::fanout::feed::EventFeed;
use crate::fanout::line::{self, Moved, News};

/// Batches that may wait for the follower before it is cut off and starts anew.
const CAPACITY: usize = 512;
/// The least between two publications; the first change after a pause goes out at once.
const TICK: Duration = Duration::from_millis(25);
/// The most, where publishing takes long.
const TICK_MAX: Duration = Duration::from_millis(50);
/// While the view already has a batch that is still on its way here.
const HAND_OVER: Duration = Duration::from_millis(1);
/// How far back a seat page that has just joined is told of changes: it loaded its map before.
const REPLAYED: Duration = Duration::from_secs(10);
const MARKS_EVERY: Duration = Duration::from_secs(1);

/// What one can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Room {
    /// `event:{id}`: ticket counts.
    Event(EventIndex),
    /// `queue:{id}`: the waiting room.
    Queue(EventIndex),
    /// `seats:{id}`: each seat's changes.
    Seats(EventIndex),
    /// The compact dialect in JSON.
    Map(EventIndex),
    /// The compact dialect in bytes.
    MapBinary(EventIndex),
}

impl Room {
    pub(super) fn event(self) -> EventIndex {
        match self {
            Room::Event(event)
            | Room::Queue(event)
            | Room::Seats(event)
            | Room::Map(event)
            | Room::MapBinary(event) => event,
        }
    }
}

/// See the module.
pub(crate) struct Hub {
    commits: CommitStream,
    /// Taken by [`follow`].
    subscription: Mutex<Option<Subscription>>,
    feeds: DashMap<EventIndex, Arc<Mutex<EventFeed>>>,
    users: Mutex<HashMap<UserIndex, Vec<Arc<Client>>>>,
    next_client: AtomicU64,
    marks: Mutex<Marks>,
    /// Lines that moved, until those in them are told.
    pub(super) moved: Mutex<Moved>,
    /// Of what was missed of the stream it knows nothing.
    pub(crate) admissions: Mutex<Admissions>,
    /// Up to here the stream was not followed, so anything may have changed.
    unknown_up_to: AtomicU64,
}

impl Hub {
    /// Follows from now on; call it before the first append.
    pub(crate) fn new(commits: CommitStream) -> Self {
        let subscription = commits.subscribe(CAPACITY, WhenFull::Disconnect);
        Hub {
            marks: Mutex::new(Marks::new(subscription.after)),
            moved: Mutex::default(),
            admissions: Mutex::default(),
            subscription: Mutex::new(Some(subscription)),
            commits,
            feeds: DashMap::new(),
            users: Mutex::default(),
            next_client: AtomicU64::new(1),
            unknown_up_to: AtomicU64::new(0),
        }
    }

    /// Frames for everybody in a room; `frame` is one whole frame to clients.
    pub(super) fn to_room(&self, app: &App, room: Room, name: &'static str, frame: &Bytes) {
        let Some(feed) = self.known_feed(room.event()) else { return };
        let reached = feed.lock().tell(room, frame);
        app.metrics.sockets.sent(name, reached);
    }

    /// A frame for a user's sockets, those that are in the event's `queue` room, and nobody else's.
    pub(super) fn to_user(
        &self,
        app: &App,
        event: EventIndex,
        user: UserIndex,
        name: &'static str,
        frame: &Bytes,
    ) {
        let room = Room::Queue(event);
        let clients = self.users.lock().get(&user).cloned().unwrap_or_default();
        let mut reached = 0;
        for client in clients.iter().filter(|client| client.is_in(room)) {
            client.must_get(frame);
            reached += 1;
        }
        app.metrics.sockets.sent(name, reached);
    }

    /// Closes every socket of a user.
    pub(crate) fn shut_out(&self, user: UserIndex) {
        let clients = self.users.lock().get(&user).cloned().unwrap_or_default();
        clients.iter().for_each(|client| client.shut_out());
    }

    /// How many sockets are in a room.
    pub(super) fn members(&self, room: Room) -> usize {
        self.known_feed(room.event()).map_or(0, |feed| feed.lock().count(room))
    }

    /// Everybody's rooms, and since when their sockets are in them.
    pub(super) fn present(&self) -> Vec<(UserIndex, Room, Instant)> {
        let users = self.users.lock();
        let rooms = |(&user, clients): (&UserIndex, &Vec<Arc<Client>>)| {
            let rooms = clients.iter().flat_map(|client| client.rooms());
            rooms.map(|(room, since)| (user, room, since)).collect::<Vec<_>>()
        };
        users.iter().flat_map(rooms).collect()
    }

    fn known_feed(&self, event: EventIndex) -> Option<Arc<Mutex<EventFeed>>> {
        self.feeds.get(&event).map(|feed| Arc::clone(&feed))
    }

    /// An event's feed. Made for events that exist only, so there are no more of them.
    fn feed(&self, event: EventIndex) -> Arc<Mutex<EventFeed>> {
        let made = || {
            // ORDERING: Relaxed; the follower's next publication reaches every feed there is.
            let unknown_up_to = Lsn(self.unknown_up_to.load(Ordering::Relaxed));
            Arc::new(Mutex::new(EventFeed::new(event, unknown_up_to)))
        };
        Arc::clone(&self.feeds.entry(event).or_insert_with(made))
    }
}

/// Where the stream was at which instant, for the last [`REPLAYED`].
struct Marks(VecDeque<(Instant, Lsn)>);

impl Marks {
    fn new(lsn: Lsn) -> Self {
        Marks(VecDeque::from([(Instant::now(), lsn)]))
    }

    fn note(&mut self, now: Instant, lsn: Lsn) {
        if self.0.back().is_some_and(|(at, _)| now - *at >= MARKS_EVERY) {
            self.0.push_back((now, lsn));
        }
        // The first one that is old enough is the one to replay from.
        while self.0.get(1).is_some_and(|(at, _)| now - *at >= REPLAYED) {
            self.0.pop_front();
        }
    }

    /// Everything that changed since then has a later position.
    fn since(&self, now: Instant) -> Lsn {
        let old =
            self.0.iter().rev().find(|(at, _)| now.saturating_duration_since(*at) >= REPLAYED);
        old.or(self.0.front()).map_or(Lsn::ZERO, |(_, lsn)| *lsn)
    }
}

// === one socket in the hub ===

/// A socket's presence: dropping it leaves every room and gives its places back.
pub(crate) struct Presence {
    pub(super) app: Arc<App>,
    pub(super) client: Arc<Client>,
    dialect: Dialect,
}

impl Presence {
    pub(super) fn new(app: &Arc<App>, dialect: Dialect) -> Self {
        app.metrics.sockets.opened(dialect.name());
        // ORDERING: Relaxed; only uniqueness counts.
        let id = ClientId(app.hub.next_client.fetch_add(1, Ordering::Relaxed));
        Presence { app: Arc::clone(app), client: Arc::new(Client::new(id)), dialect }
    }

    /// Says whose socket it is; `false` where the user has too many.
    pub(super) fn identify(&self, user: UserIndex) -> bool {
        let mut users = self.app.hub.users.lock();
        let clients = users.entry(user).or_default();
        if clients.len() >= self.app.config.sockets_per_user_max {
            return false;
        }
        clients.push(Arc::clone(&self.client));
        self.client.set_user(Some(user));
        true
    }

    /// Enters a room and answers with its present state; `greeting` makes what comes before that from
    /// the number of members. `false` where the socket is in it, or in too many rooms.
    pub(super) fn join(&self, room: Room, greeting: impl FnOnce(usize) -> Option<Bytes>) -> bool {
        if !self.client.enter(room) {
            return false;
        }
        let feed = self.app.hub.feed(room.event());
        let since = self.app.hub.marks.lock().since(Instant::now());
        let mut feed = feed.lock();
        feed.enter(room, &self.client);
        let mut frames: Vec<Bytes> = greeting(feed.count(room)).into_iter().collect();
        frames.extend(feed.state(&self.app, room, since).iter().cloned());
        self.client.answer(&frames);
        true
    }

    pub(super) fn leave(&self, room: Room) {
        self.client.leave(room);
        if let Some(feed) = self.app.hub.known_feed(room.event()) {
            feed.lock().leave(room, self.client.id);
        }
    }

    /// Leaves every room and forgets whose socket it is.
    pub(super) fn leave_all(&self) {
        for (room, _) in self.client.rooms() {
            self.leave(room);
        }
        if let Some(user) = self.client.user() {
            let mut users = self.app.hub.users.lock();
            if let Some(clients) = users.get_mut(&user) {
                clients.retain(|client| client.id != self.client.id);
                if clients.is_empty() {
                    users.remove(&user);
                }
            }
            drop(users);
            self.client.set_user(None);
        }
    }

    /// Answers with what changed in a room since the last record of which the socket had everything.
    pub(super) fn catch_up(&self, room: Room, since: Lsn) {
        self.app.metrics.sockets.resyncs.inc();
        let feed = self.app.hub.feed(room.event());
        // Under the feed's lock, so that no publication comes between state and "caught up".
        let mut feed = feed.lock();
        let frames = feed.state(&self.app, room, since);
        self.client.caught_up(room);
        self.client.answer(&frames);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.leave_all();
        self.app.metrics.sockets.left(self.dialect.name());
    }
}

// === the follower ===

/// What records touched of an event.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) seats: Vec<(SeatIndex, Lsn)>,
    pub(super) orders: Vec<(OrderNumber, Lsn)>,
    /// The last record that took all seats away or brought them back.
    pub(super) all_seats: Option<Lsn>,
    pub(super) tickets: bool,
}

/// Publishes what is committed, until the journal ends.
pub(crate) async fn follow(app: Arc<App>) {
    let Some(subscription) = app.hub.subscription.lock().take() else {
        error!("the commit stream is followed already");
        return;
    };
    let mut follower = Follower {
        seen: subscription.after,
        subscription,
        touched: HashMap::new(),
        charged: Vec::new(),
        news: Vec::new(),
    };
    while app.view.applied().wait(follower.seen.next()).await.is_ok() {
        let started = Instant::now();
        if !follower.receive(&app).await {
            return;
        }
        follower.publish(&app);
        let rest = (started.elapsed() * 2).clamp(TICK, TICK_MAX);
        tokio::time::sleep(rest).await;
    }
}

struct Follower {
    subscription: Subscription,
    /// The last record received.
    seen: Lsn,
    touched: HashMap<EventIndex, Touched>,
    /// Charges whose orders may be paid now: the view knows which they are.
    charged: Vec<(ChargeIndex, Claim, Lsn)>,
    news: Vec<(EventIndex, News)>,
}

impl Follower {
    /// Takes every batch that the view has applied; `false` once the journal has closed.
    async fn receive(&mut self, app: &App) -> bool {
        while self.seen < app.view.applied_lsn() {
            match self.subscription.batches.try_recv() {
                Ok(batch) => {
                    self.seen = batch.last_lsn;
                    if let Err(defect) = self.note(&batch) {
                        // Memory was damaged; the view found it, too, and ends the process (I9).
                        error!(%defect, "a committed batch cannot be read");
                        return false;
                    }
                }
                // The view was handed it first.
                Err(error) if error.is_empty() => tokio::time::sleep(HAND_OVER).await,
                // Cut off: a channel that ends because the journal closes holds everything before.
                Err(_) => {
                    if !self.start_anew(app).await {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Subscribes again after having been cut off. What was missed is unknown, so every member of
    /// every room is given the state of its room, each when it has sent what it had.
    async fn start_anew(&mut self, app: &App) -> bool {
        self.subscription = app.hub.commits.subscribe(CAPACITY, WhenFull::Disconnect);
        let after = self.subscription.after;
        if app.view.applied().wait(after).await.is_err() {
            return false;
        }
        warn!(from = self.seen.0, to = after.0, "sockets fell behind the log and start anew");
        // ORDERING: Relaxed; feeds made from here on read it, those made before are told below.
        app.hub.unknown_up_to.store(after.0, Ordering::Relaxed);
        self.touched.clear();
        self.charged.clear();
        self.news.clear();
        line::tell_again(app);
        for feed in &app.hub.feeds {
            feed.lock().lose_track(after);
        }
        self.seen = after;
        true
    }

    fn note(&mut self, batch: &CommittedBatch) -> Result<(), BatchDefect> {
        batch.records(|lsn, record| {
            self.touch(lsn, &record);
            Ok(())
        })
    }

    /// What a record may have changed for those who look.
    fn touch(&mut self, lsn: Lsn, record: &Record) {
        match record {
            Record::Held(Held { order, claim, .. }) => {
                let touched = self.touched.entry(order.event).or_default();
                match claim {
                    Claim::Seats(seats) => {
                        touched.seats.extend(seats.iter().map(|&seat| (seat, lsn)));
                    }
                    Claim::Tickets(_) => touched.tickets = true,
                }
            }
            Record::Paid { order, .. } | Record::OrderEnded { order, .. } => {
                self.touched.entry(order.event).or_default().orders.push((order.number, lsn));
            }
            Record::OrderConfirmed(confirmed) => {
                let order = confirmed.order;
                self.touched.entry(order.event).or_default().orders.push((order.number, lsn));
            }
            Record::SeatsRemoved { event, .. } | Record::SeatsGenerated { event, .. } => {
                self.touched.entry(*event).or_default().all_seats = Some(lsn);
            }
            Record::SeatsBlocked { event, seats, .. }
            | Record::SeatsUnblocked { event, seats, .. } => {
                let touched = self.touched.entry(*event).or_default();
                touched.seats.extend(seats.iter().map(|&seat| (seat, lsn)));
            }
            Record::EventEdited { event, .. } | Record::EventCancelled { event, .. } => {
                self.touched.entry(*event).or_default().tickets = true;
            }
            Record::TicketTypesAdded(added) => {
                self.touched.entry(added.event).or_default().tickets = true;
            }
            Record::TicketTypeEdited(edited) => {
                self.touched.entry(edited.event).or_default().tickets = true;
            }
            Record::EventTermsSet(set) => {
                self.touched.entry(set.event).or_default().tickets = true;
            }
            // A seat stays held while it is paid for, and after a payment that failed.
            Record::PaymentStarted(_) | Record::PaymentFailed { .. } => {}
            Record::CaptureEnded { charge, outcome: CaptureOutcome::Captured(_), .. } => {
                self.charged.push((*charge, Claim::Seats(SeatList::default()), lsn));
            }
            Record::SeatsReturned(returned) => {
                self.charged.push((returned.charge, Claim::Seats(returned.seats), lsn));
            }
            Record::PartReturned(returned) => {
                self.charged.push((returned.charge, returned.part.clone(), lsn));
            }
            Record::QueueAdmitted { event, user, .. } => {
                self.news.push((*event, News::Admitted(*user)));
            }
            // Everybody's position is another now.
            Record::QueueLeft { event, .. } | Record::QueueDrawn { event, .. } => {
                self.news.push((*event, News::Moved))
            }
            Record::QueueCleared { event, .. } => self.news.push((*event, News::Cleared)),
            Record::QueueClosed { event, .. } => self.news.push((*event, News::Closed)),
            Record::QueueJoined { .. }
            | Record::QueueMovedUp { .. }
            | Record::QueueLanesSet { .. }
            | Record::QueueLaneGiven { .. }
            | Record::QueueLobbyOpened { .. }
            | Record::ChargeOpened(_)
            | Record::CaptureStarted(_)
            | Record::CaptureEnded { .. }
            | Record::ProviderAnswered(_)
            | Record::RefundEnded { .. }
            | Record::RefundAccountGiven(_)
            | Record::QueueChanged { .. }
            | Record::EpochStarted { .. }
            | Record::UserRegistered(_)
            | Record::UserRoleChanged { .. }
            | Record::LayoutCreated(_)
            | Record::KeywordMapped(_)
            | Record::EventCreated(_)
            | Record::EventDeleted { .. }
            | Record::EventCategorised { .. }
            | Record::CategoryRenamed(_)
            | Record::NewsPosted(_)
            | Record::NewsEdited(_)
            | Record::NewsDeleted { .. }
            | Record::NewsViewed { .. }
            | Record::UserRestored { .. }
            | Record::UserSuspended { .. }
            | Record::AdminActed(_)
            | Record::AdminMade(_)
            | Record::PaymentFound(_)
            | Record::ReturnedElsewhere { .. }
            | Record::ReturnFailed { .. }
            | Record::Disputed { .. }
            | Record::ChargeForgotten { .. }
            | Record::DayCompared(_) => {}
        }
    }

    fn publish(&mut self, app: &App) {
        app.hub.marks.lock().note(Instant::now(), self.seen);
        for (charge, returned, lsn) in self.charged.drain(..) {
            let purpose = app.view.read(|state| Some(state.ledger().charge(charge)?.purpose));
            if let Some(Purpose::Order(order)) = purpose {
                let touched = self.touched.entry(order.event).or_default();
                touched.orders.push((order.order, lsn));
                match returned {
                    Claim::Seats(seats) => {
                        touched.seats.extend(seats.iter().map(|&seat| (seat, lsn)));
                    }
                    Claim::Tickets(_) => touched.tickets = true,
                }
            }
        }
        for (event, touched) in self.touched.drain() {
            app.hub.feed(event).lock().publish(app, &touched, self.seen);
        }
        line::tell(app, self.news.drain(..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Id;
    use crate::app::Running;
    use crate::config::Config;
    use crate::fanout::client::{QUEUE_BYTES_MAX, QUEUE_FRAMES_MAX, Work};
    use crate::fanout::socketio;
    use serde_json::json;
    use std::task::Waker;
    use tempfile::TempDir;
    use tiketi_engine::command::NewUser;
    use tiketi_engine::ids::ExternalId;
    use tiketi_engine::record::Role;

    /// A gateway with the sample's events.
    async fn gateway() -> (Running, TempDir) {
        let directory = tempfile::tempdir().expect("directory");
        let mut config = Config::development(directory.path());
        config.ballast_bytes = 0;
        let running = App::start(config).await.expect("start");
        running.app().catch_up(None).await.expect("the sample is there");
        (running, directory)
    }

    fn event_with_seats(app: &App) -> EventIndex {
        app.view.read(|state| {
            let event = state.events().iter().position(|event| event.layout.is_some());
            EventIndex(event.expect("an event with seats") as u32)
        })
    }

    fn viewer(app: &Arc<App>, room: Room) -> Presence {
        let presence = Presence::new(app, Dialect::SocketIo);
        assert!(presence.join(room, |_| None));
        presence
    }

    fn work(presence: &Presence) -> Work {
        presence.client.work(true, Waker::noop())
    }

    /// Everything that is queued, as text.
    fn sent(presence: &Presence) -> String {
        let mut frames = VecDeque::new();
        while work(presence) == Work::Frames {
            presence.client.take(&mut frames);
        }
        frames.iter().map(|frame| String::from_utf8_lossy(frame)).collect()
    }

    #[tokio::test]
    async fn a_user_alone_is_told_what_is_for_the_user() {
        let (running, _directory) = gateway().await;
        let app = running.app();
        let (event, other) = (EventIndex(0), EventIndex(1));
        let open = |user, event| {
            let presence = Presence::new(app, Dialect::SocketIo);
            assert!(presence.identify(UserIndex(user)));
            assert!(presence.join(Room::Queue(event), |_| None));
            presence
        };
        let (a, a_again) = (open(1, event), open(1, event));
        let (a_elsewhere, b) = (open(1, other), open(2, event));
        let (hub, room) = (&app.hub, Room::Queue(event));
        assert_eq!(hub.members(room), 3);
        let allowed = socketio::event("queue-entry-allowed", &json!({"userId": "a"}));
        hub.to_user(app, event, UserIndex(1), "queue-entry-allowed", &allowed);
        for told in [&a, &a_again] {
            assert!(sent(told).contains("42[\"queue-entry-allowed\",{\"userId\":\"a\"}]"));
        }
        for untold in [&a_elsewhere, &b] {
            assert_eq!(work(untold), Work::Nothing);
        }
        let cleared = socketio::event("queue-cleared", &json!({"message": "m"}));
        hub.to_room(app, room, "queue-cleared", &cleared);
        assert!(sent(&a).contains("queue-cleared") && sent(&b).contains("queue-cleared"));
        assert_eq!(work(&a_elsewhere), Work::Nothing);
        let present = || {
            let mut present: Vec<_> =
                hub.present().into_iter().map(|(user, room, _)| (user, room)).collect();
            present.sort_unstable_by_key(|(user, _)| *user);
            present
        };
        drop((a, a_again));
        let elsewhere = (UserIndex(1), Room::Queue(other));
        assert_eq!(present(), [elsewhere, (UserIndex(2), room)]);
        b.leave_all();
        assert_eq!((present(), hub.members(room)), (vec![elsewhere], 0));
        running.stop().await;
    }

    #[tokio::test]
    async fn a_follower_that_was_cut_off_gives_everybody_the_present() {
        let (running, _directory) = gateway().await;
        let app = running.app();
        let with_seats = event_with_seats(app);
        let room = Room::Seats(with_seats);
        let presence = viewer(app, room);
        let subscription = app.hub.commits.subscribe(1, WhenFull::Disconnect);
        let mut follower = Follower {
            seen: subscription.after,
            subscription,
            touched: HashMap::new(),
            charged: Vec::new(),
            news: Vec::new(),
        };
        for number in 0..3 {
            let new = NewUser {
                email: format!("{number}@example.com"),
                password_hash: "hash".to_owned(),
                name: "name".to_owned(),
                phone: None,
                role: Role::User,
                tag: number,
            };
            let new = new.check().expect("sound");
            let pending = app.engine.register_user(new, app.clock.now()).expect("registered");
            app.durable(pending).await.expect("durable");
        }
        app.catch_up(None).await.expect("applied");
        assert!(follower.receive(app).await);
        assert_eq!(follower.seen, app.view.applied_lsn());
        let Work::CatchUp(behind, since) = work(&presence) else { panic!("not behind") };
        assert_eq!(behind, room);
        presence.catch_up(room, since);
        // Any seat may have changed, so each is told.
        let seats = app.plan(with_seats).expect("a plan").plan.seat_count() as usize;
        assert_eq!(sent(&presence).matches("seatId").count(), seats);
        assert_eq!(work(&presence), Work::Nothing);
        drop(presence);
        running.stop().await;
    }

    #[tokio::test]
    async fn a_socket_that_takes_nothing_is_bounded_and_nobody_waits_for_it() {
        const CHANGES: u32 = 1_000;
        let (running, _directory) = gateway().await;
        let app = running.app();
        let event = event_with_seats(app);
        let room = Room::Seats(event);
        let (slow, fast) = (viewer(app, room), viewer(app, room));
        let seats = app.plan(event).expect("a plan").plan.seat_count();
        let feed = app.hub.feed(event);
        let start = app.view.applied_lsn().0;
        for change in 0..CHANGES {
            let (seat, lsn) = (SeatIndex(change % seats), Lsn(start + 1 + u64::from(change)));
            let touched = Touched { seats: vec![(seat, lsn)], ..Touched::default() };
            // Returns though one of the two takes nothing, now or later.
            feed.lock().publish(app, &touched, lsn);
            let told = sent(&fast);
            let id = Id::from(ExternalId::Seat(event, seat)).to_string();
            assert_eq!((told.matches("seatId").count(), told.matches(&id).count()), (1, 1));
            let (frames, bytes) = slow.client.queued();
            assert!(frames <= QUEUE_FRAMES_MAX && bytes <= QUEUE_BYTES_MAX, "{frames}, {bytes}");
        }
        // It takes what was queued, and then each seat that changed since, once.
        let queued = sent(&slow).matches("seatId").count();
        assert_eq!(queued, QUEUE_FRAMES_MAX);
        let since = Lsn(start + queued as u64);
        assert_eq!(work(&slow), Work::CatchUp(room, since));
        slow.catch_up(room, since);
        let missed = (CHANGES - queued as u32).min(seats);
        assert_eq!(sent(&slow).matches("seatId").count(), missed as usize);
        assert_eq!((work(&slow), work(&fast)), (Work::Nothing, Work::Nothing));
        drop((slow, fast));
        running.stop().await;
    }

    #[test]
    fn replays_begin_at_the_last_mark_that_is_old_enough() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut marks = Marks(VecDeque::from([(start, Lsn(5))]));
        assert_eq!(marks.since(start), Lsn(5));
        marks.note(at(100), Lsn(6));
        marks.note(at(100), Lsn(7));
        // The record of second 100 is replayed until second 110.
        assert_eq!(marks.since(at(105)), Lsn(5));
        assert_eq!(marks.since(at(110)), Lsn(6));
        for second in 101..200 {
            marks.note(at(second), Lsn(second));
        }
        assert!(marks.0.len() <= 12, "{}", marks.0.len());
        assert_eq!(marks.since(at(200)), Lsn(190));
    }
}
