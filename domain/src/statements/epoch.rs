//! Where epochs begin and end: half-open stretches of server time, one behind the other.

use std::fmt;
use std::str::FromStr;

use crate::time::{Span, Timestamp};

/// How far the date of a commit may be ahead of the date now before it is taken for one of a clock that has been set back:
/// far more than a commit takes, and far less than an epoch that anybody would want to wait for.
pub const AHEAD_MAX: Span = Span::from_secs(60);

/// How long an epoch is, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochLength(u32);

impl EpochLength {
    /// The longest: a day.
    pub const SECS_MAX: u32 = 86_400;

    /// An epoch of `secs` seconds; `None` for 0 and above [`Self::SECS_MAX`].
    pub const fn from_secs(secs: u32) -> Option<Self> {
        if secs == 0 || secs > Self::SECS_MAX {
            None
        } else {
            Some(Self(secs))
        }
    }

    /// Its seconds.
    pub const fn secs(self) -> u32 {
        self.0
    }
}

/// An epoch's name: the second since 1970 with which it begins. So a validator knows the name of any time's epoch, and no
/// name is ever another epoch's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochId(u64);

impl EpochId {
    /// The epoch that begins with this second since 1970.
    pub const fn new(start_secs: u64) -> Self {
        Self(start_secs)
    }

    /// The second with which it begins.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// When it begins.
    pub fn start(self) -> Timestamp {
        Timestamp::from_secs(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for EpochId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A stretch of server time in whole seconds: `start` belongs to it, `end` to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// The first second of it.
    pub start: EpochId,
    /// The first second behind it.
    pub end: EpochId,
}

impl Epoch {
    /// The epoch that begins with `start` and goes on to the next full multiple of `length` since 1970. So epochs of one
    /// length are aligned, and after a change of it the first leads over.
    pub fn beginning(start: EpochId, length: EpochLength) -> Self {
        let length = u64::from(length.secs());
        Self {
            start,
            end: EpochId((start.0 / length).saturating_add(1).saturating_mul(length)),
        }
    }

    /// The second with which the first epoch begins, if there is none before: the present one, but never one of an epoch
    /// that was stated, whose end is `stated`.
    pub fn first_start(date: Timestamp, stated: Option<EpochId>) -> EpochId {
        let present = EpochId(u64::try_from(date.secs()).unwrap_or(0));
        stated.map_or(present, |stated| present.max(stated))
    }

    /// Whether it is over on this date.
    pub fn is_over(&self, date: Timestamp) -> bool {
        date >= self.end.start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_is_a_second_to_a_day() {
        assert_eq!(EpochLength::from_secs(0), None);
        assert_eq!(EpochLength::from_secs(86_401), None);
        assert_eq!(
            EpochLength::from_secs(86_400).map(EpochLength::secs),
            Some(86_400)
        );
        assert_eq!(EpochLength::from_secs(1).map(EpochLength::secs), Some(1));
    }

    #[test]
    fn the_first_epoch_begins_now_and_no_stated_second_is_stated_again() {
        let now = Timestamp::from_millis(7_999);
        assert_eq!(Epoch::first_start(now, None), EpochId::new(7));
        assert_eq!(Epoch::first_start(now, Some(EpochId::new(7))), EpochId::new(7));
        assert_eq!(Epoch::first_start(now, Some(EpochId::new(9))), EpochId::new(9));
        assert_eq!(
            Epoch::first_start(Timestamp::from_millis(-1), None),
            EpochId::new(0)
        );
    }

    proptest! {
        #[test]
        fn epochs_follow_each_other_without_a_gap_and_are_aligned(
            start in 0_u64..4_000_000_000, lengths in proptest::collection::vec(1_u32..=86_400, 1..20)
        ) {
            let mut start = EpochId::new(start);
            for secs in lengths {
                let epoch = Epoch::beginning(start, EpochLength::from_secs(secs).unwrap());
                prop_assert!(epoch.start == start && epoch.end > start);
                prop_assert_eq!(epoch.end.get() % u64::from(secs), 0);
                prop_assert!(epoch.end.get() - start.get() <= u64::from(secs));
                prop_assert!(epoch.is_over(epoch.end.start()));
                prop_assert!(!epoch.is_over(epoch.end.start().moved(-1)));
                start = epoch.end;
            }
        }
    }
}
