//! A token bucket: this many in a period, with one period's worth saved up.

use crate::time::{Span, Timestamp};

/// How many there may be in a period; as many can be saved up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Span,
}

impl Rate {
    /// This many in a second.
    pub const fn per_sec(count: u32) -> Self {
        Self {
            count,
            period: Span::from_secs(1),
        }
    }

    /// This many in a minute.
    pub const fn per_minute(count: u32) -> Self {
        Self {
            count,
            period: Span::from_secs(60),
        }
    }

    /// This many in an hour.
    pub const fn per_hour(count: u32) -> Self {
        Self {
            count,
            period: Span::from_secs(3_600),
        }
    }

    /// This many in a day.
    pub const fn per_day(count: u32) -> Self {
        Self {
            count,
            period: Span::from_secs(86_400),
        }
    }

    /// This many times as many.
    pub const fn times(self, times: u32) -> Self {
        Self {
            count: self.count.saturating_mul(times),
            ..self
        }
    }

    /// Drops of one token: as many as the period has milliseconds, so that each millisecond brings whole drops.
    const fn token(self) -> i64 {
        // A day at most, as the constructors say.
        self.period.millis() as i64
    }

    /// Drops of a full bucket: below 2^32 x 2^27.
    const fn full(self) -> i64 {
        self.count as i64 * self.token()
    }
}

/// There is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Empty {
    /// After which time there is one.
    pub try_again: Span,
}

/// Tokens that are taken and come back with time, to the last millisecond's part of one.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: Rate,
    /// Drops; below zero they are a debt.
    level: i64,
    filled_at: Timestamp,
}

impl TokenBucket {
    /// A full one.
    pub const fn full(rate: Rate) -> Self {
        Self {
            rate,
            level: rate.full(),
            filled_at: Timestamp::EPOCH,
        }
    }

    /// A clock that steps back brings nothing and takes nothing.
    fn fill(&mut self, now: Timestamp) {
        let passed = i64::try_from(now.since(self.filled_at).millis()).unwrap_or(i64::MAX);
        let drops = passed.saturating_mul(i64::from(self.rate.count));
        self.level = self.level.saturating_add(drops).min(self.rate.full());
        self.filled_at = now;
    }

    /// Whether there is a token.
    ///
    /// # Errors
    /// If there is none.
    pub fn check(&mut self, now: Timestamp) -> Result<(), Empty> {
        self.fill(now);
        let lacking = self.rate.token() - self.level;
        if lacking <= 0 {
            return Ok(());
        }
        // What is refused for ever is refused for the longest time that can be told.
        let millis = match u64::from(self.rate.count) {
            0 => u64::MAX,
            count => lacking.unsigned_abs().div_ceil(count),
        };
        Err(Empty {
            try_again: Span::from_millis(millis),
        })
    }

    /// Takes a token.
    ///
    /// # Errors
    /// If there is none.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Empty> {
        self.check(now)?;
        self.level -= self.rate.token();
        Ok(())
    }

    /// Takes this many tokens, as a debt if need be: of a period's worth at most.
    pub fn charge(&mut self, tokens: u32, now: Timestamp) {
        self.fill(now);
        let drops = i64::from(tokens) * self.rate.token();
        self.level = (self.level - drops).max(-self.rate.full());
    }

    /// Puts a token back that was taken.
    pub fn give_back(&mut self) {
        self.level = (self.level + self.rate.token()).min(self.rate.full());
    }

    /// Whether it is full: as good as one that nobody took anything from.
    pub fn is_full(&mut self, now: Timestamp) -> bool {
        self.fill(now);
        self.level >= self.rate.full()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn taken(bucket: &mut TokenBucket, now: Timestamp) -> usize {
        (0..1_000).take_while(|_| bucket.take(now).is_ok()).count()
    }

    #[test]
    fn a_burst_is_bounded_and_time_refills_it_and_says_when() {
        for (rate, period) in [
            (Rate::per_sec(10), Span::from_secs(1)),
            (Rate::per_hour(5).times(2), Span::from_secs(3_600)),
        ] {
            let mut bucket = TokenBucket::full(rate);
            assert_eq!(taken(&mut bucket, NOW), 10);
            let empty = bucket.take(NOW).unwrap_err();
            assert_eq!(empty.try_again.millis(), period.millis() / 10);
            let half = NOW.plus(Span::from_millis(period.millis() / 2));
            assert_eq!(taken(&mut bucket, half), 5);
            assert_eq!(taken(&mut bucket, half.plus(Span::from_secs(86_400))), 10);
            assert_eq!(
                taken(&mut bucket, NOW),
                0,
                "a clock that steps back refills nothing"
            );
            assert_eq!(
                bucket.check(NOW).unwrap_err().try_again.millis(),
                period.millis() / 10
            );
        }
    }

    #[test]
    fn a_debt_is_bounded_and_paid_off() {
        let mut bucket = TokenBucket::full(Rate::per_sec(10));
        (0..100).for_each(|_| bucket.charge(u32::MAX, NOW));
        assert_eq!(taken(&mut bucket, NOW.plus(Span::from_millis(1_099))), 0);
        assert_eq!(taken(&mut bucket, NOW.plus(Span::from_millis(1_500))), 5);
        assert!(!bucket.is_full(NOW.plus(Span::from_millis(1_500))));
        (0..100).for_each(|_| bucket.give_back());
        assert!(bucket.is_full(NOW.plus(Span::from_millis(1_500))));
    }

    #[test]
    fn a_rate_of_none_and_the_greatest_rate_are_none_and_overflow_nothing() {
        let mut none = TokenBucket::full(Rate::per_sec(0));
        assert_eq!(none.take(NOW).unwrap_err().try_again.millis(), u64::MAX);
        let mut most = TokenBucket::full(Rate::per_hour(u32::MAX).times(u32::MAX));
        most.charge(u32::MAX, Timestamp::from_millis(i64::MIN));
        most.charge(u32::MAX, Timestamp::from_millis(i64::MAX));
        assert!(most.take(Timestamp::from_millis(i64::MAX)).is_err());
        most.give_back();
        assert!(most.take(Timestamp::from_millis(i64::MAX)).is_ok());
    }

    proptest! {
        /// Whatever is asked when, waiting as told helps, and waiting a millisecond less does not.
        #[test]
        fn waiting_as_told_helps_and_no_period_brings_more_than_two_buckets(
            count in 1u32..200,
            is_hourly in any::<bool>(),
            steps in proptest::collection::vec(0u64..1_000, 1..400),
        ) {
            let (rate, period) = if is_hourly {
                (Rate::per_hour(count), Span::from_secs(3_600))
            } else {
                (Rate::per_sec(count), Span::from_secs(1))
            };
            let mut bucket = TokenBucket::full(rate);
            let (mut now, mut taken) = (NOW, Vec::new());
            for step in steps {
                now = now.plus(Span::from_millis(step * period.millis() / 6_000));
                match bucket.take(now) {
                    Ok(()) => taken.push(now),
                    Err(Empty { try_again }) => {
                        let mut patient = bucket;
                        prop_assert!(patient.take(now.plus(try_again)).is_ok());
                        now = now.plus(Span::from_millis(try_again.millis() - 1));
                        prop_assert!(bucket.take(now).is_err());
                    }
                }
                let within = taken.iter().filter(|at| now.since(**at) < period).count();
                prop_assert!(within <= 2 * count as usize);
            }
        }
    }
}
