//! How payouts are made, and the rules of planning that follow from it.

use std::collections::BTreeSet;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::payouts::{Depths, FeePayer, FeeRate, FeeTerms, PlanRules};
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints};

/// How payouts are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymasterSettings {
    /// The least balance that is paid, for miners who chose none.
    pub threshold: Amount,
    /// The least threshold that a miner may choose; zero: what pays for its own output.
    pub threshold_min: Amount,
    /// The least output that the network carries.
    pub dust: Amount,
    /// Who pays the network's fee.
    pub payer: FeePayer,
    /// What the network is offered.
    pub fee_rate: FeeRate,
    /// The most that the network may take of what is paid.
    pub fee_max: BasisPoints,
    /// Outputs of one transaction, not counting the change.
    pub outputs_max: usize,
    /// The most virtual bytes of one transaction.
    pub vbytes_max: u64,
    /// How deep payouts must be to count as paid, and to be looked at no longer.
    pub depths: Depths,
    /// The time between two payouts.
    pub interval: Span,
    /// The time between two looks at the open payouts.
    pub look_every: Span,
    /// How long a payout may wait for its first block before that is an alarm.
    pub stuck_after: Span,
    /// Which addresses are right.
    pub addresses: AddressFormat,
}

impl PaymasterSettings {
    /// The time after which a payout without a block is an alarm, unless something else is wanted.
    pub const STUCK_AFTER: Span = Span::from_secs(24 * 3_600);

    /// What the network is offered, and how much it may take and carry.
    pub fn terms(&self) -> FeeTerms {
        FeeTerms {
            rate: self.fee_rate,
            fee_max: self.fee_max,
            vbytes_max: self.vbytes_max,
        }
    }

    /// By which rules payouts are planned.
    pub fn rules(&self) -> PlanRules {
        PlanRules {
            threshold: self.threshold,
            threshold_min: self.threshold_min,
            dust: self.dust,
            payer: self.payer,
            terms: self.terms(),
            outputs_max: self.outputs_max,
            addresses: self.addresses,
            refused: BTreeSet::new(),
            suspected: BTreeSet::new(),
        }
    }
}
