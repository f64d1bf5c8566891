//! Commands on the data that a gateway leaves behind.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use tiketi_gateway::config::LogStoreKind;

use crate::support::{Gateway, on};

/// A directory with a life behind it: held, sold, blocked, cancelled. Also: the number of an order
/// that was paid.
fn lived(store: LogStoreKind) -> (TempDir, String) {
    let gateway = Gateway::with(|config| config.log_store = store);
    let event = gateway.event("봄 콘서트");
    let other = gateway.event("가을 콘서트");
    let buyer = gateway.user("buyer@tiketi.gg");
    let sold = gateway.reserve(&event, &["A-1-2", "A-1-3"], &buyer);
    gateway.pay(&sold, &buyer);
    gateway.reserve(&event, &["A-2-1"], &buyer);
    let cancelled = gateway.reserve(&event, &["B-6-1"], &buyer);
    let number = cancelled["reservationNumber"].as_str().unwrap();
    gateway.json(&["order", "cancel", number, "--yes"]);
    gateway.json(&["seat", "block", &event, "B-6-2..4"]);
    gateway.reserve(&other, &["A-1-1"], &buyer);
    gateway.json(&["event", "cancel", &other, "--yes"]);
    let number = sold["reservationNumber"].as_str().unwrap().to_owned();
    let dir = gateway.data.path().to_owned();
    for arguments in [
        &["log", "verify", "DIR"][..],
        &["log", "inspect", "DIR"],
        &["log", "replay", "DIR"],
        &["snapshot", "DIR"],
        &["audit", "DIR"],
    ] {
        on(&dir, arguments).fails(3, "in use");
    }
    (gateway.stop(), number)
}

fn json(dir: &Path, arguments: &[&str]) -> Value {
    let mut all = vec!["--json"];
    all.extend_from_slice(arguments);
    let ran = on(dir, &all);
    assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.document()
}

#[test]
fn a_whole_directory() {
    for store in [LogStoreKind::Sled, LogStoreKind::Segments] {
        let (data, number) = lived(store);
        let dir = data.path();
        let verified = json(dir, &["log", "verify", "DIR"]);
        assert_eq!(
            (&verified["ok"], &verified["firstLsn"]),
            (&true.into(), &1.into()),
            "{verified}"
        );
        let last = verified["lastLsn"].as_u64().unwrap();
        assert!(on(dir, &["log", "verify", "DIR"]).succeeds().contains("whole"));

        let audited = json(dir, &["audit", "DIR"]);
        assert_eq!(audited["ok"], true, "{audited}");
        let summary = &audited["summary"];
        assert_eq!(summary["lastLsn"], last);
        let seats = &summary["seats"];
        assert_eq!((&seats["held"], &seats["sold"]), (&1.into(), &2.into()), "{summary}");
        assert_eq!((&seats["blocked"], &seats["capacity"]), (&3.into(), &680.into()), "{summary}");
        assert_eq!(summary["orders"]["ended"]["eventCancelled"], 1, "{summary}");
        assert_eq!(summary["orders"]["ended"]["cancelledByAdmin"], 1, "{summary}");
        assert_eq!(summary["revenue"], 240_000);
        assert!(on(dir, &["audit", "DIR"]).succeeds().contains("no findings"));

        inspect(dir, &number, last);
        replay(dir, last);

        let made = json(dir, &["snapshot", "DIR"]);
        assert_eq!((&made["lsn"], &made["written"]), (&last.into(), &true.into()), "{made}");
        assert_eq!(json(dir, &["snapshot", "DIR"])["written"], false);
        assert!(on(dir, &["snapshot", "DIR"]).succeeds().contains("already"));
        assert_eq!(json(dir, &["log", "verify", "DIR"])["snapshot"], last);
        assert_eq!(json(dir, &["audit", "DIR"])["summary"]["seats"], *seats);
        replay(dir, last);
    }
}

fn inspect(dir: &Path, number: &str, last: u64) {
    let lines = |arguments: &[&str]| {
        let mut all = vec!["--json", "log", "inspect", "DIR"];
        all.extend_from_slice(arguments);
        let ran = on(dir, &all);
        ran.succeeds();
        ran.lines()
    };
    assert_eq!(lines(&[]).len() as u64, last);
    assert_eq!(lines(&["--from", "2", "--to", "4"]).len(), 3);
    assert_eq!(lines(&["--limit", "2"]).len(), 2);
    let life = lines(&["--order", number]);
    let kinds: Vec<&str> = life.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["held", "payment-started", "paid"]);
    assert_eq!(life[0]["claim"]["seats"], serde_json::json!(["A-1-2", "A-1-3"]));
    let id = life[0]["reservation"].as_str().unwrap();
    assert_eq!(lines(&["--order", id]).len(), 3);
    let of_event = lines(&["--event", "1"]);
    assert_eq!(of_event.last().unwrap()["kind"], "order-ended");
    let text = on(dir, &["log", "inspect", "DIR"]);
    assert!(text.succeeds().contains("A-1-2 A-1-3"), "{}", text.stdout);
    assert!(!text.stdout.contains("$2"), "password hashes are not for reading");
    on(dir, &["log", "inspect", "DIR", "--order", "TK1795196714996ROJ1Q"])
        .fails(1, "does not have");
}

fn replay(dir: &Path, last: u64) {
    let state = json(dir, &["log", "replay", "DIR"]);
    assert_eq!((&state["lsn"], &state["events"][0]["seats"]["sold"]), (&last.into(), &2.into()));
    let early = json(dir, &["log", "replay", "DIR", "--until", "2"]);
    assert_eq!((&early["lsn"], &early["events"]), (&2.into(), &serde_json::json!([])));
    let full = on(dir, &["log", "replay", "DIR", "--full"]);
    full.succeeds();
    assert_eq!(full.document()["events"][0]["orderList"][0]["state"], "paid");
    assert!(!full.stdout.contains("$2"), "password hashes are not for reading");
    let text = on(dir, &["log", "replay", "DIR", "--until", &last.to_string()]);
    assert!(text.succeeds().contains("가을 콘서트 (called off)"), "{}", text.stdout);
    on(dir, &["log", "replay", "DIR", "--until", "999999"]).fails(1, "ends at record");
}

#[test]
fn directories_that_hold_nothing() {
    let empty = tempfile::tempdir().unwrap();
    for arguments in [
        &["log", "verify", "DIR"][..],
        &["log", "inspect", "DIR"],
        &["log", "replay", "DIR"],
        &["snapshot", "DIR"],
        &["audit", "DIR"],
    ] {
        on(empty.path(), arguments).fails(2, "no tiketi data");
        on(&empty.path().join("nowhere"), arguments).fails(2, "no tiketi data");
    }
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "nothing is written into it");
}

#[test]
fn damage_is_found() {
    let (data, _) = lived(LogStoreKind::Segments);
    let segment = largest_file(&data.path().join("log"));
    let mut bytes = fs::read(&segment).unwrap();
    let written = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[written / 2] ^= 0x20;
    fs::write(&segment, bytes).unwrap();
    let verified = on(data.path(), &["--json", "log", "verify", "DIR"]);
    assert_eq!(verified.code, 4, "{}", verified.stdout);
    assert_eq!(verified.document()["ok"], false);
    assert!(!verified.document()["defects"].as_array().unwrap().is_empty());
    let audited = on(data.path(), &["--json", "audit", "DIR"]);
    assert_eq!(audited.code, 4, "{}", audited.stdout);
    let rules: Vec<Value> = audited.document()["findings"].as_array().unwrap().clone();
    assert!(rules.iter().any(|finding| finding["rule"] == "damage"), "{}", audited.stdout);
    on(data.path(), &["snapshot", "DIR"]).fails(4, "not whole");
}

#[test]
fn a_torn_tail_stops_nobody_and_is_reported() {
    let (data, _) = lived(LogStoreKind::Segments);
    let dir = data.path();
    let last = json(dir, &["log", "verify", "DIR"])["lastLsn"].clone();
    let segment = largest_file(&dir.join("log"));
    let mut bytes = fs::read(&segment).unwrap();
    // What a crash leaves of a write.
    bytes.extend_from_slice(b"TKTB\x01\0\0\0half a batch");
    fs::write(&segment, bytes).unwrap();
    let torn = json(dir, &["log", "verify", "DIR"])["tornTail"].clone();
    assert!(torn.as_str().unwrap().contains("torn tail"), "{torn}");
    let made = json(dir, &["snapshot", "DIR"]);
    assert_eq!((&made["lsn"], &made["written"]), (&last, &true.into()), "{made}");
    assert_eq!(made["tornTail"], torn);
    let again = on(dir, &["snapshot", "DIR"]);
    assert!(again.succeeds().contains("a start cuts that"), "{}", again.stdout);
    let verified = json(dir, &["log", "verify", "DIR"]);
    assert_eq!((&verified["snapshot"], &verified["tornTail"]), (&last, &torn), "{verified}");
}

#[test]
fn what_is_not_of_this_version_is_refused() {
    let (data, _) = lived(LogStoreKind::Segments);
    let dir = data.path();
    let segment = largest_file(&dir.join("log"));
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, [&whole[..], b"TKTB\x02\0and so on"].concat()).unwrap();
    on(dir, &["snapshot", "DIR"]).fails(4, "written by a newer version");
    let verified = on(dir, &["log", "verify", "DIR"]);
    assert_eq!(verified.code, 4);
    assert!(verified.stdout.contains("written by a newer version"), "{}", verified.stdout);
    fs::write(&segment, whole).unwrap();

    let version = dir.join("version");
    fs::write(&version, "tiketi data 7\nstore segments\n").unwrap();
    on(dir, &["snapshot", "DIR"]).fails(4, "says version 7; this program reads version 1");
    fs::write(&version, "tiketi dada 1\n").unwrap();
    on(dir, &["snapshot", "DIR"]).fails(4, "is damaged: it begins with \"tiketi dada 1\"");
    fs::remove_file(&version).unwrap();
    on(dir, &["snapshot", "DIR"]).fails(4, "its version file is missing");
}

fn largest_file(dir: &Path) -> PathBuf {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => dirs.push(path),
                false => files.push(path),
            }
        }
    }
    files.into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn seeded_accounts_are_opened_by_their_tokens() {
    let gateway = Gateway::start();
    let event = gateway.event("봄 콘서트");
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let seed = |count| ["user", "seed", "DIR", "--count", count, "--tokens", path];
    on(gateway.data.path(), &seed("3")).fails(3, "in use");
    let data = gateway.stop();
    assert!(on(data.path(), &seed("3")).succeeds().contains("3 accounts"));
    // Those that are there are kept.
    assert_eq!(json(data.path(), &seed("5"))["users"], 5);
    let text = fs::read_to_string(path).unwrap();
    let tokens: Vec<&str> = text.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
    assert_eq!(tokens.len(), 5);
    let gateway = Gateway::on(data, |_| {});
    for (token, seat) in tokens.into_iter().zip(["A-1-1", "A-1-2", "A-1-3", "A-1-4", "A-1-5"]) {
        let held = gateway.reserve(&event, &[seat], token);
        gateway.pay(&held, token);
    }
    let data = gateway.stop();
    let audited = json(data.path(), &["audit", "DIR"]);
    assert_eq!((&audited["ok"], &audited["summary"]["seats"]["sold"]), (&true.into(), &5.into()));
}
