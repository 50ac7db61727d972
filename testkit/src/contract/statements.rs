//! Epochs and their statements: every share belongs to one, and what was stated never changes.

use dwarves_domain::ids::WorkerId;
use dwarves_domain::statements::{Epoch, EpochId, Hashes, StatementDigest, WorkOfAll};
use dwarves_domain::units::Units;

use super::Backend;
use super::fixtures::{append, close_round, commit, empty_round, furnished, key, page, refused, seq, worker};
use super::history::{HOUR, came, when};
use dwarves_ports::store::{
    CounterRow, EndedEpoch, EpochsState, OpenEpoch, SharedStore, StatementHead, StatementRow, StoreErrorKind,
    Write, Written,
};

/// The epoch's name that begins so many seconds after the full hour.
fn id(secs: i64) -> EpochId {
    EpochId::new((HOUR + secs).unsigned_abs())
}

fn begin(secs: i64) -> Write {
    Write::BeginEpochs { start: id(secs) }
}

fn end(from: i64, to: i64) -> Write {
    end_at(from, to, to)
}

fn end_at(from: i64, to: i64, at: i64) -> Write {
    Write::EndEpoch {
        epoch: Epoch {
            start: id(from),
            end: id(to),
        },
        at: when(at),
    }
}

async fn epochs(store: &SharedStore) -> EpochsState {
    store.epochs().await.unwrap()
}

/// The places behind which the epoch begins that has ended, and at which it ends.
async fn ended(store: &SharedStore) -> (u64, u64) {
    let ended = epochs(store).await.ended.unwrap();
    (ended.after.get(), ended.through.get())
}

fn row(ended: EndedEpoch, previous: Option<StatementDigest>, text: &str) -> StatementRow {
    StatementRow {
        head: StatementHead {
            ended,
            digest: StatementDigest::of(text),
            previous,
            signer: key(9),
            signature: [7; 64],
        },
        text: text.to_owned(),
    }
}

/// Keeps a statement of the epoch that has ended.
async fn state(store: &SharedStore, text: &str) -> StatementRow {
    let known = epochs(store).await;
    let row = row(known.ended.unwrap(), known.last.map(|(_, digest)| digest), text);
    let written = commit(store, vec![Write::AddStatement(Box::new(row.clone()))]).await;
    assert_eq!(written, [Written::Done]);
    row
}

/// A share belongs to the epoch in which its commit was, whenever it came; ending an epoch lets none into it any more, not
/// in the same commit and not after a restart.
pub async fn every_share_belongs_to_one_epoch<B: Backend>(backend: B) {
    let mut store = furnished(&backend).await;
    append(&store, vec![came(1, 1, 1, 5)]).await;
    // The shares of the commit are the epoch's, and so is one that came before and was committed later.
    let shares = Write::AppendShares(vec![came(2, 1, 1, 9)]);
    commit(&store, vec![shares, begin(10)]).await;
    append(&store, vec![came(3, 1, 1, 8)]).await;
    append(&store, vec![came(4, 1, 1, 59), came(5, 1, 1, 40)]).await;
    let open = OpenEpoch {
        start: id(10),
        after: seq(1),
    };
    assert_eq!(epochs(&store).await.open, Some(open));
    // One that came in time, but is committed with the end.
    let late = Write::AppendShares(vec![came(6, 1, 1, 59)]);
    commit(&store, vec![late, end(10, 60)]).await;
    assert_eq!(ended(&store).await, (1, 5));
    store = {
        drop(store);
        backend.open()
    };
    append(&store, vec![came(7, 1, 1, 30)]).await;
    append(&store, vec![came(8, 1, 1, 119)]).await;
    append(&store, vec![came(9, 1, 1, 120)]).await;
    state(&store, "one").await;
    commit(&store, vec![end(60, 120)]).await;
    assert_eq!(ended(&store).await, (5, 8));
    state(&store, "two").await;
    commit(&store, vec![end(120, 180)]).await;
    assert_eq!(ended(&store).await, (8, 9));
    // An epoch without shares, and the same end once more.
    state(&store, "three").await;
    commit(&store, vec![end(180, 240), end(180, 240)]).await;
    assert_eq!(ended(&store).await, (9, 9));
    // An end that is not the open epoch's, or while one waits for its statement.
    for other in [end(240, 300), end(60, 90), end(180, 200)] {
        assert_eq!(refused(&store, vec![other]).await, StoreErrorKind::Conflict);
    }
    state(&store, "four").await;
    assert_eq!(
        refused(&store, vec![end(240, 240)]).await,
        StoreErrorKind::Conflict
    );
}

/// Time that passed lets no commit be dated before, also after a restart.
pub async fn time_that_passed_does_not_come_again<B: Backend>(backend: B) {
    let mut store = furnished(&backend).await;
    let pass = |secs| Write::PassTime { at: when(secs) };
    append(&store, vec![came(1, 1, 1, 5)]).await;
    commit(&store, vec![pass(50), pass(20)]).await;
    store = {
        drop(store);
        backend.open()
    };
    append(&store, vec![came(2, 1, 1, 6)]).await;
    let place = |secs| store.position_at(when(secs));
    assert_eq!(place(49).await.unwrap().sequence, seq(1));
    assert_eq!(place(50).await.unwrap().sequence, seq(2));
}

/// Commits of a clock that was far ahead and has been set back belong to the epoch that ends, not to one in years.
pub async fn shares_of_a_clock_that_was_ahead_wait_for_no_far_epoch<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    commit(&store, vec![begin(0)]).await;
    append(&store, vec![came(1, 1, 1, 5)]).await;
    append(&store, vec![came(2, 1, 1, 1_000_000)]).await;
    append(&store, vec![came(3, 1, 1, 50)]).await;
    commit(&store, vec![end_at(0, 60, 61)]).await;
    assert_eq!(ended(&store).await, (0, 3));
    state(&store, "one").await;
    append(&store, vec![came(4, 1, 1, 70)]).await;
    commit(&store, vec![end_at(60, 120, 121)]).await;
    assert_eq!(ended(&store).await, (3, 4));
}

/// A statement is kept once, follows the one before, and is read back byte for byte.
pub async fn a_statement_is_kept_once_and_never_changes<B: Backend>(backend: B) {
    let mut store = furnished(&backend).await;
    commit(&store, vec![begin(0), end(0, 60)]).await;
    let ended = epochs(&store).await.ended.unwrap();
    let text = "a text ".repeat(1_000);
    let good = row(ended, None, &text);
    let mut bad = vec![row(ended, Some(StatementDigest::of("x")), &text)];
    let change = |change: &dyn Fn(&mut StatementHead)| {
        let mut other = good.clone();
        change(&mut other.head);
        other
    };
    bad.push(change(&|head| head.digest = StatementDigest::of("x")));
    bad.push(change(&|head| head.ended.through = seq(1)));
    bad.push(change(&|head| head.ended.epoch.start = id(1)));
    for bad in bad {
        let write = Write::AddStatement(Box::new(bad));
        assert_eq!(refused(&store, vec![write]).await, StoreErrorKind::Conflict);
    }
    let first = state(&store, &text).await;
    // The same text again, with another signature: the first stays.
    let mut again = first.clone();
    again.head.signature = [8; 64];
    commit(&store, vec![Write::AddStatement(Box::new(again)), end(0, 60)]).await;
    let other = row(ended, None, "another text");
    let write = Write::AddStatement(Box::new(other));
    assert_eq!(refused(&store, vec![write]).await, StoreErrorKind::Conflict);
    commit(&store, vec![end(60, 90)]).await;
    let second = state(&store, "").await;
    commit(&store, vec![end(90, 100)]).await;
    let third = state(&store, "three").await;
    store = {
        drop(store);
        backend.open()
    };
    for row in [&first, &second, &third] {
        let stored = store.statement(row.head.ended.epoch.start).await.unwrap();
        assert_eq!(stored.as_ref(), Some(row));
    }
    assert_eq!(store.statement(id(1)).await.unwrap(), None);
    assert_eq!(second.head.previous, Some(first.head.digest));
    let newest = store.statements(page(None, 2)).await.unwrap();
    assert_eq!(newest.rows, [third.head, second.head]);
    assert_eq!(newest.next, Some(id(60).get()));
    let rest = store.statements(page(newest.next, 2)).await.unwrap();
    assert_eq!((rest.rows, rest.next), (vec![first.head], None));
    // No epoch that was stated begins again, and those that cease leave the statements.
    assert_eq!(refused(&store, vec![begin(99)]).await, StoreErrorKind::Conflict);
    commit(&store, vec![Write::CeaseEpochs, begin(100), begin(100)]).await;
    assert_eq!(epochs(&store).await.last.unwrap().0.end, id(100));
    commit(&store, vec![Write::CeaseEpochs]).await;
    assert_eq!(epochs(&store).await.open, None);
    assert_eq!(
        refused(&store, vec![end(100, 120)]).await,
        StoreErrorKind::Conflict
    );
}

/// What each worker is stated with: shares, units, hashes, active minutes, and stale ones that were refused.
fn told(work: &WorkOfAll) -> Vec<(u8, String, u64, u128, Hashes, u32, u64)> {
    let all = work.iter().map(|((hotkey, name), work)| {
        let worked = &work.worked;
        (
            hotkey.as_bytes()[0],
            name.to_string(),
            worked.shares,
            worked.units.raw(),
            worked.hashes,
            worked.active_minutes,
            work.rejected[1],
        )
    });
    all.collect()
}

/// Work is added up for each worker, in whatever pieces it is asked for.
pub async fn work_is_added_up_by_worker<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![came(1, 1, 5, 0), came(2, 2, 7, 59)]).await;
    append(&store, vec![came(3, 1, 5, 60), came(4, 1, 6, 61)]).await;
    append(&store, vec![came(5, 1, 5, 119), came(6, 3, 5, 300)]).await;
    let bits = came(1, 1, 5, 0).share_bits;
    let of = |shares| Hashes::of_share(bits).checked_mul(shares).unwrap();
    let whole = store.work_between(seq(0), seq(5), u32::MAX).await.unwrap();
    let name = |id, miner| worker(id, miner).name.to_string();
    // The commit of the first two was at 59 s, of the next at 61 s, and of the last at 300 s.
    let expected = [
        (1, name(1, 1), 4, 21, of(4), 3, 0),
        (2, name(2, 2), 1, 7, of(1), 1, 0),
    ];
    assert_eq!(told(&whole), expected);
    let mut pieces = WorkOfAll::new();
    for after in 0..5 {
        let piece = store.work_between(seq(after), seq(5), 1).await.unwrap();
        assert_eq!(piece.len(), 1);
        pieces.append(piece).unwrap();
    }
    assert_eq!(pieces, whole);
    let none = store.work_between(seq(5), seq(5), 9).await.unwrap();
    assert!(none.is_empty());
    assert_eq!(whole.total().unwrap().worked.units, Units::from_raw(28));
}

/// Rejected shares are stated once, in the epoch in which they were saved.
pub async fn rejected_shares_are_stated_once<B: Backend>(backend: B) {
    let mut store = furnished(&backend).await;
    let save = |secs, id, stale| {
        let mut row = CounterRow::default();
        row.rejected[1] = stale;
        Write::SaveCounters {
            at: when(secs),
            through: seq(0),
            counters: vec![(WorkerId::new(id), row)],
        }
    };
    // Before there are epochs nobody counts them.
    commit(&store, vec![save(1, 1, 2)]).await;
    commit(
        &store,
        vec![begin(10), save(20, 1, 5), save(59, 3, 1), save(60, 3, 2)],
    )
    .await;
    commit(&store, vec![end(10, 60)]).await;
    // By a clock that stepped back: the epoch is over.
    commit(&store, vec![save(30, 1, 6)]).await;
    let rejected = async |store: &SharedStore, secs| {
        let work = store.rejected_before(id(secs)).await.unwrap();
        let few = told(&work).into_iter().map(|told| (told.1, told.6));
        few.collect::<Vec<_>>()
    };
    let (one, three) = (worker(1, 1).name.to_string(), worker(3, 1).name.to_string());
    assert_eq!(rejected(&store, 60).await, [(one.clone(), 3), (three.clone(), 1)]);
    state(&store, "one").await;
    store = {
        drop(store);
        backend.open()
    };
    assert_eq!(rejected(&store, 60).await, []);
    assert_eq!(rejected(&store, 61).await, [(one, 1), (three, 1)]);
    commit(&store, vec![Write::CeaseEpochs]).await;
    assert_eq!(rejected(&store, 1_000).await, []);
}

/// What a statement still needs is not pruned.
pub async fn shares_of_an_epoch_are_kept_until_it_is_stated<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    commit(&store, vec![begin(0)]).await;
    append(&store, vec![came(1, 1, 1, 5), came(2, 1, 1, 6)]).await;
    append(&store, vec![came(3, 1, 1, 65)]).await;
    append(&store, vec![came(4, 1, 1, 66)]).await;
    let save = Write::SaveCounters {
        at: when(70),
        through: seq(4),
        counters: Vec::new(),
    };
    let retire = Write::RetireTemplates {
        before: dwarves_domain::ids::TemplateId::new(9),
    };
    let round = close_round(empty_round(1), &[], 4);
    commit(&store, vec![round, save, retire, end(0, 60)]).await;
    let left = async || {
        let work = store.work_between(seq(0), seq(9), u32::MAX).await.unwrap();
        work.total().unwrap().worked.shares
    };
    let prune = || Write::PruneShares { through: seq(3) };
    commit(&store, vec![prune()]).await;
    commit(&store, Vec::new()).await;
    assert_eq!(left().await, 4);
    state(&store, "one").await;
    commit(&store, vec![prune()]).await;
    commit(&store, Vec::new()).await;
    assert_eq!(left().await, 2);
    commit(&store, vec![Write::CeaseEpochs, prune()]).await;
    commit(&store, Vec::new()).await;
    assert_eq!(left().await, 1);
}
