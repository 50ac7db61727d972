//! A block to be found: what the chain proposes, made ready for many jobs.

use std::fmt;
use std::str::FromStr;

use std::sync::Arc;

use super::coinbase::{Coinbase, CoinbaseError, CoinbaseForm, CoinbaseSpec};
use super::extranonce::FullExtraNonce;
use super::header::Header;
use super::header_parts::HeaderParts;
use super::merkle;
use crate::ids::{HeaderHash, TemplateId};
use crate::target::{CompactTarget, Target, TargetError};
use crate::time::Timestamp;
use crate::units::Amount;

/// A proof-of-work algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256 twice, as Bitcoin.
    #[default]
    Sha256d,
    /// scrypt (1024, 1, 1), as Litecoin.
    Scrypt,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 2] = [Self::Sha256d, Self::Scrypt];

    /// The name used in settings and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256d => "sha256d",
            Self::Scrypt => "scrypt",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text names no algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected sha256d or scrypt")]
pub struct ParseAlgorithmError;

impl FromStr for Algorithm {
    type Err = ParseAlgorithmError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text);
        found.ok_or(ParseAlgorithmError)
    }
}

/// A transaction that the chain wants in the block, after the coinbase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateTransaction {
    /// The serialized transaction, exactly as the chain gave it.
    pub data: Vec<u8>,
    /// Its id in hash byte order, as the chain gave it (never re-computed: some chains have other rules).
    pub txid: [u8; 32],
}

/// A block as the chain proposes it (BIP22's template, in the pool's own types).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainTemplate {
    /// Height of the block to be found.
    pub height: u32,
    /// The tip on which it builds.
    pub previous: HeaderHash,
    /// The block version that the node asks for.
    pub version: u32,
    /// Version bits that miners may roll (BIP320, BIP323): none that the chain votes with, and none that is set in
    /// `version`, so that bits that are put in and bits that are flipped give the same header.
    pub version_mask: u32,
    /// The network's target in compact form.
    pub bits: CompactTarget,
    /// The chain's time at which this was made, in Unix seconds.
    pub time: u32,
    /// The earliest header time that the chain takes.
    pub time_min: u32,
    /// The latest header time that the chain takes.
    pub time_max: u32,
    /// What the chain newly mints for this block.
    pub subsidy: Amount,
    /// What the coinbase may pay: subsidy and fees.
    pub coinbase_value: Amount,
    /// How the coinbase's lock time and sequence are set.
    pub coinbase_form: CoinbaseForm,
    /// The script of the witness commitment output.
    pub witness_commitment: Option<Vec<u8>>,
    /// The transactions after the coinbase, in order.
    pub transactions: Vec<TemplateTransaction>,
    /// Bytes that follow the transactions in a serialized block (Litecoin's MWEB), exactly as to be sent.
    pub trailer: Vec<u8>,
}

impl ChainTemplate {
    /// The coinbase of every job of it, without its extranonce.
    ///
    /// # Errors
    /// As [`Coinbase::new`].
    pub fn coinbase(&self, payout_script: &[u8], tag: &str) -> Result<Coinbase, CoinbaseError> {
        Coinbase::new(&CoinbaseSpec {
            height: self.height,
            form: self.coinbase_form,
            tag,
            payout_script,
            value: self.coinbase_value,
            witness_commitment: self.witness_commitment.as_deref(),
        })
    }
}

/// A template with its id, its coinbase and its merkle branch: all that is common to its jobs.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    id: TemplateId,
    received_at: Timestamp,
    chain: ChainTemplate,
    payout_script: Box<[u8]>,
    tag: Box<str>,
    network_target: Target,
    parts: Arc<HeaderParts>,
}

/// Why no work can be made of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The network's target is none.
    #[error("the template's bits are not a target: {0}")]
    Bits(#[from] TargetError),
    /// The coinbase cannot be built.
    #[error(transparent)]
    Coinbase(#[from] CoinbaseError),
}

impl Template {
    /// Makes `chain`'s proposal ready for jobs that pay `payout_script` and carry `tag`.
    ///
    /// # Errors
    /// If the network's target is invalid or the tag too long.
    pub fn new(
        id: TemplateId,
        received_at: Timestamp,
        chain: ChainTemplate,
        payout_script: &[u8],
        tag: &str,
    ) -> Result<Self, TemplateError> {
        let network_target = Target::from_compact(chain.bits)?;
        let coinbase = chain.coinbase(payout_script, tag)?;
        let txids: Vec<_> = chain.transactions.iter().map(|tx| tx.txid).collect();
        Ok(Self {
            id,
            received_at,
            payout_script: payout_script.into(),
            tag: tag.into(),
            network_target,
            parts: Arc::new(HeaderParts {
                version: chain.version,
                previous: chain.previous,
                time: chain.time,
                bits: chain.bits,
                coinbase,
                branch: merkle::branch_of_first(&txids),
            }),
            chain,
        })
    }

    /// The pool's number for this template.
    pub fn id(&self) -> TemplateId {
        self.id
    }

    /// When the pool got it.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// The script that its coinbase pays.
    pub fn payout_script(&self) -> &[u8] {
        &self.payout_script
    }

    /// The tag in its coinbase.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// What the chain proposed.
    pub fn chain(&self) -> &ChainTemplate {
        &self.chain
    }

    /// The target that a block must meet.
    pub fn network_target(&self) -> Target {
        self.network_target
    }

    /// The coinbase, without its extranonce.
    pub fn coinbase(&self) -> &Coinbase {
        &self.parts.coinbase
    }

    /// The merkle branch of the coinbase.
    pub fn branch(&self) -> &[merkle::Node] {
        &self.parts.branch
    }

    /// What its headers have in common.
    pub fn header_parts(&self) -> &Arc<HeaderParts> {
        &self.parts
    }

    /// The header with this extranonce, with nonce 0.
    pub fn header(&self, extranonce: impl Into<FullExtraNonce>) -> Header {
        self.parts.header(extranonce.into())
    }

    /// The whole block as the chain takes it, for a header that was found with this extranonce.
    pub fn block(&self, header: &Header, extranonce: impl Into<FullExtraNonce>) -> Vec<u8> {
        let mut bytes = header.as_bytes().to_vec();
        let count = bitcoin::VarInt::from(1 + self.chain.transactions.len());
        bytes.extend_from_slice(&bitcoin::consensus::encode::serialize(&count));
        bytes.extend_from_slice(&self.coinbase().transaction(extranonce));
        for transaction in &self.chain.transactions {
            bytes.extend_from_slice(&transaction.data);
        }
        bytes.extend_from_slice(&self.chain.trailer);
        bytes
    }
}

impl Template {
    /// The same without its transactions.
    pub fn bare(&self) -> BareTemplate {
        BareTemplate {
            id: self.id,
            height: self.chain.height,
            coinbase_value: self.chain.coinbase_value,
            network_target: self.network_target,
            parts: Arc::clone(&self.parts),
        }
    }
}

/// A template without its transactions: every header of it can be built, but no block. About a kilobyte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BareTemplate {
    id: TemplateId,
    height: u32,
    coinbase_value: Amount,
    network_target: Target,
    parts: Arc<HeaderParts>,
}

impl BareTemplate {
    /// The pool's number for this template.
    pub fn id(&self) -> TemplateId {
        self.id
    }

    /// The height of its blocks.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The tip on which its blocks build.
    pub fn previous(&self) -> HeaderHash {
        self.parts.previous
    }

    /// The version that its jobs have.
    pub fn version(&self) -> u32 {
        self.parts.version
    }

    /// The time that its jobs over HTTP have.
    pub fn time(&self) -> u32 {
        self.parts.time
    }

    /// What its coinbase pays.
    pub fn coinbase_value(&self) -> Amount {
        self.coinbase_value
    }

    /// The target that a block must meet.
    pub fn network_target(&self) -> Target {
        self.network_target
    }

    /// What its headers have in common.
    pub fn header_parts(&self) -> &Arc<HeaderParts> {
        &self.parts
    }

    /// The header with this extranonce, with nonce 0.
    pub fn header(&self, extranonce: impl Into<FullExtraNonce>) -> Header {
        self.parts.header(extranonce.into())
    }
}

#[cfg(test)]
mod tests;
