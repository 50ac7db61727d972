//! The miner manager: owns who mines, with what, how well, and what was seen before.
//!
//! It is asked by the handlers and asks the ledger; it tells the block tracker of blocks. Every message is
//! decided at once; what must be stored is stored, then noted in memory, then answered. It knows nothing of
//! HTTP, of templates beyond their numbers, or of money.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, TemplateId};
use dwarves_domain::miners::{Ban, Counters, Performance, RecentShares, Registry, ReplayGuard};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};

use crate::ask::{AskError, Outbox, Port};
use crate::block_tracker::messages::BlockFound;
use crate::clock::{SharedClock, poke_every};
use crate::ledger::messages::Commit;
use crate::store::{CounterRow, StoreError, Write, Written};

mod control;
mod judge;
pub mod messages;
mod mining;
mod registering;
pub mod restore;
#[cfg(test)]
mod tests;
mod views;

use messages::Standing;

/// How often counters are saved: what a crash loses of them is counted again from the shares.
const SAVE_COUNTERS_EVERY: Span = Span::from_secs(10);
/// Counters of this many workers go into one commit.
const COUNTERS_PER_COMMIT: usize = 1_000;

/// What the miner manager is made with.
pub struct MinerManagerParts {
    /// The time.
    pub clock: SharedClock,
    /// Where everything is kept.
    pub ledger: Port<Commit>,
    /// Who takes blocks to the chain.
    pub blocks: Outbox<BlockFound>,
    /// Questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
    /// The easiest and the hardest difficulty that an admin may fix.
    pub difficulty_range: (Difficulty, Difficulty),
}

/// What the miner manager knows, restored from the store by [`restore::restore`].
pub struct MinerMemory {
    /// Miners and workers.
    pub registry: Registry,
    /// Used nonces.
    pub replay: ReplayGuard,
    /// Accepted headers.
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
    oldest_live: TemplateId,
    paused: bool,
}

impl MinerManager {
    /// A miner manager with what the store remembers.
    pub fn new(parts: MinerManagerParts, memory: MinerMemory) -> Self {
        Self {
            parts,
            memory,
            oldest_live: TemplateId::new(0),
            paused: false,
        }
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Commits `writes` and then calls `then` with what came of it, back in the actor. There is no deadline:
    /// the ledger always answers, and until it does nobody can know what came of it.
    fn commit(
        &mut self,
        writes: Vec<Write>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Result<Vec<Written>, CommitError>) + 'static,
    ) {
        let answer = match self.parts.ledger.post(Commit { writes }) {
            Ok(answer) => answer,
            Err(error) => return then(self, Err(CommitError::Ask(error))),
        };
        ctx.spawn(wrap_future::<_, Self>(answer).map(move |result, this, _| {
            let result = match result {
                Ok(Ok(written)) => Ok(written),
                Ok(Err(error)) => Err(CommitError::Store(error)),
                Err(_) => Err(CommitError::Ask(AskError::Gone)),
            };
            then(this, result);
        }));
    }

    fn save_counters(&mut self, ctx: &mut Context<Self>) {
        let changed = self.memory.registry.take_changed();
        let through = self.memory.last_sequence;
        for part in changed.chunks(COUNTERS_PER_COMMIT) {
            let counters = part
                .iter()
                .map(|(id, counters)| (*id, row_of(counters)))
                .collect();
            let write = Write::SaveCounters { through, counters };
            self.commit(vec![write], ctx, |_, result| {
                if let Err(error) = result {
                    log::debug!("counters were not saved, next time: {error}");
                }
            });
        }
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

fn row_of(counters: &Counters) -> CounterRow {
    CounterRow {
        accepted: counters.accepted,
        rejected: counters.rejected,
        last_share_at: counters.last_share_at,
    }
}

/// The standing that keeps a hotkey from mining, if it has one.
fn standing_of(registry: &Registry, hotkey: &Hotkey, now: Timestamp) -> Option<Standing> {
    use dwarves_domain::miners::Standing as Core;
    match registry.standing(hotkey, now) {
        Core::Good => None,
        Core::Unknown => Some(Standing::Unknown),
        Core::Banned(reason) => Some(Standing::Banned {
            reason: reason.to_owned(),
        }),
    }
}

fn ban_of(row: crate::store::BanRow) -> Ban {
    Ban {
        reason: row.reason,
        until: row.until,
    }
}

/// A hint that counters may have changed.
#[derive(Message)]
#[rtype(result = "()")]
struct SaveCountersDue;

impl Actor for MinerManager {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.parts.mailbox_capacity);
        let me = Outbox::new(&ctx.address());
        ctx.spawn(wrap_future(poke_every(SAVE_COUNTERS_EVERY, move || {
            me.tell(SaveCountersDue) != Err(AskError::Gone)
        })));
    }
}

impl Handler<SaveCountersDue> for MinerManager {
    type Result = ();

    fn handle(&mut self, _: SaveCountersDue, ctx: &mut Self::Context) {
        self.save_counters(ctx);
    }
}
