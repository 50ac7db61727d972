//! What the work manager is asked and tells.

use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, WorkerId};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Target;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::Job;
use dwarves_ports::chain::Standing;

use crate::ask::{Outbox, Request};
use crate::control::Controlled;
use crate::live_work::{LackOfWork, LiveWork, WorkChanged};

/// Keeps work from being given out for this reason (`true`), or does so no more. Jobs that are out stay known, so
/// that a block found with one still reaches the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldWork {
    /// The reason that miners and operators are told.
    pub why: LackOfWork,
    /// Whether it holds from now on.
    pub holds: bool,
}

impl Request for HoldWork {
    type Reply = ();
}

/// Asks to be told of every change of the live work, beginning with the present one.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Who is to be told.
    pub subscriber: Outbox<WorkChanged>,
}

impl Request for Subscribe {
    type Reply = ();
}

/// A hint that somebody else's nodes have this tip: the pool's own may have it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct LookForTip(pub HeaderHash);

/// Asks for a new job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueJob {
    /// The miner whom the job is for.
    pub owner: Hotkey,
    /// For which worker.
    pub worker: WorkerId,
    /// At which share target.
    pub share_target: Target,
}

/// A job that nobody else has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedJob {
    /// The job.
    pub job: Arc<Job>,
    /// Until when its shares are taken at the latest.
    pub expires_at: Timestamp,
}

impl Request for IssueJob {
    type Reply = Result<IssuedJob, Refusal>;
}

/// Reads the present work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadWork;

/// The present work, as others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkView {
    /// The live templates.
    pub work: Arc<LiveWork>,
    /// What the chain last complained about, if it gives no work.
    pub trouble: Option<String>,
    /// Which chain its nodes are on.
    pub standing: Arc<Standing>,
}

impl Request for ReadWork {
    type Reply = WorkView;
}

/// An admin's message to the work manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkControl {
    /// Fetches a new template now.
    Refresh,
}

impl Request for WorkControl {
    type Reply = Controlled;
}
