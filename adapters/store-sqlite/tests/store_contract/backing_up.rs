//! Copies of a ledger: of one moment, whole, and put back without losing what was there.

use std::path::{Path, PathBuf};

use dwarves_ports::store::Store;
use dwarves_store_sqlite::backup::{CopyError, Inspection, Staged, back_up, inspect};
use dwarves_store_sqlite::{OpenError, SqliteStore};
use dwarves_testkit::contract::Backend;
use tempfile::TempDir;

use super::{OnDisk, block_on, commit, furnish, last_sequence, open, shares, units_stored};

const MARK: (&str, &str) = ("ledger.restored", "from a backup");

fn copy(backend: &OnDisk, to: &Path, replaces: bool) -> Result<Inspection, CopyError> {
    back_up(&backend.path(), to, replaces, &mut |_, _| ())
}

fn stage(from: &Path, ledger: &Path, replaces: bool) -> Result<Staged, CopyError> {
    Staged::make(from, ledger, replaces, MARK, &mut |_, _| ())
}

fn refused(staged: Result<Staged, CopyError>) -> CopyError {
    staged.err().expect("it must be refused")
}

/// A ledger of so many shares in a folder of its own, and a copy of it, `backup.db`, in another.
struct Copied {
    backend: OnDisk,
    store: SqliteStore,
    folder: TempDir,
    to: PathBuf,
}

fn copied(count: u64) -> Copied {
    let backend = OnDisk::fresh();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup.db");
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(count)]).unwrap();
    copy(&backend, &to, false).unwrap();
    Copied {
        backend,
        store,
        folder,
        to,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn a_copy_beside_commits_is_of_one_moment_and_needs_no_other_file() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    // Larger than what is copied at once, and most of it only in the log.
    commit(&store, vec![shares(200_000)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup.db");
    let mut told = Vec::new();
    let mut more = 0;
    let copied = back_up(&backend.path(), &to, false, &mut |done, all| {
        told.push((done, all));
        // The pool goes on at every step of the copy.
        more += 1;
        commit(&store, vec![shares(1)]).unwrap();
    });
    let copied = copied.unwrap();
    assert!(more > 2, "{told:?}");
    assert!(told.iter().all(|(done, all)| done <= all) && told.last().unwrap().0 == told[0].1);
    assert_eq!((copied.shares, copied.books_compared), (200_000, true));
    assert_eq!(last_sequence(&store), 200_000 + more);
    assert_eq!(names(folder.path()), ["backup.db"]);
    assert_eq!(inspect(&to).unwrap(), copied);
    assert_eq!(
        names(folder.path()),
        ["backup.db"],
        "looking leaves nothing behind"
    );
    // Restored it is a ledger with everything of that moment, and the setting.
    let ledger = folder.path().join("dwarves.db");
    assert_eq!(stage(&to, &ledger, false).unwrap().put_in_place().unwrap(), None);
    let restored = open(&ledger);
    assert_eq!(last_sequence(&restored), 200_000);
    assert_eq!(units_stored(&restored, 200_000), 200_000);
    assert_eq!(block_on(restored.settings()).unwrap()[MARK.0], MARK.1);
}

#[test]
fn nothing_is_overwritten_unasked_and_what_is_asked_for_only_by_what_is_sound() {
    let backend = OnDisk::fresh();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup.db");
    assert_eq!(
        copy(&backend, &to, false),
        Err(CopyError::Missing(backend.path()))
    );
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(3)]).unwrap();
    std::fs::write(&to, "mine").unwrap();
    assert!(matches!(copy(&backend, &to, false), Err(CopyError::Exists(_))));
    assert_eq!(std::fs::read(&to).unwrap(), b"mine");
    copy(&backend, &to, true).unwrap();
    assert_eq!(inspect(&to).unwrap().shares, 3);
    // Never over the ledger itself or its log, whatever is asked.
    for end in ["", "-wal", "-shm", ".lock"] {
        let mut path = backend.path().into_os_string();
        path.push(end);
        let same = copy(&backend, Path::new(&path), true);
        assert!(matches!(same, Err(CopyError::Same(_))), "{same:?}");
    }
    assert!(matches!(
        copy(&backend, folder.path(), true),
        Err(CopyError::Io { .. })
    ));
    let nowhere = folder.path().join("nowhere/backup.db");
    assert!(copy(&backend, &nowhere, false).is_err());
    assert_eq!(names(folder.path()), ["backup.db"]);
    assert_eq!(last_sequence(&store), 3);
}

#[test]
fn a_ledger_is_not_restored_while_a_pool_has_it_and_what_was_there_is_kept() {
    let Copied {
        backend,
        store,
        folder: _folder,
        to,
    } = copied(3);
    commit(&store, vec![shares(2)]).unwrap();
    let in_use = refused(stage(&to, &backend.path(), true));
    let is_in_use = matches!(
        &in_use,
        CopyError::Open {
            source: OpenError::InUse { .. },
            ..
        }
    );
    assert!(is_in_use, "{in_use}");
    drop(store);
    let there = refused(stage(&to, &backend.path(), false));
    assert!(matches!(there, CopyError::Exists(_)), "{there}");
    assert!(matches!(
        refused(stage(&backend.path(), &backend.path(), true)),
        CopyError::Same(_)
    ));
    // While it is staged no pool starts; what is dropped changes nothing.
    let staged = stage(&to, &backend.path(), true).unwrap();
    assert!(matches!(super::refused(&backend.path()), OpenError::InUse { .. }));
    assert_eq!(staged.inspection().shares, 3);
    drop(staged);
    assert_eq!(last_sequence(&open(&backend.path())), 5);
    assert_eq!(
        names(backend.path().parent().unwrap()),
        ["dwarves.db", "dwarves.db.lock"]
    );
    // Twice: what was put aside first is not overwritten either.
    for aside in ["dwarves.db.replaced", "dwarves.db.replaced-2"] {
        let staged = stage(&to, &backend.path(), true).unwrap();
        let put = staged.put_in_place().unwrap().unwrap();
        assert_eq!(put.file_name().unwrap().to_str(), Some(aside));
    }
    let store = open(&backend.path());
    assert_eq!(last_sequence(&store), 3);
    commit(&store, vec![shares(1)]).unwrap();
    let first = backend.path().with_file_name("dwarves.db.replaced");
    assert_eq!(inspect(&first).unwrap().shares, 5);
}

#[test]
fn a_log_that_was_left_behind_goes_with_its_own_ledger() {
    let Copied {
        backend,
        store,
        folder,
        to,
    } = copied(3);
    commit(&store, vec![shares(2)]).unwrap();
    // As a pool leaves it that was killed: the last commits are in the log alone.
    let dead = folder.path().join("dead");
    std::fs::create_dir(&dead).unwrap();
    for end in ["", "-wal"] {
        let name = format!("dwarves.db{end}");
        std::fs::copy(backend.path().with_file_name(&name), dead.join(&name)).unwrap();
    }
    let ledger = dead.join("dwarves.db");
    let put = stage(&to, &ledger, true)
        .unwrap()
        .put_in_place()
        .unwrap()
        .unwrap();
    assert_eq!(last_sequence(&open(&ledger)), 3);
    assert_eq!(last_sequence(&open(&put)), 5);
    // Such a pair is a backup as well.
    for end in ["", "-wal"] {
        let name = format!("dwarves.db{end}");
        std::fs::copy(
            backend.path().with_file_name(&name),
            dead.join(format!("pair{end}")),
        )
        .unwrap();
    }
    drop(
        stage(&dead.join("pair"), &ledger, true)
            .unwrap()
            .put_in_place()
            .unwrap(),
    );
    assert_eq!(last_sequence(&open(&ledger)), 5);
}

#[test]
fn what_is_no_sound_ledger_is_named_and_not_restored() {
    let Copied {
        backend: _backend,
        store,
        folder,
        to,
    } = copied(5_000);
    let good = std::fs::read(&to).unwrap();
    let ledger = folder.path().join("dwarves.db");
    let edits: [(&str, &str); 4] = [
        (
            "INSERT INTO balances (account, hotkey, amount) VALUES ('fee', x'', 5)",
            "short of its rows",
        ),
        ("PRAGMA user_version = 9999", "schema version 9999"),
        ("PRAGMA application_id = 1", "belongs to another program"),
        (
            "UPDATE batches SET total_before = zeroblob(16) WHERE first_sequence > 1",
            "the shares go on",
        ),
    ];
    let mut cases: Vec<(&str, String)> = Vec::new();
    for (edit, expected) in edits {
        std::fs::write(&to, &good).unwrap();
        rusqlite::Connection::open(&to)
            .unwrap()
            .execute_batch(edit)
            .unwrap();
        cases.push((expected, refused(stage(&to, &ledger, false)).to_string()));
        assert!(inspect(&to).is_err(), "{edit}");
    }
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 4_096].fill(0xa5);
    for (bytes, expected) in [
        (damaged.as_slice(), "damaged"),
        (&good[..good.len() / 2], "damaged"),
        (b"", "empty"),
    ] {
        std::fs::write(&to, bytes).unwrap();
        cases.push((expected, refused(stage(&to, &ledger, false)).to_string()));
    }
    std::fs::write(
        &to,
        "no database at all, but long enough to be read as one".repeat(200),
    )
    .unwrap();
    cases.push(("not a database", refused(stage(&to, &ledger, false)).to_string()));
    std::fs::remove_file(&to).unwrap();
    cases.push(("is not there", refused(stage(&to, &ledger, false)).to_string()));
    for (expected, told) in cases {
        assert!(
            told.contains(expected) && told.contains("backup.db"),
            "{expected}: {told}"
        );
    }
    assert!(!ledger.exists());
    assert_eq!(units_stored(&store, 5_000), 5_000);
}
