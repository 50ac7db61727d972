//! The clock as the actors see it: handed in from `main`, replaced in tests.
//!
//! There are two questions, and a machine answers them by two clocks. How much time has passed? Only a clock that
//! nobody sets can tell: [`Clock::now`]. Which day and hour is it? The machine's wall clock says so, and may be
//! wrong, and be set forward or back at any moment: [`Clock::wall`]. What the pool writes down and shows is
//! [`Clock::date`]: the pool's running time, put right by what the time keeper found out about the wall clock. So a
//! wall clock that jumps ends no session, closes no round and dates no share until it has shown that it is right.

use std::sync::Arc;

use dwarves_domain::time::{Span, Timestamp};
use tokio::time::Instant;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The pool's running time: what the wall clock showed when the process began, and the time that has passed
    /// since. It never steps back and never jumps, so differences are time that passed. It is no date: see
    /// [`Clock::date`].
    fn now(&self) -> Timestamp;

    /// What the machine's wall clock shows. It may be wrong, and jump both ways: nobody but the time keeper looks
    /// at it.
    fn wall(&self) -> Timestamp {
        self.now()
    }

    /// The date and hour of a moment of the pool's running time, for what is written down, shown, or compared with
    /// what others say.
    fn date_of(&self, moment: Timestamp) -> Timestamp {
        moment
    }

    /// The date and hour now. The time keeper may move it by a step, both ways.
    fn date(&self) -> Timestamp {
        self.date_of(self.now())
    }

    /// Moves the date by this many milliseconds from now on, back if below zero. For the time keeper alone.
    fn correct(&self, millis: i64) {
        let _a_clock_without_a_date = millis;
    }
}

/// A clock shared by all actors.
pub type SharedClock = Arc<dyn Clock>;

/// A moment of time that only passes. How long something has lasted is measured from one: setting the wall clock
/// does not touch it. It is the runtime's own time, so tests whose time is paused are in charge of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Moment {
    /// The machine's clocks at this moment.
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// The moment so long before this one; this one, if the machine's clock does not reach back so far.
    #[must_use]
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.checked_sub(span.to_std()).unwrap_or(self.0))
    }

    /// How long ago it was.
    pub fn elapsed(self) -> Span {
        Self::now().since(self)
    }

    /// The time since `earlier`; zero if `earlier` is later than this.
    pub fn since(self, earlier: Self) -> Span {
        let passed = self.0.saturating_duration_since(earlier.0);
        Span::from_millis(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
    }

    /// The same in nanoseconds, for what is measured.
    pub fn nanos_since(self, earlier: Self) -> u64 {
        let passed = self.0.saturating_duration_since(earlier.0);
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Calls `poke` again and again, `period` after the last call ended, as long as it returns `true`.
///
/// Unlike actix's `run_interval` it never makes up for missed ticks in a burst. A poke is only a hint to
/// look what is due; the clock and the store say what is.
pub async fn poke_every(period: Span, mut poke: impl FnMut() -> bool) {
    loop {
        tokio::time::sleep(period.to_std()).await;
        if !poke() {
            return;
        }
    }
}
