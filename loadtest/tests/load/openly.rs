//! The open loop: who comes when is decided beforehand, and a server that stands still is measured
//! by everybody who came meanwhile.

use serde_json::Value;

use crate::shop::{Fault, Shop};
use crate::tester::{Ran, run};

fn rush(shop: &Shop, more: &[&str]) -> Ran {
    let flags = [
        "--duration",
        "4",
        "--rate",
        "200",
        "--hot",
        "5",
        "--sections",
        "1",
        "--rows",
        "1",
        "--seats-per-row",
        "10",
        "--users",
        "10",
    ];
    run("hot-seats", &shop.url(), &[&flags[..], more].concat()).ended(0)
}

/// 800 people in 4 s, of whom those of one second, a quarter, find the server standing still. They
/// wait from 0 to 1 s, evenly: so 60 % of that quarter, the p90 of all, wait 0.6 s. Whoever measured
/// from the sending on would see it in the eight requests that eight connections can have under way,
/// one in a hundred.
#[test]
fn a_stall_is_seen_by_everybody_in_it() {
    let shop = Shop::open(Fault::Stalls);
    let ran = rush(&shop, &["--connections", "8"]);
    let hold = ran.step("hold");
    let ms = |name: &str| hold[name].as_f64().expect("ms");
    assert!(ms("p99_ms") >= 900.0, "{hold}");
    assert!(ms("p90_ms") >= 400.0, "{hold}");
    let count = |name: &str| hold[name].as_u64().expect("count");
    assert_eq!((count("done") + count("refused")) as f64, ran.number("/arrivals"));
    // The seconds show it where it was.
    let series = ran.json["series"].as_array().expect("series");
    let worst = series.iter().filter_map(|second| second["max_ms"].as_f64()).fold(0.0, f64::max);
    assert!(worst >= 900.0, "{worst}");
}

#[test]
fn a_seed_decides_who_wants_what() {
    let asked = |seed: &str| {
        let shop = Shop::open(Fault::None);
        let ran = rush(&shop, &["--seed", seed]);
        assert_eq!(
            ran.json["settings"]["seed"].as_u64().map(|seed| seed.to_string()).as_deref(),
            Some(seed)
        );
        (ran.number("/arrivals"), shop.asked())
    };
    let first = asked("7");
    assert_eq!(first, asked("7"));
    assert_ne!(first.1, asked("8").1);
}

#[test]
fn limits() {
    let shop = Shop::open(Fault::None);
    let flags = ["--duration", "1", "--rate", "50", "--users", "5"];
    let ran = run("hot-seats", &shop.url(), &[&flags[..], &["--min-rate", "1000000"]].concat());
    let ran = ran.ended(1);
    assert!(ran.stdout.contains("limit min-rate 1000000") && ran.stdout.contains("DID NOT HOLD"));
    assert_eq!(ran.json["limits"][0]["has_held"], Value::Bool(false));
    let shop = Shop::open(Fault::None);
    run("hot-seats", &shop.url(), &[&flags[..], &["--max-p99", "0.001"]].concat()).ended(1);
    let shop = Shop::open(Fault::None);
    let good = ["--max-p99", "60000", "--min-rate", "1"];
    run("hot-seats", &shop.url(), &[&flags[..], &good].concat()).ended(0);
}
