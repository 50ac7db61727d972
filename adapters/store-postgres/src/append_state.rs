//! What the writer keeps in memory, so that appending needs no reads: the ledger's end and the workers.

use std::collections::HashSet;

use dwarves_domain::ids::WorkerId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::Cells as _;

use super::batches::{self, Tail};
use super::client::Db;
use super::error::Outcome;
use super::partitions::Partitions;

/// What the writer knows without reading.
pub(crate) struct Known {
    pub(crate) place: Place,
    pub(crate) workers: HashSet<WorkerId>,
    new_workers: Vec<WorkerId>,
    gone_workers: Vec<WorkerId>,
}

/// Where the ledger ends.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) tail: Tail,
    /// No commit from now on has a time before this one.
    pub(crate) passed_time: Timestamp,
    /// Where the shares to come go.
    pub(crate) partitions: Partitions,
}

impl Known {
    /// Reads it.
    pub(crate) fn load(db: &Db) -> Outcome<Self> {
        let tail = batches::tail(db)?;
        let workers = db.all(
            "workers",
            "SELECT id FROM workers WHERE gone_after IS NULL",
            &[],
            |cells| cells.worker("id"),
        )?;
        let passed_time = db.always("pool", "SELECT passed_time FROM pool", &[], |cells| {
            cells.time("passed_time")
        })?;
        Ok(Self {
            place: Place {
                tail,
                passed_time,
                partitions: Partitions::read(db, 0)?,
            },
            workers: workers.into_iter().collect(),
            new_workers: Vec::new(),
            gone_workers: Vec::new(),
        })
    }

    /// Notes a worker that this transaction adds.
    pub(crate) fn add_worker(&mut self, id: WorkerId) {
        if self.workers.insert(id) {
            self.new_workers.push(id);
        }
    }

    /// Notes a worker that this transaction takes out.
    pub(crate) fn take_worker_out(&mut self, id: WorkerId) {
        if self.workers.remove(&id) {
            self.gone_workers.push(id);
        }
    }

    /// Begins a transaction: what undoes it in memory.
    pub(crate) fn begin(&mut self) -> Place {
        self.new_workers.clear();
        self.gone_workers.clear();
        self.place
    }

    /// Forgets what the failed transaction changed.
    pub(crate) fn undo(&mut self, place: Place) {
        self.place = place;
        self.workers.extend(self.gone_workers.drain(..));
        for id in self.new_workers.drain(..) {
            self.workers.remove(&id);
        }
    }
}
