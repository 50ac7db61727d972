//! Hashrate from the difficulty of accepted shares: an estimate for display, so floats are right here.
//!
//! Work is averaged with exponentially falling weight; the bias of a young average is divided out, so a miner
//! that just began sees its rate at once.
//!
//! ```text
//! hashrate       = Σ wᵢ hᵢ / Σ time weights     (hᵢ: hashes that a share of the issued difficulty takes on average)
//! relative error = √(Σ (wᵢ hᵢ)²) / Σ wᵢ hᵢ      (1/√n for n shares of one difficulty and one age)
//! ```
//!
//! The error is one standard deviation by chance alone, because shares come as a Poisson process.

use crate::history::{Step, Sums};
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
    /// The sum of their squares, weighted likewise.
    squares: f64,
    began: Timestamp,
    last: Timestamp,
}

impl Hashrate {
    /// An estimate that begins now.
    pub fn new(now: Timestamp) -> Self {
        Self {
            weighted: 0.0,
            squares: 0.0,
            began: now,
            last: now,
        }
    }

    /// An estimate that goes on at `now` where the minutes of a history left off at `end`: the time between, in which the
    /// pool did not run, counts for nothing. Of a minute only its sum is known: it stands for the minute's middle.
    pub fn resumed(
        minutes: impl IntoIterator<Item = (Timestamp, Sums)>,
        end: Timestamp,
        now: Timestamp,
    ) -> Self {
        let mut resumed = Self::new(now);
        for (begin, sums) in minutes {
            let age = end.since(begin);
            let length = age.min(Step::Minute.span());
            let middle = (age.millis() as f64 - length.millis() as f64 / 2.0) / 1_000.0;
            let decay = (-middle / DECAY_SECS).exp();
            resumed.weighted += sums.hashes * decay;
            resumed.squares += sums.squares * decay * decay;
            resumed.began = resumed.began.min(now.minus(age));
        }
        resumed
    }

    fn secs_between(earlier: Timestamp, later: Timestamp) -> f64 {
        later.since(earlier).millis() as f64 / 1_000.0
    }

    /// Notes an accepted share that took `hashes` on average.
    pub fn record(&mut self, now: Timestamp, hashes: f64) {
        let decay = (-Self::secs_between(self.last, now) / DECAY_SECS).exp();
        self.weighted = self.weighted * decay + hashes;
        self.squares = self.squares * decay * decay + hashes * hashes;
        self.last = self.last.max(now);
    }

    /// One standard deviation of the rate by chance alone, as a part of it; `None` before the first share.
    pub fn relative_error(&self) -> Option<f64> {
        (self.weighted > 0.0).then(|| self.squares.sqrt() / self.weighted)
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

    /// Numbers between 0 and 1 from a fixed little generator.
    fn random(mut state: u64) -> impl FnMut() -> f64 {
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
        }
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
    fn the_error_is_that_of_the_number_of_shares() {
        let mut rate = Hashrate::new(at(0));
        assert_eq!(rate.relative_error(), None);
        for _ in 0..100 {
            rate.record(at(5), 7.0);
        }
        let error = rate.relative_error().unwrap();
        assert!((error - 0.1).abs() < 1e-12, "{error}");
        // One share of the work of all before makes it far less certain.
        rate.record(at(5), 700.0);
        assert!(rate.relative_error().unwrap() > 0.5);
    }

    #[test]
    fn the_shown_error_is_how_far_estimates_of_the_same_miner_spread() {
        // Shares at random moments, one a second on average.
        let mut random = random(7);
        let (mut rates, mut errors) = (Vec::new(), Vec::new());
        for _ in 0..400 {
            let mut rate = Hashrate::new(at(0));
            let mut time = 0.0;
            loop {
                time += -f64::ln(random());
                if time > 1_500.0 {
                    break;
                }
                rate.record(Timestamp::from_millis((time * 1_000.0) as i64), 1.0);
            }
            rates.push(rate.per_sec(at(1_500)));
            errors.push(rate.relative_error().unwrap());
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let squares: Vec<f64> = rates.iter().map(|rate| (rate - 1.0).powi(2)).collect();
        let (spread, shown) = (mean(&squares).sqrt(), mean(&errors));
        assert!((spread / shown - 1.0).abs() < 0.15, "{spread} {shown}");
    }

    #[test]
    fn what_is_resumed_from_minutes_goes_on_where_it_left_off() {
        let mut random = random(11);
        let mut rate = Hashrate::new(at(0));
        let mut minutes = std::collections::BTreeMap::<i64, Sums>::new();
        let (mut time, end) = (0.0, 3_000.0);
        loop {
            time += -f64::ln(random()) / 3.0;
            if time > end {
                break;
            }
            rate.record(Timestamp::from_millis((time * 1_000.0) as i64), 5.0);
            let sums = minutes.entry(time as i64 / 60 * 60).or_default();
            sums.hashes += 5.0;
            sums.squares += 25.0;
        }
        let before = rate.per_sec(at(3_000));
        let lately = |from: i64| minutes.range(from..).map(|(begin, sums)| (at(*begin), *sums));
        for away in [0, 1, 400] {
            let now = at(3_000 + away);
            let resumed = Hashrate::resumed(lately(0), at(3_000), now);
            let (rate_ratio, error_ratio) = (
                resumed.per_sec(now) / before,
                resumed.relative_error().unwrap() / rate.relative_error().unwrap(),
            );
            assert!((rate_ratio - 1.0).abs() < 0.02, "{rate_ratio}");
            assert!((error_ratio - 1.0).abs() < 0.05, "{error_ratio}");
            // Nothing came since: it fades as it would have.
            let fades = resumed.per_sec(at(3_600 + away)) / rate.per_sec(at(3_600));
            assert!((fades - 1.0).abs() < 0.02, "{fades}");
        }
        // A miner that had just begun, in the middle of a minute that was not over.
        let resumed = Hashrate::resumed(lately(2_940), at(3_000), at(3_001));
        let young = resumed.per_sec(at(3_001)) / 15.0;
        assert!((young - 1.0).abs() < 0.3, "{young}");
        let nothing = Hashrate::resumed([], at(3_000), at(3_001));
        assert_eq!(
            (nothing.per_sec(at(3_001)), nothing.relative_error()),
            (0.0, None)
        );
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
