use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{deserialize, serialize};
use bitcoin::{OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Witness, transaction};
use dwarves_domain::time::Span;
use dwarves_domain::work::ChainTemplate;

use super::*;
use crate::chain::search::Search;

mod fuzz;
mod refusals;
mod spending;

pub(in crate::chain) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
/// Bits that every second hash meets.
pub(in crate::chain) const EASY: u32 = 0x207f_ffff;
/// A script that is paid.
pub(in crate::chain) const SCRIPT: &[u8] = &[0x51];

pub(in crate::chain) fn easy_params() -> DevnetParams {
    DevnetParams {
        bits: CompactTarget::from_bits(EASY),
        ..DevnetParams::default()
    }
}

fn easy_state() -> DevnetState {
    DevnetState::new(&easy_params()).unwrap()
}

/// Searches until a block of this template is found.
pub(in crate::chain) fn solve(
    template: ChainTemplate,
    script: &[u8],
    extranonce: ExtraNonce,
) -> (HeaderHash, Vec<u8>) {
    let mut search = Search::new(template, script, extranonce).unwrap();
    loop {
        if let Some(found) = search.step(1_000) {
            return found;
        }
    }
}

/// Finds a block on the tip.
fn found(state: &DevnetState) -> (HeaderHash, Vec<u8>) {
    solve(state.template(NOW).unwrap(), SCRIPT, state.fresh_extranonce())
}

/// Finds a block on any block.
fn found_on(state: &DevnetState, parent: &HeaderHash) -> (HeaderHash, Vec<u8>) {
    let template = state.side_template(parent, NOW).unwrap().unwrap();
    solve(template, SCRIPT, state.fresh_extranonce())
}

fn mine(state: &mut DevnetState, count: u32) -> Vec<HeaderHash> {
    let mut hashes = Vec::new();
    for _ in 0..count {
        let (hash, bytes) = found(state);
        assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Accepted);
        hashes.push(hash);
    }
    hashes
}

/// All that a refusal must leave as it was.
fn fingerprint(state: &DevnetState) -> (Tip, [u8; 32], u64, Vec<Txid>, ChainTemplate) {
    (
        state.tip(),
        state.coins_digest(),
        state.tree.len(),
        state.waiting(),
        state.template(NOW).unwrap(),
    )
}

/// The coins that the best chain leaves when it is played again from genesis.
fn replayed_digest(state: &DevnetState) -> [u8; 32] {
    let mut again = DevnetState::with_rules(*state.schedule.at(0), state.version_mask);
    again.schedule = state.schedule.clone();
    for height in 1..=state.tip().height {
        let bytes = serialize(state.block_at(height).unwrap());
        assert_eq!(again.accept(&bytes, NOW), SubmitOutcome::Accepted);
    }
    assert_eq!(again.tip(), state.tip());
    again.coins_digest()
}

/// A transaction that moves `coins` to one output of `value` sats.
fn payment(coins: &[OutPoint], value: u64, witness: bool) -> Transaction {
    let mut stack = Witness::new();
    if witness {
        stack.push([7; 64]);
    }
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: coins
            .iter()
            .map(|place| TxIn {
                previous_output: *place,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: stack.clone(),
            })
            .collect(),
        output: vec![TxOut {
            value: bitcoin::Amount::from_sat(value),
            script_pubkey: ScriptBuf::from_bytes(vec![0x52]),
        }],
    }
}

#[test]
fn a_block_found_on_a_template_becomes_the_tip_once() {
    let mut state = easy_state();
    let genesis = state.tip();
    let (hash, bytes) = found(&state);
    assert_eq!(state.status(&hash), BlockStatus::Unknown);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Accepted);
    assert_eq!(state.tip(), Tip { hash, height: 1 });
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Duplicate);
    assert_eq!(state.status(&hash), BlockStatus::MainChain { confirmations: 1 });
    mine(&mut state, 4);
    assert_eq!(state.status(&hash), BlockStatus::MainChain { confirmations: 5 });
    assert_eq!(
        state.status(&genesis.hash),
        BlockStatus::MainChain { confirmations: 6 }
    );
}

#[test]
fn of_two_chains_of_equal_work_the_first_seen_stays() {
    let mut state = easy_state();
    let hashes = mine(&mut state, 3);
    let (rival, bytes) = found_on(&state, &hashes[1]);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Inconclusive);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Duplicate);
    assert_eq!(state.tip().hash, hashes[2]);
    assert_eq!(state.status(&rival), BlockStatus::SideChain);

    let (longer, bytes) = found_on(&state, &rival);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Accepted);
    assert_eq!(
        state.tip(),
        Tip {
            hash: longer,
            height: 4
        }
    );
    assert_eq!(state.status(&hashes[2]), BlockStatus::SideChain);
    assert_eq!(state.status(&rival), BlockStatus::MainChain { confirmations: 2 });
    assert_eq!(state.coins_digest(), replayed_digest(&state));
}

#[test]
fn more_work_wins_over_more_blocks() {
    let mut state = easy_state();
    let hashes = mine(&mut state, 2);
    // From height 3 on a block is worth about 128 of the easy ones.
    state.set_bits(3, CompactTarget::from_bits(0x2000_ffff)).unwrap();
    let (heavy, bytes) = found_on(&state, &hashes[1]);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Accepted);
    assert_eq!(state.tip().hash, heavy);
    let (side, bytes) = found_on(&state, &hashes[0]);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Inconclusive);
    let (side, bytes) = found_on(&state, &side);
    assert_eq!(
        state.accept(&bytes, NOW),
        SubmitOutcome::Inconclusive,
        "equal work"
    );
    let (side, bytes) = found_on(&state, &side);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Accepted);
    assert_eq!(
        state.tip(),
        Tip {
            hash: side,
            height: 4
        }
    );
}

#[test]
fn bits_change_at_their_height_and_not_for_heights_that_are_taken() {
    let mut state = easy_state();
    mine(&mut state, 3);
    let harder = CompactTarget::from_bits(0x2000_ffff);
    assert_eq!(
        state.set_bits(3, harder),
        Err(ChangeError::HeightTaken { tallest: 3 })
    );
    let no_target = CompactTarget::from_bits(0);
    assert!(matches!(
        state.set_bits(5, no_target),
        Err(ChangeError::Params(_))
    ));
    state.set_bits(5, harder).unwrap();
    assert_eq!(state.template(NOW).unwrap().bits.bits(), EASY);
    mine(&mut state, 1);
    assert_eq!(state.template(NOW).unwrap().bits, harder);
    let mut easy = state.template(NOW).unwrap();
    easy.bits = CompactTarget::from_bits(EASY);
    let (_, bytes) = solve(easy, SCRIPT, ExtraNonce::new(1));
    assert_eq!(
        state.accept(&bytes, NOW),
        SubmitOutcome::Refused("bad-diffbits".to_owned())
    );
    mine(&mut state, 1);
    assert_eq!(state.tip().height, 5);
}

#[test]
fn an_invalidated_block_takes_all_above_it_along_and_never_returns() {
    let mut state = easy_state();
    let hashes = mine(&mut state, 4);
    let (rival, rival_bytes) = found_on(&state, &hashes[1]);
    assert_eq!(state.accept(&rival_bytes, NOW), SubmitOutcome::Inconclusive);
    let third = serialize(state.block_at(3).unwrap());
    let (_, on_fourth) = found(&state);

    state.invalidate(&hashes[2]).unwrap();
    assert_eq!(
        state.tip(),
        Tip {
            hash: rival,
            height: 3
        }
    );
    assert_eq!(state.coins_digest(), replayed_digest(&state));
    assert_eq!(state.status(&hashes[3]), BlockStatus::SideChain);
    let refused = |word: &str| SubmitOutcome::Refused(word.to_owned());
    assert_eq!(state.accept(&third, NOW), refused("duplicate-invalid"));
    assert_eq!(state.accept(&on_fourth, NOW), refused("bad-prevblk"));

    let genesis = header_hash(state.tree.main_at(0).unwrap());
    assert_eq!(state.invalidate(&genesis), Err(ChangeError::NoSuchBlock(genesis)));
    let unknown = HeaderHash::from_bytes([1; 32]);
    assert_eq!(state.invalidate(&unknown), Err(ChangeError::NoSuchBlock(unknown)));
}

#[test]
fn template_times_lie_between_median_time_and_the_clock() {
    let mut state = easy_state();
    let first = state.template(NOW).unwrap();
    let now = u32::try_from(NOW.secs()).unwrap();
    assert_eq!(
        (first.time_min, first.time, first.time_max),
        (genesis::TIME + 1, now, now + 7_000)
    );
    // While the clock stands still, blocks push the median past it.
    mine(&mut state, 12);
    let mut times: Vec<_> = (2..=12)
        .map(|height| state.block_at(height).unwrap().header.time)
        .collect();
    times.sort_unstable();
    let later = state.template(NOW).unwrap();
    assert!(times[5] >= now);
    assert_eq!(
        (later.time_min, later.time, later.time_max),
        (times[5] + 1, times[5] + 1, now + 7_000)
    );
}

#[test]
fn a_clock_far_behind_the_chain_gives_no_template() {
    let mut state = easy_state();
    mine(&mut state, 12);
    let time_min = state.template(NOW).unwrap().time_min;
    let earliest = Timestamp::from_secs(i64::from(time_min) - 7_000);
    assert!(state.template(earliest).is_ok());
    let error = state.template(earliest.minus(Span::from_secs(1))).unwrap_err();
    assert!(error.to_string().contains(&time_min.to_string()), "{error}");
    assert!(state.template(Timestamp::from_millis(-5)).is_err());
}
