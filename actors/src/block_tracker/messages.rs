//! What the block tracker is told and asked.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Timestamp;

use crate::ask::Request;
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

/// How the blocks are, as the tracker knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBlocks;

impl Request for ReadBlocks {
    type Reply = BlocksView;
}

/// How the blocks are. The counts are of this life of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlocksView {
    /// Whether the chain had all blocks when it was last asked; `None` if it gave no answer, or none yet.
    pub is_synced: Option<bool>,
    /// Blocks that are followed.
    pub followed: u64,
    /// Blocks that the chain has not taken yet: they are submitted again until it has.
    pub waiting: u64,
    /// Deep blocks that a synced chain does not know, and that can not be submitted again.
    pub missing: u64,
    /// Submissions that the chain did not answer, or not for good.
    pub submissions_failed: u64,
    /// Blocks that the chain refused for good.
    pub refused: u64,
    /// Blocks that were orphaned after they were mature.
    pub deep_reorgs: u64,
    /// Blocks that the start found on the chain and not in the ledger.
    pub recovered: u64,
    /// Whether the chain still has to be searched for such blocks.
    pub recovery_pending: bool,
}
