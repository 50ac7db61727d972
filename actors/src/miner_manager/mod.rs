//! The miner manager: owns who mines, with what, how well, and what was seen before.
//!
//! It is asked by the handlers and asks the ledger; it tells the block tracker of blocks. Every message is
//! decided at once; what must be stored is stored, then noted in memory, then answered. It knows nothing of
//! HTTP, of templates beyond their numbers, or of money.

use std::collections::{BTreeMap, VecDeque};

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::miners::{
    Ban, Counters, Newcomers, Performance, RecentShares, Registry, ReplayGuard, Standing,
};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::store::{CounterRow, StoreAction, StoreError, Write, Written};
use tokio::sync::oneshot;

use crate::ask::{Ask, AskError, Outbox, Port, bound_mailbox, tell_every};
use crate::block_tracker::messages::BlockFound;
use crate::ledger::messages::Commit;

mod admission;
pub mod bindings;
pub mod calls;
mod control;
mod judge;
pub mod messages;
mod registration;
mod removal;
pub mod restore;
mod sessions;
mod shares;
#[cfg(test)]
mod tests;
mod views;

use messages::{GaveWay, MinerChanged, NewcomersRefused, WatchMiners};

/// How often counters are saved: what a crash loses of them is counted again from the shares.
const SAVE_COUNTERS_EVERY: Span = Span::from_secs(10);
/// Counters of this many workers go into one write.
const COUNTERS_PER_WRITE: usize = 1_000;

/// What the miner manager is made with.
pub struct MinerManagerParts {
    /// Where it reads the time.
    pub clock: SharedClock,
    /// Where everything is kept.
    pub ledger: Port<Commit>,
    /// Who takes blocks to the chain.
    pub blocks: Outbox<BlockFound>,
    /// Found blocks of one height that are kept.
    pub candidates_max: usize,
    /// Questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
    /// The easiest and the hardest difficulty that an admin may fix.
    pub difficulty_range: (Difficulty, Difficulty),
}

/// What the miner manager knows, restored from the store by [`restore::restore`].
pub struct MinerMemory {
    /// Miners and workers.
    pub registry: Registry,
    /// How many new addresses may come from one place.
    pub newcomers: Newcomers,
    /// How many new hotkeys may register from one place.
    pub registrants: Newcomers,
    /// The first worker's number that was not given to the registry yet.
    pub next_worker: WorkerId,
    /// Settings of workers that are no more, which are to be forgotten.
    pub orphans: Vec<String>,
    /// Nonces of signed requests, against replay.
    pub replay: ReplayGuard,
    /// Headers of live shares, against duplicates.
    pub recent: RecentShares,
    /// Work in the window that ends now.
    pub performance: Performance,
    /// The last share in the ledger.
    pub last_sequence: Sequence,
}

/// The actor that owns the miners.
pub struct MinerManager {
    parts: MinerManagerParts,
    memory: MinerMemory,
    blocks_of_height: shares::BlocksOfHeight,
    paused: bool,
    /// New miners that are being stored, and whether each is an address. All machines of one may log in at once: it is
    /// new only once.
    registering: BTreeMap<Hotkey, bool>,
    addresses_refused: NewcomersRefused,
    registrations_refused: NewcomersRefused,
    /// Those who are told of what operators decide about miners.
    watchers: Vec<Outbox<MinerChanged>>,
    gave_way: GaveWay,
    /// Whether numbers for workers are being stored.
    is_numbering: bool,
    /// Whether the room for live shares is nearly full.
    is_nearly_full: bool,
    /// Commits that the ledger has not answered yet, in the order in which it got them.
    under_way: VecDeque<UnderWay>,
    is_waiting: bool,
}

/// A commit that is under way, and what is done when it is back.
struct UnderWay {
    answer: oneshot::Receiver<Result<Vec<Written>, StoreError>>,
    then: Then,
}

type Then = Box<dyn FnOnce(&mut MinerManager, Result<Vec<Written>, CommitError>, &mut Context<MinerManager>)>;

impl MinerManager {
    /// A miner manager with what the store remembers.
    pub fn new(parts: MinerManagerParts, memory: MinerMemory) -> Self {
        Self {
            parts,
            memory,
            blocks_of_height: shares::BlocksOfHeight::default(),
            paused: false,
            registering: BTreeMap::new(),
            addresses_refused: NewcomersRefused::default(),
            registrations_refused: NewcomersRefused::default(),
            watchers: Vec::new(),
            gave_way: GaveWay::default(),
            is_numbering: false,
            is_nearly_full: false,
            under_way: VecDeque::new(),
            is_waiting: false,
        }
    }

    /// Tells those who have this miner in a session that an operator decided something about it. One that is busy
    /// asks by itself before long.
    fn tell_watchers(&mut self, hotkey: Hotkey) {
        self.watchers
            .retain(|watcher| watcher.tell(MinerChanged(hotkey)) != Err(AskError::Gone));
    }

    /// The running time. All that is kept in memory is told in it.
    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// The date, for what is written down or shown, and for what others date: bans and signed requests.
    fn date(&self) -> Timestamp {
        self.parts.clock.date()
    }

    /// Commits `writes` and then calls `then` with what came of it, back in the actor. There is no deadline:
    /// the ledger always answers, and until it does nobody can know what came of it.
    ///
    /// What was committed first is noted first. Memory so is at every moment what the ledger was at some
    /// moment: a repeat finds the share that it repeats, and saved counters match the sequence they go with.
    fn commit(
        &mut self,
        writes: Vec<Write>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Result<Vec<Written>, CommitError>, &mut Context<Self>) + 'static,
    ) {
        match self.parts.ledger.post(Commit { writes }) {
            Ok(answer) => {
                let then = Box::new(then);
                self.under_way.push_back(UnderWay { answer, then });
                self.wait_for_the_first(ctx);
            }
            Err(error) => then(self, Err(CommitError::Ask(error)), ctx),
        }
    }

    /// Waits for the oldest commit under way, and then for the next. (A context finishes the futures that were
    /// spawned into it in any order, so there is one at a time.)
    fn wait_for_the_first(&mut self, ctx: &mut Context<Self>) {
        if self.is_waiting {
            return;
        }
        let Some(UnderWay { answer, then }) = self.under_way.pop_front() else {
            return;
        };
        self.is_waiting = true;
        ctx.spawn(wrap_future::<_, Self>(answer).map(move |result, this, ctx| {
            let result = match result {
                Ok(Ok(written)) => Ok(written),
                Ok(Err(error)) => Err(CommitError::Store(error)),
                Err(_) => Err(CommitError::Ask(AskError::Gone)),
            };
            then(this, result, ctx);
            this.is_waiting = false;
            this.wait_for_the_first(ctx);
        }));
    }

    /// Saves the counters that changed. All of them in one transaction: the store counts on from the sequence
    /// that goes with them, so counters that were left behind would miss what came before it.
    fn save_counters(&mut self, ctx: &mut Context<Self>) {
        let changed = self.memory.registry.take_changed();
        if changed.is_empty() {
            return;
        }
        let through = self.memory.last_sequence;
        let clock = &self.parts.clock;
        let at = clock.date();
        let of_part = |part: &[(WorkerId, Counters)]| {
            let counters = part
                .iter()
                .map(|(id, counters)| (*id, row_of(counters, clock)))
                .collect();
            Write::SaveCounters {
                at,
                through,
                counters,
            }
        };
        let writes = changed.chunks(COUNTERS_PER_WRITE).map(of_part).collect();
        self.commit(writes, ctx, move |this, result, _| {
            if let Err(error) = result {
                log::debug!("counters were not saved, next time: {error}");
                let ids = changed.into_iter().map(|(id, _)| id);
                this.memory.registry.keep_changed(ids);
            }
        });
    }
}

/// Why a commit gave no answer to go on with.
#[derive(Clone, Debug, thiserror::Error)]
enum CommitError {
    #[error("{0}")]
    Store(StoreError),
    #[error("{0}")]
    Ask(AskError),
}

impl CommitError {
    /// Whether the writes may have been applied all the same. Then nobody may act as if they were not.
    fn leaves_doubt(&self) -> bool {
        match self {
            Self::Store(error) => error.action() == StoreAction::Stop,
            // Only a ledger that was asked can have written.
            Self::Ask(error) => *error != AskError::Busy,
        }
    }
}

fn row_of(counters: &Counters, clock: &SharedClock) -> CounterRow {
    CounterRow {
        accepted: counters.accepted,
        rejected: counters.rejected,
        units: counters.units,
        blocks: counters.blocks,
        last_share_at: counters.last_share_at.map(|at| clock.date_of(at)),
    }
}

/// Whether a hotkey may mine.
fn welcome(registry: &Registry, hotkey: &Hotkey, now: Timestamp) -> Result<(), Refusal> {
    match registry.standing(hotkey, now) {
        Standing::Good => Ok(()),
        Standing::Unknown => Err(Refusal::MinerUnknown),
        Standing::Banned(reason) => Err(Refusal::Banned {
            reason: reason.to_owned(),
        }),
    }
}

fn ban_of(row: dwarves_ports::store::BanRow) -> Ban {
    Ban {
        reason: row.reason,
        until: row.until,
    }
}

/// A hint that counters may have changed.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
struct SaveCountersDue;

impl Actor for MinerManager {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, self.parts.mailbox_capacity);
        tell_every(ctx, SAVE_COUNTERS_EVERY, SaveCountersDue);
    }
}

impl Handler<Ask<WatchMiners>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<WatchMiners>, _: &mut Self::Context) {
        self.watchers.push(ask.payload.watcher);
        ask.reply.answer(());
    }
}

impl Handler<SaveCountersDue> for MinerManager {
    type Result = ();

    fn handle(&mut self, _: SaveCountersDue, ctx: &mut Self::Context) {
        let now = self.now();
        self.memory.recent.forget_retired(now);
        self.save_counters(ctx);
        self.save_earned(ctx);
        self.forget_orphans(ctx);
    }
}
