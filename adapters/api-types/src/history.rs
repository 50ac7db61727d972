//! What was mined when.

use std::borrow::Cow;

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::miners::RejectedCounts;
use crate::scalars::Instant;

/// What was mined in one minute, hour or day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HistoryPoint {
    /// When it began.
    pub at: Instant,
    /// Work of the shares that came in it, in units, an exact decimal.
    #[cfg_attr(feature = "schema", schema(example = "0.0625"))]
    pub units: String,
    /// Shares that were accepted.
    pub accepted: u64,
    /// Shares that were refused, by reason. They are saved every few seconds: a crash loses those since.
    pub rejected: RejectedCounts,
    /// Hashes per second, from the issued difficulty of the accepted shares; of one that goes on, up to now, and of the
    /// pool's very first one from its start on.
    pub hashrate: f64,
    /// One standard deviation of it by chance alone, as a part of it; null without a share.
    pub error: Option<f64>,
    /// The difficulty that was issued for the last share; only of a worker, and null without a share.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub difficulty: Option<f64>,
    /// How many miners there were; only of the pool's hours and days, once they (of a day: an hour of it) are over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub miners: Option<u64>,
    /// How many workers there were; only of the pool, once the hour is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workers: Option<u64>,
    /// Whether it goes on: more may come.
    pub is_open: bool,
}

/// Something that happened to what a chart shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HistoryMark {
    /// When it began.
    pub at: Instant,
    /// `pool_stopped`: the last share before a start; `pool_started`; `gap`: no share came for long although the pool had
    /// some; `difficulty`: the difficulty that was issued changed (only of a worker).
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub kind: Cow<'static, str>,
    /// What it was, in words.
    pub detail: String,
    /// When it ended, if it lasted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Instant>,
    /// The difficulty before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<f64>,
    /// The difficulty from then on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<f64>,
}

/// What was mined from one moment to another, step by step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct History {
    /// `minute`, `hour` or `day`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub resolution: Cow<'static, str>,
    /// How long a step is.
    pub step_secs: u64,
    /// When the first point begins. Later than asked if the history begins later: what lies before is not known.
    pub from: Instant,
    /// When the last point ends.
    pub to: Instant,
    /// A point for each step, oldest first; without a share it says zero.
    pub points: Vec<HistoryPoint>,
    /// What happened meanwhile, oldest first.
    pub marks: Vec<HistoryMark>,
}

/// The shortest part of a step that is averaged over.
const SPAN_MIN: Span = Span::from_secs(10);

impl HistoryPoint {
    /// A step that began at `at`, as of `now`. What is older than `since` does not count as time: nobody worked then.
    pub fn new(step: Step, at: Timestamp, sums: &Sums, now: Timestamp, since: Option<Timestamp>) -> Self {
        let end = at.plus(step.span());
        let whole = now.min(end).since(at);
        let worked = since.map_or(whole, |since| now.min(end).since(since.max(at)));
        // Two shares in the first second say nothing yet.
        let worked = worked.max(whole.min(SPAN_MIN));
        Self {
            at: Instant(at),
            units: sums.units.to_string(),
            accepted: sums.accepted,
            rejected: sums.rejected.into(),
            hashrate: sums.hashrate(worked),
            error: sums.relative_error(),
            difficulty: None,
            miners: None,
            workers: None,
            is_open: end > now,
        }
    }
}
