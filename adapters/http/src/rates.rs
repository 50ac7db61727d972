//! Hashrates over the last minutes, hour and day, from the ledger.

use std::collections::HashMap;

use dwarves_actors::miner_manager::messages::MinerView;
use dwarves_api_types::rates::WindowHashrate;
use dwarves_domain::history::{Step, Sums};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{History, HistoryOf, HistoryQuestion};

use super::known_rates::{MinerRates, PoolRates};
use super::problem::Problem;
use super::state::HttpState;

/// Over which times, and from steps of which length. The last is the longest.
const WINDOWS: [(Span, Step); 3] = [
    (Span::from_secs(600), Step::Minute),
    (Span::from_secs(3_600), Step::Minute),
    (Span::from_secs(86_400), Step::Hour),
];

/// The shortest time to average over: two shares in the first second say nothing yet.
const SPAN_MIN: Span = Span::from_secs(10);

/// The pool's rates, at most half a second old: anybody may ask as often as they like.
///
/// # Errors
/// As [`HttpState::read`].
pub async fn of_pool(state: &HttpState) -> Result<PoolRates, Problem> {
    if let Some(known) = state.known_rates() {
        return Ok(known);
    }
    let windows = read(state, HistoryOf::Pool).await?;
    let shares_a_sec = |window: &Window| {
        let span = window.span_since(None);
        window.sums.accepted as f64 * 1_000.0 / span.millis() as f64
    };
    let rates = PoolRates {
        hashrates: windows.iter().map(|window| window.rate(None)).collect(),
        share_rate: windows.first().map_or(0.0, shares_a_sec),
    };
    state.note_rates(&rates);
    Ok(rates)
}

/// The rates of a miner and of each of its workers; those of one that is not known are empty.
///
/// Who began to work within a time is averaged since then. Nobody notes when a worker's first share came; but if there
/// were no more shares, ever, than within a time, it came within that.
///
/// # Errors
/// As [`HttpState::read`].
pub async fn of_miner(state: &HttpState, miner: &MinerView) -> Result<MinerRates, Problem> {
    let windows = read(state, HistoryOf::Miner(miner.hotkey)).await?;
    let since: Vec<_> = windows.iter().map(|window| (window.step, window.begin)).collect();
    if since.is_empty() {
        return Ok(MinerRates::default());
    }
    let sums = state.read(|store| store.worker_sums(miner.hotkey, since)).await?;
    let is_new = |ever: u64, longest: Option<&Sums>| longest.is_some_and(|sums| ever <= sums.accepted);
    let mut first_at: Option<Timestamp> = None;
    let mut workers = HashMap::new();
    for worker in sums {
        let Some(view) = miner.workers.iter().find(|view| view.name == worker.name) else {
            continue;
        };
        let began = worker
            .first_at
            .filter(|_| is_new(view.shares, worker.sums.last()))
            .max(Some(miner.registered_at));
        first_at = [first_at, worker.first_at].into_iter().flatten().min();
        let theirs = windows.iter().zip(worker.sums);
        let rates = theirs.map(|(window, sums)| Window { sums, ..*window }.rate(began));
        workers.insert(worker.name, rates.collect());
    }
    let longest = windows.last();
    let is_new = is_new(miner.accepted, longest.map(|window| &window.sums));
    // Workers that are gone had shares, too: of those only the hour is known.
    let hour = longest.and_then(|window| window.first);
    let began = match (first_at, hour) {
        (Some(first), Some(hour)) if Step::Hour.begin(first) > hour => Some(hour),
        (first, _) => first,
    };
    let began = began.filter(|_| is_new).max(Some(miner.registered_at));
    Ok(MinerRates {
        hashrates: windows.iter().map(|window| window.rate(began)).collect(),
        workers,
    })
}

/// What came within one of [`WINDOWS`].
#[derive(Clone, Copy, Debug)]
struct Window {
    length: Span,
    step: Step,
    /// When it begins.
    begin: Timestamp,
    /// When the history begins, or the pool itself, if that is known.
    known_since: Option<Timestamp>,
    now: Timestamp,
    /// When the first step with an accepted share began.
    first: Option<Timestamp>,
    sums: Sums,
}

impl Window {
    fn new(length: Span, step: Step, history: &History, now: Timestamp) -> Self {
        let begin = step.begin(now).minus(length);
        let mut sums = Sums::default();
        let steps = history.steps.iter().filter(|step| step.at >= begin);
        steps.clone().for_each(|step| sums.add(&step.sums));
        let mut with_shares = steps.filter(|step| step.sums.accepted > 0);
        let lives = history.lives.iter();
        let first_life = lives.filter(|life| life.life == 1).map(|life| life.started_at);
        Self {
            length,
            step,
            begin,
            // The time before the pool's first work does not count.
            known_since: history.begins.into_iter().chain(first_life).max(),
            now,
            first: with_shares.next().map(|step| step.at),
            sums,
        }
    }

    /// How long work lasted that began no earlier than `since`.
    fn span_since(&self, since: Option<Timestamp>) -> Span {
        let began = [Some(self.begin), self.known_since, since];
        let began = began.into_iter().flatten().max().unwrap_or(self.begin);
        self.now.since(began).max(SPAN_MIN)
    }

    fn rate(&self, since: Option<Timestamp>) -> WindowHashrate {
        WindowHashrate::new(self.length, &self.sums, self.span_since(since))
    }
}

/// What came within each of [`WINDOWS`]; nothing if nobody knows whose it is.
async fn read(state: &HttpState, of: HistoryOf) -> Result<Vec<Window>, Problem> {
    let now = state.deps().clock.date();
    let mut histories = Vec::new();
    for step in [Step::Minute, Step::Hour] {
        let longest = WINDOWS.iter().rev().find(|(_, of)| *of == step);
        let Some((window, _)) = longest else {
            continue;
        };
        let question = HistoryQuestion {
            of: of.clone(),
            step,
            from: step.begin(now).minus(*window),
            to: step.begin(now).plus(step.span()),
        };
        match state.read(|store| store.history(question)).await? {
            Some(history) => histories.push((step, history)),
            None => return Ok(Vec::new()),
        }
    }
    let windows = WINDOWS.iter().filter_map(|(length, step)| {
        let (_, history) = histories.iter().find(|(of, _)| of == step)?;
        Some(Window::new(*length, *step, history, now))
    });
    Ok(windows.collect())
}
