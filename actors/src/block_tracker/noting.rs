//! Each change of a block on its way into the ledger: one note at a time, and again until it is there.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;

use super::{BlockTracker, Fate};
use crate::ledger::messages::Commit;
use crate::store::{BlockState, Write};

/// How long the ledger may take to note a block's state.
const LEDGER_DEADLINE: Duration = Duration::from_secs(20);

impl BlockTracker {
    /// Notes what could not be noted before.
    pub(super) fn note_all(&mut self, ctx: &mut Context<Self>) {
        let all: Vec<HeaderHash> = self.open.keys().copied().collect();
        for hash in all {
            self.note(hash, ctx);
        }
    }

    /// Notes a block's fate in the ledger, if that has another one. Noting it again is safe.
    pub(super) fn note(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash).filter(|open| !open.is_noting) else {
            return;
        };
        let fate = open.fate;
        if open.noted == Some(fate) {
            return;
        }
        open.is_noting = true;
        let write = Write::SetBlockState {
            hash,
            state: fate.0,
            confirmations: fate.1,
            at: open.found_at,
            // Once the ledger has it, its bytes need not travel again.
            block: open.noted.is_none().then(|| open.block.clone()),
        };
        let ledger = self.parts.ledger.clone();
        let commit = Commit { writes: vec![write] };
        let noted = async move { ledger.ask(commit, LEDGER_DEADLINE).await };
        ctx.spawn(wrap_future::<_, Self>(noted).map(move |result, this, ctx| {
            if let Some(open) = this.open.get_mut(&hash) {
                open.is_noting = false;
            }
            match result {
                Ok(Ok(_)) => this.on_noted(hash, fate, ctx),
                // The next look does it again.
                Ok(Err(error)) => log::warn!("state of block hash={hash} not noted: {error}"),
                Err(error) => log::warn!("state of block hash={hash} not noted: {error}"),
            }
        }));
    }

    fn on_noted(&mut self, hash: HeaderHash, fate: Fate, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        let before = open.noted.replace(fate).map(|(state, _)| state);
        let (state, confirmations) = fate;
        let height = open.block.height;
        if before != Some(state) {
            log::info!("block hash={hash} height={height} state={state}");
        }
        if before == Some(BlockState::Mature) && state != BlockState::Mature {
            self.view.deep_reorgs += 1;
            log::error!(
                "ALARM deep reorganisation: block hash={hash} height={height} was mature and is {state}; what \
                 it paid stays with the miners, and the reserve bears the loss"
            );
        }
        if state == BlockState::Refused {
            self.view.refused += 1;
        }
        if self.open.get(&hash).is_none_or(|open| open.fate == fate) {
            if state == BlockState::Refused || confirmations >= self.parts.forget_after {
                self.open.remove(&hash);
            }
        } else {
            // It changed meanwhile.
            self.note(hash, ctx);
        }
    }
}
