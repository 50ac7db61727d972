//! The operator's own nodes: bitcoind, litecoind and their kin, over JSON-RPC.
//!
//! All nodes are followed at once; work comes from the first in order that has some and is not behind, found
//! blocks go to every one. A new tip is told by a long poll and, should that fail, by looking every second.
//! Nothing that a node does or fails to do ends the process: the pool keeps the work that it has, the trouble
//! is told to whoever asks and logged once for each change, and every node is tried again with growing waits.
//!
//! | module | its one job |
//! |---|---|
//! | `network` | which network a node is on, and what follows from it: rules, addresses, algorithm |
//! | `wire` | the JSON of the calls in use |
//! | `proposal` | `getblocktemplate`'s answer, in the pool's own types |
//! | `times` | which times a header may have |
//! | `one_node` | the calls to one node, and what was last heard of it |
//! | `settings` | what all of it is made with |
//! | `finding` | what was found out of a node's chain |
//! | `follow` | following one node's tip |
//! | `choose` | which node is asked |
//! | `guard` | which chain each node is on |
//! | `around` | its peers, and the branches that it knows |
//! | `work` | a template for the work manager, tested by the node before any miner gets it |
//! | `submit` | a found block, to all nodes |
//! | `engine` | the thread on which all of this lives |
//! | [`inspect`] | a look at one node for the start and for `dwarves check` |
//!
//! A block goes out exactly as its template came in: transactions as bytes, ids as the node gave them, the
//! extension block (Litecoin's MWEB) of that same template behind them.

use std::fmt;
use std::sync::Arc;

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::ChainTemplate;
use dwarves_ports::chain::{
    BlockStatus, Chain, ChainError, ChainFuture, MinedCoinbase, Standing, SubmitOutcome, SyncState, Tip,
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

mod around;
mod choose;
mod engine;
mod finding;
mod follow;
mod guard;
pub mod inspect;
mod network;
mod one_node;
mod proposal;
mod settings;
mod submit;
mod times;
mod wire;
mod work;

pub use finding::GuardSettings;
pub use network::{Coin, Network};
pub use settings::{NodeSettings, Reading};

use engine::{Engine, Task, View};

/// How many calls may be under way, those about blocks that wait for their turn included. One more is answered
/// [`ChainError::Unreachable`] at once.
const CALLS_MAX: usize = 1_024;

/// The chain of the operator's nodes. Clones are handles of the same thread, which ends with the last of them.
#[derive(Clone)]
pub struct NodeChain {
    tasks: mpsc::Sender<Task>,
    view: watch::Receiver<View>,
    standing: watch::Receiver<Standing>,
    calls: Arc<Semaphore>,
}

impl NodeChain {
    /// Begins to follow the nodes, on a thread of its own. No node needs to be there yet.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(settings: NodeSettings) -> std::io::Result<Self> {
        let (tasks, view, standing) = engine::start(settings, CALLS_MAX)?;
        Ok(Self {
            tasks,
            view,
            standing,
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
        })
    }

    /// Runs `work` where the nodes are followed.
    fn ask<T, F>(&self, work: impl FnOnce(std::rc::Rc<Engine>) -> F + Send + 'static) -> ChainFuture<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ChainError>> + 'static,
    {
        let this = self.clone();
        Box::pin(async move {
            let busy = || ChainError::Unreachable("too many questions wait for the nodes".to_owned());
            let permit = Arc::clone(&this.calls).try_acquire_owned().map_err(|_| busy())?;
            let (reply, answer) = oneshot::channel();
            let task: Task = Box::new(move |engine| {
                Box::pin(async move {
                    let _nobody_waits = reply.send(work(engine).await);
                    drop(permit);
                })
            });
            this.tasks.try_send(task).map_err(|_| busy())?;
            answer.await.map_err(|_| closed())?
        })
    }
}

impl Chain for NodeChain {
    fn template(&self) -> ChainFuture<ChainTemplate> {
        self.ask(|engine| async move { engine.template().await })
    }

    fn tip_after(&self, known: Option<HeaderHash>) -> ChainFuture<Tip> {
        let mut view = self.view.clone();
        Box::pin(async move {
            let wanted = |view: &View| match view {
                View::Starting => false,
                View::Trouble(_) => true,
                View::Tip(tip) => Some(tip.hash) != known,
                View::Over(..) => true,
            };
            let view = view.wait_for(wanted).await.map_err(|_| closed())?.clone();
            match view {
                View::Tip(tip) => Ok(tip),
                View::Over(tip, _) if Some(tip.hash) != known => Ok(tip),
                View::Over(_, error) => Err(error),
                View::Trouble(error) => Err(error),
                View::Starting => unreachable!("nobody waits for the nodes to be starting"),
            }
        })
    }

    fn submit(&self, block: Vec<u8>) -> ChainFuture<SubmitOutcome> {
        self.ask(|engine| async move { engine.submit(&block).await })
    }

    fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    fn status(&self, hash: HeaderHash) -> ChainFuture<BlockStatus> {
        self.ask(move |engine| async move { engine.status(hash).await })
    }

    fn sync_state(&self) -> ChainFuture<SyncState> {
        self.ask(|engine| async move { engine.sync_state().await })
    }

    fn hash_at(&self, height: u32) -> ChainFuture<Option<HeaderHash>> {
        self.ask(move |engine| async move { engine.hash_at(height).await })
    }

    fn coinbase_at(&self, height: u32) -> ChainFuture<Option<MinedCoinbase>> {
        self.ask(move |engine| async move { engine.coinbase_at(height).await })
    }

    fn best_header_time(&self) -> ChainFuture<Option<Timestamp>> {
        self.ask(|engine| async move { engine.best_header_time().await })
    }
}

impl fmt::Debug for NodeChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeChain").finish_non_exhaustive()
    }
}

fn closed() -> ChainError {
    ChainError::Unreachable("the nodes' thread has ended".to_owned())
}

#[cfg(test)]
mod tests;
