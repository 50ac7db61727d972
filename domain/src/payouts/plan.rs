//! Who is due: whose balance has reached its threshold, and who waits and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::address::{AddressFormat, PayoutAddress};
use crate::hotkey::Hotkey;
use crate::units::{Amount, BasisPoints};

use super::batch::{FeePayer, Part};

/// A miner with money that is payable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub hotkey: Hotkey,
    /// What is payable.
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
    /// The least threshold that a miner's own may bring about.
    pub threshold_min: Amount,
    /// The least output that the network carries.
    pub dust: Amount,
    /// Who pays the network's fee.
    pub payer: FeePayer,
    /// The most that the network's fee may be of what is paid.
    pub fee_max: BasisPoints,
    /// Outputs of one transaction, not counting the change.
    pub outputs_max: usize,
    /// Which addresses are right.
    pub addresses: AddressFormat,
    /// Scripts that the wallet refused to pay.
    pub refused: BTreeSet<Vec<u8>>,
}

impl PlanRules {
    /// The least balance that can be paid at all: what is left of it after the highest fee is no dust.
    pub fn floor(&self) -> Amount {
        let dust = u128::from(self.dust.sats());
        let least = match self.payer {
            FeePayer::Pool => dust,
            FeePayer::Miners => {
                let whole = u128::from(BasisPoints::WHOLE);
                let left = whole.saturating_sub(self.fee_max.get().into()).max(1);
                // One sat more for the rounding of the floor, and one for a left-over sat of the split.
                dust * whole / left + 2
            }
        };
        let least = u64::try_from(least).ok().and_then(Amount::from_sats);
        least.unwrap_or(Amount::MAX)
    }

    /// The balance from which a miner is paid.
    pub fn threshold_of(&self, own: Option<Amount>) -> Amount {
        let wanted = own.map_or(self.threshold, |own| own.max(self.threshold_min));
        wanted.max(self.floor())
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
    /// The transaction is full: the next one takes it.
    NextBatch,
}

impl WhyHeld {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BelowThreshold => "below_threshold",
            Self::NoAddress => "no_address",
            Self::AddressInvalid => "address_invalid",
            Self::AddressRefused => "address_refused",
            Self::NextBatch => "next_batch",
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
    /// How many miners.
    pub miners: u64,
    /// Their balances together.
    pub amount: Amount,
}

/// What is paid next, and what waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The payout's parts, the largest balances first, equal ones in the order of hotkeys. Empty: nobody is due.
    pub parts: Vec<Part>,
    /// What the parts come to.
    pub total: Amount,
    /// Everything else, by reason.
    pub held: BTreeMap<WhyHeld, Held>,
}

impl Plan {
    /// Whether there is more to pay than one transaction takes.
    pub fn is_full(&self) -> bool {
        self.held.contains_key(&WhyHeld::NextBatch)
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

/// Plans the next payout: every miner whose balance has reached its threshold, as many as one transaction takes.
///
/// # Errors
/// If the candidates are not what a ledger holds.
pub fn plan(mut candidates: Vec<Candidate>, rules: &PlanRules) -> Result<Plan, PlanError> {
    candidates.sort_by(|a, b| b.payable.cmp(&a.payable).then(a.hotkey.cmp(&b.hotkey)));
    let mut plan = Plan::default();
    let mut miners = BTreeSet::new();
    let mut scripts: BTreeSet<Vec<u8>> = BTreeSet::new();
    for candidate in candidates {
        if !miners.insert(candidate.hotkey) {
            return Err(PlanError::Twice(candidate.hotkey));
        }
        if candidate.payable == Amount::ZERO {
            continue;
        }
        match judge(&candidate, rules, &mut scripts) {
            Ok(address) => {
                let total = plan.total.checked_add(candidate.payable);
                plan.total = total.ok_or(PlanError::Overflow)?;
                plan.parts.push(Part {
                    hotkey: candidate.hotkey,
                    address,
                    amount: candidate.payable,
                    fee: Amount::ZERO,
                    borne: Amount::ZERO,
                });
            }
            Err(why) => {
                let held = plan.held.entry(why).or_default();
                held.miners += 1;
                let sum = held.amount.checked_add(candidate.payable);
                held.amount = sum.ok_or(PlanError::Overflow)?;
            }
        }
    }
    Ok(plan)
}

/// The address that a candidate is paid to, or why it is not.
fn judge(
    candidate: &Candidate,
    rules: &PlanRules,
    scripts: &mut BTreeSet<Vec<u8>>,
) -> Result<String, WhyHeld> {
    if candidate.payable < rules.threshold_of(candidate.threshold) {
        return Err(WhyHeld::BelowThreshold);
    }
    let text = candidate.address.as_ref().ok_or(WhyHeld::NoAddress)?;
    // A full transaction takes nobody any more, not even to an address that it pays already: so no more
    // addresses are read than one transaction has, however many miners are due.
    if scripts.len() >= rules.outputs_max {
        return Err(WhyHeld::NextBatch);
    }
    let address = PayoutAddress::parse(text, rules.addresses).map_err(|_| WhyHeld::AddressInvalid)?;
    let script = address.script();
    if rules.refused.contains(&script) {
        return Err(WhyHeld::AddressRefused);
    }
    scripts.insert(script);
    Ok(address.to_string())
}
