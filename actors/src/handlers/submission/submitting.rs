//! Shares are checked by their jobs and sent on, many requests in one message.

use std::sync::Arc;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::share::{Candidate, Rejection, Submission};
use dwarves_domain::work::Job;

use super::hashing::{Draft, Drafts};
use super::messages::{SubmitShares, SubmitSharesReply};
use super::{Asker, JUDGING_MAX, SubmissionHandler};
use crate::ask::{Ask, AskError};
use crate::miner_manager::messages::{CheckedShare, CheckedShares, JudgeShares, Judgement, Standing};
use crate::source::Source;

impl Handler<Ask<SubmitShares>> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<SubmitShares>, ctx: &mut Self::Context) {
        let SubmitShares {
            miner,
            from,
            worker,
            shares,
        } = ask.payload;
        let source = Source::new(from, miner);
        if !self.in_flight.take(source.client()) {
            return ask.reply.answer(SubmitSharesReply::Busy);
        }
        let shares = shares
            .iter()
            .map(|share| match share {
                Some(submission) => self.check(&miner, submission),
                None => Draft::Judged(CheckedShare::Rejected {
                    reason: Rejection::UnknownJob,
                    worker: None,
                }),
            })
            .collect();
        let drafts = Drafts {
            miner,
            worker,
            shares,
        };
        self.prove(drafts, Asker::new(source, ask.reply), ctx);
    }
}

impl SubmissionHandler {
    /// Takes a checked request into the next message to the miner manager.
    pub(super) fn enqueue(&mut self, checked: CheckedShares, asker: Asker, ctx: &mut Context<Self>) {
        self.checked.push((checked, asker));
        if self.judging < JUDGING_MAX && !self.is_flush_due {
            self.is_flush_due = true;
            // Other requests that this thread is about to read join the message: give them one turn.
            ctx.spawn(
                wrap_future::<_, Self>(tokio::task::yield_now()).map(|(), this, ctx| {
                    this.is_flush_due = false;
                    this.judge_checked(ctx);
                }),
            );
        }
    }

    fn check(&mut self, miner: &Hotkey, submission: &Submission) -> Draft {
        match self.job_of(miner, submission) {
            Ok(job) => {
                let candidate = Candidate::new(&job, submission);
                Draft::new(job, candidate)
            }
            Err(reason) => Draft::Judged(CheckedShare::Rejected { reason, worker: None }),
        }
    }

    fn job_of(&mut self, miner: &Hotkey, submission: &Submission) -> Result<Arc<Job>, Rejection> {
        if let Some(job) = self.jobs.get(&submission.job_id) {
            // The cache holds jobs of all miners of this HTTP worker.
            return if job.owner() == *miner {
                Ok(Arc::clone(job))
            } else {
                Err(Rejection::UnknownJob)
            };
        }
        let fields = self
            .job_key
            .open(&submission.job_id, miner)
            .ok_or(Rejection::UnknownJob)?;
        // The pool gave it out; if its template is not live any more, its time is over.
        let template = self.work.template(fields.template).ok_or(Rejection::Stale)?;
        let job = Job::restore(submission.job_id, &fields, Arc::clone(template), *miner);
        let job = Arc::new(job.map_err(|_| Rejection::UnknownJob)?);
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
            received_at: self.clock.now(),
            requests,
        };
        let judgements = match self.peers.judge.post(judge) {
            Ok(judgements) => judgements,
            Err(error) => {
                let judgement = if error == AskError::Busy {
                    Judgement::Busy
                } else {
                    Judgement::Unavailable
                };
                let all = askers.iter().map(|_| judgement.clone()).collect();
                return self.answer(askers, all);
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
                Ok(Err(_)) | Err(_) => askers.iter().map(|_| Judgement::Unavailable).collect(),
            };
            // The next message goes first: the ledger should not wait while answers are written.
            this.judge_checked(ctx);
            this.answer(askers, judgements);
        }));
    }

    fn answer(&mut self, askers: Vec<Asker>, judgements: Vec<Judgement>) {
        assert_eq!(askers.len(), judgements.len(), "every request gets a judgement");
        for (asker, judgement) in askers.into_iter().zip(judgements) {
            let reply = match judgement {
                Judgement::Verdicts(verdicts) => SubmitSharesReply::Verdicts(verdicts),
                Judgement::Refused(Standing::Banned { reason }) => SubmitSharesReply::Banned { reason },
                Judgement::Refused(Standing::Unknown | Standing::Good) => SubmitSharesReply::MinerUnknown,
                Judgement::Paused => SubmitSharesReply::Paused,
                Judgement::Busy => SubmitSharesReply::Busy,
                Judgement::MinerFull => SubmitSharesReply::MinerFull,
                Judgement::Unavailable => SubmitSharesReply::Unavailable,
            };
            self.answer_one(asker, reply);
        }
    }

    /// Answers a request, which is not in flight any more.
    pub(super) fn answer_one(&mut self, asker: Asker, reply: SubmitSharesReply) {
        self.in_flight.give_back(asker.source.client());
        asker.reply.answer(reply);
    }
}
