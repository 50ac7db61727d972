//! Random histories, to which the ledger on a server gives the answers of the plain reading (`dwarves_testkit::histories`).

use std::collections::BTreeMap;
use std::sync::Arc;

use dwarves_ports::store::SharedStore;
use dwarves_store_postgres::PostgresStore;
use dwarves_testkit::histories::{NAMES, Twin, live_again, live_all, live_fresh};
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng};

use super::cluster::Database;

struct OnServer {
    // Dropped first.
    store: Option<SharedStore>,
    database: Database,
}

impl OnServer {
    fn new() -> Self {
        let database = Database::new();
        let store = Some(open(&database));
        Self { store, database }
    }
}

fn open(database: &Database) -> SharedStore {
    let options = database.options().with_partitions_of(30);
    Arc::new(PostgresStore::open(&options).unwrap())
}

impl Twin for OnServer {
    fn name(&self) -> &'static str {
        "on a server"
    }

    fn store(&self) -> SharedStore {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn restart(&mut self) {
        self.store = None;
        self.store = Some(open(&self.database));
    }

    /// Whether the entries of every round and of every step of a payout add up to 0, those of every account to its
    /// balance, and the credits of every round to what it credited: by the tables, and not by the store's own code.
    fn check(&self) -> Result<(), TestCaseError> {
        let wrong = [
            "SELECT 'entries of ' || COALESCE('round ' || round, 'payout ' || payout || ' ' || step) || ' add up to ' || SUM(delta)
             FROM journal GROUP BY round, payout, step, at HAVING SUM(delta) <> 0",
            "SELECT account || ' holds ' || COALESCE(balances.amount, 0) || ' and not ' || COALESCE(sum, 0) FROM balances
             FULL JOIN (SELECT account, hotkey, SUM(delta) AS sum FROM journal GROUP BY account, hotkey) AS entries
             USING (account, hotkey) WHERE COALESCE(balances.amount, 0) <> COALESCE(sum, 0)",
            "SELECT 'round ' || id || ' credited ' || credited || ' and not ' || COALESCE(sum, 0) FROM rounds
             LEFT JOIN (SELECT round, SUM(amount) AS sum FROM credits WHERE kind = 'credit' GROUP BY round) AS parts
             ON parts.round = id WHERE credited <> COALESCE(sum, 0)",
            "SELECT 'share ' || last_sequence || ' is followed by ' || next FROM (SELECT last_sequence, total_after,
                 LEAD(first_sequence) OVER ordered AS next, LEAD(total_before) OVER ordered AS total FROM batches
                 WINDOW ordered AS (ORDER BY first_sequence)) AS pairs
             WHERE next <> last_sequence + 1 OR total <> total_after",
            "SELECT 'batch ' || first_sequence || ' has other shares' FROM batches WHERE
                 (SELECT COUNT(*) FROM shares WHERE sequence BETWEEN first_sequence AND last_sequence)
                     <> last_sequence - first_sequence + 1
                 OR (SELECT SUM(units) FROM shares WHERE sequence BETWEEN first_sequence AND last_sequence)
                     <> total_after - total_before",
        ];
        let found = self.database.sql(&wrong.join("; "));
        match found.as_slice() {
            [] => Ok(()),
            found => Err(TestCaseError::fail(found.join("; "))),
        }
    }
}

fn twins() -> Vec<Box<dyn Twin>> {
    vec![Box::new(OnServer::new())]
}

#[test]
#[ignore = "needs postgres"]
fn the_ledger_on_a_server_answers_as_the_plain_reading() {
    // The same histories every time, among them every kind of write.
    let seen = live_all(10, TestRng::deterministic_rng(RngAlgorithm::ChaCha), twins);
    let missing: BTreeMap<_, _> = NAMES
        .iter()
        .map(|name| (name, seen.done.get(name)))
        .filter(|(_, times)| times.is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}: {seen:?}");
    assert!(seen.refused > 10 && seen.restarts > 10, "{seen:?}");
}

#[test]
#[ignore = "needs postgres"]
fn the_ledger_on_a_server_answers_as_the_plain_reading_where_another_did_not() {
    live_again(twins);
}

/// Others in every run: a few, or as many as are asked for with PROPTEST_CASES.
#[test]
#[ignore = "needs postgres"]
fn the_ledger_on_a_server_answers_as_the_plain_reading_to_fresh_histories() {
    live_fresh(3, twins);
}
