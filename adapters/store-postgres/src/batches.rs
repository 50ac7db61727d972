//! The ledger of shares: one row a commit, whose numbers, totals and times all grow together, and walks over the shares.

use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_ports::store::LedgerPosition;
use dwarves_ports::store::codec::Cells as _;

use super::cells::Cells;
use super::client::Db;
use super::error::{Outcome, corrupt, total_overflow};
use super::value::{Value, values};

/// One commit.
#[derive(Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
    pub(crate) committed_at: Timestamp,
    /// Units of all shares before it.
    pub(crate) total_before: Units,
    /// Units of all shares up to its last.
    pub(crate) total_after: Units,
}

impl Batch {
    /// The place before it.
    pub(crate) fn before(&self) -> Outcome<LedgerPosition> {
        let sequence = self.first.get().checked_sub(1);
        let sequence = sequence.ok_or_else(|| corrupt("batches.first_sequence must be at least 1"))?;
        Ok(LedgerPosition {
            sequence: Sequence::new(sequence),
            total: self.total_before,
        })
    }
}

/// The ledger's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last share; 0 before the first.
    pub(crate) sequence: Sequence,
    /// Units of all shares.
    pub(crate) total: Units,
    /// When its commit's latest share came.
    pub(crate) committed_at: Timestamp,
}

impl Tail {
    /// Before the first share.
    pub(crate) const EMPTY: Self = Self {
        sequence: Sequence::new(0),
        total: Units::ZERO,
        committed_at: Timestamp::from_millis(i64::MIN),
    };

    /// The place that it is.
    pub(crate) fn position(&self) -> LedgerPosition {
        LedgerPosition {
            sequence: self.sequence,
            total: self.total,
        }
    }
}

fn read(cells: &Cells) -> Outcome<Batch> {
    Ok(Batch {
        first: cells.sequence("first_sequence")?,
        last: cells.sequence("last_sequence")?,
        committed_at: cells.time("committed_at")?,
        total_before: cells.units("total_before")?,
        total_after: cells.units("total_after")?,
    })
}

/// The first batch of these.
fn find(db: &Db, which: &str, values: &[Value<'_>]) -> Outcome<Option<Batch>> {
    let sql = format!("SELECT * FROM batches {which} LIMIT 1");
    db.one("batches", &sql, values, read)
}

/// Where the ledger ends. The last row is never deleted.
pub(crate) fn tail(db: &Db) -> Outcome<Tail> {
    let last = find(db, "ORDER BY first_sequence DESC", &[])?;
    Ok(last.map_or(Tail::EMPTY, |last| Tail {
        sequence: last.last,
        total: last.total_after,
        committed_at: last.committed_at,
    }))
}

/// The first commit after `at`.
pub(crate) fn first_after(db: &Db, at: Timestamp) -> Outcome<Option<Batch>> {
    find(
        db,
        "WHERE committed_at > $1 ORDER BY committed_at, first_sequence",
        values![at],
    )
}

/// The last commit that begins at most at the total `total`, or the first one if all begin later.
pub(crate) fn last_from(db: &Db, total: Units) -> Outcome<Option<Batch>> {
    let which = "WHERE total_before <= $1 ORDER BY total_before DESC, first_sequence DESC";
    match find(db, which, values![total])? {
        Some(found) => Ok(Some(found)),
        None => find(db, "ORDER BY first_sequence", &[]),
    }
}

/// The first commit that begins at or behind the total `total`.
pub(crate) fn first_from(db: &Db, total: Units) -> Outcome<Option<Batch>> {
    find(
        db,
        "WHERE total_before >= $1 ORDER BY total_before, first_sequence",
        values![total],
    )
}

/// The commit in which the share is; behind the ledger's end the last one, before its begin the first.
pub(crate) fn commit_of(db: &Db, sequence: Sequence) -> Outcome<Option<Batch>> {
    match find(
        db,
        "WHERE first_sequence <= $1 ORDER BY first_sequence DESC",
        values![sequence],
    )? {
        Some(found) => Ok(Some(found)),
        None => find(db, "ORDER BY first_sequence", &[]),
    }
}

/// Shares up to this one are gone, also if there are still rows of them.
pub(crate) fn pruned_through(db: &Db) -> Outcome<Sequence> {
    db.always("pool", "SELECT pruned_through FROM pool", &[], |cells| {
        cells.sequence("pruned_through")
    })
}

/// A share on a walk.
pub(crate) struct Found {
    pub(crate) sequence: Sequence,
    /// Units of all shares before it.
    pub(crate) total_before: Units,
    /// The time of its commit.
    pub(crate) committed_at: Timestamp,
    pub(crate) worker: WorkerId,
    pub(crate) share_bits: CompactTarget,
    pub(crate) units: Units,
}

/// Shares that a walk has in memory at a time.
const PIECE: u64 = 20_000;

/// Walks over the shares from `first` through `last` that were not pruned, oldest first.
pub(crate) fn walk(
    db: &Db,
    first: Sequence,
    last: Sequence,
    mut step: impl FnMut(Found) -> Outcome<()>,
) -> Outcome<()> {
    let first = first.max(pruned_through(db)?.next());
    let last = last.min(tail(db)?.sequence);
    if first > last {
        return Ok(());
    }
    // Totals are known where commits begin.
    let begin = commit_of(db, first)?.ok_or_else(|| corrupt("batches: no row holds the shares"))?;
    let (mut next, mut total) = (begin.first, begin.total_before);
    while next <= last {
        let end = last.min(Sequence::new(next.get().saturating_add(PIECE - 1)));
        let piece = db.all(
            "shares",
            "SELECT sequence, committed_at, worker, share_bits, units
             FROM shares JOIN LATERAL (SELECT committed_at FROM batches WHERE first_sequence <= sequence
                 ORDER BY first_sequence DESC LIMIT 1) AS batch ON true
             WHERE sequence >= $1 AND sequence <= $2 ORDER BY sequence",
            values![next, end],
            |cells| {
                let units = cells.units("units")?;
                let found = Found {
                    sequence: cells.sequence("sequence")?,
                    total_before: total,
                    committed_at: cells.time("committed_at")?,
                    worker: cells.worker("worker")?,
                    share_bits: cells.compact("share_bits")?,
                    units,
                };
                total = total.checked_add(units).ok_or_else(total_overflow)?;
                Ok(found)
            },
        )?;
        let is_whole = piece.len() as u64 == end.get() - next.get() + 1;
        if !is_whole {
            return Err(corrupt(format!(
                "shares: some between {next} and {end} are missing"
            )));
        }
        for found in piece {
            if found.sequence >= first {
                step(found)?;
            }
        }
        next = end.next();
    }
    Ok(())
}
