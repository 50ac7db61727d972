//! What work should have earned, and by how much chance moves that: to hold what was earned against. An estimate, not money.

use crate::rewards::Scheme;
use crate::time::Span;

/// The longest time that is still told: beyond, nobody knows.
const FORESEEN_MAX: Span = Span::from_secs(10 * 365 * 86_400);

/// How long `amount` takes at `per_sec` a second; `None` if it never comes, or not within ten years.
pub fn time_for(amount: f64, per_sec: f64) -> Option<Span> {
    let secs = amount.max(0.0) / per_sec;
    let is_foreseen = per_sec > 0.0 && secs <= FORESEEN_MAX.secs() as f64;
    is_foreseen.then(|| Span::from_millis((secs * 1_000.0) as u64))
}

/// The work of a period, in units, and what a block was worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    /// The miner's work: the blocks to be expected of it alone.
    pub units: f64,
    /// The work of all miners, its own too: the blocks to be expected of the pool.
    pub pool_units: f64,
    /// What a block leaves for miners after the fee, sats.
    pub block_sats: f64,
}

/// What is to be expected of a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Sats on average.
    pub sats: f64,
    /// One standard deviation of it by chance alone.
    pub spread: f64,
}

impl Period {
    /// What the work earns on average under a scheme that pays blocks, and how much that varies; `None` for a scheme that
    /// pays every share its worth, where there is nothing to be lucky with.
    ///
    /// ```text
    /// average            = units * block_sats
    /// pplns, proportional: spread = average / sqrt(pool_units)   (so many blocks come, each pays the miner's part)
    /// solo:                spread = block_sats * sqrt(units)     (its own blocks come)
    /// ```
    ///
    /// The number of blocks is Poisson distributed; that alone is counted. Left out are: windows that reach over the ends of
    /// the period (with few blocks they move more than the spread), a part that was not the same all the time, orphans,
    /// rewards that differ from block to block, and a fee that was changed.
    pub fn expected(&self, scheme: Scheme) -> Option<Expected> {
        let sats = self.units.max(0.0) * self.block_sats.max(0.0);
        let spread = match scheme {
            Scheme::Pplns | Scheme::Proportional => {
                // A miner is a part of the pool: it is no less than the miner alone.
                let pool = self.pool_units.max(self.units);
                if pool > 0.0 { sats / pool.sqrt() } else { 0.0 }
            }
            Scheme::Solo => self.block_sats.max(0.0) * self.units.max(0.0).sqrt(),
            Scheme::Pps | Scheme::Fpps | Scheme::InverseLoss | Scheme::Score | Scheme::WinnerTakesMost => {
                return None;
            }
        };
        Some(Expected { sats, spread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn period(units: f64, pool_units: f64) -> Period {
        Period {
            units,
            pool_units,
            block_sats: 1_000.0,
        }
    }

    #[test]
    fn a_quarter_of_sixteen_blocks_is_four_give_or_take_one() {
        let of = |scheme| period(4.0, 16.0).expected(scheme).unwrap();
        for scheme in [Scheme::Pplns, Scheme::Proportional] {
            assert_eq!((of(scheme).sats, of(scheme).spread), (4_000.0, 1_000.0));
        }
        assert_eq!(
            (of(Scheme::Solo).sats, of(Scheme::Solo).spread),
            (4_000.0, 2_000.0)
        );
        assert_eq!(period(4.0, 16.0).expected(Scheme::Pps), None);
        assert_eq!(period(4.0, 16.0).expected(Scheme::Fpps), None);
        let nothing = period(0.0, 0.0).expected(Scheme::Pplns).unwrap();
        assert_eq!((nothing.sats, nothing.spread), (0.0, 0.0));
    }

    #[test]
    fn what_never_comes_has_no_time() {
        assert_eq!(time_for(10.0, 4.0), Some(Span::from_millis(2_500)));
        assert_eq!(time_for(-1.0, 4.0), Some(Span::from_millis(0)));
        for (amount, per_sec) in [
            (1.0, 0.0),
            (0.0, 0.0),
            (1.0, -1.0),
            (1.0, 1e-12),
            (f64::NAN, f64::NAN),
        ] {
            assert_eq!(time_for(amount, per_sec), None, "{amount} {per_sec}");
        }
    }

    proptest! {
        #[test]
        fn sharing_never_makes_luck_matter_more(units in 0.0f64..100.0, others in 0.0f64..1_000.0) {
            let period = period(units, units + others);
            let shared = period.expected(Scheme::Pplns).unwrap();
            let alone = period.expected(Scheme::Solo).unwrap();
            prop_assert_eq!(shared.sats, alone.sats);
            prop_assert!(shared.spread <= alone.spread * (1.0 + 1e-12));
        }

        #[test]
        fn the_spread_is_that_of_counted_blocks(part in 0.05f64..1.0, pool in 1.0f64..30.0) {
            // Variance of what N blocks pay, N Poisson distributed: summed over all N.
            let (mut chance, mut mean, mut square) = ((-pool).exp(), 0.0, 0.0);
            for blocks in 0..200 {
                let paid = f64::from(blocks) * part * 1_000.0;
                mean += chance * paid;
                square += chance * paid * paid;
                chance *= pool / f64::from(blocks + 1);
            }
            let expected = period(part * pool, pool).expected(Scheme::Pplns).unwrap();
            prop_assert!((expected.sats / mean - 1.0).abs() < 1e-9);
            prop_assert!((expected.spread / (square - mean * mean).sqrt() - 1.0).abs() < 1e-6);
        }
    }
}
