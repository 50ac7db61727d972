//! Clocks for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dwarves_domain::time::{Span, Timestamp};
use tokio::time::Instant;

use dwarves_ports::clock::Clock;

/// A clock that stands still until it is told otherwise. Clones are the same clock. Setting it sets everything: the
/// running time, the wall and with it the date; [`ManualClock::jump_wall`] moves the wall alone.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    now: AtomicI64,
    /// By how much the wall shows more than the running time.
    wall: AtomicI64,
    /// By how much the date is more than the running time.
    correction: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        let clock = Self::default();
        clock.set(now);
        clock
    }

    /// Sets it, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.now.store(now.millis(), Ordering::SeqCst);
    }

    /// Moves it forward.
    pub fn advance(&self, by: Span) {
        self.set(self.now().plus(by));
    }

    /// Moves the wall by this many milliseconds, back if below zero; no time passes.
    pub fn jump_wall(&self, millis: i64) {
        self.0.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Timestamp {
        self.now().moved(self.0.wall.load(Ordering::SeqCst))
    }

    fn date_of(&self, moment: Timestamp) -> Timestamp {
        moment.moved(self.0.correction.load(Ordering::SeqCst))
    }

    fn correct(&self, millis: i64) {
        self.0.correction.fetch_add(millis, Ordering::SeqCst);
    }
}

/// A clock that follows the runtime's time (virtual, if that is paused), and whose wall can jump both ways. Clones
/// are the same clock.
#[derive(Clone, Debug)]
pub struct SimClock {
    began: Instant,
    began_at: Timestamp,
    hands: Arc<Hands>,
}

impl SimClock {
    /// A clock that shows `now` at this moment. It must be made inside the runtime that it follows.
    pub fn starting_at(now: Timestamp) -> Self {
        Self {
            began: Instant::now(),
            began_at: now,
            hands: Arc::default(),
        }
    }

    /// The wall jumps by this many milliseconds, back if below zero.
    pub fn jump(&self, millis: i64) {
        self.hands.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began_at.plus(Span::from_millis(elapsed))
    }

    fn wall(&self) -> Timestamp {
        self.now().moved(self.hands.wall.load(Ordering::SeqCst))
    }

    fn date_of(&self, moment: Timestamp) -> Timestamp {
        moment.moved(self.hands.correction.load(Ordering::SeqCst))
    }

    fn correct(&self, millis: i64) {
        self.hands.correction.fetch_add(millis, Ordering::SeqCst);
    }
}
