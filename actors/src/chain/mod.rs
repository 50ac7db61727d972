//! The chain as the actors see it: templates, changes of the tip, submitted blocks and what became of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::work::ChainTemplate;

/// An answer of the chain that is still to come.
pub type ChainFuture<T> = Pin<Box<dyn Future<Output = Result<T, ChainError>>>>;

/// A chain shared by those who ask it.
pub type SharedChain = Arc<dyn Chain>;

/// Why the chain gave no answer. Every kind means: keep what you have and try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not reachable, or its answer was no answer.
    #[error("the chain can not be reached: {0}")]
    Unreachable(String),
    /// Reachable, but it has no work now (starting, syncing, stalled).
    #[error("the chain is not ready: {0}")]
    NotReady(String),
}

/// The end of the best chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its block's hash.
    pub hash: HeaderHash,
    /// Its block's height.
    pub height: u32,
}

/// What the chain said to a submitted block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// Taken: it is the new tip.
    Accepted,
    /// Valid, but not on the best chain: a lost race, so far.
    Inconclusive,
    /// The chain has this block already; its status tells what became of it.
    Duplicate,
    /// Not a valid block, with the chain's own word for why (BIP22 result string).
    Refused(String),
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockStatus {
    /// The chain does not know it.
    Unknown,
    /// Known, but not on the best chain.
    SideChain,
    /// On the best chain, with this many confirmations (the tip has 1).
    MainChain {
        /// Blocks from this one to the tip, both included.
        confirmations: u32,
    },
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
}
