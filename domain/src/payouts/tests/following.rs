//! What is done about a payout by what the wallet says of it: every state, and both sides of each depth.

use super::*;

#[test]
fn only_a_rival_as_deep_as_a_payout_must_be_gives_money_back() {
    let depths = Depths {
        confirm: 6,
        forget: 100,
    };
    let parts = vec![part(1, 100), part(2, 50)];
    let rate = FeeRate::new(1).unwrap();
    let payout = Payout::reserve(PayoutId::new(1), Timestamp::EPOCH, parts, FeePayer::Miners, rate);
    let none = |_: &Hotkey| Amount::ZERO;
    let signed = payout
        .step(&signing(&[3, 2], 5), Timestamp::EPOCH, none)
        .unwrap()
        .payout;
    let by = Txid::from_bytes([9; 32]);
    let rival = |confirmations| Rival::Spent { by, confirmations };
    assert_eq!(rival_act(&signed, rival(5), depths), Act::Wait);
    assert!(
        matches!(rival_act(&signed, rival(6), depths), Act::Steps(steps) if matches!(steps[0], Transition::Return(_)))
    );
    assert_eq!(rival_act(&signed, Rival::None, depths), Act::Send);
    assert_eq!(
        next_act(&payout, Seen::Unknown, depths),
        Act::Wait,
        "nothing was signed"
    );
    assert_eq!(next_act(&signed, Seen::Unknown, depths), Act::Send);
    let sent = next_act(&signed, Seen::Confirmed(6), depths);
    assert_eq!(sent, Act::Steps(vec![Transition::Send, Transition::Confirm(6)]));
}

const DEPTHS: Depths = Depths {
    confirm: 6,
    forget: 100,
};

/// A payout in this state, whose transaction had 4 confirmations when it was looked at last.
fn payout_in(state: PayoutState) -> Payout {
    let rate = FeeRate::new(1).unwrap();
    let parts = vec![part(1, 100), part(2, 50)];
    let reserved = Payout::reserve(PayoutId::new(1), Timestamp::EPOCH, parts, FeePayer::Miners, rate);
    Payout {
        state,
        confirmations: 4,
        ..reserved
    }
}

#[test]
fn whatever_the_wallet_sees_each_state_has_one_answer() {
    use PayoutState::{Broadcast, Cancelled, Confirmed, Exported, Paid, Reserved, Returned, Signed};
    use Seen::{Conflicted, Mempool, Unknown};
    let steps = |steps: &[Transition]| Act::Steps(steps.to_vec());
    let (send, depth) = (|| Transition::Send, Transition::Depth);
    let seen = [
        Unknown,
        Mempool,
        Conflicted,
        Seen::Confirmed(4),
        Seen::Confirmed(5),
        Seen::Confirmed(6),
        Seen::Confirmed(99),
        Seen::Confirmed(100),
    ];
    let table = [
        (Reserved, [const { Act::Wait }; 8]),
        (Cancelled, [const { Act::Wait }; 8]),
        (Exported, [const { Act::Wait }; 8]),
        (Paid, [const { Act::Wait }; 8]),
        (
            Signed,
            [
                Act::Send,
                steps(&[send()]),
                Act::AskRival,
                steps(&[send()]),
                steps(&[send(), depth(5)]),
                steps(&[send(), Transition::Confirm(6)]),
                steps(&[send(), Transition::Confirm(99)]),
                steps(&[send(), Transition::Confirm(100)]),
            ],
        ),
        (
            Broadcast,
            [
                Act::Send,
                steps(&[depth(0)]),
                Act::AskRival,
                Act::Wait,
                steps(&[depth(5)]),
                steps(&[Transition::Confirm(6)]),
                steps(&[Transition::Confirm(99)]),
                steps(&[Transition::Confirm(100)]),
            ],
        ),
        (
            Confirmed,
            [
                steps(&[Transition::Unconfirm(0)]),
                steps(&[Transition::Unconfirm(0)]),
                steps(&[Transition::Unconfirm(0)]),
                steps(&[Transition::Unconfirm(4)]),
                steps(&[Transition::Unconfirm(5)]),
                steps(&[depth(6)]),
                steps(&[depth(99)]),
                steps(&[depth(100), Transition::Forget]),
            ],
        ),
        (
            Returned,
            [
                Act::AskRival,
                Act::AskRival,
                Act::AskRival,
                steps(&[Transition::Revive(4)]),
                steps(&[Transition::Revive(5)]),
                steps(&[Transition::Revive(6)]),
                steps(&[Transition::Revive(99)]),
                steps(&[Transition::Revive(100)]),
            ],
        ),
    ];
    assert_eq!(table.len(), PayoutState::ALL.len());
    for (state, answers) in table {
        for (seen, expected) in seen.into_iter().zip(answers) {
            let act = next_act(&payout_in(state), seen, DEPTHS);
            assert_eq!(act, expected, "{state}, of which the wallet says {seen:?}");
        }
    }
    // What is known already is no step.
    let mut known = payout_in(Confirmed);
    known.confirmations = 100;
    assert_eq!(
        next_act(&known, Seen::Confirmed(100), DEPTHS),
        steps(&[Transition::Forget])
    );
    known.confirmations = 6;
    assert_eq!(next_act(&known, Seen::Confirmed(6), DEPTHS), Act::Wait);
    let mut waits = payout_in(Broadcast);
    waits.confirmations = 0;
    assert_eq!(next_act(&waits, Mempool, DEPTHS), Act::Wait);
}

#[test]
fn a_rival_is_proof_from_the_depth_of_a_payout_on_and_forgotten_at_that_of_forgetting() {
    use PayoutState::{Broadcast, Cancelled, Confirmed, Exported, Paid, Reserved, Returned, Signed};
    let by = Txid::from_bytes([9; 32]);
    let given_back = |confirmations: u32| {
        let note = format!("its inputs were spent by transaction {by}, {confirmations} deep");
        Act::Steps(vec![Transition::Return(note)])
    };
    let forgotten = || Act::Steps(vec![Transition::Forget]);
    // Without a rival, and with one that is 0, 5, 6, 7, 99, 100 and 101 deep.
    let rivals = [
        None,
        Some(0),
        Some(5),
        Some(6),
        Some(7),
        Some(99),
        Some(100),
        Some(101),
    ];
    let under_way = || {
        [
            Act::Send,
            Act::Wait,
            Act::Wait,
            given_back(6),
            given_back(7),
            given_back(99),
            given_back(100),
            given_back(101),
        ]
    };
    let mut returned = [const { Act::Wait }; 8];
    (returned[6], returned[7]) = (forgotten(), forgotten());
    let table = [
        (Reserved, [const { Act::Wait }; 8]),
        (Signed, under_way()),
        (Broadcast, under_way()),
        (Confirmed, [const { Act::Wait }; 8]),
        (Returned, returned),
        (Cancelled, [const { Act::Wait }; 8]),
        (Exported, [const { Act::Wait }; 8]),
        (Paid, [const { Act::Wait }; 8]),
    ];
    for (state, answers) in table {
        for (rival, expected) in rivals.into_iter().zip(answers) {
            let told = rival.map_or(Rival::None, |confirmations| Rival::Spent { by, confirmations });
            let act = rival_act(&payout_in(state), told, DEPTHS);
            assert_eq!(act, expected, "{state}, with a rival {rival:?} deep");
        }
    }
}
