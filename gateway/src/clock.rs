//! The time that the engine is told: the monotonic clock, anchored to the wall clock once.
//!
//! A wall clock that jumps while the process runs moves no deadline. Both readings come from libc
//! through `std`, never from a cycle counter, so that tests can fake them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tiketi_engine::ids::UnixMillis;

/// A clock of this process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    anchor_at: UnixMillis,
}

impl Clock {
    /// Anchors the clock to the wall clock.
    #[must_use]
    pub fn start() -> Self {
        // A wall clock before 1970 reads as 1970; the log's last instant then carries the clock.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { anchor: Instant::now(), anchor_at: UnixMillis(millis(wall)) }
    }

    /// The same clock, moved forward where it is before `at`: what the log already says has
    /// happened is not in the future.
    #[must_use]
    pub fn not_before(self, at: UnixMillis) -> Self {
        let behind = at.0.saturating_sub(self.now().0);
        Clock { anchor: self.anchor, anchor_at: self.anchor_at.plus(behind) }
    }

    /// The instant.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.at(Instant::now())
    }

    /// The instant of a reading of the monotonic clock.
    #[must_use]
    pub fn at(&self, reading: Instant) -> UnixMillis {
        self.anchor_at.plus(millis(reading.saturating_duration_since(self.anchor)))
    }

    /// How long this clock has run.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.anchor.elapsed()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_before_the_last_logged_instant() {
        let clock = Clock::start();
        let ahead = clock.now().plus(3_600_000);
        assert!(clock.not_before(ahead).now() >= ahead);
        let behind = UnixMillis(clock.now().0 - 3_600_000);
        assert!(clock.not_before(behind).now() < ahead);
    }
}
