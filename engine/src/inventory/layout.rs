//! Where seats are: from a dense [`SeatIndex`] to section, row and number, and to a bit.

use crate::ids::SeatIndex;
use crate::record::Section;

/// The geometry of an event's seats, computed from its layout.
///
/// Seats are numbered densely, section by section and row by row. Bits are not dense: rows of up
/// to 64 seats never straddle a word, longer rows begin at a word, and the bits in between are
/// padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatPlan {
    sections: Vec<SectionPlan>,
    seat_count: u32,
    word_count: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SectionPlan {
    first_seat: u32,
    first_word: u32,
    rows: u32,
    seats_per_row: u32,
    /// Seats that share a word: whole rows, at most 64 seats. Zero where a row needs several words.
    seats_per_word: u32,
}

/// A seat within its layout, everything counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatPlace {
    /// Which section.
    pub section: usize,
    /// Which row of it.
    pub row: u32,
    /// Which seat of the row.
    pub number: u32,
}

/// Bits of one word of the seat bitmap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordMask {
    /// Which word.
    pub word: u32,
    /// Which of its bits.
    pub mask: u64,
}

/// One row of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlan {
    /// The first seat of the row.
    pub first_seat: SeatIndex,
    /// The word its first seat is in.
    pub first_word: u32,
    /// The bit of the first seat in that word; zero for rows of several words.
    pub shift: u32,
    /// How many seats.
    pub seats: u32,
}

impl SeatPlan {
    /// The plan of a validated layout.
    #[must_use]
    pub fn new(sections: &[Section]) -> SeatPlan {
        let mut plan = SeatPlan { sections: Vec::new(), seat_count: 0, word_count: 0 };
        for section in sections {
            let rows_per_word = 64 / section.seats_per_row;
            let words = match rows_per_word {
                0 => section.rows * section.seats_per_row.div_ceil(64),
                shared => section.rows.div_ceil(shared),
            };
            plan.sections.push(SectionPlan {
                first_seat: plan.seat_count,
                first_word: plan.word_count,
                rows: section.rows,
                seats_per_row: section.seats_per_row,
                seats_per_word: rows_per_word * section.seats_per_row,
            });
            plan.seat_count += section.rows * section.seats_per_row;
            plan.word_count += words;
        }
        plan
    }

    /// How many seats there are.
    #[must_use]
    pub fn seat_count(&self) -> u32 {
        self.seat_count
    }

    /// How many 64-bit words the bitmap has.
    #[must_use]
    pub fn word_count(&self) -> usize {
        self.word_count as usize
    }

    /// How many sections there are.
    #[must_use]
    pub fn section_count(&self) -> usize {
        self.sections.len()
    }

    /// How many seats a section has.
    #[must_use]
    pub fn section_capacity(&self, section: usize) -> u32 {
        self.sections[section].rows * self.sections[section].seats_per_row
    }

    /// Whether the seat exists.
    #[must_use]
    pub fn contains(&self, seat: SeatIndex) -> bool {
        seat.0 < self.seat_count
    }

    /// Where a seat is.
    ///
    /// # Panics
    /// Where the seat does not exist.
    #[must_use]
    pub fn place(&self, seat: SeatIndex) -> SeatPlace {
        let section = self.section_of(seat);
        let plan = &self.sections[section];
        let offset = seat.0 - plan.first_seat;
        SeatPlace { section, row: offset / plan.seats_per_row, number: offset % plan.seats_per_row }
    }

    /// The seat at a place, the inverse of [`SeatPlan::place`].
    #[must_use]
    pub fn seat_at(&self, place: SeatPlace) -> Option<SeatIndex> {
        let plan = self.sections.get(place.section)?;
        (place.row < plan.rows && place.number < plan.seats_per_row)
            .then(|| SeatIndex(plan.first_seat + place.row * plan.seats_per_row + place.number))
    }

    /// The bit of a seat: `words[word]`, `mask`.
    ///
    /// # Panics
    /// Where the seat does not exist.
    #[must_use]
    pub fn bit(&self, seat: SeatIndex) -> WordMask {
        let plan = &self.sections[self.section_of(seat)];
        let offset = seat.0 - plan.first_seat;
        match offset.checked_div(plan.seats_per_word) {
            Some(word) => {
                WordMask { word: plan.first_word + word, mask: 1 << (offset % plan.seats_per_word) }
            }
            None => {
                let (row, number) = (offset / plan.seats_per_row, offset % plan.seats_per_row);
                WordMask {
                    word: plan.first_word + row * plan.seats_per_row.div_ceil(64) + number / 64,
                    mask: 1 << (number % 64),
                }
            }
        }
    }

    /// The rows of a section, front first.
    pub fn rows(&self, section: usize) -> impl Iterator<Item = RowPlan> + '_ {
        let plan = &self.sections[section];
        (0..plan.rows).map(move |row| {
            let first_seat = SeatIndex(plan.first_seat + row * plan.seats_per_row);
            let (first_word, shift) = match plan.seats_per_word {
                0 => (plan.first_word + row * plan.seats_per_row.div_ceil(64), 0),
                shared => {
                    let offset = row * plan.seats_per_row;
                    (plan.first_word + offset / shared, offset % shared)
                }
            };
            RowPlan { first_seat, first_word, shift, seats: plan.seats_per_row }
        })
    }

    fn section_of(&self, seat: SeatIndex) -> usize {
        assert!(self.contains(seat), "seat {seat} of {}", self.seat_count);
        self.sections.partition_point(|section| section.first_seat <= seat.0) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sections: &[(u32, u32)]) -> SeatPlan {
        let sections: Vec<Section> = sections
            .iter()
            .enumerate()
            .map(|(index, &(rows, seats_per_row))| Section {
                name: format!("S{index}"),
                rows,
                seats_per_row,
                price: 1_000,
                start_row: 1,
            })
            .collect();
        SeatPlan::new(&sections)
    }

    #[test]
    fn every_seat_has_its_own_bit_and_place() {
        for shape in [
            &[(3, 10), (5, 15), (8, 20)][..],
            &[(20, 50), (30, 60), (30, 70)],
            &[(1, 1)],
            &[(2, 64), (2, 65), (2, 1_000), (3, 21)],
        ] {
            let plan = plan(shape);
            let mut bits = std::collections::HashSet::new();
            let mut previous = 0;
            for index in 0..plan.seat_count() {
                let seat = SeatIndex(index);
                let bit = plan.bit(seat);
                assert_eq!(bit.mask.count_ones(), 1);
                assert!((bit.word as usize) < plan.word_count());
                assert!(bit.word >= previous, "words ascend with seats");
                assert!(bits.insert((bit.word, bit.mask)));
                assert_eq!(plan.seat_at(plan.place(seat)), Some(seat));
                previous = bit.word;
            }
        }
    }

    #[test]
    fn rows_of_up_to_64_seats_stay_in_one_word() {
        let plan = plan(&[(7, 10), (3, 64), (4, 33)]);
        for section in 0..plan.section_count() {
            for row in plan.rows(section) {
                for number in 0..row.seats {
                    let bit = plan.bit(SeatIndex(row.first_seat.0 + number));
                    assert_eq!(bit.word, row.first_word);
                    assert_eq!(bit.mask, 1 << (row.shift + number));
                }
            }
        }
    }
}
