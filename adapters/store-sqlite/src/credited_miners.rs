//! Miners' numbers, by which what rounds book names them, and where each one's last credit is.

use std::collections::HashMap;

use dwarves_domain::hotkey::Hotkey;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Cells, int};
use super::error::{Outcome, corrupt};
use super::packed_money::MinerNumber;

/// Every so manyth credit of a miner has a mark, from which a page of its statement is found.
pub(super) const CREDITS_PER_MARK: u64 = 64;

/// What is known of a miner.
#[derive(Clone, Copy)]
pub(super) struct Credited {
    pub(super) number: MinerNumber,
    /// How many credits it has in packed form.
    pub(super) credits: u64,
    /// The last of them; 0: there is none.
    pub(super) last_credit: u64,
}

/// A miner, if anything was ever booked for it in packed form.
pub(super) fn find(connection: &Connection, hotkey: &Hotkey) -> Outcome<Option<Credited>> {
    let mut select = connection
        .prepare_cached("SELECT number, credits, last_credit FROM credited_miners WHERE hotkey = ?1")?;
    let found = select.query_row([hotkey.as_bytes()], |row| {
        let cells = Cells::new(row, "credited_miners");
        let read = || -> Outcome<_> {
            Ok(Credited {
                number: MinerNumber(cells.u64(0)?),
                credits: cells.u64(1)?,
                last_credit: cells.u64(2)?,
            })
        };
        Ok(read())
    });
    found.optional()?.transpose()
}

/// A miner, which gets a number if it has none.
pub(super) fn find_or_number(connection: &Connection, hotkey: &Hotkey) -> Outcome<Credited> {
    if let Some(known) = find(connection, hotkey)? {
        return Ok(known);
    }
    connection
        .prepare_cached("INSERT INTO credited_miners (hotkey, credits, last_credit) VALUES (?1, 0, 0)")?
        .execute([hotkey.as_bytes()])?;
    Ok(Credited {
        number: MinerNumber(connection.last_insert_rowid().cast_unsigned()),
        credits: 0,
        last_credit: 0,
    })
}

/// Notes a miner's next credit.
pub(super) fn note_credit(connection: &Connection, miner: &Credited, id: u64) -> Outcome<()> {
    let credits = miner.credits + 1;
    connection
        .prepare_cached("UPDATE credited_miners SET credits = ?2, last_credit = ?3 WHERE number = ?1")?
        .execute(params![int(miner.number.0), int(credits), int(id)])?;
    if credits.is_multiple_of(CREDITS_PER_MARK) {
        connection
            .prepare_cached("INSERT INTO credit_marks (miner, id) VALUES (?1, ?2)")?
            .execute(params![int(miner.number.0), int(id)])?;
    }
    Ok(())
}

/// A credit of the miner that is at or behind `id`, and at most [`CREDITS_PER_MARK`] of its credits later.
pub(super) fn credit_from(connection: &Connection, miner: &Credited, id: u64) -> Outcome<u64> {
    let mut select = connection
        .prepare_cached("SELECT id FROM credit_marks WHERE miner = ?1 AND id >= ?2 ORDER BY id LIMIT 1")?;
    let mark = select.query_row(params![int(miner.number.0), int(id)], |row| {
        Ok(Cells::new(row, "credit_marks").u64(0))
    });
    Ok(mark.optional()?.transpose()?.unwrap_or(miner.last_credit))
}

/// Hotkeys by their numbers, each looked up once.
pub(super) struct Hotkeys<'a> {
    connection: &'a Connection,
    known: HashMap<MinerNumber, Hotkey>,
}

impl<'a> Hotkeys<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            known: HashMap::new(),
        }
    }

    pub(super) fn of(&mut self, number: MinerNumber) -> Outcome<Hotkey> {
        if let Some(hotkey) = self.known.get(&number) {
            return Ok(*hotkey);
        }
        let mut select = self
            .connection
            .prepare_cached("SELECT hotkey FROM credited_miners WHERE number = ?1")?;
        let hotkey = select.query_row([int(number.0)], |row| {
            Ok(Cells::new(row, "credited_miners").hotkey("hotkey"))
        });
        let hotkey = hotkey.optional()?.transpose()?;
        let hotkey =
            hotkey.ok_or_else(|| corrupt(format!("credited_miners.number: {} is not known", number.0)))?;
        self.known.insert(number, hotkey);
        Ok(hotkey)
    }
}
