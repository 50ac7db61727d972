//! A copy on its way to a ledger's place.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{
    CopyError, Draft, Inspection, Progress, beside, copy, inspect, inspect_with, of_io, of_open, of_sql,
    reader,
};
use crate::{SqliteOptions, open};

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
        let Self { draft, ledger, .. } = self;
        let aside = put_aside(&ledger)?;
        draft.keep_as(&ledger)?;
        Ok(aside)
    }
}

/// Renames a ledger and its log, the log first: no ledger may ever find another one's log beside it.
fn put_aside(ledger: &Path) -> Result<Option<PathBuf>, CopyError> {
    let ends = ["-wal", "-shm", "-journal", ""];
    if ends.iter().all(|end| !beside(ledger, end).exists()) {
        return Ok(None);
    }
    let names = (1..=ASIDE_MAX).map(|number| match number {
        1 => beside(ledger, ".replaced"),
        number => beside(ledger, &format!(".replaced-{number}")),
    });
    let is_free = |name: &PathBuf| ends.iter().all(|end| !beside(name, end).exists());
    let Some(aside) = names.into_iter().find(is_free) else {
        return Err(CopyError::Exists(beside(ledger, ".replaced")));
    };
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
