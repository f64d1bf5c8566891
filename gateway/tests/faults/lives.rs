//! Many lives of one data directory, each ended by a blow: what `kill` and `power` have in common.

use std::path::Path;
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

/// What ends a life. The processes are killed between the two calls.
pub(crate) trait Blow {
    /// What several of them are called.
    const NAME: &str;

    /// Falls while the processes run.
    fn strike(&mut self) {}

    /// Makes the directory usable again, once no process uses it.
    fn mend(&mut self) {}
}

/// Ends `cycles` lives of `data`: during the start, in a snapshot, under load, after a pause of the
/// whole process. After each, everything acknowledged must be there.
pub(crate) fn end_lives<B: Blow>(
    test: &str,
    store: &str,
    cycles: usize,
    data: &Path,
    blow: &mut B,
) {
    let mut random = Random::seeded(test);
    let launch = Launch::new(data).store(store).small_generations();
    let positions = Positions::default();
    let mut shops: Vec<Arc<Shop>> = Vec::new();
    let (mut during_start, mut rotated) = (0, 0);
    for cycle in 0..cycles {
        if cycle % 5 == 0 {
            // The very first starts as well, which make the directory.
            let process = launch.spawn();
            sleep(Duration::from_millis(random.below(200) as u64));
            blow.strike();
            process.kill();
            blow.mend();
            during_start += 1;
        }
        if cycle % 9 == 8 {
            machine::rotate(data, store);
            rotated += 1;
        }
        if cycle % 9 == 4 {
            let tool = machine::begin_snapshot(data);
            sleep(Duration::from_millis(random.below(60) as u64));
            blow.strike();
            drop(tool);
            blow.mend();
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
        blow.strike();
        server.kill();
        drivers.join();
        blow.mend();
    }
    let server = launch.must_start();
    must_hold(&server, &shops, &format!("{test}, at the end"));
    server.must_stop();
    machine::audit(data);
    let records = positions.lock().unwrap().len();
    // The newest may be made ahead and not written to yet.
    let ended = machine::newest_generation(data).saturating_sub(2 + rotated);
    let name = B::NAME;
    eprintln!(
        "{test}: {cycles} {name} under load, {during_start} during the start, {records} \
         acknowledgements, {ended} generations ended under load"
    );
    assert!(records > cycles, "too little was acknowledged to prove anything: {records}");
    assert!(ended > 0, "no generation ended under load");
}
