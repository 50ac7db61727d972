//! What the database's errors mean to the pool.

use dwarves_domain::hotkey::Hotkey;
use dwarves_ports::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// A failure inside a transaction: the database's own, or one that already says what it means.
#[derive(Debug)]
pub(crate) enum Fail {
    Sql(tokio_postgres::Error),
    Store(StoreError),
}

impl From<tokio_postgres::Error> for Fail {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a step of a transaction gives.
pub(crate) type Outcome<T> = Result<T, Fail>;

pub(crate) fn conflict(detail: impl Into<String>) -> Fail {
    Fail::Store(StoreError::new(StoreErrorKind::Conflict, detail))
}

pub(crate) fn corrupt(detail: impl Into<String>) -> Fail {
    Fail::Store(StoreError::new(StoreErrorKind::Corrupt, detail))
}

pub(crate) fn unavailable(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, detail)
}

/// The error of a total that no longer fits.
pub(crate) fn total_overflow() -> Fail {
    corrupt("the total of units does not fit 128 bits")
}

impl Fail {
    /// What it means while nothing is applied: in a read, or in a transaction that is rolled back.
    pub(crate) fn into_store_error(self, during: &str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Sql(error) => StoreError::new(kind_of(&error), format!("{during}: {}", words(&error))),
        }
    }
}

/// An error in words: what the server said with its code, or what became of the connection.
pub(crate) fn words(error: &tokio_postgres::Error) -> String {
    let Some(said) = error.as_db_error() else {
        let why = std::error::Error::source(error).map(ToString::to_string);
        return why.map_or_else(|| error.to_string(), |why| format!("{error}: {why}"));
    };
    let remedy = remedy(said.code()).map_or_else(String::new, |remedy| format!("; {remedy}"));
    let detail = said
        .detail()
        .map_or_else(String::new, |detail| format!(" ({detail})"));
    format!("{}{detail} [{}]{remedy}", said.message(), said.code().code())
}

/// What an operator can do about it.
pub(crate) fn remedy(code: &SqlState) -> Option<&'static str> {
    Some(match *code {
        SqlState::DISK_FULL => "make room where the database server keeps its data",
        SqlState::TOO_MANY_CONNECTIONS => {
            "raise max_connections of the server or the role's CONNECTION LIMIT, or stop others who use it: the pool \
             needs 5 connections"
        }
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "let the pool's role own the database (ALTER DATABASE … OWNER TO …)"
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            "it is a standby, or was made read-only: store.url must lead to the primary"
        }
        SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT => {
            "a pooler gives the pool's transactions to different connections: use session mode (pool_mode = session), \
             or the server itself"
        }
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "look at the user in store.url, at store.password_file, and at the server's pg_hba.conf"
        }
        SqlState::INVALID_CATALOG_NAME => "make it: createdb --owner ROLE NAME",
        _ => return None,
    })
}

/// What an error means if nothing is applied.
pub(crate) fn kind_of(error: &tokio_postgres::Error) -> StoreErrorKind {
    let Some(said) = error.as_db_error() else {
        let source = std::error::Error::source(error);
        let is_of_the_connection =
            error.is_closed() || source.is_some_and(|source| source.is::<std::io::Error>());
        return match is_of_the_connection {
            true => StoreErrorKind::Unavailable,
            // What the client refuses by itself is a row or a statement that is not as it should be.
            false => StoreErrorKind::Corrupt,
        };
    };
    kind_of_code(said.code())
}

fn kind_of_code(code: &SqlState) -> StoreErrorKind {
    match code.code() {
        // A migration that runs elsewhere, or a role that was changed while the pool ran.
        "26000" | "42P05" | "42501" | "25006" | "57014" | "55P03" => return StoreErrorKind::Unavailable,
        // Raised by a trigger: what never changes was to be changed.
        "P0001" => return StoreErrorKind::Conflict,
        _ => {}
    }
    match code.code().get(..2) {
        // Connections, resources, the operator, the system, a transaction that met another, who may come in.
        Some("08" | "53" | "57" | "58" | "40" | "28" | "3D") => StoreErrorKind::Unavailable,
        Some("23") => StoreErrorKind::Conflict,
        _ => StoreErrorKind::Corrupt,
    }
}

/// Why the ledger cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// What is set is not usable.
    #[error("{0}")]
    Settings(String),
    /// Nobody answers, or whoever answers lets nobody in.
    #[error("the PostgreSQL server cannot be reached: {0}")]
    Connect(String),
    /// A server that is too old.
    #[error(
        "the server is PostgreSQL {0}, but the pool needs 15 or newer: upgrade it (pg_upgradecluster, pg_upgrade)"
    )]
    Version(String),
    /// A server that forgets.
    #[error(
        "the server runs with fsync = off: it loses what it said was stored when the machine stops; set fsync = on in \
         postgresql.conf and reload it"
    )]
    NotDurable,
    /// A standby, or a database that was made read-only.
    #[error(
        "the server takes no writes: it is a standby, or default_transaction_read_only is on; store.url must lead to \
         the primary (with several hosts add target_session_attrs=read-write)"
    )]
    ReadOnly,
    /// A database of others.
    #[error("the database belongs to another program: {0}; give another database in store.url (createdb)")]
    NotOurs(String),
    /// Written by a newer version of this program.
    #[error(
        "the database has schema version {found}, but this program knows only up to {known}; run the newer program \
         again, or restore a backup from before it"
    )]
    NewerSchema {
        /// The version of the database.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// Nobody made the tables yet, and who looks makes none.
    #[error("the database is empty: the pool makes its tables when it starts")]
    Empty,
    /// Another pool has it.
    #[error(
        "the ledger is in use by another running pool ({0}); stop that one, or give this one another database in store.url"
    )]
    InUse(String),
    /// Another pool's ledger.
    #[error(
        "the ledger is that of the pool with the hotkey {other}, but this pool's key is that of {hotkey}: all fronts have one \
         pool.key (copy the file, and admin.token with it), or give this pool another database in store.url"
    )]
    OtherPool {
        /// Whose ledger it is.
        other: Hotkey,
        /// Who wants it.
        hotkey: Hotkey,
    },
    /// Another process has the name of this front.
    #[error(
        "another front that is called {0:?} runs on this ledger; stop that one, or give this one another front.name"
    )]
    NameTaken(String),
    /// Transactions that come to different connections.
    #[error(
        "store.url leads to a pooler in transaction mode, which gives the pool's transactions to different connections: \
         use session mode (pool_mode = session), or the server itself"
    )]
    Pooler,
    /// No rights.
    #[error(
        "the pool's role may not do what it must: {0}; let it own the database (ALTER DATABASE … OWNER TO …)"
    )]
    Rights(String),
    /// What is stored is not what a pool leaves.
    #[error("the ledger is damaged: {0}; restore a backup")]
    Corrupt(String),
    /// It is a whole ledger of a pool's, or becomes one, but not the one that a pool goes on with.
    #[error("{0}")]
    NotToStart(String),
    /// The server refuses for another reason.
    #[error("the ledger cannot be opened: {0}")]
    Database(String),
}

impl OpenError {
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return Self::Connect(words(error));
        };
        match *said.code() {
            SqlState::INSUFFICIENT_PRIVILEGE => Self::Rights(said.message().to_owned()),
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly,
            SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT => Self::Pooler,
            SqlState::TOO_MANY_CONNECTIONS
            | SqlState::INVALID_PASSWORD
            | SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            | SqlState::INVALID_CATALOG_NAME
            | SqlState::CANNOT_CONNECT_NOW => Self::Connect(words(error)),
            _ => Self::Database(words(error)),
        }
    }

    pub(crate) fn of_fail(fail: Fail, during: &str) -> Self {
        match fail {
            Fail::Sql(error) => Self::of(&error),
            Fail::Store(error) => match error.kind() {
                StoreErrorKind::Corrupt => Self::Corrupt(format!("{during}: {error}")),
                _ => Self::Database(format!("{during}: {error}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_server_says_whether_to_retry_or_to_stop() {
        let kind = |code: &str| kind_of_code(&SqlState::from_code(code));
        for code in [
            "53100", "53300", "57P01", "57P03", "40001", "40P01", "25006", "42501", "26000", "08006",
        ] {
            assert_eq!(kind(code), StoreErrorKind::Unavailable, "{code}");
        }
        for code in ["23505", "23503", "P0001"] {
            assert_eq!(kind(code), StoreErrorKind::Conflict, "{code}");
        }
        for code in ["XX001", "42703", "22003"] {
            assert_eq!(kind(code), StoreErrorKind::Corrupt, "{code}");
        }
    }
}
