//! Pay per share: every unit of work has a fixed price, whether blocks are found or not (`pps`, `fpps`).
//!
//! The price is what one block would bring: its subsidy (`pps`), or its subsidy and fees (`fpps`), by the
//! share's own template, less the pool's fee. Blocks go to the pool's reserve and shares are paid from it, so
//! the operator bears luck, and needs a reserve for it: B·ln(1/δ)/(2f) for a chance of ruin δ at a fee f
//! (Rosenfeld, chapter 2), 173 blocks for 0.1 % at a fee of 2 %.
//!
//! One share is often worth less than a sat. What is below one sat is carried to the miner's next round as an
//! exact numerator over [`DENOMINATOR`], so over any number of rounds a miner is paid the exact sum, rounded
//! down once.

use std::collections::BTreeMap;

use ruint::aliases::U256;

use crate::hotkey::Hotkey;
use crate::rewards::Scheme;
use crate::rewards::split::RoundCredit;
use crate::rewards::weights::HalfUnits;
use crate::units::{Amount, BasisPoints, Units};

/// What a carried remainder is a fraction of: a remainder r is worth r / 10^32 sats.
///
/// It is one unit in fixed point times one whole in basis points.
pub const DENOMINATOR: u128 = Units::ONE.raw() * BasisPoints::WHOLE as u128;

/// Work of one miner on one template, and what one unit of it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareValue {
    /// The miner whose shares they are.
    pub hotkey: Hotkey,
    /// The work, in units as it was issued.
    pub units: Units,
    /// What one unit is worth before the fee; see [`unit_value`].
    pub value: Amount,
}

/// Why shares cannot be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PpsError {
    /// The scheme pays blocks.
    #[error("shares have no fixed value under the scheme {0}; it is pps or fpps that pay them")]
    NotPaidPerShare(Scheme),
    /// More than an amount or the work's number holds.
    #[error("the shares of one round are worth more than an amount holds")]
    Overflow,
    /// A remainder that could not have been carried.
    #[error("the carried remainder of {0} must be below one sat, that is below 10^32")]
    Carried(Hotkey),
}

/// What one unit of work on a template is worth, before the fee.
///
/// # Errors
/// If the scheme is neither `pps` nor `fpps`, or the sum does not fit.
pub fn unit_value(scheme: Scheme, subsidy: Amount, fees: Amount) -> Result<Amount, PpsError> {
    match scheme {
        Scheme::Pps => Ok(subsidy),
        Scheme::Fpps => subsidy.checked_add(fees).ok_or(PpsError::Overflow),
        Scheme::Pplns
        | Scheme::Proportional
        | Scheme::Solo
        | Scheme::InverseLoss
        | Scheme::Score
        | Scheme::WinnerTakesMost => Err(PpsError::NotPaidPerShare(scheme)),
    }
}

/// What the shares of a round are paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pay {
    /// What each miner who worked gets, in the order of hotkeys. It is zero while the sum is below one sat.
    pub credits: Vec<RoundCredit>,
    /// The sum of all credits.
    pub credited: Amount,
    /// The pool's fee on this work, rounded down.
    pub fee: Amount,
    /// What is below one sat of each miner, over [`DENOMINATOR`]; also of those who did not work this time.
    pub carried: BTreeMap<Hotkey, u128>,
}

/// The work and the exact pay of one miner.
#[derive(Default)]
struct Sum {
    work: HalfUnits,
    numerator: U256,
}

/// Pays shares at their values less `fee`, with what was carried from the round before.
///
/// # Errors
/// If a sum does not fit, or a carried remainder is one sat or more.
pub fn pay(
    shares: &[ShareValue],
    fee: BasisPoints,
    carried: &BTreeMap<Hotkey, u128>,
) -> Result<Pay, PpsError> {
    let mut sums: BTreeMap<Hotkey, Sum> = BTreeMap::new();
    for (&hotkey, &remainder) in carried {
        if remainder >= DENOMINATOR {
            return Err(PpsError::Carried(hotkey));
        }
        sums.entry(hotkey).or_default().numerator = U256::from(remainder);
    }
    let to_miners = U256::from(BasisPoints::WHOLE - fee.get());
    let to_pool = U256::from(fee.get());
    let mut fee_numerator = U256::ZERO;
    for share in shares {
        // 128 bits of units, 63 of money and 14 of basis points fit 256.
        let worth = U256::from(share.units.raw()) * U256::from(share.value.sats());
        fee_numerator = add(fee_numerator, worth * to_pool)?;
        let sum = sums.entry(share.hotkey).or_default();
        sum.numerator = add(sum.numerator, worth * to_miners)?;
        sum.work = HalfUnits::from_units(share.units)
            .and_then(|work| sum.work.checked_add(work))
            .ok_or(PpsError::Overflow)?;
    }

    let mut pay = Pay {
        fee: whole_sats(fee_numerator)?.0,
        ..Pay::default()
    };
    for (hotkey, Sum { work, numerator }) in sums {
        let (amount, remainder) = whole_sats(numerator)?;
        if remainder > 0 {
            pay.carried.insert(hotkey, remainder);
        }
        if work > HalfUnits::ZERO {
            pay.credited = pay.credited.checked_add(amount).ok_or(PpsError::Overflow)?;
            pay.credits.push(RoundCredit {
                hotkey,
                units: work,
                amount,
            });
        }
    }
    Ok(pay)
}

fn add(a: U256, b: U256) -> Result<U256, PpsError> {
    a.checked_add(b).ok_or(PpsError::Overflow)
}

/// The whole sats of a numerator over [`DENOMINATOR`], and what is left.
fn whole_sats(numerator: U256) -> Result<(Amount, u128), PpsError> {
    let (quotient, remainder) = numerator.div_rem(U256::from(DENOMINATOR));
    let sats = u64::try_from(quotient).map_err(|_| PpsError::Overflow)?;
    let amount = Amount::from_sats(sats).ok_or(PpsError::Overflow)?;
    Ok((amount, remainder.to::<u128>()))
}

#[cfg(test)]
mod tests;
