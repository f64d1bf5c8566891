//! Power cuts: an ext4 file system that forgets everything that was not synced.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use crate::check::compare;
use crate::driver::Drivers;
use crate::launch::Launch;
use crate::lives::{Blow, end_lives};
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

/// The processes run a little into the cut: what they answer then must not be wrong either.
struct Cut {
    disk: LoopDisk,
    random: Random,
}

impl Blow for Cut {
    const NAME: &str = "cuts";

    fn strike(&mut self) {
        self.disk.cut().expect("cut");
        sleep(Duration::from_millis(self.random.below(20) as u64));
    }

    fn mend(&mut self) {
        self.disk.replug();
    }
}

fn cuts(test: &str, store: &str, cycles: usize) {
    let _turn = machine::turn();
    let Some(disk) = disk(&format!("power cuts ({test})")) else { return };
    let data = disk.data();
    let mut cut = Cut { disk, random: Random::seeded(&format!("{test}, cuts")) };
    end_lives(test, store, cycles, &data, &mut cut);
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
