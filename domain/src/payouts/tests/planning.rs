//! Plans against a slow and plain oracle: what a transaction costs is added up coin by coin, and who could be paid
//! beside those who are is tried one by one.

use super::*;

/// What a world is planned from.
#[derive(Clone, Debug)]
pub(super) struct World {
    candidates: Vec<Payee>,
    coins: Vec<u64>,
    pub(super) rules: PlanRules,
}

impl World {
    pub(super) fn plan(&self) -> Plan {
        plan(self.candidates.clone(), &self.rules, &self.purse()).unwrap()
    }

    fn purse(&self) -> Purse {
        Purse::new(&funds(&self.coins), self.rules.terms)
    }

    fn rate(&self) -> u128 {
        self.rules.terms.rate.sats_per_vbyte().into()
    }

    /// The part of an amount that the network may take.
    fn cap(&self, total: u128) -> u128 {
        total * u128::from(self.rules.terms.fee_max.get()) / 10_000
    }

    /// The cheapest way to pay so much by outputs to these scripts, said in the plainest way: this many of the largest
    /// coins that are worth their input. Fee, change and virtual bytes.
    fn cost(&self, total: u128, scripts: &BTreeSet<Vec<u8>>) -> Option<(u128, u128, u128)> {
        let mut coins: Vec<u128> = self.coins.iter().map(|&coin| coin.into()).collect();
        coins.retain(|&coin| 68 * self.rate() <= self.cap(coin));
        coins.sort_unstable_by(|a, b| b.cmp(a));
        let outputs: u128 = scripts.iter().map(|script| 9 + script.len() as u128).sum();
        let long = |count: usize| if count > 252 { 2 } else { 0 };
        let mut best = None;
        for inputs in 1..=coins.len() {
            let vbytes = 11 + 68 * inputs as u128 + outputs + 31 + long(inputs) + long(scripts.len() + 1);
            let mut fee = vbytes * self.rate();
            let needs = match self.rules.payer {
                FeePayer::Pool => total + fee,
                FeePayer::Miners => total,
            };
            let sum: u128 = coins[..inputs].iter().sum();
            let Some(mut change) = sum.checked_sub(needs) else {
                continue;
            };
            if change < 546 {
                fee += change;
                change = 0;
            }
            if vbytes <= u128::from(self.rules.terms.vbytes_max)
                && best.is_none_or(|(cheapest, _, _)| fee < cheapest)
            {
                best = Some((fee, change, vbytes));
            }
        }
        best
    }

    /// Whether a transaction that pays this is one that the pool may send.
    fn may_send(&self, total: u128, scripts: &BTreeSet<Vec<u8>>) -> bool {
        scripts.len() <= self.rules.outputs_max
            && self
                .cost(total, scripts)
                .is_some_and(|(fee, _, _)| fee <= self.cap(total))
    }

    fn due(&self) -> BTreeMap<Hotkey, (u64, Vec<u8>)> {
        let due = self.candidates.iter().filter(|candidate| {
            candidate.payable >= self.rules.threshold_of(candidate.threshold)
                && candidate.payable > Amount::ZERO
        });
        let script =
            |c: &Payee| PayoutAddress::parse(c.address.as_deref()?, AddressFormat::BitcoinRegtest).ok();
        due.filter_map(|c| Some((c.hotkey, (c.payable.sats(), script(c)?.script()))))
            .filter(|(_, (_, script))| !self.rules.refused.contains(script))
            .collect()
    }
}

/// An address of its own for each number.
fn address(n: u8) -> String {
    let hash = bitcoin::PubkeyHash::from_raw_hash(bitcoin::hashes::Hash::from_byte_array([n; 20]));
    bitcoin::Address::p2pkh(hash, bitcoin::Network::Regtest).to_string()
}

fn any_world() -> impl Strategy<Value = World> {
    let payable =
        prop_oneof![3 => 500u64..3_000, 3 => 5_000u64..40_000, 2 => 0..4_000_000u64, 1 => 0..1u64 << 32];
    let threshold = proptest::option::of(prop_oneof![500u64..2_000, 1..1u64 << 30]);
    let rows = proptest::collection::btree_map(any::<u8>(), (payable, threshold, 0u8..20), 0..14);
    let coins = prop_oneof![
        proptest::collection::vec(1u64..3_000_000, 0..40),
        proptest::collection::vec(500u64..20_000, 0..40),
        proptest::collection::vec(prop_oneof![1u64 << 33..1 << 34, 1_000u64..9_000], 1..20),
    ];
    let limits = (
        any_payer(),
        1usize..16,
        1u32..40,
        prop_oneof![300u64..3_000, Just(100_000)],
    );
    let least = prop_oneof![Just(0u64), 546u64..5_000];
    (rows, coins, limits, least).prop_map(|(rows, coins, (payer, outputs_max, rate, vbytes_max), least)| {
        let candidates = rows.into_iter().map(|(n, (payable, threshold, place))| Payee {
            hotkey: key(n),
            payable: sats(payable),
            // Some share an address, one has none, and one has one of another network.
            address: match place {
                0 => None,
                1 => Some("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq".to_owned()),
                2..4 => Some(address(0)),
                _ => Some(address(n)),
            },
            threshold: threshold.map(sats),
        });
        let mut rules = rules(payer, outputs_max);
        rules.threshold = sats(3_000);
        rules.threshold_min = sats(least);
        rules.terms.rate = FeeRate::new(rate).unwrap();
        rules.terms.vbytes_max = vbytes_max;
        World {
            candidates: candidates.collect(),
            coins,
            rules,
        }
    })
}

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
                let batch = Batch::new(planned.parts.clone(), world.rules.payer, AddressFormat::BitcoinRegtest);
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

pub(super) fn owed(n: u8, payable: u64, threshold: Option<u64>) -> Payee {
    Payee {
        hotkey: key(n),
        payable: sats(payable),
        address: Some(address(n)),
        threshold: threshold.map(sats),
    }
}

pub(super) fn with_defaults(candidates: Vec<Payee>, coins: &[u64]) -> World {
    let mut rules = rules(FeePayer::Pool, 2_000);
    rules.threshold = sats(100_000);
    rules.threshold_min = Amount::ZERO;
    rules.terms.rate = FeeRate::new(10).unwrap();
    rules.terms.vbytes_max = 99_000;
    World {
        candidates,
        coins: coins.to_vec(),
        rules,
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
