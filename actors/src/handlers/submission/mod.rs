//! The submission handler: fetches work and checks proofs of work. One per HTTP worker.
//!
//! It owns a snapshot of the live work, a cache of jobs, the requests that wait for newer work, and what was
//! submitted since its last message to the miner manager. Speed comes from few wake-ups: everything that
//! arrives while one message is under way goes into the next, so under load many requests share one hop, one
//! commit and one answer. It asks the miner manager and the work manager.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::limits::{SharedLimit, SharedPermits};
use dwarves_domain::network::host;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{Candidate, Draft, ShareHasher};
use dwarves_domain::source::Source;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::{Algorithm, Job, JobId, JobKey};
use dwarves_lanes::Lanes;
use dwarves_ports::clock::{Moment, SharedClock};
use dwarves_ports::proof_of_work::{HashHere, SharedProofOfWork};
use tracing::{Level, Span as LogSpan};

use crate::ask::{AskError, Outbox, Port, ReplyTo, bound_mailbox, tell_every};
use crate::block_tracker::messages::TakeCandidate;
use crate::live_work::{LiveWork, WorkChanged};
use crate::meter::histogram::Histogram;
use crate::miner_manager::messages::{AssignWorker, CheckedShares, JudgeShares, MinerChanged, WatchMiners};
use crate::work_manager::messages::IssuedJob;
use crate::work_manager::messages::{IssueJob, Subscribe};

mod blocks;
mod early;
mod jobs;
pub mod ladder;
pub mod messages;
mod proofs;
mod rolled;
mod shares;
mod solution;
#[cfg(test)]
mod tests;

use blocks::AwaitedBlocks;
use early::Early;
use ladder::{Ladder, Rigs};
use messages::{FetchWork, SharesAnswer};
use solution::Solutions;

/// Messages to the miner manager that may be under way: one whose shares are being written, and one that is judged
/// meanwhile, so that the ledger's writer never waits for the next.
const JUDGING_MAX: usize = 2;
/// How often requests that wait for newer work are looked at: some give up, some have waited long enough.
const LOOK_AT_WAITING_EVERY: Span = Span::from_secs(1);

/// How much a submission handler may hold.
#[derive(Clone, Copy, Debug)]
pub struct SubmissionLimits {
    /// Questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
    /// Requests whose shares may be on their way to the ledger: no client can take all of them.
    pub requests_in_flight: SharedLimit,
    /// Requests that may wait for newer work: no client can take all of them.
    pub waiting: SharedLimit,
    /// Jobs that are kept ready; others are built again from their ids.
    pub jobs_cached_max: usize,
    /// How long a request waits for newer work.
    pub longpoll: Span,
    /// How long a message to the miner manager may take before its requests are answered without verdicts.
    /// A request waits for at most two: the one under way and its own.
    pub judge_deadline: Span,
}

/// Whom the submission handler asks.
#[derive(Clone)]
pub struct SubmissionPeers {
    /// Finds workers and their difficulty.
    pub assign: Port<AssignWorker>,
    /// Judges shares: standing, duplicates, commit.
    pub judge: Port<JudgeShares>,
    /// Issues a job for a worker.
    pub issue: Port<IssueJob>,
    /// Tells of new work.
    pub subscribe: Port<Subscribe>,
    /// Tells of what operators decide about miners.
    pub watch: Port<WatchMiners>,
    /// Takes blocks to the chain.
    pub blocks: Port<TakeCandidate>,
}

/// A request that waits for newer work.
struct Waiting {
    fetch: FetchWork,
    until: Timestamp,
    reply: ReplyTo<Result<IssuedJob, Refusal>>,
}

/// Who waits for what becomes of a request that is in flight.
struct Asker {
    source: Source,
    /// When its request came.
    received_at: Timestamp,
    /// When it was sent here, and where it is counted how long it took.
    sent_at: Moment,
    acknowledged: &'static Histogram,
    reply: ReplyTo<SharesAnswer>,
    /// Why its shares do not count, if they are looked at for blocks alone: it has no place among those in
    /// flight, or its rigs are kept out.
    refused: Option<Refusal>,
    /// Whose shares they are, where that is watched.
    rigs: Rigs,
    has_place: bool,
    /// How often its shares were to be hashed.
    times: u8,
    /// Those of its shares that are blocks.
    candidates: AwaitedBlocks,
    /// What the log says of its shares belongs together.
    span: LogSpan,
}

impl Asker {
    fn new(
        source: Source,
        received_at: Timestamp,
        (sent_at, acknowledged): (Moment, &'static Histogram),
        reply: ReplyTo<SharesAnswer>,
        has_place: bool,
    ) -> Self {
        Self {
            source,
            received_at,
            sent_at,
            acknowledged,
            reply,
            refused: (!has_place).then_some(Refusal::Busy),
            rigs: Rigs::Unwatched,
            has_place,
            times: 0,
            candidates: Vec::new(),
            span: crate::span!(
                Level::DEBUG,
                "shares",
                miner = %source.miner(),
                client = %source.client()
            ),
        }
    }
}

/// The actor between the HTTP worker and the owners of miners and work.
pub struct SubmissionHandler {
    peers: SubmissionPeers,
    limits: SubmissionLimits,
    job_key: JobKey,
    clock: SharedClock,
    work: Arc<LiveWork>,
    jobs: HashMap<JobId, Arc<Job>>,
    proof_of_work: SharedProofOfWork,
    /// Slow proof-of-work hashes of headers, by the headers' names.
    hashed: HashMap<HeaderHash, HeaderHash>,
    waiting: Vec<Waiting>,
    waiting_permits: SharedPermits<IpAddr>,
    /// Shares that wait for the news of their work.
    early: Vec<Early>,
    hasher: ShareHasher,
    /// Requests that are hashed together; what of them is to be hashed, and then is.
    gathered: Vec<(Solutions, Asker)>,
    drafts: Vec<Draft>,
    candidates: Vec<Candidate>,
    /// Checked requests that wait for the message under way to come back.
    checked: Vec<(CheckedShares, Asker)>,
    in_flight: SharedPermits<IpAddr>,
    judging: usize,
    /// Shares that were refused and wait to be hashed all the same.
    unhashed: usize,
    /// Candidates that wait because the block tracker is busy.
    unsent: usize,
    /// A height of which the block tracker has enough, and since when.
    crowded: Option<(u32, Moment)>,
    /// Who sends mostly wrong shares; sessions have ladders of their own.
    ladder: Option<Ladder>,
}

impl SubmissionHandler {
    /// A handler that has no work yet.
    pub fn new(
        peers: SubmissionPeers,
        limits: SubmissionLimits,
        job_key: JobKey,
        clock: SharedClock,
    ) -> Self {
        Self {
            peers,
            limits,
            job_key,
            clock,
            work: Arc::new(LiveWork::none()),
            jobs: HashMap::new(),
            proof_of_work: Arc::new(HashHere(Algorithm::Sha256d)),
            hashed: HashMap::new(),
            waiting: Vec::new(),
            waiting_permits: SharedPermits::new(limits.waiting),
            early: Vec::new(),
            hasher: ShareHasher::new(Lanes::PLAIN),
            gathered: Vec::new(),
            drafts: Vec::new(),
            candidates: Vec::new(),
            checked: Vec::new(),
            in_flight: SharedPermits::new(limits.requests_in_flight),
            judging: 0,
            unhashed: 0,
            unsent: 0,
            crowded: None,
            ladder: None,
        }
    }

    /// The same handler on a chain whose headers are hashed like this, instead of with SHA-256d.
    #[must_use]
    pub fn with_proof_of_work(mut self, proof_of_work: SharedProofOfWork) -> Self {
        self.proof_of_work = proof_of_work;
        self
    }

    /// The same handler, which hashes shares in these lanes.
    #[must_use]
    pub fn with_lanes(mut self, lanes: Lanes) -> Self {
        self.hasher = ShareHasher::new(lanes);
        self
    }

    /// The same handler, which keeps out workers whose shares are mostly wrong.
    #[must_use]
    pub fn with_ladder(mut self, ladder: Ladder) -> Self {
        self.ladder = Some(ladder);
        self
    }

    fn subscribe(&mut self, ctx: &mut Context<Self>) {
        let subscriber = Outbox::new(&ctx.address());
        if let Err(AskError::Busy) = self.peers.subscribe.post(Subscribe { subscriber }) {
            ctx.run_later(LOOK_AT_WAITING_EVERY.to_std(), |this, ctx| this.subscribe(ctx));
        }
    }

    fn watch(&mut self, ctx: &mut Context<Self>) {
        let watcher = Outbox::new(&ctx.address());
        if let Err(AskError::Busy) = self.peers.watch.post(WatchMiners { watcher }) {
            ctx.run_later(LOOK_AT_WAITING_EVERY.to_std(), |this, ctx| this.watch(ctx));
        }
    }

    fn keep_job(&mut self, job: &Arc<Job>) {
        if self.jobs.len() >= self.limits.jobs_cached_max {
            // Rare, and cheap to make good: what is still needed is built again.
            self.jobs.clear();
        }
        self.jobs.insert(job.id(), Arc::clone(job));
    }
}

/// A hint to look at the requests that wait for newer work.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
struct LookAtWaiting;

impl Actor for SubmissionHandler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, self.limits.mailbox_capacity);
        self.subscribe(ctx);
        self.watch(ctx);
        tell_every(ctx, LOOK_AT_WAITING_EVERY, LookAtWaiting);
    }
}

impl Handler<WorkChanged> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, news: WorkChanged, ctx: &mut Self::Context) {
        self.work = news.0;
        let work = Arc::clone(&self.work);
        self.jobs
            .retain(|_, job| work.template(job.template().id()).is_some());
        let lets_go = self.work.lets_go();
        for waiting in std::mem::take(&mut self.waiting) {
            if lets_go {
                // It need not wait here any longer: it may have another pool to work for.
                self.waiting_permits.give_back(host(waiting.fetch.from));
                waiting.reply.answer(Err(Refusal::NoWork));
            } else if self.has_newer(&waiting.fetch) {
                self.waiting_permits.give_back(host(waiting.fetch.from));
                self.fetch_now(waiting.fetch, waiting.reply, ctx);
            } else {
                self.waiting.push(waiting);
            }
        }
        self.take_early(ctx);
    }
}

/// Whoever waits for newer work of this miner gets work by what was decided: another difficulty, or none.
impl Handler<MinerChanged> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, MinerChanged(hotkey): MinerChanged, ctx: &mut Self::Context) {
        let is_of_it = |waiting: &mut Waiting| waiting.fetch.miner == hotkey;
        let of_it: Vec<_> = self.waiting.extract_if(.., is_of_it).collect();
        for waiting in of_it {
            self.waiting_permits.give_back(host(waiting.fetch.from));
            self.fetch_now(waiting.fetch, waiting.reply, ctx);
        }
    }
}

impl Handler<LookAtWaiting> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, _: LookAtWaiting, ctx: &mut Self::Context) {
        let now = self.clock.now();
        if let Some(ladder) = &mut self.ladder {
            ladder.expire(now);
        }
        let is_over = |waiting: &Waiting| waiting.until <= now || waiting.reply.is_abandoned();
        let (over, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(is_over);
        self.waiting = rest;
        for waiting in over {
            self.waiting_permits.give_back(host(waiting.fetch.from));
            if waiting.reply.is_abandoned() {
                continue;
            }
            self.fetch_now(waiting.fetch, waiting.reply, ctx);
        }
        self.end_early(ctx);
    }
}
