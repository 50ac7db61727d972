//! Reads and writes that meet each other, a full disk, or another program.

use std::task::{Context, Poll, Waker};

use dwarves_domain::ids::{Sequence, TemplateId, WorkerId};
use dwarves_domain::rewards::{Scheme, close};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_ports::store::{CounterRow, Store, StoreErrorKind, Write, Written};
use dwarves_store_sqlite::{SqliteOptions, SqliteStore};
use dwarves_testkit::build::quiet_round;

use super::{OnDisk, block_on, commit, furnish, last_sequence, open, shares, units_stored};
use dwarves_testkit::contract::Backend;

#[test]
fn reads_go_on_while_a_write_is_under_way() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(5)]).unwrap();
    let large = store.commit(vec![shares(200_000)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut large = std::pin::pin!(large);
        let mut reads_meanwhile = 0;
        loop {
            tokio::select! {
                biased;
                written = &mut large => {
                    assert!(written.is_ok());
                    break;
                }
                totals = store.totals() => {
                    // Either all of the commit is seen or nothing of it.
                    let seen = totals.unwrap().shares;
                    assert!(seen == 5 || seen == 200_005, "saw {seen}");
                    reads_meanwhile += u32::from(seen == 5);
                }
            }
        }
        assert!(
            reads_meanwhile > 2,
            "only {reads_meanwhile} reads were answered before the commit was done"
        );
        assert_eq!(store.totals().await.unwrap().shares, 200_005);
    });
}

#[test]
fn reads_are_refused_when_too_many_wait() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    commit(&store, vec![shares(5_000)]).unwrap();
    // Folding 5,000 shares takes longer than asking, so the queues fill, however seldom this thread gets its turn. What is
    // refused is answered at once.
    let fold = || store.weights_between(Sequence::new(0), Sequence::new(5_000));
    let (mut asked, mut refused) = (Vec::new(), 0);
    while refused == 0 && asked.len() < 100_000 {
        let mut answer = Box::pin(fold());
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => asked.push(answer),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                refused += 1;
            }
        }
    }
    let answered = asked.len();
    for answer in asked {
        assert_eq!(block_on(answer).unwrap().total(), 2 * 5_000 * Units::ONE.raw());
    }
    assert!(
        answered >= 128 && refused > 0,
        "{answered} answered, {refused} refused"
    );
    assert!(block_on(fold()).is_ok());
}

#[test]
fn a_full_disk_refuses_whole_commits_and_goes_on_once_there_is_room() {
    let backend = OnDisk::fresh();
    let options = SqliteOptions {
        max_bytes: Some(1024 * 1024),
    };
    let store = SqliteStore::open(&backend.path(), options).unwrap();
    furnish(&store);
    let mut stored = 0;
    let kind = loop {
        match commit(&store, vec![shares(500)]) {
            Ok(_) => stored += 500,
            Err(kind) => break kind,
        }
        assert!(stored < 100_000, "a megabyte must be full by now");
    };
    assert_eq!(kind, StoreErrorKind::Unavailable);
    assert!(stored > 1_000);
    let last = |store: &SqliteStore| (last_sequence(store), units_stored(store, stored + 1_000));
    assert_eq!(
        last(&store),
        (stored, u128::from(stored)),
        "nothing of the failed commit is there"
    );
    let again = commit(&store, vec![shares(500)]);
    assert_eq!(again, Err(StoreErrorKind::Unavailable));

    // What is over makes room: the pool goes on by itself.
    let input = quiet_round(1, Timestamp::EPOCH, Scheme::Pplns);
    let round = Write::CloseRound {
        round: Box::new(close(&input).unwrap()),
        blocks: Vec::new(),
        through: Sequence::new(stored),
    };
    let count = Write::SaveCounters {
        at: Timestamp::EPOCH,
        through: Sequence::new(stored),
        counters: vec![(WorkerId::new(1), CounterRow::default())],
    };
    let retire = Write::RetireTemplates {
        before: TemplateId::new(2),
    };
    let prune = Write::PruneShares {
        through: Sequence::new(stored / 2),
    };
    commit(&store, vec![retire, count, round, prune]).unwrap();
    let written = commit(&store, vec![shares(500)]).unwrap();
    assert!(matches!(written[0], Written::Shares { first, .. } if first.get() == stored + 1));

    // A larger disk does as well.
    while commit(&store, vec![shares(500)]).is_ok() {}
    let before = last_sequence(&store);
    drop(store);
    let store = open(&backend.path());
    commit(&store, vec![shares(5_000)]).unwrap();
    assert_eq!(last_sequence(&store), before + 5_000);
}

#[test]
fn a_lock_of_another_program_delays_a_commit_and_does_not_break_it() {
    let backend = OnDisk::fresh();
    let store = open(&backend.path());
    furnish(&store);
    let sqlite = rusqlite::Connection::open(backend.path()).unwrap();
    sqlite.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = store.commit(vec![shares(1)]);
    assert_eq!(last_sequence(&store), 0);
    sqlite.execute_batch("COMMIT").unwrap();
    assert!(block_on(waiting).is_ok());
    assert_eq!(last_sequence(&store), 1);
}
