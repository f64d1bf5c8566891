//! How fast a line moves, measured, and what that means for somebody in it.

use crate::ids::UnixMillis;
use crate::limits::ESTIMATE_S_MAX;

/// People are counted for so long before the rate is told anew.
const WINDOW_MS: u64 = 1_000;

/// What happened so long ago counts about a third.
const MEMORY_MS: u64 = 30_000;

/// The contract's assumption for a line that was not measured yet: people a second.
const ASSUMED_PER_S: f64 = 50.0;

/// The measured rate of a line, exponentially weighted. Only time in which somebody waits counts.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    per_s: Option<f64>,
    counted: u64,
    since: Option<UnixMillis>,
}

impl Pace {
    /// Counts one who was let in while others waited.
    pub(crate) fn count(&mut self) {
        self.counted += 1;
    }

    /// Moves the measurement on; `waiting` says whether somebody waits now.
    pub(crate) fn tell(&mut self, now: UnixMillis, waiting: bool) {
        let Some(since) = self.since else {
            self.since = waiting.then_some(now);
            self.counted = 0;
            return;
        };
        let elapsed_ms = now.0.saturating_sub(since.0);
        if elapsed_ms >= WINDOW_MS {
            let elapsed = elapsed_ms as f64;
            let measured = self.counted as f64 * 1_000.0 / elapsed;
            let weight = elapsed / (elapsed + MEMORY_MS as f64);
            let before = self.per_s.unwrap_or(measured);
            self.per_s = Some(before + (measured - before) * weight);
            self.counted = 0;
            self.since = Some(now);
        }
        if !waiting {
            self.since = None;
        }
    }

    /// Seconds until somebody at a position is let in; at least 1, at most [`ESTIMATE_S_MAX`].
    pub(crate) fn estimate_s(&self, position: u32, rate_milli: Option<u64>) -> u32 {
        let limit = rate_milli.map_or(f64::INFINITY, |rate_milli| rate_milli as f64 / 1_000.0);
        let per_s = self.per_s.unwrap_or(ASSUMED_PER_S).min(limit);
        // A rate of nought makes this infinite, and the cast takes the largest number for it.
        let seconds = (f64::from(position) / per_s).ceil() as u32;
        seconds.clamp(1, ESTIMATE_S_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmeasured_line_moves_as_the_contract_assumes() {
        let pace = Pace::default();
        let estimate = |position| pace.estimate_s(position, None);
        assert_eq!([1, 50, 51, 1_000].map(estimate), [1, 1, 2, 20]);
        assert_eq!(pace.estimate_s(100, Some(500)), 200);
        assert_eq!(pace.estimate_s(100, Some(0)), ESTIMATE_S_MAX);
    }

    #[test]
    fn a_measured_line_moves_as_it_did() {
        let mut pace = Pace::default();
        pace.tell(UnixMillis(0), true);
        for second in 1..=100 {
            (0..200).for_each(|_| pace.count());
            pace.tell(UnixMillis(second * 1_000), true);
        }
        assert_eq!(pace.estimate_s(2_000, None), 10);
        // It slows down, and nobody waits for an hour: that hour does not count.
        for second in 101..=400 {
            (0..100).for_each(|_| pace.count());
            pace.tell(UnixMillis(second * 1_000), second < 400);
        }
        assert!((19..=20).contains(&pace.estimate_s(2_000, None)));
        pace.tell(UnixMillis(4_000_000), true);
        assert!((19..=20).contains(&pace.estimate_s(2_000, None)));
    }
}
