//! Questions about shares: added up by the database, but for the commits at a window's edges.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, Sequence, TemplateId, WorkerId};
use dwarves_domain::rewards::{Weights, pplns};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::work::extranonce::kin;
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::{LedgerPosition, ValuedUnits};

use crate::batches;
use crate::client::Db;
use crate::error::{Outcome, corrupt};
use crate::value::values;

/// Adds a miner's work.
fn add(weights: &mut Weights, hotkey: Hotkey, half_steps: Option<u128>) -> Outcome<()> {
    let too_much = || corrupt("shares: the sum of their units does not fit");
    let half_steps = half_steps.ok_or_else(too_much)?;
    weights.add(hotkey, half_steps).map_err(|_| too_much())
}

/// Adds the work of all shares from `first` through `last` that were not pruned. Each bound is said by itself, here as
/// elsewhere: by a bound that it must reckon first the server would plan for all partitions, however many there are.
fn add_whole(db: &Db, weights: &mut Weights, first: Sequence, last: Sequence) -> Outcome<()> {
    let sql = "SELECT worker, hotkey, sum FROM (
            SELECT worker, SUM(units) AS sum FROM shares
            WHERE sequence >= $1 AND sequence > (SELECT pruned_through FROM pool) AND sequence <= $2
            GROUP BY worker) AS sums
        LEFT JOIN workers ON workers.id = worker";
    let sums = db.all("shares", sql, values![first, last], |cells| {
        let hotkey = cells.optional("hotkey", |cells, column| cells.hotkey(column))?;
        let unknown = || corrupt("shares: a worker is not known");
        Ok((hotkey.ok_or_else(unknown)?, cells.u128("sum")?))
    })?;
    for (hotkey, sum) in sums {
        add(weights, hotkey, sum.checked_mul(2))?;
    }
    Ok(())
}

pub(crate) fn in_window(db: &Db, window: &pplns::Window, through: Sequence) -> Outcome<Weights> {
    let mut weights = Weights::new();
    let Some(from) = batches::last_from(db, window.first_total())? else {
        return Ok(weights);
    };
    let end = batches::first_from(db, window.last_total())?;
    let last = match end {
        Some(end) => through.min(Sequence::new(end.first.get().saturating_sub(1))),
        None => through,
    };
    if last < from.first {
        return Ok(weights);
    }
    // Shares within the commits in which the window begins and ends may lie partly outside of it.
    let to =
        batches::commit_of(db, last)?.ok_or_else(|| corrupt("batches: no row holds the window's end"))?;
    let mut edge = |first: Sequence, last: Sequence| -> Outcome<()> {
        let mut of_workers: BTreeMap<WorkerId, u128> = BTreeMap::new();
        batches::walk(db, first, last, |found| {
            let sum = of_workers.entry(found.worker).or_default();
            let more = sum.checked_add(window.overlap(found.total_before, found.units));
            *sum = more.ok_or_else(|| corrupt("shares: the sum of their units does not fit"))?;
            Ok(())
        })?;
        for (worker, half_steps) in of_workers {
            add(&mut weights, hotkey_of(db, worker)?, Some(half_steps))?;
        }
        Ok(())
    };
    edge(from.first, from.last.min(last))?;
    if to.first > from.first {
        edge(to.first, last)?;
    }
    let (first, last) = (from.last.next(), to.first.get().saturating_sub(1));
    add_whole(db, &mut weights, first, Sequence::new(last))?;
    Ok(weights)
}

fn hotkey_of(db: &Db, worker: WorkerId) -> Outcome<Hotkey> {
    let sql = "SELECT hotkey FROM workers WHERE id = $1";
    let known = db.one("workers", sql, values![worker], |cells| cells.hotkey("hotkey"))?;
    known.ok_or_else(|| corrupt(format!("shares: worker {worker} is not known")))
}

pub(crate) fn between(db: &Db, after: Sequence, through: Sequence) -> Outcome<Weights> {
    let mut weights = Weights::new();
    add_whole(db, &mut weights, after.next(), through)?;
    Ok(weights)
}

pub(crate) fn values_between(db: &Db, after: Sequence, through: Sequence) -> Outcome<Vec<ValuedUnits>> {
    let sql = "SELECT template, hotkey, SUM(sum) AS units, subsidy, coinbase_value, templates.id IS NULL AS is_unknown
        FROM (SELECT template, worker, SUM(units) AS sum FROM shares
            WHERE sequence > $1 AND sequence > (SELECT pruned_through FROM pool) AND sequence <= $2
            GROUP BY template, worker) AS sums
        LEFT JOIN workers ON workers.id = worker LEFT JOIN templates ON templates.id = template
        GROUP BY template, hotkey, templates.id ORDER BY template, hotkey";
    db.all("shares", sql, values![after, through], |cells| {
        let template: TemplateId = cells.template("template")?;
        if cells.flag("is_unknown")? {
            return Err(corrupt(format!("shares: template {template} is not known")));
        }
        Ok(ValuedUnits {
            hotkey: cells.hotkey("hotkey")?,
            units: cells.units("units")?,
            subsidy: cells.amount("subsidy")?,
            coinbase_value: cells.amount("coinbase_value")?,
        })
    })
}

pub(crate) fn position_at(db: &Db, at: Timestamp) -> Outcome<LedgerPosition> {
    match batches::first_after(db, at)? {
        Some(later) => later.before(),
        None => Ok(batches::tail(db)?.position()),
    }
}

/// The end of the last commit whose total is at most `total`.
pub(crate) fn position_before(db: &Db, total: Units) -> Outcome<LedgerPosition> {
    let end = batches::tail(db)?;
    match batches::last_from(db, total)?.filter(|_| end.total > total) {
        // It goes beyond the total, and the one before does not.
        Some(batch) => batch.before(),
        None => Ok(end.position()),
    }
}

/// Who sent the last share whose extranonce begins so, or with one that was given to the same session. No index is kept
/// for it, because it is asked only for a block whose share was lost in a crash.
pub(crate) fn owner_of(db: &Db, extranonce: ExtraNonce) -> Outcome<Option<Hotkey>> {
    let kin = kin(extranonce);
    let [first, last] = [kin.start(), kin.end()].map(|of| of.get().to_be_bytes());
    let sql = "SELECT hotkey FROM shares JOIN workers ON workers.id = worker
        WHERE sequence > (SELECT pruned_through FROM pool) AND substr(extranonce, 1, 8) BETWEEN $1 AND $2
        ORDER BY sequence DESC LIMIT 1";
    db.one("shares", sql, values![&first, &last], |cells| {
        cells.hotkey("hotkey")
    })
}
