//! Which payouts are watched, who may be paid, and what a miner was paid.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{FeePayer, Payout, PayoutState, Transition, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{StoreErrorKind, Write};

use super::{payout, reserve, sign, signed, step, with_payable};
use crate::contract::Backend;
use crate::contract::fixtures::{at, commit, key, page, refused, register, sats, start};

/// What still may change is read without its parts, and bytes only where they must be sent.
pub async fn payouts_are_watched_until_they_are_forgotten<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    assert_eq!(start(&store).await.last_payout, None);
    for (id, byte) in [(1, 9), (2, 8), (3, 7)] {
        commit(&store, vec![reserve(&payout(id, &[(1, 100)], FeePayer::Pool))]).await;
        if id < 3 {
            commit(
                &store,
                vec![step(id, sign(byte, 1, &[0])), step(id, Transition::Send)],
            )
            .await;
        }
    }
    commit(&store, vec![step(1, Transition::Confirm(6))]).await;
    drop(store);
    let store = backend.open();
    assert_eq!(start(&store).await.last_payout, Some((PayoutId::new(3), at(3))));
    let watched = store.watched_payouts(10).await.unwrap();
    let lengths = |payouts: &[Payout]| -> Vec<Option<usize>> {
        let signed = payouts.iter().map(|payout| payout.signed.as_ref());
        signed
            .map(|signed| signed.map(|signed| signed.bytes.len()))
            .collect()
    };
    assert_eq!(lengths(&watched), [Some(0), Some(300), None]);
    assert!(watched.iter().all(|payout| payout.parts.is_empty()));
    assert_eq!(watched[1].signed.as_ref().unwrap().inputs, signed(8, 1).inputs);
    assert_eq!(store.watched_payouts(1).await.unwrap().len(), 1);
    commit(
        &store,
        vec![
            step(1, Transition::Forget),
            step(3, Transition::Cancel("x".to_owned())),
        ],
    )
    .await;
    let left = store.watched_payouts(10).await.unwrap();
    assert_eq!(left.iter().map(|payout| payout.id.get()).collect::<Vec<_>>(), [2]);
}

/// Who may be paid, with address and threshold as they are now.
pub async fn candidates_are_miners_with_enough_payable<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let set = |miner, threshold: Option<u64>| Write::SetPayoutThreshold {
        hotkey: key(miner),
        threshold: threshold.map(sats),
    };
    let address = Write::RegisterMiner {
        hotkey: key(2),
        payout_address: Some("there".to_owned()),
        at: at(0),
    };
    commit(
        &store,
        vec![
            set(1, Some(7)),
            set(2, Some(8)),
            set(1, Some(9)),
            set(2, None),
            address,
        ],
    )
    .await;
    drop(store);
    let store = backend.open();
    let candidates = store.payout_candidates(sats(500)).await.unwrap();
    let seen: Vec<(Hotkey, u64, Option<&str>, Option<u64>)> = candidates
        .iter()
        .map(|c| {
            (
                c.hotkey,
                c.payable.sats(),
                c.address.as_deref(),
                c.threshold.map(Amount::sats),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [(key(1), 1_000, None, Some(9)), (key(2), 500, Some("there"), None)]
    );
    assert_eq!(store.payout_candidates(sats(501)).await.unwrap().len(), 1);
    assert_eq!(store.payout_threshold(key(1)).await.unwrap(), Some(sats(9)));
    assert_eq!(store.payout_threshold(key(2)).await.unwrap(), None);
    assert_eq!(
        refused(&store, vec![set(66, Some(1))]).await,
        StoreErrorKind::Conflict
    );
    commit(&store, vec![register(66), set(66, Some(1))]).await;
}

/// A miner's payouts page by page, with what became of each.
pub async fn a_miners_payouts_are_read_newest_first<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    for id in 1..=3 {
        commit(
            &store,
            vec![reserve(&payout(id, &[(2, 10), (1, 100)], FeePayer::Miners))],
        )
        .await;
    }
    commit(
        &store,
        vec![
            step(2, sign(9, 5, &[1, 4])),
            step(2, Transition::Send),
            step(2, Transition::Depth(3)),
        ],
    )
    .await;
    commit(&store, vec![step(3, Transition::Cancel("too large".to_owned()))]).await;
    let first = store.miner_payouts(key(1), page(None, 2)).await.unwrap();
    let second = store.miner_payouts(key(1), page(first.next, 2)).await.unwrap();
    assert_eq!(second.next, None);
    let ids = |page: &dwarves_ports::store::Page<dwarves_ports::store::MinerPayoutRow>| -> Vec<u64> {
        page.rows.iter().map(|row| row.payout.get()).collect()
    };
    assert_eq!((ids(&first), ids(&second)), (vec![3, 2], vec![1]));
    let sent = &first.rows[1];
    assert_eq!(sent.txid, Some(Txid::from_bytes([9; 32])));
    assert_eq!((sent.state, sent.confirmations), (PayoutState::Broadcast, 3));
    assert_eq!((sent.amount, sent.fee), (sats(100), sats(4)));
    assert_eq!((sent.reserved_at, sent.sent_at), (at(2), Some(at(1_000))));
    assert_eq!(sent.address, "address-1");
    assert_eq!(first.rows[0].note, "too large");
    assert!(
        store
            .miner_payouts(key(9), page(None, 2))
            .await
            .unwrap()
            .rows
            .is_empty()
    );
}
