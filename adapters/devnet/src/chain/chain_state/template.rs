//! Templates: the block to be found, on the tip or on any other block.

use bitcoin::BlockHash;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_domain::work::template::TemplateTransaction;
use dwarves_domain::work::{ChainTemplate, CoinbaseForm};

use super::{DevnetState, position_on, unix_secs};
use crate::chain::consensus::{commitment_script, header_hash};

/// How far ahead of the clock a template lets miners set the time, in seconds: within what the consensus
/// allows, with some minutes to spare for a clock that is set back.
const TEMPLATE_FUTURE_SECS: u32 = 7_000;
/// The version of a template's block: BIP9's prefix, no bits set.
const VERSION: u32 = 0x2000_0000;

/// The clock is so far behind the chain that a block could not be both after the blocks before it and not
/// too far in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock is at {now}, but the next block's time must be {time_min} or later (Unix seconds)")]
pub struct ClockBehind {
    now: u32,
    time_min: u32,
}

impl DevnetState {
    /// The block to be found next.
    ///
    /// # Errors
    /// If the clock is too far behind the chain for any block to be valid.
    pub fn template(&self, now: Timestamp) -> Result<ChainTemplate, ClockBehind> {
        self.template_on(self.tree.tip_hash(), now)
    }

    /// A block to be found on a block that is not the tip: without transactions. `None` if it is unknown.
    pub(in crate::chain) fn side_template(
        &self,
        parent: &HeaderHash,
        now: Timestamp,
    ) -> Option<Result<ChainTemplate, ClockBehind>> {
        let parent = BlockHash::from_byte_array(*parent.as_bytes());
        self.tree.get(&parent).map(|_| self.template_on(parent, now))
    }

    fn template_on(&self, parent: BlockHash, now: Timestamp) -> Result<ChainTemplate, ClockBehind> {
        let (position, rules) = position_on(&self.tree, &self.schedule, parent);
        let now = unix_secs(now);
        let time_min = position.median_time.saturating_add(1);
        let time_max = now.saturating_add(TEMPLATE_FUTURE_SECS);
        if time_min > time_max {
            return Err(ClockBehind { now, time_min });
        }
        let (waiting, fees) = if parent == self.tree.tip_hash() {
            (self.mempool.waiting(), self.mempool.fees())
        } else {
            (&[][..], bitcoin::Amount::ZERO)
        };
        let coinbase_value = Amount::from_sats(fees.to_sat())
            .and_then(|fees| fees.checked_add(rules.subsidy))
            .expect("subsidy and fees together are at most the money that there may be");
        Ok(ChainTemplate {
            height: position.height,
            previous: header_hash(parent),
            version: VERSION,
            version_mask: self.version_mask,
            bits: rules.bits,
            time: time_min.max(now),
            time_min,
            time_max,
            subsidy: rules.subsidy,
            coinbase_value,
            coinbase_form: CoinbaseForm::Bip54,
            witness_commitment: Some(commitment_script(waiting.iter().map(|tx| &tx.tx))),
            transactions: waiting
                .iter()
                .map(|waiting| TemplateTransaction {
                    data: serialize(&waiting.tx),
                    txid: waiting.txid.to_byte_array(),
                })
                .collect(),
            trailer: Vec::new(),
        })
    }
}
