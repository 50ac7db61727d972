//! Copies of a ledger: made beside a running pool, looked at whole, and put back in a ledger's place.
//!
//! A copy is of one moment: its source is read in one transaction, so commits go on meanwhile and none is half in it. It
//! is made under another name beside the file that it is to be, looked at, flushed, and only then given its name: a file
//! of that name is whole. It needs no files beside it (no log), so it may be moved as it is.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::columns::{Cells, all};
use super::error::{Fail, OpenError};
use super::{batches, conservation, open, schema};

mod staged;

pub use staged::Staged;

/// Pages that are copied at once: 4 MiB. Between two steps the progress is told.
const PAGES_A_STEP: i32 = 1_024;
/// How often a step that finds the source locked is tried again, and how long it is waited for.
const LOCKED_TRIES: u32 = 100;
const LOCKED_WAIT: Duration = Duration::from_millis(50);

/// Why a ledger is not copied, or a copy not put in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// Something is there already, and nothing is overwritten unasked.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// There is nothing to copy.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// Both names lead to one file.
    #[error("{} is the ledger itself", .0.display())]
    Same(PathBuf),
    /// What is there is not the pool's to replace, or no file at all.
    #[error("{} is no ledger, and nothing else is replaced: name another file", .0.display())]
    Foreign(PathBuf),
    /// What is to be copied is a directory, a pipe or a device.
    #[error("{} is no file", .0.display())]
    NoFile(PathBuf),
    /// It cannot be opened, is not a ledger, or is damaged.
    #[error("{}: {source}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: OpenError,
    },
    /// It can be read, but what is in it is not a ledger whose books add up.
    #[error("{}: {detail}", path.display())]
    Unsound {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The operating system refuses, or the disk is full.
    #[error("{}: {detail}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        detail: String,
    },
}

/// What a ledger was found to hold when it was looked at whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The version of its schema.
    pub schema: u32,
    /// Whether its books were compared with their rows. Those of an older schema are once they are brought up to date.
    pub books_compared: bool,
    /// The number of its last share.
    pub shares: u64,
    /// Blocks that were found.
    pub blocks: u64,
    /// Rounds that closed.
    pub rounds: u64,
    /// Payouts, whatever became of them.
    pub payouts: u64,
    /// How large the file is.
    pub bytes: u64,
}

/// How far a copy is: pages done, and pages in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

fn of_io(path: &Path) -> impl Fn(std::io::Error) -> CopyError + '_ {
    move |error| CopyError::Io {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

fn of_sql(path: &Path) -> impl Fn(rusqlite::Error) -> CopyError + '_ {
    move |error| CopyError::Open {
        path: path.to_owned(),
        source: OpenError::of_sql(&error),
    }
}

fn of_open(path: &Path) -> impl Fn(OpenError) -> CopyError + '_ {
    move |source| CopyError::Open {
        path: path.to_owned(),
        source,
    }
}

/// A name beside `path`: its own with `end` behind.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// A file that is removed unless it is kept, with the logs that SQLite makes beside it.
struct Draft {
    path: PathBuf,
    is_kept: bool,
    /// Locked for as long as somebody works on it: what an earlier try left is not.
    _held: File,
}

impl Draft {
    /// An empty file for this owner's eyes alone, in place of what an earlier try may have left.
    fn create(path: PathBuf) -> Result<Self, CopyError> {
        remove_draft(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let held = options.open(&path).map_err(of_io(&path))?;
        held.try_lock().map_err(|error| of_io(&path)(error.into()))?;
        Ok(Self {
            path,
            is_kept: false,
            _held: held,
        })
    }

    /// A draft of a backup. What others left of theirs, as they were killed, goes.
    fn of_backup(to: &Path) -> Result<Self, CopyError> {
        let name = |process: &str| beside(to, &format!(".{process}.part"));
        let siblings = to.parent().and_then(|folder| fs::read_dir(folder).ok());
        let names = siblings
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()));
        let left = names.filter(|path| {
            let process = path
                .file_stem()
                .and_then(|stem| Path::new(stem).extension()?.to_str());
            process.is_some_and(|process| {
                process.bytes().all(|byte| byte.is_ascii_digit()) && *path == name(process)
            })
        });
        for path in left {
            let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
            let held = is_file.then(|| OpenOptions::new().write(true).open(&path));
            if held.is_some_and(|held| held.is_ok_and(|held| held.try_lock().is_ok())) {
                remove_draft(&path);
            }
        }
        Self::create(name(&std::process::id().to_string()))
    }

    fn remove(&self) {
        remove_draft(&self.path);
    }

    /// Gives it its name, and makes that durable.
    fn keep_as(mut self, path: &Path) -> Result<(), CopyError> {
        File::open(&self.path)
            .and_then(|file| file.sync_all())
            .map_err(of_io(&self.path))?;
        fs::rename(&self.path, path).map_err(of_io(path))?;
        self.is_kept = true;
        self.remove();
        open::sync_directory(path).map_err(of_open(path))
    }
}

fn remove_draft(path: &Path) {
    for end in ["", "-wal", "-shm", "-journal", ".lock"] {
        // What is not there need not go; what cannot go is told when it is to be made.
        let _gone = fs::remove_file(beside(path, end));
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept {
            self.remove();
        }
    }
}

/// Opens what is only to be read. What has no log beside it is nobody's at the moment: it is read without making one,
/// so that it may lie where nothing can be written.
fn reader(path: &Path) -> Result<Connection, CopyError> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(CopyError::NoFile(path.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CopyError::Missing(path.to_owned()));
        }
        Err(error) => return Err(of_io(path)(error)),
    }
    let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let is_in_use = has_log || beside(path, "-shm").exists();
    match path.to_str() {
        Some(text) if !is_in_use => {
            let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let uri = format!("file:{escaped}?immutable=1");
            Connection::open_with_flags(uri, flags).map_err(of_sql(path))
        }
        _ => open::reader(path).map_err(of_open(path)),
    }
}

/// Copies the ledger `from` into the empty file `to`, as it is at one moment.
fn copy(from: &Path, source: &Connection, to: &Path, progress: Progress<'_>) -> Result<(), CopyError> {
    let mut target = Connection::open(to).map_err(of_sql(to))?;
    // It is flushed at the end; if the machine fails before, there is no file of the name.
    target
        .pragma_update(None, "synchronous", "OFF")
        .map_err(of_sql(to))?;
    source.execute_batch("BEGIN").map_err(of_sql(from))?;
    // The transaction begins with the first read, and every step of the copy is of that moment.
    schema::version_of(source).map_err(of_open(from))?;
    let copied = steps(from, source, &mut target, progress);
    let ended = source.execute_batch("COMMIT").map_err(of_sql(from));
    copied.and(ended)?;
    // One file, without logs beside it.
    target
        .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .map_err(of_sql(to))?;
    target.close().map_err(|(_, error)| of_sql(to)(error))
}

fn steps(
    from: &Path,
    source: &Connection,
    target: &mut Connection,
    progress: Progress<'_>,
) -> Result<(), CopyError> {
    let backup = Backup::new(source, target).map_err(of_sql(from))?;
    let mut locked = 0;
    loop {
        let step = backup.step(PAGES_A_STEP).map_err(of_sql(from))?;
        let pages = backup.progress();
        let all = u64::try_from(pages.pagecount).unwrap_or(0);
        let left = u64::try_from(pages.remaining).unwrap_or(0);
        progress(all.saturating_sub(left), all);
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => locked = 0,
            _ if locked < LOCKED_TRIES => {
                locked += 1;
                std::thread::sleep(LOCKED_WAIT);
            }
            _ => {
                return Err(CopyError::Io {
                    path: from.to_owned(),
                    detail: "another program keeps it locked".to_owned(),
                });
            }
        }
    }
}

/// Looks at a whole ledger that nobody writes: that no page is damaged, that it is a ledger, and that its books add up.
///
/// # Errors
/// If something is wrong with it.
pub fn inspect(path: &Path) -> Result<Inspection, CopyError> {
    inspect_with(path, &reader(path)?)
}

fn inspect_with(path: &Path, connection: &Connection) -> Result<Inspection, CopyError> {
    let unsound = |detail: String| CopyError::Unsound {
        path: path.to_owned(),
        detail,
    };
    let failed = |fail: Fail| unsound(fail.into_store_error("looking at it").to_string());
    let version = schema::version_of(connection).map_err(of_open(path))?;
    if version == 0 {
        return Err(unsound("it is empty".to_owned()));
    }
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(of_sql(path))?;
    if found != "ok" {
        return Err(unsound(format!("it is damaged: {found}")));
    }
    let books_compared = version == schema::newest();
    if books_compared {
        conservation::check_all(connection).map_err(failed)?;
    }
    let count = |sql: &str| -> Result<u64, CopyError> {
        let counted = all(connection, sql, [], |row| Cells::new(row, "counts").u64(0));
        Ok(counted.map_err(failed)?.first().copied().unwrap_or(0))
    };
    // Tables have been there, under these names, since the first version; how shares are stored has changed.
    let shares = match books_compared {
        true => batches::tail(connection).map_err(failed)?.sequence.get(),
        false => 0,
    };
    Ok(Inspection {
        schema: version,
        books_compared,
        shares,
        blocks: count("SELECT COUNT(*) FROM blocks")?,
        rounds: count("SELECT COUNT(*) FROM rounds")?,
        payouts: match version >= schema::WITH_PAYOUTS {
            true => count("SELECT COUNT(*) FROM payouts")?,
            false => 0,
        },
        bytes: fs::metadata(path).map_err(of_io(path))?.len(),
    })
}

/// Copies a ledger to `to`, while a pool may be running on it, and looks at the whole copy. What is there is only
/// overwritten if `replaces`, and then only once the copy is found to be sound.
///
/// # Errors
/// If there is no ledger, something is there already, the disk is full, or the copy is not sound: then nothing is there
/// that was not there before.
pub fn back_up(
    ledger: &Path,
    to: &Path,
    replaces: bool,
    progress: Progress<'_>,
) -> Result<Inspection, CopyError> {
    if !ledger.exists() {
        return Err(CopyError::Missing(ledger.to_owned()));
    }
    let ledger = open::real_path(ledger).map_err(of_open(ledger))?;
    let to = to_be_written(to, &ledger, replaces)?;
    // A pool may start on it meanwhile.
    let source = open::reader(&ledger).map_err(of_open(&ledger))?;
    let draft = Draft::of_backup(&to)?;
    copy(&ledger, &source, &draft.path, progress)?;
    drop(source);
    let inspection = inspect(&draft.path)?;
    if !replaces && to.exists() {
        return Err(CopyError::Exists(to));
    }
    draft.keep_as(&to)?;
    Ok(inspection)
}

/// The file's real path, if it may be written.
fn to_be_written(to: &Path, ledger: &Path, replaces: bool) -> Result<PathBuf, CopyError> {
    if to.is_dir() {
        return Err(CopyError::Io {
            path: to.to_owned(),
            detail: "it is a directory; name the file".to_owned(),
        });
    }
    let to = open::real_path(to).map_err(of_open(to))?;
    let of_the_ledger = ["", "-wal", "-shm", ".lock"].map(|end| beside(ledger, end));
    if of_the_ledger.contains(&to) {
        return Err(CopyError::Same(to));
    }
    match to.symlink_metadata() {
        Ok(_) if !replaces => Err(CopyError::Exists(to)),
        // A key, a device, somebody's notes: a wrong name, and what is gone then is gone.
        Ok(found) if !found.is_file() || !is_ledger_or_empty(&to) => Err(CopyError::Foreign(to)),
        _ => Ok(to),
    }
}

/// Whether a file may have been an older backup: a database that says that it is the pool's, however damaged.
fn is_ledger_or_empty(path: &Path) -> bool {
    let mut head = [0; 72];
    let read = File::open(path).and_then(|mut file| {
        if file.metadata()?.len() == 0 {
            return Ok(true);
        }
        file.read_exact(&mut head)?;
        Ok(head.starts_with(b"SQLite format 3\0") && head[68..] == schema::APPLICATION_ID.to_be_bytes())
    });
    read.unwrap_or(false)
}
