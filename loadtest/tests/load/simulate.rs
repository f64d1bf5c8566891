//! The simulator: sales whose outcome is known beforehand, the same sale twice, and bad assumptions.

use std::process::Command;

use serde_json::Value;

use crate::tester::finish;

fn simulate(flags: &[&str]) -> (i32, String, String, Value, String) {
    let directory = tempfile::tempdir().expect("directory");
    let file = |name: &str| directory.path().join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiketi-loadtest"));
    command.arg("simulate").args(flags);
    command.arg("--json").arg(file("sale.json")).arg("--report").arg(file("sale.html"));
    let (code, stdout, stderr) = finish(command);
    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap_or_default();
    let json = serde_json::from_str(&read("sale.json")).unwrap_or_default();
    (code, stdout, stderr, json, read("sale.html"))
}

fn number(forecast: &Value, path: &str) -> f64 {
    let value = forecast.pointer(path).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("{path} in {forecast}"))
}

#[test]
fn a_sale_with_more_people_than_seats_sells_out() {
    let flags = ["--people", "4000", "--seats", "1000", "--events", "2", "--threshold", "100"];
    let (code, stdout, stderr, forecast, report) = simulate(&flags);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(number(&forecast, "/seatsSold"), 2_000.0);
    assert_eq!(number(&forecast, "/eventsSoldOut"), 2.0);
    assert_eq!(number(&forecast, "/seatsSingle"), 0.0);
    let bought = number(&forecast, "/totals/bought");
    assert!((500.0..2_000.0).contains(&bought), "parties of 1 to 4: {bought}");
    assert_eq!(number(&forecast, "/totals/came"), 4_000.0);
    assert!(number(&forecast, "/holdChurn") > 0.05);
    let series = forecast["series"].as_array().expect("series");
    assert!(series.iter().all(|second| number(second, "/inside") <= 200.0), "the thresholds");
    let last = series.last().expect("a second");
    assert_eq!((number(last, "/line"), number(last, "/held")), (0.0, 0.0));
    assert!(stdout.contains("sold out") && stdout.contains("2,000 of 2,000"), "{stdout}");
    assert_eq!(report.matches("<svg").count(), 4);
    assert!(!report.contains("http://") && !report.contains("https://"), "needs no network");
}

#[test]
fn everybody_gets_what_he_wants_where_there_is_enough() {
    let flags = ["--people", "300", "--seats", "5000", "--pay", "1", "--party", "0,1"];
    let (_, _, _, forecast, _) = simulate(&flags);
    assert_eq!(number(&forecast, "/totals/bought"), 300.0);
    assert_eq!(number(&forecast, "/seatsSold"), 600.0);
    assert_eq!(number(&forecast, "/totals/expired"), 0.0);
    assert!(number(&forecast, "/waitSeconds/3") <= 0.1, "nobody waits longer than a step");
    assert!(forecast["soldOutSeconds"].is_null());
}

#[test]
fn nobody_pays_and_every_seat_comes_back() {
    let flags = ["--people", "200", "--seats", "100", "--pay", "0", "--hold-seconds", "10"];
    let (_, _, _, forecast, _) = simulate(&flags);
    assert_eq!(number(&forecast, "/seatsSold"), 0.0);
    assert_eq!(number(&forecast, "/holdChurn"), 1.0);
    assert_eq!(number(&forecast, "/totals/holds"), number(&forecast, "/totals/expired"));
}

#[test]
fn a_rate_is_kept_and_makes_people_wait() {
    let flags = ["--people", "600", "--seats", "5000", "--rush", "1", "--rate", "2"];
    let (_, _, _, forecast, _) = simulate(&flags);
    let longest = number(&forecast, "/waitSeconds/3");
    assert!((200.0..310.0).contains(&longest), "600 people, 2 a second, over a minute: {longest}");
}

#[test]
fn a_seed_decides_everything() {
    let series = |seed: &str| {
        let flags = ["--people", "2000", "--seats", "500", "--seed", seed];
        simulate(&flags).3["series"].clone()
    };
    assert_eq!(series("5"), series("5"));
    assert_ne!(series("5"), series("6"));
}

#[test]
fn assumptions_that_cannot_be_are_refused_in_one_line() {
    for (flags, why) in [
        (["--people", "0"], "--people is from 1 to 50000000, not 0"),
        (["--people", "50000001"], "--people"),
        (["--seats", "500001"], "--seats"),
        (["--pay", "1.1"], "--pay is a share from 0 to 1, not 1.1"),
        (["--pay", "NaN"], "--pay"),
        (["--rush", "-0.1"], "--rush"),
        (["--party", "0.5,0.4"], "--party"),
        (["--party", "0,0,0,0,0,0,0,0,1"], "--party"),
        (["--hold-seconds", "9"], "--hold-seconds"),
        (["--pay-seconds", "inf"], "--pay-seconds"),
        (["--machine-sockets", "0"], "--machine-sockets"),
    ] {
        let [flag, value] = flags;
        let (code, _, stderr, ..) = simulate(&[&format!("{flag}={value}")]);
        assert_eq!(code, 2, "{flags:?}");
        assert!(stderr.lines().count() == 1 && stderr.contains(why), "{flags:?}: {stderr}");
    }
}
