//! The block tracker: owns found blocks until they are deep or orphaned.
//!
//! A found block goes to the chain at once and to the ledger beside it, and to the chain again until that has
//! answered for good. Then the chain is asked what became of it whenever the tip moves; every change is written
//! to the ledger, which the reward distributor reads. At start the newest blocks of the chain are searched for
//! blocks of the pool that a crash kept from the ledger. It is told by the miner manager and asks the chain, the
//! ledger and, at start, the store. It knows nothing of money.
//!
//! | module | its one job |
//! |---|---|
//! | [`messages`] | what it is told and asked |
//! | `submitting` | a block on its way to the chain, again and again |
//! | `judging` | what became of the blocks, asked of a chain that is synced |
//! | `noting` | each change on its way into the ledger |
//! | `recovery` | blocks on the chain that the ledger does not know |
//! | `state` | the rule that makes a state of the chain's answer |

use std::collections::BTreeMap;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::{Span, Timestamp};

use crate::ask::{Ask, AskError, Outbox, Port};
use crate::chain::{ChainError, ChainFuture, SharedChain};
use crate::clock::{SharedClock, poke_every};
use crate::ledger::messages::Commit;
use crate::store::{BlockRow, BlockState, FoundBlock};
use crate::work_manager::messages::WorkChanged;

mod judging;
pub mod messages;
mod noting;
mod recovery;
mod state;
mod submitting;
#[cfg(test)]
mod tests;

use messages::{BlockFound, BlocksView, LookAtBlocks, ReadBlocks};
pub use recovery::{RECOVERY_DEPTH, Recovery};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 1_024;
/// Blocks that are followed at once. A block beyond it displaces one whose fate is settled most.
const OPEN_MAX: usize = 4_096;
/// How often the open blocks are looked at when the tip does not move.
const LOOK_EVERY: Span = Span::from_secs(5);
/// How long the chain may take for an answer.
const CHAIN_DEADLINE: Duration = Duration::from_secs(60);

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
    /// How to find blocks that a crash kept from the ledger; `None` if there was no earlier life.
    pub recovery: Option<Recovery>,
}

/// What is known of a block: its state and its confirmations.
type Fate = (BlockState, u32);

/// A block that still may change.
struct Open {
    block: FoundBlock,
    found_at: Timestamp,
    /// As the ledger has it; `None` while it does not have the block.
    noted: Option<Fate>,
    /// As it is to be noted.
    fate: Fate,
    /// A note to the ledger is under way.
    is_noting: bool,
    /// A question about it to the chain is under way.
    is_asking: bool,
    /// The wait before it is submitted again.
    retry_in: Duration,
    /// The chain refused it: final if a synced chain does not know it.
    is_refused: bool,
    /// A synced chain does not know it, and it can not be submitted again.
    is_missing: bool,
}

/// The actor that owns the found blocks.
pub struct BlockTracker {
    parts: BlockTrackerParts,
    open: BTreeMap<HeaderHash, Open>,
    /// The chain is being asked how far it has come.
    is_asking_sync: bool,
    /// The log was told that the chain is not synced, and not yet that it is again.
    is_unsynced_told: bool,
    is_recovering: bool,
    /// The height of the chain's tip when it was last said to be synced.
    tip: u32,
    view: BlocksView,
}

impl BlockTracker {
    /// A block tracker with the blocks that the store remembers.
    pub fn new(mut parts: BlockTrackerParts) -> Self {
        let open = parts.open.drain(..);
        let open = open.map(|row| (row.hash, Open::from_row(row))).collect();
        Self {
            parts,
            open,
            is_asking_sync: false,
            is_unsynced_told: false,
            is_recovering: false,
            tip: 0,
            view: BlocksView::default(),
        }
    }

    /// Follows a block from now on. Where there is no room, it takes that of the deepest or the lowest orphan.
    fn follow(&mut self, hash: HeaderHash, open: Open) {
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(&hash) {
            let is_settled = |open: &Open| matches!(open.fate.0, BlockState::Mature | BlockState::Orphaned);
            let settled = self.open.iter().filter(|(_, open)| is_settled(open));
            let lowest = settled.min_by_key(|(_, open)| open.block.height);
            if let Some(hash) = lowest.map(|(hash, _)| *hash) {
                self.open.remove(&hash);
            } else {
                log::error!("{OPEN_MAX} blocks are undecided; until a restart nobody follows hash={hash}");
                return;
            }
        }
        self.open.entry(hash).or_insert(open);
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        self.note_all(ctx);
        self.submit_all(ctx);
        self.judge_all(ctx);
    }
}

/// The chain's answer, or that there was none in time.
fn in_time<T: 'static>(answer: ChainFuture<T>) -> ChainFuture<T> {
    Box::pin(async move {
        let answered = tokio::time::timeout(CHAIN_DEADLINE, answer).await;
        answered.unwrap_or_else(|_| {
            let secs = CHAIN_DEADLINE.as_secs();
            Err(ChainError::Unreachable(format!("no answer in {secs} s")))
        })
    })
}

impl Open {
    fn new(block: FoundBlock, found_at: Timestamp, fate: Fate, noted: Option<Fate>) -> Self {
        Self {
            block,
            found_at,
            noted,
            fate,
            is_noting: false,
            is_asking: false,
            retry_in: submitting::RETRY_FIRST,
            is_refused: false,
            is_missing: false,
        }
    }

    fn from_row(row: BlockRow) -> Self {
        let block = FoundBlock {
            height: row.height,
            reward: row.reward,
            finder: row.finder,
            bytes: row.bytes,
        };
        let fate = (row.state, row.confirmations);
        Self::new(block, row.found_at, fate, Some(fate))
    }
}

impl Actor for BlockTracker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        let me = Outbox::new(&ctx.address());
        self.look(ctx);
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
        self.follow(hash, Open::new(block, at, (BlockState::Submitted, 0), None));
        self.submit(hash, ctx);
        self.note(hash, ctx);
    }
}

impl Handler<LookAtBlocks> for BlockTracker {
    type Result = ();

    fn handle(&mut self, _: LookAtBlocks, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<WorkChanged> for BlockTracker {
    type Result = ();

    fn handle(&mut self, _: WorkChanged, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<Ask<ReadBlocks>> for BlockTracker {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadBlocks>, _: &mut Self::Context) {
        let count = |wanted: fn(&Open) -> bool| self.open.values().filter(|open| wanted(open)).count() as u64;
        ask.reply.answer(BlocksView {
            followed: self.open.len() as u64,
            waiting: count(|open| open.fate.0 == BlockState::Submitted),
            missing: count(|open| open.is_missing),
            recovery_pending: self.parts.recovery.is_some(),
            ..self.view.clone()
        });
    }
}
