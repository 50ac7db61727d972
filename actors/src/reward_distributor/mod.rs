//! The reward distributor: owns the `run_interval` timer, the terms, and the round in flight.
//!
//! A tick is only a poke: the schedule says which round is due by the clock, and the ledger's unique round is
//! the guard. It counts in the pool's running time, so no jump of the machine's clock makes a round due or keeps one
//! from it; missed rounds are those of real time away, a limited number a minute. While the clock is refused, or its date not
//! confirmed after the start, no round closes.
//! One round is in flight at a time; it is gathered from the store, closed by the pure rules, and
//! committed until the ledger has answered. It asks the ledger and the store's reading side, and is asked by
//! the pool manager. It knows nothing of shares on their way or of the chain.

use std::time::Duration;

use actix::prelude::*;
use dwarves_domain::ids::Sequence;
use dwarves_domain::rewards::evaluated::EvaluatedTerms;
use dwarves_domain::rewards::{Scheme, Source, Unearned};
use dwarves_domain::rounds::{DueRound, Schedule};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_ports::clock::{Moment, SharedClock};
use dwarves_ports::halt::SharedHalt;
use dwarves_ports::store::reads::LastRound;
use dwarves_ports::store::{SharedStore, Write};

use crate::ask::{Port, ReplyTo, bound_mailbox, tell_every};
use crate::ledger::messages::Commit;
use crate::time_keeper::messages::ClockNews;

mod closing;
pub mod control;
pub mod messages;
mod round_input;
#[cfg(test)]
mod tests;

use messages::Poke;

/// Questions that may wait in the mailbox. It is kept quiet, so that ticks are not starved.
const MAILBOX_CAPACITY: usize = 64;
/// How often the schedule is looked at.
const POKE_EVERY: Span = Span::from_millis(250);
/// The time for which missed rounds are counted.
const MINUTE: Span = Span::from_secs(60);
/// Missed rounds may at least be closed this many times as fast as new ones come due, or they would never be closed.
const CATCH_UP_LEAST: u64 = 2;
/// The wait before a round that could not be closed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How rewards are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How a reward is split.
    pub scheme: Scheme,
    /// Where rewards come from.
    pub source: Source,
    /// The operator's fee.
    pub fee: BasisPoints,
    /// The PPLNS window.
    pub window: Units,
    /// What one round emits, if the source is emission.
    pub emission: Amount,
    /// What becomes of an emission that nobody worked for.
    pub unearned: Unearned,
    /// How results are paid, if the scheme is of evaluated work.
    pub evaluated: EvaluatedTerms,
}

/// What the reward distributor is made with.
pub struct RewardDistributorParts {
    /// Where it reads the time.
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
    /// How long history is kept. `None`: for ever.
    pub history: Option<HistoryKept>,
    /// Missed rounds that are closed in a minute at most.
    pub missed_per_minute: u32,
}

/// How long history is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryKept {
    /// What was mined in each minute.
    pub minutes: Span,
    /// In each hour.
    pub hours: Span,
    /// On each day.
    pub days: Span,
}

/// Why a round is closed.
enum Cause {
    Due,
    Admin(Box<ReplyTo<crate::control::Controlled>>),
}

/// A round that was closed by the rules and is on its way into the ledger: the same writes again until it is
/// answered, so that its digest never changes.
struct InFlight {
    round: DueRound,
    through: Sequence,
    last: LastRound,
    summary: closing::Summary,
    writes: Vec<Write>,
    /// When the reading of its input began.
    began: Moment,
    /// What is said of it belongs together.
    span: tracing::Span,
}

/// The actor that owns the rounds.
pub struct RewardDistributor {
    parts: RewardDistributorParts,
    /// What is known of the machine's clock.
    news: ClockNews,
    /// When the present minute of closing missed rounds began, and how many it had.
    missed: (Timestamp, u64),
    /// A round is being gathered or is on its way into the ledger.
    is_closing: bool,
    is_draining: bool,
    drained: Vec<ReplyTo<()>>,
}

impl RewardDistributor {
    /// A distributor that goes on from the last round in the store.
    pub fn new(parts: RewardDistributorParts) -> Self {
        Self {
            news: ClockNews::default(),
            missed: (Timestamp::EPOCH, 0),
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
        if self.news.refused.is_some() || !self.news.is_confirmed {
            return;
        }
        let now = self.parts.clock.now();
        let Some(due) = self.parts.schedule.due(now) else {
            return;
        };
        if self.parts.schedule.missed(now) == 0 || self.may_close_missed(now) {
            self.close_round(due, Cause::Due, ctx);
        }
    }

    /// Whether a missed round may be closed now; if so it is counted.
    fn may_close_missed(&mut self, now: Timestamp) -> bool {
        let new_ones = MINUTE.millis() / self.parts.schedule.interval().millis();
        let most = u64::from(self.parts.missed_per_minute).max(CATCH_UP_LEAST * new_ones);
        let (began, count) = self.missed;
        self.missed = if now < began || now.since(began) >= MINUTE {
            (now, 1)
        } else if count < most {
            (began, count + 1)
        } else {
            return false;
        };
        true
    }

    /// Goes by what the time keeper says. A step of the date puts in doubt how long the pool was away.
    fn on_clock(&mut self, news: ClockNews, ctx: &mut Context<Self>) {
        if news.steps != self.news.steps && !self.is_closing {
            let now = self.parts.clock.now();
            let missed = self.parts.schedule.missed(now);
            if missed > 0 {
                log::warn!("{missed} missed rounds are forgotten: the date was put right");
                self.parts.schedule.skip_missed(now);
            }
        } else if news.steps != self.news.steps {
            // A round is on its way; it is told again in a second.
            return;
        }
        self.news = news;
        self.poke(ctx);
    }
}

impl Actor for RewardDistributor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        self.poke(ctx);
        tell_every(ctx, POKE_EVERY, Poke);
    }
}

impl Handler<ClockNews> for RewardDistributor {
    type Result = ();

    fn handle(&mut self, news: ClockNews, ctx: &mut Self::Context) {
        self.on_clock(news, ctx);
    }
}

impl Handler<Poke> for RewardDistributor {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.poke(ctx);
    }
}
