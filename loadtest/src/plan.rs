//! When people come: fixed before the run and whatever the server does. Arrivals know nothing of
//! each other (a Poisson process), at rates that may change from one stretch to the next.

use std::time::Duration;

use crate::dice::Dice;

/// Some time at one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) seconds: f64,
    /// Arrivals a second.
    pub(crate) rate: f64,
}

/// Somebody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// From the beginning of the run.
    pub(crate) at: Duration,
    /// From 0, in the order of arrival.
    pub(crate) person: u32,
}

/// All arrivals of a run, in order.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    dice: Dice,
    stretches: Vec<Stretch>,
    /// The stretch that `at` is in.
    stretch: usize,
    /// Seconds from the beginning of the run to the end of that stretch.
    end: f64,
    at: f64,
    person: u32,
}

impl Plan {
    pub(crate) fn new(seed: u64, stretches: Vec<Stretch>) -> Plan {
        let end = stretches.first().map_or(0.0, |first| first.seconds);
        Plan { dice: Dice::new(seed), stretches, stretch: 0, end, at: 0.0, person: 0 }
    }

    /// How long people come.
    pub(crate) fn seconds(&self) -> f64 {
        self.stretches.iter().map(|stretch| stretch.seconds).sum()
    }

    /// How many people come.
    pub(crate) fn people(&self) -> usize {
        self.clone().count()
    }
}

impl Iterator for Plan {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let rate = self.stretches.get(self.stretch)?.rate;
            let at = self.at + self.dice.exponential(1.0 / rate);
            if at < self.end {
                self.at = at;
                let arrival = Arrival { at: Duration::from_secs_f64(at), person: self.person };
                self.person += 1;
                return Some(arrival);
            }
            // The process has no memory: the next stretch may begin anew at its boundary.
            self.at = self.end;
            self.stretch += 1;
            self.end += self.stretches.get(self.stretch)?.seconds;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        let calm = Stretch { seconds: 10.0, rate: 100.0 };
        let none = Stretch { seconds: 5.0, rate: 0.0 };
        let rush = Stretch { seconds: 10.0, rate: 1_000.0 };
        Plan::new(seed, vec![calm, none, rush])
    }

    #[test]
    fn a_plan_can_be_made_again() {
        assert!(plan(5).eq(plan(5)));
        assert!(!plan(5).eq(plan(6)));
        assert_eq!(plan(5).people(), plan(5).count());
        assert_eq!(Plan::new(1, Vec::new()).count(), 0);
    }

    #[test]
    fn people_come_at_the_rate_of_the_stretch() {
        let arrivals: Vec<Arrival> = plan(1).collect();
        let between = |from: f64, to: f64| {
            let within = |arrival: &&Arrival| (from..to).contains(&arrival.at.as_secs_f64());
            arrivals.iter().filter(within).count()
        };
        // Four standard deviations.
        assert!((874..=1_126).contains(&between(0.0, 10.0)), "{}", between(0.0, 10.0));
        assert_eq!(between(10.0, 15.0), 0);
        assert!((9_600..=10_400).contains(&between(15.0, 25.0)), "{}", between(15.0, 25.0));
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
        assert!(arrivals.iter().enumerate().all(|(n, arrival)| arrival.person == n as u32));
    }
}
