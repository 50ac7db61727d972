//! Hashrates over the last minutes, hour and day, from the ledger.

use dwarves_api_types::rates::WindowHashrate;
use dwarves_domain::history::{Step, Sums};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{History, HistoryOf, HistoryQuestion};

use super::problem::Problem;
use super::state::HttpState;

/// Over which times, and from steps of which length.
const WINDOWS: [(Span, Step); 3] = [
    (Span::from_secs(600), Step::Minute),
    (Span::from_secs(3_600), Step::Minute),
    (Span::from_secs(86_400), Step::Hour),
];

/// The pool's hashrates, at most half a second old: anybody may ask as often as they like.
///
/// # Errors
/// As [`HttpState::read`].
pub async fn of_pool(state: &HttpState) -> Result<Vec<WindowHashrate>, Problem> {
    if let Some(known) = state.known_hashrates() {
        return Ok(known);
    }
    let hashrates = of(state, HistoryOf::Pool, None).await?;
    state.note_hashrates(&hashrates);
    Ok(hashrates)
}

/// The hashrates of the pool, a miner or a worker that began to work no earlier than `since`. None if it is not known.
///
/// # Errors
/// As [`HttpState::read`].
pub async fn of(
    state: &HttpState,
    of: HistoryOf,
    since: Option<Timestamp>,
) -> Result<Vec<WindowHashrate>, Problem> {
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
    let rates = WINDOWS.iter().filter_map(|(window, step)| {
        let (_, history) = histories.iter().find(|(of, _)| of == step)?;
        Some(rate(*window, *step, history, since, now))
    });
    Ok(rates.collect())
}

fn rate(
    window: Span,
    step: Step,
    history: &History,
    since: Option<Timestamp>,
    now: Timestamp,
) -> WindowHashrate {
    let begin = step.begin(now).minus(window);
    let mut sums = Sums::default();
    for step in history.steps.iter().filter(|step| step.at >= begin) {
        sums.add(&step.sums);
    }
    // The time before the pool's (or the miner's) first work does not count.
    let first_life = history
        .lives
        .iter()
        .find(|life| life.life == 1)
        .map(|life| life.started_at);
    let began = [history.begins, first_life, since].into_iter().flatten().max();
    let span = now.since(began.map_or(begin, |began| began.max(begin)));
    WindowHashrate::new(window, &sums, span.max(SPAN_MIN))
}

/// The shortest time to average over: two shares in the first second say nothing yet.
const SPAN_MIN: Span = Span::from_secs(10);
