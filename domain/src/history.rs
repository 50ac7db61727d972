//! What was mined in each minute, hour and day: sums for charts and for hashrates over a span.
//!
//! Work is exact ([`Units`]). Hashes and their squares are floats, for display: a rate is hashes over the time, and its
//! error by chance alone is the root of the squares over the sum, as in [`Hashrate`](crate::miners::Hashrate).

use crate::share::Rejection;
use crate::target::{CompactTarget, Target};
use crate::time::{Span, Timestamp};
use crate::units::Units;

/// How long a step of history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours, from midnight UTC on.
    Day,
}

impl Step {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its name: `minute`, `hour` or `day`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length in seconds.
    pub const fn secs(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// Its length.
    pub const fn span(self) -> Span {
        Span::from_secs(self.secs())
    }

    /// How long a time steps of this length are kept and forgotten together: minutes by the hour, hours by the day, days
    /// by 32.
    pub const fn row(self) -> Span {
        match self {
            Self::Minute => Span::from_secs(3_600),
            Self::Hour => Span::from_secs(86_400),
            Self::Day => Span::from_secs(32 * 86_400),
        }
    }

    /// When the time began that is kept together with `at`.
    pub const fn row_begin(self, at: Timestamp) -> Timestamp {
        floor(at, self.row().secs())
    }

    /// When the step began in which `at` is. Times before 1970 are in the first step.
    pub const fn begin(self, at: Timestamp) -> Timestamp {
        floor(at, self.secs())
    }
}

/// The last full number of `secs` since 1970; 1970 for what is before.
const fn floor(at: Timestamp, secs: u64) -> Timestamp {
    let at = if at.secs() < 0 { 0 } else { at.secs() };
    Timestamp::from_secs(at - at % secs.cast_signed())
}

impl std::str::FromStr for Step {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |step: &Self| step.as_str() == text;
        Self::ALL
            .into_iter()
            .find(named)
            .ok_or("expected minute, hour or day")
    }
}

/// What shares of some time came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Shares accepted.
    pub accepted: u64,
    /// Their work.
    pub units: Units,
    /// The hashes that such shares take on average.
    pub hashes: f64,
    /// The sum of the squares of each share's hashes.
    pub squares: f64,
    /// Rejected shares by [`Rejection::index`].
    pub rejected: [u64; Rejection::REASONS.len()],
}

impl Sums {
    /// Adds `count` accepted shares of one difficulty.
    pub fn add_shares(&mut self, share_bits: CompactTarget, units: Units, count: u64) {
        let hashes = expected_hashes(share_bits);
        let times = count as f64;
        self.accepted += count;
        // All work of a pool fits, and each sum is a part of it.
        let work = units.raw().saturating_mul(u128::from(count));
        self.units = Units::from_raw(self.units.raw().saturating_add(work));
        self.hashes += hashes * times;
        self.squares += hashes * hashes * times;
    }

    /// Adds what other shares came to.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.units = Units::from_raw(self.units.raw().saturating_add(other.units.raw()));
        self.hashes += other.hashes;
        self.squares += other.squares;
        for (sum, n) in self.rejected.iter_mut().zip(other.rejected) {
            *sum += n;
        }
    }

    /// Whether there was no share at all.
    pub fn is_empty(&self) -> bool {
        self.accepted == 0 && self.rejected == [0; Rejection::REASONS.len()]
    }

    /// Hashes per second if all of it came within `span`; 0 if that is no time at all.
    pub fn hashrate(&self, span: Span) -> f64 {
        match span.millis() {
            0 => 0.0,
            millis => self.hashes * 1_000.0 / millis as f64,
        }
    }

    /// One standard deviation of the rate by chance alone, as a part of it; `None` without a share.
    pub fn relative_error(&self) -> Option<f64> {
        (self.hashes > 0.0).then(|| self.squares.sqrt() / self.hashes)
    }
}

/// The hashes that find a share of this target on average; 0 for bits that are no target.
pub fn expected_hashes(share_bits: CompactTarget) -> f64 {
    let target = Target::from_compact(share_bits);
    target.map_or(0.0, |target| target.difficulty().expected_hashes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_begins_at_the_full_minute_hour_or_day() {
        let at = Timestamp::from_millis(1_700_000_123_456);
        assert_eq!(Step::Minute.begin(at), Timestamp::from_secs(1_700_000_100));
        assert_eq!(Step::Hour.begin(at), Timestamp::from_secs(1_699_999_200));
        assert_eq!(Step::Day.begin(at), Timestamp::from_secs(1_699_920_000));
        for step in Step::ALL {
            let begin = step.begin(at);
            assert_eq!(step.begin(begin), begin);
            assert_eq!(step.begin(begin.plus(step.span())), begin.plus(step.span()));
            assert_eq!(step.begin(begin.moved(-1)), begin.minus(step.span()));
            assert_eq!(step.begin(Timestamp::from_secs(-1)), Timestamp::EPOCH);
            assert_eq!(step.as_str().parse(), Ok(step));
        }
        assert!("week".parse::<Step>().is_err());
    }

    #[test]
    fn sums_give_a_rate_and_its_error() {
        let mut sums = Sums::default();
        assert_eq!(
            (sums.relative_error(), sums.hashrate(Span::from_secs(1))),
            (None, 0.0)
        );
        // 2^256 over a target of 0xffff * 2^208: difficulty 1.
        sums.add_shares(CompactTarget::from_bits(0x1d00_ffff), Units::from_raw(7), 100);
        let rate = sums.hashrate(Span::from_secs(100));
        assert!((rate / 4_295_032_833.0 - 1.0).abs() < 1e-9, "{rate}");
        assert!((sums.relative_error().unwrap() - 0.1).abs() < 1e-12);
        assert_eq!((sums.accepted, sums.units), (100, Units::from_raw(700)));
        let mut both = sums;
        both.add(&sums);
        assert_eq!((both.accepted, both.units), (200, Units::from_raw(1_400)));
        assert_eq!(both.hashrate(Span::from_secs(100)), 2.0 * rate);
        assert_eq!(both.hashrate(Span::from_secs(0)), 0.0);
        assert!(!both.is_empty() && Sums::default().is_empty());
    }
}
