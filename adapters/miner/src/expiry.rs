//! How long something of the pool's is good, by the time that passes here.

use std::time::Duration;

use dwarves_domain::time::Timestamp;
use dwarves_ports::clock::Clock;

use dwarves_system::clock::{Stopwatch, SystemClock};

/// The time from a pool's answer until an instant that the answer names.
///
/// The pool's own date stands in the answer's head, so no date of this computer is compared: one whose clock is wrong
/// mines as well as any other, and setting the clock ends no job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    since: Stopwatch,
    len: Duration,
}

impl Term {
    /// Begins now. `pool_date` is what the answer says of the pool's clock, in whole seconds; without it this
    /// computer's clock has to do.
    pub(super) fn until(end: Timestamp, pool_date: Option<Timestamp>) -> Self {
        Self {
            since: Stopwatch::start(),
            len: end.since(pool_date.unwrap_or_else(|| SystemClock.now())).to_std(),
        }
    }

    /// What is left of it; zero when it is over.
    pub(super) fn left(&self) -> Duration {
        self.len.saturating_sub(self.since.elapsed())
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }
}

/// By how many milliseconds the pool's clock is ahead of this computer's, at least: the pool tells whole seconds.
pub(super) fn ahead_millis(pool_date: Timestamp) -> i64 {
    pool_date.ahead_of(SystemClock.now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_counted_from_the_pools_date_and_without_one_from_this_computers() {
        let now = SystemClock.now();
        for wrong_by in [-31_536_000, -3_600, 0, 3_600, 31_536_000] {
            let date = now.moved(wrong_by * 1_000);
            let left = Term::until(date.moved(60_000), Some(date)).left().as_secs_f64();
            assert!((50.0..=60.0).contains(&left), "{wrong_by}: {left}");
            assert!(Term::until(date.moved(-1), Some(date)).is_over());
        }
        let left = Term::until(now.moved(60_000), None).left().as_secs_f64();
        assert!((50.0..=60.0).contains(&left), "{left}");
        assert!(Term::until(now.moved(-1), None).is_over());
    }
}
