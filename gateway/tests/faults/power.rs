//! Power cuts: an ext4 file system that forgets everything that was not synced.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use crate::check::{compare, must_hold};
use crate::driver::Drivers;
use crate::launch::Launch;
use crate::machine::{self, LoopDisk};
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop};

/// Room for the ballast and for what has to stay free; the file is sparse.
const DISK_BYTES: u64 = 1 << 30;

/// A disk on which a cut has been tried, or a loud word.
fn disk(proof: &str) -> Option<LoopDisk> {
    let tried = LoopDisk::make(DISK_BYTES).and_then(|mut disk| {
        disk.cut()?;
        disk.replug();
        Ok(disk)
    });
    tried.map_err(|why| machine::skipped(proof, &why)).ok()
}

fn cuts(test: &str, store: &str, cycles: usize) {
    let _turn = machine::turn();
    let Some(mut disk) = disk(&format!("power cuts ({test})")) else { return };
    let mut random = Random::seeded(test);
    let data = disk.data();
    let launch = Launch::new(&data).store(store).small_generations();
    let positions = Positions::default();
    let mut shops: Vec<Arc<Shop>> = Vec::new();
    let (mut during_start, mut rotated) = (0, 0);
    for cycle in 0..cycles {
        if cycle % 5 == 0 {
            // The very first starts as well, which make the directory.
            let process = launch.spawn();
            sleep(Duration::from_millis(random.below(200) as u64));
            disk.cut().expect("cut");
            process.kill();
            disk.replug();
            during_start += 1;
        }
        if cycle % 9 == 8 {
            machine::rotate(&data, store);
            rotated += 1;
        }
        if cycle % 9 == 4 {
            let tool = machine::begin_snapshot(&data);
            sleep(Duration::from_millis(random.below(60) as u64));
            disk.cut().expect("cut");
            drop(tool);
            disk.replug();
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
        sleep(Duration::from_millis(random.between(2, 250) as u64));
        disk.cut().expect("cut");
        // Not a moment before the cut counts any more, but what it says after it must not be wrong.
        sleep(Duration::from_millis(random.below(20) as u64));
        server.kill();
        drivers.join();
        disk.replug();
    }
    let server = launch.must_start();
    must_hold(&server, &shops, &format!("{test}, at the end"));
    server.must_stop();
    machine::audit(&data);
    let records = positions.lock().unwrap().len();
    // The newest may be made ahead and not written to yet.
    let ended = machine::newest_generation(&data).saturating_sub(2 + rotated);
    eprintln!(
        "{test}: {cycles} cuts under load, {during_start} during the start, {records} acknowledgements, \
         {ended} generations ended under load"
    );
    assert!(records > cycles, "too little was acknowledged to prove anything: {records}");
    assert!(ended > 0, "no generation ended under load");
}

#[test]
fn power_cuts_lose_nothing_acknowledged() {
    cuts("power", "sled", machine::scaled(50));
}

#[test]
fn power_cuts_lose_nothing_acknowledged_in_segments() {
    cuts("power, segments", "segments", machine::scaled(12));
}

/// The wrong twin: with syncs that do nothing the same cuts must be seen to lose something, or the
/// tests above prove nothing. The event and its buyers are made with syncs that work, so that what
/// is lost is the orders.
#[test]
fn a_cut_without_syncs_is_seen() {
    const TRIES: usize = 5;
    let _turn = machine::turn();
    if let Err(why) = machine::can_trace() {
        return machine::skipped("the power cuts' wrong twin", &why);
    }
    let mut random = Random::seeded("power, wrong twin");
    for store in ["sled", "segments"] {
        let (mut refused, mut missing) = (0, 0);
        for _ in 0..TRIES {
            let Some(mut disk) = disk("the power cuts' wrong twin") else { return };
            let launch = Launch::new(disk.data()).store(store);
            let calls = "fsync,fdatasync,sync_file_range,msync";
            let lying = format!("inject={calls}:retval=0");
            let trace = format!("trace={calls}");
            let server = launch.must_start();
            let shop = Shop::open(&server, Plan::default(), &Positions::default()).expect("shop");
            let shop = Arc::new(shop);
            server.must_stop();
            machine::run("sync", &[]).expect("sync");
            let server = launch.clone().strace(&["-e", &trace, "-e", &lying]).must_start();
            let drivers = Drivers::start(&shop, server.address, &mut random);
            sleep(Duration::from_millis(200));
            disk.cut().expect("cut");
            server.kill();
            drivers.join();
            disk.replug();
            match launch.start() {
                Err(_) => refused += 1,
                Ok(server) => {
                    let found = compare(&server, &shop).err().unwrap_or_default();
                    missing += usize::from(found.contains("acknowledged and missing"));
                }
            }
        }
        eprintln!(
            "power, wrong twin, {store}: of {TRIES} cuts {refused} led to a refused start and \
             {missing} to orders that are missing"
        );
        assert!(refused + missing > 0, "{store}: cuts that must lose something were not seen to");
    }
}
