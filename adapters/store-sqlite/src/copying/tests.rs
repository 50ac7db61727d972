//! Every table and every column of the file is copied, or is named here with why it is not.

use std::collections::{BTreeMap, BTreeSet};

use dwarves_ports::store::copying::TABLES;
use rusqlite::Connection;

use crate::schema;

/// What the file has and a copy has otherwise, or makes anew.
const OTHERWISE: &[(&str, &[&str])] = &[
    // Shares, packed: `shares`, by their commits.
    (
        "batches",
        &[
            "first_sequence",
            "place",
            "committed_at",
            "total_before",
            "shares",
        ],
    ),
    // In `miner_history`, the pool's own with it.
    (
        "pool_history",
        &[
            "step",
            "at",
            "accepted",
            "units",
            "hashes",
            "squares",
            "rejected_unknown_job",
            "rejected_stale",
            "rejected_duplicate",
            "rejected_low_difficulty",
            "rejected_time_out_of_range",
            "rejected_version_out_of_mask",
            "miners",
            "workers",
        ],
    ),
    // In `worker_history` and `miner_history`, step by step.
    ("open_minutes", &["at", "first_share", "workers"]),
    ("worker_history", &["span", "at", "worker", "steps"]),
    ("miner_history", &["span", "at", "miner", "steps"]),
    // Numbers and marks that the store gives by itself.
    ("history_miners", &["number", "hotkey"]),
    ("credited_miners", &["number", "hotkey", "credits", "last_credit"]),
    ("credit_marks", &["miner", "id"]),
    // In `credits`, with those of before; and in `journal`.
    ("packed_credits", &["id", "round", "kind", "block", "credits"]),
    ("round_entries", &["round", "journal_through", "entries"]),
    // In `round_workings`, `round_splits` and `round_paid`.
    ("round_workings", &["round", "fee_bps", "splits", "paid"]),
];

/// Columns that the file has beside those that are copied.
const MORE: &[(&str, &[&str])] = &[
    // What is asked to be pruned is asked again; no hour is being moved in a ledger that was copied.
    ("pool", &["prune_through", "moving_hour", "moving_worker"]),
    // Workers of whom nothing is left but their rows stay behind.
    ("workers", &["outlived"]),
    // The place among all parts, which is that of the payouts.
    ("payout_parts", &["id"]),
    // In `block_credits`.
    ("credited_blocks", &["parts"]),
    ("statements", &["length"]),
    ("payout_batches", &["length", "csv_length"]),
];

/// Columns that are made of something else.
const MADE: &[(&str, &[&str])] = &[
    // Of the open minutes.
    ("pool", &["counted_to"]),
];

/// Tables that the file has in no form of their own: see [`OTHERWISE`].
const ELSEWHERE: &[&str] = &[
    "shares",
    "worker_history",
    "miner_history",
    "round_workings",
    "round_splits",
    "round_paid",
];

type Columns = BTreeMap<String, BTreeSet<String>>;

fn real() -> Columns {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    let sql = "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table'";
    let mut select = connection.prepare(sql).unwrap();
    let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let mut real = Columns::new();
    for row in rows.unwrap() {
        let (table, column) = row.unwrap();
        real.entry(table).or_default().insert(column);
    }
    real
}

fn add(said: &mut Columns, list: &[(&str, &[&str])]) {
    for (table, columns) in list {
        let of_table = said.entry((*table).to_owned()).or_default();
        for column in *columns {
            assert!(
                of_table.insert((*column).to_owned()),
                "{table}.{column} is named twice"
            );
        }
    }
}

#[test]
fn every_table_and_column_is_copied_or_it_is_said_why_not() {
    let mut said = Columns::new();
    for table in TABLES.iter().filter(|table| !ELSEWHERE.contains(&table.name)) {
        let made = MADE.iter().find(|(name, _)| *name == table.name);
        let made = made.map_or(&[][..], |(_, columns)| *columns);
        let columns = table.columns.iter().map(|column| column.name);
        let columns = columns.filter(|column| !made.contains(column));
        said.insert(table.name.to_owned(), columns.map(str::to_owned).collect());
    }
    add(&mut said, OTHERWISE);
    add(&mut said, MORE);
    assert_eq!(real(), said);
}
