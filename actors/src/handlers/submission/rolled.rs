//! Shares of Stratum sessions, whose miners roll the extranonce. The session knows the job already; from the
//! proof of work on, a share goes the same way as any other.

use std::sync::Arc;

use actix::prelude::*;
use dwarves_domain::share::{Candidate, Submission};
use dwarves_domain::work::{FullExtraNonce, Job};

use super::hashing::{Draft, Drafts};
use super::messages::{RolledShare, SubmitRolled, SubmitSharesReply};
use super::{Asker, SubmissionHandler};
use crate::ask::Ask;
use crate::miner_manager::messages::CheckedShare;
use crate::source::Source;

impl Handler<Ask<SubmitRolled>> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<SubmitRolled>, ctx: &mut Self::Context) {
        let SubmitRolled { miner, from, shares } = ask.payload;
        let source = Source::new(from, miner);
        if !self.in_flight.take(source.client()) {
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
                RolledShare::Rejected { reason, worker } => Draft::Judged(CheckedShare::Rejected {
                    reason,
                    worker: Some(worker),
                }),
            })
            .collect();
        let drafts = Drafts {
            miner,
            // The session has seen to it that the share is the worker's.
            worker: None,
            shares,
        };
        self.prove(drafts, Asker::new(source, ask.reply), ctx);
    }
}

impl SubmissionHandler {
    fn check_rolled(&self, job: Arc<Job>, extranonce: FullExtraNonce, submission: &Submission) -> Draft {
        let candidate = Candidate::rolled(&job, extranonce, submission);
        Draft::new(job, candidate)
    }
}
