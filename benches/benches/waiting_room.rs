//! What do a place in line and a look at one's position cost, with millions waiting?

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tiketi_benches::{NOW, stock, undurable};
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{EventIndex, UserIndex};
use tiketi_engine::journal::MemoryJournal;
use tiketi_engine::state::State;
use tiketi_engine::waiting_room::{QueueChange, Standing};

const EVENT: EventIndex = EventIndex(0);

fn engine() -> Engine<MemoryJournal> {
    let engine = Engine::from_state(&State::default(), MemoryJournal::default())
        .expect("an empty state is consistent");
    stock(&engine, 1, 200, 0).expect("the engine is empty");
    // Nobody is let in: a line that only grows.
    let paused = engine.queue_change(EVENT, QueueChange::Paused(true), NOW);
    undurable(paused.expect("the event exists"));
    engine
}

fn check(engine: &Engine<MemoryJournal>, user: u32) -> u32 {
    let place = engine.queue_check(EVENT, UserIndex(user), NOW).expect("the event exists");
    match undurable(place).standing {
        Standing::Waiting { position, .. } => position,
        Standing::Admitted => 0,
    }
}

/// Users come in an order of their own, not in that of their indices.
fn user(number: u32, people: u32) -> u32 {
    (u64::from(number) * 7_368_787 % u64::from(people)) as u32
}

/// From an empty line to a million people: what one of them pays.
fn join(criterion: &mut Criterion) {
    const PEOPLE: u32 = 1_000_000;
    let mut group = criterion.benchmark_group("join");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    group.bench_function(BenchmarkId::from_parameter(PEOPLE), |bencher| {
        bencher.iter_custom(|joins| {
            let mut spent = Duration::ZERO;
            let mut left = joins;
            while left > 0 {
                let engine = engine();
                let some = left.min(u64::from(PEOPLE)) as u32;
                let begun = Instant::now();
                for number in 0..some {
                    check(&engine, user(number, PEOPLE));
                    if number % 65_536 == 65_535 {
                        engine.journal().forget();
                    }
                }
                spent += begun.elapsed();
                left -= u64::from(some);
            }
            spent
        });
    });
    group.finish();
}

fn position(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("position");
    // Only looked at, not measured: a small line is enough to see that it works.
    let is = |wanted: &str| std::env::args().any(|arg| arg == wanted);
    let tested = is("--test") || !is("--bench");
    let sizes: &[u32] = if tested { &[10_000] } else { &[10_000, 10_000_000] };
    for &people in sizes {
        let engine = engine();
        for number in 0..people {
            check(&engine, user(number, people));
            if number % 65_536 == 65_535 {
                engine.journal().forget();
            }
        }
        let mut number = 0;
        group.bench_function(BenchmarkId::from_parameter(people), |bencher| {
            bencher.iter(|| {
                number = (number + 1) % people;
                check(&engine, user(number, people))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, join, position);
criterion_main!(benches);
