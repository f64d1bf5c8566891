//! What do one hold and its give-back cost, and what does each further seat add?

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tiketi_benches::{NOW, made, stock, undurable};
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{EventIndex, SeatIndex};
use tiketi_engine::journal::MemoryJournal;
use tiketi_engine::state::State;

fn hold_and_give_back(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hold_and_give_back");
    for seats in 1..=4 {
        let engine = Engine::from_state(&State::default(), MemoryJournal::default())
            .expect("an empty state is consistent");
        let users = stock(&engine, 1, 200, 1).expect("the engine is empty");
        let asked = Asked { by: users[0], at: NOW, key: None };
        let list: Vec<SeatIndex> = (0..seats).map(|seat| SeatIndex(seat * 49)).collect();
        let wanted = WantedSeats::new(&list).expect("distinct");
        let mut pairs = 0_u64;
        group.bench_function(BenchmarkId::from_parameter(seats), |bencher| {
            bencher.iter(|| {
                let held = engine.hold_seats(EventIndex(0), &wanted, asked);
                let (hold, _) = made(held).expect("free");
                let given = engine.cancel_order(hold.reservation, Some(asked.by), NOW);
                undurable(given.expect("held"));
                pairs += 1;
                if pairs.is_multiple_of(1_024) {
                    engine.journal().forget();
                    engine.expire(NOW, 1).expect("memory is never full");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, hold_and_give_back);
criterion_main!(benches);
