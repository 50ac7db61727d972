//! One miner's part of a split, with all that it takes to reckon it again: for those who ask why.

use std::cmp::Reverse;

use ruint::aliases::U256;

use crate::hotkey::Hotkey;
use crate::rewards::pps::DENOMINATOR;
use crate::rewards::round::PaidWork;
use crate::rewards::weights::{HalfUnits, Weights};
use crate::units::{Amount, BasisPoints, Units};

/// A miner's part of an amount that was split by work, see [`split`](crate::rewards::split()).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitExample {
    /// The miner's work.
    pub work: HalfUnits,
    /// The work of all.
    pub total: HalfUnits,
    /// The miner's part, rounded down.
    pub part: Amount,
    /// What rounding left of it: amount times work, less part times total.
    pub remainder: HalfUnits,
    /// The sum of all parts, rounded down.
    pub parts: Amount,
    /// How many sats rounding left: so many of the largest remainders get one.
    pub left: u64,
    /// The miner's place among the remainders, the largest first, equal ones by hotkey: 1, 2, 3, …
    pub position: u64,
    /// How many miners there are.
    pub miners: u64,
    /// The last one who gets a sat, and its remainder.
    pub last_in: Option<(Hotkey, HalfUnits)>,
    /// The first one who gets none, and its remainder.
    pub first_out: Option<(Hotkey, HalfUnits)>,
    /// What the miner gets.
    pub amount: Amount,
}

/// The part of `hotkey` of `amount` split by `weights`; `None` if it did no work.
pub fn of_split(amount: Amount, weights: &Weights, hotkey: &Hotkey) -> Option<SplitExample> {
    let (total, work) = (weights.total(), weights.get(hotkey));
    if work == 0 {
        return None;
    }
    let mut parts: Vec<(u128, Hotkey, Amount)> = weights
        .iter()
        .map(|(hotkey, weight)| {
            let (part, remainder) = amount.part_of(weight, total);
            (remainder, hotkey, part)
        })
        .collect();
    let given = Amount::checked_sum(parts.iter().map(|(.., part)| *part))?;
    let left = amount.checked_sub(given)?.sats();
    parts.sort_by_key(|(remainder, hotkey, _)| (Reverse(*remainder), *hotkey));
    let place = parts.iter().position(|(_, of, _)| of == hotkey)?;
    let (remainder, _, part) = parts[place];
    let extra = Amount::from_sats(u64::from((place as u64) < left))?;
    let at = |place: u64| {
        let (remainder, hotkey, _) = parts.get(usize::try_from(place).ok()?)?;
        Some((*hotkey, HalfUnits::from_half_steps(*remainder)))
    };
    Some(SplitExample {
        work: HalfUnits::from_half_steps(work),
        total: HalfUnits::from_half_steps(total),
        part,
        remainder: HalfUnits::from_half_steps(remainder),
        parts: given,
        left,
        position: place as u64 + 1,
        miners: parts.len() as u64,
        last_in: left.checked_sub(1).and_then(at),
        first_out: at(left),
        amount: part.checked_add(extra)?,
    })
}

/// What a miner's work was paid by the share, see [`pay`](crate::rewards::pps::pay). All but the amount are decimal numbers
/// of sats, exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayExample {
    /// What the work was worth before the fee.
    pub worth: String,
    /// What is left after the fee.
    pub after_fee: String,
    /// What the round before carried.
    pub carried_in: String,
    /// Both of them.
    pub exact: String,
    /// What of it the next round gets.
    pub carried_out: String,
    /// What the miner got: the whole sats.
    pub amount: Amount,
}

/// What `paid` was paid less `fee`; `None` if a number does not fit, which no round has.
pub fn of_pay(paid: &PaidWork, fee: BasisPoints) -> Option<PayExample> {
    let mut worth = U256::ZERO;
    for (value, units) in &paid.work {
        worth = worth.checked_add(U256::from(units.raw()) * U256::from(value.sats()))?;
    }
    let whole = U256::from(BasisPoints::WHOLE);
    let after_fee = worth.checked_mul(U256::from(BasisPoints::WHOLE - fee.get()))?;
    let exact = after_fee.checked_add(U256::from(paid.carried))?;
    let (amount, carried_out) = exact.div_rem(U256::from(DENOMINATOR));
    Some(PayExample {
        worth: sats(worth.checked_mul(whole)?),
        after_fee: sats(after_fee),
        carried_in: sats(U256::from(paid.carried)),
        exact: sats(exact),
        carried_out: sats(carried_out),
        amount: Amount::from_sats(u64::try_from(amount).ok()?)?,
    })
}

/// A number over [`DENOMINATOR`] as an exact decimal number of sats, without trailing zeros.
fn sats(numerator: U256) -> String {
    let (whole, fraction) = numerator.div_rem(U256::from(DENOMINATOR));
    if fraction.is_zero() {
        return whole.to_string();
    }
    let places = Units::DECIMALS as usize + 4;
    let digits = format!("{:0>places$}", fraction.to_string());
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewards::pps::ShareValue;
    use crate::rewards::{pps, split};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(byte: u8) -> Hotkey {
        Hotkey::from_bytes([byte; 32])
    }

    #[test]
    fn a_miner_without_work_has_no_part() {
        let weights = Weights::sum([(key(1), 5)]).unwrap();
        assert_eq!(of_split(Amount::MAX, &weights, &key(2)), None);
        let alone = of_split(Amount::MAX, &weights, &key(1)).unwrap();
        assert_eq!((alone.amount, alone.position, alone.left), (Amount::MAX, 1, 0));
        assert_eq!(
            (alone.last_in, alone.first_out),
            (None, Some((key(1), HalfUnits::ZERO)))
        );
    }

    #[test]
    fn a_decimal_of_sats_has_all_its_digits() {
        assert_eq!(sats(U256::from(1)), format!("0.{}1", "0".repeat(31)));
        assert_eq!(sats(U256::from(DENOMINATOR * 3)), "3");
        assert_eq!(sats(U256::from(DENOMINATOR / 4)), "0.25");
    }

    proptest! {
        #[test]
        fn each_part_is_the_one_of_the_split(
            amount in 0u64..10_000_000_000, work in proptest::collection::vec((any::<u8>(), 1u128..1_000), 1..40),
        ) {
            let amount = Amount::from_sats(amount).unwrap();
            let weights = Weights::sum(work.into_iter().map(|(of, work)| (key(of), work))).unwrap();
            let credits = split(amount, &weights);
            for (hotkey, _) in weights.iter() {
                let example = of_split(amount, &weights, &hotkey).unwrap();
                let credit = credits.iter().find(|credit| credit.hotkey == hotkey);
                prop_assert_eq!(example.amount, credit.map_or(Amount::ZERO, |credit| credit.amount));
                let is_in = example.position <= example.left;
                prop_assert_eq!(example.amount.sats(), example.part.sats() + u64::from(is_in));
                if let Some((_, last)) = example.last_in {
                    prop_assert_eq!(is_in, example.remainder >= last && example.position <= example.left);
                }
            }
        }

        #[test]
        fn each_pay_is_the_one_that_was_paid(
            work in proptest::collection::vec((0u8..4, 1u128..10u128.pow(29), 0u64..10_000_000_000), 1..20),
            carried in 0u128..DENOMINATOR, fee in 0u16..=10_000,
        ) {
            let fee = BasisPoints::new(fee).unwrap();
            let shares: Vec<_> = work
                .iter()
                .map(|&(of, units, value)| ShareValue {
                    hotkey: key(of),
                    units: Units::from_raw(units),
                    value: Amount::from_sats(value).unwrap(),
                })
                .collect();
            let before = BTreeMap::from([(key(0), carried)]);
            let pay = pps::pay(&shares, fee, &before).unwrap();
            for credit in &pay.credits {
                let mut paid = PaidWork { carried: before.get(&credit.hotkey).copied().unwrap_or(0), ..PaidWork::default() };
                for share in shares.iter().filter(|share| share.hotkey == credit.hotkey) {
                    let sum = paid.work.entry(share.value).or_default();
                    *sum = sum.checked_add(share.units).unwrap();
                }
                let example = of_pay(&paid, fee).unwrap();
                prop_assert_eq!(example.amount, credit.amount);
                let left = pay.carried.get(&credit.hotkey).copied().unwrap_or(0);
                prop_assert_eq!(example.carried_out, sats(U256::from(left)));
            }
        }
    }
}
