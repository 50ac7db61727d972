//! What the work manager is asked and tells.

use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{TemplateId, WorkerId};
use dwarves_domain::target::Target;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{Job, Template};

use crate::ask::{Outbox, Request};

/// The templates whose jobs are live. Handed to every handler whenever it changes; never changes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveWork {
    /// The template that new jobs are made of; `None`: there is no work at present.
    pub current: Option<Arc<Template>>,
    /// All live templates, oldest first: those on the present tip that are not too old.
    pub live: Vec<Arc<Template>>,
    /// When the current one came.
    pub since: Timestamp,
}

impl LiveWork {
    /// No work at all.
    pub fn none() -> Self {
        Self {
            current: None,
            live: Vec::new(),
            since: Timestamp::EPOCH,
        }
    }

    /// The live template with this number.
    pub fn template(&self, id: TemplateId) -> Option<&Arc<Template>> {
        self.live.iter().find(|t| t.id() == id)
    }
}

/// The live work has changed.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct WorkChanged(pub Arc<LiveWork>);

/// Asks to be told of every change of the live work, beginning with the present one.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Who is to be told.
    pub subscriber: Outbox<WorkChanged>,
}

impl Request for Subscribe {
    type Reply = ();
}

/// Asks for a new job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueJob {
    /// For whom.
    pub owner: Hotkey,
    /// For which worker.
    pub worker: WorkerId,
    /// At which share target.
    pub share_target: Target,
}

/// What came of asking for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueJobReply {
    /// A job that nobody else has.
    Issued {
        /// The job.
        job: Arc<Job>,
        /// Until when its shares are taken at the latest.
        expires_at: Timestamp,
    },
    /// There is no work at present.
    NoWork,
}

impl Request for IssueJob {
    type Reply = IssueJobReply;
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
    type Reply = crate::pool_manager::messages::ControlOutcome;
}
