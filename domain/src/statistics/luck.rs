//! Effort of a round and luck of a pool.

use super::poisson;

/// How many blocks were found, and how many were to be expected from the work.
///
/// ```text
/// luck           = blocks / units
/// standard error = 1 / sqrt(units)         (of the luck of a pool that is neither lucky nor unlucky)
/// percentile     = P(Poisson(units) ≤ blocks)
/// ```
///
/// where `units` is the sum of share difficulty over network difficulty. If the work is counted up to the last
/// block, as the pool's is, luck is too high by the factor n / (n - 1) on average, because the count stops at a
/// success: with 10 blocks that is 11 %, with 100 it is 1 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Luck {
    /// Blocks that were found.
    pub blocks: u64,
    /// Blocks that were to be expected: units of work.
    pub expected: f64,
}

impl Luck {
    /// Found over expected; `None` where nothing was to be expected.
    pub fn ratio(&self) -> Option<f64> {
        (self.expected > 0.0).then(|| self.blocks as f64 / self.expected)
    }

    /// One standard deviation of the ratio by chance alone; `None` where nothing was to be expected.
    pub fn standard_error(&self) -> Option<f64> {
        (self.expected > 0.0).then(|| self.expected.sqrt().recip())
    }

    /// The chance to be as unlucky as this or more so.
    pub fn percentile(&self) -> f64 {
        poisson::at_most(self.blocks, self.expected)
    }
}

/// The chance that a round takes this much effort or more: `exp(-effort)`, whatever the rounds before took.
///
/// The effort of a round is the units of work since the block before, up to and including the share that is the
/// block: on average 1.
pub fn effort_chance(effort: f64) -> f64 {
    (-effort.max(0.0)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn luck_is_found_over_expected() {
        let luck = Luck {
            blocks: 12,
            expected: 16.0,
        };
        assert_eq!(luck.ratio(), Some(0.75));
        assert_eq!(luck.standard_error(), Some(0.25));
        assert!((luck.percentile() - 0.193_1).abs() < 1e-3);
        let nothing = Luck {
            blocks: 0,
            expected: 0.0,
        };
        assert_eq!((nothing.ratio(), nothing.standard_error()), (None, None));
    }

    #[test]
    fn a_round_of_thrice_the_effort_is_one_in_twenty() {
        assert_eq!(effort_chance(0.0), 1.0);
        assert!((effort_chance(3.0) - 0.049_787).abs() < 1e-6);
        assert_eq!(effort_chance(-1.0), 1.0);
    }

    proptest! {
        #[test]
        fn a_round_goes_on_as_long_as_no_block_is_found(effort in 0.0f64..30.0) {
            prop_assert!((effort_chance(effort) - poisson::at_most(0, effort)).abs() < 1e-12);
        }
    }
}
