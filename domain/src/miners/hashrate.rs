//! Hashrate from the difficulty of accepted shares: an estimate for display, so floats are right here.
//!
//! Work is averaged with exponentially falling weight; the bias of a young average is divided out, so a miner
//! that just began sees its rate at once. With n shares in the average the relative error is about 1/√n.

use crate::time::Timestamp;

/// After this many seconds a share's weight has fallen to 1/e.
const DECAY_SECS: f64 = 300.0;
/// The shortest time to average over: two shares in the first second say nothing yet.
const SPAN_SECS_MIN: f64 = 10.0;

/// A running estimate of hashes per second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashrate {
    /// Hashes, weighted by age as of `last`.
    weighted: f64,
    began: Timestamp,
    last: Timestamp,
}

impl Hashrate {
    /// An estimate that begins now.
    pub fn new(now: Timestamp) -> Self {
        Self {
            weighted: 0.0,
            began: now,
            last: now,
        }
    }

    fn secs_between(earlier: Timestamp, later: Timestamp) -> f64 {
        later.since(earlier).millis() as f64 / 1_000.0
    }

    /// Notes an accepted share that took `hashes` on average.
    pub fn record(&mut self, now: Timestamp, hashes: f64) {
        self.weighted = self.weighted * (-Self::secs_between(self.last, now) / DECAY_SECS).exp() + hashes;
        self.last = self.last.max(now);
    }

    /// Hashes per second as of `now`.
    pub fn per_sec(&self, now: Timestamp) -> f64 {
        let age = Self::secs_between(self.began, now).max(SPAN_SECS_MIN);
        let weighted = self.weighted * (-Self::secs_between(self.last, now) / DECAY_SECS).exp();
        weighted / (DECAY_SECS * (1.0 - (-age / DECAY_SECS).exp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn steady_work_shows_its_rate_early_and_late() {
        let mut rate = Hashrate::new(at(0));
        for second in 1..=3_600 {
            rate.record(at(second), 1_000.0);
            if second >= 30 {
                let shown = rate.per_sec(at(second));
                assert!((shown - 1_000.0).abs() < 30.0, "{shown} after {second} s");
            }
        }
    }

    #[test]
    fn a_miner_that_stopped_fades_away() {
        let mut rate = Hashrate::new(at(0));
        for second in 1..=600 {
            rate.record(at(second), 1_000.0);
        }
        assert!(rate.per_sec(at(900)) < 450.0);
        assert!(rate.per_sec(at(600 + 3_600)) < 1.0);
    }

    #[test]
    fn a_clock_that_steps_back_breaks_nothing() {
        let mut rate = Hashrate::new(at(100));
        rate.record(at(110), 1_000.0);
        rate.record(at(50), 1_000.0);
        let shown = rate.per_sec(at(40));
        assert!(shown.is_finite() && shown >= 0.0);
    }
}
