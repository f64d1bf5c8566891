//! The waiting rooms' commands and their tick: decide, log, change, all under the room's lock.

use crate::engine::Engine;
use crate::error::{CommandError, HoldRefusal, JournalUnavailable};
use crate::ids::{EventIndex, Lane, Lsn, UnixMillis, UserIndex};
use crate::inventory::EventInventory;
use crate::journal::{Journal, Pending, Permit, Purpose};
use crate::limits::{
    BEACON_BYTES_MAX, LANE_MEMBERS_PER_COMMAND_MAX, MOVED_UP_MAX, PLACES_PER_EVENT_MAX,
    QUEUE_RATE_MILLI_MAX, QUEUE_STEPS_PER_LOCK, QUEUE_STEPS_PER_TICK,
};
use crate::record::{LeaveReason, QueueSettings, Record};
use crate::waiting_room::draw::{Drawing, Seed};
use crate::waiting_room::lanes::LaneShare;
use crate::waiting_room::{
    Entered, QueueChange, QueueCounts, QueueDefaults, QueuePlace, QueueRefusal, QueueTimes,
    Standing,
};

type QueueResult<T> = Result<Pending<T>, CommandError<QueueRefusal>>;

/// Looking through a block of the line for silent people takes as long as letting so many in.
const STEPS_PER_LOOK: usize = 16;

impl<J: Journal> Engine<J> {
    /// Sets what holds for every event that has no settings of its own. Called once after
    /// [`Engine::from_state`]; 1,000 people, no limit of rate, 300 s and 120 s before that.
    ///
    /// A lower threshold sends nobody away.
    pub fn set_queue_defaults(
        &self,
        default_threshold: u32,
        default_rate_milli: Option<u64>,
        times: QueueTimes,
    ) {
        // No event is made meanwhile.
        let layouts = self.layouts.lock();
        let rate_milli = default_rate_milli.map(|rate| rate.min(QUEUE_RATE_MILLI_MAX));
        let defaults = QueueDefaults { threshold: default_threshold, rate_milli, times };
        *self.queue_defaults.lock() = defaults;
        let events = (0..layouts.event_count).map(EventIndex);
        for inventory in events.filter_map(|event| self.inventory(event)) {
            inventory.waiting_room.enter().set_defaults(&defaults);
        }
    }

    /// Where a user stands; somebody new takes a place first. Being asked is a sign of life.
    ///
    /// Where nothing is left to sell, somebody new is told that he is in and takes no place: he may
    /// look at the page, and there is nothing he could hold.
    ///
    /// # Errors
    /// The event is unknown; no more places fit; journal unavailable.
    ///
    /// # Durability
    /// Waits for the record that gave the user his place or let him in, whoever logged it.
    pub fn queue_check(
        &self,
        event: EventIndex,
        user: UserIndex,
        now: UnixMillis,
    ) -> QueueResult<QueuePlace> {
        let mut desk = self.desk(event, now)?;
        desk.end_if_over(user)?;
        let counts = desk.room.counts();
        if !desk.room.touch(user, now) {
            if desk.inventory.is_nothing_left(now) {
                let place = QueuePlace { standing: Standing::Admitted, counts };
                return Ok(Pending::new(place, desk.room.last_lsn));
            }
            self.join(&mut desk, user)?;
        }
        desk.admit_some();
        let found = desk.room.standing(user, now);
        let (standing, lsn) = found.unwrap_or((Standing::Admitted, desk.room.last_lsn));
        Ok(Pending::new(QueuePlace { standing, counts }, lsn))
    }

    /// Forgets a user, waiting or let in. Doing it again changes nothing.
    ///
    /// # Errors
    /// The event is unknown; journal unavailable.
    pub fn queue_leave(
        &self,
        event: EventIndex,
        user: UserIndex,
        now: UnixMillis,
    ) -> QueueResult<()> {
        let mut desk = self.desk(event, now)?;
        desk.end_if_over(user)?;
        if desk.room.standing(user, now).is_some() {
            let permit = self.journal.reserve(Purpose::Completion)?;
            // From here it must succeed.
            desk.leave(permit, user, LeaveReason::Left);
        }
        let lsn = desk.room.last_lsn;
        desk.admit_some();
        Ok(Pending::new((), lsn))
    }

    /// Sends everybody away, waiting or let in. Answers with how many.
    ///
    /// # Errors
    /// The event is unknown; journal unavailable.
    pub fn queue_clear(&self, event: EventIndex, now: UnixMillis) -> QueueResult<u32> {
        let mut desk = self.desk(event, now)?;
        let QueueCounts { waiting, active, .. } = desk.room.counts();
        if waiting > 0 || active > 0 {
            let permit = self.journal.reserve(Purpose::Completion)?;
            // From here it must succeed.
            desk.log(permit, &Record::QueueCleared { event, at: now });
            desk.room.line.clear();
            desk.room.sessions.clear();
        }
        Ok(Pending::new(waiting + active, desk.room.last_lsn))
    }

    /// Changes how an event lets people in, and answers with the room after it.
    ///
    /// # Errors
    /// The event is unknown; journal unavailable.
    pub fn queue_change(
        &self,
        event: EventIndex,
        change: QueueChange,
        now: UnixMillis,
    ) -> QueueResult<QueueCounts> {
        let mut desk = self.desk(event, now)?;
        let settings = desk.room.changed(change);
        desk.settle(settings)?;
        let lsn = desk.room.last_lsn;
        desk.admit_some();
        Ok(Pending::new(desk.room.counts(), lsn))
    }

    /// Lets a user in out of turn: with the next free slot, which is now where one is free, before
    /// everybody who waits by place, paused or not and whatever the rate. Several such users go in
    /// the order of these calls. Never above the threshold.
    ///
    /// # Errors
    /// The event is unknown; nothing is left, or too many were moved up already; journal
    /// unavailable.
    pub fn queue_admit(
        &self,
        event: EventIndex,
        user: UserIndex,
        now: UnixMillis,
    ) -> QueueResult<()> {
        let mut desk = self.desk(event, now)?;
        desk.end_if_over(user)?;
        if desk.room.standing(user, now).is_none() {
            if desk.inventory.is_nothing_left(now) {
                return Err(QueueRefusal::Closed(event).into());
            }
            self.join(&mut desk, user)?;
        }
        let waits_in_line =
            desk.room.line.place_of(user).filter(|place| !desk.room.line.front().contains(place));
        if let Some(place) = waits_in_line {
            if desk.room.line.front().len() >= MOVED_UP_MAX {
                return Err(QueueRefusal::Closed(event).into());
            }
            let permit = self.journal.reserve(Purpose::Completion)?;
            // From here it must succeed.
            let lsn = desk.log(permit, &Record::QueueMovedUp { event, user, at: now });
            desk.room.line.move_up(place, lsn);
        }
        desk.admit_some();
        let lsn = desk.room.standing(user, now).map_or(desk.room.last_lsn, |(_, lsn)| lsn);
        Ok(Pending::new((), lsn))
    }

    /// Gives an event's line lanes with these shares, the first of them everybody's; of the lanes
    /// there are, shares may change and others may follow. Turns begin anew.
    ///
    /// # Errors
    /// The event is unknown; the lanes are out of range, or one that people may belong to would be
    /// gone; journal unavailable.
    pub fn queue_set_lanes(
        &self,
        event: EventIndex,
        lanes: Vec<LaneShare>,
        now: UnixMillis,
    ) -> QueueResult<QueueCounts> {
        let mut desk = self.desk(event, now)?;
        if !desk.room.lanes.may_become(&lanes) {
            return Err(QueueRefusal::WrongLanes(event).into());
        }
        if desk.room.lanes.shares() != lanes {
            let permit = self.journal.reserve(Purpose::Completion)?;
            // From here it must succeed.
            desk.log(permit, &Record::QueueLanesSet { event, lanes: lanes.clone(), at: now });
            desk.room.lanes.set_shares(lanes);
            let turns = desk.room.lanes.turns();
            desk.room.line.set_turns(turns);
        }
        let lsn = desk.room.last_lsn;
        desk.admit_some();
        Ok(Pending::new(desk.room.counts(), lsn))
    }

    /// Puts up to [`LANE_MEMBERS_PER_COMMAND_MAX`] people into a lane, for good; those who wait keep
    /// their places in it. More are cut off: the caller sends them in groups.
    ///
    /// # Errors
    /// The event is unknown; there is no such lane; journal unavailable.
    pub fn queue_give_lane(
        &self,
        event: EventIndex,
        lane: Lane,
        mut users: Vec<UserIndex>,
        now: UnixMillis,
    ) -> QueueResult<()> {
        let mut desk = self.desk(event, now)?;
        if !desk.room.lanes.has(lane) {
            return Err(QueueRefusal::UnknownLane(event, lane).into());
        }
        users.truncate(LANE_MEMBERS_PER_COMMAND_MAX);
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let lsn = desk
            .log(permit, &Record::QueueLaneGiven { event, lane, users: users.clone(), at: now });
        for user in users {
            desk.room.lanes.put(user, lane);
            if let Some(place) = desk.room.line.place_of(user) {
                desk.room.line.change_lane(place, lane);
            }
        }
        Ok(Pending::new((), lsn))
    }

    /// Makes an event's line a lobby: whoever comes gets a ticket, and nobody is let in before
    /// [`Engine::queue_draw`], which the tick does when the sale begins. The seed is logged and
    /// stays secret until then; its [`commitment`](crate::waiting_room::draw::commitment) may be
    /// published once this is durable.
    ///
    /// # Errors
    /// The event is unknown; its sale has begun, somebody waits already, or it has a lobby; journal
    /// unavailable.
    pub fn queue_open_lobby(
        &self,
        event: EventIndex,
        seed: Seed,
        now: UnixMillis,
    ) -> QueueResult<()> {
        let mut desk = self.desk(event, now)?;
        let is_late = desk.inventory.is_on_sale(now) || desk.inventory.is_over(now);
        if is_late || desk.room.line.waiting() > 0 || desk.room.lobby.is_some() {
            return Err(QueueRefusal::NoLobbyNow(event).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let lsn = desk.log(permit, &Record::QueueLobbyOpened { event, seed, at: now });
        desk.room.lobby = Some(seed);
        Ok(Pending::new((), lsn))
    }

    /// Draws everybody's place in a lobby and ends it. The beacon is a public value that nobody
    /// could know while tickets were handed out; it may be empty, and is cut at
    /// [`BEACON_BYTES_MAX`]. Answers with how many stood in the lobby.
    ///
    /// It sorts everybody under the room's lock: nobody else of this event is served meanwhile.
    ///
    /// # Errors
    /// The event is unknown; it has no lobby; journal unavailable.
    pub fn queue_draw(&self, event: EventIndex, beacon: &str, now: UnixMillis) -> QueueResult<u32> {
        let mut desk = self.desk(event, now)?;
        let entrants = desk.draw(beacon)?.ok_or(QueueRefusal::NoLobby(event))?;
        let lsn = desk.room.last_lsn;
        desk.admit_some();
        Ok(Pending::new(entrants, lsn))
    }

    /// Lets a buyer in while nobody has to wait, decided in one look at the room; where somebody has
    /// to, nothing happens, and the hold that follows is refused. A sign of life of whoever is in.
    ///
    /// # Errors
    /// The event is unknown; no more places fit; journal unavailable.
    ///
    /// # Durability
    /// The hold that follows comes after it in the log.
    pub fn queue_let_in(
        &self,
        event: EventIndex,
        user: UserIndex,
        now: UnixMillis,
    ) -> Result<(), CommandError<QueueRefusal>> {
        let mut desk = self.desk(event, now)?;
        desk.end_if_over(user)?;
        let is_here = desk.room.touch(user, now);
        if !is_here && !desk.room.is_engaged() && !desk.inventory.is_nothing_left(now) {
            self.join(&mut desk, user)?;
            desk.admit_some();
        }
        Ok(())
    }

    /// A room in numbers, or `None` where there is no such event.
    pub fn queue_counts(&self, event: EventIndex) -> Option<QueueCounts> {
        Some(self.listed(event)?.waiting_room.enter().counts())
    }

    /// Notes that a user did something for the event: keeps his session or his place alive. Memory
    /// only; a restart counts as such a sign for everybody.
    pub fn queue_seen(&self, event: EventIndex, user: UserIndex, now: UnixMillis) {
        if let Ok(mut desk) = self.desk(event, now) {
            desk.room.touch(user, now);
        }
    }

    /// Whether a user was let in and his session lives.
    pub fn queue_is_admitted(&self, event: EventIndex, user: UserIndex, now: UnixMillis) -> bool {
        self.desk(event, now).is_ok_and(|desk| desk.room.is_admitted(user, now))
    }

    /// The tick: ends sessions that are over, sends silent people away, closes lines for which
    /// nothing is left, lets people in whose turn it is. Answers with how many people that moved.
    ///
    /// Visits only rooms with people in them, and of their people only those concerned (and one
    /// number for every 4,096 who wait). What one call leaves the next one does.
    ///
    /// # Errors
    /// The journal takes no record now; nothing is lost, the next call carries on.
    pub fn admit_due(&self, now: UnixMillis) -> Result<usize, JournalUnavailable> {
        let rooms = std::mem::take(&mut *self.rooms_in_use.lock());
        let mut moved = 0;
        let mut visited = 0;
        let served = rooms.iter().try_for_each(|&event| {
            moved += self.serve_room(event, now)?;
            visited += 1;
            Ok(())
        });
        // Those that came to be used meanwhile are in the list already; see `serve_room`.
        self.rooms_in_use.lock().extend(&rooms[visited..]);
        served.map(|()| moved)
    }

    /// Whether a user may hold, and a sign of life of his where somebody looked.
    pub(super) fn check_admission(
        &self,
        inventory: &EventInventory,
        user: UserIndex,
        now: UnixMillis,
    ) -> Result<(), HoldRefusal> {
        if !inventory.waiting_room.is_engaged() {
            return Ok(());
        }
        let mut room = inventory.waiting_room.enter();
        room.wake(now);
        // The flag is a moment old; the room is not.
        if room.is_engaged() && !room.is_admitted(user, now) {
            return Err(HoldRefusal::NotAdmitted(inventory.event));
        }
        room.touch(user, now);
        Ok(())
    }

    fn desk(&self, event: EventIndex, now: UnixMillis) -> Result<Desk<'_, J>, QueueRefusal> {
        let inventory = self.listed(event).ok_or(QueueRefusal::UnknownEvent(event))?;
        Ok(self.desk_at(inventory, now))
    }

    fn desk_at<'e>(&'e self, inventory: &'e EventInventory, now: UnixMillis) -> Desk<'e, J> {
        let mut room = inventory.waiting_room.enter();
        room.wake(now);
        Desk { journal: &self.journal, inventory, room, now }
    }

    /// Gives somebody new a place.
    fn join(
        &self,
        desk: &mut Desk<'_, J>,
        user: UserIndex,
    ) -> Result<(), CommandError<QueueRefusal>> {
        let (event, at) = (desk.inventory.event, desk.now);
        if desk.room.line.next_place().0 > PLACES_PER_EVENT_MAX {
            return Err(QueueRefusal::Closed(event).into());
        }
        desk.settle(desk.room.settings())?;
        let permit = self.journal.reserve(Purpose::NewWork)?;
        // From here it must succeed.
        let place = desk.room.line.next_place();
        let lsn = desk.log(permit, &Record::QueueJoined { event, user, place, at });
        let lane = desk.room.lanes.lane_of(user);
        desk.room.line.join(user, lane, at, lsn);
        if !desk.room.visited {
            desk.room.visited = true;
            self.rooms_in_use.lock().push(event);
        }
        Ok(())
    }

    /// One room's part of the tick. Lets go of the lock now and then, for those who ask.
    fn serve_room(&self, event: EventIndex, now: UnixMillis) -> Result<usize, JournalUnavailable> {
        // A deleted one too: who waits for it is sent away.
        let Some(inventory) = self.inventory(event) else { return Ok(0) };
        let mut desk = self.desk_at(inventory, now);
        if inventory.is_on_sale(now) {
            desk.draw("")?;
        }
        let mut moved = desk.close_line()?;
        drop(desk);
        loop {
            let mut desk = self.desk_at(inventory, now);
            let Served { moved: more, done } = desk.serve_some()?;
            moved += more;
            if done || moved >= QUEUE_STEPS_PER_TICK {
                desk.room.visited = desk.room.is_in_use();
                if desk.room.visited {
                    self.rooms_in_use.lock().push(event);
                }
                return Ok(moved);
            }
        }
    }
}

/// A locked room with all that its commands need.
struct Desk<'a, J> {
    journal: &'a J,
    inventory: &'a EventInventory,
    room: Entered<'a>,
    now: UnixMillis,
}

/// What [`Desk::serve_some`] did.
struct Served {
    /// People let in or sent away.
    moved: usize,
    /// Whether nothing more is due.
    done: bool,
}

impl<J: Journal> Desk<'_, J> {
    fn log(&mut self, permit: Permit, record: &Record) -> Lsn {
        let lsn = self.journal.append(permit, record);
        self.room.last_lsn = lsn;
        lsn
    }

    /// Puts settings in force, unless the log has them already: what the server sets for all events
    /// is logged for each, before anybody comes or is let in by it, so that the log alone tells
    /// whether people were let in by the rules.
    fn settle(&mut self, settings: QueueSettings) -> Result<(), JournalUnavailable> {
        if self.room.logged_settings() != Some(settings) {
            let permit = self.journal.reserve(Purpose::Completion)?;
            // From here it must succeed.
            let (event, at) = (self.inventory.event, self.now);
            self.log(permit, &Record::QueueChanged { event, settings, at });
            self.room.change(settings, at);
        }
        Ok(())
    }

    fn leave(&mut self, permit: Permit, user: UserIndex, reason: LeaveReason) {
        let record = Record::QueueLeft { event: self.inventory.event, user, reason, at: self.now };
        self.log(permit, &record);
        self.room.forget(user);
    }

    /// Ends a session whose deadline passed before the tick came to it: who comes back late is new.
    fn end_if_over(&mut self, user: UserIndex) -> Result<(), JournalUnavailable> {
        if self.room.is_over(user, self.now) {
            let permit = self.journal.reserve(Purpose::Completion)?;
            // From here it must succeed.
            self.leave(permit, user, LeaveReason::SessionOver);
        }
        Ok(())
    }

    /// Lets in whoever's turn it is, up to `max`.
    fn admit(&mut self, max: usize) -> Result<usize, JournalUnavailable> {
        let mut admitted = 0;
        while admitted < max
            && let Some(next) = self.room.next_admission(self.now)
        {
            self.settle(self.room.settings())?;
            let permit = self.journal.reserve(Purpose::Completion)?;
            // From here it must succeed.
            let (event, at) = (self.inventory.event, self.now);
            let record = Record::QueueAdmitted { event, user: next.user, place: next.place, at };
            let lsn = self.log(permit, &record);
            self.room.admit(&next, at, lsn);
            admitted += 1;
        }
        self.room.measure(self.now);
        Ok(admitted)
    }

    /// Lets people in at the end of a command, which was carried out whatever comes of this: the
    /// tick does what is left.
    fn admit_some(&mut self) {
        let _ = self.admit(QUEUE_STEPS_PER_LOCK);
    }

    /// As much of the tick as fits one hold of the lock. Sessions end first, for their slots; then
    /// the silent go, so that nobody who is not there is let in.
    fn serve_some(&mut self) -> Result<Served, JournalUnavailable> {
        let now = self.now;
        let mut left = QUEUE_STEPS_PER_LOCK;
        let mut moved = 0;
        while left > 0
            && let Some(user) = self.room.next_over(now)
        {
            let permit = self.journal.reserve(Purpose::Completion)?;
            self.leave(permit, user, LeaveReason::SessionOver);
            moved += 1;
            left -= 1;
        }
        while left > 0
            && let Some(silent) = self.room.next_silent(now, left)
        {
            left = left.saturating_sub(STEPS_PER_LOOK.max(silent.len()));
            for user in silent {
                let permit = self.journal.reserve(Purpose::Completion)?;
                self.leave(permit, user, LeaveReason::Silent);
                moved += 1;
            }
        }
        let admitted = self.admit(left)?;
        Ok(Served { moved: moved + admitted, done: admitted < left })
    }

    /// Draws from the lobby, where there is one. Answers with how many stood in it.
    fn draw(&mut self, beacon: &str) -> Result<Option<u32>, JournalUnavailable> {
        let Some(seed) = self.room.lobby else { return Ok(None) };
        let beacon = &beacon[..beacon.floor_char_boundary(BEACON_BYTES_MAX)];
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let (event, at) = (self.inventory.event, self.now);
        let lsn = self.log(permit, &Record::QueueDrawn { event, beacon: beacon.to_owned(), at });
        self.room.lobby = None;
        Ok(Some(self.room.line.draw(&Drawing::new(&seed, beacon), lsn).len() as u32))
    }

    /// Sends everybody who waits away where nothing is left. That seats are gone has to be seen by
    /// two ticks: between taking the last seat and being a hold, an order is neither.
    fn close_line(&mut self) -> Result<usize, JournalUnavailable> {
        let waiting = self.room.line.waiting();
        if waiting == 0 {
            self.room.was_sold_out = false;
            return Ok(0);
        }
        let sold_out_before = self.room.was_sold_out;
        let is_over = self.inventory.is_over(self.now);
        self.room.was_sold_out = is_over || self.inventory.is_sold_out();
        if !self.room.was_sold_out || !(is_over || sold_out_before) {
            return Ok(0);
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let record = Record::QueueClosed { event: self.inventory.event, at: self.now };
        self.log(permit, &record);
        self.room.line.clear();
        Ok(waiting as usize)
    }
}
