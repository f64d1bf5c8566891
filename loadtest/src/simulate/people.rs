//! What one of them wants and does: his own dice decide, so that it does not depend on the others.

use crate::dice::Dice;
use crate::simulate::Assumptions;

/// One who came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Person {
    /// The event he wants.
    pub(super) event: u32,
    /// Seats together.
    pub(super) party: usize,
    /// Milliseconds from being let in to choosing.
    pub(super) choose_ms: u64,
    /// Milliseconds from holding to paying; `None` where he leaves instead.
    pub(super) pay_ms: Option<u64>,
}

/// All of them, made when they are asked for.
#[derive(Clone, Debug)]
pub(super) struct People {
    seed: u64,
    /// Shares of the people up to and with each event.
    events: Vec<f64>,
    /// The same for parties.
    parties: Vec<f64>,
    choose_ms: f64,
    pay_ms: f64,
    pay: f64,
}

impl People {
    pub(super) fn new(assumptions: &Assumptions) -> People {
        // The appeal of the nth is n to the power of how unequal they are, Zipf's law.
        let appeal = |n: u32| f64::from(n).powf(-assumptions.unequal);
        People {
            seed: assumptions.seed,
            events: summed((1..=assumptions.events).map(appeal)),
            parties: summed(assumptions.party.iter().copied()),
            choose_ms: assumptions.choose_seconds * 1e3,
            pay_ms: assumptions.pay_seconds * 1e3,
            pay: assumptions.pay,
        }
    }

    pub(super) fn person(&self, number: u32) -> Person {
        let mut dice = Dice::of(self.seed, u64::from(number));
        let event = pick(&self.events, dice.share()) as u32;
        let party = pick(&self.parties, dice.share()) + 1;
        // Nobody is done at once: half of the mean is certain, the other half is chance.
        let mut time = |mean: f64| (mean / 2.0 + dice.exponential(mean / 2.0)) as u64;
        let (choose_ms, pay_ms) = (time(self.choose_ms), time(self.pay_ms));
        let pay_ms = dice.chance(self.pay).then_some(pay_ms);
        Person { event, party, choose_ms, pay_ms }
    }
}

/// Running sums, of a whole that is 1.
fn summed(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    let sums: Vec<f64> = weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    sums.iter().map(|part| part / sum).collect()
}

fn pick(sums: &[f64], share: f64) -> usize {
    sums.partition_point(|sum| *sum <= share).min(sums.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_as_they_were_asked_for() {
        let people = People {
            seed: 3,
            events: summed([2.0, 1.0, 1.0].into_iter()),
            parties: summed([0.25, 0.75].into_iter()),
            choose_ms: 40_000.0,
            pay_ms: 60_000.0,
            pay: 0.8,
        };
        const PEOPLE: u32 = 100_000;
        let all: Vec<Person> = (0..PEOPLE).map(|number| people.person(number)).collect();
        assert_eq!(all[7], people.person(7), "the same again");
        let share = |test: &dyn Fn(&Person) -> bool| {
            all.iter().filter(|person| test(person)).count() as f64 / f64::from(PEOPLE)
        };
        let near = |share: f64, of: f64| assert!((share - of).abs() < 0.01, "{share} is not {of}");
        near(share(&|one| one.event == 0), 0.5);
        near(share(&|one| one.event == 2), 0.25);
        near(share(&|one| one.party == 2), 0.75);
        near(share(&|one| one.pay_ms.is_some()), 0.8);
        let mean = all.iter().map(|one| one.choose_ms as f64).sum::<f64>() / f64::from(PEOPLE);
        assert!((39_500.0..40_500.0).contains(&mean), "{mean}");
    }
}
