//! An event's waiting room as the fold knows it: its settings, its line, who is in.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use crate::ids::{Lane, Lsn, Place, UnixMillis, UserIndex};
use crate::record::QueueSettings;
use crate::waiting_room::LoggedRoom;
use crate::waiting_room::draw::{Drawing, Seed};
use crate::waiting_room::lanes::{LaneShare, Lanes};
use crate::waiting_room::line::{Line, Waiter};
use crate::waiting_room::turns::Turns;

/// An event's waiting room.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "StoredQueue")]
pub struct Queue {
    settings: Option<QueueSettings>,
    /// Stamped with when each place was taken.
    line: Line,
    active: BTreeMap<UserIndex, Admission>,
    lanes: Lanes,
    lottery: Option<Lottery>,
}

/// A lobby, and the draw from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lottery {
    /// What is drawn from. Secret while [`Lottery::drawn`] is none.
    pub seed: Seed,
    /// When the lobby was opened.
    pub opened_at: UnixMillis,
    /// The draw, where it took place.
    pub drawn: Option<Draw>,
}

/// What a draw gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// The public value that was added to the seed; may be empty.
    pub beacon: String,
    /// When it took place.
    pub at: UnixMillis,
    /// The place of the first in the new order; the others follow it without a gap.
    pub first: Place,
    /// The places that people had in the lobby, in the new order.
    pub tickets: Vec<Place>,
}

/// When somebody came and when he was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// When he took his place.
    pub joined_at: UnixMillis,
    /// When he was let in.
    pub admitted_at: UnixMillis,
}

impl Queue {
    /// The settings that were last logged; `None` where the room was never used.
    #[must_use]
    pub fn settings(&self) -> Option<&QueueSettings> {
        self.settings.as_ref()
    }

    /// How many people wait.
    #[must_use]
    pub fn waiting_count(&self) -> u32 {
        self.line.waiting()
    }

    /// Everybody who waits, by place, with when he took it.
    pub fn waiting(&self) -> impl Iterator<Item = (Place, UserIndex, UnixMillis)> + '_ {
        self.line.iter().map(|one| (one.place, one.user, one.stamp))
    }

    /// Where a user waits, and since when.
    #[must_use]
    pub fn place(&self, user: UserIndex) -> Option<(Place, UnixMillis)> {
        let place = self.line.place_of(user)?;
        Some((place, self.line.stamp(place)))
    }

    /// Places that go before all others, in their order.
    #[must_use]
    pub fn moved_up(&self) -> &[Place] {
        self.line.front()
    }

    /// The place that the next newcomer takes.
    #[must_use]
    pub fn next_place(&self) -> Place {
        self.line.next_place()
    }

    /// How many people are in.
    #[must_use]
    pub fn active_count(&self) -> u32 {
        self.active.len() as u32
    }

    /// Everybody who is in.
    pub fn active(&self) -> impl Iterator<Item = (UserIndex, Admission)> + '_ {
        self.active.iter().map(|(&user, &admission)| (user, admission))
    }

    /// A user's admission, where he is in: with [`Admission::joined_at`] how long he waited.
    #[must_use]
    pub fn admission(&self, user: UserIndex) -> Option<Admission> {
        self.active.get(&user).copied()
    }

    /// The lanes, the first everybody's; none where the line has no priorities.
    #[must_use]
    pub fn lanes(&self) -> &[LaneShare] {
        self.lanes.shares()
    }

    /// The lane that a user waits in, or would.
    #[must_use]
    pub fn lane_of(&self, user: UserIndex) -> Lane {
        self.lanes.lane_of(user)
    }

    /// How many people were put into a lane, whether or not they wait; 0 for everybody's.
    #[must_use]
    pub fn members(&self, lane: Lane) -> usize {
        self.lanes.members(lane)
    }

    /// Everybody who was put into a lane.
    pub fn lane_members(&self) -> impl Iterator<Item = (UserIndex, Lane)> + '_ {
        self.lanes.all_members()
    }

    /// How many people wait in a lane.
    #[must_use]
    pub fn waiting_in(&self, lane: Lane) -> u32 {
        self.line.waiting_by_lane().get(lane.position()).copied().unwrap_or(0)
    }

    /// By lane, when its next admission is due, in steps of which a lane with share `s` takes
    /// `product of all shares / s` for each.
    #[must_use]
    pub fn due(&self) -> &[u64] {
        self.line.turns().due()
    }

    /// When the last admission was due, in the steps of [`Queue::due`].
    #[must_use]
    pub fn turn(&self) -> u64 {
        self.line.turns().now()
    }

    /// The last lobby and its draw, where there was one.
    #[must_use]
    pub fn lottery(&self) -> Option<&Lottery> {
        self.lottery.as_ref()
    }

    /// The seed of a lobby that is open.
    fn lobby(&self) -> Option<Seed> {
        self.lottery.as_ref().filter(|lottery| lottery.drawn.is_none()).map(|open| open.seed)
    }

    /// What a waiting room carries on from.
    pub(crate) fn logged(&self) -> LoggedRoom<'_> {
        LoggedRoom {
            settings: self.settings(),
            line: &self.line,
            lanes: &self.lanes,
            lobby: self.lobby(),
            active: self.active.keys().copied().collect(),
        }
    }

    pub(super) fn change(&mut self, settings: QueueSettings) {
        self.settings = Some(settings);
    }

    pub(super) fn join(
        &mut self,
        user: UserIndex,
        place: Place,
        at: UnixMillis,
    ) -> Result<(), String> {
        if place != self.line.next_place() {
            return Err(format!("place {place} is not the next one"));
        }
        if self.line.place_of(user).is_some() || self.active.contains_key(&user) {
            return Err(format!("user {user} is here already"));
        }
        self.line.join(user, self.lanes.lane_of(user), at, Lsn::ZERO);
        Ok(())
    }

    pub(super) fn admit(
        &mut self,
        user: UserIndex,
        place: Place,
        at: UnixMillis,
    ) -> Result<(), String> {
        if self.line.place_of(user) != Some(place) {
            return Err(format!("user {user} does not wait at place {place}"));
        }
        let joined_at = self.line.stamp(place);
        match self.line.first() {
            Some(first) if first.user == user => self.line.admit(&first),
            _ => return Err(format!("it is not the turn of place {place}")),
        }
        self.active.insert(user, Admission { joined_at, admitted_at: at });
        Ok(())
    }

    pub(super) fn leave(&mut self, user: UserIndex) -> Result<(), String> {
        let waited = self.line.remove(user).is_some();
        match self.active.remove(&user).is_some() || waited {
            true => Ok(()),
            false => Err(format!("user {user} is not here")),
        }
    }

    pub(super) fn move_up(&mut self, user: UserIndex) -> Result<(), String> {
        match self.line.place_of(user) {
            Some(place) if !self.line.front().contains(&place) => {
                self.line.move_up(place, Lsn::ZERO);
                Ok(())
            }
            _ => Err(format!("user {user} does not wait by place")),
        }
    }

    pub(super) fn set_lanes(&mut self, lanes: &[LaneShare]) -> Result<(), String> {
        if !self.lanes.may_become(lanes) {
            return Err("lanes out of range".to_owned());
        }
        self.lanes.set_shares(lanes.to_vec());
        self.line.set_turns(self.lanes.turns());
        Ok(())
    }

    pub(super) fn give_lane(&mut self, lane: Lane, users: &[UserIndex]) -> Result<(), String> {
        if !self.lanes.has(lane) {
            return Err(format!("no lane {lane}"));
        }
        for &user in users {
            self.lanes.put(user, lane);
            if let Some(place) = self.line.place_of(user) {
                self.line.change_lane(place, lane);
            }
        }
        Ok(())
    }

    pub(super) fn open_lobby(&mut self, seed: Seed, at: UnixMillis) -> Result<(), String> {
        if self.line.waiting() > 0 {
            return Err("a lobby is opened while people wait in line".to_owned());
        }
        self.lottery = Some(Lottery { seed, opened_at: at, drawn: None });
        Ok(())
    }

    pub(super) fn draw(&mut self, beacon: &str, at: UnixMillis) -> Result<(), String> {
        let lottery = self.lottery.as_mut().filter(|lottery| lottery.drawn.is_none());
        let lottery = lottery.ok_or("a draw without a lobby")?;
        let first = self.line.next_place();
        let tickets = self.line.draw(&Drawing::new(&lottery.seed, beacon), Lsn::ZERO);
        lottery.drawn = Some(Draw { beacon: beacon.to_owned(), at, first, tickets });
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.active.clear();
    }

    pub(super) fn close(&mut self) {
        self.line.clear();
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.line.check()?;
        let both = self.active.keys().find(|&&user| self.line.place_of(user).is_some());
        match both {
            Some(user) => Err(format!("user {user} waits and is in")),
            None => Ok(()),
        }
    }
}

/// What a snapshot has of a queue.
#[derive(Deserialize)]
struct StoredQueue {
    former: StoredFormerQueue,
    lanes: Lanes,
    /// Places in lanes other than everybody's.
    places: Vec<(Place, Lane)>,
    due: Vec<u64>,
    now: u64,
    lottery: Option<Lottery>,
}

/// What a snapshot had of a queue before there were lanes and lotteries.
#[derive(Deserialize)]
pub(super) struct StoredFormerQueue {
    settings: Option<QueueSettings>,
    next_place: Place,
    waiting: Vec<StoredWaiter>,
    front: Vec<Place>,
    active: Vec<(UserIndex, Admission)>,
}

/// One who waits, by what is new against the one before him: few bytes each.
#[derive(Serialize, Deserialize)]
struct StoredWaiter {
    /// How many places after the one before; the first counts from 0.
    step: u32,
    user: UserIndex,
    /// How many milliseconds after the one before; the first counts from 0.
    later: i64,
}

impl TryFrom<StoredQueue> for Queue {
    type Error = String;

    fn try_from(stored: StoredQueue) -> Result<Queue, String> {
        let mut queue = Queue::try_from(stored.former)?;
        stored.lanes.check()?;
        for (place, lane) in stored.places {
            if !queue.line.waits(place) || lane == Lane::EVERYBODYS || !stored.lanes.has(lane) {
                return Err(format!("nobody waits at place {place} in lane {lane}"));
            }
            queue.line.change_lane(place, lane);
        }
        let shares = stored.lanes.share_numbers();
        queue.line.set_turns(Turns::restored(&shares, &stored.due, stored.now)?);
        queue.lanes = stored.lanes;
        queue.lottery = stored.lottery;
        Ok(queue)
    }
}

impl TryFrom<StoredFormerQueue> for Queue {
    type Error = String;

    fn try_from(stored: StoredFormerQueue) -> Result<Queue, String> {
        let mut queue = Queue { settings: stored.settings, ..Queue::default() };
        let (mut place, mut stamp) = (0_u32, 0_u64);
        for StoredWaiter { step, user, later } in stored.waiting {
            place = place.checked_add(step).ok_or("a place is out of range")?;
            stamp = stamp.wrapping_add_signed(later);
            if place < queue.line.next_place().0 || place >= stored.next_place.0 {
                return Err(format!("place {place} is out of order"));
            }
            if queue.line.place_of(user).is_some() {
                return Err(format!("user {user} waits twice"));
            }
            let (place, stamp) = (Place(place), UnixMillis(stamp));
            let waiter = Waiter { place, user, lane: Lane::EVERYBODYS, stamp };
            queue.line.put(waiter, Lsn::ZERO);
        }
        queue.line.set_next(stored.next_place);
        for place in stored.front {
            if !queue.line.waits(place) {
                return Err(format!("nobody waits at place {place}, which was moved up"));
            }
            queue.line.move_up(place, Lsn::ZERO);
        }
        for (user, admission) in stored.active {
            match queue.active.entry(user) {
                Entry::Vacant(free) => free.insert(admission),
                Entry::Occupied(_) => return Err(format!("user {user} is in twice")),
            };
        }
        Ok(queue)
    }
}

/// Writes what `StoredQueue` reads, without a copy of the line.
impl Serialize for Queue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Stored<'a> {
            settings: Option<QueueSettings>,
            next_place: Place,
            waiting: WaitingOf<'a>,
            front: &'a [Place],
            active: Vec<(UserIndex, Admission)>,
            lanes: &'a Lanes,
            places: Vec<(Place, Lane)>,
            due: Vec<u64>,
            now: u64,
            lottery: &'a Option<Lottery>,
        }
        let in_lanes = self.line.iter().filter(|one| one.lane != Lane::EVERYBODYS);
        let stored = Stored {
            settings: self.settings,
            next_place: self.line.next_place(),
            waiting: WaitingOf(&self.line),
            front: self.line.front(),
            active: self.active().collect(),
            lanes: &self.lanes,
            places: in_lanes.map(|one| (one.place, one.lane)).collect(),
            due: self.line.turns().due().to_vec(),
            now: self.line.turns().now(),
            lottery: &self.lottery,
        };
        stored.serialize(serializer)
    }
}

struct WaitingOf<'a>(&'a Line);

impl Serialize for WaitingOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.waiting() as usize))?;
        let (mut place, mut stamp) = (0, 0);
        for one in self.0.iter() {
            let later = one.stamp.0.wrapping_sub(stamp) as i64;
            seq.serialize_element(&StoredWaiter {
                step: one.place.0 - place,
                user: one.user,
                later,
            })?;
            (place, stamp) = (one.place.0, one.stamp.0);
        }
        seq.end()
    }
}
