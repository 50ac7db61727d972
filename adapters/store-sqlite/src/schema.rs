//! The schema and its versions: each start brings the database to the newest.

use dwarves_domain::rewards::HalfUnits;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::error::OpenError;

/// "dwrv": how the file is told from another program's database.
pub(super) const APPLICATION_ID: i32 = 0x6477_7276;

mod packing;

/// A version, and what brings the schema to it from the one before.
type Migration = (u32, &'static str);

/// What must be done before a version's migration and is too much for one transaction. It does so by pieces, and goes on
/// where it was if it is interrupted: until all is done the version stays the one before.
type Preparation = (u32, fn(&mut Connection) -> Result<(), OpenError>);

const PREPARATIONS: &[Preparation] = &[(93, packing::pack_shares)];

/// The versions in order, the first from an empty file. Numbers may be left out, and none is ever added below one
/// that was released.
const MIGRATIONS: &[Migration] = &[
    (1, include_str!("migrations/0001_begin.sql")),
    (10, include_str!("migrations/0010_blocks.sql")),
    (20, include_str!("migrations/0020_payouts.sql")),
    (30, include_str!("migrations/0030_extranonces.sql")),
    (40, include_str!("migrations/0040_past_templates.sql")),
    (70, include_str!("migrations/0070_coinbase_form.sql")),
    (85, include_str!("migrations/0085_names.sql")),
    (90, include_str!("migrations/0090_journal.sql")),
    (91, include_str!("migrations/0091_credits.sql")),
    (92, include_str!("migrations/0092_packed_shares.sql")),
    (93, include_str!("migrations/0093_shares_are_packed.sql")),
    (94, include_str!("migrations/0094_packed_money.sql")),
    (100, include_str!("migrations/0100_history.sql")),
    (110, include_str!("migrations/0110_block_states.sql")),
    (111, include_str!("migrations/0111_round_workings.sql")),
    (130, include_str!("migrations/0130_notices.sql")),
    (131, include_str!("migrations/0131_worker_owners.sql")),
    (132, include_str!("migrations/0132_miner_notifications.sql")),
    (140, include_str!("migrations/0140_statements.sql")),
    (150, include_str!("migrations/0150_evaluations.sql")),
    (151, include_str!("migrations/0151_watches.sql")),
    (152, include_str!("migrations/0152_payout_batches.sql")),
    (153, include_str!("migrations/0153_nonces_in_order.sql")),
];

/// The version since which there are payouts.
pub(super) const WITH_PAYOUTS: u32 = 20;

/// The newest version that this program knows.
pub(super) fn newest() -> u32 {
    MIGRATIONS.last().map_or(0, |(version, _)| *version)
}

/// The version of a ledger that is only read; 0: it is empty.
///
/// # Errors
/// If it is of a newer version than this program knows, or not the pool's at all.
pub(super) fn version_of(connection: &Connection) -> Result<u32, OpenError> {
    readable(connection, newest())
}

fn readable(connection: &Connection, known: u32) -> Result<u32, OpenError> {
    let version: u32 = read(connection, "PRAGMA user_version")?;
    let application: i32 = read(connection, "PRAGMA application_id")?;
    let tables: u32 = read(connection, "SELECT COUNT(*) FROM sqlite_schema")?;
    let is_ours = application == APPLICATION_ID || (application == 0 && version == 0 && tables == 0);
    if !is_ours {
        return Err(OpenError::NotOurs);
    }
    if version > known {
        return Err(OpenError::NewerSchema {
            found: version,
            known,
        });
    }
    Ok(version)
}

/// Brings the database to the newest version, each step in its own transaction.
///
/// # Errors
/// If it is of a newer version than this program knows, not the pool's at all, or cannot be written.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    migrate_by(connection, MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, migrations: &[Migration]) -> Result<(), OpenError> {
    let known = migrations.last().map_or(0, |(version, _)| *version);
    let version = readable(connection, known)?;
    add_functions(connection).map_err(|error| OpenError::of_sql(&error))?;
    for (to, migration) in migrations.iter().filter(|(to, _)| *to > version) {
        for (_, prepare) in PREPARATIONS.iter().filter(|(before, _)| before == to) {
            prepare(connection)?;
        }
        let mut step = || -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", to)?;
            transaction.commit()
        };
        step().map_err(|error| OpenError::Database(format!("migration to version {to}: {error}")))?;
    }
    Ok(())
}

/// What migrations need and SQL cannot say.
fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    // A decimal number of units as the bytes of its half-steps.
    connection.create_scalar_function("half_steps", 1, flags, |context| {
        let units: String = context.get(0)?;
        let units: HalfUnits = units
            .parse()
            .map_err(|error| rusqlite::Error::UserFunctionError(format!("{units:?}: {error}").into()))?;
        Ok(units.half_steps().to_be_bytes())
    })
}

fn read<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> Result<T, OpenError> {
    let read = connection.query_row(sql, [], |row| row.get(0));
    read.map_err(|error| OpenError::of_sql(&error))
}

#[cfg(test)]
mod document;
#[cfg(test)]
mod older;

#[cfg(test)]
mod tests {
    use dwarves_domain::ids::ExtraNonce;
    use dwarves_domain::work::Template;

    use super::*;
    use crate::row_codec;

    fn version(connection: &Connection) -> u32 {
        read(connection, "PRAGMA user_version").unwrap()
    }

    #[test]
    fn versions_go_up() {
        assert!(MIGRATIONS.is_sorted_by(|(before, _), (after, _)| before < after));
    }

    #[test]
    fn an_empty_file_goes_through_every_version_and_a_later_start_through_the_new_ones_only() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a (x) VALUES (1);";
        migrate_by(&mut connection, &[(1, first)]).unwrap();
        assert_eq!(version(&connection), 1);
        let second = "UPDATE a SET x = x + 1";
        migrate_by(&mut connection, &[(1, first), (7, second)]).unwrap();
        migrate_by(&mut connection, &[(1, first), (7, second)]).unwrap();
        assert_eq!(version(&connection), 7);
        assert_eq!(read::<i64>(&connection, "SELECT x FROM a").unwrap(), 2);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_version_before() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (x INTEGER) STRICT;";
        migrate_by(&mut connection, &[(1, first)]).unwrap();
        let broken = "INSERT INTO a (x) VALUES (7); INSERT INTO b (x) VALUES (1);";
        let failed = migrate_by(&mut connection, &[(1, first), (2, broken)]);
        assert!(matches!(failed, Err(OpenError::Database(_))), "{failed:?}");
        assert_eq!(version(&connection), 1);
        assert_eq!(read::<i64>(&connection, "SELECT COUNT(*) FROM a").unwrap(), 0);
    }

    #[test]
    fn a_newer_schema_and_another_programs_database_are_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &[(1, "SELECT 1"), (2, "SELECT 1")]).unwrap();
        let refused = migrate_by(&mut connection, &[(1, "SELECT 1")]);
        assert!(matches!(
            refused,
            Err(OpenError::NewerSchema { found: 2, known: 1 })
        ));

        let mut other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(migrate(&mut other), Err(OpenError::NotOurs)));
    }

    #[test]
    fn a_template_from_before_the_form_of_coinbases_makes_the_very_same_coinbase() {
        let mut connection = Connection::open_in_memory().unwrap();
        let before: Vec<_> = MIGRATIONS.iter().copied().filter(|(to, _)| *to < 70).collect();
        migrate_by(&mut connection, &before).unwrap();
        let row = "INSERT INTO templates (id, received_at, height, previous, version, version_mask, bits, time, time_min,
                time_max, subsidy, coinbase_value, witness_commitment, payout_script, tag, retired, first_share,
                last_share, trailer, transactions)
            VALUES (5, 0, 122, zeroblob(32), 536870912, 536862720, 545259519, 9, 8, 10, 5, 6, NULL, x'51', '/t/', 0, 1,
                0, x'', x'')";
        connection.execute(row, []).unwrap();
        migrate(&mut connection).unwrap();
        let read = |cells: &rusqlite::Row<'_>| Ok(row_codec::template(cells).unwrap().0);
        let row = connection.query_row("SELECT * FROM templates", [], read).unwrap();
        let template =
            Template::new(row.id, row.received_at, row.chain, &row.payout_script, &row.tag).unwrap();
        // The very bytes that the version before made of it: lock time 0, and a final sequence.
        let coinbase = "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff13017a\
                        0c0000000000000007000000 00032f742fffffffff0106000000000000000151 00000000";
        let coinbase: String = coinbase.split_whitespace().collect();
        assert_eq!(
            hex::encode(template.coinbase().transaction(ExtraNonce::new(7))),
            coinbase
        );
    }

    /// A ledger full of names that never had work: they go, and nothing else does.
    #[test]
    fn names_without_work_go_when_a_ledger_is_brought_up_to_date() {
        let mut connection = Connection::open_in_memory().unwrap();
        let before = MIGRATIONS.iter().take_while(|(version, _)| *version <= 30);
        migrate_by(&mut connection, &before.copied().collect::<Vec<_>>()).unwrap();
        let rows = "INSERT INTO miners (hotkey, registered_at) VALUES (x'01', 0), (x'02', 0);
            UPDATE pool SET counters_through = 5;
            INSERT INTO workers (id, hotkey, name, accepted) VALUES (0, x'01', 'counted', 3);
            INSERT INTO workers (id, hotkey, name) VALUES (1, x'01', 'since'), (2, x'02', 'idle');
            INSERT INTO workers (id, hotkey, name, rejected_stale) VALUES (3, x'02', 'late', 7), (4, x'02', 'later', 2);
            INSERT INTO shares (sequence, template, extranonce, worker, share_bits, version, time, nonce, received_at,
                    units, total, hash)
                VALUES (5, 1, 0, 0, 0, 0, 0, 0, 0, zeroblob(16), zeroblob(16), zeroblob(32)),
                    (6, 1, 0, 1, 0, 0, 0, 0, 0, zeroblob(16), zeroblob(16), zeroblob(32));
            INSERT INTO batches (id, first_sequence, last_sequence, committed_at, total_before, total_after)
                VALUES (3, 5, 6, 0, zeroblob(16), zeroblob(16));
            WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 999)
                INSERT INTO workers (id, hotkey, name) SELECT 1000 + n, x'02', 'x' || n FROM n;";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let names =
            "SELECT group_concat(name || '=' || accepted, ' ') FROM (SELECT * FROM workers ORDER BY id)";
        assert_eq!(read::<String>(&connection, names).unwrap(), "counted=3 since=0");
        assert_eq!(
            read::<i64>(&connection, "SELECT next_worker FROM pool").unwrap(),
            2_000
        );
        let totals = "SELECT hex(hotkey) || ' ' || rejected_stale || ' ' || accepted FROM miner_totals";
        assert_eq!(read::<String>(&connection, totals).unwrap(), "02 9 0");
        // A name is one worker's at a time, and free once that one is taken out.
        let twice = "INSERT INTO workers (id, hotkey, name) VALUES (9, x'01', 'since')";
        assert!(connection.execute_batch(twice).is_err());
        connection
            .execute_batch("UPDATE workers SET gone_after = 6 WHERE id = 1")
            .unwrap();
        connection.execute_batch(twice).unwrap();
    }

    #[test]
    fn the_money_and_the_audit_trail_can_only_be_appended_to() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let rows =
            "INSERT INTO rounds (id, closed_at, scheme, source, reward, fee, kept, credited, through, digest)
                VALUES (1, 0, 'pplns', 'blocks', 0, 0, 0, 0, 0, x'00');
            INSERT INTO journal (at, round, account, hotkey, delta) VALUES (0, 1, 'fee', x'', 5);
            INSERT INTO round_entries (round, journal_through, entries) VALUES (1, 1, x'0302');
            INSERT INTO statements (start, ends, after_share, through_share, digest, signer, signature, length, text)
                VALUES (0, 1, 0, 0, x'00', x'00', x'00', 0, x'00');
            INSERT INTO payout_batches (id, name, at, first_payout, payouts, total, digest, signer, signature, csv_signature,
                    length, text, csv_length, csv)
                VALUES (1, 'b', 0, 1, 1, 0, x'00', x'00', x'00', x'00', 0, x'00', 0, x'00');
            INSERT INTO audit (at, who, actor, message, fields, outcome) VALUES (0, '', '', '', '', '');";
        connection.execute_batch(rows).unwrap();
        for edit in [
            "UPDATE journal SET delta = 6",
            "DELETE FROM journal",
            "UPDATE round_entries SET entries = x'0304'",
            "DELETE FROM round_entries",
            "UPDATE statements SET text = x'01'",
            "DELETE FROM statements",
            "INSERT OR REPLACE INTO statements (start, ends, after_share, through_share, digest, signer, signature,
                length, text) VALUES (0, 2, 0, 0, x'00', x'00', x'00', 0, x'00')",
            "UPDATE payout_batches SET total = 1",
            "DELETE FROM payout_batches",
            "INSERT OR REPLACE INTO payout_batches (name, at, first_payout, payouts, total, digest, signer, signature,
                csv_signature, length, text, csv_length, csv)
                VALUES ('b', 0, 1, 1, 0, x'00', x'00', x'00', x'00', 0, x'00', 0, x'00')",
            "UPDATE audit SET who = 'me'",
            "DELETE FROM audit",
        ] {
            let error = connection.execute_batch(edit).unwrap_err().to_string();
            assert!(error.contains("never"), "{edit}: {error}");
        }
        // An entry belongs to a round or to a step of a payout.
        for entry in [
            "INSERT INTO journal (at, account, hotkey, delta) VALUES (0, 'fee', x'', 5)",
            "INSERT INTO journal (at, round, step, account, hotkey, delta) VALUES (0, 1, 'send', 'fee', x'', 5)",
            "INSERT INTO journal (at, round, payout, step, account, hotkey, delta)
                VALUES (0, 1, 1, 'send', 'fee', x'', 5)",
        ] {
            let error = connection.execute_batch(entry).unwrap_err().to_string();
            assert!(error.contains("CHECK constraint failed"), "{entry}: {error}");
        }
    }
}
