//! Shares of Stratum sessions, whose miners roll the extranonce. The session knows the job already; from the
//! proof of work on, a share goes the same way as any other.

use std::sync::Arc;

use actix::prelude::*;
use dwarves_domain::share::{Draft, RejectedShare, Submission};
use dwarves_domain::source::Source;
use dwarves_domain::work::{FullExtraNonce, Job};

use super::messages::{RolledShare, SubmitRolled};
use super::solution::{Solution, Solutions};
use super::{Asker, SubmissionHandler};
use crate::ask::Ask;
use crate::meter;

impl Handler<Ask<SubmitRolled>> for SubmissionHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<SubmitRolled>, ctx: &mut Self::Context) {
        let timed = (ask.sent_at(), &meter::ACKNOWLEDGED_STRATUM);
        let SubmitRolled { miner, from, shares } = ask.payload;
        let source = Source::new(from, miner);
        let has_place = self.in_flight.take(source.client());
        let shares = shares
            .into_iter()
            .map(|share| match share {
                RolledShare::Solved {
                    job,
                    extranonce,
                    submission,
                } => self.check_rolled(job, extranonce, &submission),
                RolledShare::Refused {
                    template,
                    extranonce,
                    time,
                    nonce,
                    versions,
                    finder,
                    rejected,
                } => self.refuse_rolled((template, extranonce), (&versions, time, nonce), finder, rejected),
                RolledShare::Rejected(rejected) => Solution::Rejected(rejected),
            })
            .collect();
        let solutions = Solutions {
            miner,
            // The session has seen to it that the share is the worker's.
            worker: None,
            shares,
        };
        let asker = Asker::new(source, self.clock.now(), timed, ask.reply, has_place);
        self.gather(solutions, asker, ctx);
    }
}

impl SubmissionHandler {
    fn check_rolled(&self, job: Arc<Job>, extranonce: FullExtraNonce, submission: &Submission) -> Solution {
        match Draft::rolled(&job, extranonce, submission) {
            Ok(draft) => Solution::Unproven(job, draft),
            Err(reason) => {
                let chain = job.template().chain();
                let version = submission.version.unwrap_or(chain.version);
                let time = submission.time.unwrap_or(chain.time);
                self.refuse_rolled(
                    (job.template().id(), extranonce),
                    (&[version], time, submission.nonce),
                    job.owner(),
                    RejectedShare {
                        reason,
                        worker: Some(job.worker()),
                    },
                )
            }
        }
    }
}
