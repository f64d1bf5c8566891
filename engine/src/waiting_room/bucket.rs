//! How fast people are let in: a token bucket in whole numbers, driven by the caller's clock.

use crate::ids::UnixMillis;

/// A person, in the bucket's unit: a rate in thousandths of a person a second fills one millionth
/// of a person a millisecond, so no fraction is ever rounded.
const PERSON: u64 = 1_000_000;

/// Tokens of one event. Upholds: in any time `t` after it was empty no more than `rate * t` people
/// pass, and as long as somebody asks at least once a second no less than its whole part.
#[derive(Debug, Default)]
pub(crate) struct TokenBucket {
    rate_milli: Option<u64>,
    /// Millionths of a person.
    filled: u64,
    filled_at: UnixMillis,
}

impl TokenBucket {
    /// Changes the rate from `now` on; what was filled so far was filled at the old one. A bucket
    /// that had no limit begins empty.
    pub(crate) fn set_rate(&mut self, rate_milli: Option<u64>, now: UnixMillis) {
        self.fill(now);
        self.rate_milli = rate_milli;
        self.filled = self.filled.min(self.capacity());
    }

    /// Whether one more person may pass at `now`.
    pub(crate) fn allows(&mut self, now: UnixMillis) -> bool {
        self.fill(now);
        self.rate_milli.is_none() || self.filled >= PERSON
    }

    /// Lets one person pass; [`TokenBucket::allows`] said yes.
    pub(crate) fn take(&mut self) {
        if self.rate_milli.is_some() {
            self.filled = self.filled.saturating_sub(PERSON);
        }
    }

    /// A clock that stands still or goes back fills nothing.
    fn fill(&mut self, now: UnixMillis) {
        let elapsed_ms = now.0.saturating_sub(self.filled_at.0);
        self.filled_at = self.filled_at.max(now);
        let rate_milli = self.rate_milli.unwrap_or(0);
        let more = elapsed_ms.saturating_mul(rate_milli);
        self.filled = self.filled.saturating_add(more).min(self.capacity());
    }

    /// A second's worth on top of one person: who asks once a second loses no fraction, and an idle
    /// hour does not let an hour's people in at once.
    fn capacity(&self) -> u64 {
        self.rate_milli.map_or(0, |rate_milli| rate_milli * 1_000 + PERSON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pass from `from_ms` on for `for_ms`, with one who asks every `every_ms`.
    fn passed(bucket: &mut TokenBucket, from_ms: u64, for_ms: u64, every_ms: &[u64]) -> u64 {
        let mut now = from_ms;
        let mut passed = 0;
        for step in every_ms.iter().cycle() {
            while bucket.allows(UnixMillis(now)) {
                bucket.take();
                passed += 1;
            }
            if now == from_ms + for_ms {
                return passed;
            }
            now = (now + step).min(from_ms + for_ms);
        }
        unreachable!("there is a step")
    }

    #[test]
    fn an_hour_lets_exactly_its_people_in() {
        for rate_milli in [1, 333, 500, 1_000, 1_001, 7_777, 50_000, 1_234_567] {
            for every_ms in [&[100][..], &[1_000], &[1, 997, 13, 500]] {
                let mut bucket = TokenBucket::default();
                bucket.set_rate(Some(rate_milli), UnixMillis(5_000));
                let people = passed(&mut bucket, 5_000, 3_600_000, every_ms);
                assert_eq!(people, rate_milli * 3_600 / 1_000, "{rate_milli} {every_ms:?}");
            }
        }
    }

    #[test]
    fn a_change_of_rate_counts_from_its_moment() {
        let mut bucket = TokenBucket::default();
        bucket.set_rate(Some(1_500), UnixMillis(0));
        assert_eq!(passed(&mut bucket, 0, 10_000, &[100]), 15);
        bucket.set_rate(Some(250), UnixMillis(10_000));
        assert_eq!(passed(&mut bucket, 10_000, 20_000, &[100]), 5);
        bucket.set_rate(Some(0), UnixMillis(30_000));
        assert_eq!(passed(&mut bucket, 30_000, 100_000, &[100]), 0);
        bucket.set_rate(None, UnixMillis(130_000));
        assert!(bucket.allows(UnixMillis(130_000)));
        bucket.set_rate(Some(1_000), UnixMillis(200_000));
        assert!(!bucket.allows(UnixMillis(200_999)));
        assert!(bucket.allows(UnixMillis(201_000)));
    }

    #[test]
    fn idle_time_is_worth_a_second_and_clocks_may_go_back() {
        let mut bucket = TokenBucket::default();
        bucket.set_rate(Some(3_000), UnixMillis(0));
        assert_eq!(passed(&mut bucket, 3_600_000, 0, &[1]), 4);
        assert!(!bucket.allows(UnixMillis(10)));
        assert_eq!(passed(&mut bucket, 3_600_000, 1_000, &[1]), 3);
    }
}
