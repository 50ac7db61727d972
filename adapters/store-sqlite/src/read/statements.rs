//! Questions about epochs and their statements.

use std::collections::HashMap;
use std::ops::ControlFlow;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId, WorkerName};
use dwarves_domain::share::Rejection;
use dwarves_domain::statements::{EpochId, WorkOfAll, Worked};
use dwarves_ports::store::codec::records;
use dwarves_ports::store::{EpochsState, Page, PageRequest, StatementHead, StatementRow};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{bounds, page};
use crate::batches;
use crate::columns::{Cells, all, int};
use crate::deflated::inflated;
use crate::error::{Outcome, corrupt};

/// How far the statements are.
pub(crate) fn epochs(connection: &Connection) -> Outcome<EpochsState> {
    let sql = "SELECT epoch_start, epoch_after, ended_start, ended_after FROM pool";
    let mut state = connection
        .prepare_cached(sql)?
        .query_row([], |row| Ok(records::epochs(&Cells::new(row, "pool"))))??;
    let sql = "SELECT start, ends, digest FROM statements ORDER BY start DESC LIMIT 1";
    let last = connection.prepare_cached(sql)?.query_row([], |row| {
        let cells = Cells::new(row, "statements");
        let read = || -> Outcome<_> {
            Ok((
                records::epoch(&cells)?,
                records::statement_digest(&cells, "digest")?,
            ))
        };
        Ok(read())
    });
    state.last = last.optional()?.transpose()?;
    Ok(state)
}

/// What shares came to, for each worker.
pub(crate) fn work_between(
    connection: &Connection,
    after: Sequence,
    through: Sequence,
    limit: u32,
) -> Outcome<WorkOfAll> {
    let last = after.get().saturating_add(u64::from(limit));
    let last = through.min(Sequence::new(last));
    // By worker while walking, since names are longer than numbers; a name that was given anew has two, which are put
    // together in the order of the shares.
    let mut workers: HashMap<WorkerId, usize> = HashMap::new();
    let mut places: HashMap<(Hotkey, WorkerName), usize> = HashMap::new();
    let mut sums: Vec<Worked> = Vec::new();
    batches::walk(connection, after.next(), last, |found| {
        let share = &found.share;
        let place = match workers.get(&share.worker) {
            Some(place) => *place,
            None => {
                let place = *places
                    .entry(name_of(connection, share.worker)?)
                    .or_insert(sums.len());
                if place == sums.len() {
                    sums.push(Worked::default());
                }
                workers.insert(share.worker, place);
                place
            }
        };
        let sum = sums[place].with_share(share.terms.share_bits, share.terms.units, found.committed_at);
        sums[place] = sum.ok_or_else(does_not_fit)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let mut work = WorkOfAll::new();
    for (of, place) in places {
        work.add_worked(of, &sums[place]).ok_or_else(does_not_fit)?;
    }
    Ok(work)
}

fn does_not_fit() -> crate::error::Fail {
    corrupt("batches.shares: the sum of their work does not fit")
}

fn name_of(connection: &Connection, worker: WorkerId) -> Outcome<(Hotkey, WorkerName)> {
    let mut select = connection.prepare_cached("SELECT hotkey, name FROM workers WHERE id = ?1")?;
    let name = select.query_row([worker.get()], |row| {
        let cells = Cells::new(row, "workers");
        let read = || -> Outcome<_> { Ok((cells.hotkey("hotkey")?, cells.named("name")?)) };
        Ok(read())
    });
    let known = name.optional()?.transpose()?;
    known.ok_or_else(|| corrupt(format!("batches.shares: worker {worker} is not known")))
}

/// Rejected shares that were saved before `end` and are not stated.
pub(crate) fn rejected_before(connection: &Connection, end: EpochId) -> Outcome<WorkOfAll> {
    let sql = "SELECT * FROM epoch_rejects WHERE at < ?1";
    let mut work = WorkOfAll::new();
    let rows = all(connection, sql, [end.start().millis()], |row| {
        let cells = Cells::new(row, "epoch_rejects");
        let mut counts = [0; Rejection::REASONS.len()];
        for (count, reason) in counts.iter_mut().zip(Rejection::REASONS) {
            *count = cells.u64(format!("rejected_{reason}").as_str())?;
        }
        Ok(((cells.hotkey("hotkey")?, cells.named("worker")?), counts))
    })?;
    for (of, counts) in rows {
        let added = work.add_rejected(of, &counts);
        added.ok_or_else(|| corrupt("epoch_rejects: their sum does not fit"))?;
    }
    Ok(work)
}

fn head(row: &Row<'_>) -> Outcome<StatementHead> {
    records::statement_head(&Cells::new(row, "statements"))
}

/// The columns of a head.
const HEAD: &str = "start, ends, after_share, through_share, digest, previous, signer, signature";

pub(crate) fn list(connection: &Connection, request: PageRequest) -> Outcome<Page<StatementHead>> {
    let sql =
        format!("SELECT start AS id, {HEAD} FROM statements WHERE start < ?1 ORDER BY start DESC LIMIT ?2");
    page(connection, &sql, bounds(request), request.limit, head)
}

pub(crate) fn one(connection: &Connection, epoch: EpochId) -> Outcome<Option<StatementRow>> {
    let sql = format!("SELECT {HEAD}, length, text FROM statements WHERE start = ?1");
    let row = connection
        .prepare_cached(&sql)?
        .query_row([int(epoch.get())], |row| {
            let read = || -> Outcome<_> {
                let cells = Cells::new(row, "statements");
                Ok(StatementRow {
                    head: head(row)?,
                    text: inflated(cells.blob("text")?, cells.u64("length")?, "statements.text")?,
                })
            };
            Ok(read())
        });
    row.optional()?.transpose()
}
