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
//! | `intake` | headers that meet the network's target, whatever becomes of their shares |
//! | `heights` | the blocks of each height: whose turn it is, and which one is in |
//! | `settlement` | blocks that have lost for good |
//! | `voice` | how much the log is told |
//! | `submission` | a block on its way to the chain, again and again |
//! | `judgement` | what became of the blocks, asked of a chain that is synced |
//! | `notes` | each change on its way into the ledger |
//! | `recovery` | blocks on the chain that the ledger does not know |

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::{Span, Timestamp};
use tracing::Level;

use crate::ask::{Ask, Port, ReplyTo, bound_mailbox, tell_every};
use crate::ledger::messages::Commit;
use crate::live_work::WorkChanged;
use crate::spans;
use dwarves_ports::chain::{ChainError, ChainFuture, SharedChain};
use dwarves_ports::clock::{Moment, SharedClock};
use dwarves_ports::store::{BlockRow, BlockState, FoundBlock, SharedStore, Write};

mod heights;
mod intake;
mod judgement;
pub mod messages;
mod notes;
mod recovery;
mod settlement;
mod submission;
#[cfg(test)]
mod tests;
mod voice;

use heights::Heights;
use messages::{BlockFound, BlocksView, CandidateReply, LookAtBlocks, ReadBlocks};
pub use recovery::{RECOVERY_DEPTH, Recovery};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 1_024;
/// Blocks that are followed at once. A block beyond it displaces one whose fate is settled most.
const OPEN_MAX: usize = 4_096;
/// How often the open blocks are looked at when the tip does not move.
const LOOK_EVERY: Span = Span::from_secs(5);
/// How long the chain may take for an answer.
const CHAIN_DEADLINE: Duration = Duration::from_secs(60);
/// How long a block may wait for the chain before that is a trouble with a name.
const WAITING_IS_TROUBLE: Span = Span::from_secs(60);

/// What the block tracker is made with.
pub struct BlockTrackerParts {
    /// The chain that blocks are submitted to and that judges them.
    pub chain: SharedChain,
    /// Where every change is noted.
    pub ledger: Port<Commit>,
    /// Where templates of old jobs are read.
    pub store: SharedStore,
    /// Candidates of one height that are kept at once.
    pub candidates_max: usize,
    /// Where it reads the time.
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
    /// Since when it has been on its way to the chain.
    submitting: Option<Moment>,
    /// The chain may have it.
    was_submitted: bool,
    /// Why it is not submitted again before the next look.
    delay: Delay,
    /// Who wants to know when it is stored.
    told: Vec<ReplyTo<CandidateReply>>,
    /// The pool would not have given credit for its time or version.
    is_doubtful: bool,
    /// Whose work it is was learnt after it was noted.
    has_new_finder: bool,
    /// A note that says so is under way.
    is_telling_finder: bool,
    /// The wait before it is submitted again.
    retry_in: Duration,
    /// The chain refused it: final if a synced chain does not know it.
    is_refused: bool,
    /// A synced chain does not know it, and it cannot be submitted again.
    is_missing: bool,
}

/// Why a block is not submitted again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delay {
    /// It may be.
    None,
    /// The chain will take it later, if at all.
    NotYet,
    /// The chain could not be reached.
    Unreachable,
}

/// A candidate whose template is being read.
struct Rebuilding {
    /// Whose work it is, if that is known.
    finder: Option<Hotkey>,
    /// Who wants to know when it is stored.
    told: Vec<ReplyTo<CandidateReply>>,
}

/// The actor that owns the found blocks.
pub struct BlockTracker {
    parts: BlockTrackerParts,
    open: BTreeMap<HeaderHash, Open>,
    heights: Heights,
    /// Blocks that were followed, and are known when they come again.
    settled: intake::Settled,
    /// Candidates whose templates are being read, and who waits for them.
    rebuilding: BTreeMap<HeaderHash, Rebuilding>,
    crowd: intake::Crowd,
    voice: voice::Voice,
    /// Submissions under way: of the first blocks of their heights, and of siblings.
    submitting: (usize, usize),
    /// The chain is being asked how far it has come.
    is_asking_sync: bool,
    /// The log was told that the chain is not synced, and not yet that it is again.
    is_unsynced_told: bool,
    search: recovery::Search,
    /// The height of the chain's tip when it was last said to be synced.
    tip: u32,
    view: BlocksView,
}

impl BlockTracker {
    /// A block tracker with the blocks that the store remembers.
    pub fn new(mut parts: BlockTrackerParts) -> Self {
        let open: Vec<BlockRow> = parts.open.drain(..).collect();
        let mut heights = Heights::default();
        for row in &open {
            heights.add(row.height, row.hash);
        }
        let open = open.into_iter().map(|row| (row.hash, Open::from_row(row)));
        Self {
            parts,
            open: open.collect(),
            heights,
            settled: intake::Settled::default(),
            rebuilding: BTreeMap::new(),
            crowd: intake::Crowd::default(),
            voice: voice::Voice::default(),
            submitting: (0, 0),
            is_asking_sync: false,
            is_unsynced_told: false,
            search: recovery::Search::default(),
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
                self.forget(hash, false);
            } else {
                tracing::error!(
                    "{OPEN_MAX} blocks are undecided; until a restart nobody follows hash={hash}"
                );
                return;
            }
        }
        if let std::collections::btree_map::Entry::Vacant(place) = self.open.entry(hash) {
            self.heights.add(open.block.height, hash);
            place.insert(open);
        }
    }

    /// Follows a block no longer.
    fn forget(&mut self, hash: HeaderHash, is_refused: bool) {
        if let Some(open) = self.open.remove(&hash) {
            self.heights.remove(open.block.height, hash, is_refused);
            self.settled.add(hash);
        }
    }

    /// Drops the bytes of a block that nobody will submit any more. If the ledger is busy they stay, and do no harm.
    fn drop_bytes(&self, hash: HeaderHash) {
        let writes = vec![Write::DropBlockBytes(vec![hash])];
        if self.parts.ledger.post(Commit { writes }).is_err() {
            tracing::debug!("the ledger is busy; the bytes of block hash={hash} stay");
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        self.voice.look(self.parts.clock.now());
        self.is_crowded();
        self.note_all(ctx);
        // Judging first: it never waits for what is to be submitted.
        self.judge_all(ctx);
        self.submit_all(ctx);
    }

    /// Says something about a found block, if there is not too much of it.
    fn say(&mut self, level: Level, line: impl FnOnce() -> String) {
        if !self.voice.may_speak(self.parts.clock.now()) {
            return;
        }
        let line = line();
        match level {
            Level::ERROR => tracing::error!("{line}"),
            Level::WARN => tracing::warn!("{line}"),
            _ => tracing::info!("{line}"),
        }
    }

    fn say_found(&mut self, hash: &HeaderHash, block: &FoundBlock) {
        self.say(Level::INFO, || {
            let finder = name_of(block.finder);
            format!("block found height={} hash={hash} finder={finder}", block.height)
        });
    }

    /// What is out of the ordinary, by its names.
    fn troubles(&mut self) -> Vec<String> {
        let mut troubles = Vec::new();
        if self.is_crowded() {
            troubles.push(format!(
                "easy_blocks: more blocks are found than the chain can take; {} were left out since the start",
                self.view.left_out
            ));
        }
        let now = self.parts.clock.date();
        let is_late = |open: &&Open| {
            let waits = open.fate.0 == BlockState::Submitted && !open.is_doubtful;
            waits && now.since(open.found_at) >= WAITING_IS_TROUBLE
        };
        let late = self.open.values().filter(is_late).count();
        if late > 0 {
            troubles.push(format!(
                "blocks_waiting: {late} found blocks are not taken by the chain yet"
            ));
        }
        troubles
    }
}

/// A finder, as the log names one.
fn name_of(finder: Option<Hotkey>) -> String {
    finder.map_or_else(|| "unknown".to_owned(), |finder| finder.to_string())
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
            submitting: None,
            was_submitted: false,
            delay: Delay::None,
            told: Vec::new(),
            is_doubtful: false,
            has_new_finder: false,
            is_telling_finder: false,
            retry_in: submission::RETRY_FIRST,
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
        Self {
            // An earlier life may have.
            was_submitted: true,
            ..Self::new(block, row.found_at, fate, Some(fate))
        }
    }
}

impl Actor for BlockTracker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        self.look(ctx);
        tell_every(ctx, LOOK_EVERY, LookAtBlocks);
    }
}

impl Handler<BlockFound> for BlockTracker {
    type Result = ();

    fn handle(&mut self, found: BlockFound, ctx: &mut Self::Context) {
        let BlockFound { hash, block, at } = found;
        let span = spans::of_block(hash);
        let _said_of_it = span.enter();
        if !self.open.contains_key(&hash) {
            self.say_found(&hash, &block);
        }
        self.follow(hash, Open::new(block, at, (BlockState::Submitted, 0), None));
        self.submit_next(ctx);
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
        let troubles = self.troubles();
        let count = |wanted: fn(&Open) -> bool| self.open.values().filter(|open| wanted(open)).count() as u64;
        ask.reply.answer(BlocksView {
            troubles,
            followed: self.open.len() as u64,
            waiting: count(|open| open.fate.0 == BlockState::Submitted),
            missing: count(|open| open.is_missing),
            recovery_pending: self.may_have_lost(),
            ..self.view.clone()
        });
    }
}
