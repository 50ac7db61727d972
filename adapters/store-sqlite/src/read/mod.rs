//! Each question as SQL.

use dwarves_ports::store::{Page, PageRequest};
use rusqlite::{Connection, Params, Row};

use super::columns::Cells;
use super::error::Outcome;

pub(super) mod blocks;
pub(super) mod credits;
pub(super) mod details;
pub(super) mod money;
pub(super) mod notices;
pub(super) mod payout_batches;
pub(super) mod payouts;
pub(super) mod recent;
pub(super) mod statements;
pub(super) mod submissions;
pub(super) mod templates;
pub(super) mod watches;
pub(super) mod windows;
pub(super) mod workings;

/// Where a page begins and how many rows to ask for: one more than wanted shows whether there is another.
fn bounds(request: PageRequest) -> (i64, i64) {
    (request.before(), request.rows_max())
}

/// One page of a statement whose rows come newest first and have their number as `id`.
fn page<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    limit: u32,
    mut read: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Page<T>> {
    let numbered = |row: &Row<'_>| Ok((Cells::new(row, "page").u64("id")?, read(row)?));
    let rows = super::columns::all(connection, sql, params, numbered)?;
    Ok(Page::of(rows, limit))
}
