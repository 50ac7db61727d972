//! What the writer keeps in memory, so that appending needs no reads: the ledger's end and the workers.

use std::collections::HashSet;

use dwarves_domain::ids::{BatchId, Sequence, WorkerId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use rusqlite::{Connection, OptionalExtension};

use super::columns::Cells;
use super::error::{Fail, Outcome, corrupt};

/// The ledger's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last share; 0 before the first.
    pub(super) sequence: Sequence,
    /// Units of all shares.
    pub(super) total: Units,
    /// The last batch; 0 before the first.
    pub(super) batch: BatchId,
    /// When that was committed.
    pub(super) committed_at: Timestamp,
}

/// What the writer knows without reading.
pub(super) struct Known {
    pub(super) tail: Tail,
    pub(super) workers: HashSet<WorkerId>,
    new_workers: Vec<WorkerId>,
    gone_workers: Vec<WorkerId>,
}

impl Known {
    /// Reads it, and checks that shares and batches end together.
    pub(super) fn load(connection: &Connection) -> Outcome<Self> {
        let tail = load_tail(connection)?;
        let mut statement = connection.prepare("SELECT id FROM workers WHERE gone_after IS NULL")?;
        let mut rows = statement.query([])?;
        let mut workers = HashSet::new();
        while let Some(row) = rows.next()? {
            workers.insert(Cells::new(row, "workers").worker("id")?);
        }
        Ok(Self {
            tail,
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
    pub(super) fn begin(&mut self) -> Tail {
        self.new_workers.clear();
        self.gone_workers.clear();
        self.tail
    }

    /// Forgets what the failed transaction added.
    pub(super) fn undo(&mut self, tail: Tail) {
        self.tail = tail;
        self.workers.extend(self.gone_workers.drain(..));
        for id in self.new_workers.drain(..) {
            self.workers.remove(&id);
        }
    }
}

fn load_tail(connection: &Connection) -> Outcome<Tail> {
    let batch = "SELECT id, last_sequence, total_after, committed_at FROM batches ORDER BY id DESC LIMIT 1";
    let of_batch = |row: &rusqlite::Row<'_>| {
        let cells = Cells::new(row, "batches");
        let read = || -> Outcome<Tail> {
            Ok(Tail {
                sequence: cells.sequence("last_sequence")?,
                total: cells.units("total_after")?,
                batch: BatchId::new(cells.u64("id")?),
                committed_at: cells.time("committed_at")?,
            })
        };
        Ok(read())
    };
    let tail = connection
        .query_row(batch, [], of_batch)
        .optional()?
        .transpose()?;
    let tail = tail.unwrap_or(Tail {
        sequence: Sequence::new(0),
        total: Units::ZERO,
        batch: BatchId::new(0),
        committed_at: Timestamp::from_millis(i64::MIN),
    });
    let share = "SELECT sequence, total FROM shares ORDER BY sequence DESC LIMIT 1";
    let of_share = |row: &rusqlite::Row<'_>| {
        let cells = Cells::new(row, "shares");
        Ok(cells
            .sequence("sequence")
            .and_then(|sequence| Ok((sequence, cells.units("total")?))))
    };
    let last: Option<Result<_, Fail>> = connection.query_row(share, [], of_share).optional()?;
    // All shares may have been pruned; the last batch never is.
    if let Some((sequence, total)) = last.transpose()?
        && (sequence, total) != (tail.sequence, tail.total)
    {
        return Err(corrupt(format!(
            "the shares end with {sequence} at {total} units, but the batches with {} at {}",
            tail.sequence, tail.total
        )));
    }
    Ok(tail)
}
