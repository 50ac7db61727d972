//! A plain reading of what a store promises and the store that is shipped, on disk and in memory, give the same answers
//! to the same history (`dwarves_testkit::histories`).
#![allow(clippy::unwrap_used, reason = "these are tests, and helpers of tests")]

use std::sync::Arc;

use dwarves_ports::store::SharedStore;
use dwarves_store_sqlite::{InlineStore, SqliteOptions, SqliteStore};
use dwarves_testkit::histories::{NAMES, Siblings, Twin, live_again, live_all, live_fresh};
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng};

mod books;
mod plans;

/// The shipped store on disk.
struct OnDisk {
    directory: tempfile::TempDir,
    store: Option<SharedStore>,
}

impl OnDisk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Some(open(&directory));
        Self { directory, store }
    }
}

impl Twin for OnDisk {
    fn name(&self) -> &'static str {
        "on disk"
    }

    fn store(&self) -> SharedStore {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn restart(&mut self) {
        self.store = None;
        self.store = Some(open(&self.directory));
    }
}

/// The same in memory.
struct Inline(InlineStore);

impl Twin for Inline {
    fn name(&self) -> &'static str {
        "inline"
    }

    fn store(&self) -> SharedStore {
        Arc::new(self.0.clone())
    }

    fn restart(&mut self) {
        self.0 = self.0.reopen().unwrap();
    }

    fn check(&self) -> Result<(), TestCaseError> {
        books::add_up(&self.0)
    }
}

fn twins() -> Vec<Box<dyn Twin>> {
    vec![
        Box::new(OnDisk::new()),
        Box::new(Inline(InlineStore::inline().unwrap())),
    ]
}

fn open(directory: &tempfile::TempDir) -> SharedStore {
    let path = directory.path().join("dwarves.db");
    Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap())
}

#[test]
fn all_stores_answer_the_same() {
    // The same histories every time.
    let seen = live_all(48, TestRng::deterministic_rng(RngAlgorithm::ChaCha), twins);
    eprintln!("{seen:#?}");
    for name in NAMES {
        let times = seen.done.get(name).copied().unwrap_or(0);
        assert!(times >= 5, "{name} was done {times} times only: {seen:?}");
    }
    assert!(seen.refused > 50 && seen.restarts > 50, "{seen:?}");
}

#[test]
fn all_stores_answer_the_same_where_they_once_did_not() {
    live_again(twins);
}

/// Others in every run: a few, or as many as are asked for with PROPTEST_CASES.
#[test]
fn all_stores_answer_the_same_to_fresh_histories() {
    live_fresh(12, twins);
}
