//! An amount split by weights, to the last sat: the largest remainder method.
//!
//! Every miner gets the exact part rounded down; the sats that are left go one each to the largest
//! remainders, equal remainders in the order of hotkeys. So everyone is within one sat of the exact part, the
//! sum is the amount, and neither the order of miners nor the platform changes the outcome.

use std::cmp::Reverse;

use crate::hotkey::Hotkey;
use crate::rewards::weights::{HalfUnits, Weights};
use crate::units::Amount;

/// A miner's part of a reward. The amount is never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The miner who is credited.
    pub hotkey: Hotkey,
    /// What the miner gets.
    pub amount: Amount,
}

/// A miner's part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundCredit {
    /// The miner who is credited.
    pub hotkey: Hotkey,
    /// The work that was paid; if the round has several blocks, the sum of what each of them paid.
    pub units: HalfUnits,
    /// What the miner was credited. It can be zero where the work is worth less than a sat.
    pub amount: Amount,
}

/// Splits `amount` by `weights`: credits in the order of hotkeys, without those that come to nothing.
///
/// If nobody worked there are no credits and the caller keeps the amount.
///
/// # Panics
/// If the credits did not sum to the amount, which would be a bug.
pub fn split(amount: Amount, weights: &Weights) -> Vec<Credit> {
    let mut parts: Vec<(Credit, u128)> = weights
        .iter()
        .map(|(hotkey, weight)| {
            let (amount, remainder) = amount.part_of(weight, weights.total());
            (Credit { hotkey, amount }, remainder)
        })
        .collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let given = total(parts.iter().map(|(credit, _)| credit.amount));
    let left = amount
        .checked_sub(given)
        .expect("parts that are rounded down sum to at most the whole");
    let left = usize::try_from(left.sats()).expect("fewer sats are left than there are miners");

    let mut by_remainder: Vec<usize> = (0..parts.len()).collect();
    // The parts are in the order of hotkeys and the sort is stable, so the earlier hotkey wins a tie.
    by_remainder.sort_by_key(|&index| Reverse(parts[index].1));
    let one = Amount::from_sats(1).expect("one sat is an amount");
    for &index in &by_remainder[..left] {
        let credit = &mut parts[index].0;
        credit.amount = credit
            .amount
            .checked_add(one)
            .expect("a part and its left-over sat are at most the whole");
    }

    let credits: Vec<Credit> = parts
        .into_iter()
        .map(|(credit, _)| credit)
        .filter(|credit| credit.amount > Amount::ZERO)
        .collect();
    assert_eq!(
        total(credits.iter().map(|credit| credit.amount)),
        amount,
        "a split gives out exactly the amount"
    );
    credits
}

fn total(amounts: impl Iterator<Item = Amount>) -> Amount {
    Amount::checked_sum(amounts).expect("parts of an amount sum to at most the amount")
}

#[cfg(test)]
mod tests;
