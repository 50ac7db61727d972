//! `[payouts]`: who is paid when, and who pays the network.

use dwarves_domain::payouts::{FeePayer, FeeRate};
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints};
use dwarves_domain::work::Algorithm;
use serde::Deserialize;

use crate::config::readers::{self, Secs, Whole};

/// `[payouts]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PayoutsConfig {
    /// Least balance that is paid out.
    #[serde(rename = "threshold_sats")]
    pub threshold: Amount,
    /// Least threshold that a miner may choose; zero: what pays for its own output within `fee_max`.
    #[serde(rename = "threshold_min_sats")]
    pub threshold_min: Amount,
    /// Confirmations after which a payout counts as paid.
    #[serde(with = "Whole::<1, 10_000>")]
    pub confirmations: u32,
    /// Time between two payouts.
    #[serde(rename = "interval_secs", with = "Secs::<1, 2_592_000>")]
    pub interval: Span,
    /// Who pays the network's fee.
    pub fee_payer: FeePayer,
    /// What the network is offered.
    #[serde(rename = "fee_rate_sats_per_vbyte")]
    pub fee_rate: FeeRate,
    /// The most that the network may take of what is paid.
    #[serde(rename = "fee_max_bps", deserialize_with = "readers::fee_max")]
    pub fee_max: BasisPoints,
    /// Outputs of one transaction, not counting the change.
    #[serde(with = "Whole::<1, 2_000>")]
    pub outputs_max: usize,
    /// Virtual bytes of one transaction.
    #[serde(with = "Whole::<1_000, 100_000>")]
    pub vbytes_max: u64,
    /// Least output that the network carries, as configured; zero stands for [`PayoutsConfig::dust_on`]'s choice.
    #[serde(rename = "dust_sats")]
    pub dust: Amount,
    /// Whether payouts are held from each start until an admin releases them.
    pub start_held: bool,
}

impl PayoutsConfig {
    /// The least output that the network carries: by default what nodes of the algorithm's great chain relay,
    /// 546 sats on Bitcoin and 5,460 on Litecoin.
    pub fn dust_on(&self, algorithm: Algorithm) -> Amount {
        if self.dust > Amount::ZERO {
            return self.dust;
        }
        let sats = match algorithm {
            Algorithm::Sha256d => 546,
            Algorithm::Scrypt => 5_460,
        };
        Amount::from_sats(sats).expect("a few thousand sats are an amount")
    }
}

impl Default for PayoutsConfig {
    fn default() -> Self {
        Self {
            threshold: Amount::from_sats(100_000).expect("a thousandth of a coin is an amount"),
            threshold_min: Amount::ZERO,
            confirmations: 6,
            interval: Span::from_secs(600),
            fee_payer: FeePayer::Pool,
            fee_rate: FeeRate::new(10).expect("ten sats are a rate"),
            fee_max: BasisPoints::new(500).expect("five percent are a part of the whole"),
            outputs_max: 2_000,
            vbytes_max: 99_000,
            dust: Amount::ZERO,
            start_held: false,
        }
    }
}
