//! Tells the program which commit it is built from, for `dwarves --version`.
//!
//! Packages, which are often built without git, say it in the environment variable DWARVES_COMMIT.

use std::env;
use std::path::Path;
use std::process::Command;

/// How many digits of a commit's hash are shown.
const SHOWN_LEN: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DWARVES_COMMIT");
    let commit = match env::var("DWARVES_COMMIT") {
        Ok(named) if !named.trim().is_empty() => named.trim().to_owned(),
        _ => of_git().unwrap_or_else(|| "unknown".to_owned()),
    };
    assert!(
        !commit.contains(char::is_control),
        "DWARVES_COMMIT must be one line, not {commit:?}"
    );
    println!("cargo::rustc-env=DWARVES_COMMIT={commit}");
}

/// What git says, if this directory is the top of a repository: sources may lie in one of somebody else.
fn of_git() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    // What changes with every commit and with every other branch. A file that is not there would have this run every
    // time: a branch's own is missing while it is packed. In a linked work tree each is somewhere else.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"];
    for name in names.into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let mut commit = git(&["rev-parse", "HEAD"])?;
    commit.truncate(SHOWN_LEN);
    Some(commit)
}

/// What git answers, if it answers at all.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| answer.trim().to_owned())
}
