//! History that is older than it is kept goes: little by little, so that no commit waits for it.

use dwarves_domain::history::Step;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;

use super::Marks;
use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;

/// Rows of a table that are deleted in one transaction.
const ROWS: u32 = 5_000;

/// Notes from when on steps are kept.
pub(crate) fn ask(db: &Db, minutes: Timestamp, hours: Timestamp, days: Timestamp) -> Outcome<()> {
    db.execute(
        "UPDATE pool SET minutes_from = GREATEST(minutes_from, $1), hours_from = GREATEST(hours_from, $2),
             days_from = GREATEST(days_from, $3)
         WHERE minutes_from < $1 OR hours_from < $2 OR days_from < $3",
        values![
            Step::Minute.row_begin(minutes).secs(),
            Step::Hour.row_begin(hours).secs(),
            Step::Day.row_begin(days).secs(),
        ],
    )?;
    Ok(())
}

/// Deletes a little. Returns whether there is more to delete.
pub(crate) fn piece(db: &Db) -> Outcome<bool> {
    let marks = Marks::read(db)?;
    let mut is_more = false;
    for step in Step::ALL {
        for table in ["worker_history", "miner_history"] {
            let sql = format!(
                "DELETE FROM {table} WHERE ctid = ANY(ARRAY(
                     SELECT ctid FROM {table} WHERE step = $1 AND at < $2 LIMIT $3))"
            );
            let deleted = db.execute(&sql, values![step.secs(), marks.from(step), ROWS])?;
            is_more |= deleted == u64::from(ROWS);
        }
    }
    Ok(is_more)
}

/// Forgets a miner that is removed, with all of its workers. What is not in the history yet is nobody's from now on.
pub(crate) fn remove(db: &Db, hotkey: &Hotkey) -> Outcome<()> {
    db.execute(
        "WITH gone AS (UPDATE workers SET removed = true WHERE hotkey = $1 AND NOT removed RETURNING id)
         DELETE FROM worker_history WHERE whose IN (SELECT id FROM gone)",
        values![hotkey],
    )?;
    db.execute("DELETE FROM miner_history WHERE whose = $1", values![hotkey])?;
    Ok(())
}
