//! Questions about evaluated work.

use dwarves_domain::evaluation::{Figure, Measure, SubmissionId};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::evaluated::BestResult;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::records;
use dwarves_ports::store::{MinerResults, Page, PageRequest, SubmissionRow};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{bounds, page};
use crate::columns::{Cells, all};
use crate::error::Outcome;

/// The columns of a submission but its work, which may be large.
const COLUMNS: &str = "sequence AS id, id AS name, hotkey, worker, received_at, evaluated_at, loss, score, metadata, \
                       fault, detail";

fn submission(row: &Row<'_>) -> Outcome<SubmissionRow> {
    records::submission(&Cells::new(row, "submissions"))
}

pub(crate) fn waiting(connection: &Connection, limit: u32) -> Outcome<Vec<SubmissionRow>> {
    let sql =
        format!("SELECT {COLUMNS} FROM submissions WHERE evaluated_at IS NULL ORDER BY sequence LIMIT ?1");
    all(connection, &sql, [limit], submission)
}

pub(crate) fn work(connection: &Connection, id: &SubmissionId) -> Outcome<Option<String>> {
    let work = connection
        .prepare_cached("SELECT work FROM submissions WHERE id = ?1 AND evaluated_at IS NULL")?
        .query_row([id.as_bytes()], |row| {
            Ok(Cells::new(row, "submissions").text("work").map(str::to_owned))
        });
    work.optional()?.transpose()
}

pub(crate) fn one(connection: &Connection, id: &SubmissionId) -> Outcome<Option<SubmissionRow>> {
    first(connection, "WHERE submissions.id = ?1", params![id.as_bytes()])
}

/// The first submission of these.
fn first(
    connection: &Connection,
    which: &str,
    params: impl rusqlite::Params,
) -> Outcome<Option<SubmissionRow>> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM submissions {which} LIMIT 1"))?
        .query_row(params, |row| Ok(submission(row)));
    row.optional()?.transpose()
}

pub(crate) fn of_miner(
    connection: &Connection,
    hotkey: &Hotkey,
    request: PageRequest,
) -> Outcome<Page<SubmissionRow>> {
    let (before, limit) = bounds(request);
    let sql = format!(
        "SELECT {COLUMNS} FROM submissions WHERE hotkey = ?1 AND sequence < ?2 ORDER BY sequence DESC LIMIT ?3"
    );
    let params = params![hotkey.as_bytes(), before, limit];
    page(connection, &sql, params, request.limit, submission)
}

/// The column of a measure, and how the best comes first.
fn best_first(measure: Measure) -> (&'static str, &'static str) {
    match measure {
        Measure::Loss => ("loss", "loss ASC, received_at, sequence"),
        Measure::Score => ("score", "score DESC, received_at, sequence"),
    }
}

pub(crate) fn results(
    connection: &Connection,
    hotkey: &Hotkey,
    measure: Measure,
    since: Timestamp,
) -> Outcome<MinerResults> {
    let (column, order) = best_first(measure);
    let best = format!(
        "WHERE hotkey = ?1 AND fault IS NULL AND evaluated_at >= ?2 AND {column} IS NOT NULL ORDER BY {order}"
    );
    let latest = "WHERE hotkey = ?1 AND evaluated_at IS NOT NULL ORDER BY evaluated_at DESC, sequence DESC";
    let waiting = "SELECT COUNT(*) FROM submissions WHERE hotkey = ?1 AND evaluated_at IS NULL";
    let waiting = connection
        .prepare_cached(waiting)?
        .query_row([hotkey.as_bytes()], |row| {
            Ok(Cells::new(row, "submissions").u64(0))
        })??;
    Ok(MinerResults {
        best: first(connection, &best, params![hotkey.as_bytes(), since.millis()])?,
        latest: first(connection, latest, params![hotkey.as_bytes()])?,
        waiting,
    })
}

pub(crate) fn best(
    connection: &Connection,
    measure: Measure,
    after: Timestamp,
    until: Timestamp,
) -> Outcome<Vec<BestResult>> {
    let (column, order) = best_first(measure);
    let sql = format!(
        "SELECT hotkey, {column}, received_at FROM (
             SELECT *, ROW_NUMBER() OVER (PARTITION BY hotkey ORDER BY {order}) AS place FROM submissions
             WHERE evaluated_at > ?1 AND evaluated_at <= ?2 AND evaluated_at IS NOT NULL AND fault IS NULL
                 AND {column} IS NOT NULL)
         WHERE place = 1 AND hotkey IN (SELECT hotkey FROM miners)
             AND hotkey NOT IN (SELECT hotkey FROM bans WHERE ends_at IS NULL OR ends_at > ?2)
         ORDER BY hotkey"
    );
    all(connection, &sql, params![after.millis(), until.millis()], |row| {
        let cells = Cells::new(row, "submissions");
        let reading = records::reading(&cells, column)?;
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
