//! Evaluated work as it is stored: what was submitted, and what came of it.

use dwarves_domain::evaluation::{Evaluation, Outcome, SubmissionId, WorkDigest};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::time::Timestamp;

/// Work that waits for its evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubmission {
    /// Its name.
    pub id: SubmissionId,
    /// Whose it is.
    pub hotkey: Hotkey,
    /// The worker that it is of.
    pub worker: WorkerName,
    /// What it is known again by.
    pub digest: WorkDigest,
    /// When it came.
    pub received_at: Timestamp,
    /// The work itself: JSON as it was sent.
    pub work: String,
    /// Results of this moment or later still count: the same work is not evaluated again while its result does.
    pub counts_since: Timestamp,
}

/// What came of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// When that was known.
    pub at: Timestamp,
    /// What it was.
    pub outcome: Outcome,
}

/// A submission that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionRow {
    /// Its name.
    pub id: SubmissionId,
    /// Whose it is.
    pub hotkey: Hotkey,
    /// The worker that it is of.
    pub worker: WorkerName,
    /// When it came.
    pub received_at: Timestamp,
    /// What came of it; `None`: it waits.
    pub evaluated: Option<Evaluated>,
}

impl SubmissionRow {
    /// Its result, if it has one that counts for something.
    pub fn evaluation(&self) -> Option<&Evaluation> {
        self.evaluated.as_ref()?.outcome.as_ref().ok()
    }
}

/// What a miner's submissions have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MinerResults {
    /// The best that counts: the first of those that are as good.
    pub best: Option<SubmissionRow>,
    /// The one that was evaluated last, whatever came of it.
    pub latest: Option<SubmissionRow>,
    /// How many wait.
    pub waiting: u64,
}
