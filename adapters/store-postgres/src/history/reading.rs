//! Answers to questions of history: rows, and the shares that are not in the history yet.

use std::collections::BTreeMap;

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::{Cells as _, records};
use dwarves_ports::store::{History, HistoryOf, HistoryQuestion, HistoryStep, LifeRow};

use super::{Marks, Of, Run, Worked, runs};
use crate::client::Db;
use crate::error::Outcome;
use crate::value::{Value, values};

/// Behind every share.
pub(super) const LAST: Sequence = Sequence::new(i64::MAX.unsigned_abs());

/// Answers a question.
pub(crate) fn answer(db: &Db, question: &HistoryQuestion) -> Outcome<Option<History>> {
    let marks = Marks::read(db)?;
    let steps = match &question.of {
        HistoryOf::Pool => steps(db, &marks, question, "miner_history", Value::Bytes(&[]), Of::All)?,
        HistoryOf::Miner(hotkey) => {
            if !db.exists("SELECT 1 FROM miners WHERE hotkey = $1", values![hotkey])? {
                return Ok(None);
            }
            steps(
                db,
                &marks,
                question,
                "miner_history",
                hotkey.into(),
                Of::Miner(hotkey),
            )?
        }
        HistoryOf::Worker(hotkey, name) => {
            let sql = "SELECT id FROM workers WHERE hotkey = $1 AND name = $2 AND gone_after IS NULL";
            let worker = db.one("workers", sql, values![hotkey, name.as_str()], |cells| {
                cells.worker("id")
            })?;
            let Some(worker) = worker else {
                return Ok(None);
            };
            steps(
                db,
                &marks,
                question,
                "worker_history",
                worker.into(),
                Of::Worker(worker),
            )?
        }
    };
    Ok(Some(History {
        begins: begins(db, &marks, question.step)?,
        steps,
        lives: lives(db, question)?,
    }))
}

fn lives(db: &Db, question: &HistoryQuestion) -> Outcome<Vec<LifeRow>> {
    let sql = "SELECT * FROM lives WHERE (started_at >= $1 AND started_at < $2)
        OR (stopped_at >= $1 AND stopped_at < $2) ORDER BY life";
    db.all("lives", sql, values![question.from, question.to], |cells| {
        Ok(LifeRow {
            life: cells.u32("life")?,
            started_at: cells.time("started_at")?,
            stopped_at: cells.optional("stopped_at", |cells, column| cells.time(column))?,
        })
    })
}

/// The first step of the pool that is known.
fn begins(db: &Db, marks: &Marks, step: Step) -> Outcome<Option<Timestamp>> {
    let from = marks.from(step);
    let sql = "SELECT MIN(at) AS at FROM miner_history WHERE whose = '' AND step = $1 AND at >= $2";
    let stored = db.always("miner_history", sql, values![step.secs(), from], |cells| {
        cells.optional("at", |cells, column| cells.int(column))
    })?;
    // Both ends are said: with one of them the server takes it for a third of the ledger until it has looked at its size.
    let sql = "SELECT MIN(GREATEST(received_at, 0) / 1000 / $2::bigint * $2) AS at FROM shares
        WHERE sequence > $1 AND sequence <= $4 AND GREATEST(received_at, 0) / 1000 / $2 * $2 >= $3";
    let later = db.always(
        "shares",
        sql,
        values![marks.through, step.secs(), from, LAST],
        |cells| cells.optional("at", |cells, column| cells.int(column)),
    )?;
    Ok(stored.into_iter().chain(later).min().map(Timestamp::from_secs))
}

fn steps(
    db: &Db,
    marks: &Marks,
    question: &HistoryQuestion,
    table: &'static str,
    whose: Value<'_>,
    of: Of<'_>,
) -> Outcome<Vec<HistoryStep>> {
    let step = question.step;
    // A step begins at a full second.
    let from = question.from.moved(999).secs().max(marks.from(step));
    let to = question.to.moved(999).secs();
    let is_worker = table == "worker_history";
    let (bits, counts) = match is_worker {
        true => ("last_bits", "NULL::bigint AS miners, NULL::bigint AS workers"),
        false => ("NULL::bigint AS last_bits", "miners, workers"),
    };
    let sql = format!(
        "SELECT at, accepted, units, hashes, squares, rejected_unknown_job, rejected_stale, rejected_duplicate,
             rejected_low_difficulty, rejected_time_out_of_range, rejected_version_out_of_mask, {bits}, {counts}
         FROM {table} WHERE whose = $1 AND step = $2 AND at >= $3 AND at < $4"
    );
    let rows = db.all(table, &sql, values![whose, step.secs(), from, to], |cells| {
        let at = Timestamp::from_secs(cells.int("at")?);
        let count = |column| cells.optional(column, |cells, column| cells.u64(column));
        let step = HistoryStep {
            at,
            sums: records::sums(cells)?,
            last_bits: cells.optional("last_bits", |cells, column| cells.compact(column))?,
            miners: count("miners")?,
            workers: count("workers")?,
        };
        Ok((at, step))
    })?;
    let mut steps: BTreeMap<Timestamp, HistoryStep> = rows.into_iter().collect();
    for Run { minute, worked, .. } in runs(db, of, marks.through, LAST)? {
        let at = step.begin(minute);
        if at >= question.from && at < question.to && at.secs() >= marks.from(step) {
            let known = steps.entry(at).or_insert_with(|| empty(at));
            let mut sum = Worked {
                sums: known.sums,
                last_bits: known.last_bits,
            };
            sum.add(&worked);
            known.sums = sum.sums;
            known.last_bits = sum.last_bits.filter(|_| is_worker);
        }
    }
    Ok(steps.into_values().collect())
}

fn empty(at: Timestamp) -> HistoryStep {
    HistoryStep {
        at,
        sums: Sums::default(),
        last_bits: None,
        miners: None,
        workers: None,
    }
}
