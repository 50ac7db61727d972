//! What the writer keeps in memory, so that appending needs no reads: the ledger's end and the workers.

use std::collections::HashSet;

use dwarves_domain::ids::WorkerId;
use dwarves_domain::time::Timestamp;
use rusqlite::Connection;

use super::batches::{self, Tail};
use super::columns::Cells;
use super::error::Outcome;

/// What the writer knows without reading.
pub(super) struct Known {
    pub(super) tail: Tail,
    /// No commit from now on has a time before this one.
    pub(super) passed_time: Timestamp,
    pub(super) workers: HashSet<WorkerId>,
    new_workers: Vec<WorkerId>,
    gone_workers: Vec<WorkerId>,
}

impl Known {
    /// Reads it, and checks that the last rows of shares follow each other.
    pub(super) fn load(connection: &Connection) -> Outcome<Self> {
        let tail = batches::tail(connection)?;
        let mut statement = connection.prepare("SELECT id FROM workers WHERE gone_after IS NULL")?;
        let mut rows = statement.query([])?;
        let mut workers = HashSet::new();
        while let Some(row) = rows.next()? {
            workers.insert(Cells::new(row, "workers").worker("id")?);
        }
        let mut select = connection.prepare("SELECT passed_time FROM pool")?;
        let passed_time = select.query_row([], |row| Ok(Cells::new(row, "pool").time("passed_time")))??;
        Ok(Self {
            tail,
            passed_time,
            workers,
            new_workers: Vec::new(),
            gone_workers: Vec::new(),
        })
    }

    /// Notes a worker that this transaction adds.
    pub(super) fn add_worker(&mut self, id: WorkerId) {
        if self.workers.insert(id) {
            self.new_workers.push(id);
        }
    }

    /// Notes a worker that this transaction takes out.
    pub(super) fn take_worker_out(&mut self, id: WorkerId) {
        if self.workers.remove(&id) {
            self.gone_workers.push(id);
        }
    }

    /// Begins a transaction: what undoes it in memory.
    pub(super) fn begin(&mut self) -> (Tail, Timestamp) {
        self.new_workers.clear();
        self.gone_workers.clear();
        (self.tail, self.passed_time)
    }

    /// Forgets what the failed transaction added.
    pub(super) fn undo(&mut self, (tail, passed_time): (Tail, Timestamp)) {
        self.tail = tail;
        self.passed_time = passed_time;
        self.workers.extend(self.gone_workers.drain(..));
        for id in self.new_workers.drain(..) {
            self.workers.remove(&id);
        }
    }
}
