//! History that is older than it is kept goes: little by little, so that no commit waits for it.

use dwarves_domain::history::Step;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::moving::{Table, known_number};
use super::{Marks, secs};
use crate::columns::{Cells, all, int};
use crate::error::Outcome;

/// Rows of a table that are deleted in one transaction.
const ROWS: u32 = 2_000;

/// Notes from when on steps are kept.
pub(crate) fn ask(
    connection: &Connection,
    minutes: Timestamp,
    hours: Timestamp,
    days: Timestamp,
) -> Outcome<()> {
    connection
        .prepare_cached(
            "UPDATE pool SET minutes_from = MAX(minutes_from, ?1), hours_from = MAX(hours_from, ?2),
                 days_from = MAX(days_from, ?3)
             WHERE minutes_from < ?1 OR hours_from < ?2 OR days_from < ?3",
        )?
        .execute(params![
            secs(Step::Minute.row_begin(minutes)),
            secs(Step::Hour.row_begin(hours)),
            secs(Step::Day.row_begin(days)),
        ])?;
    Ok(())
}

/// Deletes a little. Returns whether there is more to delete.
pub(crate) fn piece(connection: &Connection) -> Outcome<bool> {
    let marks = Marks::read(connection)?;
    let mut is_more = false;
    for step in Step::ALL {
        let from = marks.from(step);
        connection
            .prepare_cached("DELETE FROM pool_history WHERE step = ?1 AND at < ?2")?
            .execute(params![int(step.secs()), from])?;
        for (table, whose) in [("worker_history", "worker"), ("miner_history", "miner")] {
            let sql = format!(
                "DELETE FROM {table} WHERE span = ?1 AND at < ?2 AND (at, {whose}) IN
                    (SELECT at, {whose} FROM {table} WHERE span = ?1 AND at < ?2 ORDER BY at, {whose} LIMIT ?3)"
            );
            let deleted =
                connection
                    .prepare_cached(&sql)?
                    .execute(params![int(step.row().secs()), from, ROWS])?;
            is_more |= deleted == ROWS as usize;
        }
    }
    Ok(is_more)
}

/// Forgets a miner that is removed, with all of its workers. What is still in open minutes, or not in the history yet, is
/// nobody's from now on.
pub(crate) fn remove(connection: &Connection, hotkey: &Hotkey) -> Outcome<()> {
    let sql = "UPDATE workers SET removed = 1 WHERE hotkey = ?1 AND removed = 0 RETURNING id";
    let workers = all(connection, sql, [hotkey.as_bytes()], |row| {
        Cells::new(row, "workers").u64("id")
    })?;
    for worker in workers {
        Table::WORKERS.delete(connection, worker)?;
    }
    if let Some(number) = known_number(connection, hotkey)? {
        Table::MINERS.delete(connection, number)?;
        connection
            .prepare_cached("DELETE FROM history_miners WHERE number = ?1")?
            .execute([int(number)])?;
    }
    Ok(())
}
