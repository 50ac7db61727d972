//! Shares come into the history: into the sums of the pool, of their miners and of their workers.

use std::collections::BTreeMap;

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::share::Rejection;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::{Cells as _, int};

use super::{Marks, Of, Worked, runs};
use crate::batches;
use crate::client::Db;
use crate::error::Outcome;
use crate::value::{Number, Value, values};

/// Shares that come in with one transaction.
const SHARES: u64 = 50_000;

/// What one transaction brought into the history.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rolled {
    /// There are more shares to come in.
    pub(crate) is_more: bool,
}

/// Sums by step, when it began, and whose.
type Table<W> = BTreeMap<(Step, Timestamp, W), Worked>;

/// What comes into each table.
#[derive(Default)]
struct More {
    workers: Table<WorkerId>,
    miners: Table<Vec<u8>>,
}

impl More {
    /// Adds what a worker came to in a minute. The pool is whose name is empty.
    fn add(&mut self, worker: WorkerId, hotkey: Option<&Hotkey>, minute: Timestamp, worked: &Worked) {
        for step in Step::ALL {
            let at = step.begin(minute);
            self.miners.entry((step, at, Vec::new())).or_default().add(worked);
            if let Some(hotkey) = hotkey {
                self.workers.entry((step, at, worker)).or_default().add(worked);
                let whose = hotkey.as_bytes().to_vec();
                self.miners.entry((step, at, whose)).or_default().add(worked);
            }
        }
    }

    fn store(&self, db: &Db) -> Outcome<()> {
        let workers = self.workers.keys().map(|(.., worker)| i64::from(worker.get()));
        let workers: Vec<i64> = workers.collect();
        upsert(
            db,
            "worker_history",
            &self.workers,
            Value::Other(&workers),
            "bigint",
        )?;
        let miners: Vec<&[u8]> = self.miners.keys().map(|(.., whose)| whose.as_slice()).collect();
        upsert(db, "miner_history", &self.miners, Value::Other(&miners), "bytea")
    }
}

fn upsert<W>(db: &Db, table: &str, rows: &Table<W>, whose: Value<'_>, kind: &str) -> Outcome<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let steps: Vec<i64> = rows.keys().map(|(step, ..)| int(step.secs())).collect();
    let begins: Vec<i64> = rows.keys().map(|(_, at, _)| at.secs()).collect();
    let sums = || rows.values().map(|worked| &worked.sums);
    let accepted: Vec<i64> = sums().map(|sums| int(sums.accepted)).collect();
    let units: Vec<Number> = sums().map(|sums| Number(sums.units.raw())).collect();
    let hashes: Vec<f64> = sums().map(|sums| sums.hashes).collect();
    let squares: Vec<f64> = sums().map(|sums| sums.squares).collect();
    let rejected: [Vec<i64>; Rejection::REASONS.len()] =
        std::array::from_fn(|reason| sums().map(|sums| int(sums.rejected[reason])).collect());
    let [unknown, stale, duplicate, low, time, version] = &rejected;
    let last_bits = rows.values().map(|worked| worked.last_bits);
    let last_bits: Vec<Option<i64>> = last_bits
        .map(|bits| bits.map(|bits| i64::from(bits.bits())))
        .collect();
    // Of a miner and of the pool nobody asks for it.
    let (column, value, update) = match table {
        "worker_history" => (
            ", last_bits",
            ", last_bits",
            ", last_bits = COALESCE(excluded.last_bits, known.last_bits)",
        ),
        _ => ("", "", ""),
    };
    let sql = format!(
        "INSERT INTO {table} AS known (step, at, whose, accepted, units, hashes, squares, rejected_unknown_job,
             rejected_stale, rejected_duplicate, rejected_low_difficulty, rejected_time_out_of_range,
             rejected_version_out_of_mask{column})
         SELECT step, at, whose, accepted, units, hashes, squares, r1, r2, r3, r4, r5, r6{value}
         FROM unnest($1::bigint[], $2::bigint[], $3::{kind}[], $4::bigint[], $5::numeric[], $6::float8[], $7::float8[],
             $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
             AS more (step, at, whose, accepted, units, hashes, squares, r1, r2, r3, r4, r5, r6, last_bits)
         ON CONFLICT (whose, step, at) DO UPDATE SET accepted = known.accepted + excluded.accepted,
             units = known.units + excluded.units, hashes = known.hashes + excluded.hashes,
             squares = known.squares + excluded.squares,
             rejected_unknown_job = known.rejected_unknown_job + excluded.rejected_unknown_job,
             rejected_stale = known.rejected_stale + excluded.rejected_stale,
             rejected_duplicate = known.rejected_duplicate + excluded.rejected_duplicate,
             rejected_low_difficulty = known.rejected_low_difficulty + excluded.rejected_low_difficulty,
             rejected_time_out_of_range = known.rejected_time_out_of_range + excluded.rejected_time_out_of_range,
             rejected_version_out_of_mask = known.rejected_version_out_of_mask + excluded.rejected_version_out_of_mask{update}"
    );
    db.execute(
        &sql,
        values![
            Value::Other(&steps),
            Value::Other(&begins),
            whose,
            Value::Other(&accepted),
            Value::Other(&units),
            Value::Other(&hashes),
            Value::Other(&squares),
            Value::Other(unknown),
            Value::Other(stale),
            Value::Other(duplicate),
            Value::Other(low),
            Value::Other(time),
            Value::Other(version),
            Value::Other(&last_bits),
        ],
    )?;
    Ok(())
}

/// Brings some more shares in, up to this one if one is given.
pub(crate) fn piece(db: &Db, through: Option<Sequence>) -> Outcome<Rolled> {
    let marks = Marks::read(db)?;
    let end = batches::tail(db)?.sequence;
    let end = through.map_or(end, |through| through.min(end));
    let last = end.min(Sequence::new(marks.through.get().saturating_add(SHARES)));
    if last <= marks.through {
        return Ok(Rolled::default());
    }
    let mut more = More::default();
    for run in runs(db, Of::All, marks.through, last)? {
        more.add(run.worker, run.hotkey.as_ref(), run.minute, &run.worked);
    }
    more.store(db)?;
    db.execute("UPDATE pool SET history_through = $1", values![last])?;
    if let Some(latest) = more.miners.keys().map(|(_, at, _)| *at).max() {
        count(db, Step::Hour.begin(latest))?;
    }
    Ok(Rolled { is_more: last < end })
}

/// Notes how many miners and workers there were in the steps of the hours that are over, once each.
fn count(db: &Db, hour: Timestamp) -> Outcome<()> {
    let known = db.always("pool", "SELECT counted_to FROM pool", &[], |cells| {
        cells.int("counted_to")
    })?;
    if known >= hour.secs() {
        return Ok(());
    }
    // A day is counted again after each of its hours.
    let day = Step::Day.begin(Timestamp::from_secs(known)).secs();
    db.execute(
        "UPDATE miner_history AS pool SET
             workers = (SELECT COUNT(*) FROM worker_history AS part WHERE part.step = pool.step AND part.at = pool.at
                 AND part.accepted > 0),
             miners = (SELECT COUNT(*) FROM miner_history AS part WHERE part.step = pool.step AND part.at = pool.at
                 AND part.accepted > 0 AND part.whose <> '')
         WHERE whose = '' AND at < $2 AND ((step = 86400 AND at >= $3) OR (step <> 86400 AND at >= $1))",
        values![known, hour.secs(), day],
    )?;
    db.execute("UPDATE pool SET counted_to = $1", values![hour.secs()])?;
    Ok(())
}

/// Adds rejected shares of workers, which came up to `at`.
pub(crate) fn add_rejected(
    db: &Db,
    at: Timestamp,
    workers: &[(WorkerId, [u64; Rejection::REASONS.len()])],
) -> Outcome<()> {
    if workers.is_empty() {
        return Ok(());
    }
    let mut more = More::default();
    let minute = Step::Minute.begin(at);
    let ids: Vec<i64> = workers.iter().map(|(id, _)| i64::from(id.get())).collect();
    let sql = "SELECT id, hotkey FROM workers WHERE id = ANY($1) AND NOT removed";
    let owners = db.all("workers", sql, values![Value::Other(&ids)], |cells| {
        Ok((cells.worker("id")?, cells.hotkey("hotkey")?))
    })?;
    let owners: BTreeMap<WorkerId, Hotkey> = owners.into_iter().collect();
    for (worker, rejected) in workers {
        let worked = Worked {
            sums: Sums {
                rejected: *rejected,
                ..Sums::default()
            },
            last_bits: None,
        };
        more.add(*worker, owners.get(worker), minute, &worked);
    }
    more.store(db)
}
