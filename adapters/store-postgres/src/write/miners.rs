//! Miners, workers, bans, nonces and counters.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::{Cells as _, rows};
use dwarves_ports::store::{BanRow, CounterRow, WorkerRow, Written};

use super::{Transaction, expect_stored};
use crate::error::{Outcome, conflict, corrupt};
use crate::history::{forgetting, roll};
use crate::value::values;

impl Transaction<'_> {
    pub(super) fn register_miner(
        &mut self,
        hotkey: &Hotkey,
        payout_address: Option<&str>,
        at: Timestamp,
    ) -> Outcome<Written> {
        let is_new = self.db.execute(
            "INSERT INTO miners (hotkey, registered_at, payout_address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            values![hotkey, at, payout_address],
        )? == 1;
        if !is_new && payout_address.is_some() {
            self.db.execute(
                "UPDATE miners SET payout_address = $2 WHERE hotkey = $1",
                values![hotkey, payout_address],
            )?;
        }
        let sql = "SELECT registered_at, payout_address FROM miners WHERE hotkey = $1";
        self.db.always("miners", sql, values![hotkey], |cells| {
            Ok(Written::Miner {
                is_new,
                registered_at: cells.time("registered_at")?,
                payout_address: cells.optional("payout_address", |cells, column| cells.string(column))?,
            })
        })
    }

    pub(super) fn add_worker(&mut self, worker: &WorkerRow) -> Outcome<()> {
        let sql = "SELECT hotkey, name, gone_after IS NOT NULL AS gone FROM workers WHERE id = $1";
        let is_same = self.db.one("workers", sql, values![worker.id], |cells| {
            let is_theirs = cells.hotkey("hotkey")? == worker.hotkey;
            Ok(is_theirs && !cells.flag("gone")? && cells.text("name")? == worker.name.as_str())
        })?;
        match is_same {
            Some(true) => return Ok(()),
            Some(false) => return Err(conflict(format!("worker {} is another one", worker.id))),
            None => {}
        }
        let added = self.db.execute(
            "INSERT INTO workers (id, hotkey, name) SELECT $1, hotkey, $3 FROM miners WHERE hotkey = $2",
            values![worker.id, &worker.hotkey, worker.name.as_str()],
        )?;
        expect_stored(added, || format!("the miner of worker {}", worker.id))?;
        self.known.add_worker(worker.id);
        Ok(())
    }

    pub(super) fn retire_workers(&mut self, workers: &[(WorkerId, CounterRow)]) -> Outcome<()> {
        let tail = self.known.place.tail.sequence;
        for (id, counters) in workers {
            let sql =
                "UPDATE workers SET gone_after = $2 WHERE id = $1 AND gone_after IS NULL RETURNING hotkey";
            let hotkey = self
                .db
                .one("workers", sql, values![*id, tail], |cells| cells.hotkey("hotkey"))?;
            let Some(hotkey) = hotkey else {
                continue;
            };
            self.known.take_worker_out(*id);
            let sum = self.totals_of(&hotkey)?.plus(counters);
            let sum = sum.ok_or_else(|| corrupt("miner_totals.units: their sum does not fit"))?;
            self.save_totals(&hotkey, &sum)?;
        }
        Ok(())
    }

    fn totals_of(&self, hotkey: &Hotkey) -> Outcome<CounterRow> {
        let sql = "SELECT * FROM miner_totals WHERE hotkey = $1";
        let totals = self
            .db
            .one("miner_totals", sql, values![hotkey], rows::counters)?;
        Ok(totals.unwrap_or_default())
    }

    fn save_totals(&self, hotkey: &Hotkey, totals: &CounterRow) -> Outcome<()> {
        let [unknown, stale, duplicate, low, time, version] = totals.rejected;
        self.db.execute(
            "INSERT INTO miner_totals (hotkey, accepted, rejected_unknown_job, rejected_stale, rejected_duplicate,
                 rejected_low_difficulty, rejected_time_out_of_range, rejected_version_out_of_mask, units, blocks,
                 last_share_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (hotkey) DO UPDATE SET accepted = excluded.accepted,
                 rejected_unknown_job = excluded.rejected_unknown_job, rejected_stale = excluded.rejected_stale,
                 rejected_duplicate = excluded.rejected_duplicate,
                 rejected_low_difficulty = excluded.rejected_low_difficulty,
                 rejected_time_out_of_range = excluded.rejected_time_out_of_range,
                 rejected_version_out_of_mask = excluded.rejected_version_out_of_mask,
                 units = excluded.units, blocks = excluded.blocks, last_share_at = excluded.last_share_at",
            values![
                hotkey,
                totals.accepted,
                unknown,
                stale,
                duplicate,
                low,
                time,
                version,
                totals.units,
                totals.blocks,
                totals.last_share_at,
            ],
        )?;
        Ok(())
    }

    pub(super) fn remove_miner(&mut self, hotkey: &Hotkey) -> Outcome<Written> {
        let [immature, payable, in_flight] = [Balance::Immature, Balance::Payable, Balance::InFlight]
            .map(|balance| Account::Miner(*hotkey, balance).code());
        let is_kept = self.db.exists(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM balances WHERE hotkey = $1 AND amount <> 0
                     AND account IN ($2, $3, $4))
                 OR EXISTS (SELECT 1 FROM payout_parts JOIN payouts ON payouts.id = payout_parts.payout
                     WHERE payout_parts.hotkey = $1 AND payouts.is_watched)",
            values![hotkey, immature, payable, in_flight],
        )?;
        if is_kept {
            return Ok(Written::MinerKept);
        }
        let tail = self.known.place.tail.sequence;
        let gone = self.db.all(
            "workers",
            "UPDATE workers SET gone_after = $2 WHERE hotkey = $1 AND gone_after IS NULL RETURNING id",
            values![hotkey, tail],
            |cells| cells.worker("id"),
        )?;
        for id in gone {
            self.known.take_worker_out(id);
        }
        forgetting::remove(self.db, hotkey)?;
        for table in [
            "miner_totals",
            "payout_thresholds",
            "submissions",
            "watches",
            "miner_notices",
            "subscriptions",
            "miners",
        ] {
            self.db
                .execute(&format!("DELETE FROM {table} WHERE hotkey = $1"), values![hotkey])?;
        }
        Ok(Written::Done)
    }

    pub(super) fn ban(&mut self, hotkey: &Hotkey, ban: &BanRow) -> Outcome<()> {
        self.db.execute(
            "INSERT INTO bans (hotkey, reason, ends_at) VALUES ($1, $2, $3)
             ON CONFLICT (hotkey) DO UPDATE SET reason = excluded.reason, ends_at = excluded.ends_at",
            values![hotkey, &ban.reason, ban.until],
        )?;
        Ok(())
    }

    pub(super) fn unban(&mut self, hotkey: &Hotkey) -> Outcome<()> {
        self.db
            .execute("DELETE FROM bans WHERE hotkey = $1", values![hotkey])?;
        Ok(())
    }

    pub(super) fn use_nonce(
        &mut self,
        hotkey: &Hotkey,
        nonce: u64,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Outcome<Written> {
        self.db
            .execute("DELETE FROM nonces WHERE expires_at < $1", values![now])?;
        let inserted = self.db.execute(
            "INSERT INTO nonces (hotkey, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            values![hotkey, nonce.cast_signed(), expires_at],
        )?;
        Ok(match inserted {
            0 => Written::NonceUsed,
            _ => Written::Done,
        })
    }

    pub(super) fn save_counters(
        &mut self,
        at: Timestamp,
        through: Sequence,
        counters: &[(WorkerId, CounterRow)],
    ) -> Outcome<()> {
        let newer = "UPDATE pool SET counters_through = $1 WHERE counters_through <= $1";
        if self.db.execute(newer, values![through])? == 0 {
            return Ok(());
        }
        let mut history = Vec::new();
        for (id, counter) in counters {
            if counter.rejected.iter().any(|count| *count > 0) {
                let sql = "SELECT * FROM workers WHERE id = $1 AND gone_after IS NULL";
                let known = self.db.one("workers", sql, values![*id], rows::counters)?;
                if let Some(known) = known {
                    let mut more = counter.rejected;
                    for (more, known) in more.iter_mut().zip(known.rejected) {
                        *more = more.saturating_sub(known);
                    }
                    if more.iter().any(|count| *count > 0) {
                        history.push((*id, more));
                        self.keep_rejected(at, *id, &more)?;
                    }
                }
            }
            let [unknown, stale, duplicate, low, time, version] = counter.rejected;
            let changed = self.db.execute(
                "UPDATE workers SET accepted = $2, last_share_at = $3, rejected_unknown_job = $4,
                     rejected_stale = $5, rejected_duplicate = $6, rejected_low_difficulty = $7,
                     rejected_time_out_of_range = $8, rejected_version_out_of_mask = $9, units = $10, blocks = $11
                 WHERE id = $1",
                values![
                    *id,
                    counter.accepted,
                    counter.last_share_at,
                    unknown,
                    stale,
                    duplicate,
                    low,
                    time,
                    version,
                    counter.units,
                    counter.blocks,
                ],
            )?;
            expect_stored(changed, || format!("worker {id}, whose counters are saved,"))?;
        }
        roll::add_rejected(self.db, at, &history)
    }
}
