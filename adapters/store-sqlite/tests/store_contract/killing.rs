//! Whoever dies or leaves loses nothing that was acknowledged.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use dwarves_ports::store::{Store, Written};
use dwarves_store_sqlite::OpenError;

use super::{OnDisk, commit, furnish, last_sequence, open, refused, shares, units_stored};
use dwarves_testkit::contract::Backend;

/// Runs the ignored test `name` of this binary on a database, with its output to be read.
fn child(name: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", name])
        .env("STORE_CONTRACT_PATH", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the child of another test, which kills it"]
fn child_that_commits_until_it_is_killed() {
    let path = std::env::var("STORE_CONTRACT_PATH").expect("its parent sets this");
    let store = open(Path::new(&path));
    furnish(&store);
    loop {
        let written = commit(&store, vec![shares(3)]).unwrap();
        let [Written::Shares { first, .. }] = written.as_slice() else {
            panic!("one write, one answer");
        };
        // The line begins behind whatever the test harness wrote.
        println!("\nacknowledged {}", first.get() + 2);
    }
}

#[test]
fn a_killed_process_loses_no_acknowledged_share_and_frees_the_database() {
    let backend = OnDisk::fresh();
    for round in 1..=3_u64 {
        let mut child = child("killing::child_that_commits_until_it_is_killed", &backend.path());
        let output = BufReader::new(child.stdout.take().unwrap());
        let numbers = output.lines().map_while(Result::ok);
        let mut numbers = numbers.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok());
        let wait_for = numbers.by_ref().nth(20).expect("the child commits");
        // Another process has it now.
        let error = refused(&backend.path());
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = numbers.last().unwrap_or(wait_for);

        let store = open(&backend.path());
        let stored = last_sequence(&store);
        assert!(
            stored >= acknowledged,
            "round {round}: {acknowledged} were acknowledged, {stored} stored"
        );
        assert_eq!(stored % 3, 0, "commits are whole");
        assert_eq!(u128::from(stored), units_stored(&store, stored));
        // The next child furnishes again: all of it is safe to repeat.
    }
}

#[test]
fn a_copy_of_the_files_taken_while_it_runs_is_whole() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    for _ in 0..10 {
        commit(&store, vec![shares(7)]).unwrap();
    }
    let copy = OnDisk::fresh();
    for suffix in ["", "-wal"] {
        let name = format!("dwarves.db{suffix}");
        let from = backend.directory.path().join(&name);
        std::fs::copy(from, copy.directory.path().join(&name)).unwrap();
    }
    let copied = open(&copy.path());
    assert_eq!(last_sequence(&copied), 70);
    assert_eq!(units_stored(&copied, 70), 70);
}

#[test]
fn a_drop_waits_until_what_was_asked_is_written() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    // Nobody waits for these: they were begun, so they go on.
    for _ in 0..10 {
        drop(store.commit(vec![shares(1_000)]));
    }
    drop(store);
    let left: Vec<_> = std::fs::read_dir(backend.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-wal"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "the log is tidied away");
    assert_eq!(last_sequence(&open(&backend.path())), 10_000);
}
