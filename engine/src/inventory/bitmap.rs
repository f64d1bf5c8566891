//! The seat bits: one atomic word per 64 seats. A set bit is taken, and who set it owns it (I1).

use crate::ids::SeatIndex;
use crate::inline_list::InlineList;
use crate::inventory::layout::{SeatPlan, WordMask};
use crate::record::SeatList;
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
        SeatBitmap {
            words: words.into_iter().map(AtomicU64::new).collect(),
        }
    }

    /// Takes all the bits or none.
    ///
    /// # Errors
    /// The bits of the first word that were taken already; whatever was set before it is clear
    /// again. The undo needs no record: nothing was logged for these bits (I2).
    pub(crate) fn take_all(&self, masks: &[WordMask]) -> Result<(), WordMask> {
        for (position, want) in masks.iter().enumerate() {
            if let Err(taken) = self.take(*want) {
                for mine in &masks[..position] {
                    self.give_back(*mine);
                }
                return Err(WordMask {
                    word: want.word,
                    mask: taken,
                });
            }
        }
        Ok(())
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

    /// Clears bits that the caller owns, after the record that says so (I2).
    pub(crate) fn give_back(&self, mine: WordMask) {
        // ORDERING: Release pairs with the Acquire in `take`.
        let before = self.words[mine.word as usize].fetch_and(!mine.mask, Ordering::Release);
        assert_eq!(
            before & mine.mask,
            mine.mask,
            "gave back a seat that was not taken"
        );
    }

    /// A word as it is now: good for choosing what to try, never an answer (I8).
    pub(crate) fn peek(&self, word: u32) -> u64 {
        // ORDERING: Relaxed, a hint: the exchange in `take` decides.
        self.words[word as usize].load(Ordering::Relaxed)
    }

    /// Whether the seat's bit is set; see [`SeatBitmap::peek`].
    pub(crate) fn is_taken(&self, plan: &SeatPlan, seat: SeatIndex) -> bool {
        let bit = plan.bit(seat);
        self.peek(bit.word) & bit.mask != 0
    }
}

/// The words of an order's seats, one entry a word, ascending: the order every command takes them.
pub(crate) fn word_masks(plan: &SeatPlan, seats: &SeatList) -> InlineList<WordMask> {
    let mut masks: InlineList<WordMask> = InlineList::default();
    for &seat in seats.iter() {
        let bit = plan.bit(seat);
        match masks.last_mut() {
            Some(last) if last.word == bit.word => last.mask |= bit.mask,
            // A list of words is never longer than the list of seats it comes from.
            _ => masks.push(bit).unwrap_or_default(),
        }
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Section;

    fn bitmap() -> (SeatPlan, SeatBitmap) {
        let section = Section {
            name: "A".into(),
            rows: 3,
            seats_per_row: 50,
            price: 1,
            start_row: 1,
        };
        let plan = SeatPlan::new(&[section]);
        let bits = SeatBitmap::new(&plan);
        (plan, bits)
    }

    fn list(seats: &[u32]) -> SeatList {
        let seats: Vec<SeatIndex> = seats.iter().map(|&seat| SeatIndex(seat)).collect();
        SeatList::from_slice(&seats).expect("fits")
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
        assert_eq!(bits.take_all(&word_masks(&plan, &list(&[100]))), Ok(()));
        let masks = word_masks(&plan, &list(&[1, 2, 51, 100]));
        assert_eq!(masks.len(), 3);
        assert_eq!(bits.take_all(&masks), Err(WordMask { word: 2, mask: 1 }));
        for seat in [1, 2, 51] {
            assert!(!bits.is_taken(&plan, SeatIndex(seat)));
        }
        assert!(bits.is_taken(&plan, SeatIndex(100)));
    }

    #[test]
    #[should_panic(expected = "gave back a seat that was not taken")]
    fn giving_back_twice_is_caught() {
        let (plan, bits) = bitmap();
        let masks = word_masks(&plan, &list(&[7]));
        bits.take_all(&masks).expect("free");
        bits.give_back(masks[0]);
        bits.give_back(masks[0]);
    }
}
