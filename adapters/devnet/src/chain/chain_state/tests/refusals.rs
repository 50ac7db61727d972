//! Every word with which a block is refused, each by a block that is wrong in that one way.

use super::*;

/// Takes a valid block, changes it, and searches again until the header meets its own bits.
fn changed(state: &DevnetState, change: impl FnOnce(&mut Block)) -> Vec<u8> {
    let mut block: Block = deserialize(&found(state).1).unwrap();
    change(&mut block);
    solved(block)
}

fn solved(mut block: Block) -> Vec<u8> {
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce = block.header.nonce.wrapping_add(1);
    }
    serialize(&block)
}

/// As [`changed`], with the witness commitment and the merkle root made right again.
fn reassembled(state: &DevnetState, change: impl FnOnce(&mut Vec<Transaction>)) -> Vec<u8> {
    changed(state, |block| {
        change(&mut block.txdata);
        let script = consensus::commitment_script(block.txdata.iter().skip(1));
        for output in &mut block.txdata[0].output {
            if output.script_pubkey.is_op_return() {
                output.script_pubkey = ScriptBuf::from_bytes(script.clone());
            }
        }
        block.header.merkle_root = block.compute_merkle_root().unwrap();
    })
}

/// As [`changed`], with only the merkle root made right again.
fn rerooted(state: &DevnetState, change: impl FnOnce(&mut Vec<Transaction>)) -> Vec<u8> {
    changed(state, |block| {
        change(&mut block.txdata);
        block.header.merkle_root = block.compute_merkle_root().unwrap();
    })
}

fn assert_refused(state: &mut DevnetState, bytes: &[u8], word: &str) {
    let before = fingerprint(state);
    assert_eq!(state.accept(bytes, NOW), SubmitOutcome::from_bip22(Some(word)));
    assert_eq!(fingerprint(state), before, "{word} left a trace");
}

/// A chain on which the coinbases of blocks 1 to 3 are mature.
fn grown() -> (DevnetState, Vec<OutPoint>) {
    let mut state = easy_state();
    mine(&mut state, 12);
    let coinbase = |height| OutPoint::new(state.block_at(height).unwrap().txdata[0].compute_txid(), 0);
    let places = (1..=12).map(coinbase).collect();
    (state, places)
}

#[test]
fn headers_are_refused_in_the_words_of_a_node() {
    let (mut state, _) = grown();
    let now = u32::try_from(NOW.secs()).unwrap();
    let median = state.template(NOW).unwrap().time_min - 1;
    let mut unsolved: Block = deserialize(&found(&state).1).unwrap();
    while unsolved.header.target().is_met_by(unsolved.block_hash()) {
        unsolved.header.nonce += 1;
    }
    let bits =
        |bits| move |block: &mut Block| block.header.bits = bitcoin::CompactTarget::from_consensus(bits);
    let time = |time| move |block: &mut Block| block.header.time = time;
    let version = |version| {
        move |block: &mut Block| block.header.version = bitcoin::block::Version::from_consensus(version)
    };
    let mut no_target: Block = deserialize(&found(&state).1).unwrap();
    no_target.header.bits = bitcoin::CompactTarget::from_consensus(0xff12_3456);
    let cases = [
        (serialize(&unsolved), "high-hash"),
        (serialize(&no_target), "high-hash"),
        (changed(&state, bits(0x2070_0000)), "bad-diffbits"),
        (changed(&state, time(median)), "time-too-old"),
        (changed(&state, time(now + 7_201)), "time-too-new"),
        (changed(&state, version(3)), "bad-version(0x00000003)"),
        (changed(&state, version(-1)), "bad-version(0xffffffff)"),
        (
            changed(&state, |block| {
                block.header.prev_blockhash = BlockHash::all_zeros()
            }),
            "prev-blk-not-found",
        ),
        (
            changed(&state, |block| {
                block.header.merkle_root = bitcoin::TxMerkleNode::all_zeros();
            }),
            "bad-txnmrklroot",
        ),
    ];
    for (bytes, word) in cases {
        assert_refused(&mut state, &bytes, word);
    }
    for good in [time(median + 1), time(now + 7_200)] {
        let bytes = changed(&state, good);
        assert!(matches!(state.judge(&bytes, NOW), Judged::Valid(_)));
    }
    let bytes = changed(&state, version(4));
    assert!(matches!(state.judge(&bytes, NOW), Judged::Valid(_)));
}

#[test]
fn coinbases_are_refused_in_the_words_of_a_node() {
    let (mut state, _) = grown();
    let script = |bytes: &'static [u8]| {
        move |txs: &mut Vec<Transaction>| txs[0].input[0].script_sig = ScriptBuf::from_bytes(bytes.to_vec())
    };
    let value = |delta: u64| {
        move |txs: &mut Vec<Transaction>| {
            txs[0].output[0].value += bitcoin::Amount::from_sat(delta);
        }
    };
    let cases = [
        (reassembled(&state, script(&[0x5e, 0x5e])), "bad-cb-height"),
        (reassembled(&state, script(&[0x5d])), "bad-cb-length"),
        (reassembled(&state, script(&[0x5d; 101])), "bad-cb-length"),
        (reassembled(&state, value(1)), "bad-cb-amount"),
        (
            reassembled(&state, value(21_000_000 * 100_000_000)),
            "bad-txns-vout-toolarge",
        ),
        (
            rerooted(&state, |txs| {
                txs[0].input[0].witness = Witness::from_slice(&[[1u8; 32]]);
            }),
            "bad-witness-merkle-match",
        ),
        (
            rerooted(&state, |txs| {
                txs[0].input[0].witness = Witness::from_slice(&[[0u8; 31]]);
            }),
            "bad-witness-nonce-size",
        ),
        (
            rerooted(&state, |txs| txs[0].input[0].witness = Witness::new()),
            "bad-witness-nonce-size",
        ),
        (
            rerooted(&state, |txs| {
                txs[0].output.pop();
            }),
            "unexpected-witness",
        ),
        (
            rerooted(&state, |txs| {
                let mut second = txs[0].clone();
                second.output[0].value = bitcoin::Amount::ZERO;
                txs.push(second);
            }),
            "bad-cb-multiple",
        ),
        (
            rerooted(&state, |txs| {
                txs[0] = payment(&[OutPoint::new(Txid::all_zeros(), 0)], 1, false);
            }),
            "bad-cb-missing",
        ),
    ];
    for (bytes, word) in cases {
        assert_refused(&mut state, &bytes, word);
    }
    // A block without witnesses needs no commitment, and a coinbase may claim less than it could.
    let bare = rerooted(&state, |txs| {
        txs[0].output.pop();
        txs[0].output[0].value -= bitcoin::Amount::from_sat(1);
        txs[0].input[0].witness = Witness::new();
    });
    assert_eq!(state.accept(&bare, NOW), SubmitOutcome::Accepted);
}

#[test]
fn transactions_are_refused_in_the_words_of_a_node() {
    let (mut state, places) = grown();
    let coin = 5_000_000_000;
    let with = |tx: Transaction| reassembled(&state, move |txs: &mut Vec<Transaction>| txs.push(tx));
    let mut locked = payment(&places[..1], coin, false);
    locked.input[0].sequence = Sequence::ZERO;
    locked.lock_time = LockTime::from_height(13).unwrap();
    let mut unlocked = locked.clone();
    unlocked.lock_time = LockTime::from_height(12).unwrap();
    let mut empty = payment(&places[..1], coin, true);
    empty.output.clear();
    let twice = [places[0], places[0]];
    let cases = [
        (
            with(payment(&[OutPoint::new(Txid::all_zeros(), 0)], 1, false)),
            "bad-txns-inputs-missingorspent",
        ),
        (
            with(payment(&places[3..4], coin, false)),
            "bad-txns-premature-spend-of-coinbase",
        ),
        (
            with(payment(&places[..1], coin + 1, false)),
            "bad-txns-in-belowout",
        ),
        (with(payment(&twice, coin, false)), "bad-txns-inputs-duplicate"),
        (
            with(payment(&[places[0], OutPoint::null()], coin, false)),
            "bad-txns-prevout-null",
        ),
        (with(empty), "bad-txns-vout-empty"),
        (with(locked), "bad-txns-nonfinal"),
    ];
    let double_spend = reassembled(&state, |txs| {
        txs.push(payment(&places[..1], coin, false));
        txs.push(payment(&places[..1], coin - 1, false));
    });
    // Two leaves more, but the same root: the tree pairs an odd last leaf with itself.
    let repeated = {
        let block = reassembled(&state, |txs| {
            txs.push(payment(&places[..1], coin, false));
            txs.push(payment(&places[1..2], coin, false));
        });
        let mut block: Block = deserialize(&block).unwrap();
        block.txdata.push(block.txdata[2].clone());
        serialize(&block)
    };
    let good = with(unlocked);
    for (bytes, word) in cases {
        assert_refused(&mut state, &bytes, word);
    }
    assert_refused(&mut state, &double_spend, "bad-txns-inputs-missingorspent");
    assert_refused(&mut state, &repeated, "bad-txns-duplicate");
    assert_eq!(state.accept(&good, NOW), SubmitOutcome::Accepted);
}

#[test]
fn what_is_no_block_or_too_long_is_refused() {
    let (mut state, _) = grown();
    let mut long = found(&state).1;
    long.push(0);
    assert_refused(&mut state, &long, "Block decode failed");
    assert_refused(&mut state, &[], "Block decode failed");
    assert_refused(&mut state, &vec![0; 4_000_001], "bad-blk-length");
    let large = |script_len: usize, witness_len: usize| {
        reassembled(&state, move |txs| {
            let mut tx = payment(&[OutPoint::new(Txid::all_zeros(), 0)], 1, false);
            tx.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0; script_len]);
            tx.input[0].witness = Witness::from_slice(&[vec![0; witness_len]]);
            txs.push(tx);
        })
    };
    let (bare, heavy) = (large(1_000_000, 1), large(900_000, 500_000));
    assert_refused(&mut state, &bare, "bad-blk-length");
    assert_refused(&mut state, &heavy, "bad-blk-weight");
}
