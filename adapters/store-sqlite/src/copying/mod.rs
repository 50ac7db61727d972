//! A ledger that is copied to another store, or from one: the file as an end of a copy (`dwarves_ports::store::copying`).
//!
//! Most tables go as they are (`plain`). What is packed, or stands in a form of before, is given as its plain facts and
//! packed again when it comes: shares (`shares`), money (`journal`, `credits`, `workings`), history (`history`). What the
//! store makes of them by itself (numbers of miners, marks of credits) it makes anew.
//!
//! Whoever has a ledger for this has its lock, so no pool runs on it.

use std::fs::File;
use std::path::Path;

use dwarves_ports::store::copying::tables::{
    BLOCK_CREDITS, CREDITS, JOURNAL, MINER_HISTORY, POOL, ROUND_PAID, ROUND_SPLITS, ROUND_WORKINGS, SHARES,
    WORKER_HISTORY,
};
use dwarves_ports::store::copying::{Datum, Key, LedgerEnd, Piece, Row, Table, UNFINISHED, marks};
use dwarves_ports::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::columns::Cells;
use super::error::{Fail, OpenError, Outcome, corrupt};
use super::{SqliteOptions, batches, conservation, life_start, open, read};

mod credits;
mod history;
mod journal;
mod plain;
mod pool;
mod shares;
mod workings;

#[cfg(test)]
mod tests;

/// Whether a pool may be started on this ledger.
pub(super) fn may_start(connection: &Connection) -> Result<(), OpenError> {
    let settings = life_start::settings(connection)
        .map_err(|fail| OpenError::Database(fail.into_store_error("reading settings").to_string()))?;
    marks::may_start(&settings).map_err(OpenError::NotToStart)
}

/// A ledger in a file, of which a copy is made, or that becomes one.
pub struct SqliteEnd {
    place: String,
    connection: Connection,
    /// Where the journal's next rows are.
    journal: journal::Place,
    /// Of whom there is history.
    history: Option<history::Whose>,
    rows_max: u32,
    /// Held as long as the file is open.
    _lock: File,
}

impl SqliteEnd {
    /// Opens a ledger that is there, and brings its schema up to date.
    ///
    /// # Errors
    /// If there is none, a pool has it, it is damaged, of a newer version or another program's, or cannot be written.
    pub fn of_ledger(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Io {
                path: path.to_owned(),
                detail: "there is no such file".to_owned(),
            });
        }
        Self::open(path)
    }

    /// Opens a ledger, and makes the file if there is none.
    ///
    /// # Errors
    /// As [`Self::of_ledger`], but for a file that is not there.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let path = &open::real_path(path)?;
        let lock = open::lock(path)?;
        make(path)?;
        let connection = open::writer(path, SqliteOptions::default())?;
        let set = || -> rusqlite::Result<()> {
            // Nothing else moves the log to the database.
            connection.pragma_update_and_check(None, "wal_autocheckpoint", open::LOG_PAGES, |_| Ok(()))
        };
        set().map_err(|error| OpenError::of_sql(&error))?;
        Ok(Self {
            place: path.display().to_string(),
            connection,
            journal: journal::Place::default(),
            history: None,
            rows_max: u32::MAX,
            _lock: lock,
        })
    }

    /// The same with pieces of so many rows at most, about: for tests, which have few.
    #[must_use]
    pub fn with_pieces_of(mut self, rows: u32) -> Self {
        self.rows_max = rows.max(1);
        self
    }

    fn put(&mut self, piece: Option<&Piece>, mark: &str) -> Outcome<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        match piece {
            None => drop(transaction.execute("DELETE FROM sums", [])?),
            Some(Piece::Commits(commits)) => shares::write(&transaction, commits)?,
            Some(Piece::Rows(table, rows)) => write_rows(&transaction, table, rows)?,
        }
        save(&transaction, UNFINISHED, Some(mark))?;
        Ok(transaction.commit()?)
    }
}

/// Makes the file, for the pool's user alone, if there is none: an empty one is a new database.
fn make(path: &Path) -> Result<(), OpenError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::of_io(path, &error)),
    }
}

fn write_rows(connection: &Connection, table: &'static Table, rows: &[Row]) -> Outcome<()> {
    match table {
        table if *table == POOL => pool::write(connection, rows),
        table if *table == CREDITS => credits::write(connection, rows),
        table if *table == BLOCK_CREDITS => credits::write_parts(connection, rows),
        table if *table == JOURNAL => journal::write(connection, rows),
        table if *table == ROUND_WORKINGS => workings::write(connection, rows),
        table if *table == ROUND_SPLITS => workings::write_splits(connection, rows),
        table if *table == ROUND_PAID => workings::write_paid(connection, rows),
        table if *table == WORKER_HISTORY => history::write_workers(connection, rows),
        table if *table == MINER_HISTORY => history::write_miners(connection, rows),
        table => plain::write(connection, table, rows),
    }
}

fn save(connection: &Connection, name: &str, value: Option<&str>) -> Outcome<()> {
    match value {
        Some(value) => connection
            .prepare_cached(
                "INSERT INTO settings (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute([name, value])?,
        None => connection.execute("DELETE FROM settings WHERE name = ?1", [name])?,
    };
    Ok(())
}

fn told<T>(outcome: Outcome<T>, during: &str) -> Result<T, StoreError> {
    outcome.map_err(|fail| fail.into_store_error(during))
}

impl LedgerEnd for SqliteEnd {
    fn place(&self) -> &str {
        &self.place
    }

    fn state(&mut self) -> Result<Option<String>, StoreError> {
        let read = || -> Outcome<Option<String>> {
            let sql = "SELECT created_at, life FROM pool";
            let (created_at, life) = self.connection.query_row(sql, [], |row| {
                let cells = Cells::new(row, "pool");
                let read = || -> Outcome<_> {
                    Ok((
                        cells.optional("created_at", |cells, column| cells.int(column))?,
                        cells.int("life")?,
                    ))
                };
                Ok(read())
            })??;
            let tail = batches::tail(&self.connection)?;
            Ok(created_at.map(|at| format!("{at}/{life}/{}/{}", tail.sequence, tail.total.raw())))
        };
        told(read(), "looking at the ledger")
    }

    fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let read = || -> Outcome<Option<String>> {
            let sql = "SELECT value FROM settings WHERE name = ?1";
            Ok(self
                .connection
                .query_row(sql, [name], |row| row.get(0))
                .optional()?)
        };
        told(read(), "reading settings")
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), StoreError> {
        told(save(&self.connection, name, value), "storing a setting")
    }

    fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        let (connection, name) = (&self.connection, table.name);
        let rows = |sql: &str| -> Outcome<u64> {
            let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        let count = || -> Outcome<u64> {
            if *table == SHARES {
                let last = batches::tail(connection)?.sequence.get();
                return Ok(last.saturating_sub(batches::pruned_through(connection)?.get()));
            }
            if *table == CREDITS {
                return read::credits::last_id(connection);
            }
            // Bytes tell about how many there are of what is packed.
            let packed = match name {
                "journal" => "SELECT COALESCE(SUM(length(entries)) / 5, 0) FROM round_entries",
                "block_credits" => "SELECT COALESCE(SUM(length(parts)) / 5, 0) FROM credited_blocks",
                "round_splits" => "SELECT COALESCE(SUM(length(splits)) / 15, 0) FROM round_workings",
                "round_paid" => "SELECT COALESCE(SUM(length(paid)) / 15, 0) FROM round_workings",
                "worker_history" => "SELECT COALESCE(SUM(length(steps)) / 4, 0) FROM worker_history",
                "miner_history" => "SELECT COALESCE(SUM(length(steps)) / 4, 0) FROM miner_history",
                name => return rows(&format!("SELECT COUNT(*) FROM {name}")),
            };
            rows(packed)
        };
        told(count(), "counting rows")
    }

    fn read(&mut self, table: &'static Table, after: Option<&Key>) -> Result<Piece, StoreError> {
        let connection = &self.connection;
        let limit = table.piece.min(self.rows_max);
        let most = limit as usize;
        let rows = |rows: Outcome<Vec<Row>>| rows.map(|rows| Piece::Rows(table, rows));
        let read = match table {
            table if *table == SHARES => shares::read(connection, after, most).map(Piece::Commits),
            table if *table == POOL => rows(pool::read(connection, after)),
            table if *table == CREDITS => rows(credits::read(connection, table, after, limit)),
            table if *table == BLOCK_CREDITS => rows(credits::read_parts(connection, after, most)),
            table if *table == JOURNAL => rows(journal::read(connection, after, limit, &mut self.journal)),
            table if *table == ROUND_WORKINGS => rows(workings::read(connection, after, most)),
            table if *table == ROUND_SPLITS => rows(workings::read_splits(connection, after, most)),
            table if *table == ROUND_PAID => rows(workings::read_paid(connection, after, most)),
            table if *table == WORKER_HISTORY => {
                rows(history::read_workers(connection, after, most, &mut self.history))
            }
            table if *table == MINER_HISTORY => {
                rows(history::read_miners(connection, after, most, &mut self.history))
            }
            table => rows(plain::read(connection, table, after, limit)),
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
        let check = || -> Outcome<()> {
            conservation::check_all(&self.connection)?;
            let broken = self.connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
            match broken {
                true => Err(corrupt("rows refer to others that are not there")),
                false => Ok(()),
            }
        };
        told(check(), "comparing the books")
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        told(save(&self.connection, UNFINISHED, None), "ending the copy")?;
        // What is left of the log is in the database before somebody takes the file elsewhere.
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        moved.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error.to_string()))
    }
}

/// The error of a cell that is not what its table says.
fn bad(table: &Table, column: usize) -> Fail {
    let column = table.columns.get(column).map_or("?", |column| column.name);
    corrupt(format!(
        "{}.{column} of the copy is not what it must be",
        table.name
    ))
}

/// The whole numbers, texts and bytes of a row.
struct Given<'r> {
    table: &'static Table,
    row: &'r [Datum],
}

impl<'r> Given<'r> {
    fn new(table: &'static Table, row: &'r [Datum]) -> Self {
        Self { table, row }
    }

    fn get<T>(&self, column: usize, read: impl FnOnce(&'r Datum) -> Option<T>) -> Outcome<T> {
        let cell = self.row.get(column);
        cell.and_then(read).ok_or_else(|| bad(self.table, column))
    }

    fn int(&self, column: usize) -> Outcome<i64> {
        self.get(column, Datum::as_int)
    }

    fn u64(&self, column: usize) -> Outcome<u64> {
        self.get(column, |cell| u64::try_from(cell.as_int()?).ok())
    }

    fn number(&self, column: usize) -> Outcome<u128> {
        self.get(column, Datum::as_number)
    }

    fn real(&self, column: usize) -> Outcome<f64> {
        self.get(column, Datum::as_real)
    }

    fn text(&self, column: usize) -> Outcome<&'r str> {
        self.get(column, Datum::as_text)
    }

    fn bytes(&self, column: usize) -> Outcome<&'r [u8]> {
        self.get(column, Datum::as_bytes)
    }

    fn array<const N: usize>(&self, column: usize) -> Outcome<[u8; N]> {
        self.get(column, |cell| cell.as_bytes()?.try_into().ok())
    }

    fn hotkey(&self, column: usize) -> Outcome<dwarves_domain::hotkey::Hotkey> {
        self.array(column).map(dwarves_domain::hotkey::Hotkey::from_bytes)
    }

    fn amount(&self, column: usize) -> Outcome<dwarves_domain::units::Amount> {
        self.get(column, |cell| {
            dwarves_domain::units::Amount::from_sats(u64::try_from(cell.as_int()?).ok()?)
        })
    }

    fn is_null(&self, column: usize) -> bool {
        matches!(self.row.get(column), Some(Datum::Null))
    }
}

/// The number that a key begins with; before all others if there is no key.
fn number_after(after: Option<&Key>) -> i64 {
    after.and_then(|key| key.first()?.as_int()).unwrap_or(i64::MIN)
}

/// The bytes that a key begins with; before all others if there is no key.
fn bytes_after(after: Option<&Key>) -> Option<&[u8]> {
    after.and_then(|key| key.first()?.as_bytes())
}

/// Ranges of rows that begin with the same value.
fn groups(rows: &[Row]) -> impl Iterator<Item = &[Row]> {
    rows.chunk_by(|a, b| a.first() == b.first())
}
