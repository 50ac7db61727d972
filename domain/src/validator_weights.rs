//! What miners earned, in the form in which a subnet's validators set it: uids, and weights of 16 bits.
//!
//! `bittensor` calls it `convert_weights_and_uids_for_emit`: each weight is divided by the largest one, times 65,535,
//! rounded to the nearest whole number, to the even one if two are as near; those that are 0 are dropped. There it is
//! reckoned in floats, here exactly.

use std::collections::BTreeMap;

use crate::hotkey::Hotkey;
use crate::metagraph::Metagraph;
use crate::units::Amount;

/// A neuron's weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UidWeight {
    /// The neuron's number in the subnet.
    pub uid: u16,
    /// Its weight, from 1 on; that of the largest is 65,535.
    pub weight: u16,
}

/// Weights of those who earned something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidatorWeights {
    /// In the order of uids, each once.
    pub weights: Vec<UidWeight>,
    /// Who earned something and has no uid, with how much: in no weight.
    pub without_uid: BTreeMap<Hotkey, Amount>,
}

impl ValidatorWeights {
    /// The weights of these earnings by the uids of this metagraph.
    pub fn of(earned: &BTreeMap<Hotkey, Amount>, metagraph: &Metagraph) -> Self {
        let mut by_uid = BTreeMap::new();
        let mut without_uid = BTreeMap::new();
        for (hotkey, amount) in earned.iter().filter(|(_, amount)| **amount > Amount::ZERO) {
            match metagraph.neuron(hotkey) {
                // A uid is one hotkey's.
                Some(neuron) => by_uid.insert(neuron.uid, *amount),
                None => without_uid.insert(*hotkey, *amount),
            };
        }
        Self {
            weights: scaled(&by_uid),
            without_uid,
        }
    }
}

/// Amounts as weights: the largest is 65,535, and zeros are left out.
fn scaled(amounts: &BTreeMap<u16, Amount>) -> Vec<UidWeight> {
    let largest = amounts.values().copied().max().unwrap_or(Amount::ZERO);
    if largest == Amount::ZERO {
        return Vec::new();
    }
    let weigh = |(uid, amount): (&u16, &Amount)| {
        let weight = rounded(
            u128::from(amount.sats()) * u128::from(u16::MAX),
            u128::from(largest.sats()),
        );
        let weight = u16::try_from(weight).expect("no amount is more than the largest");
        (weight > 0).then_some(UidWeight { uid: *uid, weight })
    };
    amounts.iter().filter_map(weigh).collect()
}

/// The whole number nearest to a quotient, the even one of two. The numerator is below 2^79.
fn rounded(numerator: u128, denominator: u128) -> u128 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    let is_up = match (2 * rest).cmp(&denominator) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => whole % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    whole + u128::from(is_up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    fn sats(sats: u64) -> Amount {
        Amount::from_sats(sats).unwrap()
    }

    fn key(n: u8) -> Hotkey {
        Hotkey::from_bytes([n; 32])
    }

    fn metagraph(uids: &[(u16, u8)]) -> Metagraph {
        let rows: Vec<String> = uids
            .iter()
            .map(|(uid, n)| format!(r#"{{"uid": {uid}, "hotkey": "{}"}}"#, key(*n)))
            .collect();
        Metagraph::parse(format!("[{}]", rows.join(",")).as_bytes()).unwrap()
    }

    /// Uids with their weights, and who has none, with how much.
    type Told = (Vec<(u16, u16)>, Vec<(u8, u64)>);

    fn of(earned: &[(u8, u64)], uids: &[(u16, u8)]) -> Told {
        let earned = earned.iter().map(|(n, s)| (key(*n), sats(*s))).collect();
        let weights = ValidatorWeights::of(&earned, &metagraph(uids));
        let left = weights.without_uid.iter();
        (
            weights.weights.iter().map(|w| (w.uid, w.weight)).collect(),
            left.map(|(hotkey, amount)| (hotkey.as_bytes()[0], amount.sats()))
                .collect(),
        )
    }

    #[test]
    fn the_largest_is_65535_and_zeros_are_dropped() {
        let uids = [(0, 1), (7, 2), (65_535, 3), (9, 4), (5, 6)];
        let (weights, left) = of(&[(1, 10), (2, 5), (3, 20), (5, 99), (6, 0)], &uids);
        // 10/20 and 5/20 of 65,535 are 32,767.5 and 16,383.75: half goes to the even one.
        assert_eq!(weights, [(0, 32_768), (7, 16_384), (65_535, 65_535)]);
        assert_eq!(left, [(5, 99)]);
        // What rounds to nothing is dropped; a half does, being nearest to the even 0.
        let most = 131_070;
        assert_eq!(of(&[(1, 1), (2, most)], &uids).0, [(7, 65_535)]);
        assert_eq!(of(&[(1, 2), (2, most)], &uids).0, [(0, 1), (7, 65_535)]);
        assert_eq!(of(&[(1, 3), (2, most)], &uids).0, [(0, 2), (7, 65_535)]);
        // 1.5 and 2.5 both go to 2.
        assert_eq!(of(&[(1, 5), (2, most)], &uids).0, [(0, 2), (7, 65_535)]);
        assert_eq!(of(&[], &uids), (vec![], vec![]));
        assert_eq!(of(&[(1, 0)], &uids), (vec![], vec![]));
        assert_eq!(of(&[(1, 1), (2, i64::MAX as u64)], &uids).0, [(7, 65_535)]);
        assert_eq!(of(&[(1, i64::MAX as u64)], &uids).0, [(0, 65_535)]);
    }

    proptest! {
        /// Each weight is the nearest whole number to the exact fraction, as slow rationals have it.
        #[test]
        fn weights_are_those_of_slow_arithmetic(
            earned in proptest::collection::btree_map(0_u8..40, 0_u64..=i64::MAX as u64, 0..20),
            shift in 0_u32..60,
        ) {
            let earned: Vec<(u8, u64)> = earned.into_iter().map(|(n, sats)| (n, sats >> shift)).collect();
            let uids: Vec<(u16, u8)> = (0..30).map(|n| (1_000 - u16::from(n) * 3, n)).collect();
            let (weights, left) = of(&earned, &uids);
            prop_assert!(weights.is_sorted_by(|(one, _), (next, _)| one < next));
            let without: Vec<(u8, u64)> = earned.iter().copied().filter(|(n, sats)| *n >= 30 && *sats > 0).collect();
            prop_assert_eq!(left, without);
            let known: Vec<(u8, u64)> = earned.iter().copied().filter(|(n, _)| *n < 30).collect();
            let most = known.iter().map(|(_, sats)| *sats).max().unwrap_or(0);
            let mut weights: BTreeMap<u16, u16> = weights.into_iter().collect();
            for (n, sats) in known.into_iter().filter(|_| most > 0) {
                let exact = BigRational::new(BigInt::from(sats) * 65_535, BigInt::from(most));
                let weight = weights.remove(&(1_000 - u16::from(n) * 3)).unwrap_or(0);
                let distance = |weight: i64| {
                    let distance = exact.clone() - BigRational::from_integer(weight.into());
                    if distance < BigRational::from_integer(0.into()) { -distance } else { distance }
                };
                let here = i64::from(weight);
                prop_assert!(distance(here) < distance(here - 1) || (distance(here) == distance(here - 1) && here % 2 == 0));
                prop_assert!(distance(here) < distance(here + 1) || (distance(here) == distance(here + 1) && here % 2 == 0));
            }
            prop_assert!(weights.is_empty());
        }
    }
}
