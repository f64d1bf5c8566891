//! Best available: which free seats to try for a group.
//!
//! A choice made from live bits is a proposal; taking the seats decides (I8).

use crate::ids::SeatIndex;
use crate::inventory::bitmap::SeatBitmap;
use crate::inventory::layout::{RowPlan, SeatPlan};
use crate::record::SeatList;

/// The best `count` free seats within one of the sections, or `None` where none has so many.
///
/// In order of preference: side by side in one row, leaving no single free seat between taken ones;
/// side by side; in one row, as close together as can be; over as few neighbouring rows of one
/// section as can be. Among equals the smallest distance wins, where a row further from the front
/// weighs as much as a seat further from the row's centre; then what comes first in the layout.
pub(crate) fn choose(
    plan: &SeatPlan,
    bits: &SeatBitmap,
    sections: impl Iterator<Item = usize>,
    count: usize,
) -> Option<SeatList> {
    let mut in_one_row: Option<Choice> = None;
    let mut over_rows: Option<SeatList> = None;
    for section in sections {
        let rows =
            plan.rows(section).enumerate().map(|(number, row)| FreeRow::read(bits, row, number));
        let mut passed = Vec::new();
        for row in rows {
            if in_one_row.as_ref().is_some_and(|best| best.beats_all_from(row.number)) {
                break;
            }
            for (score, places) in row.choices(count) {
                if in_one_row.as_ref().is_none_or(|best| score < best.score) {
                    in_one_row = row.seats(places).map(|seats| Choice { score, seats });
                }
            }
            passed.push(row);
        }
        if in_one_row.is_none() && over_rows.is_none() {
            over_rows = closest_rows(&passed, count);
        }
    }
    in_one_row.map(|choice| choice.seats).or(over_rows)
}

/// The free seats of one row.
struct FreeRow {
    row: RowPlan,
    /// 0 is the front.
    number: usize,
    /// Places within the row, ascending.
    free: Vec<u32>,
}

/// Smallest is best: rank, empty or taken places between the group's ends, distance.
type Score = (Rank, u32, u32);

/// A way to seat a group in one row.
struct Choice {
    score: Score,
    seats: SeatList,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Together,
    TogetherStrandingOne,
    Apart,
}

impl Choice {
    /// Whether no row from this one of its section on can be better.
    fn beats_all_from(&self, row: usize) -> bool {
        self.score <= (Rank::Together, 0, row_distance(row))
    }
}

/// Half seats: a row weighs as much as a seat.
fn row_distance(row: usize) -> u32 {
    2 * row as u32
}

impl FreeRow {
    fn read(bits: &SeatBitmap, row: RowPlan, number: usize) -> FreeRow {
        // Word by word: in a full hall, where this is asked most, a row costs one look.
        let mut free = Vec::new();
        for word in row.shift / 64..(row.shift + row.seats).div_ceil(64) {
            let mut left = !bits.peek(row.first_word + word);
            while left != 0 {
                let bit = word * 64 + left.trailing_zeros();
                if (row.shift..row.shift + row.seats).contains(&bit) {
                    free.push(bit - row.shift);
                }
                left &= left - 1;
            }
        }
        FreeRow { row, number, free }
    }

    /// Every way to seat a group, by its places.
    fn choices(&self, count: usize) -> impl Iterator<Item = (Score, &[u32])> {
        self.free.windows(count).map(move |places| {
            let (first, last) = (places[0], places[count - 1]);
            let spread = last - first + 1 - count as u32;
            let rank = match spread {
                0 if self.strands_one(first, last) => Rank::TogetherStrandingOne,
                0 => Rank::Together,
                _ => Rank::Apart,
            };
            let distance = (first + last).abs_diff(self.row.seats - 1) + row_distance(self.number);
            ((rank, spread, distance), places)
        })
    }

    fn seats(&self, places: &[u32]) -> Option<SeatList> {
        let mut seats = SeatList::default();
        places.iter().try_for_each(|&place| seats.push(self.seat(place)))?;
        Some(seats)
    }

    fn seat(&self, place: u32) -> SeatIndex {
        SeatIndex(self.row.first_seat.0 + place)
    }

    /// Whether taking `first..=last` leaves one free seat with taken ones on both sides.
    fn strands_one(&self, first: u32, last: u32) -> bool {
        let free = |place: u32| self.free.binary_search(&place).is_ok();
        let before = first >= 2 && free(first - 1) && !free(first - 2);
        let after = last + 2 < self.row.seats && free(last + 1) && !free(last + 2);
        before || after
    }

    fn half_seats_from_centre(&self, place: u32) -> u32 {
        (2 * place).abs_diff(self.row.seats - 1)
    }
}

/// The most central seats of the fewest neighbouring rows that have enough, the front ones first.
fn closest_rows(rows: &[FreeRow], count: usize) -> Option<SeatList> {
    let mut best: Option<&[FreeRow]> = None;
    let (mut from, mut free) = (0, 0);
    for (to, row) in rows.iter().enumerate() {
        free += row.free.len();
        while free - rows[from].free.len() >= count {
            free -= rows[from].free.len();
            from += 1;
        }
        if free >= count && best.is_none_or(|best| to + 1 - from < best.len()) {
            best = Some(&rows[from..=to]);
        }
    }
    let mut seats: Vec<(u32, SeatIndex)> = best?
        .iter()
        .flat_map(|row| {
            row.free.iter().map(|&place| (row.half_seats_from_centre(place), row.seat(place)))
        })
        .collect();
    seats.sort_unstable();
    seats.truncate(count);
    let mut seats: Vec<SeatIndex> = seats.into_iter().map(|(_, seat)| seat).collect();
    seats.sort_unstable();
    SeatList::from_slice(&seats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Section;

    /// Rows are drawn front first, `.` free and `x` taken; answers are drawn with `o`.
    fn check(drawn: &[&str], count: usize, expected: &[&str]) {
        let section = Section {
            name: "A".into(),
            rows: drawn.len() as u32,
            seats_per_row: drawn[0].len() as u32,
            price: 1,
            start_row: 1,
        };
        let plan = SeatPlan::new(&[section]);
        let bits = SeatBitmap::new(&plan);
        let mut picture: Vec<u8> = drawn.concat().into_bytes();
        for (index, _) in picture.iter().enumerate().filter(|&(_, &seat)| seat == b'x') {
            bits.take_all(&plan, &[SeatIndex(index as u32)]).expect("free");
        }
        let chosen = choose(&plan, &bits, 0..1, count);
        for seat in chosen.iter().flat_map(|seats| seats.iter()) {
            assert_eq!(picture[seat.position()], b'.');
            picture[seat.position()] = b'o';
        }
        let rows: Vec<&str> = picture
            .chunks(drawn[0].len())
            .map(|row| std::str::from_utf8(row).expect("ascii"))
            .collect();
        assert_eq!(rows, expected, "{count} of {drawn:?}");
        assert_eq!(chosen.is_some(), expected.concat().contains('o'));
    }

    #[test]
    fn an_empty_hall_gives_the_front_centre() {
        check(&["..........", ".........."], 2, &["....oo....", ".........."]);
        check(&["....."], 1, &["..o.."]);
        check(&["....."], 3, &[".ooo."]);
    }

    #[test]
    fn a_row_back_weighs_as_much_as_a_seat_aside() {
        check(&["...xxxx...", ".........."], 2, &["...xxxx...", "....oo...."]);
        check(&["....xx....", ".........."], 2, &["....xx....", "....oo...."]);
    }

    #[test]
    fn no_single_seat_is_stranded_while_another_choice_exists() {
        check(&["x...xx...."], 2, &["x...xxoo.."]);
        check(&["xx...xx..."], 2, &["xx...xx.oo"].map(|_| "xx...xxoo."));
        check(&["x...xxxxxx"], 2, &["xoo.xxxxxx"].map(|_| "x.ooxxxxxx"));
        check(&["x...x", "....."], 2, &["x...x", ".oo.."]);
    }

    #[test]
    fn without_neighbours_the_group_spreads_as_little_as_it_can() {
        check(&["x.x.x..x.x"], 3, &["x.xox.oo.x"].map(|_| "x.xoxoox.x"));
        check(&[".x.x.", ".xxx."], 4, &["oxoxo", "oxxx."]);
        check(&["xx.xx", "xxxxx", "xx.xx", "x.xxx"], 2, &["xx.xx", "xxxxx", "xxoxx", "xoxxx"]);
    }

    #[test]
    fn too_few_seats_give_none() {
        check(&["x.x"], 2, &["x.x"]);
        check(&["xxx"], 1, &["xxx"]);
    }
}
