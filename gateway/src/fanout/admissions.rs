//! Who was let in, in numbers: how many since the start, and how long the last of them stood in line.
//!
//! Filled by the hub's follower and read by administrators; no hold or check comes by here.

use std::collections::{HashMap, VecDeque};

use hdrhistogram::Histogram;
use tiketi_engine::ids::{EventIndex, UnixMillis};
use tiketi_engine::state::Admission;

use crate::api::queue::WaitSeconds;

/// The waits of so long are kept together, and so they leave.
const SLOT_MS: u64 = 10_000;
/// Together the last minute: the slot of now and those before it.
const SLOTS: u64 = 6;
/// A longer wait counts as this one: it bounds a histogram to 11 KiB.
const WAIT_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// A wait is known to the hundredth part.
const SIGNIFICANT_DIGITS: u8 = 2;

/// What is known of all events.
#[derive(Default)]
pub(crate) struct Admissions {
    admitted: HashMap<EventIndex, u64>,
    /// Oldest first, none older than the last minute: waits are kept of those lines alone that move.
    slots: VecDeque<Slot>,
}

/// Waits in milliseconds, of ten seconds.
struct Slot {
    /// Since 1970.
    number: u64,
    waits: HashMap<EventIndex, Histogram<u32>>,
}

impl Admissions {
    /// Somebody was let in. Where this is told late he may be gone again, and with him his wait.
    ///
    /// Who was let in by the very call that asked stood in no line and has no wait: an open door does
    /// not make a line look fast.
    pub(super) fn note(&mut self, event: EventIndex, admission: Option<Admission>) {
        *self.admitted.entry(event).or_default() += 1;
        let Some(Admission { joined_at, admitted_at }) = admission else { return };
        let wait_ms = admitted_at.0.saturating_sub(joined_at.0);
        if wait_ms == 0 {
            return;
        }
        let slot = self.slot_of(admitted_at);
        // Neither fails: the digits are few enough, and the histogram grows up to what is recorded.
        if let Ok(empty) = Histogram::new(SIGNIFICANT_DIGITS) {
            let waits = slot.waits.entry(event).or_insert(empty);
            let _ = waits.record(wait_ms.min(WAIT_MAX_MS));
        }
    }

    /// How many were let in since the process began.
    pub(crate) fn count(&self, event: EventIndex) -> u64 {
        self.admitted.get(&event).copied().unwrap_or_default()
    }

    /// How long those waited who were let in from the line in the last minute.
    pub(crate) fn waits(&mut self, event: EventIndex, now: UnixMillis) -> Option<WaitSeconds> {
        self.forget_before(now);
        let mut all: Histogram<u32> = Histogram::new(SIGNIFICANT_DIGITS).ok()?;
        for waits in self.slots.iter().filter_map(|slot| slot.waits.get(&event)) {
            // It grows as well.
            let _ = all.add(waits);
        }
        let quantile = |quantile| all.value_at_quantile(quantile) as f64 / 1_000.0;
        (!all.is_empty()).then(|| WaitSeconds {
            p50: quantile(0.5),
            p99: quantile(0.99),
            count: all.len(),
        })
    }

    fn slot_of(&mut self, at: UnixMillis) -> &mut Slot {
        self.forget_before(at);
        let number = at.0 / SLOT_MS;
        // Who was let in a moment before somebody of another event may come a moment after.
        if self.slots.back().is_none_or(|last| last.number < number) {
            self.slots.push_back(Slot { number, waits: HashMap::new() });
        }
        let last = self.slots.len() - 1;
        &mut self.slots[last]
    }

    fn forget_before(&mut self, now: UnixMillis) {
        let now = now.0 / SLOT_MS;
        while self.slots.front().is_some_and(|oldest| oldest.number + SLOTS <= now) {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: EventIndex = EventIndex(3);

    /// Lets somebody in at a second, after so many milliseconds in line.
    fn let_in(admissions: &mut Admissions, event: EventIndex, at_s: u64, wait_ms: u64) {
        let admitted_at = UnixMillis(1_795_186_800_000 + at_s * 1_000);
        let joined_at = UnixMillis(admitted_at.0 - wait_ms);
        admissions.note(event, Some(Admission { joined_at, admitted_at }));
    }

    fn waits(admissions: &mut Admissions, at_s: u64) -> Option<(u64, u64, u64)> {
        let waits = admissions.waits(EVENT, UnixMillis(1_795_186_800_000 + at_s * 1_000))?;
        // To whole seconds: a histogram's values are near the true ones.
        Some((waits.p50.round() as u64, waits.p99.round() as u64, waits.count))
    }

    #[test]
    fn quantiles_are_of_those_who_stood_in_line() {
        let mut admissions = Admissions::default();
        assert_eq!((admissions.count(EVENT), waits(&mut admissions, 0)), (0, None));
        for wait_s in 1..=100 {
            let_in(&mut admissions, EVENT, 5, wait_s * 100);
            let_in(&mut admissions, EVENT, 5, 0);
            let_in(&mut admissions, EventIndex(4), 5, 1);
        }
        admissions.note(EVENT, None);
        assert_eq!(admissions.count(EVENT), 201);
        assert_eq!(waits(&mut admissions, 5), Some((5, 10, 100)));
    }

    #[test]
    fn old_waits_leave_and_the_count_stays() {
        let mut admissions = Admissions::default();
        let_in(&mut admissions, EVENT, 9, 1_000);
        let_in(&mut admissions, EVENT, 10, 2_000);
        let_in(&mut admissions, EVENT, 59, 3_000);
        for (at_s, expected) in [
            (59, Some((2, 3, 3))),
            (60, Some((2, 3, 2))),
            (69, Some((2, 3, 2))),
            (70, Some((3, 3, 1))),
            (109, Some((3, 3, 1))),
            (110, None),
        ] {
            assert_eq!(waits(&mut admissions, at_s), expected, "at {at_s}");
        }
        assert_eq!(admissions.count(EVENT), 3);
    }

    #[test]
    fn memory_is_bounded_by_the_last_minute() {
        let mut admissions = Admissions::default();
        for at_s in 0..1_000 {
            let_in(&mut admissions, EventIndex(at_s as u32), at_s, u64::from(u32::MAX) * 100);
        }
        assert_eq!(admissions.slots.len() as u64, SLOTS);
        let kept: Vec<&Histogram<u32>> =
            admissions.slots.iter().flat_map(|slot| slot.waits.values()).collect();
        assert_eq!(kept.len() as u64, SLOTS * SLOT_MS / 1_000);
        assert!(kept.iter().all(|waits| waits.distinct_values() * 4 <= 11 * 1024));
        // From before the last minute, but not told before: it counts as of now.
        let_in(&mut admissions, EVENT, 0, 5_000);
        assert_eq!(waits(&mut admissions, 999), Some((5, 5, 1)));
    }
}
