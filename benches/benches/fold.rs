//! What does one record cost to fold: recovery, snapshots and every live read pay it?

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tiketi_benches::{NOW, made, stock};
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{EventIndex, SeatIndex};
use tiketi_engine::journal::MemoryJournal;
use tiketi_engine::record::Record;
use tiketi_engine::state::State;

const HOLDS: u32 = 10_000;

/// A state with an event, and the records of ten thousand holds of it.
fn log() -> (State, Vec<Record>) {
    let engine = Engine::from_state(&State::default(), MemoryJournal::default())
        .expect("an empty state is consistent");
    let users = stock(&engine, 1, 200, 100).expect("the engine is empty");
    let mut state = State::default();
    for record in engine.journal().take() {
        state.apply(state.lsn().next(), &record).expect("follows");
    }
    for seat in 0..HOLDS {
        let asked = Asked { by: users[seat as usize % users.len()], at: NOW, key: None };
        let wanted = WantedSeats::new(&[SeatIndex(seat)]).expect("one seat");
        made(engine.hold_seats(EventIndex(0), &wanted, asked)).expect("free");
    }
    (state, engine.journal().take())
}

fn fold(criterion: &mut Criterion) {
    let (state, records) = log();
    criterion.bench_function("fold_10000_holds", |bencher| {
        bencher.iter_batched(
            || state.clone(),
            |mut state| {
                for record in &records {
                    state.apply(state.lsn().next(), record).expect("follows");
                }
                state
            },
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, fold);
criterion_main!(benches);
