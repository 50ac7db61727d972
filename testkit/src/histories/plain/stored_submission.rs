//! A submission as it is kept.

use dwarves_domain::evaluation::{Figure, Measure, Reading};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{Evaluated, NewSubmission, SubmissionRow};

#[derive(Clone)]
pub(super) struct StoredSubmission {
    pub(super) new: NewSubmission,
    pub(super) evaluated: Option<Evaluated>,
}

impl StoredSubmission {
    pub(super) fn row(&self) -> SubmissionRow {
        SubmissionRow {
            id: self.new.id,
            hotkey: self.new.hotkey,
            worker: self.new.worker.clone(),
            received_at: self.new.received_at,
            evaluated: self.evaluated.clone(),
        }
    }

    /// When its result was known, and what it measured.
    pub(super) fn figure(&self, measure: Measure) -> Option<(Timestamp, Figure)> {
        let evaluated = self.evaluated.as_ref()?;
        Some((evaluated.at, evaluated.outcome.as_ref().ok()?.figure(measure)?))
    }

    /// Whether it is evaluated and nobody can be paid for it any more.
    pub(super) fn is_over(&self, others: &[StoredSubmission], counts_since: Timestamp) -> bool {
        let Some(Evaluated { at, outcome: Ok(old) }) = &self.evaluated else {
            return true;
        };
        let surpasses = |new: &StoredSubmission| match &new.evaluated {
            Some(Evaluated {
                at: new_at,
                outcome: Ok(new),
            }) if new_at >= at => {
                let less = |new: Option<Reading>, old: Reading| new.is_some_and(|new| new < old);
                let more = |new: Option<Reading>, old: Reading| new.is_some_and(|new| new > old);
                old.loss.is_none_or(|old| less(new.loss, old))
                    && old.score.is_none_or(|old| more(new.score, old))
            }
            _ => false,
        };
        *at < counts_since || others.iter().any(surpasses)
    }
}
