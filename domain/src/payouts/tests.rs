//! The rules of payouts against slow and exact oracles.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;
use crate::address::{AddressFormat, PayoutAddress};
use crate::hotkey::Hotkey;
use crate::ids::PayoutId;
use crate::ledger::{Account, Balance, Balances, Postings};
use crate::time::Timestamp;
use crate::units::{Amount, BasisPoints};

mod costs;
mod edges;
mod following;
mod planning;
mod reading;
mod steps;
mod thresholds;
mod world;

const SIZES: Sizes = Sizes {
    base: 11,
    input: 68,
    change: 31,
};

const ADDRESSES: [&str; 4] = [
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080",
    "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
    "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc",
];

fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

fn key(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

fn script(address: &str) -> Vec<u8> {
    PayoutAddress::parse(address, AddressFormat::BitcoinRegtest)
        .unwrap()
        .script()
}

fn rules(payer: FeePayer, outputs_max: usize) -> PlanRules {
    PlanRules {
        threshold: sats(10_000),
        threshold_min: sats(1_000),
        dust: sats(546),
        payer,
        terms: FeeTerms {
            rate: FeeRate::new(1).unwrap(),
            fee_max: BasisPoints::new(500).unwrap(),
            vbytes_max: 100_000,
        },
        outputs_max,
        addresses: AddressFormat::BitcoinRegtest,
        refused: BTreeSet::new(),
        suspected: BTreeSet::new(),
    }
}

fn coins(values: &[u64]) -> Vec<(OutPoint, Amount)> {
    let place = |vout| OutPoint {
        txid: Txid::from_bytes([7; 32]),
        vout,
    };
    (0..)
        .zip(values)
        .map(|(vout, &value)| (place(vout), sats(value)))
        .collect()
}

fn funds(values: &[u64]) -> Funds {
    Funds {
        coins: coins(values),
        sizes: SIZES,
        change_min: sats(546),
        in_mweb: Amount::ZERO,
    }
}

/// More than anybody is owed in these tests, where nothing but outputs costs anything.
fn plenty(rules: &PlanRules) -> Purse {
    let sizes = Sizes {
        base: 0,
        input: 0,
        change: 0,
    };
    let all = Funds {
        sizes,
        ..funds(&[1 << 50])
    };
    Purse::new(&all, rules.terms)
}

fn any_candidates() -> impl Strategy<Value = Vec<Payee>> {
    let address = prop_oneof![
        8 => (0..ADDRESSES.len()).prop_map(|n| Some(ADDRESSES[n].to_owned())),
        1 => Just(None),
        1 => Just(Some("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq".to_owned())),
    ];
    let payable = prop_oneof![0u64..2_000, 9_990..10_010u64, 0..1u64 << 40];
    let threshold = proptest::option::of(prop_oneof![1u64..2_000, 1..1u64 << 40]);
    let rows = proptest::collection::btree_map(any::<u8>(), (payable, address, threshold), 0..40);
    rows.prop_map(|rows| {
        let rows = rows.into_iter();
        let candidate =
            |(n, (payable, address, threshold)): (u8, (u64, Option<String>, Option<u64>))| Payee {
                hotkey: key(n),
                payable: sats(payable),
                address,
                threshold: threshold.map(sats),
            };
        rows.map(candidate).collect()
    })
}

fn any_payer() -> impl Strategy<Value = FeePayer> {
    prop_oneof![Just(FeePayer::Pool), Just(FeePayer::Miners)]
}

/// Who is due, said in the plainest way.
fn is_due(candidate: &Payee, rules: &PlanRules) -> bool {
    let wanted = candidate.threshold.map_or(10_000, |own| own.sats().max(1_000));
    let valid = candidate
        .address
        .as_deref()
        .is_some_and(|a| ADDRESSES.contains(&a));
    let dust = match rules.payer {
        FeePayer::Pool => 546,
        // 546 are left of this after five percent.
        FeePayer::Miners => 546 * 100 / 95 + 2,
    };
    candidate.payable.sats() > 0 && valid && candidate.payable.sats() >= wanted.max(dust)
}

proptest! {
    #[test]
    fn a_plan_pays_those_who_are_due_in_full_and_holds_all_others(
        candidates in any_candidates(), payer in any_payer(), outputs_max in 1usize..5,
    ) {
        let rules = rules(payer, outputs_max);
        let planned = plan(candidates.clone(), &rules, &plenty(&rules)).unwrap();
        let parts: BTreeMap<Hotkey, Amount> = planned.parts.iter().map(|p| (p.hotkey, p.amount)).collect();
        prop_assert_eq!(parts.len(), planned.parts.len(), "nobody twice");
        let outputs: BTreeSet<Vec<u8>> = planned.parts.iter().map(|p| script(&p.address)).collect();
        prop_assert!(outputs.len() <= outputs_max);
        for candidate in &candidates {
            match parts.get(&candidate.hotkey) {
                Some(amount) => {
                    prop_assert!(is_due(candidate, &rules));
                    prop_assert_eq!(*amount, candidate.payable, "all of it");
                }
                None => prop_assert!(!is_due(candidate, &rules) || planned.is_full()),
            }
        }
        let paid: u64 = parts.values().map(|amount| amount.sats()).sum();
        let held: u64 = planned.held.values().map(|held| held.amount.sats()).sum();
        let all: u64 = candidates.iter().map(|candidate| candidate.payable.sats()).sum();
        prop_assert_eq!(paid + held, all, "every sat is paid or held");
        prop_assert_eq!(planned.total.sats(), paid);
    }

    #[test]
    fn batch_after_batch_pays_everybody_who_is_due_once(candidates in any_candidates(), payer in any_payer()) {
        let rules = rules(payer, 1);
        let mut left = candidates.clone();
        let mut paid: BTreeSet<Hotkey> = BTreeSet::new();
        for _ in 0..=candidates.len() {
            let planned = plan(left.clone(), &rules, &plenty(&rules)).unwrap();
            for part in &planned.parts {
                prop_assert!(paid.insert(part.hotkey), "nobody twice");
                left.retain(|candidate| candidate.hotkey != part.hotkey);
            }
            if !planned.is_full() {
                break;
            }
        }
        let due: BTreeSet<Hotkey> = candidates.iter().filter(|c| is_due(c, &rules)).map(|c| c.hotkey).collect();
        prop_assert_eq!(paid, due);
    }

    #[test]
    fn a_fee_is_split_by_amounts_within_a_sat_and_to_the_last_one(
        amounts in proptest::collection::vec(1u64..1 << 40, 1..30), percent in 0u64..=100,
    ) {
        let parts = amounts.iter().zip(0u8..).map(|(&amount, n)| Part {
            hotkey: key(n),
            address: ADDRESSES[usize::from(n) % 4].to_owned(),
            amount: sats(amount),
            fee: Amount::ZERO,
            borne: Amount::ZERO,
        });
        let total: u64 = amounts.iter().sum();
        let fee = sats(u64::try_from(u128::from(total) * u128::from(percent) / 100).unwrap());
        let parts: Vec<Part> = parts.collect();
        let batch = PayoutBatch::new(parts.clone(), FeePayer::Miners, AddressFormat::BitcoinRegtest).unwrap();
        let after = batch.parts_after(fee).unwrap();
        prop_assert_eq!(after.iter().map(|part| part.fee.sats()).sum::<u64>(), fee.sats());
        for part in &after {
            let exact = BigRational::new(
                BigInt::from(fee.sats()) * BigInt::from(part.amount.sats()), BigInt::from(total),
            );
            let error = BigRational::from(BigInt::from(part.fee.sats())) - exact;
            prop_assert!(error < BigRational::from(BigInt::from(1)) && error > BigRational::from(BigInt::from(-1)));
        }
        // The outputs are the parts, merged by script: here the upper and lower case of one address.
        let mut by_script: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for part in &after {
            *by_script.entry(script(&part.address)).or_insert(0) += part.net().sats();
        }
        let outputs = batch.outputs_after(fee).unwrap();
        let of_batch: BTreeMap<Vec<u8>, u64> =
            outputs.iter().map(|output| (output.script.clone(), output.amount.sats())).collect();
        prop_assert_eq!(of_batch.len(), outputs.len(), "one output an address");
        prop_assert_eq!(of_batch, by_script);
        let pool_pays = PayoutBatch::new(parts, FeePayer::Pool, AddressFormat::BitcoinRegtest).unwrap();
        prop_assert_eq!(pool_pays.outputs_after(fee).unwrap(), pool_pays.outputs());
    }

    #[test]
    fn what_is_left_after_the_highest_fee_is_never_dust(
        amounts in proptest::collection::vec(0u64..5_000, 1..20), more in 0u64..1 << 30,
    ) {
        let rules = rules(FeePayer::Miners, 2_000);
        let floor = rules.floor().sats();
        let parts: Vec<Part> = amounts.iter().chain([&more]).zip(0u8..).map(|(&above, n)| Part {
            hotkey: key(n),
            address: ADDRESSES[0].to_owned(),
            amount: sats(floor + above),
            fee: Amount::ZERO,
            borne: Amount::ZERO,
        }).collect();
        let batch = PayoutBatch::new(parts, FeePayer::Miners, AddressFormat::BitcoinRegtest).unwrap();
        for part in batch.parts_after(batch.total().fee(rules.terms.fee_max)).unwrap() {
            prop_assert!(part.net() >= rules.dust, "{} of {}", part.net(), part.amount);
        }
    }

    #[test]
    fn chosen_coins_cover_the_payout_and_the_fee_exactly(
        coins in proptest::collection::vec(1u64..100_000, 0..12), amount in 1_000u64..300_000,
        rate in 1u32..50, payer in any_payer(),
    ) {
        let part = Part {
            hotkey: key(1), address: ADDRESSES[0].to_owned(), amount: sats(amount),
            fee: Amount::ZERO, borne: Amount::ZERO,
        };
        let batch = PayoutBatch::new(vec![part], payer, AddressFormat::BitcoinRegtest).unwrap();
        let terms = FeeTerms {
            rate: FeeRate::new(rate).unwrap(),
            fee_max: BasisPoints::new(BasisPoints::WHOLE).unwrap(),
            vbytes_max: u64::MAX,
        };
        let all = funds(&coins);
        let purse = Purse::new(&all, terms);
        let chosen = purse.choose(&batch, Amount::MAX);
        let worth = |inputs: &[OutPoint]| -> u64 {
            all.coins.iter().filter(|(place, _)| inputs.contains(place)).map(|(_, value)| value.sats()).sum()
        };
        match chosen {
            Ok(chosen) => {
                // The fee of a small payout may be more than it: whoever asked for it has a cap against that.
                let paid = i128::from(batch.total().sats()) - i128::from(chosen.borne.sats());
                let spent = i128::from(chosen.fee.sats()) + i128::from(chosen.change.sats());
                prop_assert_eq!(i128::from(worth(&chosen.inputs)), paid + spent);
                let vbytes = 11 + 68 * chosen.inputs.len() as u64 + 31 * 2;
                prop_assert!(chosen.fee.sats() >= vbytes * u64::from(rate), "never below the rate");
                prop_assert!(chosen.change == Amount::ZERO || chosen.change >= sats(546));
            }
            Err(ChooseError::Short { has, needs }) => {
                let worth_it = coins.iter().filter(|&&value| value >= 68 * u64::from(rate));
                prop_assert_eq!(has.sats(), worth_it.sum::<u64>());
                prop_assert!(has < needs);
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

fn part(n: u8, amount: u64) -> Part {
    Part {
        hotkey: key(n),
        address: ADDRESSES[0].to_owned(),
        amount: sats(amount),
        fee: Amount::ZERO,
        borne: Amount::ZERO,
    }
}

fn signing(fees: &[u64], fee: u64) -> Transition {
    Transition::Sign {
        signed: Signed {
            txid: Txid::from_bytes([1; 32]),
            bytes: vec![1],
            inputs: Vec::new(),
            fee: sats(fee),
        },
        fees: fees.iter().map(|&fee| sats(fee)).collect(),
    }
}
