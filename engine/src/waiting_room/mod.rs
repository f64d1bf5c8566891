//! An event's waiting room: who stands in line, who was let in, and who is let in next (I12).
//!
//! There is one mechanism. Everybody takes a place, also who is let in at once; whenever a slot is
//! free and the rate allows, the first in line gets it. So a newcomer cannot overtake, and no two
//! can take the last slot: both are decided under the room's lock, which the caller holds from the
//! decision to the record (log order = memory order). Holds of an event that nobody queues for do
//! not see the lock: they look at one flag.
//!
//! An event may have lanes, each with its share of the admissions ([`lanes`]), and its line may be a
//! lobby before the sale, in which nobody is let in until everybody's place was drawn ([`draw`]).
//!
//! Nothing here logs or reads a clock; `engine/queue.rs` does the first and is told the second.

pub(crate) mod bucket;
pub mod draw;
pub mod lanes;
pub(crate) mod line;
pub(crate) mod pace;
pub(crate) mod sessions;
pub(crate) mod turns;

use std::ops::{Deref, DerefMut};

use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;

use crate::ids::{EventIndex, Lane, Lsn, UnixMillis, UserIndex};
use crate::limits::{LANES_MAX, QUEUE_RATE_MILLI_MAX, QUEUE_THRESHOLD, SESSION_TTL_MS, SILENCE_MS};
use crate::record::QueueSettings;
use crate::sync::{AtomicBool, Ordering};
use crate::waiting_room::bucket::TokenBucket;
use crate::waiting_room::draw::Seed;
use crate::waiting_room::lanes::Lanes;
use crate::waiting_room::line::{Line, Waiter};
use crate::waiting_room::pace::Pace;
use crate::waiting_room::sessions::Sessions;

/// How long people may be inactive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueTimes {
    /// Somebody who was let in and does nothing for so long is out, in milliseconds.
    pub session_ttl_ms: u64,
    /// Somebody who waits and gives no sign of life for so long is out, in milliseconds.
    pub silence_ms: u64,
}

/// A room in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueCounts {
    /// People in line.
    pub waiting: u32,
    /// People let in whose session has not ended.
    pub active: u32,
    /// How many are in at once.
    pub threshold: u32,
    /// Thousandths of a person let in each second; `None` for no limit.
    pub rate_milli: Option<u64>,
    /// Whether nobody is let in for now.
    pub paused: bool,
    /// Whether nobody is let in before a draw.
    pub lobby: bool,
    /// People in line by lane; all of them in the first where there are no others.
    pub waiting_by_lane: [u32; LANES_MAX],
}

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// He is in.
    Admitted,
    /// He is in line.
    Waiting {
        /// 1 for who is next. In a lobby the last position, which may be anybody's.
        position: u32,
        /// Seconds, at least 1, from the rate at which the line was seen to move.
        estimated_wait_s: u32,
    },
}

/// What somebody who asks is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePlace {
    /// Where he stands.
    pub standing: Standing,
    /// The room before he asked: without him where he is new.
    pub counts: QueueCounts,
}

/// Why a command about a waiting room was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QueueRefusal {
    /// There is no such event.
    #[error("no event {0}")]
    UnknownEvent(EventIndex),
    /// Its line takes nobody: nothing is left to wait for, or no more places fit.
    #[error("the line of event {0} takes nobody")]
    Closed(EventIndex),
    /// People have places already, the sale has begun, or there is a lobby: none can be opened.
    #[error("event {0} cannot have a lobby now")]
    NoLobbyNow(EventIndex),
    /// There is no lobby to draw from.
    #[error("event {0} has no lobby")]
    NoLobby(EventIndex),
    /// A lane that people may belong to would be gone or have another name, or a lane's name or
    /// share is out of range.
    #[error("event {0} cannot have these lanes")]
    WrongLanes(EventIndex),
    /// There is no such lane.
    #[error("event {0} has no lane {1}")]
    UnknownLane(EventIndex, Lane),
}

/// What an administrator changes about a waiting room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueChange {
    /// How many people are in at once. Lowering it sends nobody away: nobody is let in until enough
    /// have left.
    Threshold(u32),
    /// Thousandths of a person let in each second, at most [`QUEUE_RATE_MILLI_MAX`]; `None` for no
    /// limit.
    Rate(Option<u64>),
    /// Whether nobody is let in for now.
    Paused(bool),
}

/// A waiting room as the log has it.
pub(crate) struct LoggedRoom<'a> {
    /// `None` where it was never used.
    pub(crate) settings: Option<&'a QueueSettings>,
    pub(crate) line: &'a Line,
    pub(crate) lanes: &'a Lanes,
    /// The seed of a lobby that is open.
    pub(crate) lobby: Option<Seed>,
    /// Those who are in.
    pub(crate) active: Vec<UserIndex>,
}

/// What holds for every event that has no settings of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueDefaults {
    pub(crate) threshold: u32,
    pub(crate) rate_milli: Option<u64>,
    pub(crate) times: QueueTimes,
}

impl Default for QueueDefaults {
    fn default() -> QueueDefaults {
        let times = QueueTimes { session_ttl_ms: SESSION_TTL_MS, silence_ms: SILENCE_MS };
        QueueDefaults { threshold: QUEUE_THRESHOLD, rate_milli: None, times }
    }
}

impl QueueDefaults {
    /// The settings of an event for which the log has these.
    fn in_force(&self, logged: Option<&QueueSettings>) -> QueueSettings {
        let mut settings = QueueSettings {
            threshold: self.threshold,
            own_threshold: false,
            rate_milli: self.rate_milli,
            own_rate: false,
            paused: false,
        };
        if let Some(logged) = logged {
            settings.paused = logged.paused;
            if logged.own_threshold {
                settings.threshold = logged.threshold;
                settings.own_threshold = true;
            }
            if logged.own_rate {
                settings.rate_milli = logged.rate_milli;
                settings.own_rate = true;
            }
        }
        settings
    }
}

/// A room and the flag that says whether holds have to look into it.
#[derive(Debug)]
pub(crate) struct WaitingRoom {
    engaged: AtomicBool,
    /// Elsewhere: holds read the flag beside the other fields they read.
    room: Box<Mutex<Room>>,
}

impl WaitingRoom {
    pub(crate) fn new(room: Room) -> WaitingRoom {
        WaitingRoom {
            engaged: AtomicBool::new(room.is_engaged()),
            room: Box::new(Mutex::new(room)),
        }
    }

    /// Whether holds need admission, as of a moment ago.
    #[inline]
    pub(crate) fn is_engaged(&self) -> bool {
        // ORDERING: Relaxed. Nothing is read on the strength of it: who is let in is decided under
        // the lock, and a hold that just misses the room's filling up came before it.
        self.engaged.load(Ordering::Relaxed)
    }

    /// Enters the room; leaving it tells the holds.
    pub(crate) fn enter(&self) -> Entered<'_> {
        Entered { engaged: &self.engaged, room: self.room.lock() }
    }
}

/// The locked room.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    engaged: &'a AtomicBool,
    room: MutexGuard<'a, Room>,
}

impl Deref for Entered<'_> {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

impl DerefMut for Entered<'_> {
    fn deref_mut(&mut self) -> &mut Room {
        &mut self.room
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let engaged = self.room.is_engaged();
        // ORDERING: Relaxed, see `WaitingRoom::is_engaged`. Written only where it changes, so that
        // the holds' copies of the line stay good.
        if self.engaged.load(Ordering::Relaxed) != engaged {
            self.engaged.store(engaged, Ordering::Relaxed);
        }
    }
}

/// One event's people. Each change is made by the caller after its record.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) line: Line,
    pub(crate) lanes: Lanes,
    /// The seed of the draw, where the line is a lobby.
    pub(crate) lobby: Option<Seed>,
    pub(crate) sessions: Sessions,
    bucket: TokenBucket,
    pace: Pace,
    settings: QueueSettings,
    times: QueueTimes,
    /// The settings that the log has: it gets those in force before anybody comes or goes by them.
    logged: Option<QueueSettings>,
    /// When the room was first used in this process; before that nobody was away.
    awake_since: Option<UnixMillis>,
    /// Whether the tick visits the room.
    pub(crate) visited: bool,
    /// Whether the last tick found nothing left to sell.
    pub(crate) was_sold_out: bool,
    /// The last record about this room.
    pub(crate) last_lsn: Lsn,
}

impl Room {
    pub(crate) fn new(defaults: &QueueDefaults) -> Room {
        Room {
            line: Line::default(),
            lanes: Lanes::default(),
            lobby: None,
            sessions: Sessions::default(),
            bucket: TokenBucket::default(),
            pace: Pace::default(),
            settings: defaults.in_force(None),
            times: defaults.times,
            logged: None,
            awake_since: None,
            visited: false,
            was_sold_out: false,
            last_lsn: Lsn::ZERO,
        }
    }

    /// Carries on from the log, all of which is durable.
    pub(crate) fn restore(&mut self, defaults: &QueueDefaults, logged: LoggedRoom<'_>) {
        self.settings = defaults.in_force(logged.settings);
        self.logged = logged.settings.copied();
        self.line = logged.line.stamped(UnixMillis(0));
        self.lanes = logged.lanes.clone();
        self.lobby = logged.lobby;
        for user in logged.active {
            self.sessions.begin(user, UnixMillis(0), 0, Lsn::ZERO);
        }
    }

    /// Follows other defaults.
    pub(crate) fn set_defaults(&mut self, defaults: &QueueDefaults) {
        let settings = defaults.in_force(Some(&self.settings));
        // At no instant, so that nothing is filled for it.
        self.set_settings(settings, UnixMillis(0));
        if self.times.session_ttl_ms != defaults.times.session_ttl_ms {
            self.sessions.look_again();
        }
        self.times = defaults.times;
    }

    pub(crate) fn settings(&self) -> QueueSettings {
        self.settings
    }

    pub(crate) fn logged_settings(&self) -> Option<QueueSettings> {
        self.logged
    }

    /// The settings after a change.
    pub(crate) fn changed(&self, change: QueueChange) -> QueueSettings {
        let mut settings = self.settings;
        match change {
            QueueChange::Threshold(threshold) => {
                settings.threshold = threshold;
                settings.own_threshold = true;
            }
            QueueChange::Rate(rate_milli) => {
                settings.rate_milli = rate_milli.map(|rate| rate.min(QUEUE_RATE_MILLI_MAX));
                settings.own_rate = true;
            }
            QueueChange::Paused(paused) => settings.paused = paused,
        }
        settings
    }

    /// Changes the settings from `now` on, after the record.
    pub(crate) fn change(&mut self, settings: QueueSettings, now: UnixMillis) {
        self.set_settings(settings, now);
        self.logged = Some(settings);
    }

    fn set_settings(&mut self, settings: QueueSettings, now: UnixMillis) {
        if settings.rate_milli != self.settings.rate_milli {
            self.bucket.set_rate(settings.rate_milli, now);
        }
        self.settings = settings;
    }

    /// The first use in this process: whoever is here counts as seen just now, and the bucket
    /// begins empty.
    pub(crate) fn wake(&mut self, now: UnixMillis) {
        if self.awake_since.is_none() {
            self.awake_since = Some(now);
            self.sessions.wake(now);
            self.bucket = TokenBucket::default();
            self.bucket.set_rate(self.settings.rate_milli, now);
        }
    }

    /// Whether holds need admission: the room is full, somebody waits, or there will be a draw.
    pub(crate) fn is_engaged(&self) -> bool {
        self.line.waiting() > 0
            || self.lobby.is_some()
            || self.sessions.len() >= self.settings.threshold
    }

    /// Whether anybody is here.
    pub(crate) fn is_in_use(&self) -> bool {
        self.line.waiting() > 0 || self.sessions.len() > 0
    }

    pub(crate) fn counts(&self) -> QueueCounts {
        QueueCounts {
            waiting: self.line.waiting(),
            active: self.sessions.len(),
            threshold: self.settings.threshold,
            rate_milli: self.settings.rate_milli,
            paused: self.settings.paused,
            lobby: self.lobby.is_some(),
            waiting_by_lane: *self.line.waiting_by_lane(),
        }
    }

    /// Where somebody stands, and a record not before the last one about that.
    pub(crate) fn standing(&self, user: UserIndex, now: UnixMillis) -> Option<(Standing, Lsn)> {
        if let Some((lsn, alive)) = self.sessions.get(user, now, self.times.session_ttl_ms) {
            return alive.then_some((Standing::Admitted, lsn));
        }
        let place = self.line.place_of(user)?;
        let position = match self.lobby {
            Some(_) => self.line.waiting(),
            None => self.line.position(place),
        };
        let estimated_wait_s = self.pace.estimate_s(position, self.settings.rate_milli);
        Some((Standing::Waiting { position, estimated_wait_s }, self.line.lsn(place)))
    }

    /// Whether a session of his is over and not ended yet.
    pub(crate) fn is_over(&self, user: UserIndex, now: UnixMillis) -> bool {
        let session = self.sessions.get(user, now, self.times.session_ttl_ms);
        session.is_some_and(|(_, alive)| !alive)
    }

    pub(crate) fn is_admitted(&self, user: UserIndex, now: UnixMillis) -> bool {
        let session = self.sessions.get(user, now, self.times.session_ttl_ms);
        session.is_some_and(|(_, alive)| alive)
    }

    /// Notes a sign of life; whether the user is here. A session that is over does not come back.
    pub(crate) fn touch(&mut self, user: UserIndex, now: UnixMillis) -> bool {
        if self.is_admitted(user, now) {
            self.sessions.touch(user, now);
            return true;
        }
        let place = self.line.place_of(user);
        place.inspect(|&place| self.line.touch(place, now)).is_some()
    }

    /// Who is let in now, if anybody: a slot is free, and the rate allows or an administrator said
    /// so. Upholds I12.
    pub(crate) fn next_admission(&mut self, now: UnixMillis) -> Option<Waiter> {
        if self.sessions.len() >= self.settings.threshold {
            return None;
        }
        let first = self.line.first()?;
        let is_open = !self.settings.paused && self.lobby.is_none();
        let allowed = self.is_moved_up(&first) || (is_open && self.bucket.allows(now));
        allowed.then_some(first)
    }

    /// Lets in whom [`Room::next_admission`] named, after the record.
    pub(crate) fn admit(&mut self, next: &Waiter, now: UnixMillis, lsn: Lsn) {
        if !self.is_moved_up(next) {
            self.bucket.take();
        }
        self.line.admit(next);
        self.sessions.begin(next.user, now, self.times.session_ttl_ms, lsn);
        self.pace.count();
    }

    fn is_moved_up(&self, waiter: &Waiter) -> bool {
        self.line.front().first() == Some(&waiter.place)
    }

    /// The next session that is over; it goes on until the caller ends it.
    pub(crate) fn next_over(&mut self, now: UnixMillis) -> Option<UserIndex> {
        self.sessions.next_over(now, self.times.session_ttl_ms)
    }

    /// Some people who gave no sign of life, none of them maybe, or `None` where there are no more.
    pub(crate) fn next_silent(&mut self, now: UnixMillis, max: usize) -> Option<Vec<UserIndex>> {
        let until = UnixMillis(now.0.checked_sub(self.times.silence_ms)?);
        if self.awake_since.is_none_or(|since| since > until) {
            return None;
        }
        self.line.stamped_until(until, max)
    }

    /// Takes somebody out of both sets, after the record.
    pub(crate) fn forget(&mut self, user: UserIndex) {
        self.sessions.end(user);
        self.line.remove(user);
    }

    /// Moves the measurement of the line's pace on.
    pub(crate) fn measure(&mut self, now: UnixMillis) {
        self.pace.tell(now, self.line.waiting() > 0);
    }
}
