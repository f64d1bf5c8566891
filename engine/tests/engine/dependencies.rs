//! The dependency rule of the workspace: arrows point one way (ARCHITECTURE.md).

use std::path::Path;

/// Package, and the packages of this workspace it may name.
const MAY_IMPORT: &[(&str, &str, &[&str])] = &[
    ("engine", "tiketi-engine", &[]),
    ("persistence", "tiketi-persistence", &["tiketi-engine"]),
    ("gateway", "tiketi-gateway", &["tiketi-engine", "tiketi-persistence"]),
    ("engine/cli", "tiketi-cli", &["tiketi-engine", "tiketi-persistence", "tiketi-gateway"]),
    // The simulator plays on the engine; a gateway is started in tests alone.
    ("loadtest", "tiketi-loadtest", &["tiketi-engine", "tiketi-gateway"]),
    ("benches", "tiketi-benches", &["tiketi-engine", "tiketi-persistence", "tiketi-gateway"]),
];

#[test]
fn packages_import_only_what_they_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (folder, package, allowed) in MAY_IMPORT {
        let manifest = std::fs::read_to_string(root.join(folder).join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{package}\"")), "{folder}");
        for line in manifest.lines() {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if name.starts_with("tiketi-") {
                assert!(allowed.contains(&name), "{package} must not import {name}");
            }
        }
    }
    let members = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (folder, ..) in MAY_IMPORT {
        assert!(members.contains(&format!("\"{folder}\"")), "{folder} is a member");
    }
}

/// Who judges the server knows none of its code: of the load tester the simulator alone does.
#[test]
fn the_load_tester_knows_the_engine_in_its_simulator_alone() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtest/src");
    let mut folders = vec![sources.clone()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path == sources.join("simulate") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                seen += 1;
                let source = std::fs::read_to_string(&path).unwrap();
                for package in ["tiketi_engine", "tiketi_persistence", "tiketi_gateway"] {
                    assert!(!source.contains(package), "{} knows {package}", path.display());
                }
            }
        }
    }
    assert!(seen > 20, "{seen} files were looked at");
}

/// The engine does no I/O, reads no clock and knows no wire format.
#[test]
fn the_engine_depends_on_no_io() {
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let manifest = manifest.unwrap();
    for banned in ["tokio", "hyper", "sled", "serde_json", "postcard", "redis", "rustix"] {
        assert!(!manifest.contains(banned), "the engine imports {banned}");
    }
}
