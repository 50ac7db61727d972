//! Batches against slow readings of them.

use std::collections::BTreeMap;

use num_bigint::BigUint;
use proptest::prelude::*;

use super::*;
use crate::ids::PayoutId;
use crate::ledger::{Account, Balance, Balances, Postings};
use crate::payouts::{FeePayer, FeeRate, FeeTerms, PaymentReference, Transition, TransitionError};
use crate::units::BasisPoints;

fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

fn key(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

fn rules(threshold: u64) -> PlanRules {
    PlanRules {
        threshold: sats(threshold),
        threshold_min: sats(1),
        dust: Amount::ZERO,
        payer: FeePayer::Pool,
        terms: FeeTerms {
            rate: FeeRate::LEAST,
            fee_max: BasisPoints::new(500).unwrap(),
            vbytes_max: 1,
        },
        outputs_max: 1,
        addresses: AddressFormat::Ss58,
        refused: BTreeSet::new(),
        suspected: BTreeSet::new(),
    }
}

fn payee(n: u8, payable: u64) -> Payee {
    Payee {
        hotkey: key(n),
        payable: sats(payable),
        address: Some(key(n).to_string()),
        threshold: None,
    }
}

fn batch(name: &str, amounts: &[u64]) -> Export {
    let at = Timestamp::from_millis(1_700_000_000_123);
    let name: BatchName = name.parse().unwrap();
    let payouts = amounts.iter().zip(7_u64..).map(|(amount, id)| {
        let hotkey = key(id as u8);
        let part = Part {
            hotkey,
            address: hotkey.to_string(),
            amount: sats(*amount),
            fee: Amount::ZERO,
            borne: Amount::ZERO,
        };
        Payout::export(PayoutId::new(id), at, part, name.clone())
    });
    let payouts = payouts.collect();
    Export {
        name,
        at,
        pool: key(1),
        unit: "TAO".to_owned(),
        decimals: 9,
        previous: None,
        payouts,
    }
}

#[test]
fn the_two_texts_of_a_batch_are_these_bytes() {
    let mut export = batch("2026-11", &[1_500_000_000, 1]);
    let (pool, one, two) = (key(1), key(7), key(8));
    let text = format!(
        "dwarves/payout-batch/1\n{{\"batch\":\"2026-11\",\"created_at\":\"1700000000\",\"decimals\":\"9\",\"payouts\":[\
         {{\"address\":\"{one}\",\"amount\":\"1500000000\",\"hotkey\":\"{one}\",\"payout\":\"7\"}},\
         {{\"address\":\"{two}\",\"amount\":\"1\",\"hotkey\":\"{two}\",\"payout\":\"8\"}}],\
         \"pool\":\"{pool}\",\"previous\":\"\",\"total\":\"1500000001\",\"unit\":\"TAO\"}}"
    );
    assert_eq!(export.text().unwrap(), text);
    let csv = format!(
        "batch,payout,hotkey,address,amount,amount_in_units,unit\r\n\
         2026-11,7,{one},{one},1500000000,1.500000000,TAO\r\n\
         2026-11,8,{two},{two},1,0.000000001,TAO\r\n"
    );
    assert_eq!(export.csv().unwrap(), csv);
    assert_eq!(signed_csv("x"), "dwarves/payout-batch-csv/1\nx");
    export.previous = Some(BatchDigest::of(&text));
    let next = export.text().unwrap();
    assert!(next.contains(&format!("\"previous\":\"{}\"", BatchDigest::of(&text))));
}

#[test]
fn what_is_no_batch_that_begins_has_no_text() {
    let other = |change: &dyn Fn(&mut Export)| {
        let mut export = batch("b", &[5, 6]);
        change(&mut export);
        (export.text(), export.csv())
    };
    assert!(other(&|_| ()).0.is_some());
    assert_eq!(other(&|e| e.payouts[1].id = PayoutId::new(9)), (None, None));
    assert_eq!(other(&|e| e.payouts[0].exported = None), (None, None));
    assert_eq!(other(&|e| e.payouts[0].state = PayoutState::Paid), (None, None));
    assert_eq!(other(&|e| e.name = "c".parse().unwrap()), (None, None));
    assert_eq!(other(&|e| e.at = Timestamp::EPOCH), (None, None));
    assert_eq!(
        other(&|e| e.payouts[0].parts[0].amount = Amount::MAX),
        (None, None)
    );
    assert_eq!(other(&|e| e.payouts[0].parts.clear()), (None, None));
}

#[test]
fn whoever_cannot_be_paid_waits_by_name() {
    let mut nameless = payee(2, 50);
    nameless.address = None;
    let mut wrong = payee(3, 50);
    wrong.address = Some("0x1234".to_owned());
    let mut picky = payee(4, 50);
    picky.threshold = Some(sats(51));
    let mut modest = payee(5, 2);
    modest.threshold = Some(sats(1));
    let all = vec![
        payee(1, 10),
        payee(6, 9),
        payee(7, 0),
        nameless,
        wrong,
        picky,
        modest,
    ];
    let plan = plan_export(all.clone(), &rules(10), 9).unwrap();
    let paid: Vec<_> = plan
        .parts
        .iter()
        .map(|part| (part.hotkey, part.amount.sats()))
        .collect();
    assert_eq!(paid, [(key(1), 10), (key(5), 2)]);
    assert_eq!(plan.total, sats(12));
    let held = |why| plan.held_for(why);
    assert_eq!(
        (
            held(WhyHeld::BelowThreshold).miners,
            held(WhyHeld::NoAddress).miners
        ),
        (2, 1)
    );
    assert_eq!(
        (
            held(WhyHeld::AddressInvalid).miners,
            held(WhyHeld::NextBatch).miners
        ),
        (1, 0)
    );
    assert_eq!(plan.waiting.len(), 2);
    // Where there are no addresses hotkeys are paid, whatever was named.
    let bare = PlanRules {
        addresses: AddressFormat::Nothing,
        ..rules(10)
    };
    let plan = plan_export(all, &bare, 9).unwrap();
    assert_eq!(plan.parts.len(), 4);
    assert!(
        plan.parts
            .iter()
            .all(|part| part.address == part.hotkey.to_string())
    );
    let twice = plan_export(vec![payee(1, 1), payee(1, 1)], &bare, 9);
    assert_eq!(twice, Err(PlanError::Twice(key(1))));
}

proptest! {
    /// Everything that is payable is in the batch or waits, and nobody smaller is in it while somebody larger waits for the next.
    #[test]
    fn nothing_payable_is_lost_and_the_largest_go_first(
        payable in proptest::collection::vec(0_u64..100, 0..20), most in 0_usize..20,
    ) {
        let payees: Vec<Payee> = payable.iter().zip(1_u8..).map(|(p, n)| payee(n, *p)).collect();
        let plan = plan_export(payees, &rules(10), most).unwrap();
        prop_assert!(plan.parts.len() <= most);
        let paid: u64 = plan.parts.iter().map(|part| part.amount.sats()).sum();
        let held: u64 = plan.held.values().map(|held| held.amount.sats()).sum();
        prop_assert_eq!(paid, plan.total.sats());
        prop_assert_eq!(paid + held, payable.iter().sum::<u64>());
        let mut due: Vec<u64> = payable.iter().copied().filter(|p| *p >= 10).collect();
        due.sort_unstable_by_key(|p| std::cmp::Reverse(*p));
        due.truncate(most);
        let amounts: Vec<u64> = plan.parts.iter().map(|part| part.amount.sats()).collect();
        prop_assert_eq!(amounts, due);
    }

    /// An amount in units is the exact quotient: read back without its point it is the amount.
    #[test]
    fn units_are_exact(amount in 0_u64..=Amount::MAX.sats(), decimals in 0_u8..=18) {
        let text = in_units(amount.into(), decimals);
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        prop_assert_eq!(part.len(), usize::from(decimals));
        prop_assert_eq!(whole.parse::<BigUint>().unwrap(), BigUint::from(amount) / BigUint::from(10_u8).pow(decimals.into()));
        prop_assert_eq!(format!("{whole}{part}").parse::<u64>().unwrap(), amount);
    }

    /// Whatever is marked, unmarked and given back: each account has what the state says, no step moves anything twice, and
    /// what was ever marked paid is not given back.
    #[test]
    fn marks_keep_the_books_and_the_state_together(steps in proptest::collection::vec(0_u8..5, 0..30)) {
        let mut books = Balances::new();
        let mut credit = Postings::new();
        credit.transfer(Account::Emission, Account::Miner(key(7), Balance::Payable), sats(100)).unwrap();
        books.apply(&credit).unwrap();
        let mut payout = batch("b", &[100]).payouts.remove(0);
        books.apply(&payout.reservation().unwrap()).unwrap();
        let reference = |n: u8| -> PaymentReference { format!("tx{n}").parse().unwrap() };
        let mut was_marked: Option<Timestamp> = None;
        let mut by: Option<u8> = None;
        for (step, at) in steps.into_iter().zip(1..) {
            let at = Timestamp::from_secs(at);
            let step = match step {
                0 | 1 => Transition::Pay(reference(step)),
                2 | 3 => Transition::Unpay(reference(step - 2)),
                _ => Transition::Cancel("x".to_owned()),
            };
            let stepped = payout.step(&step, at, |_| Amount::ZERO);
            let expected = match (&step, payout.state) {
                (Transition::Pay(r), PayoutState::Exported) => {
                    by = Some(u8::from(*r == reference(1)));
                    was_marked = was_marked.or(Some(at));
                    PayoutState::Paid
                }
                (Transition::Pay(r), PayoutState::Paid) if Some(u8::from(*r == reference(1))) == by => PayoutState::Paid,
                (Transition::Unpay(_), PayoutState::Exported) => PayoutState::Exported,
                (Transition::Unpay(r), PayoutState::Paid) if Some(u8::from(*r == reference(1))) == by => PayoutState::Exported,
                (Transition::Cancel(_), PayoutState::Cancelled) => PayoutState::Cancelled,
                (Transition::Cancel(_), PayoutState::Exported) if was_marked.is_none() => PayoutState::Cancelled,
                (Transition::Cancel(_), PayoutState::Exported) => {
                    let refused = matches!(stepped, Err(TransitionError::WasPaid { .. }));
                    prop_assert!(refused);
                    continue;
                }
                (Transition::Pay(_) | Transition::Unpay(_), PayoutState::Paid) => {
                    let refused = matches!(stepped, Err(TransitionError::OtherReference { .. }));
                    prop_assert!(refused);
                    continue;
                }
                _ => {
                    let refused = matches!(stepped, Err(TransitionError::Order { .. }));
                    prop_assert!(refused);
                    continue;
                }
            };
            let stepped = stepped.unwrap();
            books.apply(&stepped.postings).unwrap();
            let again = stepped.payout.step(&step, at, |_| Amount::ZERO).unwrap();
            prop_assert_eq!(&again.payout, &stepped.payout);
            prop_assert!(again.postings.is_empty());
            payout = stepped.payout;
            prop_assert_eq!(payout.state, expected);
            prop_assert_eq!(payout.sent_at, was_marked);
            let marked = payout.exported.as_ref().unwrap().reference.is_some();
            prop_assert_eq!(marked, expected == PayoutState::Paid);
            let of = |balance| books.get(Account::Miner(key(7), balance));
            let seen = (of(Balance::Payable), of(Balance::InFlight), of(Balance::Paid));
            let right = match expected {
                PayoutState::Exported => (0, 100, 0),
                PayoutState::Paid => (0, 0, 100),
                _ => (100, 0, 0),
            };
            prop_assert_eq!(seen, right);
        }
    }
}

#[test]
fn exported_payouts_and_those_of_the_wallet_take_no_steps_of_each_other() {
    let exported = batch("b", &[5]).payouts.remove(0);
    let reserved = Payout {
        state: PayoutState::Reserved,
        exported: None,
        ..exported.clone()
    };
    let reference: PaymentReference = "tx".parse().unwrap();
    let refused = |payout: &Payout, step: Transition| {
        let stepped = payout.step(&step, Timestamp::EPOCH, |_| Amount::ZERO);
        matches!(stepped, Err(TransitionError::Order { .. }))
    };
    let return_it = || Transition::Return(String::new());
    let of_wallet = [
        Transition::Send,
        Transition::Depth(1),
        Transition::Confirm(1),
        Transition::Unconfirm(1),
        return_it(),
        Transition::Revive(1),
        Transition::Forget,
    ];
    for step in of_wallet {
        assert!(refused(&exported, step.clone()), "{step:?}");
    }
    assert!(refused(&reserved, Transition::Pay(reference.clone())));
    assert!(refused(&reserved, Transition::Unpay(reference)));
    let held: BTreeMap<_, _> = plan_export(Vec::new(), &rules(1), 1).unwrap().held;
    assert!(held.is_empty());
}
