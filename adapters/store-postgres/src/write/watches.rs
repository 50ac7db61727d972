//! Watch tokens: handing them out, and taking them back.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::{WatchRow, Written};

use super::Transaction;
use crate::error::{Outcome, conflict};
use crate::read::watches;
use crate::value::values;

impl Transaction<'_> {
    pub(super) fn add_watch(&self, watch: &WatchRow, most: u32) -> Outcome<Written> {
        match watches::watch(self.db, watch.id)? {
            Some(stored) if stored == *watch => return Ok(Written::Done),
            Some(_) => return Err(conflict(format!("watch token {} is another one", watch.id))),
            None => {}
        }
        self.db.execute(
            "DELETE FROM watches WHERE hotkey = $1 AND expires_at <= $2",
            values![&watch.hotkey, watch.created_at],
        )?;
        let sql = "SELECT COUNT(*) AS count FROM watches WHERE hotkey = $1";
        let count = self
            .db
            .always("watches", sql, values![&watch.hotkey], |cells| cells.u64("count"))?;
        if count >= u64::from(most) {
            return Ok(Written::WatchesFull);
        }
        let added = self.db.execute(
            "INSERT INTO watches (id, hotkey, name, created_at, expires_at)
             SELECT $1, hotkey, $3, $4, $5 FROM miners WHERE hotkey = $2",
            values![
                watch.id.as_bytes(),
                &watch.hotkey,
                watch.name.as_str(),
                watch.created_at,
                watch.expires_at
            ],
        )?;
        Ok(match added {
            0 => Written::NoMiner,
            _ => Written::Done,
        })
    }

    pub(super) fn remove_watch(&self, hotkey: &Hotkey, id: WatchId) -> Outcome<Written> {
        let removed = self.db.execute(
            "DELETE FROM watches WHERE id = $1 AND hotkey = $2",
            values![id.as_bytes(), hotkey],
        )?;
        Ok(match removed {
            0 => Written::WatchUnknown,
            _ => Written::Done,
        })
    }
}
