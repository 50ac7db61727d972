//! Deleting old shares, little by little, so that no commit waits for it.

use dwarves_domain::ids::Sequence;
use rusqlite::Connection;

use crate::batches;
use crate::columns::{Cells, int};
use crate::error::Outcome;

/// Shares that are deleted in one transaction: some milliseconds.
const PIECE: u64 = 2_000;

/// Notes how far may be pruned: never beyond what rounds, counters and living templates still need. These
/// bounds only move forward, so what is noted stays right.
pub(super) fn ask(connection: &Connection, through: Sequence) -> Outcome<()> {
    connection
        .prepare_cached(
            "UPDATE pool SET prune_through = MAX(prune_through, MIN(?1, counters_through,
                 COALESCE((SELECT through FROM rounds ORDER BY id DESC LIMIT 1), 0),
                 COALESCE((SELECT MIN(first_share) - 1 FROM templates WHERE retired = 0 AND id >= live_from), ?1)))",
        )?
        .execute([int(through.get())])?;
    // The first piece is part of the commit: small ledgers are pruned when it is answered.
    piece(connection).map(drop)
}

/// The first share that may be pruned, if there is one, and how far may be pruned.
fn pending(connection: &Connection) -> Outcome<(Option<u64>, u64)> {
    let mut select = connection.prepare_cached(
        "SELECT prune_through, (SELECT sequence FROM shares ORDER BY sequence LIMIT 1) AS first FROM pool",
    )?;
    select.query_row([], |row| {
        let cells = Cells::new(row, "pool");
        let read = || -> Outcome<_> {
            let through = cells.u64("prune_through")?;
            let first = cells.optional("first", |cells, column| cells.u64(column))?;
            Ok((first.filter(|first| *first <= through), through))
        };
        Ok(read())
    })?
}

/// Whether there is something to prune.
pub(crate) fn is_pending(connection: &Connection) -> Outcome<bool> {
    Ok(pending(connection)?.0.is_some())
}

/// Prunes a little. Returns whether there is more to do.
pub(crate) fn piece(connection: &Connection) -> Outcome<bool> {
    let (first, through) = pending(connection)?;
    // Without shares there may still be templates and workers that outlived theirs.
    let to = first.map_or(through, |first| through.min(first + PIECE - 1));
    connection
        .prepare_cached("DELETE FROM shares WHERE sequence <= ?1")?
        .execute([int(to)])?;
    // The last batch stays: it is where the ledger goes on.
    if let Some(kept) = batches::first(connection, |batch| batch.last.get() > to)? {
        connection
            .prepare_cached("DELETE FROM batches WHERE id < ?1")?
            .execute([int(kept.id)])?;
    } else {
        connection
            .prepare_cached("DELETE FROM batches WHERE id < (SELECT MAX(id) FROM batches)")?
            .execute([])?;
    }
    // The newest template stays: numbers go on behind it.
    connection
        .prepare_cached(
            "DELETE FROM templates WHERE retired = 1 AND last_share <= ?1
                 AND id < (SELECT MAX(id) FROM templates)",
        )?
        .execute([int(to)])?;
    // Nobody asks any more whose the shares of these were.
    connection
        .prepare_cached("DELETE FROM workers WHERE gone_after <= ?1")?
        .execute([int(to)])?;
    Ok(to < through)
}
