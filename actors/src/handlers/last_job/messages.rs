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
    /// Whose worker.
    pub owner: Hotkey,
    /// Its name.
    pub worker: WorkerName,
    /// The job.
    pub job: JobId,
}

/// Asks which job a worker was given last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLastJob {
    /// Whose worker.
    pub owner: Hotkey,
    /// Its name.
    pub worker: WorkerName,
}

impl Request for ReadLastJob {
    /// `None` if it is not known any more.
    type Reply = Option<JobId>;
}
