//! Questions about watch tokens.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::WatchRow;
use dwarves_ports::store::codec::records;

use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;

pub(crate) fn watch(db: &Db, id: WatchId) -> Outcome<Option<WatchRow>> {
    let sql = "SELECT * FROM watches WHERE id = $1";
    db.one("watches", sql, values![id.as_bytes()], records::watch)
}

pub(crate) fn of_miner(db: &Db, hotkey: &Hotkey) -> Outcome<Vec<WatchRow>> {
    let sql = "SELECT * FROM watches WHERE hotkey = $1 ORDER BY created_at, id";
    db.all("watches", sql, values![hotkey], records::watch)
}
