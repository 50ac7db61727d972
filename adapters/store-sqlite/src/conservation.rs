//! Whether the books hold exactly what came in: sums that are kept up with every change, and compared at every
//! commit that changes them. At the opening they are compared with the rows themselves.

use dwarves_domain::ledger::{Holdings, Income};
use dwarves_ports::store::codec::sums;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Cells, all};
use super::error::{Outcome, corrupt};

pub(super) use sums::{EMITTED, of_account, of_blocks};

/// Changes a sum.
pub(super) fn change(connection: &Connection, name: &str, sats: i64) -> Outcome<()> {
    let before: Option<i64> = connection
        .prepare_cached("SELECT sats FROM sums WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    // No row yet: nothing was ever added to it.
    let after = before.unwrap_or(0).checked_add(sats);
    let after = after.ok_or_else(|| corrupt(format!("sums.{name} does not fit 64 bits")))?;
    connection
        .prepare_cached(
            "INSERT INTO sums (name, sats) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET sats = excluded.sats",
        )?
        .execute(params![name, after])?;
    Ok(())
}

/// Where the accounts stand and what came in, by the sums.
pub(super) fn read(connection: &Connection) -> Outcome<(Holdings, Income)> {
    let sums = all(connection, "SELECT name, sats FROM sums", [], |row| {
        let cells = Cells::new(row, "sums");
        Ok((cells.text("name")?.to_owned(), cells.int("sats")?))
    })?;
    sums::evaluate(&sums.into_iter().collect()).map_err(corrupt)
}

/// Refuses a transaction after which the books would not hold exactly what came in.
pub(super) fn check(connection: &Connection) -> Outcome<()> {
    let (holdings, income) = read(connection)?;
    holdings
        .check(&income)
        .map_err(|error| corrupt(format!("the books do not add up: {error} ({holdings})")))
}

/// Compares the sums with the rows that they are the sums of, and the books with what came in.
pub(super) fn check_all(connection: &Connection) -> Outcome<()> {
    let rows = "SELECT 'account.' || account AS name, amount AS sats FROM balances
        UNION ALL SELECT 'blocks.' || accounting, reward FROM blocks
        UNION ALL SELECT 'emitted', reward FROM rounds WHERE source = 'emission'
        UNION ALL SELECT name, -sats FROM sums";
    let rows = all(connection, rows, [], |row| {
        let cells = Cells::new(row, "sums");
        Ok((cells.text("name")?.to_owned(), cells.int("sats")?))
    })?;
    sums::compare(rows).map_err(corrupt)?;
    check(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn furnished() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let rows = "INSERT INTO balances (account, hotkey, amount) VALUES ('chain', x'', -50), ('fee', x'', 50);
            INSERT INTO sums (name, sats) VALUES ('account.chain', -50), ('account.fee', 50), ('blocks.matured', 50);
            INSERT INTO blocks (hash, height, reward, finder, sequence, total_before, units, found_at, state,
                confirmations, accounting, effort, bytes)
                VALUES (x'00', 1, 50, x'', 0, x'', x'', 0, 'mature', 11, 'matured', x'', x'');";
        connection.execute_batch(rows).unwrap();
        connection
    }

    fn refusal(sql: &str) -> String {
        let connection = furnished();
        connection.execute_batch(sql).unwrap();
        let refused = check_all(&connection).unwrap_err();
        refused.into_store_error("opening").to_string()
    }

    #[test]
    fn books_that_match_are_opened_and_those_of_before_get_their_sums() {
        let connection = furnished();
        check_all(&connection)
            .map_err(|fail| fail.into_store_error(""))
            .unwrap();
        connection.execute_batch("DELETE FROM sums").unwrap();
        let migration = include_str!("migrations/0010_blocks.sql");
        let fill = migration
            .split(';')
            .filter(|sql| sql.contains("INSERT INTO sums"));
        for sql in fill {
            connection.execute_batch(sql).unwrap();
        }
        check_all(&connection)
            .map_err(|fail| fail.into_store_error(""))
            .unwrap();
    }

    #[test]
    fn whatever_was_changed_by_hand_is_found() {
        let edits = [
            "UPDATE balances SET amount = 51 WHERE account = 'fee'",
            "UPDATE sums SET sats = 51 WHERE name = 'account.fee'",
            "UPDATE blocks SET reward = 49",
            "UPDATE blocks SET accounting = 'credited'",
            "DELETE FROM blocks",
            "INSERT INTO rounds (id, closed_at, scheme, source, reward, fee, kept, credited, through, digest)
             VALUES (1, 0, 'pplns', 'emission', 7, 0, 0, 7, 0, x'')",
            "UPDATE balances SET amount = 51 WHERE account = 'fee';
             UPDATE sums SET sats = 51 WHERE name = 'account.fee'",
        ];
        for edit in edits {
            let error = refusal(edit);
            assert!(
                error.contains("short of its rows") || error.contains("do not add up"),
                "{edit}: {error}"
            );
        }
    }
}
