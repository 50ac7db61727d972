//! Rounds and credits, page by page.

use dwarves_domain::ids::RoundId;
use dwarves_domain::rewards::Scheme;
use dwarves_ports::store::{Accounting, CreditKind, CreditRow};

use super::{crediting, with_blocks};
use crate::contract::Backend;
use crate::contract::fixtures::{at, close_round, commit, empty_round, hash, key, page, sats};

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
