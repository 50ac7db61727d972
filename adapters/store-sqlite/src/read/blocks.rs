//! Questions about blocks.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::rewards::Credit;
use dwarves_ports::store::{Accounting, BlockCredits, BlockRow, BlockState, Page, PageRequest};
use rusqlite::{Connection, OptionalExtension, params};

use super::{bounds, page};
use crate::columns::{Cells, all, block_states, int};
use crate::credited_miners::Hotkeys;
use crate::error::Outcome;
use crate::packed_money;
use crate::row_codec::{self, BLOCK_COLUMNS};

/// The last block but `?1` that ends a stretch, of those before it (or, if it is not stored, before its
/// place): `?2` is its sequence.
pub(crate) fn block_before() -> String {
    format!(
        "WHERE state NOT IN ({}) AND hash <> ?1
           AND (sequence < ?2 OR (sequence = ?2 AND
                id < COALESCE((SELECT id FROM blocks WHERE hash = ?1), 9223372036854775807)))
         ORDER BY sequence DESC, id DESC LIMIT 1",
        block_states(|state| !state.ends_a_stretch())
    )
}

pub(crate) fn to_account(connection: &Connection, limit: u32) -> Outcome<Vec<BlockRow>> {
    let due: Vec<String> = BlockState::ALL
        .into_iter()
        .flat_map(|state| Accounting::ALL.map(|accounting| (state, accounting)))
        .filter(|(state, accounting)| state.is_due(*accounting))
        .map(|(state, accounting)| format!("('{state}', '{accounting}')"))
        .collect();
    let sql = format!(
        "SELECT {BLOCK_COLUMNS} FROM blocks WHERE (state, accounting) IN (VALUES {}) ORDER BY id LIMIT ?1",
        due.join(", ")
    );
    all(connection, &sql, [limit], row_codec::block)
}

pub(crate) fn open(connection: &Connection, depth: u32) -> Outcome<Vec<BlockRow>> {
    let sql = format!(
        "SELECT {BLOCK_COLUMNS}, bytes FROM blocks
         WHERE state IN ({}) OR (state IN ({}) AND height + ?1 >= (SELECT MAX(height) FROM blocks))
         ORDER BY id",
        block_states(BlockState::is_undecided),
        block_states(BlockState::can_be_reversed)
    );
    all(connection, &sql, [depth], row_codec::whole_block)
}

pub(crate) fn before(connection: &Connection, hash: &HeaderHash) -> Outcome<Option<BlockRow>> {
    let sequence = connection
        .prepare_cached("SELECT sequence FROM blocks WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| {
            Ok(Cells::new(row, "blocks").sequence("sequence"))
        })
        .optional()?
        .transpose()?;
    let Some(sequence) = sequence else {
        return Ok(None);
    };
    let sql = format!("SELECT {BLOCK_COLUMNS} FROM blocks {}", block_before());
    connection
        .prepare_cached(&sql)?
        .query_row(params![hash.as_bytes(), int(sequence.get())], |row| {
            Ok(row_codec::block(row))
        })
        .optional()?
        .transpose()
}

pub(crate) fn one(connection: &Connection, hash: &HeaderHash) -> Outcome<Option<BlockRow>> {
    let sql = format!("SELECT {BLOCK_COLUMNS} FROM blocks WHERE hash = ?1");
    connection
        .prepare_cached(&sql)?
        .query_row([hash.as_bytes()], |row| Ok(row_codec::block(row)))
        .optional()?
        .transpose()
}

pub(crate) fn credits(connection: &Connection, hash: &HeaderHash) -> Outcome<Option<BlockCredits>> {
    let settled = connection
        .prepare_cached("SELECT fee, kept, parts FROM credited_blocks WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| {
            let cells = Cells::new(row, "credited_blocks");
            let parts = |cells: &Cells<'_, '_>, column| packed_money::parts(cells.blob(column)?);
            let read = || -> Outcome<_> {
                let parts = cells.optional("parts", parts)?;
                Ok((cells.amount("fee")?, cells.amount("kept")?, parts))
            };
            Ok(read())
        })
        .optional()?
        .transpose()?;
    let Some((fee, kept, parts)) = settled else {
        return Ok(None);
    };
    if let Some(parts) = parts {
        let mut hotkeys = Hotkeys::new(connection);
        let mut credit = |(miner, amount)| {
            let hotkey = hotkeys.of(miner)?;
            Ok(Credit { hotkey, amount })
        };
        let credits = parts.into_iter().map(&mut credit).collect::<Outcome<Vec<_>>>();
        let mut credits = credits?;
        credits.sort_unstable_by_key(|credit| credit.hotkey);
        return Ok(Some(BlockCredits { fee, kept, credits }));
    }
    let sql = "SELECT hotkey, amount FROM block_credits WHERE hash = ?1 ORDER BY hotkey";
    let credits = all(connection, sql, [hash.as_bytes()], |row| {
        let cells = Cells::new(row, "block_credits");
        Ok(Credit {
            hotkey: cells.hotkey("hotkey")?,
            amount: cells.amount("amount")?,
        })
    })?;
    Ok(Some(BlockCredits { fee, kept, credits }))
}

pub(crate) fn list(connection: &Connection, request: PageRequest) -> Outcome<Page<BlockRow>> {
    let sql = format!("SELECT {BLOCK_COLUMNS} FROM blocks WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    page(connection, &sql, bounds(request), request.limit, row_codec::block)
}
