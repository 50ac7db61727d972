use num_bigint::BigUint;
use proptest::prelude::*;

use super::*;

fn big(target: Target) -> BigUint {
    BigUint::from_bytes_be(&target.to_be_bytes())
}

fn any_target() -> impl Strategy<Value = Target> {
    // Spread over all sizes, not only over the largest.
    (any::<[u8; 32]>(), 0usize..255).prop_map(|(bytes, shift)| {
        let number = U256::from_be_bytes(bytes) >> shift;
        Target::from_number(number.max(U256::ONE)).unwrap()
    })
}

#[test]
fn published_compact_forms_expand_as_published() {
    let genesis = Target::from_compact(CompactTarget::from_bits(0x1d00_ffff)).unwrap();
    assert_eq!(genesis, Target::difficulty_one());
    assert_eq!(genesis.difficulty().to_f64(), 1.0);
    let regtest = Target::from_compact(CompactTarget::from_bits(0x207f_ffff)).unwrap();
    assert!(regtest.to_string().starts_with("7fffff00"));
    // Block 100,000: bits 1b04864c, difficulty 14484.1623612254.
    let block = Target::from_compact(CompactTarget::from_bits(0x1b04_864c)).unwrap();
    assert!((block.difficulty().to_f64() - 14_484.162_361_225_4).abs() < 1e-9);
}

#[test]
fn compact_forms_that_consensus_refuses_are_refused() {
    let expand = |bits| Target::from_compact(CompactTarget::from_bits(bits));
    assert_eq!(expand(0), Err(TargetError::Zero));
    assert_eq!(expand(0x0100_0012), Err(TargetError::Zero));
    assert_eq!(expand(0x0480_0001), Err(TargetError::Negative));
    assert_eq!(expand(0xff12_3456), Err(TargetError::Overflow));
    assert_eq!(expand(0x2200_0100), Err(TargetError::Overflow));
    assert!(expand(0x2200_00ff).is_ok());
}

#[test]
fn a_mantissa_that_is_used_up_rounds_up_into_the_next_byte() {
    let expand = |bits| Target::from_compact(CompactTarget::from_bits(bits)).unwrap();
    let above = |bits| Target(expand(bits).0 + U256::ONE);
    for (bits, next) in [
        (0x1b7f_fffe, 0x1b7f_ffff),
        (0x1b7f_ffff, 0x1c00_8000),
        (0x1c00_8000, 0x1c00_8001),
        (0x047f_ffff, 0x0500_8000),
        (0x207f_fffe, 0x207f_ffff),
        (0x207f_ffff, 0x2100_8000),
    ] {
        let up = above(bits).rounded_up_to_compact();
        assert_eq!(up, expand(next), "the next above {bits:08x}");
        assert_eq!(
            expand(bits).rounded_up_to_compact(),
            expand(bits),
            "{bits:08x} itself"
        );
        // Nothing lies between the two.
        assert_eq!(Target(up.0 - U256::ONE).rounded_to_compact(), expand(bits));
    }
    // Above the largest of all there is none.
    let largest = expand(0x2100_ffff);
    assert_eq!(Target::MAX.rounded_up_to_compact(), largest);
}

#[test]
fn a_hash_equal_to_the_target_meets_it_and_one_more_does_not() {
    let target = Target::from_compact(CompactTarget::from_bits(0x207f_ffff)).unwrap();
    let mut bytes = target.to_be_bytes();
    bytes.reverse();
    assert!(target.is_met_by(&HeaderHash::from_bytes(bytes)));
    bytes[0] += 1;
    assert!(!target.is_met_by(&HeaderHash::from_bytes(bytes)));
}

#[test]
fn difficulties_people_write_are_taken_and_nonsense_is_not() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-30, 1e30] {
        assert_eq!(Difficulty::from_f64(bad), None, "{bad}");
    }
    assert_eq!(
        Difficulty::from_f64(1.0).unwrap().target(),
        Target::difficulty_one()
    );
    assert_eq!(Difficulty::MIN.target(), Target::MAX);
}

#[test]
fn difficulties_are_taken_from_the_least_step_to_the_largest_number() {
    assert_eq!(Difficulty::from_f64(0.5f64.powi(64)), Some(Difficulty::MIN));
    assert_eq!(Difficulty::from_f64(0.5f64.powi(65)), None);
    let beyond = 2f64.powi(64);
    assert_eq!(Difficulty::from_f64(beyond), None);
    let largest = Difficulty::from_f64(beyond.next_down()).unwrap();
    assert_eq!(largest.to_f64(), beyond.next_down());
}

#[test]
fn a_difficulty_is_scaled_by_a_fraction_within_what_it_can_be() {
    let thousand = Difficulty(1_000 << 64);
    assert_eq!(thousand.scaled(3, 2), Difficulty(1_500 << 64));
    assert_eq!(thousand.scaled(1, 8), Difficulty(125 << 64));
    assert_eq!(Difficulty(u128::MAX).scaled(7, 7), Difficulty(u128::MAX));
    assert_eq!(Difficulty(10_000_000_000).scaled(2, 3), Difficulty(6_666_666_666));
    assert_eq!(Difficulty(u128::MAX).scaled(u64::MAX, 1), Difficulty(u128::MAX));
    assert_eq!(thousand.scaled(0, 1), Difficulty::MIN);
}

#[test]
fn difficulty_one_is_found_by_two_to_the_48_over_65535_hashes() {
    let hashes = |value| Difficulty::from_f64(value).unwrap().expected_hashes();
    assert_eq!(hashes(1.0), 281_474_976_710_656.0 / 65_535.0);
    assert_eq!(hashes(4.0), 4.0 * hashes(1.0));
    // The easiest target takes one hash.
    assert!((Difficulty::MIN.expected_hashes() - 1.0).abs() < 1e-9);
}

#[test]
fn a_share_harder_than_a_block_counts_as_one_block() {
    let network = Target::difficulty_one();
    let share = Difficulty(3 << 64).target();
    assert_eq!(share.units(network), Units::ONE);
    assert_eq!(network.units(share).to_string().get(..6), Some("0.3333"));
}

proptest! {
    #[test]
    fn the_compact_form_rounds_down_by_less_than_one_part_in_2_pow_15(target in any_target()) {
        let rounded = target.rounded_to_compact();
        prop_assert!(rounded <= target);
        prop_assert_eq!(rounded.rounded_to_compact(), rounded);
        prop_assert!((big(target) - big(rounded)) << 15usize <= big(target));
    }

    #[test]
    fn difficulty_is_the_exact_quotient_rounded_down(target in any_target()) {
        let exact: BigUint = (big(Target::difficulty_one()) << 64usize) / big(target);
        prop_assert_eq!(BigUint::from(target.difficulty().raw()), exact.min(BigUint::from(u128::MAX)));
    }

    #[test]
    fn a_difficultys_target_is_never_easier_than_asked(raw in Difficulty::MIN.raw()..=u128::MAX) {
        let difficulty = Difficulty(raw);
        if difficulty.target() < Target::MAX && difficulty.target() > Target(U256::ONE) {
            prop_assert!(difficulty.target().difficulty() >= difficulty);
        }
    }

    #[test]
    fn units_are_the_exact_quotient_of_the_targets(share in any_target(), network in any_target()) {
        let share = share.no_harder_than(network);
        let exact: BigUint = big(network) * BigUint::from(Units::ONE.raw()) / big(share);
        let units = share.units(network);
        prop_assert_eq!(BigUint::from(units.raw()), exact.max(BigUint::from(1u8)));
        prop_assert!(units <= Units::ONE && !units.is_zero());
    }

    #[test]
    fn a_harder_share_never_counts_less(a in any_target(), b in any_target(), network in any_target()) {
        let (harder, easier) = (a.min(b).max(network), a.max(b).max(network));
        prop_assert!(harder.units(network) >= easier.units(network));
    }
}

proptest! {
    #[test]
    fn rounding_up_gives_the_next_compact_form(target in any_target()) {
        let up = target.rounded_up_to_compact();
        let down = target.rounded_to_compact();
        prop_assert_eq!(up.rounded_to_compact(), up);
        if down == target {
            prop_assert_eq!(up, target);
        } else if up != down {
            prop_assert!(up > target);
            // Nothing lies between: the one below `up` is the one below `target`.
            let below = Target::from_number(up.0 - U256::ONE).unwrap();
            prop_assert_eq!(below.rounded_to_compact(), down);
        } else {
            prop_assert!(target.0.leading_zeros() == 0, "only the largest targets have none above");
        }
    }
}
