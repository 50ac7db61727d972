//! Every table and every column of the database is copied, or is named here with why it is not.

use std::collections::{BTreeMap, BTreeSet};

use dwarves_ports::store::copying::TABLES;

use super::super::cluster::Database;
use dwarves_store_postgres::PostgresStore;

/// What is not copied as it is.
const OTHERWISE: &[(&str, &[&str])] = &[
    // Versions of this very database.
    ("dwarves_schema", &["version", "name", "applied_at"]),
    // Who writes to this very database, and who is there to.
    ("leader", &["id", "epoch", "commits", "looks", "front", "hotkey"]),
    (
        "fronts",
        &[
            "number", "lease", "name", "places", "version", "since", "beat", "beat_at",
        ],
    ),
    // Made of the commits that shares go by; a copy is no transaction of a pool's.
    (
        "batches",
        &[
            "first_sequence",
            "last_sequence",
            "committed_at",
            "total_before",
            "total_after",
            "epoch",
            "commit",
        ],
    ),
];

#[test]
#[ignore = "needs postgres"]
fn every_table_and_column_is_copied_or_it_is_said_why_not() {
    let database = Database::new();
    drop(PostgresStore::open(&database.options()).unwrap());
    let found = database.sql(
        "SELECT relname || ' ' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0
             AND NOT attisdropped",
    );
    let mut real: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in found {
        let (table, column) = line.split_once(' ').unwrap();
        real.entry(table.to_owned())
            .or_default()
            .insert(column.to_owned());
    }
    let mut said: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for table in TABLES {
        let columns = table.columns.iter().map(|column| column.name.to_owned());
        said.insert(table.name.to_owned(), columns.collect());
    }
    for (table, columns) in OTHERWISE {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        assert_eq!(
            said.insert((*table).to_owned(), columns),
            None,
            "{table} is named twice"
        );
    }
    assert_eq!(real, said);
}
