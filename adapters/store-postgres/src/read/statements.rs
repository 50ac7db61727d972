//! Questions about epochs and their statements.

use std::collections::HashMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId, WorkerName};
use dwarves_domain::share::Rejection;
use dwarves_domain::statements::{EpochId, WorkOfAll, Worked};
use dwarves_ports::store::codec::{Cells as _, records};
use dwarves_ports::store::{EpochsState, Page, PageRequest, StatementHead, StatementRow};

use super::page;
use crate::batches;
use crate::client::Db;
use crate::error::{Fail, Outcome, corrupt};
use crate::value::values;

/// How far the statements are.
pub(crate) fn epochs(db: &Db) -> Outcome<EpochsState> {
    let sql = "SELECT epoch_start, epoch_after, ended_start, ended_after FROM pool";
    let mut state = db.always("pool", sql, &[], records::epochs)?;
    let sql = "SELECT start, ends, digest FROM statements ORDER BY start DESC LIMIT 1";
    state.last = db.one("statements", sql, &[], |cells| {
        Ok((
            records::epoch(cells)?,
            records::statement_digest(cells, "digest")?,
        ))
    })?;
    Ok(state)
}

/// What shares came to, for each worker.
pub(crate) fn work_between(db: &Db, after: Sequence, through: Sequence, limit: u32) -> Outcome<WorkOfAll> {
    let last = after.get().saturating_add(u64::from(limit));
    let last = through.min(Sequence::new(last));
    // By worker while walking, since names are longer than numbers; a name that was given anew has two, which are put
    // together in the order of the shares.
    let mut workers: HashMap<WorkerId, usize> = HashMap::new();
    let mut places: HashMap<(Hotkey, WorkerName), usize> = HashMap::new();
    let mut sums: Vec<Worked> = Vec::new();
    batches::walk(db, after.next(), last, |share| {
        let place = match workers.get(&share.worker) {
            Some(place) => *place,
            None => {
                let place = *places.entry(name_of(db, share.worker)?).or_insert(sums.len());
                if place == sums.len() {
                    sums.push(Worked::default());
                }
                workers.insert(share.worker, place);
                place
            }
        };
        let sum = sums[place].with_share(share.share_bits, share.units, share.committed_at);
        sums[place] = sum.ok_or_else(does_not_fit)?;
        Ok(())
    })?;
    let mut work = WorkOfAll::new();
    for (of, place) in places {
        work.add_worked(of, &sums[place]).ok_or_else(does_not_fit)?;
    }
    Ok(work)
}

fn does_not_fit() -> Fail {
    corrupt("shares: the sum of their work does not fit")
}

fn name_of(db: &Db, worker: WorkerId) -> Outcome<(Hotkey, WorkerName)> {
    let sql = "SELECT hotkey, name FROM workers WHERE id = $1";
    let known = db.one("workers", sql, values![worker], |cells| {
        Ok((cells.hotkey("hotkey")?, cells.named("name")?))
    })?;
    known.ok_or_else(|| corrupt(format!("shares: worker {worker} is not known")))
}

/// Rejected shares that were saved before `end` and are not stated.
pub(crate) fn rejected_before(db: &Db, end: EpochId) -> Outcome<WorkOfAll> {
    let sql = "SELECT * FROM epoch_rejects WHERE at < $1";
    let rows = db.all("epoch_rejects", sql, values![end.start()], |cells| {
        let mut counts = [0; Rejection::REASONS.len()];
        for (count, reason) in counts.iter_mut().zip(Rejection::REASONS) {
            *count = cells.u64(format!("rejected_{reason}").as_str())?;
        }
        Ok(((cells.hotkey("hotkey")?, cells.named("worker")?), counts))
    })?;
    let mut work = WorkOfAll::new();
    for (of, counts) in rows {
        let added = work.add_rejected(of, &counts);
        added.ok_or_else(|| corrupt("epoch_rejects: their sum does not fit"))?;
    }
    Ok(work)
}

/// The columns of a head.
const HEAD: &str = "start, ends, after_share, through_share, digest, previous, signer, signature";

pub(crate) fn list(db: &Db, request: PageRequest) -> Outcome<Page<StatementHead>> {
    let sql =
        format!("SELECT start AS id, {HEAD} FROM statements WHERE start < $1 ORDER BY start DESC LIMIT $2");
    page(db, "statements", &sql, request, &[], records::statement_head)
}

pub(crate) fn one(db: &Db, epoch: EpochId) -> Outcome<Option<StatementRow>> {
    let sql = format!("SELECT {HEAD}, text FROM statements WHERE start = $1");
    db.one("statements", &sql, values![epoch.get()], |cells| {
        Ok(StatementRow {
            head: records::statement_head(cells)?,
            text: cells.string("text")?,
        })
    })
}
