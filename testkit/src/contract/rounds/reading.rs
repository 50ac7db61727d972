//! Rounds and credits, page by page.

use dwarves_domain::ids::RoundId;
use dwarves_domain::rewards::{ClosedRound, Emission, RoundInput, Scheme, Source, Weights, close};
use dwarves_domain::units::BasisPoints;
use dwarves_ports::store::{Accounting, CreditKind, CreditRow};

use super::{crediting, with_blocks};
use crate::contract::Backend;
use crate::contract::fixtures::{
    at, close_round, commit, empty_round, furnished, hash, key, page, round_input, sats,
};

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

/// A round that gives as many sats to each of these miners as its number says, in the order of hotkeys.
fn emitting(id: u64, miners: impl Iterator<Item = u8> + Clone) -> ClosedRound {
    let reward = miners.clone().map(u64::from).sum();
    let weights = Weights::sum(miners.map(|miner| (key(miner), u128::from(miner) << 70)));
    let input = RoundInput {
        fee: BasisPoints::default(),
        source: Source::Emission,
        emission: Some(Emission::of(sats(reward), weights.unwrap())),
        ..round_input(id, Scheme::Pplns)
    };
    close(&input).unwrap()
}

/// However many credits there are, of however many miners: each is found from anywhere, and by its round.
pub async fn a_long_statement_is_read_from_any_place<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    // Miner 9 is credited in every tenth round only, and the last round credits very many.
    let miners = |id: u64| {
        let seldom = id.is_multiple_of(10);
        let last = if id == 150 { 100 } else { 2 };
        (1..=last).chain([9].into_iter().filter(move |_| seldom && id < 150))
    };
    let rounds = 1..=150_u64;
    for id in rounds.clone() {
        commit(&store, vec![close_round(emitting(id, miners(id)), &[], 0)]).await;
    }
    drop(store);
    let store = backend.open();
    for miner in [1, 2, 9, 77, 100, 101] {
        // The numbers of its credits, by its rounds.
        let mut numbered = Vec::new();
        let mut id = 0;
        for round in rounds.clone() {
            for of in miners(round) {
                id += 1;
                if of == miner {
                    numbered.push((id, round));
                }
            }
        }
        numbered.reverse();
        for before in (0..=id + 70).step_by(7).map(Some).chain([None, Some(u64::MAX)]) {
            for limit in [1, 3, 200] {
                let all_before = numbered
                    .iter()
                    .filter(|(id, _)| before.is_none_or(|before| *id < before));
                let expected: Vec<_> = all_before.clone().take(limit as usize).collect();
                let found = store
                    .miner_credits(key(miner), page(before, limit))
                    .await
                    .unwrap();
                let of_rounds: Vec<_> = found.rows.iter().map(|row| row.round.get()).collect();
                let expected_rounds: Vec<_> = expected.iter().map(|(_, round)| *round).collect();
                assert_eq!(of_rounds, expected_rounds, "miner {miner} before {before:?}");
                let is_more = all_before.count() > expected.len();
                let next = expected.last().map(|(id, _)| *id).filter(|_| is_more);
                assert_eq!(found.next, next, "miner {miner} before {before:?}");
                assert!(found.rows.iter().all(|row| row.amount == sats(u64::from(miner))));
            }
        }
    }
    for id in [1, 10, 64, 149, 150] {
        let (round, credits) = store.round(RoundId::new(id)).await.unwrap().unwrap();
        let expected = emitting(id, miners(id));
        assert_eq!(
            (round.credited, round.digest),
            (expected.credited, expected.digest)
        );
        let found: Vec<_> = credits
            .iter()
            .map(|row| (row.hotkey, row.units, row.amount))
            .collect();
        let expected: Vec<_> = expected
            .credits
            .iter()
            .map(|c| (c.hotkey, c.units, c.amount))
            .collect();
        assert_eq!(found, expected, "round {id}");
    }
}
