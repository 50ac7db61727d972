//! A ledger of an older version says the same after it was brought up to date.

use dwarves_domain::rewards::HalfUnits;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::conservation;

/// A ledger that a pool of schema version 30 wrote: blocks, rounds, orphans and payouts.
const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/fixtures/ledger-d4dd595/dwarves.db"
);

fn fixture() -> (tempfile::TempDir, Connection) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("dwarves.db");
    std::fs::copy(FIXTURE, &copy).unwrap();
    let ledger = Connection::open(copy).unwrap();
    (directory, ledger)
}

/// All rows that a statement gives.
fn rows(connection: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
    let rows = statement.query_map([], row).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// The same questions of a ledger before and after, each in the words of its schema.
const SAME: &[(&str, &str)] = &[
    (
        "SELECT account, hotkey, amount FROM balances ORDER BY account, hotkey",
        "SELECT account, hotkey, amount FROM balances ORDER BY account, hotkey",
    ),
    (
        "SELECT name, sats FROM sums ORDER BY name",
        "SELECT name, sats FROM sums ORDER BY name",
    ),
    (
        "SELECT round, closed_at, account, hotkey, delta FROM entries JOIN rounds ON rounds.id = round
         ORDER BY entries.id",
        "SELECT round, at, account, hotkey, delta FROM journal WHERE round IS NOT NULL ORDER BY id",
    ),
    (
        "SELECT payout, step, at, account, hotkey, delta FROM payout_entries ORDER BY id",
        "SELECT payout, step, at, account, hotkey, delta FROM journal WHERE payout IS NOT NULL ORDER BY id",
    ),
    (
        "SELECT account, hotkey, SUM(delta) FROM
            (SELECT account, hotkey, delta FROM entries UNION ALL SELECT account, hotkey, delta FROM payout_entries)
         GROUP BY account, hotkey ORDER BY account, hotkey",
        "SELECT account, hotkey, SUM(delta) FROM journal GROUP BY account, hotkey ORDER BY account, hotkey",
    ),
    (
        "SELECT id, round, hotkey, amount, block, kind FROM credits ORDER BY id",
        "SELECT id, round, hotkey, amount, block, kind FROM credits ORDER BY id",
    ),
    // Nobody else sent any of them.
    (
        "SELECT *, NULL, NULL FROM payouts ORDER BY id",
        "SELECT * FROM payouts ORDER BY id",
    ),
    (
        "SELECT * FROM rounds ORDER BY id",
        "SELECT * FROM rounds ORDER BY id",
    ),
];

/// Brings a ledger up to date, and compares what it said before with what it says then.
fn bring_up_to_date(ledger: &mut Connection) {
    let before: Vec<_> = SAME.iter().map(|(sql, _)| rows(ledger, sql)).collect();
    let units = rows(ledger, "SELECT units FROM credits ORDER BY id");
    migrate(ledger).unwrap();
    for ((_, sql), before) in SAME.iter().zip(before) {
        assert!(!before.is_empty(), "there must be something to compare: {sql}");
        assert_eq!(rows(ledger, sql), before, "{sql}");
    }
    let half_steps = rows(ledger, "SELECT half_steps FROM credits ORDER BY id");
    let printed = half_steps.into_iter().map(|row| match row.as_slice() {
        [Value::Blob(bytes)] => {
            let half_steps = u128::from_be_bytes(bytes.as_slice().try_into().unwrap());
            vec![Value::Text(HalfUnits::from_half_steps(half_steps).to_string())]
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(printed.collect::<Vec<_>>(), units, "the work of credits");
    let check = conservation::check_all(ledger).map_err(|fail| fail.into_store_error(""));
    assert_eq!(check, Ok(()), "the books add up");
    let broken = rows(ledger, "PRAGMA foreign_key_check");
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn a_pools_ledger_of_before_keeps_its_balances_its_statements_and_its_journal() {
    let (_directory, mut ledger) = fixture();
    bring_up_to_date(&mut ledger);
    // The dates of rounds and payouts go on side by side.
    let steps_back = "SELECT COUNT(*) FROM (SELECT at, LAG(at) OVER (ORDER BY id) AS before FROM journal)
        WHERE at < before";
    assert_eq!(rows(&ledger, steps_back), [[Value::Integer(0)]]);
    let turns = "SELECT COUNT(*) FROM (SELECT round IS NULL AS a, LAG(round IS NULL) OVER (ORDER BY id) AS b
        FROM journal) WHERE a <> b";
    let turns: u32 = read(&ledger, turns).unwrap();
    assert!(turns > 2, "{turns} turns");
}

/// The clock stepped back between two rounds and between two steps of a payout.
#[test]
fn a_clock_that_was_set_back_changes_the_order_of_no_entries() {
    let mut ledger = Connection::open_in_memory().unwrap();
    let before: Vec<_> = MIGRATIONS.iter().copied().filter(|(to, _)| *to <= 85).collect();
    migrate_by(&mut ledger, &before).unwrap();
    let rows_of_before = "
        INSERT INTO rounds (id, closed_at, scheme, source, reward, fee, kept, credited, through, digest)
            VALUES (1, 1000, 'pplns', 'emission', 30, 0, 0, 30, 0, x'01'), (2, 400, 'pplns', 'emission', 20, 0, 0, 20, 0, x'02'),
                (3, 2000, 'pplns', 'emission', 10, 0, 0, 10, 0, x'03');
        INSERT INTO entries (round, account, hotkey, delta) VALUES (1, 'emission', x'', -30),
            (1, 'miner_payable', zeroblob(32), 30), (2, 'emission', x'', -20), (2, 'miner_payable', zeroblob(32), 20),
            (3, 'emission', x'', -10), (3, 'miner_payable', zeroblob(32), 10);
        INSERT INTO payouts (id, state, reserved_at, changed_at, fee_payer, fee_rate, confirmations, is_watched, note)
            VALUES (1, 'reserved', 1500, 900, 'pool', 1, 0, 1, '');
        INSERT INTO payout_entries (payout, step, at, account, hotkey, delta) VALUES
            (1, 'reserve', 1500, 'miner_payable', zeroblob(32), -25), (1, 'reserve', 1500, 'miner_in_flight', zeroblob(32), 25),
            (1, 'cancel', 900, 'miner_in_flight', zeroblob(32), -25), (1, 'cancel', 900, 'miner_payable', zeroblob(32), 25);
        INSERT INTO balances (account, hotkey, amount) VALUES ('emission', x'', -60), ('miner_payable', zeroblob(32), 60),
            ('miner_in_flight', zeroblob(32), 0);
        INSERT INTO sums (name, sats) VALUES ('account.emission', -60), ('account.miner_payable', 60),
            ('account.miner_in_flight', 0);
        UPDATE sums SET sats = 60 WHERE name = 'emitted';
        INSERT INTO credits (round, hotkey, units, amount, kind) VALUES (1, zeroblob(32), '0', 30, 'credit'),
            (2, zeroblob(32), '17014118346.04692317316873037158841057275', 20, 'credit'),
            (3, zeroblob(32), '1.5', 10, 'credit');";
    ledger.execute_batch(rows_of_before).unwrap();
    bring_up_to_date(&mut ledger);
    let order = "SELECT group_concat(what, ' ') FROM
        (SELECT COALESCE('round ' || round, step) AS what FROM journal WHERE delta > 0 ORDER BY id)";
    let order = read::<String>(&ledger, order).unwrap();
    assert_eq!(order, "round 1 round 2 reserve cancel round 3");
}

#[test]
fn entries_of_no_round_and_work_that_is_no_number_stop_the_migration_and_nothing_is_lost() {
    let a_round = "(SELECT MIN(round) FROM entries)";
    for (tamper, left) in [
        (
            &format!("DELETE FROM rounds WHERE id = {a_round}"),
            "SELECT COUNT(*) FROM entries",
        ),
        (
            &"UPDATE credits SET units = '1e3' WHERE id = 1".to_owned(),
            "SELECT COUNT(*) FROM credits WHERE units = '1e3'",
        ),
    ] {
        let (_directory, mut ledger) = fixture();
        ledger.pragma_update(None, "foreign_keys", false).unwrap();
        ledger.execute_batch(tamper).unwrap();
        let before = rows(&ledger, left);
        assert_ne!(before, [[Value::Integer(0)]], "{tamper}");
        let refused = migrate(&mut ledger);
        assert!(matches!(refused, Err(OpenError::Database(_))), "{refused:?}");
        assert_eq!(rows(&ledger, left), before, "{tamper}");
    }
}
