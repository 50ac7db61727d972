//! Shares of an older ledger move into rows of many, piece by piece.
//!
//! A piece is one transaction: some commits are written in the new form and deleted in the old one, so a crash loses
//! nothing and does nothing twice, and what becomes free makes room for the next piece. Every share's total and number
//! is compared with those before: what does not fit together is not moved, and the pool does not start.

use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_ports::store::StoreErrorKind;
use rusqlite::{Connection, Row, params};

use crate::columns::{Cells, all, int, units};
use crate::error::{OpenError, Outcome, corrupt};
use crate::packed_shares::{SHARES_PER_ROW, StoredShare, Terms, pack};

/// Shares that move in one transaction, and then some to the end of a commit: some tenths of a second, some megabytes.
const PIECE: usize = 100_000;

/// A commit as `batches` had it.
struct OldBatch {
    id: u64,
    last: Sequence,
    committed_at: Timestamp,
    total_after: Units,
}

/// Moves all shares that are still in the old form.
pub(super) fn pack_shares(connection: &mut Connection) -> Result<(), OpenError> {
    let mut moved = 0;
    let mut end = None;
    loop {
        let piece = move_piece(connection, &mut end, PIECE).map_err(|fail| {
            let error = fail.into_store_error("packing shares");
            match error.kind() {
                StoreErrorKind::Corrupt => OpenError::Corrupt(error.to_string()),
                _ => OpenError::Database(format!("packing shares: {error}")),
            }
        })?;
        if piece == 0 {
            return Ok(());
        }
        moved += piece;
        log::info!("an older ledger is brought up to date: {moved} shares are packed");
    }
}

/// The last share that was moved, and the total with it.
type End = Option<(Sequence, Units)>;

/// Moves some commits; gives how many rows they were at least, and 0 if there are no more.
fn move_piece(connection: &mut Connection, end: &mut End, piece: usize) -> Outcome<usize> {
    let transaction = connection.transaction()?;
    let is_whole = "SELECT COALESCE((SELECT MAX(sequence) FROM shares), 0)
        <= COALESCE((SELECT last_sequence FROM batches ORDER BY id DESC LIMIT 1), 0)";
    if !transaction.query_row(is_whole, [], |row| row.get::<_, bool>(0))? {
        return Err(corrupt("shares: the last ones are in no batch"));
    }
    let mut moved = 0;
    let batches = "SELECT id, last_sequence, committed_at, total_after FROM batches ORDER BY id LIMIT ?1";
    let batches = all(&transaction, batches, [int(piece as u64)], |row| {
        let cells = Cells::new(row, "batches");
        Ok(OldBatch {
            id: cells.u64(0)?,
            last: cells.sequence(1)?,
            committed_at: cells.time(2)?,
            total_after: cells.units(3)?,
        })
    })?;
    let mut last = None;
    for batch in batches {
        moved += move_batch(&transaction, &batch, *end)?;
        *end = Some((batch.last, batch.total_after));
        last = Some(batch);
        if moved >= piece {
            break;
        }
    }
    let Some(last) = last else {
        return Ok(0);
    };
    transaction.execute("DELETE FROM shares WHERE sequence <= ?1", [int(last.last.get())])?;
    transaction.execute("DELETE FROM batches WHERE id <= ?1", [int(last.id)])?;
    transaction.commit()?;
    // The log begins anew, so that it does not come to hold all of the ledger.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(moved)
}

/// Writes what is left of one commit in the new form; gives how many shares that are, at least 1.
fn move_batch(connection: &Connection, batch: &OldBatch, end: End) -> Outcome<usize> {
    let sql = "SELECT sequence, total, template, share_bits, units, worker, extranonce, extranonce_tail, version, time,
                   nonce, received_at, hash
               FROM shares WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence";
    let after = end.map_or(0, |(last, _)| int(last.get()));
    let mut shares = all(connection, sql, [after, int(batch.last.get())], |row| {
        let cells = Cells::new(row, "shares");
        Ok((cells.sequence(0)?, cells.units(1)?, share(row)?))
    })?;
    let mut before = end;
    for (sequence, total, share) in &shares {
        let units = share.terms.units;
        if let Some((last, sum)) = before
            && (*sequence != last.next() || sum.checked_add(units) != Some(*total))
        {
            return Err(corrupt(format!(
                "shares: {sequence} does not go on where {last} ends"
            )));
        }
        before = Some((*sequence, *total));
    }
    match shares.last() {
        Some((sequence, total, _)) if (*sequence, *total) != (batch.last, batch.total_after) => {
            return Err(corrupt(format!(
                "the shares end with {sequence} at {total} units, but the batches with {} at {}",
                batch.last, batch.total_after
            )));
        }
        Some(_) => {}
        // All are pruned. If nothing comes behind, this is where the ledger goes on: a row must say so.
        None => shares.push((batch.last, batch.total_after, pruned(batch.committed_at))),
    }
    let rows = shares.len().div_ceil(SHARES_PER_ROW);
    let mut place = 0_u64;
    for row in shares.chunks(shares.len().div_ceil(rows)) {
        let (first, total, share) = &row[0];
        let before = total.raw().checked_sub(share.terms.units.raw());
        let before = before.ok_or_else(|| corrupt("shares.total is less than its own units"))?;
        connection
            .prepare_cached(
                "INSERT INTO packed_batches (first_sequence, place, committed_at, total_before, shares)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                int(first.get()),
                int(place),
                batch.committed_at.millis(),
                units(Units::from_raw(before)),
                pack(row.iter().map(|(_, _, share)| *share), batch.committed_at),
            ])?;
        place += row.len() as u64;
    }
    Ok(shares.len())
}

fn share(row: &Row<'_>) -> Outcome<StoredShare> {
    let cells = Cells::new(row, "shares");
    let tail = cells.optional(7, |cells, column| cells.u32(column))?;
    let mut extranonce = [0; 12];
    extranonce[..8].copy_from_slice(&cells.bits(6)?.to_be_bytes());
    extranonce[8..].copy_from_slice(&tail.unwrap_or(0).to_be_bytes());
    Ok(StoredShare {
        terms: Terms {
            template: cells.template(2)?,
            share_bits: cells.compact(3)?,
            units: cells.units(4)?,
        },
        worker: cells.worker(5)?,
        extranonce,
        lacks_tail: tail.is_none(),
        version: cells.u32(8)?,
        time: cells.u32(9)?,
        nonce: cells.u32(10)?,
        received_at: cells.time(11)?,
        hash: cells.hash(12)?,
    })
}

/// Stands for a share that was pruned. `pool.pruned_through` says that it is gone.
fn pruned(at: Timestamp) -> StoredShare {
    StoredShare {
        terms: Terms {
            template: TemplateId::new(0),
            share_bits: CompactTarget::from_bits(0),
            units: Units::ZERO,
        },
        worker: WorkerId::new(0),
        extranonce: [0; 12],
        lacks_tail: true,
        version: 0,
        time: 0,
        nonce: 0,
        received_at: at,
        hash: HeaderHash::from_bytes([0; 32]),
    }
}

#[cfg(test)]
mod tests;
