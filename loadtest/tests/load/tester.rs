//! Starts the load tester and reads what it leaves behind.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any run here; only a tester that hangs is ended by it.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a run left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Of `--json`, where the run came so far.
    pub(crate) json: Value,
    pub(crate) report: String,
    pub(crate) directory: TempDir,
}

/// Runs the tester with numbers and report written.
pub(crate) fn run(scenario: &str, target: &str, flags: &[&str]) -> Ran {
    run_at(scenario, &["--target", target], flags)
}

/// The same, with the server of these flags.
pub(crate) fn run_at(scenario: &str, server: &[&str], flags: &[&str]) -> Ran {
    let directory = tempfile::tempdir().expect("directory");
    let file = |name: &str| directory.path().join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiketi-loadtest"));
    command.arg(scenario).args(server).args(flags);
    command.arg("--json").arg(file("run.json")).arg("--report").arg(file("run.html"));
    let (code, stdout, stderr) = finish(command);
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let json = serde_json::from_str(&read(file("run.json"))).unwrap_or_default();
    let report = read(file("run.html"));
    Ran { code, stdout, stderr, json, report, directory }
}

/// Runs a command to its end; one that has none is killed and fails the test.
pub(crate) fn finish(mut command: Command) -> (i32, String, String) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("start");
    let mut out = child.stdout.take().expect("stdout");
    let mut err = child.stderr.take().expect("stderr");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).expect("text");
        text
    });
    let error_reader = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).expect("text");
        text
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("wait") {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().expect("kill");
            panic!("{command:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let (stdout, stderr) = (reader.join().expect("stdout"), error_reader.join().expect("stderr"));
    (status.code().expect("a code"), stdout, stderr)
}

impl Ran {
    /// The run ended so.
    pub(crate) fn ended(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The run could not be made, and one line says why.
    pub(crate) fn could_not(self, why: &str) {
        let ran = self.ended(2);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{why}: {}", ran.stderr);
        assert!(ran.json.is_null() && ran.report.is_empty());
    }

    /// A number of the JSON file, by its path.
    pub(crate) fn number(&self, path: &str) -> f64 {
        let value = self.json.pointer(path);
        value.and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {}", self.json))
    }

    /// The row of a step.
    pub(crate) fn step(&self, name: &str) -> &Value {
        let steps = self.json["steps"].as_array().expect("steps");
        let step = steps.iter().find(|step| step["name"] == name);
        step.unwrap_or_else(|| panic!("no step {name} in {}", self.stdout))
    }

    /// What the auditor said.
    pub(crate) fn findings(&self) -> Vec<&str> {
        let findings = self.json["audit"]["findings"].as_array().expect("findings");
        findings.iter().map(|finding| finding.as_str().expect("text")).collect()
    }
}
