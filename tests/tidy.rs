//! Holds the shape of the house: imports go down the floors only, never sideways and never in a circle; the runtime,
//! SQL and unsafe code stay where they belong; every file says what it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders of `src`, a floor a line, from the ground up. A folder may import from floors below its own.
const FLOORS: &[&[&str]] = &[
    &["base"],
    &["maildir", "mail", "dns", "sasl", "http"],
    &["store", "registry", "spool", "smtp", "acme", "verify", "sieve", "junk", "net"],
    &["imap", "pop3", "managesieve", "selfcheck", "keyring"],
    &["jmap", "setup"],
    &["service"],
    &["config"],
    &["daemon"],
    &["cli"],
    &["main"],
];

/// Who may name the runtime, and who may speak SQL.
const RUNTIME: &[&str] = &["net", "service", "daemon"];
const SQL: &[&str] = &["store", "registry", "spool"];

/// A source file: where it is, and its text without comments and tests.
struct Source {
    path: PathBuf,
    /// `store`, `store::index`.
    module: Vec<String>,
    raw: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let inner = path.strip_prefix(&root).unwrap().with_extension("");
                let mut module: Vec<String> =
                    inner.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                if module.last().is_some_and(|last| last == "mod") {
                    module.pop();
                }
                let raw = std::fs::read_to_string(&path).unwrap();
                let code = plain(&raw);
                found.push(Source { path, module, raw, code });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// Without comments, and without the tests at the end.
fn plain(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The paths that a file names: every `crate::a::b`, `super::a` and `self::a`, braces opened.
fn paths(source: &Source) -> BTreeSet<Vec<String>> {
    let mut all = BTreeSet::new();
    for word in ["crate::", "super::"] {
        for (at, _) in source.code.match_indices(word) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let base = match word {
                "crate::" => Vec::new(),
                _ => {
                    let mut up = source.module.clone();
                    if !source.path.ends_with("mod.rs") {
                        up.pop();
                    } else if up.pop().is_none() {
                        continue;
                    }
                    up
                }
            };
            read_tree(&source.code[at + word.len()..], base, &mut all);
        }
    }
    all
}

/// Reads `a::{b, c::d}` and adds every path in it.
fn read_tree(text: &str, mut base: Vec<String>, all: &mut BTreeSet<Vec<String>>) {
    let text = text.trim_start();
    if let Some(inner) = text.strip_prefix('{') {
        let (mut depth, mut start) = (1, 0);
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && c == ',') {
                read_tree(&inner[start..at], base.clone(), all);
                start = at + 1;
            }
            if depth == 0 {
                return;
            }
        }
        return;
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return;
    }
    base.push(name.to_owned());
    match rest.strip_prefix("::") {
        Some(rest) => read_tree(rest, base, all),
        None => {
            all.insert(base);
        }
    }
}

fn floor(folder: &str) -> Option<usize> {
    FLOORS.iter().position(|folders| folders.contains(&folder))
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = source.module.first().filter(|name| *name != "lib") else { continue };
        let own_floor = floor(own).unwrap_or_else(|| panic!("src/{own} is on no floor"));
        for path in paths(&source) {
            let Some(other) = path.first().filter(|other| *other != own) else { continue };
            match floor(other) {
                Some(other_floor) if other_floor < own_floor => {}
                Some(_) => {
                    wrong.push(format!("{} imports {}", source.path.display(), path.join("::")));
                }
                // A name of the crate's root that is no folder cannot be: lib.rs defines nothing.
                None => wrong.push(format!("{} names crate::{other}", source.path.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn no_circle_between_files() {
    let sources = sources();
    let modules: BTreeSet<Vec<String>> = sources.iter().map(|s| s.module.clone()).collect();
    let mut graph: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for source in &sources {
        // A door re-exports what is behind it and is not itself imported from there.
        if source.path.ends_with("mod.rs") || source.path.ends_with("lib.rs") {
            continue;
        }
        let edges = graph.entry(source.module.clone()).or_default();
        for path in paths(source) {
            let hit = (1..=path.len())
                .rev()
                .map(|len| path[..len].to_vec())
                .find(|p| modules.contains(p));
            match hit {
                Some(module) if module.len() > 1 && module != source.module => {
                    edges.insert(module);
                }
                Some(module)
                    if module.len() == 1
                        && module[0] == source.module[0]
                        && source.module.len() > 1 =>
                {
                    panic!("{} imports from its own door", source.path.display());
                }
                _ => {}
            }
        }
    }
    let mut done: BTreeSet<Vec<String>> = BTreeSet::new();
    for start in graph.keys() {
        walk(start, &graph, &mut Vec::new(), &mut done);
    }
}

fn walk(
    at: &Vec<String>,
    graph: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
    way: &mut Vec<Vec<String>>,
    done: &mut BTreeSet<Vec<String>>,
) {
    if done.contains(at) {
        return;
    }
    if let Some(from) = way.iter().position(|step| step == at) {
        let circle: Vec<String> = way[from..].iter().map(|step| step.join("::")).collect();
        panic!("a circle: {} and back", circle.join(" -> "));
    }
    way.push(at.clone());
    for next in graph.get(at).into_iter().flatten() {
        walk(next, graph, way, done);
    }
    way.pop();
    done.insert(at.clone());
}

#[test]
fn runtime_sql_and_unsafe_code_stay_where_they_belong() {
    let mut unsafe_places = Vec::new();
    for source in sources() {
        let folder = source.module.first().map_or("", String::as_str);
        let names = |word: &str| {
            source.code.match_indices(word).any(|(at, _)| {
                !source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        };
        let path = source.path.display();
        assert!(!names("smol::") || RUNTIME.contains(&folder), "{path} names the runtime");
        assert!(!names(".await") || RUNTIME.contains(&folder), "{path} awaits");
        assert!(!names("tokio"), "{path} names tokio");
        let reads_dns = source.path.ends_with("dns/wire.rs");
        let names_crate = ["domain::base", "domain::rdata"].iter().any(|path| names(path));
        assert!(reads_dns || !names_crate, "{path} names the crate domain");
        assert!(!names("rusqlite::") || SQL.contains(&folder), "{path} speaks SQL");
        let allowed = source.code.matches("allow(unsafe_code)").count();
        unsafe_places.extend(std::iter::repeat_n(source.path.clone(), allowed));
    }
    assert!(unsafe_places.len() <= 2, "a third place allows unsafe code: {unsafe_places:?}");
}

#[test]
fn every_file_says_what_it_is() {
    for source in sources() {
        assert!(source.raw.starts_with("//!"), "{} does not say what it is", source.path.display());
    }
}

/// The checks themselves can fail.
#[test]
fn a_path_is_read_with_its_braces() {
    let code = "use crate::{base::Input, mail::{self, Card}};\nuse super::x::{Y, z::W};".to_owned();
    let source = Source {
        path: PathBuf::from("src/store/a.rs"),
        module: vec!["store".into(), "a".into()],
        raw: String::new(),
        code,
    };
    let found: Vec<String> = paths(&source).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["base::Input", "mail::Card", "mail::self", "store::x::Y", "store::x::z::W"]);
    assert!(floor("store") > floor("maildir") && floor("nowhere").is_none());
}
