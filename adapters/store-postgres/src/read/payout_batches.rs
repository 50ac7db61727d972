//! Questions about batches of exported payouts.

use dwarves_domain::payouts::{BatchDigest, BatchName, Payout, PayoutState};
use dwarves_ports::store::codec::{Cells as _, records, rows};
use dwarves_ports::store::{BatchRow, BatchSummary, Page, PageRequest};

use super::{page, payouts as read_payouts};
use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;

/// The columns of a head.
const HEAD: &str =
    "id, name, at, first_payout, payouts, total, previous, digest, signer, signature, csv_signature";

pub(crate) fn list(db: &Db, request: PageRequest) -> Outcome<Page<BatchSummary>> {
    let count = |state: PayoutState| {
        format!(
            "(SELECT COUNT(*) FROM payouts WHERE payouts.id >= first_payout
                 AND payouts.id < first_payout + payout_batches.payouts AND state = '{state}') AS {state}"
        )
    };
    let [exported, paid, cancelled] =
        [PayoutState::Exported, PayoutState::Paid, PayoutState::Cancelled].map(count);
    let sql = format!(
        "SELECT {HEAD}, {exported}, {paid}, {cancelled} FROM payout_batches WHERE id < $1 ORDER BY id DESC LIMIT $2"
    );
    page(db, "payout_batches", &sql, request, &[], |cells| {
        Ok(BatchSummary {
            number: cells.u64("id")?,
            head: records::batch_head(cells)?,
            exported: cells.u64("exported")?,
            paid: cells.u64("paid")?,
            cancelled: cells.u64("cancelled")?,
        })
    })
}

/// The digest of the last batch.
pub(crate) fn last(db: &Db) -> Outcome<Option<BatchDigest>> {
    let sql = "SELECT digest FROM payout_batches ORDER BY id DESC LIMIT 1";
    db.one("payout_batches", sql, &[], |cells| {
        records::batch_digest(cells, "digest")
    })
}

pub(crate) fn one(db: &Db, name: &BatchName) -> Outcome<Option<BatchRow>> {
    let sql = format!("SELECT {HEAD}, text, csv FROM payout_batches WHERE name = $1");
    db.one("payout_batches", &sql, values![name.as_str()], |cells| {
        Ok(BatchRow {
            head: records::batch_head(cells)?,
            text: cells.string("text")?,
            csv: cells.string("csv")?,
        })
    })
}

/// The payouts of a batch with their parts, in their order.
pub(crate) fn payouts(db: &Db, name: &BatchName) -> Outcome<Vec<Payout>> {
    let sql = "SELECT payouts.* FROM payout_batches JOIN payouts ON payouts.id >= first_payout
            AND payouts.id < first_payout + payout_batches.payouts
        WHERE payout_batches.name = $1 ORDER BY payouts.id";
    let mut payouts = db.all("payouts", sql, values![name.as_str()], rows::payout)?;
    for payout in &mut payouts {
        payout.parts = read_payouts::parts(db, payout.id)?;
    }
    Ok(payouts)
}
