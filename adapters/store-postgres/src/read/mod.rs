//! Each question as SQL.

use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::{Page, PageRequest};

use super::cells::Cells;
use super::client::Db;
use super::error::Outcome;
use super::value::Value;

pub(super) mod blocks;
pub(super) mod credits;
pub(super) mod details;
pub(super) mod money;
pub(super) mod notices;
pub(super) mod payout_batches;
pub(super) mod payouts;
pub(super) mod statements;
pub(super) mod submissions;
pub(super) mod templates;
pub(super) mod watches;
pub(super) mod windows;
pub(super) mod workings;

/// One page of a statement whose rows come newest first and have their number as `id`. Its first two parameters are the
/// number that all are below and how many rows to give.
fn page<T>(
    db: &Db,
    table: &'static str,
    sql: &str,
    request: PageRequest,
    more: &[Value<'_>],
    mut read: impl FnMut(&Cells) -> Outcome<T>,
) -> Outcome<Page<T>> {
    let mut values = vec![Value::Int(request.before()), Value::Int(request.rows_max())];
    values.extend_from_slice(more);
    let rows = db.all(table, sql, &values, |cells| Ok((cells.u64("id")?, read(cells)?)))?;
    Ok(Page::of(rows, request.limit))
}
