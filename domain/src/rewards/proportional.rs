//! Proportional: a block pays the work since the share that found the block before it.
//!
//! Stretches end with every block that the pool finds, also with one that is orphaned later: the work before an
//! orphan is not paid, and nobody else's stretch becomes longer by it. Simple and exact, but a miner who leaves
//! when a stretch has become long earns more a unit than one who stays (Rosenfeld, chapter 3); `pplns` has
//! no such gain.

use crate::rewards::weights::HalfUnits;
use crate::units::Units;

/// The work that one block pays, as running totals of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    after: Units,
    through: Units,
}

/// Why a stretch cannot be laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StretchError {
    /// It would end before it begins.
    #[error("the block before was found at a running total of {after} units, behind this one's {through}")]
    Backwards {
        /// Where the stretch would begin.
        after: Units,
        /// Where it would end.
        through: Units,
    },
    /// More than the numbers hold.
    #[error("the running total of units does not fit: a pool does at most 17,000,000,000 units")]
    Overflow,
}

impl Stretch {
    /// From behind the share that found the block before (zero for the pool's first block) through the share
    /// that found this one. Both are running totals that include the share itself.
    ///
    /// # Errors
    /// If the block before lies behind this one, or the running total does not fit.
    pub fn new(after: Units, through: Units) -> Result<Self, StretchError> {
        if after > through {
            return Err(StretchError::Backwards { after, through });
        }
        HalfUnits::from_units(through).ok_or(StretchError::Overflow)?;
        Ok(Self { after, through })
    }

    /// How much of a share the block pays, in half-steps: all of it or nothing. The share covers the `units`
    /// that come after the running total `total_before`.
    pub fn overlap(&self, total_before: Units, units: Units) -> u128 {
        // A share whose end does not fit lies behind this stretch, whose end fits even in half-steps.
        match total_before.checked_add(units) {
            Some(total) if total_before >= self.after && total <= self.through => units.raw() * 2,
            _ => 0,
        }
    }

    /// Shares whose running total, with themselves, is at or below this belong to earlier blocks.
    pub const fn first_total(&self) -> Units {
        self.after
    }

    /// Shares whose running total, without themselves, is at or above this belong to later blocks.
    pub const fn last_total(&self) -> Units {
        self.through
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stretch_does_not_end_before_it_begins() {
        let (a, b) = (Units::from_raw(5), Units::from_raw(4));
        assert!(Stretch::new(a, b).is_err());
        // An empty stretch pays nobody.
        assert_eq!(Stretch::new(a, a).unwrap().overlap(a, Units::ONE), 0);
    }

    #[test]
    fn shares_beyond_what_the_numbers_hold_belong_to_no_stretch() {
        let end = Units::from_raw(u128::MAX / 2);
        let stretch = Stretch::new(Units::ZERO, end).unwrap();
        assert_eq!(stretch.overlap(Units::ZERO, end), u128::MAX - 1);
        assert_eq!(stretch.overlap(Units::from_raw(u128::MAX), Units::ONE), 0);
        let beyond = Units::from_raw(u128::MAX / 2 + 1);
        assert_eq!(Stretch::new(end, beyond), Err(StretchError::Overflow));
    }

    proptest! {
        #[test]
        fn consecutive_stretches_pay_every_share_exactly_once(
            shares in prop::collection::vec((1u128..1_000_000, prop::bool::weighted(0.2)), 1..200),
        ) {
            let mut totals = Vec::new();
            let mut total = Units::ZERO;
            let mut stretches = Vec::new();
            let mut after = Units::ZERO;
            for &(raw, wins) in &shares {
                let units = Units::from_raw(raw);
                totals.push((total, units));
                total = total.checked_add(units).unwrap();
                if wins {
                    stretches.push(Stretch::new(after, total).unwrap());
                    after = total;
                }
            }
            let paid_through = after;
            for &(before, units) in &totals {
                let paid: Vec<u128> = stretches.iter().map(|s| s.overlap(before, units)).collect();
                let times = paid.iter().filter(|&&w| w > 0).count();
                // Only the shares after the last block wait for the next one.
                prop_assert_eq!(times, usize::from(before < paid_through));
                prop_assert_eq!(paid.iter().sum::<u128>(), if times == 1 { 2 * units.raw() } else { 0 });
                for (stretch, &w) in stretches.iter().zip(&paid) {
                    let in_range = before.checked_add(units).unwrap() > stretch.first_total()
                        && before < stretch.last_total();
                    prop_assert_eq!(w > 0, in_range);
                }
            }
        }
    }
}
