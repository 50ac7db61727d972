//! A row for each step, packed into rows of many steps.

use std::collections::BTreeMap;

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_ports::store::copying::tables::{MINER_HISTORY, WORKER_HISTORY};
use dwarves_ports::store::copying::{Row, Table};
use rusqlite::Connection;

use crate::copying::{Given, bad, groups, plain};
use crate::error::Outcome;
use crate::history::moving::{self, number_of, place_of};
use crate::packed_history::{Steps, Tally};

/// A step of a row that is copied: which, when it began, and what it came to.
fn step_of(table: &'static Table, row: &Row) -> Outcome<(Step, Timestamp, Sums)> {
    let given = Given::new(table, row);
    let secs = given.u64(1)?;
    let step = Step::ALL.into_iter().find(|step| step.secs() == secs);
    let mut sums = Sums {
        accepted: given.u64(3)?,
        units: Units::from_raw(given.number(4)?),
        hashes: given.real(5)?,
        squares: given.real(6)?,
        ..Sums::default()
    };
    for (count, column) in sums.rejected.iter_mut().zip(7..) {
        *count = given.u64(column)?;
    }
    let at = Timestamp::from_secs(given.int(2)?);
    Ok((step.ok_or_else(|| bad(table, 1))?, at, sums))
}

/// Writes the steps of one into rows.
fn write_steps(
    connection: &Connection,
    table: &'static Table,
    to: moving::Table,
    number: u64,
    rows: &[Row],
) -> Outcome<()> {
    let mut packed: BTreeMap<(u64, i64), Steps> = BTreeMap::new();
    for row in rows {
        let (step, at, sums) = step_of(table, row)?;
        let bits = match (*table == WORKER_HISTORY, Given::new(table, row).is_null(13)) {
            (true, false) => {
                let bits = u32::try_from(Given::new(table, row).u64(13)?).map_err(|_| bad(table, 13))?;
                Some(CompactTarget::from_bits(bits))
            }
            _ => None,
        };
        let of_row = packed
            .entry((step.row().secs(), step.row_begin(at).secs()))
            .or_default();
        of_row.insert(place_of(step, at), Tally::of(&sums, bits));
    }
    for ((span, at), steps) in &packed {
        to.put(connection, *span, *at, number, steps)?;
    }
    Ok(())
}

/// Packs the history of workers.
pub(in crate::copying) fn write_workers(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    for of_worker in groups(rows) {
        let worker = Given::new(&WORKER_HISTORY, &of_worker[0]).u64(0)?;
        write_steps(
            connection,
            &WORKER_HISTORY,
            moving::Table::WORKERS,
            worker,
            of_worker,
        )?;
    }
    Ok(())
}

/// Packs the history of miners, and keeps the pool's as it is.
pub(in crate::copying) fn write_miners(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    let table = &MINER_HISTORY;
    for of_miner in groups(rows) {
        let given = Given::new(table, &of_miner[0]);
        match given.bytes(0)? {
            [] => write_pool(connection, of_miner)?,
            _ => {
                let number = number_of(connection, &given.hotkey(0)?)?;
                write_steps(connection, table, moving::Table::MINERS, number, of_miner)?;
            }
        }
    }
    Ok(())
}

fn write_pool(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    // The same columns, but for the one that says whose it is.
    let columns: Vec<&str> = MINER_HISTORY.columns[1..]
        .iter()
        .map(|column| column.name)
        .collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
    let (columns, places) = (columns.join(", "), places.join(", "));
    let sql = format!("INSERT INTO pool_history ({columns}) VALUES ({places})");
    let mut insert = connection.prepare_cached(&sql)?;
    for row in rows {
        insert.execute(rusqlite::params_from_iter(row[1..].iter().map(plain::value)))?;
    }
    Ok(())
}
