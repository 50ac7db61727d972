//! What a plan is: by which rules it is made, who is paid, and who waits and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::address::AddressFormat;
use crate::hotkey::Hotkey;
use crate::units::{Amount, BasisPoints};

use super::batch::{FeePayer, Part};
use super::coins::{FeeTerms, Price};

/// Virtual bytes of the largest usual output, to a taproot key or a script's hash: by it the least threshold is set.
const OUTPUT_VBYTES: u64 = 43;

/// A miner with money that is payable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee {
    /// The miner's account.
    pub hotkey: Hotkey,
    /// The miner's payable balance.
    pub payable: Amount,
    /// Where payouts go, if the miner said.
    pub address: Option<String>,
    /// The threshold that the miner chose, if any.
    pub threshold: Option<Amount>,
}

/// By which rules a payout is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRules {
    /// The least balance that is paid, for miners who chose none.
    pub threshold: Amount,
    /// The least threshold that a miner's own may bring about; zero: what pays for its own output.
    pub threshold_min: Amount,
    /// The least output that the network carries.
    pub dust: Amount,
    /// Who pays the network's fee.
    pub payer: FeePayer,
    /// What the network is offered, and the most that it may take of what is paid.
    pub terms: FeeTerms,
    /// Outputs of one transaction, not counting the change.
    pub outputs_max: usize,
    /// Which addresses are right.
    pub addresses: AddressFormat,
    /// Scripts that the wallet refused to pay.
    pub refused: BTreeSet<Vec<u8>>,
    /// Scripts that wait while it is found out which of them the wallet refuses to pay.
    pub suspected: BTreeSet<Vec<u8>>,
}

impl PlanRules {
    /// The least balance that can be paid at all: what is left of it after the highest fee is no dust.
    pub fn floor(&self) -> Amount {
        let dust = u128::from(self.dust.sats());
        let least = match self.payer {
            FeePayer::Pool => dust,
            FeePayer::Miners => {
                let whole = u128::from(BasisPoints::WHOLE);
                let left = (whole - u128::from(self.terms.fee_max.get())).max(1);
                // One sat more for the rounding of the floor, and one for a left-over sat of the split.
                dust * whole / left + 2
            }
        };
        let least = u64::try_from(least).ok().and_then(Amount::from_sats);
        // More than an amount holds, nobody has.
        least.unwrap_or(Amount::MAX)
    }

    /// The least balance that is paid to whoever wants the least: by default one whose own output costs no more of it
    /// than the network may take, so that nobody's small payouts are at the cost of others'.
    pub fn least(&self) -> Amount {
        let of_its_own = if self.threshold_min == Amount::ZERO {
            let cost = u128::from(OUTPUT_VBYTES) * u128::from(self.terms.rate.sats_per_vbyte());
            let share = u128::from(self.terms.fee_max.get()).max(1);
            let least = (cost * u128::from(BasisPoints::WHOLE)).div_ceil(share);
            let least = u64::try_from(least).ok().and_then(Amount::from_sats);
            least.unwrap_or(Amount::MAX)
        } else {
            self.threshold_min
        };
        of_its_own.max(self.floor())
    }

    /// The balance from which a miner is paid.
    pub fn threshold_of(&self, own: Option<Amount>) -> Amount {
        match own {
            Some(own) => own.max(self.least()),
            // The operator's own may be below what it lets miners choose.
            None if self.threshold_min > Amount::ZERO => self.threshold.max(self.floor()),
            None => self.threshold.max(self.least()),
        }
    }
}

/// Why a balance is not in the next payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyHeld {
    /// It is below its threshold.
    BelowThreshold,
    /// The miner named no address.
    NoAddress,
    /// The miner's address is not one of the chain in use.
    AddressInvalid,
    /// The wallet refused to pay the miner's address.
    AddressRefused,
    /// The transaction is full: the next one takes it, or what is left of it.
    NextBatch,
    /// The wallet's coins do not go so far: smaller balances are paid first.
    ShortOfFunds,
    /// Paying it would cost more of it than the network may take.
    FeeTooHigh,
}

impl WhyHeld {
    /// Every reason for which a balance waits.
    pub const ALL: [Self; 7] = [
        Self::BelowThreshold,
        Self::NoAddress,
        Self::AddressInvalid,
        Self::AddressRefused,
        Self::NextBatch,
        Self::ShortOfFunds,
        Self::FeeTooHigh,
    ];

    /// What it means, for the miner.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::BelowThreshold => "the balance has not reached its threshold",
            Self::NoAddress => "no payout address was named: register one",
            Self::AddressInvalid => "the payout address is none that this chain can pay: register another",
            Self::AddressRefused => "the node refuses to pay the payout address: register another",
            Self::NextBatch => "the transaction is full; the next one takes it, or what is left of it",
            Self::ShortOfFunds => {
                "the pool's spendable coins do not stretch that far; smaller balances are paid first"
            }
            Self::FeeTooHigh => "paying it would cost more of it than the pool lets the network take",
        }
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BelowThreshold => "below_threshold",
            Self::NoAddress => "no_address",
            Self::AddressInvalid => "address_invalid",
            Self::AddressRefused => "address_refused",
            Self::NextBatch => "next_batch",
            Self::ShortOfFunds => "short_of_funds",
            Self::FeeTooHigh => "fee_too_high",
        }
    }
}

impl fmt::Display for WhyHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Balances that wait for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many miners wait for this reason.
    pub miners: u64,
    /// Their balances together.
    pub amount: Amount,
}

/// A balance that is due and waits, or what is left of one that is paid in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The reason.
    pub why: WhyHeld,
    /// The balance, or the part of it, that waits.
    pub amount: Amount,
}

/// What is paid next, and what waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The payout's parts, the largest first, equal ones in the order of hotkeys. Empty: nobody is paid.
    pub parts: Vec<Part>,
    /// What the parts come to.
    pub total: Amount,
    /// What paying them costs; `None` if nobody is paid.
    pub price: Option<Price>,
    /// Everything else, by reason.
    pub held: BTreeMap<WhyHeld, Held>,
    /// Who has reached the threshold and still waits, or waits for the rest of a balance that is paid in parts.
    pub waiting: BTreeMap<Hotkey, Waiting>,
}

impl Plan {
    /// Whether there is more to pay than one transaction takes.
    pub fn is_full(&self) -> bool {
        self.held.contains_key(&WhyHeld::NextBatch)
    }

    /// How many balances wait for a reason, and what they come to.
    pub fn held_for(&self, why: WhyHeld) -> Held {
        self.held.get(&why).copied().unwrap_or_default()
    }

    pub(super) fn hold(&mut self, hotkey: Hotkey, why: WhyHeld, amount: Amount) -> Result<(), PlanError> {
        let held = self.held.entry(why).or_default();
        held.miners += 1;
        held.amount = held.amount.checked_add(amount).ok_or(PlanError::Overflow)?;
        if why != WhyHeld::BelowThreshold {
            self.waiting.insert(hotkey, Waiting { why, amount });
        }
        Ok(())
    }
}

/// Why no plan can be made: what the ledger says does not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A miner is listed twice.
    #[error("miner {0} is listed twice")]
    Twice(Hotkey),
    /// The balances sum to more than an amount holds.
    #[error("the payable balances sum to more sats than there are")]
    Overflow,
}
