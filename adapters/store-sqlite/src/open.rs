//! Opening the database: one process only, with the settings that the pool's promises need.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;
use super::schema;

/// How long another program (an operator's shell, a backup) may hold a lock before the pool gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages in the log before they move to the database: 32 MiB. More makes each move longer, fewer more often.
pub(super) const LOG_PAGES: u32 = 8_192;
/// The log is cut back to this after a move, in bytes.
const LOG_SIZE_MAX: u32 = 64 * 1024 * 1024;
/// Page cache of the writer in KiB.
const WRITER_CACHE_KIB: i32 = 65_536;
/// Page cache of each reader in KiB.
const READER_CACHE_KIB: i32 = 16_384;
/// Prepared statements kept by each connection.
const STATEMENTS_MAX: usize = 96;

/// What may be chosen about the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The database grows to at most this many bytes, then writes fail as if the disk were full.
    /// `None`: what the disk holds.
    pub max_bytes: Option<u64>,
}

/// The file that `path` leads to, past all symbolic links, so that a pool that goes another way to it is found out.
/// A file with several names is refused: SQLite's log has the name of one of them, and whoever comes by another would
/// write without it.
pub(super) fn real_path(path: &Path) -> Result<PathBuf, OpenError> {
    let of_io = |error: std::io::Error| OpenError::of_io(path, &error);
    match path.canonicalize() {
        Ok(real) => {
            if has_several_names(&real.metadata().map_err(of_io)?) {
                return Err(OpenError::SeveralNames { path: real });
            }
            Ok(real)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if path.is_symlink() {
                return Err(OpenError::Io {
                    path: path.to_owned(),
                    detail: "it is a symbolic link to nothing".to_owned(),
                });
            }
            let directory = directory_of(path).canonicalize().map_err(of_io)?;
            Ok(directory.join(path.file_name().unwrap_or_default()))
        }
        Err(error) => Err(of_io(error)),
    }
}

#[cfg(unix)]
fn has_several_names(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.nlink() > 1
}

#[cfg(not(unix))]
fn has_several_names(_: &std::fs::Metadata) -> bool {
    false
}

/// The file whose lock says that a pool has the database: its own name with `.lock` behind.
fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Takes the database for this process, until the file is closed. The lock is the operating system's, so it
/// also ends with a process that was killed; the file itself stays and means nothing.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = lock_path(path);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|error| OpenError::of_io(&lock_path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(OpenError::of_io(&lock_path, &error)),
    }
}

/// Opens the one connection that writes, and brings the schema up to date.
pub(super) fn writer(path: &Path, options: SqliteOptions) -> Result<Connection, OpenError> {
    let mut connection = Connection::open(path).map_err(|error| OpenError::of_sql(&error))?;
    prepare(&mut connection, options)?;
    sync_directory(path)?;
    Ok(connection)
}

/// Gives the connection that writes its settings, and brings the schema up to date.
pub(super) fn prepare(connection: &mut Connection, options: SqliteOptions) -> Result<(), OpenError> {
    set_up_writer(connection, options).map_err(|error| OpenError::of_sql(&error))?;
    schema::migrate(connection)
}

fn set_up_writer(connection: &Connection, options: SqliteOptions) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // A shared write-ahead log lets readers go on while there is a write. FULL flushes it at every commit.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // No commit moves the log to the database: `log_mover` does.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE_MAX, |_| Ok(()))?;
    if let Some(max_bytes) = options.max_bytes {
        let page_size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = u32::try_from(max_bytes / u64::from(page_size.max(1))).unwrap_or(u32::MAX - 1);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the new file's name durable: SQLite flushes files, and the names of its logs only.
pub(super) fn sync_directory(path: &Path) -> Result<(), OpenError> {
    let directory = directory_of(path);
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| OpenError::of_io(directory, &error))
}

/// Opens the connection that moves the log to the database, beside the writer.
pub(super) fn mover(path: &Path) -> Result<Connection, OpenError> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE_MAX, |_| Ok(()))?;
        Ok(connection)
    };
    open().map_err(|error| OpenError::of_sql(&error))
}

/// Opens a connection that only reads. There is no memory map on purpose: a failing disk under one is a
/// signal that kills the process, not an error.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        Ok(connection)
    };
    open().map_err(|error| OpenError::of_sql(&error))
}
