//! The ledger on a real PostgreSQL server, which each test process starts for itself.
//!
//! All of them are ignored unless they are asked for, because they need the server's programs (`apt install
//! postgresql`): `cargo test -p dwarves-store-postgres -- --ignored`. `tests/all` asks for them.
#![allow(clippy::unwrap_used, reason = "these are tests, and helpers of tests")]

use std::sync::Arc;

use dwarves_domain::ids::Sequence;
use dwarves_ports::store::{ShareRow, SharedStore};
use dwarves_store_postgres::PostgresStore;
use dwarves_testkit::contract::Backend;

mod cluster;
mod copying;
mod fronts;
mod histories;
mod losing;
mod partitions;
mod refusing;
mod side_by_side;
mod speed;
mod standby;

use cluster::Database;

/// A database of its own. Its partitions are small, so that there are many.
struct OnServer {
    database: Database,
}

impl Backend for OnServer {
    fn fresh() -> Self {
        Self {
            database: Database::new(),
        }
    }

    fn open(&self) -> SharedStore {
        let options = self.database.options().with_partitions_of(50);
        Arc::new(PostgresStore::open(&options).unwrap())
    }

    fn share(&self, sequence: Sequence) -> ShareRow {
        let options = self.database.options();
        PostgresStore::stored_share(&options, sequence).unwrap().unwrap()
    }
}

mod contract {
    use super::OnServer;

    dwarves_testkit::store_contract!(
        #[ignore = "needs postgres"]
        OnServer
    );
}
