//! A block on its way to the chain: at once, then again after a wait that doubles, then at every look.
//!
//! The first block of a height goes before its siblings, and the newest height before older ones; a limited number are under
//! way at once that a flood of candidates leaves the chain time for everything else.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use tracing::{Instrument, Level};

use super::heights::{self, Turn};
use super::{BlockTracker, Delay, LOOK_EVERY, in_time};
use crate::spans;
use dwarves_ports::chain::{ChainError, SubmitOutcome};
use dwarves_ports::clock::Moment;
use dwarves_ports::store::BlockState;

/// The wait before a block is submitted again: doubled each time, until the looks come as often.
pub(super) const RETRY_FIRST: Duration = Duration::from_millis(250);
/// First blocks of their heights that may be on their way at once.
const FIRST_UNDER_WAY_MAX: usize = 16;
/// Siblings, of all heights, that may be on their way at once.
const SIBLINGS_UNDER_WAY_MAX: usize = 1;

impl BlockTracker {
    /// Submits every block that the chain has not taken yet, as far as it is their turn.
    pub(super) fn submit_all(&mut self, ctx: &mut Context<Self>) {
        for open in self.open.values_mut() {
            open.delay = Delay::None;
        }
        self.submit_next(ctx);
    }

    /// Submits those whose turn it is.
    pub(super) fn submit_next(&mut self, ctx: &mut Context<Self>) {
        let (first, siblings) = self.submitting;
        let mut room = (
            FIRST_UNDER_WAY_MAX.saturating_sub(first),
            SIBLINGS_UNDER_WAY_MAX.saturating_sub(siblings),
        );
        let mut next = Vec::new();
        for (_, hashes) in self.heights.newest_first() {
            if room == (0, 0) {
                break;
            }
            let Some(turn) = heights::turn(hashes, &self.open) else {
                continue;
            };
            let room = if turn.is_sibling { &mut room.1 } else { &mut room.0 };
            if *room > 0 {
                *room -= 1;
                next.push(turn);
            }
        }
        for turn in next {
            self.submit(turn, ctx);
        }
    }

    /// Submits a block. Submitting it again is safe.
    pub(super) fn submit(&mut self, turn: Turn, ctx: &mut Context<Self>) {
        let Turn { hash, is_sibling } = turn;
        let Some(open) = self.open.get_mut(&hash).filter(|open| open.submitting.is_none()) else {
            return;
        };
        open.submitting = Some(Moment::now());
        open.was_submitted = true;
        let bytes = open.block.bytes.clone();
        *self.under_way(is_sibling) += 1;
        let span = spans::of_block(hash);
        let submitted = in_time(self.parts.chain.submit(bytes));
        let submitted = submitted.instrument(span.clone());
        ctx.spawn(wrap_future::<_, Self>(submitted).map(move |outcome, this, ctx| {
            *this.under_way(is_sibling) -= 1;
            if let Some(open) = this.open.get_mut(&hash) {
                open.submitting = None;
            }
            span.in_scope(|| this.on_outcome(hash, outcome, ctx));
            this.submit_next(ctx);
        }));
    }

    fn under_way(&mut self, is_sibling: bool) -> &mut usize {
        if is_sibling {
            &mut self.submitting.1
        } else {
            &mut self.submitting.0
        }
    }

    fn on_outcome(
        &mut self,
        hash: HeaderHash,
        outcome: Result<SubmitOutcome, ChainError>,
        ctx: &mut Context<Self>,
    ) {
        match outcome {
            Ok(SubmitOutcome::Accepted) => {
                self.say(Level::INFO, || format!("block accepted hash={hash}"));
                self.taken(hash, ctx);
                self.judge_all(ctx);
            }
            // Perhaps an earlier submission whose answer was lost; where the block is, its status says.
            Ok(SubmitOutcome::Duplicate) => {
                self.say(Level::INFO, || format!("block known to the chain hash={hash}"));
                self.taken(hash, ctx);
                self.judge_all(ctx);
            }
            Ok(SubmitOutcome::Inconclusive) => {
                self.say(Level::WARN, || {
                    format!("block is valid and not the best, so far hash={hash}")
                });
                self.taken(hash, ctx);
            }
            Ok(SubmitOutcome::NotYet(why)) => {
                self.submit_later(hash, Delay::NotYet, &why, ctx);
            }
            Ok(SubmitOutcome::Refused(why)) => {
                if let Some(open) = self.open.get_mut(&hash) {
                    // A chain that is not synced refuses what it cannot judge, and another node may have it.
                    open.is_refused = true;
                    let (level, doubt) = if open.is_doubtful {
                        (
                            Level::INFO,
                            " (the pool gave no credit for its time or version either)",
                        )
                    } else {
                        (Level::ERROR, "")
                    };
                    self.say(level, || format!("block refused hash={hash} reason={why}{doubt}"));
                }
                self.judge_all(ctx);
            }
            Err(error) => self.submit_later(hash, Delay::Unreachable, &error.to_string(), ctx),
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

    fn submit_later(&mut self, hash: HeaderHash, delay: Delay, why: &str, ctx: &mut Context<Self>) {
        self.view.submissions_failed += 1;
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        let is_new = open.retry_in == RETRY_FIRST;
        open.delay = delay;
        let wait = open.retry_in;
        if wait < LOOK_EVERY.to_std() {
            open.retry_in = wait * 2;
            ctx.run_later(wait, move |this, ctx| {
                if let Some(open) = this.open.get_mut(&hash) {
                    open.delay = Delay::None;
                    this.submit_next(ctx);
                }
            });
        }
        // Once: as long as it lasts, `blocks_waiting` says so.
        if is_new {
            self.say(Level::WARN, || {
                format!("block not taken yet, again soon until it is hash={hash} reason={why}")
            });
        }
    }
}
