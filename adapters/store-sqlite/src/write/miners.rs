//! Miners, workers, bans, nonces and counters.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{BanRow, CounterRow, WorkerRow, Written};
use rusqlite::{OptionalExtension, params};

use super::{Transaction, expect_stored};
use crate::columns::{Cells, int, units};
use crate::error::{Outcome, conflict, corrupt};
use crate::history::{forgetting, roll};
use crate::packed_history::Steps;
use crate::row_codec;

impl Transaction<'_> {
    pub(super) fn register_miner(
        &mut self,
        hotkey: &Hotkey,
        payout_address: Option<&str>,
        at: Timestamp,
    ) -> Outcome<Written> {
        let insert = "INSERT INTO miners (hotkey, registered_at, payout_address) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING";
        let row = params![hotkey.as_bytes(), at.millis(), payout_address];
        let is_new = self.statement(insert)?.execute(row)? == 1;
        if !is_new && payout_address.is_some() {
            self.statement("UPDATE miners SET payout_address = ?2 WHERE hotkey = ?1")?
                .execute(params![hotkey.as_bytes(), payout_address])?;
        }
        let mut select =
            self.statement("SELECT registered_at, payout_address FROM miners WHERE hotkey = ?1")?;
        select.query_row([hotkey.as_bytes()], |row| {
            let cells = Cells::new(row, "miners");
            let read = || {
                Ok(Written::Miner {
                    is_new,
                    registered_at: cells.time("registered_at")?,
                    payout_address: cells
                        .optional("payout_address", |cells, column| cells.text(column))?
                        .map(str::to_owned),
                })
            };
            Ok(read())
        })?
    }

    pub(super) fn add_worker(&mut self, worker: &WorkerRow) -> Outcome<()> {
        let mut select = self.statement("SELECT hotkey, name, gone_after FROM workers WHERE id = ?1")?;
        let is_same = |row: &rusqlite::Row<'_>| {
            let cells = Cells::new(row, "workers");
            let read = || -> Outcome<bool> {
                let is_theirs = cells.hotkey("hotkey")? == worker.hotkey;
                let gone = cells.optional("gone_after", |cells, column| cells.sequence(column))?;
                Ok(is_theirs && gone.is_none() && cells.text("name")? == worker.name.as_str())
            };
            Ok(read())
        };
        match select
            .query_row([worker.id.get()], is_same)
            .optional()?
            .transpose()?
        {
            Some(true) => return Ok(()),
            Some(false) => return Err(conflict(format!("worker {} is another one", worker.id))),
            None => {}
        }
        let insert = "INSERT INTO workers (id, hotkey, name)
             SELECT ?1, hotkey, ?3 FROM miners WHERE hotkey = ?2";
        let row = params![worker.id.get(), worker.hotkey.as_bytes(), worker.name.as_str()];
        let added = self.statement(insert)?.execute(row)?;
        expect_stored(added, || format!("the miner of worker {}", worker.id))?;
        self.known.add_worker(worker.id);
        Ok(())
    }

    pub(super) fn retire_workers(&mut self, workers: &[(WorkerId, CounterRow)]) -> Outcome<()> {
        let tail = self.known.tail.sequence;
        let mut retire = self.statement(
            "UPDATE workers SET gone_after = ?2 WHERE id = ?1 AND gone_after IS NULL RETURNING hotkey",
        )?;
        for (id, counters) in workers {
            let hotkey = retire
                .query_row(params![id.get(), int(tail.get())], |row| {
                    Ok(Cells::new(row, "workers").hotkey("hotkey"))
                })
                .optional()?
                .transpose()?;
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
        let mut select = self.statement("SELECT * FROM miner_totals WHERE hotkey = ?1")?;
        let totals = select.query_row([hotkey.as_bytes()], |row| {
            Ok(row_codec::counters(&Cells::new(row, "miner_totals")))
        });
        Ok(totals.optional()?.transpose()?.unwrap_or_default())
    }

    fn save_totals(&self, hotkey: &Hotkey, totals: &CounterRow) -> Outcome<()> {
        let [unknown, stale, duplicate, low, time, version] = totals.rejected.map(int);
        self.statement(
            "REPLACE INTO miner_totals (hotkey, accepted, rejected_unknown_job, rejected_stale, rejected_duplicate,
                 rejected_low_difficulty, rejected_time_out_of_range, rejected_version_out_of_mask, units, blocks,
                 last_share_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
            .execute(params![
                hotkey.as_bytes(),
                int(totals.accepted),
                unknown,
                stale,
                duplicate,
                low,
                time,
                version,
                units(totals.units),
                int(totals.blocks),
                totals.last_share_at.map(Timestamp::millis),
            ])?;
        Ok(())
    }

    pub(super) fn remove_miner(&mut self, hotkey: &Hotkey) -> Outcome<Written> {
        let owes = "SELECT EXISTS (SELECT 1 FROM balances WHERE hotkey = ?1 AND amount <> 0
                        AND account IN (?2, ?3, ?4))
                    OR EXISTS (SELECT 1 FROM payout_parts JOIN payouts ON payouts.id = payout_parts.payout
                        WHERE payout_parts.hotkey = ?1 AND payouts.is_watched = 1)";
        let [immature, payable, in_flight] = [Balance::Immature, Balance::Payable, Balance::InFlight]
            .map(|balance| Account::Miner(*hotkey, balance).code());
        let is_kept: bool = self
            .statement(owes)?
            .query_row(params![hotkey.as_bytes(), immature, payable, in_flight], |row| {
                row.get(0)
            })?;
        if is_kept {
            return Ok(Written::MinerKept);
        }
        let tail = self.known.tail.sequence;
        let retire =
            "UPDATE workers SET gone_after = ?2 WHERE hotkey = ?1 AND gone_after IS NULL RETURNING id";
        let mut retire = self.statement(retire)?;
        let mut rows = retire.query(params![hotkey.as_bytes(), int(tail.get())])?;
        while let Some(row) = rows.next()? {
            let id = Cells::new(row, "workers").worker("id")?;
            self.known.take_worker_out(id);
        }
        forgetting::remove(self.connection, hotkey)?;
        for table in [
            "miner_totals",
            "payout_thresholds",
            "submissions",
            "watches",
            "miner_notices",
            "subscriptions",
            "miners",
        ] {
            self.statement(&format!("DELETE FROM {table} WHERE hotkey = ?1"))?
                .execute([hotkey.as_bytes()])?;
        }
        Ok(Written::Done)
    }

    pub(super) fn ban(&mut self, hotkey: &Hotkey, ban: &BanRow) -> Outcome<()> {
        self.statement(
            "INSERT INTO bans (hotkey, reason, ends_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (hotkey) DO UPDATE SET reason = excluded.reason, ends_at = excluded.ends_at",
        )?
        .execute(params![
            hotkey.as_bytes(),
            ban.reason,
            ban.until.map(Timestamp::millis)
        ])?;
        Ok(())
    }

    pub(super) fn unban(&mut self, hotkey: &Hotkey) -> Outcome<()> {
        self.statement("DELETE FROM bans WHERE hotkey = ?1")?
            .execute([hotkey.as_bytes()])?;
        Ok(())
    }

    pub(super) fn use_nonce(
        &mut self,
        hotkey: &Hotkey,
        nonce: u64,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Outcome<Written> {
        // Most of a commit are of one moment.
        if self.nonces_forgotten < Some(now) {
            self.statement("DELETE FROM nonces WHERE expires_at < ?1")?
                .execute([now.millis()])?;
            self.nonces_forgotten = Some(now);
        }
        let inserted = self
            .statement(
                "INSERT INTO nonces (hotkey, nonce, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                hotkey.as_bytes(),
                nonce.cast_signed(),
                expires_at.millis()
            ])?;
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
        let newer = "UPDATE pool SET counters_through = ?1 WHERE counters_through <= ?1";
        if self.statement(newer)?.execute([int(through.get())])? == 0 {
            return Ok(());
        }
        let mut update = self.statement(
            "UPDATE workers SET accepted = ?2, last_share_at = ?3, rejected_unknown_job = ?4,
                 rejected_stale = ?5, rejected_duplicate = ?6, rejected_low_difficulty = ?7,
                 rejected_time_out_of_range = ?8, rejected_version_out_of_mask = ?9, units = ?10, blocks = ?11
             WHERE id = ?1",
        )?;
        let mut before = self.statement("SELECT * FROM workers WHERE id = ?1 AND gone_after IS NULL")?;
        let mut history = Steps::new();
        for (id, counter) in counters {
            if counter.rejected.iter().any(|count| *count > 0) {
                let known = before.query_row([id.get()], |row| {
                    Ok(row_codec::counters(&Cells::new(row, "workers")))
                });
                if let Some(known) = known.optional()?.transpose()? {
                    let mut more = counter.rejected;
                    for (more, known) in more.iter_mut().zip(known.rejected) {
                        *more = more.saturating_sub(known);
                    }
                    if more.iter().any(|count| *count > 0) {
                        history
                            .entry(u64::from(id.get()))
                            .or_default()
                            .add_rejected(&more);
                        self.keep_rejected(at, *id, &more)?;
                    }
                }
            }
            let [unknown, stale, duplicate, low, time, version] = counter.rejected.map(int);
            let changed = update.execute(params![
                id.get(),
                int(counter.accepted),
                counter.last_share_at.map(Timestamp::millis),
                unknown,
                stale,
                duplicate,
                low,
                time,
                version,
                units(counter.units),
                int(counter.blocks),
            ])?;
            expect_stored(changed, || format!("worker {id}, whose counters are saved,"))?;
        }
        if !history.is_empty() {
            // A worker that is taken out in this very commit is gone after the last share, and is not to be forgotten before
            // its rejected ones are where they belong.
            roll::add_rejected(self.connection, at, self.known.tail.sequence, &history)?;
        }
        Ok(())
    }
}
