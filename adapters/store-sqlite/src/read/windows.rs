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
use rusqlite::{Connection, OptionalExtension};

use crate::batches;
use crate::columns::Cells;
use crate::error::{Outcome, corrupt};

/// Half-steps of each worker.
#[derive(Default)]
struct OfWorkers(HashMap<WorkerId, u128>);

impl OfWorkers {
    fn add(&mut self, worker: WorkerId, half_steps: Option<u128>) -> Outcome<()> {
        let sum = self.0.entry(worker).or_default();
        let more = half_steps.and_then(|half_steps| sum.checked_add(half_steps));
        *sum = more.ok_or_else(|| corrupt("batches.shares: the sum of their units does not fit"))?;
        Ok(())
    }

    fn into_weights(self, connection: &Connection) -> Outcome<Weights> {
        let mut weights = Weights::new();
        for (worker, half_steps) in self.0 {
            let added = weights.add(hotkey_of(connection, worker)?, half_steps);
            added.map_err(|error| corrupt(format!("batches.shares: {error}")))?;
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
    known.ok_or_else(|| corrupt(format!("batches.shares: worker {worker} is not known")))
}

pub(crate) fn in_window(
    connection: &Connection,
    window: &pplns::Window,
    through: Sequence,
) -> Outcome<Weights> {
    let Some(from) = batches::last_from(connection, window.first_total())? else {
        return Ok(Weights::new());
    };
    let mut sums = OfWorkers::default();
    batches::walk(connection, from.first, through, |found| {
        if found.total_before >= window.last_total() {
            return Ok(ControlFlow::Break(()));
        }
        let overlap = window.overlap(found.total_before, found.share.terms.units);
        sums.add(found.share.worker, Some(overlap))?;
        Ok(ControlFlow::Continue(()))
    })?;
    sums.into_weights(connection)
}

pub(crate) fn between(connection: &Connection, after: Sequence, through: Sequence) -> Outcome<Weights> {
    let mut sums = OfWorkers::default();
    batches::walk(connection, after.next(), through, |found| {
        sums.add(found.share.worker, found.share.terms.units.raw().checked_mul(2))?;
        Ok(ControlFlow::Continue(()))
    })?;
    sums.into_weights(connection)
}

pub(crate) fn values_between(
    connection: &Connection,
    after: Sequence,
    through: Sequence,
) -> Outcome<Vec<ValuedUnits>> {
    let overflow = || corrupt("batches.shares: the sum of their units does not fit");
    let mut of_workers: HashMap<(TemplateId, WorkerId), Units> = HashMap::new();
    batches::walk(connection, after.next(), through, |found| {
        let (terms, worker) = (found.share.terms, found.share.worker);
        let sum = of_workers.entry((terms.template, worker)).or_default();
        *sum = sum.checked_add(terms.units).ok_or_else(overflow)?;
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
    known.ok_or_else(|| corrupt(format!("batches.shares: template {template} is not known")))
}

pub(crate) fn position_at(connection: &Connection, at: Timestamp) -> Outcome<LedgerPosition> {
    match batches::first_after(connection, at)? {
        Some(later) => before(&later),
        None => end(connection),
    }
}

/// The end of the last commit whose total is at most `total`.
pub(crate) fn position_before(connection: &Connection, total: Units) -> Outcome<LedgerPosition> {
    let end = end(connection)?;
    let Some(row) = batches::last_from(connection, total)?.filter(|_| end.total > total) else {
        return Ok(end);
    };
    // Its commit goes beyond the total, and the one before does not.
    let commit = batches::commit_of(connection, row.first)?;
    before(&commit.unwrap_or(row))
}

/// The place before a row.
fn before(row: &batches::RowBegin) -> Outcome<LedgerPosition> {
    let sequence = row.first.get().checked_sub(1);
    let sequence = sequence.ok_or_else(|| corrupt("batches.first_sequence must be at least 1"))?;
    Ok(LedgerPosition {
        sequence: Sequence::new(sequence),
        total: row.total_before,
    })
}

/// The ledger's end.
fn end(connection: &Connection) -> Outcome<LedgerPosition> {
    let tail = batches::tail(connection)?;
    Ok(LedgerPosition {
        sequence: tail.sequence,
        total: tail.total,
    })
}

/// Who sent the last share whose extranonce begins so, or with one that was given to the same session. No index is
/// kept for it, because it is asked only for a block whose share was lost in a crash: all shares are read, the newest
/// first.
pub(crate) fn owner_of(connection: &Connection, extranonce: ExtraNonce) -> Outcome<Option<Hotkey>> {
    let kin = kin(extranonce);
    let share = batches::last_share(connection, |share| kin.contains(&share.extranonce_head()))?;
    let Some(share) = share else {
        return Ok(None);
    };
    connection
        .prepare_cached("SELECT hotkey FROM workers WHERE id = ?1")?
        .query_row([share.worker.get()], |row| {
            Ok(Cells::new(row, "workers").hotkey("hotkey"))
        })
        .optional()?
        .transpose()
}
