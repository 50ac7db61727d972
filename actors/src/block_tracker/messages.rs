//! What the block tracker is told and asked.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, TemplateId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_domain::work::{FullExtraNonce, Header};

use crate::ask::Request;
use dwarves_ports::store::FoundBlock;

/// A share is a block: to the chain with it, beside the commit.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub struct BlockFound {
    /// The hash of the block's header.
    pub hash: HeaderHash,
    /// What is known of it.
    pub block: FoundBlock,
    /// When it was found.
    pub at: Timestamp,
}

/// A header that meets the network's target, whatever becomes of its share: to be stored and submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeCandidate {
    /// The header's hash.
    pub hash: HeaderHash,
    /// The 80 bytes that met the network's target.
    pub header: Header,
    /// What is in its coinbase.
    pub extranonce: FullExtraNonce,
    /// The template that it was made of.
    pub template: TemplateId,
    /// The whole block, if whoever found it has the template's transactions; else they are read from the store.
    pub bytes: Option<Vec<u8>>,
    /// The height that the block would have.
    pub height: u32,
    /// What its coinbase pays the pool.
    pub reward: Amount,
    /// Whose work it is; `None`: that of somebody else than who brought it.
    pub finder: Option<Hotkey>,
    /// Its time or version is none that the pool gives credit for: that a chain refuses it is no wonder.
    pub is_doubtful: bool,
    /// When it was submitted.
    pub at: Timestamp,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateReply {
    /// It is in the ledger, and goes to the chain if it did not before.
    Taken,
    /// As many of its height are kept as may: it is left out.
    Crowded,
    /// The transactions of its template are gone: no block can be made of it.
    Lost,
}

impl Request for TakeCandidate {
    type Reply = CandidateReply;
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
    /// What is out of the ordinary with found blocks, each with its name; it hinders no miner.
    pub troubles: Vec<String>,
    /// Candidates that were left out, because enough of their height were kept.
    pub left_out: u64,
    /// Blocks that were settled as orphaned because another one of the pool has their height.
    pub settled: u64,
    /// Whether the chain had all blocks when it was last asked; `None` if it gave no answer, or none yet.
    pub is_synced: Option<bool>,
    /// Blocks that are followed.
    pub followed: u64,
    /// Blocks that the chain has not taken yet: they are submitted again until it has.
    pub waiting: u64,
    /// Deep blocks that a synced chain does not know, and that cannot be submitted again.
    pub missing: u64,
    /// Submissions that the chain did not answer, or not for good.
    pub submissions_failed: u64,
    /// Blocks that the chain refused for good.
    pub refused: u64,
    /// Candidates that the chain refused, and whose time or version the pool had given no credit for either.
    pub doubtful_refused: u64,
    /// Blocks that were orphaned after they were mature.
    pub deep_reorgs: u64,
    /// Blocks that the start found on the chain and not in the ledger.
    pub recovered: u64,
    /// Whether the chain still has to be searched for such blocks.
    pub recovery_pending: bool,
}
