//! Shares of Stratum sessions, whose miners roll the extranonce. The session knows the job already; from the
//! proof of work on, a share goes the same way as any other.

use std::sync::Arc;

use actix::prelude::*;
use dwarves_domain::share::{self, Rejection, Submission};
use dwarves_domain::work::{Algorithm, FullExtraNonce, Job};

use super::SubmissionHandler;
use super::messages::{RolledShare, SubmitRolled, SubmitSharesReply};
use crate::ask::Ask;
use crate::miner_manager::messages::{CheckedShare, CheckedShares};

impl Handler<Ask<SubmitRolled>> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<SubmitRolled>, ctx: &mut Self::Context) {
        let SubmitRolled { miner, shares } = ask.payload;
        if self.requests_in_flight >= self.limits.requests_in_flight_max {
            return ask.reply.answer(SubmitSharesReply::Busy);
        }
        let shares = shares
            .into_iter()
            .map(|share| match share {
                RolledShare::Solved {
                    job,
                    extranonce,
                    submission,
                } => self.check_rolled(job, extranonce, &submission),
                RolledShare::Rejected { reason, worker } => CheckedShare::Rejected {
                    reason,
                    worker: Some(worker),
                },
            })
            .collect();
        let checked = CheckedShares {
            miner,
            // The session has seen to it that the share is the worker's.
            worker: None,
            shares,
        };
        self.enqueue(checked, ask.reply, ctx);
    }
}

impl SubmissionHandler {
    fn check_rolled(
        &self,
        job: Arc<Job>,
        extranonce: FullExtraNonce,
        submission: &Submission,
    ) -> CheckedShare {
        let rejected = |reason, job: &Job| CheckedShare::Rejected {
            reason,
            worker: Some(job.worker()),
        };
        // The session may not have heard yet that the work is over.
        if self.work.template(job.template().id()).is_none() {
            return rejected(Rejection::Stale, &job);
        }
        let now_sha256d = |_: &_| unreachable!("only jobs of SHA-256d are issued");
        match share::check_rolled(&job, extranonce, submission, Algorithm::Sha256d, now_sha256d) {
            Ok(proof) => CheckedShare::Proven { job, proof },
            Err(reason) => rejected(reason, &job),
        }
    }
}
