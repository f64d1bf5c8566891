//! The engine alone: one thread, a journal in memory.

use std::time::Instant;

use tiketi_benches::{NOW, SEATS_PER_ROW, made, stock, undurable};
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{EventIndex, SeatIndex};
use tiketi_engine::journal::MemoryJournal;
use tiketi_engine::state::State;

use tiketi_benches::Setup;
use tiketi_benches::table::{Table, count, median};

const PAIRS: u64 = 4_000_000;
const ROUNDS: usize = 5;

/// Nanoseconds for holding one random seat and giving it back, everything the rules ask included.
struct House {
    engine: Engine<MemoryJournal>,
    asked: Asked,
    events: u32,
    seats: u32,
    random: u64,
}

impl House {
    fn new(events: u32, rows: u32) -> anyhow::Result<House> {
        let engine = Engine::from_state(&State::default(), MemoryJournal::default())
            .map_err(anyhow::Error::msg)?;
        let users = stock(&engine, events, rows, 1)?;
        let asked = Asked { by: users[0], at: NOW, key: None };
        Ok(House { engine, asked, events, seats: rows * SEATS_PER_ROW, random: 42 })
    }

    fn next(&mut self) -> (EventIndex, SeatIndex) {
        // xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators".
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let value = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let event = ((value >> 32) * u64::from(self.events)) >> 32;
        let seat = ((value & 0xffff_ffff) * u64::from(self.seats)) >> 32;
        (EventIndex(event as u32), SeatIndex(seat as u32))
    }

    fn nanoseconds_per_pair(&mut self, pairs: u64) -> anyhow::Result<f64> {
        let started = Instant::now();
        for pair in 0..pairs {
            let (event, seat) = self.next();
            // The clock moves on, so that deadlines come due and are swept as in life.
            let asked = Asked { at: NOW.plus(pair / 4_000), ..self.asked };
            let wanted = WantedSeats::new(&[seat])?;
            let (hold, _) = made(self.engine.hold_seats(event, &wanted, asked))?;
            let given = self.engine.cancel_order(hold.reservation, Some(asked.by), asked.at)?;
            undurable(given);
            if pair % 256 == 0 {
                self.engine.journal().forget();
            }
            if pair % 16_384 == 0 {
                self.engine.expire(asked.at, 1_000)?;
            }
        }
        Ok(started.elapsed().as_nanos() as f64 / pairs as f64)
    }
}

pub(crate) fn hold_and_give_back(_: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let mut house = House::new(1, 200)?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(house.nanoseconds_per_pair(PAIRS)?);
    }
    let bare = bare_nanoseconds_per_pair();
    let pair = median(&mut rounds);
    table.row(
        "hold + give back one seat, engine with an in-memory journal, one thread",
        format!("{}/s ({pair:.0} ns)", count(1e9 / pair)),
        format!("a bit set and cleared by two atomic operations: {bare:.0} ns"),
        "≥ 5 M/s",
    );
    Ok(())
}

/// The least that any such engine does: one atomic operation to take and one to give back.
fn bare_nanoseconds_per_pair() -> f64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    let words: Vec<AtomicU64> = (0..200).map(|_| AtomicU64::new(0)).collect();
    let started = Instant::now();
    for pair in 0..PAIRS {
        let word = &words[(pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % words.len()];
        let mask = 1 << (pair % 50);
        if word.fetch_or(mask, Ordering::AcqRel) & mask == 0 {
            word.fetch_and(!mask, Ordering::AcqRel);
        }
    }
    started.elapsed().as_nanos() as f64 / PAIRS as f64
}

pub(crate) fn scale(_: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let mut small = House::new(1, 200)?;
    let mut large = House::new(1_000, 200)?;
    let mut ratios = Vec::new();
    let mut costs = Vec::new();
    // One round of each fills the slots; then they alternate.
    small.nanoseconds_per_pair(PAIRS / 4)?;
    large.nanoseconds_per_pair(PAIRS / 4)?;
    for _ in 0..ROUNDS {
        let few = small.nanoseconds_per_pair(PAIRS / 2)?;
        let many = large.nanoseconds_per_pair(PAIRS / 2)?;
        costs.push((few, many));
        ratios.push(many / few);
    }
    let (few, many) = costs[ROUNDS / 2];
    table.row(
        "cost per hold and give-back with 10 million seats over 1,000 events",
        format!("{:.2} × that with 10,000 seats", median(&mut ratios)),
        format!("{many:.0} ns beside {few:.0} ns"),
        "≤ 1.3 ×",
    );
    Ok(())
}
