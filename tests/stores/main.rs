//! The store without a disk and the store that is shipped give the same answers to the same history.
//!
//! The simulation, the block machine and the payout histories run on the first, pools on the second. A history is a
//! list of commits, most of them sensible and some that contradict what is stored, with restarts in between. After each
//! of them everything that can be asked is asked of both.
#![allow(clippy::unwrap_used, reason = "these are tests, and helpers of tests")]

use std::sync::Arc;

use dwarves::store::sqlite::{SqliteOptions, SqliteStore};
use dwarves_actors::store::memory::MemoryStore;
use dwarves_actors::store::{SharedStore, StoreError, Write, Written};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

mod history;
mod questions;
mod writes;

use history::{Draw, History};

/// A store on disk and one in memory.
struct Twins {
    directory: tempfile::TempDir,
    memory: MemoryStore,
    sqlite: SharedStore,
}

impl Twins {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = open(&directory);
        Self {
            directory,
            memory: MemoryStore::new(),
            sqlite,
        }
    }

    fn both(&self) -> [SharedStore; 2] {
        [Arc::new(self.memory.clone()), Arc::clone(&self.sqlite)]
    }

    /// The file is closed and opened again; memory stays.
    fn restart(&mut self) {
        self.sqlite = Arc::new(self.memory.clone());
        self.sqlite = open(&self.directory);
    }

    /// What both answered; `None` if both refused it for the same kind of reason.
    async fn commit(&self, writes: &[Write]) -> Result<Option<Vec<Written>>, TestCaseError> {
        let [memory, sqlite] = self.both();
        let of_memory = memory.commit(writes.to_vec()).await;
        let of_sqlite = sqlite.commit(writes.to_vec()).await;
        // Shares are deleted after the answer, before the next order.
        if writes
            .iter()
            .any(|write| matches!(write, Write::PruneShares { .. }))
        {
            sqlite.commit(Vec::new()).await.unwrap();
        }
        let kind = |result: Result<Vec<Written>, StoreError>| result.map_err(|error| error.kind());
        let (of_memory, of_sqlite) = (kind(of_memory), kind(of_sqlite));
        if of_memory != of_sqlite {
            let difference = questions::difference(&of_memory, &of_sqlite);
            return Err(TestCaseError::fail(format!(
                "{writes:#?}\nis answered with{difference}"
            )));
        }
        Ok(of_memory.ok())
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
    let mut twins = Twins::new();
    let mut history = History::default();
    questions::agree_at_start(&twins.both(), history.now()).await?;
    let begin = history.begin();
    let written = twins.commit(&begin).await?.unwrap();
    history.note(&begin, &written);
    let last = draws.len() - 1;
    for (number, commit) in draws.into_iter().enumerate() {
        if commit.is_empty() {
            twins.restart();
            questions::agree_at_start(&twins.both(), history.now()).await?;
            seen.restarts += 1;
            continue;
        }
        let memory: SharedStore = Arc::new(twins.memory.clone());
        let mut writes = Vec::new();
        for draw in &commit {
            writes.extend(history.write(&memory, draw).await);
        }
        match twins.commit(&writes).await? {
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
            questions::agree(&twins.both(), &history).await?;
        }
    }
    Ok(())
}

#[test]
fn both_stores_answer_the_same() {
    // The same histories every time, or as many random ones as are asked for.
    let asked: Option<u32> = std::env::var("PROPTEST_CASES")
        .ok()
        .map(|cases| cases.parse().unwrap());
    let config = Config {
        cases: asked.unwrap_or(48),
        failure_persistence: None,
        ..Config::default()
    };
    let mut seen = Seen::default();
    let mut runner = match asked {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
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
    eprintln!("{seen:#?}");
    for name in history::NAMES {
        let times = seen.done.get(name).copied().unwrap_or(0);
        assert!(times >= 5, "{name} was done {times} times only: {seen:?}");
    }
    assert!(seen.refused > 50 && seen.restarts > 50, "{seen:?}");
}
