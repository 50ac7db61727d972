//! Watch tokens: handing them out, and taking them back.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::{WatchRow, Written};
use rusqlite::params;

use super::Transaction;
use crate::error::{Outcome, conflict};
use crate::read::watches;

impl Transaction<'_> {
    pub(super) fn add_watch(&self, watch: &WatchRow, most: u32) -> Outcome<Written> {
        match watches::watch(self.connection, watch.id)? {
            Some(stored) if stored == *watch => return Ok(Written::Done),
            Some(_) => return Err(conflict(format!("watch token {} is another one", watch.id))),
            None => {}
        }
        self.statement("DELETE FROM watches WHERE hotkey = ?1 AND expires_at <= ?2")?
            .execute(params![watch.hotkey.as_bytes(), watch.created_at.millis()])?;
        let count: u32 = self
            .statement("SELECT COUNT(*) FROM watches WHERE hotkey = ?1")?
            .query_row([watch.hotkey.as_bytes()], |row| row.get(0))?;
        if count >= most {
            return Ok(Written::WatchesFull);
        }
        let insert = "INSERT INTO watches (id, hotkey, name, created_at, expires_at)
             SELECT ?1, hotkey, ?3, ?4, ?5 FROM miners WHERE hotkey = ?2";
        let added = self.statement(insert)?.execute(params![
            watch.id.as_bytes(),
            watch.hotkey.as_bytes(),
            watch.name.as_str(),
            watch.created_at.millis(),
            watch.expires_at.map(Timestamp::millis),
        ])?;
        Ok(match added {
            0 => Written::NoMiner,
            _ => Written::Done,
        })
    }

    pub(super) fn remove_watch(&self, hotkey: &Hotkey, id: WatchId) -> Outcome<Written> {
        let removed = self
            .statement("DELETE FROM watches WHERE id = ?1 AND hotkey = ?2")?
            .execute(params![id.as_bytes(), hotkey.as_bytes()])?;
        Ok(match removed {
            0 => Written::WatchUnknown,
            _ => Written::Done,
        })
    }
}
