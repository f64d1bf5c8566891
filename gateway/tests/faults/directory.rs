//! Directories that cannot be used: the start ends with code 1 and one line that says why.

use std::fs;
use std::path::Path;

use crate::launch::{Ended, Launch};
use crate::machine;
use crate::shop::{Plan, Positions, Shop};

/// The start is refused with one line that holds these words.
fn refused(ended: Result<crate::launch::Server, Ended>, words: &[&str]) {
    let Err(ended) = ended else { panic!("it started; expected a refusal with {words:?}") };
    assert_eq!(ended.status.code(), Some(1), "{ended}");
    assert_eq!(ended.stderr.lines().count(), 1, "more than one line: {ended}");
    assert!(ended.stderr.starts_with("tiketi-gateway: "), "{ended}");
    for word in words {
        assert!(ended.stderr.contains(word), "no {word:?} in {ended}");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("list");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("entry").file_name().display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn a_directory_in_use_is_refused() {
    let dir = tempfile::tempdir().expect("directory");
    let launch = Launch::new(dir.path());
    let server = launch.must_start();
    let path = dir.path().display().to_string();
    refused(launch.start(), &[&path, "in use"]);
    // The tools see it as well, and the first one is not disturbed.
    for command in [&["audit"][..], &["log", "verify"]] {
        let output = machine::tiketi_on(dir.path(), command);
        assert!(!output.status.success(), "{command:?} on a directory in use: {output:?}");
    }
    Shop::open(&server, Plan::default(), &Positions::default()).expect("it works on");
    server.must_stop();
    launch.must_start().must_stop();
    machine::audit(dir.path());
}

#[test]
fn a_killed_process_leaves_no_lock() {
    let dir = tempfile::tempdir().expect("directory");
    let launch = Launch::new(dir.path());
    for _ in 0..3 {
        launch.must_start().kill();
    }
    launch.must_start().must_stop();
}

#[test]
fn another_version_is_refused_by_its_name() {
    let dir = tempfile::tempdir().expect("directory");
    let launch = Launch::new(dir.path());
    launch.must_start().must_stop();
    let version = dir.path().join("version");
    let text = fs::read_to_string(&version).expect("version");
    let newer = text.replacen("data 1", "data 2", 1);
    assert_ne!(newer, text);
    fs::write(&version, &newer).expect("write");
    refused(launch.start(), &[&version.display().to_string(), "version 2"]);
    assert_eq!(fs::read_to_string(&version).expect("version"), newer, "the file was changed");
    fs::write(&version, text).expect("write");
    launch.must_start().must_stop();
}

#[test]
fn a_version_that_is_gone_is_refused() {
    let dir = tempfile::tempdir().expect("directory");
    let launch = Launch::new(dir.path());
    launch.must_start().must_stop();
    fs::remove_file(dir.path().join("version")).expect("remove");
    refused(launch.start(), &[&dir.path().display().to_string(), "version"]);
}

#[test]
fn another_store_is_refused_by_its_name() {
    let dir = tempfile::tempdir().expect("directory");
    Launch::new(dir.path()).must_start().must_stop();
    refused(Launch::new(dir.path()).store("segments").start(), &["sled", "segments"]);
    Launch::new(dir.path()).must_start().must_stop();
}

#[test]
fn somebody_elses_directory_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("directory");
    fs::write(dir.path().join("thesis.txt"), "precious").expect("write");
    let path = dir.path().display().to_string();
    refused(Launch::new(dir.path()).start(), &[&path, "thesis.txt"]);
    assert_eq!(names(dir.path()), ["thesis.txt"]);
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("data");
    fs::write(&path, "a file").expect("write");
    refused(Launch::new(&path).start(), &[&path.display().to_string()]);
    assert_eq!(fs::read_to_string(&path).expect("read"), "a file");
}
