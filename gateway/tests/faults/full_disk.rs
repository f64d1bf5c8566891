//! A disk that fills up: holds are refused in time, nothing acknowledged is lost, and the start
//! works on a full disk.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::check::{must_hold, until};
use crate::driver::{Drivers, hold_request, pay_request};
use crate::http::Ask;
use crate::launch::Launch;
use crate::ledger::{Known, Wanted};
use crate::machine::{self, LoopDisk, run};
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop};

/// Below this much free space no new hold is taken.
const FREE_BYTES_MIN: u64 = 256 << 20;

/// Leaves this much of a disk free.
fn fill(disk: &Path, filler: &Path, leave: u64) {
    let stat = rustix::fs::statvfs(disk).expect("statvfs");
    let free = stat.f_bavail * stat.f_frsize;
    if free > leave {
        let length = (free - leave).to_string();
        let at = filler.metadata().map_or(0, |found| found.len()).to_string();
        run("fallocate", &["--offset", &at, "--length", &length, filler.to_str().expect("UTF-8")])
            .expect("fill the disk");
    }
}

#[test]
fn a_full_disk_refuses_holds_and_loses_nothing() {
    // sled has room inside its file for what the clients do here.
    full_disk("sled", false);
}

#[test]
fn a_full_disk_refuses_holds_and_loses_nothing_in_segments() {
    full_disk("segments", true);
}

/// `ends`: every write needs a new block, so that the process must end.
fn full_disk(store: &str, ends: bool) {
    let _turn = machine::turn();
    let disk = match LoopDisk::make(1 << 30) {
        Ok(disk) => disk,
        Err(why) => return machine::skipped("a full disk", &why),
    };
    let mut random = Random::seeded(&format!("full disk, {store}"));
    let (data, filler) = (disk.data(), disk.mount_point().join("filler"));
    let launch = Launch::new(&data).store(store);
    let server = launch.must_start();
    let shop = Shop::open(&server, Plan::default(), &Positions::default()).expect("shop");
    let shop = Arc::new(shop);
    Drivers::start_for(&shop, server.address, &mut random, 200).join();
    assert!(data.join("ballast").exists(), "there is no ballast");

    // Running low: no new hold, but everything begun can be ended.
    fill(&disk.mount_point(), &filler, FREE_BYTES_MIN - (16 << 20));
    let mut client = server.client();
    let wanted = Wanted::Tickets(1);
    let hold = |key: &str| hold_request(&shop, &shop.buyers[0], &wanted).key(key);
    let mut tries = 0;
    until("a new hold is refused with 503", || {
        tries += 1;
        let answer = client.must(&hold(&format!("low {tries}"))).expect("answer");
        if answer.status == 201 {
            let reservation = &answer.body["reservation"];
            shop.ledger.lock().unwrap().held(0, &wanted, reservation);
        }
        answer.status == 503
    });
    let answer = client.must(&hold("low")).expect("answer");
    assert_eq!((answer.status, answer.code()), (503, "UNAVAILABLE"), "{answer:?}");
    let unpaid = || {
        let ledger = shop.ledger.lock().unwrap();
        let mut held = ledger.orders.iter().filter(|(_, order)| {
            (&order.paid, &order.cancelled, order.user) == (&Known::No, &Known::No, 0)
        });
        held.next().map(|(id, _)| id.clone()).expect("an unpaid order")
    };
    let id = unpaid();
    client.expect(200, &pay_request(&shop.buyers[0], &id)).expect("paid");
    shop.ledger.lock().unwrap().orders.get_mut(&id).expect("order").paid = Known::Yes;
    let id = unpaid();
    client
        .expect(
            200,
            &Ask::post(format!("/api/reservations/{id}/cancel"), &shop.buyers[0], json!({})),
        )
        .expect("cancelled");
    shop.ledger.lock().unwrap().orders.get_mut(&id).expect("order").cancelled = Known::Yes;
    must_hold(&server, std::slice::from_ref(&shop), "with little space");

    // Nothing left: the clients go on until the process ends, or for a while where the log has room.
    fill(&disk.mount_point(), &filler, 0);
    let mut server = server;
    let drivers = Drivers::start(&shop, server.address, &mut random);
    for _ in 0..200 {
        if server.process.has_ended() {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    let by_itself = server.process.has_ended();
    if by_itself {
        let ended = server.process.ended();
        assert_eq!(ended.status.code(), Some(70), "{ended}");
    } else {
        server.kill();
    }
    drivers.join();
    eprintln!("full disk, {store}: the process ended by itself: {by_itself}");
    assert!(by_itself || !ends, "it went on with a full disk");

    // On the full disk: it starts, everything is there, and still no new hold is taken.
    fill(&disk.mount_point(), &filler, 0);
    let server = launch.must_start();
    must_hold(&server, std::slice::from_ref(&shop), "started on a full disk");
    let is_given_back = !data.join("ballast").exists();
    eprintln!("full disk, {store}: the ballast was given back: {is_given_back}");
    let mut client = server.client();
    let answer = client.must(&hold("full")).expect("answer");
    assert_eq!((answer.status, answer.code()), (503, "UNAVAILABLE"), "{answer:?}");
    server.must_stop();
    machine::audit(&data);

    // Room again: holds again, and the ballast again.
    std::fs::remove_file(&filler).expect("filler");
    let server = launch.must_start();
    must_hold(&server, std::slice::from_ref(&shop), "with room again");
    Drivers::start_for(&shop, server.address, &mut random, 50).join();
    must_hold(&server, std::slice::from_ref(&shop), "at the end");
    let held = shop.ledger.lock().unwrap().answers.clone();
    assert!(held.get("hold 201").is_some_and(|&count| count > 0), "{held:?}");
    assert!(data.join("ballast").exists(), "the ballast is not there again");
    server.must_stop();
    machine::audit(&data);
}
