//! Deleting old shares, little by little, so that no commit waits for it.

use dwarves_domain::ids::Sequence;
use rusqlite::Connection;

use crate::batches;
use crate::columns::{Cells, int};
use crate::error::Outcome;
use crate::history::roll;

/// Shares that are deleted in one transaction: some milliseconds.
const PIECE: u64 = 2_000;

/// Notes how far may be pruned: never beyond what rounds, counters, living templates and
/// epochs without a statement still need. These
/// bounds only move forward, so what is noted stays right.
pub(super) fn ask(connection: &Connection, through: Sequence) -> Outcome<()> {
    connection
        .prepare_cached(
            "UPDATE pool SET prune_through = MAX(prune_through, MIN(?1, counters_through,
                 COALESCE((SELECT through FROM rounds ORDER BY id DESC LIMIT 1), 0),
                 CASE WHEN epoch_start IS NULL THEN ?1 ELSE COALESCE(ended_after, epoch_after) END,
                 COALESCE((SELECT MIN(first_share) - 1 FROM templates WHERE retired = 0 AND id >= live_from), ?1)))",
        )?
        .execute([int(through.get())])?;
    // The first piece is part of the commit: small ledgers are pruned when it is answered.
    piece(connection).map(drop)
}

/// Up to which share is pruned, and up to which may be.
fn progress(connection: &Connection) -> Outcome<(u64, u64)> {
    let mut select = connection.prepare_cached("SELECT pruned_through, prune_through FROM pool")?;
    select.query_row([], |row| {
        let cells = Cells::new(row, "pool");
        let read = || -> Outcome<_> { Ok((cells.u64("pruned_through")?, cells.u64("prune_through")?)) };
        Ok(read())
    })?
}

/// Whether there is something to prune.
pub(crate) fn is_pending(connection: &Connection) -> Outcome<bool> {
    let (pruned, through) = progress(connection)?;
    Ok(pruned < through)
}

/// Prunes a little. Returns whether there is more to do.
pub(crate) fn piece(connection: &Connection) -> Outcome<bool> {
    let (pruned, through) = progress(connection)?;
    // All may be pruned already: there may still be templates and workers that outlived their shares.
    // What goes has come into the history.
    let to = through.min(pruned + PIECE);
    let to = to.min(roll::through(connection, Sequence::new(to))?.get());
    connection
        .prepare_cached("UPDATE pool SET pruned_through = ?1")?
        .execute([int(to)])?;
    // A commit's rows go together, and those of the last one stay: they are where the ledger goes on.
    if let Some(kept) = batches::commit_of(connection, Sequence::new(to).next())? {
        connection
            .prepare_cached("DELETE FROM batches WHERE first_sequence < ?1")?
            .execute([int(kept.first.get())])?;
    }
    // The newest template stays: numbers go on behind it.
    connection
        .prepare_cached(
            "DELETE FROM templates WHERE retired = 1 AND last_share <= ?1
                 AND id < (SELECT MAX(id) FROM templates)",
        )?
        .execute([int(to)])?;
    // Nobody asks any more whose the shares of these were, nor will history.
    connection
        .prepare_cached("UPDATE workers SET outlived = 1 WHERE gone_after <= ?1 AND outlived = 0")?
        .execute([int(to)])?;
    connection
        .prepare_cached(
            "DELETE FROM workers WHERE outlived = 1
                 AND gone_after < COALESCE((SELECT MIN(first_share) FROM open_minutes), gone_after + 1)",
        )?
        .execute([])?;
    Ok(to < through)
}
