//! Which coins pay for a payout, and what that costs: known before anything is set aside.
//!
//! The largest coins go first. A coin whose spending costs more of it than the network may take is left where it is,
//! so each coin more makes the purse richer, and the fewest coins that cover a payout are the cheapest.

use crate::units::{Amount, BasisPoints};

use super::batch::{FeePayer, FeeRate, PayoutBatch};
use super::txid::OutPoint;

/// Coins more than are needed that may be taken so that change is worth keeping, instead of being left to the network.
const SPARE_COINS_MAX: usize = 16;
/// How many there may be of anything in a transaction before its count takes two bytes more.
const COUNT_SHORT_MAX: u64 = 0xfc;

/// Virtual bytes of a transaction's pieces, by the kind of the wallet's coins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// What every transaction has, with counts of one byte each.
    pub base: u64,
    /// Each input with its signature.
    pub input: u64,
    /// The output of change.
    pub change: u64,
}

/// What the network is offered, and how much it may take and carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeTerms {
    /// What it is offered.
    pub rate: FeeRate,
    /// The most that it may take of what is paid, and that a coin's input may cost of the coin.
    pub fee_max: BasisPoints,
    /// The most virtual bytes of one transaction.
    pub vbytes_max: u64,
}

/// The outputs of a transaction, not counting the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// How many outputs there are.
    pub count: u64,
    /// Their virtual bytes.
    pub vbytes: u64,
}

impl Outputs {
    /// The output to a script of this many bytes: its amount, the length, and the script.
    pub fn one(script_len: usize) -> Self {
        Self {
            count: 1,
            vbytes: 9 + script_len as u64,
        }
    }

    /// These and those.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            count: self.count.saturating_add(more.count),
            vbytes: self.vbytes.saturating_add(more.vbytes),
        }
    }

    /// The outputs of a batch.
    pub fn of(batch: &PayoutBatch) -> Self {
        let outputs = batch.outputs();
        let all = outputs.iter().map(|output| Self::one(output.script.len()));
        all.fold(Self::default(), Self::and)
    }
}

/// What a wallet can pay with, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funds {
    /// Its coins that may be spent now.
    pub coins: Vec<(OutPoint, Amount)>,
    /// What a transaction of them weighs.
    pub sizes: Sizes,
    /// Change below this goes to the network.
    pub change_min: Amount,
    /// What it has in an extension block (MWEB), where no payout can be made from.
    pub in_mweb: Amount,
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

/// What a payment costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// How many of the largest coins it takes.
    pub inputs: usize,
    /// What the network takes.
    pub fee: Amount,
    /// What of that the miners bear.
    pub borne: Amount,
    /// What goes back to the wallet; zero: no such output.
    pub change: Amount,
    /// The transaction's virtual bytes.
    pub vbytes: u64,
}

/// Why no coins can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// There are too few.
    #[error("the coins come to {has} sats, {needs} are needed")]
    Short {
        /// What the payment and its fee come to.
        needs: Amount,
        /// What the coins come to.
        has: Amount,
    },
    /// The transaction would be larger than it may be.
    #[error("the transaction would have {vbytes} virtual bytes, at most {at_most} are allowed")]
    TooLarge {
        /// The virtual size that it would have.
        vbytes: u64,
        /// How large it may be.
        at_most: u64,
    },
    /// The network would take more than it may.
    #[error("{fee} sats, at most {at_most} are allowed")]
    TooDear {
        /// What it would take.
        fee: Amount,
        /// What it may take.
        at_most: Amount,
    },
    /// The numbers do not fit an amount.
    #[error("the fee or the sum of the coins is more sats than there are")]
    Overflow,
}

/// Coins that are worth what it costs to spend them, the largest first.
#[derive(Clone, Debug)]
pub struct Purse {
    coins: Vec<(OutPoint, Amount)>,
    /// What this many of the largest coins come to; one more entry than there are coins.
    sums: Vec<Amount>,
    sizes: Sizes,
    change_min: Amount,
    terms: FeeTerms,
    left_out: (u64, Amount),
}

impl Purse {
    /// The purse of a wallet with these funds.
    pub fn new(funds: &Funds, terms: FeeTerms) -> Self {
        let mut coins = funds.coins.clone();
        coins.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let input = terms.rate.fee_of(funds.sizes.input);
        let worth_it =
            coins.partition_point(|(_, value)| input.is_some_and(|cost| cost <= value.fee(terms.fee_max)));
        let left = coins.split_off(worth_it);
        let left_sum = Amount::checked_sum(left.iter().map(|(_, value)| *value));
        let mut sums = vec![Amount::ZERO];
        for (_, value) in &coins {
            // More than any amount holds: such coins are not needed.
            let Some(sum) = sums.last().and_then(|sum: &Amount| sum.checked_add(*value)) else {
                break;
            };
            sums.push(sum);
        }
        coins.truncate(sums.len() - 1);
        Self {
            coins,
            sums,
            sizes: funds.sizes,
            change_min: funds.change_min,
            terms,
            left_out: (left.len() as u64, left_sum.unwrap_or(Amount::MAX)),
        }
    }

    /// What the coins come to.
    pub fn total(&self) -> Amount {
        *self.sums.last().expect("the sums begin with that of no coins")
    }

    /// How many coins cost too much to be spent, and what they come to.
    pub fn left_out(&self) -> (u64, Amount) {
        self.left_out
    }

    /// By which terms it pays.
    pub fn terms(&self) -> FeeTerms {
        self.terms
    }

    fn vbytes(&self, inputs: usize, outputs: Outputs) -> Option<u64> {
        let inputs = inputs as u64;
        let long = |count: u64| if count > COUNT_SHORT_MAX { 2 } else { 0 };
        self.sizes
            .base
            .checked_add(long(inputs) + long(outputs.count.saturating_add(1)))?
            .checked_add(inputs.checked_mul(self.sizes.input)?)?
            .checked_add(outputs.vbytes)?
            .checked_add(self.sizes.change)
    }

    fn fee(&self, inputs: usize, outputs: Outputs) -> Option<Amount> {
        self.terms.rate.fee_of(self.vbytes(inputs, outputs)?)
    }

    /// What must be in the coins for a payment of `total`, if it takes that many.
    fn needs(&self, inputs: usize, total: Amount, outputs: Outputs, payer: FeePayer) -> Option<Amount> {
        match payer {
            FeePayer::Pool => total.checked_add(self.fee(inputs, outputs)?),
            FeePayer::Miners => Some(total),
        }
    }

    /// What a payment of `total` by these outputs costs, at most `fee_max`.
    ///
    /// # Errors
    /// If there are too few coins, it would be too large, or cost too much.
    pub fn price(
        &self,
        total: Amount,
        outputs: Outputs,
        payer: FeePayer,
        fee_max: Amount,
    ) -> Result<Price, ChooseError> {
        use ChooseError::{Overflow, Short, TooDear, TooLarge};
        let needs = |inputs: usize| self.needs(inputs, total, outputs, payer);
        // Each coin is worth more than its input costs, so what covers the payment also does with a coin more.
        let covers = |inputs: usize| needs(inputs).is_some_and(|needs| self.sums[inputs] >= needs);
        let (mut low, mut high) = (1, self.sums.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if covers(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let least = low;
        if least >= self.sums.len() {
            let needs = needs(self.coins.len().max(1)).ok_or(Overflow)?;
            return Err(Short {
                needs,
                has: self.total(),
            });
        }
        let mut refused = None;
        for inputs in (least..self.sums.len()).take(1 + SPARE_COINS_MAX) {
            let at_rate = self.fee(inputs, outputs).ok_or(Overflow)?;
            let needs = needs(inputs).ok_or(Overflow)?;
            let change = self.sums[inputs].checked_sub(needs).ok_or(Overflow)?;
            let is_burnt = change < self.change_min;
            let (fee, change) = if is_burnt {
                (at_rate.checked_add(change).ok_or(Overflow)?, Amount::ZERO)
            } else {
                (at_rate, change)
            };
            let vbytes = self.vbytes(inputs, outputs).ok_or(Overflow)?;
            if vbytes > self.terms.vbytes_max {
                let at_most = self.terms.vbytes_max;
                return Err(refused.unwrap_or(TooLarge { vbytes, at_most }));
            }
            if fee <= fee_max {
                let borne = match payer {
                    FeePayer::Pool => Amount::ZERO,
                    FeePayer::Miners => at_rate,
                };
                return Ok(Price {
                    inputs,
                    fee,
                    borne,
                    change,
                    vbytes,
                });
            }
            refused = Some(refused.unwrap_or(TooDear {
                fee,
                at_most: fee_max,
            }));
            if !is_burnt {
                break;
            }
        }
        Err(refused.unwrap_or(Overflow))
    }

    /// The most that a transaction of these outputs can pay in all, and whether it is its size that sets the limit:
    /// then there are coins left for another one.
    pub fn most(&self, outputs: Outputs, payer: FeePayer) -> (Amount, bool) {
        let fits = |inputs: usize| {
            let vbytes = self.vbytes(inputs, outputs);
            vbytes.is_some_and(|vbytes| vbytes <= self.terms.vbytes_max)
        };
        let (mut low, mut high) = (0, self.coins.len());
        while low < high {
            let middle = usize::midpoint(low, high) + 1;
            if fits(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let by_size = low < self.coins.len();
        let most = match payer {
            FeePayer::Miners => Some(self.sums[low]),
            FeePayer::Pool => self
                .fee(low, outputs)
                .and_then(|fee| self.sums[low].checked_sub(fee)),
        };
        // If the fee is more than all coins, nothing can be paid.
        (most.unwrap_or(Amount::ZERO), by_size)
    }

    /// Chooses the coins of a batch whose fee may be `fee_max`.
    ///
    /// # Errors
    /// As [`Purse::price`].
    pub fn choose(&self, batch: &PayoutBatch, fee_max: Amount) -> Result<Chosen, ChooseError> {
        let price = self.price(batch.total(), Outputs::of(batch), batch.payer(), fee_max)?;
        let coins = self.coins.iter().take(price.inputs);
        Ok(Chosen {
            inputs: coins.map(|(place, _)| *place).collect(),
            fee: price.fee,
            borne: price.borne,
            change: price.change,
        })
    }
}
