//! The store contract on SQLite, on disk and in memory, and what only a store on disk must do.
//!
//! A child process is this very test binary, asked for one ignored test.
#![allow(clippy::unwrap_used, reason = "these are tests, and helpers of tests")]
use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::rewards::{Scheme, close};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_domain::work::{ChainTemplate, CoinbaseForm, ExtraNonce1, FullExtraNonce};
use dwarves_ports::store::{
    CounterRow, ShareRow, SharedStore, Store, StoreErrorKind, TemplateRow, WorkerRow, Write, Written,
};
use dwarves_store_sqlite::{InlineStore, OpenError, SqliteOptions, SqliteStore};
use dwarves_testkit::build::quiet_round;
use dwarves_testkit::contract::Backend;

struct OnDisk {
    directory: tempfile::TempDir,
}

impl OnDisk {
    fn path(&self) -> PathBuf {
        self.directory.path().join("dwarves.db")
    }
}

impl Backend for OnDisk {
    fn fresh() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    fn open(&self) -> SharedStore {
        Arc::new(open(&self.path()))
    }

    fn share(&self, sequence: Sequence) -> ShareRow {
        share(&rusqlite::Connection::open(self.path()).unwrap(), sequence)
    }
}

/// The same store without a disk and threads.
struct InMemory {
    last: RefCell<InlineStore>,
}

impl Backend for InMemory {
    fn fresh() -> Self {
        let last = RefCell::new(InlineStore::inline().unwrap());
        Self { last }
    }

    fn open(&self) -> SharedStore {
        let anew = self.last.borrow().reopen().unwrap();
        self.last.replace(anew.clone());
        Arc::new(anew)
    }

    fn share(&self, sequence: Sequence) -> ShareRow {
        let last = self.last.borrow();
        last.look(|sqlite| share(sqlite, sequence)).unwrap()
    }
}

fn share(sqlite: &rusqlite::Connection, sequence: Sequence) -> ShareRow {
    let sql = "SELECT template, extranonce, extranonce_tail, worker, share_bits, units, hash, version, time,
               nonce, received_at FROM shares WHERE sequence = ?1";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(ShareRow {
            template: TemplateId::new(row.get(0)?),
            extranonce: FullExtraNonce::from_parts(
                ExtraNonce::new(row.get::<_, i64>(1)?.cast_unsigned()),
                row.get(2)?,
            ),
            worker: WorkerId::new(row.get(3)?),
            share_bits: CompactTarget::from_bits(row.get(4)?),
            units: Units::from_raw(u128::from_be_bytes(row.get(5)?)),
            hash: HeaderHash::from_bytes(row.get(6)?),
            version: row.get(7)?,
            time: row.get(8)?,
            nonce: row.get(9)?,
            received_at: Timestamp::from_millis(row.get(10)?),
            block: None,
        })
    };
    let sequence = sequence.get().cast_signed();
    sqlite.query_row(sql, [sequence], row).unwrap()
}

mod contract {
    use super::OnDisk;

    dwarves_testkit::store_contract!(OnDisk);
}

mod contract_in_memory {
    use super::InMemory;

    dwarves_testkit::store_contract!(InMemory);
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions::default()).unwrap()
}

fn refused(path: &Path) -> OpenError {
    SqliteStore::open(path, SqliteOptions::default())
        .err()
        .expect("it must be refused")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn commit(store: &SqliteStore, writes: Vec<Write>) -> Result<Vec<Written>, StoreErrorKind> {
    block_on(store.commit(writes)).map_err(|error| error.kind())
}

fn furnish(store: &SqliteStore) {
    let hotkey = Hotkey::from_bytes([1; 32]);
    let worker = WorkerRow {
        id: WorkerId::new(1),
        hotkey,
        name: "rig".parse().unwrap(),
    };
    let chain = ChainTemplate {
        height: 1,
        previous: HeaderHash::from_bytes([0; 32]),
        version: 1,
        version_mask: 0,
        bits: CompactTarget::from_bits(0x207f_ffff),
        time: 0,
        time_min: 0,
        time_max: 0,
        subsidy: Amount::ZERO,
        coinbase_value: Amount::ZERO,
        coinbase_form: CoinbaseForm::Bip54,
        witness_commitment: None,
        transactions: Vec::new(),
        trailer: Vec::new(),
    };
    let template = TemplateRow {
        id: TemplateId::new(1),
        received_at: Timestamp::EPOCH,
        chain,
        payout_script: Vec::new(),
        tag: String::new(),
    };
    let register = Write::RegisterMiner {
        hotkey,
        payout_address: None,
        at: Timestamp::EPOCH,
    };
    let writes = vec![
        register,
        Write::AddWorker(worker),
        Write::SaveTemplate(Box::new(template)),
    ];
    commit(store, writes).unwrap();
}

fn shares(count: usize) -> Write {
    let share = ShareRow {
        template: TemplateId::new(1),
        extranonce: FullExtraNonce::from_bytes([0xff; 12]),
        worker: WorkerId::new(1),
        share_bits: CompactTarget::from_bits(0x207f_ffff),
        units: Units::ONE,
        hash: HeaderHash::from_bytes([0x77; 32]),
        version: 1,
        time: 2,
        nonce: 3,
        received_at: Timestamp::from_secs(1_700_000_000),
        block: None,
    };
    Write::AppendShares(vec![share; count])
}

fn last_sequence(store: &SqliteStore) -> u64 {
    block_on(store.totals()).unwrap().shares
}

fn units_stored(store: &SqliteStore, through: u64) -> u128 {
    let all = store.weights_between(Sequence::new(0), Sequence::new(through));
    block_on(all).unwrap().total() / 2 / Units::ONE.raw()
}

#[test]
fn a_second_instance_is_refused_until_the_first_is_gone() {
    let backend = OnDisk::fresh();
    let first = open(&backend.path());
    let error = refused(&backend.path());
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another running pool"));
    drop(first);
    drop(open(&backend.path()));
}

#[cfg(unix)]
#[test]
fn another_name_for_the_same_file_is_no_way_around_the_first_instance() {
    let backend = OnDisk::fresh();
    let first = open(&backend.path());
    let folder = tempfile::tempdir().unwrap();
    // A link to the file, a link to a link, and the folder by another name.
    let file = folder.path().join("other.db");
    std::os::unix::fs::symlink(backend.path(), &file).unwrap();
    let twice = folder.path().join("twice.db");
    std::os::unix::fs::symlink(&file, &twice).unwrap();
    let directory = folder.path().join("directory");
    std::os::unix::fs::symlink(backend.path().parent().unwrap(), &directory).unwrap();
    for way in [
        &file,
        &twice,
        &directory.join(backend.path().file_name().unwrap()),
    ] {
        let error = refused(way);
        assert!(
            matches!(error, OpenError::InUse { .. }),
            "{}: {error}",
            way.display()
        );
    }
    drop(first);
    drop(open(&twice));
    // A hard link has a log of its own, so it is refused even when nobody is there.
    let hard = backend.path().with_file_name("hard.db");
    std::fs::hard_link(backend.path(), &hard).unwrap();
    for way in [&hard, &backend.path()] {
        assert!(matches!(refused(way), OpenError::SeveralNames { .. }));
    }
    std::fs::remove_file(&hard).unwrap();
    drop(open(&backend.path()));
    let nothing = folder.path().join("nothing.db");
    std::os::unix::fs::symlink(folder.path().join("gone"), &nothing).unwrap();
    assert!(matches!(refused(&nothing), OpenError::Io { .. }));
}

/// Runs the ignored test `name` of this binary on a database, with its output to be read.
fn child(name: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", name])
        .env("STORE_CONTRACT_PATH", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the child of another test, which kills it"]
fn child_that_commits_until_it_is_killed() {
    let path = std::env::var("STORE_CONTRACT_PATH").expect("its parent sets this");
    let store = open(Path::new(&path));
    furnish(&store);
    loop {
        let written = commit(&store, vec![shares(3)]).unwrap();
        let [Written::Shares { first, .. }] = written.as_slice() else {
            panic!("one write, one answer");
        };
        // The line begins behind whatever the test harness wrote.
        println!("\nacknowledged {}", first.get() + 2);
    }
}

#[test]
fn a_killed_process_loses_no_acknowledged_share_and_frees_the_database() {
    let backend = OnDisk::fresh();
    for round in 1..=3_u64 {
        let mut child = child("child_that_commits_until_it_is_killed", &backend.path());
        let output = BufReader::new(child.stdout.take().unwrap());
        let numbers = output.lines().map_while(Result::ok);
        let mut numbers = numbers.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok());
        let wait_for = numbers.by_ref().nth(20).expect("the child commits");
        // Another process has it now.
        let error = refused(&backend.path());
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = numbers.last().unwrap_or(wait_for);

        let store = open(&backend.path());
        let stored = last_sequence(&store);
        assert!(
            stored >= acknowledged,
            "round {round}: {acknowledged} were acknowledged, {stored} stored"
        );
        assert_eq!(stored % 3, 0, "commits are whole");
        assert_eq!(u128::from(stored), units_stored(&store, stored));
        // The next child furnishes again: all of it is safe to repeat.
    }
}

#[test]
fn a_copy_of_the_files_taken_while_it_runs_is_whole() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    for _ in 0..10 {
        commit(&store, vec![shares(7)]).unwrap();
    }
    let copy = OnDisk::fresh();
    for suffix in ["", "-wal"] {
        let name = format!("dwarves.db{suffix}");
        let from = backend.directory.path().join(&name);
        std::fs::copy(from, copy.directory.path().join(&name)).unwrap();
    }
    let copied = open(&copy.path());
    assert_eq!(last_sequence(&copied), 70);
    assert_eq!(units_stored(&copied, 70), 70);
}

#[test]
fn a_drop_waits_until_what_was_asked_is_written() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    // Nobody waits for these: they were begun, so they go on.
    for _ in 0..10 {
        drop(store.commit(vec![shares(1_000)]));
    }
    drop(store);
    let left: Vec<_> = std::fs::read_dir(backend.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-wal"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "the log is tidied away");
    assert_eq!(last_sequence(&open(&backend.path())), 10_000);
}

#[test]
fn reads_go_on_while_a_write_is_under_way() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(5)]).unwrap();
    let large = store.commit(vec![shares(200_000)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut large = std::pin::pin!(large);
        let mut reads_meanwhile = 0;
        loop {
            tokio::select! {
                biased;
                written = &mut large => {
                    assert!(written.is_ok());
                    break;
                }
                totals = store.totals() => {
                    // Either all of the commit is seen or nothing of it.
                    let seen = totals.unwrap().shares;
                    assert!(seen == 5 || seen == 200_005, "saw {seen}");
                    reads_meanwhile += u32::from(seen == 5);
                }
            }
        }
        assert!(
            reads_meanwhile > 2,
            "only {reads_meanwhile} reads were answered before the commit was done"
        );
        assert_eq!(store.totals().await.unwrap().shares, 200_005);
    });
}

#[test]
fn reads_are_refused_when_too_many_wait() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(5_000)]).unwrap();
    // Folding 5,000 shares takes longer than asking, so the queues fill.
    let fold = || store.weights_between(Sequence::new(0), Sequence::new(5_000));
    let asked: Vec<_> = (0..400).map(|_| fold()).collect();
    let (mut answered, mut refused) = (0, 0);
    for answer in asked {
        match block_on(answer) {
            Ok(weights) => {
                assert_eq!(weights.total(), 2 * 5_000 * Units::ONE.raw());
                answered += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                refused += 1;
            }
        }
    }
    assert!(
        answered >= 128 && refused > 0,
        "{answered} answered, {refused} refused"
    );
    assert!(block_on(fold()).is_ok());
}

#[test]
fn a_full_disk_refuses_whole_commits_and_goes_on_once_there_is_room() {
    let backend = OnDisk::fresh();
    let options = SqliteOptions {
        max_bytes: Some(1024 * 1024),
    };
    let store = SqliteStore::open(&backend.path(), options).unwrap();
    furnish(&store);
    let mut stored = 0;
    let kind = loop {
        match commit(&store, vec![shares(500)]) {
            Ok(_) => stored += 500,
            Err(kind) => break kind,
        }
        assert!(stored < 100_000, "a megabyte must be full by now");
    };
    assert_eq!(kind, StoreErrorKind::Unavailable);
    assert!(stored > 1_000);
    let last = |store: &SqliteStore| (last_sequence(store), units_stored(store, stored + 1_000));
    assert_eq!(
        last(&store),
        (stored, u128::from(stored)),
        "nothing of the failed commit is there"
    );
    let again = commit(&store, vec![shares(500)]);
    assert_eq!(again, Err(StoreErrorKind::Unavailable));

    // What is over makes room: the pool goes on by itself.
    let input = quiet_round(1, Timestamp::EPOCH, Scheme::Pplns);
    let round = Write::CloseRound {
        round: Box::new(close(&input).unwrap()),
        blocks: Vec::new(),
        through: Sequence::new(stored),
    };
    let count = Write::SaveCounters {
        through: Sequence::new(stored),
        counters: vec![(WorkerId::new(1), CounterRow::default())],
    };
    let retire = Write::RetireTemplates {
        before: TemplateId::new(2),
    };
    let prune = Write::PruneShares {
        through: Sequence::new(stored / 2),
    };
    commit(&store, vec![retire, count, round, prune]).unwrap();
    let written = commit(&store, vec![shares(500)]).unwrap();
    assert!(matches!(written[0], Written::Shares { first, .. } if first.get() == stored + 1));

    // A larger disk does as well.
    while commit(&store, vec![shares(500)]).is_ok() {}
    let before = last_sequence(&store);
    drop(store);
    let store = open(&backend.path());
    commit(&store, vec![shares(5_000)]).unwrap();
    assert_eq!(last_sequence(&store), before + 5_000);
}

#[test]
fn a_newer_schema_a_foreign_database_and_a_broken_file_are_refused_untouched() {
    let backend = OnDisk::fresh();
    drop(open(&backend.path()));
    let sqlite = rusqlite::Connection::open(backend.path()).unwrap();
    sqlite.pragma_update(None, "user_version", 99).unwrap();
    drop(sqlite);
    let error = refused(&backend.path());
    assert!(
        matches!(error, OpenError::NewerSchema { found: 99, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("newer program"));

    let theirs = OnDisk::fresh();
    let sqlite = rusqlite::Connection::open(theirs.path()).unwrap();
    sqlite.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(sqlite);
    assert_eq!(refused(&theirs.path()), OpenError::NotOurs);

    let broken = OnDisk::fresh();
    std::fs::write(broken.path(), vec![b'x'; 10_000]).unwrap();
    let error = refused(&broken.path());
    assert!(matches!(error, OpenError::Corrupt(_)), "{error}");
    assert_eq!(std::fs::read(broken.path()).unwrap(), vec![b'x'; 10_000]);

    let error = refused(Path::new("/nowhere/at/all/dwarves.db"));
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}

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
        include_str!("../src/migrations/0001_begin.sql"),
        include_str!("../src/migrations/0010_blocks.sql"),
        include_str!("../src/migrations/0020_payouts.sql"),
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
    assert_eq!(state.recent_shares.len(), 3);
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
    let of_job = "extranonce_tail IS NULL AND extranonce < 0x4000000000000000";
    let of_session = "extranonce_tail IS NULL AND extranonce >= 0x4000000000000000";
    let kept = "extranonce_tail IS NOT NULL";
    for (which, expected) in [(of_job, "1"), (of_session, "2,3"), (kept, "4")] {
        let sql = format!("SELECT group_concat(sequence) FROM shares WHERE {which}");
        let found: String = sqlite.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, expected, "{which}");
    }
}

/// Changes the database behind the pool's back.
fn tamper(backend: &OnDisk, sql: &str) {
    let sqlite = rusqlite::Connection::open(backend.path()).unwrap();
    sqlite.execute_batch(sql).unwrap();
}

#[test]
fn a_ledger_whose_ends_disagree_is_not_opened() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(5)]).unwrap();
    drop(store);
    tamper(&backend, "DELETE FROM shares WHERE sequence = 5");
    let error = refused(&backend.path());
    assert!(error.to_string().contains("the shares end with 4"), "{error}");
}

#[test]
fn bad_data_is_an_error_that_names_its_column() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(5)]).unwrap();
    drop(store);
    tamper(&backend, "UPDATE shares SET units = x'00' WHERE sequence = 2");
    let store = open(&backend.path());
    let all = store.weights_between(Sequence::new(0), Sequence::new(5));
    let error = block_on(all).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert_eq!(error.to_string(), "shares.units must be 16 bytes");
    drop(store);
    let mend = "UPDATE shares SET units = (SELECT units FROM shares WHERE sequence = 1) WHERE sequence = 2";
    tamper(&backend, mend);
    tamper(&backend, "UPDATE workers SET name = 'no spaces, please'");
    let error = block_on(open(&backend.path()).start(Timestamp::EPOCH)).unwrap_err();
    assert_eq!(error.to_string(), "workers.name must be a known name");
    // A life that could not be told was not begun.
    tamper(&backend, "UPDATE workers SET name = 'rig'");
    assert_eq!(
        block_on(open(&backend.path()).start(Timestamp::EPOCH))
            .unwrap()
            .life,
        1
    );
}

#[test]
fn a_lock_of_another_program_delays_a_commit_and_does_not_break_it() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    let sqlite = rusqlite::Connection::open(backend.path()).unwrap();
    sqlite.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = store.commit(vec![shares(1)]);
    assert_eq!(last_sequence(&store), 0);
    sqlite.execute_batch("COMMIT").unwrap();
    assert!(block_on(waiting).is_ok());
    assert_eq!(last_sequence(&store), 1);
}

fn setting(store: &InlineStore) -> Result<String, StoreErrorKind> {
    let settings = block_on(store.settings()).map_err(|error| error.kind())?;
    Ok(settings.get("a").cloned().unwrap_or_default())
}

fn set(store: &InlineStore, value: &str) -> Result<Vec<Written>, StoreErrorKind> {
    let set = Write::SaveSetting {
        key: "a".to_owned(),
        value: Some(value.to_owned()),
    };
    block_on(store.commit(vec![set])).map_err(|error| error.kind())
}

#[test]
fn a_copy_in_memory_knows_nothing_of_what_comes_later_and_a_clone_does() {
    let store = InlineStore::inline().unwrap();
    set(&store, "before").unwrap();
    let (copy, clone) = (store.copy().unwrap(), store.clone());
    set(&store, "after").unwrap();
    assert_eq!(setting(&copy).unwrap(), "before");
    assert_eq!(setting(&clone).unwrap(), "after");
    set(&copy, "other").unwrap();
    assert_eq!(setting(&store).unwrap(), "after");
}

#[test]
fn a_store_in_memory_that_is_opened_anew_is_closed_to_whoever_had_it() {
    let store = InlineStore::inline().unwrap();
    set(&store, "before").unwrap();
    let clone = store.clone();
    let anew = store.reopen().unwrap();
    for old in [&store, &clone] {
        assert_eq!(set(old, "late"), Err(StoreErrorKind::Unavailable));
        assert_eq!(setting(old), Err(StoreErrorKind::Unavailable));
        assert!(old.reopen().is_err() && old.copy().is_err() && old.look(|_| ()).is_err());
    }
    assert_eq!(setting(&anew).unwrap(), "before");
}

#[test]
fn a_store_in_memory_is_checked_when_it_is_opened_anew() {
    let store = InlineStore::inline().unwrap();
    let hand = "INSERT INTO balances (account, hotkey, amount) VALUES ('fee', x'', 50)";
    store.look(|sqlite| sqlite.execute_batch(hand).unwrap()).unwrap();
    let error = store.reopen().err().expect("it must be refused");
    assert!(matches!(error, OpenError::Corrupt(_)), "{error}");
}
