//! The line: who waits, in the order of places (I12).
//!
//! Places lie in blocks of 4,096, each with a bit for every place that somebody still waits at.
//! A position is a rank over those bits: the counts of the blocks before, then the bits of one
//! block. Live memory and the fold keep the same line; what they stamp on a place differs.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::ids::{Lsn, Place, UnixMillis, UserIndex};

/// Places in a block; their bits fill eight cache lines.
const BLOCK: u32 = 4_096;

/// Everybody who waits for one event.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The place after the last one that was handed out.
    next: Place,
    /// The first place of the first block.
    base: u32,
    blocks: VecDeque<Block>,
    /// People waiting in each block: beside each other, so that a rank adds them up in a moment.
    counts: VecDeque<u32>,
    waiting: u32,
    places: UserPlaces,
    /// Places that go before all others, in the order in which they were moved up.
    front: Vec<Place>,
}

/// Places `base + BLOCK * n ..`. The vectors grow as places are handed out, so a short line is
/// small, and are empty where nobody of the block waits.
#[derive(Clone, Debug)]
struct Block {
    /// Bit `i % 64` of word `i / 64`: somebody waits at the block's place `i`.
    words: Vec<u64>,
    /// By word, the last record by which one of its places was taken or moved up.
    lsns: Vec<Lsn>,
    users: Vec<UserIndex>,
    /// Live memory: the last sign of life. The fold: when the place was taken.
    stamps: Vec<UnixMillis>,
    /// No stamp of the block is earlier.
    earliest: UnixMillis,
}

impl Default for Block {
    fn default() -> Block {
        let earliest = UnixMillis(u64::MAX);
        let (words, lsns) = (Vec::new(), Vec::new());
        Block { words, lsns, users: Vec::new(), stamps: Vec::new(), earliest }
    }
}

/// Somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) place: Place,
    pub(crate) user: UserIndex,
    /// See `Block::stamps`.
    pub(crate) stamp: UnixMillis,
}

impl Default for Line {
    fn default() -> Line {
        Line {
            next: Place(1),
            base: 1,
            blocks: VecDeque::new(),
            counts: VecDeque::new(),
            waiting: 0,
            places: UserPlaces::default(),
            front: Vec::new(),
        }
    }
}

impl Line {
    /// How many people wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// The place that the next newcomer takes.
    pub(crate) fn next_place(&self) -> Place {
        self.next
    }

    /// Where a user waits.
    pub(crate) fn place_of(&self, user: UserIndex) -> Option<Place> {
        self.places.get(user)
    }

    /// Those who go before all others, in their order.
    pub(crate) fn front(&self) -> &[Place] {
        &self.front
    }

    /// Puts a newcomer at [`Line::next_place`].
    pub(crate) fn join(&mut self, user: UserIndex, stamp: UnixMillis, lsn: Lsn) -> Place {
        let place = self.next;
        self.put(Waiter { place, user, stamp }, lsn);
        place
    }

    /// Puts somebody at a place at or after the next one; those between stay empty.
    pub(crate) fn put(&mut self, waiter: Waiter, lsn: Lsn) {
        let Waiter { place, user, stamp } = waiter;
        if self.waiting == 0 {
            // Nobody waits at any place before: the first block's memory serves again.
            self.base = place.0;
            self.blocks.truncate(1);
            self.counts.truncate(1);
            if let Some(block) = self.blocks.front_mut() {
                block.clear();
            }
        }
        let offset = place.0 - self.base;
        let (position, within) = ((offset / BLOCK) as usize, (offset % BLOCK) as usize);
        if self.blocks.len() <= position {
            self.blocks.resize(position + 1, Block::default());
            self.counts.resize(position + 1, 0);
        }
        self.blocks[position].put(within, user, stamp, lsn);
        self.counts[position] += 1;
        self.waiting += 1;
        self.places.insert(user, place);
        self.next = Place(place.0 + 1);
    }

    /// Carries on numbering after places that nobody waits at any more.
    pub(crate) fn set_next(&mut self, next: Place) {
        self.next = self.next.max(next);
    }

    /// Takes a user out of the line, wherever he stands.
    pub(crate) fn remove(&mut self, user: UserIndex) -> Option<Waiter> {
        let place = self.places.remove(user)?;
        let (position, within) = self.locate(place);
        let stamp = self.blocks[position].take(within);
        self.counts[position] -= 1;
        self.waiting -= 1;
        if !self.front.is_empty() {
            self.front.retain(|&other| other != place);
        }
        if self.counts[position] == 0 && position + 1 < self.blocks.len() {
            self.blocks[position] = Block::default();
        }
        // The last block is still being filled.
        while self.blocks.len() > 1 && self.counts.front() == Some(&0) {
            self.blocks.pop_front();
            self.counts.pop_front();
            self.base += BLOCK;
        }
        Some(Waiter { place, user, stamp })
    }

    /// Sends everybody away; places go on being counted.
    pub(crate) fn clear(&mut self) {
        *self = Line { next: self.next, base: self.next.0, ..Line::default() };
    }

    /// Puts somebody who waits behind those who were moved up before him, and before all others.
    pub(crate) fn move_up(&mut self, place: Place, lsn: Lsn) {
        self.front.push(place);
        let (position, within) = self.locate(place);
        self.blocks[position].lsns[within / 64] = lsn;
    }

    /// Who is let in next: those moved up first, then the lowest place. Nobody else ever is, so
    /// nobody overtakes, and who left is not in the way. Upholds I12.
    pub(crate) fn first(&self) -> Option<Waiter> {
        if let Some(&place) = self.front.first() {
            return Some(self.waiter(place));
        }
        let position = self.counts.iter().position(|&count| count > 0)?;
        let within = self.blocks[position].first()?;
        Some(self.waiter(self.place(position, within)))
    }

    /// How many people are let in before the one at this place, and one more.
    pub(crate) fn position(&self, place: Place) -> u32 {
        if let Some(ahead) = self.front.iter().position(|&other| other == place) {
            return ahead as u32 + 1;
        }
        if place.0 + 1 == self.next.0 {
            return self.waiting;
        }
        let (position, within) = self.locate(place);
        let (head, tail) = self.counts.as_slices();
        let (head, tail) = match position.checked_sub(head.len()) {
            None => (&head[..position], &tail[..0]),
            Some(rest) => (head, &tail[..rest]),
        };
        let before: u32 = head.iter().sum::<u32>() + tail.iter().sum::<u32>();
        let moved_up = self.front.iter().filter(|&&other| other > place).count() as u32;
        before + self.blocks[position].rank(within) + moved_up + 1
    }

    /// Notes a sign of life of the one at this place.
    pub(crate) fn touch(&mut self, place: Place, now: UnixMillis) {
        let (position, within) = self.locate(place);
        let stamp = &mut self.blocks[position].stamps[within];
        *stamp = now.max(*stamp);
    }

    /// What is stamped on a place that somebody waits at.
    pub(crate) fn stamp(&self, place: Place) -> UnixMillis {
        self.waiter(place).stamp
    }

    /// A record that is not before the last one about the one at this place.
    pub(crate) fn lsn(&self, place: Place) -> Lsn {
        let (position, within) = self.locate(place);
        self.blocks[position].lsns[within / 64]
    }

    /// Looks through the first block that may have people whose stamp is `until` or earlier, for up
    /// to `max` of them; `None` where no block may. Whoever is found must be removed.
    ///
    /// A block is looked through only where its earliest stamp says so, and that one is then set
    /// right: one comparison for every 4,096 people, and the people themselves once a lifetime.
    pub(crate) fn stamped_until(
        &mut self,
        until: UnixMillis,
        max: usize,
    ) -> Option<Vec<UserIndex>> {
        let mut blocks = self.blocks.iter_mut().zip(&self.counts);
        let due = blocks.find(|(block, count)| **count > 0 && block.earliest <= until);
        due.map(|(block, _)| block.stamped_until(until, max))
    }

    /// The same line with another stamp on every place.
    pub(crate) fn stamped(&self, stamp: UnixMillis) -> Line {
        let mut line = self.clone();
        for block in &mut line.blocks {
            block.stamps.fill(stamp);
            block.earliest = stamp;
        }
        line
    }

    /// Everybody, by place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Waiter> + '_ {
        self.blocks.iter().enumerate().flat_map(move |(position, block)| {
            let waiting = (0..block.users.len()).filter(|&within| block.waits(within));
            waiting.map(move |within| self.waiter(self.place(position, within)))
        })
    }

    /// Recounts what is kept as a sum.
    ///
    /// # Errors
    /// The first that differs.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (position, (block, &count)) in self.blocks.iter().zip(&self.counts).enumerate() {
            if block.words.iter().map(|word| word.count_ones()).sum::<u32>() != count {
                return Err(format!("block {position} of the line does not have {count} people"));
            }
        }
        if self.counts.iter().sum::<u32>() != self.waiting || self.places.len() != self.waiting {
            return Err(format!("{} people in line do not add up", self.waiting));
        }
        if let Some(lost) = self.iter().find(|one| self.places.get(one.user) != Some(one.place)) {
            return Err(format!("user {} at place {} is not found", lost.user, lost.place));
        }
        let gone = self.front.iter().find(|&&place| !self.waits(place));
        match gone {
            Some(place) => Err(format!("nobody waits at place {place}, which was moved up")),
            None => Ok(()),
        }
    }

    /// Whether somebody waits at a place.
    pub(crate) fn waits(&self, place: Place) -> bool {
        let Some(offset) = place.0.checked_sub(self.base) else {
            return false;
        };
        let block = self.blocks.get((offset / BLOCK) as usize);
        block.is_some_and(|block| block.waits((offset % BLOCK) as usize))
    }

    fn waiter(&self, place: Place) -> Waiter {
        let (position, within) = self.locate(place);
        let block = &self.blocks[position];
        Waiter { place, user: block.users[within], stamp: block.stamps[within] }
    }

    fn locate(&self, place: Place) -> (usize, usize) {
        let offset = place.0 - self.base;
        ((offset / BLOCK) as usize, (offset % BLOCK) as usize)
    }

    fn place(&self, position: usize, within: usize) -> Place {
        Place(self.base + position as u32 * BLOCK + within as u32)
    }
}

/// The same people at the same places with the same stamps, however the blocks lie.
impl PartialEq for Line {
    fn eq(&self, other: &Line) -> bool {
        self.next == other.next
            && self.waiting == other.waiting
            && self.front == other.front
            && self.iter().eq(other.iter())
    }
}

impl Block {
    fn clear(&mut self) {
        self.words.clear();
        self.lsns.clear();
        self.users.clear();
        self.stamps.clear();
        self.earliest = UnixMillis(u64::MAX);
    }

    fn put(&mut self, within: usize, user: UserIndex, stamp: UnixMillis, lsn: Lsn) {
        self.users.resize(within, UserIndex(0));
        self.stamps.resize(within, UnixMillis(0));
        self.users.push(user);
        self.stamps.push(stamp);
        self.words.resize(within / 64 + 1, 0);
        self.words[within / 64] |= 1 << (within % 64);
        self.lsns.resize(within / 64 + 1, lsn);
        self.lsns[within / 64] = lsn;
        self.earliest = self.earliest.min(stamp);
    }

    fn take(&mut self, within: usize) -> UnixMillis {
        let bits = &mut self.words[within / 64];
        assert!(*bits & (1 << (within % 64)) != 0, "left a place that was not taken");
        *bits &= !(1 << (within % 64));
        self.stamps[within]
    }

    fn waits(&self, within: usize) -> bool {
        self.words.get(within / 64).is_some_and(|word| word & (1 << (within % 64)) != 0)
    }

    fn first(&self) -> Option<usize> {
        let position = self.words.iter().position(|&word| word != 0)?;
        Some(position * 64 + self.words[position].trailing_zeros() as usize)
    }

    /// How many wait at places of this block before this one.
    fn rank(&self, within: usize) -> u32 {
        let whole = &self.words[..within / 64];
        let partly = self.words[within / 64] & ((1 << (within % 64)) - 1);
        whole.iter().map(|word| word.count_ones()).sum::<u32>() + partly.count_ones()
    }

    fn stamped_until(&mut self, until: UnixMillis, max: usize) -> Vec<UserIndex> {
        let mut found = Vec::new();
        let mut earliest = UnixMillis(u64::MAX);
        for within in 0..self.users.len() {
            if !self.waits(within) {
                continue;
            }
            let stamp = self.stamps[within];
            if stamp <= until && found.len() < max {
                found.push(self.users[within]);
            }
            // Those found are there until somebody removes them.
            earliest = earliest.min(stamp);
        }
        self.earliest = earliest;
        found
    }
}

/// Places by user, in parts that grow one at a time: a map of millions that doubles at once would
/// keep everybody waiting for the room's lock.
#[derive(Clone, Debug, Default)]
struct UserPlaces {
    /// None before the first insertion, then [`PARTS`].
    parts: Vec<HashMap<UserIndex, Place, UserHash>>,
}

const PARTS: usize = 64;

/// What an empty part may keep for the next people.
const SPARE: usize = 64;

impl UserPlaces {
    fn get(&self, user: UserIndex) -> Option<Place> {
        self.parts.get(user.position() % PARTS)?.get(&user).copied()
    }

    fn insert(&mut self, user: UserIndex, place: Place) {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, HashMap::default);
        }
        self.parts[user.position() % PARTS].insert(user, place);
    }

    fn remove(&mut self, user: UserIndex) -> Option<Place> {
        let part = self.parts.get_mut(user.position() % PARTS)?;
        let place = part.remove(&user);
        if part.is_empty() && part.capacity() > SPARE {
            *part = HashMap::default();
        }
        place
    }

    fn len(&self) -> u32 {
        self.parts.iter().map(|part| part.len() as u32).sum()
    }
}

/// Hashes the indices of users. They are handed out by us, one after the other, so nobody can choose
/// them to collide, and a multiplication spreads them.
pub(crate) type UserHash = BuildHasherDefault<UserHasher>;

/// See [`UserHash`].
#[derive(Debug, Default)]
pub(crate) struct UserHasher(u64);

impl Hasher for UserHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn write_u32(&mut self, value: u32) {
        // 2^64 divided by the golden ratio. The upper bits are the good ones.
        let product = (self.0 ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product.rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn line_of(people: u32) -> Line {
        let mut line = Line::default();
        for user in 0..people {
            let place = line.join(UserIndex(user), UnixMillis(user.into()), Lsn(user.into()));
            assert_eq!(place, Place(user + 1));
        }
        line
    }

    fn positions(line: &Line) -> Vec<(u32, u32)> {
        let mut waiting: Vec<_> =
            line.iter().map(|one| (line.position(one.place), one.user.0)).collect();
        waiting.sort_unstable();
        waiting
    }

    #[test]
    fn positions_close_up_when_somebody_leaves() {
        let mut line = line_of(5);
        assert_eq!(positions(&line), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)]);
        line.remove(UserIndex(0));
        line.remove(UserIndex(3));
        assert_eq!(line.remove(UserIndex(3)), None);
        assert_eq!(positions(&line), [(1, 1), (2, 2), (3, 4)]);
        assert_eq!(line.first().map(|one| one.user), Some(UserIndex(1)));
        assert_eq!(line.check(), Ok(()));
    }

    #[test]
    fn who_is_moved_up_goes_first_and_everybody_else_one_back() {
        let mut line = line_of(5);
        line.move_up(Place(4), Lsn(9));
        line.move_up(Place(2), Lsn(9));
        assert_eq!(positions(&line), [(1, 3), (2, 1), (3, 0), (4, 2), (5, 4)]);
        assert_eq!(line.first().map(|one| one.user), Some(UserIndex(3)));
        line.remove(UserIndex(3));
        assert_eq!(positions(&line), [(1, 1), (2, 0), (3, 2), (4, 4)]);
        assert_eq!(line.check(), Ok(()));
    }

    #[test]
    fn an_emptied_line_keeps_no_memory_but_its_number() {
        let mut line = line_of(3 * BLOCK + 5);
        for user in 0..2 * BLOCK {
            line.remove(UserIndex(user));
        }
        assert_eq!((line.blocks.len(), line.base), (2, 2 * BLOCK + 1));
        // A gap in the middle costs nothing either.
        for user in 2 * BLOCK..3 * BLOCK + 5 {
            line.remove(UserIndex(user));
        }
        assert_eq!((line.blocks.len(), line.waiting()), (1, 0));
        for user in 0..100_000 {
            line.join(UserIndex(user), UnixMillis(0), Lsn(0));
            line.remove(UserIndex(user));
        }
        assert_eq!(line.blocks.len(), 1);
        assert!(line.blocks[0].users.capacity() <= BLOCK as usize);
        assert_eq!(line.next_place(), Place(3 * BLOCK + 5 + 100_000 + 1));
        line.clear();
        assert_eq!(line.next_place(), Place(3 * BLOCK + 5 + 100_000 + 1));
        assert_eq!(line.check(), Ok(()));
    }

    #[test]
    fn the_silent_are_found_and_the_others_are_not_looked_at_again() {
        let mut line = line_of(BLOCK + 100);
        let silent = |line: &mut Line, until| {
            let mut all = Vec::new();
            while let Some(found) = line.stamped_until(UnixMillis(until), 100) {
                found.iter().for_each(|&user| assert!(line.remove(user).is_some()));
                all.extend(found.into_iter().map(|user| user.0));
            }
            all
        };
        line.touch(Place(1), UnixMillis(1_000_000));
        assert_eq!(silent(&mut line, 2), vec![1, 2]);
        let block = u64::from(BLOCK);
        assert_eq!(silent(&mut line, block + 1), (3..BLOCK + 2).collect::<Vec<_>>());
        assert_eq!(line.blocks[0].earliest, UnixMillis(1_000_000));
        assert_eq!(line.stamped_until(UnixMillis(block + 1), 1), None);
        assert_eq!(line.stamped_until(UnixMillis(1_000_000), 1), Some(vec![UserIndex(0)]));
    }

    #[test]
    fn places_put_back_with_gaps_are_the_same_line() {
        let mut line = line_of(20_000);
        (0..20_000).filter(|user| user % 7_001 != 3).for_each(|user| {
            line.remove(UserIndex(user));
        });
        let mut again = Line::default();
        line.iter().for_each(|one| again.put(one, Lsn(0)));
        again.set_next(line.next_place());
        assert_eq!(line, again);
        assert_eq!(again.check(), Ok(()));
        assert_eq!(positions(&again), [(1, 3), (2, 7_004), (3, 14_005)]);
    }

    proptest! {
        /// Against an ordered map of places.
        #[test]
        fn ranks_are_those_of_a_sorted_list(
            steps in prop::collection::vec((0..200_u32, any::<bool>()), 1..400),
        ) {
            let mut line = Line::default();
            let mut model: BTreeMap<u32, u32> = BTreeMap::new();
            for (user, leaves) in steps {
                let known = model.iter().find(|(_, other)| **other == user).map(|(&place, _)| place);
                match (known, leaves) {
                    (None, true) => prop_assert_eq!(line.remove(UserIndex(user)), None),
                    (None, false) => {
                        let place = line.join(UserIndex(user), UnixMillis(0), Lsn(0));
                        model.insert(place.0, user);
                    }
                    (Some(place), true) => {
                        line.remove(UserIndex(user));
                        model.remove(&place);
                    }
                    (Some(place), false) => {
                        let rank = model.range(..place).count() as u32 + 1;
                        prop_assert_eq!(line.position(Place(place)), rank);
                    }
                }
                prop_assert_eq!(line.first().map(|one| one.place.0), model.keys().next().copied());
            }
            prop_assert_eq!(line.check(), Ok(()));
        }
    }
}
