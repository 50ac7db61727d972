//! Payouts: money set aside, on its way, paid and given back.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{
    Adopted, FeePayer, FeeRate, OutPoint, Part, Payout, PayoutState, Signed, Transition, Txid,
};
use dwarves_domain::rewards::{Scheme, Source, Weights, close};
use dwarves_domain::units::{Amount, BasisPoints};

use super::Backend;
use super::fixtures::{
    at, close_round, commit, furnished, key, page, refused, register, round_input, sats, start,
};
use dwarves_ports::store::{AuditRow, SharedStore, StoreErrorKind, Write, Written};

/// A store in which miners 1 and 2 have 1,000 and 500 sats payable.
async fn with_payable<B: Backend>(backend: &B) -> SharedStore {
    let store = furnished(backend).await;
    let mut input = round_input(1, Scheme::Pplns);
    input.source = Source::Emission;
    input.fee = BasisPoints::default();
    let weights = Weights::sum([(key(1), 1_000), (key(2), 500)]).unwrap();
    input.emission = Some((sats(1_500), weights));
    commit(&store, vec![close_round(close(&input).unwrap(), &[], 0)]).await;
    store
}

/// With what it is owed, and with a payout that may still change, whatever its state is.
pub async fn a_miner_with_money_is_not_removed<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let remove = |miner: u8| Write::RemoveMiner { hotkey: key(miner) };
    let kept = |written: Vec<Written>| written == [Written::MinerKept];
    assert!(kept(commit(&store, vec![remove(1)]).await), "payable");
    let all = payout(1, &[(1, 1_000), (2, 500)], FeePayer::Miners);
    commit(&store, vec![reserve(&all)]).await;
    assert!(kept(commit(&store, vec![remove(1)]).await), "in flight");
    let (id, at) = (all.id, at(9));
    let fees = vec![sats(20), sats(10)];
    let signed = signed(1, 30);
    for step in [
        Transition::Sign { signed, fees },
        Transition::Send,
        Transition::Confirm(6),
    ] {
        commit(&store, vec![Write::StepPayout { id, step, at }]).await;
        assert!(kept(commit(&store, vec![remove(1)]).await), "watched");
    }
    let step = Transition::Forget;
    commit(&store, vec![Write::StepPayout { id, step, at }]).await;
    assert_eq!(commit(&store, vec![remove(1)]).await, [Written::Done]);
    assert_eq!(
        store.miner_balances(key(1)).await.unwrap().paid,
        sats(980),
        "the books stay"
    );
}

/// The row of an order that is refused is not in the trail, and that of one that is done is.
pub async fn an_orders_row_is_stored_only_with_what_it_orders<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    let order = |miner: u8| {
        let row = AuditRow {
            id: 0,
            at: at(9),
            who: "token".to_owned(),
            actor: "miner_manager".to_owned(),
            message: format!("remove {miner}"),
            fields: "{}".to_owned(),
            outcome: "{}".to_owned(),
        };
        let hotkey = key(miner);
        [Write::RemoveMiner { hotkey }, Write::AppendAuditIfDone(row)]
    };
    let register = |miner: u8| Write::RegisterMiner {
        hotkey: key(miner),
        payout_address: None,
        at: at(9),
    };
    commit(&store, vec![register(8), register(9)]).await;
    // Orders of several admins may be one transaction.
    let writes = [order(8), order(1), order(9)].concat();
    use Written::{Done, MinerKept};
    let written = commit(&store, writes).await;
    assert_eq!(written, [Done, Done, MinerKept, Done, Done, Done]);
    let rows = store.audit(page(None, 9)).await.unwrap().rows;
    let messages: Vec<_> = rows.iter().map(|row| row.message.as_str()).collect();
    assert_eq!(messages, ["remove 9", "remove 8"]);
}

fn part(miner: u8, amount: u64) -> Part {
    Part {
        hotkey: key(miner),
        address: format!("address-{miner}"),
        amount: sats(amount),
        fee: Amount::ZERO,
        borne: Amount::ZERO,
    }
}

fn payout(id: u64, parts: &[(u8, u64)], payer: FeePayer) -> Payout {
    let parts = parts.iter().map(|&(miner, amount)| part(miner, amount)).collect();
    let rate = FeeRate::new(7).unwrap();
    Payout::reserve(
        PayoutId::new(id),
        at(i64::try_from(id).unwrap()),
        parts,
        payer,
        rate,
    )
}

fn reserve(payout: &Payout) -> Write {
    Write::ReservePayout(Box::new(payout.clone()))
}

fn signed(byte: u8, fee: u64) -> Signed {
    Signed {
        txid: Txid::from_bytes([byte; 32]),
        bytes: vec![byte; 300],
        inputs: vec![
            OutPoint {
                txid: Txid::from_bytes([0xee; 32]),
                vout: u32::MAX,
            },
            OutPoint {
                txid: Txid::from_bytes([byte; 32]),
                vout: 0,
            },
        ],
        fee: sats(fee),
    }
}

fn sign(byte: u8, fee: u64, fees: &[u64]) -> Transition {
    Transition::Sign {
        signed: signed(byte, fee),
        fees: fees.iter().map(|&fee| sats(fee)).collect(),
    }
}

fn step(id: u64, step: Transition) -> Write {
    Write::StepPayout {
        id: PayoutId::new(id),
        step,
        at: at(1_000),
    }
}

/// A miner's payable, in-flight and paid sats.
async fn balances(store: &SharedStore, miner: u8) -> [u64; 3] {
    let of = store.miner_balances(key(miner)).await.unwrap();
    [of.payable, of.in_flight, of.paid].map(Amount::sats)
}

async fn stored(store: &SharedStore, id: u64) -> Payout {
    store
        .payout(PayoutId::new(id))
        .await
        .unwrap()
        .expect("it is stored")
}

async fn ledger_sum(store: &SharedStore) -> i128 {
    store.totals().await.unwrap().ledger_sum
}

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
