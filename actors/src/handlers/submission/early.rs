//! Shares that are here before the news of their work.
//!
//! The work manager tells every handler of new work, and one whose mailbox is full at its next look. Meanwhile a miner may
//! have a job of the new template from another handler already. Its shares wait here for the news: to call them stale
//! would rob the miner, and a block among them could not be put together.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::share::Submission;
use dwarves_domain::time::{Span, Timestamp};

use super::messages::SubmitShares;
use super::{Asker, SubmissionHandler};

/// How long shares wait for the news of their work: the work manager tells it again every half second.
const EARLY_FOR: Span = Span::from_secs(3);

/// A request that waits. It keeps its place among those in flight, so their limit is the limit of these, too.
pub(super) struct Early {
    submit: SubmitShares,
    asker: Asker,
    until: Timestamp,
}

impl SubmissionHandler {
    /// Whether one of the shares is for a job that the pool gave out, of a template that is not known here yet.
    pub(super) fn is_early(&self, miner: &Hotkey, shares: &[Option<Submission>]) -> bool {
        shares.iter().flatten().any(|share| {
            share.job_id.claims().template >= self.work.next
                && !self.jobs.contains_key(&share.job_id)
                && self.job_key.open(&share.job_id, miner).is_some()
        })
    }

    pub(super) fn wait_for_news(&mut self, submit: SubmitShares, asker: Asker) {
        let until = self.clock.now().plus(EARLY_FOR);
        self.early.push(Early { submit, asker, until });
    }

    /// Takes the shares that waited for this news.
    pub(super) fn take_early(&mut self, ctx: &mut Context<Self>) {
        for early in std::mem::take(&mut self.early) {
            if self.is_early(&early.submit.miner, &early.submit.shares) {
                self.early.push(early);
            } else {
                self.take_shares(early.submit, early.asker, ctx);
            }
        }
    }

    /// Ends the waiting of those for which no news came: their work is of a ledger that was given up for an older one,
    /// and their miners need new work.
    pub(super) fn end_early(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let is_over = |early: &mut Early| early.until <= now;
        let over: Vec<_> = self.early.extract_if(.., is_over).collect();
        for early in over {
            self.take_shares(early.submit, early.asker, ctx);
        }
    }
}
