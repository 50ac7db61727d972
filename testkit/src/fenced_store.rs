//! A store that several write, one after another: whoever takes the lead is the only one that writes from then on.
//!
//! It is to a store in memory what the number of the lead (epoch) in every transaction is to a database: a commit, or a
//! start, of somebody who led before fails, whenever it was sent and by whomever, and changes nothing. Reading is free.
//!
//! One with the gate open lets everybody through. It is there to show that a test would see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{
    SharedStore, StoreError, StoreErrorKind, StoreFuture, StoredState, Write, Written,
};

use super::passage::{Passage, StoreBehind};

/// The lead over a store. Clones are the same lead.
#[derive(Clone)]
pub struct Fence {
    inner: SharedStore,
    epoch: Arc<AtomicU64>,
    /// Nobody is turned away.
    is_open: bool,
}

impl Fence {
    /// Before `inner`, which nobody leads yet.
    pub fn before(inner: SharedStore) -> Self {
        Self {
            inner,
            epoch: Arc::default(),
            is_open: false,
        }
    }

    /// One that keeps nobody out: who was taken over goes on writing as if nothing were.
    #[must_use]
    pub fn left_open(self) -> Self {
        Self {
            is_open: true,
            ..self
        }
    }

    /// How often the lead was taken.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Takes the lead. Who had it before writes nothing any more.
    pub fn take(&self) -> FencedStore {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        StoreBehind(Fenced {
            fence: self.clone(),
            epoch,
        })
    }
}

/// The store as one sees it who took the lead once. Clones are of the same epoch.
pub type FencedStore = StoreBehind<Fenced>;

/// What lies before a store that others may take over.
#[derive(Clone)]
pub struct Fenced {
    fence: Fence,
    epoch: u64,
}

impl FencedStore {
    /// The number of its lead.
    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// Whether nobody has taken the lead since.
    pub fn is_last(&self) -> bool {
        self.0.fence.epoch() == self.0.epoch
    }

    /// Whether it is kept out, because another one has taken the lead.
    ///
    /// # Errors
    /// If so: what every write of this one comes to.
    pub fn must_lead(&self) -> Result<(), StoreError> {
        if self.is_last() || self.0.fence.is_open {
            return Ok(());
        }
        Err(StoreError::new(
            StoreErrorKind::Conflict,
            "another front has taken the lead: this one writes nothing any more",
        ))
    }
}

impl Passage for Fenced {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        let this = StoreBehind(self.clone());
        Box::pin(async move {
            this.must_lead()?;
            this.0.fence.inner.start(now).await
        })
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        let this = StoreBehind(self.clone());
        // It counts who leads when it arrives, not when it was sent: nothing comes between this look and the commit.
        Box::pin(async move {
            this.must_lead()?;
            this.0.fence.inner.commit(writes).await
        })
    }

    fn read<T: 'static>(&self, ask: impl FnOnce(SharedStore) -> StoreFuture<T> + 'static) -> StoreFuture<T> {
        ask(self.fence.inner.clone())
    }
}

#[cfg(test)]
mod tests {
    use dwarves_ports::store::{Store as _, StoreAction};
    use dwarves_store_sqlite::InlineStore;

    use super::*;
    use crate::faulty_store::{Fault, FaultPlan, FaultyStore};

    fn setting(value: &str) -> Vec<Write> {
        vec![Write::SaveSetting {
            key: "value".to_owned(),
            value: Some(value.to_owned()),
        }]
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(future)
    }

    fn stored(store: &FencedStore) -> Option<String> {
        now(store.settings()).unwrap().get("value").cloned()
    }

    fn is_turned_away<T>(outcome: Result<T, StoreError>) -> bool {
        let Err(error) = outcome else { return false };
        assert_eq!(error.action(), StoreAction::Stop);
        error.kind() == StoreErrorKind::Conflict
    }

    #[test]
    fn whoever_was_taken_over_writes_nothing_and_begins_no_life() {
        let fence = Fence::before(Arc::new(InlineStore::fresh()));
        let first = fence.take();
        let life = now(first.start(Timestamp::EPOCH)).unwrap().life;
        now(first.commit(setting("first"))).unwrap();
        let second = fence.take();
        assert_eq!((first.epoch(), second.epoch(), fence.epoch()), (1, 2, 2));
        assert!(is_turned_away(now(first.commit(setting("late")))));
        assert!(is_turned_away(now(first.clone().start(Timestamp::EPOCH))));
        assert!(is_turned_away(first.must_lead()) && !first.is_last());
        assert_eq!(stored(&first).as_deref(), Some("first"), "it reads what there is");
        let next = now(second.start(Timestamp::EPOCH)).unwrap().life;
        assert_eq!(next, life + 1, "a life that did not begin is not counted");
        now(second.commit(setting("second"))).unwrap();
        assert_eq!(stored(&first).as_deref(), Some("second"));
        second.must_lead().unwrap();
    }

    #[test]
    fn a_commit_that_was_sent_before_counts_by_when_it_arrives() {
        let fence = Fence::before(Arc::new(InlineStore::fresh()));
        let first = fence.take();
        let sent = first.commit(setting("in time"));
        now(sent).unwrap();
        let sent = first.commit(setting("late"));
        let second = fence.take();
        assert!(is_turned_away(now(sent)));
        assert_eq!(stored(&second).as_deref(), Some("in time"));
    }

    #[test]
    fn one_that_is_left_open_keeps_nobody_out() {
        let fence = Fence::before(Arc::new(InlineStore::fresh())).left_open();
        let first = fence.take();
        let second = fence.take();
        assert_eq!((first.is_last(), second.is_last()), (false, true));
        now(second.commit(setting("second"))).unwrap();
        now(first.commit(setting("late"))).unwrap();
        assert_eq!(stored(&second).as_deref(), Some("late"));
        now(first.start(Timestamp::EPOCH)).unwrap();
    }

    #[test]
    fn what_is_refused_otherwise_is_refused_as_before() {
        let inner: SharedStore = Arc::new(InlineStore::fresh());
        let plan = FaultPlan {
            at: vec![(1, Fault::Refuse)],
            disk_full: None,
        };
        let fence = Fence::before(Arc::new(FaultyStore::new(inner, plan)));
        let first = fence.take();
        let refused = now(first.commit(setting("a"))).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
        now(first.commit(setting("b"))).unwrap();
    }
}
