//! What does choosing for a group cost in a hall that is empty, half full and nearly full?

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tiketi_benches::{NOW, SEATS_PER_ROW, made, stock, undurable};
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{EventIndex, SeatIndex};
use tiketi_engine::journal::MemoryJournal;
use tiketi_engine::state::State;

const ROWS: u32 = 100;

fn hold_best(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hold_best_3_of_5000");
    for percent_taken in [0, 50, 95] {
        let engine = Engine::from_state(&State::default(), MemoryJournal::default())
            .expect("an empty state is consistent");
        let users = stock(&engine, 1, ROWS, 1).expect("the engine is empty");
        let asked = Asked { by: users[0], at: NOW, key: None };
        for seat in 0..ROWS * SEATS_PER_ROW {
            // Scattered evenly, the same in every run.
            if seat.wrapping_mul(2_654_435_761) % 100 < percent_taken {
                let wanted = WantedSeats::new(&[SeatIndex(seat)]).expect("one seat");
                made(engine.hold_seats(EventIndex(0), &wanted, asked)).expect("free");
            }
        }
        group.bench_function(BenchmarkId::from_parameter(percent_taken), |bencher| {
            bencher.iter(|| {
                let held = engine.hold_best(EventIndex(0), None, 3, asked);
                let (hold, _) = made(held).expect("enough seats");
                let given = engine.cancel_order(hold.reservation, Some(asked.by), NOW);
                undurable(given.expect("held"));
                engine.journal().forget();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, hold_best);
criterion_main!(benches);
