//! What the block tracker is told.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Timestamp;

use crate::store::FoundBlock;

/// A share is a block: to the chain with it, beside the commit.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct BlockFound {
    /// Its hash.
    pub hash: HeaderHash,
    /// What is known of it.
    pub block: FoundBlock,
    /// When it was found.
    pub at: Timestamp,
}

/// A hint to look what became of the open blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct LookAtBlocks;
