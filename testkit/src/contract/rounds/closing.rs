//! A round is applied once, as it was closed, and comes back as it was.

use std::collections::BTreeMap;

use dwarves_domain::ids::RoundId;
use dwarves_domain::rewards::{BlockReward, Scheme, ShareValue, Weights, close, pps};
use dwarves_domain::units::Units;
use dwarves_ports::store::{Accounting, StoreErrorKind, Written};

use super::settling::settled;
use super::{balances, crediting, ledger_sum, reward, with_blocks};
use crate::contract::Backend;
use crate::contract::fixtures::{
    at, close_round, commit, empty_round, hash, key, page, refused, round_input, sats, seq, start,
};

/// Repeating a round after a lost answer, also after a restart, changes nothing.
pub async fn a_round_is_applied_exactly_once<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    let round = crediting(1, &[1]);
    let write = close_round(round.clone(), &[(1, Accounting::Credited)], 3);
    let twice = commit(&store, vec![write.clone(), write.clone()]).await;
    assert_eq!(twice, [Written::Done, Written::Done]);
    drop(store);
    let store = backend.open();
    // Even if what the blocks became has changed since.
    let credits = store.block_credits(hash(1)).await.unwrap().unwrap();
    let mut input = round_input(2, Scheme::Pplns);
    input.matured = vec![settled(credits, 1)];
    let maturing = close(&input).unwrap();
    commit(
        &store,
        vec![close_round(maturing, &[(1, Accounting::Matured)], 3), write],
    )
    .await;
    assert_eq!(balances(&store, 1).await, [0, 743, 0, 0]);
    assert_eq!(balances(&store, 2).await, [0, 247, 0, 0]);
    assert_eq!(balances(&store, 9).await, [0; 4]);
    assert_eq!(
        store
            .miner_credits(key(1), page(None, 9))
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
    let block = store.blocks(page(None, 9)).await.unwrap().rows.remove(1);
    assert_eq!((block.hash, block.accounting), (hash(1), Accounting::Matured));
    assert_eq!(ledger_sum(&store).await, 0);
}

/// Two truths under one number stop the pool.
pub async fn a_round_with_another_digest_is_a_conflict<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    commit(
        &store,
        vec![close_round(crediting(1, &[1]), &[(1, Accounting::Credited)], 3)],
    )
    .await;
    let other = close_round(crediting(1, &[1, 2]), &[(2, Accounting::Credited)], 3);
    let error = store.commit(vec![other]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert_eq!(balances(&store, 1).await, [743, 0, 0, 0]);
    assert_eq!(store.blocks_to_account(9).await.unwrap().len(), 1);
}

/// Rounds go forward, over shares and blocks that are there, and credit a block once.
pub async fn a_round_that_contradicts_the_ledger_is_a_conflict<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    commit(
        &store,
        vec![close_round(crediting(5, &[1]), &[(1, Accounting::Credited)], 2)],
    )
    .await;
    let wrong = [
        ("an earlier round", close_round(empty_round(4), &[], 2)),
        ("an earlier share", close_round(empty_round(6), &[], 1)),
        ("a share to come", close_round(empty_round(6), &[], 4)),
        (
            "an unknown block",
            close_round(empty_round(6), &[(9, Accounting::Credited)], 3),
        ),
        (
            "a block again",
            close_round(crediting(6, &[1]), &[(1, Accounting::Credited)], 3),
        ),
    ];
    for (what, write) in wrong {
        assert_eq!(
            refused(&store, vec![write]).await,
            StoreErrorKind::Conflict,
            "{what}"
        );
    }
    let last = start(&store).await.last_round.unwrap();
    assert_eq!((last.id, last.through), (RoundId::new(5), seq(2)));
    assert_eq!(balances(&store, 1).await, [743, 0, 0, 0]);
    commit(&store, vec![close_round(empty_round(6), &[], 3)]).await;
}

/// Parts of a sat are not lost between rounds or lives.
pub async fn the_last_round_comes_back_with_what_it_carried<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    let mut input = round_input(1, Scheme::Pps);
    input.carried = BTreeMap::from([(key(2), pps::DENOMINATOR - 1)]);
    input.shares = vec![ShareValue {
        hotkey: key(1),
        units: Units::from_raw(Units::ONE.raw() / 3),
        value: sats(1_000),
    }];
    let round = close(&input).unwrap();
    let carried = round.carried.clone();
    assert_eq!(carried.len(), 2);
    commit(&store, vec![close_round(round, &[], 2)]).await;
    drop(store);
    let store = backend.open();
    let last = start(&store).await.last_round.unwrap();
    assert_eq!(
        (last.id, last.closed_at, last.through),
        (RoundId::new(1), at(60), seq(2))
    );
    assert_eq!(last.carried, carried);
    let credit = store
        .miner_credits(key(1), page(None, 9))
        .await
        .unwrap()
        .rows
        .remove(0);
    assert_eq!((credit.block, credit.amount), (None, sats(329)));
    assert_eq!(credit.units.to_string(), "0.3333333333333333333333333333");
    commit(&store, vec![close_round(empty_round(2), &[], 2)]).await;
    assert_eq!(start(&store).await.last_round.unwrap().carried, BTreeMap::new());
}

/// A credit of such a round is a sum, but what each block gave stays known.
pub async fn a_round_of_several_blocks_keeps_the_parts_of_each<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    let mut input = round_input(1, Scheme::Pplns);
    let of_nobody = BlockReward {
        weights: Weights::new(),
        ..reward(2)
    };
    input.accepted = vec![reward(1), of_nobody];
    let round = close(&input).unwrap();
    let blocks = [(1, Accounting::Credited), (2, Accounting::Credited)];
    commit(&store, vec![close_round(round, &blocks, 3)]).await;
    let (row, credits) = store.round(RoundId::new(1)).await.unwrap().unwrap();
    assert_eq!(row.blocks, [hash(1), hash(2)]);
    assert_eq!(
        (row.fee, row.kept, row.credited),
        (sats(20), sats(990), sats(990))
    );
    assert!(credits.iter().all(|credit| credit.block.is_none()));
    let first = store.block_credits(hash(1)).await.unwrap().unwrap();
    let amounts: Vec<_> = first.credits.iter().map(|c| (c.hotkey, c.amount)).collect();
    assert_eq!(amounts, [(key(1), sats(743)), (key(2), sats(247))]);
    let second = store.block_credits(hash(2)).await.unwrap().unwrap();
    assert_eq!(
        (second.fee, second.kept, second.credits.len()),
        (sats(10), sats(990), 0)
    );
    assert_eq!(store.blocks_to_account(9).await.unwrap(), []);
}
