//! Evaluated work: handing a submission to those who say what it is worth.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dwarves_domain::evaluation::SubmissionId;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::time::Timestamp;

/// What is to be evaluated, the same at every try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationTask {
    /// Its name: an evaluator that is asked twice knows it again by it.
    pub id: SubmissionId,
    /// Whose work it is.
    pub hotkey: Hotkey,
    /// The worker that it is of.
    pub worker: WorkerName,
    /// When it was submitted.
    pub received_at: Timestamp,
    /// The work: JSON, as it was sent.
    pub work: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluatorError {
    /// It was not reached: the work was not looked at.
    #[error("it cannot be reached: {0}")]
    Away(String),
    /// It did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// It failed, whyever.
    #[error("it failed: {0}")]
    Failed(String),
    /// It will not take this work, and says so.
    #[error("it refused the work: {0}")]
    Refused(String),
}

/// The bytes of an answer, which are still to be read.
pub type EvaluatorFuture = Pin<Box<dyn Future<Output = Result<Vec<u8>, EvaluatorError>> + Send>>;

/// Those who evaluate. Each takes no longer than a deadline of its own, and gives no more bytes than
/// [`ANSWER_MAX`](dwarves_domain::evaluation::answer::ANSWER_MAX) and one.
pub trait Evaluator: Send + Sync + 'static {
    /// Their names, for operators, without secrets. There is at least one, and they stay the same.
    fn names(&self) -> Vec<String>;

    /// Has this one of them, by its place among the names, evaluate once.
    fn evaluate(&self, which: usize, task: EvaluationTask) -> EvaluatorFuture;
}

/// Evaluators shared by those who have work for them.
pub type SharedEvaluator = Arc<dyn Evaluator>;
