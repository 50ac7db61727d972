//! Each change of a block on its way into the ledger: one note at a time, and again until it is there.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use tracing::{Instrument, Level};

use super::messages::CandidateReply;
use super::{BlockTracker, Fate, Open};
use crate::ledger::messages::Commit;
use crate::notices;
use crate::spans;
use dwarves_ports::store::{BlockState, Write, Written};

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
        if open.noted == Some(fate) && !open.has_new_finder {
            return;
        }
        open.is_noting = true;
        let tells_finder = std::mem::take(&mut open.has_new_finder);
        open.is_telling_finder = tells_finder;
        let write = if open.noted.is_some() && !tells_finder {
            Write::SetBlockState {
                hash,
                state: fate.0,
                confirmations: fate.1,
                at: open.found_at,
                block: None,
            }
        } else {
            // The ledger may know it from before, and then knows more.
            Write::RecordCandidate {
                hash,
                block: open.block.clone(),
                at: open.found_at,
            }
        };
        let notice = match &write {
            Write::RecordCandidate { at, .. } => Some(notices::block_found(hash, &open.block, *at)),
            _ if open.noted.map(|(state, _)| state) == Some(fate.0) => None,
            _ => notices::block_became(
                hash,
                &open.block,
                fate.0,
                open.is_doubtful,
                self.parts.clock.date(),
            ),
        };
        let ledger = self.parts.ledger.clone();
        let writes = std::iter::once(write).chain(notice).collect();
        let commit = Commit { writes };
        let span = spans::of_block(hash);
        let noted = async move { ledger.ask(commit, LEDGER_DEADLINE).await }.instrument(span.clone());
        ctx.spawn(wrap_future::<_, Self>(noted).map(move |result, this, ctx| {
            if let Some(open) = this.open.get_mut(&hash) {
                open.is_noting = false;
                open.is_telling_finder = false;
            }
            let _said_of_it = span.enter();
            match result {
                Ok(Ok(written)) => match written.first() {
                    Some(Written::Candidate { state, confirmations }) => {
                        this.on_recorded(hash, (*state, *confirmations), ctx);
                    }
                    _ => this.on_noted(hash, fate, ctx),
                },
                Ok(Err(error)) => this.on_unnoted(hash, tells_finder, &error.to_string()),
                Err(error) => this.on_unnoted(hash, tells_finder, &error.to_string()),
            }
        }));
    }

    /// The next look does it again.
    fn on_unnoted(&mut self, hash: HeaderHash, tells_finder: bool, error: &str) {
        if let Some(open) = self.open.get_mut(&hash) {
            open.has_new_finder |= tells_finder;
        }
        self.say(Level::WARN, || {
            format!("state of block hash={hash} not noted: {error}")
        });
    }

    /// The ledger has the block, and knows it so.
    fn on_recorded(&mut self, hash: HeaderHash, stored: Fate, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        // Whose work it is may have been learnt while this was written: then the next note answers.
        if !open.has_new_finder || stored.0 == BlockState::Refused {
            for reply in open.told.drain(..) {
                reply.answer(CandidateReply::Taken);
            }
        }
        open.noted = Some(stored);
        if open.fate.0 == BlockState::Submitted && stored.0 != BlockState::Submitted {
            // It came again after it was settled.
            open.fate = stored;
            if stored.0 == BlockState::Refused {
                self.forget(hash, true);
            }
            return;
        }
        let (height, state) = (open.block.height, open.fate.0);
        if stored.0 == state {
            self.say(Level::INFO, || {
                format!("block hash={hash} height={height} state={state}")
            });
        }
        // Perhaps more is known of it by now.
        self.note(hash, ctx);
    }

    fn on_noted(&mut self, hash: HeaderHash, fate: Fate, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        let before = open.noted.replace(fate).map(|(state, _)| state);
        let (state, confirmations) = fate;
        let height = open.block.height;
        let is_doubtful = open.is_doubtful;
        if before != Some(state) {
            self.say(Level::INFO, || {
                format!("block hash={hash} height={height} state={state}")
            });
        }
        if before == Some(BlockState::Mature) && state != BlockState::Mature {
            self.view.deep_reorgs += 1;
            tracing::error!(
                "ALARM deep reorganisation: block hash={hash} height={height} was mature and is {state}; what \
                 it paid stays with the miners, and the reserve bears the loss"
            );
        }
        if state == BlockState::Refused {
            let count = if is_doubtful {
                &mut self.view.doubtful_refused
            } else {
                &mut self.view.refused
            };
            *count += 1;
        }
        let is_settled = |open: &Open| open.fate == fate && !open.was_submitted;
        if state == BlockState::Orphaned && self.open.get(&hash).is_some_and(is_settled) {
            // Nobody else can have it, so it cannot come back.
            self.drop_bytes(hash);
            self.forget(hash, false);
        } else if self.open.get(&hash).is_none_or(|open| open.fate == fate) {
            if state == BlockState::Refused || confirmations >= self.parts.forget_after {
                self.forget(hash, state == BlockState::Refused);
            }
        } else {
            // It changed meanwhile.
            self.note(hash, ctx);
        }
    }
}
