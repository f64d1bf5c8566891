//! The built binary: settings, greeting, signals.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn command(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiketi-gateway"));
    // The environment of whoever runs the tests decides nothing.
    command.env_clear().arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]).args(args);
    command
}

fn run(args: &[&str]) -> Output {
    let data = tempfile::tempdir().expect("directory");
    command(data.path(), args).output().expect("run")
}

#[test]
fn wrong_settings_stop_the_start_with_one_line_and_exit_code_2() {
    for (args, named) in [
        (&["--listen=nowhere"][..], "--listen (TIKETI_LISTEN)"),
        (&["--hold-ttl", "never"], "--hold-ttl (TIKETI_HOLD_TTL)"),
        (&["--rate-limit", "some"], "--rate-limit (TIKETI_RATE_LIMIT)"),
        (&["--env", "production"], "JWT_SECRET"),
        (&["--unknown"], "--unknown"),
    ] {
        let output = if args[0].starts_with("--listen") {
            Command::new(env!("CARGO_BIN_EXE_tiketi-gateway"))
                .env_clear()
                .args(args)
                .output()
                .expect("run")
        } else {
            run(args)
        };
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(named), "{text}");
        assert!(output.stdout.is_empty());
    }
    let data = tempfile::tempdir().expect("directory");
    let output = command(data.path(), &[]).env("TIKETI_MAX_SEATS", "0").output().expect("run");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("TIKETI_MAX_SEATS") && text.lines().count() == 1, "{text}");
}

#[test]
fn help_lists_every_setting_and_no_secret() {
    let data = tempfile::tempdir().expect("directory");
    let output =
        command(data.path(), &["--help"]).env("JWT_SECRET", "hunter2").output().expect("run");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success());
    for variable in [
        "TIKETI_LISTEN",
        "TIKETI_DATA",
        "JWT_SECRET",
        "ADMIN_PASSWORD",
        "TIKETI_RATE_LIMIT",
        "TIKETI_MAX_SOCKETS_PER_USER",
        "FRONTEND_URL",
        "PORT",
    ] {
        assert!(text.contains(variable), "{variable}\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_directory_that_is_not_ours_is_one_line() {
    let data = tempfile::tempdir().expect("directory");
    std::fs::write(data.path().join("thesis.txt"), "mine").expect("write");
    let output = command(data.path(), &["--log", "off"]).output().expect("run");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("thesis.txt") && text.lines().count() == 1, "{text}");
}

#[test]
fn an_address_in_use_is_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = taken.local_addr().expect("address").to_string();
    let data = tempfile::tempdir().expect("directory");
    let output = Command::new(env!("CARGO_BIN_EXE_tiketi-gateway"))
        .env_clear()
        .arg("--data")
        .arg(data.path())
        .args(["--listen", &address, "--log", "off"])
        .output()
        .expect("run");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&address) && text.lines().count() == 1, "{text}");
}

/// The child and what it greeted with.
fn start(data: &Path) -> (Child, Vec<String>) {
    let mut child = command(data, &["--log", "off"]).stdout(Stdio::piped()).spawn().expect("start");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut greeting = Vec::new();
    while !greeting.last().is_some_and(|line: &String| line.contains("tiketi --help")) {
        greeting.push(lines.next().expect("a greeting").expect("text"));
    }
    (child, greeting)
}

fn stop(mut child: Child, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("id");
    rustix::process::kill_process(id, signal).expect("signal");
    assert!(child.wait().expect("end").success());
}

#[test]
fn the_greeting_says_what_to_try_and_signals_end_in_order() {
    let data = tempfile::tempdir().expect("directory");
    let (child, greeting) = start(data.path());
    let text = greeting.join("\n");
    for part in ["http://127.0.0.1:", "sample data", "admin@tiketi.gg", "curl "] {
        assert!(text.contains(part), "{text}");
    }
    let secret = std::fs::read(data.path().join("jwt-secret")).expect("secret");
    // Nobody else opens the same data meanwhile.
    let second = command(data.path(), &["--log", "off"]).output().expect("run");
    let error = String::from_utf8(second.stderr).expect("text");
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains("in use") && error.lines().count() == 1, "{error}");
    stop(child, rustix::process::Signal::TERM);
    let (child, _) = start(data.path());
    assert_eq!(std::fs::read(data.path().join("jwt-secret")).expect("secret"), secret);
    stop(child, rustix::process::Signal::INT);
}
