//! Finding places in the ledger by its batches, whose sequences, totals and times all grow together.

use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use rusqlite::{Connection, OptionalExtension, Row};

use super::columns::{Cells, int};
use super::error::{Fail, Outcome, corrupt};

/// One commit's shares.
pub(super) struct Batch {
    pub(super) id: u64,
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) committed_at: Timestamp,
    pub(super) total_before: Units,
    pub(super) total_after: Units,
}

fn read(row: &Row<'_>) -> Outcome<Batch> {
    let cells = Cells::new(row, "batches");
    Ok(Batch {
        id: cells.u64("id")?,
        first: cells.sequence("first_sequence")?,
        last: cells.sequence("last_sequence")?,
        committed_at: cells.time("committed_at")?,
        total_before: cells.units("total_before")?,
        total_after: cells.units("total_after")?,
    })
}

/// The batch with this number.
pub(super) fn get(connection: &Connection, id: u64) -> Outcome<Option<Batch>> {
    let mut select = connection.prepare_cached("SELECT * FROM batches WHERE id = ?1")?;
    select
        .query_row([int(id)], |row| Ok(read(row)))
        .optional()?
        .transpose()
}

/// The numbers of the first and the last batch that is kept.
pub(super) fn range(connection: &Connection) -> Outcome<Option<(u64, u64)>> {
    let mut select = connection.prepare_cached(
        "SELECT (SELECT MIN(id) FROM batches) AS low, (SELECT MAX(id) FROM batches) AS high",
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

/// The last batch; `None` while there are no shares.
pub(super) fn last(connection: &Connection) -> Outcome<Option<Batch>> {
    let Some((_, last)) = range(connection)? else {
        return Ok(None);
    };
    let batch = get(connection, last)?;
    Ok(Some(batch.ok_or_else(|| missing(last))?))
}

fn missing(id: u64) -> Fail {
    corrupt(format!("batches.id: {id} is missing"))
}

/// The first batch for which `is_past` holds; it must hold for all batches behind one for which it does.
///
/// Halving the range of numbers takes some twenty look-ups and needs no index that every commit would pay for.
pub(super) fn first(connection: &Connection, is_past: impl Fn(&Batch) -> bool) -> Outcome<Option<Batch>> {
    let Some((mut low, high)) = range(connection)? else {
        return Ok(None);
    };
    let (mut end, mut found) = (high + 1, None);
    while low < end {
        let middle = low + (end - low) / 2;
        let batch = get(connection, middle)?;
        let batch = batch.ok_or_else(|| missing(middle))?;
        if is_past(&batch) {
            end = middle;
            found = Some(batch);
        } else {
            low = middle + 1;
        }
    }
    Ok(found)
}
