//! Questions about evaluated work.

use dwarves_domain::evaluation::{Figure, Measure, SubmissionId};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::evaluated::BestResult;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::{Cells as _, records};
use dwarves_ports::store::{MinerResults, Page, PageRequest, SubmissionRow};

use super::page;
use crate::client::Db;
use crate::error::Outcome;
use crate::value::{Value, values};

/// The columns of a submission but its work, which may be large.
const COLUMNS: &str = "sequence AS id, id AS name, hotkey, worker, received_at, evaluated_at, loss, score, metadata, \
                       fault, detail";

pub(crate) fn waiting(db: &Db, limit: u32) -> Outcome<Vec<SubmissionRow>> {
    let sql =
        format!("SELECT {COLUMNS} FROM submissions WHERE evaluated_at IS NULL ORDER BY sequence LIMIT $1");
    db.all("submissions", &sql, values![limit], records::submission)
}

pub(crate) fn work(db: &Db, id: &SubmissionId) -> Outcome<Option<String>> {
    let sql = "SELECT work FROM submissions WHERE id = $1 AND evaluated_at IS NULL";
    db.one("submissions", sql, values![id.as_bytes()], |cells| {
        cells.string("work")
    })
}

pub(crate) fn one(db: &Db, id: &SubmissionId) -> Outcome<Option<SubmissionRow>> {
    first(db, "WHERE submissions.id = $1", values![id.as_bytes()])
}

/// The first submission of these.
fn first(db: &Db, which: &str, values: &[Value<'_>]) -> Outcome<Option<SubmissionRow>> {
    let sql = format!("SELECT {COLUMNS} FROM submissions {which} LIMIT 1");
    db.one("submissions", &sql, values, records::submission)
}

pub(crate) fn of_miner(db: &Db, hotkey: &Hotkey, request: PageRequest) -> Outcome<Page<SubmissionRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM submissions WHERE hotkey = $3 AND sequence < $1 ORDER BY sequence DESC LIMIT $2"
    );
    page(
        db,
        "submissions",
        &sql,
        request,
        values![hotkey],
        records::submission,
    )
}

/// The column of a measure, and how the best comes first.
fn best_first(measure: Measure) -> (&'static str, &'static str) {
    match measure {
        Measure::Loss => ("loss", "loss ASC, received_at, sequence"),
        Measure::Score => ("score", "score DESC, received_at, sequence"),
    }
}

pub(crate) fn results(db: &Db, hotkey: &Hotkey, measure: Measure, since: Timestamp) -> Outcome<MinerResults> {
    let (column, order) = best_first(measure);
    let best = format!(
        "WHERE hotkey = $1 AND fault IS NULL AND evaluated_at >= $2 AND {column} IS NOT NULL ORDER BY {order}"
    );
    let latest = "WHERE hotkey = $1 AND evaluated_at IS NOT NULL ORDER BY evaluated_at DESC, sequence DESC";
    let waiting = "SELECT COUNT(*) AS count FROM submissions WHERE hotkey = $1 AND evaluated_at IS NULL";
    Ok(MinerResults {
        best: first(db, &best, values![hotkey, since])?,
        latest: first(db, latest, values![hotkey])?,
        waiting: db.always("submissions", waiting, values![hotkey], |cells| {
            cells.u64("count")
        })?,
    })
}

pub(crate) fn best(
    db: &Db,
    measure: Measure,
    after: Timestamp,
    until: Timestamp,
) -> Outcome<Vec<BestResult>> {
    let (column, order) = best_first(measure);
    let sql = format!(
        "SELECT hotkey, {column}, received_at FROM (
             SELECT *, ROW_NUMBER() OVER (PARTITION BY hotkey ORDER BY {order}) AS place FROM submissions
             WHERE evaluated_at > $1 AND evaluated_at <= $2 AND evaluated_at IS NOT NULL AND fault IS NULL
                 AND {column} IS NOT NULL) AS placed
         WHERE place = 1 AND hotkey IN (SELECT hotkey FROM miners)
             AND hotkey NOT IN (SELECT hotkey FROM bans WHERE ends_at IS NULL OR ends_at > $2)
         ORDER BY hotkey"
    );
    db.all("submissions", &sql, values![after, until], |cells| {
        let reading = records::reading(cells, column)?;
        Ok(BestResult {
            hotkey: cells.hotkey("hotkey")?,
            figure: match measure {
                Measure::Loss => Figure::Loss(reading),
                Measure::Score => Figure::Score(reading),
            },
            received_at: cells.time("received_at")?,
        })
    })
}
