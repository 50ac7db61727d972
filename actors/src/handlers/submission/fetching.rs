//! A worker gets work: its number and difficulty from the miner manager, a job from the work manager.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::network::host;

use super::messages::{FetchWork, FetchWorkReply};
use super::{SubmissionHandler, SubmissionPeers, Waiting};
use crate::ask::{Ask, AskError, ReplyTo};
use crate::miner_manager::messages::{AssignWorker, AssignWorkerReply, Standing};
use crate::work_manager::messages::{IssueJob, IssueJobReply};

/// How long the miner manager or the work manager may take.
const ASK_DEADLINE: Duration = Duration::from_secs(20);

impl Handler<Ask<FetchWork>> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<FetchWork>, ctx: &mut Self::Context) {
        let Ask {
            payload: fetch,
            reply,
        } = ask;
        if !self.has_newer(&fetch) {
            if self.work.lets_go() {
                return reply.answer(FetchWorkReply::NoWork);
            }
            if !self.waiting_places.take(host(fetch.from)) {
                return reply.answer(FetchWorkReply::Busy);
            }
            let until = self.clock.now().plus(self.limits.longpoll);
            self.waiting.push(Waiting { fetch, until, reply });
            return;
        }
        self.fetch_now(fetch, reply, ctx);
    }
}

impl SubmissionHandler {
    /// Whether there is newer work than the job that the request knows.
    pub(super) fn has_newer(&self, fetch: &FetchWork) -> bool {
        let known = fetch
            .newer_than
            .and_then(|id| self.job_key.open(&id, &fetch.miner));
        match (known, self.work.given()) {
            (Some(known), Some(current)) => known.template < current.id(),
            // There is no work at all: wait for some.
            (Some(_), None) => false,
            // No job is known, or none of this pool: any work is newer.
            (None, _) => true,
        }
    }

    pub(super) fn fetch_now(
        &mut self,
        fetch: FetchWork,
        reply: ReplyTo<FetchWorkReply>,
        ctx: &mut Context<Self>,
    ) {
        let fetched = wrap_future::<_, Self>(fetch_work(self.peers.clone(), fetch));
        ctx.spawn(fetched.map(move |fetched, this, _| {
            if let FetchWorkReply::Work { job, .. } = &fetched {
                this.keep_job(job);
            }
            reply.answer(fetched);
        }));
    }
}

async fn fetch_work(peers: SubmissionPeers, fetch: FetchWork) -> FetchWorkReply {
    let owner = fetch.miner;
    let assign = AssignWorker {
        hotkey: owner,
        worker: fetch.worker,
        client: fetch.client,
    };
    let (worker, share_target) = match peers.assign.ask(assign, ASK_DEADLINE).await {
        Ok(AssignWorkerReply::Assigned { worker, share_target }) => (worker, share_target),
        Ok(AssignWorkerReply::Refused(Standing::Banned { reason })) => {
            return FetchWorkReply::Banned { reason };
        }
        Ok(AssignWorkerReply::Refused(_)) => return FetchWorkReply::MinerUnknown,
        Ok(AssignWorkerReply::Paused) => return FetchWorkReply::NoWork,
        Ok(AssignWorkerReply::Unavailable) => return FetchWorkReply::Unavailable,
        Err(AskError::Busy) => return FetchWorkReply::Busy,
        Err(AskError::Gone | AskError::TimedOut) => return FetchWorkReply::Unavailable,
    };
    match peers
        .issue
        .ask(
            IssueJob {
                owner,
                worker,
                share_target,
            },
            ASK_DEADLINE,
        )
        .await
    {
        Ok(IssueJobReply::Issued { job, expires_at }) => FetchWorkReply::Work { job, expires_at },
        Ok(IssueJobReply::NoWork) => FetchWorkReply::NoWork,
        Ok(IssueJobReply::Exhausted) | Err(_) => FetchWorkReply::Busy,
    }
}
