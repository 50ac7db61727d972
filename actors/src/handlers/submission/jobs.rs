//! A worker gets work: its number and difficulty from the miner manager, a job from the work manager.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::network::host;
use dwarves_domain::refusal::Refusal;

use super::messages::FetchWork;
use super::{SubmissionHandler, SubmissionPeers, Waiting};
use crate::ask::{Ask, ReplyTo};
use crate::miner_manager::messages::{AssignWorker, Assigned};
use crate::work_manager::messages::{IssueJob, IssuedJob};

/// How long the miner manager or the work manager may take.
const ASK_DEADLINE: Duration = Duration::from_secs(20);

impl Handler<Ask<FetchWork>> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<FetchWork>, ctx: &mut Self::Context) {
        let Ask {
            payload: fetch,
            reply,
            ..
        } = ask;
        if !self.has_newer(&fetch) {
            if self.work.lets_go() {
                return reply.answer(Err(Refusal::NoWork));
            }
            if !self.waiting_permits.take(host(fetch.from)) {
                return reply.answer(Err(Refusal::Busy));
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
        reply: ReplyTo<Result<IssuedJob, Refusal>>,
        ctx: &mut Context<Self>,
    ) {
        let fetched = wrap_future::<_, Self>(fetch_work(self.peers.clone(), fetch));
        ctx.spawn(fetched.map(move |fetched, this, _| {
            if let Ok(IssuedJob { job, .. }) = &fetched {
                this.keep_job(job);
            }
            reply.answer(fetched);
        }));
    }
}

async fn fetch_work(peers: SubmissionPeers, fetch: FetchWork) -> Result<IssuedJob, Refusal> {
    let owner = fetch.miner;
    let assign = AssignWorker {
        hotkey: owner,
        worker: fetch.worker,
        client: fetch.client,
    };
    let assigned = peers.assign.ask(assign, ASK_DEADLINE).await;
    let Assigned { worker, share_target } = match assigned.unwrap_or_else(|error| Err(error.into())) {
        Ok(assigned) => assigned,
        // Whoever waits for work need not know why there is none.
        Err(Refusal::Paused) => return Err(Refusal::NoWork),
        Err(refusal) => return Err(refusal),
    };
    let issue = IssueJob {
        owner,
        worker,
        share_target,
    };
    match peers.issue.ask(issue, ASK_DEADLINE).await {
        Ok(Err(Refusal::NoExtranonce)) | Err(_) => Err(Refusal::Busy),
        Ok(issued) => issued,
    }
}
