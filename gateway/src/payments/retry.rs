//! When an unknown outcome is asked about again.

use std::time::Duration;

/// After the buyer authenticates, a payment can be taken for this long; then it has expired.
pub(crate) const APPROVABLE_FOR: Duration = Duration::from_secs(10 * 60);
/// On top of that, for clocks that differ and an answer that was on its way.
pub(crate) const MARGIN: Duration = Duration::from_secs(60);
/// Past this a payment can only be taken or expired: it is asked about once more and settled.
pub(crate) const SETTLED_AFTER: Duration = APPROVABLE_FOR.saturating_add(MARGIN);

/// Past this an intent that Stripe neither takes nor closes is ended all the same: its seats are free
/// again, and money that turns up later goes back.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The pauses after the first attempts; each minute from then on.
const FIRST: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];
const LATER: Duration = Duration::from_secs(60);

/// How long to pause after attempt number `attempt`, counted from 0.
pub(crate) fn next(attempt: u32) -> Duration {
    FIRST.get(attempt as usize).copied().unwrap_or(LATER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soon_at_first_and_each_minute_in_the_end() {
        for (attempt, seconds) in [(0, 1), (1, 4), (2, 16), (3, 60), (4, 60), (u32::MAX, 60)] {
            assert_eq!(next(attempt), Duration::from_secs(seconds), "{attempt}");
        }
        assert_eq!(SETTLED_AFTER, Duration::from_secs(660));
    }
}
