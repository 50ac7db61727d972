//! Questions about what people are to be told.

use dwarves_domain::ids::NoticeId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::{Cells as _, records};
use dwarves_ports::store::{DeliveryRow, MinerNoticeRow, NoticeRow, SubscriptionRow};

use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;

pub(crate) fn unplanned(db: &Db, limit: u32) -> Outcome<Vec<NoticeRow>> {
    let sql = "SELECT * FROM notices WHERE NOT planned ORDER BY id LIMIT $1";
    db.all("notices", sql, values![limit], records::notice)
}

pub(crate) fn since(db: &Db, at: Timestamp, limit: u32) -> Outcome<Vec<NoticeRow>> {
    let sql = "SELECT * FROM notices WHERE at >= $1 ORDER BY at, id LIMIT $2";
    db.all("notices", sql, values![at, limit], records::notice)
}

pub(crate) fn after(db: &Db, after: NoticeId, limit: u32) -> Outcome<Vec<NoticeRow>> {
    let sql = "SELECT * FROM notices WHERE id > $1 ORDER BY id LIMIT $2";
    db.all("notices", sql, values![after, limit], records::notice)
}

pub(crate) fn subscriptions(db: &Db) -> Outcome<Vec<SubscriptionRow>> {
    let sql = "SELECT * FROM subscriptions ORDER BY hotkey";
    db.all("subscriptions", sql, &[], |cells| {
        Ok(SubscriptionRow {
            hotkey: cells.hotkey("hotkey")?,
            record: cells.string("record")?,
        })
    })
}

pub(crate) fn of_miners(db: &Db) -> Outcome<Vec<MinerNoticeRow>> {
    let sql = "SELECT * FROM miner_notices ORDER BY at, hotkey, channel, key";
    db.all("miner_notices", sql, &[], records::miner_notice)
}

pub(crate) fn deliveries(db: &Db, limit: u32) -> Outcome<Vec<DeliveryRow>> {
    let sql = "SELECT notices.*, channel, failures, next_at
               FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY channel ORDER BY next_at, notice) AS place
                     FROM deliveries) AS placed
               JOIN notices ON notices.id = placed.notice
               WHERE place <= $1 ORDER BY next_at, notices.id, channel";
    db.all("deliveries", sql, values![limit], |cells| {
        Ok(DeliveryRow {
            notice: records::notice(cells)?,
            channel: cells.string("channel")?,
            failures: cells.u32("failures")?,
            next_at: cells.time("next_at")?,
        })
    })
}
