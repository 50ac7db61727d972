//! Ledgers of earlier programs are brought up to date.

use std::path::Path;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, RoundId, Sequence};
use dwarves_domain::rewards::{Emission, RoundInput, Scheme, Source, Weights, close};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_domain::work::{ExtraNonce1, FullExtraNonce};
use dwarves_ports::store::{CreditRow, PageRequest, Store, Write, Written};
use dwarves_store_sqlite::SqliteStore;
use dwarves_testkit::build::{quiet_round, sats};

use super::{OnDisk, block_on, commit, furnish, open, shares};
use dwarves_testkit::contract::Backend;

#[test]
fn a_database_of_version_zero_is_brought_up_to_date() {
    let backend = OnDisk::fresh();
    std::fs::write(backend.path(), []).unwrap();
    furnish(&open(&backend.path()));
    let sqlite = rusqlite::Connection::open(backend.path()).unwrap();
    let version: u32 = sqlite
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert!(version > 1, "{version}");
    let strict: u32 = sqlite
        .query_row(
            "SELECT COUNT(*) FROM pragma_table_list WHERE schema = 'main' AND strict = 0
                    AND name NOT LIKE 'sqlite_%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(strict, 0, "every table is strict");
}

/// A database as the program before the whole extranonce was kept left it: one miner, a template, a share of a job,
/// one of a session, and one more of the same.
fn database_of_version_20(path: &Path) {
    let sqlite = rusqlite::Connection::open(path).unwrap();
    for migration in [
        include_str!("../../src/migrations/0001_begin.sql"),
        include_str!("../../src/migrations/0010_blocks.sql"),
        include_str!("../../src/migrations/0020_payouts.sql"),
    ] {
        sqlite.execute_batch(migration).unwrap();
    }
    sqlite.pragma_update(None, "application_id", 0x6477_7276).unwrap();
    sqlite.pragma_update(None, "user_version", 20).unwrap();
    let rows = "UPDATE pool SET created_at = 1, life = 3;
        INSERT INTO miners (hotkey, registered_at) VALUES (zeroblob(32), 1);
        INSERT INTO workers (id, hotkey, name) VALUES (1, zeroblob(32), 'rig'), (2, zeroblob(32), 'rig-2');
        INSERT INTO templates (id, received_at, height, previous, version, version_mask, bits, time, time_min, time_max,
                subsidy, coinbase_value, payout_script, tag, retired, first_share, last_share, trailer, transactions)
            VALUES (1, 1, 100, zeroblob(32), 1, 0, 0x207fffff, 0, 0, 0, 50, 50, x'51', '/t/', 0, 1, 0, x'', x'');
        INSERT INTO shares (sequence, template, extranonce, worker, share_bits, version, time, nonce, received_at, units,
                total, hash) VALUES
            (1, 1, 0x0000000300000007, 1, 0x207fffff, 1, 0, 5, 10, zeroblob(16), zeroblob(16), zeroblob(32)),
            (2, 1, 0x4000000901020304, 2, 0x207fffff, 1, 0, 6, 11, zeroblob(16), zeroblob(16), zeroblob(32)),
            (3, 1, 0x40000009ffffffff, 2, 0x207fffff, 1, 0, 7, 12, zeroblob(16), zeroblob(16), zeroblob(32));
        INSERT INTO batches (id, first_sequence, last_sequence, committed_at, total_before, total_after)
            VALUES (1, 1, 3, 12, zeroblob(16), zeroblob(16));";
    sqlite.execute_batch(rows).unwrap();
}

#[test]
fn a_database_without_the_last_bytes_of_extranonces_goes_on_and_invents_none() {
    let backend = OnDisk::fresh();
    database_of_version_20(&backend.path());
    let store = open(&backend.path());
    let state = block_on(store.start(Timestamp::EPOCH)).unwrap();
    assert_eq!(state.life, 4);
    let recent = store.recent_shares(Sequence::new(0), u32::MAX);
    assert_eq!(block_on(recent).unwrap().len(), 3);
    let accepted: Vec<u64> = state
        .workers
        .iter()
        .map(|(_, counter)| counter.accepted)
        .collect();
    assert_eq!(accepted, [1, 2]);
    // A session of before front ends, as its rows above have it, and a session of today.
    let (old_session, session) = (ExtraNonce::new(0x4000_0009 << 32), ExtraNonce1::numbered(9));
    for head in [ExtraNonce::new(3 << 32 | 7), old_session] {
        let owner = block_on(store.owner_of(head)).unwrap();
        assert_eq!(owner, Some(Hotkey::from_bytes([0; 32])), "{head}");
    }
    let Write::AppendShares(mut rows) = shares(1) else {
        panic!("shares")
    };
    rows[0].extranonce = FullExtraNonce::rolled(session, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let new = rows[0].clone();
    let written = commit(&store, vec![Write::AppendShares(rows)]).unwrap();
    assert!(matches!(written[0], Written::Shares { first, .. } if first.get() == 4));
    drop(store);

    drop(open(&backend.path()));
    assert_eq!(backend.share(Sequence::new(4)), new);
    let sqlite = rusqlite::Connection::open(backend.path()).unwrap();
    let stored = super::unpacking::shares(&sqlite);
    let found: Vec<_> = stored
        .iter()
        .map(|s| (s.sequence.get(), s.row.nonce, s.lacks_tail))
        .collect();
    assert_eq!(found, [(1, 5, true), (2, 6, true), (3, 7, true), (4, 3, false)]);
    assert_eq!(
        stored[1].row.extranonce.head(),
        ExtraNonce::new(0x4000_0009_0102_0304)
    );
}

/// The ledger of a pool of before: rounds, blocks, orphans, payouts.
const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/fixtures/ledger-d4dd595/dwarves.db"
);

/// All of a miner's statement, read so many rows at a time.
fn statement(store: &SqliteStore, hotkey: Hotkey, limit: u32) -> Vec<CreditRow> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = block_on(store.miner_credits(hotkey, PageRequest { cursor, limit })).unwrap();
        rows.extend(page.rows);
        if page.next.is_none() {
            return rows;
        }
        assert!(
            cursor.is_none_or(|before| page.next < Some(before)),
            "pages go on"
        );
        cursor = page.next;
    }
}

#[test]
fn what_was_booked_before_is_read_on_behind_what_is_booked_now() {
    let backend = OnDisk::fresh();
    std::fs::copy(FIXTURE, backend.path()).unwrap();
    let old = rusqlite::Connection::open(FIXTURE).unwrap();
    let count = |sql: &str, hotkey: &Hotkey| -> i64 {
        old.query_row(sql, [hotkey.as_bytes()], |row| row.get(0)).unwrap()
    };
    let store = open(&backend.path());
    let state = block_on(store.start(Timestamp::EPOCH)).unwrap();
    let last = state.last_round.unwrap();
    let before: Vec<_> = state
        .miners
        .iter()
        .map(|miner| (miner.hotkey, statement(&store, miner.hotkey, 7)))
        .collect();
    assert!(before.iter().any(|(_, rows)| rows.len() > 20));
    for (hotkey, rows) in &before {
        let stored = count("SELECT COUNT(*) FROM credits WHERE hotkey = ?1", hotkey);
        assert_eq!(i64::try_from(rows.len()).unwrap(), stored);
    }
    for round in 1..=3 {
        let weights = before.iter().map(|(hotkey, _)| (*hotkey, 5));
        let input = RoundInput {
            source: Source::Emission,
            emission: Some(Emission::of(sats(1_000), Weights::sum(weights).unwrap())),
            ..quiet_round(last.id.get() + round, last.closed_at, Scheme::Pplns)
        };
        let close = Write::CloseRound {
            round: Box::new(close(&input).unwrap()),
            blocks: Vec::new(),
            through: last.through,
        };
        commit(&store, vec![close]).unwrap();
    }
    for (hotkey, before) in &before {
        for limit in [1, 2, 7, 1_000] {
            let now = statement(&store, *hotkey, limit);
            let rounds: Vec<_> = now
                .iter()
                .take(3)
                .map(|row| row.round.get() - last.id.get())
                .collect();
            assert_eq!(rounds, [3, 2, 1]);
            assert_eq!(&now[3..], before);
        }
    }
    // A round and a block of before.
    let mut rounds = old.prepare("SELECT id, (SELECT COUNT(*) FROM credits WHERE round = rounds.id AND kind = 'credit') FROM rounds").unwrap();
    let rounds = rounds
        .query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?)))
        .unwrap();
    for (id, credits) in rounds.map(Result::unwrap) {
        let (_, found) = block_on(store.round(RoundId::new(id.into()))).unwrap().unwrap();
        assert_eq!(found.len(), credits as usize, "round {id}");
    }
    let mut blocks = old
        .prepare("SELECT hash, SUM(amount), COUNT(*) FROM block_credits GROUP BY hash")
        .unwrap();
    let blocks = blocks
        .query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, u32>(2)?))
        })
        .unwrap();
    for (hash, amount, parts) in blocks.map(Result::unwrap) {
        let found = block_on(store.block_credits(HeaderHash::from_bytes(hash)))
            .unwrap()
            .unwrap();
        let sum = Amount::checked_sum(found.credits.iter().map(|part| part.amount)).unwrap();
        assert_eq!(
            (sum, found.credits.len()),
            (sats(amount.cast_unsigned()), parts as usize)
        );
    }
    drop(store);
    // The books are compared at every opening.
    open(&backend.path());
}
