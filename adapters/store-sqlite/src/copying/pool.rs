//! The one row of what there is once.

use dwarves_ports::store::copying::tables::POOL;
use dwarves_ports::store::copying::{Datum, Key, Row};
use rusqlite::{Connection, params};

use super::Given;
use crate::columns::Cells;
use crate::error::Outcome;
use crate::packed_history::{self, Steps};

/// The first hour of which nobody has counted miners and workers yet: that of the first open minute, and without one the
/// hour behind all.
const COUNTED_TO: &str = "COALESCE((SELECT MIN(at) / 3600 * 3600 FROM open_minutes),
    (SELECT MAX(at) + 3600 FROM pool_history WHERE step = 3600), 0)";

/// The row, if it is not the one behind which to go on.
pub(super) fn read(connection: &Connection, after: Option<&Key>) -> Outcome<Vec<Row>> {
    if after.is_some() {
        return Ok(Vec::new());
    }
    let columns = POOL.columns.iter().map(|column| match column.name {
        "counted_to" => format!("{COUNTED_TO} AS counted_to"),
        name => name.to_owned(),
    });
    let sql = format!("SELECT {} FROM pool", columns.collect::<Vec<_>>().join(", "));
    let row = connection.query_row(&sql, [], |row| {
        let cells = Cells::new(row, "pool");
        let read = || -> Outcome<Row> {
            let places = 0..POOL.columns.len();
            let read = places.map(|place| {
                let number = cells.optional(place, |cells, place| cells.int(place))?;
                Ok(number.map_or(Datum::Null, Datum::Int))
            });
            read.collect()
        };
        Ok(read())
    })??;
    Ok(vec![row])
}

/// Writes it over the row of a new ledger. What is pruned is not asked to be pruned again, and no hour is being moved.
pub(super) fn write(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    for row in rows {
        let mut sets = vec![
            "prune_through = ?7".to_owned(),
            "moving_hour = NULL".to_owned(),
            "moving_worker = 0".to_owned(),
        ];
        let mut values = Vec::new();
        for (column, datum) in POOL.columns.iter().zip(row) {
            values.push(datum.as_int());
            if !["id", "counted_to"].contains(&column.name) {
                sets.push(format!("{} = ?{}", column.name, values.len()));
            }
        }
        debug_assert_eq!(POOL.columns[6].name, "pruned_through");
        let sql = format!(
            "UPDATE pool SET {} WHERE id = ?1 AND ?12 IS NOT NULL",
            sets.join(", ")
        );
        connection.execute(&sql, rusqlite::params_from_iter(values))?;
        // An hour whose miners and workers are to be counted is one with an open minute, also if that is empty.
        let given = Given::new(&POOL, row);
        connection.execute(
            "INSERT INTO open_minutes (at, first_share, workers) VALUES (?1, ?2, ?3)",
            params![
                given.int(11)?,
                given.int(7)?.saturating_add(1),
                packed_history::pack(&Steps::new())
            ],
        )?;
    }
    Ok(())
}
