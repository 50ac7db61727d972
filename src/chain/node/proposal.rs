//! `getblocktemplate`'s answer, in the pool's own types.

use dwarves_actors::chain::Tip;
use dwarves_domain::target::CompactTarget;
use dwarves_domain::units::Amount;
use dwarves_domain::work::ChainTemplate;
use dwarves_domain::work::template::TemplateTransaction;

use super::wire::TemplateJson;

/// The version bits that miners may roll (BIP320).
const ROLLABLE: u32 = 0x1fff_e000;
/// How a version begins whose other bits are votes (BIP9).
const VOTING_PREFIX: u32 = 0b001;
/// How far ahead of the node's clock miners may set the time, in seconds: within the two hours that the
/// network allows, with some minutes to spare for a clock that is set back.
const FUTURE_SECS: u32 = 7_000;
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

/// Why a template can not be used.
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
    pub(super) fn read(json: TemplateJson) -> Result<Self, ProposalError> {
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
        let template = ChainTemplate {
            height: json.height,
            previous: json.previous,
            version: json.version,
            version_mask: version_mask(json.version, json.vbavailable.values().copied()),
            bits: CompactTarget::from_bits(json.bits),
            time: json.time.max(json.time_min),
            time_min: json.time_min,
            time_max: json.time.max(json.time_min).saturating_add(FUTURE_SECS),
            subsidy,
            coinbase_value,
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

    /// The tip on which the proposed block builds.
    pub(super) fn tip(&self) -> Tip {
        Tip {
            hash: self.template.previous,
            height: self.template.height - 1,
        }
    }
}

/// The bits that miners may roll: BIP320's, without those with which the network votes.
fn version_mask(version: u32, votes: impl Iterator<Item = u8>) -> u32 {
    if version >> 29 != VOTING_PREFIX {
        return 0;
    }
    votes.fold(ROLLABLE, |mask, bit| {
        mask & !1_u32.checked_shl(u32::from(bit)).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests;
