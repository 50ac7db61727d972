//! Random histories to which a plain reading of what a store promises and every store that is shipped must give the same
//! answers.
//!
//! A history is a list of commits, most of them sensible and some that contradict what is stored, with restarts in
//! between. After each of them everything that can be asked is asked of all.
//!
//! | module | its one job |
//! |---|---|
//! | `plain` | the plain reading, without a database |
//! | [`history`] | what a history has come to, and what is drawn for it |
//! | `writes` | what is drawn, as writes |
//! | [`questions`] | everything that can be asked |
#![allow(clippy::unwrap_used, reason = "these are tests, which other packages run")]

use std::collections::BTreeMap;
use std::sync::Arc;

use dwarves_ports::store::{SharedStore, Store as _, StoreError, Write, Written};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRng, TestRunner};

pub mod history;
mod plain;
pub mod questions;
mod writes;

pub use history::{Draw, History, NAMES};
use plain::PlainStore;

/// A store with what it is called.
pub type Named = (&'static str, SharedStore);

/// A store that is shipped, which can be opened again and again.
pub trait Twin {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// The store as it is open now.
    fn store(&self) -> SharedStore;

    /// Closes it and opens it again.
    fn restart(&mut self);

    /// Whether its books add up, read past the store.
    ///
    /// # Errors
    /// What does not add up.
    fn check(&self) -> Result<(), TestCaseError> {
        Ok(())
    }
}

/// The plain reading, and stores that are shipped.
pub struct Siblings {
    plain: PlainStore,
    /// The others, in the order in which they are asked.
    pub twins: Vec<Box<dyn Twin>>,
}

impl Siblings {
    /// All of them new and empty.
    pub fn new(twins: Vec<Box<dyn Twin>>) -> Self {
        Self {
            plain: PlainStore::new(),
            twins,
        }
    }

    /// The plain reading.
    pub fn plain(&self) -> SharedStore {
        Arc::new(self.plain.clone())
    }

    /// All of them, the plain reading first.
    pub fn all(&self) -> Vec<Named> {
        let twins = self.twins.iter().map(|twin| (twin.name(), twin.store()));
        std::iter::once(("plain", self.plain())).chain(twins).collect()
    }

    /// What is shipped is closed and opened again; what is plain stays.
    fn restart(&mut self) {
        for twin in &mut self.twins {
            twin.restart();
        }
    }

    /// What all answered; `None` if all refused it for the same kind of reason.
    ///
    /// # Errors
    /// Where they differ.
    ///
    /// # Panics
    /// If a store does not take an empty commit.
    pub async fn commit(&self, writes: &[Write]) -> Result<Option<Vec<Written>>, TestCaseError> {
        let kind = |result: Result<Vec<Written>, StoreError>| result.map_err(|error| error.kind());
        let of_plain = kind(self.plain.commit(writes.to_vec()).await);
        let is_pruning = |write| matches!(write, &Write::PruneShares { .. });
        for twin in &self.twins {
            let store = twin.store();
            let answer = kind(store.commit(writes.to_vec()).await);
            if answer != of_plain {
                let difference = questions::difference(&of_plain, twin.name(), &answer);
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

/// How often each kind of write was done, and how often a commit was refused.
#[derive(Debug, Default)]
pub struct Seen {
    /// Writes by their names.
    pub done: BTreeMap<&'static str, u64>,
    /// Commits that were refused.
    pub refused: u64,
    /// How often all were opened again.
    pub restarts: u64,
}

async fn live(mut siblings: Siblings, draws: Vec<Vec<Draw>>, seen: &mut Seen) -> Result<(), TestCaseError> {
    let mut history = History::default();
    questions::agree_at_start(&siblings.all(), history.now()).await?;
    let begin = history.begin();
    let written = siblings.commit(&begin).await?.unwrap();
    history.note(&begin, &written);
    let last = draws.len() - 1;
    for (number, commit) in draws.into_iter().enumerate() {
        if commit.is_empty() {
            siblings.restart();
            questions::agree_at_start(&siblings.all(), history.now()).await?;
            seen.restarts += 1;
            continue;
        }
        let plain = siblings.plain();
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
        match siblings.commit(&writes).await? {
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
            questions::agree(&siblings.all(), &history).await?;
            for twin in &siblings.twins {
                twin.check()?;
            }
        }
    }
    Ok(())
}

/// Histories from this source, each with stores of its own: how many are lived, and of what kinds of writes they were made.
///
/// # Panics
/// If two stores differ.
pub fn live_all(cases: u32, rng: TestRng, twins: impl Fn() -> Vec<Box<dyn Twin>>) -> Seen {
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
        runtime.block_on(live(Siblings::new(twins()), draws, &mut seen))
    });
    if let Err(TestError::Fail(why, draws)) = outcome {
        panic!("{why}\nafter these kinds of writes and numbers: {draws:?}");
    }
    seen
}

/// Histories in which stores once differed, as the failures told them.
const FOUND: &[&[&[Draw]]] = &[
    // A worker is rejected shares, is taken out, and shares are pruned: the first two in one commit.
    &[
        &[(174, 0, 0, 71)],
        &[(210, 39, 2, 21_751), (102, 70, 48, 36_673), (55, 73, 255, 65_189)],
        &[(63, 160, 151, 61_314), (113, 248, 36, 2_461)],
    ],
];

/// Lives again through every history in which stores once differed.
///
/// # Panics
/// If two stores differ.
pub fn live_again(twins: impl Fn() -> Vec<Box<dyn Twin>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for history in FOUND {
        let draws = history.iter().map(|commit| commit.to_vec()).collect();
        let lived = runtime.block_on(live(Siblings::new(twins()), draws, &mut Seen::default()));
        lived.unwrap_or_else(|why| panic!("{why}\nafter {history:?}"));
    }
}

/// As many histories as are asked for with `PROPTEST_CASES`, or `usual`, which are others in every run.
///
/// # Panics
/// If two stores differ, or what is asked for is no number.
pub fn live_fresh(usual: u32, twins: impl Fn() -> Vec<Box<dyn Twin>>) -> Seen {
    let asked = std::env::var("PROPTEST_CASES").map(|cases| cases.parse().unwrap());
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&crate::fresh_seeds(1).start.to_le_bytes());
    let rng = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &seed);
    live_all(asked.unwrap_or(usual), rng, twins)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The names of all that can be asked of a store.
    fn questions_of_the_port() -> BTreeSet<String> {
        let source = include_str!("../../../ports/src/store/mod.rs");
        let (_, port) = source.split_once("pub trait Store").unwrap();
        let names = port.lines().filter_map(|line| line.trim().strip_prefix("fn "));
        names
            .map(|line| line.split('(').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_question_of_the_port_is_asked_here() {
        let asked = include_str!("questions.rs");
        let names = questions_of_the_port();
        assert!(names.len() > 40, "{names:?}");
        // How a standby is, and how many commits go side by side, says nothing of the ledger.
        let others = ["commit", "commits_side_by_side", "standby"];
        for name in names.iter().filter(|name| !others.contains(&name.as_str())) {
            assert!(asked.contains(&format!(".{name}(")), "{name} is never asked");
        }
    }
}
