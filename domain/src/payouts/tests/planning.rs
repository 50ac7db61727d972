//! Plans against a slow and plain oracle: what a transaction costs is added up coin by coin, and who could be paid
//! beside those who are is tried one by one.

use super::world::{World, address, any_world, owed, with_defaults};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever there is: every sat is paid or held, nobody is paid more than is due, and what is planned can be sent
    /// at just the price that is told.
    #[test]
    fn a_plan_can_be_sent_and_accounts_for_every_sat(world in any_world()) {
        let planned = world.plan();
        let due = world.due();
        let mut scripts = BTreeSet::new();
        let mut total = 0;
        for part in &planned.parts {
            let (payable, script) = &due[&part.hotkey];
            prop_assert!(part.amount.sats() <= *payable);
            let left = planned.waiting.get(&part.hotkey).map_or(0, |waiting| waiting.amount.sats());
            prop_assert_eq!(part.amount.sats() + left, *payable, "the rest waits");
            prop_assert!(part.amount >= world.rules.floor(), "no dust");
            scripts.insert(script.clone());
            total += u128::from(part.amount.sats());
        }
        prop_assert_eq!(u128::from(planned.total.sats()), total);
        let held: u64 = planned.held.values().map(|held| held.amount.sats()).sum();
        let all: u64 = world.candidates.iter().map(|candidate| candidate.payable.sats()).sum();
        prop_assert_eq!(total + u128::from(held), u128::from(all), "every sat is paid or held");
        let in_parts = planned.parts.iter().filter(|part| planned.waiting.contains_key(&part.hotkey));
        prop_assert!(in_parts.count() <= 1, "one at most is paid in parts");
        match planned.price {
            None => prop_assert!(planned.parts.is_empty()),
            Some(price) => {
                prop_assert!(scripts.len() <= world.rules.outputs_max);
                prop_assert!(u128::from(price.fee.sats()) <= world.cap(total), "within the cap");
                prop_assert!(price.vbytes <= world.rules.terms.vbytes_max);
                let (cheapest, _, _) = world.cost(total, &scripts).unwrap();
                prop_assert!(u128::from(price.fee.sats()) >= cheapest);
                let batch = PayoutBatch::new(planned.parts.clone(), world.rules.payer, AddressFormat::BitcoinRegtest);
                let batch = batch.unwrap();
                let chosen = world.purse().choose(&batch, batch.total().fee(world.rules.terms.fee_max));
                prop_assert_eq!(chosen.unwrap().fee, price.fee, "what is told is what is taken");
                for part in batch.parts_after(price.borne).unwrap() {
                    prop_assert!(part.net() >= world.rules.dust, "no dust after the fee");
                }
            }
        }
    }

    /// If anybody could be paid alone, somebody is paid; and who waits could not be paid whole beside those who are.
    #[test]
    fn nobody_waits_because_of_another(world in any_world()) {
        let planned = world.plan();
        let due = world.due();
        let one = |script: &Vec<u8>| BTreeSet::from([script.clone()]);
        if planned.parts.is_empty() {
            for (hotkey, (payable, script)) in &due {
                prop_assert!(
                    !world.may_send((*payable).into(), &one(script)),
                    "{} could be paid alone: {:?}", hotkey, planned.waiting
                );
            }
            return Ok(());
        }
        let paid: BTreeSet<Vec<u8>> = planned.parts.iter().map(|part| due[&part.hotkey].1.clone()).collect();
        for (hotkey, waiting) in &planned.waiting {
            let Some((payable, script)) = due.get(hotkey) else { continue };
            let part = planned.parts.iter().find(|part| part.hotkey == *hotkey);
            let rest = payable - part.map_or(0, |part| part.amount.sats());
            let mut scripts = paid.clone();
            scripts.insert(script.clone());
            let total = u128::from(planned.total.sats()) + u128::from(rest);
            if waiting.why == WhyHeld::ShortOfFunds {
                let cost = world.cost(total, &scripts);
                prop_assert!(cost.is_none(), "{} waits for coins that are there: {:?}", hotkey, cost);
            }
            // Smaller balances are not kept waiting by larger ones.
            let larger = planned.parts.iter().filter(|part| due[&part.hotkey].0 > *payable);
            if waiting.why == WhyHeld::ShortOfFunds || waiting.why == WhyHeld::NextBatch {
                prop_assert_eq!(larger.count(), 0, "{} waits behind larger ones", hotkey);
            }
        }
    }

    /// With coins enough, whoever comes along changes nothing for those who are paid without.
    #[test]
    fn a_stranger_takes_nothing_from_those_who_are_due(
        mut world in any_world(), stranger in prop_oneof![1u64..3_000, 1u64..1 << 33],
        threshold in prop_oneof![Just(None), (1u64..2_000).prop_map(Some)],
    ) {
        world.coins = vec![1 << 44];
        world.rules.terms.vbytes_max = 100_000;
        world.rules.outputs_max = 100;
        world.candidates.retain(|candidate| candidate.hotkey != key(77));
        let before = world.plan();
        world.candidates.push(Payee {
            hotkey: key(77),
            payable: sats(stranger),
            address: Some(address(200)),
            threshold: threshold.map(sats),
        });
        let after = world.plan();
        for part in &before.parts {
            let now = after.parts.iter().find(|now| now.hotkey == part.hotkey);
            prop_assert_eq!(now.map(|now| now.amount), Some(part.amount), "{:?}", after.waiting);
        }
    }

    /// Plan after plan, with the change coming back, pays everybody in the end, and each to the last sat: parts sum to
    /// the balance.
    #[test]
    fn parts_sum_to_the_balance(
        amounts in proptest::collection::vec(20_000u64..4_000_000, 1..6), coin in 30_000u64..200_000,
        payer in any_payer(),
    ) {
        let mut rules = rules(payer, 100);
        rules.terms.vbytes_max = 700;
        let mut left: Vec<Payee> = amounts.iter().zip(0u8..).map(|(&amount, n)| Payee {
            hotkey: key(n), payable: sats(amount), address: Some(address(n)), threshold: None,
        }).collect();
        let mut coins = vec![coin; 2 * usize::try_from(amounts.iter().sum::<u64>() / coin + 8).unwrap()];
        for _ in 0..400 {
            let world = World { candidates: left.clone(), coins: coins.clone(), rules: rules.clone() };
            let planned = world.plan();
            let Some(price) = planned.price else { break };
            coins.sort_unstable_by(|a, b| b.cmp(a));
            coins.drain(..price.inputs);
            coins.extend(Some(price.change.sats()).filter(|change| *change > 0));
            for part in &planned.parts {
                let owed = left.iter_mut().find(|candidate| candidate.hotkey == part.hotkey).unwrap();
                owed.payable = owed.payable.checked_sub(part.amount).unwrap();
            }
        }
        for candidate in &left {
            prop_assert_eq!(candidate.payable, Amount::ZERO, "of {:?}", amounts);
        }
    }
}

#[test]
fn many_balances_that_cost_too_much_keep_nobody_waiting() {
    let mut candidates: Vec<Payee> = (0..150).map(|n| owed(n, 653, Some(546))).collect();
    candidates.push(owed(200, 297_980, None));
    let mut world = with_defaults(candidates, &[10_000_000_000]);
    assert_eq!(world.rules.least(), sats(8_600), "pays for its own output");
    let planned = world.plan();
    assert_eq!(planned.parts.len(), 1);
    assert_eq!(planned.held_for(WhyHeld::BelowThreshold).miners, 150);
    // An operator who lets miners choose so little: some ride along in what is left of the cap, and the rest waits.
    world.rules.threshold_min = sats(546);
    let planned = world.plan();
    assert!(planned.parts.iter().any(|part| part.hotkey == key(200)));
    assert!(
        planned.held_for(WhyHeld::FeeTooHigh).miners > 100,
        "{:?}",
        planned.held
    );
    assert!(planned.price.unwrap().fee <= planned.total.fee(world.rules.terms.fee_max));
}

#[test]
fn a_balance_that_needs_more_inputs_than_fit_is_paid_in_parts_after_the_others() {
    let coin = 1_000_000;
    let mut candidates = vec![owed(1, 1_705_714_286, None)];
    candidates.extend((2..7).map(|n| owed(n, 56_857_142, None)));
    let mut world = with_defaults(candidates, &vec![coin; 2_100]);
    let planned = world.plan();
    assert_eq!(planned.parts.len(), 6, "{:?}", planned.held);
    assert_eq!(planned.held_for(WhyHeld::NextBatch).miners, 1);
    let price = planned.price.unwrap();
    assert!(price.vbytes > 98_000 && price.vbytes <= 99_000, "{price:?}");
    let first = planned
        .parts
        .iter()
        .find(|part| part.hotkey == key(1))
        .unwrap()
        .amount;
    // What is left is paid by the next transaction.
    let rest = planned.waiting[&key(1)].amount;
    world.candidates = vec![owed(1, rest.sats(), None)];
    world.coins.truncate(2_100 - price.inputs);
    let planned = world.plan();
    assert_eq!(
        planned.parts[0].amount.checked_add(first),
        Some(sats(1_705_714_286))
    );
    assert!(planned.waiting.is_empty());
}

#[test]
fn too_few_coins_go_to_the_smallest_balances_first_and_what_is_left_to_the_next() {
    let coin = 100_000_000;
    let mut candidates = vec![owed(1, 124 * coin, None)];
    candidates.extend((2..7).map(|n| owed(n, 5 * coin + 17_000_000, None)));
    let planned = with_defaults(candidates, &[100 * coin]).plan();
    let of = |n| {
        planned
            .parts
            .iter()
            .find(|part| part.hotkey == key(n))
            .unwrap()
            .amount
    };
    for n in 2..7 {
        assert_eq!(of(n), sats(5 * coin + 17_000_000));
    }
    let paid = planned.total.checked_add(planned.price.unwrap().fee).unwrap();
    assert_eq!(paid, sats(100 * coin), "all that there is");
    assert_eq!(planned.held_for(WhyHeld::ShortOfFunds).miners, 1);
    assert_eq!(
        planned.waiting[&key(1)].amount.checked_add(of(1)),
        Some(sats(124 * coin))
    );

    // Short by a ten-thousandth of a percent.
    let due = 20_000_005_410;
    let candidates = (0..10).map(|n| owed(n, due / 10, None)).collect();
    let planned = with_defaults(candidates, &[due - 33_430]).plan();
    assert_eq!(planned.parts.len(), 10);
    let least = planned.parts.iter().map(|part| part.amount.sats()).min().unwrap();
    assert!(least > due / 10 - 200_000, "{least}");
}

#[test]
fn the_rest_of_a_balance_that_is_paid_in_parts_stays_above_its_threshold_if_it_can() {
    let rest_of = |payable, threshold, coin| {
        let planned = with_defaults(vec![owed(1, payable, Some(threshold))], &[coin]).plan();
        let paid = planned.parts.first().map_or(0, |part| part.amount.sats());
        assert_eq!(planned.held.keys().next(), Some(&WhyHeld::ShortOfFunds));
        (paid, planned.waiting[&key(1)].amount.sats())
    };
    assert_eq!(rest_of(1_000_000, 400_000, 700_000), (600_000, 400_000));
    let (paid, rest) = rest_of(1_000_000, 999_999, 700_000);
    assert!(paid > 690_000 && paid + rest == 1_000_000, "{paid} and {rest}");
    assert_eq!(
        rest_of(1_000_000, 400_000, 9_000),
        (0, 1_000_000),
        "no part that is below the least"
    );
}

#[test]
fn coins_that_cost_more_than_they_are_worth_hold_up_nobody() {
    let mut coins = vec![5_000; 3_000];
    coins.push(1_000_000);
    let mut candidates = vec![owed(1, 12_000_000, None)];
    candidates.extend((2..7).map(|n| owed(n, 110_000, None)));
    let world = with_defaults(candidates, &coins);
    assert_eq!(world.purse().left_out(), (3_000, sats(15_000_000)));
    let planned = world.plan();
    assert_eq!(
        planned.parts.len(),
        6,
        "five whole and one in part: {:?}",
        planned.held
    );
    assert_eq!(planned.held_for(WhyHeld::ShortOfFunds).miners, 1);
}
