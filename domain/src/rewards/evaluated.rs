//! Evaluated work: what each miner's best result weighs in a round.
//!
//! A result weighs its *merit*, a whole number of steps of 10^-18: a score counts as itself, a loss as 1/loss, rounded down
//! to a step. A loss below [`EvaluatedTerms::loss_floor`] counts as the floor: no loss of zero takes everything, and nothing
//! is divided by zero. A loss is below 10^9 ([`Reading`]), so at least nine digits of 1/loss are kept.
//!
//! | scheme | a miner's weight |
//! |---|---|
//! | `inverse_loss` | 1/loss |
//! | `score` | the score |
//! | `winner_takes_most` | the best takes [`EvaluatedTerms::winner`] of the whole, the others share the rest by merit |
//!
//! The best of `winner_takes_most` has the greatest merit; of equal ones the one that was submitted first, so that nobody
//! wins with a copy, then by hotkey. Alone it takes all. All weights are whole numbers, so the amounts are split as those of
//! every other scheme are ([`split`](crate::rewards::split())): to the last unit, by largest remainder.

use std::cmp::Reverse;

use crate::evaluation::{Figure, Measure, Reading};
use crate::hotkey::Hotkey;
use crate::rewards::Scheme;
use crate::rewards::weights::{WeightOverflow, Weights};
use crate::time::{Span, Timestamp};
use crate::units::BasisPoints;

/// Miners that an evaluated pool may have: the weights of so many fit their number under every scheme.
pub const MINERS_MAX: u32 = 10_000_000;
/// The least loss floor, 10^-9: with it a merit is at most 10^9, as a score is.
pub const LOSS_FLOOR_LEAST: u128 = 10_u128.pow(9);
/// 1 over one step, in steps: what a loss in steps divides.
const INVERSE: u128 = 10_u128.pow(2 * Reading::DECIMALS);

/// How results are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluatedTerms {
    /// What is paid by.
    pub measure: Measure,
    /// Losses below it count as it. At least [`LOSS_FLOOR_LEAST`] steps.
    pub loss_floor: Reading,
    /// What the best takes with `winner_takes_most`.
    pub winner: BasisPoints,
    /// How old a result may be when the round closes, since it was known.
    pub max_age: Span,
}

/// A miner's best result that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BestResult {
    /// Whose it is.
    pub hotkey: Hotkey,
    /// Its loss or score.
    pub figure: Figure,
    /// When the first of its results that are as good was submitted.
    pub received_at: Timestamp,
}

/// What a result counts for, in steps of 10^-18.
pub fn merit(figure: Figure, loss_floor: Reading) -> u128 {
    match figure {
        Figure::Loss(loss) => {
            let floor = loss_floor.steps().max(LOSS_FLOOR_LEAST);
            INVERSE / loss.steps().max(floor)
        }
        Figure::Score(score) => score.steps(),
    }
}

/// The weight of each miner's best result, at most one for each miner. Who scored nothing has none.
///
/// # Errors
/// If the weights do not fit, which those of [`MINERS_MAX`] miners do.
pub fn weights(
    scheme: Scheme,
    terms: &EvaluatedTerms,
    best: &[BestResult],
) -> Result<Weights, WeightOverflow> {
    let merits = best
        .iter()
        .map(|result| (result, merit(result.figure, terms.loss_floor)));
    if scheme != Scheme::WinnerTakesMost {
        return Weights::sum(merits.map(|(result, merit)| (result.hotkey, merit)));
    }
    let mut merits: Vec<_> = merits.filter(|(_, merit)| *merit > 0).collect();
    merits.sort_by_key(|(result, merit)| (Reverse(*merit), result.received_at, result.hotkey));
    let Some(((winner, of_winner), others)) = merits.split_first() else {
        return Ok(Weights::new());
    };
    if others.is_empty() {
        return Weights::sum([(winner.hotkey, *of_winner)]);
    }
    // With S the merit of the others: winner : others = bps * S : (10,000 - bps) * S.
    let rest = Weights::sum(others.iter().map(|(result, merit)| (result.hotkey, *merit)))?;
    let (bps, whole) = (u128::from(terms.winner.get()), u128::from(BasisPoints::WHOLE));
    let times = |merit: u128, by: u128| merit.checked_mul(by).ok_or(WeightOverflow);
    let mut weights = Weights::sum([(winner.hotkey, times(rest.total(), bps)?)])?;
    for (hotkey, merit) in rest.iter() {
        weights.add(hotkey, times(merit, whole - bps)?)?;
    }
    Ok(weights)
}

/// A weight as a decimal number: 1/loss, or a score. (With `winner_takes_most` weights are multiples of these.)
pub fn shown(weight: u128) -> String {
    let step = Reading::ONE.steps();
    let (whole, fraction) = (weight / step, weight % step);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = format!("{fraction:0width$}", width = Reading::DECIMALS as usize);
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests;
