//! What became of the blocks, asked of the chain once it says that it is synced: before that it may know neither
//! a block nor the chain that the block is on.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use tracing::Instrument;

use super::heights::{Turn, winner};
use super::{BlockTracker, Open, in_time};
use crate::spans;
use dwarves_domain::blocks::{Verdict, verdict};
use dwarves_ports::chain::{BlockStatus, ChainError, SyncState};
use dwarves_ports::store::BlockState;

/// Whether the chain has said anything about a block, so that it can say what became of it.
fn is_judged(open: &Open) -> bool {
    open.fate.0 != BlockState::Submitted || open.is_refused
}

impl BlockTracker {
    /// Asks how far the chain has come, which is also told when there is no block to judge, and then about every block.
    pub(super) fn judge_all(&mut self, ctx: &mut Context<Self>) {
        if self.is_asking_sync {
            return;
        }
        self.is_asking_sync = true;
        let state = in_time(self.parts.chain.sync_state());
        ctx.spawn(wrap_future::<_, Self>(state).map(|state, this, ctx| {
            this.is_asking_sync = false;
            this.on_sync_state(state, ctx);
        }));
    }

    fn on_sync_state(&mut self, state: Result<SyncState, ChainError>, ctx: &mut Context<Self>) {
        let state = match state {
            Ok(state) => state,
            Err(error) => {
                // What it said before may be over.
                self.view.is_synced = None;
                return log::debug!("the chain does not say how far it has come: {error}");
            }
        };
        self.view.is_synced = Some(state.is_synced);
        if !state.is_synced {
            if !std::mem::replace(&mut self.is_unsynced_told, true) {
                log::warn!("the chain is not synced: blocks are not judged until it is");
            }
            return;
        }
        self.is_unsynced_told = false;
        self.tip = state.tip.height;
        self.recover(state.tip.height, ctx);
        self.settle_decided(ctx);
        let mut all = Vec::new();
        for (_, hashes) in self.heights.newest_first() {
            // As long as one is on the best chain, its siblings are not.
            match winner(hashes, &self.open) {
                Some(winner) => {
                    let refused = hashes
                        .iter()
                        .filter(|hash| self.open.get(hash).is_some_and(|o| o.is_refused));
                    all.extend(refused.copied().chain([winner]));
                }
                None => all.extend(
                    hashes
                        .iter()
                        .filter(|hash| self.open.get(hash).is_some_and(is_judged)),
                ),
            }
        }
        for hash in all {
            self.judge(hash, ctx);
        }
    }

    /// Asks what became of one block.
    fn judge(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash).filter(|open| !open.is_asking) else {
            return;
        };
        open.is_asking = true;
        let span = spans::of_block(hash);
        let status = in_time(self.parts.chain.status(hash)).instrument(span.clone());
        ctx.spawn(wrap_future::<_, Self>(status).map(move |status, this, ctx| {
            if let Some(open) = this.open.get_mut(&hash) {
                open.is_asking = false;
            }
            let _said_of_it = span.enter();
            match status {
                Ok(status) => this.on_status(hash, status, ctx),
                Err(error) => tracing::debug!("the chain does not say what became of hash={hash}: {error}"),
            }
        }));
    }

    fn on_status(&mut self, hash: HeaderHash, status: BlockStatus, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        let before = open.fate.0;
        // One that is refused stays so while the ledger cannot note it: two of them would be submitted for ever, each
        // because the other was refused.
        let is_refused = std::mem::take(&mut open.is_refused) || before == BlockState::Refused;
        let has_bytes = !open.block.bytes.is_empty();
        match verdict(before, status, self.parts.maturity, is_refused, has_bytes) {
            Verdict::Becomes(state, confirmations) => {
                open.is_missing = false;
                open.fate = (state, confirmations);
                self.note(hash, ctx);
                match state {
                    BlockState::Immature | BlockState::Mature => {
                        self.settle_siblings(hash, confirmations, ctx)
                    }
                    // Perhaps one of them has its place now.
                    _ if matches!(before, BlockState::Immature | BlockState::Mature) => {
                        self.judge_siblings(hash, ctx);
                    }
                    _ => {}
                }
                self.forget_if_deep(hash);
            }
            Verdict::SubmitAgain => self.submit(
                Turn {
                    hash,
                    is_sibling: false,
                },
                ctx,
            ),
            Verdict::Missing => {
                if !std::mem::replace(&mut open.is_missing, true) {
                    tracing::error!(
                        "ALARM the chain does not know block hash={hash} height={}, which is deep: is it \
                         another chain?",
                        open.block.height
                    );
                }
            }
        }
    }

    fn judge_siblings(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        let Some(height) = self.open.get(&hash).map(|open| open.block.height) else {
            return;
        };
        for sibling in self.heights.at(height).to_vec() {
            if sibling != hash && self.open.get(&sibling).is_some_and(is_judged) {
                self.judge(sibling, ctx);
            }
        }
    }

    /// Forgets an orphan so deep that nobody will bring it back, if the chain has just said that it still is one.
    fn forget_if_deep(&mut self, hash: HeaderHash) {
        let deep = self.tip.saturating_sub(self.parts.forget_after);
        if let Some(open) = self.open.get(&hash)
            && open.block.height <= deep
            && open.noted == Some(open.fate)
            && open.fate.0 == BlockState::Orphaned
        {
            if !open.block.bytes.is_empty() {
                self.drop_bytes(hash);
            }
            self.forget(hash, false);
        }
    }
}
