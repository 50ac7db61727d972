//! What is not copied, or not to there; and what is found to differ.

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::Write;
use dwarves_ports::store::copying::pump::{copy, prepare};
use dwarves_ports::store::copying::{CopyError, MOVED, compare};
use dwarves_store_postgres::{OpenError, PostgresEnd};
use dwarves_store_sqlite::{OpenError as FileError, SqliteEnd};

use super::{Place, whole};

/// A ledger on which a pool was started, with a setting.
fn with_history(place: Place) -> Place {
    let store = place.start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.start(Timestamp::from_secs(7))).unwrap();
    let setting = Write::SaveSetting {
        key: "a.setting".to_owned(),
        value: Some("5".to_owned()),
    };
    let mut writes = dwarves_testkit::histories::History::default().begin();
    writes.push(setting);
    runtime.block_on(store.commit(writes)).unwrap();
    drop(store);
    place
}

fn refusal(from: &Place, to: &Place) -> String {
    match prepare(from.end().as_mut(), to.end().as_mut()) {
        Err(CopyError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs postgres"]
fn what_has_no_history_is_not_copied_and_what_has_one_is_not_copied_to() {
    let (empty, new) = (Place::file(), Place::server());
    assert!(refusal(&empty, &new).contains("nothing to copy"));
    let (full, theirs) = (with_history(Place::file()), with_history(Place::server()));
    for (from, to) in [(&full, &theirs), (&theirs, &full)] {
        assert!(refusal(from, to).contains("a history of its own"));
    }
}

#[test]
#[ignore = "needs postgres"]
fn a_ledger_that_a_pool_has_is_neither_copied_nor_copied_to() {
    let (file, server) = (with_history(Place::file()), with_history(Place::server()));
    let pools = (file.start().unwrap(), server.start().unwrap());
    let refused = SqliteEnd::open(&file.path()).err();
    assert!(matches!(refused, Some(FileError::InUse { .. })), "{refused:?}");
    let Place::Server(database) = &server else {
        unreachable!("it is one")
    };
    let refused = PostgresEnd::open(&database.options()).err();
    assert!(matches!(refused, Some(OpenError::InUse(_))), "{refused:?}");
    drop(pools);
    // Nor does a pool start on what is being copied.
    let ends = (file.end(), server.end());
    let path = file.path();
    let started = dwarves_store_sqlite::SqliteStore::open(&path, Default::default()).err();
    assert!(matches!(started, Some(FileError::InUse { .. })), "{started:?}");
    let started = dwarves_store_postgres::PostgresStore::open(&database.options()).err();
    assert!(matches!(started, Some(OpenError::InUse(_))), "{started:?}");
    drop(ends);
}

#[test]
#[ignore = "needs postgres"]
fn what_is_not_there_is_not_made_to_be_copied() {
    let place = Place::file();
    let missing = SqliteEnd::of_ledger(&place.path()).err();
    assert!(matches!(missing, Some(FileError::Io { .. })), "{missing:?}");
    assert!(!place.path().exists());
    let Place::Server(database) = Place::server() else {
        unreachable!("it is one")
    };
    assert_eq!(
        PostgresEnd::of_ledger(&database.options()).err(),
        Some(OpenError::Empty)
    );
}

#[test]
#[ignore = "needs postgres"]
fn an_unfinished_copy_goes_on_with_its_own_source_alone_and_as_it_was() {
    let (file, server) = (with_history(Place::file()), Place::server());
    {
        let (mut from, mut to) = (file.end(), server.end());
        let begin = prepare(from.as_mut(), to.as_mut()).unwrap();
        copy(from.as_mut(), to.as_mut(), begin, &mut |_, _| {}).unwrap();
    }
    // Copied, and not compared: it is not whole.
    let refused = server.start().err().unwrap();
    assert!(
        refused.contains("unfinished copy") && refused.contains("ledger copy"),
        "{refused}"
    );
    let other = with_history(Place::file());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime
        .block_on(other.start().unwrap().start(Timestamp::from_secs(8)))
        .unwrap();
    assert!(refusal(&other, &server).contains("unfinished copy of another ledger"));
    // It is no source, either.
    assert!(refusal(&server, &Place::file()).contains("unfinished copy itself"));
    // The pool may go on where it is, and then the copy is of a moment that is over.
    runtime
        .block_on(file.start().unwrap().start(Timestamp::from_secs(8)))
        .unwrap();
    assert!(refusal(&file, &server).contains("before a pool was started on it again"));
}

#[test]
#[ignore = "needs postgres"]
fn a_ledger_is_moved_once() {
    let (file, server) = (with_history(Place::file()), Place::server());
    whole(&file, &server).unwrap();
    assert!(refusal(&file, &Place::server()).contains("was moved to database"));
    assert!(refusal(&file, &server).contains("a history of its own"));
    // What says so is not copied.
    assert_eq!(server.end().setting(MOVED), Ok(None));
    assert_eq!(server.end().setting("a.setting"), Ok(Some("5".to_owned())));
    // With it taken away a pool starts again.
    file.end().set(MOVED, None).unwrap();
    drop(file.start().unwrap());
}

/// Killed between the two marks of the end, it is handed over with the next try.
#[test]
#[ignore = "needs postgres"]
fn a_copy_that_was_killed_while_it_was_handed_over_is_handed_over_again() {
    let (file, server) = (with_history(Place::file()), Place::server());
    {
        let (mut from, mut to) = (file.end(), server.end());
        let begin = prepare(from.as_mut(), to.as_mut()).unwrap();
        copy(from.as_mut(), to.as_mut(), begin, &mut |_, _| {}).unwrap();
        from.set(MOVED, Some("{\"to\": \"there\", \"at\": \"then\"}"))
            .unwrap();
    }
    // Neither may be started meanwhile.
    assert!(file.start().is_err() && server.start().is_err());
    whole(&file, &server).unwrap();
    assert!(file.start().is_err());
    drop(server.start().unwrap());
}

#[test]
#[ignore = "needs postgres"]
fn whatever_was_changed_on_the_way_is_found_with_its_table_and_its_row() {
    for (edit, expected) in [
        (
            "UPDATE miners SET registered_at = registered_at + 1 WHERE hotkey = (SELECT hotkey FROM miners ORDER BY 1 LIMIT 1)",
            ["miners hotkey 0x", "registered_at is "],
        ),
        ("DELETE FROM workers WHERE id = 3", ["workers id 3", "alone"]),
        (
            "INSERT INTO settings (name, value) VALUES ('zz', '')",
            ["settings name \"zz\"", "alone"],
        ),
        ("UPDATE pool SET next_worker = 77", ["pool id 1", "and 77 in"]),
        ("UPDATE templates SET tag = 'x'", ["templates id 1", "tag is "]),
    ] {
        let (file, server) = (with_history(Place::file()), Place::server());
        let (mut from, mut to) = (file.end(), server.end());
        let begin = prepare(from.as_mut(), to.as_mut()).unwrap();
        copy(from.as_mut(), to.as_mut(), begin, &mut |_, _| {}).unwrap();
        let Place::Server(database) = &server else {
            unreachable!("it is one")
        };
        database.sql(edit);
        let found = compare(from.as_mut(), to.as_mut(), &mut |_, _| {});
        let Err(CopyError::Differs(found)) = found else {
            panic!("{edit}: {found:?}")
        };
        for part in expected {
            assert!(found.contains(part), "{edit}: {found}");
        }
        // And it stays unfinished.
        drop((from, to));
        assert!(server.start().is_err());
    }
}
