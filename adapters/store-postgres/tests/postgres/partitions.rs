//! Shares are written to the partition that they belong to, whether a commit fills one, ends one or passes several.

use dwarves_domain::ids::TemplateId;
use dwarves_ports::store::{Store, StoreErrorKind, Write};
use dwarves_store_postgres::PostgresStore;

use super::cluster::Database;
use super::losing::{block_on, commit, furniture, share};

/// Shares of a partition.
const SIZE: u64 = 50;

fn open(database: &Database) -> PostgresStore {
    PostgresStore::open(&database.options().with_partitions_of(SIZE)).unwrap()
}

/// One write of the shares with these numbers.
fn shares(numbers: std::ops::Range<u64>) -> Write {
    let mut rows = Vec::new();
    for number in numbers {
        let Write::AppendShares(row) = share(number) else {
            unreachable!("it appends shares");
        };
        rows.extend(row);
    }
    Write::AppendShares(rows)
}

#[test]
#[ignore = "needs postgres"]
fn commits_of_every_length_go_to_their_partitions() {
    let database = Database::new();
    let mut store = open(&database);
    commit(&store, furniture()).unwrap();
    let mut next = 1;
    // Up to a partition's last share, exactly one partition, beyond its end, over several, and on from there.
    for count in [49, 1, 49, 1, 50, 30, 120, 1, 70, 250, 3] {
        commit(&store, vec![shares(next..next + count)]).unwrap();
        next += count;
        let total = block_on(store.totals()).unwrap().shares;
        assert_eq!(total, next - 1);
        // What a start knows of the partitions is what the one before made.
        if next.is_multiple_of(2) {
            drop(store);
            store = open(&database);
        }
    }
    let misplaced = format!(
        "SELECT sequence::text FROM shares WHERE tableoid::regclass::text <> 'shares_' || sequence / {SIZE} * {SIZE}"
    );
    assert_eq!(database.sql(&misplaced), Vec::<String>::new());
    let order = "SELECT COUNT(*)::text FROM shares
        WHERE sequence = ('x' || encode(substr(hash, 1, 8), 'hex'))::bit(64)::bigint";
    assert_eq!(database.sql(order), [(next - 1).to_string()]);
}

#[test]
#[ignore = "needs postgres"]
fn a_partition_of_a_commit_that_failed_is_made_again() {
    let database = Database::new();
    let store = open(&database);
    commit(&store, furniture()).unwrap();
    commit(&store, vec![shares(1..41)]).unwrap();
    let Write::AppendShares(mut unknown) = shares(41..61) else {
        unreachable!("it appends shares");
    };
    for share in &mut unknown {
        share.template = TemplateId::new(77);
    }
    let failed = commit(&store, vec![Write::AppendShares(unknown)]);
    assert_eq!(failed.unwrap_err(), StoreErrorKind::Conflict);
    let tables = "SELECT COUNT(*)::text FROM pg_inherits WHERE inhparent = 'shares'::regclass";
    assert_eq!(database.sql(tables), ["1"]);
    for begin in [41, 61, 81, 101] {
        commit(&store, vec![shares(begin..begin + 20)]).unwrap();
    }
    assert_eq!(database.sql(tables), ["3"]);
    assert_eq!(block_on(store.totals()).unwrap().shares, 120);
}
