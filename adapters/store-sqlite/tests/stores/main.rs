//! A plain reading of what a store promises and the store that is shipped, on disk and in memory, give the same answers
//! to the same history.
//!
//! A history is a list of commits, most of them sensible and some that contradict what is stored, with restarts in
//! between. After each of them everything that can be asked is asked of all.
#![allow(clippy::unwrap_used, reason = "these are tests, and helpers of tests")]

use std::sync::Arc;

use crate::plain::PlainStore;
use dwarves_ports::store::{SharedStore, Store, StoreError, Write, Written};
use dwarves_store_sqlite::{InlineStore, SqliteOptions, SqliteStore};
use dwarves_testkit::fresh_seeds;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

mod books;
mod history;
mod plain;
mod plans;
mod questions;
mod writes;

use history::{Draw, History};

/// The plain reading, and the shipped store on disk and in memory.
struct Triplets {
    directory: tempfile::TempDir,
    plain: PlainStore,
    on_disk: SharedStore,
    inline: InlineStore,
}

impl Triplets {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let on_disk = open(&directory);
        Self {
            directory,
            plain: PlainStore::new(),
            on_disk,
            inline: InlineStore::inline().unwrap(),
        }
    }

    fn plain(&self) -> SharedStore {
        Arc::new(self.plain.clone())
    }

    fn all(&self) -> [SharedStore; 3] {
        [
            self.plain(),
            Arc::clone(&self.on_disk),
            Arc::new(self.inline.clone()),
        ]
    }

    /// The databases are closed and opened again; what is plain stays.
    fn restart(&mut self) {
        self.on_disk = self.plain();
        self.on_disk = open(&self.directory);
        self.inline = self.inline.reopen().unwrap();
    }

    /// What all answered; `None` if all refused it for the same kind of reason.
    async fn commit(&self, writes: &[Write]) -> Result<Option<Vec<Written>>, TestCaseError> {
        let kind = |result: Result<Vec<Written>, StoreError>| result.map_err(|error| error.kind());
        let of_plain = kind(self.plain.commit(writes.to_vec()).await);
        let is_pruning = |write| matches!(write, &Write::PruneShares { .. });
        for (store, which) in [(&self.on_disk, "on disk"), (&self.all()[2], "inline")] {
            let answer = kind(store.commit(writes.to_vec()).await);
            if answer != of_plain {
                let difference = questions::difference(&of_plain, which, &answer);
                return Err(TestCaseError::fail(format!(
                    "{writes:#?}\nis answered with{difference}"
                )));
            }
            // Shares are deleted after the answer, before the next order.
            if writes.iter().any(is_pruning) {
                store.commit(Vec::new()).await.unwrap();
            }
        }
        Ok(of_plain.ok())
    }
}

fn open(directory: &tempfile::TempDir) -> SharedStore {
    let path = directory.path().join("dwarves.db");
    Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap())
}

/// How often each kind of write was done, and how often a commit was refused.
#[derive(Debug, Default)]
struct Seen {
    done: std::collections::BTreeMap<&'static str, u64>,
    refused: u64,
    restarts: u64,
}

async fn live(draws: Vec<Vec<Draw>>, seen: &mut Seen) -> Result<(), TestCaseError> {
    let mut triplets = Triplets::new();
    let mut history = History::default();
    questions::agree_at_start(&triplets.all(), history.now()).await?;
    let begin = history.begin();
    let written = triplets.commit(&begin).await?.unwrap();
    history.note(&begin, &written);
    let last = draws.len() - 1;
    for (number, commit) in draws.into_iter().enumerate() {
        if commit.is_empty() {
            triplets.restart();
            questions::agree_at_start(&triplets.all(), history.now()).await?;
            seen.restarts += 1;
            continue;
        }
        let plain = triplets.plain();
        let mut writes = Vec::new();
        for draw in &commit {
            writes.extend(history.write(&plain, draw).await);
        }
        // The numbers of workers that a store forgets with old shares are given to nobody again, which is known once this is
        // noted.
        let pruning = writes
            .iter()
            .position(|write| matches!(write, Write::PruneShares { .. }));
        writes.truncate(pruning.map_or(writes.len(), |place| place + 1));
        match triplets.commit(&writes).await? {
            Some(written) => {
                history.note(&writes, &written);
                for write in &writes {
                    *seen.done.entry(write.name()).or_default() += 1;
                }
            }
            None => seen.refused += 1,
        }
        // There are many questions, so they are not asked every time.
        if number % 4 == 0 || number == last {
            questions::agree(&triplets.all(), &history).await?;
            books::add_up(&triplets.inline)?;
        }
    }
    Ok(())
}

/// Histories from this source: how many are lived, and of what kinds of writes they were made.
fn live_all(cases: u32, rng: TestRng) -> Seen {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut seen = Seen::default();
    let mut runner = TestRunner::new_with_rng(config, rng);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let commit = prop_oneof![1 => Just(Vec::new()), 15 => vec(any::<Draw>(), 1..4)];
    let histories = vec(commit, 1..80);
    // The runner wants a closure that it may call again while it shrinks; what is seen is only told.
    let told = std::cell::RefCell::new(&mut seen);
    let outcome = runner.run(&histories, |draws| {
        let mut seen = told.borrow_mut();
        runtime.block_on(live(draws, &mut seen))
    });
    if let Err(TestError::Fail(why, draws)) = outcome {
        panic!("{why}\nafter these kinds of writes and numbers: {draws:?}");
    }
    seen
}

#[test]
fn all_stores_answer_the_same() {
    // The same histories every time.
    let seen = live_all(48, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    eprintln!("{seen:#?}");
    for name in history::NAMES {
        let times = seen.done.get(name).copied().unwrap_or(0);
        assert!(times >= 5, "{name} was done {times} times only: {seen:?}");
    }
    assert!(seen.refused > 50 && seen.restarts > 50, "{seen:?}");
}

/// Others in every run: a few, or as many as are asked for with PROPTEST_CASES.
#[test]
fn all_stores_answer_the_same_to_fresh_histories() {
    let asked = std::env::var("PROPTEST_CASES").map(|cases| cases.parse().unwrap());
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&fresh_seeds(1).start.to_le_bytes());
    live_all(
        asked.unwrap_or(12),
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    );
}
