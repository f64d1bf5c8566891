//! Wall clocks that jump, at work and across restarts (libfaketime).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tiketi_engine::record::Record;
use tiketi_persistence::LogReader;

use crate::check::{CLOCK_GRAIN, standing, until};
use crate::driver::hold_request;
use crate::http::{Ask, Client};
use crate::launch::{Launch, Server};
use crate::ledger::{Wanted, instant};
use crate::machine;
use crate::shop::{Plan, Positions, Shop, admin};

const TTL: Duration = Duration::from_secs(3);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A gateway whose wall clock is what a file says.
pub(crate) struct FakeClock {
    library: PathBuf,
    offset: PathBuf,
}

impl FakeClock {
    pub(crate) fn find(dir: &Path) -> Result<FakeClock, String> {
        let folders = std::fs::read_dir("/usr/lib").map_err(|error| error.to_string())?;
        let folders = folders.filter_map(Result::ok).map(|entry| entry.path());
        let library = folders
            .chain(["/usr/lib".into(), "/usr/local/lib".into()])
            .map(|folder: PathBuf| folder.join("faketime/libfaketimeMT.so.1"))
            .find(|path| path.exists());
        let library = library.ok_or("libfaketime is not installed (package faketime)")?;
        let clock = FakeClock { library, offset: dir.join("offset") };
        clock.set(0);
        Ok(clock)
    }

    /// So many seconds from the true time.
    pub(crate) fn set(&self, offset_s: i64) {
        // Replaced whole: the process reads it at any moment.
        let temporary = self.offset.with_extension("new");
        std::fs::write(&temporary, format!("{offset_s:+}\n")).expect("write");
        std::fs::rename(&temporary, &self.offset).expect("rename");
    }

    pub(crate) fn on(&self, launch: &Launch) -> Launch {
        launch
            .clone()
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
    }
}

/// A hold, when it was asked for, and until when it is promised.
struct Promise {
    id: String,
    asked: Instant,
    expires_at: u64,
}

/// A seat whose hold has just ended is free a moment later.
fn hold(client: &mut Client, shop: &Shop, place: usize) -> Promise {
    let wanted = Wanted::Seats(vec![shop.seats[place].clone()]);
    let ask = hold_request(shop, &shop.buyers[0], &wanted);
    let mut held = None;
    until("the seat is free", || {
        let asked = Instant::now();
        let answer = client.must(&ask).expect("answer");
        match (answer.status, answer.code()) {
            (201, _) => held = Some((asked, answer.body)),
            // The hold before, which is the same buyer's, has not ended yet.
            (200, _) | (400, "SEAT_UNAVAILABLE") => {}
            _ => panic!("{answer:?}"),
        }
        held.is_some()
    });
    let (asked, held) = held.expect("held");
    let reservation = &held["reservation"];
    Promise {
        id: reservation["id"].as_str().expect("id").to_owned(),
        asked,
        expires_at: instant(&reservation["expiresAt"]).expect("a deadline"),
    }
}

/// Waits for its end: never before its time by a clock that does not jump, nor a day after it.
fn ends_in_time(client: &mut Client, shop: &Shop, promise: &Promise, when: &str) {
    until(&format!("{when}: the hold ends"), || {
        let (status, _) = standing(client, &shop.buyers[0], &promise.id).expect("standing");
        match status.as_str() {
            "pending" => false,
            "cancelled" => {
                let lived = promise.asked.elapsed();
                assert!(lived + CLOCK_GRAIN > TTL, "{when}: the hold lived {lived:?} of {TTL:?}");
                true
            }
            other => panic!("{when}: {other}"),
        }
    });
}

/// The epoch instants and all others, in the order of the log; none before the one it follows.
fn instants_never_fall(data: &Path) {
    let reader = LogReader::open(data).expect("open");
    let mut last_at = 0;
    for record in reader.records() {
        let record = record.expect("readable");
        let at = at(&record.record);
        // Records of two threads may change places within a moment, but an epoch begins after all.
        let allowed_ms =
            if matches!(record.record, Record::EpochStarted { .. }) { 0 } else { 10_000 };
        assert!(at + allowed_ms >= last_at, "record {}: {at} after {last_at}", record.lsn);
        last_at = last_at.max(at);
    }
    assert!(last_at > 0, "an empty log");
}

/// Every kind of record holds its instant under this name, or is one that does.
fn at(record: &Record) -> u64 {
    if let Record::AdminMade(made) = record {
        return made.acted.at.0;
    }
    let json = serde_json::to_value(record).expect("a record as JSON");
    let fields = json.as_object().and_then(|kinds| kinds.values().next()).expect("a record");
    fields["at"].as_u64().unwrap_or_else(|| panic!("no instant in {json}"))
}

/// The clock that the server shows.
fn server_now(client: &mut Client) -> u64 {
    let health = client.expect(200, &Ask::get("/health", "")).expect("health");
    instant(&health["timestamp"]).expect("an instant")
}

fn open(server: &Server) -> Shop {
    let plan = Plan { hold_ttl_s: TTL.as_secs(), buyers: 1, ..Plan::default() };
    Shop::open(server, plan, &Positions::default()).expect("shop")
}

#[test]
fn a_jump_at_work_moves_no_deadline() {
    let dir = tempfile::tempdir().expect("directory");
    let clock = match FakeClock::find(dir.path()) {
        Ok(clock) => clock,
        Err(why) => return machine::skipped("clock jumps at work", &why),
    };
    let data = dir.path().join("data");
    let server = clock.on(&Launch::new(&data)).must_start();
    let shop = open(&server);
    let mut client = server.client();
    for (place, offset_s) in [86_400, -86_400, 0, 3_600, -3_600, 0].into_iter().enumerate() {
        let when = format!("jump to {offset_s:+} s");
        let before = server_now(&mut client);
        let promise = hold(&mut client, &shop, place);
        clock.set(offset_s);
        let after = server_now(&mut client);
        assert!(after >= before && after < before + DAY_MS / 48, "{when}: {before}, then {after}");
        ends_in_time(&mut client, &shop, &promise, &when);
        // Free for the next one.
        let next = hold(&mut client, &shop, place);
        assert!(next.expires_at >= promise.expires_at, "{when}: deadlines fall");
    }
    server.must_stop();
    machine::audit(&data);
    instants_never_fall(&data);
}

#[test]
fn a_jump_across_a_restart_keeps_every_promise() {
    let dir = tempfile::tempdir().expect("directory");
    let clock = match FakeClock::find(dir.path()) {
        Ok(clock) => clock,
        Err(why) => return machine::skipped("clock jumps across restarts", &why),
    };
    let data = dir.path().join("data");
    let launch = clock.on(&Launch::new(&data));
    let server = launch.must_start();
    // That the clock is faked at all.
    let truth = server_now(&mut server.client());
    assert!(truth.abs_diff(crate::check::now_ms()) < DAY_MS / 48);
    let shop = open(&server);
    let mut epochs = Vec::new();
    let mut server = server;
    // A day back, two days back, then forward again by one and by three.
    for (place, offset_s) in [-86_400, -172_800, -86_400, 86_400, 0].into_iter().enumerate() {
        let when = format!("restart at {offset_s:+} s");
        let mut client = server.client();
        let promise = hold(&mut client, &shop, place);
        let before = server_now(&mut client);
        match place % 2 {
            0 => server.kill(),
            _ => server.must_stop(),
        }
        clock.set(offset_s);
        server = launch.must_start();
        let mut client = server.client();
        let after = server_now(&mut client);
        // The server's time never goes back; forward it goes with the wall clock, which it has to
        // believe after a stop.
        let wall = crate::check::now_ms().saturating_add_signed(offset_s * 1_000);
        assert!(
            after + 1_000 >= before.max(wall) - 10_000,
            "{when}: {before}, wall {wall}, now {after}"
        );
        assert!(after <= before.max(wall) + 600_000, "{when}: {before}, wall {wall}, now {after}");
        // The promise reads as it was given.
        let path = format!("/api/seats/reservation/{}", promise.id);
        let read = client.expect(200, &Ask::get(path, &shop.buyers[0])).expect("the hold");
        assert_eq!(instant(&read["reservation"]["expires_at"]), Some(promise.expires_at), "{when}");
        if wall > promise.expires_at {
            // By the wall clock its time is over.
            let (status, _) = standing(&mut client, &shop.buyers[0], &promise.id).expect("read");
            assert_eq!(status, "cancelled", "{when}");
        } else {
            ends_in_time(&mut client, &shop, &promise, &when);
        }
        // What is sold goes on: a new hold lives as long as it should.
        let next = hold(&mut client, &shop, place);
        ends_in_time(&mut client, &shop, &next, &when);
        epochs.push(after);
        // Logins are judged by the server's clock as well.
        admin(&mut client).expect("the administrator's login");
    }
    server.must_stop();
    assert!(epochs.is_sorted(), "the server's time went back: {epochs:?}");
    machine::audit(&data);
    instants_never_fall(&data);
}
