//! Worked examples, reckoned again from their JSON alone.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId};
use dwarves_domain::rewards::{
    BlockReward, ClosedRound, Emission, RoundInput, Scheme, ShareValue, Source, Weights, close, pps,
};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_ports::store::{CreditKind, CreditRow, CreditWorkings, RoundRow};
use num_bigint::BigInt;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

use crate::example::{MINERS_SHOWN_MAX, NoExample, WorkedExample};
use crate::reckoner::{Formula, Fraction};

/// Goes through the steps of an example's JSON; every result must be what its formula comes to. Gives the last one.
fn reckon(example: &Value) -> Fraction {
    let mut names: BTreeMap<String, Fraction> = BTreeMap::new();
    let mut last = None;
    for step in example["steps"].as_array().unwrap() {
        for (name, value) in step["values"].as_object().unwrap() {
            names.insert(name.clone(), Fraction::read(value.as_str().unwrap()));
        }
        let mut formula = Formula {
            rest: step["formula"].as_str().unwrap(),
            names: &names,
        };
        let value = formula.sum();
        assert_eq!(formula.rest.trim(), "", "{step}");
        let told = Fraction::read(step["result"].as_str().unwrap());
        assert!(value.is_equal(&told), "{step} comes to {value:?}");
        names.insert(step["name"].as_str().unwrap().to_owned(), value.clone());
        last = Some(value);
    }
    last.unwrap()
}

/// Where the miner stands among all, and what rounding left, from the work of all that the JSON tells.
fn check_remainders(example: &Value) {
    for split in example["remainder"]["splits"].as_array().unwrap() {
        let of_block = |step: &&Value| step["block"] == split["block"];
        let steps: Vec<&Value> = example["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(of_block)
            .collect();
        let result = |name: &str| {
            let step = steps
                .iter()
                .find(|step| step["name"].as_str().unwrap().starts_with(name));
            Fraction::read(step.unwrap()["result"].as_str().unwrap())
        };
        let Some(work) = split["work"].as_array() else {
            assert!(split["miners"].as_u64().unwrap() > MINERS_SHOWN_MAX as u64);
            continue;
        };
        let rest = result("rest_sats").0;
        // All with one scale, so that work is whole numbers.
        let scale = BigInt::from(10).pow(29);
        let units = |text: &Value| {
            let Fraction(over, under) = Fraction::read(text.as_str().unwrap());
            over * &scale / under
        };
        let total: BigInt = work.iter().map(|of| units(&of["units"])).sum();
        let mut remainders: Vec<(BigInt, [u8; 32], BigInt)> = work
            .iter()
            .map(|of| {
                let product = &rest * units(&of["units"]);
                let hotkey: Hotkey = of["hotkey"].as_str().unwrap().parse().unwrap();
                (-(&product % &total), *hotkey.as_bytes(), product / &total)
            })
            .collect();
        remainders.sort();
        let given: BigInt = remainders.iter().map(|(.., part)| part).sum();
        assert_eq!(BigInt::from(split["left_sats"].as_u64().unwrap()), &rest - given);
        let me: Hotkey = example["hotkey"].as_str().unwrap().parse().unwrap();
        let place = remainders
            .iter()
            .position(|(_, of, _)| of == me.as_bytes())
            .unwrap();
        assert_eq!(split["position"].as_u64().unwrap(), place as u64 + 1);
    }
}

fn key(n: u16) -> Hotkey {
    let mut bytes = [7; 32];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    Hotkey::from_bytes(bytes)
}

fn hash(n: u8) -> HeaderHash {
    HeaderHash::from_bytes([n; 32])
}

fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

/// What a store gives back of a round.
struct Stored {
    row: RoundRow,
    credits: Vec<CreditRow>,
    blocks: Vec<(Amount, Amount, Option<Hotkey>)>,
}

fn stored(input: &RoundInput, round: &ClosedRound) -> Stored {
    let of = |hash: &HeaderHash| input.accepted.iter().find(|block| block.hash == *hash).unwrap();
    Stored {
        row: RoundRow {
            id: round.id,
            closed_at: round.closed_at,
            scheme: round.scheme,
            source: round.source,
            reward: round.reward,
            fee: round.fee,
            kept: round.kept,
            credited: round.credited,
            emitted: round.emitted,
            blocks: round.blocks.iter().map(|block| block.hash).collect(),
            digest: round.digest,
        },
        credits: round
            .credits
            .iter()
            .map(|credit| CreditRow {
                round: round.id,
                closed_at: round.closed_at,
                hotkey: credit.hotkey,
                units: credit.units,
                amount: credit.amount,
                kind: CreditKind::Credit,
                block: None,
            })
            .collect(),
        blocks: round
            .blocks
            .iter()
            .map(|block| (of(&block.hash).reward, block.fee, of(&block.hash).finder))
            .collect(),
    }
}

fn workings(round: &ClosedRound, hotkey: Hotkey) -> CreditWorkings {
    CreditWorkings {
        fee: round.workings.fee,
        splits: round.workings.splits.clone(),
        paid: round.workings.paid.get(&hotkey).cloned(),
    }
}

/// Every credit of the round is what its example's JSON comes to.
fn check(input: &RoundInput) {
    let round = close(input).unwrap();
    let stored = stored(input, &round);
    for credit in &round.credits {
        let kept = workings(&round, credit.hotkey);
        let example = WorkedExample::new(
            stored.row.clone(),
            &stored.credits,
            &stored.blocks,
            Some(&kept),
            credit.hotkey,
        );
        let json = serde_json::to_value(example.unwrap()).unwrap();
        assert!(
            reckon(&json).is_equal(&Fraction::read(&credit.amount.to_string())),
            "{json}"
        );
        assert_eq!(json["amount_sats"], credit.amount.sats());
        check_remainders(&json);
    }
    let stranger = WorkedExample::new(stored.row, &stored.credits, &stored.blocks, None, key(u16::MAX));
    assert_eq!(stranger, Err(NoExample::NotCredited));
}

fn round(scheme: Scheme, fee: u16, blocks: Vec<(u64, u16, BTreeMap<u16, u128>)>) -> RoundInput {
    let accepted = blocks
        .into_iter()
        .zip(1..)
        .map(|((reward, finder, work), n)| BlockReward {
            hash: hash(n),
            height: u32::from(n),
            reward: sats(reward),
            finder: Some(key(finder)),
            weights: Weights::sum(work.into_iter().map(|(of, work)| (key(of), work))).unwrap(),
        });
    RoundInput {
        id: RoundId::new(7),
        closed_at: Timestamp::from_millis(0),
        scheme,
        fee: BasisPoints::new(fee).unwrap(),
        source: Source::Blocks,
        accepted: accepted.collect(),
        matured: Vec::new(),
        orphaned: Vec::new(),
        returned: Vec::new(),
        shares: Vec::new(),
        carried: BTreeMap::new(),
        emission: None,
    }
}

#[test]
fn the_examples_own_reckoner_reckons() {
    let names = BTreeMap::from([("a_1".to_owned(), Fraction::read("2.50"))]);
    for (formula, expected) in [
        ("a_1 * 2 - 1", "4"),
        ("floor(0 - a_1)", "-3"),
        ("min(1, max(0, 3 + 1 - 4))", "0"),
        ("min(1, max(0, 3 + 1 - 3))", "1"),
        ("(1 + 2) * 3 / 4", "2.25"),
    ] {
        let mut formula = Formula {
            rest: formula,
            names: &names,
        };
        assert!(formula.sum().is_equal(&Fraction::read(expected)));
    }
}

#[test]
fn the_example_of_the_documentation_comes_out() {
    let step = Units::ONE.raw() / 100;
    let work = BTreeMap::from([(1, 115 * 2 * step), (2, 85 * 2 * step)]);
    let input = round(Scheme::Pplns, 100, vec![(5_000_000_000, 2, work)]);
    check(&input);
    let amounts: Vec<u64> = close(&input)
        .unwrap()
        .credits
        .iter()
        .map(|c| c.amount.sats())
        .collect();
    assert_eq!(amounts, [2_846_250_000, 2_103_750_000]);
}

#[test]
fn with_very_many_miners_the_place_and_the_cut_are_told() {
    let work: BTreeMap<u16, u128> = (0..500).map(|n| (n, u128::from(n) * 7 + 1)).collect();
    let input = round(Scheme::Proportional, 33, vec![(1_000_003, 2, work)]);
    check(&input);
    let closed = close(&input).unwrap();
    let stored = stored(&input, &closed);
    let kept = workings(&closed, key(3));
    let example =
        WorkedExample::new(stored.row, &stored.credits, &stored.blocks, Some(&kept), key(3)).unwrap();
    let split = &example.remainder.splits[0];
    assert_eq!((split.work.as_ref(), split.miners), (None, 500));
    assert!(split.last_in.is_some() && split.first_out.is_some());
}

#[test]
fn what_was_not_kept_is_said_to_be_missing() {
    let work = BTreeMap::from([(1, 5_u128), (2, 9)]);
    let block = |reward| (reward, 1, work.clone());
    let of = |input: &RoundInput| {
        let stored = stored(input, &close(input).unwrap());
        WorkedExample::new(stored.row, &stored.credits, &stored.blocks, None, key(1))
    };
    // One block alone is told by its credits.
    let one = of(&round(Scheme::Pplns, 100, vec![block(1_000)])).unwrap();
    assert_eq!(one.terms.fee_bps, None);
    let json = serde_json::to_value(&one).unwrap();
    assert!(reckon(&json).is_equal(&Fraction::whole(one.amount_sats.cast_signed())));
    let two = of(&round(Scheme::Pplns, 100, vec![block(1_000), block(900)]));
    assert_eq!(two, Err(NoExample::NotKept));
    let mut paid = round(Scheme::Pps, 100, Vec::new());
    paid.shares = vec![ShareValue {
        hotkey: key(1),
        units: Units::ONE,
        value: sats(50),
    }];
    assert_eq!(of(&paid), Err(NoExample::NotKept));
}

fn work() -> impl Strategy<Value = BTreeMap<u16, u128>> {
    let size = prop_oneof![1u128..100, 1u128..10u128.pow(30)];
    btree_map(0u16..12, size, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn what_blocks_paid_is_reckoned_again_from_the_json_alone(
        scheme in prop::sample::select(vec![Scheme::Pplns, Scheme::Proportional, Scheme::Solo]),
        fee in 0u16..=10_000, blocks in vec((0u64..10_000_000_000, 0u16..12, work()), 0..4),
    ) {
        check(&round(scheme, fee, blocks));
    }

    #[test]
    fn what_an_emission_paid_is_reckoned_again(
        scheme in prop::sample::select(Scheme::ALL.to_vec()), fee in 0u16..=10_000, emission in 0u64..10_000_000_000,
        blocks in vec((0u64..1_000, 0u16..12, work()), 0..3), work in work(),
    ) {
        let weights = Weights::sum(work.into_iter().map(|(of, work)| (key(of), work))).unwrap();
        let mut input = round(scheme, fee, blocks);
        input.source = Source::Emission;
        input.emission = Some(Emission::of(sats(emission), weights));
        check(&input);
    }

    #[test]
    fn what_shares_were_paid_is_reckoned_again(
        is_full in any::<bool>(), fee in 0u16..=10_000,
        shares in vec((0u16..6, 0u128..10u128.pow(29), prop_oneof![Just(5_000_000_000_u64), 0u64..10_000_000_000]), 0..20),
        carried in btree_map(0u16..6, 1..pps::DENOMINATOR, 0..6), blocks in vec((0u64..1_000, 0u16..12, work()), 0..3),
    ) {
        let mut input = round(if is_full { Scheme::Fpps } else { Scheme::Pps }, fee, blocks);
        input.carried = carried.into_iter().map(|(of, left)| (key(of), left)).collect();
        input.shares = shares
            .into_iter()
            .map(|(of, units, value)| ShareValue { hotkey: key(of), units: Units::from_raw(units), value: sats(value) })
            .collect();
        check(&input);
    }
}
