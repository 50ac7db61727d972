//! `getblocktemplate`'s answer, in the pool's own types.

use dwarves_domain::target::CompactTarget;
use dwarves_domain::units::Amount;
use dwarves_domain::work::template::TemplateTransaction;
use dwarves_domain::work::{ChainTemplate, CoinbaseForm, VersionRolling};
use dwarves_ports::chain::Tip;

use super::network::SlowBlocks;
use super::times::Times;
use super::wire::TemplateJson;

/// What stands before an extension block in a serialized block: it is there.
const EXTENSION_BLOCK_PRESENT: u8 = 1;

/// What blocks must be like beside their contents. The pool's own block is tested again when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    names: Vec<String>,
    has_witness_commitment: bool,
    has_extension_block: bool,
}

impl std::fmt::Display for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.names.join(" "))?;
        if self.has_extension_block {
            f.write_str(", with an extension block")?;
        }
        Ok(())
    }
}

/// A template with what belongs to the asking rather than to the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) template: ChainTemplate,
    pub(super) rules: Rules,
    /// With which the next long poll is asked; `None`: the node has none.
    pub(super) longpollid: Option<String>,
    /// Whether the node judges blocks without proof of work (BIP23).
    pub(super) can_be_tested: bool,
}

/// Why a template cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProposalError {
    #[error("the template's coinbasevalue is more money than there can be")]
    Value,
    #[error("the template's height is 0")]
    Height,
    #[error("the template's fees are more than its coinbasevalue")]
    Fees,
}

impl Proposal {
    /// Reads a template at `now` by the pool's clock (Unix seconds); miners may roll the bits of `rolling`.
    pub(super) fn read(json: TemplateJson, rolling: VersionRolling, now: u32) -> Result<Self, ProposalError> {
        if json.height == 0 {
            return Err(ProposalError::Height);
        }
        let coinbase_value = Amount::from_sats(json.coinbase_value).ok_or(ProposalError::Value)?;
        let fees: i128 = json
            .transactions
            .iter()
            .filter_map(|tx| tx.fee)
            .map(i128::from)
            .sum();
        // What an extension block pays goes through the last transaction, whose fee the node names as well.
        let subsidy = u64::try_from(i128::from(json.coinbase_value) - fees)
            .ok()
            .and_then(Amount::from_sats)
            .ok_or(ProposalError::Fees)?;
        let rules = Rules {
            names: json.rules,
            has_witness_commitment: json.witness_commitment.is_some(),
            has_extension_block: json.mweb.is_some(),
        };
        let trailer = json.mweb.map_or_else(Vec::new, |extension_block| {
            [vec![EXTENSION_BLOCK_PRESENT], extension_block].concat()
        });
        let times = Times::of_template(json.time, json.time_min, now);
        let template = ChainTemplate {
            height: json.height,
            previous: json.previous,
            version: json.version,
            version_mask: rolling.mask_for(json.version, json.vbavailable.values().copied()),
            bits: CompactTarget::from_bits(json.bits),
            time: times.time,
            time_min: times.min,
            time_max: times.max,
            subsidy,
            coinbase_value,
            coinbase_form: CoinbaseForm::Bip54,
            witness_commitment: json.witness_commitment,
            transactions: json
                .transactions
                .into_iter()
                .map(|tx| TemplateTransaction {
                    data: tx.data,
                    txid: *tx.txid.as_bytes(),
                })
                .collect(),
            trailer,
        };
        Ok(Self {
            template,
            rules,
            longpollid: json.longpollid,
            can_be_tested: json.capabilities.iter().any(|name| name == "proposal"),
        })
    }

    /// Keeps the header's times to what the test network's rule allows on a block of this time.
    pub(super) fn keep_to(&mut self, rule: &SlowBlocks, previous_time: u32) {
        let template = &mut self.template;
        let times = Times {
            time: template.time,
            min: template.time_min,
            max: template.time_max,
        };
        let times = times.on(rule, template.height, template.bits.bits(), previous_time);
        (template.time, template.time_min, template.time_max) = (times.time, times.min, times.max);
    }

    /// The tip on which the proposed block builds.
    pub(super) fn tip(&self) -> Tip {
        Tip {
            hash: self.template.previous,
            height: self.template.height - 1,
        }
    }
}

#[cfg(test)]
mod tests;
