//! Shares are checked by their jobs and sent on, many requests in one message.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::RejectedShare;
use dwarves_domain::share::{Draft, Rejection, Submission};
use dwarves_domain::source::Source;
use dwarves_domain::work::Job;

use super::blocks::AwaitedBlocks;
use super::ladder::Rigs;
use super::messages::{SharesAnswer, SubmitShares};
use super::solution::{Solution, Solutions};
use super::{Asker, JUDGING_MAX, SubmissionHandler};
use crate::ask::Ask;
use crate::block_tracker::messages::CandidateReply;
use crate::meter;
use crate::miner_manager::messages::JudgeShares;
use crate::miner_manager::messages::Judgement;

/// How long an answer waits until a block whose share does not count is stored.
const STORED_IN: Duration = Duration::from_secs(10);

impl Handler<Ask<SubmitShares>> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<SubmitShares>, ctx: &mut Self::Context) {
        let timed = (ask.sent_at(), &meter::ACKNOWLEDGED_HTTP);
        let submit = ask.payload;
        let source = Source::new(submit.from, submit.miner);
        let has_place = self.in_flight.take(source.client());
        let asker = Asker::new(source, self.clock.now(), timed, ask.reply, has_place);
        if has_place && self.is_early(&submit.miner, &submit.shares) {
            return self.wait_for_news(submit, asker);
        }
        self.take_shares(submit, asker, ctx);
    }
}

impl SubmissionHandler {
    /// Checks shares by their jobs and sends them on.
    pub(super) fn take_shares(&mut self, submit: SubmitShares, mut asker: Asker, ctx: &mut Context<Self>) {
        let SubmitShares {
            miner,
            from: _,
            worker,
            shares,
        } = submit;
        let source = asker.source;
        if let Some(ladder) = &self.ladder {
            asker.rigs = Rigs::of(worker.as_ref(), &shares, |share| self.given_to(&miner, share));
            // Its shares are looked at all the same: there may be a block among them.
            if let Some(try_again) = ladder.kept_out(source, &asker.rigs, self.clock.now()) {
                asker.refused = Some(Refusal::KeptOut { try_again });
            }
        }
        let shares = shares
            .iter()
            .map(|share| match share {
                Some(submission) => self.check(&miner, submission),
                None => Solution::Rejected(RejectedShare {
                    reason: Rejection::UnknownJob,
                    worker: None,
                }),
            })
            .collect();
        let solutions = Solutions {
            miner,
            worker,
            shares,
        };
        self.gather(solutions, asker, ctx);
    }

    /// Sends what was checked, unless as many messages as may be are under way: then it goes with the next.
    pub(super) fn judge_checked_if_free(&mut self, ctx: &mut Context<Self>) {
        if self.judging < JUDGING_MAX {
            self.judge_checked(ctx);
        }
    }

    fn check(&mut self, miner: &Hotkey, submission: &Submission) -> Solution {
        let rejected = match self.job_of(miner, submission) {
            Ok(job) => match Draft::new(&job, submission) {
                Ok(draft) => return Solution::Unproven(job, draft),
                Err(reason) => RejectedShare {
                    reason,
                    worker: Some(job.worker()),
                },
            },
            Err(rejected) => rejected,
        };
        self.refuse(miner, submission, rejected)
    }

    /// The worker to whom the job of a share was given, if it is this miner's.
    fn given_to(&self, miner: &Hotkey, submission: &Submission) -> Option<WorkerId> {
        match self.jobs.get(&submission.job_id) {
            Some(job) => (job.owner() == *miner).then(|| job.worker()),
            None => self
                .job_key
                .open(&submission.job_id, miner)
                .map(|fields| fields.worker),
        }
    }

    fn job_of(&mut self, miner: &Hotkey, submission: &Submission) -> Result<Arc<Job>, RejectedShare> {
        let unknown = RejectedShare {
            reason: Rejection::UnknownJob,
            worker: None,
        };
        if let Some(job) = self.jobs.get(&submission.job_id) {
            // The cache holds jobs of all miners of this HTTP worker.
            return if job.owner() == *miner {
                Ok(Arc::clone(job))
            } else {
                Err(unknown)
            };
        }
        let fields = self.job_key.open(&submission.job_id, miner).ok_or(unknown)?;
        // The pool gave it out; if its template is not live any more, its time is over.
        let template = self.work.template(fields.template).ok_or(RejectedShare {
            reason: Rejection::Stale,
            worker: Some(fields.worker),
        })?;
        let job = Job::restore(submission.job_id, &fields, Arc::clone(template), *miner);
        let job = Arc::new(job.map_err(|_| unknown)?);
        self.keep_job(&job);
        Ok(job)
    }

    /// Sends everything that was checked, in one message, and tells each request what came of it.
    fn judge_checked(&mut self, ctx: &mut Context<Self>) {
        if self.checked.is_empty() {
            return;
        }
        let (requests, askers): (Vec<_>, Vec<_>) = std::mem::take(&mut self.checked).into_iter().unzip();
        let judge = JudgeShares {
            sent_at: self.clock.now(),
            requests,
        };
        let judgements = match self.peers.judge.post(judge) {
            Ok(judgements) => judgements,
            Err(error) => {
                let all = askers.iter().map(|_| Err(error.into())).collect();
                return self.answer(askers, all, ctx);
            }
        };
        self.judging += 1;
        // One timer for all of these requests: those who wait for them need none of their own.
        let judged = tokio::time::timeout(self.limits.judge_deadline.to_std(), judgements);
        ctx.spawn(wrap_future::<_, Self>(judged).map(move |judged, this, ctx| {
            this.judging -= 1;
            let judgements = match judged {
                Ok(Ok(judgements)) => judgements,
                // Whether the shares count is unknown; repeating the request tells.
                Ok(Err(_)) | Err(_) => askers.iter().map(|_| Err(Refusal::Unavailable)).collect(),
            };
            // The next message goes first: the ledger should not wait while answers are written.
            this.judge_checked(ctx);
            this.answer(askers, judgements, ctx);
        }));
    }

    fn answer(&mut self, askers: Vec<Asker>, judgements: Vec<Judgement>, ctx: &mut Context<Self>) {
        assert_eq!(askers.len(), judgements.len(), "every request gets a judgement");
        for (asker, judged) in askers.into_iter().zip(judgements) {
            if let (Some(ladder), Ok(verdicts)) = (&mut self.ladder, &judged) {
                ladder.note(asker.source, &asker.rigs, verdicts, self.clock.now());
            }
            self.answer_one(asker, judged, ctx);
        }
    }

    /// Answers a request, which is not in flight any more.
    pub(super) fn answer_one(&mut self, asker: Asker, judged: Judgement, ctx: &mut Context<Self>) {
        if asker.has_place {
            self.in_flight.give_back(asker.source.client());
        }
        let mut candidates = asker.candidates;
        if let Ok(verdicts) = &judged {
            meter::note_since(asker.acknowledged, asker.sent_at, verdicts.len());
            // What counts is in the ledger with its share.
            candidates.retain(|(place, _)| !matches!(verdicts.get(*place), Some(Ok(_))));
        }
        if candidates.is_empty() {
            return asker.reply.answer(judged.into());
        }
        // Rare: a share does not count, and its block is said to be submitted once it is stored.
        ctx.spawn(
            wrap_future::<_, Self>(taken(candidates))
                .map(move |blocks, _, _| asker.reply.answer(SharesAnswer { judged, blocks })),
        );
    }
}

/// The places of the blocks that the tracker has taken. One that is not stored in time is on its way to the chain all
/// the same.
async fn taken(candidates: AwaitedBlocks) -> Vec<usize> {
    let mut places = Vec::new();
    for (place, said) in candidates {
        match tokio::time::timeout(STORED_IN, said).await {
            Ok(Ok(CandidateReply::Taken)) | Err(_) => places.push(place),
            Ok(Ok(CandidateReply::Crowded | CandidateReply::Lost) | Err(_)) => {}
        }
    }
    places
}
