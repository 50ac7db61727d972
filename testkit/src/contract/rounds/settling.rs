//! What a block brought, from its acceptance until it is deep, and what becomes of it when the block is lost.

use dwarves_domain::ids::RoundId;
use dwarves_domain::ledger::{Account, Balance, Postings};
use dwarves_domain::rewards::{Emission, OrphanedBlock, Scheme, SettledBlock, Source, Weights, close};
use dwarves_ports::store::{Accounting, BlockCredits, CreditKind, StoreErrorKind};

use super::{balances, crediting, ledger_sum, reward, with_blocks};
use crate::contract::Backend;
use crate::contract::fixtures::{
    close_round, commit, empty_round, hash, key, page, refused, round_input, sats, start,
};

pub(super) fn settled(credits: BlockCredits, n: u64) -> SettledBlock {
    SettledBlock {
        hash: hash(n),
        height: 100,
        fee: credits.fee,
        kept: credits.kept,
        credits: credits.credits,
    }
}

/// What the store gives back of a block is enough to mature it.
pub async fn balances_follow_a_block_from_acceptance_to_maturity<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    assert_eq!(store.block_credits(hash(1)).await.unwrap(), None);
    commit(
        &store,
        vec![close_round(crediting(1, &[1]), &[(1, Accounting::Credited)], 3)],
    )
    .await;
    drop(store);
    let store = backend.open();
    let credits = store.block_credits(hash(1)).await.unwrap().unwrap();
    assert_eq!((credits.fee, credits.kept), (sats(10), sats(0)));
    let mut input = round_input(2, Scheme::Pplns);
    input.matured = vec![settled(credits, 1)];
    let maturing = close(&input).unwrap();
    commit(
        &store,
        vec![close_round(maturing, &[(1, Accounting::Matured)], 3)],
    )
    .await;
    assert_eq!(balances(&store, 1).await, [0, 743, 0, 0]);
    assert_eq!(balances(&store, 2).await, [0, 247, 0, 0]);
    assert_eq!(ledger_sum(&store).await, 0);
}

/// The exact opposite: nobody keeps anything of it.
pub async fn a_reversed_block_takes_its_credits_back<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    commit(
        &store,
        vec![close_round(
            crediting(1, &[1, 2]),
            &[(1, Accounting::Credited), (2, Accounting::Credited)],
            3,
        )],
    )
    .await;
    assert_eq!(balances(&store, 2).await, [494, 0, 0, 0]);
    let credits = store.block_credits(hash(2)).await.unwrap().unwrap();
    let mut input = round_input(2, Scheme::Pplns);
    input.orphaned = vec![OrphanedBlock {
        settled: settled(credits, 2),
        was_mature: false,
    }];
    let reversing = close(&input).unwrap();
    commit(
        &store,
        vec![close_round(reversing, &[(2, Accounting::Reversed)], 3)],
    )
    .await;
    assert_eq!(balances(&store, 1).await, [743, 0, 0, 0]);
    assert_eq!(balances(&store, 2).await, [247, 0, 0, 0]);
    assert_eq!(ledger_sum(&store).await, 0);
    // It comes back, and the miner sees every step of it.
    let credits = store.block_credits(hash(2)).await.unwrap().unwrap();
    let mut input = round_input(3, Scheme::Pplns);
    input.returned = vec![OrphanedBlock {
        settled: settled(credits, 2),
        was_mature: false,
    }];
    let returning = close(&input).unwrap();
    let write = close_round(returning, &[(2, Accounting::Credited)], 3);
    commit(&store, vec![write.clone(), write]).await;
    assert_eq!(balances(&store, 2).await, [494, 0, 0, 0]);
    let page = store.miner_credits(key(2), page(None, 9)).await.unwrap();
    let seen = page
        .rows
        .iter()
        .map(|row| (row.round.get(), row.kind, row.amount, row.block));
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            (3, CreditKind::Return, sats(247), Some(hash(2))),
            (2, CreditKind::Reversal, sats(247), Some(hash(2))),
            (1, CreditKind::Credit, sats(494), None),
        ]
    );
    // They are no part of what these rounds split.
    for id in [2, 3] {
        let (_, credits) = store.round(RoundId::new(id)).await.unwrap().unwrap();
        assert_eq!(credits, []);
    }
}

/// Deep means paid, perhaps: the reserve bears the loss, and no miner's credits change.
pub async fn a_block_lost_after_it_was_deep_is_the_reserves_loss<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    commit(
        &store,
        vec![close_round(crediting(1, &[1]), &[(1, Accounting::Credited)], 3)],
    )
    .await;
    let credits = store.block_credits(hash(1)).await.unwrap().unwrap();
    let block = settled(credits, 1);
    let mut input = round_input(2, Scheme::Pplns);
    input.matured = vec![block.clone()];
    let maturing = close(&input).unwrap();
    commit(
        &store,
        vec![close_round(maturing, &[(1, Accounting::Matured)], 3)],
    )
    .await;
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (
            totals.income.matured,
            totals.holdings.payable,
            totals.holdings.fee
        ),
        (1_000, 990, 10)
    );

    let mut input = round_input(3, Scheme::Pplns);
    input.orphaned = vec![OrphanedBlock {
        settled: block,
        was_mature: true,
    }];
    let losing = close(&input).unwrap();
    commit(
        &store,
        vec![close_round(losing, &[(1, Accounting::ReversedMature)], 3)],
    )
    .await;
    assert_eq!(balances(&store, 1).await, [0, 743, 0, 0]);
    let credits = store.miner_credits(key(1), page(None, 9)).await.unwrap().rows;
    assert!(credits.iter().all(|row| row.kind == CreditKind::Credit));
    drop(store);
    let totals = backend.open().totals().await.unwrap();
    assert_eq!((totals.blocks_lost, totals.income.lost), (1, 1_000));
    assert_eq!((totals.income.confirmed(), totals.holdings.reserve), (0, -1_000));
    assert_eq!(totals.holdings.check(&totals.income), Ok(()));
}

/// A round whose money does not come from the blocks that it books leaves nothing behind.
pub async fn books_that_do_not_match_the_blocks_are_refused<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    let credited_but_not_booked = close_round(crediting(1, &[1]), &[], 3);
    let booked_but_not_credited = close_round(empty_round(1), &[(1, Accounting::Credited)], 3);
    let mut too_much = reward(1);
    too_much.reward = sats(1_001);
    let mut input = round_input(1, Scheme::Pplns);
    input.accepted = vec![too_much];
    let more_than_the_block = close_round(close(&input).unwrap(), &[(1, Accounting::Credited)], 3);
    for write in [
        credited_but_not_booked,
        booked_but_not_credited,
        more_than_the_block,
    ] {
        assert_eq!(refused(&store, vec![write]).await, StoreErrorKind::Corrupt);
        assert_eq!(balances(&store, 1).await, [0; 4]);
        assert_eq!(store.round(RoundId::new(1)).await.unwrap(), None);
        assert_eq!(store.blocks_to_account(9).await.unwrap().len(), 2);
    }
    let mut input = round_input(1, Scheme::Pplns);
    input.source = Source::Emission;
    input.emission = Some(Emission::of(sats(500), Weights::sum([(key(1), 2)]).unwrap()));
    commit(&store, vec![close_round(close(&input).unwrap(), &[], 3)]).await;
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.income.emitted, totals.holdings.payable), (500, 495));
    assert_eq!(totals.holdings.check(&totals.income), Ok(()));
}

/// Money that is not there cannot be moved, whoever says so.
pub async fn a_balance_below_zero_is_refused_and_leaves_nothing<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    let mut round = crediting(1, &[1]);
    let payable = |miner| Account::Miner(key(miner), Balance::Payable);
    let mut postings = Postings::new();
    postings.transfer(Account::Reserve, payable(1), sats(5)).unwrap();
    postings.transfer(payable(2), Account::Reserve, sats(1)).unwrap();
    round.postings.merge(&postings).unwrap();
    let write = close_round(round, &[(1, Accounting::Credited)], 3);
    assert_eq!(refused(&store, vec![write]).await, StoreErrorKind::Corrupt);
    assert_eq!(balances(&store, 1).await, [0; 4]);
    assert_eq!(store.round(RoundId::new(1)).await.unwrap(), None);
    assert_eq!(start(&store).await.last_round, None);
    assert_eq!(store.blocks_to_account(9).await.unwrap().len(), 2);
    // The reserve is the operator's and may owe.
    let mut round = empty_round(1);
    round
        .postings
        .transfer(Account::Reserve, payable(1), sats(5))
        .unwrap();
    commit(&store, vec![close_round(round, &[], 3)]).await;
    assert_eq!(balances(&store, 1).await, [0, 5, 0, 0]);
    assert_eq!(ledger_sum(&store).await, 0);
}
