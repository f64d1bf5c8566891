//! When people come. How many have come by a moment is a function of it, so that nobody has to be
//! kept before he is there.

use crate::simulate::Assumptions;

/// The rush is spread evenly over so many seconds.
const RUSH_SECONDS: f64 = 60.0;

/// The people of a sale, by when they come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    people: u32,
    rush: f64,
    tail_seconds: f64,
}

impl Crowd {
    pub(super) fn new(assumptions: &Assumptions) -> Crowd {
        let tail_seconds = (assumptions.tail_minutes * 60.0).max(1e-3);
        Crowd { people: assumptions.people, rush: assumptions.rush, tail_seconds }
    }

    /// How many have come so many seconds after the sale began.
    pub(super) fn come_by(&self, seconds: f64) -> u32 {
        let rushed = self.rush * (seconds / RUSH_SECONDS).clamp(0.0, 1.0);
        let others = (1.0 - self.rush) * -(-seconds / self.tail_seconds).exp_m1();
        // The last of an exponential crowd never comes; less than one of them is nobody.
        let come = f64::from(self.people) * (rushed + others) + 0.5;
        (come as u32).min(self.people)
    }

    /// Whether so many are all of them.
    pub(super) fn have_all_come(&self, come: usize) -> bool {
        come >= self.people as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_come_in_the_end() {
        let crowd = Crowd { people: 1_000_000, rush: 0.5, tail_seconds: 600.0 };
        let by = |seconds| crowd.come_by(seconds);
        assert_eq!(by(0.0), 0);
        assert!((500_000..600_000).contains(&by(60.0)), "{}", by(60.0));
        assert!((800_000..820_000).contains(&by(600.0)), "half and 63 % of half: {}", by(600.0));
        assert_eq!(by(20_000.0), 1_000_000);
        assert!((0..1_000).all(|at| by(f64::from(at)) <= by(f64::from(at + 1))));
    }
}
