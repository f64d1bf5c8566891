//! The seats of an event as somebody who looks at the map sees them, and whom they tempt.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use uuid::Uuid;

use crate::contract::{SeatMap, SeatRow, SeatState, SeatStates, SeatStatus};
use crate::dice::Dice;

/// A seat's place in the map.
pub(crate) type SeatNumber = u32;

/// Rows from the front that some people want and nothing else.
const FRONT_ROWS: u32 = 3;
/// A map is looked into again after so many times what looking took.
const LOOK_PAUSE: u32 = 20;

/// The hall of an event.
pub(crate) struct Hall {
    seats: Vec<SeatRow>,
    numbers: HashMap<Uuid, SeatNumber>,
    /// In the front rows, nearest first.
    front: Vec<SeatNumber>,
    /// As last seen, and what was acknowledged since.
    view: Vec<SeatStatus>,
    /// When a map is worth reading again.
    next_look: Instant,
}

impl Hall {
    /// # Errors
    /// The map is empty, or names a seat twice.
    pub(crate) fn new(map: SeatMap) -> anyhow::Result<Hall> {
        let seats = map.seats;
        ensure!(!seats.is_empty(), "the event has no seats");
        let numbers: HashMap<Uuid, SeatNumber> =
            seats.iter().zip(0..).map(|(seat, number)| (seat.id, number)).collect();
        ensure!(numbers.len() == seats.len(), "the seat map names a seat twice");
        let first_row = seats.iter().map(|seat| seat.row_number).min().unwrap_or_default();
        let is_front =
            |number: &SeatNumber| seats[*number as usize].row_number < first_row + FRONT_ROWS;
        let front = (0..seats.len() as SeatNumber).filter(is_front).collect();
        let view = seats.iter().map(|seat| seat.status).collect();
        Ok(Hall { seats, numbers, front, view, next_look: Instant::now() })
    }

    pub(crate) fn seats(&self) -> &[SeatRow] {
        &self.seats
    }

    pub(crate) fn number(&self, id: Uuid) -> Option<SeatNumber> {
        self.numbers.get(&id).copied()
    }

    pub(crate) fn price(&self, number: SeatNumber) -> u64 {
        self.seats[number as usize].price
    }

    pub(crate) fn label(&self, number: SeatNumber) -> &str {
        &self.seats[number as usize].seat_label
    }

    pub(crate) fn view(&self) -> &[SeatStatus] {
        &self.view
    }

    /// What was just heard of a seat, from an answer or a socket.
    pub(crate) fn set(&mut self, number: SeatNumber, status: SeatStatus) {
        self.view[number as usize] = status;
    }

    /// Looks into a map. Everybody gets the whole of it; it is read again only from time to time,
    /// as a map of some thousand seats takes longer to parse than the server took to send it.
    ///
    /// # Errors
    /// It is no map of this hall.
    pub(crate) fn look(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let begun = Instant::now();
        if begun < self.next_look {
            return Ok(());
        }
        let states: SeatStates = serde_json::from_slice(body).context("not a seat map")?;
        ensure!(states.seats.len() == self.seats.len(), "a seat map of another size");
        for SeatState { id, status } in states.seats {
            let number = self.number(id).context("a seat map with another seat")?;
            self.set(number, status);
        }
        let now = Instant::now();
        self.next_look = now + ((now - begun) * LOOK_PAUSE).max(Duration::from_millis(5));
        Ok(())
    }

    /// Seats side by side that look free, fewer where there are no more; none where nothing is.
    pub(crate) fn choose(&self, dice: &mut Dice, group: u32, wants_front: bool) -> Vec<SeatNumber> {
        let is_free = |number: SeatNumber| self.view[number as usize] == SeatStatus::Available;
        if wants_front {
            let count = self.front.len();
            let begin = dice.below(count);
            let mut from = (0..count).map(|step| self.front[(begin + step) % count]);
            let first = from.find(|number| is_free(*number));
            return first.map_or(Vec::new(), |first| self.side_by_side(first, group));
        }
        let count = self.seats.len();
        let begin = dice.below(count);
        let mut best = Vec::new();
        for step in 0..count {
            let number = ((begin + step) % count) as SeatNumber;
            if !is_free(number) {
                continue;
            }
            let found = self.side_by_side(number, group);
            if found.len() > best.len() {
                best = found;
            }
            // Nobody looks at the whole map for four in a row.
            if best.len() == group as usize || step > 200 {
                break;
            }
        }
        best
    }

    /// The free seats from one on, in its row, so many at most.
    pub(crate) fn side_by_side(&self, first: SeatNumber, group: u32) -> Vec<SeatNumber> {
        let seat = &self.seats[first as usize];
        let is_next = |number: &SeatNumber| {
            self.seats.get(*number as usize).is_some_and(|other| {
                other.row_number == seat.row_number
                    && other.section == seat.section
                    && self.view[*number as usize] == SeatStatus::Available
            })
        };
        (first..first + group).take_while(is_next).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A hall of rows of so many seats for 100 won each.
    pub(crate) fn hall(rows: u32, seats_per_row: u32) -> Hall {
        let seat = |number: u32| SeatRow {
            id: Uuid::from_u128(u128::from(number)),
            section: "A".to_owned(),
            row_number: 1 + number / seats_per_row,
            seat_label: format!("A-{}-{}", 1 + number / seats_per_row, 1 + number % seats_per_row),
            price: 100,
            status: SeatStatus::Available,
        };
        Hall::new(SeatMap { seats: (0..rows * seats_per_row).map(seat).collect() }).expect("hall")
    }

    #[test]
    fn people_choose_what_is_free_and_side_by_side() {
        let mut hall = hall(10, 4);
        let mut dice = Dice::new(1);
        for _ in 0..200 {
            let seats = hall.choose(&mut dice, 3, false);
            let rows: Vec<u32> = seats.iter().map(|seat| seat / 4).collect();
            assert!(!seats.is_empty() && rows.iter().all(|row| *row == rows[0]), "{seats:?}");
            let front = hall.choose(&mut dice, 2, true);
            assert!(front.iter().all(|seat| *seat < 12), "{front:?}");
        }
        (0..12).for_each(|seat| hall.set(seat, SeatStatus::Locked));
        assert!(hall.choose(&mut dice, 2, true).is_empty());
        (12..39).for_each(|seat| hall.set(seat, SeatStatus::Reserved));
        assert_eq!(hall.choose(&mut dice, 4, false), [39]);
    }

    #[test]
    fn a_map_of_another_hall_is_refused() {
        let mut hall = hall(1, 2);
        let map = |ids: &[u128]| {
            let seat = |id: &u128| serde_json::json!({"id": Uuid::from_u128(*id).to_string(), "status": "reserved"});
            serde_json::json!({"seats": ids.iter().map(seat).collect::<Vec<_>>()}).to_string()
        };
        assert!(hall.look(map(&[0]).as_bytes()).is_err());
        assert!(hall.look(map(&[0, 5]).as_bytes()).is_err());
        assert!(hall.look(b"[]").is_err());
        hall.look(map(&[0, 1]).as_bytes()).expect("the same hall");
        assert_eq!(hall.view(), [SeatStatus::Reserved; 2]);
    }
}
