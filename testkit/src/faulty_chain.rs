//! A chain that answers as badly as it is told: errors before and after, answers that never come although the
//! block was taken, answers given twice, and answers of before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::work::ChainTemplate;
use tokio::sync::watch;

use super::crash::CrashPoint;
use dwarves_ports::chain::{
    BlockStatus, Chain, ChainError, ChainFuture, MinedCoinbase, SharedChain, Standing, SubmitOutcome,
    SyncState, Tip,
};

/// How one call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// It does not reach the chain.
    LostBefore,
    /// It reaches the chain, and the answer is lost.
    LostAfter,
    /// It reaches the chain, and no answer ever comes.
    NeverAnswered,
    /// It reaches the chain twice, and the second answer is told.
    Twice,
    /// The answer is that of the last such question, if there was one.
    Stale,
}

impl ChainFault {
    /// Every fault that a chain can be told to have.
    pub const ALL: [Self; 5] = [
        Self::LostBefore,
        Self::LostAfter,
        Self::NeverAnswered,
        Self::Twice,
        Self::Stale,
    ];
}

/// What was answered last, for stale answers.
#[derive(Debug, Default)]
struct Told {
    statuses: BTreeMap<HeaderHash, BlockStatus>,
    sync_state: Option<SyncState>,
}

/// A chain of which one call fails. Calls of `submit`, `status`, `sync_state` and `coinbase_at` are counted
/// together, from 1 and over all clones; templates and tips always arrive.
#[derive(Clone)]
pub struct FaultyChain {
    inner: SharedChain,
    fault: Option<(u64, ChainFault)>,
    calls: Arc<AtomicU64>,
    told: watch::Sender<Told>,
    crash: CrashPoint,
}

impl FaultyChain {
    /// A chain whose call number `fault.0` fails as `fault.1`. Before and after each call is a step of `crash`.
    pub fn new(inner: SharedChain, fault: Option<(u64, ChainFault)>, crash: CrashPoint) -> Self {
        Self {
            inner,
            fault,
            calls: Arc::default(),
            told: watch::Sender::new(Told::default()),
            crash,
        }
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Makes a call, or fails it.
    fn call<T: 'static>(
        &self,
        ask: impl Fn(&SharedChain) -> ChainFuture<T> + 'static,
        stale: Option<T>,
    ) -> ChainFuture<T> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = self.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        let (inner, crash) = (self.inner.clone(), self.crash.clone());
        Box::pin(async move {
            crash.step().await;
            let lost = || ChainError::Unreachable("the answer got lost by plan".to_owned());
            let answer = match fault {
                None => ask(&inner).await,
                Some(ChainFault::LostBefore) => Err(lost()),
                Some(ChainFault::LostAfter) => ask(&inner).await.and(Err(lost())),
                Some(ChainFault::NeverAnswered) => {
                    let _nobody_learns_of_it = ask(&inner).await;
                    std::future::pending().await
                }
                Some(ChainFault::Twice) => {
                    let _first = ask(&inner).await;
                    ask(&inner).await
                }
                Some(ChainFault::Stale) => match stale {
                    Some(old) => Ok(old),
                    None => ask(&inner).await,
                },
            };
            crash.step().await;
            answer
        })
    }
}

impl Chain for FaultyChain {
    fn template(&self) -> ChainFuture<ChainTemplate> {
        self.inner.template()
    }

    fn tip_after(&self, known: Option<HeaderHash>) -> ChainFuture<Tip> {
        self.inner.tip_after(known)
    }

    fn submit(&self, block: Vec<u8>) -> ChainFuture<SubmitOutcome> {
        self.call(move |chain| chain.submit(block.clone()), None)
    }

    fn status(&self, hash: HeaderHash) -> ChainFuture<BlockStatus> {
        let stale = self.told.borrow().statuses.get(&hash).copied();
        let status = self.call(move |chain| chain.status(hash), stale);
        let told = self.told.clone();
        Box::pin(async move {
            let status = status.await?;
            told.send_modify(|told| {
                told.statuses.insert(hash, status);
            });
            Ok(status)
        })
    }

    fn sync_state(&self) -> ChainFuture<SyncState> {
        let stale = self.told.borrow().sync_state;
        let state = self.call(|chain| chain.sync_state(), stale);
        let told = self.told.clone();
        Box::pin(async move {
            let state = state.await?;
            told.send_modify(|told| told.sync_state = Some(state));
            Ok(state)
        })
    }

    fn standing(&self) -> Standing {
        self.inner.standing()
    }

    fn hash_at(&self, height: u32) -> ChainFuture<Option<HeaderHash>> {
        self.inner.hash_at(height)
    }

    fn best_header_time(&self) -> ChainFuture<Option<dwarves_domain::time::Timestamp>> {
        self.inner.best_header_time()
    }

    fn coinbase_at(&self, height: u32) -> ChainFuture<Option<MinedCoinbase>> {
        self.call(move |chain| chain.coinbase_at(height), None)
    }
}
