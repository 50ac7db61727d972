//! Questions about blocks.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::rewards::Credit;
use dwarves_ports::store::codec::rows::{self, BLOCK_COLUMNS};
use dwarves_ports::store::codec::{Cells as _, block_states};
use dwarves_ports::store::{Accounting, BlockCredits, BlockRow, BlockState, Page, PageRequest};

use super::page;
use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;

/// The last block but `$1` that ends a stretch, of those before it (or, if it is not stored, before its place): `$2` is
/// its sequence.
pub(crate) fn block_before() -> String {
    format!(
        "WHERE state NOT IN ({}) AND hash <> $1
           AND (sequence < $2 OR (sequence = $2 AND
                id < COALESCE((SELECT id FROM blocks WHERE hash = $1), 9223372036854775807)))
         ORDER BY sequence DESC, id DESC LIMIT 1",
        block_states(|state| !state.ends_a_stretch())
    )
}

pub(crate) fn to_account(db: &Db, limit: u32) -> Outcome<Vec<BlockRow>> {
    let due: Vec<String> = BlockState::ALL
        .into_iter()
        .flat_map(|state| Accounting::ALL.map(|accounting| (state, accounting)))
        .filter(|(state, accounting)| state.is_due(*accounting))
        .map(|(state, accounting)| format!("('{state}', '{accounting}')"))
        .collect();
    let sql = format!(
        "SELECT {BLOCK_COLUMNS} FROM blocks WHERE (state, accounting) IN (VALUES {}) ORDER BY id LIMIT $1",
        due.join(", ")
    );
    db.all("blocks", &sql, values![limit], rows::block)
}

pub(crate) fn open(db: &Db, depth: u32) -> Outcome<Vec<BlockRow>> {
    let sql = format!(
        "SELECT {BLOCK_COLUMNS}, bytes FROM blocks
         WHERE state IN ({}) OR (state IN ({}) AND height + $1 >= (SELECT MAX(height) FROM blocks))
         ORDER BY id",
        block_states(BlockState::is_undecided),
        block_states(BlockState::can_be_reversed)
    );
    db.all("blocks", &sql, values![depth], rows::whole_block)
}

pub(crate) fn before(db: &Db, hash: &HeaderHash) -> Outcome<Option<BlockRow>> {
    let sql = "SELECT sequence FROM blocks WHERE hash = $1";
    let sequence = db.one("blocks", sql, values![hash], |cells| cells.sequence("sequence"))?;
    let Some(sequence) = sequence else {
        return Ok(None);
    };
    let sql = format!("SELECT {BLOCK_COLUMNS} FROM blocks {}", block_before());
    db.one("blocks", &sql, values![hash, sequence], rows::block)
}

pub(crate) fn one(db: &Db, hash: &HeaderHash) -> Outcome<Option<BlockRow>> {
    let sql = format!("SELECT {BLOCK_COLUMNS} FROM blocks WHERE hash = $1");
    db.one("blocks", &sql, values![hash], rows::block)
}

pub(crate) fn credits(db: &Db, hash: &HeaderHash) -> Outcome<Option<BlockCredits>> {
    let sql = "SELECT fee, kept FROM credited_blocks WHERE hash = $1";
    let settled = db.one("credited_blocks", sql, values![hash], |cells| {
        Ok((cells.amount("fee")?, cells.amount("kept")?))
    })?;
    let Some((fee, kept)) = settled else {
        return Ok(None);
    };
    let sql = "SELECT hotkey, amount FROM block_credits WHERE hash = $1 ORDER BY hotkey";
    let credits = db.all("block_credits", sql, values![hash], |cells| {
        Ok(Credit {
            hotkey: cells.hotkey("hotkey")?,
            amount: cells.amount("amount")?,
        })
    })?;
    Ok(Some(BlockCredits { fee, kept, credits }))
}

pub(crate) fn list(db: &Db, request: PageRequest) -> Outcome<Page<BlockRow>> {
    let sql = format!("SELECT {BLOCK_COLUMNS} FROM blocks WHERE id < $1 ORDER BY id DESC LIMIT $2");
    page(db, "blocks", &sql, request, &[], rows::block)
}
