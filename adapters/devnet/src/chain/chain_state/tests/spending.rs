//! Transactions: waiting, being confirmed, falling out of the chain.

use dwarves_domain::work::template::TemplateTransaction;

use super::*;

const COIN: u64 = 5_000_000_000;

fn coinbase_of(state: &DevnetState, height: u32) -> OutPoint {
    OutPoint::new(state.block_at(height).unwrap().txdata[0].compute_txid(), 0)
}

fn word(result: Result<Txid, Refusal>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_coinbase_can_be_spent_in_the_block_in_which_it_matures() {
    let mut state = easy_state();
    mine(&mut state, 9);
    let tx = payment(&[coinbase_of(&state, 1)], COIN, false);
    // The next block has height 10, nine above the coin's.
    assert_eq!(
        word(state.accept_transaction(tx.clone())),
        "bad-txns-premature-spend-of-coinbase"
    );
    mine(&mut state, 1);
    let txid = state.accept_transaction(tx).unwrap();
    mine(&mut state, 1);
    assert_eq!(state.waiting(), []);
    assert_eq!(state.block_at(11).unwrap().txdata[1].compute_txid(), txid);
    let paid = state.coins_of(Script::from_bytes(&[0x52]));
    assert_eq!(paid.len(), 1);
    assert_eq!(
        (paid[0].0, paid[0].1.height, paid[0].1.is_coinbase),
        (OutPoint::new(txid, 0), 11, false)
    );
}

#[test]
fn a_template_holds_what_waits_and_the_coinbase_gets_the_fees() {
    let mut state = easy_state();
    mine(&mut state, 12);
    let parent = payment(&[coinbase_of(&state, 1)], COIN - 700, true);
    let parent_id = state.accept_transaction(parent.clone()).unwrap();
    let child = payment(
        &[OutPoint::new(parent_id, 0), coinbase_of(&state, 2)],
        2 * COIN - 1_000,
        false,
    );
    let child_id = state.accept_transaction(child.clone()).unwrap();
    assert_eq!(state.waiting(), [parent_id, child_id]);
    let template = state.template(NOW).unwrap();
    assert_eq!(template.subsidy.sats(), COIN);
    assert_eq!(template.coinbase_value.sats(), COIN + 1_000);
    assert_eq!(template.transactions[0].data, serialize(&parent));
    assert_eq!(template.transactions[1].txid, child_id.to_byte_array());
    assert_ne!(
        template.witness_commitment,
        Some(consensus::commitment_script([].into_iter()))
    );
    mine(&mut state, 1);
    let block = state.block_at(13).unwrap();
    assert!(block.check_witness_commitment());
    assert_eq!(block.txdata.len(), 3);
    assert_eq!(
        block.txdata[0].output[0].value.to_sat(),
        COIN + 1_000,
        "the fees are the finder's"
    );
    assert_eq!(state.coins_digest(), replayed_digest(&state));
}

#[test]
fn transactions_are_refused_with_a_reason_and_without_a_trace() {
    let mut state = easy_state();
    mine(&mut state, 12);
    let first = payment(&[coinbase_of(&state, 1)], COIN, false);
    state.accept_transaction(first.clone()).unwrap();
    let coinbase = state.block_at(1).unwrap().txdata[0].clone();
    let mut locked = payment(&[coinbase_of(&state, 2)], COIN, false);
    locked.input[0].sequence = Sequence::ZERO;
    locked.lock_time = LockTime::from_height(13).unwrap();
    let cases = [
        (first, "txn-already-in-mempool"),
        (
            payment(&[coinbase_of(&state, 1)], COIN - 1, false),
            "txn-mempool-conflict",
        ),
        (
            payment(&[OutPoint::new(Txid::all_zeros(), 3)], 1, false),
            "bad-txns-inputs-missingorspent",
        ),
        (
            payment(&[coinbase_of(&state, 2)], COIN + 1, false),
            "bad-txns-in-belowout",
        ),
        (payment(&[], 1, false), "bad-txns-vin-empty"),
        (coinbase, "coinbase"),
        (locked, "non-final"),
    ];
    let before = fingerprint(&state);
    for (tx, reason) in cases {
        assert_eq!(word(state.accept_transaction(tx)), reason);
        assert_eq!(fingerprint(&state), before, "{reason} left a trace");
    }
    mine(&mut state, 1);
    let confirmed = state.block_at(13).unwrap().txdata[1].clone();
    assert_eq!(word(state.accept_transaction(confirmed)), "txn-already-known");
}

#[test]
fn the_room_for_waiting_transactions_is_bounded_and_a_full_template_is_a_valid_block() {
    let mut state = easy_state();
    mine(&mut state, 21);
    let mut outcome = Ok(());
    for height in 1..=12 {
        let mut tx = payment(&[coinbase_of(&state, height)], COIN, false);
        tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x52; 95_000]);
        outcome = state.accept_transaction(tx).map(|_| ());
    }
    assert_eq!(outcome.unwrap_err().to_string(), "mempool full");
    assert_eq!(state.waiting().len(), 10);
    mine(&mut state, 1);
    assert_eq!(state.block_at(22).unwrap().txdata.len(), 11);
}

#[test]
fn a_reorganisation_lets_transactions_wait_again_and_drops_what_lost_its_coins() {
    let mut state = easy_state();
    mine(&mut state, 12);
    let fork = state.tip().hash;
    // Block 13 confirms a payment of an old coin and makes a coin of its own.
    let old = payment(&[coinbase_of(&state, 1)], COIN, false);
    let old_id = state.accept_transaction(old).unwrap();
    mine(&mut state, 1);
    let on_top = payment(&[OutPoint::new(old_id, 0)], COIN, true);
    let on_top_id = state.accept_transaction(on_top).unwrap();
    mine(&mut state, 10);
    let own = payment(&[coinbase_of(&state, 13)], COIN, false);
    let own_id = state.accept_transaction(own).unwrap();
    assert_eq!(state.waiting(), [own_id]);
    let before = state.coins_digest();

    let mut parent = fork;
    while state.tip().hash != parent || parent == fork {
        let (hash, bytes) = found_on(&state, &parent);
        assert!(!matches!(state.accept(&bytes, NOW), SubmitOutcome::Refused(_)));
        parent = hash;
    }
    assert_eq!(state.tip().height, 24);
    assert_eq!(state.waiting(), [old_id, on_top_id]);
    assert_ne!(state.coins_digest(), before);
    assert_eq!(state.coins_digest(), replayed_digest(&state));
    mine(&mut state, 1);
    assert_eq!(state.waiting(), []);
    assert_eq!(state.coins_digest(), replayed_digest(&state));
}

#[test]
fn a_side_chain_may_spend_what_the_best_chain_spent_otherwise_but_only_once() {
    let mut state = easy_state();
    mine(&mut state, 12);
    let fork = state.tip().hash;
    let place = coinbase_of(&state, 1);
    state.accept_transaction(payment(&[place], COIN, false)).unwrap();
    mine(&mut state, 1);
    let side_block = |state: &DevnetState, parent: &HeaderHash, tx: Transaction| {
        let mut template = state.side_template(parent, NOW).unwrap().unwrap();
        template.witness_commitment = Some(consensus::commitment_script([&tx].into_iter()));
        template.transactions = vec![TemplateTransaction {
            data: serialize(&tx),
            txid: tx.compute_txid().to_byte_array(),
        }];
        solve(template, SCRIPT, state.fresh_extranonce())
    };
    let (side, bytes) = side_block(&state, &fork, payment(&[place], COIN - 1, false));
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Inconclusive);
    let (_, again) = side_block(&state, &side, payment(&[place], COIN - 2, false));
    assert_eq!(
        state.accept(&again, NOW),
        SubmitOutcome::Refused("bad-txns-inputs-missingorspent".to_owned())
    );
}
