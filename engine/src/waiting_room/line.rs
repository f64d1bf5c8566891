//! The line: who waits, in the order of places (I12).
//!
//! Places lie in blocks of 4,096, each with a bit for every place that somebody still waits at.
//! A position is a rank over those bits: the counts of the blocks before, then the bits of one
//! block. Whoever waits in a priority lane has a bit of that lane too; places are one sequence over
//! all lanes. Live memory and the fold keep the same line; what they stamp on a place differs.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::ids::{Lane, Lsn, Place, UnixMillis, UserIndex};
use crate::limits::LANES_MAX;
use crate::waiting_room::draw::Drawing;
use crate::waiting_room::turns::Turns;

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
    counts: VecDeque<Counts>,
    waiting: Counts,
    turns: Turns,
    places: UserPlaces,
    /// Places that go before all others, in the order in which they were moved up.
    front: Vec<Place>,
}

/// People by lane.
pub(crate) type Counts = [u32; LANES_MAX];

/// Places `base + BLOCK * n ..`. The vectors grow as places are handed out, so a short line is
/// small, and are empty where nobody of the block waits.
#[derive(Clone, Debug)]
struct Block {
    /// Bit `i % 64` of word `i / 64`: somebody waits at the block's place `i`.
    words: Vec<u64>,
    /// By lane but everybody's, the same bits: whoever waits in it. Empty where nobody does.
    lanes: [Vec<u64>; LANES_MAX - 1],
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
        let (words, lanes, lsns) = (Vec::new(), Default::default(), Vec::new());
        Block { words, lanes, lsns, users: Vec::new(), stamps: Vec::new(), earliest }
    }
}

/// Somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) place: Place,
    pub(crate) user: UserIndex,
    pub(crate) lane: Lane,
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
            waiting: [0; LANES_MAX],
            turns: Turns::default(),
            places: UserPlaces::default(),
            front: Vec::new(),
        }
    }
}

impl Line {
    /// How many people wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.iter().sum()
    }

    /// How many people wait in each lane.
    pub(crate) fn waiting_by_lane(&self) -> &Counts {
        &self.waiting
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Other shares, or other turns: what was due by the former counts no more.
    pub(crate) fn set_turns(&mut self, turns: Turns) {
        self.turns = turns;
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
    pub(crate) fn join(
        &mut self,
        user: UserIndex,
        lane: Lane,
        stamp: UnixMillis,
        lsn: Lsn,
    ) -> Place {
        let place = self.next;
        if self.by_turn()[lane.position()] == 0 {
            self.turns.begin(lane.position());
        }
        self.put(Waiter { place, user, lane, stamp }, lsn);
        place
    }

    /// Puts somebody at a place at or after the next one; those between stay empty. No lane's turns
    /// are changed by it.
    pub(crate) fn put(&mut self, waiter: Waiter, lsn: Lsn) {
        let Waiter { place, user, lane, stamp } = waiter;
        if self.waiting() == 0 {
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
            self.counts.resize(position + 1, [0; LANES_MAX]);
        }
        self.blocks[position].put(within, user, stamp, lsn);
        self.blocks[position].set_lane(within, lane);
        self.counts[position][lane.position()] += 1;
        self.waiting[lane.position()] += 1;
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
        let lane = self.blocks[position].lane(within);
        let stamp = self.blocks[position].take(within);
        self.counts[position][lane.position()] -= 1;
        self.waiting[lane.position()] -= 1;
        if !self.front.is_empty() {
            self.front.retain(|&other| other != place);
        }
        if self.counts[position] == [0; LANES_MAX] && position + 1 < self.blocks.len() {
            self.blocks[position] = Block::default();
        }
        // The last block is still being filled.
        while self.blocks.len() > 1 && self.counts.front() == Some(&[0; LANES_MAX]) {
            self.blocks.pop_front();
            self.counts.pop_front();
            self.base += BLOCK;
        }
        Some(Waiter { place, user, lane, stamp })
    }

    /// Lets somebody in who is [`Line::first`]: by turn, unless he was moved up.
    pub(crate) fn admit(&mut self, first: &Waiter) {
        if self.front.first() != Some(&first.place) {
            self.turns.take(first.lane.position());
        }
        self.remove(first.user);
    }

    /// Sends everybody away; places and turns go on being counted.
    pub(crate) fn clear(&mut self) {
        let turns = self.turns.clone();
        *self = Line { next: self.next, base: self.next.0, turns, ..Line::default() };
    }

    /// Puts somebody who waits into another lane, at the same place.
    pub(crate) fn change_lane(&mut self, place: Place, lane: Lane) {
        if self.by_turn()[lane.position()] == 0 {
            self.turns.begin(lane.position());
        }
        let (position, within) = self.locate(place);
        let former = self.blocks[position].lane(within);
        self.blocks[position].set_lane(within, lane);
        for counts in [&mut self.counts[position], &mut self.waiting] {
            counts[former.position()] -= 1;
            counts[lane.position()] += 1;
        }
    }

    /// Gives everybody a new place, after all that were handed out, in the order of a draw; who was
    /// moved up stays so. Answers with the former places in the new order.
    pub(crate) fn draw(&mut self, drawing: &Drawing, lsn: Lsn) -> Vec<Place> {
        let mut drawn: Vec<(u64, Waiter)> =
            self.iter().map(|one| (drawing.number(one.place), one)).collect();
        drawn.sort_unstable_by_key(|(number, one)| (*number, one.place));
        let moved_up: Vec<UserIndex> =
            self.front.iter().map(|&place| self.waiter(place).user).collect();
        self.clear();
        for (_, one) in &drawn {
            self.put(Waiter { place: self.next, ..*one }, lsn);
        }
        self.front = moved_up.iter().filter_map(|&user| self.place_of(user)).collect();
        drawn.iter().map(|(_, one)| one.place).collect()
    }

    /// Puts somebody who waits behind those who were moved up before him, and before all others.
    pub(crate) fn move_up(&mut self, place: Place, lsn: Lsn) {
        self.front.push(place);
        let (position, within) = self.locate(place);
        self.blocks[position].lsns[within / 64] = lsn;
    }

    /// Who is let in next: those moved up first, then the lowest place of the lane whose turn it is.
    /// Nobody else ever is, so nobody overtakes within a lane, and who left is not in the way.
    /// Upholds I12.
    pub(crate) fn first(&self) -> Option<Waiter> {
        if let Some(&place) = self.front.first() {
            return Some(self.waiter(place));
        }
        let lane = self.turns.next(&self.waiting)?;
        let position = self.counts.iter().position(|counts| counts[lane] > 0)?;
        let within = self.blocks[position].first(lane)?;
        Some(self.waiter(self.place(position, within)))
    }

    /// How many people are let in before the one at this place, and one more.
    pub(crate) fn position(&self, place: Place) -> u32 {
        if let Some(ahead) = self.front.iter().position(|&other| other == place) {
            return ahead as u32 + 1;
        }
        let (position, within) = self.locate(place);
        let lane = self.blocks[position].lane(within).position();
        let mut before = if place.0 + 1 == self.next.0 {
            self.waiting[lane] - 1
        } else {
            self.counts_before(position)[lane] + self.blocks[position].rank(lane, within)
        };
        let mut waiting = self.waiting;
        for &moved_up in &self.front {
            let (position, within) = self.locate(moved_up);
            let other = self.blocks[position].lane(within).position();
            waiting[other] -= 1;
            before -= u32::from(other == lane && moved_up < place);
        }
        self.front.len() as u32 + self.turns.ahead(lane, before, &waiting) + 1
    }

    /// People who are let in by turn, by lane.
    fn by_turn(&self) -> Counts {
        let mut counts = self.waiting;
        for &moved_up in &self.front {
            let (position, within) = self.locate(moved_up);
            counts[self.blocks[position].lane(within).position()] -= 1;
        }
        counts
    }

    fn counts_before(&self, position: usize) -> Counts {
        let (head, tail) = self.counts.as_slices();
        let (head, tail) = match position.checked_sub(head.len()) {
            None => (&head[..position], &tail[..0]),
            Some(rest) => (head, &tail[..rest]),
        };
        let add = |mut sum: Counts, counts: &Counts| {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            sum
        };
        tail.iter().fold(head.iter().fold([0; LANES_MAX], add), add)
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
        let due =
            blocks.find(|(block, counts)| **counts != [0; LANES_MAX] && block.earliest <= until);
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
        for (position, (block, counts)) in self.blocks.iter().zip(&self.counts).enumerate() {
            if block.counts() != *counts {
                return Err(format!(
                    "block {position} of the line does not have {counts:?} people"
                ));
            }
        }
        let added_up = self.counts_before(self.counts.len());
        if added_up != self.waiting || self.places.len() != self.waiting() {
            return Err(format!("{:?} people in line do not add up", self.waiting));
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
        let (user, lane) = (block.users[within], block.lane(within));
        Waiter { place, user, lane, stamp: block.stamps[within] }
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
            && self.turns == other.turns
            && self.front == other.front
            && self.iter().eq(other.iter())
    }
}

impl Block {
    fn clear(&mut self) {
        self.words.clear();
        self.lanes.iter_mut().for_each(Vec::clear);
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
        self.set_lane(within, Lane::EVERYBODYS);
        self.stamps[within]
    }

    /// The lane of who waits at a place.
    fn lane(&self, within: usize) -> Lane {
        let has = |words: &Vec<u64>| is_set(words, within);
        let priority = self.lanes.iter().position(has);
        priority.map_or(Lane::EVERYBODYS, |position| Lane(position as u8 + 1))
    }

    fn set_lane(&mut self, within: usize, lane: Lane) {
        for (position, words) in self.lanes.iter_mut().enumerate() {
            if position + 1 == lane.position() {
                words.resize(words.len().max(within / 64 + 1), 0);
                words[within / 64] |= 1 << (within % 64);
            } else if let Some(word) = words.get_mut(within / 64) {
                *word &= !(1 << (within % 64));
            }
        }
    }

    /// The bits of those who wait in a lane.
    fn word(&self, lane: usize, position: usize) -> u64 {
        let priority = |lane: &Vec<u64>| lane.get(position).copied().unwrap_or(0);
        match lane.checked_sub(1) {
            Some(lane) => priority(&self.lanes[lane]),
            None => self.words[position] & !self.lanes.iter().map(priority).fold(0, |a, b| a | b),
        }
    }

    fn counts(&self) -> Counts {
        std::array::from_fn(|lane| {
            (0..self.words.len()).map(|position| self.word(lane, position).count_ones()).sum()
        })
    }

    fn waits(&self, within: usize) -> bool {
        is_set(&self.words, within)
    }

    /// The first place that somebody of a lane waits at.
    fn first(&self, lane: usize) -> Option<usize> {
        let position = (0..self.words.len()).find(|&position| self.word(lane, position) != 0)?;
        Some(position * 64 + self.word(lane, position).trailing_zeros() as usize)
    }

    /// How many of a lane wait at places of this block before this one.
    fn rank(&self, lane: usize, within: usize) -> u32 {
        let whole = (0..within / 64).map(|position| self.word(lane, position).count_ones());
        let partly = self.word(lane, within / 64) & ((1 << (within % 64)) - 1);
        whole.sum::<u32>() + partly.count_ones()
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

fn is_set(words: &[u64], within: usize) -> bool {
    words.get(within / 64).is_some_and(|word| word & (1 << (within % 64)) != 0)
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
            let place = line.join(
                UserIndex(user),
                Lane::EVERYBODYS,
                UnixMillis(user.into()),
                Lsn(user.into()),
            );
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
            line.join(UserIndex(user), Lane::EVERYBODYS, UnixMillis(0), Lsn(0));
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

    #[derive(Clone, Debug)]
    enum Step {
        Join(u32, u8),
        Leave(u32),
        MoveUp(u32),
        ChangeLane(u32, u8),
        Admit,
        SetShares(Vec<u16>),
        Draw(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (user, lane) = (0..60_u32, 0..LANES_MAX as u8);
        prop_oneof![
            8 => (user.clone(), lane.clone()).prop_map(|(user, lane)| Step::Join(user, lane)),
            3 => user.clone().prop_map(Step::Leave),
            1 => user.clone().prop_map(Step::MoveUp),
            2 => (user, lane).prop_map(|(user, lane)| Step::ChangeLane(user, lane)),
            4 => Just(Step::Admit),
            1 => prop::collection::vec(1..9_u16, LANES_MAX).prop_map(Step::SetShares),
            1 => any::<u8>().prop_map(Step::Draw),
        ]
    }

    impl Line {
        fn everybody_in_turn(&self) -> Vec<Waiter> {
            let mut line = self.clone();
            let mut order = Vec::new();
            while let Some(first) = line.first() {
                line.admit(&first);
                order.push(first);
            }
            order
        }
    }

    proptest! {
        /// Positions are those of the order in which everybody is then let in, and that order is
        /// the order of places within each lane.
        #[test]
        fn positions_are_the_order_of_admission(
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let mut line = Line::default();
            line.set_turns(Turns::new(&[1, 2, 3, 4]));
            let mut waits: BTreeMap<u32, u8> = BTreeMap::new();
            for step in steps {
                let place = |line: &Line, user| line.place_of(UserIndex(user));
                match step {
                    Step::Join(user, lane) if !waits.contains_key(&user) => {
                        line.join(UserIndex(user), Lane(lane), UnixMillis(0), Lsn(0));
                        waits.insert(user, lane);
                    }
                    Step::Leave(user) => {
                        let left = line.remove(UserIndex(user)).map(|one| one.lane.0);
                        prop_assert_eq!(left, waits.remove(&user));
                    }
                    Step::MoveUp(user) => {
                        let found = place(&line, user);
                        if let Some(place) = found.filter(|place| !line.front().contains(place)) {
                            line.move_up(place, Lsn(0));
                        }
                    }
                    Step::ChangeLane(user, lane) => {
                        if let Some(place) = place(&line, user) {
                            line.change_lane(place, Lane(lane));
                            waits.insert(user, lane);
                        }
                    }
                    Step::Admit => {
                        if let Some(first) = line.first() {
                            line.admit(&first);
                            waits.remove(&first.user.0);
                        }
                    }
                    Step::SetShares(shares) => line.set_turns(Turns::new(&shares)),
                    Step::Draw(seed) => {
                        let front: Vec<_> =
                            line.front().iter().map(|&place| line.waiter(place).user).collect();
                        line.draw(&Drawing::new(&[seed; 32], ""), Lsn(0));
                        prop_assert!(line.front().iter().map(|&place| line.waiter(place).user).eq(front));
                    }
                    Step::Join(..) => {}
                }
                prop_assert_eq!(line.check(), Ok(()));
                prop_assert_eq!(line.waiting() as usize, waits.len());
                let order = line.everybody_in_turn();
                for (ahead, one) in order.iter().enumerate() {
                    prop_assert_eq!(line.position(one.place), ahead as u32 + 1);
                    prop_assert_eq!(waits.get(&one.user.0), Some(&one.lane.0));
                }
                let by_turn = &order[line.front().len()..];
                for lane in 0..LANES_MAX as u8 {
                    let places = by_turn.iter().filter(|one| one.lane == Lane(lane));
                    prop_assert!(places.map(|one| one.place).is_sorted());
                }
            }
        }
    }
}
