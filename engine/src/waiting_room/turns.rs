//! Whose turn it is among the lanes of one line.
//!
//! Stride scheduling (Waldspurger and Weihl, 1995): a lane's `k`-th admission from now is due at
//! `due + k * stride`, where a stride is inversely proportional to the lane's share, and the earliest
//! due goes first. So of any run in which people wait in every lane, each lane gets its share to the
//! person, no lane waits longer than the shares say, and a position is a sum over lanes. A lane in
//! which nobody waited does not save up turns.

use crate::limits::{LANE_SHARE_MAX, LANES_MAX};

/// The turns of up to [`LANES_MAX`] lanes. The first lane is everybody's and always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turns {
    /// By lane; lanes that are not there have none.
    strides: [u64; LANES_MAX],
    /// When each lane's next admission is due.
    due: [u64; LANES_MAX],
    /// When the last admission was due.
    now: u64,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns::new(&[1])
    }
}

impl Turns {
    /// Lanes with these shares, 1 to [`LANE_SHARE_MAX`] each, none of which had a turn yet.
    pub(crate) fn new(shares: &[u16]) -> Turns {
        let common: u64 = shares.iter().map(|&share| u64::from(share)).product();
        let mut strides = [0; LANES_MAX];
        for (stride, &share) in strides.iter_mut().zip(shares) {
            *stride = common / u64::from(share);
        }
        Turns { strides, due: [0; LANES_MAX], now: 0 }
    }

    /// Carries on from what a snapshot has.
    ///
    /// # Errors
    /// The numbers cannot come from admissions.
    pub(crate) fn restored(shares: &[u16], due: &[u64], now: u64) -> Result<Turns, String> {
        let mut turns = Turns::new(shares);
        // Every admission of the longest line adds less than this.
        let limit = u64::from(u32::MAX) * u64::from(LANE_SHARE_MAX).pow(LANES_MAX as u32 - 1);
        if due.len() != LANES_MAX || due.iter().chain([&now]).any(|&at| at > limit) {
            return Err("the turns of its lanes are out of range".to_owned());
        }
        turns.due.copy_from_slice(due);
        turns.now = now;
        Ok(turns)
    }

    pub(crate) fn due(&self) -> &[u64; LANES_MAX] {
        &self.due
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// A lane in which nobody waited has somebody: its turns begin now.
    pub(crate) fn begin(&mut self, lane: usize) {
        self.due[lane] = self.due[lane].max(self.now);
    }

    /// The lane whose turn it is, of those in which people wait.
    pub(crate) fn next(&self, waiting: &[u32; LANES_MAX]) -> Option<usize> {
        let lanes = (0..LANES_MAX).filter(|&lane| waiting[lane] > 0);
        lanes.min_by_key(|&lane| (self.due[lane], lane))
    }

    /// Somebody of this lane was let in, by turn. A line with one lane counts none: it is as it was
    /// before there were lanes, in snapshots as well.
    pub(crate) fn take(&mut self, lane: usize) {
        if self.strides[1] == 0 {
            return;
        }
        self.now = self.due[lane];
        self.due[lane] += self.strides[lane];
    }

    /// How many people are let in before somebody who has `ahead` people of his own lane before
    /// him, if nobody comes or leaves.
    pub(crate) fn ahead(&self, lane: usize, ahead: u32, waiting: &[u32; LANES_MAX]) -> u32 {
        let due = self.due[lane] + u64::from(ahead) * self.strides[lane];
        let others = (0..LANES_MAX).filter(|&other| other != lane && waiting[other] > 0);
        let before = others.map(|other| {
            let Some(later) = due.checked_sub(self.due[other]) else { return 0 };
            let (whole, rest) = (later / self.strides[other], later % self.strides[other]);
            // Of two that are due at once the earlier lane goes first.
            let turns = whole + u64::from(rest > 0 || other < lane);
            turns.min(waiting[other].into()) as u32
        });
        ahead + before.sum::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets everybody in and says by which lanes.
    fn run(turns: &mut Turns, mut waiting: [u32; LANES_MAX]) -> Vec<usize> {
        let mut order = Vec::new();
        while let Some(lane) = turns.next(&waiting) {
            turns.take(lane);
            waiting[lane] -= 1;
            order.push(lane);
        }
        order
    }

    #[test]
    fn every_lane_gets_its_share_of_every_round() {
        let order = run(&mut Turns::new(&[1, 3, 2]), [40, 120, 80, 0]);
        for round in order.chunks(6) {
            let count = |lane| round.iter().filter(|&&other| other == lane).count();
            assert_eq!([count(0), count(1), count(2)], [1, 3, 2], "{round:?}");
        }
        assert_eq!(order.len(), 240);
    }

    #[test]
    fn the_position_is_the_place_in_the_order_of_admission() {
        for shares in [&[1, 1][..], &[2, 3, 5], &[7, 1, 4, 9]] {
            let mut turns = Turns::new(shares);
            run(&mut turns, [3, 1, 0, 0]);
            let mut waiting = [0; LANES_MAX];
            for (lane, people) in [17, 40, 5, 29].into_iter().enumerate().take(shares.len()) {
                turns.begin(lane);
                waiting[lane] = people;
            }
            let mut seen = [0; LANES_MAX];
            for (position, lane) in run(&mut turns.clone(), waiting).into_iter().enumerate() {
                let ahead = turns.ahead(lane, seen[lane], &waiting);
                assert_eq!(ahead, position as u32, "{shares:?} {lane}");
                seen[lane] += 1;
            }
        }
    }

    #[test]
    fn a_lane_that_was_empty_saves_up_no_turns() {
        let mut turns = Turns::new(&[1, 1]);
        run(&mut turns, [1_000, 0, 0, 0]);
        turns.begin(1);
        assert_eq!(run(&mut turns, [4, 4, 0, 0]), [1, 0, 1, 0, 1, 0, 1, 0]);
    }
}
