//! A real gateway in this process, with accounts that `tiketi user seed` makes.

use std::path::PathBuf;

use tempfile::TempDir;
use tiketi_gateway::app::{App, Running};
use tiketi_gateway::config::{Config, LogStoreKind};
use tiketi_gateway::rate_limit::RateLimitConfig;
use tiketi_gateway::seed;
use tokio::runtime::Runtime;

use crate::tester::{Ran, run};

struct Gateway {
    runtime: Runtime,
    running: Option<Running>,
    data: TempDir,
}

impl Gateway {
    fn start(accounts: u32) -> Gateway {
        let data = tempfile::tempdir().expect("directory");
        let mut config = Config::development(data.path());
        config.sample_data = false;
        config.ballast_bytes = 0;
        config.rate_limit = RateLimitConfig::OFF;
        let seeded = seed::users(data.path(), LogStoreKind::Sled, None, accounts).expect("seed");
        let lines = seeded.iter().map(|account| format!("{}\t{}\n", account.email, account.token));
        std::fs::write(data.path().join("tokens"), lines.collect::<String>()).expect("tokens");
        let runtime = Runtime::new().expect("runtime");
        let running = runtime.block_on(App::start(config)).expect("start");
        Gateway { runtime, running: Some(running), data }
    }

    fn tokens(&self) -> PathBuf {
        self.data.path().join("tokens")
    }

    fn run(&self, scenario: &str, flags: &[&str]) -> Ran {
        let address = self.running.as_ref().expect("running").address();
        let tokens = self.tokens();
        let tokens = ["--tokens", tokens.to_str().expect("path")];
        run(scenario, &format!("http://{address}"), &[&tokens[..], flags].concat())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

const HALL: [&str; 6] = ["--sections", "2", "--rows", "8", "--seats-per-row", "20"];

#[test]
fn a_short_on_sale() {
    let gateway = Gateway::start(400);
    let flags = ["--duration", "5", "--rate", "50", "--threshold", "15", "--think", "0.2"];
    let ran = gateway.run("on-sale", &[&HALL[..], &flags].concat()).ended(0);
    assert_eq!(ran.findings(), [""; 0]);
    assert!(
        ran.number("/audit/paid") >= 30.0 && ran.number("/audit/waited") > 0.0,
        "{}",
        ran.stdout
    );
    assert_eq!(ran.number("/seats/total"), 320.0);
    assert_eq!(ran.number("/failed"), 0.0, "{}", ran.stdout);
    for step in ["event page", "join line", "poll line", "seat map", "hold", "pay", "ticket list"] {
        assert!(ran.step(step)["done"].as_u64() > Some(0), "{step}");
    }
    assert!(ran.stdout.contains("nothing found") && ran.stdout.contains("seats left"));
    assert!(ran.report.contains("<svg") && !ran.report.contains("http://www."));
}

#[test]
fn everything_is_sold() {
    let gateway = Gateway::start(20);
    let ran = gateway.run("sell-out", &[&HALL[..], &["--buyers", "20"]].concat()).ended(0);
    assert_eq!((ran.number("/seats/sold"), ran.number("/seats/left")), (320.0, 0.0));
    // Each hold after a look at the line.
    assert!(ran.step("join line")["done"].as_u64() >= ran.step("hold")["done"].as_u64());
}

#[test]
fn what_comes_back_is_sold_again() {
    let gateway = Gateway::start(200);
    let flags = ["--duration", "4", "--rate", "40", "--think", "0.05", "--cancel", "1"];
    let ran = gateway.run("soak", &[&HALL[..], &flags].concat()).ended(0);
    assert!(ran.step("cancel")["done"].as_u64() > Some(0), "{}", ran.stdout);
}

#[test]
fn a_spike() {
    let gateway = Gateway::start(300);
    let flags = ["--duration", "4", "--rate", "10", "--spike-factor", "10", "--think", "0.05"];
    let ran = gateway.run("spike", &[&HALL[..], &flags].concat()).ended(0);
    // 40 came without a spike; the seed decides that it is some 110.
    assert!(ran.number("/arrivals") > 80.0, "{}", ran.stdout);
}

#[test]
fn watchers_hear_of_every_seat() {
    for dialect in ["socket-io", "compact"] {
        let gateway = Gateway::start(60);
        let flags = ["--duration", "3", "--rate", "10", "--sockets", "40", "--dialect", dialect];
        let ran = gateway.run("fan-out", &[&HALL[..], &flags].concat()).ended(0);
        assert_eq!(ran.step("connect socket")["done"], 40, "{}", ran.stdout);
        let held = ran.step("hold")["done"].as_f64().expect("holds");
        let heard = ran.step("socket hears")["done"].as_f64().expect("heard");
        assert_eq!(heard, 40.0 * held, "{}", ran.stdout);
    }
}

#[test]
fn a_waiting_room_that_reconnects() {
    let gateway = Gateway::start(30);
    let flags = ["--people", "30", "--duration", "6", "--threshold", "3", "--think", "0.2"];
    let ran = gateway.run("churn", &flags).ended(0);
    assert!(ran.number("/audit/waited") > 0.0, "{}", ran.stdout);
    assert!(ran.number("/audit/let_in") > 3.0, "{}", ran.stdout);
    assert!(ran.step("connect socket")["done"].as_u64() > Some(0), "{}", ran.stdout);
    assert_eq!(ran.number("/failed"), 0.0, "{}", ran.stdout);
}
