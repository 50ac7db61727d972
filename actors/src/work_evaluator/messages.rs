//! What the work evaluator is asked.

use std::collections::BTreeMap;

use dwarves_domain::evaluation::{BreakerState, Fault, SubmissionId};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_ports::store::SubmissionRow;

use crate::ask::Request;
use crate::control::Controlled;

/// A hint to look whether anything is to be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct Poke;

/// Takes work, stores it, and has it evaluated. Answered when it is evaluated, or when it is stored and `wait` is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitWork {
    /// Whose it is, verified.
    pub hotkey: Hotkey,
    /// The worker that it is of.
    pub worker: WorkerName,
    /// The work: JSON, as it was sent.
    pub work: String,
    /// How long the miner waits for its result.
    pub wait: Span,
}

/// Work that is stored, with what came of it, if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The submission.
    pub row: SubmissionRow,
    /// Whether it is new, and not the same work sent again.
    pub is_new: bool,
}

impl Request for SubmitWork {
    type Reply = Result<Submitted, Refusal>;
}

/// Removes a submission with what came of it; what is being evaluated is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveSubmission {
    /// Which.
    pub id: SubmissionId,
    /// Whose it must be.
    pub owner: Hotkey,
}

impl Request for RemoveSubmission {
    /// Whether it was there, and the owner's.
    type Reply = Result<bool, Refusal>;
}

/// An admin's message to the work evaluator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvaluatorControl {
    /// How it is.
    Status,
    /// Removes a submission, whosever it is.
    RemoveSubmission(SubmissionId),
}

impl Request for EvaluatorControl {
    type Reply = Controlled;
}

/// How evaluation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadEvaluator;

impl Request for ReadEvaluator {
    type Reply = EvaluatorView;
}

/// One of those who evaluate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointView {
    /// Its name, without secrets.
    pub name: String,
    /// How the breaker before it stands.
    pub breaker: BreakerState,
    /// What it evaluates now.
    pub at_work: usize,
    /// How often it answered in this life.
    pub answers: u64,
    /// How often it failed in this life.
    pub failures: u64,
}

/// How evaluation goes, in this life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvaluatorView {
    /// Submissions that wait for an evaluator or for another try.
    pub waiting: usize,
    /// Submissions that are being evaluated.
    pub at_work: usize,
    /// Those who evaluate.
    pub endpoints: Vec<EndpointView>,
    /// Submissions that got a result.
    pub evaluated: u64,
    /// Submissions that broke a rule, by the rule.
    pub faults: BTreeMap<Fault, u64>,
    /// Whether no work is taken for now.
    pub is_held: bool,
    /// What hinders evaluation, in words, if anything.
    pub hindrance: Option<String>,
}
