//! Whether the books hold exactly what came in: sums that are kept up with every change, and compared at every commit
//! that changes them. At the opening they are compared with the rows themselves.

use dwarves_domain::ledger::{Holdings, Income};
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::codec::sums;

use super::client::Db;
use super::error::{Outcome, corrupt};
use super::value::values;

pub(crate) use sums::{EMITTED, of_account, of_blocks};

/// Changes a sum.
pub(crate) fn change(db: &Db, name: &str, sats: i64) -> Outcome<()> {
    // A sum that does not fit 64 bits is an error of the database, which stops the process.
    db.execute(
        "INSERT INTO sums (name, sats) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET sats = sums.sats + excluded.sats",
        values![name, sats],
    )?;
    Ok(())
}

/// Where the accounts stand and what came in, by the sums.
pub(crate) fn read(db: &Db) -> Outcome<(Holdings, Income)> {
    let rows = db.all("sums", "SELECT name, sats FROM sums", &[], |cells| {
        Ok((cells.string("name")?, cells.int("sats")?))
    })?;
    sums::evaluate(&rows.into_iter().collect()).map_err(corrupt)
}

/// Refuses a transaction after which the books would not hold exactly what came in.
pub(crate) fn check(db: &Db) -> Outcome<()> {
    let (holdings, income) = read(db)?;
    holdings
        .check(&income)
        .map_err(|error| corrupt(format!("the books do not add up: {error} ({holdings})")))
}

/// Compares the sums with the rows that they are the sums of, and the books with what came in.
pub(crate) fn check_all(db: &Db) -> Outcome<()> {
    // Added up to the last sat: the database's sums of bigints are of any size.
    let rows =
        "SELECT 'account.' || account AS name, SUM(amount)::bigint AS sats FROM balances GROUP BY account
        UNION ALL SELECT 'blocks.' || accounting, SUM(reward)::bigint FROM blocks GROUP BY accounting
        UNION ALL SELECT 'emitted', COALESCE(SUM(reward), 0)::bigint FROM rounds WHERE source = 'emission'
        UNION ALL SELECT name, -sats FROM sums";
    let rows = db.all("sums", rows, &[], |cells| {
        Ok((cells.string("name")?, cells.int("sats")?))
    })?;
    sums::compare(rows).map_err(corrupt)?;
    check(db)
}
