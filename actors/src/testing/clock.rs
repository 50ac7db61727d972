//! Clocks for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dwarves_domain::time::{Span, Timestamp};
use tokio::time::Instant;

use crate::clock::Clock;

/// A clock that stands still until it is told otherwise. Clones are the same clock.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.millis())))
    }

    /// Sets it, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.millis(), Ordering::SeqCst);
    }

    /// Moves it forward.
    pub fn advance(&self, by: Span) {
        self.set(self.now().plus(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A clock that follows the runtime's time (virtual, if that is paused), and that can jump both ways as wall
/// clocks do. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct SimClock {
    began: Instant,
    offset: Arc<AtomicI64>,
}

impl SimClock {
    /// A clock that shows `now` at this moment. It must be made inside the runtime that it follows.
    pub fn starting_at(now: Timestamp) -> Self {
        Self {
            began: Instant::now(),
            offset: Arc::new(AtomicI64::new(now.millis())),
        }
    }

    /// Jumps by so many milliseconds, back if below zero.
    pub fn jump(&self, millis: i64) {
        self.offset.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(self.offset.load(Ordering::SeqCst)).plus(Span::from_millis(elapsed))
    }
}
