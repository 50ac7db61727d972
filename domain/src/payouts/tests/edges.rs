//! Who is taken by a transaction, at every edge of what it carries.

use super::world::{World, owed, with_defaults};
use super::*;

/// Who is paid, and how much.
fn paid(planned: &Plan) -> Vec<(u8, u64)> {
    let mut paid: Vec<(u8, u64)> = planned
        .parts
        .iter()
        .map(|part| (part.hotkey.as_bytes()[0], part.amount.sats()))
        .collect();
    paid.sort_unstable();
    paid
}

#[test]
fn a_place_is_for_whoever_pays_for_its_own_output_the_smallest_first() {
    // An output to a key's hash has 34 virtual bytes: 340 sats, five percent of 6,800.
    let planned = |small| {
        let due = vec![
            owed(1, small, Some(546)),
            owed(2, 1_000_000, None),
            owed(3, 2_000_000, None),
        ];
        let mut world = with_defaults(due, &[10_000_000_000]);
        world.rules.threshold_min = sats(546);
        world.rules.outputs_max = 2;
        world.plan()
    };
    let taken = planned(6_800);
    assert_eq!(paid(&taken), [(1, 6_800), (2, 1_000_000)]);
    assert_eq!(taken.waiting[&key(3)].why, WhyHeld::NextBatch);
    let left_out = planned(6_799);
    assert_eq!(paid(&left_out), [(2, 1_000_000), (3, 2_000_000)]);
    assert_eq!(left_out.waiting[&key(1)].why, WhyHeld::FeeTooHigh);
}

#[test]
fn an_address_is_read_from_what_pays_for_the_least_output_on() {
    // The least output has 31 virtual bytes: 310 sats, five percent of 6,200.
    for (small, why) in [(6_199, WhyHeld::FeeTooHigh), (6_200, WhyHeld::AddressInvalid)] {
        let mut lost = owed(1, small, Some(546));
        lost.address = Some("no address".to_owned());
        let mut world = with_defaults(vec![lost, owed(2, 1_000_000, None)], &[10_000_000_000]);
        world.rules.threshold_min = sats(546);
        world.rules.outputs_max = 1;
        let planned = world.plan();
        assert_eq!(paid(&planned), [(2, 1_000_000)]);
        assert_eq!(planned.waiting[&key(1)].why, why, "{small}");
    }
}

#[test]
fn a_part_is_at_least_the_least_and_leaves_the_threshold_if_it_can() {
    // One input, one output and the change: 144 virtual bytes, 1,440 sats.
    let planned = |threshold, coin| {
        let mut world = with_defaults(vec![owed(1, 1_000_000, Some(threshold))], &[coin]);
        world.rules.threshold_min = sats(50_000);
        paid(&world.plan())
    };
    assert_eq!(planned(999_999, 51_440), [(1, 50_000)]);
    assert_eq!(planned(999_999, 51_439), []);
    assert_eq!(
        planned(950_000, 700_000),
        [(1, 50_000)],
        "just the least is above"
    );
    assert_eq!(planned(949_999, 700_000), [(1, 50_001)]);
    assert_eq!(planned(950_001, 700_000), [(1, 698_560)], "too little is above");
}

/// Whoever wants may be paid from 546 sats on.
fn with_small(due: Vec<Payee>, coins: &[u64]) -> World {
    let mut world = with_defaults(due, coins);
    world.rules.threshold_min = sats(546);
    world
}

#[test]
fn who_costs_too_much_beside_the_others_is_left_out_and_weighs_nothing_any_more() {
    // The larger pays just for its transaction: 1,440 sats, five percent of 28,800. Both need a second coin.
    let due = vec![owed(1, 6_800, Some(546)), owed(2, 28_800, Some(546))];
    let planned = with_small(due, &[30_240, 20_000]).plan();
    assert_eq!(paid(&planned), [(2, 28_800)]);
    let price = planned.price.unwrap();
    assert_eq!((price.inputs, price.vbytes, price.fee), (1, 144, sats(1_440)));
    assert_eq!(planned.waiting[&key(1)].why, WhyHeld::FeeTooHigh);
}

#[test]
fn if_all_together_cost_too_much_the_smallest_that_can_be_is_paid_alone() {
    // The large coin pays for the small balance. The larger one needs so many small coins, each of which costs five
    // percent of itself, that there is no room for the rest of the transaction.
    let mut coins = vec![13_600; 200];
    coins.push(60_000);
    let due = vec![owed(1, 50_000, Some(546)), owed(2, 1_000_000, Some(546))];
    let planned = with_small(due, &coins).plan();
    assert_eq!(paid(&planned), [(1, 50_000)]);
    assert_eq!(planned.total, sats(50_000), "once");
    assert_eq!(planned.price.unwrap().inputs, 1);
    assert_eq!(planned.waiting[&key(2)].why, WhyHeld::FeeTooHigh);
}

#[test]
fn small_balances_ride_along_as_far_as_the_others_room_for_fees_goes() {
    // Five percent of 50,000 are 1,060 more than the transaction costs. A balance of 653 brings 32 and costs 340.
    let mut due: Vec<Payee> = (0..5).map(|n| owed(n, 653, Some(546))).collect();
    due.push(owed(9, 50_000, Some(546)));
    let planned = with_small(due, &[10_000_000_000]).plan();
    assert_eq!(paid(&planned), [(2, 653), (3, 653), (4, 653), (9, 50_000)]);
    assert_eq!(planned.held_for(WhyHeld::FeeTooHigh).miners, 2);
}

#[test]
fn after_sixty_four_that_can_not_ride_along_no_more_are_tried() {
    // There is no room for any output more. The smallest of all needs none: it goes to an address that is paid.
    let planned = |in_vain: u8| {
        let mut due: Vec<Payee> = (0..in_vain).map(|n| owed(n, 653, Some(546))).collect();
        due.push(owed(200, 28_800, Some(546)));
        let mut shares = owed(201, 600, Some(546));
        shares.address = due.last().and_then(|due| due.address.clone());
        due.push(shares);
        paid(&with_small(due, &[10_000_000_000]).plan())
    };
    assert_eq!(planned(63), [(200, 28_800), (201, 600)]);
    assert_eq!(planned(64), [(200, 28_800)]);
}

#[test]
fn who_is_left_out_does_not_count_as_an_output_any_more() {
    // Each small balance pays just for its own output, and the larger one for the rest of a transaction with one coin.
    // With the change there are 252 outputs, the most that a short count tells; the second coin is for the last alone.
    let mut due: Vec<Payee> = (0..251).map(|n| owed(n, 6_800, Some(546))).collect();
    due.push(owed(251, 28_800, Some(546)));
    let (total, fee) = (250 * 6_800 + 28_800, 250 * 340 + 1_440);
    let planned = with_small(due, &[total + fee, 20_000]).plan();
    assert_eq!(planned.parts.len(), 251);
    let price = planned.price.unwrap();
    assert_eq!((price.inputs, price.fee), (1, sats(fee)));
    assert_eq!(planned.waiting.keys().collect::<Vec<_>>(), [&key(0)]);
}

#[test]
fn who_has_nothing_waits_for_nothing() {
    let planned = with_small(vec![owed(1, 0, None), owed(2, 1_000_000, None)], &[2_000_000]).plan();
    assert_eq!(paid(&planned), [(2, 1_000_000)]);
    assert!(planned.held.is_empty() && planned.waiting.is_empty());
    assert!(!planned.is_full());
    let mut world = with_small(
        vec![owed(1, 2_000_000, None), owed(2, 1_000_000, None)],
        &[9_000_000],
    );
    world.rules.outputs_max = 1;
    assert!(world.plan().is_full());
}
