//! Whatever cannot be run is said in one line, with exit code 2, and never waited for.

use std::process::Command;

use crate::shop::{Fault, Shop, stranger};
use crate::tester::{finish, run};

#[test]
fn targets_that_are_none() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let url = format!("http://{}", closed.local_addr().expect("address"));
    drop(closed);
    run("on-sale", &url, &[]).could_not("no connection to the server");
    run("on-sale", "https://127.0.0.1", &[]).could_not("TLS is not spoken");
    run("on-sale", "nonsense", &[]).could_not("expected http://HOST:PORT");
    run("on-sale", "http://no-such-host.invalid", &[]).could_not("nobody knows the name");
}

#[test]
fn servers_that_are_none() {
    for (says, why) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "the server answers nonsense: not HTTP"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "the server answers nonsense"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "128 MiB"),
        ("", "no answer in time"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", "no answer in time"),
    ] {
        let (address, _runtime) = stranger(says);
        let flags = ["--timeout", "0.5"];
        run("on-sale", &format!("http://{address}"), &flags).could_not(why);
    }
}

#[test]
fn servers_that_go_wrong_in_the_middle() {
    let flags = ["--duration", "3", "--rate", "100", "--users", "5", "--timeout", "1"];
    let shop = Shop::open(Fault::TurnsToNonsense);
    run("hot-seats", &shop.url(), &flags).could_not("the server answers nonsense");
    let shop = Shop::open(Fault::Dies);
    run("hot-seats", &shop.url(), &flags).could_not("the end cannot be audited");
}

#[test]
fn refusals_of_the_server() {
    let shop = Shop::open(Fault::None);
    let wrong = ["--admin-password", "wrong"];
    run("on-sale", &shop.url(), &wrong).could_not("was answered 401 BAD_CREDENTIALS");
    let event = ["--event", "00000000-0000-4000-8000-000000000009"];
    run("on-sale", &shop.url(), &event).could_not("was answered 404 NOT_FOUND");
}

#[test]
fn files_that_are_wrong() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("file");
    let path = file.to_str().expect("path");
    for (text, why) in [
        ("rate = 5\nrowz = 3\n", "line 2: unknown field `rowz`"),
        ("rate = \"fast\"\n", "line 1: "),
        ("rate = \n", "line 1: "),
        ("rate = -1\n", "rate is -1 and not"),
        ("sockets = 10\n", "sockets means nothing to on-sale"),
    ] {
        std::fs::write(&file, text).expect("write");
        run("on-sale", "http://127.0.0.1:1", &["--scenario-file", path]).could_not(why);
    }
    let shop = Shop::open(Fault::None);
    std::fs::write(&file, "somebody@example.com\n").expect("write");
    run("on-sale", &shop.url(), &["--tokens", path]).could_not("line 1 has no token");
    std::fs::remove_file(&file).expect("remove");
    run("on-sale", &shop.url(), &["--tokens", path]).could_not("cannot read the tokens");
    run("on-sale", &shop.url(), &["--scenario-file", path]).could_not("cannot read the scenario");
}

#[test]
fn a_scenario_from_a_file() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("rush.toml");
    std::fs::write(&file, "rate = 40\nduration = 1\nhot = 3\nusers = 3\n").expect("write");
    let shop = Shop::open(Fault::None);
    let flags = ["--scenario-file", file.to_str().expect("path"), "--hot", "2"];
    let ran = run("hot-seats", &shop.url(), &flags).ended(0);
    assert_eq!((ran.number("/settings/rate"), ran.number("/settings/hot")), (40.0, 2.0));
}

#[test]
fn too_few_file_descriptors() {
    let flags = ["--connections", "1000000"];
    run("on-sale", "http://127.0.0.1:1", &flags).could_not("RLIMIT_NOFILE allows");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100; exec \"$0\" fan-out --target http://127.0.0.1:1"]);
    let (code, _, stderr) = finish({
        command.arg(env!("CARGO_BIN_EXE_tiketi-loadtest"));
        command
    });
    assert!(code == 2 && stderr.contains("need 1576 file descriptors"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// In a network of its own, in which there are ten ports.
#[test]
fn too_few_ports() {
    let script = "echo '40000 40009' > /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" on-sale \
                  --target http://127.0.0.1:1 --connections 50 --sources 2";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_tiketi-loadtest"));
    let (code, _, stderr) = finish(command);
    let why = "50 connections are more than the 20 ports of 2 local address(es) (40000 to 40009)";
    assert!(code == 2 && stderr.contains(why), "{stderr}");
}
