//! What became of a COMMIT: what the server said of it, and looking it up where it said nothing.

use std::time::Duration;

use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::{StoreAction, StoreError, StoreErrorKind};
use tokio_postgres::error::{DbError, Severity, SqlState};

use super::{Writer, taken_over};
use crate::client::Db;
use crate::error::{Fail, Outcome, unavailable};
use crate::server;
use crate::value::values;

/// How often it is tried to learn what became of a COMMIT, and how long between: a minute and more in all.
const RESOLVE_TRIES: u32 = 240;
const RESOLVE_PAUSE: Duration = Duration::from_millis(250);

/// What a server said of a COMMIT.
pub(super) enum Ended {
    Stored,
    /// Nothing of it is stored.
    Refused(StoreError),
    /// It must be looked up.
    Unsure(String),
}

/// What became of a COMMIT that this came back from. Warnings from before it were taken.
pub(super) fn judge(db: &Db, said: Outcome<()>) -> Ended {
    match said {
        Ok(()) => match db.take_warnings().pop() {
            None => Ended::Stored,
            // Most likely a wait for a standby that somebody ended: it is stored here, and nobody knows where else.
            Some(warning) => Ended::Unsure(format!(
                "the server committed with a warning: {}",
                warning.message()
            )),
        },
        // The server itself says that it did not.
        Err(Fail::Sql(error)) if is_refusal(&error) && !db.is_gone() => {
            let fail = if lacks_epoch(&error) {
                taken_over()
            } else {
                Fail::Sql(error)
            };
            Ended::Refused(fail.into_store_error("the commit failed"))
        }
        Err(fail) => Ended::Unsure(fail.into_store_error("the commit failed").to_string()),
    }
}

impl Writer {
    /// The connection; a new one if it was lost.
    pub(super) fn connect(&mut self) -> Result<(), StoreError> {
        if self.db.as_ref().is_some_and(|db| !db.is_gone()) {
            return Ok(());
        }
        if let Some(lost) = self.db.take() {
            let why = lost.end().unwrap_or_else(|| "it was closed".to_owned());
            log::warn!("the connection to the database is lost: {why}");
        }
        let db = server::connect_to_write(&self.options).map_err(|error| unavailable(error.to_string()))?;
        let as_store = |fail: Fail| fail.into_store_error("taking the ledger's lock again");
        if !server::lock(&db).map_err(as_store)? {
            let sql = "SELECT epoch FROM leader";
            let epoch = db.always("leader", sql, &[], |cells| cells.u64("epoch"));
            if epoch.map_err(as_store)? > self.epoch {
                return Err(taken_over().into_store_error("taking the ledger's lock again"));
            }
            return Err(unavailable(
                "the session from before still has the ledger's lock: the server has not noticed yet that it is over",
            ));
        }
        self.db = Some(db);
        log::info!("connected to the database again");
        Ok(())
    }

    /// Commits the transaction of this number, and makes sure of it.
    pub(super) fn end(&mut self, number: u64) -> Result<(), StoreError> {
        let Some(db) = &self.db else {
            return Err(unavailable("there is no connection to the database"));
        };
        db.take_warnings();
        let ended = judge(db, db.run("COMMIT"));
        self.make_sure(number, ended)
    }

    /// Whether the transaction of this number is stored, which is looked up if it must.
    pub(super) fn make_sure(&mut self, number: u64, ended: Ended) -> Result<(), StoreError> {
        match ended {
            Ended::Stored => Ok(()),
            Ended::Refused(error) => Err(error),
            Ended::Unsure(said) => {
                log::warn!("whether a commit is stored must be looked up: {said}");
                self.resolve(number, &said)
            }
        }
    }

    /// Learns what became of the transaction of this number.
    fn resolve(&mut self, number: u64, failed: &str) -> Result<(), StoreError> {
        for tries in 0..RESOLVE_TRIES {
            if tries > 0 {
                std::thread::sleep(RESOLVE_PAUSE);
            }
            if *self.closing.borrow() && tries > 20 {
                break;
            }
            if let Err(error) = self.connect() {
                log::debug!("looking up a commit: {error}");
                continue;
            }
            match self.look_up() {
                Ok(commits) if commits == number => {
                    log::info!("the commit is stored");
                    return Ok(());
                }
                Ok(_) => return Err(unavailable(format!("{failed}; nothing of it is stored"))),
                Err(error) if error.action() == StoreAction::Stop => return Err(error),
                Err(error) => {
                    log::debug!("looking up a commit: {error}");
                    self.db = None;
                }
            }
        }
        let detail = format!("{failed}; nor could it be looked up whether it is stored");
        Err(StoreError::new(StoreErrorKind::Unknown, detail))
    }

    /// The number of the last transaction of this epoch. It is read in a transaction that writes, which waits for whoever
    /// writes still, and for the standbys: what they confirm then, they have with all that was before it.
    /// Whoever has not counted itself by then cannot any more (`write::LAST`).
    fn look_up(&mut self) -> Result<u64, StoreError> {
        let Some(db) = &self.db else {
            return Err(unavailable("there is no connection to the database"));
        };
        let look = || -> Outcome<Option<(u64, u64)>> {
            db.run("BEGIN; SET LOCAL lock_timeout = '10s'")?;
            let sql =
                "UPDATE leader SET looks = looks + 1 WHERE id = 1 AND epoch = $1 RETURNING commits, looks";
            let found = db.one("leader", sql, values![self.epoch], |cells| {
                Ok((cells.u64("commits")?, cells.u64("looks")?))
            })?;
            db.take_warnings();
            db.run("COMMIT")?;
            Ok(found)
        };
        let found = look().map_err(|fail| fail.into_store_error("looking up a commit"))?;
        if let Some(warning) = db.take_warnings().pop() {
            return Err(unavailable(format!("the server warns: {}", warning.message())));
        }
        let (commits, looks) = found.ok_or_else(|| taken_over().into_store_error("looking up a commit"))?;
        self.looks = looks;
        Ok(commits)
    }
}

/// Whether the server says no and goes on. A session that it ends (FATAL, PANIC) may have committed before.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    severity == Some(Severity::Error)
}

/// Whether the row of a batch lacks its epoch: the transaction could not count itself.
fn lacks_epoch(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|said| *said.code() == SqlState::NOT_NULL_VIOLATION && said.column() == Some("epoch"))
}
