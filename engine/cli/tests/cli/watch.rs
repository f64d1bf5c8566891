//! `tiketi watch`: what goes on until somebody ends it.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Gateway, command, tiketi};

/// Looks before a watch that does not show what it should has failed.
const LOOKS_MAX: usize = 300;

/// A watch with `--json`.
struct Watch {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(gateway: &Gateway, interval: &str, arguments: &[&str]) -> Watch {
        let url = gateway.url();
        let mut process = command(&["--url", &url, "watch", "--json", "--interval", interval])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Watch { process, lines }
    }

    /// The first look that is as wanted.
    #[track_caller]
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..LOOKS_MAX {
            last = serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap();
            if wanted(&last) {
                return last;
            }
        }
        panic!("{last}");
    }

    fn interrupt(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_waiting_room_is_watched() {
    let gateway = Gateway::with(|config| config.queue_threshold = 1);
    let event = gateway.event("봄 콘서트");
    let people = ["first@tiketi.gg", "second@tiketi.gg"].map(|email| gateway.user(email));
    let check = format!("/api/queue/check/{event}");
    for (person, queued) in people.iter().zip([false, true]) {
        assert_eq!(gateway.post(&check, person, &json!({}))["queued"], queued);
    }
    let mut watch = Watch::start(&gateway, "100ms", &["--event", "봄"]);
    let first = watch.until(|look| look["queue"]["admitted"] == 1);
    let queue = &first["queue"];
    assert_eq!((&queue["eventId"], &queue["queueSize"]), (&json!(event), &json!(1)), "{first}");
    assert_eq!((&queue["currentUsers"], &queue["threshold"]), (&json!(1), &json!(1)), "{first}");
    assert_eq!((&queue["waitSeconds"], &queue["seats"]["total"]), (&Value::Null, &json!(340)));
    assert!(first["at"].is_string(), "{first}");

    let text = gateway.tiketi(&["watch", "--event", "봄", "--count", "2", "--interval", "0.1"]);
    let lines: Vec<&str> = text.succeeds().lines().collect();
    assert!(lines.len() == 2 && lines[1].contains("waiting 1  inside 1/1  admitted 1 (0.0/s)"));
    assert!(!text.stdout.contains('\u{1b}'), "{}", text.stdout);

    gateway.post(&format!("/api/queue/leave/{event}"), &people[0], &json!({}));
    let second = watch.until(|look| look["queue"]["admitted"] == 2);
    let queue = &second["queue"];
    assert_eq!((&queue["queueSize"], &queue["waitSeconds"]["count"]), (&json!(0), &json!(1)));
    assert!(queue["waitSeconds"]["p99"].as_f64().is_some_and(|wait| wait > 0.0), "{second}");
    assert!(second["admittedPerSecond"].as_f64().is_some_and(|rate| rate > 0.0), "{second}");
    watch.interrupt();
}

#[test]
fn a_watch_that_cannot_begin_says_why() {
    let gateway = Gateway::start();
    gateway.event("봄 콘서트");
    let watch = |event: &str| gateway.tiketi(&["watch", "--event", event]);
    watch("겨울").fails(1, "no event");
    watch("00000000-0000-0000-0000-000000000000").fails(1, "NOT_FOUND");
    gateway.tiketi(&["watch", "--event", "봄", "--password", "x"]).fails(1, "wrong address");
    gateway.tiketi(&["watch", "--event", "봄", "--token", "x"]).fails(1, "tiketi login");
    let url = gateway.url();
    gateway.stop();
    tiketi(&["--url", &url, "watch", "--event", "봄"]).fails(3, "cannot reach");
}

#[test]
fn a_gateway_that_goes_away_is_asked_until_it_is_back() {
    let gateway = Gateway::start();
    let event = gateway.event("봄 콘서트");
    let mut watch = Watch::start(&gateway, "100ms", &["--event", &event]);
    watch.until(|_| true);
    let address = gateway.address();
    let data = gateway.stop();
    let mut notes = BufReader::new(watch.process.stderr.take().unwrap());
    let mut note = String::new();
    notes.read_line(&mut note).unwrap();
    assert!(note.starts_with("tiketi: ") && note.ends_with("asking on\n"), "{note}");
    let gateway = Gateway::on(data, |config| config.listen = address);
    gateway.post(&format!("/api/queue/check/{event}"), &gateway.user("a@tiketi.gg"), &json!({}));
    watch.until(|look| look["queue"]["currentUsers"] == 1);
    watch.interrupt();
    let mut more = String::new();
    notes.read_to_string(&mut more).unwrap();
    assert_eq!(more, "", "said once");
}

#[test]
fn ctrl_c_ends_a_watch_cleanly() {
    let gateway = Gateway::start();
    let mut watch = Watch::start(&gateway, "60m", &[]);
    watch.until(|look| look["stats"].is_object() && look["rates"].is_null());
    watch.interrupt();
}
