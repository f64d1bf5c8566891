//! A gateway in this process, and the command as a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use reqwest::blocking::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tiketi_gateway::app::{App, Running};
use tiketi_gateway::config::Config;
use tiketi_gateway::rate_limit::RateLimitConfig;
use tokio::runtime::Runtime;

/// A gateway on a free port, with a directory of its own.
pub(crate) struct Gateway {
    runtime: Runtime,
    running: Running,
    http: Client,
    pub(crate) data: TempDir,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Gateway {
    pub(crate) fn start() -> Gateway {
        Gateway::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Gateway {
        Gateway::on(tempfile::tempdir().unwrap(), change)
    }

    /// On the data that an earlier one left.
    pub(crate) fn on(data: TempDir, change: impl FnOnce(&mut Config)) -> Gateway {
        let runtime = Runtime::new().unwrap();
        let mut config = Config::development(data.path());
        config.sample_data = false;
        config.ballast_bytes = 0;
        config.rate_limit = RateLimitConfig::OFF;
        change(&mut config);
        let running = runtime.block_on(App::start(config)).unwrap();
        let http = Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap();
        Gateway { runtime, running, http, data }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Stops in order; the data is then nobody's.
    pub(crate) fn stop(self) -> TempDir {
        self.runtime.block_on(self.running.stop());
        drop(self.runtime);
        self.data
    }

    /// The command against this gateway.
    pub(crate) fn tiketi(&self, arguments: &[&str]) -> Ran {
        let url = self.url();
        let mut all = vec!["--url", url.as_str()];
        all.extend_from_slice(arguments);
        tiketi(&all)
    }

    /// The same with `--json`, which must succeed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend_from_slice(arguments);
        let ran = self.tiketi(&all);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.document()
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let mut request = self.http.post(format!("{}{path}", self.url())).json(body);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let response = request.send().unwrap();
        let status = response.status();
        let body: Value = response.json().unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// A new user's token.
    pub(crate) fn user(&self, email: &str) -> String {
        let body = json!({"email": email, "password": "secret1", "name": "구매자"});
        self.post("/api/auth/register", "", &body)["token"].as_str().unwrap().to_owned()
    }

    /// Makes the example's event with another title and answers with its id.
    pub(crate) fn event(&self, title: &str) -> String {
        self.event_with(title, &[])
    }

    /// The example's event with some of it changed by arguments of `event create`.
    pub(crate) fn event_with(&self, title: &str, change: &[&str]) -> String {
        let file = self.data.path().with_extension(format!("{}.json", title.replace(' ', "-")));
        let example = tiketi(&["event", "create", "--example"]);
        let layout = format!("홀 {title}");
        let text = example.stdout.replace("서울홀 소극장", &layout);
        std::fs::write(&file, text).unwrap();
        let path = file.to_str().unwrap();
        let create = ["event", "create", "--file", path, "--title", title];
        let made = self.json(&[&create[..], change].concat());
        std::fs::remove_file(&file).unwrap();
        made["event"]["id"].as_str().unwrap().to_owned()
    }

    /// Holds seats for a user and answers with the reservation.
    pub(crate) fn reserve(&self, event: &str, labels: &[&str], token: &str) -> Value {
        let map = self.json(&["seat", "map", event]);
        let id = |label: &str| {
            let seats = map["seats"].as_array().unwrap();
            seats.iter().find(|seat| seat["label"] == label).unwrap()["id"].clone()
        };
        let ids: Vec<Value> = labels.iter().map(|label| id(label)).collect();
        let body = json!({"eventId": event, "seatIds": ids});
        self.post("/api/seats/reserve", token, &body)["reservation"].clone()
    }

    /// An order at Toss's simulator for a reservation: its order id, and what the window gives back.
    pub(crate) fn toss_order(&self, reservation: &Value, token: &str) -> (String, Value) {
        let body = json!({"reservationId": reservation["id"]});
        let order = self.post("/api/payments/toss/request", token, &body);
        let (id, amount) = (order["orderId"].clone(), order["amount"].clone());
        let window = json!({"orderId": id, "amount": amount, "method": "card"});
        let key = self.simulator("authenticate", &window)["paymentKey"].clone();
        let confirm = json!({"paymentKey": key, "orderId": id, "amount": amount});
        (id.as_str().unwrap().to_owned(), confirm)
    }

    /// Confirms what the window gave back: paid, or not known yet.
    pub(crate) fn confirm(&self, confirm: &Value, token: &str) {
        self.post("/api/payments/toss/confirm", token, confirm);
    }

    /// A switch of Toss's simulator.
    pub(crate) fn simulator(&self, name: &str, body: &Value) -> Value {
        self.post(&format!("/sandbox/toss/sandbox/{name}"), "", body)
    }

    /// The next calls about an order go wrong at Toss's simulator.
    pub(crate) fn fault(&self, order_id: &str, call: &str, fault: Value, times: u32) {
        let body = json!({"orderId": order_id, "call": call, "fault": fault, "times": times});
        self.simulator("faults", &body);
    }

    pub(crate) fn pay(&self, reservation: &Value, token: &str) {
        let body = json!({"reservationId": reservation["id"], "paymentMethod": "kakao_pay"});
        self.post("/api/payments/process", token, &body);
    }
}

/// The command, without anything of this process's environment that it would read.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiketi"));
    for name in ["TIKETI_URL", "TIKETI_TOKEN", "ADMIN_EMAIL", "ADMIN_PASSWORD", "COLUMNS"] {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

pub(crate) fn tiketi(arguments: &[&str]) -> Ran {
    Ran::of(command(arguments).output().unwrap())
}

/// The command on a directory.
pub(crate) fn on(dir: &Path, arguments: &[&str]) -> Ran {
    let dir = dir.to_str().unwrap();
    let all: Vec<&str> =
        arguments.iter().map(|&argument| if argument == "DIR" { dir } else { argument }).collect();
    tiketi(&all)
}

impl Ran {
    fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON document on stdout.
    pub(crate) fn document(&self) -> Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// One JSON document on each line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Failed with this code, saying so on one line.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, says: &str) {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert!(self.stderr.contains(says), "{says:?} is not in {:?}", self.stderr);
        assert_eq!(self.stderr.trim().lines().count(), 1, "{}", self.stderr);
    }

    #[track_caller]
    pub(crate) fn succeeds(&self) -> &str {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        &self.stdout
    }
}
