//! Questions about shares: folded row by row, never held in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, Sequence, TemplateId, WorkerId};
use dwarves_domain::rewards::{Weights, pplns};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_domain::work::extranonce::kin;
use dwarves_ports::store::{LedgerPosition, ValuedUnits};
use rusqlite::{Connection, OptionalExtension, params};

use crate::batches;
use crate::columns::{Cells, int};
use crate::error::{Outcome, corrupt};

/// What the folds need of a share.
struct Worked {
    worker: WorkerId,
    template: TemplateId,
    units: Units,
    total: Units,
}

/// Walks over the shares from `first` through `last`, until it is told to stop.
fn walk(
    connection: &Connection,
    first: Sequence,
    last: Sequence,
    mut step: impl FnMut(Worked) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let mut select = connection.prepare_cached(
        "SELECT worker, template, units, total FROM shares WHERE sequence BETWEEN ?1 AND ?2 ORDER BY sequence",
    )?;
    let mut rows = select.query(params![int(first.get()), int(last.get())])?;
    while let Some(row) = rows.next()? {
        let cells = Cells::new(row, "shares");
        let worked = Worked {
            worker: cells.worker(0)?,
            template: cells.template(1)?,
            units: cells.units(2)?,
            total: cells.units(3)?,
        };
        if step(worked)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Half-steps of each worker.
#[derive(Default)]
struct OfWorkers(HashMap<WorkerId, u128>);

impl OfWorkers {
    fn add(&mut self, worker: WorkerId, half_steps: Option<u128>) -> Outcome<()> {
        let sum = self.0.entry(worker).or_default();
        let more = half_steps.and_then(|half_steps| sum.checked_add(half_steps));
        *sum = more.ok_or_else(|| corrupt("shares.units: their sum does not fit"))?;
        Ok(())
    }

    fn into_weights(self, connection: &Connection) -> Outcome<Weights> {
        let mut weights = Weights::new();
        for (worker, half_steps) in self.0 {
            let added = weights.add(hotkey_of(connection, worker)?, half_steps);
            added.map_err(|error| corrupt(format!("shares.units: {error}")))?;
        }
        Ok(weights)
    }
}

fn hotkey_of(connection: &Connection, worker: WorkerId) -> Outcome<Hotkey> {
    let mut select = connection.prepare_cached("SELECT hotkey FROM workers WHERE id = ?1")?;
    let hotkey = select.query_row([worker.get()], |row| {
        Ok(Cells::new(row, "workers").hotkey("hotkey"))
    });
    let known = hotkey.optional()?.transpose()?;
    known.ok_or_else(|| corrupt(format!("shares.worker: worker {worker} is not known")))
}

pub(crate) fn in_window(
    connection: &Connection,
    window: &pplns::Window,
    through: Sequence,
) -> Outcome<Weights> {
    let Some(from) = batches::first(connection, |batch| batch.total_after > window.first_total())? else {
        return Ok(Weights::new());
    };
    let mut sums = OfWorkers::default();
    walk(connection, from.first, through, |share| {
        let total_before = share.total.raw().checked_sub(share.units.raw());
        let total_before = total_before.ok_or_else(|| corrupt("shares.total is less than its own units"))?;
        let total_before = Units::from_raw(total_before);
        if total_before >= window.last_total() {
            return Ok(ControlFlow::Break(()));
        }
        let overlap = window.overlap(total_before, share.units);
        sums.add(share.worker, Some(overlap))?;
        Ok(ControlFlow::Continue(()))
    })?;
    sums.into_weights(connection)
}

pub(crate) fn between(connection: &Connection, after: Sequence, through: Sequence) -> Outcome<Weights> {
    let mut sums = OfWorkers::default();
    walk(connection, after.next(), through, |share| {
        sums.add(share.worker, share.units.raw().checked_mul(2))?;
        Ok(ControlFlow::Continue(()))
    })?;
    sums.into_weights(connection)
}

pub(crate) fn values_between(
    connection: &Connection,
    after: Sequence,
    through: Sequence,
) -> Outcome<Vec<ValuedUnits>> {
    let overflow = || corrupt("shares.units: their sum does not fit");
    let mut of_workers: HashMap<(TemplateId, WorkerId), Units> = HashMap::new();
    walk(connection, after.next(), through, |share| {
        let sum = of_workers.entry((share.template, share.worker)).or_default();
        *sum = sum.checked_add(share.units).ok_or_else(overflow)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let mut of_miners: BTreeMap<(TemplateId, Hotkey), Units> = BTreeMap::new();
    for ((template, worker), units) in of_workers {
        let hotkey = hotkey_of(connection, worker)?;
        let sum = of_miners.entry((template, hotkey)).or_default();
        *sum = sum.checked_add(units).ok_or_else(overflow)?;
    }
    let mut valued = Vec::with_capacity(of_miners.len());
    let mut terms: Option<(TemplateId, (Amount, Amount))> = None;
    for ((template, hotkey), units) in of_miners {
        let (subsidy, coinbase_value) = match terms {
            Some((of, terms)) if of == template => terms,
            _ => terms_of(connection, template)?,
        };
        terms = Some((template, (subsidy, coinbase_value)));
        valued.push(ValuedUnits {
            hotkey,
            units,
            subsidy,
            coinbase_value,
        });
    }
    Ok(valued)
}

/// What a template's block newly mints, and what it pays in all.
fn terms_of(connection: &Connection, template: TemplateId) -> Outcome<(Amount, Amount)> {
    let mut select =
        connection.prepare_cached("SELECT subsidy, coinbase_value FROM templates WHERE id = ?1")?;
    let terms = select.query_row([template.get()], |row| {
        let cells = Cells::new(row, "templates");
        let read = || -> Outcome<_> { Ok((cells.amount("subsidy")?, cells.amount("coinbase_value")?)) };
        Ok(read())
    });
    let known = terms.optional()?.transpose()?;
    known.ok_or_else(|| corrupt(format!("shares.template: template {template} is not known")))
}

pub(crate) fn position_at(connection: &Connection, at: Timestamp) -> Outcome<LedgerPosition> {
    end_before(connection, |batch| batch.committed_at > at)
}

/// The end of the last commit whose total is at most `total`.
pub(crate) fn position_before(connection: &Connection, total: Units) -> Outcome<LedgerPosition> {
    end_before(connection, |batch| batch.total_after > total)
}

/// The place before the first batch for which `is_past` holds, or the ledger's end.
fn end_before(connection: &Connection, is_past: impl Fn(&batches::Batch) -> bool) -> Outcome<LedgerPosition> {
    let later = batches::first(connection, is_past)?;
    if let Some(later) = later {
        let before = later.first.get().checked_sub(1);
        let before = before.ok_or_else(|| corrupt("batches.first_sequence must be at least 1"))?;
        return Ok(LedgerPosition {
            sequence: Sequence::new(before),
            total: later.total_before,
        });
    }
    let last = batches::last(connection)?;
    Ok(last.map_or(
        LedgerPosition {
            sequence: Sequence::new(0),
            total: Units::ZERO,
        },
        |last| LedgerPosition {
            sequence: last.last,
            total: last.total_after,
        },
    ))
}

/// Who sent the last share whose extranonce begins so, or with one that was given to the same session. No index is
/// kept for it, because it is asked only for a block whose share was lost in a crash: all shares are read, the newest
/// first.
pub(crate) fn owner_of(connection: &Connection, extranonce: ExtraNonce) -> Outcome<Option<Hotkey>> {
    let kin = kin(extranonce);
    let sql = "SELECT hotkey FROM workers WHERE id =
               (SELECT worker FROM shares WHERE extranonce BETWEEN ?1 AND ?2 ORDER BY sequence DESC LIMIT 1)";
    connection
        .prepare_cached(sql)?
        .query_row([kin.start(), kin.end()].map(|e| e.get().cast_signed()), |row| {
            Ok(Cells::new(row, "workers").hotkey("hotkey"))
        })
        .optional()?
        .transpose()
}
