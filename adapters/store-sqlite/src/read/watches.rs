//! Questions about watch tokens.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::WatchRow;
use dwarves_ports::store::codec::records;
use rusqlite::{Connection, Row};

use crate::columns::{Cells, all};
use crate::error::Outcome;

fn row_of(row: &Row<'_>) -> Outcome<WatchRow> {
    records::watch(&Cells::new(row, "watches"))
}

pub(crate) fn watch(connection: &Connection, id: WatchId) -> Outcome<Option<WatchRow>> {
    let sql = "SELECT * FROM watches WHERE id = ?1";
    let mut found = all(connection, sql, [id.as_bytes()], row_of)?;
    Ok(found.pop())
}

pub(crate) fn of_miner(connection: &Connection, hotkey: &Hotkey) -> Outcome<Vec<WatchRow>> {
    let sql = "SELECT * FROM watches WHERE hotkey = ?1 ORDER BY created_at, id";
    all(connection, sql, [hotkey.as_bytes()], row_of)
}
