//! A payout goes its way: what each step books, and which steps are refused.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{Adopted, FeePayer, FeeRate, Payout, PayoutState, Signed, Transition, Txid};
use dwarves_ports::store::{StoreErrorKind, Write, Written};

use super::{balances, ledger_sum, part, payout, reserve, sign, signed, step, stored, with_payable};
use crate::contract::Backend;
use crate::contract::fixtures::{at, commit, key, refused, sats};

/// Every step twice, with openings between: each moves the money once.
pub async fn a_payout_goes_its_way_and_every_step_counts_once<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let first = payout(1, &[(1, 1_000), (2, 400)], FeePayer::Miners);
    let twice = commit(&store, vec![reserve(&first), reserve(&first)]).await;
    assert_eq!(twice, [Written::Done, Written::Done]);
    assert_eq!(balances(&store, 1).await, [0, 1_000, 0]);
    assert_eq!(balances(&store, 2).await, [100, 400, 0]);
    assert_eq!(stored(&store, 1).await, first);
    drop(store);

    let store = backend.open();
    let signing = step(1, sign(9, 14, &[10, 4]));
    commit(
        &store,
        vec![signing.clone(), signing.clone(), step(1, Transition::Send)],
    )
    .await;
    let sent = stored(&store, 1).await;
    assert_eq!(
        (sent.state, sent.sent_at),
        (PayoutState::Broadcast, Some(at(1_000)))
    );
    assert_eq!(sent.signed, Some(signed(9, 14)));
    assert_eq!(sent.parts[0].net(), sats(990));
    // What comes late, after a restart say, changes nothing.
    let late = vec![
        reserve(&first),
        signing,
        step(1, Transition::Send),
        step(1, Transition::Depth(2)),
    ];
    commit(&store, late).await;
    assert_eq!(stored(&store, 1).await.confirmations, 2);
    drop(store);

    let store = backend.open();
    let confirm = step(1, Transition::Confirm(6));
    commit(&store, vec![confirm.clone(), confirm]).await;
    assert_eq!(balances(&store, 1).await, [0, 0, 990]);
    assert_eq!(balances(&store, 2).await, [100, 0, 396]);
    commit(
        &store,
        vec![
            step(1, Transition::Unconfirm(0)),
            step(1, Transition::Unconfirm(0)),
        ],
    )
    .await;
    assert_eq!(balances(&store, 1).await, [0, 1_000, 0]);
    commit(
        &store,
        vec![step(1, Transition::Confirm(7)), step(1, Transition::Forget)],
    )
    .await;
    assert_eq!(balances(&store, 2).await, [100, 0, 396]);
    let forgotten = stored(&store, 1).await;
    assert!(!forgotten.is_watched && forgotten.signed.unwrap().bytes.is_empty());
    assert_eq!(ledger_sum(&store).await, 0);
}

/// The pool's reserve pays the network, and gets it back with a reorganisation.
pub async fn a_fee_that_the_pool_pays_comes_from_its_reserve<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let first = payout(1, &[(1, 600)], FeePayer::Pool);
    commit(
        &store,
        vec![
            reserve(&first),
            step(1, sign(9, 30, &[0])),
            step(1, Transition::Send),
        ],
    )
    .await;
    commit(&store, vec![step(1, Transition::Confirm(6))]).await;
    assert_eq!(balances(&store, 1).await, [400, 0, 600]);
    assert_eq!(ledger_sum(&store).await, 0);
}

/// Money is given back when a payout is given up or its inputs are spent, and taken again if it comes back.
pub async fn a_payout_is_given_back_and_may_come_back<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let given_up = payout(1, &[(1, 1_000)], FeePayer::Pool);
    let cancel = step(1, Transition::Cancel("the wallet refuses the address".to_owned()));
    commit(&store, vec![reserve(&given_up), cancel.clone(), cancel]).await;
    assert_eq!(balances(&store, 1).await, [1_000, 0, 0]);
    let next = payout(2, &[(1, 1_000), (2, 500)], FeePayer::Pool);
    commit(
        &store,
        vec![
            reserve(&next),
            step(2, sign(9, 30, &[0, 0])),
            step(2, Transition::Send),
        ],
    )
    .await;
    let give_back = step(2, Transition::Return("spent by another".to_owned()));
    commit(&store, vec![give_back.clone(), give_back]).await;
    assert_eq!(balances(&store, 1).await, [1_000, 0, 0]);
    let third = payout(3, &[(1, 700)], FeePayer::Pool);
    commit(&store, vec![reserve(&third)]).await;
    drop(store);

    let store = backend.open();
    commit(
        &store,
        vec![step(2, Transition::Revive(1)), step(2, Transition::Revive(1))],
    )
    .await;
    // 300 sats of miner 1 were left; the reserve bears the other 700.
    assert_eq!(balances(&store, 1).await, [0, 1_700, 0]);
    assert_eq!(stored(&store, 2).await.parts[0].borne, sats(700));
    let give_back = step(2, Transition::Return("spent by another".to_owned()));
    commit(&store, vec![give_back]).await;
    assert_eq!(
        balances(&store, 1).await,
        [300, 700, 0],
        "the reserve has its own back"
    );
    assert_eq!(balances(&store, 2).await, [500, 0, 0]);
    assert_eq!(ledger_sum(&store).await, 0);
}

/// Setting aside what is not there is refused as an answer, not as an error, and leaves nothing.
pub async fn a_payout_of_more_than_is_payable_is_refused<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let too_much = payout(1, &[(2, 500), (1, 1_001)], FeePayer::Pool);
    assert_eq!(
        commit(&store, vec![reserve(&too_much)]).await,
        [Written::PayoutRefused]
    );
    assert_eq!(store.payout(PayoutId::new(1)).await.unwrap(), None);
    assert_eq!(balances(&store, 2).await, [500, 0, 0]);
    let right = payout(1, &[(2, 500)], FeePayer::Pool);
    assert_eq!(commit(&store, vec![reserve(&right)]).await, [Written::Done]);
}

/// What contradicts a payout is a conflict and leaves nothing.
pub async fn a_step_that_contradicts_its_payout_is_a_conflict<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let first = payout(2, &[(1, 100)], FeePayer::Miners);
    commit(&store, vec![reserve(&first)]).await;
    let other = payout(2, &[(1, 101)], FeePayer::Miners);
    let earlier = payout(1, &[(1, 100)], FeePayer::Miners);
    for wrong in [
        reserve(&other),
        reserve(&earlier),
        step(2, Transition::Send),
        step(2, Transition::Confirm(6)),
        step(2, Transition::Return(String::new())),
        step(2, sign(9, 5, &[6])),
        step(2, sign(9, 5, &[])),
        step(7, Transition::Send),
    ] {
        assert_eq!(refused(&store, vec![wrong]).await, StoreErrorKind::Conflict);
    }
    commit(&store, vec![step(2, sign(9, 5, &[5]))]).await;
    for wrong in [
        step(2, sign(8, 5, &[5])),
        step(2, Transition::Cancel(String::new())),
    ] {
        assert_eq!(refused(&store, vec![wrong]).await, StoreErrorKind::Conflict);
    }
    assert_eq!(balances(&store, 1).await, [900, 100, 0]);
}

/// What the wallet sent and the ledger did not know is booked once, from the balances as far as they go.
pub async fn a_spend_is_adopted_once_and_the_reserve_bears_what_no_balance_covers<B: Backend>(backend: B) {
    let mut store = with_payable(&backend).await;
    let adopted = Adopted {
        parts: vec![part(1, 900), part(2, 800), part(9, 30), part(1, 150)],
        uncovered: sats(380),
        payer: FeePayer::Pool,
    };
    let rate = FeeRate::new(7).unwrap();
    let adopt = |id: u64, signed: Signed| {
        let payout = Payout::adopt(PayoutId::new(id), at(5), adopted.clone(), rate, signed);
        Write::AdoptPayout(Box::new(payout))
    };
    commit(&store, vec![adopt(1, signed(7, 40))]).await;
    for _ in 0..2 {
        // The same transaction again, under whatever number, changes nothing.
        commit(&store, vec![adopt(1, signed(7, 40)), adopt(2, signed(7, 40))]).await;
        let payout = store.payout(PayoutId::new(1)).await.unwrap().unwrap();
        assert_eq!(payout.state, PayoutState::Broadcast);
        let borne: Vec<u64> = payout.parts.iter().map(|part| part.borne.sats()).collect();
        assert_eq!(borne, [0, 300, 30, 50]);
        assert!(
            payout.is_adopted() && payout.note.contains("380 sats"),
            "{}",
            payout.note
        );
        assert_eq!(store.payout(PayoutId::new(2)).await.unwrap(), None);
        assert_eq!(store.miner_balances(key(1)).await.unwrap().payable, sats(0));
        assert_eq!(store.miner_balances(key(1)).await.unwrap().in_flight, sats(1_050));
        assert_eq!(store.totals().await.unwrap().ledger_sum, 0);
        drop(store);
        store = backend.open();
    }
    let confirm = Write::StepPayout {
        id: PayoutId::new(1),
        step: Transition::Confirm(6),
        at: at(9),
    };
    commit(&store, vec![confirm]).await;
    let payout = store.payout(PayoutId::new(1)).await.unwrap().unwrap();
    assert!(payout.is_adopted(), "what was out of the ordinary stays said");
    assert_eq!(store.miner_balances(key(2)).await.unwrap().paid, sats(800));
    let held = store.totals().await.unwrap().holdings;
    assert_eq!((held.reserve, held.paid, held.network_fees), (-420, 1_880, 40));
    let known = store
        .known_txids(vec![Txid::from_bytes([7; 32]), Txid::from_bytes([8; 32])])
        .await
        .unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [Txid::from_bytes([7; 32])]);
    // A number that is taken contradicts what is stored.
    assert_eq!(
        refused(&store, vec![adopt(1, signed(8, 1))]).await,
        StoreErrorKind::Conflict
    );
}
