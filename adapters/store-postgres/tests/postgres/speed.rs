//! What a commit takes, for people: `cargo test --release -p dwarves-store-postgres --test postgres -- --ignored --nocapture
//! to_be_measured`.

use dwarves_domain::time::Span;
use dwarves_ports::clock::Moment;
use dwarves_ports::store::{Store, Write};
use dwarves_store_postgres::PostgresStore;

use super::cluster::Database;
use super::losing::{block_on, commit, furniture, share};

/// How long each is measured.
const TIME: Span = Span::from_secs(2);

/// Processor time that a process has used, user and system, ms.
fn cpu(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<u64>() * 10
}

/// Commits of so many shares each, one after the other.
#[test]
#[ignore = "needs postgres"]
fn commits_a_second_to_be_measured() {
    for shares in [1, 50, 500] {
        let database = Database::new();
        let store = PostgresStore::open(&database.options()).unwrap();
        commit(&store, furniture()).unwrap();
        let backend = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let backend = database.sql(backend).remove(0);
        let used = || (cpu("self"), cpu(&backend));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (begin, before) = (Moment::now(), used());
        let (mut commits, mut number) = (0_u64, 0);
        while begin.elapsed() < TIME {
            let mut rows = Vec::new();
            for _ in 0..shares {
                number += 1;
                let Write::AppendShares(row) = share(number) else {
                    unreachable!("it appends shares");
                };
                rows.extend(row);
            }
            let written = runtime.block_on(store.commit(vec![Write::AppendShares(rows)]));
            assert_eq!(written.unwrap().len(), 1);
            commits += 1;
        }
        let (passed, after) = (begin.elapsed().millis(), used());
        assert_eq!(block_on(store.totals()).unwrap().shares, number);
        println!(
            "{shares} shares a commit: {} commits a second, {} us each; processor us a commit: pool {}, server {}",
            commits * 1_000 / passed,
            passed * 1_000 / commits,
            (after.0 - before.0) * 1_000 / commits,
            (after.1 - before.1) * 1_000 / commits,
        );
    }
}
