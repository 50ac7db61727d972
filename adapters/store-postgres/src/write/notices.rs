//! What people are to be told.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::NoticeId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::{MinerNoticeRow, NOTICES_KEPT, NoticeRow, ToMiner};

use super::Transaction;
use crate::error::Outcome;
use crate::value::values;

impl Transaction<'_> {
    pub(super) fn post_notice(&self, row: &NoticeRow) -> Outcome<()> {
        let posted = self.db.one(
            "notices",
            "INSERT INTO notices (id, key, kind, at, text, detail, planned)
             VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM notices), $1, $2, $3, $4, $5, false)
             ON CONFLICT (key) DO NOTHING RETURNING id",
            values![&row.key, row.kind.name(), row.at, &row.text, &row.detail],
            |cells| cells.u64("id"),
        )?;
        if let Some(newest) = posted {
            // The newest stays in any case, so that numbers only go up.
            self.db.execute(
                "DELETE FROM notices WHERE id <= $1::bigint - $2::bigint AND id NOT IN (SELECT notice FROM deliveries)",
                values![newest, NOTICES_KEPT],
            )?;
        }
        Ok(())
    }

    pub(super) fn plan_notice(&self, notice: NoticeId, channels: &[(String, Timestamp)]) -> Outcome<()> {
        let plan = "UPDATE notices SET planned = true WHERE id = $1 AND NOT planned";
        if self.db.execute(plan, values![notice])? == 0 {
            return Ok(());
        }
        for (channel, at) in channels {
            self.db.execute(
                "INSERT INTO deliveries (notice, channel, failures, next_at) VALUES ($1, $2, 0, $3)
                 ON CONFLICT (notice, channel) DO NOTHING",
                values![notice, channel, *at],
            )?;
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
            Some((failures, at)) => self.db.execute(
                "UPDATE deliveries SET failures = $3, next_at = $4 WHERE notice = $1 AND channel = $2",
                values![notice, channel, failures, at],
            )?,
            None => self.db.execute(
                "DELETE FROM deliveries WHERE notice = $1 AND channel = $2",
                values![notice, channel],
            )?,
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
                self.db
                    .execute(&format!("DELETE FROM {table} WHERE hotkey = $1"), values![hotkey])?;
            }
            return Ok(());
        };
        self.db.execute(
            "INSERT INTO subscriptions (hotkey, record) SELECT hotkey, $2 FROM miners WHERE hotkey = $1
             ON CONFLICT (hotkey) DO UPDATE SET record = excluded.record",
            values![hotkey, record],
        )?;
        Ok(())
    }

    fn post_miner_notice(&self, row: &MinerNoticeRow) -> Outcome<()> {
        self.db.execute(
            "INSERT INTO miner_notices (hotkey, channel, key, kind, at, text, detail, failures, next_at)
             SELECT hotkey, $2, $3, $4, $5, $6, $7, $8, $9 FROM subscriptions WHERE hotkey = $1
             ON CONFLICT (hotkey, channel, key) DO NOTHING",
            values![
                &row.hotkey,
                &row.channel,
                &row.key,
                row.kind.name(),
                row.at,
                &row.text,
                &row.detail,
                row.failures,
                row.next_at,
            ],
        )?;
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
            Some((failures, at)) => self.db.execute(
                "UPDATE miner_notices SET failures = $4, next_at = $5 WHERE hotkey = $1 AND channel = $2 AND key = $3",
                values![hotkey, channel, key, failures, at],
            )?,
            None => self.db.execute(
                "DELETE FROM miner_notices WHERE hotkey = $1 AND channel = $2 AND key = $3",
                values![hotkey, channel, key],
            )?,
        };
        Ok(())
    }
}
