//! A server that goes away, and comes back: what was acknowledged is there once, and what was not is said to have failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_domain::work::{ChainTemplate, CoinbaseForm, FullExtraNonce};
use dwarves_ports::store::{ShareRow, Store, StoreErrorKind, TemplateRow, WorkerRow, Write, Written};
use dwarves_store_postgres::{OpenError, PostgresStore};

use super::cluster::{Cluster, Database};

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

pub(crate) fn commit(store: &PostgresStore, writes: Vec<Write>) -> Result<Vec<Written>, StoreErrorKind> {
    block_on(store.commit(writes)).map_err(|error| {
        eprintln!("{error}");
        error.kind()
    })
}

/// A miner, its worker and a template.
pub(crate) fn furniture() -> Vec<Write> {
    let hotkey = Hotkey::from_bytes([1; 32]);
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
    vec![
        Write::RegisterMiner {
            hotkey,
            payout_address: None,
            at: Timestamp::EPOCH,
        },
        Write::AddWorker(WorkerRow {
            id: WorkerId::new(1),
            hotkey,
            name: "rig".parse().unwrap(),
        }),
        Write::SaveTemplate(Box::new(template)),
    ]
}

/// A share of which the hash says its number.
pub(crate) fn share(number: u64) -> Write {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    Write::AppendShares(vec![ShareRow {
        template: TemplateId::new(1),
        extranonce: FullExtraNonce::from_bytes([0xff; 12]),
        worker: WorkerId::new(1),
        share_bits: CompactTarget::from_bits(0x207f_ffff),
        units: Units::ONE,
        hash: HeaderHash::from_bytes(hash),
        version: 1,
        time: 2,
        nonce: 3,
        received_at: Timestamp::from_secs(1_700_000_000),
        block: None,
    }])
}

/// The numbers of the shares that are stored.
pub(crate) fn stored(cluster: &Cluster, database: &str) -> Vec<u64> {
    let sql =
        "SELECT ('x' || encode(substr(hash, 1, 8), 'hex'))::bit(64)::bigint FROM shares ORDER BY sequence";
    let numbers = cluster.sql(database, sql).into_iter();
    numbers.map(|number| number.parse().unwrap()).collect()
}

#[test]
#[ignore = "needs postgres"]
fn a_server_that_is_killed_under_load_loses_no_acknowledged_share() {
    let mut cluster = Cluster::start("");
    cluster.sql("postgres", "CREATE DATABASE ledger");
    let store = Arc::new(PostgresStore::open(&cluster.options("ledger")).unwrap());
    commit(&store, furniture()).unwrap();
    let stopping = Arc::new(AtomicBool::new(false));
    let miner = std::thread::spawn({
        let (store, stopping) = (Arc::clone(&store), Arc::clone(&stopping));
        move || {
            let (mut acknowledged, mut refused, mut number) = (Vec::new(), 0, 0);
            while !stopping.load(Ordering::Relaxed) {
                number += 1;
                match commit(&store, vec![share(number)]) {
                    Ok(_) => acknowledged.push(number),
                    Err(StoreErrorKind::Unavailable) => {
                        refused += 1;
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    Err(kind) => panic!("{kind:?}"),
                }
            }
            (acknowledged, refused)
        }
    });
    for pause in [300, 170, 90, 230] {
        std::thread::sleep(Duration::from_millis(pause));
        cluster.kill();
        cluster.restart();
    }
    std::thread::sleep(Duration::from_millis(500));
    stopping.store(true, Ordering::Relaxed);
    let (acknowledged, refused) = miner.join().unwrap();
    assert!(
        acknowledged.len() > 10 && refused > 0,
        "{} and {refused}",
        acknowledged.len()
    );
    // What failed was not stored, and what was acknowledged was stored once: the two lists are the same.
    assert_eq!(stored(&cluster, "ledger"), acknowledged);
    // Questions are answered again, too.
    let totals = block_on(store.totals()).unwrap();
    assert_eq!(totals.shares, acknowledged.len() as u64);
    drop(store);
    let store = PostgresStore::open(&cluster.options("ledger")).unwrap();
    assert_eq!(
        block_on(store.totals()).unwrap().shares,
        acknowledged.len() as u64
    );
}

#[test]
#[ignore = "needs postgres"]
fn a_session_that_is_ended_while_it_commits_is_looked_up() {
    let database = Database::new();
    let store = Arc::new(PostgresStore::open(&database.options()).unwrap());
    commit(&store, furniture()).unwrap();
    let stopping = Arc::new(AtomicBool::new(false));
    let miner = std::thread::spawn({
        let (store, stopping) = (Arc::clone(&store), Arc::clone(&stopping));
        move || {
            let (mut acknowledged, mut number) = (Vec::new(), 0);
            while !stopping.load(Ordering::Relaxed) {
                number += 1;
                match commit(&store, vec![share(number)]) {
                    Ok(_) => acknowledged.push(number),
                    Err(kind) => assert_eq!(kind, StoreErrorKind::Unavailable),
                }
            }
            acknowledged
        }
    });
    for _ in 0..40 {
        std::thread::sleep(Duration::from_millis(23));
        database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
    stopping.store(true, Ordering::Relaxed);
    let acknowledged = miner.join().unwrap();
    assert!(acknowledged.len() > 10, "{}", acknowledged.len());
    assert_eq!(stored(super::cluster::shared(), &database.name), acknowledged);
}

/// A pool that stops for so long that another one is started, and then goes on, writes nothing.
#[test]
#[ignore = "needs postgres"]
fn who_was_taken_over_writes_nothing_any_more() {
    let database = Database::new();
    let old = PostgresStore::open(&database.options()).unwrap();
    commit(&old, furniture()).unwrap();
    commit(&old, vec![share(1)]).unwrap();
    let in_use = PostgresStore::open(&database.options()).err().unwrap();
    assert!(matches!(in_use, OpenError::InUse(_)), "{in_use}");
    let held = PostgresStore::holder(&database.options()).unwrap();
    assert!(held.is_some_and(|held| held.contains("session")));
    // Whoever looks holds nobody up.
    let looking = PostgresStore::open_to_look(&database.options()).unwrap();
    assert_eq!(block_on(looking.totals()).unwrap().shares, 1);
    assert_eq!(commit(&looking, vec![share(9)]), Err(StoreErrorKind::Unavailable));
    // The old one's session is over, as after a cut wire; it does not know it yet.
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    let new = PostgresStore::open(&database.options()).unwrap();
    commit(&new, vec![share(2)]).unwrap();
    // Its connection is gone, and another one tells it why it may not, while the new one is there and afterwards.
    assert_eq!(commit(&old, vec![share(3)]), Err(StoreErrorKind::Conflict));
    drop(new);
    assert_eq!(commit(&old, vec![share(3)]), Err(StoreErrorKind::Conflict));
    assert_eq!(stored(super::cluster::shared(), &database.name), [1, 2]);
}

/// A commit that waits for a standby which does not come is not acknowledged when somebody ends its wait.
#[test]
#[ignore = "needs postgres"]
fn a_commit_that_no_standby_confirmed_is_not_acknowledged_before_one_does() {
    let cluster = Cluster::start("");
    cluster.sql("postgres", "CREATE DATABASE ledger");
    let store = Arc::new(PostgresStore::open(&cluster.options("ledger")).unwrap());
    commit(&store, furniture()).unwrap();
    let set = |names: &str| {
        cluster.sql(
            "postgres",
            &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"),
        );
        cluster.sql("postgres", "SELECT pg_reload_conf()");
        // Sessions read it a moment later.
        std::thread::sleep(Duration::from_millis(300));
    };
    set("nobody");
    let warned = PostgresStore::check(&cluster.options("ledger")).unwrap().warnings;
    assert!(
        warned
            .iter()
            .any(|warning| warning.contains("no standby confirms")),
        "{warned:?}"
    );
    let committed = std::thread::spawn({
        let store = Arc::clone(&store);
        move || commit(&store, vec![share(1)])
    });
    let end_waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let mut ended = 0;
    while ended < 3 {
        std::thread::sleep(Duration::from_millis(50));
        ended += cluster.sql("postgres", end_waits).len();
        assert!(
            !committed.is_finished(),
            "it was answered while no standby had it"
        );
    }
    set("");
    assert_eq!(committed.join().unwrap().map(|written| written.len()), Ok(1));
    assert_eq!(stored(&cluster, "ledger"), [1]);
    assert_eq!(block_on(store.totals()).unwrap().shares, 1);
    let after = block_on(store.position_at(Timestamp::from_secs(2_000_000_000))).unwrap();
    assert_eq!(after.sequence, Sequence::new(1));
}

/// Partitions of pruned shares go whole, and the ledger goes on.
#[test]
#[ignore = "needs postgres"]
fn partitions_of_pruned_shares_are_dropped() {
    let database = Database::new();
    let options = database.options().with_partitions_of(10);
    let store = PostgresStore::open(&options).unwrap();
    commit(&store, furniture()).unwrap();
    for number in 1..=45 {
        commit(&store, vec![share(number)]).unwrap();
    }
    let partitions = "SELECT COUNT(*) FROM pg_inherits WHERE inhparent = 'shares'::regclass";
    assert_eq!(database.sql(partitions), ["5"]);
    let through = Sequence::new(35);
    let counted = Write::SaveCounters {
        at: Timestamp::from_secs(1_700_000_000),
        through: Sequence::new(45),
        counters: Vec::new(),
    };
    commit(
        &store,
        vec![
            counted,
            Write::RetireTemplates {
                before: TemplateId::new(2),
            },
        ],
    )
    .unwrap();
    // No round has looked at them yet.
    commit(&store, vec![Write::PruneShares { through }]).unwrap();
    assert_eq!(
        block_on(store.share(Sequence::new(1)))
            .unwrap()
            .map(|share| share.sequence),
        Some(Sequence::new(1))
    );
    database.sql(
        "INSERT INTO rounds (id, closed_at, scheme, source, reward, fee, kept, credited, through, digest)
         VALUES (1, 0, 'pplns', 'blocks', 0, 0, 0, 0, 45, '')",
    );
    commit(&store, vec![Write::PruneShares { through }]).unwrap();
    // One goes after each order, and while there is none.
    while database.sql(partitions) != ["2"] {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(block_on(store.share(Sequence::new(35))).unwrap(), None);
    assert!(block_on(store.share(Sequence::new(36))).unwrap().is_some());
    commit(&store, vec![share(46)]).unwrap();
    assert_eq!(
        stored(super::cluster::shared(), &database.name),
        (30..=46).collect::<Vec<u64>>()
    );
}
