//! What is read of one share, block or payout.

use dwarves_domain::ids::RoundId;
use dwarves_domain::payouts::{FeePayer, PayoutState, Transition, Txid};
use dwarves_domain::rewards::{BlockReward, Emission, Scheme, ShareValue, Source, Weights, close, pps};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{BasisPoints, Units};

use super::Backend;
use super::fixtures::{
    append, at, became, block_share, booked_round, close_round, commit, empty_round, found, furnished, hash,
    key, page, round_input, sats, seq, share, template,
};
use super::payouts::{payout, reserve, sign, step, with_payable};
use dwarves_ports::store::{Accounting, BlockState, Earned, Write};

/// A share comes with its miner, worker and template, what became of its block, and the round that looked at it.
pub async fn a_share_is_read_with_what_belongs_to_it<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 10), block_share(2, 2, 20, 101)]).await;
    append(&store, vec![share(3, 3, 30)]).await;
    let rounds = [(1, 1), (2, 2), (3, 2), (4, 3)];
    for (id, through) in rounds {
        commit(&store, vec![close_round(empty_round(id), &[], through)]).await;
    }
    let first = store.share(seq(1)).await.unwrap().unwrap();
    assert_eq!((first.sequence, first.total_before), (seq(1), Units::ZERO));
    assert_eq!((first.hotkey, first.worker.as_str()), (key(1), "rig-1"));
    assert_eq!(first.row, share(1, 1, 10));
    assert_eq!(
        (first.block, first.round, first.is_whole),
        (None, Some(RoundId::new(1)), true)
    );
    let mut terms = template(1);
    terms.chain.transactions.clear();
    terms.chain.trailer.clear();
    assert_eq!(first.template, terms);

    let second = store.share(seq(2)).await.unwrap().unwrap();
    assert_eq!(
        (second.hotkey, second.total_before),
        (key(2), Units::from_raw(10))
    );
    assert_eq!(second.block, Some(BlockState::Submitted));
    assert_eq!(
        second.round,
        Some(RoundId::new(2)),
        "the first round that looked so far"
    );
    assert_eq!(
        store.share(seq(3)).await.unwrap().unwrap().round,
        Some(RoundId::new(4))
    );
    for nowhere in [0, 4, u64::MAX] {
        assert_eq!(store.share(seq(nowhere)).await.unwrap(), None, "{nowhere}");
    }
    // What is pruned is not there any more, and what came after is.
    append(&store, vec![share(4, 1, 1)]).await;
    let end = template(2).id;
    let through = Write::SaveCounters {
        at: super::fixtures::NOW,
        through: seq(4),
        counters: Vec::new(),
    };
    commit(
        &store,
        vec![
            Write::SaveTemplate(Box::new(template(2))),
            Write::DropTemplates { before: end },
            through,
            close_round(empty_round(5), &[], 4),
            Write::PruneShares { through: seq(2) },
        ],
    )
    .await;
    commit(&store, Vec::new()).await;
    for (sequence, is_there) in [(1, false), (2, false), (3, true), (4, true)] {
        let share = store.share(seq(sequence)).await.unwrap();
        assert_eq!(share.is_some(), is_there, "{sequence}");
    }
}

/// Each state once, with the time at which it was learnt; deeper in the same state is nothing new.
pub async fn the_states_of_a_block_are_kept_with_their_times<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![block_share(1, 1, 10, 101)]).await;
    let states = [
        (BlockState::Immature, 10),
        (BlockState::Immature, 20),
        (BlockState::Orphaned, 30),
        (BlockState::Immature, 40),
        (BlockState::Mature, 50),
    ];
    for (state, secs) in states {
        commit(
            &store,
            vec![Write::SetBlockState {
                hash: hash(1),
                state,
                confirmations: 1,
                at: at(secs),
                block: None,
            }],
        )
        .await;
    }
    drop(store);
    let store = backend.open();
    let details = store.block_details(hash(1), 10).await.unwrap().unwrap();
    let times = |secs: i64| Some(at(secs));
    assert_eq!(
        details.states,
        [
            (BlockState::Submitted, times(1)),
            (BlockState::Immature, times(10)),
            (BlockState::Orphaned, times(30)),
            (BlockState::Immature, times(40)),
            (BlockState::Mature, times(50)),
        ]
    );
    assert_eq!(details.beginning, [0; 0], "a deep block's bytes are dropped");
    assert_eq!(store.block_details(hash(2), 10).await.unwrap(), None);

    // One that no share is known of begins with what is learnt of it first.
    commit(
        &store,
        vec![Write::SetBlockState {
            hash: hash(7),
            state: BlockState::Accepted,
            confirmations: 0,
            at: at(60),
            block: Some(found(102, 1)),
        }],
    )
    .await;
    let details = store.block_details(hash(7), 10).await.unwrap().unwrap();
    assert_eq!(details.states, [(BlockState::Accepted, times(60))]);
    assert_eq!(details.beginning, [0xb1; 10]);
    let all = store.block_details(hash(7), u32::MAX).await.unwrap().unwrap();
    assert_eq!(all.beginning.len(), 300);
}

/// Nothing until a round took it.
pub async fn a_block_says_what_was_booked_for_it<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![block_share(1, 1, 10, 101)]).await;
    commit(&store, vec![became(1, BlockState::Immature)]).await;
    let details = store.block_details(hash(1), 0).await.unwrap().unwrap();
    assert_eq!((details.booked, details.beginning.len()), (None, 0));
    let mut round = booked_round(1, Accounting::Credited);
    round.blocks = vec![dwarves_domain::rewards::SettledBlock {
        hash: hash(1),
        height: 101,
        fee: sats(0),
        kept: sats(1_000),
        credits: Vec::new(),
    }];
    commit(&store, vec![close_round(round, &[(1, Accounting::Credited)], 1)]).await;
    let booked = store
        .block_details(hash(1), 0)
        .await
        .unwrap()
        .unwrap()
        .booked
        .unwrap();
    assert_eq!((booked.round, booked.kept), (RoundId::new(1), sats(1_000)));
    assert_eq!((booked.fee, booked.credited), (sats(0), sats(0)));
}

/// Orphaned and refused ones are left out.
pub async fn the_ends_of_found_blocks_are_read_newest_first<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    assert_eq!(store.found_ends(10).await.unwrap(), []);
    for n in 1..=4 {
        append(&store, vec![block_share(n, 1, 10, 100)]).await;
    }
    commit(
        &store,
        vec![became(2, BlockState::Orphaned), became(3, BlockState::Immature)],
    )
    .await;
    let ends = |ends: &[u128]| -> Vec<Units> { ends.iter().copied().map(Units::from_raw).collect() };
    assert_eq!(store.found_ends(10).await.unwrap(), ends(&[40, 30, 10]));
    assert_eq!(store.found_ends(2).await.unwrap(), ends(&[40, 30]));
}

/// A page of payouts has sums and no parts, one payout has its parts; none has its bytes.
pub async fn payouts_are_read_newest_first_and_by_their_transaction<B: Backend>(backend: B) {
    let store = with_payable(&backend).await;
    for id in 1..=3 {
        let parts = [(2, 10), (1, 100)];
        commit(&store, vec![reserve(&payout(id, &parts, FeePayer::Miners))]).await;
    }
    commit(
        &store,
        vec![step(2, sign(9, 5, &[1, 4])), step(2, Transition::Send)],
    )
    .await;
    let first = store.payouts(page(None, 2)).await.unwrap();
    let second = store.payouts(page(first.next, 2)).await.unwrap();
    assert_eq!(second.next, None);
    let ids = |rows: &[dwarves_ports::store::PayoutRow]| -> Vec<u64> {
        rows.iter().map(|row| row.payout.id.get()).collect()
    };
    assert_eq!((ids(&first.rows), ids(&second.rows)), (vec![3, 2], vec![1]));
    let sent = &first.rows[1];
    assert_eq!((sent.parts, sent.total), (2, sats(110)));
    assert_eq!(sent.payout.state, PayoutState::Broadcast);
    let txid = Txid::from_bytes([9; 32]);
    let signed = sent.payout.signed.as_ref().unwrap();
    assert_eq!((signed.txid, signed.bytes.len(), signed.fee), (txid, 0, sats(5)));
    assert!(sent.payout.parts.is_empty());

    let whole = store.payout_of(txid).await.unwrap().unwrap();
    assert_eq!(whole.parts, store.payout(whole.id).await.unwrap().unwrap().parts);
    assert_eq!(whole.parts.len(), 2);
    assert_eq!(whole.signed.unwrap().bytes.len(), 0);
    assert_eq!(store.payout_of(Txid::from_bytes([8; 32])).await.unwrap(), None);
}

/// What one block was split by is in its credits; of several it is kept, and so is what work was worth.
pub async fn how_a_round_came_to_its_credits_is_kept<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(
        &store,
        vec![block_share(1, 1, 10, 101), block_share(2, 1, 10, 102)],
    )
    .await;
    let work = |of: &[(u8, u128)]| Weights::sum(of.iter().map(|&(of, work)| (key(of), work))).unwrap();
    let block = |n: u64, work: Weights| BlockReward {
        hash: hash(n),
        height: 100,
        reward: sats(1_000),
        finder: Some(key(1)),
        weights: work,
    };
    let credited = Accounting::Credited;
    let mut input = round_input(1, Scheme::Pplns);
    let splits = [work(&[(1, 3), (2, 1)]), work(&[(1, u128::MAX / 4)])];
    input.accepted = vec![block(1, splits[0].clone()), block(2, splits[1].clone())];
    let round = close(&input).unwrap();
    commit(
        &store,
        vec![close_round(round, &[(1, credited), (2, credited)], 2)],
    )
    .await;

    let mut paid = round_input(2, Scheme::Fpps);
    let share = |of: u8, units: u128, value: u64| ShareValue {
        hotkey: key(of),
        units: Units::from_raw(units),
        value: sats(value),
    };
    paid.shares = vec![
        share(1, 5, 700),
        share(1, 6, 800),
        share(2, 9, 700),
        share(1, 7, 700),
    ];
    paid.carried = [(key(1), pps::DENOMINATOR - 1), (key(3), 4)]
        .into_iter()
        .collect();
    commit(&store, vec![close_round(close(&paid).unwrap(), &[], 2)]).await;
    commit(&store, vec![close_round(empty_round(3), &[], 2)]).await;
    drop(store);

    let store = backend.open();
    let of = async |round: u64, miner: u8| store.workings(RoundId::new(round), key(miner)).await.unwrap();
    let split = of(1, 1).await.unwrap();
    assert_eq!(
        (split.fee.get(), split.splits.as_slice(), split.paid),
        (100, &splits[..], None)
    );
    let mine = of(2, 1).await.unwrap();
    assert_eq!(mine.splits, []);
    let mine = mine.paid.unwrap();
    assert_eq!(mine.carried, pps::DENOMINATOR - 1);
    let work: Vec<(u64, u128)> = mine
        .work
        .iter()
        .map(|(value, units)| (value.sats(), units.raw()))
        .collect();
    assert_eq!(work, [(700, 12), (800, 6)]);
    let theirs = of(2, 2).await.unwrap().paid.unwrap();
    assert_eq!((theirs.carried, theirs.work.len()), (0, 1));
    assert_eq!(
        of(2, 3).await.unwrap().paid,
        None,
        "who did not work was not paid"
    );
    assert_eq!(of(3, 1).await, None, "a round that credited nobody has none");
    assert_eq!(of(9, 1).await, None);
}

/// Since a date, of so many of the newest credits; what is taken back counts against it.
pub async fn what_was_earned_is_added_up_by_the_day<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let pay = async |id: u64, secs: i64, amount: u64| {
        let mut input = round_input(id, Scheme::Pplns);
        input.closed_at = at(secs);
        input.source = Source::Emission;
        input.fee = BasisPoints::default();
        input.emission = Some(Emission::of(sats(amount), Weights::sum([(key(1), 1)]).unwrap()));
        commit(&store, vec![close_round(close(&input).unwrap(), &[], 0)]).await;
    };
    let day = 86_400;
    let midnight = |secs: i64| {
        let at = at(secs).millis();
        Timestamp::from_millis(at - at.rem_euclid(day * 1_000))
    };
    pay(1, 0, 5).await;
    pay(2, day, 7).await;
    pay(3, day, 11).await;
    pay(4, 3 * day, 13).await;
    let earned = async |since: i64, limit: u32| store.earned(key(1), at(since), limit).await.unwrap();
    let all = earned(-9, 10).await;
    let days = [(midnight(0), 5), (midnight(day), 18), (midnight(3 * day), 13)];
    assert_eq!(
        (all.days.into_iter().collect::<Vec<_>>(), all.cut_at),
        (days.to_vec(), None)
    );
    let late = earned(1, 10).await;
    assert_eq!(
        (late.days.into_iter().collect::<Vec<_>>(), late.cut_at),
        (days[1..].to_vec(), None)
    );
    let cut = earned(-9, 2).await;
    assert_eq!(
        cut.days.into_iter().collect::<Vec<_>>(),
        [(midnight(day), 11), (midnight(3 * day), 13)]
    );
    assert_eq!(cut.cut_at, Some(at(day)));
    assert_eq!(earned(-9, 4).await.cut_at, None, "there are no more");
    let nobody = store.earned(key(2), at(-9), 10).await.unwrap();
    assert_eq!(nobody, Earned::default());
}
