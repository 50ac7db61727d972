use super::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

fn key(byte: u8) -> Hotkey {
    Hotkey::from_bytes([byte; 32])
}

fn sats(sats: u64) -> Amount {
    Amount::from_sats(sats).unwrap()
}

fn weights(of: &[u128]) -> Weights {
    Weights::sum((0u8..).map(key).zip(of.iter().copied())).unwrap()
}

fn amounts(amount: u64, of: &[u128]) -> Vec<(u8, u64)> {
    split(sats(amount), &weights(of))
        .into_iter()
        .map(|credit| (credit.hotkey.as_bytes()[0], credit.amount.sats()))
        .collect()
}

/// The same rule by exact fractions and one sat at a time.
fn oracle(amount: u64, of: &[u128]) -> Vec<(u8, u64)> {
    let total: BigInt = of.iter().map(|&w| BigInt::from(w)).sum();
    if total == BigInt::from(0) {
        return Vec::new();
    }
    let exact = |w: u128| BigRational::new(BigInt::from(amount) * BigInt::from(w), total.clone());
    let mut given: Vec<BigInt> = of.iter().map(|&w| exact(w).floor().to_integer()).collect();
    while given.iter().sum::<BigInt>() < BigInt::from(amount) {
        let lacking = |i: usize| exact(of[i]) - BigRational::from_integer(given[i].clone());
        let mut most = 0;
        for i in 1..of.len() {
            if lacking(i) > lacking(most) {
                most = i;
            }
        }
        given[most] += 1;
    }
    (0u8..)
        .zip(given)
        .map(|(byte, sats)| (byte, u64::try_from(sats).unwrap()))
        .filter(|&(_, sats)| sats > 0)
        .collect()
}

/// Weights from one to the largest that a dozen miners can have, with many equal ones.
fn any_weight() -> impl Strategy<Value = u128> {
    prop_oneof![0u128..4, 0u128..1_000_000, 0..u128::MAX / 12]
}

fn any_weights() -> impl Strategy<Value = Vec<u128>> {
    prop::collection::vec(any_weight(), 0..12)
}

fn any_sats() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..50, 0u64..1_000_000_000, 0..=Amount::MAX.sats()]
}

#[test]
fn sats_that_are_left_go_to_the_largest_remainders() {
    // Exact parts: 1.4, 5.6, 3.0.
    assert_eq!(amounts(10, &[14, 56, 30]), [(0, 1), (1, 6), (2, 3)]);
}

#[test]
fn equal_remainders_are_served_in_the_order_of_hotkeys() {
    assert_eq!(amounts(5, &[1, 1, 1]), [(0, 2), (1, 2), (2, 1)]);
    assert_eq!(amounts(1, &[7, 7, 7]), [(0, 1)]);
}

#[test]
fn without_work_there_is_nobody_to_credit() {
    assert_eq!(amounts(1_000, &[]), []);
    assert_eq!(amounts(1_000, &[0, 0]), []);
    assert_eq!(amounts(0, &[5, 3]), []);
}

#[test]
fn the_largest_amount_and_weights_do_not_overflow() {
    let all = amounts(Amount::MAX.sats(), &[u128::MAX]);
    assert_eq!(all, [(0, Amount::MAX.sats())]);
    let halves = amounts(Amount::MAX.sats(), &[u128::MAX / 2, u128::MAX / 2]);
    assert_eq!(
        halves,
        [(0, Amount::MAX.sats().div_ceil(2)), (1, Amount::MAX.sats() / 2)]
    );
}

proptest! {
    #[test]
    fn a_split_agrees_with_exact_fractions(amount in any_sats(), of in any_weights()) {
        prop_assert_eq!(amounts(amount, &of), oracle(amount, &of));
    }

    #[test]
    fn a_split_gives_out_exactly_the_amount_if_anybody_worked(amount in any_sats(), of in any_weights()) {
        let given: u128 = amounts(amount, &of).iter().map(|&(_, s)| u128::from(s)).sum();
        let expected = if of.iter().any(|&w| w > 0) { amount } else { 0 };
        prop_assert_eq!(given, u128::from(expected));
    }

    #[test]
    fn who_worked_more_gets_no_less(amount in any_sats(), of in any_weights()) {
        let credits = amounts(amount, &of);
        let got = |i: usize| credits.iter().find(|&&(b, _)| usize::from(b) == i).map_or(0, |&(_, s)| s);
        for i in 0..of.len() {
            for j in 0..of.len() {
                prop_assert!(of[i] <= of[j] || got(i) >= got(j));
            }
        }
    }

    #[test]
    fn more_work_by_one_miner_never_lowers_that_miners_part(
        amount in any_sats(), of in prop::collection::vec(0..u128::MAX / 40, 1..12), who in 0usize..12, more in any_weight(),
    ) {
        let who = who % of.len();
        let part = |of: &[u128]| {
            amounts(amount, of).iter().find(|&&(b, _)| usize::from(b) == who).map_or(0, |&(_, s)| s)
        };
        let before = part(&of);
        let mut of = of;
        of[who] += more;
        prop_assert!(part(&of) >= before);
    }
}
