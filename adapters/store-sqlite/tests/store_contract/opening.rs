//! Which files are opened, and which are refused as they are.

use std::path::Path;

use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{Store, StoreErrorKind};
use dwarves_store_sqlite::OpenError;

use super::{OnDisk, block_on, commit, furnish, open, refused, shares};
use dwarves_testkit::contract::Backend;

#[test]
fn a_second_instance_is_refused_until_the_first_is_gone() {
    let backend = OnDisk::fresh();
    let first = open(&backend.path());
    let error = refused(&backend.path());
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another running pool"));
    drop(first);
    drop(open(&backend.path()));
}

#[cfg(unix)]
#[test]
fn another_name_for_the_same_file_is_no_way_around_the_first_instance() {
    let backend = OnDisk::fresh();
    let first = open(&backend.path());
    let folder = tempfile::tempdir().unwrap();
    // A link to the file, a link to a link, and the folder by another name.
    let file = folder.path().join("other.db");
    std::os::unix::fs::symlink(backend.path(), &file).unwrap();
    let twice = folder.path().join("twice.db");
    std::os::unix::fs::symlink(&file, &twice).unwrap();
    let directory = folder.path().join("directory");
    std::os::unix::fs::symlink(backend.path().parent().unwrap(), &directory).unwrap();
    for way in [
        &file,
        &twice,
        &directory.join(backend.path().file_name().unwrap()),
    ] {
        let error = refused(way);
        assert!(
            matches!(error, OpenError::InUse { .. }),
            "{}: {error}",
            way.display()
        );
    }
    drop(first);
    drop(open(&twice));
    // A hard link has a log of its own, so it is refused even when nobody is there.
    let hard = backend.path().with_file_name("hard.db");
    std::fs::hard_link(backend.path(), &hard).unwrap();
    for way in [&hard, &backend.path()] {
        assert!(matches!(refused(way), OpenError::SeveralNames { .. }));
    }
    std::fs::remove_file(&hard).unwrap();
    drop(open(&backend.path()));
    let nothing = folder.path().join("nothing.db");
    std::os::unix::fs::symlink(folder.path().join("gone"), &nothing).unwrap();
    assert!(matches!(refused(&nothing), OpenError::Io { .. }));
}

#[test]
fn a_newer_schema_a_foreign_database_and_a_broken_file_are_refused_untouched() {
    let backend = OnDisk::fresh();
    drop(open(&backend.path()));
    let sqlite = rusqlite::Connection::open(backend.path()).unwrap();
    sqlite.pragma_update(None, "user_version", 9_999).unwrap();
    drop(sqlite);
    let error = refused(&backend.path());
    assert!(
        matches!(error, OpenError::NewerSchema { found: 9_999, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("newer program"));

    let theirs = OnDisk::fresh();
    let sqlite = rusqlite::Connection::open(theirs.path()).unwrap();
    sqlite.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(sqlite);
    assert_eq!(refused(&theirs.path()), OpenError::NotOurs);

    let broken = OnDisk::fresh();
    std::fs::write(broken.path(), vec![b'x'; 10_000]).unwrap();
    let error = refused(&broken.path());
    assert!(matches!(error, OpenError::Corrupt(_)), "{error}");
    assert_eq!(std::fs::read(broken.path()).unwrap(), vec![b'x'; 10_000]);

    let error = refused(Path::new("/nowhere/at/all/dwarves.db"));
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}

/// Changes the database behind the pool's back.
fn tamper(backend: &OnDisk, sql: &str) {
    let sqlite = rusqlite::Connection::open(backend.path()).unwrap();
    sqlite.execute_batch(sql).unwrap();
}

#[test]
fn a_ledger_whose_ends_disagree_is_not_opened() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    for _ in 0..3 {
        commit(&store, vec![shares(5)]).unwrap();
    }
    drop(store);
    let copy = std::fs::read(backend.path()).unwrap();
    for (hand, told) in [
        (
            "UPDATE batches SET first_sequence = 12 WHERE first_sequence = 11",
            "the shares go on with 12",
        ),
        (
            "DELETE FROM batches WHERE first_sequence = 6",
            "the shares go on with 11",
        ),
        (
            "UPDATE batches SET total_before = (SELECT MIN(total_before) FROM batches) WHERE first_sequence = 11",
            "the shares go on with 11 at 0 units",
        ),
        (
            "UPDATE batches SET shares = x'' WHERE first_sequence = 11",
            "batches.shares must be shares, packed",
        ),
    ] {
        std::fs::write(backend.path(), &copy).unwrap();
        tamper(&backend, hand);
        let error = refused(&backend.path());
        assert!(error.to_string().contains(told), "{hand}: {error}");
    }
}

#[test]
fn bad_data_is_an_error_that_names_its_column() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(5)]).unwrap();
    drop(store);
    for _ in 0..2 {
        commit(&open(&backend.path()), vec![shares(5)]).unwrap();
    }
    let five = "first_sequence = 1";
    let blob = format!("(SELECT shares FROM batches WHERE {five})");
    for (hand, mend, told) in [
        (
            format!("UPDATE batches SET shares = substr({blob}, 1, 20) WHERE {five}"),
            "UPDATE batches SET shares = (SELECT shares FROM batches WHERE first_sequence = 6)",
            "batches.shares must be shares, packed",
        ),
        (
            format!("UPDATE batches SET total_before = x'00' WHERE {five}"),
            "UPDATE batches SET total_before = zeroblob(16) WHERE first_sequence = 1",
            "batches.total_before must be 16 bytes",
        ),
    ] {
        tamper(&backend, &hand);
        // The ledger's end is whole, so it is opened.
        let store = open(&backend.path());
        let all = store.weights_between(Sequence::new(0), Sequence::new(5));
        let error = block_on(all).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert_eq!(error.to_string(), told);
        drop(store);
        tamper(&backend, mend);
    }
    tamper(&backend, "UPDATE workers SET name = 'no spaces, please'");
    let error = block_on(open(&backend.path()).start(Timestamp::EPOCH)).unwrap_err();
    assert_eq!(error.to_string(), "workers.name must be a known name");
    // A life that could not be told was not begun.
    tamper(&backend, "UPDATE workers SET name = 'rig'");
    assert_eq!(
        block_on(open(&backend.path()).start(Timestamp::EPOCH))
            .unwrap()
            .life,
        1
    );
}
