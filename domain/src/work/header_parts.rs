//! What the headers of one template have in common.

use dwarves_lanes::{Block, State};

use super::coinbase::Coinbase;
use super::extranonce::FullExtraNonce;
use super::header::{Header, HeaderFields};
use super::merkle;
use crate::ids::HeaderHash;
use crate::target::CompactTarget;

/// All that a header of a template is made of, but its extranonce. About a kilobyte.
#[derive(Debug, PartialEq, Eq)]
pub struct HeaderParts {
    pub(super) version: u32,
    pub(super) previous: HeaderHash,
    pub(super) time: u32,
    pub(super) bits: CompactTarget,
    pub(super) coinbase: Coinbase,
    pub(super) branch: Vec<merkle::Node>,
}

impl HeaderParts {
    /// The header with this extranonce, with nonce 0.
    pub fn header(&self, extranonce: FullExtraNonce) -> Header {
        self.header_of(merkle::root_from_branch(
            self.coinbase.txid(extranonce),
            &self.branch,
        ))
    }

    /// The header with this merkle root (in hash byte order), with nonce 0.
    pub fn header_of(&self, merkle_root: merkle::Node) -> Header {
        Header::new(&HeaderFields {
            version: self.version,
            previous: self.previous,
            merkle_root,
            time: self.time,
            bits: self.bits,
            nonce: 0,
        })
    }

    /// The merkle branch of the coinbase.
    pub fn branch(&self) -> &[merkle::Node] {
        &self.branch
    }

    /// The state of SHA-256 before the blocks of [`HeaderParts::append_tail`].
    pub fn midstate(&self) -> &State {
        self.coinbase.midstate()
    }

    /// Appends what is left to hash of the coinbase with this extranonce, padding included: as many blocks for each.
    pub fn append_tail(&self, extranonce: FullExtraNonce, blocks: &mut Vec<Block>) {
        self.coinbase.append_tail(extranonce, blocks);
    }
}
