//! Which coins pay for a payout, for wallets that choose themselves.

use crate::units::Amount;

use super::batch::{Batch, FeePayer, FeeRate};
use super::txid::OutPoint;

/// Virtual bytes of a transaction's pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// What every transaction has.
    pub base: u64,
    /// Each input with its signature.
    pub input: u64,
    /// Each output.
    pub output: u64,
}

/// The coins of a transaction, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// What it spends.
    pub inputs: Vec<OutPoint>,
    /// What the network takes.
    pub fee: Amount,
    /// What of that the miners bear.
    pub borne: Amount,
    /// What goes back to the wallet; zero: no such output.
    pub change: Amount,
}

/// Why no coins can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// There are too few.
    #[error("the coins come to {has} sats, {needs} are needed")]
    Short {
        /// What is needed.
        needs: Amount,
        /// What there is.
        has: Amount,
    },
    /// The numbers do not fit an amount.
    #[error("the fee or the sum of the coins is more sats than there are")]
    Overflow,
}

/// Chooses coins for `batch`, the largest first. Change below `dust` goes to the network.
///
/// # Errors
/// If there are too few coins.
pub fn choose(
    mut coins: Vec<(OutPoint, Amount)>,
    batch: &Batch,
    rate: FeeRate,
    sizes: Sizes,
    dust: Amount,
) -> Result<Chosen, ChooseError> {
    use ChooseError::Overflow;
    coins.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let outputs = u64::try_from(batch.outputs().len()).map_err(|_| Overflow)?;
    let mut inputs = Vec::new();
    let mut sum = Amount::ZERO;
    let mut coins = coins.into_iter();
    loop {
        let vbytes = (outputs + 1)
            .checked_mul(sizes.output)
            .and_then(|out| (inputs.len() as u64).checked_mul(sizes.input)?.checked_add(out))
            .and_then(|all| all.checked_add(sizes.base));
        let fee = vbytes.and_then(|vbytes| rate.fee_of(vbytes)).ok_or(Overflow)?;
        let (needs, borne) = match batch.payer() {
            FeePayer::Pool => (batch.total().checked_add(fee).ok_or(Overflow)?, Amount::ZERO),
            FeePayer::Miners => (batch.total(), fee),
        };
        if !inputs.is_empty()
            && let Some(change) = sum.checked_sub(needs)
        {
            let (fee, change) = if change < dust {
                (fee.checked_add(change).ok_or(Overflow)?, Amount::ZERO)
            } else {
                (fee, change)
            };
            return Ok(Chosen {
                inputs,
                fee,
                borne,
                change,
            });
        }
        let Some((coin, value)) = coins.next() else {
            return Err(ChooseError::Short { needs, has: sum });
        };
        inputs.push(coin);
        sum = sum.checked_add(value).ok_or(Overflow)?;
    }
}
