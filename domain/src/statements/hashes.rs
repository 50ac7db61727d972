//! Work as the number of hashes that it takes on average, in whole numbers.

use std::fmt;

use crate::target::{CompactTarget, Target};

/// Expected hashes: of one share `floor(2^256 / (target + 1))` of the target that it was issued with, which is how the
/// Bitcoin family counts the work of a block; of many shares the sum. Difficulty 1 is 4,295,032,833.
///
/// Units measure the same against the network's difficulty of the moment, because they stand for money; these do not, so
/// they can be compared over time and with anybody's formula.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hashes(u128);

impl Hashes {
    /// No work.
    pub const ZERO: Self = Self(0);

    /// From the number.
    pub const fn new(count: u128) -> Self {
        Self(count)
    }

    /// The number.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// The work of one share of this target; none for bits that are no target. Targets so hard that the number does not
    /// fit 128 bits are beyond all mining, and count the most that does.
    pub fn of_share(bits: CompactTarget) -> Self {
        Target::from_compact(bits).map_or(Self::ZERO, |target| Self(target.expected_hashes()))
    }

    /// The work of `count` such shares, or `None` if it does not fit.
    pub const fn checked_mul(self, count: u64) -> Option<Self> {
        match self.0.checked_mul(count as u128) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// The sum, or `None` if it does not fit.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difficulty (bdiff) of a share that takes so many hashes, or the sum of those of many. A float, for display and
    /// for those who read nothing else.
    pub fn difficulty(self) -> f64 {
        // Difficulty 1 is the target 0xffff << 208.
        const OF_DIFFICULTY_ONE: f64 = (1_u64 << 48) as f64 / 65_535.0;
        self.0 as f64 / OF_DIFFICULTY_ONE
    }
}

impl fmt::Display for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    #[test]
    fn difficulty_one_is_what_every_node_says_it_is() {
        // The chainwork of Bitcoin's first block.
        let one = Hashes::of_share(CompactTarget::from_bits(0x1d00_ffff));
        assert_eq!(one, Hashes::new(0x1_0001_0001));
        assert!((one.difficulty() - 1.0).abs() < 1e-9);
        // A regtest block: 2.
        assert_eq!(
            Hashes::of_share(CompactTarget::from_bits(0x207f_ffff)),
            Hashes::new(2)
        );
        assert_eq!(Hashes::of_share(CompactTarget::from_bits(0)), Hashes::ZERO);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let most = Hashes::new(u128::MAX);
        assert_eq!(most.checked_add(Hashes::new(1)), None);
        assert_eq!(most.checked_mul(2), None);
        assert_eq!(Hashes::new(3).checked_mul(4), Some(Hashes::new(12)));
        // The hardest target that there is: 2^255 hashes.
        assert_eq!(Hashes::of_share(CompactTarget::from_bits(0x0101_0000)), most);
    }

    proptest! {
        #[test]
        fn a_share_is_worth_what_slow_arithmetic_says(bits in any::<u32>()) {
            let bits = CompactTarget::from_bits(bits);
            let Ok(target) = Target::from_compact(bits) else {
                prop_assert_eq!(Hashes::of_share(bits), Hashes::ZERO);
                return Ok(());
            };
            let target = BigUint::from_bytes_be(&target.to_be_bytes());
            let slow = (BigUint::from(1_u8) << 256_u32) / (target + 1_u8);
            let fits = slow.clone().min(BigUint::from(u128::MAX));
            prop_assert_eq!(BigUint::from(Hashes::of_share(bits).get()), fits);
        }
    }
}
