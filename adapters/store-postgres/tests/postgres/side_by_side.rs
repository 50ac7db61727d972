//! Commits of shares of which the second begins before the first is durable: they are stored in their order, each or not.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dwarves_domain::ids::WorkerId;
use dwarves_domain::time::Span;
use dwarves_ports::clock::Moment;
use dwarves_ports::store::{Store as _, StoreErrorKind, Write, Written};
use dwarves_store_postgres::PostgresStore;

use super::cluster::{Database, shared};
use super::losing::{block_on, commit, furniture, share, stored};

type Committed = Result<Vec<Written>, StoreErrorKind>;

/// A store with a miner, its worker, a template and a share.
fn begun() -> (Database, Arc<PostgresStore>) {
    let database = Database::new();
    let store = Arc::new(PostgresStore::open(&database.options()).unwrap());
    commit(&store, furniture()).unwrap();
    // The two chores of a start take a number each, one behind each order or as soon as there is none.
    let begin = Moment::now();
    while database.sql("SELECT commits FROM leader") != ["3"] {
        assert!(begin.elapsed() < Span::from_secs(30), "the chores of the start");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Its partition is made with it, and not beside anything.
    commit(&store, vec![share(0)]).unwrap();
    (database, store)
}

/// Keeps everybody from ending a transaction for a while, and then does `then`.
fn hold_ends(database: &Database, then: &'static str) -> JoinHandle<()> {
    let name = database.name.clone();
    let held = std::thread::spawn(move || {
        let hold = format!("BEGIN; UPDATE leader SET looks = looks + 1; SELECT pg_sleep(1.5); {then}");
        shared().sql(&name, &hold);
    });
    wait_for(
        database,
        "query LIKE 'BEGIN; UPDATE leader%' AND state = 'active'",
        1,
    );
    held
}

fn wait_for(database: &Database, sessions: &str, count: usize) {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND {sessions}"
    );
    for _ in 0..200 {
        if database.sql(&sql).len() == count {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{count} sessions with {sessions}: {:?}", database.sql(&sql));
}

/// Asks for commits at once, the way the ledger does, and waits for all of them.
fn commit_all(store: &Arc<PostgresStore>, commits: Vec<Vec<Write>>) -> JoinHandle<Vec<Committed>> {
    let store = Arc::clone(store);
    std::thread::spawn(move || {
        let asked: Vec<_> = commits.into_iter().map(|writes| store.commit(writes)).collect();
        let ended = async {
            let mut ended = Vec::new();
            for answer in asked {
                ended.push(answer.await.map_err(|error| error.kind()));
            }
            ended
        };
        block_on(ended)
    })
}

/// The first waits to end, and the rows of the second are there.
fn wait_until_both_are_there(database: &Database) {
    wait_for(
        database,
        "wait_event_type = 'Lock' AND query LIKE 'WITH counted%'",
        1,
    );
    wait_for(
        database,
        "state = 'idle in transaction' AND query LIKE 'COPY%'",
        1,
    );
}

fn firsts(committed: &[Committed]) -> Vec<Option<u64>> {
    let first = |committed: &Committed| match committed.as_deref() {
        Ok([Written::Shares { first, .. }]) => Some(first.get()),
        _ => None,
    };
    committed.iter().map(first).collect()
}

#[test]
#[ignore = "needs postgres"]
fn the_rows_of_a_commit_go_out_while_the_one_before_it_ends() {
    let (database, store) = begun();
    let held = hold_ends(&database, "ROLLBACK");
    let committed = commit_all(&store, (1..=4).map(|number| vec![share(number)]).collect());
    wait_until_both_are_there(&database);
    assert!(!committed.is_finished());
    held.join().unwrap();
    let committed = committed.join().unwrap();
    assert_eq!(firsts(&committed), [2, 3, 4, 5].map(Some));
    assert_eq!(stored(shared(), &database.name), [0, 1, 2, 3, 4]);
    let batches = "SELECT commit - MIN(commit) OVER () || ' ' || first_sequence || ' '
            || (total_before = COALESCE(LAG(total_after) OVER (ORDER BY first_sequence), 0))
        FROM batches ORDER BY first_sequence";
    assert_eq!(
        database.sql(batches),
        ["0 1 true", "1 2 true", "2 3 true", "3 4 true", "4 5 true"]
    );
}

#[test]
#[ignore = "needs postgres"]
fn one_that_cannot_be_stored_takes_none_of_the_others_with_it() {
    let (database, store) = begun();
    let mut of_nobody = share(9);
    if let Write::AppendShares(shares) = &mut of_nobody {
        shares[0].worker = WorkerId::new(77);
    }
    let commits = vec![vec![share(1)], vec![of_nobody], vec![share(2)], vec![share(3)]];
    let committed = commit_all(&store, commits).join().unwrap();
    assert_eq!(firsts(&committed), [Some(2), None, Some(3), Some(4)]);
    assert_eq!(committed[1], Err(StoreErrorKind::Conflict));
    assert_eq!(stored(shared(), &database.name), [0, 1, 2, 3]);
}

#[test]
#[ignore = "needs postgres"]
fn a_session_that_dies_while_it_ends_a_commit_leaves_the_next_one_whole() {
    let (database, store) = begun();
    // So that there is a second session, and the next commit goes by the first again.
    commit_all(&store, vec![vec![share(1)], vec![share(2)], vec![share(3)]])
        .join()
        .unwrap();
    let before = stored(shared(), &database.name).len() as u64;
    let held = hold_ends(&database, "ROLLBACK");
    let committed = commit_all(&store, vec![vec![share(4)], vec![share(5)]]);
    wait_until_both_are_there(&database);
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'WITH counted%' AND pid <> pg_backend_pid()",
    );
    held.join().unwrap();
    let committed = committed.join().unwrap();
    assert_eq!(committed[0], Err(StoreErrorKind::Unavailable));
    assert_eq!(firsts(&committed), [None, Some(before + 1)]);
    assert_eq!(stored(shared(), &database.name), [0, 1, 2, 3, 5]);
}

/// What was given up, because somebody looked and it was not there, cannot be stored afterwards.
#[test]
#[ignore = "needs postgres"]
fn a_commit_that_was_looked_up_before_it_ended_is_not_stored_later() {
    let (database, store) = begun();
    let held = hold_ends(&database, "COMMIT");
    let committed = commit_all(&store, vec![vec![share(1)]]);
    wait_for(
        &database,
        "wait_event_type = 'Lock' AND query LIKE 'WITH counted%'",
        1,
    );
    held.join().unwrap();
    assert_eq!(committed.join().unwrap(), [Err(StoreErrorKind::Conflict)]);
    assert_eq!(stored(shared(), &database.name), [0]);
}

#[test]
#[ignore = "needs postgres"]
fn without_room_for_a_second_session_shares_go_by_one() {
    let (database, store) = begun();
    let sessions = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let before = database.sql(sessions);
    // A superuser minds no limit, but comes into no database that takes nobody.
    shared().sql(
        "postgres",
        &format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", database.name),
    );
    let committed = commit_all(&store, (1..=6).map(|number| vec![share(number)]).collect());
    let committed = committed.join().unwrap();
    shared().sql(
        "postgres",
        &format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", database.name),
    );
    assert_eq!(firsts(&committed), (2..=7).map(Some).collect::<Vec<_>>());
    assert_eq!(stored(shared(), &database.name), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(database.sql(sessions), before);
}

/// Sessions are ended all the time under load that keeps two commits under way: what was acknowledged is there once, in order.
#[test]
#[ignore = "needs postgres"]
fn sessions_that_end_at_any_moment_cost_no_acknowledged_share_and_change_no_order() {
    let (database, store) = begun();
    let ending = std::thread::spawn({
        let name = database.name.clone();
        move || {
            for round in 0..40 {
                std::thread::sleep(Duration::from_millis(7 + round));
                let sql = format!(
                    "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
                     WHERE datname = '{name}' AND pid <> pg_backend_pid() ORDER BY md5(pid || '{round}') LIMIT 2) AS picked"
                );
                shared().sql("postgres", &sql);
            }
        }
    });
    let (mut acknowledged, mut number) = (vec![0], 0);
    while !ending.is_finished() {
        let numbers: Vec<u64> = (number + 1..=number + 12).collect();
        number += 12;
        let commits = numbers.iter().map(|number| vec![share(*number)]).collect();
        let committed = commit_all(&store, commits).join().unwrap();
        for (number, committed) in numbers.into_iter().zip(committed) {
            match committed {
                Ok(_) => acknowledged.push(number),
                Err(kind) => assert_eq!(kind, StoreErrorKind::Unavailable),
            }
        }
    }
    ending.join().unwrap();
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    assert_eq!(stored(shared(), &database.name), acknowledged);
    drop(store);
    let store = PostgresStore::open(&database.options()).unwrap();
    assert_eq!(
        block_on(store.totals()).unwrap().shares,
        acknowledged.len() as u64
    );
}
