//! Pruning: what is over goes, what is needed stays.

use dwarves_domain::ids::{Sequence, TemplateId};
use dwarves_domain::rewards::Weights;
use dwarves_domain::units::Units;

use super::Backend;
use super::fixtures::{
    append, at, close_round, commit, empty_round, furnished, key, recent, seq, share, start, template,
};
use dwarves_ports::store::{ShareRow, SharedStore, Write, Written};

fn prune(through: u64) -> Write {
    Write::PruneShares {
        through: seq(through),
    }
}

fn count(through: u64) -> Write {
    Write::SaveCounters {
        at: at(0),
        through: seq(through),
        counters: Vec::new(),
    }
}

fn retire(before: u32) -> Write {
    Write::RetireTemplates {
        before: TemplateId::new(before),
    }
}

/// The shares that are left, counted by their units of one step each.
async fn left(store: &SharedStore) -> u128 {
    let weights = store.weights_between(seq(0), Sequence::new(u64::MAX - 1)).await;
    weights.unwrap().total() / 2
}

/// A share may be quicker than the news that its template is over, in whatever company it is written.
pub async fn a_late_share_keeps_the_terms_of_its_template<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 1)]).await;
    let save = |id| Write::SaveTemplate(Box::new(template(id)));
    let drop_before = |id| Write::DropTemplates {
        before: TemplateId::new(id),
    };
    commit(&store, vec![save(2), save(3), save(4), drop_before(2)]).await;
    // The share is of a template that is dropped already, and another one is dropped in the same commit.
    let late = Write::AppendShares(vec![share(2, 1, 1)]);
    commit(&store, vec![late, drop_before(3)]).await;
    let round = close_round(empty_round(1), &[], 2);
    commit(&store, vec![round, count(2), retire(4), prune(1)]).await;
    assert_eq!(left(&store).await, 1);
    assert_eq!(store.values_between(seq(0), seq(2)).await.unwrap().len(), 1);
    // All before it goes in the very commit that brings it.
    let later = Write::AppendShares(vec![share(3, 1, 1)]);
    commit(&store, vec![retire(5), later, prune(2)]).await;
    assert_eq!(left(&store).await, 1);
    assert_eq!(store.values_between(seq(0), seq(3)).await.unwrap().len(), 1);
}

/// The last round, saved counters and living templates each hold pruning back.
pub async fn pruning_keeps_what_is_still_needed<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, (1..=10).map(|n| share(n, 1, 1)).collect()).await;
    // Each bound in turn is the lowest, so that none hides another.
    commit(&store, vec![retire(2), count(10), prune(10)]).await;
    assert_eq!(left(&store).await, 10, "no round has passed them");
    commit(&store, vec![close_round(empty_round(1), &[], 4), prune(10)]).await;
    assert_eq!(left(&store).await, 6, "the round passed share 4");

    let store = {
        drop(store);
        backend.open()
    };
    append(&store, vec![share(11, 1, 1), share(12, 1, 1)]).await;
    commit(&store, vec![close_round(empty_round(2), &[], 12), prune(12)]).await;
    assert_eq!(left(&store).await, 2, "counters are saved as of share 10");
    commit(&store, vec![Write::SaveTemplate(Box::new(template(2)))]).await;
    let on_second = |n| ShareRow {
        template: TemplateId::new(2),
        ..share(n, 1, 1)
    };
    append(&store, (13..=16).map(on_second).collect()).await;
    commit(
        &store,
        vec![count(16), close_round(empty_round(3), &[], 16), prune(16)],
    )
    .await;
    assert_eq!(left(&store).await, 4, "the second template is alive");
    assert_eq!(recent(&store).await.len(), 4);
    commit(&store, vec![retire(3), prune(14)]).await;
    assert_eq!(left(&store).await, 2, "it was asked through share 14 only");
    let values = store.values_between(seq(14), seq(16)).await.unwrap();
    assert_eq!(values.len(), 1, "a template stays as long as its shares");
}

/// Numbers, totals and places go on where they were, also if nothing is left.
pub async fn a_pruned_ledger_goes_on<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    for n in 1..=4 {
        append(&store, vec![share(n, 1, 10)]).await;
    }
    commit(
        &store,
        vec![retire(2), count(4), close_round(empty_round(1), &[], 4), prune(3)],
    )
    .await;
    let begin = store.position_at(at(1)).await.unwrap();
    assert_eq!((begin.sequence, begin.total), (seq(3), Units::from_raw(30)));
    commit(&store, vec![prune(4)]).await;
    assert_eq!(left(&store).await, 0);
    drop(store);

    let store = backend.open();
    let state = start(&store).await;
    assert_eq!(
        (state.last_sequence, state.total_units),
        (seq(4), Units::from_raw(40))
    );
    assert_eq!(state.next_template, TemplateId::new(2));
    commit(&store, vec![Write::SaveTemplate(Box::new(template(2)))]).await;
    let next = ShareRow {
        template: TemplateId::new(2),
        ..share(5, 2, 10)
    };
    let total = Units::from_raw(50);
    assert_eq!(
        append(&store, vec![next]).await,
        Written::Shares { first: seq(5), total }
    );
    let weights = store.weights_between(seq(0), seq(5)).await.unwrap();
    assert_eq!(weights, Weights::sum([(key(2), 20)]).unwrap());
    assert_eq!(store.totals().await.unwrap().shares, 5);
}

/// Large ledgers are pruned piece by piece, across restarts, while the pool goes on.
pub async fn pruning_a_large_ledger_ends<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    for first in (1..=9_000).step_by(500) {
        append(&store, (first..first + 500).map(|n| share(n, 1, 1)).collect()).await;
    }
    commit(
        &store,
        vec![
            retire(2),
            count(9_000),
            close_round(empty_round(1), &[], 9_000),
            prune(8_750),
        ],
    )
    .await;
    drop(store);
    let store = backend.open();
    commit(&store, vec![Write::SaveTemplate(Box::new(template(2)))]).await;
    for n in 0..50 {
        if left(&store).await == 250 {
            break;
        }
        // Commits go on meanwhile, and each of them also prunes a piece.
        let setting = Write::SaveSetting {
            key: "round".into(),
            value: Some(n.to_string()),
        };
        commit(&store, vec![setting]).await;
    }
    assert_eq!(left(&store).await, 250);
    let begin = store.position_at(at(0)).await.unwrap();
    assert_eq!(begin.sequence, seq(8_500), "the batch that is cut stays whole");
}
