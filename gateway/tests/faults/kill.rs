//! `kill -9` at any moment: under load, during the start, in a snapshot,
//! after a pause of the whole process.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use crate::check::must_hold;
use crate::driver::Drivers;
use crate::launch::Launch;
use crate::machine;
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop};

fn kills(test: &str, store: &str, cycles: usize) {
    let _turn = machine::turn();
    let mut random = Random::seeded(test);
    let dir = tempfile::tempdir().expect("directory");
    let data = dir.path().join("data");
    let launch = Launch::new(&data).store(store).small_generations();
    let positions = Positions::default();
    let mut shops: Vec<Arc<Shop>> = Vec::new();
    let (mut during_start, mut rotated) = (0, 0);
    for cycle in 0..cycles {
        if cycle % 5 == 0 {
            // Also before anything was there.
            let process = launch.spawn();
            sleep(Duration::from_millis(random.below(150) as u64));
            process.kill();
            during_start += 1;
        }
        if cycle % 9 == 8 {
            machine::rotate(&data, store);
            rotated += 1;
        }
        if cycle % 9 == 4 {
            let tool = machine::begin_snapshot(&data);
            sleep(Duration::from_millis(random.below(60) as u64));
            drop(tool);
        }
        let server = launch.must_start();
        let when = format!("{test}, cycle {cycle}");
        if cycle % 10 == 0 {
            must_hold(&server, &shops, &when);
            let shop = Shop::open(&server, Plan::default(), &positions);
            shops.push(Arc::new(shop.unwrap_or_else(|why| panic!("{when}: {why}"))));
        }
        let shop = shops.last().expect("opened");
        must_hold(&server, std::slice::from_ref(shop), &when);
        let drivers = Drivers::start(shop, server.address, &mut random);
        sleep(Duration::from_millis(random.between(2, 300) as u64));
        if cycle % 6 == 3 {
            server.process.signal(Signal::STOP);
            sleep(Duration::from_millis(random.between(20, 300) as u64));
            server.process.signal(Signal::CONT);
            sleep(Duration::from_millis(random.below(50) as u64));
        }
        server.kill();
        drivers.join();
    }
    let server = launch.must_start();
    must_hold(&server, &shops, &format!("{test}, at the end"));
    server.must_stop();
    machine::audit(&data);
    let records = positions.lock().unwrap().len();
    // The newest may be made ahead and not written to yet.
    let ended = machine::newest_generation(&data).saturating_sub(2 + rotated);
    eprintln!(
        "{test}: {cycles} kills under load, {during_start} during the start, {records} acknowledgements, \
         {ended} generations ended under load"
    );
    assert!(records > cycles, "too little was acknowledged to prove anything: {records}");
    assert!(ended > 0, "no generation ended under load");
}

#[test]
fn kill_9_loses_nothing_acknowledged() {
    kills("kill", "sled", machine::scaled(50));
}

#[test]
fn kill_9_loses_nothing_acknowledged_in_segments() {
    kills("kill, segments", "segments", machine::scaled(12));
}
