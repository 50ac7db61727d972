//! What was mined when: the points of charts, and what happened meanwhile.

use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_api_types::history::{History, HistoryPoint};
use dwarves_api_types::scalars::Instant;
use dwarves_domain::history::{Step, Sums};
use dwarves_domain::ids::WorkerName;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{self, HistoryOf, HistoryQuestion};

use super::named_miner::{hotkey_in_path, known_miner};
use crate::asker;
use crate::csv::{self, Form, List};
use crate::problem::{Code, Problem, ProblemBody};
use crate::query::Params;
use crate::state::HttpState;

mod marks;

/// The most points of an answer.
const POINTS_MAX: u64 = 1_500;

/// Which steps a request asks for.
struct Asked {
    step: Step,
    from: Timestamp,
    /// No step begins at or after this.
    to: Timestamp,
    now: Timestamp,
}

struct InstantParam(Timestamp);

impl FromStr for InstantParam {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // In a query a plus that was not escaped is a space.
        let text = text.replace(' ', "+");
        let instant = serde_json::from_value::<Instant>(text.into());
        let is_dated = |at: &Timestamp| (0..4_102_444_800).contains(&at.secs());
        let at = instant.ok().map(|instant| instant.0).filter(is_dated);
        at.map(Self)
            .ok_or("expected an instant from 1970 to 2099 such as 2026-11-22T14:10:57Z")
    }
}

fn invalid(field: &str, detail: impl std::fmt::Display) -> Problem {
    Problem::new(Code::QueryInvalid, format!("{field}: {detail}")).of_field(field)
}

impl Asked {
    /// Takes `resolution`, `from` and `to`.
    fn of(params: &mut Params, now: Timestamp) -> Result<Self, Problem> {
        let step = params.take::<Step>("resolution")?.unwrap_or(Step::Hour);
        let from = params
            .take::<InstantParam>("from")?
            .map(|from| step.begin(from.0));
        let to = params.take::<InstantParam>("to")?;
        // Up to the end of the step that goes on.
        let end = step.begin(now).plus(step.span());
        let points = |count: u64| Span::from_secs(count * step.secs());
        let most = points(POINTS_MAX);
        let to = match (&to, from) {
            (Some(to), _) => step.begin(to.0.moved(-1)).plus(step.span()).min(end),
            (None, Some(from)) => from.plus(most).min(end),
            (None, None) => end,
        };
        let usual = match step {
            Step::Minute => 24 * 60,
            Step::Hour => 7 * 24,
            Step::Day => 90,
        };
        let from = from.unwrap_or_else(|| to.minus(points(usual)));
        if from > to {
            return Err(invalid("from", "it lies behind the end of what is asked for"));
        }
        if to.since(from) > most {
            let detail = format!(
                "at most {POINTS_MAX} points at once, and this is more of a {}",
                step.as_str()
            );
            return Err(invalid("from", detail));
        }
        Ok(Self { step, from, to, now })
    }

    async fn read(&self, state: &HttpState, of: HistoryOf) -> Result<Option<store::History>, Problem> {
        let question = HistoryQuestion {
            of,
            step: self.step,
            from: self.from,
            to: self.to,
        };
        state.read(|store| store.history(question)).await
    }

    /// The answer: a point for each step from when the history begins on.
    fn answer(
        &self,
        history: &store::History,
        marks: Vec<dwarves_api_types::history::HistoryMark>,
    ) -> History {
        let Self { step, to, now, .. } = *self;
        let begins = history.begins.unwrap_or(to);
        let from = self.from.max(begins).min(to);
        let lives = history.lives.iter();
        let first_life = lives
            .filter(|life| life.life == 1)
            .map(|life| life.started_at)
            .next();
        let mut steps = history.steps.iter().peekable();
        let mut points = Vec::new();
        let mut at = from;
        while at < to {
            while steps.next_if(|step| step.at < at).is_some() {}
            let found = steps.next_if(|step| step.at == at);
            let nothing = Sums::default();
            let mut point = HistoryPoint::new(
                step,
                at,
                found.map_or(&nothing, |step| &step.sums),
                now,
                first_life,
            );
            point.miners = found.and_then(|step| step.miners);
            point.workers = found.and_then(|step| step.workers);
            point.difficulty = found.and_then(|step| step.last_bits).and_then(marks::shown);
            points.push(point);
            at = at.plus(step.span());
        }
        History {
            resolution: step.as_str().into(),
            step_secs: step.secs(),
            from: Instant(from),
            to: Instant(to),
            points,
            marks,
        }
    }
}

/// The columns of points as CSV.
const POINTS: List = List {
    field: "points",
    columns: &[
        "at",
        "units",
        "accepted",
        "rejected.unknown_job",
        "rejected.stale",
        "rejected.duplicate",
        "rejected.low_difficulty",
        "rejected.time_out_of_range",
        "rejected.version_out_of_mask",
        "hashrate",
        "error",
        "difficulty",
        "miners",
        "workers",
        "is_open",
    ],
};

/// What all miners mined, step by step.
#[utoipa::path(
    get, path = "/v1/pool/history", operation_id = "read_pool_history", tag = "pool",
    params(
        ("resolution" = Option<String>, Query, description = "How long a step is: minute, hour or day; hour if absent", pattern = "^(minute|hour|day)$"),
        ("from" = Option<String>, Query, description = "From when on, RFC 3339; if absent, a day of minutes, a week of hours, 90 days", format = DateTime, pattern = "^(19[7-9][0-9]|20[0-9]{2})-"),
        ("to" = Option<String>, Query, description = "Until when, RFC 3339; now if absent. At most 1,500 points", format = DateTime, pattern = "^(19[7-9][0-9]|20[0-9]{2})-"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
    ),
    responses(
        (status = 200, description = "The history; its points are also answered as CSV", content((History = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn pool(req: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    let asked = Asked::of(&mut params, state.deps().clock.date())?;
    params.finish()?;
    // The pool is always known.
    let history = asked
        .read(&state, HistoryOf::Pool)
        .await?
        .ok_or_else(|| Problem::new(Code::Internal, "no history"))?;
    let marks = marks::of_lives(&history);
    csv::answer(form, POINTS, &asked.answer(&history, marks))
}

/// What a miner or one of its workers mined, step by step.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/history", operation_id = "read_miner_history", tag = "miners",
    params(
        ("hotkey" = String, Path, description = "The miner's hotkey in SS58, or the payout address with which it logs in over Stratum"),
        ("resolution" = Option<String>, Query, description = "How long a step is: minute, hour or day; hour if absent", pattern = "^(minute|hour|day)$"),
        ("from" = Option<String>, Query, description = "From when on, RFC 3339; if absent, a day of minutes, a week of hours, 90 days", format = DateTime, pattern = "^(19[7-9][0-9]|20[0-9]{2})-"),
        ("to" = Option<String>, Query, description = "Until when, RFC 3339; now if absent. At most 1,500 points", format = DateTime, pattern = "^(19[7-9][0-9]|20[0-9]{2})-"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; without it `Accept` says which", pattern = "^(json|csv)$"),
        ("worker" = Option<String>, Query, description = "One of its workers; all if absent", pattern = "^[A-Za-z0-9._-]{1,64}$"),
    ),
    responses(
        (status = 200, description = "The history; its points are also answered as CSV", content((History = "application/json"), (String = "text/csv"))),
        (status = "default", description = "Refused; codes: miner_unknown, hidden, query_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn miner(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::of(&req)?;
    let form = Form::of(&req, &mut params)?;
    let asked = Asked::of(&mut params, state.deps().clock.date())?;
    let worker = params.take::<WorkerName>("worker")?;
    params.finish()?;
    let hotkey = hotkey_in_path(&req, &state)?;
    known_miner(&state, hotkey).await?;
    let view = asker::view(&req, payload, &state).await?;
    if worker.is_some() && !view.shows_names_of(&hotkey) {
        return Err(Problem::hidden("what each worker did").of_field("worker"));
    }
    let of = match &worker {
        Some(name) => HistoryOf::Worker(hotkey, name.clone()),
        None => HistoryOf::Miner(hotkey),
    };
    let history = asked.read(&state, of).await?.ok_or_else(|| match worker {
        Some(_) => {
            let detail = "worker: this miner has no worker of this name that ever had a share accepted";
            Problem::new(Code::MinerUnknown, detail).of_field("worker")
        }
        None => Problem::miner_unknown(),
    })?;
    let pool = asked.read(&state, HistoryOf::Pool).await?;
    let mut marks = marks::of_lives(&history);
    marks.extend(marks::of_difficulty(&history));
    if let Some(pool) = pool {
        marks.extend(marks::of_gaps(asked.step, &history, &pool));
    }
    marks.sort_by_key(|mark| mark.at.0);
    csv::answer(form, POINTS, &asked.answer(&history, marks))
}
