//! The clock as the actors see it: handed in from `main`, replaced in tests.

use std::sync::Arc;

use dwarves_domain::time::{Span, Timestamp};
use tokio::time::Instant;

/// Tells the time. Wall time may step back; nothing here may depend on it never doing so.
pub trait Clock: Send + Sync + 'static {
    /// The wall time now.
    fn now(&self) -> Timestamp;
}

/// A clock shared by all actors.
pub type SharedClock = Arc<dyn Clock>;

/// A moment of time that only passes. How long something has lasted is measured from one: setting the wall clock
/// does not touch it. It is the runtime's own time, so tests whose time is paused are in charge of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self(Instant::now())
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
}

/// A clock that shows the wall time of when it was made, and from then on only passes. For time-outs of things
/// that carry a [`Timestamp`]: it is good for differences alone.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    began: Moment,
    base: Timestamp,
}

impl SteadyClock {
    /// A clock that shows `wall` at this moment.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            began: Moment::now(),
            base: wall,
        }
    }

    /// What it shows now.
    pub fn now(&self) -> Timestamp {
        self.base.plus(self.began.elapsed())
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
