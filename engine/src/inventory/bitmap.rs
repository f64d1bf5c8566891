//! The seat bits: one atomic word per 64 seats. A set bit is taken, and who set it owns it (I1).

use crate::ids::SeatIndex;
use crate::inventory::layout::{SeatPlan, WordMask};
use crate::sync::{AtomicU64, Ordering, load_before_exchange};

/// The bits of one event. Shape: seat `s` is `words[plan.bit(s).word] & plan.bit(s).mask`.
#[derive(Debug)]
pub(crate) struct SeatBitmap {
    words: Box<[AtomicU64]>,
}

impl SeatBitmap {
    /// All seats free; padding is born taken, so that no word scan can offer it (I1).
    pub(crate) fn new(plan: &SeatPlan) -> SeatBitmap {
        let mut words = vec![u64::MAX; plan.word_count()];
        for section in 0..plan.section_count() {
            for row in plan.rows(section) {
                for number in 0..row.seats {
                    let bit = row.shift + number;
                    words[(row.first_word + bit / 64) as usize] &= !(1 << (bit % 64));
                }
            }
        }
        SeatBitmap { words: words.into_iter().map(AtomicU64::new).collect() }
    }

    /// Takes all the seats or none. `seats` ascend, so words are taken in ascending order and each
    /// once.
    ///
    /// # Errors
    /// The bits of the first word that were taken already; whatever was set before it is clear
    /// again. The undo needs no record: nothing was logged for these bits (I2).
    pub(crate) fn take_all(&self, plan: &SeatPlan, seats: &[SeatIndex]) -> Result<(), WordMask> {
        let mut taken = 0;
        while let Some((want, count)) = first_word(plan, &seats[taken..]) {
            if let Err(conflict) = self.take(want) {
                self.give_back_all(plan, &seats[..taken]);
                return Err(WordMask { word: want.word, mask: conflict });
            }
            taken += count;
        }
        Ok(())
    }

    /// Clears the bits of seats that the caller owns, after the record that says so (I2).
    pub(crate) fn give_back_all(&self, plan: &SeatPlan, seats: &[SeatIndex]) {
        let mut given = 0;
        while let Some((mine, count)) = first_word(plan, &seats[given..]) {
            self.give_back(mine);
            given += count;
        }
    }

    fn take(&self, want: WordMask) -> Result<(), u64> {
        let word = &self.words[want.word as usize];
        // ORDERING: the Acquire of a successful exchange pairs with the Release in `give_back`:
        // the record that freed these seats is in the log before ours is appended (I2).
        let mut seen = load_before_exchange(word, Ordering::Acquire);
        loop {
            if seen & want.mask != 0 {
                return Err(seen & want.mask);
            }
            match word.compare_exchange_weak(
                seen,
                seen | want.mask,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(()),
                Err(now) => seen = now,
            }
        }
    }

    fn give_back(&self, mine: WordMask) {
        // ORDERING: Release pairs with the Acquire in `take`.
        let before = self.words[mine.word as usize].fetch_and(!mine.mask, Ordering::Release);
        assert_eq!(before & mine.mask, mine.mask, "gave back a seat that was not taken");
    }

    /// A word as it is now: good for choosing what to try, never an answer (I8).
    pub(crate) fn peek(&self, word: u32) -> u64 {
        // ORDERING: Relaxed, a hint: the exchange in `take` decides.
        self.words[word as usize].load(Ordering::Relaxed)
    }

    /// Whether every seat's bit is set; see [`SeatBitmap::peek`]. Padding is.
    pub(crate) fn is_full(&self) -> bool {
        self.words.iter().all(|word| word.load(Ordering::Relaxed) == u64::MAX)
    }

    /// Whether the seat's bit is set; see [`SeatBitmap::peek`].
    pub(crate) fn is_taken(&self, plan: &SeatPlan, seat: SeatIndex) -> bool {
        let bit = plan.bit(seat);
        self.peek(bit.word) & bit.mask != 0
    }
}

/// The word of the first of some ascending seats, the bits of those in it, and how many they are.
fn first_word(plan: &SeatPlan, seats: &[SeatIndex]) -> Option<(WordMask, usize)> {
    let (&first, rest) = seats.split_first()?;
    let mut found = plan.bit(first);
    let mut count = 1;
    for &seat in rest {
        let bit = plan.bit(seat);
        if bit.word != found.word {
            break;
        }
        found.mask |= bit.mask;
        count += 1;
    }
    Some((found, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Section;

    fn bitmap() -> (SeatPlan, SeatBitmap) {
        let section =
            Section { name: "A".into(), rows: 3, seats_per_row: 50, price: 1, start_row: 1 };
        let plan = SeatPlan::new(&[section]);
        let bits = SeatBitmap::new(&plan);
        (plan, bits)
    }

    fn list(seats: &[u32]) -> Vec<SeatIndex> {
        seats.iter().map(|&seat| SeatIndex(seat)).collect()
    }

    #[test]
    fn padding_is_taken_and_seats_are_free() {
        let (plan, bits) = bitmap();
        assert_eq!(plan.word_count(), 3);
        for word in 0..3 {
            assert_eq!(bits.peek(word), !0 << 50);
        }
    }

    #[test]
    fn a_conflict_leaves_no_bit_behind() {
        let (plan, bits) = bitmap();
        assert_eq!(bits.take_all(&plan, &list(&[100])), Ok(()));
        let conflict = bits.take_all(&plan, &list(&[1, 2, 51, 100, 101]));
        assert_eq!(conflict, Err(WordMask { word: 2, mask: 1 }));
        for seat in [1, 2, 51, 101] {
            assert!(!bits.is_taken(&plan, SeatIndex(seat)));
        }
        assert!(bits.is_taken(&plan, SeatIndex(100)));
    }

    #[test]
    #[should_panic(expected = "gave back a seat that was not taken")]
    fn giving_back_twice_is_caught() {
        let (plan, bits) = bitmap();
        bits.take_all(&plan, &list(&[7])).expect("free");
        bits.give_back_all(&plan, &list(&[7]));
        bits.give_back_all(&plan, &list(&[7]));
    }
}
