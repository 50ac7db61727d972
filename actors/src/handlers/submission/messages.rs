//! What the submission handler is asked.

use std::net::IpAddr;
use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{TemplateId, WorkerName};
use dwarves_domain::miners::Client;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{RejectedShare, Submission};
use dwarves_domain::work::{FullExtraNonce, Job, JobId};

use crate::ask::Request;
use crate::miner_manager::messages::Judgement;
use crate::work_manager::messages::IssuedJob;

/// Asks for work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchWork {
    /// The miner's account.
    pub miner: Hotkey,
    /// The client that asks.
    pub from: IpAddr,
    /// For which of its machines.
    pub worker: WorkerName,
    /// Whose place a new worker's name takes up.
    pub client: Client,
    /// Answer only when there is newer work than this job (or after the long poll's time).
    pub newer_than: Option<JobId>,
}

impl Request for FetchWork {
    type Reply = Result<IssuedJob, Refusal>;
}

/// Submits what one request brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitShares {
    /// The miner's account.
    pub miner: Hotkey,
    /// The client that sent it.
    pub from: IpAddr,
    /// Which of its machines; if given it must be the one that the jobs were given to.
    pub worker: Option<WorkerName>,
    /// The shares; `None` stands for one whose job id is not even in the right form.
    pub shares: Vec<Option<Submission>>,
}

/// Submits what one read from a Stratum session brought for one miner. Answered as [`SubmitShares`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitRolled {
    /// The miner's account.
    pub miner: Hotkey,
    /// The client that sent it.
    pub from: IpAddr,
    /// The shares, in order.
    pub shares: Vec<RolledShare>,
}

/// A share of a session whose miner rolls the extranonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolledShare {
    /// A solution of a job that the session gave out.
    Solved {
        /// The job, of the worker that is to be credited.
        job: Arc<Job>,
        /// The session's part and the miner's.
        extranonce: FullExtraNonce,
        /// The rest. Its job id is the job's.
        submission: Submission,
    },
    /// It was refused by the session itself, and is hashed all the same: it may be a block.
    Refused {
        /// The template that the solution is of.
        template: TemplateId,
        /// The session's part and the miner's.
        extranonce: FullExtraNonce,
        /// The header's time.
        time: u32,
        /// The header's nonce.
        nonce: u32,
        /// What the header's version may have been; the first is likeliest.
        versions: Vec<u32>,
        /// Who found it, if it is a block.
        finder: Hotkey,
        /// Why the share does not count, and whose it is, if it is anybody's.
        rejected: RejectedShare,
    },
    /// It was refused by the session itself; it is only counted.
    Rejected(RejectedShare),
}

impl Request for SubmitRolled {
    type Reply = SharesAnswer;
}

/// What came of submitting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharesAnswer {
    /// What came of the request.
    pub judged: Judgement,
    /// The places in the request of shares that do not count and are blocks: what met the network's target goes to the chain,
    /// whatever became of the share, and is stored, too, unless the ledger takes longer than is waited here.
    pub blocks: Vec<usize>,
}

impl From<Judgement> for SharesAnswer {
    /// The answer when none of the shares that do not count is a block.
    fn from(judged: Judgement) -> Self {
        Self {
            judged,
            blocks: Vec::new(),
        }
    }
}

impl Request for SubmitShares {
    type Reply = SharesAnswer;
}
