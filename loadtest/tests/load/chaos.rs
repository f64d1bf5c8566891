//! Chaos around the built gateway: nothing that it acknowledged is lost by it, and a server that
//! loses something is caught.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::tester::{Ran, finish, run_at};

/// A binary of the workspace, which the build puts beside the tester's.
fn built(name: &str, package: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_tiketi-loadtest")).with_file_name(name);
    assert!(path.is_file(), "{} is missing: cargo build -p {package}", path.display());
    path
}

fn gateway() -> PathBuf {
    built("tiketi-gateway", "tiketi-gateway")
}

fn run(scenario: &str, flags: &[&str]) -> Ran {
    gateway();
    built("tiketi", "tiketi-cli");
    run_at(scenario, &[], flags)
}

const SALE: [&str; 20] = [
    "--rate",
    "12",
    "--give-up",
    "0",
    "--think",
    "0.1",
    "--threshold",
    "3",
    "--drain",
    "15",
    "--timeout",
    "3",
    "--cancel",
    "0.2",
    "--sections",
    "2",
    "--rows",
    "10",
    "--seats-per-row",
    "20",
];

/// Where nobody has to wait in line: a server hashes a password for each.
const FEW: [&str; 2] = ["--users", "8"];

#[test]
fn every_kind_of_fault_and_nothing_is_lost() {
    let flags = ["--chaos", "--chaos-every", "1.5", "--duration", "8", "--seed", "3"];
    let users = ["--users", "60"];
    let ran = run("on-sale", &[&SALE[..], &flags, &users].concat()).ended(0);
    assert_eq!(ran.findings(), [""; 0]);
    let faults = ran.json["chaos"]["faults"].as_array().expect("faults");
    let has = |kind: &str| faults.iter().any(|fault| fault["kind"] == kind);
    let is_disk_possible = !ran.stdout.contains("note: no disk is filled");
    for kind in ["kill", "pause", "cut", "slow"] {
        assert!(has(kind), "{kind}: {}", ran.stdout);
    }
    assert_eq!(has("disk"), is_disk_possible, "{}", ran.stdout);
    assert!(ran.number("/chaos/restarts") >= 1.0 && ran.number("/chaos/away_seconds") > 0.0);
    let (paid, waited) = (ran.number("/audit/paid"), ran.number("/audit/waited"));
    assert!(paid >= 10.0 && waited > 0.0, "{}", ran.stdout);
    // People felt it, and went on.
    assert!(ran.number("/failed") > 0.0 && ran.json["codes"]["cut off"].as_u64() > Some(0));
    assert_eq!(ran.number("/chaos/log_audit_exit"), 0.0);
    assert!(ran.stdout.contains("tiketi audit: no findings"), "{}", ran.stdout);
    assert!(ran.stdout.contains("nothing found"), "{}", ran.stdout);
    assert!(ran.report.contains("class=\"mark\"") && ran.report.contains("<h2>Chaos</h2>"));
}

/// The same seed does the same at the same moments.
#[test]
fn a_seed_decides_the_faults() {
    let plan = || {
        let flags =
            ["--chaos", "cut,kill", "--chaos-every", "0.5", "--duration", "2", "--seed", "5"];
        let ran = run("on-sale", &[&SALE[..], &flags, &FEW].concat()).ended(0);
        let faults = ran.json["chaos"]["faults"].as_array().cloned().expect("faults");
        faults.into_iter().map(|fault| (fault["kind"].clone(), fault["planned"].clone())).collect()
    };
    let first: Vec<_> = plan();
    let second: Vec<_> = plan();
    // The last ones may come after everybody has gone.
    assert!(first.len() >= 2 && second.len() >= 2, "{first:?} {second:?}");
    assert!(first.iter().zip(&second).all(|(a, b)| a == b), "{first:?} {second:?}");
}

/// A server in a script of its own around the gateway. `$data` is its data directory.
fn wrapped(directory: &TempDir, script: &str) -> String {
    let path = directory.path().join("server");
    let gateway = gateway();
    let text = format!(
        "#!/bin/sh\nfor word; do data=$word; done\n{script}\nexec {} \"$@\"\n",
        gateway.display()
    );
    std::fs::write(&path, text).expect("write");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("executable");
    path.to_str().expect("path").to_owned()
}

fn caught(script: &str, kinds: &str, what: &str) {
    let directory = tempfile::tempdir().expect("directory");
    let server = wrapped(&directory, script);
    let flags = ["--chaos", kinds, "--chaos-every", "2", "--duration", "4", "--seed", "2"];
    let flags = [&SALE[..], &flags, &FEW, &["--server", &server]].concat();
    let ran = run("on-sale", &flags).ended(1);
    let findings = ran.findings();
    assert!(findings.iter().any(|finding| finding.contains(what)), "{what}: {findings:?}");
    assert!(ran.stdout.contains("FOUND: "), "{}", ran.stdout);
}

#[test]
fn a_server_that_forgets_everything_is_caught() {
    caught("rm -rf \"$data\"/*", "kill", "the end cannot be audited");
}

#[test]
fn a_server_that_loses_its_log_is_caught() {
    caught("rm -rf \"$data\"/log", "kill", "the server does not come back");
}

#[test]
fn a_server_that_ends_by_itself_is_caught() {
    // Started over a directory that is there, it leaves after a while.
    let script = "[ -e \"$data\" ] && sh -c 'sleep 1; kill -9 $1' x $$ > /dev/null &";
    caught(script, "kill", "the server ended");
}

#[test]
fn bad_input() {
    let refused = |flags: &[&str], why: &str| run_at("on-sale", &[], flags).could_not(why);
    refused(&["--chaos", "--server", "/no/such"], "--server /no/such: there is no such program");
    refused(&["--chaos", "--cli", "/no/such"], "--cli /no/such: there is no such program");
    refused(&["--chaos", "--target", "http://127.0.0.1:1"], "--target means nothing with --chaos");
    refused(&["--chaos", "kill,fire"], "not \"fire\"");
    refused(&["--chaos", "kill,kill"], "kill twice");
    refused(&["--chaos", "--chaos-every", "0"], "chaos-every is 0 and not 0.5 to 3600");
    refused(&["--chaos-every", "3"], "--chaos-every means nothing without --chaos");
    refused(&["--server", "/bin/true"], "--server means nothing without --chaos");
    refused(&["--chaos", "--server", "/bin/false"], "the server ended (exit status: 1)");
    refused(&["--chaos", "--server", "/etc/passwd"], "cannot start /etc/passwd");
}

/// Whoever ends the tester leaves nothing behind.
#[test]
fn nothing_stays_behind() {
    gateway();
    let temporary = tempfile::tempdir().expect("directory");
    let pid_file = temporary.path().join("pid");
    let server = wrapped(&temporary, &format!("echo $$ > {}", pid_file.display()));
    let script = "\"$@\" & tester=$!; while [ ! -s \"$0\" ]; do sleep 0.1; done; sleep 1; \
                  kill -TERM $tester; wait $tester";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(&pid_file).arg(env!("CARGO_BIN_EXE_tiketi-loadtest"));
    command.args(["on-sale", "--chaos", "--server", &server]).env("TMPDIR", temporary.path());
    let (code, _, stderr) = finish(command);
    assert!(code == 2 && stderr.contains("interrupted"), "{code} {stderr}");
    let pid = std::fs::read_to_string(&pid_file).expect("a process id");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "{pid} is still there");
    let left = std::fs::read_dir(temporary.path()).expect("directory");
    let left: Vec<_> = left.map(|entry| entry.expect("entry").file_name()).collect();
    assert!(left.iter().all(|name| name == "pid" || name == "server"), "{left:?}");
}
