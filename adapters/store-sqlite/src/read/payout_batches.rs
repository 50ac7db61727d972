//! Questions about batches of exported payouts.

use dwarves_domain::payouts::{BatchDigest, BatchName, Payout, PayoutState};
use dwarves_ports::store::codec::records;
use dwarves_ports::store::{BatchHead, BatchRow, BatchSummary, Page, PageRequest};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{bounds, page, payouts as read_payouts};
use crate::columns::{Cells, all, int};
use crate::deflated::inflated;
use crate::error::Outcome;
use crate::row_codec;

/// The columns of a head.
const HEAD: &str =
    "id, name, at, first_payout, payouts, total, previous, digest, signer, signature, csv_signature";

fn head(row: &Row<'_>) -> Outcome<BatchHead> {
    records::batch_head(&Cells::new(row, "payout_batches"))
}

pub(crate) fn list(connection: &Connection, request: PageRequest) -> Outcome<Page<BatchSummary>> {
    let count = |state: PayoutState| {
        format!(
            "(SELECT COUNT(*) FROM payouts WHERE payouts.id >= first_payout
                 AND payouts.id < first_payout + payout_batches.payouts AND state = '{state}') AS {state}"
        )
    };
    let [exported, paid, cancelled] =
        [PayoutState::Exported, PayoutState::Paid, PayoutState::Cancelled].map(count);
    let sql = format!(
        "SELECT {HEAD}, {exported}, {paid}, {cancelled} FROM payout_batches WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
    );
    page(connection, &sql, bounds(request), request.limit, |row| {
        let cells = Cells::new(row, "payout_batches");
        Ok(BatchSummary {
            number: cells.u64("id")?,
            head: head(row)?,
            exported: cells.u64("exported")?,
            paid: cells.u64("paid")?,
            cancelled: cells.u64("cancelled")?,
        })
    })
}

/// The digest of the last batch.
pub(crate) fn last(connection: &Connection) -> Outcome<Option<BatchDigest>> {
    connection
        .prepare_cached("SELECT digest FROM payout_batches ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(records::batch_digest(
                &Cells::new(row, "payout_batches"),
                "digest",
            ))
        })
        .optional()?
        .transpose()
}

pub(crate) fn one(connection: &Connection, name: &BatchName) -> Outcome<Option<BatchRow>> {
    let sql = format!("SELECT {HEAD}, length, text, csv_length, csv FROM payout_batches WHERE name = ?1");
    let row = connection
        .prepare_cached(&sql)?
        .query_row([name.as_str()], |row| {
            let read = || -> Outcome<_> {
                let cells = Cells::new(row, "payout_batches");
                let text = |text: &str, length: &str| {
                    let column = format!("payout_batches.{text}");
                    inflated(cells.blob(text)?, cells.u64(length)?, &column)
                };
                Ok(BatchRow {
                    head: head(row)?,
                    text: text("text", "length")?,
                    csv: text("csv", "csv_length")?,
                })
            };
            Ok(read())
        });
    row.optional()?.transpose()
}

/// The payouts of a batch with their parts, in their order.
pub(crate) fn payouts(connection: &Connection, name: &BatchName) -> Outcome<Vec<Payout>> {
    let range = connection
        .prepare_cached("SELECT first_payout, payouts FROM payout_batches WHERE name = ?1")?
        .query_row([name.as_str()], |row| {
            let cells = Cells::new(row, "payout_batches");
            let read = || -> Outcome<_> { Ok((cells.u64("first_payout")?, cells.u64("payouts")?)) };
            Ok(read())
        })
        .optional()?
        .transpose()?;
    let Some((first, count)) = range else {
        return Ok(Vec::new());
    };
    let sql = "SELECT * FROM payouts WHERE id >= ?1 AND id < ?2 ORDER BY id";
    let through = int(first.saturating_add(count));
    let mut payouts = all(connection, sql, params![int(first), through], row_codec::payout)?;
    for payout in &mut payouts {
        payout.parts = read_payouts::parts(connection, payout.id)?;
    }
    Ok(payouts)
}
