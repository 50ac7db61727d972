//! The chain as the actors see it: templates, changes of the tip, submitted blocks and what became of them.
//!
//! | module | its one job |
//! |---|---|
//! | [`submitting`] | what a chain says to a submitted block, in BIP22's words |
//! | [`standing`] | which chain its nodes are on, as far as it is known |

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::ChainTemplate;

pub mod standing;
pub mod submitting;

pub use dwarves_domain::blocks::BlockStatus;
pub use standing::{BranchTip, NodeStanding, Peers, Standing, Surroundings, TIPS_MAX, TipStatus};
pub use submitting::SubmitOutcome;

/// An answer of the chain that is still to come.
pub type ChainFuture<T> = Pin<Box<dyn Future<Output = Result<T, ChainError>>>>;

/// A chain shared by those who ask it.
pub type SharedChain = Arc<dyn Chain>;

/// Why the chain gave no answer. Every kind means: keep what you have and try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not reachable, or its answer was no answer.
    #[error("the chain cannot be reached: {0}")]
    Unreachable(String),
    /// Reachable, but it has no work now (starting, syncing, stalled).
    #[error("the chain is not ready: {0}")]
    NotReady(String),
    /// It would not take a block of the pool, or is another chain than the pool's: no work may be given out until
    /// this is mended, since no block could be found with it.
    #[error("the chain would not take the pool's blocks: {0}")]
    Unsound(String),
    /// It is on another chain than the one that the pool is to mine on: work on it counts for nothing, also what miners
    /// have already.
    #[error("the chain is not the one to mine on: {0}")]
    WrongChain(String),
}

/// The end of the best chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its block's hash.
    pub hash: HeaderHash,
    /// Its block's height.
    pub height: u32,
}

/// How far the chain has come. What it says of blocks counts only while it is synced: before that it may know
/// neither a block nor the chain that the block is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncState {
    /// The end of its best chain, as far as it has it.
    pub tip: Tip,
    /// Whether that is all there is: it is not in its initial download, and it has the block of every header
    /// that it knows.
    pub is_synced: bool,
}

/// The coinbase of a block of the best chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinedCoinbase {
    /// The block's hash.
    pub block: HeaderHash,
    /// The time in the block's header, in Unix seconds.
    pub time: u32,
    /// The serialized coinbase transaction, with or without its witness.
    pub transaction: Vec<u8>,
}

/// A proof-of-work chain. Implementations answer from any thread and may fail at any time.
pub trait Chain: Send + Sync + 'static {
    /// A block to be found on the present tip.
    fn template(&self) -> ChainFuture<ChainTemplate>;

    /// Waits until the best tip is another than `known`, and says which.
    fn tip_after(&self, known: Option<HeaderHash>) -> ChainFuture<Tip>;

    /// Submits a serialized block. Submitting it again is safe.
    fn submit(&self, block: Vec<u8>) -> ChainFuture<SubmitOutcome>;

    /// What became of a block.
    fn status(&self, hash: HeaderHash) -> ChainFuture<BlockStatus>;

    /// How far the chain has come.
    fn sync_state(&self) -> ChainFuture<SyncState>;

    /// Which chain its nodes are on, as far as it is known. Cheap: what was last found out.
    fn standing(&self) -> Standing {
        Standing::trusted()
    }

    /// The coinbase of the best chain's block at this height; `None` above its tip.
    fn coinbase_at(&self, height: u32) -> ChainFuture<Option<MinedCoinbase>>;

    /// The hash of the best chain's block at this height; `None` above its tip.
    fn hash_at(&self, height: u32) -> ChainFuture<Option<HeaderHash>>;

    /// The time in the header of the best chain's tip, by which a machine's clock can be judged; `None` if the chain
    /// has no time of its own. A chain that is not synced cannot tell, which is an error.
    fn best_header_time(&self) -> ChainFuture<Option<Timestamp>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
