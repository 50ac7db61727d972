//! The start of a life: counted durably, and all that must be known then.

use std::collections::{BTreeMap, HashMap};

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{PayoutId, Sequence, TemplateId, WorkerId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::codec::{Cells as _, rows};
use dwarves_ports::store::reads::LastRound;
use dwarves_ports::store::{BanRow, CounterRow, MinerRow, StoredState, TemplateRow, WorkerRow};

use super::batches::Tail;
use super::client::Db;
use super::error::{Outcome, corrupt};
use super::read;
use super::value::values;
use super::write::Transaction;

/// Lives that are remembered.
const LIVES_MAX: i64 = 1_000;

/// Begins a new life.
pub(super) fn start(transaction: &mut Transaction<'_>, now: Timestamp) -> Outcome<StoredState> {
    let db = transaction.db;
    let (life, created_at, counted, next_worker) = db.always(
        "pool",
        "UPDATE pool SET life = life + 1, created_at = COALESCE(created_at, $1)
         RETURNING life, created_at, counters_through, next_worker",
        values![now],
        |cells| {
            Ok((
                cells.u32("life")?,
                cells.time("created_at")?,
                cells.sequence("counters_through")?,
                cells.worker("next_worker")?,
            ))
        },
    )?;
    let tail = transaction.known.place.tail;
    let stopped_at = (tail != Tail::EMPTY).then_some(tail.committed_at);
    db.execute(
        "INSERT INTO lives (life, started_at, stopped_at) VALUES ($1, $2, $3)",
        values![life, now, stopped_at],
    )?;
    db.execute(
        "DELETE FROM lives WHERE life <= $1",
        values![i64::from(life) - LIVES_MAX],
    )?;
    let sql = "SELECT id FROM templates ORDER BY id DESC LIMIT 1";
    let last_template = db.one("templates", sql, &[], |cells| cells.template("id"))?;
    Ok(StoredState {
        life,
        next_template: last_template.map_or(TemplateId::new(1), TemplateId::next),
        last_sequence: tail.sequence,
        total_units: tail.total,
        miners: miners(db)?,
        next_worker,
        workers_gone: workers_gone(db)?,
        workers: workers(db, counted, tail.sequence)?,
        nonces: nonces(db, now)?,
        templates: templates(db)?,
        past_templates: past_templates(db)?,
        settings: settings(db)?,
        last_round: last_round(db)?,
        last_payout: last_payout(db)?,
        created_at,
    })
}

fn miners(db: &Db) -> Outcome<Vec<MinerRow>> {
    let totals = db.all("miner_totals", "SELECT * FROM miner_totals", &[], |cells| {
        Ok((cells.hotkey("hotkey")?, rows::counters(cells)?))
    })?;
    let mut totals: HashMap<Hotkey, CounterRow> = totals.into_iter().collect();
    let sql = "SELECT miners.hotkey AS hotkey, registered_at, payout_address, reason, ends_at
               FROM miners LEFT JOIN bans ON bans.hotkey = miners.hotkey ORDER BY miners.hotkey";
    db.all("miners", sql, &[], |cells| {
        let ban = cells.optional("reason", |cells, column| {
            Ok(BanRow {
                reason: cells.string(column)?,
                until: cells.optional("ends_at", |cells, column| cells.time(column))?,
            })
        })?;
        let hotkey = cells.hotkey("hotkey")?;
        Ok(MinerRow {
            hotkey,
            gone: totals.remove(&hotkey).unwrap_or_default(),
            registered_at: cells.time("registered_at")?,
            payout_address: cells.optional("payout_address", |cells, column| cells.string(column))?,
            ban,
        })
    })
}

/// All workers: what was saved, and what the shares since then, up to the ledger's end, add.
pub(super) fn workers(db: &Db, counted: Sequence, end: Sequence) -> Outcome<Vec<(WorkerRow, CounterRow)>> {
    let sql = "SELECT worker, COUNT(*) AS accepted, SUM(shares.units) AS units, COUNT(blocks.hash) AS blocks,
            MAX(shares.sequence) AS last
        FROM shares LEFT JOIN blocks ON blocks.sequence = shares.sequence AND blocks.hash = shares.hash
        WHERE shares.sequence > $1 AND shares.sequence <= $2
            AND shares.sequence > (SELECT pruned_through FROM pool) GROUP BY worker";
    // The time of a worker's last share, whatever came before.
    let sql = format!(
        "SELECT later.*, received_at FROM ({sql}) AS later JOIN shares ON shares.sequence = later.last"
    );
    let later = db.all("shares", &sql, values![counted, end], |cells| {
        let counter = CounterRow {
            accepted: cells.u64("accepted")?,
            units: cells.units("units")?,
            blocks: cells.u64("blocks")?,
            last_share_at: Some(cells.time("received_at")?),
            ..CounterRow::default()
        };
        Ok((cells.worker("worker")?, counter))
    })?;
    let mut later: HashMap<WorkerId, CounterRow> = later.into_iter().collect();
    // What those came to that were taken out was told with it.
    for (gone, _) in workers_gone(db)? {
        later.remove(&gone);
    }
    let sql = "SELECT * FROM workers WHERE gone_after IS NULL ORDER BY id";
    let workers = db.all("workers", sql, &[], |cells| {
        let worker = WorkerRow {
            id: cells.worker("id")?,
            hotkey: cells.hotkey("hotkey")?,
            name: cells.named("name")?,
        };
        let mut counter = rows::counters(cells)?;
        if let Some(more) = later.remove(&worker.id) {
            counter.accepted += more.accepted;
            counter.units = sum_of(counter.units, more.units)?;
            counter.blocks += more.blocks;
            counter.last_share_at = more.last_share_at;
        }
        Ok((worker, counter))
    })?;
    match later.keys().next() {
        Some(worker) => Err(corrupt(format!("shares: worker {worker} is not known"))),
        None => Ok(workers),
    }
}

fn workers_gone(db: &Db) -> Outcome<Vec<(WorkerId, Hotkey)>> {
    let sql = "SELECT id, hotkey FROM workers WHERE gone_after IS NOT NULL ORDER BY id";
    db.all("workers", sql, &[], |cells| {
        Ok((cells.worker("id")?, cells.hotkey("hotkey")?))
    })
}

fn sum_of(units: Units, more: Units) -> Outcome<Units> {
    let sum = units.checked_add(more);
    sum.ok_or_else(|| corrupt("the units of a worker's shares do not fit 128 bits"))
}

fn nonces(db: &Db, now: Timestamp) -> Outcome<Vec<(Hotkey, u64, Timestamp)>> {
    let sql = "SELECT * FROM nonces WHERE expires_at >= $1";
    let mut nonces = db.all("nonces", sql, values![now], |cells| {
        Ok((
            cells.hotkey("hotkey")?,
            cells.bits("nonce")?,
            cells.time("expires_at")?,
        ))
    })?;
    nonces.sort_unstable();
    Ok(nonces)
}

fn templates(db: &Db) -> Outcome<Vec<TemplateRow>> {
    let sql = "SELECT * FROM templates WHERE NOT retired AND id >= (SELECT live_from FROM pool) ORDER BY id";
    db.all("templates", sql, &[], |cells| Ok(rows::template(cells)?.0))
}

/// Those that are retired and still whole, without the data of their transactions.
fn past_templates(db: &Db) -> Outcome<Vec<TemplateRow>> {
    let sql = "SELECT * FROM templates WHERE NOT retired AND id < (SELECT live_from FROM pool) ORDER BY id";
    db.all("templates", sql, &[], |cells| {
        let mut row = rows::template(cells)?.0;
        for transaction in &mut row.chain.transactions {
            transaction.data = Vec::new();
        }
        row.chain.trailer = Vec::new();
        Ok(row)
    })
}

pub(super) fn settings(db: &Db) -> Outcome<BTreeMap<String, String>> {
    let settings = db.all("settings", "SELECT * FROM settings", &[], |cells| {
        Ok((cells.string("name")?, cells.string("value")?))
    })?;
    Ok(settings.into_iter().collect())
}

fn last_payout(db: &Db) -> Outcome<Option<(PayoutId, Timestamp)>> {
    let sql = "SELECT id, reserved_at FROM payouts ORDER BY id DESC LIMIT 1";
    db.one("payouts", sql, &[], |cells| {
        Ok((PayoutId::new(cells.u64("id")?), cells.time("reserved_at")?))
    })
}

fn last_round(db: &Db) -> Outcome<Option<LastRound>> {
    let sql = "SELECT id, closed_at, through FROM rounds ORDER BY id DESC LIMIT 1";
    let round = db.one("rounds", sql, &[], |cells| {
        Ok((
            cells.round("id")?,
            cells.time("closed_at")?,
            cells.sequence("through")?,
        ))
    })?;
    let Some((id, closed_at, through)) = round else {
        return Ok(None);
    };
    let carried = db.all("carried", "SELECT * FROM carried", &[], |cells| {
        Ok((cells.hotkey("hotkey")?, cells.u128("remainder")?))
    })?;
    let emitted = read::money::emitted(db, id)?;
    Ok(Some(LastRound {
        id,
        closed_at,
        through,
        carried: carried.into_iter().collect(),
        emission_carried: emitted.map_or(Amount::ZERO, |emitted| emitted.carried),
    }))
}
