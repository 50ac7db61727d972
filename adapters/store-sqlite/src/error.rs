//! What SQLite's errors mean to the pool.

use std::path::{Path, PathBuf};

use dwarves_ports::store::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// A failure inside a transaction: SQLite's own, or one that already says what it means.
#[derive(Debug)]
pub(super) enum Fail {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a step of a transaction gives.
pub(super) type Outcome<T> = Result<T, Fail>;

pub(super) fn conflict(detail: impl Into<String>) -> Fail {
    Fail::Store(StoreError::new(StoreErrorKind::Conflict, detail))
}

pub(super) fn corrupt(detail: impl Into<String>) -> Fail {
    Fail::Store(StoreError::new(StoreErrorKind::Corrupt, detail))
}

impl Fail {
    /// What it means while nothing is applied: in a read, or in a transaction that is rolled back.
    pub(super) fn into_store_error(self, during: &str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Sql(error) => StoreError::new(kind_of(&error), format!("{during}: {error}")),
        }
    }
}

/// What an error means if nothing is applied.
fn kind_of(error: &rusqlite::Error) -> StoreErrorKind {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        // Whatever the wrapper refuses by itself is a row or a statement that is not as it should be.
        return StoreErrorKind::Corrupt;
    };
    match failure.code {
        ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::FileLockingProtocolFailed => StoreErrorKind::Unavailable,
        ErrorCode::ConstraintViolation => StoreErrorKind::Conflict,
        _ => StoreErrorKind::Corrupt,
    }
}

/// What an error of `COMMIT` itself means once the rollback after it is done.
///
/// A full disk or a lock stops it before its last frame is in the log, so nothing is applied. After any other
/// failure, above all of the flush, the log may hold the whole transaction, and a start may find it.
pub(super) fn commit_error(error: &rusqlite::Error, is_rolled_back: bool) -> StoreError {
    let code = error.sqlite_error_code();
    let is_refused = matches!(
        code,
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    );
    let kind = match code {
        Some(ErrorCode::ConstraintViolation) if is_rolled_back => StoreErrorKind::Conflict,
        _ if is_refused && is_rolled_back => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Unknown,
    };
    StoreError::new(kind, format!("the commit failed: {error}"))
}

/// Why a database cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another pool has it.
    #[error("{} is in use by another running pool; stop that one, or give this one another store.path", path.display())]
    InUse {
        /// The ledger's file.
        path: PathBuf,
    },
    /// The file has more than one name.
    #[error(
        "{} has several names (hard links), and a pool by another name would not see this one's log: remove the other \
         names (find -samefile), or copy the file",
        path.display()
    )]
    SeveralNames {
        /// The ledger's file.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("{}: {detail}; is the directory there, and may the pool write to it?", path.display())]
    Io {
        /// The ledger's file.
        path: PathBuf,
        /// What the database said.
        detail: String,
    },
    /// Written by a newer version of this program.
    #[error(
        "the database has schema version {found}, but this program knows only up to {known}; \
         run the newer program again, or restore a backup from before it"
    )]
    NewerSchema {
        /// The version of the database.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// Not a pool's database.
    #[error("this SQLite database belongs to another program; give another store.path")]
    NotOurs,
    /// Damaged, or not a database.
    #[error("the database is damaged or not a database: {0}; restore a backup")]
    Corrupt(String),
    /// It is a whole ledger of a pool's, or becomes one, but not the one that a pool goes on with.
    #[error("{0}")]
    NotToStart(String),
    /// SQLite refuses for another reason.
    #[error("the database cannot be opened: {0}")]
    Database(String),
}

impl OpenError {
    pub(super) fn of_sql(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }

    pub(super) fn of_io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            detail: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn sql(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn a_failure_before_the_commit_says_whether_to_retry_or_to_stop() {
        let kind = |code| Fail::Sql(sql(code)).into_store_error("append shares").kind();
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_LOCKED,
        ] {
            assert_eq!(kind(code), StoreErrorKind::Unavailable);
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_ERROR] {
            assert_eq!(kind(code), StoreErrorKind::Corrupt);
        }
        assert_eq!(kind(ffi::SQLITE_CONSTRAINT_UNIQUE), StoreErrorKind::Conflict);
        let row = Fail::Sql(rusqlite::Error::QueryReturnedNoRows);
        assert_eq!(row.into_store_error("read").kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn a_commit_whose_flush_failed_is_unknown() {
        let kind = |code, rolled_back| commit_error(&sql(code), rolled_back).kind();
        assert_eq!(kind(ffi::SQLITE_IOERR_FSYNC, true), StoreErrorKind::Unknown);
        assert_eq!(kind(ffi::SQLITE_IOERR_WRITE, true), StoreErrorKind::Unknown);
        assert_eq!(kind(ffi::SQLITE_FULL, true), StoreErrorKind::Unavailable);
        assert_eq!(kind(ffi::SQLITE_BUSY, true), StoreErrorKind::Unavailable);
        assert_eq!(kind(ffi::SQLITE_FULL, false), StoreErrorKind::Unknown);
    }
}
