//! The Nth write or sync fails: the process ends, and what it acknowledged is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::must_hold;
use crate::driver::Drivers;
use crate::launch::{Ended, Launch};
use crate::machine;
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop};

/// A process that could not keep its log ends with this.
const FATAL: i32 = 70;

/// Calls, errors, and which of them fails. Counted by thread.
const SWEEP: &[(&str, &str, &[u32])] = &[
    ("fdatasync", "EIO", &[1, 2, 3, 4, 6, 9, 14, 22, 35, 60, 100, 170]),
    ("fdatasync", "ENOSPC", &[1, 5, 30]),
    ("pwrite64", "EIO", &[1, 2, 3, 4, 6, 9, 14, 22, 35, 60, 100, 170]),
    ("pwrite64", "ENOSPC", &[1, 2, 5, 8, 13, 40, 90]),
    ("sync_file_range", "EIO", &[1, 2, 3, 5, 9, 20, 45]),
    ("fsync", "EIO", &[1, 2, 3, 4, 5, 6]),
];

/// How many of the sweep must have been reached.
const REACHED_MIN: usize = 30;

fn inject(launch: &Launch, call: &str, error: &str, nth: u32) -> Launch {
    let trace = format!("trace={call}");
    let failing = format!("inject={call}:error={error}:when={nth}");
    launch.clone().strace(&["-e", &trace, "-e", &failing])
}

#[test]
fn a_failing_call_ends_the_process_and_loses_nothing_acknowledged() {
    let _turn = machine::turn();
    if let Err(why) = machine::can_trace() {
        return machine::skipped("the Nth write or sync failing", &why);
    }
    let mut random = Random::seeded("failing calls");
    let dir = tempfile::tempdir().expect("directory");
    let data = dir.path().join("data");
    let launch = Launch::new(&data);
    let positions = Positions::default();
    let (mut at_start, mut at_work, mut not_reached) = (0, 0, 0);
    let mut shops: Vec<Arc<Shop>> = Vec::new();
    for (call, error, counts) in SWEEP {
        let server = launch.must_start();
        let shop = Shop::open(&server, Plan::default(), &positions).expect("shop");
        let shop = Arc::new(shop);
        shops.push(Arc::clone(&shop));
        server.must_stop();
        for &nth in *counts {
            let what = format!("{call} {error} {nth}");
            match inject(&launch, call, error, nth).start() {
                Err(ended) => {
                    check_refused_start(&what, &ended);
                    at_start += 1;
                }
                Ok(mut server) => {
                    let drivers = Drivers::start(&shop, server.address, &mut random);
                    let until = Instant::now() + Duration::from_secs(10);
                    while !server.process.has_ended() && Instant::now() < until {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    if server.process.has_ended() {
                        let ended = server.process.ended();
                        assert_eq!(ended.status.code(), Some(FATAL), "{what}: {ended}");
                        at_work += 1;
                        drivers.join();
                    } else {
                        // So many such calls were not made.
                        drivers.stop();
                        not_reached += 1;
                        let ended = server.stop();
                        let code = ended.status.code();
                        assert!(
                            matches!(code, Some(0 | 1 | FATAL)),
                            "{what}, at the stop: {ended}"
                        );
                    }
                }
            }
            let server = launch.must_start();
            must_hold(&server, std::slice::from_ref(&shop), &what);
            server.must_stop();
        }
    }
    let server = launch.must_start();
    must_hold(&server, &shops, "failing calls, at the end");
    server.must_stop();
    machine::audit(&data);
    let records = positions.lock().unwrap().len();
    eprintln!(
        "failing calls: {at_start} ended the start, {at_work} the work, {not_reached} were not \
         reached; {records} acknowledgements"
    );
    assert!(at_start + at_work >= REACHED_MIN, "{not_reached} of the calls were not reached");
}

fn check_refused_start(what: &str, ended: &Ended) {
    assert!(matches!(ended.status.code(), Some(1 | FATAL)), "{what}: {ended}");
    assert!(!ended.stderr.trim().is_empty(), "{what}: the start ended without a word");
}

/// While a directory is being made there is nothing to lose, but it must not become unusable.
#[test]
fn a_directory_half_made_can_be_made() {
    if let Err(why) = machine::can_trace() {
        return machine::skipped("a call failing while the directory is made", &why);
    }
    let mut refused = 0;
    let mut tried = 0;
    for store in ["sled", "segments"] {
        for call in ["fsync", "fdatasync", "pwrite64", "rename,renameat,renameat2", "mkdir,mkdirat"]
        {
            for nth in 1..=6 {
                let dir = tempfile::tempdir().expect("directory");
                let launch = Launch::new(dir.path().join("data")).store(store);
                let what = format!("{store}, {call} {nth}");
                tried += 1;
                match inject(&launch, call, "EIO", nth).start() {
                    Err(ended) => {
                        check_refused_start(&what, &ended);
                        refused += 1;
                    }
                    Ok(server) => server.kill(),
                }
                match launch.start() {
                    Ok(server) => server.kill(),
                    Err(ended) => panic!("{what}, then started again: {ended}"),
                }
            }
        }
    }
    eprintln!("a directory half made: {refused} of {tried} starts were ended by the fault");
    assert!(refused > 10, "only {refused} faults were reached");
}
