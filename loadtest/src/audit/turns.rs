//! Whether anybody was let in before somebody who stood ahead.
//!
//! From outside, the order of two people is certain where one was told to wait before the other
//! asked. Who was ahead so, and was told to wait once more on asking after the other was already
//! let in, has been passed over.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::audit::Findings;

/// Whoever was silent for longer may have lost the place.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Somebody's place in the books.
pub(crate) type VisitNumber = usize;

/// Somebody who came to the line once.
#[derive(Clone, Copy, Debug)]
struct Visit {
    asked: Instant,
    /// When the first answer was here: from then on whoever asks is behind.
    told: Instant,
    /// When the question was sent that was last answered with "wait".
    waited: Option<Instant>,
    let_in: Option<Instant>,
    position: u32,
    account: u32,
}

/// Who came, waited and was let in.
#[derive(Default)]
pub(crate) struct Turns {
    visits: Vec<Visit>,
    /// Accounts of more than one person.
    shared: HashSet<u32>,
    findings: Findings,
}

/// An answer of the waiting room: sent and here at these moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) asked: Instant,
    pub(crate) told: Instant,
    pub(crate) queued: bool,
    pub(crate) position: u32,
}

impl Turns {
    /// Somebody's first answer.
    pub(crate) fn came(&mut self, account: u32, told: Told) -> VisitNumber {
        self.visits.push(Visit {
            asked: told.asked,
            told: told.told,
            waited: told.queued.then_some(told.asked),
            let_in: (!told.queued).then_some(told.told),
            position: told.position,
            account,
        });
        self.visits.len() - 1
    }

    /// Somebody else comes with an account, and may give its place up: its turns prove nothing.
    pub(crate) fn came_again(&mut self, account: u32) {
        self.shared.insert(account);
    }

    /// Each further answer.
    pub(crate) fn asked_again(&mut self, number: VisitNumber, told: Told) {
        let visit = &mut self.visits[number];
        if !told.queued {
            visit.let_in = Some(told.told);
            return;
        }
        let silent = visit.waited.map_or(Duration::ZERO, |waited| told.told - waited);
        if told.position > visit.position && visit.position > 0 {
            let (was, is) = (visit.position, told.position);
            if self.shared.contains(&visit.account) {
                // Anything may have happened to it.
            } else if silent < SILENCE_MAX {
                self.findings
                    .add(|| format!("somebody in line fell back from place {was} to {is}"));
            } else {
                // A new place, taken with this question.
                (visit.asked, visit.told) = (told.asked, told.told);
            }
        }
        visit.waited = Some(told.asked);
        visit.position = told.position;
    }

    /// Somebody went before being let in; what the line does with the place is no matter.
    pub(crate) fn left(&mut self, number: VisitNumber) {
        self.visits[number].waited = None;
    }

    /// Who was let in from outside or from the line.
    pub(crate) fn let_in(&self) -> usize {
        self.visits.iter().filter(|visit| visit.let_in.is_some()).count()
    }

    /// Who had to wait.
    pub(crate) fn waited(&self) -> usize {
        self.visits.iter().filter(|visit| visit.position > 0).count()
    }

    /// Everything that was out of turn.
    pub(crate) fn findings(mut self) -> Findings {
        let mut visits = std::mem::take(&mut self.visits);
        visits.retain(|visit| !self.shared.contains(&visit.account));
        let mut ahead: Vec<Visit> =
            visits.iter().filter(|visit| visit.waited.is_some()).copied().collect();
        ahead.sort_by_key(|visit| visit.told);
        // The latest wait of anybody who was told so early.
        let mut latest = Vec::with_capacity(ahead.len());
        for visit in &ahead {
            latest.push(visit.waited.max(latest.last().copied().flatten()));
        }
        for visit in &visits {
            let Some(let_in) = visit.let_in else { continue };
            let count = ahead.partition_point(|other| other.told < visit.asked);
            let waited = count.checked_sub(1).and_then(|last| latest[last]);
            if let Some(waited) = waited.filter(|waited| *waited > let_in) {
                let late = (waited - let_in).as_secs_f64() * 1e3;
                self.findings.add(|| {
                    format!("somebody was let in while one ahead still waited, {late:.0} ms later")
                });
            }
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers take 2 ms; `(person, asked at ms, place or 0 for let in)`.
    fn findings(answers: &[(usize, u64, u32)]) -> u64 {
        let begun = Instant::now();
        let mut turns = Turns::default();
        let mut numbers = [None; 8];
        for &(person, ms, position) in answers {
            let asked = begun + Duration::from_millis(ms);
            let told = asked + Duration::from_millis(2);
            let told = Told { asked, told, queued: position > 0, position };
            match numbers[person] {
                None => numbers[person] = Some(turns.came(person as u32, told)),
                Some(number) => turns.asked_again(number, told),
            }
        }
        turns.findings().count
    }

    #[test]
    fn in_turn() {
        for answers in [
            &[(0, 0, 0), (1, 10, 1), (2, 20, 2), (1, 1_000, 0), (2, 1_010, 1), (2, 2_000, 0)][..],
            // At the same time: nobody can tell who was first.
            &[(0, 0, 1), (1, 1, 2), (1, 50, 0), (0, 60, 1)],
            // Let in at once, as the other was by then; nobody asked him again.
            &[(0, 0, 1), (1, 10, 0)],
            // Who was silent for long stands behind.
            &[(0, 0, 1), (1, 10, 2), (0, 40_000, 2), (1, 40_010, 0), (0, 40_020, 1)],
        ] {
            assert_eq!(findings(answers), 0, "{answers:?}");
        }
    }

    #[test]
    fn out_of_turn() {
        for answers in [
            &[(0, 0, 1), (1, 10, 2), (1, 1_000, 0), (0, 1_010, 1)][..],
            &[(0, 0, 1), (1, 10, 0), (0, 20, 1)],
            &[(0, 0, 1), (0, 1_000, 3)],
        ] {
            assert_eq!(findings(answers), 1, "{answers:?}");
        }
    }

    #[test]
    fn a_shared_account_proves_nothing() {
        let begun = Instant::now();
        let mut turns = Turns::default();
        let at = |ms| begun + Duration::from_millis(ms);
        let told = |ms, position| {
            let (asked, told) = (at(ms), at(ms + 2));
            Told { asked, told, queued: position > 0, position }
        };
        let first = turns.came(7, told(0, 1));
        let second = turns.came(8, told(10, 2));
        turns.came_again(7);
        // The other one with the account bought, and left.
        turns.asked_again(second, told(1_000, 0));
        turns.asked_again(first, told(1_010, 9));
        assert_eq!(turns.findings().count, 0);
    }

    #[test]
    fn who_left_is_not_passed_over() {
        let begun = Instant::now();
        let mut turns = Turns::default();
        let at = |ms| begun + Duration::from_millis(ms);
        let told = |ms, queued| Told { asked: at(ms), told: at(ms + 2), queued, position: 1 };
        let first = turns.came(0, told(0, true));
        let second = turns.came(1, told(10, true));
        turns.asked_again(second, told(20, false));
        turns.asked_again(first, told(30, true));
        turns.left(first);
        assert_eq!((turns.let_in(), turns.waited()), (1, 2));
        assert_eq!(turns.findings().count, 0);
    }
}
