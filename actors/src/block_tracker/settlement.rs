//! Blocks that have lost for good, settled without asking the chain for each of them.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use tracing::Level;

use super::{BlockTracker, Delay};
use crate::ledger::messages::Commit;
use crate::notices;
use dwarves_ports::store::{BlockState, Write};

/// Confirmations of one block of the pool at which its siblings are settled.
const SIBLINGS_SETTLED_AT: u32 = 2;
/// Blocks above a height at which it is decided, whoever found it: what the chain has not taken by then it never will.
const DECIDED_AT: u32 = 6;
/// Blocks that are settled in one transaction.
const SETTLED_PER_COMMIT: usize = 256;
/// Blocks that the log names of those.
const NAMED_MAX: usize = 8;

impl BlockTracker {
    /// A block of the pool has its place on the best chain: those of its height have lost. (Those that the chain does not
    /// have yet still go there, one by one.)
    pub(super) fn settle_siblings(
        &mut self,
        winner: HeaderHash,
        confirmations: u32,
        ctx: &mut Context<Self>,
    ) {
        if confirmations < SIBLINGS_SETTLED_AT {
            return;
        }
        let Some(height) = self.open.get(&winner).map(|open| open.block.height) else {
            return;
        };
        let siblings = self.heights.at(height).iter().filter(|hash| **hash != winner);
        let lost: Vec<HeaderHash> = siblings
            .filter(|hash| {
                let open = self.open.get(hash);
                open.is_some_and(|open| open.fate.0 == BlockState::Accepted && open.submitting.is_none())
            })
            .copied()
            .collect();
        self.settle(&lost, ctx);
    }

    /// Heights far below the tip of a synced chain are decided: of what was not submitted yet only the first still
    /// goes there, and what the chain would not take yet is waited for no longer.
    pub(super) fn settle_decided(&mut self, ctx: &mut Context<Self>) {
        let tip = self.tip;
        let mut lost = Vec::new();
        for (height, hashes) in self.heights.newest_first() {
            if height.saturating_add(DECIDED_AT) > tip {
                continue;
            }
            for (place, hash) in hashes.iter().enumerate() {
                let Some(open) = self.open.get(hash) else {
                    continue;
                };
                let is_waiting =
                    open.fate.0 == BlockState::Submitted && open.submitting.is_none() && !open.is_refused;
                if is_waiting && (place > 0 || open.delay == Delay::NotYet) {
                    lost.push(*hash);
                }
            }
        }
        self.settle(&lost, ctx);
    }

    fn settle(&mut self, lost: &[HeaderHash], ctx: &mut Context<Self>) {
        for part in lost.chunks(SETTLED_PER_COMMIT) {
            self.settle_part(part, ctx);
        }
    }

    fn settle_part(&mut self, part: &[HeaderHash], ctx: &mut Context<Self>) {
        let fate = (BlockState::Orphaned, 0);
        let now = self.parts.clock.date();
        let mut writes = Vec::new();
        let mut noting = Vec::new();
        for hash in part {
            let Some(open) = self.open.get_mut(hash) else {
                continue;
            };
            open.fate = fate;
            open.block.bytes = Vec::new();
            self.view.settled += 1;
            // What is on its way into the ledger goes on from there by itself.
            if open.noted.is_some() && !open.is_noting {
                open.is_noting = true;
                noting.push(*hash);
                writes.push(Write::SetBlockState {
                    hash: *hash,
                    state: fate.0,
                    confirmations: fate.1,
                    at: open.found_at,
                    block: None,
                });
                if open.noted.map(|(state, _)| state) != Some(fate.0) {
                    writes.extend(notices::block_became(
                        *hash,
                        &open.block,
                        fate.0,
                        open.is_doubtful,
                        now,
                    ));
                }
            }
        }
        if noting.is_empty() {
            return;
        }
        writes.push(Write::DropBlockBytes(noting.clone()));
        self.say(Level::INFO, || {
            let named = noting.iter().take(NAMED_MAX).map(ToString::to_string);
            let named = named.collect::<Vec<_>>().join(", ");
            let more = match noting.len().saturating_sub(NAMED_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("blocks are orphaned, others have their heights: {named}{more}")
        });
        let answer = self.parts.ledger.post(Commit { writes });
        ctx.spawn(
            wrap_future::<_, Self>(async move { answer.ok()?.await.ok()?.ok() }).map(
                move |written, this, _| {
                    for hash in noting {
                        let Some(open) = this.open.get_mut(&hash) else {
                            continue;
                        };
                        open.is_noting = false;
                        if written.is_some() {
                            open.noted = Some(fate);
                            // Nobody else can have it, so it cannot come back.
                            if !open.was_submitted && open.fate == fate {
                                this.forget(hash, false);
                            }
                        }
                    }
                },
            ),
        );
    }
}
