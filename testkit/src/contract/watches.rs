//! Watch tokens: what a miner handed out.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Span;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::{StoreErrorKind, WatchRow, Write, Written};

use super::Backend;
use super::fixtures::{NOW, commit};

const ALICE: Hotkey = Hotkey::from_bytes([0xa1; 32]);
const BOB: Hotkey = Hotkey::from_bytes([0xb0; 32]);

fn id(n: u8) -> WatchId {
    WatchId::from_bytes([n; 8])
}

fn watch(n: u8, hotkey: Hotkey, lasts_secs: Option<u64>) -> WatchRow {
    let created_at = NOW.plus(Span::from_secs(n.into()));
    WatchRow {
        id: id(n),
        hotkey,
        name: format!("name {n}").parse().expect("a short name"),
        created_at,
        expires_at: lasts_secs.map(|secs| created_at.plus(Span::from_secs(secs))),
    }
}

fn add(watch: WatchRow, most: u32) -> Write {
    Write::AddWatch { watch, most }
}

fn register(hotkey: Hotkey) -> Write {
    Write::RegisterMiner {
        hotkey,
        payout_address: None,
        at: NOW,
    }
}

/// Handed out, read back also after opening again, and gone for good once it is taken back, by its own miner alone.
pub async fn a_watch_token_is_there_until_its_miner_takes_it_back<B: Backend>(backend: B) {
    let store = backend.open();
    commit(&store, vec![register(ALICE), register(BOB)]).await;
    let (first, second) = (watch(2, ALICE, None), watch(1, ALICE, Some(60)));
    let bobs = watch(3, BOB, None);
    let writes = [&first, &second, &bobs, &first].map(|row| add(row.clone(), 9));
    assert_eq!(commit(&store, writes.to_vec()).await, vec![Written::Done; 4]);
    drop(store);

    let store = backend.open();
    assert_eq!(store.watch(id(1)).await.unwrap(), Some(second.clone()));
    assert_eq!(store.watch(id(7)).await.unwrap(), None);
    assert_eq!(
        store.watches_of(ALICE).await.unwrap(),
        [second.clone(), first.clone()]
    );
    let remove = |hotkey, n| Write::RemoveWatch { hotkey, id: id(n) };
    let written = commit(&store, vec![remove(BOB, 1), remove(ALICE, 1), remove(ALICE, 1)]).await;
    assert_eq!(
        written,
        [Written::WatchUnknown, Written::Done, Written::WatchUnknown]
    );
    drop(store);

    let store = backend.open();
    assert_eq!(store.watch(id(1)).await.unwrap(), None);
    assert_eq!(store.watches_of(ALICE).await.unwrap(), [first]);
    assert_eq!(store.watches_of(BOB).await.unwrap(), [bobs]);
}

/// A miner has so many at most, those that are over do not count, and a removed miner has none.
pub async fn a_miner_has_no_more_watch_tokens_than_it_may<B: Backend>(backend: B) {
    let store = backend.open();
    commit(&store, vec![register(ALICE), register(BOB)]).await;
    let mut expected = vec![Written::Done, Written::Done, Written::WatchesFull];
    let rows = [
        watch(1, ALICE, Some(5)),
        watch(2, ALICE, None),
        // The first has a second left.
        watch(5, ALICE, None),
    ];
    let written = commit(&store, rows.map(|row| add(row, 2)).to_vec()).await;
    assert_eq!(written, expected);
    // Here it is over, and its room another's; others' are theirs.
    let rows = [watch(6, ALICE, None), watch(7, ALICE, None), watch(8, BOB, None)];
    let written = commit(&store, rows.map(|row| add(row, 2)).to_vec()).await;
    expected = vec![Written::Done, Written::WatchesFull, Written::Done];
    assert_eq!(written, expected);
    assert_eq!(store.watch(id(1)).await.unwrap(), None);
    let other = WatchRow {
        hotkey: BOB,
        ..watch(6, BOB, None)
    };
    let error = store.commit(vec![add(other, 9)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict, "a number is drawn once");
    commit(&store, vec![Write::RemoveMiner { hotkey: ALICE }]).await;
    assert_eq!(store.watches_of(ALICE).await.unwrap(), []);
    let written = commit(&store, vec![add(watch(9, ALICE, None), 9)]).await;
    assert_eq!(written, [Written::NoMiner]);
    assert_eq!(store.watches_of(BOB).await.unwrap().len(), 1);
}
