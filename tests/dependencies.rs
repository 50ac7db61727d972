//! What the program is built from: only packages of crates.io, under licences that deny.toml allows.
//!
//! `cargo deny` checks the same and more, but is a program of its own that takes minutes to install. This
//! needs nothing but cargo, so it runs with every `cargo test`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The project's directory.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs: it runs this test");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// Every package in use, on any platform and with all features, and its licence.
///
/// From `cargo tree`: `cargo metadata` also names packages that no feature in use asks for.
fn packages_and_licences() -> Vec<(String, String)> {
    let tree = [
        "tree",
        "--locked",
        "--workspace",
        "--all-features",
        "--target=all",
        "--edges=normal,build,dev",
        "--prefix=none",
        "--no-dedupe",
        "--format={p}|{l}",
    ];
    let lines: BTreeSet<String> = cargo(&tree).lines().map(str::to_owned).collect();
    lines
        .iter()
        // Where test dependencies come round in a circle, cargo shortens the second visit.
        .map(|line| line.trim_end_matches(" (*)"))
        .filter_map(|line| line.rsplit_once('|'))
        .map(|(package, licence)| (package.to_owned(), licence.to_owned()))
        .collect()
}

/// Every package of the lock file, as `cargo metadata` describes it.
fn locked_packages() -> Vec<Value> {
    let json = cargo(&["metadata", "--format-version=1", "--locked", "--all-features"]);
    let mut metadata: Value = serde_json::from_str(&json).expect("cargo metadata prints JSON");
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("cargo metadata lists packages, not {other}"),
    }
}

fn allowed_licences() -> BTreeSet<String> {
    let file = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there and is text");
    let deny: toml::Table = file.parse().expect("deny.toml is TOML");
    let allow = deny["licenses"]["allow"]
        .as_array()
        .expect("licenses.allow is a list");
    let licence = |value: &toml::Value| value.as_str().expect("a licence is a string").to_owned();
    allow.iter().map(licence).collect()
}

/// Whether a licence expression (SPDX, or the older `A/B` for `A OR B`) leaves a choice of allowed licences.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut at = 0;
    any_of(&words, &mut at, allowed) == Some(true) && at == words.len()
}

/// Reads `A OR B ...`; `None` if it is not written as it should be.
fn any_of(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut satisfied = all_of(words, at, allowed)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        satisfied |= all_of(words, at, allowed)?;
    }
    Some(satisfied)
}

/// Reads `A AND B ...`.
fn all_of(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut satisfied = one(words, at, allowed)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        satisfied &= one(words, at, allowed)?;
    }
    Some(satisfied)
}

/// Reads one licence, with its exception if it has one, or an expression in brackets.
fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let satisfied = any_of(words, at, allowed)?;
        let closing = *words.get(*at)?;
        *at += 1;
        return (closing == ")").then_some(satisfied);
    }
    if words.get(*at) != Some(&"WITH") {
        return Some(allowed.contains(word));
    }
    // An exception grants more than the licence does, but it must be allowed by its own name all the same.
    let exception = words.get(*at + 1)?;
    *at += 2;
    Some(allowed.contains(&format!("{word} WITH {exception}")))
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "Zlib"].map(str::to_owned).into_iter().collect();
    for good in [
        "MIT",
        "MIT OR GPL-3.0",
        "GPL-3.0/MIT",
        "(GPL-3.0 OR MIT) AND Zlib",
        "MIT AND Zlib OR GPL-3.0",
        "GPL-2.0 WITH Classpath-exception-2.0 OR MIT",
    ] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "MIT WITH Strange-exception",
        "(MIT OR Zlib) AND GPL-3.0",
        "(MIT",
        "MIT OR",
        "MIT MIT",
    ] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}

#[test]
fn every_package_has_a_licence_that_is_allowed() {
    let allowed = allowed_licences();
    let packages = packages_and_licences();
    let refused: Vec<_> = packages
        .iter()
        .filter(|(_, licence)| !is_allowed(licence, &allowed))
        .collect();
    assert!(
        refused.is_empty(),
        "not among licenses.allow of deny.toml: {refused:#?}"
    );
    assert!(packages.len() > 100, "only {packages:?} were looked at");
}

#[test]
fn every_allowed_licence_is_needed() {
    let packages = packages_and_licences();
    for licence in allowed_licences() {
        let mut others = allowed_licences();
        others.remove(&licence);
        let needed = packages.iter().any(|(_, theirs)| !is_allowed(theirs, &others));
        assert!(needed, "no package needs {licence}; take it out of deny.toml");
    }
}

#[test]
fn every_foreign_package_comes_from_crates_io_in_a_known_version() {
    for package in locked_packages() {
        let (name, source) = (&package["name"], &package["source"]);
        let is_ours = source.is_null();
        assert!(is_ours || source == CRATES_IO, "{name} comes from {source}");
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let is_free = is_ours && dependency["path"].is_null() && dependency["req"] == "*";
            assert!(!is_free, "{name} takes any version of {}", dependency["name"]);
        }
    }
}

/// What each package may name of the project's own, as Cargo sees it: the arrows of ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("dwarves-lanes", &[]),
    ("dwarves-domain", &["lanes"]),
    ("dwarves-ports", &["domain"]),
    ("dwarves-actors", &["domain", "lanes", "ports"]),
    ("dwarves-api-types", &["domain", "ports"]),
    ("dwarves-system", &["domain", "ports"]),
    ("dwarves-peers", &[]),
    ("dwarves-web", &[]),
    ("dwarves-keys", &["domain", "system"]),
    ("dwarves-hashing", &["domain", "lanes", "ports"]),
    ("dwarves-store-postgres", &["domain", "ports"]),
    ("dwarves-store-sqlite", &["domain", "ports"]),
    ("dwarves-devnet", &["domain", "ports"]),
    ("dwarves-node", &["domain", "ports", "system"]),
    ("dwarves-notify", &["domain", "ports"]),
    ("dwarves-evaluator", &["domain", "ports"]),
    (
        "dwarves-miner",
        &["api-types", "domain", "keys", "lanes", "ports", "system"],
    ),
    ("dwarves-relay", &["domain", "peers", "ports"]),
    ("dwarves-link", &["actors", "domain", "ports"]),
    ("dwarves-stratum", &["actors", "domain", "peers", "ports"]),
    (
        "dwarves-http",
        &["actors", "api-types", "domain", "peers", "ports", "web"],
    ),
    (
        "dwarves-synapse",
        &["actors", "api-types", "domain", "http", "ports"],
    ),
    ("dwarves-validators", &["actors", "domain", "http", "ports"]),
    ("dwarves-testkit", &["domain", "ports"]),
];

#[test]
fn packages_know_only_what_lies_below_them() {
    let packages = locked_packages();
    let ours: Vec<&Value> = packages
        .iter()
        .filter(|package| package["source"].is_null() && package["name"] != "dwarves")
        .collect();
    let names: BTreeSet<_> = ours
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let listed: BTreeSet<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, listed, "every package has its line in ARROWS");
    for package in ours {
        let name = package["name"].as_str().unwrap();
        let allowed = ARROWS.iter().find(|(listed, _)| *listed == name).unwrap().1;
        let dependencies = package["dependencies"].as_array().unwrap();
        for dependency in dependencies {
            // What only tests use, or only with the feature `testing`, goes into no program.
            let shipped = dependency["kind"].is_null() && dependency["optional"] == false;
            let Some(theirs) = dependency["name"].as_str().unwrap().strip_prefix("dwarves-") else {
                let is_actix = dependency["name"].as_str().unwrap().starts_with("actix");
                assert!(
                    !(shipped && is_actix) || may_know_actix(name),
                    "{name} knows actix"
                );
                continue;
            };
            assert!(!shipped || allowed.contains(&theirs), "{name} -> {theirs}");
        }
    }
}

/// Actors begin in `dwarves-actors`.
fn may_know_actix(name: &str) -> bool {
    [
        "dwarves-actors",
        "dwarves-stratum",
        "dwarves-link",
        "dwarves-http",
        "dwarves-synapse",
        "dwarves-validators",
    ]
    .contains(&name)
}

#[test]
fn nothing_for_tests_is_in_the_shipped_binary() {
    let tree = |edges: &str| cargo(&["tree", "--locked", "--package=dwarves", "--prefix=none", edges]);
    let shipped = tree("--edges=normal,build,features");
    for of_tests in [
        "feature \"fuzzing\"",
        "feature \"testing\"",
        "dwarves-testkit ",
        "proptest ",
    ] {
        assert!(!shipped.contains(of_tests), "{of_tests} is in {shipped}");
    }
    // These are their names.
    let with_tests = tree("--edges=normal,build,dev,features");
    for of_tests in ["feature \"testing\"", "dwarves-testkit ", "proptest "] {
        assert!(with_tests.contains(of_tests), "{of_tests} is nowhere");
    }
    let packages = locked_packages();
    assert!(
        packages
            .iter()
            .any(|package| package["features"]["fuzzing"].is_array())
    );
}
