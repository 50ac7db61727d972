//! The ledger of shares: rows of them, whose numbers, totals and times all grow together, so that places are found by
//! halving.

use std::ops::ControlFlow;

use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{Cells, int};
use super::error::{Outcome, corrupt};
use super::packed_shares::{PackedShares, StoredShare};

/// Behind every share.
pub(super) const LAST: Sequence = Sequence::new(u64::MAX);

/// Where a row begins.
#[derive(Clone, Copy)]
pub(super) struct RowBegin {
    /// Its first share.
    pub(super) first: Sequence,
    /// How many shares of its commit are in the rows before.
    place: u64,
    /// When its commit's latest share came.
    pub(super) committed_at: Timestamp,
    /// Units of all shares before it.
    pub(super) total_before: Units,
}

impl RowBegin {
    fn is_of_commits_first_row(&self) -> bool {
        self.place == 0
    }

    /// The first share of its commit.
    fn first_of_commit(&self) -> Outcome<Sequence> {
        let first = self.first.get().checked_sub(self.place);
        first
            .map(Sequence::new)
            .ok_or_else(|| corrupt("batches.place must be less than first_sequence"))
    }
}

fn begin(row: &Row<'_>) -> Outcome<RowBegin> {
    let cells = Cells::new(row, "batches");
    Ok(RowBegin {
        first: cells.sequence("first_sequence")?,
        place: cells.u64("place")?,
        committed_at: cells.time("committed_at")?,
        total_before: cells.units("total_before")?,
    })
}

/// The ledger's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last share; 0 before the first.
    pub(super) sequence: Sequence,
    /// Units of all shares.
    pub(super) total: Units,
    /// When its commit's latest share came.
    pub(super) committed_at: Timestamp,
}

impl Tail {
    /// Before the first share.
    pub(super) const EMPTY: Self = Self {
        sequence: Sequence::new(0),
        total: Units::ZERO,
        committed_at: Timestamp::from_millis(i64::MIN),
    };
}

/// Where the ledger ends. The last row is never deleted.
pub(super) fn tail(connection: &Connection) -> Outcome<Tail> {
    let Some((low, high)) = range(connection)? else {
        return Ok(Tail::EMPTY);
    };
    let tail = end_of(connection, high)?;
    // The row before must lead there.
    if low < high {
        let before = end_of(connection, high - 1)?;
        let last = row_at(connection, high)?;
        let (sequence, total) = (before.sequence.next(), before.total);
        if (sequence, total) != (last.first, last.total_before) {
            return Err(corrupt(format!(
                "the shares go on with {} at {} units behind {} at {total}",
                last.first, last.total_before, before.sequence
            )));
        }
    }
    Ok(tail)
}

/// Where the row ends in which the share `at` is, or that is the last one before it.
fn end_of(connection: &Connection, at: u64) -> Outcome<Tail> {
    let begin = row_at(connection, at)?;
    let mut select = connection.prepare_cached("SELECT shares FROM batches WHERE first_sequence = ?1")?;
    select.query_row([int(begin.first.get())], |row| {
        let read = || -> Outcome<_> {
            let blob = Cells::new(row, "batches").blob("shares")?;
            let shares = PackedShares::open(blob, begin.committed_at)?;
            let (mut sequence, mut total) = (begin.first, begin.total_before);
            for place in 0..shares.count() {
                sequence = Sequence::new(begin.first.get() + place as u64);
                total = sum(total, &shares.share(place)?)?;
            }
            Ok(Tail {
                sequence,
                total,
                committed_at: begin.committed_at,
            })
        };
        Ok(read())
    })?
}

/// Units up to and including a share.
fn sum(total_before: Units, share: &StoredShare) -> Outcome<Units> {
    let total = total_before.checked_add(share.terms.units);
    total.ok_or_else(|| corrupt("batches.shares: their units do not fit behind total_before"))
}

/// The first shares of the first and the last row.
fn range(connection: &Connection) -> Outcome<Option<(u64, u64)>> {
    let mut select = connection.prepare_cached(
        "SELECT (SELECT MIN(first_sequence) FROM batches) AS low, (SELECT MAX(first_sequence) FROM batches) AS high",
    )?;
    select.query_row([], |row| {
        let cells = Cells::new(row, "batches");
        let read = || -> Outcome<_> {
            let low = cells.optional("low", |cells, column| cells.u64(column))?;
            let high = cells.optional("high", |cells, column| cells.u64(column))?;
            Ok(low.zip(high))
        };
        Ok(read())
    })?
}

/// The last row that begins at or before this share.
fn row_at(connection: &Connection, sequence: u64) -> Outcome<RowBegin> {
    let mut select = connection.prepare_cached(
        "SELECT first_sequence, place, committed_at, total_before FROM batches
         WHERE first_sequence <= ?1 ORDER BY first_sequence DESC LIMIT 1",
    )?;
    let found = select.query_row([int(sequence)], |row| Ok(begin(row)));
    found
        .optional()?
        .transpose()?
        .ok_or_else(|| corrupt(format!("batches: no row holds share {sequence}")))
}

/// The first row for which `is_past` holds; it must hold for all rows behind one for which it does.
///
/// Halving the range of numbers takes some thirty look-ups and needs no index that every commit would pay for.
fn first_row(connection: &Connection, is_past: impl Fn(&RowBegin) -> bool) -> Outcome<Option<RowBegin>> {
    let Some((mut low, high)) = range(connection)? else {
        return Ok(None);
    };
    let (mut end, mut found) = (high + 1, None);
    while low < end {
        let middle = low + (end - low) / 2;
        let row = row_at(connection, middle)?;
        if is_past(&row) {
            end = row.first.get();
            found = Some(row);
        } else {
            low = middle + 1;
        }
    }
    Ok(found)
}

/// The first row of the first commit after `at`.
pub(super) fn first_after(connection: &Connection, at: Timestamp) -> Outcome<Option<RowBegin>> {
    let found = first_row(connection, |row| row.committed_at > at)?;
    debug_assert!(
        found.is_none_or(|row| row.is_of_commits_first_row()),
        "rows of a commit have one time"
    );
    Ok(found)
}

/// The last row that begins at most at the total `total`, or the first row if all begin later.
pub(super) fn last_from(connection: &Connection, total: Units) -> Outcome<Option<RowBegin>> {
    let Some((low, high)) = range(connection)? else {
        return Ok(None);
    };
    let before = match first_row(connection, |row| row.total_before > total)? {
        None => high,
        Some(later) => low.max(later.first.get() - 1),
    };
    row_at(connection, before).map(Some)
}

/// The first row of the commit in which the share `sequence` is; behind the ledger's end: of the last commit.
pub(super) fn commit_of(connection: &Connection, sequence: Sequence) -> Outcome<Option<RowBegin>> {
    let Some((low, _)) = range(connection)? else {
        return Ok(None);
    };
    let row = row_at(connection, sequence.get().max(low))?;
    row_at(connection, row.first_of_commit()?.get()).map(Some)
}

/// A share on a walk.
pub(super) struct Found {
    pub(super) sequence: Sequence,
    /// Units of all shares before it.
    pub(super) total_before: Units,
    /// The time of its commit.
    pub(super) committed_at: Timestamp,
    pub(super) share: StoredShare,
}

/// Walks over the shares from `first` through `last` that were not pruned, oldest first, until it is told to stop.
pub(super) fn walk(
    connection: &Connection,
    first: Sequence,
    last: Sequence,
    step: impl FnMut(Found) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    each_share(
        connection,
        first.max(pruned_through(connection)?.next()),
        last,
        step,
    )
}

/// Shares up to this one are gone, also if there is still a row that holds some of them.
pub(super) fn pruned_through(connection: &Connection) -> Outcome<Sequence> {
    let mut select = connection.prepare_cached("SELECT pruned_through FROM pool")?;
    select.query_row([], |row| Ok(Cells::new(row, "pool").sequence("pruned_through")))?
}

fn each_share(
    connection: &Connection,
    first: Sequence,
    last: Sequence,
    mut step: impl FnMut(Found) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let mut select = connection.prepare_cached(
        "SELECT first_sequence, committed_at, total_before, shares FROM batches
         WHERE first_sequence <= ?2 AND first_sequence >= COALESCE(
             (SELECT first_sequence FROM batches WHERE first_sequence <= ?1 ORDER BY first_sequence DESC LIMIT 1), ?1)
         ORDER BY first_sequence",
    )?;
    let mut rows = select.query(params![int(first.get()), int(last.get())])?;
    while let Some(row) = rows.next()? {
        let cells = Cells::new(row, "batches");
        let mut sequence = cells.sequence(0)?;
        let mut total_before = cells.units(2)?;
        let committed_at = cells.time(1)?;
        let shares = PackedShares::open(cells.blob(3)?, committed_at)?;
        for place in 0..shares.count() {
            let found = Found {
                sequence,
                total_before,
                committed_at,
                share: shares.share(place)?,
            };
            total_before = sum(total_before, &found.share)?;
            let is_wanted = (first..=last).contains(&sequence);
            if is_wanted && step(found)?.is_break() {
                return Ok(());
            }
            sequence = sequence.next();
        }
    }
    Ok(())
}

/// The last share that was not pruned and for which `is_it` holds.
pub(super) fn last_share(
    connection: &Connection,
    mut is_it: impl FnMut(&StoredShare) -> bool,
) -> Outcome<Option<StoredShare>> {
    let pruned = pruned_through(connection)?.get();
    let mut select = connection.prepare_cached(
        "SELECT first_sequence, committed_at, shares FROM batches ORDER BY first_sequence DESC",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let cells = Cells::new(row, "batches");
        let first = cells.u64(0)?;
        let shares = PackedShares::open(cells.blob(2)?, cells.time(1)?)?;
        for place in (0..shares.count()).rev() {
            if first + place as u64 <= pruned {
                return Ok(None);
            }
            let share = shares.share(place)?;
            if is_it(&share) {
                return Ok(Some(share));
            }
        }
    }
    Ok(None)
}
