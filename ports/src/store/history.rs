//! What was mined in each minute, hour and day, as the store keeps it.

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;

/// Whose history is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryOf {
    /// All miners'.
    Pool,
    /// A registered miner's: all of its workers, also those that were taken out.
    Miner(Hotkey),
    /// A worker's.
    Worker(Hotkey, WorkerName),
}

/// Which part of a history is wanted: the steps that begin at or after `from` and before `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuestion {
    /// Whose.
    pub of: HistoryOf,
    /// In which steps.
    pub step: Step,
    /// The first moment at which a step may begin.
    pub from: Timestamp,
    /// The first moment at which no step may begin any more.
    pub to: Timestamp,
}

/// Part of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The begin of the pool's first step that is known, in steps of the wanted length; `None` before the first share.
    /// What lies before is not known, and not nothing.
    pub begins: Option<Timestamp>,
    /// The steps in which there was something, oldest first.
    pub steps: Vec<HistoryStep>,
    /// The starts of the pool in this time, and the stops before starts, oldest first.
    pub lives: Vec<LifeRow>,
}

/// What one of a miner's workers mined lately.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSums {
    /// The worker's name.
    pub name: WorkerName,
    /// When the minute began in which the first of these shares came that was accepted. Once minutes that old are
    /// forgotten it is its hour, and for a time that is asked for in days its day. `None` if none was accepted.
    pub first_at: Option<Timestamp>,
    /// What the shares came to, for each time that was asked for.
    pub sums: Vec<Sums>,
}

/// A start of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeRow {
    /// Which one: the ledger's first is 1.
    pub life: u32,
    /// When it was.
    pub started_at: Timestamp,
    /// When the last share before it was committed: the pool stopped then, or later. `None` if there was none.
    pub stopped_at: Option<Timestamp>,
}

/// One step of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryStep {
    /// When it began.
    pub at: Timestamp,
    /// What the shares that came in it came to.
    pub sums: Sums,
    /// The target that was issued for the last of them; only of a worker's steps.
    pub last_bits: Option<CompactTarget>,
    /// How many miners and workers there were; only of the pool's steps, and once their hour is over.
    pub miners: Option<u64>,
    /// How many workers there were, likewise.
    pub workers: Option<u64>,
}
