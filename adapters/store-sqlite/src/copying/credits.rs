//! Miners' credits and their parts of blocks: packed, and as they were before.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId};
use dwarves_domain::units::Amount;
use dwarves_ports::store::CreditKind;
use dwarves_ports::store::copying::tables::{BLOCK_CREDITS, CREDITS};
use dwarves_ports::store::copying::{Datum, Key, Row, Table};
use rusqlite::{Connection, params};

use super::{Given, bad, bytes_after, groups, number_after, plain};
use crate::columns::{Cells, all, int, sats};
use crate::credited_miners::{self, Hotkeys};
use crate::error::{Outcome, corrupt};
use crate::packed_money::{self, push_part};
use crate::read::credits::last_id;
use crate::write::credits::append;

/// The next credits: those of before come first.
pub(super) fn read(
    connection: &Connection,
    table: &'static Table,
    after: Option<&Key>,
    limit: u32,
) -> Outcome<Vec<Row>> {
    let of_before = plain::read(connection, table, after, limit)?;
    if !of_before.is_empty() {
        return Ok(of_before);
    }
    let mut hotkeys = Hotkeys::new(connection);
    let mut select = connection.prepare_cached(
        "SELECT id, round, kind, block, credits FROM packed_credits WHERE id > ?1 ORDER BY id",
    )?;
    let mut rows = select.query([number_after(after)])?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        if read.len() >= limit as usize {
            break;
        }
        let cells = Cells::new(row, "packed_credits");
        let block = cells.optional(3, |cells, column| Ok(Datum::Bytes(cells.blob(column)?.to_vec())))?;
        let block = block.unwrap_or(Datum::Null);
        let kind = Datum::text(cells.text(2)?);
        for (credit, id) in packed_money::credits(cells.blob(4)?)?.iter().zip(cells.int(0)?..) {
            read.push(vec![
                Datum::Int(id),
                Datum::Int(cells.int(1)?),
                Datum::Bytes(hotkeys.of(credit.miner)?.as_bytes().to_vec()),
                Datum::Number(credit.half_steps),
                Datum::Int(sats(credit.amount)),
                kind.clone(),
                block.clone(),
            ]);
        }
    }
    Ok(read)
}

/// Packs credits behind those that are there.
pub(super) fn write(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    let table = &CREDITS;
    if let Some(row) = rows.first()
        && last_id(connection)? + 1 != Given::new(table, row).u64(0)?
    {
        return Err(corrupt("credits: they do not go on behind those that are there"));
    }
    // Of one round, kind and block.
    for together in rows.chunk_by(|a, b| (&a[1], &a[5], &a[6]) == (&b[1], &b[5], &b[6])) {
        let given = Given::new(table, &together[0]);
        let round = RoundId::new(given.u64(1)?);
        let kind: CreditKind = given.text(5)?.parse().map_err(|_| bad(table, 5))?;
        let block = match given.is_null(6) {
            true => None,
            false => Some(HeaderHash::from_bytes(given.array(6)?)),
        };
        let credits = together.iter().map(|row| {
            let given = Given::new(table, row);
            Ok((given.hotkey(2)?, given.number(3)?, given.amount(4)?))
        });
        let credits = credits.collect::<Outcome<Vec<(Hotkey, u128, Amount)>>>()?;
        append(connection, round, kind, block.as_ref(), &credits)?;
    }
    Ok(())
}

/// The parts of the next blocks, by hotkey.
pub(super) fn read_parts(connection: &Connection, after: Option<&Key>, most: usize) -> Outcome<Vec<Row>> {
    let mut hotkeys = Hotkeys::new(connection);
    let mut select = connection.prepare_cached(
        "SELECT hash, parts FROM credited_blocks WHERE ?1 IS NULL OR hash > ?1 ORDER BY hash",
    )?;
    let mut rows = select.query([bytes_after(after)])?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        if read.len() >= most {
            break;
        }
        let cells = Cells::new(row, "credited_blocks");
        let hash = cells.blob(0)?;
        let packed = cells.optional(1, |cells, column| packed_money::parts(cells.blob(column)?))?;
        let mut parts = match packed {
            Some(packed) => packed
                .into_iter()
                .map(|(miner, amount)| Ok((hotkeys.of(miner)?, amount)))
                .collect::<Outcome<Vec<_>>>()?,
            None => {
                let sql = "SELECT hotkey, amount FROM block_credits WHERE hash = ?1";
                all(connection, sql, [hash], |row| {
                    let cells = Cells::new(row, "block_credits");
                    Ok((cells.hotkey("hotkey")?, cells.amount("amount")?))
                })?
            }
        };
        parts.sort_unstable_by_key(|(hotkey, _)| *hotkey.as_bytes());
        read.extend(parts.into_iter().map(|(hotkey, amount)| {
            vec![
                Datum::Bytes(hash.to_vec()),
                Datum::Bytes(hotkey.as_bytes().to_vec()),
                Datum::Int(sats(amount)),
            ]
        }));
    }
    Ok(read)
}

/// Packs the parts of blocks that are written already.
pub(super) fn write_parts(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    let mut update = connection.prepare_cached("UPDATE credited_blocks SET parts = ?2 WHERE hash = ?1")?;
    for parts in groups(rows) {
        let mut packed = Vec::new();
        for row in parts {
            let given = Given::new(&BLOCK_CREDITS, row);
            let miner = credited_miners::find_or_number(connection, &given.hotkey(1)?)?;
            push_part(&mut packed, miner.number, given.amount(2)?);
        }
        let hash = Given::new(&BLOCK_CREDITS, &parts[0]).bytes(0)?;
        if update.execute(params![hash, packed])? != 1 {
            return Err(corrupt(format!(
                "block_credits: the block of {} parts is not there",
                int(parts.len() as u64)
            )));
        }
    }
    Ok(())
}
