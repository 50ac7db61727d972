//! The time keeper: watches the machine's wall clock, and says whether it can be believed.
//!
//! It compares the wall with the time that passed and with the best header of the chain, moves the pool's date when
//! the wall has shown that it is right, and tells those who move money when it is not. What is decided is in
//! [`dwarves_domain::timekeeping`]. It is asked by whoever shows how the pool is, asks the chain, and knows nothing
//! of rounds or payouts beyond whom to tell.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::timekeeping::{BestHeader, Readings, Rules, Timekeeping};

use crate::ask::{Ask, AskError, Outbox, bound_mailbox, tell_every};
use crate::control::hold::Hold;
use crate::control::hold::HoldPayouts;
use dwarves_ports::chain::{ChainError, SharedChain};
use dwarves_ports::clock::SharedClock;

pub mod messages;
#[cfg(test)]
mod tests;

use messages::{ClockNews, ClockView, ReadClock};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 64;
/// How often the clocks are compared.
const LOOK_EVERY: Span = Span::from_secs(1);
/// How often the chain is asked for the time in its best header.
const HEADER_EVERY: Span = Span::from_secs(10);

/// What the time keeper is made with.
pub struct TimeKeeperParts {
    /// The clock that it keeps.
    pub clock: SharedClock,
    /// Whose headers have times; `None`: there is no chain.
    pub chain: Option<SharedChain>,
    /// How much is believed.
    pub rules: Rules,
    /// The latest date that an earlier life wrote down.
    pub last_seen: Timestamp,
    /// Tells the reward distributor whether the clock is believed.
    pub rounds: Outbox<ClockNews>,
    /// Tells the notary, if there is one.
    pub statements: Option<Outbox<ClockNews>>,
    /// Holds payouts while the clock is refused.
    pub payouts: Outbox<HoldPayouts>,
}

/// The actor that owns what is known of the wall clock.
pub struct TimeKeeper {
    parts: TimeKeeperParts,
    keeping: Timekeeping,
    header: BestHeader,
    /// When it was heard of.
    heard_at: Timestamp,
    /// When the chain was asked last; an answer may be on its way.
    asked_at: Option<Timestamp>,
    is_asking: bool,
    /// The chain has answered, or failed to, at least once: until then nobody knows what it says.
    was_answered: bool,
    steps: u64,
    hindrance: Option<String>,
}

impl TimeKeeper {
    /// A time keeper that has not looked yet. The date is the wall's when it is made.
    pub fn new(parts: TimeKeeperParts) -> Self {
        let keeping = Timekeeping::new(parts.rules, parts.clock.now(), parts.last_seen);
        Self {
            parts,
            keeping,
            header: BestHeader::Unheard,
            heard_at: Timestamp::EPOCH,
            asked_at: None,
            is_asking: false,
            was_answered: false,
            steps: 0,
            hindrance: None,
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        self.ask_for_header(ctx);
        let clock = &self.parts.clock;
        let now = clock.now();
        let readings = Readings {
            now,
            date: clock.date_of(now),
            wall: clock.wall(),
            header: match self.header {
                // While the chain does not answer, time passes there too.
                BestHeader::Time(time) => BestHeader::Time(time.plus(now.since(self.heard_at))),
                unknown => unknown,
            },
        };
        if let Some(millis) = self.keeping.look(readings) {
            clock.correct(millis);
            if millis.unsigned_abs() > dwarves_domain::timekeeping::STEP_MAX.millis() {
                self.steps += 1;
                log::warn!(
                    "the date moves by {}, as the machine's clock did",
                    Distance(millis)
                );
            }
        }
        self.note_hindrance();
        self.tell();
    }

    fn ask_for_header(&mut self, ctx: &mut Context<Self>) {
        let now = self.parts.clock.now();
        let is_due = self.asked_at.is_none_or(|at| now.since(at) >= HEADER_EVERY);
        if self.is_asking || !is_due {
            return;
        }
        self.asked_at = Some(now);
        let Some(chain) = &self.parts.chain else {
            self.header = BestHeader::Timeless;
            self.was_answered = true;
            return;
        };
        self.is_asking = true;
        let answer = wrap_future::<_, Self>(chain.best_header_time());
        ctx.spawn(answer.map(|answer, this, ctx| this.on_header(answer, ctx)));
    }

    fn on_header(&mut self, answer: Result<Option<Timestamp>, ChainError>, ctx: &mut Context<Self>) {
        self.is_asking = false;
        let is_first = !std::mem::replace(&mut self.was_answered, true);
        match answer {
            Ok(time) => {
                self.heard_at = self.parts.clock.now();
                self.header = time.map_or(BestHeader::Timeless, BestHeader::Time);
            }
            // What was heard before still holds; a chain that was never heard says nothing.
            Err(error) => log::debug!("the chain does not tell its best header's time: {error}"),
        }
        if is_first {
            self.look(ctx);
        }
    }

    /// Notes what is wrong, in words that stay the same while it lasts; one line of the log when it begins, and one
    /// when it is over.
    fn note_hindrance(&mut self) {
        let state = self.keeping.state();
        let kind = if state.is_refused {
            Some("clock_refused")
        } else {
            state.jump.map(|_| "clock_jumped")
        };
        if self.hindrance.as_deref().and_then(|text| text.split(':').next()) == kind {
            return;
        }
        let before = self.hindrance.take();
        let Some(kind) = kind else {
            log::warn!("the machine's clock is believed again");
            return;
        };
        let what = match (state.is_refused, state.from_header, state.jump) {
            (true, Some(millis), _) => format!(
                "the machine's clock is {} the chain's best header, more than clock.tolerance_secs: no round closes \
                 and no payout begins until it is set right",
                Off(millis)
            ),
            (_, _, Some(jump)) => format!(
                "the machine's clock jumped and is {} the time that passed: rounds go on by the latter, and the \
                 clock is followed if it stays so for clock.settle_secs",
                Off(jump.millis)
            ),
            _ => return,
        };
        let hindrance = format!("{kind}: {what}");
        log::log!(
            if state.is_refused {
                log::Level::Error
            } else {
                log::Level::Warn
            },
            "{}{hindrance}",
            if state.is_refused && before.is_none() {
                "ALARM "
            } else {
                ""
            },
        );
        self.hindrance = Some(hindrance);
    }

    /// Tells those who move money, at every look: what did not fit into a full mailbox is said again in a second.
    fn tell(&self) {
        let state = self.keeping.state();
        let refused = self.hindrance.clone().filter(|_| state.is_refused);
        if self.was_answered {
            let told = self.parts.payouts.tell(HoldPayouts {
                hold: Hold::Clock,
                detail: refused.clone(),
            });
            if told == Err(AskError::Busy) {
                log::debug!("the paymaster is busy; it is told of the clock at the next look");
            }
        }
        let news = ClockNews {
            refused,
            is_confirmed: state.is_confirmed && self.was_answered && !state.is_refused,
            steps: self.steps,
        };
        if let Some(statements) = &self.parts.statements
            && statements.tell(news.clone()) == Err(AskError::Busy)
        {
            log::debug!("the notary is busy; it is told of the clock at the next look");
        }
        if self.parts.rounds.tell(news) == Err(AskError::Busy) {
            log::debug!("the reward distributor is busy; it is told of the clock at the next look");
        }
    }
}

/// A distance in time for people, in the largest fitting unit.
struct Distance(i64);

impl std::fmt::Display for Distance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let secs = self.0.unsigned_abs() / 1_000;
        let sign = if self.0 < 0 { "-" } else { "" };
        match secs {
            0..300 => write!(f, "{sign}{secs} s"),
            300..18_000 => write!(f, "{sign}{} min", secs / 60),
            18_000..432_000 => write!(f, "{sign}{} h", secs / 3_600),
            _ => write!(f, "{sign}{} days", secs / 86_400),
        }
    }
}

/// How far something is ahead of or behind something else.
struct Off(i64);

impl std::fmt::Display for Off {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let distance = Distance(self.0.saturating_abs());
        let word = if self.0 < 0 { "behind" } else { "ahead of" };
        write!(f, "{distance} {word}")
    }
}

/// A hint to look at the clocks.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
struct LookAtClocks;

impl Actor for TimeKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        self.look(ctx);
        tell_every(ctx, LOOK_EVERY, LookAtClocks);
    }
}

impl Handler<LookAtClocks> for TimeKeeper {
    type Result = ();

    fn handle(&mut self, _: LookAtClocks, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<Ask<ReadClock>> for TimeKeeper {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadClock>, _: &mut Self::Context) {
        ask.reply.answer(ClockView {
            wall: *self.keeping.state(),
            steps: self.steps,
            hindrance: self.hindrance.clone(),
        });
    }
}
