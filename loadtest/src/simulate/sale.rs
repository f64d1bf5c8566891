//! The sale itself: a clock, an agenda of who does something next, and what came of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use hdrhistogram::Histogram;
use serde::Serialize;
use tiketi_engine::ids::{EventIndex, ReservationId, UserIndex};

use crate::simulate::Assumptions;
use crate::simulate::crowd::Crowd;
use crate::simulate::engine::{Got, SEATS_PER_ROW, Stage};
use crate::simulate::people::People;

/// A step of the clock, in milliseconds.
const STEP_MS: u64 = 100;
/// The longest wait that is told apart, in milliseconds.
const WAIT_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;

/// One second of it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Second {
    pub(super) at: u64,
    /// In line.
    pub(super) line: u64,
    /// Let in, choosing or paying.
    pub(super) inside: u64,
    /// Seats.
    pub(super) held: u64,
    pub(super) sold: u64,
    /// People of this second.
    pub(super) came: u64,
    pub(super) let_in: u64,
    pub(super) holds: u64,
    pub(super) paid: u64,
}

/// What all of it came to.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Totals {
    /// People.
    pub(super) came: u64,
    pub(super) let_in: u64,
    pub(super) bought: u64,
    /// Let in, and not so many seats were left.
    pub(super) nothing_left: u64,
    /// Their hold ended before they paid.
    pub(super) too_slow: u64,
    /// Orders.
    pub(super) holds: u64,
    pub(super) expired: u64,
}

impl Second {
    fn plus(&self, other: &Second) -> Second {
        Second {
            at: self.at,
            line: self.line + other.line,
            inside: self.inside + other.inside,
            held: self.held + other.held,
            sold: self.sold + other.sold,
            came: self.came + other.came,
            let_in: self.let_in + other.let_in,
            holds: self.holds + other.holds,
            paid: self.paid + other.paid,
        }
    }
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.came += other.came;
        self.let_in += other.let_in;
        self.bought += other.bought;
        self.nothing_left += other.nothing_left;
        self.too_slow += other.too_slow;
        self.holds += other.holds;
        self.expired += other.expired;
    }
}

/// The hall of one event.
pub(super) struct Hall {
    taken: Vec<bool>,
    pub(super) sold: u32,
    /// In seconds.
    pub(super) sold_out_at: Option<u64>,
}

impl Hall {
    /// Free seats with nobody free beside them, which hardly anybody wants.
    pub(super) fn single_seats(&self) -> u32 {
        let rows = self.taken.chunks(SEATS_PER_ROW as usize);
        let singles = rows.map(|row| {
            let is_free = |seat: Option<&bool>| seat.is_some_and(|taken| !taken);
            let is_single = |seat: usize| {
                let before = seat.checked_sub(1).and_then(|before| row.get(before));
                is_free(row.get(seat)) && !is_free(before) && !is_free(row.get(seat + 1))
            };
            (0..row.len()).filter(|&seat| is_single(seat)).count() as u32
        });
        singles.sum()
    }
}

/// Every so many events from a first one: nobody wants two, so parts of a sale are played side by
/// side and come to the same however many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) first: u32,
    pub(super) every: u32,
}

impl Part {
    fn has(self, event: u32) -> bool {
        event % self.every == self.first
    }
}

/// See the module.
pub(super) struct Sale {
    part: Part,
    stage: Stage,
    crowd: Crowd,
    people: People,
    /// When somebody who is inside acts next: he pays what he holds, or chooses.
    agenda: BinaryHeap<Reverse<(u64, UserIndex)>>,
    to_pay: HashMap<UserIndex, ReservationId>,
    /// Seats that are held and not paid.
    held: HashMap<ReservationId, Vec<u32>>,
    /// When each of the people came, in milliseconds.
    came_at: Vec<u32>,
    pub(super) halls: Vec<Hall>,
    /// Milliseconds from coming to being let in.
    pub(super) waits: Histogram<u64>,
    pub(super) series: Vec<Second>,
    pub(super) totals: Totals,
    now: Second,
}

impl Sale {
    /// # Errors
    /// The engine refuses halls of this size.
    pub(super) fn new(assumptions: &Assumptions, part: Part) -> anyhow::Result<Sale> {
        let hall =
            || Hall { taken: vec![false; assumptions.seats as usize], sold: 0, sold_out_at: None };
        Ok(Sale {
            part,
            stage: Stage::new(assumptions)?,
            crowd: Crowd::new(assumptions),
            people: People::new(assumptions),
            agenda: BinaryHeap::new(),
            to_pay: HashMap::new(),
            held: HashMap::new(),
            came_at: Vec::with_capacity(assumptions.people as usize),
            halls: (0..assumptions.events).map(|_| hall()).collect(),
            waits: Histogram::new_with_max(WAIT_MS_MAX, 3)?,
            series: Vec::new(),
            totals: Totals::default(),
            now: Second::default(),
        })
    }

    /// Plays until everybody has what he gets, or so many seconds are over.
    ///
    /// # Errors
    /// The engine refuses what it must not refuse.
    pub(super) fn play(&mut self, seconds_max: u64) -> anyhow::Result<()> {
        for second in 0..seconds_max {
            let Second { inside, held, sold, .. } = self.now;
            self.now = Second { at: second, inside, held, sold, ..Second::default() };
            for step in 0..1_000 / STEP_MS {
                self.step(second * 1_000 + step * STEP_MS)?;
            }
            let events = (0..self.halls.len() as u32).map(EventIndex);
            self.now.line = events.map(|event| u64::from(self.stage.waiting(event))).sum();
            self.series.push(self.now);
            let is_quiet = self.now.line == 0 && self.now.inside == 0 && self.held.is_empty();
            if is_quiet && self.crowd.have_all_come(self.came_at.len()) {
                break;
            }
        }
        Ok(())
    }

    /// Adds another part that was played.
    ///
    /// # Errors
    /// Waits of another range, which no part has.
    pub(super) fn absorb(&mut self, other: Sale) -> anyhow::Result<()> {
        for (event, hall) in (0..).zip(other.halls) {
            if other.part.has(event) {
                self.halls[event as usize] = hall;
            }
        }
        self.waits.add(other.waits)?;
        self.totals.add(&other.totals);
        // Where one part is over what it sold stays sold.
        let end = self.series.len().max(other.series.len());
        let [mine, theirs] = [&self.series, &other.series].map(|series| {
            let sold = series.last().map_or(0, |last| last.sold);
            let over = (series.len()..end).map(move |at| Second {
                at: at as u64,
                sold,
                ..Second::default()
            });
            series.iter().copied().chain(over).collect::<Vec<_>>()
        });
        self.series = mine.iter().zip(&theirs).map(|(one, other)| one.plus(other)).collect();
        Ok(())
    }

    fn step(&mut self, at: u64) -> anyhow::Result<()> {
        let news = self.stage.advance(at)?;
        for order in news.ended {
            self.totals.expired += 1;
            self.free_again(order);
        }
        for user in news.let_in {
            let waited = at.saturating_sub(u64::from(self.came_at[user.0 as usize]));
            self.waits.saturating_record(waited);
            self.totals.let_in += 1;
            self.now.let_in += 1;
            self.now.inside += 1;
            let choose_ms = self.people.person(user.0).choose_ms;
            self.agenda.push(Reverse((at + choose_ms, user)));
        }
        self.arrive(at)?;
        while let Some(&Reverse((due, user))) = self.agenda.peek()
            && due <= at
        {
            self.agenda.pop();
            match self.to_pay.remove(&user) {
                Some(order) => self.pay(at, user, order)?,
                None => self.choose(at, user)?,
            }
        }
        Ok(())
    }

    fn arrive(&mut self, at: u64) -> anyhow::Result<()> {
        let come = self.crowd.come_by(at as f64 / 1e3);
        for number in self.came_at.len() as u32..come {
            let event = self.people.person(number).event;
            self.came_at.push(at as u32);
            if !self.part.has(event) {
                continue;
            }
            // What is sold stays sold here: whoever comes later is told so and goes.
            if self.halls[event as usize].sold_out_at.is_none() {
                self.stage.come(EventIndex(event), UserIndex(number))?;
            }
            self.totals.came += 1;
            self.now.came += 1;
        }
        Ok(())
    }

    fn choose(&mut self, at: u64, user: UserIndex) -> anyhow::Result<()> {
        let person = self.people.person(user.0);
        let event = EventIndex(person.event);
        let Got::Held(order, seats) = self.stage.hold(event, user, person.party)? else {
            self.totals.nothing_left += 1;
            return self.leave(event, user);
        };
        for &seat in &seats {
            self.halls[person.event as usize].taken[seat as usize] = true;
        }
        self.totals.holds += 1;
        self.now.holds += 1;
        self.now.held += seats.len() as u64;
        self.held.insert(order, seats);
        match person.pay_ms {
            Some(pay_ms) => {
                self.to_pay.insert(user, order);
                self.agenda.push(Reverse((at + pay_ms, user)));
                Ok(())
            }
            None => self.leave(event, user),
        }
    }

    fn pay(&mut self, at: u64, user: UserIndex, order: ReservationId) -> anyhow::Result<()> {
        match self.stage.pay(order, user)? {
            true => {
                let seats = self.held.remove(&order).map_or(0, |seats| seats.len() as u32);
                self.totals.bought += 1;
                self.now.paid += 1;
                self.now.held -= u64::from(seats);
                self.now.sold += u64::from(seats);
                let hall = &mut self.halls[order.event.position()];
                hall.sold += seats;
                if hall.sold as usize == hall.taken.len() {
                    hall.sold_out_at = Some(at / 1_000);
                }
            }
            false => self.totals.too_slow += 1,
        }
        self.leave(order.event, user)
    }

    fn leave(&mut self, event: EventIndex, user: UserIndex) -> anyhow::Result<()> {
        self.now.inside -= 1;
        self.stage.leave(event, user)
    }

    fn free_again(&mut self, order: ReservationId) {
        for seat in self.held.remove(&order).unwrap_or_default() {
            self.halls[order.event.position()].taken[seat as usize] = false;
            self.now.held -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        assumptions: Assumptions,
    }

    fn played(assumptions: &Assumptions, first: u32, every: u32) -> Sale {
        let mut sale = Sale::new(assumptions, Part { first, every }).expect("a sale");
        sale.play(100_000).expect("played");
        sale
    }

    #[test]
    fn parts_come_to_the_same_however_many_there_are() {
        let flags = ["sale", "--events", "3", "--people", "3000", "--seats", "400"];
        let assumptions = Flags::parse_from(flags).assumptions;
        let whole = played(&assumptions, 0, 1);
        let mut parts = played(&assumptions, 0, 2);
        parts.absorb(played(&assumptions, 1, 2)).expect("the same range");
        let sold = |sale: &Sale| sale.halls.iter().map(|hall| hall.sold).collect::<Vec<_>>();
        assert_eq!(sold(&whole), [400, 400, 400]);
        assert_eq!(sold(&parts), sold(&whole));
        assert_eq!(parts.waits, whole.waits);
        let text = |sale: &Sale| format!("{:?} {:?}", sale.totals, sale.series);
        assert_eq!(text(&parts), text(&whole));
    }
}
