//! Deadlines of holds. Holds of one lifetime expire in the order of their making, so each lifetime
//! has a first-in-first-out line; the caller's clock drives it.

use std::collections::{BTreeMap, VecDeque};

use crossbeam::queue::SegQueue;
use parking_lot::Mutex;

use crate::ids::{ReservationId, UnixMillis};

/// A hold that ends at an instant unless somebody ends it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    /// When.
    pub(crate) at: UnixMillis,
    /// How long the hold lives, in milliseconds: its line.
    pub(crate) ttl_ms: u64,
    /// Which.
    pub(crate) hold: ReservationId,
}

/// All deadlines. Adding is lock-free; taking the due ones is for one caller at a time.
#[derive(Debug, Default)]
pub(crate) struct ExpiryLines {
    /// Fresh deadlines, not yet in line.
    inbox: SegQueue<Deadline>,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    by_ttl: BTreeMap<u64, VecDeque<Deadline>>,
    waiting: usize,
    /// Sweep out ended holds when this many wait: twice what the last sweep left.
    sweep_at: usize,
}

/// Below this many deadlines a sweep is not worth its time.
const SWEEP_MIN: usize = 1 << 16;

impl ExpiryLines {
    /// Adds a deadline.
    pub(crate) fn push(&self, deadline: Deadline) {
        self.inbox.push(deadline);
    }

    /// Takes up to `max` holds whose deadline is `now` or earlier.
    ///
    /// `alive` says whether a hold still waits for its deadline: ended ones are dropped as they are
    /// met, and all of them whenever the lines have doubled, so memory follows the living.
    pub(crate) fn take_due(
        &self,
        now: UnixMillis,
        max: usize,
        alive: impl Fn(ReservationId) -> bool,
    ) -> Vec<ReservationId> {
        let mut lines = self.lines.lock();
        // As many as are there now: pushes during this call wait for the next one.
        for _ in 0..self.inbox.len() {
            let Some(deadline) = self.inbox.pop() else {
                break;
            };
            if alive(deadline.hold) {
                lines.add(deadline);
            }
        }
        lines.sweep(&alive);
        lines.pop_due(now, max)
    }

    /// How many deadlines wait; some of them may belong to ended holds.
    pub(crate) fn len(&self) -> usize {
        self.inbox.len() + self.lines.lock().waiting
    }
}

impl Lines {
    /// Mostly at the end. A hold that comes again, or comes under another lifetime than it was made
    /// with, goes where its deadline belongs, so that it delays no other.
    fn add(&mut self, deadline: Deadline) {
        let line = self.by_ttl.entry(deadline.ttl_ms).or_default();
        let place = match line.back().is_some_and(|last| deadline.at < last.at) {
            true => line.partition_point(|earlier| earlier.at <= deadline.at),
            false => line.len(),
        };
        line.insert(place, deadline);
        self.waiting += 1;
    }

    fn sweep(&mut self, alive: impl Fn(ReservationId) -> bool) {
        if self.waiting < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        for line in self.by_ttl.values_mut() {
            line.retain(|deadline| alive(deadline.hold));
            line.shrink_to_fit();
        }
        self.waiting = self.by_ttl.values().map(VecDeque::len).sum();
        self.sweep_at = self.waiting * 2;
    }

    fn pop_due(&mut self, now: UnixMillis, max: usize) -> Vec<ReservationId> {
        let mut due = Vec::new();
        for line in self.by_ttl.values_mut() {
            while due.len() < max && line.front().is_some_and(|first| first.at <= now) {
                due.extend(line.pop_front().map(|deadline| deadline.hold));
            }
        }
        self.waiting -= due.len();
        self.by_ttl.retain(|_, line| !line.is_empty());
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{EventIndex, HoldSlot, OrderNumber};

    fn hold(number: u32) -> ReservationId {
        ReservationId { event: EventIndex(0), slot: HoldSlot(number), order: OrderNumber(number) }
    }

    fn push(lines: &ExpiryLines, number: u32, made_at: u64, ttl_ms: u64) {
        let at = UnixMillis(made_at + ttl_ms);
        lines.push(Deadline { at, ttl_ms, hold: hold(number) });
    }

    #[test]
    fn lines_of_different_lifetimes_do_not_wait_for_each_other() {
        let lines = ExpiryLines::default();
        push(&lines, 1, 0, 300_000);
        push(&lines, 2, 10, 1_000);
        push(&lines, 3, 20, 300_000);
        let take = |now, max| lines.take_due(UnixMillis(now), max, |_| true);
        assert_eq!(take(1_009, 9), vec![]);
        assert_eq!(take(1_010, 9), vec![hold(2)]);
        assert_eq!(take(400_000, 1), vec![hold(1)]);
        assert_eq!(take(400_000, 1), vec![hold(3)]);
        assert_eq!(lines.len(), 0);
    }

    #[test]
    fn a_late_deadline_delays_no_earlier_one_of_its_line() {
        let lines = ExpiryLines::default();
        let come = |number, at| {
            lines.push(Deadline { at: UnixMillis(at), ttl_ms: 1_000, hold: hold(number) });
        };
        for (number, at) in [(1, 9_000), (2, 2_000), (3, 2_000), (4, 3_000), (5, 9_000)] {
            come(number, at);
        }
        let take = |now| lines.take_due(UnixMillis(now), 9, |_| true);
        assert_eq!(take(1_999), vec![]);
        assert_eq!(take(2_000), vec![hold(2), hold(3)]);
        assert_eq!(take(3_000), vec![hold(4)]);
        assert_eq!(take(9_000), vec![hold(1), hold(5)]);
    }

    #[test]
    fn ended_holds_do_not_pile_up() {
        let lines = ExpiryLines::default();
        for round in 0..20 {
            for _ in 0..SWEEP_MIN {
                push(&lines, round, 0, 300_000);
            }
            // Alive when it joins the line, ended by the next round.
            let due = lines.take_due(UnixMillis(1), 9, |hold| hold.slot.0 == round);
            assert_eq!(due, vec![]);
            assert!(lines.len() <= 2 * SWEEP_MIN, "{}", lines.len());
        }
    }
}
