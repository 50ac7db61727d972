//! Rounds and money.

use std::collections::BTreeMap;

use dwarves_domain::ids::RoundId;
use dwarves_domain::ledger::{Account, Balance, Postings};
use dwarves_domain::rewards::{
    BlockReward, ClosedRound, OrphanedBlock, Scheme, SettledBlock, ShareValue, Source, Weights, close, pps,
};
use dwarves_domain::units::Units;

use super::Backend;
use super::fixtures::{
    append, at, became, block_share, close_round, commit, empty_round, furnished, hash, key, page, refused,
    round_input, sats, seq, share, start,
};
use dwarves_ports::store::{
    Accounting, BlockCredits, BlockState, CreditKind, CreditRow, MinerBalances, PoolTotals, SharedStore,
    StoreErrorKind, Written,
};

/// A block of 1,000 sats for which miner 1 did three times the work of miner 2.
fn reward(n: u64) -> BlockReward {
    BlockReward {
        hash: hash(n),
        height: 100,
        reward: sats(1_000),
        finder: Some(key(1)),
        weights: Weights::sum([(key(1), 6), (key(2), 2)]).unwrap(),
    }
}

fn crediting(id: u64, blocks: &[u64]) -> ClosedRound {
    let mut input = round_input(id, Scheme::Pplns);
    input.accepted = blocks.iter().map(|&n| reward(n)).collect();
    close(&input).unwrap()
}

/// A store with blocks 1 and 2, both immature, and share 3.
async fn with_blocks<B: Backend>(backend: &B) -> SharedStore {
    let store = furnished(backend).await;
    let shares = vec![
        block_share(1, 1, 1, 100),
        block_share(2, 2, 1, 101),
        share(3, 1, 1),
    ];
    append(&store, shares).await;
    commit(
        &store,
        vec![became(1, BlockState::Immature), became(2, BlockState::Immature)],
    )
    .await;
    store
}

async fn balances(store: &SharedStore, miner: u8) -> [u64; 4] {
    let MinerBalances {
        immature,
        payable,
        in_flight,
        paid,
    } = store.miner_balances(key(miner)).await.unwrap();
    [immature, payable, in_flight, paid].map(|amount| amount.sats())
}

async fn ledger_sum(store: &SharedStore) -> i128 {
    let PoolTotals { ledger_sum, .. } = store.totals().await.unwrap();
    ledger_sum
}

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

fn settled(credits: BlockCredits, n: u64) -> SettledBlock {
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
    input.emission = Some((sats(500), Weights::sum([(key(1), 2)]).unwrap()));
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

/// Pages join without gaps or repeats; one miner's list has nobody else's credits.
pub async fn credits_and_rounds_are_read_newest_first_page_by_page<B: Backend>(backend: B) {
    let store = with_blocks(&backend).await;
    commit(
        &store,
        vec![close_round(crediting(3, &[1]), &[(1, Accounting::Credited)], 3)],
    )
    .await;
    commit(&store, vec![close_round(empty_round(4), &[], 3)]).await;
    commit(
        &store,
        vec![close_round(crediting(7, &[2]), &[(2, Accounting::Credited)], 3)],
    )
    .await;

    let first = store.rounds(page(None, 2)).await.unwrap();
    let ids: Vec<u64> = first.rows.iter().map(|round| round.id.get()).collect();
    assert_eq!((ids, first.next), (vec![7, 4], Some(4)));
    let last = store.rounds(page(first.next, 2)).await.unwrap();
    assert_eq!((last.rows.len(), last.next), (1, None));
    let row = &last.rows[0];
    assert_eq!(
        (row.scheme, row.blocks.as_slice()),
        (Scheme::Pplns, [hash(1)].as_slice())
    );
    assert_eq!((row.reward, row.fee, row.kept), (sats(1_000), sats(10), sats(0)));
    assert_eq!((row.credited, row.digest), (sats(990), crediting(3, &[1]).digest));

    let credit = |round: u64, miner, units: &str, amount, block| CreditRow {
        round: RoundId::new(round),
        closed_at: at(i64::try_from(round).unwrap() * 60),
        hotkey: key(miner),
        units: units.parse().unwrap(),
        amount: sats(amount),
        kind: CreditKind::Credit,
        block: Some(hash(block)),
    };
    let (three, one) = ("0.0000000000000000000000000003", "0.0000000000000000000000000001");
    let newest = store.miner_credits(key(1), page(None, 1)).await.unwrap();
    assert_eq!(newest.rows, [credit(7, 1, three, 743, 2)]);
    let oldest = store.miner_credits(key(1), page(newest.next, 1)).await.unwrap();
    assert_eq!(
        (oldest.rows, oldest.next),
        (vec![credit(3, 1, three, 743, 1)], None)
    );
    assert_eq!(store.miner_credits(key(9), page(None, 5)).await.unwrap().rows, []);

    let (round, credits) = store.round(RoundId::new(3)).await.unwrap().unwrap();
    assert_eq!(&round, row);
    assert_eq!(credits, [credit(3, 1, three, 743, 1), credit(3, 2, one, 247, 1)]);
    assert_eq!(store.round(RoundId::new(5)).await.unwrap(), None);
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
