//! The submission handler, with a miner manager and a work manager that the test plays itself.

use std::net::IpAddr;
use std::time::Duration;

use dwarves_domain::ids::{TemplateId, WorkerId};
use dwarves_domain::miners::rejects::Limits;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::ShareVerdict;
use dwarves_domain::share::{ProvenShare, RejectedShare};
use dwarves_domain::share::{Rejection, Submission};
use dwarves_domain::target::Difficulty;
use dwarves_domain::work::Template;
use dwarves_ports::clock::Moment;
use dwarves_testkit::build::{
    self, BEGIN, hotkey, job, job_key, mine, miss, submission, template, worker_name,
};
use dwarves_testkit::{ManualClock, settle};
use tokio::sync::oneshot;

use super::messages::*;
use super::*;
use crate::ask::{Ask, Request};
use crate::handlers::submission::messages::SharesAnswer;
use crate::http_gate::HttpGate;
use crate::live_work::{LackOfWork, NoWork};
use crate::miner_manager::messages::{Assigned, CheckedShare};
use crate::testing::{Inbox, recorded_port};
use crate::work_manager::messages::IssuedJob;

mod early;
mod fetching;
mod found;
mod hashing;
mod ladder;
mod mailbox;
mod submitting;

const LIMITS: SubmissionLimits = SubmissionLimits {
    mailbox_capacity: 32,
    requests_in_flight: SharedLimit {
        total: 14,
        per_client: 10,
    },
    waiting: SharedLimit {
        total: 4,
        per_client: 3,
    },
    jobs_cached_max: 4,
    longpoll: Span::from_secs(20),
    judge_deadline: Span::from_secs(10),
};

const REJECTS: Limits = Limits {
    window: 10,
    percent_max: 50,
    keep_out: Span::from_secs(60),
};

struct Bench {
    clock: ManualClock,
    handler: Addr<SubmissionHandler>,
    gate: Addr<HttpGate>,
    assign: Inbox<Ask<AssignWorker>>,
    judge: Inbox<Ask<JudgeShares>>,
    issue: Inbox<Ask<IssueJob>>,
    subscribe: Inbox<Ask<Subscribe>>,
    watch: Inbox<Ask<WatchMiners>>,
    blocks: Inbox<Ask<TakeCandidate>>,
}

impl Bench {
    /// A handler that knows the templates with these numbers; the last is the current one.
    async fn new(live: &[u32]) -> Self {
        Self::with(live, Arc::new(HashHere(Algorithm::Sha256d))).await
    }

    /// The same on a chain whose headers are hashed like this.
    async fn with(live: &[u32], proof_of_work: SharedProofOfWork) -> Self {
        tokio::time::pause();
        let (assign, assign_inbox) = recorded_port();
        let (judge, judge_inbox) = recorded_port();
        let (issue, issue_inbox) = recorded_port();
        let (subscribe, subscribe_inbox) = recorded_port();
        let (watch, watch_inbox) = recorded_port();
        let (blocks, blocks_inbox) = recorded_port();
        let peers = SubmissionPeers {
            assign,
            judge,
            issue,
            subscribe,
            watch,
            blocks,
        };
        let clock = ManualClock::at(BEGIN);
        let (tell, kept_out) = tokio::sync::watch::channel(Arc::default());
        let gate = HttpGate::new(REJECTS.keep_out, Arc::new(clock.clone()), tell).start();
        let handler = SubmissionHandler::new(peers, LIMITS, job_key(), Arc::new(clock.clone()))
            .with_proof_of_work(proof_of_work)
            .with_ladder(Ladder::new(REJECTS, kept_out, Outbox::new(&gate)))
            .start();
        settle().await;
        let bench = Self {
            clock,
            handler,
            gate,
            assign: assign_inbox,
            judge: judge_inbox,
            issue: issue_inbox,
            subscribe: subscribe_inbox,
            watch: watch_inbox,
            blocks: blocks_inbox,
        };
        bench.work(live).await;
        bench
    }

    /// The work changes.
    async fn work(&self, live: &[u32]) {
        self.tell_work(live, None).await;
    }

    /// No work is given out, though there are these templates.
    async fn lack(&self, live: &[u32], lets_go: bool) {
        let lack = NoWork {
            why: LackOfWork::Paused,
            since: BEGIN,
            began: Moment::now(),
            lets_go,
        };
        self.tell_work(live, Some(lack)).await;
    }

    async fn tell_work(&self, live: &[u32], lack: Option<NoWork>) {
        let live: Vec<Arc<Template>> = live.iter().map(|id| template(*id)).collect();
        let work = LiveWork {
            kept: live.iter().map(|template| Arc::new(template.bare())).collect(),
            current: live.last().cloned(),
            next: live.last().map_or(TemplateId::new(1), |last| last.id().next()),
            live,
            since: BEGIN,
            lack,
        };
        Outbox::new(&self.handler)
            .tell(WorkChanged(Arc::new(work)))
            .unwrap();
        settle().await;
    }

    fn post<R: Request>(&self, payload: R) -> oneshot::Receiver<R::Reply>
    where
        SubmissionHandler: Handler<Ask<R>>,
    {
        Port::new(&self.handler).post(payload).unwrap()
    }

    fn submit(&self, shares: Vec<Option<Submission>>) -> oneshot::Receiver<SharesAnswer> {
        self.submit_from(1, shares)
    }

    fn submit_from(&self, client: u8, shares: Vec<Option<Submission>>) -> oneshot::Receiver<SharesAnswer> {
        self.post(SubmitShares {
            miner: hotkey(1),
            from: client_ip(client),
            worker: None,
            shares,
        })
    }

    /// What the miner manager is asked to judge next.
    async fn judging(&mut self) -> Ask<JudgeShares> {
        settle().await;
        self.judge.try_recv().unwrap()
    }

    fn fetch(&self, newer_than: Option<JobId>) -> oneshot::Receiver<Result<IssuedJob, Refusal>> {
        self.fetch_from(1, newer_than)
    }

    fn fetch_from(
        &self,
        client: u8,
        newer_than: Option<JobId>,
    ) -> oneshot::Receiver<Result<IssuedJob, Refusal>> {
        self.post(FetchWork {
            miner: hotkey(1),
            from: client_ip(client),
            worker: worker_name("rig"),
            newer_than,
            client: dwarves_domain::miners::Client::Earlier,
        })
    }

    /// Answers one request for work with a job of this template.
    async fn give_job(&mut self, template_id: u32) -> Arc<Job> {
        settle().await;
        let assign = self.assign.try_recv().unwrap();
        assign.reply.answer(Ok(Assigned {
            worker: WorkerId::new(0),
            share_target: Difficulty::MIN.target(),
        }));
        settle().await;
        let issue = self.issue.try_recv().unwrap();
        assert_eq!(issue.payload.owner, assign.payload.hotkey);
        let job = job(&template(template_id), 5, issue.payload.owner, 0);
        issue.reply.answer(Ok(IssuedJob {
            job: Arc::clone(&job),
            expires_at: BEGIN,
        }));
        settle().await;
        job
    }

    /// Time passes, on the clock and for the timers.
    async fn pass(&self, secs: u64) {
        for _ in 0..secs {
            self.clock.advance(Span::from_secs(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        settle().await;
    }
}

fn client_ip(client: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, client])
}

/// A share that counts.
fn good(job: &Job, from: u32) -> Option<Submission> {
    Some(submission(job, mine(job, from, false).0))
}

/// What the handler found out about each share of each request.
fn found(judge: &JudgeShares) -> Vec<Vec<Result<(), Rejection>>> {
    let of_share = |share: &CheckedShare| match share {
        Ok(ProvenShare { .. }) => Ok(()),
        Err(RejectedShare { reason, .. }) => Err(*reason),
    };
    let of_request = |request: &CheckedShares| request.shares.iter().map(of_share).collect();
    judge.requests.iter().map(of_request).collect()
}

/// Verdicts as the miner manager gives them, all the same.
fn verdicts(count: usize) -> Result<Vec<ShareVerdict>, Refusal> {
    Ok(vec![Err(Rejection::OtherWorker); count])
}
