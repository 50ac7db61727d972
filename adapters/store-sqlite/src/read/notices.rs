//! Questions about what people are to be told.

use dwarves_domain::ids::NoticeId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::records;
use dwarves_ports::store::{DeliveryRow, MinerNoticeRow, NoticeRow, SubscriptionRow};
use rusqlite::{Connection, Row, params};

use crate::columns::{Cells, all, int};
use crate::error::Outcome;

fn notice(row: &Row<'_>) -> Outcome<NoticeRow> {
    records::notice(&Cells::new(row, "notices"))
}

pub(crate) fn unplanned(connection: &Connection, limit: u32) -> Outcome<Vec<NoticeRow>> {
    let sql = "SELECT * FROM notices WHERE planned = 0 ORDER BY id LIMIT ?1";
    all(connection, sql, [limit], notice)
}

pub(crate) fn since(connection: &Connection, at: Timestamp, limit: u32) -> Outcome<Vec<NoticeRow>> {
    let sql = "SELECT * FROM notices WHERE at >= ?1 ORDER BY at, id LIMIT ?2";
    all(connection, sql, params![at.millis(), limit], notice)
}

pub(crate) fn after(connection: &Connection, after: NoticeId, limit: u32) -> Outcome<Vec<NoticeRow>> {
    let sql = "SELECT * FROM notices WHERE id > ?1 ORDER BY id LIMIT ?2";
    all(connection, sql, params![int(after.get()), limit], notice)
}

pub(crate) fn subscriptions(connection: &Connection) -> Outcome<Vec<SubscriptionRow>> {
    let sql = "SELECT * FROM subscriptions ORDER BY hotkey";
    all(connection, sql, [], |row| {
        let cells = Cells::new(row, "subscriptions");
        Ok(SubscriptionRow {
            hotkey: cells.hotkey("hotkey")?,
            record: cells.text("record")?.to_owned(),
        })
    })
}

pub(crate) fn of_miners(connection: &Connection) -> Outcome<Vec<MinerNoticeRow>> {
    let sql = "SELECT * FROM miner_notices ORDER BY at, hotkey, channel, key";
    all(connection, sql, [], |row| {
        records::miner_notice(&Cells::new(row, "miner_notices"))
    })
}

pub(crate) fn deliveries(connection: &Connection, limit: u32) -> Outcome<Vec<DeliveryRow>> {
    let sql = "SELECT notices.*, channel, failures, next_at
               FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY channel ORDER BY next_at, notice) AS place
                     FROM deliveries) AS placed
               JOIN notices ON notices.id = placed.notice
               WHERE place <= ?1 ORDER BY next_at, notices.id, channel";
    all(connection, sql, [limit], |row| {
        let cells = Cells::new(row, "deliveries");
        Ok(DeliveryRow {
            notice: notice(row)?,
            channel: cells.text("channel")?.to_owned(),
            failures: cells.u32("failures")?,
            next_at: cells.time("next_at")?,
        })
    })
}
