//! The engine as the simulator calls it: everything is durable at once, and the log is read for what
//! it says about people and thrown away.

use tiketi_engine::command::{Asked, NewEvent, NewLayout};
use tiketi_engine::engine::{Engine, Once, PaymentOutcome};
use tiketi_engine::error::{CommandError, HoldRefusal};
use tiketi_engine::ids::{EventIndex, Lsn, ReservationId, UnixMillis, UserIndex};
use tiketi_engine::journal::{MemoryJournal, Pending};
use tiketi_engine::record::{
    Claim, EventDetails, EventRules, EventTerms, PaymentMethod, Record, Section,
};
use tiketi_engine::state::State;
use tiketi_engine::waiting_room::QueueTimes;

use crate::simulate::Assumptions;

/// Seats that go into one order.
pub(super) const PARTY_MAX: usize = 8;
pub(super) const SEATS_PER_ROW: u32 = 50;
const ROWS_PER_SECTION: u32 = 100;
/// Holds ended in one step of the clock, by call.
const EXPIRED_AT_ONCE: usize = 10_000;
/// When the sale begins. Any instant will do.
const BEGIN: UnixMillis = UnixMillis(1_800_000_000_000);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Who waits does so at an open socket, and who was let in is at work: nobody is sent away.
const TIMES: QueueTimes = QueueTimes { session_ttl_ms: 90 * DAY_MS, silence_ms: 90 * DAY_MS };

/// What somebody got.
pub(super) enum Got {
    Held(ReservationId, Vec<u32>),
    /// Not so many together, or none at all.
    Nothing,
}

/// What happened since the clock was moved last.
#[derive(Default)]
pub(super) struct News {
    pub(super) let_in: Vec<UserIndex>,
    /// Orders whose time was over.
    pub(super) ended: Vec<ReservationId>,
}

/// An engine with the events of a sale.
pub(super) struct Stage {
    engine: Engine<MemoryJournal>,
    now: UnixMillis,
}

impl Stage {
    /// # Errors
    /// The engine refuses halls of this size.
    pub(super) fn new(assumptions: &Assumptions) -> anyhow::Result<Stage> {
        let journal = MemoryJournal::default();
        let engine = Engine::from_state(&State::default(), journal).map_err(anyhow::Error::msg)?;
        let rate_milli = assumptions.rate.map(|rate| (rate * 1e3) as u64);
        engine.set_queue_defaults(assumptions.threshold, rate_milli, TIMES);
        let layout = NewLayout {
            name: "hall".to_owned(),
            description: None,
            sections: sections(assumptions.seats),
        };
        let layout = done(engine.create_layout(layout.check()?, BEGIN)?);
        for number in 0..assumptions.events {
            let new = NewEvent {
                details: details(number),
                layout: Some(layout),
                ticket_types: Vec::new(),
                standing: Vec::new(),
                terms: EventTerms::default(),
                rules: EventRules {
                    seats_per_reservation: PARTY_MAX as u8,
                    hold_ttl_ms: assumptions.hold_seconds * 1_000,
                    seats_per_user: None,
                },
                category: None,
                created_by: None,
            };
            done(engine.create_event(new.check()?, BEGIN)?);
        }
        engine.journal().forget();
        Ok(Stage { engine, now: BEGIN })
    }

    /// Moves the clock: holds end, people are let in.
    ///
    /// # Errors
    /// The engine's journal is in memory and takes everything.
    pub(super) fn advance(&mut self, to_ms: u64) -> anyhow::Result<News> {
        self.now = BEGIN.plus(to_ms);
        let mut news = News::default();
        loop {
            let ended = self.engine.expire(self.now, EXPIRED_AT_ONCE)?;
            if ended.is_empty() {
                break;
            }
            news.ended.extend(ended);
        }
        while self.engine.admit_due(self.now)? > 0 {}
        for record in self.engine.journal().take() {
            if let Record::QueueAdmitted { user, .. } = record {
                news.let_in.push(user);
            }
        }
        Ok(news)
    }

    /// Somebody comes, and waits where it is his turn later.
    pub(super) fn come(&self, event: EventIndex, user: UserIndex) -> anyhow::Result<()> {
        done(self.engine.queue_check(event, user, self.now)?);
        Ok(())
    }

    pub(super) fn leave(&self, event: EventIndex, user: UserIndex) -> anyhow::Result<()> {
        done(self.engine.queue_leave(event, user, self.now)?);
        Ok(())
    }

    pub(super) fn hold(
        &self,
        event: EventIndex,
        user: UserIndex,
        party: usize,
    ) -> anyhow::Result<Got> {
        let asked = Asked { by: user, at: self.now, key: None };
        let hold = match self.engine.hold_best(event, None, party, asked) {
            Ok(held) => done(held),
            Err(CommandError::Refused(HoldRefusal::NotEnoughSeats | HoldRefusal::NotOnSale(_))) => {
                return Ok(Got::Nothing);
            }
            Err(error) => return Err(error.into()),
        };
        let Once::Done(hold) = hold else { anyhow::bail!("a hold without a key was repeated") };
        let Claim::Seats(seats) = hold.claim else { anyhow::bail!("seats became tickets") };
        Ok(Got::Held(hold.reservation, seats.iter().map(|seat| seat.0).collect()))
    }

    /// Pays what is held; false where the hold has ended.
    pub(super) fn pay(&self, order: ReservationId, user: UserIndex) -> anyhow::Result<bool> {
        let asked = Asked { by: user, at: self.now, key: None };
        let begun = match self.engine.begin_payment(order, PaymentMethod::Card, asked) {
            Ok(begun) => done(begun),
            Err(CommandError::Refused(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let Once::Done(intent) = begun else { anyhow::bail!("a payment was repeated") };
        done(self.engine.finish_payment(intent, PaymentOutcome::Captured, self.now)?);
        Ok(true)
    }

    /// How many wait; nobody any more once everything is sold.
    pub(super) fn waiting(&self, event: EventIndex) -> u32 {
        self.engine.queue_counts(event).map_or(0, |counts| counts.waiting)
    }
}

fn done<T>(pending: Pending<T>) -> T {
    pending.acknowledge(Lsn(u64::MAX))
}

/// Rows of 50; the last one may be shorter, in a section of its own.
fn sections(seats: u32) -> Vec<Section> {
    let section = |number: u32, rows, seats_per_row| Section {
        name: format!("S{number}"),
        rows,
        seats_per_row,
        price: 100_000,
        start_row: number * ROWS_PER_SECTION + 1,
    };
    let rows = seats / SEATS_PER_ROW;
    let mut sections: Vec<Section> = (0..rows.div_ceil(ROWS_PER_SECTION))
        .map(|number| {
            let rows = (rows - number * ROWS_PER_SECTION).min(ROWS_PER_SECTION);
            section(number, rows, SEATS_PER_ROW)
        })
        .collect();
    if !seats.is_multiple_of(SEATS_PER_ROW) {
        sections.push(section(sections.len() as u32, 1, seats % SEATS_PER_ROW));
    }
    sections
}

fn details(number: u32) -> EventDetails {
    EventDetails {
        title: format!("event {number}"),
        description: None,
        venue: "hall".to_owned(),
        address: None,
        artist_name: None,
        poster_image_url: None,
        event_at: BEGIN.plus(90 * DAY_MS),
        sale_starts_at: BEGIN,
        sale_ends_at: BEGIN.plus(60 * DAY_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hall_has_the_seats_that_were_asked_for() {
        for seats in [1, 49, 50, 51, 5_000, 46_153, 500_000] {
            let sections = sections(seats);
            let sum: u32 = sections.iter().map(|one| one.rows * one.seats_per_row).sum();
            assert_eq!(sum, seats);
        }
    }
}
