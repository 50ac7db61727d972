//! What happened to what a chart shows.

use std::collections::BTreeSet;

use dwarves_api_types::history::HistoryMark;
use dwarves_api_types::scalars::Instant;
use dwarves_domain::history::Step;
use dwarves_domain::target::{CompactTarget, Target};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::History;

/// The shortest time without a share that is a gap.
const GAP_MIN: Span = Span::from_secs(600);
/// A gap is this many times as long as a share takes on average: chance alone does that to one share in 400.
const GAP_INTERVALS: f64 = 6.0;

fn mark(at: Timestamp, kind: &'static str, detail: String) -> HistoryMark {
    HistoryMark {
        at: Instant(at),
        kind: kind.into(),
        detail,
        until: None,
        from: None,
        to: None,
    }
}

/// The difficulty of a target as it is shown.
pub(super) fn shown(bits: CompactTarget) -> Option<f64> {
    let target = Target::from_compact(bits).ok()?;
    Some(target.difficulty().shown())
}

/// Starts and stops of the pool.
pub(super) fn of_lives(history: &History) -> Vec<HistoryMark> {
    let mut marks = Vec::new();
    for life in &history.lives {
        if let Some(stopped_at) = life.stopped_at {
            let mut stop = mark(
                stopped_at,
                "pool_stopped",
                "the last share before the pool was started again".to_owned(),
            );
            stop.until = Some(Instant(life.started_at));
            marks.push(stop);
        }
        let detail = format!("start number {} on this ledger", life.life);
        marks.push(mark(life.started_at, "pool_started", detail));
    }
    marks
}

/// Changes of a worker's difficulty, each in the step in which its first share came.
pub(super) fn of_difficulty(history: &History) -> Vec<HistoryMark> {
    let known = history
        .steps
        .iter()
        .filter_map(|step| Some((step.at, step.last_bits?)));
    let known: Vec<_> = known.collect();
    let changed = known.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    changed
        .map(|pair| {
            let (from, to) = (shown(pair[0].1), shown(pair[1].1));
            let words = |difficulty: Option<f64>| difficulty.map_or("?".to_owned(), |d| d.to_string());
            let detail = format!("the difficulty went from {} to {}", words(from), words(to));
            HistoryMark {
                from,
                to,
                ..mark(pair[1].0, "difficulty", detail)
            }
        })
        .collect()
}

/// Times without a share, far longer than chance explains, in which the pool had shares.
pub(super) fn of_gaps(step: Step, history: &History, pool: &History) -> Vec<HistoryMark> {
    let with_shares = |history: &History| -> BTreeSet<Timestamp> {
        let steps = history.steps.iter().filter(|step| step.sums.accepted > 0);
        steps.map(|step| step.at).collect()
    };
    let (mine, pools) = (with_shares(history), with_shares(pool));
    let (Some(first), Some(last)) = (mine.first(), pools.last()) else {
        return Vec::new();
    };
    let shares: u64 = history.steps.iter().map(|step| step.sums.accepted).sum();
    // How long a share takes on average while there are some.
    let interval = (mine.len() as u64 * step.secs()) as f64 / shares as f64;
    let long = (interval * GAP_INTERVALS).max(GAP_MIN.secs() as f64);
    let mut marks = Vec::new();
    let ends = mine.iter().copied().skip(1).chain([last.plus(step.span())]);
    for (before, end) in mine.iter().zip(ends) {
        let begin = before.plus(step.span());
        if begin >= end || begin <= *first {
            continue;
        }
        let worked = pools.range(begin..end).count() as u64 * step.secs();
        if worked as f64 >= long {
            let detail = format!(
                "no share for {} minutes, while others had some",
                end.since(begin).secs() / 60
            );
            let mut gap = mark(begin, "gap", detail);
            gap.until = Some(Instant(end));
            marks.push(gap);
        }
    }
    marks
}
