//! The dependency rule of the workspace: arrows point one way (ARCHITECTURE.md).

use std::path::Path;

/// Package, and the packages of this workspace it may name.
const MAY_IMPORT: &[(&str, &str, &[&str])] = &[
    ("engine", "tiketi-engine", &[]),
    ("persistence", "tiketi-persistence", &["tiketi-engine"]),
    ("gateway", "tiketi-gateway", &["tiketi-engine", "tiketi-persistence"]),
    ("engine/cli", "tiketi-cli", &["tiketi-engine", "tiketi-persistence", "tiketi-gateway"]),
    ("loadtest", "tiketi-loadtest", &["tiketi-gateway"]),
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
