//! Random blocks and random histories.

use proptest::prelude::*;

use super::*;

/// A chain with a payment waiting, and a valid block that has it.
fn with_full_block() -> (DevnetState, Vec<u8>) {
    let mut state = easy_state();
    mine(&mut state, 12);
    let coin = OutPoint::new(state.block_at(1).unwrap().txdata[0].compute_txid(), 0);
    state
        .accept_transaction(payment(&[coin], 4_999_999_000, true))
        .unwrap();
    let (_, bytes) = found(&state);
    (state, bytes)
}

fn is_refused(state: &mut DevnetState, bytes: &[u8]) -> bool {
    matches!(state.accept(bytes, NOW), SubmitOutcome::Refused(word) if !word.is_empty())
}

#[test]
fn every_flipped_bit_of_a_hard_header_is_refused() {
    let mut state = easy_state();
    state.set_bits(1, CompactTarget::from_bits(0x1f00_ffff)).unwrap();
    let (_, bytes) = found(&state);
    let before = fingerprint(&state);
    for bit in 0..80 * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(is_refused(&mut state, &flipped), "bit {bit}");
    }
    assert_eq!(fingerprint(&state), before);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Accepted);
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_body_is_refused() {
    let (mut state, bytes) = with_full_block();
    let before = fingerprint(&state);
    for bit in 80 * 8..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(is_refused(&mut state, &flipped), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(is_refused(&mut state, &bytes[..len]), "cut at {len}");
    }
    assert_eq!(fingerprint(&state), before);
    assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Accepted);
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Find a block on the tip, with all that waits.
    Extend,
    /// Find a block on one of the blocks so far.
    Branch(prop::sample::Index),
    /// Send a payment of one of the coins, mature or not.
    Pay(prop::sample::Index, bool),
    /// Declare one of the blocks so far invalid.
    Invalidate(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Extend),
        6 => any::<prop::sample::Index>().prop_map(Step::Branch),
        6 => any::<(prop::sample::Index, bool)>().prop_map(|(coin, witness)| Step::Pay(coin, witness)),
        1 => any::<prop::sample::Index>().prop_map(Step::Invalidate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_bytes_are_refused_and_change_nothing(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut state = easy_state();
        let before = fingerprint(&state);
        prop_assert!(is_refused(&mut state, &bytes));
        prop_assert_eq!(fingerprint(&state), before);
    }

    #[test]
    fn a_spliced_body_is_refused_and_changes_nothing(
        at in any::<prop::sample::Index>(), cut in 0usize..40, noise in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (mut state, bytes) = with_full_block();
        let from = 80 + at.index(bytes.len() - 80);
        let to = (from + cut).min(bytes.len());
        let spliced = [&bytes[..from], &noise, &bytes[to..]].concat();
        prop_assume!(spliced != bytes);
        let before = fingerprint(&state);
        prop_assert!(is_refused(&mut state, &spliced));
        prop_assert_eq!(fingerprint(&state), before);
    }

    #[test]
    fn the_coins_after_any_history_are_those_of_the_best_chain_alone(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let params = DevnetParams { coinbase_maturity: 2, ..easy_params() };
        let mut state = DevnetState::new(&params).unwrap();
        let mut blocks = vec![state.tip().hash];
        for step in steps {
            let (hash, bytes) = match step {
                Step::Extend => found(&state),
                Step::Branch(index) => {
                    let parent = *index.get(&blocks);
                    found_on(&state, &parent)
                }
                Step::Pay(index, witness) => {
                    let coins = state.coins_of(Script::from_bytes(SCRIPT));
                    if !coins.is_empty() {
                        let (place, coin) = index.get(&coins);
                        // Whether it is taken depends on the coin's age; both are right here.
                        let _ = state.accept_transaction(payment(&[*place], coin.value.to_sat() - 9, witness));
                    }
                    continue;
                }
                Step::Invalidate(index) => {
                    // Genesis is refused, which is right too.
                    let _ = state.invalidate(index.get(&blocks));
                    continue;
                }
            };
            let before = state.tree.len();
            let taken = !matches!(state.accept(&bytes, NOW), SubmitOutcome::Refused(_));
            prop_assert_eq!(state.tree.len() - before, u64::from(taken));
            if taken {
                blocks.push(hash);
            }
        }
        prop_assert_eq!(state.coins_digest(), replayed_digest(&state));
        // What waits is valid in the next block.
        let (_, bytes) = found(&state);
        prop_assert_eq!(state.accept(&bytes, NOW), SubmitOutcome::Accepted);
        prop_assert_eq!(state.waiting(), []);
    }
}
