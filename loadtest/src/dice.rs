//! Seeded numbers. The same seed gives the same plan on every machine and with every version of
//! every library, so the generator is written out: SplitMix64.
//!
//! Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of numbers that only its seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// The dice of one person: what the others roll does not change them.
    pub(crate) fn of(seed: u64, person: u64) -> Dice {
        Dice(Dice(seed ^ person.wrapping_mul(GAMMA)).roll())
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `bound`; 0 where there is nothing below it.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.share() * bound as f64) as usize
    }

    /// True in `share` of all cases.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// A time between events that know nothing of each other.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let roll = |mut dice: Dice| [dice.roll(), dice.roll(), dice.roll()];
        assert_eq!(roll(Dice::new(7)), roll(Dice::new(7)));
        assert_ne!(roll(Dice::new(7)), roll(Dice::new(8)));
        assert_ne!(roll(Dice::of(7, 0)), roll(Dice::of(7, 1)));
        // The published sequence of seed 0, so that no change goes unnoticed.
        assert_eq!(
            roll(Dice::new(0)),
            [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]
        );
    }

    #[test]
    fn numbers_are_spread_as_they_say() {
        let mut dice = Dice::new(1);
        let mean = (0..100_000).map(|_| dice.exponential(3.0)).sum::<f64>() / 100_000.0;
        assert!((2.9..3.1).contains(&mean), "{mean}");
        let hits = (0..100_000).filter(|_| dice.chance(0.25)).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| dice.below(3) < 3) && dice.below(0) == 0);
    }
}
