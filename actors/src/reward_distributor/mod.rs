//! The reward distributor: owns the `run_interval` timer, the terms, and the round in flight.
//!
//! A tick is only a poke: the schedule says which round is due by the clock, and the ledger's unique round is
//! the guard. One round is in flight at a time; it is gathered from the store, closed by the pure rules, and
//! committed until the ledger has answered. It asks the ledger and the store's reading side, and is asked by
//! the pool manager. It knows nothing of shares on their way or of the chain.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::Sequence;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::rounds::{DueRound, Schedule};
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints, Units};

use crate::ask::{AskError, Outbox, Port, ReplyTo};
use crate::clock::{SharedClock, poke_every};
use crate::halt::SharedHalt;
use crate::ledger::messages::Commit;
use crate::store::reads::LastRound;
use crate::store::{SharedStore, Write};

mod closing;
pub mod control;
mod gather;
pub mod messages;
#[cfg(test)]
mod tests;

use messages::Poke;

/// Questions that may wait in the mailbox. It is kept quiet, so that ticks are not starved.
const MAILBOX_CAPACITY: usize = 64;
/// How often the schedule is looked at.
const POKE_EVERY: Span = Span::from_millis(250);
/// The wait before a round that could not be closed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How rewards are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The scheme.
    pub scheme: Scheme,
    /// Where rewards come from.
    pub source: Source,
    /// The operator's fee.
    pub fee: BasisPoints,
    /// The PPLNS window.
    pub window: Units,
    /// What one round emits, if the source is emission.
    pub emission: Amount,
}

/// What the reward distributor is made with.
pub struct RewardDistributorParts {
    /// The time.
    pub clock: SharedClock,
    /// Where rounds are booked.
    pub ledger: Port<Commit>,
    /// Where a round's input is read.
    pub store: SharedStore,
    /// The emergency stop.
    pub halt: SharedHalt,
    /// How rewards are split.
    pub terms: Terms,
    /// When rounds are due.
    pub schedule: Schedule,
    /// The last round in the store.
    pub last_round: Option<LastRound>,
    /// Whether an admin paused it in an earlier life.
    pub paused: bool,
    /// How long shares are kept once every window has passed them. `None`: for ever.
    pub retention: Option<Span>,
}

/// Why a round is closed.
enum Cause {
    Due,
    Admin(ReplyTo<crate::pool_manager::messages::ControlOutcome>),
}

/// A round that was closed by the rules and is on its way into the ledger: the same writes again until it is
/// answered, so that its digest never changes.
struct InFlight {
    round: DueRound,
    through: Sequence,
    last: LastRound,
    summary: closing::Summary,
    writes: Vec<Write>,
}

/// The actor that owns the rounds.
pub struct RewardDistributor {
    parts: RewardDistributorParts,
    /// A round is being gathered or is on its way into the ledger.
    is_closing: bool,
    is_draining: bool,
    drained: Vec<ReplyTo<()>>,
}

impl RewardDistributor {
    /// A distributor that goes on from the last round in the store.
    pub fn new(parts: RewardDistributorParts) -> Self {
        Self {
            parts,
            is_closing: false,
            is_draining: false,
            drained: Vec::new(),
        }
    }

    fn poke(&mut self, ctx: &mut Context<Self>) {
        if self.parts.paused || self.is_draining || self.is_closing {
            return;
        }
        if let Some(due) = self.parts.schedule.due(self.parts.clock.now()) {
            self.close_round(due, Cause::Due, ctx);
        }
    }
}

impl Actor for RewardDistributor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        self.poke(ctx);
        let me = Outbox::new(&ctx.address());
        ctx.spawn(wrap_future(poke_every(POKE_EVERY, move || {
            me.tell(Poke) != Err(AskError::Gone)
        })));
    }
}

impl Handler<Poke> for RewardDistributor {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.poke(ctx);
    }
}
