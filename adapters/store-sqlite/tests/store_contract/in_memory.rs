//! What only the store in memory does.

use dwarves_ports::store::{Store, StoreErrorKind, Write, Written};
use dwarves_store_sqlite::{InlineStore, OpenError};

use super::block_on;

fn setting(store: &InlineStore) -> Result<String, StoreErrorKind> {
    let settings = block_on(store.settings()).map_err(|error| error.kind())?;
    Ok(settings.get("a").cloned().unwrap_or_default())
}

fn set(store: &InlineStore, value: &str) -> Result<Vec<Written>, StoreErrorKind> {
    let set = Write::SaveSetting {
        key: "a".to_owned(),
        value: Some(value.to_owned()),
    };
    block_on(store.commit(vec![set])).map_err(|error| error.kind())
}

#[test]
fn a_copy_in_memory_knows_nothing_of_what_comes_later_and_a_clone_does() {
    let store = InlineStore::inline().unwrap();
    set(&store, "before").unwrap();
    let (copy, clone) = (store.copy().unwrap(), store.clone());
    set(&store, "after").unwrap();
    assert_eq!(setting(&copy).unwrap(), "before");
    assert_eq!(setting(&clone).unwrap(), "after");
    set(&copy, "other").unwrap();
    assert_eq!(setting(&store).unwrap(), "after");
}

#[test]
fn a_store_in_memory_that_is_opened_anew_is_closed_to_whoever_had_it() {
    let store = InlineStore::inline().unwrap();
    set(&store, "before").unwrap();
    let clone = store.clone();
    let anew = store.reopen().unwrap();
    for old in [&store, &clone] {
        assert_eq!(set(old, "late"), Err(StoreErrorKind::Unavailable));
        assert_eq!(setting(old), Err(StoreErrorKind::Unavailable));
        assert!(old.reopen().is_err() && old.copy().is_err() && old.look(|_| ()).is_err());
    }
    assert_eq!(setting(&anew).unwrap(), "before");
}

#[test]
fn a_store_in_memory_is_checked_when_it_is_opened_anew() {
    let store = InlineStore::inline().unwrap();
    let hand = "INSERT INTO balances (account, hotkey, amount) VALUES ('fee', x'', 50)";
    store.look(|sqlite| sqlite.execute_batch(hand).unwrap()).unwrap();
    let error = store.reopen().err().expect("it must be refused");
    assert!(matches!(error, OpenError::Corrupt(_)), "{error}");
}
