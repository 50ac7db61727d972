//! A block on its way to the chain: at once, then again after a wait that doubles, then at every look.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;

use super::{BlockTracker, LOOK_EVERY, in_time};
use crate::chain::{ChainError, SubmitOutcome};
use crate::store::BlockState;

/// The wait before a block is submitted again: doubled each time, until the looks come as often.
pub(super) const RETRY_FIRST: Duration = Duration::from_millis(250);

impl BlockTracker {
    /// Submits every block that the chain has not taken yet.
    pub(super) fn submit_all(&mut self, ctx: &mut Context<Self>) {
        let waiting = self
            .open
            .iter()
            .filter(|(_, open)| open.fate.0 == BlockState::Submitted);
        let waiting: Vec<HeaderHash> = waiting.map(|(hash, _)| *hash).collect();
        for hash in waiting {
            self.submit(hash, ctx);
        }
    }

    /// Submits a block. Submitting it again is safe.
    pub(super) fn submit(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash).filter(|open| !open.is_asking) else {
            return;
        };
        open.is_asking = true;
        let submitted = in_time(self.parts.chain.submit(open.block.bytes.clone()));
        ctx.spawn(wrap_future::<_, Self>(submitted).map(move |outcome, this, ctx| {
            if let Some(open) = this.open.get_mut(&hash) {
                open.is_asking = false;
            }
            this.on_outcome(hash, outcome, ctx);
        }));
    }

    fn on_outcome(
        &mut self,
        hash: HeaderHash,
        outcome: Result<SubmitOutcome, ChainError>,
        ctx: &mut Context<Self>,
    ) {
        match outcome {
            Ok(SubmitOutcome::Accepted) => {
                log::info!("block accepted hash={hash}");
                self.taken(hash, ctx);
                self.judge_all(ctx);
            }
            // Perhaps an earlier submission whose answer was lost; where the block is, its status says.
            Ok(SubmitOutcome::Duplicate) => {
                log::info!("block known to the chain hash={hash}");
                self.taken(hash, ctx);
                self.judge_all(ctx);
            }
            Ok(SubmitOutcome::Inconclusive) => {
                log::warn!("block is valid and not the best, so far hash={hash}");
                self.taken(hash, ctx);
            }
            Ok(SubmitOutcome::NotYet(why)) => {
                log::warn!("block not taken yet, again soon hash={hash} reason={why}");
                self.submit_later(hash, ctx);
            }
            Ok(SubmitOutcome::Refused(why)) => {
                log::error!("block refused hash={hash} reason={why}");
                if let Some(open) = self.open.get_mut(&hash) {
                    // A chain that is not synced refuses what it can not judge, and another node may have it.
                    open.is_refused = true;
                }
                self.judge_all(ctx);
            }
            Err(error) => {
                log::warn!("block could not be submitted, again soon hash={hash}: {error}");
                self.submit_later(hash, ctx);
            }
        }
    }

    /// The chain has the block. What was known of it before stays until the chain is asked.
    fn taken(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        open.is_refused = false;
        open.is_missing = false;
        open.retry_in = RETRY_FIRST;
        if open.fate.0 == BlockState::Submitted {
            open.fate = (BlockState::Accepted, 0);
        }
        self.note(hash, ctx);
    }

    fn submit_later(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        self.view.submissions_failed += 1;
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        let wait = open.retry_in;
        if wait >= LOOK_EVERY.to_std() {
            return;
        }
        open.retry_in = wait * 2;
        ctx.run_later(wait, move |this, ctx| {
            let waits = this
                .open
                .get(&hash)
                .is_some_and(|open| open.fate.0 == BlockState::Submitted);
            if waits {
                this.submit(hash, ctx);
            }
        });
    }
}
