//! Arrows between files: within a package no two modules need each other, and the actors know only those below them.
//!
//! `tests/dependencies.rs` says the same of packages, which Cargo sees. This reads the sources: `use` trees and paths
//! that begin with `crate`, `super` or `self`, and what `pub use` hands on. It does not see methods, macros, or names
//! that a glob brings in. That a file names what its parent holds, or the other way round, is how modules are written;
//! among modules that stand side by side, with all that is inside them, arrows run one way. Tests are left out.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

/// The modules of `dwarves-actors`, from the ground up: each knows only those before it.
const ACTORS: &str = "wall_time meter spans control audit ask metagraph news live_work ledger notices setting gate http_gate \
    block_tracker miner_manager work_manager paymaster identity time_keeper notary reward_distributor work_evaluator \
    exporter chainless notifier miner_notifier pool_manager handlers assembly";

/// The project's directory.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The place of a file among the modules of its package: `["miner", "api"]` for `crate::miner::api`.
type Module = Vec<String>;

/// The modules of a package, and what each takes from which.
struct Package {
    sources: BTreeMap<Module, String>,
    /// What a module hands on under a name of its own.
    handed_on: BTreeMap<(Module, String), Module>,
}

impl Package {
    fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        read_files(root, &mut Vec::new(), &mut files);
        Self::of(files)
    }

    fn of(mut files: BTreeMap<Module, String>) -> Self {
        let only_tests =
            Regex::new(r"#\[cfg\((?:test|any\(test[^\]]*)\)\]\s*(?:pub(?:\([a-z]+\))? )?mod (\w+);").unwrap();
        let mut of_tests = BTreeSet::new();
        for (module, text) in &files {
            for found in only_tests.captures_iter(text) {
                of_tests.insert(child(module, &found[1]));
            }
        }
        files.retain(|module, _| !(0..=module.len()).any(|end| of_tests.contains(&module[..end])));
        let mut package = Self {
            sources: files.into_iter().map(|(at, text)| (at, bare(&text))).collect(),
            handed_on: BTreeMap::new(),
        };
        let public = Regex::new(r"\bpub(?:\([a-z]+\))? use ([^;]+);").unwrap();
        for (module, text) in &package.sources {
            for path in public.captures_iter(text).flat_map(|found| paths(&found[1])) {
                if let (Some(path), Some(name)) = (package.absolute(module, &path), path.last()) {
                    package.handed_on.insert((module.clone(), name.clone()), path);
                }
            }
        }
        package
    }

    /// A path from the package's root, if it is one of the package.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let first = path.first()?;
        let mut from = match first.as_str() {
            "crate" => Vec::new(),
            "super" => module[..module.len().checked_sub(ups)?].to_vec(),
            "self" => module.clone(),
            _ if self.sources.contains_key(&child(module, first)) => child(module, first),
            _ => return None,
        };
        from.extend_from_slice(&path[ups.max(1)..]);
        Some(from)
    }

    /// In which file a path ends, and at which name in it.
    fn place_of(&self, path: &[String]) -> Option<(Module, String)> {
        let end = (0..=path.len())
            .rev()
            .find(|end| self.sources.contains_key(&path[..*end]))?;
        let (module, name) = (path[..end].to_vec(), path.get(end)?.clone());
        match self.handed_on.get(&(module.clone(), name.clone())) {
            Some(further) if further != path => self.place_of(further),
            _ => Some((module, name)),
        }
    }

    /// Every arrow from one file to another, with the name that it takes.
    fn arrows(&self) -> Vec<(Module, Module, String)> {
        let used = Regex::new(r"\buse ([^;]+);").unwrap();
        let named = Regex::new(r"\b(?:crate|super)(?:::\w+)+").unwrap();
        let mut arrows = Vec::new();
        for (module, text) in &self.sources {
            let inline = named.find_iter(text).map(|found| found.as_str().to_owned());
            let trees = used.captures_iter(text).map(|found| found[1].to_owned());
            for path in inline.chain(trees).flat_map(|tree| paths(&tree)) {
                let place = self.absolute(module, &path).and_then(|path| self.place_of(&path));
                arrows.extend(place.map(|(to, name)| (module.clone(), to, name)));
            }
        }
        arrows
    }
}

fn child(module: &[String], name: &str) -> Module {
    [module, &[name.to_owned()]].concat()
}

/// Every file below `folder`, by its module.
fn read_files(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_own = ["mod", "lib", "main"].contains(&name.as_str());
        if path.is_dir() {
            module.push(name);
            read_files(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            module.extend((!is_own).then_some(name));
            let text = std::fs::read_to_string(&path).unwrap();
            files.entry(module.clone()).or_default().push_str(&text);
            module.truncate(module.len() - usize::from(!is_own));
        }
    }
}

/// The text without comments, and without what only tests see: a module of them is a file's last part.
fn bare(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join("\n");
    let tests = Regex::new(r"#\[cfg\(test\)\]\s*(?:pub )?mod \w+ \{").unwrap();
    let end = tests.find(&text).map_or(text.len(), |found| found.start());
    text[..end].to_owned()
}

/// The paths of a `use` tree: `a::{b, c::d as e}` is `a::b` and `a::c::d`.
fn paths(tree: &str) -> Vec<Module> {
    let tree = tree.trim();
    let Some((before, inside)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let parts = path.split("::").map(|part| part.trim().to_owned());
        return vec![parts.filter(|part| !part.is_empty() && part != "*").collect()];
    };
    let inside = inside.strip_suffix('}').unwrap_or(inside);
    let (mut depth, mut branches) = (0, vec![String::new()]);
    for c in inside.chars() {
        match c {
            ',' if depth == 0 => branches.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                branches.last_mut().unwrap().push(c);
            }
        }
    }
    let branches = branches.iter().filter(|branch| !branch.trim().is_empty());
    branches
        .flat_map(|branch| paths(&format!("{before}{}", branch.trim())))
        .collect()
}

/// What two modules are called, and what the first takes from the second.
type Among = BTreeMap<(String, String), String>;

/// Arrows among modules that stand side by side, by their parent.
fn side_by_side(arrows: &[(Module, Module, String)]) -> BTreeMap<Module, Among> {
    let mut all: BTreeMap<Module, Among> = BTreeMap::new();
    for (from, to, name) in arrows {
        let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        if let (Some(a), Some(b)) = (from.get(common), to.get(common)) {
            let said = format!("{} takes {name} from {}", from.join("::"), to.join("::"));
            let among = all.entry(from[..common].to_vec()).or_default();
            among.entry((a.clone(), b.clone())).or_insert(said);
        }
    }
    all
}

/// The arrows that are part of a circle.
fn circles(among: &Among) -> Vec<&String> {
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(at) = left.pop() {
            let next = among.keys().filter(|(a, _)| a == at).map(|(_, b)| b.as_str());
            left.extend(next.filter(|b| seen.insert(*b)));
        }
        seen.contains(to)
    };
    let in_circle = among.iter().filter(|((a, b), _)| reaches(b, a));
    in_circle.map(|(_, said)| said).collect()
}

#[test]
fn no_two_modules_of_a_package_need_each_other() {
    let adapters = std::fs::read_dir(Path::new(ROOT).join("adapters")).unwrap();
    let mut sources: Vec<_> = adapters.map(|entry| entry.unwrap().path().join("src")).collect();
    sources.extend(
        ["domain/src", "ports/src", "actors/src", "testkit/src", "src"]
            .map(|part| Path::new(ROOT).join(part)),
    );
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for source in sources {
        let arrows = Package::read(&source).arrows();
        looked_at += arrows.len();
        for among in side_by_side(&arrows).values() {
            found.extend(
                circles(among)
                    .into_iter()
                    .map(|said| format!("{}: {said}", source.display())),
            );
        }
    }
    assert!(found.is_empty(), "these run in circles: {found:#?}");
    assert!(looked_at > 2_000, "only {looked_at} arrows were seen");
}

#[test]
fn actors_know_only_those_below_them() {
    let package = Package::read(&Path::new(ROOT).join("actors/src"));
    let there: BTreeSet<_> = package
        .sources
        .keys()
        .filter_map(|module| Some(module.first()?.as_str()))
        .collect();
    let listed = ACTORS.split(' ').collect();
    assert_eq!(there, listed, "every module has its place in ACTORS");
    let arrows = side_by_side(&package.arrows());
    let floor = |name: &str| ACTORS.split(' ').position(|listed| listed == name);
    let up = arrows[&Vec::new()]
        .iter()
        .filter(|((from, to), _)| floor(from) < floor(to));
    let up: Vec<_> = up.map(|(_, said)| said).collect();
    assert!(up.is_empty(), "these run upward: {up:#?}");
}

#[test]
fn a_circle_and_where_a_name_comes_from_are_seen() {
    let of_tests = "#[cfg(test)]\nmod tests { use super::super::a::Tested; }";
    let sources = [
        (
            "a",
            "use super::b::{self, deep::{Two as Three}};\npub use crate::c::Handed;",
        ),
        ("b", &format!("// use super::a::Commented;\n{of_tests}")),
        ("c", "fn c() { crate::d::call() }"),
        ("d", "use crate::a::Handed;\nuse super::a::Own;"),
    ];
    let files = sources.map(|(module, text)| (vec![module.to_owned()], text.to_owned()));
    let arrows = side_by_side(&Package::of(files.into()).arrows());
    let expected = [
        "a takes Handed from c",
        "c takes call from d",
        "d takes Own from a",
        "d takes Handed from c",
    ];
    assert_eq!(circles(&arrows[&Vec::new()]), expected);
}
