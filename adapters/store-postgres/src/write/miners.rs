//! Miners, workers, bans, nonces and counters.

use std::collections::{BTreeMap, HashSet};

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::share::Rejection;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::{Cells as _, int, rows};
use dwarves_ports::store::{BanRow, CounterRow, WorkerRow, Written};

use super::{Transaction, expect_stored};
use crate::error::{Outcome, conflict, corrupt};
use crate::history::{forgetting, roll};
use crate::value::{Number, Value, values};

/// A worker, and how many of its shares were rejected for each reason.
type Rejected = (WorkerId, [u64; Rejection::REASONS.len()]);

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

    /// Marks nonces as used, of requests of one moment: whose, which, and until when.
    pub(super) fn use_nonces(
        &mut self,
        nonces: &[(Hotkey, u64, Timestamp)],
        now: Timestamp,
    ) -> Outcome<Vec<Written>> {
        self.db
            .execute("DELETE FROM nonces WHERE expires_at < $1", values![now])?;
        let hotkeys: Vec<&[u8]> = nonces.iter().map(|(hotkey, ..)| &hotkey.as_bytes()[..]).collect();
        let numbers: Vec<i64> = nonces.iter().map(|(_, nonce, _)| nonce.cast_signed()).collect();
        let ends: Vec<i64> = nonces
            .iter()
            .map(|(.., expires_at)| expires_at.millis())
            .collect();
        let inserted = self.db.all(
            "nonces",
            "INSERT INTO nonces (hotkey, nonce, expires_at) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[])
             ON CONFLICT DO NOTHING RETURNING hotkey, nonce",
            values![Value::Other(&hotkeys), Value::Other(&numbers), Value::Other(&ends)],
            |cells| Ok((cells.hotkey("hotkey")?, cells.bits("nonce")?)),
        )?;
        let mut inserted: HashSet<(Hotkey, u64)> = inserted.into_iter().collect();
        // Of those that are the same the first is the one.
        let answers = nonces
            .iter()
            .map(|(hotkey, nonce, _)| match inserted.remove(&(*hotkey, *nonce)) {
                true => Written::Done,
                false => Written::NonceUsed,
            });
        Ok(answers.collect())
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
        // There may be as many as there are workers, so all of them go at once. The last one of a worker counts.
        let counters: BTreeMap<WorkerId, &CounterRow> = counters.iter().map(|(id, row)| (*id, row)).collect();
        let history = self.more_rejected(&counters)?;
        for (id, more) in &history {
            self.keep_rejected(at, *id, more)?;
        }
        let ids: Vec<i64> = counters.keys().map(|id| i64::from(id.get())).collect();
        let column = |of: &dyn Fn(&CounterRow) -> u64| -> Vec<i64> {
            counters.values().map(|row| int(of(row))).collect()
        };
        let accepted = column(&|row| row.accepted);
        let blocks = column(&|row| row.blocks);
        let rejected: [Vec<i64>; Rejection::REASONS.len()] =
            std::array::from_fn(|reason| column(&|row| row.rejected[reason]));
        let [unknown, stale, duplicate, low, time, version] = &rejected;
        let last = counters
            .values()
            .map(|row| row.last_share_at.map(Timestamp::millis));
        let last: Vec<Option<i64>> = last.collect();
        let units: Vec<Number> = counters.values().map(|row| Number(row.units.raw())).collect();
        let changed = self.db.all(
            "workers",
            "UPDATE workers SET accepted = more.accepted, last_share_at = more.last, rejected_unknown_job = more.r1,
                 rejected_stale = more.r2, rejected_duplicate = more.r3, rejected_low_difficulty = more.r4,
                 rejected_time_out_of_range = more.r5, rejected_version_out_of_mask = more.r6, units = more.units,
                 blocks = more.blocks
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                 $8::bigint[], $9::bigint[], $10::numeric[], $11::bigint[])
                 AS more (id, accepted, last, r1, r2, r3, r4, r5, r6, units, blocks)
             WHERE workers.id = more.id RETURNING workers.id AS id",
            values![
                Value::Other(&ids),
                Value::Other(&accepted),
                Value::Other(&last),
                Value::Other(unknown),
                Value::Other(stale),
                Value::Other(duplicate),
                Value::Other(low),
                Value::Other(time),
                Value::Other(version),
                Value::Other(&units),
                Value::Other(&blocks),
            ],
            |cells| cells.worker("id"),
        )?;
        let changed: HashSet<WorkerId> = changed.into_iter().collect();
        if let Some(id) = counters.keys().find(|id| !changed.contains(id)) {
            return Err(conflict(format!(
                "worker {id}, whose counters are saved, is not stored"
            )));
        }
        roll::add_rejected(self.db, at, &history)
    }

    /// What was rejected of each worker since its counters were saved before.
    fn more_rejected(&self, counters: &BTreeMap<WorkerId, &CounterRow>) -> Outcome<Vec<Rejected>> {
        let is_refused = |row: &CounterRow| row.rejected.iter().any(|count| *count > 0);
        let refused = counters.iter().filter(|(_, row)| is_refused(row));
        let ids: Vec<i64> = refused.map(|(id, _)| i64::from(id.get())).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT * FROM workers WHERE id = ANY($1) AND gone_after IS NULL ORDER BY id";
        let known = self
            .db
            .all("workers", sql, values![Value::Other(&ids)], |cells| {
                Ok((cells.worker("id")?, rows::counters(cells)?))
            })?;
        let more = known.into_iter().filter_map(|(id, known)| {
            let mut more = counters.get(&id)?.rejected;
            for (more, known) in more.iter_mut().zip(known.rejected) {
                *more = more.saturating_sub(known);
            }
            more.iter().any(|count| *count > 0).then_some((id, more))
        });
        Ok(more.collect())
    }
}
