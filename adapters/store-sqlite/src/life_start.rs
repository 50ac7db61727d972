//! The start of a life: counted durably, and all that must be known then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, PayoutId, Sequence, TemplateId, WorkerId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::reads::LastRound;
use dwarves_ports::store::{BanRow, CounterRow, MinerRow, StoredState, TemplateRow, WorkerRow};
use rusqlite::{Connection, OptionalExtension, params};

use super::batches::{self, Tail};
use super::columns::{Cells, all, int};
use super::error::{Outcome, corrupt};
use super::read;
use super::row_codec;
use super::write::Transaction;

/// Lives that are remembered.
const LIVES_MAX: i64 = 1_000;

/// Begins a new life.
pub(super) fn start(transaction: &mut Transaction<'_>, now: Timestamp) -> Outcome<StoredState> {
    let connection = transaction.connection;
    connection.execute(
        "UPDATE pool SET life = life + 1, created_at = COALESCE(created_at, ?1)",
        [now.millis()],
    )?;
    let (life, created_at, counted, next_worker) =
        connection.query_row("SELECT * FROM pool", [], |row| {
            let cells = Cells::new(row, "pool");
            let read = || -> Outcome<_> {
                let counted = cells.sequence("counters_through")?;
                let next_worker = cells.worker("next_worker")?;
                Ok((
                    cells.u32("life")?,
                    cells.time("created_at")?,
                    counted,
                    next_worker,
                ))
            };
            Ok(read())
        })??;
    let tail = transaction.known.tail;
    let stopped_at = (tail != Tail::EMPTY).then(|| tail.committed_at.millis());
    connection.execute(
        "INSERT INTO lives (life, started_at, stopped_at) VALUES (?1, ?2, ?3)",
        params![life, now.millis(), stopped_at],
    )?;
    connection.execute(
        "DELETE FROM lives WHERE life <= ?1",
        [i64::from(life) - LIVES_MAX],
    )?;
    let last_template: Option<u32> =
        connection.query_row("SELECT MAX(id) FROM templates", [], |row| row.get(0))?;
    Ok(StoredState {
        life,
        next_template: last_template.map_or(TemplateId::new(1), |id| TemplateId::new(id).next()),
        last_sequence: tail.sequence,
        total_units: tail.total,
        miners: miners(connection)?,
        next_worker,
        workers_gone: workers_gone(connection)?,
        workers: workers(connection, counted)?,
        nonces: nonces(connection, now)?,
        templates: templates(connection)?,
        past_templates: past_templates(connection)?,
        settings: settings(connection)?,
        last_round: last_round(connection)?,
        last_payout: last_payout(connection)?,
        created_at,
    })
}

fn miners(connection: &Connection) -> Outcome<Vec<MinerRow>> {
    let sql = "SELECT miners.hotkey AS hotkey, registered_at, payout_address, reason, ends_at
               FROM miners LEFT JOIN bans ON bans.hotkey = miners.hotkey ORDER BY miners.hotkey";
    let totals = all(connection, "SELECT * FROM miner_totals", [], |row| {
        let cells = Cells::new(row, "miner_totals");
        Ok((cells.hotkey("hotkey")?, row_codec::counters(&cells)?))
    })?;
    let mut totals: HashMap<Hotkey, CounterRow> = totals.into_iter().collect();
    all(connection, sql, [], |row| {
        let cells = Cells::new(row, "miners");
        let ban = cells.optional("reason", |cells, column| {
            Ok(BanRow {
                reason: cells.text(column)?.to_owned(),
                until: cells.optional("ends_at", |cells, column| cells.time(column))?,
            })
        })?;
        let address = cells.optional("payout_address", |cells, column| cells.text(column))?;
        let hotkey = cells.hotkey("hotkey")?;
        Ok(MinerRow {
            hotkey,
            gone: totals.remove(&hotkey).unwrap_or_default(),
            registered_at: cells.time("registered_at")?,
            payout_address: address.map(str::to_owned),
            ban,
        })
    })
}

/// All workers: what was saved, and what the shares since then add.
pub(super) fn workers(connection: &Connection, counted: Sequence) -> Outcome<Vec<(WorkerRow, CounterRow)>> {
    let mut later: HashMap<WorkerId, CounterRow> = HashMap::new();
    let sql = "SELECT sequence, hash FROM blocks WHERE sequence > ?1";
    let blocks = all(connection, sql, [int(counted.get())], |row| {
        let cells = Cells::new(row, "blocks");
        Ok((cells.sequence(0)?, cells.hash(1)?))
    })?;
    let blocks: HashSet<(Sequence, HeaderHash)> = blocks.into_iter().collect();
    batches::walk(connection, counted.next(), batches::LAST, |found| {
        let share = found.share;
        let counter = later.entry(share.worker).or_default();
        counter.accepted += 1;
        counter.last_share_at = Some(share.received_at);
        counter.units = sum_of(counter.units, share.terms.units)?;
        counter.blocks += u64::from(blocks.contains(&(found.sequence, share.hash)));
        Ok(ControlFlow::Continue(()))
    })?;
    // What those came to that were taken out was told with it.
    for (gone, _) in workers_gone(connection)? {
        later.remove(&gone);
    }
    let sql = "SELECT * FROM workers WHERE gone_after IS NULL ORDER BY id";
    let workers = all(connection, sql, [], |row| {
        let cells = Cells::new(row, "workers");
        let worker = WorkerRow {
            id: cells.worker("id")?,
            hotkey: cells.hotkey("hotkey")?,
            name: cells.named("name")?,
        };
        let mut counter = row_codec::counters(&cells)?;
        if let Some(more) = later.remove(&worker.id) {
            counter.accepted += more.accepted;
            counter.units = sum_of(counter.units, more.units)?;
            counter.blocks += more.blocks;
            counter.last_share_at = more.last_share_at;
        }
        Ok((worker, counter))
    })?;
    match later.keys().next() {
        Some(worker) => Err(corrupt(format!("batches.shares: worker {worker} is not known"))),
        None => Ok(workers),
    }
}

fn workers_gone(connection: &Connection) -> Outcome<Vec<(WorkerId, Hotkey)>> {
    let sql = "SELECT id, hotkey FROM workers WHERE gone_after IS NOT NULL AND outlived = 0 ORDER BY id";
    all(connection, sql, [], |row| {
        let cells = Cells::new(row, "workers");
        Ok((cells.worker("id")?, cells.hotkey("hotkey")?))
    })
}

fn sum_of(units: Units, more: Units) -> Outcome<Units> {
    let sum = units.checked_add(more);
    sum.ok_or_else(|| corrupt("the units of a worker's shares do not fit 128 bits"))
}

fn nonces(connection: &Connection, now: Timestamp) -> Outcome<Vec<(Hotkey, u64, Timestamp)>> {
    let sql = "SELECT * FROM nonces WHERE expires_at >= ?1";
    let mut nonces = all(connection, sql, [now.millis()], |row| {
        let cells = Cells::new(row, "nonces");
        Ok((
            cells.hotkey("hotkey")?,
            cells.bits("nonce")?,
            cells.time("expires_at")?,
        ))
    })?;
    nonces.sort_unstable();
    Ok(nonces)
}

fn templates(connection: &Connection) -> Outcome<Vec<TemplateRow>> {
    let sql = "SELECT * FROM templates WHERE retired = 0 AND id >= (SELECT live_from FROM pool) ORDER BY id";
    all(connection, sql, [], |row| Ok(row_codec::template(row)?.0))
}

/// Those that are retired and still whole, one after the other without the data of their transactions.
fn past_templates(connection: &Connection) -> Outcome<Vec<TemplateRow>> {
    let sql = "SELECT * FROM templates WHERE retired = 0 AND id < (SELECT live_from FROM pool) ORDER BY id";
    all(connection, sql, [], |row| {
        let mut row = row_codec::template(row)?.0;
        for transaction in &mut row.chain.transactions {
            transaction.data = Vec::new();
        }
        row.chain.trailer = Vec::new();
        Ok(row)
    })
}

pub(super) fn settings(connection: &Connection) -> Outcome<BTreeMap<String, String>> {
    let settings = all(connection, "SELECT * FROM settings", [], |row| {
        let cells = Cells::new(row, "settings");
        Ok((cells.text("name")?.to_owned(), cells.text("value")?.to_owned()))
    })?;
    Ok(settings.into_iter().collect())
}

fn last_payout(connection: &Connection) -> Outcome<Option<(PayoutId, Timestamp)>> {
    let sql = "SELECT id, reserved_at FROM payouts ORDER BY id DESC LIMIT 1";
    let payout = connection.query_row(sql, [], |row| {
        let cells = Cells::new(row, "payouts");
        let read = || -> Outcome<_> { Ok((PayoutId::new(cells.u64("id")?), cells.time("reserved_at")?)) };
        Ok(read())
    });
    payout.optional()?.transpose()
}

fn last_round(connection: &Connection) -> Outcome<Option<LastRound>> {
    let carried = all(connection, "SELECT * FROM carried", [], |row| {
        let cells = Cells::new(row, "carried");
        Ok((cells.hotkey("hotkey")?, cells.u128("remainder")?))
    })?;
    let carried: BTreeMap<Hotkey, u128> = carried.into_iter().collect();
    let sql = "SELECT id, closed_at, through FROM rounds ORDER BY id DESC LIMIT 1";
    let round = connection.query_row(sql, [], |row| {
        let cells = Cells::new(row, "rounds");
        let read = || -> Outcome<_> {
            Ok(LastRound {
                id: cells.round("id")?,
                closed_at: cells.time("closed_at")?,
                through: cells.sequence("through")?,
                carried,
                emission_carried: Amount::ZERO,
            })
        };
        Ok(read())
    });
    let Some(round) = round.optional()?.transpose()? else {
        return Ok(None);
    };
    let emitted = read::money::emitted(connection, round.id)?;
    Ok(Some(LastRound {
        emission_carried: emitted.map_or(Amount::ZERO, |emitted| emitted.carried),
        ..round
    }))
}
