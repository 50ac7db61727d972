//! Numbers that look random and follow from a seed (SplitMix64, Steele et al., OOPSLA 2014).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

/// Names the first of [`fresh_seeds`], to see a failure again.
const VARIABLE: &str = "TEST_SEED";

/// This many seeds that no run has had before, for tests that go on beyond the seeds of every run. What the failed test
/// printed says how to have them again: `TEST_SEED=17 cargo test NAME`.
///
/// # Panics
/// If the variable is no number.
pub fn fresh_seeds(count: u32) -> Range<u64> {
    let first = match std::env::var(VARIABLE) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{VARIABLE} is not the number of a seed: {error}")),
        // The standard library asks the system for the keys of its hash tables. Short numbers are easier to copy.
        Err(_) => RandomState::new().build_hasher().finish() >> 32,
    };
    println!("fresh seeds from {first} on; to see them again: {VARIABLE}={first}");
    first..first + u64::from(count)
}

/// A source of numbers that are the same for the same seed, on every machine.
#[derive(Clone, Debug)]
pub struct Prng(u64);

impl Prng {
    /// The source with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must be above zero. Fair enough for tests.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Another source that follows from this one and does not disturb it afterwards.
    pub fn fork(&mut self) -> Self {
        Self(self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_published_numbers() {
        // The first outputs of SplitMix64 with seed 1234567, as its reference implementation gives them.
        let mut prng = Prng::new(1_234_567);
        let first = [prng.bits(), prng.bits(), prng.bits()];
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }
}
