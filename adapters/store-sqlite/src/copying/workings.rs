//! How rounds came to their credits.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::PaidWork;
use dwarves_domain::units::Units;
use dwarves_ports::store::copying::tables::{ROUND_PAID, ROUND_SPLITS, ROUND_WORKINGS};
use dwarves_ports::store::copying::{Datum, Key, Row};
use rusqlite::{CachedStatement, Connection, params};

use super::{Given, bad, groups, number_after};
use crate::columns::{Cells, int, sats};
use crate::credited_miners::{self, Hotkeys};
use crate::error::{Outcome, corrupt};
use crate::packed_money::{self, MinerNumber};

/// What `show` makes of the next rounds' workings.
fn each(
    connection: &Connection,
    after: Option<&Key>,
    most: usize,
    mut show: impl FnMut(&Cells<'_, '_>, &mut Vec<Row>) -> Outcome<()>,
) -> Outcome<Vec<Row>> {
    let mut select = connection.prepare_cached(
        "SELECT round, fee_bps, splits, paid FROM round_workings WHERE round > ?1 ORDER BY round",
    )?;
    let mut rows = select.query([number_after(after)])?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        if read.len() >= most {
            break;
        }
        show(&Cells::new(row, "round_workings"), &mut read)?;
    }
    Ok(read)
}

/// The next rounds, and how many blocks each split.
pub(super) fn read(connection: &Connection, after: Option<&Key>, most: usize) -> Outcome<Vec<Row>> {
    each(connection, after, most, |cells, read| {
        let splits = packed_money::splits(cells.blob(2)?)?.len() as u64;
        read.push(vec![
            Datum::Int(cells.int(0)?),
            Datum::Int(cells.int(1)?),
            Datum::Int(int(splits)),
        ]);
        Ok(())
    })
}

/// Writes rounds, with splits that are still empty.
pub(super) fn write(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO round_workings (round, fee_bps, splits, paid) VALUES (?1, ?2, ?3, x'')",
    )?;
    for row in rows {
        let given = Given::new(&ROUND_WORKINGS, row);
        let mut splits = Vec::new();
        for _ in 0..given.u64(2)? {
            packed_money::push_split(&mut splits, &[]);
        }
        insert.execute(params![given.int(0)?, given.int(1)?, splits])?;
    }
    Ok(())
}

/// The work by which the next rounds' blocks were split, by hotkey.
pub(super) fn read_splits(connection: &Connection, after: Option<&Key>, most: usize) -> Outcome<Vec<Row>> {
    let mut hotkeys = Hotkeys::new(connection);
    each(connection, after, most, |cells, read| {
        let round = cells.int(0)?;
        for (split, place) in packed_money::splits(cells.blob(2)?)?.iter().zip(0_i64..) {
            let mut work = split
                .iter()
                .map(|(miner, half_steps)| Ok((*hotkeys.of(*miner)?.as_bytes(), *half_steps)))
                .collect::<Outcome<Vec<_>>>()?;
            work.sort_unstable();
            read.extend(work.into_iter().map(|(hotkey, half_steps)| {
                vec![
                    Datum::Int(round),
                    Datum::Int(place),
                    Datum::Bytes(hotkey.to_vec()),
                    Datum::Number(half_steps),
                ]
            }));
        }
        Ok(())
    })
}

fn number(connection: &Connection, hotkey: &Hotkey) -> Outcome<MinerNumber> {
    Ok(credited_miners::find_or_number(connection, hotkey)?.number)
}

fn update(statement: &mut CachedStatement<'_>, round: i64, packed: &[u8]) -> Outcome<()> {
    match statement.execute(params![round, packed])? {
        1 => Ok(()),
        _ => Err(corrupt(format!("round_workings: round {round} is not there"))),
    }
}

/// Packs splits into rounds that are written already.
pub(super) fn write_splits(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    let table = &ROUND_SPLITS;
    let mut select = connection.prepare_cached("SELECT splits FROM round_workings WHERE round = ?1")?;
    let mut store = connection.prepare_cached("UPDATE round_workings SET splits = ?2 WHERE round = ?1")?;
    for of_round in groups(rows) {
        let round = Given::new(table, &of_round[0]).int(0)?;
        let mut splits = select.query_row([round], |row| {
            let read = || packed_money::splits(Cells::new(row, "round_workings").blob(0)?);
            Ok(read())
        })??;
        for row in of_round {
            let given = Given::new(table, row);
            let place = usize::try_from(given.u64(1)?).map_err(|_| bad(table, 1))?;
            let split = splits.get_mut(place).ok_or_else(|| bad(table, 1))?;
            split.push((number(connection, &given.hotkey(2)?)?, given.number(3)?));
        }
        let mut packed = Vec::new();
        for split in &splits {
            packed_money::push_split(&mut packed, split);
        }
        update(&mut store, round, &packed)?;
    }
    Ok(())
}

/// What the work was worth that the next rounds paid by the share, by hotkey: first what was carried, then each value.
pub(super) fn read_paid(connection: &Connection, after: Option<&Key>, most: usize) -> Outcome<Vec<Row>> {
    let mut hotkeys = Hotkeys::new(connection);
    each(connection, after, most, |cells, read| {
        let round = Datum::Int(cells.int(0)?);
        let mut paid = packed_money::paid(cells.blob(3)?)?
            .into_iter()
            .map(|(miner, paid)| Ok((*hotkeys.of(miner)?.as_bytes(), paid)))
            .collect::<Outcome<Vec<_>>>()?;
        paid.sort_unstable_by_key(|(hotkey, _)| *hotkey);
        for (hotkey, paid) in paid {
            let mut row = |value: Datum, work: u128| {
                let hotkey = Datum::Bytes(hotkey.to_vec());
                read.push(vec![round.clone(), hotkey, value, Datum::Number(work)]);
            };
            row(Datum::Null, paid.carried);
            for (value, units) in &paid.work {
                row(Datum::Int(sats(*value)), units.raw());
            }
        }
        Ok(())
    })
}

/// Packs what work was worth into rounds that are written already.
pub(super) fn write_paid(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    let table = &ROUND_PAID;
    let mut store = connection.prepare_cached("UPDATE round_workings SET paid = ?2 WHERE round = ?1")?;
    for of_round in groups(rows) {
        let mut miners: BTreeMap<Hotkey, PaidWork> = BTreeMap::new();
        for row in of_round {
            let given = Given::new(table, row);
            let paid = miners.entry(given.hotkey(1)?).or_default();
            match given.is_null(2) {
                true => paid.carried = given.number(3)?,
                false => {
                    let units = Units::from_raw(given.number(3)?);
                    paid.work.insert(given.amount(2)?, units);
                }
            }
        }
        let numbered = miners
            .iter()
            .map(|(hotkey, paid)| Ok((number(connection, hotkey)?, paid)));
        let packed = packed_money::pack_paid(&numbered.collect::<Outcome<Vec<_>>>()?);
        update(&mut store, Given::new(table, &of_round[0]).int(0)?, &packed)?;
    }
    Ok(())
}
