//! A circuit breaker: while a provider is down nobody waits for it.
//!
//! It opens after several failures in a row and lets one call through after a pause; that call
//! closes it or opens it again. Answers to calls from before it opened prove nothing about now and
//! are not counted. The lock is held for a few instructions and never while a call runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::payments::answer::Health;

/// Failures in a row that open it. A single buyer's odd payment is not a provider that is down.
const FAILURES_MAX: u32 = 5;
/// How long it stays open before a call is let through.
const PAUSE: Duration = Duration::from_secs(5);

/// What is known about one provider.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mutex<State>,
    failures_max: u32,
    pause: Duration,
}

/// How long to stay away; at least a second, as a header cannot say less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryAfter(pub(crate) Duration);

/// Leave to make one call. Dropped without [`end`](Admission::end), it says nothing about the
/// provider, and a probe's place is free again.
#[derive(Debug)]
#[must_use = "a call that is not ended counts for nothing"]
pub(crate) struct Admission {
    breaker: Arc<Breaker>,
    /// How often the breaker had opened when this was given out.
    opened: u64,
    /// For the one call let through: when the pause before it was over.
    probe: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    /// Tells calls from before and after it opened.
    opened: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker::new(FAILURES_MAX, PAUSE)
    }
}

impl Breaker {
    /// Opens after `failures_max` failures in a row, for `pause`.
    pub(crate) fn new(failures_max: u32, pause: Duration) -> Self {
        let state = State { phase: Phase::Closed { failures: 0 }, opened: 0 };
        Breaker { state: Mutex::new(state), failures_max, pause }
    }

    /// Leave to make a call at `now`.
    ///
    /// # Errors
    /// The provider is down; when to come again.
    pub(crate) fn admit(self: &Arc<Self>, now: Instant) -> Result<Admission, RetryAfter> {
        let mut state = self.state.lock();
        let probe = match state.phase {
            Phase::Closed { .. } => None,
            Phase::Open { until } if until <= now => {
                state.phase = Phase::Probing;
                Some(until)
            }
            Phase::Open { until } => return Err(RetryAfter::at_least_a_second(until - now)),
            Phase::Probing => return Err(RetryAfter::at_least_a_second(self.pause)),
        };
        Ok(Admission { breaker: Arc::clone(self), opened: state.opened, probe })
    }

    /// Whether calls are turned away.
    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state.lock().phase, Phase::Closed { .. })
    }
}

impl Admission {
    /// Says what the call showed.
    pub(crate) fn end(mut self, health: Health, now: Instant) {
        let is_probe = self.probe.take().is_some();
        let mut state = self.breaker.state.lock();
        let Phase::Closed { failures } = state.phase else {
            if is_probe {
                state.phase = match health {
                    Health::Up => Phase::Closed { failures: 0 },
                    Health::Down => Phase::Open { until: now + self.breaker.pause },
                };
            }
            return;
        };
        if self.opened != state.opened {
            return;
        }
        let failures = match health {
            Health::Up => 0,
            Health::Down => failures + 1,
        };
        state.phase = Phase::Closed { failures };
        if failures >= self.breaker.failures_max {
            state.phase = Phase::Open { until: now + self.breaker.pause };
            state.opened += 1;
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(until) = self.probe {
            self.breaker.state.lock().phase = Phase::Open { until };
        }
    }
}

impl RetryAfter {
    fn at_least_a_second(pause: Duration) -> Self {
        RetryAfter(pause.max(Duration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Health::{Down, Up};

    const PAUSE: Duration = Duration::from_secs(5);

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn breaker() -> (Arc<Breaker>, Instant) {
        (Arc::new(Breaker::new(3, PAUSE)), Instant::now())
    }

    fn calls(breaker: &Arc<Breaker>, now: Instant, calls: &[Health]) {
        for &health in calls {
            breaker.admit(now).expect("admitted").end(health, now);
        }
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let (breaker, start) = breaker();
        calls(&breaker, start, &[Down, Down, Up, Down, Down]);
        assert!(!breaker.is_open());
        calls(&breaker, start, &[Down]);
        assert!(breaker.is_open());
        assert_eq!(breaker.admit(start).err(), Some(RetryAfter(PAUSE)));
        let almost = at(start, 5) - Duration::from_millis(1);
        assert_eq!(breaker.admit(almost).err(), Some(RetryAfter(Duration::from_secs(1))));
    }

    #[test]
    fn one_probe_closes_it_or_opens_it_again() {
        let (breaker, start) = breaker();
        calls(&breaker, start, &[Down; 3]);
        let probe = breaker.admit(at(start, 5)).expect("a probe");
        assert_eq!(breaker.admit(at(start, 6)).err(), Some(RetryAfter(PAUSE)), "one at a time");
        probe.end(Down, at(start, 7));
        assert!(breaker.admit(at(start, 11)).is_err());
        breaker.admit(at(start, 12)).expect("a probe").end(Up, at(start, 13));
        assert!(!breaker.is_open());
        calls(&breaker, at(start, 13), &[Down, Down]);
        assert!(!breaker.is_open(), "failures of before are forgotten");
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let (breaker, start) = breaker();
        calls(&breaker, start, &[Down; 3]);
        drop(breaker.admit(at(start, 5)).expect("a probe"));
        assert!(breaker.is_open());
        breaker.admit(at(start, 5)).expect("a probe").end(Up, at(start, 5));
        assert!(!breaker.is_open());
    }

    #[test]
    fn answers_from_before_it_opened_prove_nothing() {
        let (breaker, start) = breaker();
        let slow: Vec<_> = (0..4).map(|_| breaker.admit(start).expect("admitted")).collect();
        calls(&breaker, start, &[Down; 3]);
        let mut slow = slow.into_iter();
        let mut end = |health, now| slow.next().expect("a slow call").end(health, now);
        end(Up, at(start, 1));
        assert!(breaker.is_open(), "a success of before does not close it");
        end(Down, at(start, 4));
        let probe = breaker.admit(at(start, 5)).expect("and a failure does not prolong it");
        end(Up, at(start, 6));
        assert!(breaker.is_open());
        probe.end(Up, at(start, 7));
        calls(&breaker, at(start, 7), &[Down, Down]);
        end(Down, at(start, 8));
        assert!(!breaker.is_open(), "nor is it counted once it is closed");
    }

    #[test]
    fn a_call_that_is_given_up_counts_for_nothing() {
        let (breaker, start) = breaker();
        calls(&breaker, start, &[Down, Down]);
        drop(breaker.admit(start).expect("admitted"));
        assert!(!breaker.is_open());
        calls(&breaker, start, &[Down]);
        assert!(breaker.is_open());
    }
}
