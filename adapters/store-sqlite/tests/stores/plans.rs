//! How the shipped store finds what it is asked for: no question, and no write, reads a table that grows from one end to
//! the other.

use std::collections::BTreeSet;
use std::sync::mpsc;

use proptest::test_runner::TestRng;
use rusqlite::Connection;

use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::histories::{Draw, History, questions};

use super::{Inline, RngAlgorithm, Siblings};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

/// Tables that do not grow, or as little as is said.
const SMALL: [(&str, &str); 10] = [
    ("bans", "those whom the operator banned"),
    ("pool", "one row"),
    ("settings", "a row for each setting"),
    ("sums", "a row for each account and kind of income"),
    ("lives", "a row for each start"),
    (
        "open_minutes",
        "the minutes of an hour, and those of one that is being moved",
    ),
    (
        "deliveries",
        "notices on their way, and those that are given up are deleted",
    ),
    (
        "miner_notices",
        "likewise to miners, as many as may wait, all of which a life reads once",
    ),
    (
        "subscriptions",
        "as many miners as may be told things, all of which a life reads once",
    ),
    (
        "epoch_rejects",
        "what was refused since the last statement, all of which the next one reads",
    ),
];

/// Indexes of a few rows of a table that grows.
const FEW: [(&str, &str); 4] = [
    (
        "submissions_waiting",
        "those that nobody evaluated yet, which are limited",
    ),
    (
        "notices_unplanned",
        "those of which nobody decided yet who is told",
    ),
    ("payouts_watched", "those that still may change"),
    ("workers_gone", "those that were taken out and still have shares"),
];

/// Statements that read all of something, by words of theirs, and why that is right.
const WHOLE: [(&str, &str); 4] = [
    (
        "SELECT amount FROM balances",
        "what is shown as the sum over all accounts is that, at most twice a second",
    ),
    (
        "SELECT state, accounting, total_before, units FROM blocks",
        "as many rows as blocks were found, at most twice a second",
    ),
    (
        "FROM batches ORDER BY first_sequence DESC",
        "reads from the end until it has what it wants",
    ),
    (
        "WHERE payout_address IS NOT NULL ORDER BY miners.hotkey",
        "asks for every miner with an address",
    ),
];

/// Whether a step of a plan reads all of a table (or of an index of it).
fn is_scan(step: &str, plan: &[String]) -> bool {
    let Some(what) = step.strip_prefix("SCAN ") else {
        return false;
    };
    let is_made_up =
        what.starts_with("CONSTANT ROW") || what.starts_with('(') || what.contains("VALUES CLAUSE");
    let mut words = what.split(' ');
    let (table, index) = (words.next().unwrap(), words.next_back().unwrap_or_default());
    let is_named = |list: &[(&str, &str)], name: &str| list.iter().any(|(known, _)| *known == name);
    // What the statement itself calls so: how it is made, other steps of the plan say.
    let is_part = ["CO-ROUTINE", "MATERIALIZE"].map(|how| plan.contains(&format!("{how} {table}")));
    let is_part = is_part.contains(&true);
    !is_made_up && !is_part && !is_named(&SMALL, table) && !is_named(&FEW, index)
}

/// The newest rows of a list, as many as are wanted: it goes backwards and stops.
fn is_newest(sql: &str, plan: &[String]) -> bool {
    let is_sorted = plan.iter().any(|step| step.contains("USE TEMP B-TREE"));
    let is_last_round = sql.contains("(SELECT through FROM rounds ORDER BY id DESC LIMIT 1)");
    is_last_round || sql.contains("LIMIT") && !sql.contains("WHERE") && !is_sorted
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // What the parameters are changes no plan: nobody ever analysed the tables.
    let mut rows = explained.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    steps
}

#[test]
fn no_statement_reads_a_table_that_grows_from_end_to_end() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let draws = prop::collection::vec(prop::collection::vec(any::<Draw>(), 1..4), 200);
    let draws = draws.new_tree(&mut runner).unwrap().current();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (shown, statements) = mpsc::channel();
    let inline = runtime.block_on(async {
        let memory = InlineStore::inline().unwrap();
        let siblings = Siblings::new(vec![Box::new(Inline(memory.clone()))]);
        let mut history = History::default();
        questions::agree_at_start(&siblings.all(), history.now())
            .await
            .unwrap();
        let show = move |sql: &str| shown.send(sql.to_owned()).unwrap_or(());
        memory.show_statements(show).unwrap();
        let begin = history.begin();
        let written = siblings.commit(&begin).await.unwrap().unwrap();
        history.note(&begin, &written);
        let plain = siblings.plain();
        for (number, commit) in draws.iter().enumerate() {
            let mut writes = Vec::new();
            for draw in commit {
                writes.extend(history.write(&plain, draw).await);
            }
            if let Some(written) = siblings.commit(&writes).await.unwrap() {
                history.note(&writes, &written);
            }
            if number % 40 == 39 {
                questions::agree(&siblings.all(), &history).await.unwrap();
            }
        }
        memory
    });
    inline.show_statements(|_| ()).unwrap();
    let statements: BTreeSet<String> = statements.try_iter().collect();
    let is_planned =
        |sql: &&String| !sql.starts_with("--") && !sql.starts_with("PRAGMA") && !sql.starts_with("EXPLAIN");
    let begins = |sql: &&String| {
        ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"]
            .iter()
            .any(|word| sql.starts_with(word))
    };
    let statements: Vec<&String> = statements
        .iter()
        .filter(is_planned)
        .filter(|sql| !begins(sql))
        .collect();
    assert!(statements.len() > 80, "only {} statements ran", statements.len());
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    inline
        .look(|connection| {
            for sql in &statements {
                let plan = plan(connection, sql);
                if !plan.iter().any(|step| is_scan(step, &plan)) || is_newest(sql, &plan) {
                    continue;
                }
                match WHOLE.iter().find(|(words, _)| sql.contains(words)) {
                    Some((words, _)) => {
                        used.insert(*words);
                    }
                    None => found.push(format!("{sql}\n    {}", plan.join("\n    "))),
                }
            }
        })
        .unwrap();
    assert!(
        found.is_empty(),
        "{} statements read whole tables:\n{}",
        found.len(),
        found.join("\n\n")
    );
    for (words, why) in WHOLE {
        assert!(
            used.contains(words),
            "no statement has these words any more: {words} ({why})"
        );
    }
}
