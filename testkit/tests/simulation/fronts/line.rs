//! The way from a front to the ledger. What was sent goes on by itself, whatever becomes of the front meanwhile: it may
//! arrive late, and so may its answer; and the way may be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{
    SharedStore, Store as _, StoreError, StoreErrorKind, StoreFuture, StoredState, Write, Written,
};
use dwarves_testkit::Prng;
use dwarves_testkit::fenced_store::FencedStore;
use dwarves_testkit::passage::Passage;
use tokio::sync::{mpsc, oneshot};

use crate::notes::Notes;

/// How long commits, answers and questions take at most while nothing is wrong, in milliseconds.
const THERE: u64 = 30;
const BACK: u64 = 15;
const READ: u64 = 10;
/// After how long a front gives a connection up that it cannot make.
const NO_WAY: Duration = Duration::from_secs(1);
/// How often it is tried to learn what became of a commit whose answer is lost, and how long between.
const TRIES: u32 = 240;
const PAUSE: Duration = Duration::from_millis(250);

/// The line of one front. Clones are the same.
#[derive(Clone)]
pub(super) struct Line {
    post: mpsc::Sender<Parcel>,
    pub(super) is_cut: Arc<AtomicBool>,
    /// How many milliseconds longer commits take on their way there, and answers on their way back.
    late: Arc<AtomicU64>,
    answers_late: Arc<AtomicU64>,
    seed: Arc<AtomicU64>,
}

/// A commit on its way.
pub(super) struct Parcel {
    line: Line,
    store: FencedStore,
    writes: Vec<Write>,
    there: Duration,
    back: Duration,
    answer: oneshot::Sender<Result<Vec<Written>, StoreError>>,
}

impl Line {
    pub(super) fn new(post: mpsc::Sender<Parcel>, seed: u64) -> Self {
        Self {
            post,
            is_cut: Arc::default(),
            late: Arc::default(),
            answers_late: Arc::default(),
            seed: Arc::new(AtomicU64::new(seed)),
        }
    }

    /// Cuts it, or mends it.
    pub(super) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }

    /// From now on everything takes so much longer.
    pub(super) fn slow_down(&self, late: u64, answers_late: u64) {
        self.late.store(late, Ordering::SeqCst);
        self.answers_late.store(answers_late, Ordering::SeqCst);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }

    fn takes(&self, most: u64, late: u64) -> Duration {
        let mut prng = Prng::new(self.seed.fetch_add(1, Ordering::SeqCst));
        let millis = if prng.chance(50) { 0 } else { prng.below(most) };
        Duration::from_millis(millis + late)
    }
}

fn no_way() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "there is no connection to the ledger",
    )
}

/// The ledger, as a front reaches it.
pub(super) struct Reached {
    pub(super) line: Line,
    pub(super) store: FencedStore,
}

impl Passage for Reached {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        let store = self.store.clone();
        self.read(move |_| store.start(now))
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        let line = self.line.clone();
        let (answer, answered) = oneshot::channel();
        let parcel = Parcel {
            there: line.takes(THERE, line.late.load(Ordering::SeqCst)),
            back: line.takes(BACK, line.answers_late.load(Ordering::SeqCst)),
            store: self.store.clone(),
            writes,
            answer,
            line: line.clone(),
        };
        let posted = line.post.try_send(parcel).is_ok();
        assert!(posted, "a front has one commit under way at a time");
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(no_way())) })
    }

    fn read<T: 'static>(&self, ask: impl FnOnce(SharedStore) -> StoreFuture<T> + 'static) -> StoreFuture<T> {
        let (line, store) = (self.line.clone(), self.store.clone());
        let takes = line.takes(READ, 0);
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            if line.is_cut() {
                return Err(no_way());
            }
            store.0.read(ask).await
        })
    }
}

/// Carries all commits of all fronts. It must not be a front that runs this: they may stand still.
pub(super) async fn carry_all(mut parcels: mpsc::Receiver<Parcel>, notes: Notes) {
    while let Some(parcel) = parcels.recv().await {
        actix::spawn(parcel.carry(notes.clone()));
    }
}

impl Parcel {
    async fn carry(self, notes: Notes) {
        tokio::time::sleep(self.there).await;
        if self.line.is_cut() {
            tokio::time::sleep(NO_WAY).await;
            return self.arrive(&notes, Err(no_way()));
        }
        let (is_late, may_be_stored) = (!self.store.is_last(), self.store.must_lead().is_ok());
        let outcome = self.store.commit(self.writes.clone()).await;
        if is_late {
            assert!(outcome.is_err() || may_be_stored, "a late commit is stored");
            let word = if outcome.is_ok() {
                "late and stored"
            } else {
                "too late"
            };
            notes.event(format!("a commit of lead {} is {word}", self.store.epoch()));
        }
        tokio::time::sleep(self.back).await;
        let outcome = match self.line.is_cut() {
            true => self.look_up(&notes, outcome).await,
            false => outcome,
        };
        self.arrive(&notes, outcome);
    }

    /// The answer is lost: the front asks until it knows, as the writer on a database does.
    async fn look_up(
        &self,
        notes: &Notes,
        outcome: Result<Vec<Written>, StoreError>,
    ) -> Result<Vec<Written>, StoreError> {
        let epoch = self.store.epoch();
        notes.event(format!("an answer to lead {epoch} is lost"));
        for _ in 0..TRIES {
            tokio::time::sleep(PAUSE).await;
            if !self.line.is_cut() {
                let found = self.store.must_lead();
                let word = if found.is_ok() {
                    "found out"
                } else {
                    "another leads"
                };
                notes.event(format!("what became of a commit of lead {epoch}: {word}"));
                return found.and(outcome);
            }
        }
        Err(StoreError::new(
            StoreErrorKind::Unknown,
            "it could not be looked up whether a commit is stored",
        ))
    }

    fn arrive(self, notes: &Notes, outcome: Result<Vec<Written>, StoreError>) {
        if outcome.is_ok() && !self.store.is_last() {
            let epoch = self.store.epoch();
            notes.event(format!("an answer to lead {epoch} comes after it was lost"));
        }
        // Whoever asked may be gone.
        let _gone = self.answer.send(outcome);
    }
}
