//! Block withholding: a miner that sends its shares and keeps back those that are blocks.
//!
//! It is paid for its work and costs the pool the blocks. All that shows is that it finds fewer blocks than its
//! work should. The p-value says how often an honest miner would find so few:
//!
//! ```text
//! p = P(Poisson(expected) ≤ found)
//! ```
//!
//! **What it cannot do.** A miner of whom fewer than 7 blocks are to be expected cannot be told from an unlucky
//! one at all at a level of 0.1 %: an honest miner finds none of 6 with 0.25 %. One who hides half of its blocks is
//! found out in half of the cases only after some 35 expected blocks; [`power`] gives the number for any case. Most
//! miners of a large pool never come to so many, and one who spreads its work over many hotkeys never does. And
//! of 1,000 honest miners one has a p-value below 0.1 %: compare with the level over the number of miners before
//! anybody is accused. It is a reason to look, not a proof.

use super::poisson;

/// What a miner's work should have brought, and what it brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Blocks among its accepted shares, whatever became of them.
    pub found: u64,
    /// Blocks to be expected: units of its accepted shares.
    pub expected: f64,
}

impl Record {
    /// How often an honest miner finds so few blocks or fewer.
    pub fn p_value(&self) -> f64 {
        poisson::at_most(self.found, self.expected)
    }
}

/// The chance that a miner who hides the part `hidden` (0 to 1) of its blocks has a p-value of `level` or less,
/// once `expected` blocks were to be expected of it.
///
/// With `hidden` 0 it is the chance to suspect an honest miner, which is at most `level`.
pub fn power(expected: f64, hidden: f64, level: f64) -> f64 {
    let Some(few) = suspicious(expected, level) else {
        return 0.0;
    };
    poisson::at_most(few, expected * (1.0 - hidden.clamp(0.0, 1.0)))
}

/// The most blocks that are still too few at this level; `None` if even none is not.
fn suspicious(expected: f64, level: f64) -> Option<u64> {
    if poisson::at_most(0, expected) > level {
        return None;
    }
    // The tail grows with the count: halving finds its last place below the level. Twice the mean is above it.
    let (mut low, mut high) = (0, (expected * 2.0) as u64 + 16);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if poisson::at_most(middle, expected) <= level {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// P(at most `found` blocks) of single shares that are blocks with these chances, by multiplying out.
    fn exact(found: usize, chances: &[f64]) -> f64 {
        let mut of_count = vec![1.0];
        for chance in chances {
            let mut next = vec![0.0; of_count.len() + 1];
            for (count, probability) in of_count.iter().enumerate() {
                next[count] += probability * (1.0 - chance);
                next[count + 1] += probability * chance;
            }
            of_count = next;
        }
        of_count.iter().take(found + 1).sum()
    }

    #[test]
    fn what_the_module_says_of_its_power_is_true() {
        let none_of = |expected| Record { found: 0, expected }.p_value();
        assert!(none_of(6.9) > 0.001 && none_of(7.0) < 0.001);
        assert!((none_of(6.0) - 0.0025).abs() < 1e-4);
        assert_eq!(power(6.0, 1.0, 0.001), 0.0);
        assert_eq!(power(7.0, 1.0, 0.001), 1.0);
        let half = |expected| power(expected, 0.5, 0.001);
        assert!(
            half(28.0) < 0.5 && half(42.0) > 0.5,
            "{} {}",
            half(28.0),
            half(42.0)
        );
    }

    #[test]
    fn an_honest_miner_of_many_blocks_is_not_suspected() {
        let honest = Record {
            found: 95,
            expected: 100.0,
        };
        assert!(honest.p_value() > 0.3);
        let thief = Record {
            found: 60,
            expected: 100.0,
        };
        assert!(thief.p_value() < 1e-4);
    }

    proptest! {
        #[test]
        fn an_honest_miner_is_suspected_no_oftener_than_the_level_says(
            expected in 0.1f64..500.0, level in 0.0001f64..0.2,
        ) {
            prop_assert!(power(expected, 0.0, level) <= level * (1.0 + 1e-9));
            prop_assert!(power(expected, 0.5, level) >= power(expected, 0.1, level) - 1e-12);
        }

        #[test]
        fn where_shares_are_nearly_blocks_the_p_value_is_too_large_rather_than_too_small(
            chances in proptest::collection::vec(0.01f64..1.0, 1..80), short_of in 1usize..40,
        ) {
            let expected: f64 = chances.iter().sum();
            // Hoeffding's bound holds from one below the mean on.
            let found = (expected - 1.0).floor() as i64 - short_of as i64;
            prop_assume!(found >= 0);
            let found = found as usize;
            let p = Record { found: found as u64, expected }.p_value();
            prop_assert!(p >= exact(found, &chances) - 1e-12);
        }

        #[test]
        fn where_shares_are_far_easier_the_p_value_is_the_chance_itself(
            shares in 500usize..3_000, expected in 0.5f64..12.0, found in 0usize..12,
        ) {
            let chances = vec![expected / shares as f64; shares];
            let p = Record { found: found as u64, expected }.p_value();
            // Le Cam: the two differ by at most the sum of the squared chances.
            prop_assert!((p - exact(found, &chances)).abs() <= expected * expected / shares as f64);
        }
    }
}
