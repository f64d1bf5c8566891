//! An event's waiting room as the fold knows it: its settings, its line, who is in.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use crate::ids::{Lsn, Place, UnixMillis, UserIndex};
use crate::record::QueueSettings;
use crate::waiting_room::line::{Line, Waiter};

/// An event's waiting room.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "StoredQueue")]
pub struct Queue {
    settings: Option<QueueSettings>,
    /// Stamped with when each place was taken.
    line: Line,
    active: BTreeMap<UserIndex, Admission>,
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

    pub(crate) fn line(&self) -> &Line {
        &self.line
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
        self.line.join(user, at, Lsn::ZERO);
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
        let joined_at = self.line.remove(user).map_or(at, |one| one.stamp);
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
            let waiter = Waiter { place: Place(place), user, stamp: UnixMillis(stamp) };
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
        }
        let stored = Stored {
            settings: self.settings,
            next_place: self.line.next_place(),
            waiting: WaitingOf(&self.line),
            front: self.line.front(),
            active: self.active().collect(),
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
