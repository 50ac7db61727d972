//! Hashrates go on where an earlier life left off: from the history, minute by minute.

use dwarves_domain::history::Step;
use dwarves_domain::miners::Hashrate;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{HistoryOf, HistoryQuestion, SharedStore, StoreError, StoredState};

use super::MinerMemory;

/// How long the pool may have been away for rates to go on: who mined then has found another pool by later.
const AWAY_MAX: Span = Span::from_secs(600);
/// How long a worker may have had no share.
const QUIET_MAX: Span = Span::from_secs(600);
/// How much of the history is read: shares that are older weigh nothing.
const READ: Span = Span::from_secs(3_600);
/// Workers whose rates go on, so that a start stays quick; the others begin anew, as all did before their first share.
const WORKERS_MAX: usize = 10_000;

/// Lets the rates of the pool and of its active workers go on.
///
/// # Errors
/// If the store cannot read them.
pub async fn resume_hashrates(
    memory: &mut MinerMemory,
    store: &SharedStore,
    stored: &StoredState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let last_share_at = stored
        .workers
        .iter()
        .filter_map(|(_, counters)| counters.last_share_at);
    let Some(end) = last_share_at.max() else {
        return Ok(());
    };
    // Where the clock was set back, the end lies in the future, and as much is known of the rates.
    if now.since(end) > AWAY_MAX {
        return Ok(());
    }
    let resumed = async |of| {
        let question = HistoryQuestion {
            of,
            step: Step::Minute,
            from: end.minus(READ),
            to: end.plus(Step::Minute.span()),
        };
        let history = store.history(question).await?;
        let steps = history.into_iter().flat_map(|history| history.steps);
        Ok::<_, StoreError>(Hashrate::resumed(
            steps.map(|step| (step.at, step.sums)),
            end,
            now,
        ))
    };
    let active = stored.workers.iter().filter(|(_, counters)| {
        let last_share_at = counters.last_share_at;
        last_share_at.is_some_and(|at| end.since(at) <= QUIET_MAX)
    });
    let mut workers = Vec::new();
    for (worker, _) in active.take(WORKERS_MAX) {
        let of = HistoryOf::Worker(worker.hotkey, worker.name.clone());
        workers.push((worker.id, resumed(of).await?));
    }
    let pool = resumed(HistoryOf::Pool).await?;
    memory.registry.resume_hashrates(pool, workers);
    Ok(())
}
