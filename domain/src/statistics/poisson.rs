//! The Poisson distribution's lower tail.

/// Relative size at which a term of a sum no longer counts.
const NEGLIGIBLE: f64 = 1e-18;
/// Up to here factorials are summed up; beyond, Stirling's series is as exact as a float.
const SUMMED_MAX: u64 = 64;

/// The chance of `found` events or fewer where `expected` are expected: P(X ≤ found), from 0 to 1.
///
/// Terms are summed from the largest of the tail on, so it takes some tens of square roots of `expected` steps
/// and loses no digits. An expectation that is no number above 0 counts as 0.
pub fn at_most(found: u64, expected: f64) -> f64 {
    if expected.is_nan() || expected <= 0.0 {
        return 1.0;
    }
    if expected.is_infinite() {
        return 0.0;
    }
    if (found as f64) < expected {
        lower_sum(found, expected).min(1.0)
    } else {
        (1.0 - upper_sum(found.saturating_add(1), expected)).max(0.0)
    }
}

/// P(X = k).
fn density(k: u64, expected: f64) -> f64 {
    (k as f64 * expected.ln() - expected - ln_factorial(k)).exp()
}

/// P(X ≤ k) for k below the mean: each term is smaller than the one before.
fn lower_sum(k: u64, expected: f64) -> f64 {
    let largest = density(k, expected);
    let (mut term, mut sum, mut at) = (1.0, 1.0, k as f64);
    while at > 0.0 && term > sum * NEGLIGIBLE {
        term *= at / expected;
        sum += term;
        at -= 1.0;
    }
    largest * sum
}

/// P(X ≥ k) for k above the mean: each term is smaller than the one before.
fn upper_sum(k: u64, expected: f64) -> f64 {
    let largest = density(k, expected);
    let (mut term, mut sum, mut at) = (1.0, 1.0, k as f64);
    while term > sum * NEGLIGIBLE {
        at += 1.0;
        term *= expected / at;
        sum += term;
    }
    largest * sum
}

/// The natural logarithm of `n!`.
fn ln_factorial(n: u64) -> f64 {
    if n <= SUMMED_MAX {
        return (2..=n).map(|factor| (factor as f64).ln()).sum();
    }
    let n = n as f64;
    let inverse = 1.0 / n;
    let series = inverse / 12.0 - inverse.powi(3) / 360.0 + inverse.powi(5) / 1_260.0;
    (n + 0.5) * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use proptest::prelude::*;

    /// P(X ≤ found) for a mean of `sixteenths` / 16, in whole numbers: the exponential series up to `found` over
    /// the whole of it, both times 16^n n! for n terms.
    fn exact(found: u64, sixteenths: u64) -> f64 {
        let terms = found.max(sixteenths / 16) + 50 + sixteenths.isqrt() * 3;
        let mut term = (1..=terms).fold(BigInt::from(1), |product, k| product * (16 * k));
        let mut whole = term.clone();
        let mut part = term.clone();
        for k in 1..=terms {
            term = term * sixteenths / (16 * k);
            whole += &term;
            if k <= found {
                part += &term;
            }
        }
        // 64 digits behind the leading one of the quotient are more than a float holds.
        let shift = 64 + whole.bits() - part.bits();
        let digits = u128::try_from((part << shift) / whole).unwrap();
        digits as f64 * 2f64.powi(-i32::try_from(shift).unwrap())
    }

    #[test]
    fn tables_are_met() {
        assert!((at_most(0, 1.0) - 0.367_879_441_171_442_3).abs() < 1e-15);
        assert!((at_most(2, 5.0) - 0.124_652_019_483_081_14).abs() < 1e-15);
        assert!((at_most(10, 10.0) - 0.583_039_750_192_985_3).abs() < 1e-14);
        assert!((at_most(999_999, 1e6) - 0.5).abs() < 1e-3);
    }

    #[test]
    fn odd_expectations_give_odd_but_sound_answers() {
        assert_eq!(at_most(0, 0.0), 1.0);
        assert_eq!(at_most(7, -1.0), 1.0);
        assert_eq!(at_most(7, f64::NAN), 1.0);
        assert_eq!(at_most(7, f64::INFINITY), 0.0);
        assert_eq!(at_most(u64::MAX, 3.0), 1.0);
        assert!(at_most(0, 1e9) == 0.0);
    }

    #[test]
    fn factorials_go_on_smoothly_where_the_series_takes_over() {
        let summed: f64 = (2..=SUMMED_MAX + 1).map(|factor| (factor as f64).ln()).sum();
        assert!((ln_factorial(SUMMED_MAX + 1) / summed - 1.0).abs() < 1e-14);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_tail_is_that_of_exact_fractions(found in 0u64..120, sixteenths in 1u64..1_600) {
            let (tail, exact) = (at_most(found, sixteenths as f64 / 16.0), exact(found, sixteenths));
            prop_assert!((tail - exact).abs() <= 1e-11 * exact.max(1e-12), "{tail} {exact}");
        }

        #[test]
        fn more_finds_are_likelier_and_a_larger_mean_makes_them_less_so(
            found in 0u64..2_000, mean in 0.001f64..3_000.0, more in 0.001f64..100.0,
        ) {
            let tail = at_most(found, mean);
            prop_assert!((0.0..=1.0).contains(&tail));
            prop_assert!(at_most(found + 1, mean) >= tail - 1e-12);
            prop_assert!(at_most(found, mean + more) <= tail + 1e-12);
        }
    }
}
