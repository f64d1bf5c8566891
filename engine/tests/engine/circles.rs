//! No import circle: between the modules of one parent, and all that is in them, arrows point one way.
//!
//! A module and its own children are one thing, as a child sees all of its parent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Packages whose modules are looked at.
const PACKAGES: &[&str] = &["engine", "persistence", "engine/cli", "benches"];

/// A module by the names on the way to it.
type Module = Vec<String>;

/// From each module of one parent to its siblings that it imports, with the import.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn no_modules_import_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for package in PACKAGES {
        let mut modules = BTreeMap::new();
        read(&root.join(package).join("src"), &[], &mut modules);
        assert!(modules.len() > 10, "{package}: {} modules", modules.len());
        if let Some(circle) = circle(&modules) {
            panic!("{package}: {circle}");
        }
    }
}

#[test]
fn a_circle_is_found_and_told() {
    let modules = |sources: &[(&str, &str)]| -> BTreeMap<Module, String> {
        let module = |name: &str| name.split("::").map(str::to_owned).collect();
        sources.iter().map(|(name, source)| (module(name), (*source).to_owned())).collect()
    };
    let one_way = [
        ("seats", "use crate::{ids, money::{Split, ledger::Ledger}};"),
        ("money", "pub use crate::money::ledger::Ledger; use crate::ids::Lsn;"),
        ("money::ledger", "use super::Split; // crate::seats\nuse crate::ids::Lsn;"),
        ("ids", "#[cfg(test)]\nmod tests { use crate::seats; }"),
    ];
    assert_eq!(circle(&modules(&one_way)), None);
    for (module, import) in [
        ("ids", "use crate::money::Split;"),
        ("ids", "fn f() -> crate::money::Split {}"),
        ("ids", "use super::money;"),
        ("money::ledger", "use crate::{ids, seats::{self, Seat}};"),
        ("money::ledger", "use super::super::seats::Seat;"),
    ] {
        let mut sources = one_way.to_vec();
        sources.retain(|(name, _)| *name != module);
        sources.push((module, import));
        let found = circle(&modules(&sources)).unwrap_or_default();
        assert!(found.contains("money ->") && found.contains("-> money"), "{import}: {found}");
    }
}

/// Every module below a folder, by name, and its source.
fn read(folder: &Path, parent: &[String], modules: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module: Module = parent.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            read(&path, &module, modules);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let module = match name.as_str() {
                "mod" => parent.to_vec(),
                // They stand above all others.
                "lib" | "main" => continue,
                _ => module,
            };
            modules.insert(module, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The arrows of a circle, where there is one.
fn circle(modules: &BTreeMap<Module, String>) -> Option<String> {
    let mut by_parent: BTreeMap<Module, Arrows> = BTreeMap::new();
    for (module, source) in modules {
        for import in imports(module, source) {
            let shared = module.iter().zip(&import).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (module.get(shared), import.get(shared)) else { continue };
            if modules.keys().any(|other| other.starts_with(&import[..=shared])) {
                let arrows = by_parent.entry(module[..shared].to_vec()).or_default();
                let told = format!("{} imports {}", module.join("::"), import.join("::"));
                arrows.entry(from.clone()).or_default().entry(to.clone()).or_insert(told);
            }
        }
    }
    by_parent.values().find_map(|arrows| {
        let mut done = BTreeSet::new();
        arrows.keys().find_map(|start| walk(arrows, start, &mut Vec::new(), &mut done))
    })
}

/// Follows the arrows from a module on; the way back to one that is on the way is a circle.
fn walk(
    arrows: &Arrows,
    module: &str,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<String> {
    if let Some(begin) = way.iter().position(|one| one == module) {
        let mut circle = way[begin..].to_vec();
        circle.push(module.to_owned());
        let imports = circle.windows(2).map(|pair| arrows[&pair[0]][&pair[1]].as_str());
        let imports: Vec<&str> = imports.collect();
        return Some(format!("{}: {}", circle.join(" -> "), imports.join("; ")));
    }
    if !done.insert(module.to_owned()) {
        return None;
    }
    way.push(module.to_owned());
    let found = arrows
        .get(module)
        .into_iter()
        .flat_map(BTreeMap::keys)
        .find_map(|next| walk(arrows, next, way, done));
    way.pop();
    found
}

/// The full name of everything that a source names from `crate::` or `super::` on.
fn imports(module: &[String], source: &str) -> Vec<Module> {
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or("")).fold(
        String::new(),
        |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        },
    );
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let is_word_before = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if !is_word_before && !code[..at].ends_with("super::") {
            names(&code[at..], &[], &mut found);
        }
    }
    found.into_iter().map(|name| from_the_top(module, name)).collect()
}

/// Reads one tree of names, such as `crate::money::{self, ledger::Ledger}`; how much of the text it is.
fn names(text: &str, prefix: &[String], found: &mut Vec<Module>) -> usize {
    let (mut name, mut at) = (prefix.to_vec(), 0);
    loop {
        let rest = &text[at..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut inner = 0;
            loop {
                let skipped = group[inner..].find(|c: char| !c.is_whitespace() && c != ',');
                inner += skipped.unwrap_or(group.len() - inner);
                if inner >= group.len() || group[inner..].starts_with('}') {
                    return at + inner + 2;
                }
                inner += names(&group[inner..], &name, found).max(1);
            }
        }
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        name.push(rest[..word].to_owned());
        at += word;
        match text[at..].strip_prefix("::") {
            Some(_) => at += 2,
            None => {
                found.push(name);
                return at;
            }
        }
    }
}

fn from_the_top(module: &[String], name: Module) -> Module {
    let mut full = module.to_vec();
    for part in name {
        match part.as_str() {
            "crate" => full.clear(),
            "super" => drop(full.pop()),
            "self" | "" => {}
            _ => full.push(part),
        }
    }
    full
}
