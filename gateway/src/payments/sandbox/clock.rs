//! A clock that can be moved forward, so that sessions of half an hour and retries of days are tests
//! of a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::clock::Clock;
use crate::instants::SEOUL;

/// Real time plus what was asked for. Unix milliseconds.
#[derive(Debug)]
pub(super) struct MovableClock {
    real: Clock,
    advanced_ms: AtomicU64,
}

impl MovableClock {
    pub(super) fn new(advanced_ms: u64) -> Self {
        MovableClock { real: Clock::start(), advanced_ms: AtomicU64::new(advanced_ms) }
    }

    pub(super) fn now(&self) -> u64 {
        // ORDERING: the offset guards nothing else.
        self.real.now().0.saturating_add(self.advanced_ms.load(Ordering::Relaxed))
    }

    /// Moves forward; the new offset from real time.
    pub(super) fn advance(&self, by: Duration) -> u64 {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.advanced_ms.fetch_add(by, Ordering::Relaxed).saturating_add(by)
    }
}

/// `2024-02-13T12:17:57+09:00`: instants of payments.
pub(super) fn seoul_time(at: u64) -> String {
    format!("{:.0}+09:00", seoul(at))
}

/// `2024-02-13T12:17:57.123000`, Seoul time without saying so: `createdAt` of webhooks.
pub(super) fn seoul_time_with_micros(at: u64) -> String {
    format!("{:.6}", seoul(at))
}

/// The digits of the second, as they stand in payment keys.
pub(super) fn seoul_digits(at: u64) -> String {
    seoul(at).strftime("%Y%m%d%H%M%S").to_string()
}

/// The calendar month in Seoul: year, and month from 1.
pub(super) fn seoul_month(at: u64) -> (i16, i8) {
    let date = seoul(at);
    (date.year(), date.month())
}

fn seoul(at: u64) -> DateTime {
    let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    SEOUL.to_datetime(at.unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_toss_does() {
        let at = 1_707_794_277_123;
        assert_eq!(seoul_time(at), "2024-02-13T12:17:57+09:00");
        assert_eq!(seoul_time_with_micros(at), "2024-02-13T12:17:57.123000");
        assert_eq!(seoul_digits(at), "20240213121757");
        assert_eq!(seoul_month(at), (2024, 2));
    }

    #[test]
    fn the_clock_moves_forward_only() {
        let clock = MovableClock::new(0);
        let before = clock.now();
        assert_eq!(clock.advance(Duration::from_secs(600)), 600_000);
        assert!(clock.now() >= before + 600_000);
    }
}
