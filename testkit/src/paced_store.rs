//! A store that takes its time: commits wait for a gate that the test opens, or for a while.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::time::Timestamp;
use tokio::sync::{Semaphore, watch};

use dwarves_ports::store::{SharedStore, StoreFuture, StoredState, Write, Written};

use super::passage::{Passage, StoreBehind};

/// A wait that is still to come.
pub type Pause = Pin<Box<dyn Future<Output = ()>>>;

/// Says how long a store takes.
pub trait Pace: Send + Sync + 'static {
    /// The wait before a commit is applied.
    fn before_commit(&self) -> Pause;

    /// The wait between its being applied and the answer.
    fn after_commit(&self) -> Pause {
        Box::pin(std::future::ready(()))
    }

    /// The wait before a question is answered.
    fn before_read(&self) -> Pause {
        Box::pin(std::future::ready(()))
    }
}

/// Lets commits through one by one as the test says. It is closed at first.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets this many more commits through.
    pub fn open_for(&self, commits: usize) {
        self.0.add_permits(commits);
    }

    /// Lets all commits through from now on.
    pub fn open(&self) {
        self.0.close();
    }
}

impl Pace for Gate {
    fn before_commit(&self) -> Pause {
        let semaphore = Arc::clone(&self.0);
        Box::pin(async move {
            // A closed semaphore means that the gate stands open.
            if let Ok(permit) = semaphore.acquire().await {
                permit.forget();
            }
        })
    }
}

/// A store that takes its time, and that remembers what it was asked to commit. Clones are the same store.
pub type PacedStore = StoreBehind<Paced>;

/// What lies before a store that takes its time.
#[derive(Clone)]
pub struct Paced {
    inner: SharedStore,
    pace: Arc<dyn Pace>,
    begun: watch::Sender<Vec<Vec<Write>>>,
    side_by_side: usize,
}

impl PacedStore {
    /// A store in front of `inner` that takes as long as `pace` says.
    pub fn new(inner: SharedStore, pace: Arc<dyn Pace>) -> Self {
        Self(Paced {
            inner,
            pace,
            begun: watch::Sender::new(Vec::new()),
            side_by_side: 1,
        })
    }

    /// The same, which says that it takes so many commits of shares side by side.
    #[must_use]
    pub fn taking(mut self, side_by_side: usize) -> Self {
        self.0.side_by_side = side_by_side;
        self
    }

    /// What each commit so far consisted of, also those that failed or wait.
    pub fn commits(&self) -> Vec<Vec<Write>> {
        self.0.begun.borrow().clone()
    }
}

impl Passage for Paced {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.inner.start(now)
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.begun.send_modify(|begun| begun.push(writes.clone()));
        let (inner, before, after) = (
            self.inner.clone(),
            self.pace.before_commit(),
            self.pace.after_commit(),
        );
        Box::pin(async move {
            before.await;
            let written = inner.commit(writes).await;
            after.await;
            written
        })
    }

    fn commits_side_by_side(&self) -> usize {
        self.side_by_side
    }

    fn read<T: 'static>(&self, ask: impl FnOnce(SharedStore) -> StoreFuture<T> + 'static) -> StoreFuture<T> {
        let inner = self.inner.clone();
        let pause = self.pace.before_read();
        Box::pin(async move {
            pause.await;
            ask(inner).await
        })
    }
}
