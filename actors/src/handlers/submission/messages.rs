//! What the submission handler is asked.

use std::net::IpAddr;
use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId, WorkerName};
use dwarves_domain::miners::Client;
use dwarves_domain::share::{Rejection, Submission};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::{FullExtraNonce, Job, JobId};

use crate::ask::Request;

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

/// What came of asking for work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchWorkReply {
    /// There is work.
    Work {
        /// The job to work on.
        job: Arc<Job>,
        /// Until when its shares are taken at the latest.
        expires_at: Timestamp,
    },
    /// This hotkey is not registered.
    MinerUnknown,
    /// This miner is banned.
    Banned {
        /// Why, in the operator's words.
        reason: String,
    },
    /// The chain gives no work now, or the operator paused the pool.
    NoWork,
    /// The pool is busy.
    Busy,
    /// The store cannot note a new worker now.
    Unavailable,
}

impl Request for FetchWork {
    type Reply = FetchWorkReply;
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
        /// Why the share does not count.
        reason: Rejection,
        /// Whose share it is, if it is anybody's.
        worker: Option<WorkerId>,
    },
    /// It was refused by the session itself; it is only counted.
    Rejected {
        /// Why the share was refused.
        reason: Rejection,
        /// The worker whose record it goes on.
        worker: WorkerId,
    },
}

impl Request for SubmitRolled {
    type Reply = SubmitSharesReply;
}

/// What came of submitting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitSharesReply {
    /// A verdict for each share, in order; every accepted one is on disk.
    Verdicts(Vec<ShareVerdict>),
    /// This hotkey is not registered.
    MinerUnknown,
    /// This miner is banned.
    Banned {
        /// Why, in the operator's words.
        reason: String,
    },
    /// The operator paused the pool, or it is stopping.
    Paused,
    /// The pool is busy; nothing was judged.
    Busy,
    /// The miner holds as much of the room for live shares as one may; nothing counts.
    MinerFull,
    /// The store cannot take shares now; nothing counts.
    Unavailable,
    /// Most shares of this worker were wrong lately, so it is kept out for a while; nothing counts.
    KeptOut {
        /// How long it still is.
        try_again: Span,
    },
    /// The answer, and some of the shares that do not count are blocks: what met the network's target was stored and
    /// submitted, whatever became of the share.
    WithBlocks {
        /// The answer as it would be without the blocks.
        answer: Box<SubmitSharesReply>,
        /// The places of those shares in the request.
        places: Vec<usize>,
    },
}

impl SubmitSharesReply {
    /// The plain answer, and the places of the shares that do not count and are blocks.
    pub fn split(self) -> (Self, Vec<usize>) {
        match self {
            Self::WithBlocks { answer, places } => (*answer, places),
            answer => (answer, Vec::new()),
        }
    }
}

/// The verdict on one share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareVerdict {
    /// It counts.
    Accepted {
        /// The header's hash, which names the share.
        hash: HeaderHash,
        /// The difficulty that it was issued with.
        share_difficulty: Difficulty,
        /// Its place in the ledger.
        sequence: Sequence,
        /// Whether it is a block.
        is_block: bool,
    },
    /// It does not count.
    Rejected(Rejection),
    /// It does not count: its job was given to another worker of this miner.
    OtherWorker,
    /// It does not count: its job brought as many shares as one may. New work is harder.
    JobFull {
        /// The difficulty that the job was issued with.
        issued: Difficulty,
    },
}

impl Request for SubmitShares {
    type Reply = SubmitSharesReply;
}
