//! A ledger that is copied to another store, or from one: the database as an end of a copy
//! (`dwarves_ports::store::copying`). Tables are plain here, so all but one are read and written alike (`plain`); shares go
//! with the commits that they came with, into partitions (`shares`).
//!
//! Whoever has a ledger for this has its lock, so no pool runs on it.

use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::copying::tables::{POOL, SHARES};
use dwarves_ports::store::copying::{Key, LedgerEnd, Piece, Table, UNFINISHED, marks};
use dwarves_ports::store::{StoreError, StoreErrorKind};

use super::client::Db;
use super::error::{Fail, OpenError, Outcome};
use super::options::PostgresOptions;
use super::value::values;
use super::{apart, batches, conservation, life_start, schema, server};

mod plain;
mod shares;

/// Whether a pool may be started on this ledger.
pub(crate) fn may_start(db: &Db) -> Result<(), OpenError> {
    let settings =
        life_start::settings(db).map_err(|fail| OpenError::of_fail(fail, "reading the ledger's settings"))?;
    marks::may_start(&settings).map_err(OpenError::NotToStart)
}

/// A ledger in a database, of which a copy is made, or that becomes one.
pub struct PostgresEnd {
    place: String,
    db: Db,
    shares_per_partition: u64,
    rows_max: u32,
}

impl PostgresEnd {
    /// Takes a ledger that is there, and brings its schema up to date.
    ///
    /// # Errors
    /// As [`super::PostgresStore::open`]; also if there is none.
    pub fn of_ledger(options: &PostgresOptions) -> Result<Self, OpenError> {
        apart(|| Self::take(options, true))
    }

    /// Takes a ledger, and makes its tables if there are none.
    ///
    /// # Errors
    /// As [`super::PostgresStore::open`].
    pub fn open(options: &PostgresOptions) -> Result<Self, OpenError> {
        apart(|| Self::take(options, false))
    }

    fn take(options: &PostgresOptions, must_be_there: bool) -> Result<Self, OpenError> {
        let db = server::connect_to_write(options)?;
        // Whose schema it is comes before whose lock: another program may use locks, too.
        if schema::look(&db)? == schema::Found::Nothing && must_be_there {
            return Err(OpenError::Empty);
        }
        server::take_lock(&db, server::LOCK_TRIES)?;
        server::must_keep_its_session(&db, &server::connect(options)?)?;
        schema::migrate(&db)?;
        Ok(Self {
            place: options.place(),
            db,
            shares_per_partition: options.shares_per_partition,
            rows_max: u32::MAX,
        })
    }

    /// The same with pieces of so many rows at most, about: for tests, which have few.
    #[must_use]
    pub fn with_pieces_of(mut self, rows: u32) -> Self {
        self.rows_max = rows.max(1);
        self
    }

    fn put(&self, piece: Option<&Piece>, mark: &str) -> Outcome<()> {
        let db = &self.db;
        db.take_warnings();
        db.run("BEGIN")?;
        let written = match piece {
            None => Ok(()),
            Some(Piece::Commits(commits)) => shares::write(db, commits, self.shares_per_partition),
            Some(Piece::Rows(table, rows)) if **table == POOL => plain::write_pool(db, rows),
            Some(Piece::Rows(table, rows)) => plain::write(db, table, rows),
        };
        let written = written.and_then(|()| save(db, UNFINISHED, Some(mark)));
        if let Err(fail) = written {
            // If that fails too, the session is over, and the server rolls back by itself.
            let _over = db.run("ROLLBACK");
            return Err(fail);
        }
        commit(db)
    }
}

/// Commits, and takes no warning for an answer: it may be of a standby that has not confirmed. What is stored is known when
/// the copy goes on.
fn commit(db: &Db) -> Outcome<()> {
    db.run("COMMIT")?;
    match db.take_warnings().pop() {
        None => Ok(()),
        Some(warning) => Err(Fail::Store(StoreError::new(
            StoreErrorKind::Unknown,
            format!("the server committed with a warning: {}", warning.message()),
        ))),
    }
}

fn save(db: &Db, name: &str, value: Option<&str>) -> Outcome<()> {
    match value {
        Some(value) => db.execute(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            values![name, value],
        )?,
        None => db.execute("DELETE FROM settings WHERE name = $1", values![name])?,
    };
    Ok(())
}

fn told<T>(outcome: Outcome<T>, during: &str) -> Result<T, StoreError> {
    outcome.map_err(|fail| fail.into_store_error(during))
}

impl LedgerEnd for PostgresEnd {
    fn place(&self) -> &str {
        &self.place
    }

    fn state(&mut self) -> Result<Option<String>, StoreError> {
        let db = &self.db;
        let read = || -> Outcome<Option<String>> {
            let sql = "SELECT created_at, life FROM pool";
            let (created_at, life) = db.always("pool", sql, &[], |cells| {
                let created_at = cells.optional("created_at", |cells, column| cells.int(column))?;
                Ok((created_at, cells.int("life")?))
            })?;
            let tail = batches::tail(db)?;
            Ok(created_at.map(|at| format!("{at}/{life}/{}/{}", tail.sequence, tail.total.raw())))
        };
        told(read(), "looking at the ledger")
    }

    fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM settings WHERE name = $1";
        let value = self
            .db
            .one("settings", sql, values![name], |cells| cells.string("value"));
        told(value, "reading settings")
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        let db = &self.db;
        let set = || {
            db.run("BEGIN")?;
            save(db, name, value)?;
            commit(db)
        };
        told(set(), "storing a setting")
    }

    fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        let db = &self.db;
        let count = || -> Outcome<u64> {
            if *table == SHARES {
                let last = batches::tail(db)?.sequence.get();
                return Ok(last.saturating_sub(batches::pruned_through(db)?.get()));
            }
            let sql = format!("SELECT COUNT(*) AS count FROM {}", table.name);
            db.always(table.name, &sql, &[], |cells| cells.u64("count"))
        };
        told(count(), "counting rows")
    }

    fn read(&mut self, table: &'static Table, after: Option<&Key>) -> Result<Piece, StoreError> {
        let limit = table.piece.min(self.rows_max);
        let read = match *table == SHARES {
            true => shares::read(&self.db, after, limit).map(Piece::Commits),
            false => plain::read(&self.db, table, after, limit).map(|rows| Piece::Rows(table, rows)),
        };
        told(read, &format!("reading {}", table.name))
    }

    fn begin(&mut self, mark: &str) -> Result<(), StoreError> {
        told(self.put(None, mark), "beginning a copy")
    }

    fn write(&mut self, piece: &Piece, mark: &str) -> Result<(), StoreError> {
        told(self.put(Some(piece), mark), "writing a piece")
    }

    fn check(&mut self) -> Result<(), StoreError> {
        told(conservation::check_all(&self.db), "comparing the books")
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        // The server is to know its tables before the first round asks.
        told(self.db.run("ANALYZE"), "analyzing the tables")?;
        // Of tables that are not the pool's it may say that they are left out.
        self.db.take_warnings();
        self.set(UNFINISHED, None)
    }
}
