//! How long to wait after a failure: twice as long each time, a little by chance, and as the pool asks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dwarves_system::clock::Stopwatch;
use dwarves_system::entropy::Randomness;

/// The first wait.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait, also if the pool asks for more.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// All is well again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure: between half of the step and the whole step, so that miners
    /// that lost the pool at the same instant do not all come back at the same instant; and not less than
    /// the pool asked for.
    pub(super) fn next(&mut self, asked: Option<Duration>, randomness: &dyn Randomness) -> Duration {
        let step = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let mut byte = [0x80];
        // Without randomness the wait is merely not spread.
        if randomness.fill(&mut byte).is_err() {
            byte = [0x80];
        }
        let spread = step / 2 + step / 2 * u32::from(byte[0]) / 255;
        spread.max(asked.unwrap_or_default().min(LONGEST))
    }
}

/// Sleeps for `span`, or until `halt` is set. Whether it slept to the end.
pub(super) fn sleep_unless(halt: &AtomicBool, span: Duration) -> bool {
    let watch = Stopwatch::start();
    while !halt.load(Ordering::Relaxed) {
        let left = span.saturating_sub(watch.elapsed());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_system::entropy::testing::{Broken, Constant};

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9)
            .map(|_| backoff.next(None, &Constant(255)).as_millis())
            .collect();
        assert_eq!(
            waits,
            [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        );
        backoff.reset();
        assert_eq!(backoff.next(None, &Constant(0)).as_millis(), 125);
        for _ in 0..100 {
            assert!(backoff.next(None, &Broken) <= LONGEST);
        }
    }

    #[test]
    fn a_pool_that_asks_for_patience_gets_it_within_reason() {
        let mut backoff = Backoff::default();
        let asked = |secs| Some(Duration::from_secs(secs));
        assert_eq!(backoff.next(asked(2), &Constant(0)), Duration::from_secs(2));
        assert_eq!(backoff.next(asked(86_400), &Constant(0)), LONGEST);
    }

    #[test]
    fn a_sleep_ends_when_it_is_told_to() {
        let watch = Stopwatch::start();
        assert!(!sleep_unless(&AtomicBool::new(true), Duration::from_secs(60)));
        assert!(sleep_unless(&AtomicBool::new(false), Duration::from_millis(1)));
        assert!(watch.elapsed() < Duration::from_secs(30));
    }
}
