use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;
use crate::rewards::split;
use crate::units::Amount;

fn key(byte: u8) -> Hotkey {
    Hotkey::from_bytes([byte; 32])
}

fn reading(text: &str) -> Reading {
    text.parse().unwrap()
}

fn terms(winner: u16) -> EvaluatedTerms {
    EvaluatedTerms {
        measure: Measure::Loss,
        loss_floor: reading("0.000001"),
        winner: BasisPoints::new(winner).unwrap(),
        max_age: Span::from_secs(1),
    }
}

fn result(of: u8, figure: Figure, at: i64) -> BestResult {
    BestResult {
        hotkey: key(of),
        figure,
        received_at: Timestamp::from_millis(at),
    }
}

fn loss(of: u8, text: &str) -> BestResult {
    result(of, Figure::Loss(reading(text)), 0)
}

fn score(of: u8, text: &str) -> BestResult {
    result(of, Figure::Score(reading(text)), 0)
}

/// What each gets of 10,000.
fn parts(scheme: Scheme, winner: u16, best: &[BestResult]) -> Vec<(u8, u64)> {
    let weights = weights(scheme, &terms(winner), best).unwrap();
    split(Amount::from_sats(10_000).unwrap(), &weights)
        .iter()
        .map(|credit| (credit.hotkey.as_bytes()[0], credit.amount.sats()))
        .collect()
}

#[test]
fn half_the_loss_is_paid_twice() {
    let best = [loss(1, "0.5"), loss(2, "0.25"), loss(3, "1")];
    assert_eq!(
        parts(Scheme::InverseLoss, 0, &best),
        [(1, 2_857), (2, 5_714), (3, 1_429)]
    );
}

#[test]
fn a_loss_of_nothing_counts_as_the_floor() {
    for tiny in ["0", "1e-18", "0.0000009", "0.000001"] {
        let best = [loss(1, tiny), loss(2, "0.000001")];
        assert_eq!(
            parts(Scheme::InverseLoss, 0, &best),
            [(1, 5_000), (2, 5_000)],
            "{tiny}"
        );
    }
    // Whatever floor is asked for, the weights of all fit.
    let of_nothing = merit(Figure::Loss(Reading::ZERO), Reading::ZERO);
    assert_eq!(of_nothing, Reading::BOUND);
}

#[test]
fn a_score_of_nothing_is_paid_nothing() {
    let best = [score(1, "0"), score(2, "3"), score(3, "1"), score(4, "1e-19")];
    assert_eq!(parts(Scheme::Score, 0, &best), [(2, 7_500), (3, 2_500)]);
    for scheme in [Scheme::Score, Scheme::WinnerTakesMost] {
        assert_eq!(parts(scheme, 9_000, &[score(1, "0")]), []);
        assert_eq!(parts(scheme, 9_000, &[]), []);
    }
}

#[test]
fn the_best_takes_most_and_the_others_share_by_merit() {
    let best = [score(1, "1"), score(2, "9"), score(3, "3")];
    assert_eq!(
        parts(Scheme::WinnerTakesMost, 8_000, &best),
        [(1, 500), (2, 8_000), (3, 1_500)]
    );
    assert_eq!(parts(Scheme::WinnerTakesMost, 10_000, &best), [(2, 10_000)]);
    let losses = [loss(1, "0.5"), loss(2, "0.1"), loss(3, "0.25")];
    assert_eq!(
        parts(Scheme::WinnerTakesMost, 7_000, &losses),
        [(1, 1_000), (2, 7_000), (3, 2_000)]
    );
    assert_eq!(parts(Scheme::WinnerTakesMost, 1, &[score(5, "2")]), [(5, 10_000)]);
}

#[test]
fn a_weight_is_shown_as_a_decimal_number() {
    for (steps, text) in [
        (1, "0.000000000000000001"),
        (10_u128.pow(18) * 4, "4"),
        (25 * 10_u128.pow(17), "2.5"),
    ] {
        assert_eq!(shown(steps), text);
    }
}

#[test]
fn of_equals_the_first_one_wins() {
    let at = |of, at| result(of, Figure::Score(reading("2")), at);
    let first = |best: &[BestResult]| {
        let parts = parts(Scheme::WinnerTakesMost, 9_000, best);
        parts.into_iter().max_by_key(|(_, amount)| *amount).unwrap().0
    };
    assert_eq!(first(&[at(1, 5), at(2, 4), at(3, 6)]), 2);
    assert_eq!(first(&[at(3, 4), at(2, 4), at(1, 6)]), 2);
}

#[test]
fn the_weights_of_as_many_miners_as_there_may_be_fit() {
    let most = u128::from(MINERS_MAX);
    let largest = merit(Figure::Loss(Reading::ZERO), Reading::ZERO);
    let of_scores = Reading::BOUND - 1;
    for merit in [largest, of_scores] {
        assert!(merit.checked_mul(most).is_some());
        assert!(merit.checked_mul(most * u128::from(BasisPoints::WHOLE)).is_some());
    }
}

/// A slow reading of the rules in fractions.
fn exact_parts(scheme: Scheme, terms: &EvaluatedTerms, best: &[BestResult]) -> Vec<(Hotkey, BigRational)> {
    let fraction = |steps: u128| BigRational::new(BigInt::from(steps), BigInt::from(10_u128.pow(18)));
    let step = |number: BigRational| {
        let steps = number * BigRational::from_integer(BigInt::from(10_u128.pow(18)));
        BigRational::new(steps.floor().to_integer(), BigInt::from(10_u128.pow(18)))
    };
    let merits = best.iter().map(|result| {
        let merit = match result.figure {
            Figure::Loss(loss) => step(fraction(loss.max(terms.loss_floor).steps()).recip()),
            Figure::Score(score) => fraction(score.steps()),
        };
        (result, merit)
    });
    let zero = BigRational::from_integer(BigInt::from(0));
    let mut merits: Vec<_> = merits.filter(|(_, merit)| *merit > zero).collect();
    merits.sort_by(|(a, of_a), (b, of_b)| {
        let then = (a.received_at, a.hotkey).cmp(&(b.received_at, b.hotkey));
        of_b.cmp(of_a).then(then)
    });
    let sum = |merits: &[(&BestResult, BigRational)]| -> BigRational {
        merits.iter().map(|(_, merit)| merit.clone()).sum()
    };
    let parts = |merits: &[(&BestResult, BigRational)], of: BigRational| -> Vec<(Hotkey, BigRational)> {
        let all = sum(merits);
        merits
            .iter()
            .map(|(result, merit)| (result.hotkey, merit * &of / &all))
            .collect()
    };
    let one = BigRational::from_integer(BigInt::from(1));
    let mut exact = if scheme == Scheme::WinnerTakesMost && merits.len() > 1 {
        let winner = BigRational::new(BigInt::from(terms.winner.get()), BigInt::from(10_000));
        let mut exact = parts(&merits[1..], &one - &winner);
        exact.push((merits[0].0.hotkey, winner));
        exact
    } else {
        parts(&merits, one)
    };
    exact.retain(|(_, part)| *part > zero);
    exact.sort_by_key(|(hotkey, _)| *hotkey);
    exact
}

/// What each gets of an amount by the largest remainder, in fractions.
fn exact_amounts(amount: u64, parts: &[(Hotkey, BigRational)]) -> Vec<(Hotkey, u64)> {
    let whole = BigRational::from_integer(BigInt::from(amount));
    let mut amounts: Vec<_> = parts
        .iter()
        .map(|(hotkey, part)| {
            let exact = part * &whole;
            let down = exact.floor();
            (*hotkey, u64::try_from(down.to_integer()).unwrap(), exact - down)
        })
        .collect();
    let given: u64 = amounts.iter().map(|(_, amount, _)| amount).sum();
    amounts.sort_by(|(a, _, left_a), (b, _, left_b)| left_b.cmp(left_a).then(a.cmp(b)));
    for (_, amount, _) in amounts.iter_mut().take(usize::try_from(amount - given).unwrap()) {
        *amount += 1;
    }
    let mut amounts: Vec<_> = amounts.into_iter().map(|(h, amount, _)| (h, amount)).collect();
    amounts.retain(|(_, amount)| *amount > 0);
    amounts.sort_unstable();
    amounts
}

fn steps() -> impl Strategy<Value = u128> {
    prop_oneof![
        0..Reading::BOUND,
        0..4_u128,
        0..10_u128.pow(18),
        Reading::BOUND - 4..Reading::BOUND,
        prop::sample::select(vec![10_u128.pow(12), 10_u128.pow(12) + 1, 10_u128.pow(18)]),
    ]
}

proptest! {
    #[test]
    fn what_each_gets_is_what_fractions_say(
        figures in prop::collection::vec((steps(), 0i64..4), 0..40), is_loss in any::<bool>(),
        which in 0usize..3, winner in 1u16..=10_000, amount in prop_oneof![0u64..100, 0..=Amount::MAX.sats()],
    ) {
        let scheme = [Scheme::InverseLoss, Scheme::Score, Scheme::WinnerTakesMost][which];
        let best: Vec<_> = (0..).zip(figures).map(|(of, (steps, at))| {
            let reading = Reading::from_steps(steps).unwrap();
            result(of, if is_loss { Figure::Loss(reading) } else { Figure::Score(reading) }, at)
        }).collect();
        let terms = terms(winner);
        let weights = weights(scheme, &terms, &best).unwrap();
        let credits = split(Amount::from_sats(amount).unwrap(), &weights);
        let given: Vec<_> = credits.iter().map(|credit| (credit.hotkey, credit.amount.sats())).collect();
        let exact = exact_parts(scheme, &terms, &best);
        if exact.is_empty() {
            prop_assert!(weights.is_empty() && given.is_empty());
        } else {
            prop_assert_eq!(given, exact_amounts(amount, &exact));
        }
        let mut turned = best.clone();
        turned.reverse();
        prop_assert_eq!(weights, super::weights(scheme, &terms, &turned).unwrap());
    }

    #[test]
    fn a_merit_is_the_inverse_to_a_step(steps in 1..Reading::BOUND) {
        let merit = merit(Figure::Loss(Reading::from_steps(steps).unwrap()), Reading::ZERO);
        let loss = BigInt::from(steps.max(LOSS_FLOOR_LEAST));
        let one = BigInt::from(INVERSE);
        prop_assert!(BigInt::from(merit) * &loss <= one && BigInt::from(merit + 1) * &loss > one);
        prop_assert!(merit >= 10_u128.pow(9) && merit <= Reading::BOUND);
    }
}
