//! The embedded chain: a real little Bitcoin chain in the process, so that a pool runs with nothing installed.
//!
//! Blocks, headers, transactions, merkle trees and witness commitments are Bitcoin's own, hashed with
//! SHA-256d. A block that is submitted is judged as a node judges it, in the same order and the same words.
//! The difficulty is fixed until it is changed on command, every block mints the same, and there are no
//! peers. Addresses are those of regtest.
//!
//! | module | its one job |
//! |---|---|
//! | `params` | settings, and which rules hold from which height on |
//! | `consensus` | what makes a block valid, the coins apart |
//! | `coins` | the coins that can be spent, and what blocks do to them |
//! | `tree` | all blocks, and the best chain among them |
//! | `mempool` | transactions that wait for a block |
//! | `chain_state` | [`DevnetState`]: all of this as one pure state |
//! | `file` | what happened, on disk |
//! | `engine` | the state with its file and clock |
//! | `search` | the devnet's own mining |
//! | `commands` | what tests and operators can do to the chain |
//!
//! Checked: proof of work, bits, version, median time and the two-hour rule, merkle root, height in the
//! coinbase (BIP34), witness commitment (BIP141), absolute lock times (BIP113), size and weight, the form of
//! transactions, that inputs exist, are mature and pay for the outputs, and what the coinbase may claim.
//!
//! **Not checked**: scripts and signatures, so whoever can hand in a transaction can spend any coin;
//! signature operations; relative lock times (BIP68); the time-warp rule (BIP94). Nor are there halvings or a
//! retarget of its own. The coins are worth nothing, and nothing here guards them.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::work::ChainTemplate;
use dwarves_ports::chain::{
    BlockStatus, Chain, ChainError, ChainFuture, MinedCoinbase, SubmitOutcome, SyncState, Tip,
};
use dwarves_ports::clock::SharedClock;
use tokio::sync::{mpsc, oneshot, watch};

mod chain_state;
mod coins;
mod commands;
mod consensus;
mod engine;
mod error;
mod file;
mod genesis;
mod mempool;
mod params;
mod search;
mod tree;

pub use chain_state::{ChangeError, ClockBehind, DevnetState, TransactionStatus};
pub use coins::Coin;
pub use consensus::Refusal;
pub use error::CommandError;
pub use file::OpenError;
pub use params::{ADDRESS_FORMAT, DevnetParams, ParamsError};

use engine::{Engine, View};

/// How many calls may wait for the chain. One more is answered [`ChainError::Unreachable`] at once.
const CALLS_MAX: usize = 256;

/// Something to do with the engine, where it lives.
enum Call {
    /// Run this on the devnet's thread.
    Run(Box<dyn FnOnce(&mut Engine) + Send>),
    /// Let go of the file and end; then answer.
    Close(oneshot::Sender<()>),
}

/// The way to the engine.
#[derive(Clone)]
enum Calls {
    /// To a thread of its own, which may wait for the disk.
    Thread(SyncSender<Call>),
    /// To a task on the thread that made it.
    Task(mpsc::Sender<Call>),
}

/// The embedded chain. Clones are handles of the same chain, which ends with the last of them.
#[derive(Clone)]
pub struct Devnet {
    calls: Calls,
    view: watch::Receiver<View>,
}

impl Devnet {
    /// Opens the chain in `dir`, or begins one there, on a thread of its own.
    ///
    /// The blocks are read again and judged again. Settings other than those of the last time hold from the
    /// next height on. This waits for the disk; the handle's calls do not.
    ///
    /// # Errors
    /// If the settings make no chain, the directory is in use, or its file cannot be used.
    pub fn open(dir: &Path, params: &DevnetParams, clock: SharedClock) -> Result<Self, OpenError> {
        let mut engine = Engine::open(dir, params, clock)?;
        let (sender, calls) = sync_channel(CALLS_MAX);
        let view = engine.watch();
        let work = move || {
            for call in calls {
                match call {
                    Call::Run(run) => run(&mut engine),
                    Call::Close(done) => {
                        drop(engine);
                        let _nobody_waits = done.send(());
                        return;
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name("devnet".to_owned())
            .spawn(work)
            .map_err(OpenError::Thread)?;
        Ok(Self {
            calls: Calls::Thread(sender),
            view,
        })
    }

    /// A new chain in memory, for simulations: it lives as a task on this thread, starts no thread, waits for
    /// nothing and takes the time from `clock` alone, so it runs under paused time.
    ///
    /// # Errors
    /// If the settings make no chain.
    ///
    /// # Panics
    /// Outside of a local task set (an actix system is one), which the task needs.
    pub fn in_memory(params: &DevnetParams, clock: SharedClock) -> Result<Self, ParamsError> {
        let mut engine = Engine::in_memory(params, clock)?;
        let (sender, mut calls) = mpsc::channel(CALLS_MAX);
        let view = engine.watch();
        tokio::task::spawn_local(async move {
            while let Some(call) = calls.recv().await {
                match call {
                    Call::Run(run) => run(&mut engine),
                    Call::Close(done) => {
                        drop(engine);
                        let _nobody_waits = done.send(());
                        return;
                    }
                }
            }
        });
        Ok(Self {
            calls: Calls::Task(sender),
            view,
        })
    }

    /// Ends the chain for all handles and waits until its file is closed. Later calls answer
    /// [`ChainError::Unreachable`].
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.send(Call::Close(done)).is_ok() {
            // An error means that it was closed by another call before.
            let _closed = closed.await;
        }
    }

    fn send(&self, call: Call) -> Result<(), ChainError> {
        let full = || ChainError::Unreachable("the devnet is busy".to_owned());
        match &self.calls {
            Calls::Thread(calls) => calls.try_send(call).map_err(|error| match error {
                TrySendError::Full(_) => full(),
                TrySendError::Disconnected(_) => closed(),
            }),
            Calls::Task(calls) => calls.try_send(call).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => full(),
                mpsc::error::TrySendError::Closed(_) => closed(),
            }),
        }
    }

    /// Runs `work` where the engine lives.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, ChainError> {
        let (reply, answer) = oneshot::channel();
        self.send(Call::Run(Box::new(move |engine| {
            let _nobody_waits = reply.send(work(engine));
        })))?;
        answer.await.map_err(|_| closed())
    }

    /// As [`Devnet::run`], as the chain's trait wants it.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Engine) -> Result<T, ChainError> + Send + 'static,
    ) -> ChainFuture<T> {
        let this = self.clone();
        Box::pin(async move { this.run(work).await? })
    }
}

impl Chain for Devnet {
    fn template(&self) -> ChainFuture<ChainTemplate> {
        self.ask(|engine| engine.template())
    }

    fn tip_after(&self, known: Option<HeaderHash>) -> ChainFuture<Tip> {
        // Only the receiver goes along: whoever waits for the next tip does not keep the chain alive.
        let mut view = self.view.clone();
        Box::pin(async move {
            if view.has_changed().is_err() {
                return Err(closed());
            }
            let wanted = |view: &View| view.stalled || Some(view.tip.hash) != known;
            let view = *view.wait_for(wanted).await.map_err(|_| closed())?;
            if view.stalled {
                return Err(engine::stalled());
            }
            Ok(view.tip)
        })
    }

    fn submit(&self, block: Vec<u8>) -> ChainFuture<SubmitOutcome> {
        self.ask(move |engine| engine.submit(block))
    }

    fn status(&self, hash: HeaderHash) -> ChainFuture<BlockStatus> {
        self.ask(move |engine| engine.status(hash))
    }

    fn sync_state(&self) -> ChainFuture<SyncState> {
        self.ask(|engine| engine.sync_state())
    }

    fn hash_at(&self, height: u32) -> ChainFuture<Option<HeaderHash>> {
        self.ask(move |engine| engine.hash_at(height))
    }

    fn coinbase_at(&self, height: u32) -> ChainFuture<Option<MinedCoinbase>> {
        self.ask(move |engine| engine.coinbase_at(height))
    }
}

impl fmt::Debug for Devnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Devnet").finish_non_exhaustive()
    }
}

fn closed() -> ChainError {
    ChainError::Unreachable("the devnet is closed".to_owned())
}

#[cfg(test)]
mod tests;
