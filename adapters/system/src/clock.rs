//! The real clocks: the one module that reads the time of this machine.
//!
//! [`PoolClock`] is the clock that `main` hands to the actors. [`SystemClock`] is the bare wall clock, for commands
//! that are over in a moment; [`Stopwatch`] measures how long something takes and never steps back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::Clock;

/// The machine's wall clock. It may step back or forward when it is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The time since the Unix epoch; zero if the clock is set to before it.
    #[allow(clippy::disallowed_methods, reason = "this module owns the clocks")]
    fn since_epoch() -> Duration {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
    }

    /// Unix time in nanoseconds, as the nonces of signed requests are made. It fits until the year 2554.
    pub fn unix_nanos(&self) -> u64 {
        u64::try_from(Self::since_epoch().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(Self::since_epoch().as_millis()).unwrap_or(i64::MAX))
    }
}

/// The clock of a running pool: counts the time that passes since it was made, whatever becomes of the wall clock.
///
/// Time in which the machine sleeps does not pass for it (Linux does not count it either): after a sleep the wall
/// clock is ahead, which the time keeper sees as a jump.
#[derive(Debug)]
pub struct PoolClock {
    began: Stopwatch,
    began_at: Timestamp,
    /// By how many milliseconds the date differs from the running time. One actor sets it, all read it.
    correction: AtomicI64,
}

impl PoolClock {
    /// A clock that begins with what the wall clock shows now.
    pub fn start() -> Self {
        Self {
            began: Stopwatch::start(),
            began_at: SystemClock.now(),
            correction: AtomicI64::new(0),
        }
    }
}

impl Clock for PoolClock {
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began_at.plus(Span::from_millis(passed))
    }

    fn wall(&self) -> Timestamp {
        SystemClock.now()
    }

    fn date_of(&self, moment: Timestamp) -> Timestamp {
        moment.moved(self.correction.load(Ordering::Relaxed))
    }

    fn correct(&self, millis: i64) {
        // Nothing else is published by it, and no sum that a clock can show overflows.
        self.correction.fetch_add(millis, Ordering::Relaxed);
    }
}

/// Measures how long something takes. Setting the wall clock does not touch it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// A stopwatch that begins now.
    #[allow(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was started.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// How long ago it was started, and starts it again.
    pub fn lap(&mut self) -> Duration {
        let next = Self::start();
        let lap = next.0.duration_since(self.0);
        *self = next;
        lap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readings_of_the_wall_clock_agree() {
        let before = SystemClock.now().millis();
        let nanos = i64::try_from(SystemClock.unix_nanos() / 1_000_000).unwrap();
        let after = SystemClock.now().millis();
        assert!((before..=after).contains(&nanos));
        assert!(before > 1_600_000_000_000, "this machine's clock is before 2020");
    }

    #[test]
    fn a_pools_clock_passes_time_and_is_put_right_in_its_date_alone() {
        let clock = PoolClock::start();
        let began = clock.now();
        std::thread::sleep(Duration::from_millis(20));
        let passed = clock.now().since(began);
        assert!(
            passed >= Span::from_millis(20) && passed < Span::from_secs(10),
            "{passed:?}"
        );
        clock.correct(-3_600_000);
        assert!(clock.now() >= began, "time that passes is not corrected");
        assert_eq!(clock.date_of(began), began.minus(Span::from_secs(3_600)));
        assert!(clock.wall().since(began) < Span::from_secs(10));
    }

    #[test]
    fn a_lap_starts_the_stopwatch_again() {
        let mut watch = Stopwatch::start();
        std::thread::sleep(Duration::from_millis(20));
        assert!(watch.lap() >= Duration::from_millis(20));
        assert!(watch.elapsed() < Duration::from_secs(10));
    }
}
