//! The journal: what rounds book is packed apart from it, each round behind the last entry before it. Put together, the
//! entries have the numbers that they have where all are in one table.

use dwarves_domain::ledger::Account;
use dwarves_ports::store::copying::tables::JOURNAL;
use dwarves_ports::store::copying::{Datum, Key, Row};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Given, bad, number_after};
use crate::columns::{Cells, all};
use crate::credited_miners::{self, Hotkeys};
use crate::error::Outcome;
use crate::packed_money::{self, push_entry};

/// How far the two are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// The number of the last entry of all.
    id: i64,
    /// The last one of `journal`.
    entry: i64,
    /// The last round of `round_entries`.
    round: i64,
}

/// A round's entries.
struct Booked {
    round: i64,
    /// The last entry of `journal` before them.
    behind: i64,
    at: i64,
    entries: Vec<packed_money::Entry>,
}

fn next_round(connection: &Connection, after: i64) -> Outcome<Option<Booked>> {
    let mut select = connection.prepare_cached(
        "SELECT round, journal_through, closed_at, entries FROM round_entries JOIN rounds ON rounds.id = round
         WHERE round > ?1 ORDER BY round LIMIT 1",
    )?;
    let booked = select.query_row([after], |row| {
        let cells = Cells::new(row, "round_entries");
        let read = || -> Outcome<_> {
            Ok(Booked {
                round: cells.int(0)?,
                behind: cells.int(1)?,
                at: cells.int(2)?,
                entries: packed_money::entries(cells.blob(3)?)?,
            })
        };
        Ok(read())
    });
    booked.optional()?.transpose()
}

/// The next entries, whole rounds of them.
pub(super) fn read(
    connection: &Connection,
    after: Option<&Key>,
    limit: u32,
    known: &mut Place,
) -> Outcome<Vec<Row>> {
    let after = after.map_or(0, |_| number_after(after));
    let mut place = match known.id == after {
        true => *known,
        false => Place::default(),
    };
    let mut hotkeys = Hotkeys::new(connection);
    let mut rows = Vec::new();
    while rows.len() < limit as usize {
        let round = next_round(connection, place.round)?;
        let behind = round.as_ref().map_or(i64::MAX, |round| round.behind);
        let before = place.id;
        let mut push = |row: Vec<Datum>, place: &mut Place| {
            place.id += 1;
            // What is behind another place is counted and not shown.
            if place.id > after {
                let mut whole = vec![Datum::Int(place.id)];
                whole.extend(row);
                rows.push(whole);
            }
        };
        for (id, row) in entries(connection, place.entry, behind, limit)? {
            push(row, &mut place);
            place.entry = id;
        }
        let is_there = place.id - before < i64::from(limit);
        match round {
            // All that was booked before it is read.
            Some(round) if is_there => {
                for (account, miner, delta) in round.entries {
                    let hotkey = miner.map(|miner| hotkeys.of(miner)).transpose()?;
                    let hotkey = hotkey.map_or(Vec::new(), |hotkey| hotkey.as_bytes().to_vec());
                    let row = vec![
                        Datum::Int(round.at),
                        Datum::Int(round.round),
                        Datum::Null,
                        Datum::Null,
                        Datum::text(account),
                        Datum::Bytes(hotkey),
                        Datum::Int(delta),
                    ];
                    push(row, &mut place);
                }
                place.round = round.round;
            }
            None if is_there => break,
            _ => {}
        }
    }
    *known = place;
    Ok(rows)
}

/// Entries of `journal` behind one through another, without their numbers, and how they are numbered there.
fn entries(connection: &Connection, after: i64, through: i64, limit: u32) -> Outcome<Vec<(i64, Vec<Datum>)>> {
    let sql = "SELECT id, at, round, payout, step, account, hotkey, delta FROM journal
        WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
    all(connection, sql, params![after, through, limit], |row| {
        let cells = Cells::new(row, "journal");
        let number = |place: usize| -> Outcome<Datum> {
            let number = cells.optional(place, |cells, place| cells.int(place))?;
            Ok(number.map_or(Datum::Null, Datum::Int))
        };
        let step = cells.optional(4, |cells, place| Ok(Datum::text(cells.text(place)?)))?;
        let row = vec![
            number(1)?,
            number(2)?,
            number(3)?,
            step.unwrap_or(Datum::Null),
            Datum::text(cells.text(5)?),
            Datum::Bytes(cells.blob(6)?.to_vec()),
            number(7)?,
        ];
        Ok((cells.int(0)?, row))
    })
}

/// Writes entries: those of a round packed, and all others behind each other.
pub(super) fn write(connection: &Connection, rows: &[Row]) -> Outcome<()> {
    let table = &JOURNAL;
    let mut entry = connection.prepare_cached(
        "INSERT INTO journal (at, payout, step, account, hotkey, delta) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut round = connection.prepare_cached(
        "INSERT INTO round_entries (round, journal_through, entries)
         VALUES (?1, COALESCE((SELECT MAX(id) FROM journal), 0), ?2)",
    )?;
    for together in rows.chunk_by(|a, b| a[2] == b[2]) {
        let first = Given::new(table, &together[0]);
        if first.is_null(2) {
            for row in together {
                let given = Given::new(table, row);
                entry.execute(params![
                    given.int(1)?,
                    given.int(3)?,
                    given.text(4)?,
                    given.text(5)?,
                    given.bytes(6)?,
                    given.int(7)?
                ])?;
            }
            continue;
        }
        let mut packed = Vec::new();
        for row in together {
            let given = Given::new(table, row);
            let hotkey = match given.bytes(6)? {
                [] => None,
                _ => Some(given.hotkey(6)?),
            };
            let account = Account::parse(given.text(5)?, hotkey).map_err(|_| bad(table, 5))?;
            push_entry(&mut packed, &account, given.int(7)?, || {
                let hotkey = hotkey.ok_or_else(|| bad(table, 6))?;
                Ok(credited_miners::find_or_number(connection, &hotkey)?.number)
            })?;
        }
        round.execute(params![first.int(2)?, packed])?;
    }
    Ok(())
}
