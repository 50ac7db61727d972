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

/// Luck over the last blocks: how much work the last `found` of them took.
///
/// The work that `found` blocks take is Gamma distributed with that shape, since the count stops at a success, so all
/// of these are exact:
///
/// ```text
/// luck       = found / expected
/// low, high  = Gamma quantiles (2.5 %, 97.5 %) of shape found, over expected
/// percentile = P(Gamma(found) ≥ expected) = P(Poisson(expected) ≤ found - 1)
/// ```
///
/// `low` and `high` hold in 95 of 100 cases what luck would come to over many blocks; where 1 lies between them
/// chance explains the luck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LuckWindow {
    /// Blocks that were found, the last of which ends the work.
    pub found: u64,
    /// Blocks that were to be expected: units of work.
    pub expected: f64,
}

/// What lies outside of an interval on each side.
const TAIL: f64 = 0.025;

impl LuckWindow {
    /// Found over expected; `None` before the first block, or where nothing was to be expected.
    pub fn ratio(&self) -> Option<f64> {
        self.is_known().then(|| self.found as f64 / self.expected)
    }

    /// Where luck lies with 95 % confidence; `None` where there is none.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.is_known().then(|| {
            let of = |chance| gamma_quantile(self.found, chance) / self.expected;
            (of(TAIL), of(1.0 - TAIL))
        })
    }

    /// The chance that as many blocks take this much work or more: to be as unlucky as this.
    pub fn percentile(&self) -> Option<f64> {
        self.is_known()
            .then(|| poisson::at_most(self.found - 1, self.expected))
    }

    fn is_known(&self) -> bool {
        self.found > 0 && self.expected > 0.0 && self.expected.is_finite()
    }
}

/// The work below which `shape` blocks (at least one) come with this chance.
fn gamma_quantile(shape: u64, chance: f64) -> f64 {
    // P(Gamma(shape) ≤ x) = P(Poisson(x) ≥ shape), which grows with x.
    let is_below = |x: f64| 1.0 - poisson::at_most(shape - 1, x) < chance;
    let (mut low, mut high) = (0.0, shape as f64);
    while is_below(high) {
        high *= 2.0;
    }
    // As many halvings as a float has digits.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
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

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Half of the quantiles of chi-squared with 2, 20, 100 and 500 degrees of freedom.
        for (found, low, high) in [
            (1, 0.025_317_8, 3.688_879),
            (10, 4.795_389, 17.084_803),
            (50, 37.110_96, 64.780_60),
            (250, 219.968, 281.925_8),
        ] {
            let window = LuckWindow { found, expected: 1.0 };
            let (of_low, of_high) = window.interval().unwrap();
            assert!((of_low / low - 1.0).abs() < 1e-5, "{found}: {of_low}");
            assert!((of_high / high - 1.0).abs() < 1e-5, "{found}: {of_high}");
        }
        // One block that took thrice the work.
        let unlucky = LuckWindow {
            found: 1,
            expected: 3.0,
        };
        assert!((unlucky.percentile().unwrap() - (-3.0f64).exp()).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_known_before_the_first_block() {
        for (found, expected) in [(0, 5.0), (3, 0.0), (3, f64::NAN), (3, f64::INFINITY)] {
            let window = LuckWindow { found, expected };
            assert_eq!(
                (window.ratio(), window.interval(), window.percentile()),
                (None, None, None)
            );
        }
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_luck_and_leaves_as_much_on_each_side(
            found in 1u64..400, expected in 0.01f64..1_000.0,
        ) {
            let window = LuckWindow { found, expected };
            let (low, high) = window.interval().unwrap();
            let ratio = window.ratio().unwrap();
            prop_assert!(low < ratio && ratio < high, "{low} {ratio} {high}");
            let below = 1.0 - poisson::at_most(found - 1, low * expected);
            let above = poisson::at_most(found - 1, high * expected);
            prop_assert!((below - TAIL).abs() < 1e-9 && (above - TAIL).abs() < 1e-9, "{below} {above}");
        }

        #[test]
        fn a_round_goes_on_as_long_as_no_block_is_found(effort in 0.0f64..30.0) {
            prop_assert!((effort_chance(effort) - poisson::at_most(0, effort)).abs() < 1e-12);
        }
    }
}
