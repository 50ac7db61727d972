//! Servers and ways to them on which no pool can keep its promises: each is refused by name, with its remedy.

use dwarves_store_postgres::{OpenError, PostgresOptions, PostgresStore};

use super::cluster::{Cluster, Database, shared};

fn refused(options: &PostgresOptions) -> OpenError {
    PostgresStore::open(options).err().expect("it must be refused")
}

#[test]
#[ignore = "needs postgres"]
fn a_database_of_others_or_of_a_newer_version_is_left_alone() {
    let database = Database::new();
    database.sql("CREATE TABLE cheeses (name text)");
    let error = refused(&database.options());
    assert!(
        matches!(&error, OpenError::NotOurs(_)) && error.to_string().contains("cheeses"),
        "{error}"
    );
    assert_eq!(PostgresStore::check(&database.options()), Err(error));
    let database = Database::new();
    let looked = PostgresStore::open_to_look(&database.options()).err();
    assert_eq!(looked, Some(OpenError::Empty));
    drop(PostgresStore::open(&database.options()).unwrap());
    drop(PostgresStore::open_to_look(&database.options()).unwrap());
    database.sql("INSERT INTO dwarves_schema (version, name) VALUES (9000, 'later')");
    let error = refused(&database.options());
    assert!(
        matches!(error, OpenError::NewerSchema { found: 9000, .. }),
        "{error}"
    );
}

#[test]
#[ignore = "needs postgres"]
fn books_that_were_changed_by_hand_are_found() {
    let edits = [
        "INSERT INTO sums (name, sats) VALUES ('account.fee', 5)",
        "INSERT INTO balances (account, hotkey, amount) VALUES ('fee', '', 5)",
        "INSERT INTO balances (account, hotkey, amount) VALUES ('fee', '', 5);
         INSERT INTO sums (name, sats) VALUES ('account.fee', 5)",
    ];
    for edit in edits {
        let database = Database::new();
        drop(PostgresStore::open(&database.options()).unwrap());
        database.sql(edit);
        let error = refused(&database.options());
        assert!(matches!(error, OpenError::Corrupt(_)), "{edit}: {error}");
    }
    let database = Database::new();
    drop(PostgresStore::open(&database.options()).unwrap());
    for table in ["journal", "audit", "statements", "payout_batches"] {
        let edit = shared().try_sql(&database.name, &format!("DELETE FROM {table}"));
        assert!(edit.is_err(), "rows of {table} can be deleted");
    }
}

#[test]
#[ignore = "needs postgres"]
fn a_role_without_rights_or_connections_is_told_what_it_lacks() {
    let database = Database::new();
    let role = format!("guest_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    ));
    let url = shared()
        .url(&database.name)
        .replace("user=dwarves", &format!("user={role}"));
    let options = PostgresOptions::new(&url, None, None).unwrap();
    let error = refused(&options);
    assert!(
        matches!(&error, OpenError::Rights(_)) && error.to_string().contains("OWNER TO"),
        "{error}"
    );
    assert!(matches!(
        PostgresStore::check(&options),
        Err(OpenError::Rights(_))
    ));
    database.sql(&format!("ALTER ROLE {role} CONNECTION LIMIT 2"));
    let error = refused(&options);
    assert!(error.to_string().contains("CONNECTION LIMIT"), "{error}");
    database.sql(&format!("DROP ROLE {role}"));
    let nowhere = shared().options("no_such_database");
    assert!(refused(&nowhere).to_string().contains("createdb"));
    let nobody = PostgresOptions::new("postgresql://pool@127.0.0.1:1/ledger", None, None).unwrap();
    assert!(matches!(refused(&nobody), OpenError::Connect(_)));
}

#[test]
#[ignore = "needs postgres"]
fn a_server_that_takes_or_keeps_no_writes_is_refused() {
    let database = Database::new();
    database.sql(&format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        database.name
    ));
    assert_eq!(refused(&database.options()), OpenError::ReadOnly);
    assert_eq!(
        PostgresStore::check(&database.options()),
        Err(OpenError::ReadOnly)
    );
    let forgetful = Cluster::start("fsync = off");
    forgetful.sql("postgres", "CREATE DATABASE ledger");
    assert_eq!(refused(&forgetful.options("ledger")), OpenError::NotDurable);
    // What an operator set for all sessions does not weaken the pool's own.
    let hasty = Database::new();
    hasty.sql(&format!(
        "ALTER DATABASE {} SET synchronous_commit = off",
        hasty.name
    ));
    drop(PostgresStore::open(&hasty.options()).unwrap());
    let latin = format!("latin_{}", hasty.name);
    shared().sql(
        "postgres",
        &format!("CREATE DATABASE {latin} ENCODING 'LATIN1' TEMPLATE template0"),
    );
    let error = refused(&shared().options(&latin));
    assert!(error.to_string().contains("UTF8"), "{error}");
    shared().sql("postgres", &format!("DROP DATABASE {latin}"));
}

/// What the database plans to read all of.
fn scanned(database: &Database, sql: &str) -> Vec<String> {
    let plan = database.sql(&format!("SET enable_seqscan = off; EXPLAIN {sql}"));
    let scans = plan.into_iter().filter(|step| step.contains("Seq Scan"));
    scans.collect()
}

/// What is asked all the time, of tables that grow, is found by an index.
#[test]
#[ignore = "needs postgres"]
fn what_grows_is_found_by_an_index() {
    let database = Database::new();
    drop(PostgresStore::open(&database.options()).unwrap());
    for sql in [
        "SELECT * FROM batches WHERE committed_at > 5 ORDER BY committed_at, first_sequence LIMIT 1",
        "SELECT * FROM batches WHERE total_before <= 5 ORDER BY total_before DESC, first_sequence DESC LIMIT 1",
        "SELECT * FROM batches WHERE first_sequence <= 5 ORDER BY first_sequence DESC LIMIT 1",
        "SELECT id FROM rounds WHERE through >= 5 ORDER BY through, id LIMIT 1",
        "SELECT * FROM credits WHERE hotkey = '' AND id < 5 ORDER BY id DESC LIMIT 3",
        "SELECT * FROM credits WHERE round = 5 AND kind = 'credit' ORDER BY id",
        "SELECT account, amount FROM balances WHERE hotkey = ''",
        "SELECT * FROM miner_history WHERE whose = '' AND step = 60 AND at >= 5 AND at < 6",
        "SELECT * FROM worker_history WHERE whose = 5 AND step = 60 AND at >= 5 AND at < 6",
        "SELECT * FROM payout_parts WHERE hotkey = '' AND payout < 5 ORDER BY payout DESC LIMIT 3",
        "SELECT * FROM submissions WHERE hotkey = '' AND sequence < 5 ORDER BY sequence DESC LIMIT 3",
        "SELECT MAX(id) FROM journal",
        "SELECT * FROM blocks WHERE hash = ''",
    ] {
        assert_eq!(scanned(&database, sql), Vec::<String>::new(), "{sql}");
    }
}

#[test]
#[ignore = "needs postgres"]
fn a_server_that_suits_is_described() {
    let database = Database::new();
    let server = PostgresStore::check(&database.options()).unwrap();
    assert!(server.version.split('.').next().unwrap().parse::<u32>().unwrap() >= 15);
    assert_eq!(
        (server.synchronous_standbys.as_str(), server.standbys_confirming),
        ("", 0)
    );
    assert!(
        PostgresStore::stored_settings(&database.options())
            .unwrap()
            .is_empty()
    );
    assert_eq!(PostgresStore::holder(&database.options()).unwrap(), None);
}
