//! The block tracker: owns found blocks until they are deep or orphaned.
//!
//! A found block goes to the chain at once, beside the commit of its share, and again until the chain has
//! answered. Then the chain is asked what became of it whenever the tip moves; every change is written to the
//! ledger, which the reward distributor reads. It is told by the miner manager and asks the chain and the
//! ledger. It knows nothing of money.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::{Span, Timestamp};

use crate::ask::{AskError, Outbox, Port};
use crate::chain::{BlockStatus, SharedChain, SubmitOutcome};
use crate::clock::{SharedClock, poke_every};
use crate::ledger::messages::Commit;
use crate::store::{BlockRow, BlockState, FoundBlock, Write};
use crate::work_manager::messages::WorkChanged;

pub mod messages;
mod state;
#[cfg(test)]
mod tests;

use messages::{BlockFound, LookAtBlocks};
use state::next_state;

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 1_024;
/// How often the open blocks are looked at when the tip does not move.
const LOOK_EVERY: Span = Span::from_secs(5);
/// How long the ledger may take to note a block's state.
const LEDGER_DEADLINE: Duration = Duration::from_secs(20);

/// What the block tracker is made with.
pub struct BlockTrackerParts {
    /// Who judges blocks.
    pub chain: SharedChain,
    /// Where every change is noted.
    pub ledger: Port<Commit>,
    /// The time.
    pub clock: SharedClock,
    /// Confirmations at which a coinbase can be spent.
    pub maturity: u32,
    /// Confirmations at which a block is no longer looked at.
    pub forget_after: u32,
    /// Blocks of an earlier life that still may change.
    pub open: Vec<BlockRow>,
}

/// A block that still may change.
struct Open {
    block: FoundBlock,
    found_at: Timestamp,
    state: BlockState,
    confirmations: u32,
    /// A question to the chain or a note to the ledger about it is under way.
    is_busy: bool,
}

/// The actor that owns the found blocks.
pub struct BlockTracker {
    parts: BlockTrackerParts,
    open: BTreeMap<HeaderHash, Open>,
}

impl BlockTracker {
    /// A block tracker with the blocks that the store remembers.
    pub fn new(mut parts: BlockTrackerParts) -> Self {
        let open = parts
            .open
            .drain(..)
            .map(|row| (row.hash, Open::from_row(row)))
            .collect();
        Self { parts, open }
    }

    fn submit(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash).filter(|open| !open.is_busy) else {
            return;
        };
        if open.block.bytes.is_empty() {
            // A deep block's bytes are not kept. A chain that does not know it is not the chain that it was on,
            // or has not read its blocks yet.
            log::error!("the chain does not know block hash={hash}, which is deep");
            return;
        }
        open.is_busy = true;
        let submitted = wrap_future::<_, Self>(self.parts.chain.submit(open.block.bytes.clone()));
        ctx.spawn(submitted.map(move |outcome, this, ctx| {
            this.not_busy(hash);
            match outcome {
                Ok(SubmitOutcome::Accepted) => {
                    log::info!("block accepted hash={hash}");
                    this.note(hash, BlockState::Immature, 1, ctx);
                }
                Ok(SubmitOutcome::Inconclusive | SubmitOutcome::Duplicate) => {
                    log::warn!("block hash={hash} is known to the chain, perhaps not as its best");
                    this.known_to_chain(hash, ctx);
                }
                Ok(SubmitOutcome::Refused(why)) => {
                    log::error!("block refused hash={hash} reason={why}");
                    this.note(hash, BlockState::Refused, 0, ctx);
                }
                Ok(SubmitOutcome::NotYet(why)) => {
                    log::warn!("block not taken yet, again soon hash={hash} reason={why}");
                }
                Err(error) => log::warn!("block hash={hash} could not be submitted, again soon: {error}"),
            }
        }));
    }

    /// The chain has the block; where, it says when it is asked. What it said before stays until then.
    fn known_to_chain(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        match self.open.get(&hash).map(|open| open.state) {
            Some(BlockState::Submitted) => self.note(hash, BlockState::Accepted, 0, ctx),
            Some(_) => self.look_at(hash, ctx),
            None => {}
        }
    }

    fn not_busy(&mut self, hash: HeaderHash) {
        if let Some(open) = self.open.get_mut(&hash) {
            open.is_busy = false;
        }
    }

    fn look_at(&mut self, hash: HeaderHash, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash).filter(|open| !open.is_busy) else {
            return;
        };
        open.is_busy = true;
        let status = wrap_future::<_, Self>(self.parts.chain.status(hash));
        ctx.spawn(status.map(move |status, this, ctx| {
            this.not_busy(hash);
            match status {
                Ok(status) => this.on_status(hash, status, ctx),
                Err(error) => log::debug!("the chain does not say what became of hash={hash}: {error}"),
            }
        }));
    }

    fn on_status(&mut self, hash: HeaderHash, status: BlockStatus, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get(&hash) else {
            return;
        };
        match next_state(open.state, status, self.parts.maturity) {
            Some((state, confirmations)) => self.note(hash, state, confirmations, ctx),
            // The chain has never seen it: the submission got lost.
            None => self.submit(hash, ctx),
        }
    }

    /// Notes a block's state in the ledger, and in memory once it is there.
    fn note(&mut self, hash: HeaderHash, state: BlockState, confirmations: u32, ctx: &mut Context<Self>) {
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        if (open.state, open.confirmations) == (state, confirmations) || open.is_busy {
            return;
        }
        open.is_busy = true;
        let write = Write::SetBlockState {
            hash,
            state,
            confirmations,
            at: open.found_at,
            block: Some(open.block.clone()),
        };
        let ledger = self.parts.ledger.clone();
        let commit = Commit { writes: vec![write] };
        let noted = async move { ledger.ask(commit, LEDGER_DEADLINE).await };
        ctx.spawn(wrap_future::<_, Self>(noted).map(move |result, this, _| {
            this.not_busy(hash);
            match result {
                Ok(Ok(_)) => this.noted(hash, state, confirmations),
                // Noting it again is safe, and the next look does so.
                Ok(Err(error)) => log::warn!("state of block hash={hash} not noted: {error}"),
                Err(error) => log::warn!("state of block hash={hash} not noted: {error}"),
            }
        }));
    }

    fn noted(&mut self, hash: HeaderHash, state: BlockState, confirmations: u32) {
        let Some(open) = self.open.get_mut(&hash) else {
            return;
        };
        if open.state != state {
            log::info!("block hash={hash} height={} state={state:?}", open.block.height);
        }
        open.state = state;
        open.confirmations = confirmations;
        if state == BlockState::Refused || confirmations >= self.parts.forget_after {
            self.open.remove(&hash);
        }
    }

    /// Forgets orphans so deep that nobody will bring them back.
    fn forget_old_orphans(&mut self, height: u32) {
        let deep = height.saturating_sub(self.parts.forget_after);
        self.open
            .retain(|_, open| open.state != BlockState::Orphaned || open.block.height > deep || open.is_busy);
    }

    fn look_at_all(&mut self, ctx: &mut Context<Self>) {
        let all: Vec<HeaderHash> = self.open.keys().copied().collect();
        for hash in all {
            if self
                .open
                .get(&hash)
                .is_some_and(|open| open.state == BlockState::Submitted)
            {
                self.submit(hash, ctx);
            } else {
                self.look_at(hash, ctx);
            }
        }
    }
}

impl Open {
    fn from_row(row: BlockRow) -> Self {
        Self {
            block: FoundBlock {
                height: row.height,
                reward: row.reward,
                finder: row.finder,
                bytes: row.bytes,
            },
            found_at: row.found_at,
            state: row.state,
            confirmations: row.confirmations,
            is_busy: false,
        }
    }
}

impl Actor for BlockTracker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        let me = Outbox::new(&ctx.address());
        self.look_at_all(ctx);
        ctx.spawn(wrap_future(poke_every(LOOK_EVERY, move || {
            me.tell(LookAtBlocks) != Err(AskError::Gone)
        })));
    }
}

impl Handler<BlockFound> for BlockTracker {
    type Result = ();

    fn handle(&mut self, found: BlockFound, ctx: &mut Self::Context) {
        let BlockFound { hash, block, at } = found;
        log::info!(
            "block found height={} hash={hash} finder={}",
            block.height,
            block
                .finder
                .map_or_else(|| "unknown".to_owned(), |finder| finder.to_string())
        );
        self.open.entry(hash).or_insert(Open {
            block,
            found_at: at,
            state: BlockState::Submitted,
            confirmations: 0,
            is_busy: false,
        });
        self.submit(hash, ctx);
    }
}

impl Handler<LookAtBlocks> for BlockTracker {
    type Result = ();

    fn handle(&mut self, _: LookAtBlocks, ctx: &mut Self::Context) {
        self.look_at_all(ctx);
    }
}

impl Handler<WorkChanged> for BlockTracker {
    type Result = ();

    fn handle(&mut self, news: WorkChanged, ctx: &mut Self::Context) {
        if let Some(template) = &news.0.current {
            self.forget_old_orphans(template.chain().height);
        }
        self.look_at_all(ctx);
    }
}
