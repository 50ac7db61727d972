//! What is told and asked of who was given which job last.

use actix::Message;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::work::JobId;

use crate::ask::Request;

/// News: a worker was given this job.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct JobGiven {
    /// The miner who got the job.
    pub owner: Hotkey,
    /// The worker of that miner to which it was given.
    pub worker: WorkerName,
    /// The job that was given out.
    pub job: JobId,
}

/// Asks which job a worker was given last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLastJob {
    /// The miner whose worker asks.
    pub owner: Hotkey,
    /// The name of the worker whose last job is wanted.
    pub worker: WorkerName,
}

impl Request for ReadLastJob {
    /// `None` if it is not known any more.
    type Reply = Option<JobId>;
}
