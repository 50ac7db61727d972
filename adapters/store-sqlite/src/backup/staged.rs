//! A copy on its way to a ledger's place.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{
    CopyError, Draft, Inspection, Progress, beside, copy, inspect, inspect_with, of_io, of_open, of_sql,
    reader,
};
use crate::{SqliteOptions, open};

/// What SQLite keeps beside a ledger.
const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Names that are tried for a ledger that is put aside.
const ASIDE_MAX: u32 = 1_000;

/// A copy that is to become a ledger: looked at, brought up to date, and marked. No pool can start on the ledger as long
/// as this is held; dropping it leaves everything as it was.
pub struct Staged {
    draft: Draft,
    ledger: PathBuf,
    inspection: Inspection,
    _lock: File,
}

impl Staged {
    /// Copies `from` beside `ledger`, looks at it, brings its schema up to date, and stores this setting in it.
    ///
    /// # Errors
    /// If a pool runs on the ledger, there is one that is not to be replaced, or `from` is no ledger that this program
    /// knows and whose books add up.
    pub fn make(
        from: &Path,
        ledger: &Path,
        replaces: bool,
        (key, value): (&str, &str),
        progress: Progress<'_>,
    ) -> Result<Self, CopyError> {
        let ledger = open::real_path(ledger).map_err(of_open(ledger))?;
        let lock = open::lock(&ledger).map_err(of_open(&ledger))?;
        let is_there = fs::metadata(&ledger).is_ok_and(|file| file.len() > 0);
        if is_there && !replaces {
            return Err(CopyError::Exists(ledger));
        }
        if from.canonicalize().is_ok_and(|from| from == ledger) {
            return Err(CopyError::Same(ledger));
        }
        let source = reader(from)?;
        let draft = Draft::create(beside(&ledger, ".restoring"))?;
        copy(from, &source, &draft.path, progress)?;
        drop(source);
        let of_source = |error| match error {
            CopyError::Open { source, .. } => of_open(from)(source),
            CopyError::Unsound { detail, .. } => CopyError::Unsound {
                path: from.to_owned(),
                detail,
            },
            other => other,
        };
        inspect(&draft.path).map_err(of_source)?;
        let connection = open::writer(&draft.path, SqliteOptions::default()).map_err(of_open(from))?;
        let inspection = inspect_with(&draft.path, &connection).map_err(of_source)?;
        let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        connection
            .execute(sql, [key, value])
            .map_err(of_sql(&draft.path))?;
        connection
            .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
            .map_err(of_sql(&draft.path))?;
        connection
            .close()
            .map_err(|(_, error)| of_sql(&draft.path)(error))?;
        Ok(Self {
            draft,
            ledger,
            inspection,
            _lock: lock,
        })
    }

    /// Where it lies until it is put in place.
    pub fn path(&self) -> &Path {
        &self.draft.path
    }

    /// What is in it.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Puts it in the ledger's place. The ledger that was there is put aside with its log, under a name that is told.
    ///
    /// # Errors
    /// If the operating system refuses. The ledger that was there is then in its place or under the other name.
    pub fn put_in_place(self) -> Result<Option<PathBuf>, CopyError> {
        let Self {
            draft, ledger, _lock, ..
        } = self;
        let aside = put_aside(&ledger)?;
        draft.keep_as(&ledger)?;
        give_to_owner_of_folder(&ledger);
        Ok(aside)
    }
}

/// A ledger that root restores is for whom the pool runs as, and so is the file that says that it is in use. Where that
/// is refused (nobody but root may), whoever restores is the one that runs it.
fn give_to_owner_of_folder(ledger: &Path) {
    #[cfg(unix)]
    if let Some(Ok(folder)) = ledger.parent().map(fs::metadata) {
        use std::os::unix::fs::{MetadataExt as _, chown};
        for end in ["", ".lock"] {
            let _refused = chown(beside(ledger, end), Some(folder.uid()), Some(folder.gid()));
        }
    }
}

/// Gives a ledger a second name, by which it stays when another takes its place: there is a whole ledger of the first name
/// at every moment, since a pool that starts where there is none begins a new one. Its log is brought into it before.
/// Where that fails (it is damaged, or files have one name here) it is renamed.
fn put_aside(ledger: &Path) -> Result<Option<PathBuf>, CopyError> {
    fold_log(ledger);
    let has_log = LOGS.iter().any(|end| beside(ledger, end).exists());
    if !has_log && ledger.exists() {
        let aside = free_name(ledger)?;
        if fs::hard_link(ledger, &aside).is_ok() {
            open::sync_directory(ledger).map_err(of_open(ledger))?;
            return Ok(Some(aside));
        }
    }
    rename_aside(ledger)
}

/// Brings a ledger's log into it, if it has one and can be read.
fn fold_log(ledger: &Path) {
    if !beside(ledger, "-wal").exists() {
        return;
    }
    if let Ok(connection) = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        // What is not brought in is still in the log, which is looked for then.
        let _kept = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()));
        let _closed = connection.close();
    }
}

/// Renames a ledger and its log, the log first: no ledger may ever find another one's log beside it.
fn rename_aside(ledger: &Path) -> Result<Option<PathBuf>, CopyError> {
    let ends = [LOGS[0], LOGS[1], LOGS[2], ""];
    if ends.iter().all(|end| !beside(ledger, end).exists()) {
        return Ok(None);
    }
    let aside = free_name(ledger)?;
    for end in ends {
        match fs::rename(beside(ledger, end), beside(&aside, end)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(of_io(&beside(ledger, end))(error));
            }
            _ => {}
        }
    }
    open::sync_directory(ledger).map_err(of_open(ledger))?;
    Ok(Some(aside))
}

/// The name that a ledger that is put aside gets.
fn free_name(ledger: &Path) -> Result<PathBuf, CopyError> {
    let mut names = (1..=ASIDE_MAX).map(|number| match number {
        1 => beside(ledger, ".replaced"),
        number => beside(ledger, &format!(".replaced-{number}")),
    });
    let is_free = |name: &PathBuf| {
        let mut ends = LOGS.iter().chain(&[""]);
        ends.all(|end| beside(name, end).symlink_metadata().is_err())
    };
    let free = names.find(is_free);
    free.ok_or_else(|| CopyError::Exists(beside(ledger, ".replaced")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::back_up;

    /// Whatever ends a restore between its steps, the ledger's name is a ledger's, with all that it had.
    #[test]
    fn a_ledger_that_is_put_aside_stays_in_its_place_until_another_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("dwarves.db");
        let connection = open::writer(&ledger, SqliteOptions::default()).unwrap();
        connection
            .execute("INSERT INTO settings (name, value) VALUES ('mark', '1')", [])
            .unwrap();
        // As a pool leaves it that was killed: the last commits are in the log alone.
        let dead = folder.path().join("dead.db");
        for end in ["", "-wal"] {
            fs::copy(beside(&ledger, end), beside(&dead, end)).unwrap();
        }
        drop(connection);
        let aside = put_aside(&dead).unwrap().unwrap();
        for name in [&dead, &aside] {
            assert!(LOGS.iter().all(|end| !beside(name, end).exists()), "{name:?}");
            let value: String = reader(name)
                .unwrap()
                .query_row("SELECT value FROM settings WHERE name = 'mark'", [], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(value, "1", "{name:?}");
        }
        // Until then nobody goes on with it by one of its names.
        let copied = back_up(&dead, &folder.path().join("copy.db"), false, &mut |_, _| ());
        assert!(copied.is_err(), "{copied:?}");
        // What cannot be read is put aside as it is.
        fs::write(&ledger, "damaged").unwrap();
        fs::write(beside(&ledger, "-wal"), "too").unwrap();
        let aside = put_aside(&ledger).unwrap().unwrap();
        assert_eq!(fs::read(&aside).unwrap(), b"damaged");
    }
}
