//! What people are to be told.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::NoticeId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{MinerNoticeRow, NOTICES_KEPT, NoticeRow, ToMiner};
use rusqlite::params;

use super::Transaction;
use crate::columns::int;
use crate::error::Outcome;

impl Transaction<'_> {
    pub(super) fn post_notice(&self, row: &NoticeRow) -> Outcome<()> {
        let insert =
            "INSERT INTO notices (key, kind, at, text, detail, planned) VALUES (?1, ?2, ?3, ?4, ?5, 0)
             ON CONFLICT (key) DO NOTHING";
        let posted = self.statement(insert)?.execute(params![
            row.key,
            row.kind.name(),
            row.at.millis(),
            row.text,
            row.detail
        ])?;
        if posted > 0 {
            // The newest stays in any case, so that numbers only go up.
            let delete = "DELETE FROM notices WHERE id <= ?1 - ?2
                 AND id NOT IN (SELECT notice FROM deliveries)";
            let newest = self.connection.last_insert_rowid();
            self.statement(delete)?
                .execute(params![newest, int(NOTICES_KEPT)])?;
        }
        Ok(())
    }

    pub(super) fn plan_notice(&self, notice: NoticeId, channels: &[(String, Timestamp)]) -> Outcome<()> {
        let plan = "UPDATE notices SET planned = 1 WHERE id = ?1 AND planned = 0";
        if self.statement(plan)?.execute([int(notice.get())])? == 0 {
            return Ok(());
        }
        let insert = "INSERT INTO deliveries (notice, channel, failures, next_at) VALUES (?1, ?2, 0, ?3)
             ON CONFLICT (notice, channel) DO NOTHING";
        for (channel, at) in channels {
            self.statement(insert)?
                .execute(params![int(notice.get()), channel, at.millis()])?;
        }
        Ok(())
    }

    pub(super) fn settle_delivery(
        &self,
        notice: NoticeId,
        channel: &str,
        again: Option<(u32, Timestamp)>,
    ) -> Outcome<()> {
        match again {
            Some((failures, at)) => self
                .statement(
                    "UPDATE deliveries SET failures = ?3, next_at = ?4 WHERE notice = ?1 AND channel = ?2",
                )?
                .execute(params![int(notice.get()), channel, failures, at.millis()])?,
            None => self
                .statement("DELETE FROM deliveries WHERE notice = ?1 AND channel = ?2")?
                .execute(params![int(notice.get()), channel])?,
        };
        Ok(())
    }

    pub(super) fn tell_miner(&self, write: &ToMiner) -> Outcome<()> {
        match write {
            ToMiner::Subscribe { hotkey, record } => self.save_subscription(hotkey, record.as_deref()),
            ToMiner::Post(row) => self.post_miner_notice(row),
            ToMiner::Settle {
                hotkey,
                channel,
                key,
                again,
            } => self.settle_miner_notice(hotkey, channel, key, *again),
        }
    }

    fn save_subscription(&self, hotkey: &Hotkey, record: Option<&str>) -> Outcome<()> {
        let Some(record) = record else {
            for table in ["miner_notices", "subscriptions"] {
                self.statement(&format!("DELETE FROM {table} WHERE hotkey = ?1"))?
                    .execute([hotkey.as_bytes()])?;
            }
            return Ok(());
        };
        let upsert = "INSERT INTO subscriptions (hotkey, record)
             SELECT hotkey, ?2 FROM miners WHERE hotkey = ?1
             ON CONFLICT (hotkey) DO UPDATE SET record = excluded.record";
        self.statement(upsert)?
            .execute(params![hotkey.as_bytes(), record])?;
        Ok(())
    }

    fn post_miner_notice(&self, row: &MinerNoticeRow) -> Outcome<()> {
        let insert =
            "INSERT INTO miner_notices (hotkey, channel, key, kind, at, text, detail, failures, next_at)
             SELECT hotkey, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM subscriptions WHERE hotkey = ?1
             ON CONFLICT (hotkey, channel, key) DO NOTHING";
        self.statement(insert)?.execute(params![
            row.hotkey.as_bytes(),
            row.channel,
            row.key,
            row.kind.name(),
            row.at.millis(),
            row.text,
            row.detail,
            row.failures,
            row.next_at.millis(),
        ])?;
        Ok(())
    }

    fn settle_miner_notice(
        &self,
        hotkey: &Hotkey,
        channel: &str,
        key: &str,
        again: Option<(u32, Timestamp)>,
    ) -> Outcome<()> {
        match again {
            Some((failures, at)) => self
                .statement(
                    "UPDATE miner_notices SET failures = ?4, next_at = ?5
                     WHERE hotkey = ?1 AND channel = ?2 AND key = ?3",
                )?
                .execute(params![hotkey.as_bytes(), channel, key, failures, at.millis()])?,
            None => self
                .statement("DELETE FROM miner_notices WHERE hotkey = ?1 AND channel = ?2 AND key = ?3")?
                .execute(params![hotkey.as_bytes(), channel, key])?,
        };
        Ok(())
    }
}
