//! Evaluated work: what is submitted, and what came of it.

use std::borrow::Cow;

use dwarves_domain::evaluation::{Fault, Measure, Reading, SubmissionId};
use dwarves_ports::store::{MinerResults, SubmissionRow};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::scalars::{Instant, Ss58, Worker, text};
use crate::work::{SubmitAnswer, SubmitBody, Work};

/// JSON as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub Box<RawValue>);

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Json {
    /// This text, if it is JSON.
    pub fn of(text: &str) -> Option<Self> {
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }
}

/// A loss or a score: a JSON number with all of its digits, at most 18 of them behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactReading(pub Reading);

impl Serialize for ExactReading {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let number = RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?;
        number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExactReading {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Box::<RawValue>::deserialize(deserializer)?;
        number.get().parse().map(Self).map_err(D::Error::custom)
    }
}

/// Work to be evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EvaluateBody {
    /// Which machine; `default` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Worker>,
    /// The work: an object, of which the pool knows nothing but its size.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub work: Json,
}

/// What is brought: shares where proof of work is mined, work where it is evaluated.
#[cfg(feature = "schema")]
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum WorkBody {
    /// Shares.
    Shares(SubmitBody),
    /// Work to be evaluated.
    Work(EvaluateBody),
}

/// What became of it.
#[cfg(feature = "schema")]
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum WorkAnswer {
    /// Verdicts on shares.
    Shares(SubmitAnswer),
    /// The submission.
    Work(Box<Submission>),
}

/// What there is to do.
#[cfg(feature = "schema")]
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum WorkOrTask {
    /// Work, ready to hash.
    Work(Work),
    /// What is evaluated.
    Task(EvaluatedTask),
}

/// What a pool that evaluates work wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EvaluatedTask {
    /// Always `evaluated`.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^evaluated$"))]
    pub kind: Cow<'static, str>,
    /// By what it pays: `loss` (less is better) or `score`.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub pays_by: Measure,
    /// The largest work, in bytes.
    pub work_bytes_max: u64,
    /// How long the pool holds an answer back until there is a result.
    pub answer_within_secs: f64,
    /// For how long a result is paid.
    pub max_age_secs: u64,
    /// What the operator wants miners to do, in the operator's own form; null if it did not say.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub task: Option<Json>,
}

/// A submission, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Submission {
    /// Its name. The same work has the same one for as long as its result counts.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{32}$"))]
    pub submission_id: SubmissionId,
    /// Whose it is, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// The worker that it is of; null if that is hidden (`[privacy]`).
    pub worker: Option<String>,
    /// When it came.
    pub received_at: Instant,
    /// `queued` (it waits, or is being evaluated), `evaluated`, or `failed` (it counts for nothing).
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub state: Cow<'static, str>,
    /// When it was known what came of it; null while it is queued.
    pub evaluated_at: Option<Instant>,
    /// Its loss, an exact number; null if the evaluator said none.
    #[cfg_attr(feature = "schema", schema(value_type = Option<f64>))]
    pub loss: Option<ExactReading>,
    /// Its score, an exact number; null if the evaluator said none.
    #[cfg_attr(feature = "schema", schema(value_type = Option<f64>))]
    pub score: Option<ExactReading>,
    /// What else the evaluator said of it, as it said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub metadata: Option<Json>,
    /// The rule that it broke, if it failed: `not_a_number`, `infinite`, `negative`, `absurd`, `malformed`, `missing`, `late`,
    /// `refused` or `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub fault: Option<Cow<'static, str>>,
    /// More of that, for people; `queued` while it is.
    pub detail: String,
}

impl From<SubmissionRow> for Submission {
    fn from(row: SubmissionRow) -> Self {
        let (state, evaluated_at, outcome) = match row.evaluated {
            None => ("queued", None, None),
            Some(evaluated) => {
                let state = match evaluated.outcome {
                    Ok(_) => "evaluated",
                    Err(_) => "failed",
                };
                (state, Some(Instant(evaluated.at)), Some(evaluated.outcome))
            }
        };
        let (result, failure) = match outcome {
            None => (None, None),
            Some(Ok(result)) => (Some(result), None),
            Some(Err(failure)) => (None, Some(failure)),
        };
        let fault: Option<Fault> = failure.as_ref().map(|failure| failure.fault);
        let queued = if state == "queued" { state } else { "" };
        Self {
            submission_id: row.id,
            hotkey: Ss58(row.hotkey),
            worker: Some(row.worker.to_string()),
            received_at: Instant(row.received_at),
            state: state.into(),
            evaluated_at,
            loss: result.as_ref().and_then(|result| result.loss).map(ExactReading),
            score: result.as_ref().and_then(|result| result.score).map(ExactReading),
            metadata: result
                .and_then(|result| result.metadata)
                .and_then(|json| Json::of(&json)),
            fault: fault.map(|fault| fault.name().into()),
            detail: failure.map_or_else(|| queued.to_owned(), |failure| failure.detail),
        }
    }
}

impl Submission {
    /// Takes out what its worker is called.
    pub fn hide_names(&mut self) {
        self.worker = None;
    }
}

/// A page of a miner's submissions, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Submissions {
    /// The submissions, newest first.
    pub submissions: Vec<Submission>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// What a miner's submissions have come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Results {
    /// The best one that is not too old to be paid; null if there is none.
    pub best: Option<Submission>,
    /// The one that was evaluated last, whatever came of it; null before the first.
    pub latest: Option<Submission>,
    /// How many wait.
    pub waiting: u64,
}

impl From<MinerResults> for Results {
    fn from(results: MinerResults) -> Self {
        Self {
            best: results.best.map(Submission::from),
            latest: results.latest.map(Submission::from),
            waiting: results.waiting,
        }
    }
}

impl Results {
    /// Takes out what workers are called.
    pub fn hide_names(&mut self) {
        for submission in self.best.iter_mut().chain(&mut self.latest) {
            submission.hide_names();
        }
    }
}

/// A submission that was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Removed {
    /// Always true: what is not there is refused.
    pub removed: bool,
}

#[cfg(test)]
mod tests {
    use dwarves_domain::evaluation::{Evaluation, Failure, WorkDigest};
    use dwarves_domain::hotkey::Hotkey;
    use dwarves_domain::time::Timestamp;
    use dwarves_ports::store::Evaluated;

    use super::*;

    fn row(outcome: Option<Result<Evaluation, Failure>>) -> SubmissionRow {
        let (hotkey, at) = (Hotkey::from_bytes([1; 32]), Timestamp::from_millis(5));
        SubmissionRow {
            id: SubmissionId::of(&hotkey, &WorkDigest::of("{}"), at),
            hotkey,
            worker: "rig".parse().unwrap(),
            received_at: at,
            evaluated: outcome.map(|outcome| Evaluated { at, outcome }),
        }
    }

    #[test]
    fn losses_have_all_their_digits_and_metadata_are_as_they_came() {
        let result = Evaluation {
            loss: "0.123456789012345678".parse().ok(),
            score: None,
            metadata: Some("{\"a\": 1.50}".to_owned()),
        };
        let shown = Submission::from(row(Some(Ok(result))));
        let json = serde_json::to_string(&shown).unwrap();
        assert!(
            json.contains("\"loss\":0.123456789012345678,\"score\":null"),
            "{json}"
        );
        assert!(json.contains("\"metadata\":{\"a\": 1.50}"), "{json}");
        assert!(json.contains("\"state\":\"evaluated\""), "{json}");
        assert_eq!(serde_json::from_str::<Submission>(&json).unwrap(), shown);
        let queued = Submission::from(row(None));
        assert_eq!(
            (queued.state.as_ref(), queued.detail.as_str()),
            ("queued", "queued")
        );
        let failed = Submission::from(row(Some(Err(Failure::new(Fault::Late, "why")))));
        assert_eq!(failed.fault.as_deref(), Some("late"));
        assert_eq!((failed.state.as_ref(), failed.detail.as_str()), ("failed", "why"));
    }

    #[test]
    fn work_is_taken_byte_for_byte() {
        let body: EvaluateBody = serde_json::from_str("{\"work\": {\"w\": [1.0, 1e-5]}}").unwrap();
        assert_eq!(body.work.0.get(), "{\"w\": [1.0, 1e-5]}");
        assert!(serde_json::from_str::<EvaluateBody>("{\"work\": {}, \"x\": 1}").is_err());
    }
}
