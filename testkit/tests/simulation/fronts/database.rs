//! The database that fronts share, as far as they see it: who is there, who leads, and who writes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dwarves_store_postgres::Look;
use dwarves_testkit::fenced_store::{Fence, FencedStore};

/// A process that joined: its front, and the how-manieth of it that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) front: u32,
    lease: u64,
}

/// The database.
pub(super) struct Database {
    fence: Fence,
    rows: RefCell<Rows>,
}

#[derive(Default)]
struct Rows {
    leases: BTreeMap<u32, u64>,
    beats: BTreeMap<u32, u64>,
    leader: Option<u32>,
    /// Who has the ledger's lock.
    lock: Option<Session>,
    /// Turned true for whoever leads once another one does.
    is_behind: Arc<AtomicBool>,
}

/// The lead, taken.
pub(super) struct Led {
    pub(super) store: FencedStore,
    /// Turns true when another one has it. Nobody tells the front.
    pub(super) is_behind: Arc<AtomicBool>,
}

impl Database {
    pub(super) fn behind(fence: Fence) -> Self {
        Self {
            fence,
            rows: RefCell::default(),
        }
    }

    /// How often the lead was taken.
    pub(super) fn epoch(&self) -> u64 {
        self.fence.epoch()
    }

    /// A process begins.
    pub(super) fn join(&self, front: u32) -> Session {
        let mut rows = self.rows.borrow_mut();
        let lease = rows.leases.entry(front).or_default();
        *lease += 1;
        Session { front, lease: *lease }
    }

    /// A process says that it lives.
    pub(super) fn beat(&self, session: Session) {
        *self.rows.borrow_mut().beats.entry(session.front).or_default() += 1;
    }

    /// What a process sees.
    pub(super) fn look(&self) -> Look {
        let rows = self.rows.borrow();
        let of = |numbers: &BTreeMap<u32, u64>, front| numbers.get(&front).copied().unwrap_or(0);
        Look {
            leader: rows
                .leader
                .map(|front| (front, of(&rows.leases, front), of(&rows.beats, front))),
            epoch: self.fence.epoch(),
            is_held: rows.lock.is_some(),
        }
    }

    /// Ends the session that has the lock, if everything is still as it was seen.
    pub(super) fn end(&self, seen: Look) {
        if self.look() == seen {
            self.rows.borrow_mut().lock = None;
        }
    }

    /// Takes the lead, if nobody has the lock.
    pub(super) fn lead(&self, session: Session) -> Option<Led> {
        let mut rows = self.rows.borrow_mut();
        if rows.lock.is_some() {
            return None;
        }
        rows.lock = Some(session);
        rows.leader = Some(session.front);
        let is_behind = Arc::default();
        let before = std::mem::replace(&mut rows.is_behind, Arc::clone(&is_behind));
        before.store(true, Ordering::SeqCst);
        Some(Led {
            store: self.fence.take(),
            is_behind,
        })
    }

    /// Whoever leads stops in order.
    pub(super) fn resign(&self, epoch: u64) {
        if self.fence.epoch() == epoch {
            self.rows.borrow_mut().leader = None;
        }
    }

    /// A process is gone, and the database has seen it.
    pub(super) fn leave(&self, session: Session) {
        let mut rows = self.rows.borrow_mut();
        if rows.lock == Some(session) {
            rows.lock = None;
        }
    }
}
