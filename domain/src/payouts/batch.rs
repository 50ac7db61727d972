//! What a payout's transaction pays: one output an address, and the network's fee, exact to the last sat.
//!
//! If the miners pay the fee it is split over them by what each is paid, by the largest remainder, so nobody's
//! part of the fee is a greater share of the payment than anybody else's.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::address::{AddressFormat, PayoutAddress};
use crate::hotkey::Hotkey;
use crate::rewards::{Weights, split};
use crate::units::Amount;

/// Who bears what the network takes for a payout's transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FeePayer {
    /// The pool's reserve: miners get all that they are owed.
    #[default]
    Pool,
    /// The miners, each by its part of the payout.
    Miners,
}

impl FeePayer {
    /// Either of them.
    pub const ALL: [Self; 2] = [Self::Pool, Self::Miners];

    /// The name in configuration, HTTP and storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Miners => "miners",
        }
    }
}

impl fmt::Display for FeePayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of a [`FeePayer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected \"pool\" or \"miners\"")]
pub struct ParseFeePayerError;

impl FromStr for FeePayer {
    type Err = ParseFeePayerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|payer| payer.name() == text);
        found.ok_or(ParseFeePayerError)
    }
}

/// What the network is offered, in sats for each virtual byte of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeeRate(u32);

impl FeeRate {
    /// The highest rate that is believed: far above it, a rate is a slip of the keyboard.
    pub const MAX: u32 = 10_000;
    /// The lowest rate.
    pub const LEAST: Self = Self(1);

    /// This many sats a virtual byte, 1 to [`FeeRate::MAX`].
    pub const fn new(sats_per_vbyte: u32) -> Option<Self> {
        if sats_per_vbyte == 0 || sats_per_vbyte > Self::MAX {
            None
        } else {
            Some(Self(sats_per_vbyte))
        }
    }

    /// Sats for each virtual byte.
    pub const fn sats_per_vbyte(self) -> u32 {
        self.0
    }

    /// The fee of a transaction of this size; `None` if it is beyond every amount.
    pub fn fee_of(self, vbytes: u64) -> Option<Amount> {
        vbytes.checked_mul(u64::from(self.0)).and_then(Amount::from_sats)
    }
}

/// One miner's part of a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The miner who is paid.
    pub hotkey: Hotkey,
    /// The address that is paid.
    pub address: String,
    /// What is taken from the miner's balance.
    pub amount: Amount,
    /// The network's fee in it: zero until the transaction is signed, and if the pool pays.
    pub fee: Amount,
    /// What the pool's reserve bore of it: above zero only after a returned payout was confirmed after all.
    pub borne: Amount,
}

impl Part {
    /// What the miner receives.
    ///
    /// # Panics
    /// If the fee were more than the amount, which [`PayoutBatch::parts_after`] refuses.
    pub fn net(&self) -> Amount {
        let net = self.amount.checked_sub(self.fee);
        net.expect("a part's fee is at most the part")
    }
}

/// An output of a payout's transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The address that is paid.
    pub address: String,
    /// The output script of that address.
    pub script: Vec<u8>,
    /// What it gets.
    pub amount: Amount,
}

/// Why a payout cannot be made into a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayoutBatchError {
    /// An address is not one of the chain in use.
    #[error("address {address} of {hotkey} is {why}")]
    Address {
        /// The miner whose address it is.
        hotkey: Hotkey,
        /// The address that is not one of this chain.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The fee is more than the miners are paid.
    #[error("a network fee of {fee} sats is more than the {total} sats that are to be paid")]
    Fee {
        /// What the transaction would cost.
        fee: Amount,
        /// What is to be paid.
        total: Amount,
    },
    /// The parts sum to more than an amount holds.
    #[error("the parts sum to more sats than there are")]
    Overflow,
}

/// A payout as its transaction is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutBatch {
    parts: Vec<Part>,
    /// For each part, the output that it goes to.
    output_of: Vec<usize>,
    /// Address and script of each output, in the order of first use.
    outputs: Vec<(String, Vec<u8>)>,
    payer: FeePayer,
    total: Amount,
}

impl PayoutBatch {
    /// The batch of `parts`, with the parts of each address merged.
    ///
    /// # Errors
    /// If an address is not one of `addresses`, or the sum does not fit.
    pub fn new(
        parts: Vec<Part>,
        payer: FeePayer,
        addresses: AddressFormat,
    ) -> Result<Self, PayoutBatchError> {
        let mut outputs: Vec<(String, Vec<u8>)> = Vec::new();
        let mut by_script: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut output_of = Vec::with_capacity(parts.len());
        for part in &parts {
            let address = PayoutAddress::parse(&part.address, addresses);
            let address = address.map_err(|error| PayoutBatchError::Address {
                hotkey: part.hotkey,
                address: part.address.clone(),
                why: error.to_string(),
            })?;
            // Merged by script and not by text: one address can be written in upper or lower case.
            let script = address.script();
            let output = *by_script.entry(script.clone()).or_insert_with(|| {
                outputs.push((address.to_string(), script));
                outputs.len() - 1
            });
            output_of.push(output);
        }
        let total = Amount::checked_sum(parts.iter().map(|part| part.amount));
        Ok(Self {
            output_of,
            outputs,
            payer,
            total: total.ok_or(PayoutBatchError::Overflow)?,
            parts,
        })
    }

    /// Each miner's part.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Who pays the network's fee.
    pub fn payer(&self) -> FeePayer {
        self.payer
    }

    /// What is taken from all miners' balances together.
    pub fn total(&self) -> Amount {
        self.total
    }

    /// The parts once it is known what of the network's fee the miners bear; nothing, if the pool pays.
    ///
    /// # Errors
    /// If that is more than what they are to be paid.
    pub fn parts_after(&self, fee: Amount) -> Result<Vec<Part>, PayoutBatchError> {
        let mut parts = self.parts.clone();
        for part in &mut parts {
            part.fee = Amount::ZERO;
        }
        if self.payer == FeePayer::Pool || fee == Amount::ZERO {
            return Ok(parts);
        }
        if fee > self.total {
            return Err(PayoutBatchError::Fee {
                fee,
                total: self.total,
            });
        }
        let weights = parts.iter().map(|part| (part.hotkey, part.amount.sats().into()));
        let weights = Weights::sum(weights).map_err(|_| PayoutBatchError::Overflow)?;
        let of_miners: BTreeMap<Hotkey, Amount> = split(fee, &weights)
            .into_iter()
            .map(|credit| (credit.hotkey, credit.amount))
            .collect();
        for part in &mut parts {
            // The split names nobody who bears nothing of it.
            part.fee = of_miners.get(&part.hotkey).copied().unwrap_or(Amount::ZERO);
        }
        Ok(parts)
    }

    /// The outputs before any fee is taken.
    pub fn outputs(&self) -> Vec<Output> {
        self.merge(&self.parts, |part| part.amount)
    }

    /// The outputs once it is known what of the network's fee the miners bear.
    ///
    /// # Errors
    /// As [`PayoutBatch::parts_after`].
    pub fn outputs_after(&self, fee: Amount) -> Result<Vec<Output>, PayoutBatchError> {
        Ok(self.merge(&self.parts_after(fee)?, Part::net))
    }

    fn merge(&self, parts: &[Part], amount_of: impl Fn(&Part) -> Amount) -> Vec<Output> {
        let mut outputs: Vec<Output> = self
            .outputs
            .iter()
            .map(|(address, script)| Output {
                address: address.clone(),
                script: script.clone(),
                amount: Amount::ZERO,
            })
            .collect();
        for (part, &output) in parts.iter().zip(&self.output_of) {
            let sum = outputs[output].amount.checked_add(amount_of(part));
            outputs[output].amount = sum.expect("parts sum to at most the total, which fits");
        }
        outputs
    }
}
