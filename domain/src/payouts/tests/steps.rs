//! A payout's steps: from every state, what each changes and what it books.

use super::*;

/// Every step, in all of its kinds.
fn any_step() -> impl Strategy<Value = Transition> {
    prop_oneof![
        Just(signing(&[3, 2], 5)),
        Just(Transition::Send),
        (0u32..9).prop_map(Transition::Depth),
        Just(Transition::Confirm(6)),
        Just(Transition::Unconfirm(0)),
        Just(Transition::Return("spent".to_owned())),
        Just(Transition::Cancel("refused".to_owned())),
        Just(Transition::Revive(1)),
        Just(Transition::Forget),
    ]
}

proptest! {
    /// Whatever steps are tried, the books balance, each account has what the payout's state says, and a step
    /// that was taken can be repeated at once without moving anything.
    #[test]
    fn steps_keep_the_books_and_the_state_together(steps in proptest::collection::vec(any_step(), 0..40)) {
        let mut books = Balances::new();
        let mut credits = Postings::new();
        credits.transfer(Account::Chain, Account::Miner(key(1), Balance::Payable), sats(100)).unwrap();
        credits.transfer(Account::Chain, Account::Miner(key(2), Balance::Payable), sats(50)).unwrap();
        books.apply(&credits).unwrap();
        let parts = vec![part(1, 100), part(2, 50)];
        let rate = FeeRate::new(1).unwrap();
        let mut payout = Payout::reserve(PayoutId::new(1), Timestamp::EPOCH, parts, FeePayer::Miners, rate);
        books.apply(&payout.reservation().unwrap()).unwrap();
        for step in steps {
            let of = |books: &Balances, n: u8, b| u64::try_from(books.get(Account::Miner(key(n), b))).unwrap();
            let payable = |hotkey: &Hotkey| {
                sats(u64::try_from(books.get(Account::Miner(*hotkey, Balance::Payable))).unwrap())
            };
            let Ok(stepped) = payout.step(&step, Timestamp::EPOCH, payable) else {
                continue;
            };
            books.apply(&stepped.postings).unwrap();
            payout = stepped.payout;
            let payable = |_: &Hotkey| Amount::ZERO;
            if let Ok(again) = payout.step(&step, Timestamp::EPOCH, payable) {
                prop_assert!(again.postings.is_empty(), "{step:?} moves nothing twice");
            }
            let expected = |payable, in_flight, paid| [payable, in_flight, paid];
            for (n, amount, fee) in [(1, 100, 3), (2, 50, 2)] {
                let seen = [Balance::Payable, Balance::InFlight, Balance::Paid].map(|b| of(&books, n, b));
                let right = match payout.state {
                    state if state.is_in_flight() => expected(0, amount, 0),
                    PayoutState::Confirmed => expected(0, 0, amount - fee),
                    _ => expected(amount, 0, 0),
                };
                prop_assert_eq!(seen, right, "{:?} after {:?}", payout.state, step);
            }
            prop_assert_eq!(books.sum(), 0);
        }
    }
}

#[test]
fn a_payout_is_signed_once() {
    let rate = FeeRate::new(1).unwrap();
    let parts = vec![part(1, 100), part(2, 50)];
    let payout = Payout::reserve(PayoutId::new(1), Timestamp::EPOCH, parts, FeePayer::Miners, rate);
    let none = |_: &Hotkey| Amount::ZERO;
    let signed = payout
        .step(&signing(&[3, 2], 5), Timestamp::EPOCH, none)
        .unwrap()
        .payout;
    let Transition::Sign {
        signed: mut other,
        fees,
    } = signing(&[3, 2], 5)
    else {
        unreachable!()
    };
    other.txid = Txid::from_bytes([2; 32]);
    let again = signed.step(&Transition::Sign { signed: other, fees }, Timestamp::EPOCH, none);
    assert!(matches!(again, Err(TransitionError::OtherTransaction { .. })));
    for fees in [&[3][..], &[3, 3], &[101, 0]] {
        let wrong = payout.step(&signing(fees, 5), Timestamp::EPOCH, none);
        assert!(matches!(wrong, Err(TransitionError::Fees { .. })), "{fees:?}");
    }
}

/// A payout of 100 and 50 sats in this state, for whose transaction the network took 5 sats.
fn payout_in(state: PayoutState) -> Payout {
    let rate = FeeRate::new(1).unwrap();
    let parts = vec![part(1, 100), part(2, 50)];
    let reserved = Payout::reserve(PayoutId::new(1), Timestamp::EPOCH, parts, FeePayer::Miners, rate);
    let sign = || signing(&[3, 2], 5);
    let returned = || Transition::Return("spent".to_owned());
    let steps = match state {
        PayoutState::Reserved => vec![],
        PayoutState::Signed => vec![sign()],
        PayoutState::Broadcast => vec![sign(), Transition::Send],
        PayoutState::Confirmed => vec![sign(), Transition::Send, Transition::Confirm(6)],
        PayoutState::Returned => vec![sign(), Transition::Send, returned()],
        PayoutState::Cancelled => vec![Transition::Cancel("refused".to_owned())],
        PayoutState::Exported | PayoutState::Paid => unreachable!("only exported payouts are"),
    };
    steps.iter().fold(reserved, |payout, step| {
        let stepped = payout.step(step, Timestamp::EPOCH, |_| Amount::ZERO);
        stepped.unwrap().payout
    })
}

#[test]
fn every_step_from_every_state() {
    use PayoutState::{Broadcast, Cancelled, Confirmed, Reserved, Returned, Signed};
    let steps = [
        signing(&[3, 2], 5),
        Transition::Send,
        Transition::Depth(4),
        Transition::Confirm(7),
        Transition::Unconfirm(2),
        Transition::Return("gone".to_owned()),
        Transition::Cancel("refused".to_owned()),
        Transition::Revive(3),
        Transition::Forget,
    ];
    // A state's initial: the step leads there; `=`: it changes no state; `-`: it cannot be taken.
    let table = [
        (Reserved, "S-----C--"),
        (Signed, "=B---R---"),
        (Broadcast, "===P=R-=-"),
        (Confirmed, "====B---="),
        (Returned, "=----=-B="),
        (Cancelled, "------=--"),
    ];
    // Those of exported payouts have tests of their own.
    assert_eq!(table.len() + 2, PayoutState::ALL.len());
    let now = Timestamp::from_secs(1_000);
    for (state, row) in table {
        let payout = payout_in(state);
        for (step, expected) in steps.iter().zip(row.chars()) {
            let stepped = payout.step(step, now, |_| sats(100));
            let name = step.name();
            let to = match expected {
                '-' => {
                    let error = stepped.unwrap_err().to_string();
                    assert_eq!(error, format!("payout 1 is {state}: no step {name} from there"));
                    continue;
                }
                '=' => state,
                'S' => Signed,
                'B' => Broadcast,
                'P' => Confirmed,
                'R' => Returned,
                _ => Cancelled,
            };
            let Transitioned {
                payout: next,
                postings,
            } = stepped.unwrap();
            assert_eq!(next.state, to, "{name} from {state}");
            let changed_at = if to == state { Timestamp::EPOCH } else { now };
            assert_eq!(next.changed_at, changed_at, "{name} from {state}");
            // Money moves where the miners' balances are others afterwards.
            let balance = |state: PayoutState| match state {
                Confirmed => 2,
                state => u8::from(state.is_in_flight()),
            };
            assert_eq!(
                postings.is_empty(),
                balance(to) == balance(state),
                "{name} from {state}: {postings:?}"
            );
            match step {
                Transition::Depth(_) => assert_eq!(next.confirmations, 4),
                Transition::Forget => assert!(!next.is_watched && next.signed.unwrap().bytes.is_empty()),
                _ if to == state => assert_eq!(next, payout, "{name} from {state}"),
                Transition::Confirm(_) => assert_eq!((next.confirmations, next.note.as_str()), (7, "")),
                Transition::Unconfirm(_) => {
                    assert_eq!(next.confirmations, 2);
                    assert!(next.is_watched && next.note.contains("reorganisation"));
                }
                Transition::Revive(_) => {
                    assert_eq!(next.confirmations, 3);
                    assert!(next.is_watched && next.note.contains("given back"));
                }
                Transition::Return(note) => {
                    assert_eq!((next.confirmations, &next.note), (0, note));
                    assert!(next.is_watched, "a reorganisation may bring it back");
                }
                Transition::Cancel(note) => {
                    assert_eq!(&next.note, note);
                    assert!(!next.is_watched);
                }
                Transition::Send => assert_eq!(next.sent_at, Some(now)),
                Transition::Sign { .. } => {
                    let fees: Vec<u64> = next.parts.iter().map(|part| part.fee.sats()).collect();
                    assert_eq!(fees, [3, 2]);
                }
                Transition::Pay(_) | Transition::Unpay(_) => unreachable!("they are not in the table"),
            }
        }
    }
}

#[test]
fn fees_are_those_of_the_parts_and_at_most_the_transactions() {
    let sign = |payer, fees: &[u64], fee| {
        let payout = Payout {
            payer,
            ..payout_in(PayoutState::Reserved)
        };
        payout.step(&signing(fees, fee), Timestamp::EPOCH, |_| Amount::ZERO)
    };
    let why = |payer, fees: &[u64], fee| match sign(payer, fees, fee) {
        Ok(_) => "",
        Err(TransitionError::Fees { why, .. }) => why,
        Err(error) => panic!("{error}"),
    };
    let (pool, miners) = (FeePayer::Pool, FeePayer::Miners);
    for (payer, fees, fee, expected) in [
        (miners, &[3, 2][..], 5, ""),
        (miners, &[3, 2], 6, ""),
        (miners, &[3, 2], 4, "the parts bear more than the fee"),
        (miners, &[100, 50], 150, ""),
        (miners, &[101, 0], 150, "a fee is more than its part"),
        (miners, &[3], 5, "each part has one fee"),
        (miners, &[3, 1, 1], 5, "each part has one fee"),
        (pool, &[0, 0], 5, ""),
        (pool, &[1, 0], 5, "the pool pays the fee, so no part bears any"),
    ] {
        assert_eq!(why(payer, fees, fee), expected, "{payer} with {fees:?} of {fee}");
    }
}

/// The lines of what is booked: account, miner (0: the pool's) and sats.
fn lines(postings: &Postings) -> Vec<(&'static str, u8, i64)> {
    let line = |entry: crate::ledger::Entry| {
        let miner = entry.account.hotkey().map_or(0, |hotkey| hotkey.as_bytes()[0]);
        (entry.account.code(), miner, entry.delta.sats())
    };
    postings.entries().map(line).collect()
}

#[test]
fn being_deep_pays_each_part_less_its_fee_and_the_network_the_whole_fee() {
    let confirm = |payer, fees: &[u64], fee| {
        let payout = Payout {
            payer,
            ..payout_in(PayoutState::Reserved)
        };
        let none = |_: &Hotkey| Amount::ZERO;
        let steps = [signing(fees, fee), Transition::Send];
        let sent = steps.iter().fold(payout, |payout, step| {
            payout.step(step, Timestamp::EPOCH, none).unwrap().payout
        });
        lines(
            &sent
                .step(&Transition::Confirm(6), Timestamp::EPOCH, none)
                .unwrap()
                .postings,
        )
    };
    assert_eq!(
        confirm(FeePayer::Miners, &[3, 2], 7),
        [
            ("reserve", 0, -2),
            ("network_fees", 0, 7),
            ("miner_in_flight", 1, -100),
            ("miner_paid", 1, 97),
            ("miner_in_flight", 2, -50),
            ("miner_paid", 2, 48),
        ]
    );
    assert_eq!(
        confirm(FeePayer::Pool, &[0, 0], 7),
        [
            ("reserve", 0, -7),
            ("network_fees", 0, 7),
            ("miner_in_flight", 1, -100),
            ("miner_paid", 1, 100),
            ("miner_in_flight", 2, -50),
            ("miner_paid", 2, 50),
        ]
    );
}

#[test]
fn what_no_balance_covers_the_reserve_bears_and_gets_back() {
    let elsewhere = Part {
        address: ADDRESSES[2].to_owned(),
        ..part(1, 40)
    };
    let adopted = Adopted {
        parts: vec![part(1, 100), part(2, 50), elsewhere],
        uncovered: Amount::ZERO,
        payer: FeePayer::Pool,
    };
    let Transition::Sign { signed, .. } = signing(&[], 5) else {
        unreachable!()
    };
    let at = Timestamp::from_secs(9);
    let payout = Payout::adopt(PayoutId::new(1), at, adopted, FeeRate::new(1).unwrap(), signed);
    assert_eq!((payout.state, payout.sent_at), (PayoutState::Broadcast, Some(at)));
    assert_eq!(payout.total(), sats(190));
    assert!(payout.is_adopted() && !payout_in(PayoutState::Broadcast).is_adopted());
    let borne = |payout: &Payout| -> Vec<u64> { payout.parts.iter().map(|part| part.borne.sats()).collect() };

    // The first miner has 110 for its two parts, and the second one all of it.
    let has = |hotkey: &Hotkey| sats(if *hotkey == key(1) { 110 } else { 70 });
    let booked = payout.adoption(has).unwrap();
    assert_eq!(borne(&booked.payout), [0, 0, 30]);
    let taken = [
        ("reserve", 0, -30),
        ("miner_payable", 1, -110),
        ("miner_in_flight", 1, 140),
        ("miner_payable", 2, -50),
        ("miner_in_flight", 2, 50),
    ];
    assert_eq!(lines(&booked.postings), taken);
    assert!(
        booked.payout.note.contains("no balance covered 30 sats"),
        "{}",
        booked.payout.note
    );
    assert!(booked.payout.is_adopted());
    // Should another transaction have taken its place, each gets back what it gave.
    let returned = Transition::Return("spent".to_owned());
    let back = booked.payout.step(&returned, at, has).unwrap();
    assert_eq!(back.postings, booked.postings.reversed());
    assert_eq!(borne(&back.payout), [0, 0, 0]);
    // And if it comes back after all, each gives again what it has.
    let revived = back.payout.step(&Transition::Revive(1), at, has).unwrap();
    assert_eq!(
        (revived.postings, borne(&revived.payout)),
        (booked.postings, vec![0, 0, 30])
    );
    // Where it came from stays known when it is deep.
    let deep = booked.payout.step(&Transition::Confirm(6), at, has).unwrap();
    assert_eq!(deep.payout.note, booked.payout.note);

    let covered = payout.adoption(|_| sats(140)).unwrap();
    assert_eq!(covered.payout.note, payout.note, "nothing is said of the reserve");
    assert_eq!(borne(&covered.payout), [0, 0, 0]);
}
